/* SPDX-License-Identifier: MIT */
/* gather_rows, scatter_add_rows, kv_write, rope: a block a row. */
#include "backends/cuda/kernels/device.cuh"

template <class T> static __device__ void gather_rows(const it_cuda_move &p)
{
    for (long long r = blockIdx.x; r < p.rows; r += gridDim.x) {
        int id = p.ids[r];
        bool known = id >= 0 && id < p.limit;
        T *y = row_of<T>(p.y, r);
        const T *x = row_of<const T>(p.x, known ? id : 0);
        for (long long c = threadIdx.x; c < p.columns; c += blockDim.x) {
            put(y + c, known ? get(x + c) : 0.0f);
        }
    }
}
DEFINE_TYPED(gather_rows, it_cuda_move)

/* The block of the first row with an id adds all rows with that id, in their order. */
template <class T> static __device__ void scatter_add_rows(const it_cuda_move &p)
{
    for (long long r = blockIdx.x; r < p.rows; r += gridDim.x) {
        int id = p.ids[r];
        bool earlier = id < 0 || id >= p.limit;
        for (long long i = threadIdx.x; i < r && !earlier; i += blockDim.x) {
            earlier = p.ids[i] == id;
        }
        if (__syncthreads_or(earlier)) { continue; }
        float *y = row_of<float>(p.y, id);
        for (long long from = r; from < p.rows; from += blockDim.x) {
            long long mine = from + threadIdx.x;
            if (!__syncthreads_or(mine < p.rows && p.ids[mine] == id)) { continue; }
            long long to = from + blockDim.x < p.rows ? from + blockDim.x : p.rows;
            for (long long i = from; i < to; i++) {
                if (p.ids[i] != id) { continue; }
                const T *x = row_of<const T>(p.x, i);
                for (long long c = threadIdx.x; c < p.columns; c += blockDim.x) {
                    y[c] += get(x + c);
                }
            }
        }
    }
}
DEFINE_TYPED(scatter_add_rows, it_cuda_move)

template <class T> static __device__ void kv_write(const it_cuda_move &p)
{
    for (long long r = blockIdx.x; r < p.rows; r += gridDim.x) {
        int to = p.ids[r];
        if (to < 0 || to >= p.limit) { continue; }
        T *kc = row_of<T>(p.y, to), *vc = row_of<T>(p.y2, to);
        const T *k = row_of<const T>(p.x, r), *v = row_of<const T>(p.x2, r);
        for (long long c = threadIdx.x; c < p.columns; c += blockDim.x) {
            kc[c] = k[c];
            vc[c] = v[c];
        }
    }
}
DEFINE_TYPED(kv_write, it_cuda_move)

/* A position outside the table leaves a row of NaN: wrong, and seen to be. */
template <class T> static __device__ void rope(const it_cuda_rope &p)
{
    long long half = p.width / 2, pairs = p.columns / 2;
    for (long long r = blockIdx.x; r < p.rows; r += gridDim.x) {
        int position = p.positions[r];
        bool known = position >= 0 && position < p.table_rows;
        const float *table = row_of<const float>(p.table, known ? position : 0);
        T *x = row_of<T>(p.x, r);
        for (long long i = threadIdx.x; i < pairs; i += blockDim.x) {
            long long head = i / half, j = i % half;
            T *u = x + head * p.width + j, *v = u + half;
            float c = known ? table[j] : k_float(0x7fc00000u), s = table[half + j] * p.sign;
            float a = get(u), b = get(v);
            turn_pair(&a, &b, c, s);
            put(u, a);
            put(v, b);
        }
    }
}
DEFINE_TYPED(rope, it_cuda_rope)
