/* SPDX-License-Identifier: MIT */
/* Four floats at a time in plain C with vector extensions: any machine that GCC or Clang knows. The
 * names are explained in simd_avx512.h. On 64-bit Arm, whose vectors these are, the multiply-add is
 * fused and the microkernel as large as 32 registers allow; elsewhere neither is so. */
#ifndef IT_CPU_SIMD_H
#define IT_CPU_SIMD_H

#include <math.h>
#include <stdint.h>
#include <string.h>
#ifdef __aarch64__
#    include <arm_neon.h>
#endif

#include "core/tensor/kmath.h"

typedef float vf __attribute__((vector_size(16)));
typedef int32_t vi __attribute__((vector_size(16)));
typedef uint32_t vu __attribute__((vector_size(16)));
typedef vi vm;

#define IT_CPU_SIMD_NAME "portable"
#ifdef __aarch64__
enum { VW = 4, MR = 14, NV = 2, FEW = 8 };
#    define IT_CPU_ROWS 14
#else
enum { VW = 4, MR = 6, NV = 2, FEW = 4 }; /* 12 of 16 registers */
#    define IT_CPU_ROWS 6
#endif

static inline vm v_first(int n)
{
    return (vi){0, 1, 2, 3} < (vi){n, n, n, n};
}
static inline vf v_set(float x)
{
    return (vf){x, x, x, x};
}
static inline vf v_load(const float *p)
{
    vf x;
    memcpy(&x, p, sizeof(x));
    return x;
}
static inline void v_store(float *p, vf x)
{
    memcpy(p, &x, sizeof(x));
}
static inline vf v_load_n(const float *p, int n)
{
    vf x = v_set(0);
    memcpy(&x, p, n >= VW ? sizeof(x) : (size_t)n * sizeof(*p));
    return x;
}
static inline void v_store_n(float *p, vf x, int n)
{
    memcpy(p, &x, n >= VW ? sizeof(x) : (size_t)n * sizeof(*p));
}

static inline vf v_load_bf16(const uint16_t *p)
{
    return (vf)((vu){p[0], p[1], p[2], p[3]} << 16);
}
static inline vf v_load_bf16_n(const uint16_t *p, int n)
{
    uint16_t h[VW] = {0};
    memcpy(h, p, n >= VW ? sizeof(h) : (size_t)n * sizeof(*p));
    return v_load_bf16(h);
}
static inline void v_store_bf16_n(uint16_t *p, vf x, int n)
{
    for (int i = 0; i < n && i < VW; i++) { p[i] = (uint16_t)k_bf16_store(x[i]); }
}
static inline void v_store_bf16(uint16_t *p, vf x)
{
    v_store_bf16_n(p, x, VW);
}

static inline vi v_load_i8_n(const uint8_t *p, int n)
{
    int8_t c[VW] = {0};
    memcpy(c, p, n >= VW ? sizeof(c) : (size_t)n);
    return (vi){c[0], c[1], c[2], c[3]};
}
static inline vi v_load_u8_n(const uint8_t *p, int n)
{
    uint8_t c[VW] = {0};
    memcpy(c, p, n >= VW ? sizeof(c) : (size_t)n);
    return (vi){c[0], c[1], c[2], c[3]};
}
static inline void v_store_8_n(uint8_t *p, vi x, int n)
{
    const uint8_t c[VW] = {(uint8_t)x[0], (uint8_t)x[1], (uint8_t)x[2], (uint8_t)x[3]};
    memcpy(p, c, n >= VW ? sizeof(c) : (size_t)n);
}
static inline vu v_times_high(vu a, uint32_t b)
{
    uint32_t high[VW];
    for (int i = 0; i < VW; i++) { high[i] = (uint32_t)((uint64_t)a[i] * b >> 32); }
    return (vu){high[0], high[1], high[2], high[3]};
}

static inline vf v_fma(vf a, vf b, vf c)
{
#ifdef __aarch64__
    return vfmaq_f32(c, a, b);
#else
    return a * b + c;
#endif
}
static inline vf v_select(vm m, vf a, vf b)
{
    return (vf)(((vi)a & m) | ((vi)b & ~m));
}
static inline vm v_above(vf a, vf b)
{
    return a > b;
}
static inline vm v_at_least(vf a, vf b)
{
    return a >= b;
}
static inline unsigned v_mask(vm m)
{
    return (unsigned)((m[0] & 1) | (m[1] & 2) | (m[2] & 4) | (m[3] & 8));
}
static inline vf v_max(vf a, vf b)
{
    return v_select(a > b, a, b);
}
static inline vf v_min(vf a, vf b)
{
    return v_select(a < b, a, b);
}
static inline vf v_sqrt(vf x)
{
    return (vf){sqrtf(x[0]), sqrtf(x[1]), sqrtf(x[2]), sqrtf(x[3])};
}
static inline vi v_bits(vf x)
{
    return (vi)x;
}
static inline vf v_float(vi x)
{
    return (vf)x;
}
static inline float v_sum(vf x)
{
    return (x[0] + x[2]) + (x[1] + x[3]);
}
static inline float v_largest(vf x)
{
    return k_max(k_max(x[0], x[2]), k_max(x[1], x[3]));
}

static inline void v_transpose_part(vf t[VW], vf u[VW], vf out[VW], int part)
{
    if (part < VW - 1) { return; }
    for (int i = 0; i < VW; i++) { u[i] = (vf){t[0][i], t[1][i], t[2][i], t[3][i]}; }
    for (int i = 0; i < VW; i++) { out[i] = u[i]; }
}

#endif
