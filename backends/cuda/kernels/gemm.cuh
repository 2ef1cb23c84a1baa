/* SPDX-License-Identifier: MIT */
/* What the matrix products share. */
#ifndef IT_CUDA_GEMM_CUH
#define IT_CUDA_GEMM_CUH

#include "backends/cuda/kernels/mma.cuh"

template <class Y, class X>
static __device__ __forceinline__ void store_element(const it_cuda_matmul &p, long long i,
                                                     long long j, float sum)
{
    if (i >= p.m || j >= p.n) { return; }
    Y *y = row_of<Y>(p.y, i) + j;
    if (p.bias) { sum += get((const X *)p.bias + j); }
    if (p.accumulate) { sum += get(y); }
    put(y, sum);
}

#endif
