/* SPDX-License-Identifier: MIT */
/* What the attention kernels on tensor cores share: tiles in shared memory, products of them. */
#ifndef IT_CUDA_ATTN_MMA_CUH
#define IT_CUDA_ATTN_MMA_CUH

#include "backends/cuda/kernels/attention.cuh"
#include "backends/cuda/kernels/mma.cuh"

constexpr int ROWS = 64, THREADS = 128, PAD = 8;

/* What a warp's lane is. */
struct place {
    int warp, g, t;
};

static __device__ __forceinline__ place place_of()
{
    int lane = threadIdx.x % WARP;
    return {(int)(threadIdx.x / WARP), lane / 4, lane % 4 * 2};
}

/* tile[i] = WIDTH columns from `column` on of row rows(i) of a matrix, for i < n; zeros after.
 * Complete after copy_wait. */
template <int WIDTH, class Rows>
static __device__ __forceinline__ void load_rows(unsigned short *tile, const it_cuda_view &v,
                                                 long long column, int n, int size, Rows rows)
{
    const unsigned short *base = (const unsigned short *)v.at + column;
    bool wide = v.row % 8 == 0 && ((unsigned long long)base & 15u) == 0;
    for (int e = threadIdx.x; e < size * (WIDTH / 8); e += THREADS) {
        int i = e / (WIDTH / 8), c = e % (WIDTH / 8) * 8;
        unsigned short *to = tile + i * (WIDTH + PAD) + c;
        const unsigned short *from = base + (i < n ? rows(i) * v.row : 0) + c;
        if (i >= n) {
            *(uint4 *)to = uint4{0, 0, 0, 0};
        } else if (wide) {
            copy_16(to, from);
        } else {
            for (int k = 0; k < 8; k++) { to[k] = from[k]; }
        }
    }
}

/* c[j] += a b' for a warp's 16 rows of tile a and COLUMNS rows of tile b, along WIDTH. */
template <int WIDTH, int COLUMNS>
static __device__ __forceinline__ void rows_by_rows(float c[COLUMNS / 8][4],
                                                    const unsigned short *a,
                                                    const unsigned short *b, const place &me)
{
    const int row = WIDTH + PAD;
#pragma unroll
    for (int k = 0; k < WIDTH; k += 16) {
        unsigned fa[4], fb[2];
        mma_load_a(fa, a + (me.warp * 16 + me.g) * row + k + me.t, row);
#pragma unroll
        for (int j = 0; j < COLUMNS / 8; j++) {
            mma_load_b(fb, b + (j * 8 + me.g) * row + k + me.t);
            mma_bf16(c[j], fa, fb);
        }
    }
}

/* c += w b: w are a warp's 16 x KEYS weights in the layout of sums, b has KEYS rows of WIDTH. */
template <int WIDTH, int KEYS>
static __device__ __forceinline__ void weights_by_rows(float c[WIDTH / 8][4],
                                                       const float w[KEYS / 8][4],
                                                       const unsigned short *b)
{
    const int row = WIDTH + PAD;
#pragma unroll
    for (int k = 0; k < KEYS / 16; k++) {
        unsigned fa[4] = {mma_pair(w[2 * k][0], w[2 * k][1]), mma_pair(w[2 * k][2], w[2 * k][3]),
                          mma_pair(w[2 * k + 1][0], w[2 * k + 1][1]),
                          mma_pair(w[2 * k + 1][2], w[2 * k + 1][3])};
#pragma unroll
        for (int j = 0; j < WIDTH / 8; j++) {
            unsigned fb[2];
            mma_load_b_across(fb, b + k * 16 * row + j * 8, row);
            mma_bf16(c[j], fa, fb);
        }
    }
}

/* Over the four lanes that share a row. */
static __device__ __forceinline__ float quad_max(float x)
{
    x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, 1));
    return fmaxf(x, __shfl_xor_sync(ALL_LANES, x, 2));
}

static __device__ __forceinline__ float quad_sum(float x)
{
    x += __shfl_xor_sync(ALL_LANES, x, 1);
    return x + __shfl_xor_sync(ALL_LANES, x, 2);
}

template <int N> static __device__ __forceinline__ void clear(float c[N][4])
{
#pragma unroll
    for (int j = 0; j < N; j++) { c[j][0] = c[j][1] = c[j][2] = c[j][3] = 0.0f; }
}

/* A warp's 16 rows of sums to rows first + me.g and + 8 of a matrix, those below n. */
template <int WIDTH>
static __device__ __forceinline__ void store_rows(const it_cuda_view &v, long long column,
                                                  long long first, long long n, const place &me,
                                                  const float c[WIDTH / 8][4], float low,
                                                  float high)
{
#pragma unroll
    for (int half = 0; half < 2; half++) {
        long long r = me.warp * 16 + me.g + half * 8;
        float factor = half ? high : low;
        if (r >= n) { continue; }
        bf16 *to = row_of<bf16>(v, first + r) + column + me.t;
#pragma unroll
        for (int j = 0; j < WIDTH / 8; j++) {
            put(to + j * 8, c[j][half * 2] * factor);
            put(to + j * 8 + 1, c[j][half * 2 + 1] * factor);
        }
    }
}

#endif
