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

/* Neighbours at a time: one or two accesses of 16 bytes where rows are aligned. Which thread has
 * which columns never depends on that. */
enum { EIGHT = 8 };

static __device__ __forceinline__ bool in_eights(const it_cuda_view &v, long long columns)
{
    return columns % EIGHT == 0 && v.row % EIGHT == 0 && ((unsigned long long)v.at & 15u) == 0;
}

static __device__ __forceinline__ void get_eight(float x[EIGHT], const float *at)
{
    for (int i = 0; i < EIGHT; i += 4) {
        uint4 bits = *(const uint4 *)(at + i);
        x[i] = k_float(bits.x);
        x[i + 1] = k_float(bits.y);
        x[i + 2] = k_float(bits.z);
        x[i + 3] = k_float(bits.w);
    }
}

static __device__ __forceinline__ void get_eight(float x[EIGHT], const bf16 *at)
{
    uint4 bits = *(const uint4 *)at;
    unsigned pair[4] = {bits.x, bits.y, bits.z, bits.w};
#pragma unroll
    for (int i = 0; i < 4; i++) {
        x[2 * i] = k_bf16_load(pair[i] & 0xffffu);
        x[2 * i + 1] = k_bf16_load(pair[i] >> 16);
    }
}

static __device__ __forceinline__ void put_eight(float *at, const float x[EIGHT])
{
    for (int i = 0; i < EIGHT; i += 4) {
        *(uint4 *)(at + i) = uint4{k_bits(x[i]), k_bits(x[i + 1]), k_bits(x[i + 2]),
                                   k_bits(x[i + 3])};
    }
}

static __device__ __forceinline__ void put_eight(bf16 *at, const float x[EIGHT])
{
    unsigned pair[4];
#pragma unroll
    for (int i = 0; i < 4; i++) {
        pair[i] = k_bf16_store(x[2 * i]) | k_bf16_store(x[2 * i + 1]) << 16;
    }
    *(uint4 *)at = uint4{pair[0], pair[1], pair[2], pair[3]};
}

/* Up to EIGHT values from column c on, zeros where the row ends. */
template <class T>
static __device__ __forceinline__ void get_eight(float x[EIGHT], const T *row, long long c,
                                                 long long columns, bool wide)
{
    if (wide) {
        get_eight(x, row + c);
        return;
    }
#pragma unroll
    for (int i = 0; i < EIGHT; i++) { x[i] = c + i < columns ? get(row + c + i) : 0.0f; }
}

template <class T>
static __device__ __forceinline__ void put_eight(T *row, long long c, long long columns, bool wide,
                                                 const float x[EIGHT])
{
    if (wide) {
        put_eight(row + c, x);
        return;
    }
#pragma unroll
    for (int i = 0; i < EIGHT; i++) {
        if (c + i < columns) { put(row + c + i, x[i]); }
    }
}

template <class T> static __device__ __forceinline__ T *row_of(const it_cuda_view &v, long long r)
{
    return (T *)v.at + r * v.row;
}

/* 16 bytes, aligned, to shared memory on their way while the thread goes on: there when copy_wait
 * has returned, for other threads after a barrier behind it. */
static __device__ __forceinline__ void copy_16(void *shared, const void *global)
{
#ifdef IT_CUDA_ON_HOST
    cuda_copy_begin(shared, global);
#else
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(
                     (unsigned)__cvta_generic_to_shared(shared)),
                 "l"(global)
                 : "memory");
#endif
}

/* The copies so far are a group; wait until at most LEFT groups, the newest, are on their way. */
static __device__ __forceinline__ void copy_close()
{
#ifdef IT_CUDA_ON_HOST
    cuda_copy_close();
#else
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

template <int LEFT> static __device__ __forceinline__ void copy_wait_but()
{
#ifdef IT_CUDA_ON_HOST
    cuda_copy_wait(LEFT);
#else
    asm volatile("cp.async.wait_group %0;" ::"n"(LEFT) : "memory");
#endif
}

static __device__ __forceinline__ void copy_wait()
{
#ifdef IT_CUDA_ON_HOST
    cuda_copy_close();
    cuda_copy_wait(0);
#else
    asm volatile("cp.async.wait_all;" ::: "memory");
#endif
}

/* A pair turned by an angle of cosine c and sine s. The sums are spelled out: every kernel that
 * turns rounds alike. */
static __device__ __forceinline__ void turn_pair(float *u, float *v, float c, float s)
{
    float a = *u, b = *v;
    *u = fmaf(a, c, -(b * s));
    *v = fmaf(b, c, a * s);
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

/* Philox4x32-10 (Salmon et al., Parallel random numbers: as easy as 1, 2, 3) of counter c. */
static __device__ __forceinline__ void philox(unsigned k0, unsigned k1, unsigned c[4])
{
    for (int round = 0; round < 10; round++) {
        unsigned long long a = 0xd2511f53ull * c[0], b = 0xcd9e8d57ull * c[2];
        unsigned c0 = (unsigned)(b >> 32) ^ c[1] ^ k0, c2 = (unsigned)(a >> 32) ^ c[3] ^ k1;
        c[1] = (unsigned)b;
        c[3] = (unsigned)a;
        c[0] = c0;
        c[2] = c2;
        k0 += 0x9e3779b9u;
        k1 += 0xbb67ae85u;
    }
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
