/* SPDX-License-Identifier: MIT */
/* What the cpu backend promises beyond the reference: with the kernels of every instruction set of
 * this machine, the same bits whatever the number of threads, the other rows of a batch, and the
 * way a product or a sequence is cut. */
#include <stdio.h>

#include "core/base/log.h"
#include "core/tensor/cases.h"
#include "tests/box.h"

static const char *const sets[] = {"portable", "avx2", "avx512", "amx"};
enum { SETS = sizeof sets / sizeof *sets };

/* INTUITOR_ISA is an upper bound: where a set is missing the next one below is tested again. */
static void open_set(int set, int threads)
{
    const struct it_device_options options = {.threads = threads, .exact = true, .strict = true};
    setenv("INTUITOR_ISA", sets[set], 1);
    it_log_set_level(IT_LOG_ERROR);
    ck_ok(it_device_open("cpu", &options, &box_device));
    ck_ok(it_arena_open(box_device, "bits", 256 << 20, &box_arena));
    it_rng_init(&box_rng, 11, 0);
}

START_TEST(names_an_unknown_set)
{
    const struct it_device_options options = {.threads = 1};
    struct it_device *device = NULL;
    setenv("INTUITOR_ISA", "avx1024", 1);
    ck_assert_int_eq(it_device_open("cpu", &options, &device), IT_INVALID);
    setenv("INTUITOR_ISA", "portable", 1);
    ck_ok(it_device_open("cpu", &options, &device));
    const struct it_device_info *info = it_device_info(device);
    ck_assert_ptr_nonnull(strstr(info->description, ", 1 thread, portable"));
    ck_assert_int_gt(info->memory_total, 0);
    ck_assert_int_gt(info->memory_free, 0);
    ck_assert_int_le(info->memory_free, info->memory_total);
    it_device_close(device);
}
END_TEST

/* swiglu is k_silu in lanes: to the bit, from one end of the floats to the other. */
START_TEST(exponential_equals_the_scalar_one)
{
    enum { N = 1 << 16 };
    static const float edges[] = {0.0f,  -0.0f,     1e-40f,    87.33654f, 87.33655f,
                                  88.0f, 88.72283f, 88.72284f, 88.72285f, 89.0f,
                                  3e38f, INFINITY,  NAN};
    enum { EDGES = sizeof edges / sizeof *edges };
    open_set(_i, 2);
    struct it_tensor gu = box_new(IT_F32, 1, 2 * N), h = box_new(IT_F32, 1, N);
    float *x = it_tensor_host(&gu), *y = it_tensor_host(&h);
    for (int i = 0; i < N; ++i) {
        x[i] = i < 2 * EDGES ? (i & 1 ? -edges[i / 2] : edges[i / 2])
                             : (float)(200 * it_rng_uniform(&box_rng) - 100);
        x[N + i] = 1;
    }
    ck_ok(it_swiglu(h, gu));
    for (int i = 0; i < N; ++i) {
        float want = k_silu(x[i]);
        ck_assert_msg(k_bits(y[i]) == k_bits(want) || (y[i] != y[i] && want != want),
                      "silu of %.9g is %.9g, not %.9g", (double)x[i], (double)y[i], (double)want);
    }
    box_close();
}
END_TEST

/* ---- matmul ---- */

struct product {
    enum it_dtype a, b, y;
    int64_t k, n;
    bool trans_a, trans_b, bias, onto;
};

static const struct product products[] = {
    {IT_F32, IT_F32, IT_F32, 300, 70, false, true, false, false},
    {IT_BF16, IT_BF16, IT_BF16, 897, 131, false, true, true, false},
    {IT_BF16, IT_BF16, IT_F32, 64, 640, false, true, false, true},
    {IT_F32, IT_BF16, IT_BF16, 513, 35, false, false, true, true},
    {IT_F32, IT_F32, IT_F32, 5000, 97, false, true, false, true}, /* k beyond a tile's scratch */
    {IT_BF16, IT_BF16, IT_BF16, 5001, 65, false, false, true, false},
    {IT_BF16, IT_F32, IT_F32, 290, 48, true, false, false, true},
    {IT_F32, IT_F32, IT_F32, 33, 20, true, true, true, false},
};
enum { PRODUCTS = sizeof products / sizeof *products, ROWS = 300 };

static struct it_tensor multiply(const struct product *p, struct it_tensor y, struct it_tensor a,
                                 struct it_tensor b, struct it_tensor bias)
{
    ck_ok(it_matmul(y, a, b, bias, (struct it_matmul_how){p->trans_a, p->trans_b, p->onto}));
    return y;
}

/* Sampled elements against sums in double. */
static void check_values(const struct product *p, struct it_tensor y, struct it_tensor before,
                         struct it_tensor a, struct it_tensor b, struct it_tensor bias)
{
    double *value[5] = {box_get(y), box_get(before), box_get(a), box_get(b),
                        p->bias ? box_get(bias) : NULL};
    for (int64_t at = 0; at < ROWS * p->n; at += 97) {
        int64_t i = at / p->n, j = at % p->n;
        double sum = (p->onto ? value[1][at] : 0) + (p->bias ? value[4][j] : 0), size = 1;
        for (int64_t k = 0; k < p->k; ++k) {
            double term = value[2][p->trans_a ? k * ROWS + i : i * p->k + k] *
                          value[3][p->trans_b ? j * p->k + k : k * p->n + j];
            sum += term;
            size += fabs(term);
        }
        double bound = p->y == IT_BF16 ? fabs(sum) / 128 : 0;
        ck_assert_msg(fabs(value[0][at] - sum) <= bound + 1e-5 * size, "y[%d][%d] is %g, not %g",
                      (int)i, (int)j, value[0][at], sum);
    }
    for (int i = 0; i < 5; ++i) { free(value[i]); }
}

START_TEST(rows_of_products_are_alone)
{
    const struct product *p = &products[_i % PRODUCTS];
    static const int64_t counts[] = {1, 2, 3, 4, 5, 8, 9, 14, 15, 16, 29, 64, 130};
    open_set(_i / PRODUCTS, 2);
    struct it_tensor a =
        p->trans_a ? box_random(p->a, p->k, ROWS, 1) : box_random(p->a, ROWS, p->k, 1);
    struct it_tensor b =
        p->trans_b ? box_random(p->b, p->n, p->k, 1) : box_random(p->b, p->k, p->n, 1);
    struct it_tensor bias = {0}, before = box_random(p->y, ROWS, p->n, 1);
    if (p->bias) { bias = box_flat(box_random(p->y, 1, p->n, 1)); }
    struct it_tensor y = box_new(p->y, ROWS, p->n), part = box_new(p->y, ROWS, p->n);
    ck_ok(it_copy(y, before));
    multiply(p, y, a, b, bias);
    check_values(p, y, before, a, b, bias);
    for (size_t c = 0; c < sizeof counts / sizeof *counts; ++c) {
        int64_t m = counts[c], first = 7 * (int64_t)c;
        struct it_tensor some = it_rows(part, 0, m);
        ck_ok(it_copy(some, it_rows(before, first, m)));
        multiply(p, some, p->trans_a ? it_columns(a, first, m) : it_rows(a, first, m), b, bias);
        ck_assert_msg(box_same(some, it_rows(y, first, m)), "%d rows", (int)m);
    }
    box_close();
}
END_TEST

/* A sum over k in two calls is the sum in one: gradients do not depend on micro-batches. (Not so
 * with tile instructions, which take 32 of k at once.) */
START_TEST(sums_go_on_where_they_stopped)
{
    enum { M = 70, N = 90, K = 700, FIRST = 301 };
    open_set(_i, 2);
    struct it_tensor a = box_random(IT_BF16, K, M, 1), b = box_random(IT_BF16, K, N, 1);
    struct it_tensor whole = box_zeros(IT_F32, M, N), parts = box_zeros(IT_F32, M, N), none = {0};
    struct it_matmul_how how = {.trans_a = true, .accumulate = true};
    ck_ok(it_matmul(whole, a, b, none, how));
    ck_ok(it_matmul(parts, it_rows(a, 0, FIRST), it_rows(b, 0, FIRST), none, how));
    ck_ok(it_matmul(parts, it_rows(a, FIRST, K - FIRST), it_rows(b, FIRST, K - FIRST), none, how));
    ck_assert(box_same(whole, parts));
    box_close();
}
END_TEST

/* ---- attention ---- */

struct sequence {
    enum it_dtype dtype;
    int64_t heads, kv_heads, width, prefix, own, page;
};

static const struct sequence sequences[] = {
    {IT_F32, 6, 2, 40, 0, 300, 16},    {IT_BF16, 8, 8, 64, 0, 270, 1},
    {IT_BF16, 14, 2, 64, 523, 40, 64}, {IT_F32, 3, 1, 130, 37, 20, 7},
    {IT_BF16, 40, 1, 16, 5, 33, 4},
};
enum { SEQUENCES = sizeof sequences / sizeof *sequences };

/* Own rows come first in k and v, then a gap, then the prefix; in the cache pages go backwards. */
START_TEST(a_step_equals_the_sequence)
{
    enum { GAP = 3 };
    const struct sequence *s = &sequences[_i % SEQUENCES];
    int64_t d = s->heads * s->width, e = s->kv_heads * s->width, length = s->prefix + s->own;
    open_set(_i / SEQUENCES, 2);
    struct it_attn_shape shape = {s->heads, s->kv_heads, s->page, 0.3};
    struct it_tensor q = box_random(s->dtype, s->own, d, 1), y = box_zeros(s->dtype, s->own, d);
    struct it_tensor k = box_random(s->dtype, length + GAP, e, 1);
    struct it_tensor v = box_random(s->dtype, length + GAP, e, 1);
    struct it_tensor lse = box_zeros(IT_F32, s->own, s->heads);
    double segment[5] = {0, (double)s->own, (double)(s->own + GAP), (double)s->prefix, 0};
    ck_ok(it_attn(y, lse, q, k, v, box_segments(1, segment), shape));

    int64_t pages = (length + s->page - 1) / s->page;
    struct it_tensor kc = box_zeros(s->dtype, pages * s->page, e),
                     vc = box_zeros(s->dtype, pages * s->page, e);
    struct it_tensor table = box_new(IT_I32, 1, pages), one = box_new(s->dtype, 1, d);
    int32_t *page = it_tensor_host(&table);
    for (int64_t j = 0; j < length; ++j) {
        page[j / s->page] = (int32_t)(pages - 1 - j / s->page);
        int64_t from = j < s->prefix ? s->own + GAP + j : j - s->prefix;
        int64_t to = page[j / s->page] * s->page + j % s->page;
        ck_ok(it_copy(it_rows(kc, to, 1), it_rows(k, from, 1)));
        ck_ok(it_copy(it_rows(vc, to, 1), it_rows(v, from, 1)));
    }
    for (int64_t i = 0; i < s->own; i += i % 5 ? 1 : 4) {
        const double seen = (double)(s->prefix + i + 1);
        ck_ok(it_attn_decode(one, it_rows(q, i, 1), kc, vc, table, box_list(IT_I32, 1, &seen),
                             shape));
        ck_assert_msg(box_same(one, it_rows(y, i, 1)), "query %d", (int)i);
    }
    box_close();
}
END_TEST

/* A completion computes the same on its own prompt and on one shared with others. */
START_TEST(companions_do_not_matter)
{
    enum {
        HEADS = 4,
        KV = 2,
        WIDTH = 24,
        D = HEADS * WIDTH,
        E = KV * WIDTH,
        PROMPT = 61,
        OWN = 50
    };
    static const double three[] = {
        0,      PROMPT,       0,   0, 0,      PROMPT,      OWN, 0, PROMPT,
        PROMPT, PROMPT + OWN, OWN, 0, PROMPT, PROMPT + OWN};
    static const double two[] = {0, PROMPT, 0, 0, 0, PROMPT, OWN, 0, PROMPT, PROMPT};
    enum { ALL = PROMPT + 2 * OWN, SOME = PROMPT + OWN };
    open_set(_i, 2);
    struct it_attn_shape shape = {.heads = HEADS, .kv_heads = KV, .scale = 0.2};
    struct it_tensor q = box_random(IT_F32, ALL, D, 1), dy = box_random(IT_F32, ALL, D, 1);
    struct it_tensor k = box_random(IT_F32, ALL, E, 1), v = box_random(IT_F32, ALL, E, 1);
    struct it_tensor y[2], lse[2], dq[2];
    for (int i = 0; i < 2; ++i) {
        int64_t rows = i ? SOME : ALL;
        struct it_tensor segs = i ? box_segments(2, two) : box_segments(3, three);
        struct it_tensor qs = it_rows(q, 0, rows), ks = it_rows(k, 0, rows),
                         vs = it_rows(v, 0, rows);
        y[i] = box_zeros(IT_F32, rows, D);
        lse[i] = box_zeros(IT_F32, rows, HEADS);
        dq[i] = box_zeros(IT_F32, rows, D);
        struct it_tensor dk = box_zeros(IT_F32, rows, E), dv = box_zeros(IT_F32, rows, E);
        ck_ok(it_attn(y[i], lse[i], qs, ks, vs, segs, shape));
        ck_ok(it_attn_bwd((struct it_attn_grads){dq[i], dk, dv}, it_rows(dy, 0, rows),
                          (struct it_attn_saved){qs, ks, vs, y[i], lse[i], segs}, shape));
    }
    ck_assert(box_same(it_rows(y[0], 0, SOME), y[1]));
    ck_assert(box_same(it_rows(lse[0], 0, SOME), lse[1]));
    ck_assert(box_same(it_rows(dq[0], 0, SOME), dq[1]));
    box_close();
}
END_TEST

START_TEST(refuses_segments_outside)
{
    static const double bad[][5] = {{0, 9, 0, 0, 0},  {-1, 2, 0, 0, 0}, {0, 2, 7, 2, 0},
                                    {0, 2, 0, -1, 0}, {0, 2, 0, 0, 7},  {0, -2, 0, 0, 0}};
    open_set(0, 1);
    struct it_attn_shape shape = {.heads = 2, .kv_heads = 1, .scale = 1};
    struct it_tensor q = box_random(IT_F32, 8, 8, 1), k = box_random(IT_F32, 8, 4, 1);
    struct it_tensor y = box_zeros(IT_F32, 8, 8), lse = box_zeros(IT_F32, 8, 2);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        ck_assert_int_eq(it_attn(y, lse, q, k, k, box_segments(1, bad[i]), shape), IT_INVALID);
    }
    const double length = 9, page = 1;
    struct it_tensor table = box_zeros(IT_I32, 1, 1);
    shape.page = 4;
    ck_assert_int_eq(it_attn_decode(it_rows(y, 0, 1), it_rows(q, 0, 1), k, k, table,
                                    box_list(IT_I32, 1, &length), shape),
                     IT_INVALID);
    box_set(table, &page);
    shape.page = 8;
    ck_assert_int_eq(it_attn_decode(it_rows(y, 0, 1), it_rows(q, 0, 1), k, k, table,
                                    box_list(IT_I32, 1, &page), shape),
                     IT_INVALID);
    box_close();
}
END_TEST

/* ---- threads ---- */

/* The cases of the benchmark are large enough to be shared out; ops that the backend has no kernel
 * for are the reference's. */
static bool is_shared_out(const struct it_case *c)
{
    return c->bench && it_op_info(c->op)->tier != 'F';
}

/* These cases, made somewhat smaller. */
static void run_benches(int set, int threads, struct it_args *args, struct it_device **device,
                        struct it_arena **arena)
{
    open_set(set, threads);
    for (size_t i = 0, n = 0; i < it_case_count(); ++i) {
        struct it_case c;
        it_case_at(i, &c);
        if (!is_shared_out(&c)) { continue; }
        if (c.dim['n' - 'a'] == 4000000) { c.dim['n' - 'a'] = 300001; }
        if (c.op == IT_OP_ADAMW8) { c.dim['g' - 'a'] = 1172; } /* blocks of 256 of them */
        if (c.dim['v' - 'a'] > 20000) { c.dim['v' - 'a'] = 20011; }
        if (c.i[0] > 20000) { c.i[0] = 20000; }
        if (c.op == IT_OP_MATMUL && c.dim['k' - 'a'] > 300) { c.dim['k' - 'a'] = 300; }
        ck_ok(it_case_prepare(&c, box_arena, &args[n]));
        ck_ok(it_case_run(&c, &args[n]));
        n++;
    }
    *device = box_device;
    *arena = box_arena;
}

START_TEST(threads_do_not_matter)
{
    enum { MOST = 64 };
    static struct it_args one[MOST], two[MOST];
    struct it_device *device[2];
    struct it_arena *arena[2];
    run_benches(_i, 1, one, &device[0], &arena[0]);
    run_benches(_i, 2, two, &device[1], &arena[1]);
    for (size_t i = 0, n = 0; i < it_case_count(); ++i) {
        struct it_case c;
        it_case_at(i, &c);
        if (!is_shared_out(&c)) { continue; }
        ck_assert_uint_lt(n, MOST);
        for (int k = 0; k < it_op_info(c.op)->outputs; ++k) {
            if (one[n].t[k].dtype == IT_NONE) { continue; }
            ck_assert_msg(box_same(one[n].t[k], two[n].t[k]), "output %d of %s", k, c.words);
        }
        n++;
    }
    for (int i = 0; i < 2; ++i) {
        it_arena_close(arena[i]);
        it_device_close(device[i]);
    }
}
END_TEST

int main(void)
{
    if (!box_has("cpu")) { return 77; }
    Suite *suite = suite_create("cpu_bits");
    TCase *tests = tcase_create("cpu_bits");
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, names_an_unknown_set);
    tcase_add_loop_test(tests, exponential_equals_the_scalar_one, 0, SETS);
    tcase_add_loop_test(tests, rows_of_products_are_alone, 0, PRODUCTS * SETS);
    tcase_add_loop_test(tests, sums_go_on_where_they_stopped, 0, SETS - 1);
    tcase_add_loop_test(tests, a_step_equals_the_sequence, 0, SEQUENCES * SETS);
    tcase_add_loop_test(tests, companions_do_not_matter, 0, SETS);
    tcase_add_test(tests, refuses_segments_outside);
    tcase_add_loop_test(tests, threads_do_not_matter, 0, SETS);
    suite_add_tcase(suite, tests);
    return box_run(suite);
}
