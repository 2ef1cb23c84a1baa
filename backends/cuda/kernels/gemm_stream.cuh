/* SPDX-License-Identifier: MIT */
/* Products of few rows, as decoding has them: y = a b' with at most 16 rows of a. The weights b are
 * what counts; they come in pieces of 16 bytes, several stages ahead of the sums. The sums are
 * those of gemm_mma and gemm, in the same order: a row equals that of a large product to the bit.
 *
 * A decode step's product takes along what stands before and after it: the norm of a's rows, whose
 * weights are on their way while each block finds the roots by itself, and swiglu and the residual,
 * rounded where the ops by themselves round. And a product whose rows other blocks of the kernel
 * are still making has its weights on their way while it waits for them. */
#ifndef IT_CUDA_GEMM_STREAM_CUH
#define IT_CUDA_GEMM_STREAM_CUH

#include "backends/cuda/kernels/gemm.cuh"
#include "backends/cuda/kernels/norm.cuh"

namespace stream {

/* Rows of a, then the norm's weight; columns of a stage. */
enum { ROWS = 16, GAIN = ROWS, K = 64 };

/* A row of a stage is padded so that the eight rows of a fragment fall into different banks. */
template <class T, int COLUMNS> struct tile {
    enum { ROW = K + 16 / sizeof(T), SIZE = (ROWS + 1 + COLUMNS) * ROW };
    enum { FIT = (47 << 10) / (SIZE * sizeof(T)), STAGES = FIT < 12 ? FIT : 12 };
    enum { BYTES = STAGES * SIZE * sizeof(T) }; /* of shared memory, 16-byte aligned */
};

/* Columns from k0 on of a row of k to shared memory, zeros where it ends; NULL is a row of
 * zeros. */
template <class T>
static __device__ __forceinline__ void load_piece(T *to, const T *row, long long k0, long long k,
                                                  bool wide)
{
    const int each = 16 / sizeof(T);
    if (!row) {
        *(uint4 *)to = uint4{0, 0, 0, 0};
        return;
    }
    if (wide && k0 + each <= k) {
        copy_16(to, row + k0);
        return;
    }
    for (int i = 0; i < each; i++) { put(to + i, k0 + i < k ? get(row + k0 + i) : 0.0f); }
}

template <class T> static __device__ __forceinline__ bool in_pieces(const it_cuda_view &v)
{
    return v.row * sizeof(T) % 16 == 0 && ((unsigned long long)v.at & 15u) == 0;
}

/* The row of b that makes column j: gate and up of a column are neighbours here. */
template <class T>
static __device__ __forceinline__ const T *weight_row(const it_cuda_product &p, long long j)
{
    if (j >= p.n * (1 + p.gated)) { return NULL; }
    return row_of<const T>(p.b, p.gated ? j / 2 + (j % 2 ? p.n : 0) : j);
}

/* Of a stage, pieces [first, last) of its rows, which are: the rows of a that there are, the norm's
 * weight, the block's columns. */
template <class T, int COLUMNS>
static __device__ __forceinline__ void load(T *stage, const it_cuda_product &p, long long j0,
                                            long long k0, int first, int last)
{
    const int each = 16 / sizeof(T), row = tile<T, COLUMNS>::ROW;
    int rows = (int)p.m, others = p.gain ? rows + 1 : rows;
    bool wide_a = in_pieces<T>(p.a), wide_b = in_pieces<T>(p.b);
    bool wide_gain = in_pieces<T>({(void *)p.gain, 0});
    if (k0 >= p.k) { return; }
    for (int e = first * (K / each) + threadIdx.x; e < last * (K / each); e += blockDim.x) {
        int i = e / (K / each), l = e % (K / each) * each, j = i - others;
        T *to = stage + l;
        if (i < rows) {
            load_piece(to + i * row, row_of<const T>(p.a, i), k0 + l, p.k, wide_a);
        } else if (i < others) {
            load_piece(to + GAIN * row, (const T *)p.gain, k0 + l, p.k, wide_gain);
        } else {
            load_piece(to + (GAIN + 1 + j) * row, weight_row<T>(p, j0 + j), k0 + l, p.k, wide_b);
        }
    }
}

/* Rows of a that are not there, in every stage; nothing writes to them later. */
template <class T, int COLUMNS>
static __device__ __forceinline__ void clear_rows(T *tiles, int rows)
{
    const int row = tile<T, COLUMNS>::ROW, left = (ROWS - rows) * row;
    for (int e = threadIdx.x; e < tile<T, COLUMNS>::STAGES * left; e += blockDim.x) {
        put(tiles + e / left * tile<T, COLUMNS>::SIZE + rows * row + e % left, 0.0f);
    }
}

/* Rows of a in place: what rmsnorm would have left. */
template <class T, int ROW>
static __device__ __forceinline__ void norm_stage(T *stage, int rows, const float *rstd)
{
    for (int e = threadIdx.x; e < rows * K; e += blockDim.x) {
        T *x = stage + e / K * ROW + e % K;
        put(x, get(x) * rstd[e / K] * get(stage + GAIN * ROW + e % K));
    }
}

/* A lane's four sums: rows g and g + 8, columns t and t + 1 of its warp's eight. */
template <int ROW>
static __device__ __forceinline__ void add_stage(float sum[4], const bf16 *a, const bf16 *b, int g,
                                                 int t, bool)
{
    const unsigned short *rows = (const unsigned short *)a, *columns = (const unsigned short *)b;
#pragma unroll
    for (int l = 0; l < K; l += 16) {
        unsigned fa[4], fb[2];
        mma_load_a(fa, rows + g * ROW + l + t, ROW);
        mma_load_b(fb, columns + g * ROW + l + t);
        mma_bf16(sum, fa, fb);
    }
}

template <int ROW>
static __device__ __forceinline__ void add_stage(float sum[4], const float *a, const float *b,
                                                 int g, int t, bool high)
{
#pragma unroll 8
    for (int l = 0; l < K; l++) {
        float left = b[t * ROW + l], right = b[(t + 1) * ROW + l], x = a[g * ROW + l];
        sum[0] = fmaf(x, left, sum[0]);
        sum[1] = fmaf(x, right, sum[1]);
        if (!high) { continue; }
        x = a[(g + 8) * ROW + l];
        sum[2] = fmaf(x, left, sum[2]);
        sum[3] = fmaf(x, right, sum[3]);
    }
}

/* One element of y, where nothing but the bias stands behind the product. */
template <class Y, class T>
static __device__ __forceinline__ void store(const it_cuda_product &p, long long i, long long j,
                                             float x)
{
    if (j >= p.n) { return; }
    Y *y = row_of<Y>(p.y, i) + j;
    if (p.residual.at) { x = rounded<T>(x) + get(row_of<const T>(p.residual, i) + j); }
    if (p.accumulate) { x += get(y); }
    put(y, x);
}

template <class T>
static __device__ __forceinline__ float biased(const it_cuda_product &p, long long row, float sum)
{
    return p.bias && row < p.n * (1 + p.gated) ? sum + get((const T *)p.bias + row) : sum;
}

/* Columns j and j + 1 of row i, j even. */
template <class Y, class T>
static __device__ __forceinline__ void store_pair(const it_cuda_product &p, long long i,
                                                  long long j, float left, float right)
{
    if (i >= p.m) { return; }
    if (p.gated) {
        float gate = rounded<T>(biased<T>(p, j / 2, left));
        float up = rounded<T>(biased<T>(p, j / 2 + p.n, right));
        store<Y, T>(p, i, j / 2, k_silu(gate) * up);
        return;
    }
    store<Y, T>(p, i, j, biased<T>(p, j, left));
    store<Y, T>(p, i, j + 1, biased<T>(p, j + 1, right));
}

/* Columns [block * COLUMNS, + COLUMNS), 8 a warp; more warps help loading. wait() returns, in all
 * threads, when the rows of a are there. */
template <class Y, class T, int COLUMNS, class Wait>
static __device__ __forceinline__ void product(const it_cuda_product &p, long long block,
                                               unsigned char *memory, Wait wait)
{
    constexpr int SIZE = tile<T, COLUMNS>::SIZE, STAGES = tile<T, COLUMNS>::STAGES;
    constexpr int ROW = tile<T, COLUMNS>::ROW;
    __shared__ float rstd[ROWS];
    T *tiles = (T *)memory;
    int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP, g = lane / 4, t = lane % 4 * 2;
    int others = (int)p.m + (p.gain != NULL), all = others + COLUMNS;
    long long j0 = block * COLUMNS;
    float sum[4] = {};
    clear_rows<T, COLUMNS>(tiles, (int)p.m);
    for (int s = 0; s < STAGES - 1; s++) {
        load<T, COLUMNS>(tiles + s * SIZE, p, j0, (long long)s * K, others, all);
    }
    wait();
    for (int s = 0; s < STAGES - 1; s++) {
        load<T, COLUMNS>(tiles + s * SIZE, p, j0, (long long)s * K, 0, others);
        copy_close();
    }
    for (int i = warp; p.gain && i < p.m; i += blockDim.x / WARP) {
        float r = norm_rstd(row_of<const T>(p.a, i), p.k, p.eps);
        if (lane == 0) { rstd[i] = r; }
    }
    int stage = 0;
    for (long long k0 = 0; k0 < p.k; k0 += K) {
        copy_wait_but<STAGES - 2>();
        __syncthreads(); /* this stage is there, and the one before it is done with */
        int ahead = stage == 0 ? STAGES - 1 : stage - 1;
        load<T, COLUMNS>(tiles + ahead * SIZE, p, j0, k0 + (STAGES - 1) * K, 0, all);
        copy_close();
        T *a = tiles + stage * SIZE;
        if (p.gain) {
            norm_stage<T, ROW>(a, (int)p.m, rstd);
            __syncthreads();
        }
        if (warp < COLUMNS / 8) {
            add_stage<ROW>(sum, a, a + (GAIN + 1 + warp * 8) * ROW, g, t, p.m > 8);
        }
        stage = stage == STAGES - 1 ? 0 : stage + 1;
    }
    copy_wait();
    if (warp >= COLUMNS / 8) { return; }
    long long j = j0 + warp * 8 + t;
    store_pair<Y, T>(p, g, j, sum[0], sum[1]);
    store_pair<Y, T>(p, g + 8, j, sum[2], sum[3]);
}

template <class Y, class T, int COLUMNS>
static __device__ __forceinline__ void product(const it_cuda_product &p)
{
    __shared__ __align__(16) unsigned char memory[tile<T, COLUMNS>::BYTES];
    product<Y, T, COLUMNS>(p, blockIdx.x, memory, [] {});
}

} // namespace stream

#endif
