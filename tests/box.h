/* SPDX-License-Identifier: MIT */
/* For tests of ops: one device, one arena, tensors filled with numbers of a seed. */
#ifndef IT_TESTS_BOX_H
#define IT_TESTS_BOX_H

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/tensor/kmath.h"
#include "core/tensor/ops.h"

static struct it_device *box_device;
static struct it_arena *box_arena;
static struct it_rng box_rng;

#define ck_ok(call) ck_assert_int_eq((call), IT_OK)

static inline void box_open(const char *device)
{
    const struct it_device_options options = {.threads = 2, .exact = true};
    ck_ok(it_device_open(device, &options, &box_device));
    ck_ok(it_arena_open(box_device, "box", 16 << 20, &box_arena));
    it_rng_init(&box_rng, 7, 0);
}

static inline void box_close(void)
{
    it_arena_close(box_arena);
    it_device_close(box_device);
}

/* Is a backend of this name compiled in? */
static inline bool box_has(const char *name)
{
    const struct it_backend *backend;
    for (size_t i = 0; (backend = it_backend_at(i)); ++i) {
        if (strcmp(it_backend_name(backend), name) == 0) { return true; }
    }
    return false;
}

static inline void *box_bytes(const struct it_tensor *t)
{
    void *bytes = calloc((size_t)it_tensor_count(t) + 1, it_dtype_size(t->dtype));
    ck_assert_ptr_nonnull(bytes);
    return bytes;
}

/* Dense values of a view as doubles; the caller frees. */
static inline double *box_get(struct it_tensor t)
{
    int64_t count = it_tensor_count(&t);
    double *values = calloc((size_t)count + 1, sizeof *values);
    void *bytes = box_bytes(&t);
    ck_ok(it_download(bytes, t));
    for (int64_t i = 0; i < count; ++i) {
        switch (t.dtype) {
        case IT_F32: values[i] = (double)((float *)bytes)[i]; break;
        case IT_F64: values[i] = ((double *)bytes)[i]; break;
        case IT_BF16: values[i] = (double)k_bf16_load(((uint16_t *)bytes)[i]); break;
        case IT_I16: values[i] = ((int16_t *)bytes)[i]; break;
        case IT_U8: values[i] = ((uint8_t *)bytes)[i]; break;
        default: values[i] = ((int32_t *)bytes)[i]; break;
        }
    }
    free(bytes);
    return values;
}

static inline void box_set(struct it_tensor t, const double *values)
{
    void *bytes = box_bytes(&t);
    for (int64_t i = 0; i < it_tensor_count(&t); ++i) {
        double value = values[i];
        switch (t.dtype) {
        case IT_F32: ((float *)bytes)[i] = (float)value; break;
        case IT_F64: ((double *)bytes)[i] = value; break;
        case IT_BF16: ((uint16_t *)bytes)[i] = (uint16_t)k_bf16_store((float)value); break;
        case IT_I16: ((int16_t *)bytes)[i] = (int16_t)value; break;
        case IT_U8: ((uint8_t *)bytes)[i] = (uint8_t)value; break;
        case IT_U32: ((uint32_t *)bytes)[i] = (uint32_t)value; break;
        default: ((int32_t *)bytes)[i] = (int32_t)value; break;
        }
    }
    ck_ok(it_upload(t, bytes));
    free(bytes);
}

static inline struct it_tensor box_new(enum it_dtype dtype, int64_t rows, int64_t columns)
{
    struct it_tensor t;
    ck_ok(it_tensor2(box_arena, dtype, rows, columns, &t));
    return t;
}

static inline struct it_tensor box_flat(struct it_tensor t)
{
    return it_flatten(t);
}

/* Normal numbers times scale. */
static inline struct it_tensor box_random(enum it_dtype dtype, int64_t rows, int64_t columns,
                                          double scale)
{
    struct it_tensor t = box_new(dtype, rows, columns);
    double *values = calloc((size_t)(rows * columns) + 1, sizeof *values);
    for (int64_t i = 0; scale != 0 && i < rows * columns; ++i) {
        values[i] = scale * it_rng_normal(&box_rng);
    }
    box_set(t, values);
    free(values);
    return t;
}

static inline struct it_tensor box_zeros(enum it_dtype dtype, int64_t rows, int64_t columns)
{
    return box_random(dtype, rows, columns, 0);
}

static inline struct it_tensor box_list(enum it_dtype dtype, int64_t n, const double *values)
{
    struct it_tensor t;
    ck_ok(it_tensor1(box_arena, dtype, n, &t));
    box_set(t, values);
    return t;
}

/* Angles of a head of width e at positions 0 .. positions - 1: cosines, then sines. */
static inline struct it_tensor box_rope(enum it_dtype dtype, int64_t positions, int64_t e)
{
    struct it_tensor t = box_new(dtype, positions, e);
    double *values = calloc((size_t)(positions * e), sizeof *values);
    for (int64_t p = 0; p < positions; ++p) {
        for (int64_t j = 0; j < e / 2; ++j) {
            double angle = (double)p * pow(10000, -2.0 * (double)j / (double)e);
            values[p * e + j] = cos(angle);
            values[p * e + e / 2 + j] = sin(angle);
        }
    }
    box_set(t, values);
    free(values);
    return t;
}

/* Rows of five: query start, query length, prefix start, prefix length, own start. */
static inline struct it_tensor box_segments(int64_t count, const double *values)
{
    struct it_tensor t = box_new(IT_I32, count, 5);
    box_set(t, values);
    return t;
}

/* The same numbers to the bit. */
static inline bool box_same(struct it_tensor a, struct it_tensor b)
{
    ck_assert_int_eq(a.dtype, b.dtype);
    ck_assert_int_eq(it_tensor_count(&a), it_tensor_count(&b));
    void *left = box_bytes(&a), *right = box_bytes(&b);
    ck_ok(it_download(left, a));
    ck_ok(it_download(right, b));
    size_t size = (size_t)it_tensor_count(&a) * it_dtype_size(a.dtype);
    bool same = memcmp(left, right, size) == 0;
    free(left);
    free(right);
    return same;
}

/* Largest absolute difference. */
static inline double box_distance(struct it_tensor a, struct it_tensor b)
{
    ck_assert_int_eq(it_tensor_count(&a), it_tensor_count(&b));
    double *left = box_get(a), *right = box_get(b), worst = 0;
    for (int64_t i = 0; i < it_tensor_count(&a); ++i) {
        double off = fabs(left[i] - right[i]);
        if (!(off <= worst)) { worst = off; }
    }
    free(left);
    free(right);
    return worst;
}

static inline int box_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
