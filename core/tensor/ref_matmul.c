/* SPDX-License-Identifier: MIT */
/* Reference kernel: matmul. Each element of y is one sum over k in ascending order; columns go in
 * tiles only so that a row of b is converted once for a tile. */
#include "core/tensor/ref_internal.h"

enum { COLUMNS = 128 };

/* out[0..n) = elements first, first + step, ... of a matrix, the type looked at once */
static void load_run(const struct it_tensor *t, int64_t first, int64_t step, int64_t n, real *out)
{
    const void *host = it_view_host(t);
    switch (t->dtype) {
    case IT_F32:
        for (int64_t i = 0; i < n; ++i) { out[i] = (real)((const float *)host)[first + i * step]; }
        break;
    case IT_BF16:
        for (int64_t i = 0; i < n; ++i) {
            out[i] = (real)k_bf16_load(((const uint16_t *)host)[first + i * step]);
        }
        break;
    default:
        for (int64_t i = 0; i < n; ++i) { out[i] = (real)((const double *)host)[first + i * step]; }
        break;
    }
}

enum it_status REF(matmul)(struct it_device *device, const struct it_args *args)
{
    (void)device;
    const struct it_tensor *y = &args->t[0], *a = &args->t[1], *b = &args->t[2],
                           *bias = &args->t[3];
    bool trans_a = args->i[0], trans_b = args->i[1];
    int64_t m = y->shape[0], n = y->shape[1], k = a->shape[trans_a ? 0 : 1];
    int64_t along_k = trans_b ? 1 : b->stride[0], along_n = trans_b ? b->stride[0] : 1;
    real sum[COLUMNS], row[COLUMNS];
    for (int64_t j0 = 0; j0 < n; j0 += COLUMNS) {
        int64_t width = n - j0 < COLUMNS ? n - j0 : COLUMNS;
        for (int64_t i = 0; i < m; ++i) {
            for (int64_t j = 0; j < width; ++j) { sum[j] = 0; }
            for (int64_t l = 0; l < k; ++l) {
                real left = trans_a ? ref_at(a, l, i) : ref_at(a, i, l);
                load_run(b, l * along_k + j0 * along_n, along_n, width, row);
                for (int64_t j = 0; j < width; ++j) { sum[j] += left * row[j]; }
            }
            for (int64_t j = 0; j < width; ++j) {
                if (bias->dtype != IT_NONE) { sum[j] += ref_get(bias, j0 + j); }
                if (args->f[0] != 0) { sum[j] += ref_at(y, i, j0 + j); }
                ref_put(y, i, j0 + j, sum[j]);
            }
        }
    }
    return IT_OK;
}
