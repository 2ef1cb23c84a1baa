/* SPDX-License-Identifier: MIT */
/* Laws that every device keeps when it is asked to be exact, in f32 and bf16: on the reference and
 * on the cpu backend, or, compiled with LAWS_DEVICE, on that one. "Equal" is equal to the bit
 * unless a bound is given. */
#include "tests/box.h"
#ifdef LAWS_CUDA_ON_HOST
#    define LAWS_DEVICE "cuda-on-host"
#    include "tests/cuda_device.h"
#endif

static const struct {
    const char *device;
    enum it_dtype dtype;
} ways[] = {
#ifdef LAWS_DEVICE
    {LAWS_DEVICE, IT_F32}, {LAWS_DEVICE, IT_BF16},
#else
    {"reference", IT_F32}, {"reference", IT_BF16}, {"cpu", IT_F32}, {"cpu", IT_BF16},
#endif
};

static enum it_dtype dtype;

static void begin(int way)
{
    dtype = ways[way].dtype;
    box_open(ways[way].device);
}

static struct it_tensor copy_of(struct it_tensor t)
{
    struct it_tensor copy = box_new(t.dtype, t.shape[0], t.shape[1]);
    ck_ok(it_copy(copy, t));
    return copy;
}

START_TEST(turning_back_undoes_turning)
{
    enum { T = 5, WIDTH = 16, HEADS = 3 };
    static const double positions[T] = {0, 1, 100, 7, 127};
    begin(_i);
    struct it_tensor x = box_random(dtype, T, HEADS * WIDTH, 1), before = copy_of(x);
    struct it_tensor table = box_rope(IT_F32, 128, WIDTH);
    struct it_tensor at = box_list(IT_I32, T, positions);
    ck_ok(it_rope(x, table, at, 1));
    ck_assert(box_same(it_rows(x, 0, 1), it_rows(before, 0, 1))); /* position 0 turns nothing */
    ck_assert(box_distance(x, before) > 0.1);
    ck_ok(it_rope(x, table, at, -1));
    ck_assert(box_distance(x, before) < (dtype == IT_BF16 ? 0.05 : 1e-5));
    box_close();
}
END_TEST

/* The dot product of two turned vectors depends on the difference of their positions only. */
START_TEST(turning_is_relative)
{
    enum { WIDTH = 32 };
    begin(_i);
    struct it_tensor qk = box_random(IT_F32, 2, WIDTH, 1);
    struct it_tensor table = box_rope(IT_F32, 64, WIDTH);
    double products[2];
    for (int shift = 0; shift < 2; ++shift) {
        struct it_tensor x = copy_of(qk);
        const double positions[2] = {3 + 40 * shift, 11 + 40 * shift};
        ck_ok(it_rope(x, table, box_list(IT_I32, 2, positions), 1));
        double *values = box_get(x);
        products[shift] = 0;
        for (int j = 0; j < WIDTH; ++j) { products[shift] += values[j] * values[WIDTH + j]; }
        free(values);
    }
    ck_assert(fabs(products[0] - products[1]) < 1e-4);
    box_close();
}
END_TEST

/* ---- attention ---- */

enum { HEADS = 4, KV = 2, WIDTH = 16, D = HEADS * WIDTH, E = KV * WIDTH };
static const struct it_attn_shape attn_shape = {.heads = HEADS, .kv_heads = KV, .scale = 0.25};

struct attended {
    struct it_tensor y, lse;
};

static struct attended attend(struct it_tensor q, struct it_tensor k, struct it_tensor v,
                              int64_t count, const double *segments)
{
    struct attended out = {box_zeros(dtype, q.shape[0], D), box_zeros(IT_F32, q.shape[0], HEADS)};
    ck_ok(it_attn(out.y, out.lse, q, k, v, box_segments(count, segments), attn_shape));
    return out;
}

START_TEST(attention_ignores_later_tokens)
{
    enum { T = 75, SEEN = 41 };
    static const double segment[] = {0, T, 0, 0, 0};
    begin(_i);
    struct it_tensor q = box_random(dtype, T, D, 1), k = box_random(dtype, T, E, 1),
                     v = box_random(dtype, T, E, 1);
    struct attended all = attend(q, k, v, 1, segment);
    ck_ok(it_fill(it_rows(k, SEEN, T - SEEN), 50));
    ck_ok(it_fill(it_rows(v, SEEN, T - SEEN), -1e4));
    struct attended changed = attend(q, k, v, 1, segment);
    ck_assert(box_same(it_rows(all.y, 0, SEEN), it_rows(changed.y, 0, SEEN)));
    ck_assert(box_same(it_rows(all.lse, 0, SEEN), it_rows(changed.lse, 0, SEEN)));
    ck_assert(!box_same(it_rows(all.y, SEEN, 1), it_rows(changed.y, SEEN, 1)));
    box_close();
}
END_TEST

/* With one key the output is its value; equal keys average the values. */
START_TEST(attention_averages)
{
    enum { T = 3 };
    static const double segment[] = {0, T, 0, 0, 0};
    begin(_i);
    struct it_tensor q = box_random(dtype, T, D, 1), k = box_new(dtype, T, E),
                     v = box_random(dtype, T, E, 1);
    ck_ok(it_fill(k, 0.5));
    double *values = box_get(v), *y = box_get(attend(q, k, v, 1, segment).y);
    for (int h = 0; h < HEADS; ++h) {
        for (int c = 0; c < WIDTH; ++c) {
            int column = h / (HEADS / KV) * WIDTH + c;
            double sum = 0;
            for (int row = 0; row < T; ++row) {
                sum += values[row * E + column];
                double off = fabs(y[row * D + h * WIDTH + c] - sum / (row + 1));
                ck_assert(off < (dtype == IT_BF16 ? 0.02 : 1e-5));
            }
        }
    }
    free(values);
    free(y);
    box_close();
}
END_TEST

/* Three samples of one prompt: prompt keys once, or copied before each. */
START_TEST(a_shared_prefix_equals_copies)
{
    enum { P = 37, N = 19, S = 3, T = S * N };
    begin(_i);
    struct it_tensor q = box_random(dtype, T, D, 1);
    struct it_tensor k = box_random(dtype, P + T, E, 1), v = box_random(dtype, P + T, E, 1);
    struct it_tensor k2 = box_new(dtype, S * (P + N), E), v2 = box_new(dtype, S * (P + N), E);
    double shared[S * 5], copies[S * 5];
    for (int s = 0; s < S; ++s) {
        int own = P + s * N, start = s * (P + N);
        const double with[5] = {s * N, N, 0, P, own}, without[5] = {s * N, N, start, P, start + P};
        memcpy(shared + 5 * s, with, sizeof with);
        memcpy(copies + 5 * s, without, sizeof without);
        ck_ok(it_copy(it_rows(k2, start, P), it_rows(k, 0, P)));
        ck_ok(it_copy(it_rows(v2, start, P), it_rows(v, 0, P)));
        ck_ok(it_copy(it_rows(k2, start + P, N), it_rows(k, own, N)));
        ck_ok(it_copy(it_rows(v2, start + P, N), it_rows(v, own, N)));
    }
    struct attended one = attend(q, k, v, S, shared), many = attend(q, k2, v2, S, copies);
    ck_assert(box_same(one.y, many.y));
    ck_assert(box_same(one.lse, many.lse));
    box_close();
}
END_TEST

/* Prompt and own tokens of a sequence through attn, against the same keys in scattered pages. */
START_TEST(decoding_equals_the_last_row)
{
    enum { MOST = 83, PAGE = 16, PAGES = 6, ROWS = PAGE * PAGES };
    static const int64_t lengths[] = {1, 2, 15, 16, 17, 63, 64, 65, MOST};
    static const double pages[PAGES] = {4, 0, 5, 2, 1, 3};
    begin(_i);
    struct it_tensor q = box_random(dtype, MOST, D, 1), k = box_random(dtype, MOST, E, 1),
                     v = box_random(dtype, MOST, E, 1);
    struct it_tensor kc = box_random(dtype, ROWS, E, 1), vc = box_random(dtype, ROWS, E, 1);
    double rows[MOST];
    for (int j = 0; j < MOST; ++j) { rows[j] = pages[j / PAGE] * PAGE + j % PAGE; }
    ck_ok(it_kv_write(kc, vc, k, v, box_list(IT_I32, MOST, rows)));
    struct it_tensor table = box_new(IT_I32, 1, PAGES);
    box_set(table, pages);
    struct it_attn_shape shape = attn_shape;
    shape.page = PAGE;
    for (size_t n = 0; n < sizeof lengths / sizeof *lengths; ++n) {
        int64_t last = lengths[n] - 1;
        int64_t prefix = n % 2 ? last / 3 : 0; /* where the prefix ends changes nothing */
        const double segment[] = {0, (double)(lengths[n] - prefix), 0, (double)prefix,
                                  (double)prefix};
        struct attended all = attend(it_rows(q, prefix, lengths[n] - prefix), k, v, 1, segment);
        struct it_tensor y = box_random(dtype, 1, D, 1);
        const double length = (double)lengths[n];
        ck_ok(it_attn_decode(y, it_rows(q, last, 1), kc, vc, table, box_list(IT_I32, 1, &length),
                             shape));
        ck_assert_msg(box_same(y, it_rows(all.y, last - prefix, 1)), "length %d", (int)length);
    }
    box_close();
}
END_TEST

START_TEST(an_empty_slot_decodes_to_zeros)
{
    static const double none[] = {-1, -1}, lengths[] = {0, 0};
    begin(_i);
    struct it_tensor cache = box_random(dtype, 8, E, 1), y = box_random(dtype, 2, D, 1);
    struct it_tensor table = box_new(IT_I32, 2, 1);
    box_set(table, none);
    struct it_attn_shape shape = attn_shape;
    shape.page = 8;
    ck_ok(it_attn_decode(y, box_random(dtype, 2, D, 1), cache, copy_of(cache), table,
                         box_list(IT_I32, 2, lengths), shape));
    ck_assert(box_distance(y, box_zeros(dtype, 2, D)) == 0);
    box_close();
}
END_TEST

/* ---- plain formulas ---- */

/* Operands are small whole numbers: every order of summation is exact, so that the device must give
 * what three loops give. */
static struct it_tensor whole_numbers(enum it_dtype type, int64_t rows, int64_t columns)
{
    struct it_tensor t = box_new(type, rows, columns);
    double *values = box_get(t);
    for (int64_t i = 0; i < rows * columns; ++i) {
        values[i] = (double)it_rng_below(&box_rng, 5) - 2;
    }
    box_set(t, values);
    free(values);
    return t;
}

START_TEST(matmul_equals_three_loops)
{
    enum { M = 5, N = 7, K = 11 };
    begin(_i);
    struct it_tensor bias = it_flatten(whole_numbers(dtype, 1, N));
    double *offset = box_get(bias);
    for (int how = 0; how < 16; ++how) {
        bool ta = how & 1, tb = how & 2, add = how & 4, with_bias = how & 8;
        struct it_tensor a = ta ? whole_numbers(dtype, K, M) : whole_numbers(dtype, M, K);
        struct it_tensor b = tb ? whole_numbers(dtype, N, K) : whole_numbers(dtype, K, N);
        struct it_tensor y = whole_numbers(dtype, M, N);
        double *u = box_get(a), *v = box_get(b), *before = box_get(y), *after;
        ck_ok(it_matmul(y, a, b, with_bias ? bias : (struct it_tensor){0},
                        (struct it_matmul_how){.trans_a = ta, .trans_b = tb, .accumulate = add}));
        after = box_get(y);
        for (int i = 0; i < M * N; ++i) {
            double sum = (add ? before[i] : 0) + (with_bias ? offset[i % N] : 0);
            for (int k = 0; k < K; ++k) {
                sum += u[ta ? k * M + i / N : i / N * K + k] *
                       v[tb ? i % N * K + k : k * N + i % N];
            }
            ck_assert_msg(after[i] == sum, "way %d, element %d: %g, not %g", how, i, after[i], sum);
        }
        free(u);
        free(v);
        free(before);
        free(after);
    }
    free(offset);
    box_close();
}
END_TEST

START_TEST(rows_are_gathered_and_scattered)
{
    enum { T = 7, V = 4, N = 9 };
    static const double ids[T] = {3, 0, 3, -1, 2, 4, 3};
    begin(_i);
    struct it_tensor w = whole_numbers(dtype, V, N), y = box_random(dtype, T, N, 1);
    struct it_tensor dw = whole_numbers(IT_F32, V, N), list = box_list(IT_I32, T, ids);
    double *before = box_get(dw), *table = box_get(w), *after, *rows;
    ck_ok(it_gather_rows(y, w, list));
    ck_ok(it_scatter_add_rows(dw, y, list));
    rows = box_get(y);
    after = box_get(dw);
    for (int i = 0; i < T * N; ++i) {
        int id = (int)ids[i / N];
        bool known = id >= 0 && id < V;
        ck_assert(rows[i] == (known ? table[id * N + i % N] : 0));
    }
    for (int i = 0; i < V * N; ++i) {
        int users = i / N == 3 ? 3 : i / N != 1;
        ck_assert(after[i] == before[i] + users * table[i]);
    }
    free(before);
    free(table);
    free(after);
    free(rows);
    box_close();
}
END_TEST

/* ---- neighbours ---- */

/* Row r of a batch alone gives what it gives among others. */
START_TEST(rows_do_not_depend_on_their_batch)
{
    enum { M = 37, N = 67, K = 130 };
    begin(_i);
    const struct it_tensor none = {0};
    struct it_tensor x = box_random(dtype, M, K, 1), w = box_random(dtype, N, K, 1);
    struct it_tensor y = box_new(dtype, M, N), one = box_new(dtype, 1, N);
    struct it_tensor norm = box_new(dtype, M, K), norm1 = box_new(dtype, 1, K);
    struct it_tensor rstd = it_flatten(box_new(IT_F32, 1, M));
    struct it_tensor gain = it_flatten(box_random(dtype, 1, K, 1));
    struct it_tensor logits = box_random(IT_F32, M, K, 3), stats = box_new(IT_F32, M, 8),
                     stats1 = box_new(IT_F32, 1, 8);
    struct it_tensor targets = box_list(IT_I32, M, (double[M]){3, 1, 2});
    struct it_tensor temps = box_list(IT_F32, 2, (double[]){0.9, 1});
    const struct it_matmul_how how = {.trans_b = true};
    ck_ok(it_matmul(y, x, w, none, how));
    ck_ok(it_rmsnorm(norm, rstd, x, gain, 1e-6));
    ck_ok(it_token_stats(stats, logits, targets, temps, 0));
    for (int64_t r = 0; r < M; ++r) {
        ck_ok(it_matmul(one, it_rows(x, r, 1), w, none, how));
        ck_assert(box_same(one, it_rows(y, r, 1)));
        ck_ok(it_rmsnorm(norm1, it_rows(rstd, 0, 1), it_rows(x, r, 1), gain, 1e-6));
        ck_assert(box_same(norm1, it_rows(norm, r, 1)));
        ck_ok(it_token_stats(stats1, it_rows(logits, r, 1), it_rows(targets, r, 1), temps, 0));
        ck_assert(box_same(stats1, it_rows(stats, r, 1)));
    }
    box_close();
}
END_TEST

enum { TILE = IT_STATS_TILE, IDS = 2 * TILE + 999, ROWS_OF_IDS = 6 };

/* Rows whose largest is in each of the tiles, one that has no weight in a whole tile, one that has
 * its two largest in two of them. */
static struct it_tensor rows_of_logits(void)
{
    struct it_tensor logits = box_random(IT_F32, ROWS_OF_IDS, IDS, 3);
    double *z = box_get(logits);
    z[17] = z[IDS + TILE] = z[2 * IDS + IDS - 1] = 40;
    for (int j = 0; j < TILE; ++j) { z[3 * IDS + TILE + j] = z[4 * IDS + j] = -INFINITY; }
    z[5 * IDS + 2 * TILE - 1] = z[5 * IDS + 2 * TILE] = 25;
    box_set(logits, z);
    free(z);
    return logits;
}

/* A vocabulary cut where tiles end gives what it gives in one piece. */
START_TEST(statistics_do_not_depend_on_the_cut)
{
    static const double targets[ROWS_OF_IDS] = {0, TILE - 1, TILE, -1, IDS, IDS - 1};
    static const double temperatures[][2] = {{1, 1}, {0.9, 1.3}, {0.7, 0.7}};
    static const int64_t counts[] = {0, 100, TILE, TILE + 77, 2 * TILE + 500};
    static const int64_t cuts[][4] = {{0, TILE, 2 * TILE, IDS}, {0, TILE, IDS}, {0, 2 * TILE, IDS}};
    enum { T = ROWS_OF_IDS };
    begin(_i);
    struct it_tensor logits = rows_of_logits(), ids = box_list(IT_I32, T, targets);
    struct it_tensor coefs = box_random(IT_F32, T, 3, 1), stats = box_new(IT_F32, T, 8);
    struct it_tensor d = box_new(dtype, T, IDS), parts = box_new(dtype, T, IDS);
    for (int64_t mark = it_arena_mark(box_arena), way = 0; way < 15; ++way) {
        const int64_t *cut = cuts[way % 3], counted = counts[way % 5];
        struct it_tensor temps = box_list(IT_F32, 2, temperatures[way / 5]);
        struct it_tensor sums = box_zeros(IT_F32, T, 8), state = box_random(IT_F32, T, 14, 1);
        ck_ok(it_token_stats(stats, logits, ids, temps, counted));
        ck_ok(it_token_stats_bwd(d, logits, ids, stats, coefs, temps, counted));
        for (; *cut < IDS; ++cut) {
            struct it_columns_of c = {.first = cut[0], .all = IDS, .counted = counted};
            struct it_tensor z = it_columns(logits, c.first, cut[1] - cut[0]);
            if (way % 2) { z = copy_of(z); }
            ck_ok(it_token_stats_part(sums, state, z, ids, temps, c));
            ck_ok(it_token_stats_bwd_part(it_columns(parts, c.first, cut[1] - cut[0]), z, ids,
                                          stats, coefs, temps, c));
        }
        ck_assert(box_same(sums, stats));
        ck_assert(box_same(parts, d));
        it_arena_reset(box_arena, mark);
    }
    box_close();
}
END_TEST

/* Rows added in two calls equal one call: gradients do not depend on how a batch was cut. */
START_TEST(sums_of_rows_do_not_depend_on_the_cut)
{
    enum { M = 33, N = 21, CUT = 14 };
    begin(_i);
    struct it_tensor x = box_random(dtype, M, N, 1);
    struct it_tensor all = it_flatten(box_zeros(IT_F32, 1, N)), parts = it_flatten(
                         box_zeros(IT_F32, 1, N));
    ck_ok(it_sum_rows(all, x));
    ck_ok(it_sum_rows(parts, it_rows(x, 0, CUT)));
    ck_ok(it_sum_rows(parts, it_rows(x, CUT, M - CUT)));
    ck_assert(box_same(all, parts));
    box_close();
}
END_TEST

/* ---- replay ---- */

START_TEST(replay_equals_eager)
{
    enum { M = 9, N = 24 };
    begin(_i);
    const struct it_tensor none = {0};
    struct it_tensor x = box_random(dtype, M, N, 1), next = box_random(dtype, M, N, 1);
    struct it_tensor w = box_random(dtype, N, 2 * N, 1), gu = box_new(dtype, M, 2 * N),
                     h = box_new(dtype, M, N);
    struct it_graph *graph = NULL;
    ck_ok(it_record_begin(box_device));
    ck_ok(it_matmul(gu, x, w, none, (struct it_matmul_how){0}));
    ck_ok(it_swiglu(h, gu));
    ck_ok(it_scale_add(h, 1, h, 1, x));
    ck_ok(it_record_end(box_device, &graph));
    ck_assert_int_eq(it_graph_length(graph), 3);
    struct it_tensor first = copy_of(h);
    ck_ok(it_graph_replay(graph));
    ck_assert(box_same(h, first));
    ck_ok(it_copy(x, next)); /* what changes between steps is in tensors */
    ck_ok(it_graph_replay(graph));
    struct it_tensor replayed = copy_of(h);
    ck_ok(it_matmul(gu, next, w, none, (struct it_matmul_how){0}));
    ck_ok(it_swiglu(h, gu));
    ck_ok(it_scale_add(h, 1, h, 1, next));
    ck_assert(box_same(h, replayed));
    ck_assert(!box_same(h, first));
    it_graph_close(graph);
    box_close();
}
END_TEST

#include "tests/laws_adamw.h"

int main(void)
{
#ifdef LAWS_CUDA_ON_HOST
    if (it_backend_register(&cuda_on_host_backend) != IT_OK) { return 1; }
#endif
#ifdef LAWS_DEVICE
    struct it_device *device = NULL;
    if (it_device_open(LAWS_DEVICE, NULL, &device) != IT_OK) { return 77; }
    it_device_close(device);
    setenv("CK_FORK", "no", 1); /* drivers do not survive a fork */
#endif
    Suite *suite = suite_create("laws");
    TCase *tests = tcase_create("laws");
#ifdef LAWS_DEVICE
    int count = 2;
#else
    int count = box_has("cpu") ? 4 : 2;
#endif
    tcase_set_timeout(tests, 30);
    tcase_add_loop_test(tests, turning_back_undoes_turning, 0, count);
    tcase_add_loop_test(tests, turning_is_relative, 0, count);
    tcase_add_loop_test(tests, attention_ignores_later_tokens, 0, count);
    tcase_add_loop_test(tests, attention_averages, 0, count);
    tcase_add_loop_test(tests, a_shared_prefix_equals_copies, 0, count);
    tcase_add_loop_test(tests, decoding_equals_the_last_row, 0, count);
    tcase_add_loop_test(tests, an_empty_slot_decodes_to_zeros, 0, count);
    tcase_add_loop_test(tests, matmul_equals_three_loops, 0, count);
    tcase_add_loop_test(tests, rows_are_gathered_and_scattered, 0, count);
    tcase_add_loop_test(tests, rows_do_not_depend_on_their_batch, 0, count);
    tcase_add_loop_test(tests, statistics_do_not_depend_on_the_cut, 0, count);
    tcase_add_loop_test(tests, sums_of_rows_do_not_depend_on_the_cut, 0, count);
    tcase_add_loop_test(tests, replay_equals_eager, 0, count);
    tcase_add_loop_test(tests, adamw_follows_the_formula_and_the_master_is_f32, 0, count);
    tcase_add_loop_test(tests, codes_are_the_moments, 0, count);
    tcase_add_loop_test(tests, blocks_do_not_know_each_other, 0, count);
    tcase_add_loop_test(tests, eight_bits_go_where_floats_go, 0, count);
    tcase_add_loop_test(tests, rounding_at_random_is_right_on_average, 0, count);
    tcase_add_loop_test(tests, noise_is_that_of_the_element, 0, count);
    suite_add_tcase(suite, tests);
    return box_run(suite);
}
