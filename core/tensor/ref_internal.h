/* SPDX-License-Identifier: MIT */
/* The reference kernels: one plain version of every op, right before fast, on host memory.
 *
 * Each ref_*.c is compiled twice. By itself it makes the float version, it_ref_f32_<op>; through
 * ref_double.c, which defines REF_DOUBLE, the double one, it_ref_f64_<op>. Both take operands of
 * any storage type and compute in `real`. The float version uses the exponential and logarithm of
 * kmath.h, so that its results do not depend on the C library. */
#ifndef IT_TENSOR_REF_INTERNAL_H
#define IT_TENSOR_REF_INTERNAL_H

#include <math.h>
#include <stdint.h>

#include "core/tensor/backend.h"
#include "core/tensor/kmath.h"

#define OP(ID, name, outputs, inputs, tier, signature, scalars)                                    \
    it_kernel it_ref_f32_##name, it_ref_f64_##name;
#include "core/tensor/ops.def"
#undef OP

it_kernel *it_reference_kernel(enum it_op op, bool in_double);

/* The float version, or the double one where any operand is F64. Operands are host memory. */
enum it_status it_reference_run(struct it_device *device, enum it_op op,
                                const struct it_args *args);

#ifdef REF_DOUBLE
typedef double real;
#    define REF(name) it_ref_f64_##name
static inline real ref_exp(real x) { return exp(x); }
static inline real ref_log(real x) { return log(x); }
static inline real ref_sqrt(real x) { return sqrt(x); }
#else
typedef float real;
#    define REF(name) it_ref_f32_##name
static inline real ref_exp(real x) { return k_exp(x); }
static inline real ref_log(real x) { return k_log(x); }
static inline real ref_sqrt(real x) { return sqrtf(x); }
#endif

/* Sums over a vocabulary and over ranges are made of the sums of tiles of this width: the order is
 * fixed, and a float sum over 150,000 terms keeps its digits. */
enum { REF_TILE = 256 };

/* Element i of a view, counted from its start in steps of the last axis. */
static inline real ref_get(const struct it_tensor *t, int64_t i)
{
    const void *host = it_view_host(t);
    switch (t->dtype) {
    case IT_F32: return (real)((const float *)host)[i];
    case IT_BF16: return (real)k_bf16_load(((const uint16_t *)host)[i]);
    case IT_F64: return (real)((const double *)host)[i];
    default: return 0;
    }
}

static inline void ref_set(const struct it_tensor *t, int64_t i, real value)
{
    void *host = it_view_host(t);
    switch (t->dtype) {
    case IT_F32: ((float *)host)[i] = (float)value; break;
    case IT_BF16: ((uint16_t *)host)[i] = (uint16_t)k_bf16_store((float)value); break;
    case IT_F64: ((double *)host)[i] = (double)value; break;
    default: break;
    }
}

static inline real ref_at(const struct it_tensor *t, int64_t row, int64_t column)
{
    return ref_get(t, row * t->stride[0] + column);
}

static inline void ref_put(const struct it_tensor *t, int64_t row, int64_t column, real value)
{
    ref_set(t, row * t->stride[0] + column, value);
}

static inline int64_t ref_int(const struct it_tensor *t, int64_t row, int64_t column)
{
    return ((const int32_t *)it_view_host(t))[row * t->stride[0] + column];
}

/* Element i of an I32 vector. */
static inline int64_t ref_id(const struct it_tensor *t, int64_t i)
{
    return ((const int32_t *)it_view_host(t))[i];
}

#endif
