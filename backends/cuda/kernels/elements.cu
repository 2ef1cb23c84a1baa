/* SPDX-License-Identifier: MIT */
/* fill, copy, scale_add, swiglu and its backward: a block takes columns of a row; grid.y walks the
 * rows. */
#include "backends/cuda/kernels/device.cuh"

#define FOR_ROWS(r, n) for (long long r = blockIdx.y; r < (n); r += gridDim.y)
#define FOR_COLUMNS(c, n)                                                                          \
    for (long long c = (long long)blockIdx.x * blockDim.x + threadIdx.x; c < (n);                  \
         c += (long long)gridDim.x * blockDim.x)

template <class T> static __device__ void fill(const it_cuda_elements &p)
{
    FOR_ROWS(r, p.rows)
    {
        T *y = row_of<T>(p.y, r);
        FOR_COLUMNS(c, p.columns) { put(y + c, p.alpha); }
    }
}
DEFINE_TYPED(fill, it_cuda_elements)

template <class T> static __device__ void scale_add(const it_cuda_elements &p)
{
    FOR_ROWS(r, p.rows)
    {
        T *y = row_of<T>(p.y, r);
        const T *a = row_of<const T>(p.a, r), *b = row_of<const T>(p.b, r);
        FOR_COLUMNS(c, p.columns) { put(y + c, p.alpha * get(a + c) + p.beta * get(b + c)); }
    }
}
DEFINE_TYPED(scale_add, it_cuda_elements)

template <class Y, class X> static __device__ void copy(const it_cuda_elements &p)
{
    FOR_ROWS(r, p.rows)
    {
        Y *y = row_of<Y>(p.y, r);
        const X *x = row_of<const X>(p.a, r);
        FOR_COLUMNS(c, p.columns) { put(y + c, get(x + c)); }
    }
}
DEFINE_KERNEL(copy_f32_f32, it_cuda_elements) { copy<float, float>(p); }
DEFINE_KERNEL(copy_f32_bf16, it_cuda_elements) { copy<float, bf16>(p); }
DEFINE_KERNEL(copy_bf16_f32, it_cuda_elements) { copy<bf16, float>(p); }
DEFINE_KERNEL(copy_bf16_bf16, it_cuda_elements) { copy<bf16, bf16>(p); }

template <class T> static __device__ void swiglu(const it_cuda_swiglu &p)
{
    FOR_ROWS(r, p.rows)
    {
        T *h = row_of<T>(p.y, r);
        const T *gate = row_of<const T>(p.gu, r), *up = gate + p.columns;
        FOR_COLUMNS(c, p.columns) { put(h + c, k_silu(get(gate + c)) * get(up + c)); }
    }
}
DEFINE_TYPED(swiglu, it_cuda_swiglu)

template <class T> static __device__ void swiglu_bwd(const it_cuda_swiglu &p)
{
    FOR_ROWS(r, p.rows)
    {
        T *dgate = row_of<T>(p.y, r), *dup = dgate + p.columns;
        const T *gate = row_of<const T>(p.gu, r), *up = gate + p.columns;
        const T *dh = row_of<const T>(p.dh, r);
        FOR_COLUMNS(c, p.columns)
        {
            float g = get(gate + c), u = get(up + c), d = get(dh + c);
            put(dgate + c, d * u * k_silu_grad(g));
            put(dup + c, d * k_silu(g));
        }
    }
}
DEFINE_TYPED(swiglu_bwd, it_cuda_swiglu)
