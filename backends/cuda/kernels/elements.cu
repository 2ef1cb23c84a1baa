/* SPDX-License-Identifier: MIT */
/* fill, copy, scale_add, swiglu and its backward: a block takes columns of a row, a thread eight
 * at a time; grid.y walks the rows. */
#include "backends/cuda/kernels/device.cuh"

#define FOR_ROWS(r, n) for (long long r = blockIdx.y; r < (n); r += gridDim.y)
#define FOR_EIGHTS(c, n)                                                                           \
    for (long long c = ((long long)blockIdx.x * blockDim.x + threadIdx.x) * EIGHT; c < (n);        \
         c += (long long)gridDim.x * blockDim.x * EIGHT)

template <class T> static __device__ void fill(const it_cuda_elements &p)
{
    long long n = p.columns;
    bool wide = in_eights(p.y, n);
    float y[EIGHT];
    for (int i = 0; i < EIGHT; i++) { y[i] = p.alpha; }
    FOR_ROWS(r, p.rows)
    {
        FOR_EIGHTS(c, n) { put_eight(row_of<T>(p.y, r), c, n, wide, y); }
    }
}
DEFINE_TYPED(fill, it_cuda_elements)

template <class T> static __device__ void scale_add(const it_cuda_elements &p)
{
    long long n = p.columns;
    bool wide = in_eights(p.y, n) && in_eights(p.a, n) && in_eights(p.b, n);
    FOR_ROWS(r, p.rows)
    {
        FOR_EIGHTS(c, n)
        {
            float a[EIGHT], b[EIGHT];
            get_eight(a, row_of<const T>(p.a, r), c, n, wide);
            get_eight(b, row_of<const T>(p.b, r), c, n, wide);
            for (int i = 0; i < EIGHT; i++) { a[i] = p.alpha * a[i] + p.beta * b[i]; }
            put_eight(row_of<T>(p.y, r), c, n, wide, a);
        }
    }
}
DEFINE_TYPED(scale_add, it_cuda_elements)

template <class Y, class X> static __device__ void copy(const it_cuda_elements &p)
{
    long long n = p.columns;
    bool wide = in_eights(p.y, n) && in_eights(p.a, n);
    FOR_ROWS(r, p.rows)
    {
        FOR_EIGHTS(c, n)
        {
            float x[EIGHT];
            get_eight(x, row_of<const X>(p.a, r), c, n, wide);
            put_eight(row_of<Y>(p.y, r), c, n, wide, x);
        }
    }
}
DEFINE_KERNEL(copy_f32_f32, it_cuda_elements) { copy<float, float>(p); }
DEFINE_KERNEL(copy_f32_bf16, it_cuda_elements) { copy<float, bf16>(p); }
DEFINE_KERNEL(copy_bf16_f32, it_cuda_elements) { copy<bf16, float>(p); }
DEFINE_KERNEL(copy_bf16_bf16, it_cuda_elements) { copy<bf16, bf16>(p); }

template <class T> static __device__ void swiglu(const it_cuda_swiglu &p)
{
    long long n = p.columns;
    bool wide = in_eights(p.y, n) && in_eights(p.gu, n);
    FOR_ROWS(r, p.rows)
    {
        const T *gate = row_of<const T>(p.gu, r);
        FOR_EIGHTS(c, n)
        {
            float g[EIGHT], u[EIGHT];
            get_eight(g, gate, c, n, wide);
            get_eight(u, gate + n, c, n, wide);
            for (int i = 0; i < EIGHT; i++) { g[i] = k_silu(g[i]) * u[i]; }
            put_eight(row_of<T>(p.y, r), c, n, wide, g);
        }
    }
}
DEFINE_TYPED(swiglu, it_cuda_swiglu)

template <class T> static __device__ void swiglu_bwd(const it_cuda_swiglu &p)
{
    long long n = p.columns;
    bool wide = in_eights(p.y, n) && in_eights(p.gu, n) && in_eights(p.dh, n);
    FOR_ROWS(r, p.rows)
    {
        const T *gate = row_of<const T>(p.gu, r);
        T *dgate = row_of<T>(p.y, r);
        FOR_EIGHTS(c, n)
        {
            float g[EIGHT], u[EIGHT], d[EIGHT];
            get_eight(g, gate, c, n, wide);
            get_eight(u, gate + n, c, n, wide);
            get_eight(d, row_of<const T>(p.dh, r), c, n, wide);
            for (int i = 0; i < EIGHT; i++) {
                u[i] = d[i] * u[i] * k_silu_grad(g[i]);
                d[i] = d[i] * k_silu(g[i]);
            }
            put_eight(dgate, c, n, wide, u);
            put_eight(dgate + n, c, n, wide, d);
        }
    }
}
DEFINE_TYPED(swiglu_bwd, it_cuda_swiglu)
