/* SPDX-License-Identifier: MIT */
/* mma.sync m16n8k16 of bf16 with f32 sums (PTX ISA, "Matrix fragments for mma.m16n8k16"). With
 * g = lane / 4 and t = 2 (lane % 4), a lane holds
 *     a: (g, t), (g + 8, t), (g, t + 8), (g + 8, t + 8), each a pair along k
 *     b: (t, g), (t + 8, g), each a pair along k
 *     c: (g, t), (g, t + 1), (g + 8, t), (g + 8, t + 1)                                    */
#ifndef IT_CUDA_MMA_CUH
#define IT_CUDA_MMA_CUH

#include "backends/cuda/kernels/device.cuh"

/* From a lane's own place (g, t) in a tile of bf16 whose rows run along k. */
static __device__ __forceinline__ void mma_load_a(unsigned a[4], const unsigned short *at, int row)
{
    a[0] = *(const unsigned *)at;
    a[1] = *(const unsigned *)(at + 8 * row);
    a[2] = *(const unsigned *)(at + 8);
    a[3] = *(const unsigned *)(at + 8 * row + 8);
}

static __device__ __forceinline__ void mma_load_b(unsigned b[2], const unsigned short *at)
{
    b[0] = *(const unsigned *)at;
    b[1] = *(const unsigned *)(at + 8);
}

/* Two floats as a pair of bf16, the first in the low half. */
static __device__ __forceinline__ unsigned mma_pair(float low, float high)
{
    return k_bf16_store(low) | k_bf16_store(high) << 16;
}

/* b from a tile whose rows run along n: `at` is the place of element (0, 0). All lanes together. */
static __device__ __forceinline__ void mma_load_b_across(unsigned b[2], const unsigned short *at,
                                                         int row)
{
#ifdef IT_CUDA_ON_HOST
    int g = threadIdx.x % WARP / 4, t = threadIdx.x % 4 * 2;
    const unsigned short *p = at + t * row + g;
    b[0] = p[0] | (unsigned)p[row] << 16;
    b[1] = p[8 * row] | (unsigned)p[9 * row] << 16;
#else
    unsigned lane = threadIdx.x % 16;
    unsigned address = (unsigned)__cvta_generic_to_shared(at + lane * row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];"
                 : "=r"(b[0]), "=r"(b[1])
                 : "r"(address));
#endif
}

#ifndef IT_CUDA_ON_HOST
/* c += a b */
static __device__ __forceinline__ void mma_bf16(float c[4], const unsigned a[4],
                                                const unsigned b[2])
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#endif

#endif
