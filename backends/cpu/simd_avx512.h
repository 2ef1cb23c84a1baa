/* SPDX-License-Identifier: MIT */
/* Sixteen floats at a time: AVX-512 F, BW, DQ and VL. The three simd_*.h offer the same names, and
 * kernels.inc.c is written once against them. Sums, products and differences of vectors are written
 * with C's operators (vector extensions of GCC and Clang). */
#ifndef IT_CPU_SIMD_H
#define IT_CPU_SIMD_H

#include <immintrin.h>
#include <stdint.h>

typedef __m512 vf; /* floats */
typedef int32_t vi __attribute__((vector_size(64)));
typedef uint32_t vu __attribute__((vector_size(64)));
typedef __mmask16 vm; /* a truth a lane */

enum {
    VW = 16, /* lanes */
    MR = 14, /* the microkernel holds MR rows of NV vectors in registers: 28 of 32 */
    NV = 2,
    FEW = 8 /* rows that streamed weights meet in registers, beside a square to be turned */
};
#define IT_CPU_SIMD_NAME "avx512"
#define IT_CPU_ROWS      14 /* MR, for the preprocessor */

static inline vm v_first(int n) /* the first n lanes */
{
    return (vm)((1u << n) - 1u);
}
static inline vf v_set(float x)
{
    return _mm512_set1_ps(x);
}
static inline vf v_load(const float *p)
{
    return _mm512_loadu_ps(p);
}
static inline void v_store(float *p, vf x)
{
    _mm512_storeu_ps(p, x);
}
static inline vf v_load_n(const float *p, int n) /* lanes from n on are zero */
{
    return _mm512_maskz_loadu_ps(v_first(n), p);
}
static inline void v_store_n(float *p, vf x, int n)
{
    _mm512_mask_storeu_ps(p, v_first(n), x);
}

static inline vf v_widen(__m256i h)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}
/* Round to nearest even; a NaN keeps its upper bits and becomes quiet. */
static inline __m256i v_narrow(vf x)
{
    __m512i u = _mm512_castps_si512(x), up = _mm512_srli_epi32(u, 16);
    __m512i odd = _mm512_and_si512(up, _mm512_set1_epi32(1));
    __m512i sum = _mm512_add_epi32(_mm512_add_epi32(u, _mm512_set1_epi32(0x7fff)), odd);
    __m512i quiet = _mm512_or_si512(up, _mm512_set1_epi32(64));
    vm nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    return _mm512_cvtepi32_epi16(_mm512_mask_blend_epi32(nan, _mm512_srli_epi32(sum, 16), quiet));
}
static inline vf v_load_bf16(const uint16_t *p)
{
    return v_widen(_mm256_loadu_si256((const void *)p));
}
static inline vf v_load_bf16_n(const uint16_t *p, int n)
{
    return v_widen(_mm256_maskz_loadu_epi16(v_first(n), p));
}
static inline void v_store_bf16(uint16_t *p, vf x)
{
    _mm256_storeu_si256((void *)p, v_narrow(x));
}
static inline void v_store_bf16_n(uint16_t *p, vf x, int n)
{
    _mm256_mask_storeu_epi16(p, v_first(n), v_narrow(x));
}

/* Whole numbers of 8 bits, with or without a sign; the lowest 8 of a lane */
static inline vi v_load_i8_n(const uint8_t *p, int n)
{
    return (vi)_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(v_first(n), p));
}
static inline vi v_load_u8_n(const uint8_t *p, int n)
{
    return (vi)_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(v_first(n), p));
}
static inline void v_store_8_n(uint8_t *p, vi x, int n)
{
    _mm512_mask_cvtepi32_storeu_epi8(p, v_first(n), (__m512i)x);
}
/* The upper halves of products of 64 bits */
static inline vu v_times_high(vu a, uint32_t b)
{
    __m512i x = (__m512i)a, m = _mm512_set1_epi64(b);
    __m512i even = _mm512_srli_epi64(_mm512_mul_epu32(x, m), 32);
    return (vu)_mm512_mask_blend_epi32(0xaaaa, even, _mm512_mul_epu32(_mm512_srli_epi64(x, 32), m));
}

static inline vf v_fma(vf a, vf b, vf c) /* a*b + c, rounded once */
{
    return _mm512_fmadd_ps(a, b, c);
}
static inline vf v_max(vf a, vf b) /* b where either is a NaN */
{
    return _mm512_max_ps(a, b);
}
static inline vf v_min(vf a, vf b) /* b where either is a NaN */
{
    return _mm512_min_ps(a, b);
}
static inline vf v_sqrt(vf x)
{
    return _mm512_sqrt_ps(x);
}
static inline vm v_above(vf a, vf b) /* a > b */
{
    return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ);
}
static inline vm v_at_least(vf a, vf b) /* a >= b */
{
    return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ);
}
static inline unsigned v_mask(vm m) /* a bit a lane */
{
    return m;
}
static inline vf v_select(vm m, vf a, vf b) /* a where m, else b */
{
    return _mm512_mask_blend_ps(m, b, a);
}
static inline vi v_bits(vf x)
{
    return (vi)x;
}
static inline vf v_float(vi x)
{
    return (vf)x;
}
static inline float v_sum(vf x) /* a tree, always the same */
{
    __m256 h = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    q = _mm_add_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_add_ss(q, _mm_shuffle_ps(q, q, 1)));
}
static inline float v_largest(vf x)
{
    return _mm512_reduce_max_ps(x);
}

/* Part `part` of VW of turning the square t into out: t[i] lane j becomes out[j] lane i. In parts,
 * so that a kernel can do something else between them; u is for the steps between. out may be t.
 * Part p < 4 is the first to look at quarter p of t. */
static inline __attribute__((always_inline)) void v_transpose_part(vf t[VW], vf u[VW], vf out[VW],
                                                                   int part)
{
    int i = part % 4, a = 4 * i;
    if (part < 4) {
        u[a] = _mm512_unpacklo_ps(t[a], t[a + 1]);
        u[a + 1] = _mm512_unpackhi_ps(t[a], t[a + 1]);
        u[a + 2] = _mm512_unpacklo_ps(t[a + 2], t[a + 3]);
        u[a + 3] = _mm512_unpackhi_ps(t[a + 2], t[a + 3]);
    } else if (part < 8) {
        __m512d low = _mm512_castps_pd(u[a]), high = _mm512_castps_pd(u[a + 1]);
        __m512d low2 = _mm512_castps_pd(u[a + 2]), high2 = _mm512_castps_pd(u[a + 3]);
        t[a] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, low2));
        t[a + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, low2));
        t[a + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(high, high2));
        t[a + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(high, high2));
    } else if (part < 12) {
        u[i] = _mm512_shuffle_f32x4(t[i], t[i + 4], 0x88);
        u[i + 4] = _mm512_shuffle_f32x4(t[i], t[i + 4], 0xdd);
        u[i + 8] = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0x88);
        u[i + 12] = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0xdd);
    } else {
        out[i] = _mm512_shuffle_f32x4(u[i], u[i + 8], 0x88);
        out[i + 8] = _mm512_shuffle_f32x4(u[i], u[i + 8], 0xdd);
        out[i + 4] = _mm512_shuffle_f32x4(u[i + 4], u[i + 12], 0x88);
        out[i + 12] = _mm512_shuffle_f32x4(u[i + 4], u[i + 12], 0xdd);
    }
}

#endif
