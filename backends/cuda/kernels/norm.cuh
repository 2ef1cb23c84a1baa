/* SPDX-License-Identifier: MIT */
/* The root mean square of a row, as a warp by itself finds it: the sums of kernel rmsnorm in the
 * same order, so that a norm inside another kernel is equal to the bit to the op. */
#ifndef IT_CUDA_NORM_CUH
#define IT_CUDA_NORM_CUH

#include "backends/cuda/kernels/device.cuh"

/* Rows up to NORM_NARROW columns are a warp's in rmsnorm, wider ones a block's of NORM_WARPS. */
enum { NORM_NARROW = 512, NORM_WARPS = 8 };

/* 1 / sqrt(mean(x^2) + eps), the same in every lane. */
template <class T>
static __device__ __forceinline__ float norm_rstd(const T *x, long long n, float eps)
{
    int warps = n > NORM_NARROW ? NORM_WARPS : 1;
    bool wide = in_eights({(void *)x, 0}, n);
    float sum = 0.0f;
    for (int warp = 0; warp < warps; warp++) {
        float mine = 0.0f, at[EIGHT];
        for (long long c = (warp * WARP + threadIdx.x % WARP) * EIGHT; c < n;
             c += warps * WARP * EIGHT) {
            get_eight(at, x, c, n, wide);
#pragma unroll
            for (int i = 0; i < EIGHT; i++) { mine += at[i] * at[i]; }
        }
        sum += warp_sum(mine);
    }
    return 1.0f / sqrtf(sum / (float)n + eps);
}

/* x as it is after being stored. */
template <class T> static __device__ __forceinline__ float rounded(float x)
{
    T stored;
    put(&stored, x);
    return get(&stored);
}

#endif
