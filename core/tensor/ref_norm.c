/* SPDX-License-Identifier: MIT */
/* Reference kernels: rmsnorm and rope. */
#include "core/base/log.h"
#include "core/tensor/ref_internal.h"

enum it_status REF(rmsnorm)(struct it_device *device, const struct it_args *args)
{
    (void)device;
    const struct it_tensor *y = &args->t[0], *rstd = &args->t[1], *x = &args->t[2],
                           *w = &args->t[3];
    int64_t n = x->shape[1];
    for (int64_t i = 0; i < x->shape[0]; ++i) {
        real sum = 0;
        for (int64_t j = 0; j < n; ++j) { sum += ref_at(x, i, j) * ref_at(x, i, j); }
        real r = 1 / ref_sqrt(sum / (real)n + (real)args->f[0]);
        ref_set(rstd, i, r);
        for (int64_t j = 0; j < n; ++j) {
            ref_put(y, i, j, ref_at(x, i, j) * r * ref_get(w, j));
        }
    }
    return IT_OK;
}

/* With z = x * rstd and g = dy * w:
 * dw += sum of rows of dy * z, dx = rstd * (g - z * mean(g z)) */
enum it_status REF(rmsnorm_bwd)(struct it_device *device, const struct it_args *args)
{
    (void)device;
    const struct it_tensor *dx = &args->t[0], *dw = &args->t[1], *dy = &args->t[2],
                           *x = &args->t[3], *w = &args->t[4], *rstd = &args->t[5];
    int64_t m = x->shape[0], n = x->shape[1];
    for (int64_t i = 0; i < m; ++i) {
        real r = ref_get(rstd, i), sum = 0;
        for (int64_t j = 0; j < n; ++j) {
            real z = ref_at(x, i, j) * r;
            sum += ref_at(dy, i, j) * ref_get(w, j) * z;
        }
        real mean = sum / (real)n;
        for (int64_t j = 0; j < n; ++j) {
            real z = ref_at(x, i, j) * r;
            ref_put(dx, i, j, r * (ref_at(dy, i, j) * ref_get(w, j) - z * mean));
        }
    }
    for (int64_t j = 0; j < n; ++j) {
        real sum = ref_get(dw, j);
        for (int64_t i = 0; i < m; ++i) {
            sum += ref_at(dy, i, j) * (ref_at(x, i, j) * ref_get(rstd, i));
        }
        ref_set(dw, j, sum);
    }
    return IT_OK;
}

/* table [positions, e]: cosines then sines of a head's e/2 pairs */
enum it_status REF(rope)(struct it_device *device, const struct it_args *args)
{
    (void)device;
    const struct it_tensor *x = &args->t[0], *table = &args->t[1], *pos = &args->t[2];
    int64_t width = table->shape[1], half = width / 2;
    for (int64_t i = 0; i < x->shape[0]; ++i) {
        int64_t p = ref_id(pos, i);
        if (p < 0 || p >= table->shape[0]) {
            return it_fail(IT_INVALID, "op rope: position %lld of row %lld is outside [0, %lld)",
                           (long long)p, (long long)i, (long long)table->shape[0]);
        }
        for (int64_t head = 0; head < x->shape[1]; head += width) {
            for (int64_t j = 0; j < half; ++j) {
                real c = ref_at(table, p, j);
                real s = ref_at(table, p, half + j) * (real)args->i[0];
                real u = ref_at(x, i, head + j), v = ref_at(x, i, head + half + j);
                ref_put(x, i, head + j, u * c - v * s);
                ref_put(x, i, head + half + j, v * c + u * s);
            }
        }
    }
    return IT_OK;
}
