/* SPDX-License-Identifier: MIT */
/* What attn_step does to a row of qkv before it attends: heads of queries and keys are normed and
 * turned as rmsnorm and rope would, and the new key and value are seen where they will be in the
 * cache, which other warps may still be writing. */
#ifndef IT_CUDA_ATTN_STEP_CUH
#define IT_CUDA_ATTN_STEP_CUH

#include "backends/cuda/kernels/attention.cuh"
#include "backends/cuda/kernels/gemm_stream.cuh"

/* The cache row that row r writes; -1: none. */
static __device__ __forceinline__ long long step_written(const it_cuda_attn &p, long long r)
{
    long long row = p.written[r];
    return row >= 0 && row < p.key_rows ? row : -1;
}

template <class T>
static __device__ __forceinline__ const T *step_value(const it_cuda_attn &p, long long r,
                                                      int kv_head)
{
    return row_of<const T>(p.q, r) + (long long)(p.heads + p.kv_heads + kv_head) * p.width;
}

/* Head `head` of row r, the key heads after the query heads, to `to`; a warp's work. A position
 * outside the table leaves NaN, as in rope. */
template <class T>
static __device__ __forceinline__ void step_head(const it_cuda_attn &p, long long r, int head,
                                                 T *to)
{
    const T *row = row_of<const T>(p.q, r), *x = row + (long long)head * p.width, *gain = NULL;
    bool key = head >= p.heads;
    int half = p.width / 2, position = p.positions[r];
    bool known = position >= 0 && position < p.angle_rows;
    const float *angles = row_of<const float>(p.angles, known ? position : 0);
    float rstd = 0.0f;
    if (p.qnorm) {
        int first = key ? p.heads : 0, heads = key ? p.kv_heads : p.heads;
        gain = (const T *)(key ? p.knorm : p.qnorm);
        if (p.norm_all) { gain += (long long)(head - first) * p.width; }
        const T *normed = p.norm_all ? row + (long long)first * p.width : x;
        rstd = norm_rstd(normed, (long long)(p.norm_all ? heads : 1) * p.width, p.eps);
    }
    for (int j = threadIdx.x % WARP; j < half; j += WARP) {
        float u = get(x + j), v = get(x + half + j);
        if (gain) {
            u = rounded<T>(u * rstd * get(gain + j));
            v = rounded<T>(v * rstd * get(gain + half + j));
        }
        turn_pair(&u, &v, known ? angles[j] : k_float(0x7fc00000u), angles[half + j]);
        put(to + j, u);
        put(to + half + j, v);
    }
}

/* Pages of the cache, with the row that is being written from elsewhere: one head of it. */
template <class T> struct step_keys : paged_keys {
    long long fresh;
    const T *k, *v;
};

template <class T>
static __device__ __forceinline__ const T *key_at(const it_cuda_attn &p, const step_keys<T> &keys,
                                                  long long j, long long column)
{
    long long row = keys.row(j);
    return row == keys.fresh ? keys.k : row_of<const T>(p.k, row) + column;
}

template <class T>
static __device__ __forceinline__ const T *value_at(const it_cuda_attn &p,
                                                    const step_keys<T> &keys, long long j,
                                                    long long column)
{
    long long row = keys.row(j);
    return row == keys.fresh ? keys.v : row_of<const T>(p.v, row) + column;
}

/* ---- the product behind it ---- */

enum { STEP_BEGUN, STEP_READY, STEP_DONE };

/* What a word that other blocks count up holds; what they wrote before is seen after. */
static __device__ __forceinline__ unsigned step_look(const unsigned *at)
{
#ifdef IT_CUDA_ON_HOST
    return *at;
#else
    unsigned value;
    asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(value) : "l"(at) : "memory");
    return value;
#endif
}

static __device__ __forceinline__ void step_pause()
{
#ifdef IT_CUDA_ON_HOST
    cuda_wait_in_vain();
#else
    __nanosleep(32);
#endif
}

/* Count up, after all that the block has written. All threads together. */
static __device__ __forceinline__ void step_count(unsigned *at)
{
    __syncthreads();
    if (threadIdx.x == 0) {
        __threadfence();
        atomicAdd(at, 1u);
    }
}

/* Blocks take their work in the order in which they begin, attention first. So a block that waits
 * for all of attention waits for blocks that run and themselves wait for nobody, however few of
 * them fit on the device. attend(block) is a block of attention; the last product of all leaves the
 * queue as it was. `memory` holds what either needs. */
template <class T, class Attend>
static __device__ __forceinline__ void step_blocks(const it_cuda_attn_step &p,
                                                   unsigned char *memory, Attend attend)
{
    __shared__ unsigned mine;
    if (!p.out.b.at) {
        attend((long long)blockIdx.x);
        return;
    }
    if (threadIdx.x == 0) { mine = atomicAdd(p.queue + STEP_BEGUN, 1u); }
    __syncthreads();
    unsigned block = mine;
    if (block < p.attn_blocks) {
        attend((long long)block);
        step_count(p.queue + STEP_READY);
        return;
    }
    stream::product<T, T, IT_CUDA_STEP_COLUMNS>(p.out, block - p.attn_blocks, memory, [&] {
        if (threadIdx.x == 0) {
            while (step_look(p.queue + STEP_READY) < p.attn_blocks) { step_pause(); }
        }
        __syncthreads();
    });
    __syncthreads();
    if (threadIdx.x > 0) { return; }
    if (atomicAdd(p.queue + STEP_DONE, 1u) == p.blocks - p.attn_blocks - 1) {
        for (int i = STEP_BEGUN; i <= STEP_DONE; i++) { p.queue[i] = 0; }
    }
}

#endif
