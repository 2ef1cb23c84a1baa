/* SPDX-License-Identifier: MIT */
/* Products of few rows, as decoding has them: y = a b' with at most 16 rows of a, bf16. The weights
 * b are what counts; they come in pieces of 16 bytes, several stages ahead of the sums. The sums
 * are those of gemm_mma, in the same order: a row equals that of a large product to the bit. */
#include "backends/cuda/kernels/gemm.cuh"

namespace stream {

enum { ROWS = 16, COLUMNS = 32, K = 64, ROW = K + 8, STAGES = 6, TILE = (ROWS + COLUMNS) * ROW };

/* Columns [k0, k0 + K) of `rows` rows from i0 on; zeros where the matrix ends. k is a multiple
 * of 8. */
static __device__ __forceinline__ void load(unsigned short *tile, int rows, const it_cuda_view &v,
                                            long long i0, long long k0, long long n, long long k)
{
    for (int e = threadIdx.x; e < rows * (K / 8); e += blockDim.x) {
        int i = e / (K / 8), l = e % (K / 8) * 8;
        unsigned short *to = tile + i * ROW + l;
        if (i0 + i < n && k0 + l < k) {
            copy_16(to, (const unsigned short *)v.at + (i0 + i) * v.row + k0 + l);
        } else {
            *(uint4 *)to = uint4{0, 0, 0, 0};
        }
    }
}

/* A warp makes 8 columns; the block has as many warps as the grid wants of them. */
template <class Y> static __device__ __forceinline__ void gemm(const it_cuda_matmul &p)
{
    __shared__ __align__(16) unsigned short tiles[STAGES * TILE];
    int columns = blockDim.x / WARP * 8, warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
    int g = lane / 4, t = lane % 4 * 2;
    long long j0 = (long long)blockIdx.x * columns;
    float sum[4] = {};
    for (int s = 0; s < STAGES - 1; s++) {
        load(tiles + s * TILE, ROWS, p.a, 0, (long long)s * K, p.m, p.k);
        load(tiles + s * TILE + ROWS * ROW, columns, p.b, j0, (long long)s * K, p.n, p.k);
        copy_close();
    }
    int stage = 0;
    for (long long k0 = 0; k0 < p.k; k0 += K) {
        copy_wait_but<STAGES - 2>();
        __syncthreads(); /* this stage is there, and the one before it is done with */
        int ahead = stage == 0 ? STAGES - 1 : stage - 1;
        long long next = k0 + (STAGES - 1) * K;
        load(tiles + ahead * TILE, ROWS, p.a, 0, next, p.m, p.k);
        load(tiles + ahead * TILE + ROWS * ROW, columns, p.b, j0, next, p.n, p.k);
        copy_close();
        const unsigned short *a = tiles + stage * TILE, *b = a + ROWS * ROW;
#pragma unroll
        for (int l = 0; l < K; l += 16) {
            unsigned fa[4], fb[2];
            mma_load_a(fa, a + g * ROW + l + t, ROW);
            mma_load_b(fb, b + (warp * 8 + g) * ROW + l + t);
            mma_bf16(sum, fa, fb);
        }
        stage = stage == STAGES - 1 ? 0 : stage + 1;
    }
    copy_wait();
    long long j = j0 + warp * 8 + t;
    store_element<Y, bf16>(p, g, j, sum[0]);
    store_element<Y, bf16>(p, g, j + 1, sum[1]);
    store_element<Y, bf16>(p, g + 8, j, sum[2]);
    store_element<Y, bf16>(p, g + 8, j + 1, sum[3]);
}

} // namespace stream

DEFINE_KERNEL(gemm_stream_f32, it_cuda_matmul) { stream::gemm<float>(p); }
DEFINE_KERNEL(gemm_stream_bf16, it_cuda_matmul) { stream::gemm<bf16>(p); }
