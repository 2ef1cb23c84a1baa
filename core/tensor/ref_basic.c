/* SPDX-License-Identifier: MIT */
/* Reference kernels: fill, copy, scale_add, sum_rows, sumsq, swiglu. */
#include "core/tensor/ref_internal.h"

enum it_status REF(fill)(struct it_device *device, const struct it_args *args)
{
    (void)device;
    const struct it_tensor *y = &args->t[0];
    for (int64_t i = 0; i < y->shape[0]; ++i) {
        for (int64_t j = 0; j < y->shape[1]; ++j) { ref_put(y, i, j, (real)args->f[0]); }
    }
    return IT_OK;
}

enum it_status REF(copy)(struct it_device *device, const struct it_args *args)
{
    (void)device;
    const struct it_tensor *y = &args->t[0], *x = &args->t[1];
    for (int64_t i = 0; i < y->shape[0]; ++i) {
        for (int64_t j = 0; j < y->shape[1]; ++j) { ref_put(y, i, j, ref_at(x, i, j)); }
    }
    return IT_OK;
}

enum it_status REF(scale_add)(struct it_device *device, const struct it_args *args)
{
    (void)device;
    const struct it_tensor *y = &args->t[0], *a = &args->t[1], *b = &args->t[2];
    real alpha = (real)args->f[0], beta = (real)args->f[1];
    for (int64_t i = 0; i < y->shape[0]; ++i) {
        for (int64_t j = 0; j < y->shape[1]; ++j) {
            ref_put(y, i, j, alpha * ref_at(a, i, j) + beta * ref_at(b, i, j));
        }
    }
    return IT_OK;
}

/* Rows are added to y one by one, so that a matrix summed in two calls gives what one gives. */
enum it_status REF(sum_rows)(struct it_device *device, const struct it_args *args)
{
    (void)device;
    const struct it_tensor *y = &args->t[0], *x = &args->t[1];
    for (int64_t j = 0; j < y->shape[0]; ++j) {
        real sum = ref_get(y, j);
        for (int64_t i = 0; i < x->shape[0]; ++i) { sum += ref_at(x, i, j); }
        ref_set(y, j, sum);
    }
    return IT_OK;
}

enum it_status REF(sumsq)(struct it_device *device, const struct it_args *args)
{
    (void)device;
    const struct it_tensor *y = &args->t[0], *x = &args->t[1];
    real sum = 0;
    for (int64_t start = 0; start < x->shape[0]; start += REF_TILE) {
        int64_t end = start + REF_TILE < x->shape[0] ? start + REF_TILE : x->shape[0];
        real tile = 0;
        for (int64_t i = start; i < end; ++i) {
            real value = ref_get(x, i);
            tile += value * value;
        }
        sum += tile;
    }
    ref_set(y, 0, ref_get(y, 0) + sum);
    return IT_OK;
}

static real sigmoid(real x)
{
    return 1 / (1 + ref_exp(-x));
}

/* gu [m,2n] is gate then up */
enum it_status REF(swiglu)(struct it_device *device, const struct it_args *args)
{
    (void)device;
    const struct it_tensor *h = &args->t[0], *gu = &args->t[1];
    int64_t n = h->shape[1];
    for (int64_t i = 0; i < h->shape[0]; ++i) {
        for (int64_t j = 0; j < n; ++j) {
            real gate = ref_at(gu, i, j);
            ref_put(h, i, j, gate * sigmoid(gate) * ref_at(gu, i, n + j));
        }
    }
    return IT_OK;
}

enum it_status REF(swiglu_bwd)(struct it_device *device, const struct it_args *args)
{
    (void)device;
    const struct it_tensor *dgu = &args->t[0], *dh = &args->t[1], *gu = &args->t[2];
    int64_t n = dh->shape[1];
    for (int64_t i = 0; i < dh->shape[0]; ++i) {
        for (int64_t j = 0; j < n; ++j) {
            real gate = ref_at(gu, i, j), up = ref_at(gu, i, n + j), d = ref_at(dh, i, j);
            real s = sigmoid(gate);
            ref_put(dgu, i, j, d * up * (s * (1 + gate * (1 - s))));
            ref_put(dgu, i, n + j, d * (gate * s));
        }
    }
    return IT_OK;
}
