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

static inline void cuda_cases(TCase *tests)
{
    tcase_add_loop_test(tests, decoding_in_splits, 0, 5);
    tcase_add_loop_test(tests, few_rows_equal_many, 0, 10);
}

#endif
