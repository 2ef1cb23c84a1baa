/* SPDX-License-Identifier: MIT */
/* Scalar formulas shared by C, CUDA C++, OpenCL C and GLSL: only scalars in, one scalar out, which
 * is the whole common subset of the four languages. Schedules are not shared.
 *
 * In C the exponential and the logarithm are our own, so that results do not depend on the C
 * library: k_exp is a degree-6 polynomial on [-ln2/2, ln2/2] (at most 2 ulp), k_log a degree-9 one.
 * The vector kernels of a backend repeat these operations lane by lane and agree to the bit where
 * they use the same (unfused) multiplications and additions. */
#ifndef IT_TENSOR_KMATH_H
#define IT_TENSOR_KMATH_H

#if defined(GL_core_profile) || defined(VULKAN)
#    define KFN
#    define k_float_of(u) float(u)
#    define k_uint_of(x) uint(x)
#    define k_bits(x) floatBitsToUint(x)
#    define k_float(u) uintBitsToFloat(u)
#    define k_max(a, b) max(a, b)
#    define k_exp(x) exp(x)
#    define k_log(x) log(x)
#    define k_sqrt(x) sqrt(x)
#elif defined(__OPENCL_VERSION__)
#    define KFN static inline
#    define k_float_of(u) ((float)(u))
#    define k_uint_of(x) ((uint)(x))
#    define k_bits(x) as_uint(x)
#    define k_float(u) as_float(u)
#    define k_max(a, b) fmax(a, b)
#    define k_exp(x) exp(x)
#    define k_log(x) log(x)
#    define k_sqrt(x) sqrt(x)
#else
#    ifdef __CUDACC__
#        define KFN static inline __host__ __device__
#    else
#        include <math.h>
#        include <string.h>
#        define KFN static inline
#    endif
#    define k_sqrt(x) sqrtf(x)
typedef unsigned int uint;
#    define k_float_of(u) ((float)(u))
#    define k_uint_of(x) ((uint)(x))
#    define k_max(a, b) ((a) > (b) ? (a) : (b))
KFN uint k_bits(float x)
{
    uint u;
    memcpy(&u, &x, 4);
    return u;
}
KFN float k_float(uint u)
{
    float x;
    memcpy(&x, &u, 4);
    return x;
}
#    ifdef __CUDACC__
#        define k_exp(x) expf(x)
#        define k_log(x) logf(x)
#    else
/* e^x: x = n ln2 + r, polynomial in r, scaled by 2^n. Below -87.3 the result is 0, above 88.7 it is
 * infinite: softmax never needs subnormals. */
KFN float k_exp(float x)
{
    if (!(x > -87.33654f)) { return x != x ? x : 0.0f; }
    if (x > 88.72284f) { return k_float(0x7f800000u); }
    float t = x * 1.44269504f + 12582912.0f; /* round to nearest: 1.5 * 2^23 */
    float n = t - 12582912.0f;
    float r = x - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    /* 2^n in two steps, so that n = 128 does not overflow before the product is formed */
    int half = (int)n / 2, rest = (int)n - half;
    return p * k_float((uint)(half + 127) << 23) * k_float((uint)(rest + 127) << 23);
}
/* ln x for normal x > 0 */
KFN float k_log(float x)
{
    uint u = k_bits(x);
    int e = (int)(u >> 23) - 126;
    float m = k_float((u & 0x007fffffu) | 0x3f000000u); /* [0.5, 1) */
    if (m < 0.707106781f) {
        e = e - 1;
        m = m + m;
    }
    m = m - 1.0f;
    float z = m * m;
    float p = 7.0376836292e-2f;
    p = p * m - 1.1514610310e-1f;
    p = p * m + 1.1676998740e-1f;
    p = p * m - 1.2420140846e-1f;
    p = p * m + 1.4249322787e-1f;
    p = p * m - 1.6668057665e-1f;
    p = p * m + 2.0000714765e-1f;
    p = p * m - 2.4999993993e-1f;
    p = p * m + 3.3333331174e-1f;
    float y = p * m * z;
    float fe = (float)e;
    y = y + fe * -2.12194440e-4f;
    y = y - 0.5f * z;
    return m + y + fe * 0.693359375f;
}
#    endif
#endif

/* bf16 is a storage type: widen on load, round to nearest even on store, NaN stays NaN. */
KFN float k_bf16_load(uint h)
{
    return k_float(h << 16);
}
KFN uint k_bf16_store(float x)
{
    uint u = k_bits(x);
    if ((u & 0x7fffffffu) > 0x7f800000u) { return (u >> 16) | 64u; }
    return (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
}
/* To one of the two neighbours, up with the chance of its share of the way; noise < 2^16. */
KFN uint k_bf16_dither(float x, uint noise)
{
    uint u = k_bits(x);
    if ((u & 0x7fffffffu) > 0x7f800000u) { return (u >> 16) | 64u; }
    return (u + noise) >> 16;
}
/* The 8-bit moments of adamw8. A code is the square root of x as a share in [0, 1] of a scale, in
 * `top` steps, to the nearest; not-a-number gives the top. k_moment is the inverse for a signed
 * code and top 127, k_root for an unsigned one and 255. A scale too small to divide by is none. */
KFN float k_inverse(float scale)
{
    return scale >= 1.17549435e-38f ? 1.0f / scale : 0.0f;
}
KFN uint k_code(float x, float inverse, float top)
{
    float y = k_sqrt(x * inverse) * top + 0.5f;
    return k_uint_of(y < top ? y : top);
}
KFN float k_moment(int code, float scale)
{
    return scale / 16129.0f * k_float_of(code < 0 ? -code * code : code * code);
}
KFN float k_root(uint code, float scale)
{
    return scale / 65025.0f * k_float_of(code * code);
}
KFN float k_sigmoid(float x)
{
    return 1.0f / (1.0f + k_exp(-x));
}
KFN float k_silu(float x)
{
    return x * k_sigmoid(x);
}
KFN float k_silu_grad(float x)
{
    float s = k_sigmoid(x);
    return s * (1.0f + x * (1.0f - s));
}

#endif
