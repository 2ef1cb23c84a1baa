/* SPDX-License-Identifier: MIT */
/* adamw; the split master is that of core/tensor/ref_adamw.c. */
#include "backends/cuda/kernels/device.cuh"

static __device__ __forceinline__ void split_master(float master, bf16 *high, short *low)
{
    unsigned bits = k_bits(master);
    if (master != master) { bits = (bits & 0x80000000u) | 0x7fc00000u; }
    unsigned rounded = (bits + 0x8000u) >> 16;
    high->bits = (unsigned short)rounded;
    *low = (short)(int)(bits - (rounded << 16));
}

static __device__ __forceinline__ float load_master(const float *w, const short *, long long i)
{
    return w[i];
}

static __device__ __forceinline__ float load_master(const bf16 *w, const short *lo, long long i)
{
    unsigned high = (unsigned)w[i].bits << 16;
    return k_float(lo ? high + (unsigned)(int)lo[i] : high);
}

static __device__ __forceinline__ void store_master(float *w, short *, long long i, float x)
{
    w[i] = x;
}

static __device__ __forceinline__ void store_master(bf16 *w, short *lo, long long i, float x)
{
    if (lo) {
        split_master(x, w + i, lo + i);
    } else {
        put(w + i, x);
    }
}

template <class T> static __device__ void adamw(const it_cuda_adamw &p)
{
    const float *s = p.scalars;
    float lr = s[0], beta1 = s[1], beta2 = s[2], eps = s[3], decay = s[4];
    float correct1 = s[5], correct2 = s[6], scale = s[7];
    T *w = (T *)p.w;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < p.count;
         i += (long long)gridDim.x * blockDim.x) {
        float g = p.grad[i] * scale;
        float first = beta1 * p.m[i] + (1.0f - beta1) * g;
        float second = beta2 * p.v[i] + (1.0f - beta2) * g * g;
        float old = load_master(w, p.lo, i);
        float step = first / correct1 / (sqrtf(second / correct2) + eps);
        p.m[i] = first;
        p.v[i] = second;
        store_master(w, p.lo, i, old - lr * (step + decay * old));
    }
}
DEFINE_TYPED(adamw, it_cuda_adamw)
