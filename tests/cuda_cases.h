/* SPDX-License-Identifier: MIT */
/* Cases of the CUDA backend's own choices of kernels, for CUDA_TEST_DEVICE: on the host and on a
 * GPU. */
#ifndef IT_TESTS_CUDA_CASES_H
#define IT_TESTS_CUDA_CASES_H

#include "tests/box.h"

static inline void cuda_open(bool exact)
{
    const struct it_device_options options = {.threads = 1, .exact = exact, .strict = true};
    ck_ok(it_device_open(CUDA_TEST_DEVICE, &options, &box_device));
    ck_ok(it_arena_open(box_device, "box", 32 << 20, &box_arena));
    it_rng_init(&box_rng, 7, 0);
}

/* Scattered pages, lengths from nothing to full, groups of several sizes: keys walked in splits by
 * tensor cores against a warp a head. */
START_TEST(decoding_in_splits)
{
    enum { PAGE = 16 };
    static const struct {
        int rows, kv_heads, group, width, pages;
        double length[4];
    } ways[] = {
        {4, 2, 3, 64, 40, {640, 63, 0, 257}}, {3, 1, 8, 128, 20, {1, 320, 64}},
        {2, 1, 16, 64, 3, {48, 17}},          {1, 2, 1, 128, 33, {519}},
        {4, 1, 6, 64, 4, {0, 64, 33, 16}},
    };
    int rows = ways[_i].rows, pages = ways[_i].pages, width = ways[_i].width;
    int heads = ways[_i].kv_heads * ways[_i].group, keys = rows * pages * PAGE;
    struct it_attn_shape shape = {.heads = heads, .kv_heads = ways[_i].kv_heads,
                                  .scale = 1 / sqrt(width), .page = PAGE};
    double *table = calloc((size_t)(rows * pages), sizeof *table), *results[2];
    for (int i = 0; i < rows * pages; i++) { table[i] = (i * 7 + 3) % (rows * pages); }
    for (int exact = 0; exact < 2; exact++) {
        cuda_open(exact);
        struct it_tensor kc = box_random(IT_BF16, keys, ways[_i].kv_heads * width, 1);
        struct it_tensor vc = box_random(IT_BF16, keys, ways[_i].kv_heads * width, 1);
        struct it_tensor q = box_random(IT_BF16, rows, heads * width, 2);
        struct it_tensor y = box_random(IT_BF16, rows, heads * width, 1);
        struct it_tensor at = box_new(IT_I32, rows, pages);
        box_set(at, table);
        ck_ok(it_attn_decode(y, q, kc, vc, at, box_list(IT_I32, rows, ways[_i].length), shape));
        results[exact] = box_get(y);
        box_close();
    }
    for (int i = 0; i < rows * heads * width; i++) {
        double off = fabs(results[0][i] - results[1][i]);
        ck_assert_msg(off < 0.02, "way %d, row %d, column %d: %g, not %g", _i,
                      i / (heads * width), i % (heads * width), results[0][i], results[1][i]);
        if (ways[_i].length[i / (heads * width)] == 0) { ck_assert(results[0][i] == 0); }
    }
    free(table);
    free(results[0]);
    free(results[1]);
}
END_TEST

/* Products of few rows stream their weights: equal to the bit to the same rows of a large one. */
START_TEST(few_rows_equal_many)
{
    static const struct {
        int n, k;
    } sizes[] = {{67, 136}, {16, 8}, {4099, 40}, {8201, 24}, {33, 512}};
    enum { M = 37 };
    const struct it_tensor none = {0};
    const struct it_matmul_how how = {.trans_b = true};
    int n = sizes[_i / 2].n, k = sizes[_i / 2].k;
    enum it_dtype dtype = _i % 2 ? IT_F32 : IT_BF16;
    cuda_open(true);
    struct it_tensor a = box_random(IT_BF16, M, k, 1), b = box_random(IT_BF16, n, k, 1);
    struct it_tensor bias = it_flatten(box_random(IT_BF16, 1, n, 1)), y = box_new(dtype, M, n);
    ck_ok(it_matmul(y, a, b, bias, how));
    for (int m = 1; m <= 16; m += 5) {
        struct it_tensor few = box_new(dtype, m, n);
        ck_ok(it_matmul(few, it_rows(a, m, m), b, bias, how));
        ck_assert(box_same(few, it_rows(y, m, m)));
    }
    ck_ok(it_matmul(y, a, b, none, how));
    struct it_tensor last = box_new(dtype, 1, n);
    ck_ok(it_matmul(last, it_rows(a, M - 1, 1), b, none, how));
    ck_assert(box_same(last, it_rows(y, M - 1, 1)));
    box_close();
}
END_TEST

/* project gives, to the bit, what its ops give one after the other, also in the residual's
 * memory. */
START_TEST(fused_products)
{
    static const struct {
        int m, n, k;
        bool norm, bias, gated, add;
    } ways[] = {
        {1, 72, 136, true, true, false, false}, {16, 40, 1040, true, false, true, false},
        {9, 67, 513, true, true, true, true},   {3, 130, 64, false, false, false, true},
        {8, 2050, 24, true, false, true, false}, {5, 8200, 8, false, true, false, true},
    };
    const struct it_tensor none = {0};
    enum it_dtype dtype = _i % 2 ? IT_F32 : IT_BF16;
    int m = ways[_i / 2].m, n = ways[_i / 2].n, k = ways[_i / 2].k;
    int columns = ways[_i / 2].gated ? 2 * n : n;
    cuda_open(true);
    struct it_tensor x = box_random(dtype, m, k, 3), z = x, w = box_random(dtype, columns, k, 1);
    struct it_tensor gain = it_flatten(box_random(dtype, 1, k, 1));
    struct it_tensor bias = it_flatten(box_random(dtype, 1, columns, 1));
    struct it_tensor stream = box_random(dtype, m, n, 1), want = box_new(dtype, m, n);
    struct it_tensor s = box_new(dtype, m, columns), out = s;
    if (ways[_i / 2].norm) {
        z = box_new(dtype, m, k);
        ck_ok(it_rmsnorm(z, it_flatten(box_new(IT_F32, 1, m)), x, gain, 1e-5));
    }
    ck_ok(it_matmul(s, z, w, ways[_i / 2].bias ? bias : none,
                    (struct it_matmul_how){.trans_b = true}));
    if (ways[_i / 2].gated) {
        out = box_new(dtype, m, n);
        ck_ok(it_swiglu(out, s));
    }
    ck_ok(ways[_i / 2].add ? it_scale_add(want, 1, out, 1, stream) : it_copy(want, out));
    struct it_projection p = {.x = x,
                              .gain = ways[_i / 2].norm ? gain : none,
                              .w = w,
                              .bias = ways[_i / 2].bias ? bias : none,
                              .residual = ways[_i / 2].add ? stream : none,
                              .eps = 1e-5,
                              .gated = ways[_i / 2].gated};
    ck_assert(it_device_fuses(box_device, IT_OP_PROJECT, m));
    ck_ok(it_project(stream, p));
    ck_assert(box_same(stream, want));
    box_close();
}
END_TEST

/* attn_step likewise, with what it leaves in the cache; several splits where keys are many. */
START_TEST(fused_attention)
{
    enum { PAGE = 16 };
    static const struct {
        int rows, kv_heads, group, width, pages, norm; /* norm: 1 a head, 2 a row */
        double length[4];
    } ways[] = {
        {4, 2, 3, 64, 40, 0, {640, 63, 0, 257}}, {3, 1, 8, 128, 20, 1, {1, 320, 64}},
        {2, 1, 16, 64, 3, 2, {48, 17}},          {1, 2, 1, 128, 33, 0, {519}},
        {4, 2, 5, 128, 6, 2, {65, 64, 33, 96}},  {2, 3, 2, 10, 5, 1, {80, 3}},
    };
    bool exact = _i % 2;
    enum it_dtype dtype = _i / 2 % 2 ? IT_F32 : IT_BF16;
    int way = _i / 4, rows = ways[way].rows, pages = ways[way].pages, width = ways[way].width;
    int kv = ways[way].kv_heads * width, q = kv * ways[way].group, keys = rows * pages * PAGE;
    int norm = ways[way].norm, nq = norm == 2 ? q : width, nk = norm == 2 ? kv : width;
    struct it_attn_shape shape = {.heads = ways[way].kv_heads * ways[way].group,
                                  .kv_heads = ways[way].kv_heads,
                                  .scale = 1 / sqrt(width),
                                  .page = PAGE};
    double *table = calloc((size_t)(rows * pages), sizeof *table), written[4], places[4];
    for (int i = 0; i < rows * pages; i++) { table[i] = (i * 7 + 3) % (rows * pages); }
    for (int r = 0; r < rows; r++) {
        int key = (int)ways[way].length[r] - 1;
        written[r] = key < 0 ? -1 : table[r * pages + key / PAGE] * PAGE + key % PAGE;
        places[r] = key < 0 ? 0 : key;
    }
    cuda_open(exact);
    struct it_tensor qkv = box_random(dtype, rows, q + 2 * kv, 2);
    struct it_tensor t = box_new(dtype, rows, q + 2 * kv);
    struct it_tensor kc = box_random(dtype, keys, kv, 1), vc = box_random(dtype, keys, kv, 1);
    struct it_tensor kc2 = box_new(dtype, keys, kv), vc2 = box_new(dtype, keys, kv);
    struct it_tensor y = box_random(dtype, rows, q, 1), want = box_new(dtype, rows, q);
    struct it_tensor at = box_new(IT_I32, rows, pages);
    struct it_attn_step a = {.kc = kc, .vc = vc, .angles = box_rope(IT_F32, 700, width),
                             .positions = box_list(IT_I32, rows, places),
                             .rows = box_list(IT_I32, rows, written), .table = at,
                             .length = box_list(IT_I32, rows, ways[way].length), .eps = 1e-6};
    box_set(at, table);
    ck_ok(it_copy(t, qkv));
    ck_ok(it_copy(kc2, kc));
    ck_ok(it_copy(vc2, vc));
    struct it_tensor tq = it_columns(t, 0, q), tk = it_columns(t, q, kv);
    if (norm) {
        a.qnorm = it_flatten(box_random(dtype, 1, nq, 1));
        a.knorm = it_flatten(box_random(dtype, 1, nk, 1));
        for (int c = 0; c < q + kv; c += c < q ? nq : nk) {
            struct it_tensor part = it_columns(qkv, c, c < q ? nq : nk);
            ck_ok(it_rmsnorm(it_columns(t, c, c < q ? nq : nk),
                             it_flatten(box_new(IT_F32, 1, rows)), part,
                             c < q ? a.qnorm : a.knorm, a.eps));
        }
    }
    ck_ok(it_rope(tq, a.angles, a.positions, 1));
    ck_ok(it_rope(tk, a.angles, a.positions, 1));
    ck_ok(it_kv_write(kc2, vc2, tk, it_columns(t, q + kv, kv), a.rows));
    ck_ok(it_attn_decode(want, tq, kc2, vc2, at, a.length, shape));
    for (int again = 0; again < 3; again++) { /* the counters are zero again */
        struct it_tensor sum = box_random(dtype, rows, 37, 1), out = box_new(dtype, rows, 37);
        if (again) {
            a.wo = box_random(dtype, 37, q, 1);
            a.out = a.residual = sum;
            ck_ok(it_project(out, (struct it_projection){.x = want, .w = a.wo, .residual = sum}));
        }
        ck_ok(it_attn_step(y, qkv, a, shape));
        ck_assert_msg(box_same(y, want), "way %d", _i);
        ck_assert(box_same(kc, kc2) && box_same(vc, vc2));
        ck_assert(!again || box_same(sum, out));
    }
    free(table);
    box_close();
}
END_TEST

static inline void cuda_cases(TCase *tests)
{
    tcase_add_loop_test(tests, fused_products, 0, 12);
    tcase_add_loop_test(tests, fused_attention, 0, 24);
    tcase_add_loop_test(tests, decoding_in_splits, 0, 5);
    tcase_add_loop_test(tests, few_rows_equal_many, 0, 10);
}

#endif
