/* SPDX-License-Identifier: MIT */
/* What all kernels share: storage types, sums over a warp and a block in a fixed order.
 *
 * The kernels are written so that a C++ compiler can run them on the host, one thread after the
 * other (tests/cuda_on_host.h, which then comes first): what they compute is tested without a
 * GPU. */
#ifndef IT_CUDA_DEVICE_CUH
#define IT_CUDA_DEVICE_CUH

#ifndef IT_CUDA_ON_HOST
#    define DEFINE_KERNEL(name, params) extern "C" __global__ void name(const params p)
#    define SHARED_BYTES(name) extern __shared__ __align__(16) unsigned char name[]
#endif

#include "backends/cuda/params.h"
#include "core/tensor/kmath.h"

/* DEFINE_TYPED(op, params): op_f32 and op_bf16 from the template op<T>. */
#define DEFINE_TYPED(op, params)                                                                   \
    DEFINE_KERNEL(op##_f32, params) { op<float>(p); }                                              \
    DEFINE_KERNEL(op##_bf16, params) { op<bf16>(p); }

struct bf16 {
    unsigned short bits;
};

enum { WARP = 32 };
#define ALL_LANES 0xffffffffu

static __device__ __forceinline__ float get(const float *at) { return *at; }
static __device__ __forceinline__ float get(const bf16 *at) { return k_bf16_load(at->bits); }
static __device__ __forceinline__ void put(float *at, float x) { *at = x; }
static __device__ __forceinline__ void put(bf16 *at, float x)
{
    at->bits = (unsigned short)k_bf16_store(x);
}

template <class T> static __device__ __forceinline__ T *row_of(const it_cuda_view &v, long long r)
{
    return (T *)v.at + r * v.row;
}

/* The same in every lane, in an order that does not depend on anything. */
static __device__ __forceinline__ float warp_sum(float x)
{
    for (int lane = WARP / 2; lane > 0; lane /= 2) { x += __shfl_xor_sync(ALL_LANES, x, lane); }
    return x;
}

static __device__ __forceinline__ double warp_sum(double x)
{
    for (int lane = WARP / 2; lane > 0; lane /= 2) { x += __shfl_xor_sync(ALL_LANES, x, lane); }
    return x;
}

static __device__ __forceinline__ float warp_max(float x)
{
    for (int lane = WARP / 2; lane > 0; lane /= 2) {
        x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, lane));
    }
    return x;
}

/* Over a block of whole warps; every thread gets it. `shared` holds WARP values and is free for
 * other use after the call. */
template <class T> static __device__ __forceinline__ T block_sum(T x, T *shared)
{
    int warp = threadIdx.x / WARP, warps = blockDim.x / WARP;
    x = warp_sum(x);
    if (threadIdx.x % WARP == 0) { shared[warp] = x; }
    __syncthreads();
    T sum = 0;
    for (int i = 0; i < warps; i++) { sum += shared[i]; }
    __syncthreads();
    return sum;
}

#endif
