/* SPDX-License-Identifier: MIT */
/* Attention of bf16 on every instruction set of this machine: widths and groups that fill no tile,
 * sequences of several blocks of keys, numbers that are none, and the reference beside it. */
#include "core/base/log.h"
#include "tests/box.h"

static const char *const sets[] = {"portable", "avx2", "avx512", "amx"};
enum { SETS = sizeof sets / sizeof *sets };

/* INTUITOR_ISA is an upper bound: where a set is missing the next one below is tested again. */
static void open_set(int set, int threads)
{
    const struct it_device_options options = {.threads = threads, .exact = true};
    setenv("INTUITOR_ISA", sets[set], 1);
    it_log_set_level(IT_LOG_ERROR);
    ck_ok(it_device_open("cpu", &options, &box_device));
    ck_ok(it_arena_open(box_device, "attn", 64 << 20, &box_arena));
    it_rng_init(&box_rng, 3, 0);
}
static void open_reference(void)
{
    const struct it_device_options options = {.threads = 1};
    ck_ok(it_device_open("reference", &options, &box_device));
    ck_ok(it_arena_open(box_device, "attn", 64 << 20, &box_arena));
    it_rng_init(&box_rng, 3, 0);
}

/* Everything that attention reads and writes. */
struct run {
    struct it_tensor q, k, v, dy, segs, y, lse, dq, dk, dv;
    struct it_attn_shape shape;
};
static struct run make_run(int64_t heads, int64_t kv_heads, int64_t width, int64_t queries,
                           int64_t keys, int64_t count, const double *segments)
{
    int64_t d = heads * width, e = kv_heads * width;
    return (struct run){
        .q = box_random(IT_BF16, queries, d, 1),
        .k = box_random(IT_BF16, keys, e, 1),
        .v = box_random(IT_BF16, keys, e, 1),
        .dy = box_random(IT_BF16, queries, d, 1),
        .segs = box_segments(count, segments),
        .y = box_zeros(IT_BF16, queries, d),
        .lse = box_zeros(IT_F32, queries, heads),
        .dq = box_random(IT_BF16, queries, d, 1),
        .dk = box_random(IT_BF16, keys, e, 1),
        .dv = box_random(IT_BF16, keys, e, 1),
        .shape = {.heads = heads, .kv_heads = kv_heads, .scale = 1 / sqrt((double)width)},
    };
}
static void forward(struct run *r)
{
    ck_ok(it_attn(r->y, r->lse, r->q, r->k, r->v, r->segs, r->shape));
}
static void backward(struct run *r)
{
    ck_ok(it_attn_bwd((struct it_attn_grads){r->dq, r->dk, r->dv}, r->dy,
                      (struct it_attn_saved){r->q, r->k, r->v, r->y, r->lse, r->segs}, r->shape));
}

/* ---- against the reference ---- */

static const struct {
    int64_t heads, kv_heads, width, queries, keys;
    double segments[15];
} shapes[] = {
    {6, 1, 128, 90, 400, {0, 50, 0, 300, 300, 50, 30, 0, 300, 350, 80, 10, 380, 7, 390}},
    {7, 1, 64, 330, 335, {0, 300, 0, 0, 5, 300, 30, 0, 0, 305, 330, 0, 0, 0, 0}},
    {3, 3, 72, 70, 80, {0, 20, 0, 20, 10, 20, 40, 3, 61, 40, 61, 5, 0, 80, 75}}, /* keys twice */
    {40, 1, 24, 20, 60, {0, 9, 0, 33, 40, 9, 10, 0, 33, 50, 19, 1, 0, 0, 59}},
    {2, 1, 255, 33, 33, {0, 33, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
    {300, 1, 8, 3, 40, {0, 2, 0, 30, 30, 2, 1, 0, 0, 32, 0, 0, 0, 0, 0}},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static struct run run_shape(int i)
{
    struct run r = make_run(shapes[i].heads, shapes[i].kv_heads, shapes[i].width, shapes[i].queries,
                            shapes[i].keys, 3, shapes[i].segments);
    forward(&r);
    backward(&r);
    return r;
}

START_TEST(equals_the_reference)
{
    open_set(_i / SHAPES, 2);
    struct it_device *device = box_device;
    struct it_arena *arena = box_arena;
    struct run got = run_shape(_i % SHAPES);
    open_reference();
    struct run want = run_shape(_i % SHAPES);
    ck_assert_double_lt(box_distance(got.y, want.y), 0.03);
    ck_assert_double_lt(box_distance(got.lse, want.lse), 1e-4);
    ck_assert_double_lt(box_distance(got.dq, want.dq), 0.05);
    double size = (double)shapes[_i % SHAPES].heads;
    ck_assert_double_lt(box_distance(got.dk, want.dk), 0.05 + 0.01 * size);
    ck_assert_double_lt(box_distance(got.dv, want.dv), 0.05 + 0.01 * size);
    box_close();
    it_arena_close(arena);
    it_device_close(device);
}
END_TEST

/* ---- to the bit ---- */

START_TEST(threads_change_nothing)
{
    struct it_device *device[2];
    struct it_arena *arena[2];
    struct run r[2];
    for (int i = 0; i < 2; ++i) {
        open_set(_i / SHAPES, i ? 7 : 1);
        r[i] = run_shape(_i % SHAPES);
        device[i] = box_device;
        arena[i] = box_arena;
    }
    ck_assert(box_same(r[0].y, r[1].y) && box_same(r[0].lse, r[1].lse));
    ck_assert(box_same(r[0].dq, r[1].dq));
    ck_assert(box_same(r[0].dk, r[1].dk) && box_same(r[0].dv, r[1].dv));
    for (int i = 0; i < 2; ++i) {
        it_arena_close(arena[i]);
        it_device_close(device[i]);
    }
}
END_TEST

static const struct {
    int64_t heads, kv_heads, width, page;
} decodings[] = {
    {12, 2, 128, 16}, {14, 2, 64, 48}, {5, 1, 40, 7}, {40, 2, 32, 1}, {3, 3, 200, 300}};
enum { DECODINGS = sizeof decodings / sizeof *decodings, LENGTH = 530 };

/* About the ends of tiles and blocks. */
START_TEST(a_step_equals_its_row)
{
    static const int64_t rows[] = {0,   1,   14,  15,  16,  31,  32,  62,  63,  64,
                                   127, 255, 256, 257, 300, 320, 511, 512, 513, 529};
    open_set(_i / DECODINGS, 2);
    int64_t heads = decodings[_i % DECODINGS].heads, kv = decodings[_i % DECODINGS].kv_heads;
    int64_t width = decodings[_i % DECODINGS].width, page = decodings[_i % DECODINGS].page;
    const double segment[] = {0, LENGTH, 0, 0, 0};
    struct run r = make_run(heads, kv, width, LENGTH, LENGTH, 1, segment);
    forward(&r);
    int64_t pages = (LENGTH + page - 1) / page;
    struct it_tensor kc = box_random(IT_BF16, pages * page, kv * width, 1),
                     vc = box_random(IT_BF16, pages * page, kv * width, 1),
                     table = box_new(IT_I32, 1, pages), one = box_new(IT_BF16, 1, heads * width);
    double at[LENGTH], order[LENGTH];
    for (int64_t p = 0; p < pages; ++p) { order[p] = (double)(pages - 1 - p); }
    for (int64_t j = 0; j < LENGTH; ++j) {
        at[j] = order[j / page] * (double)page + (double)(j % page);
    }
    box_set(table, order);
    ck_ok(it_kv_write(kc, vc, r.k, r.v, box_list(IT_I32, LENGTH, at)));
    r.shape.page = page;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
        const double length = (double)(rows[i] + 1);
        ck_ok(it_attn_decode(one, it_rows(r.q, rows[i], 1), kc, vc, table,
                             box_list(IT_I32, 1, &length), r.shape));
        ck_assert_msg(box_same(one, it_rows(r.y, rows[i], 1)), "query %d", (int)rows[i]);
    }
    box_close();
}
END_TEST

/* A sequence alone and between others that share its prompt. */
START_TEST(companions_change_nothing)
{
    enum { PROMPT = 270, OWN = 45, ALL = PROMPT + 3 * OWN, D = 6 * 64, E = 64 };
    static const double many[] = {0,       OWN, 0, PROMPT, PROMPT,
                                  OWN,     OWN, 0, PROMPT, PROMPT + OWN,
                                  2 * OWN, OWN, 0, 0,      PROMPT + 2 * OWN};
    static const double one[] = {0, OWN, 0, PROMPT, PROMPT + OWN};
    open_set(_i, 2);
    struct run all = make_run(6, 1, 64, 3 * OWN, ALL, 3, many), some = all;
    forward(&all);
    backward(&all);
    some.q = it_rows(all.q, OWN, OWN);
    some.dy = it_rows(all.dy, OWN, OWN);
    some.y = box_zeros(IT_BF16, OWN, D);
    some.dq = box_zeros(IT_BF16, OWN, D);
    some.lse = box_zeros(IT_F32, OWN, 6);
    some.dk = box_zeros(IT_BF16, ALL, E);
    some.dv = box_zeros(IT_BF16, ALL, E);
    some.segs = box_segments(1, one);
    forward(&some);
    backward(&some);
    ck_assert(box_same(it_rows(all.y, OWN, OWN), some.y));
    ck_assert(box_same(it_rows(all.lse, OWN, OWN), some.lse));
    ck_assert(box_same(it_rows(all.dq, OWN, OWN), some.dq));
    int64_t own = PROMPT + OWN;
    ck_assert(box_same(it_rows(all.dk, own, OWN), it_rows(some.dk, own, OWN)));
    ck_assert(box_same(it_rows(all.dv, own, OWN), it_rows(some.dv, own, OWN)));
    box_close();
}
END_TEST

/* ---- numbers that are none ---- */

static void put_one(struct it_tensor t, int64_t row, int64_t column, float value)
{
    const double number = (double)value;
    struct it_tensor cell = it_columns(it_rows(t, row, 1), column, 1);
    box_set(cell, &number);
}
static bool all_nan(struct it_tensor t)
{
    double *values = box_get(t);
    bool all = true;
    for (int64_t i = 0; i < it_tensor_count(&t); ++i) { all = all && isnan(values[i]); }
    free(values);
    return all;
}
static bool any_nan(struct it_tensor t)
{
    double *values = box_get(t);
    bool any = false;
    for (int64_t i = 0; i < it_tensor_count(&t); ++i) { any = any || isnan(values[i]); }
    free(values);
    return any;
}

enum { BAD = 277, QUERIES = 300 };
static const double two[] = {0, QUERIES, 0, 0, 0, QUERIES, 20, 0, 0, QUERIES};

/* What a later key holds is nothing to a query, nor to another sequence. */
START_TEST(later_nans_change_nothing)
{
    static const float bad[] = {NAN, INFINITY};
    open_set(_i / 4, 2);
    struct run clean = make_run(6, 2, 64, QUERIES + 20, QUERIES + 20, 2, two);
    struct run r = clean;
    forward(&clean);
    backward(&clean);
    r.y = box_zeros(IT_BF16, QUERIES + 20, 6 * 64);
    r.lse = box_zeros(IT_F32, QUERIES + 20, 6);
    r.dq = box_zeros(IT_BF16, QUERIES + 20, 6 * 64);
    r.dk = box_zeros(IT_BF16, QUERIES + 20, 2 * 64);
    r.dv = box_zeros(IT_BF16, QUERIES + 20, 2 * 64);
    put_one(_i & 1 ? r.k : r.v, BAD, 5, bad[_i / 2 % 2]);
    forward(&r);
    backward(&r);
    struct it_tensor a[] = {clean.y, clean.lse, clean.dq}, b[] = {r.y, r.lse, r.dq};
    for (int i = 0; i < 3; ++i) {
        ck_assert_msg(box_same(it_rows(a[i], 0, BAD), it_rows(b[i], 0, BAD)), "output %d", i);
        ck_assert_msg(box_same(it_rows(a[i], QUERIES, 20), it_rows(b[i], QUERIES, 20)),
                      "output %d of the other", i);
    }
    ck_assert(box_same(it_rows(clean.dk, QUERIES, 20), it_rows(r.dk, QUERIES, 20)));
    ck_assert(box_same(it_rows(clean.dv, QUERIES, 20), it_rows(r.dv, QUERIES, 20)));
    box_close();
}
END_TEST

/* A NaN in a key, a value or a query makes NaNs of what sees it. */
START_TEST(nans_are_passed_on)
{
    open_set(_i, 2);
    struct run r = make_run(2, 1, 64, QUERIES + 20, QUERIES + 20, 2, two);
    put_one(r.k, BAD, 5, NAN);
    forward(&r);
    ck_assert(all_nan(it_rows(r.y, BAD, QUERIES - BAD)));
    put_one(r.k, BAD, 5, 0);
    put_one(r.v, BAD, 5, NAN);
    forward(&r);
    ck_assert(all_nan(it_columns(it_rows(r.y, BAD, QUERIES - BAD), 5, 1)));
    ck_assert(!any_nan(it_columns(it_rows(r.y, BAD, QUERIES - BAD), 6, 1)));
    put_one(r.v, BAD, 5, 0);
    put_one(r.q, 9, 64 + 5, NAN);
    forward(&r);
    ck_assert(all_nan(it_columns(it_rows(r.y, 9, 1), 64, 64)));
    ck_assert(!any_nan(it_columns(it_rows(r.y, 9, 1), 0, 64)));
    ck_assert(!any_nan(it_rows(r.y, 10, 100)));
    box_close();
}
END_TEST

/* Slopes of one sequence that are no numbers stay there. */
START_TEST(nan_slopes_stay_in_their_sequence)
{
    open_set(_i, 2);
    struct run r = make_run(6, 1, 64, QUERIES + 20, QUERIES + 20, 2, two);
    put_one(r.dy, QUERIES - 1, 3, NAN);
    forward(&r);
    backward(&r);
    ck_assert(any_nan(it_rows(r.dv, 0, QUERIES)));
    ck_assert(!any_nan(it_rows(r.dq, 0, QUERIES - 1)));
    ck_assert(!any_nan(it_rows(r.dq, QUERIES, 20)) && !any_nan(it_rows(r.dk, QUERIES, 20)) &&
              !any_nan(it_rows(r.dv, QUERIES, 20)));
    box_close();
}
END_TEST

/* A score of minus infinity has no weight, even where a block begins with it. */
START_TEST(minus_infinity_has_no_weight)
{
    static const double one[] = {0, 9, 0, 0, 3}, ahead[] = {0, 9, 0, 3, 3};
    open_set(_i, 2);
    struct run without = make_run(1, 1, 64, 9, 12, 1, one), with = without;
    with.y = box_zeros(IT_BF16, 9, 64);
    with.lse = box_zeros(IT_F32, 9, 1);
    with.segs = box_segments(1, ahead);
    for (int i = 0; i < 9; ++i) { put_one(with.q, i, 7, 1); }
    for (int i = 0; i < 3; ++i) { put_one(with.k, i, 7, -INFINITY); }
    forward(&without);
    forward(&with);
    ck_assert_double_lt(box_distance(with.y, without.y), 0.03);
    ck_assert_double_lt(box_distance(with.lse, without.lse), 1e-5);
    box_close();
}
END_TEST

int main(void)
{
    if (!box_has("cpu")) { return 77; }
    Suite *suite = suite_create("cpu_attn");
    TCase *tests = tcase_create("cpu_attn");
    tcase_set_timeout(tests, 30);
    tcase_add_loop_test(tests, equals_the_reference, 0, SETS * SHAPES);
    tcase_add_loop_test(tests, threads_change_nothing, 0, SETS * SHAPES);
    tcase_add_loop_test(tests, a_step_equals_its_row, 0, SETS * DECODINGS);
    tcase_add_loop_test(tests, companions_change_nothing, 0, SETS);
    tcase_add_loop_test(tests, later_nans_change_nothing, 0, 4 * SETS);
    tcase_add_loop_test(tests, nans_are_passed_on, 0, SETS);
    tcase_add_loop_test(tests, nan_slopes_stay_in_their_sequence, 0, SETS);
    tcase_add_loop_test(tests, minus_infinity_has_no_weight, 0, SETS);
    suite_add_tcase(suite, tests);
    return box_run(suite);
}
