/* SPDX-License-Identifier: MIT */
/* Matrix products of our own: any types and strides on plain cores, and bf16 on tensor cores.
 *
 * Every element of y is one sum over k in ascending order, 16 at a time on tensor cores, whatever
 * the tile it falls into: a row does not depend on how many rows there are, and a product of few
 * rows is equal to the bit to the same rows of a large one. */
#include "backends/cuda/kernels/gemm.cuh"

/* Element (i, l) of op(a) or (j, l) of op(b): `across` says that l counts rows of the matrix. */
template <class T>
static __device__ __forceinline__ float load_edge(const it_cuda_view &v, bool across, long long i,
                                                  long long l, long long n, long long k)
{
    if (i >= n || l >= k) { return 0.0f; }
    return across ? get(row_of<const T>(v, l) + i) : get(row_of<const T>(v, i) + l);
}

/* ---- plain cores: a block of 256 threads makes 64 x 64, a thread 4 x 4 ---- */

enum { PLAIN = 64, PLAIN_K = 16, EACH = 4 };

template <class Y, class X> static __device__ void gemm(const it_cuda_matmul &p)
{
    __shared__ float a[PLAIN_K][PLAIN + 4], b[PLAIN_K][PLAIN + 4];
    long long i0 = (long long)blockIdx.y * PLAIN, j0 = (long long)blockIdx.x * PLAIN;
    int ti = threadIdx.x / (PLAIN / EACH) * EACH, tj = threadIdx.x % (PLAIN / EACH) * EACH;
    float sum[EACH][EACH] = {};
    for (long long k0 = 0; k0 < p.k; k0 += PLAIN_K) {
        for (int e = threadIdx.x; e < PLAIN * PLAIN_K; e += blockDim.x) {
            int l = p.trans_a ? e / PLAIN : e % PLAIN_K, i = p.trans_a ? e % PLAIN : e / PLAIN_K;
            a[l][i] = load_edge<X>(p.a, p.trans_a, i0 + i, k0 + l, p.m, p.k);
        }
        for (int e = threadIdx.x; e < PLAIN * PLAIN_K; e += blockDim.x) {
            int l = p.trans_b ? e % PLAIN_K : e / PLAIN, j = p.trans_b ? e / PLAIN_K : e % PLAIN;
            b[l][j] = load_edge<X>(p.b, !p.trans_b, j0 + j, k0 + l, p.n, p.k);
        }
        __syncthreads();
        for (int l = 0; l < PLAIN_K; l++) {
#pragma unroll
            for (int i = 0; i < EACH; i++) {
#pragma unroll
                for (int j = 0; j < EACH; j++) {
                    sum[i][j] = fmaf(a[l][ti + i], b[l][tj + j], sum[i][j]);
                }
            }
        }
        __syncthreads();
    }
    for (int i = 0; i < EACH; i++) {
        for (int j = 0; j < EACH; j++) {
            store_element<Y, X>(p, i0 + ti + i, j0 + tj + j, sum[i][j]);
        }
    }
}
DEFINE_KERNEL(gemm_f32_f32, it_cuda_matmul) { gemm<float, float>(p); }
DEFINE_KERNEL(gemm_f32_bf16, it_cuda_matmul) { gemm<float, bf16>(p); }
DEFINE_KERNEL(gemm_bf16_bf16, it_cuda_matmul) { gemm<bf16, bf16>(p); }

/* ---- tensor cores ---- */

/* Tiles of op(a) and op(b) lie in shared memory as rows of MMA_K values of k, padded so that the
 * eight rows of a fragment fall into different banks. */
enum { MMA_K = 32, MMA_ROW = MMA_K + 8 };

/* rows x MMA_K of op(x) from (i0, k0) on: complete after copy_wait. Where 16-byte copies are
 * possible they are used. */
static __device__ __forceinline__ void load_tile(unsigned short *tile, int rows,
                                                 const it_cuda_view &v, bool across, long long i0,
                                                 long long k0, long long n, long long k)
{
    const bf16 *base = (const bf16 *)v.at;
    bool wide = !across && v.row % 8 == 0 && ((unsigned long long)v.at & 15u) == 0 &&
                i0 + rows <= n && k0 + MMA_K <= k;
    if (wide) {
        for (int e = threadIdx.x; e < rows * (MMA_K / 8); e += blockDim.x) {
            int i = e / (MMA_K / 8), l = e % (MMA_K / 8) * 8;
            copy_16(tile + i * MMA_ROW + l, base + (i0 + i) * v.row + k0 + l);
        }
        return;
    }
    for (int e = threadIdx.x; e < rows * MMA_K; e += blockDim.x) {
        int l = across ? e / rows : e % MMA_K, i = across ? e % rows : e / MMA_K;
        bool inside = i0 + i < n && k0 + l < k;
        const bf16 *at = base + (across ? (k0 + l) * v.row + i0 + i : (i0 + i) * v.row + k0 + l);
        tile[i * MMA_ROW + l] = inside ? at->bits : (unsigned short)0;
    }
}

/* ROWS x COLUMNS a block, in warps of WARP_ROWS x WARP_COLUMNS. */
template <class Y, int ROWS, int COLUMNS, int WARP_ROWS, int WARP_COLUMNS>
static __device__ void gemm_mma(const it_cuda_matmul &p)
{
    enum { DOWN = WARP_ROWS / 16, ALONG = WARP_COLUMNS / 8 };
    __shared__ __align__(16) unsigned short tile_a[2][ROWS * MMA_ROW], tile_b[2][COLUMNS * MMA_ROW];
    long long i0 = (long long)blockIdx.y * ROWS, j0 = (long long)blockIdx.x * COLUMNS;
    int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP, g = lane / 4, t = lane % 4 * 2;
    int wi = warp / (COLUMNS / WARP_COLUMNS) * WARP_ROWS;
    int wj = warp % (COLUMNS / WARP_COLUMNS) * WARP_COLUMNS;
    float sum[DOWN][ALONG][4] = {};
    load_tile(tile_a[0], ROWS, p.a, p.trans_a, i0, 0, p.m, p.k);
    load_tile(tile_b[0], COLUMNS, p.b, !p.trans_b, j0, 0, p.n, p.k);
    int side = 0;
    for (long long k0 = 0; k0 < p.k; k0 += MMA_K, side ^= 1) {
        const unsigned short *a = tile_a[side], *b = tile_b[side];
        copy_wait();
        __syncthreads(); /* this side is there, and the other is done with */
        if (k0 + MMA_K < p.k) {
            load_tile(tile_a[side ^ 1], ROWS, p.a, p.trans_a, i0, k0 + MMA_K, p.m, p.k);
            load_tile(tile_b[side ^ 1], COLUMNS, p.b, !p.trans_b, j0, k0 + MMA_K, p.n, p.k);
        }
#pragma unroll
        for (int l = 0; l < MMA_K; l += 16) {
            unsigned fa[DOWN][4], fb[ALONG][2];
#pragma unroll
            for (int i = 0; i < DOWN; i++) {
                mma_load_a(fa[i], a + (wi + i * 16 + g) * MMA_ROW + l + t, MMA_ROW);
            }
#pragma unroll
            for (int j = 0; j < ALONG; j++) {
                mma_load_b(fb[j], b + (wj + j * 8 + g) * MMA_ROW + l + t);
            }
#pragma unroll
            for (int i = 0; i < DOWN; i++) {
#pragma unroll
                for (int j = 0; j < ALONG; j++) { mma_bf16(sum[i][j], fa[i], fb[j]); }
            }
        }
    }
#pragma unroll
    for (int i = 0; i < DOWN; i++) {
#pragma unroll
        for (int j = 0; j < ALONG; j++) {
            long long row = i0 + wi + i * 16 + g, column = j0 + wj + j * 8 + t;
            store_element<Y, bf16>(p, row, column, sum[i][j][0]);
            store_element<Y, bf16>(p, row, column + 1, sum[i][j][1]);
            store_element<Y, bf16>(p, row + 8, column, sum[i][j][2]);
            store_element<Y, bf16>(p, row + 8, column + 1, sum[i][j][3]);
        }
    }
}
/* 256 threads */
DEFINE_KERNEL(gemm_mma_f32, it_cuda_matmul) { gemm_mma<float, 128, 128, 64, 32>(p); }
DEFINE_KERNEL(gemm_mma_bf16, it_cuda_matmul) { gemm_mma<bf16, 128, 128, 64, 32>(p); }
/* 16 rows, 128 threads: the products of decoding */
DEFINE_KERNEL(gemm_mma_few_f32, it_cuda_matmul) { gemm_mma<float, 16, 32, 16, 8>(p); }
DEFINE_KERNEL(gemm_mma_few_bf16, it_cuda_matmul) { gemm_mma<bf16, 16, 32, 16, 8>(p); }
