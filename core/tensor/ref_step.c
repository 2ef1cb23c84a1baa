/* SPDX-License-Identifier: MIT */
/* Reference kernels of the fused ops of a decode step: the ops that they replace, one after the
 * other, with host memory between them. */
#include <string.h>

#include "core/base/mem.h"
#include "core/tensor/ref_internal.h"

/* A dense matrix of its own; it_free(buffer.host). */
static struct it_tensor between(struct it_buffer *buffer, enum it_dtype dtype, int64_t rows,
                                int64_t columns)
{
    size_t size = (size_t)(rows * columns) * it_dtype_size(dtype);
    *buffer = (struct it_buffer){.host = it_alloc(size + 1), .size = size};
    return (struct it_tensor){.dtype = dtype,
                              .rank = 2,
                              .shape = {rows, columns},
                              .stride = {columns, 1},
                              .buffer = buffer};
}

static struct it_tensor as_vector(struct it_tensor t)
{
    t.rank = 1;
    t.shape[0] *= t.shape[1];
    t.stride[0] = 1;
    return t;
}

static enum it_status norm_rows(struct it_tensor y, struct it_tensor x, struct it_tensor gain,
                                double eps)
{
    struct it_buffer memory;
    struct it_tensor rstd =
        as_vector(between(&memory, it_dtype_accumulation(x.dtype), x.shape[0], 1));
    enum it_status status =
        REF(rmsnorm)(NULL, &(struct it_args){.t = {y, rstd, x, gain}, .f = {eps}});
    it_free(memory.host);
    return status;
}

enum it_status REF(project)(struct it_device *device, const struct it_args *args)
{
    struct it_tensor y = args->t[0], x = args->t[1], gain = args->t[2], w = args->t[3],
                     bias = args->t[4], residual = args->t[5];
    struct it_buffer normed, product, gated = {0};
    struct it_tensor z = between(&normed, x.dtype, x.shape[0], x.shape[1]);
    struct it_tensor s = between(&product, y.dtype, y.shape[0], w.shape[0]), out = s;
    enum it_status status = REF(copy)(device, &(struct it_args){.t = {z, x}});
    if (status == IT_OK && gain.dtype != IT_NONE) { status = norm_rows(z, x, gain, args->f[0]); }
    if (status == IT_OK) {
        status = REF(matmul)(device, &(struct it_args){.t = {s, z, w, bias}, .i = {0, 1}});
    }
    if (status == IT_OK && args->i[0]) {
        out = between(&gated, y.dtype, y.shape[0], y.shape[1]);
        status = REF(swiglu)(device, &(struct it_args){.t = {out, s}});
    }
    if (status == IT_OK) {
        struct it_args add = {.t = {y, out, residual}, .f = {1.0, 1.0}};
        status = residual.dtype != IT_NONE
                     ? REF(scale_add)(device, &add)
                     : REF(copy)(device, &(struct it_args){.t = {y, out}});
    }
    it_free(gated.host);
    it_free(product.host);
    it_free(normed.host);
    return status;
}

/* Columns [first, first + n) of dense rows, in rows as wide as the norm; in place. */
static enum it_status norm_columns(struct it_tensor t, int64_t first, int64_t n,
                                   struct it_tensor gain, double eps)
{
    int64_t size = (int64_t)it_dtype_size(t.dtype);
    for (int64_t c = first; c < first + n; c += gain.shape[0]) {
        struct it_tensor part = t;
        part.offset += (size_t)(c * size);
        part.shape[1] = gain.shape[0];
        IT_TRY(norm_rows(part, part, gain, eps));
    }
    return IT_OK;
}

static struct it_tensor columns_of(struct it_tensor t, int64_t first, int64_t n)
{
    t.offset += (size_t)first * it_dtype_size(t.dtype);
    t.shape[1] = n;
    return t;
}

enum it_status REF(attn_step)(struct it_device *device, const struct it_args *args)
{
    struct it_tensor y = args->t[0], kc = args->t[1], vc = args->t[2], out = args->t[3],
                     qkv = args->t[4], qnorm = args->t[5], knorm = args->t[6],
                     angles = args->t[7], pos = args->t[8], rows = args->t[9],
                     table = args->t[10], length = args->t[11];
    int64_t d = y.shape[1], e = kc.shape[1];
    struct it_buffer memory;
    struct it_tensor t = between(&memory, qkv.dtype, qkv.shape[0], qkv.shape[1]);
    struct it_tensor q = columns_of(t, 0, d), k = columns_of(t, d, e), v = columns_of(t, d + e, e);
    enum it_status status = REF(copy)(device, &(struct it_args){.t = {t, qkv}});
    if (status == IT_OK && qnorm.dtype != IT_NONE) {
        status = norm_columns(t, 0, d, qnorm, args->f[1]);
        if (status == IT_OK) { status = norm_columns(t, d, e, knorm, args->f[1]); }
    }
    if (status == IT_OK) {
        struct it_args turn = {.t = {columns_of(t, 0, d + e), angles, pos}, .i = {1}};
        status = REF(rope)(device, &turn);
    }
    if (status == IT_OK) {
        status = REF(kv_write)(device, &(struct it_args){.t = {kc, vc, k, v, rows}});
    }
    if (status == IT_OK) {
        struct it_args attend = {.t = {y, q, kc, vc, table, length},
                                 .f = {args->f[0]},
                                 .i = {args->i[0], args->i[1], args->i[2]}};
        status = REF(attn_decode)(device, &attend);
    }
    if (status == IT_OK && out.dtype != IT_NONE) {
        struct it_args add = {.t = {out, y, {0}, args->t[12], {0}, args->t[13]}};
        status = REF(project)(device, &add);
    }
    it_free(memory.host);
    return status;
}
