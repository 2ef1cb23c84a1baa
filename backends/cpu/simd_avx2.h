/* SPDX-License-Identifier: MIT */
/* Eight floats at a time: AVX2 and FMA. The names are explained in simd_avx512.h. */
#ifndef IT_CPU_SIMD_H
#define IT_CPU_SIMD_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

typedef __m256 vf;
typedef int32_t vi __attribute__((vector_size(32)));
typedef uint32_t vu __attribute__((vector_size(32)));
typedef __m256 vm;

enum {
    VW = 8,
    MR = 6, /* 12 of 16 registers */
    NV = 2,
    FEW = 4
};
#define IT_CPU_SIMD_NAME "avx2"
#define IT_CPU_ROWS      6

static inline __m256i v_lanes(int n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline vm v_first(int n)
{
    return _mm256_castsi256_ps(v_lanes(n));
}
static inline vf v_set(float x)
{
    return _mm256_set1_ps(x);
}
static inline vf v_load(const float *p)
{
    return _mm256_loadu_ps(p);
}
static inline void v_store(float *p, vf x)
{
    _mm256_storeu_ps(p, x);
}
static inline vf v_load_n(const float *p, int n)
{
    return n >= VW ? v_load(p) : _mm256_maskload_ps(p, v_lanes(n));
}
static inline void v_store_n(float *p, vf x, int n)
{
    if (n >= VW) {
        v_store(p, x);
    } else {
        _mm256_maskstore_ps(p, v_lanes(n), x);
    }
}

static inline vf v_widen(__m128i h)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
}
static inline __m128i v_narrow(vf x)
{
    __m256i u = _mm256_castps_si256(x), up = _mm256_srli_epi32(u, 16);
    __m256i odd = _mm256_and_si256(up, _mm256_set1_epi32(1));
    __m256i sum = _mm256_add_epi32(_mm256_add_epi32(u, _mm256_set1_epi32(0x7fff)), odd);
    __m256i quiet = _mm256_or_si256(up, _mm256_set1_epi32(64));
    __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    __m256i h = _mm256_blendv_epi8(_mm256_srli_epi32(sum, 16), quiet, nan);
    return _mm_packus_epi32(_mm256_castsi256_si128(h), _mm256_extracti128_si256(h, 1));
}
static inline vf v_load_bf16(const uint16_t *p)
{
    return v_widen(_mm_loadu_si128((const void *)p));
}
static inline vf v_load_bf16_n(const uint16_t *p, int n)
{
    if (n >= VW) { return v_load_bf16(p); }
    uint16_t h[VW] = {0};
    memcpy(h, p, (size_t)n * sizeof(*p));
    return v_load_bf16(h);
}
static inline void v_store_bf16(uint16_t *p, vf x)
{
    _mm_storeu_si128((void *)p, v_narrow(x));
}
static inline void v_store_bf16_n(uint16_t *p, vf x, int n)
{
    if (n >= VW) {
        v_store_bf16(p, x);
    } else {
        uint16_t h[VW];
        v_store_bf16(h, x);
        memcpy(p, h, (size_t)n * sizeof(*p));
    }
}

static inline __m128i v_eight_n(const uint8_t *p, int n)
{
    uint8_t eight[VW] = {0};
    memcpy(eight, p, n >= VW ? VW : (size_t)n);
    return _mm_loadl_epi64((const void *)eight);
}
static inline vi v_load_i8_n(const uint8_t *p, int n)
{
    return (vi)_mm256_cvtepi8_epi32(v_eight_n(p, n));
}
static inline vi v_load_u8_n(const uint8_t *p, int n)
{
    return (vi)_mm256_cvtepu8_epi32(v_eight_n(p, n));
}
static inline void v_store_8_n(uint8_t *p, vi x, int n)
{
    __m256i low = _mm256_and_si256((__m256i)x, _mm256_set1_epi32(0xff));
    __m128i half = _mm_packus_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
    uint8_t eight[VW];
    _mm_storel_epi64((void *)eight, _mm_packus_epi16(half, half));
    memcpy(p, eight, n >= VW ? VW : (size_t)n);
}
static inline vu v_times_high(vu a, uint32_t b)
{
    __m256i x = (__m256i)a, m = _mm256_set1_epi64x((int64_t)b);
    __m256i even = _mm256_srli_epi64(_mm256_mul_epu32(x, m), 32);
    return (vu)_mm256_blend_epi32(even, _mm256_mul_epu32(_mm256_srli_epi64(x, 32), m), 0xaa);
}

static inline vf v_fma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}
static inline vf v_max(vf a, vf b)
{
    return _mm256_max_ps(a, b);
}
static inline vf v_min(vf a, vf b)
{
    return _mm256_min_ps(a, b);
}
static inline vf v_sqrt(vf x)
{
    return _mm256_sqrt_ps(x);
}
static inline vm v_above(vf a, vf b)
{
    return _mm256_cmp_ps(a, b, _CMP_GT_OQ);
}
static inline vm v_at_least(vf a, vf b)
{
    return _mm256_cmp_ps(a, b, _CMP_GE_OQ);
}
static inline unsigned v_mask(vm m)
{
    return (unsigned)_mm256_movemask_ps(m);
}
static inline vf v_select(vm m, vf a, vf b)
{
    return _mm256_blendv_ps(b, a, m);
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
    __m128 q = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    q = _mm_add_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_add_ss(q, _mm_shuffle_ps(q, q, 1)));
}
static inline float v_largest(vf x)
{
    __m128 q = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    q = _mm_max_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_max_ss(q, _mm_shuffle_ps(q, q, 1)));
}

static inline __attribute__((always_inline)) void v_transpose_part(vf t[VW], vf u[VW], vf out[VW],
                                                                   int part)
{
    int i = 2 * part;
    if (part < 4) {
        u[i] = _mm256_unpacklo_ps(t[i], t[i + 1]);
        u[i + 1] = _mm256_unpackhi_ps(t[i], t[i + 1]);
    } else if (part < 6) {
        i = 4 * (part - 4);
        t[i] = _mm256_shuffle_ps(u[i], u[i + 2], 0x44);
        t[i + 1] = _mm256_shuffle_ps(u[i], u[i + 2], 0xee);
        t[i + 2] = _mm256_shuffle_ps(u[i + 1], u[i + 3], 0x44);
        t[i + 3] = _mm256_shuffle_ps(u[i + 1], u[i + 3], 0xee);
    } else {
        for (i = 2 * (part - 6); i < 2 * (part - 5); i++) {
            vf low = t[i], high = t[i + 4];
            out[i] = _mm256_permute2f128_ps(low, high, 0x20);
            out[i + 4] = _mm256_permute2f128_ps(low, high, 0x31);
        }
    }
}

#endif
