/* SPDX-License-Identifier: MIT */
/* rmsnorm and its backward, column sums, the sum of squares. Which threads add what depends on the
 * width of a row alone; columns are summed in chunks of rows, then chunk after chunk. */
#include "backends/cuda/kernels/norm.cuh"

/* A narrow row is a warp's, a wide one a block's. */
struct norm_row {
    int lane, lanes;
    bool whole_block;
    float *shared;
};

static __device__ __forceinline__ norm_row norm_split(long long columns, float *shared)
{
    bool wide = columns > NORM_NARROW;
    return {wide ? (int)threadIdx.x : (int)(threadIdx.x % WARP), wide ? (int)blockDim.x : WARP,
            wide, shared};
}

static __device__ __forceinline__ float norm_sum(const norm_row &row, float x)
{
    return row.whole_block ? block_sum(x, row.shared) : warp_sum(x);
}

/* First row and step of this warp or block. */
static __device__ __forceinline__ long long norm_first(const norm_row &row)
{
    return row.whole_block ? blockIdx.x
                           : (long long)blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP;
}

static __device__ __forceinline__ long long norm_step(const norm_row &row)
{
    return row.whole_block ? gridDim.x : (long long)gridDim.x * (blockDim.x / WARP);
}

template <class T> static __device__ void rmsnorm(const it_cuda_norm &p)
{
    __shared__ float shared[WARP];
    norm_row row = norm_split(p.columns, shared);
    const T *w = (const T *)p.w;
    long long n = p.columns;
    bool wide = in_eights(p.x, n) && in_eights(p.y, n) && in_eights({(void *)p.w, 0}, n);
    for (long long r = norm_first(row); r < p.rows; r += norm_step(row)) {
        const T *x = row_of<const T>(p.x, r);
        float sum = 0.0f, at[EIGHT], gain[EIGHT];
        for (long long c = row.lane * EIGHT; c < n; c += row.lanes * EIGHT) {
            get_eight(at, x, c, n, wide);
            for (int i = 0; i < EIGHT; i++) { sum += at[i] * at[i]; }
        }
        float rstd = 1.0f / sqrtf(norm_sum(row, sum) / (float)n + p.eps);
        if (row.lane == 0) { p.rstd[r] = rstd; }
        for (long long c = row.lane * EIGHT; c < n; c += row.lanes * EIGHT) {
            get_eight(at, x, c, n, wide);
            get_eight(gain, w, c, n, wide);
            for (int i = 0; i < EIGHT; i++) { at[i] = at[i] * rstd * gain[i]; }
            put_eight(row_of<T>(p.y, r), c, n, wide, at);
        }
    }
}
DEFINE_TYPED(rmsnorm, it_cuda_norm)

/* dx = rstd (g - z mean(g z)), with z = x rstd and g = dy w */
template <class T> static __device__ void rmsnorm_dx(const it_cuda_norm &p)
{
    __shared__ float shared[WARP];
    norm_row row = norm_split(p.columns, shared);
    const T *w = (const T *)p.w;
    long long n = p.columns;
    bool wide = in_eights(p.x, n) && in_eights(p.y, n) && in_eights(p.dy, n) &&
                in_eights({(void *)p.w, 0}, n);
    for (long long r = norm_first(row); r < p.rows; r += norm_step(row)) {
        const T *x = row_of<const T>(p.x, r), *dy = row_of<const T>(p.dy, r);
        float rstd = p.rstd[r], sum = 0.0f, at[EIGHT], gain[EIGHT], d[EIGHT];
        for (long long c = row.lane * EIGHT; c < n; c += row.lanes * EIGHT) {
            get_eight(at, x, c, n, wide);
            get_eight(gain, w, c, n, wide);
            get_eight(d, dy, c, n, wide);
            for (int i = 0; i < EIGHT; i++) { sum += d[i] * gain[i] * (at[i] * rstd); }
        }
        float mean = norm_sum(row, sum) / (float)n;
        for (long long c = row.lane * EIGHT; c < n; c += row.lanes * EIGHT) {
            get_eight(at, x, c, n, wide);
            get_eight(gain, w, c, n, wide);
            get_eight(d, dy, c, n, wide);
            for (int i = 0; i < EIGHT; i++) {
                d[i] = rstd * (d[i] * gain[i] - at[i] * rstd * mean);
            }
            put_eight(row_of<T>(p.y, r), c, n, wide, d);
        }
    }
}
DEFINE_TYPED(rmsnorm_dx, it_cuda_norm)

/* partial[chunk][c] = sum over the chunk's rows of dy x rstd; grid: columns, chunks */
template <class T> static __device__ void rmsnorm_dw(const it_cuda_norm &p)
{
    long long c = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    long long first = blockIdx.y * p.chunk, last = first + p.chunk < p.rows ? first + p.chunk
                                                                            : p.rows;
    if (c >= p.columns) { return; }
    float sum = p.onto ? p.partial[c] : 0.0f;
    for (long long r = first; r < last; r++) {
        sum += get(row_of<const T>(p.dy, r) + c) * (get(row_of<const T>(p.x, r) + c) * p.rstd[r]);
    }
    p.partial[blockIdx.y * p.columns + c] = sum;
}
DEFINE_TYPED(rmsnorm_dw, it_cuda_norm)

template <class T> static __device__ void sum_rows(const it_cuda_sum &p)
{
    long long c = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    long long first = blockIdx.y * p.chunk, last = first + p.chunk < p.rows ? first + p.chunk
                                                                            : p.rows;
    if (c >= p.columns) { return; }
    float sum = p.onto ? p.partial[c] : 0.0f;
    for (long long r = first; r < last; r++) { sum += get(row_of<const T>(p.x, r) + c); }
    p.partial[blockIdx.y * p.columns + c] = sum;
}
DEFINE_TYPED(sum_rows, it_cuda_sum)

/* y[c] += partial[0][c] + partial[1][c] + ... ; `rows` counts the chunks */
DEFINE_KERNEL(add_partials, it_cuda_sum)
{
    long long c = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (c >= p.columns) { return; }
    float sum = p.y[c];
    for (long long r = 0; r < p.rows; r++) { sum += p.partial[r * p.columns + c]; }
    p.y[c] = sum;
}

/* partial[block] = sum of squares of the block's chunk of x */
DEFINE_KERNEL(sumsq, it_cuda_sum)
{
    __shared__ float shared[WARP];
    const float *x = (const float *)p.x.at;
    long long first = blockIdx.x * p.chunk;
    long long last = first + p.chunk < p.columns ? first + p.chunk : p.columns;
    float sum = 0.0f;
    for (long long i = first + threadIdx.x; i < last; i += blockDim.x) { sum += x[i] * x[i]; }
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) { p.partial[blockIdx.x] = sum; }
}
