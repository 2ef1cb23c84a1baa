/* SPDX-License-Identifier: MIT */
/* Sizes of real models on the cpu backend against the reference: sequences longer than a block of
 * keys, vocabularies of many tiles, ties and odd filters in sampling; and products too large for
 * the caches and for the space that packed operands have. */
#include "core/base/log.h"
#include "tests/box.h"

static const char *const sets[] = {"portable", "avx2", "avx512", "amx"};
enum { SETS = sizeof sets / sizeof *sets };

/* The device under test and the reference, each with its arena; `box_` is the one in use. */
static struct it_device *devices[2];
static struct it_arena *arenas[2];

static void use(int which)
{
    box_device = devices[which];
    box_arena = arenas[which];
    it_rng_init(&box_rng, 5, 0); /* both get the same numbers */
}

static void open_both(int set)
{
    static const char *const names[2] = {"cpu", "reference"};
    const struct it_device_options options = {.threads = 2, .exact = true};
    setenv("INTUITOR_ISA", sets[set], 1);
    it_log_set_level(IT_LOG_ERROR);
    for (int i = 0; i < 2; ++i) {
        ck_ok(it_device_open(names[i], &options, &devices[i]));
        ck_ok(it_arena_open(devices[i], "large", 32 << 20, &arenas[i]));
    }
}

static void close_both(void)
{
    for (int i = 0; i < 2; ++i) {
        use(i);
        box_close();
    }
}

/* ---- attention ---- */

enum { HEADS = 6, KV = 2, WIDTH = 20, D = HEADS * WIDTH, E = KV * WIDTH, T = 130, PREFIX = 290 };

/* A long prompt made earlier, two completions on it, a sequence of its own; some rows unused. */
static const double segments[] = {0,  50, 0, PREFIX, PREFIX,      51, 40, 0, PREFIX, PREFIX + 50,
                                  91, 0,  0, 0,      PREFIX + 90, 92, 30, 3, 0,      PREFIX + 95};

struct attended {
    struct it_tensor y, lse, dq, dk, dv;
};

static struct attended attend(enum it_dtype dtype)
{
    struct it_attn_shape shape = {.heads = HEADS, .kv_heads = KV, .scale = 0.25};
    struct it_tensor q = box_random(dtype, T, D, 1), k = box_random(dtype, PREFIX + T, E, 1);
    struct it_tensor v = box_random(dtype, PREFIX + T, E, 1), dy = box_random(dtype, T, D, 1);
    struct it_tensor segs = box_segments(4, segments);
    struct attended a = {box_zeros(dtype, T, D), box_zeros(IT_F32, T, HEADS),
                         box_random(dtype, T, D, 1), box_random(dtype, PREFIX + T, E, 1),
                         box_random(dtype, PREFIX + T, E, 1)};
    ck_ok(it_attn(a.y, a.lse, q, k, v, segs, shape));
    ck_ok(it_attn_bwd((struct it_attn_grads){a.dq, a.dk, a.dv}, dy,
                      (struct it_attn_saved){q, k, v, a.y, a.lse, segs}, shape));
    return a;
}

START_TEST(attention_over_blocks)
{
    enum it_dtype dtype = _i % 2 ? IT_BF16 : IT_F32;
    double bound = _i % 2 ? 0.1 : 2e-4;
    open_both(_i / 2);
    use(0);
    struct attended got = attend(dtype);
    use(1);
    struct attended want = attend(dtype);
    ck_assert_double_lt(box_distance(got.y, want.y), bound / 4);
    ck_assert_double_lt(box_distance(got.lse, want.lse), 1e-4);
    ck_assert_double_lt(box_distance(got.dq, want.dq), bound);
    ck_assert_double_lt(box_distance(got.dk, want.dk), bound);
    ck_assert_double_lt(box_distance(got.dv, want.dv), bound);
    double *unused = box_get(it_rows(got.dq, 50, 1));
    for (int i = 0; i < D; ++i) { ck_assert_double_eq(unused[i], 0); }
    free(unused);
    close_both();
}
END_TEST

/* ---- products ---- */

static struct it_tensor any_numbers(int64_t rows, int64_t columns)
{
    struct it_tensor t;
    ck_ok(it_tensor2(arenas[0], IT_BF16, rows, columns, &t));
    uint16_t *bits = it_tensor_host(&t);
    uint32_t state = (uint32_t)rows;
    for (int64_t i = 0; i < rows * columns; ++i) {
        state = state * 1664525u + 1013904223u;
        bits[i] = (uint16_t)((state >> 16 & 0x807f) | 0x3f00); /* between 1/2 and 1, either sign */
    }
    return t;
}

/* y = a op(b) at once, and by `count` of its rows at a time: the same bits. */
static void compare_parts(enum it_dtype dtype, struct it_tensor a, struct it_tensor b,
                          struct it_matmul_how how, int64_t count)
{
    int64_t m = a.shape[how.trans_a], n = b.shape[!how.trans_b];
    struct it_tensor y[2], none = {0};
    for (int i = 0; i < 2; ++i) { ck_ok(it_tensor2(arenas[0], dtype, m, n, &y[i])); }
    ck_ok(it_matmul(y[0], a, b, none, how));
    for (int64_t row = 0; row < m; row += count) {
        int64_t rows = m - row < count ? m - row : count;
        struct it_tensor part = how.trans_a ? it_columns(a, row, rows) : it_rows(a, row, rows);
        ck_ok(it_matmul(it_rows(y[1], row, rows), part, b, none, how));
    }
    size_t bytes = (size_t)(m * n) * it_dtype_size(dtype);
    ck_assert_mem_eq(it_tensor_host(&y[0]), it_tensor_host(&y[1]), bytes);
}

START_TEST(rows_of_large_products_are_those_of_small_ones)
{
    const struct it_device_options options = {.threads = 2, .exact = true};
    setenv("INTUITOR_ISA", _i ? "amx" : "avx512", 1);
    it_log_set_level(IT_LOG_ERROR);
    ck_ok(it_device_open("cpu", &options, &devices[0]));
    ck_ok(it_arena_open(devices[0], "large", 192 << 20, &arenas[0]));
    struct it_tensor x = any_numbers(2100, 96), w = any_numbers(1056, 96);
    compare_parts(IT_BF16, x, w, (struct it_matmul_how){.trans_b = true}, 700);
    struct it_tensor across = any_numbers(96, 1056), longer = any_numbers(1056, 32800);
    compare_parts(IT_BF16, x, across, (struct it_matmul_how){0}, 700);
    compare_parts(IT_F32, longer, any_numbers(1056, 40), (struct it_matmul_how){.trans_a = true},
                  4000);
    it_arena_close(arenas[0]);
    it_device_close(devices[0]);
}
END_TEST

/* ---- the vocabulary ---- */

enum { ROWS = 6, VOCABULARY = 30011 };

/* Rows: plain; peaked; flat; with minus infinities; with equal logits; far from zero. */
static struct it_tensor make_logits(void)
{
    struct it_tensor logits = box_random(IT_F32, ROWS, VOCABULARY, 3);
    float *z = it_tensor_host(&logits);
    z[1 * VOCABULARY + 29500] = 40; /* beyond the smaller vocabulary */
    for (int j = 0; j < VOCABULARY; ++j) {
        z[2 * VOCABULARY + j] = 0.5f;
        if (j % 3 == 0) { z[3 * VOCABULARY + j] = -INFINITY; }
        z[4 * VOCABULARY + j] = (float)(j % 7);
        z[5 * VOCABULARY + j] -= 5000;
    }
    return logits;
}

struct measured {
    struct it_tensor stats, slopes;
};

static struct measured measure(double t1, double t2, int64_t vocabulary, bool in_place)
{
    const double target[ROWS] = {3, 29500, VOCABULARY - 1, 4, -1, VOCABULARY}, temps[2] = {t1, t2};
    struct it_tensor logits = make_logits(), coefs = box_random(IT_F32, ROWS, 3, 1);
    struct it_tensor targets = box_list(IT_I32, ROWS, target), t = box_list(IT_F32, 2, temps);
    struct measured m = {box_zeros(IT_F32, ROWS, IT_STAT_COUNT),
                         in_place ? logits : box_new(IT_F32, ROWS, VOCABULARY)};
    ck_ok(it_token_stats(m.stats, logits, targets, t, vocabulary));
    ck_ok(it_token_stats_bwd(m.slopes, logits, targets, m.stats, coefs, t, vocabulary));
    return m;
}

START_TEST(statistics_of_a_large_vocabulary)
{
    static const double temps[][2] = {{1, 1}, {0.9, 1}, {1.25, 1.25}};
    static const int64_t vocabularies[] = {0, 29000};
    open_both(_i);
    for (int way = 0; way < 6; ++way) {
        int64_t mark[2] = {it_arena_mark(arenas[0]), it_arena_mark(arenas[1])};
        struct measured m[2];
        for (int i = 0; i < 2; ++i) {
            use(i);
            m[i] = measure(temps[way / 2][0], temps[way / 2][1], vocabularies[way % 2],
                           i == 0 && way > 2);
        }
        double *got = box_get(m[0].stats), *want = box_get(m[1].stats);
        for (int i = 0; i < ROWS * IT_STAT_COUNT; ++i) {
            if (isinf(want[i])) {
                ck_assert(got[i] == want[i]);
                continue;
            }
            ck_assert_msg(fabs(got[i] - want[i]) < 2e-5 * (1 + fabs(want[i])),
                          "row %d statistic %d is %g, not %g", i / IT_STAT_COUNT, i % IT_STAT_COUNT,
                          got[i], want[i]);
        }
        free(got);
        free(want);
        ck_assert_double_lt(box_distance(m[0].slopes, m[1].slopes), 2e-3);
        it_arena_reset(arenas[0], mark[0]);
        it_arena_reset(arenas[1], mark[1]);
    }
    close_both();
}
END_TEST

/* ---- sampling ---- */

static const float filters[][4] = {
    {0, 0, 1, 0},      {1, 0, 1, 0},        {1, 1, 1, 0},           {0.8f, 50, 1, 0},
    {1, 1000, 1, 0},   {1, 29999, 1, 0},    {1, 1e9f, 1, 0},        {1, 0, 0.9f, 0},
    {1, 0, 0.999f, 0}, {1, 0, 1e-6f, 0},    {1, 0, 0, 0},           {2, 40, 0.5f, 0.01f},
    {1, 0, 1, 0.2f},   {1, 0, 1, 1},        {3, 5, 0.95f, 0},       {1, 2.9f, 1, 0},
    {-1, 5, 0.5f, 0},  {0.01f, 0, 0.9f, 0}, {1, 20000, 0.7f, 0.5f}, {50, 0, 0.3f, 0}};
enum { FILTERS = sizeof filters / sizeof *filters };

static struct it_tensor draw(const struct it_tensor *logits, int filter, int round)
{
    struct it_tensor params = box_new(IT_F32, ROWS, 4), keys = box_new(IT_U32, ROWS, 6), ids;
    ck_ok(it_tensor1(box_arena, IT_I32, ROWS, &ids));
    for (int r = 0; r < ROWS; ++r) {
        memcpy((float *)it_tensor_host(&params) + 4 * r, filters[filter], sizeof filters[0]);
        uint32_t *key = (uint32_t *)it_tensor_host(&keys) + 6 * r;
        for (int i = 0; i < 6; ++i) { key[i] = (uint32_t)(round * 1000003 + r * 31 + i); }
    }
    ck_ok(it_sample(ids, *logits, params, keys));
    return ids;
}

START_TEST(draws_equal_the_reference)
{
    enum { ROUNDS = 2 };
    open_both(_i);
    use(0);
    struct it_tensor mine = make_logits();
    use(1);
    struct it_tensor theirs = make_logits();
    float *z = it_tensor_host(&mine), *copy = it_tensor_host(&theirs);
    for (int j = 0; j < 9; ++j) { z[j * 31] = copy[j * 31] = NAN; }
    for (int filter = 0; filter < FILTERS; ++filter) {
        for (int round = 0; round < ROUNDS; ++round) {
            int64_t mark[2] = {it_arena_mark(arenas[0]), it_arena_mark(arenas[1])};
            use(0);
            struct it_tensor got = draw(&mine, filter, round);
            use(1);
            struct it_tensor want = draw(&theirs, filter, round);
            const int32_t *id[2] = {it_tensor_host(&got), it_tensor_host(&want)};
            for (int r = 0; r < ROWS; ++r) {
                ck_assert_msg(id[0][r] == id[1][r], "filter %d round %d row %d: %d, not %d", filter,
                              round, r, id[0][r], id[1][r]);
            }
            it_arena_reset(arenas[0], mark[0]);
            it_arena_reset(arenas[1], mark[1]);
        }
    }
    close_both();
}
END_TEST

int main(void)
{
    if (!box_has("cpu")) { return 77; }
    Suite *suite = suite_create("cpu_large");
    TCase *tests = tcase_create("cpu_large");
    tcase_set_timeout(tests, 30);
    tcase_add_loop_test(tests, attention_over_blocks, 0, 2 * SETS);
    tcase_add_loop_test(tests, rows_of_large_products_are_those_of_small_ones, 0, 2);
    tcase_add_loop_test(tests, statistics_of_a_large_vocabulary, 0, SETS);
    tcase_add_loop_test(tests, draws_equal_the_reference, 0, SETS);
    suite_add_tcase(suite, tests);
    return box_run(suite);
}
