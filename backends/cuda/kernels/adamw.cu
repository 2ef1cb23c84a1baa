/* SPDX-License-Identifier: MIT */
/* adamw, adamw8; the split master is that of core/tensor/ref_adamw.c. A thread takes four
 * neighbours at a time, which share a Philox. */
#include "backends/cuda/kernels/device.cuh"

enum { FOUR = 4, MOMENT_BLOCK = 256, TURNS = MOMENT_BLOCK / (FOUR * WARP) };

/* ---- the weights ---- */

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

static __device__ __forceinline__ void store_master(float *w, const it_cuda_adamw &, long long i,
                                                    float x, unsigned)
{
    w[i] = x;
}

static __device__ __forceinline__ void store_master(bf16 *w, const it_cuda_adamw &p, long long i,
                                                    float x, unsigned noise)
{
    if (p.lo) {
        split_master(x, w + i, p.lo + i);
    } else if (p.keys) {
        w[i].bits = (unsigned short)k_bf16_dither(x, noise & 0xffffu);
    } else {
        put(w + i, x);
    }
}

/* Words for elements [i, i + FOUR), where there are keys; i is a multiple of FOUR. */
static __device__ __forceinline__ void make_noise(const unsigned *keys, long long i,
                                                  unsigned noise[FOUR])
{
    if (!keys) { return; }
    unsigned long long number = (unsigned long long)i / FOUR;
    noise[0] = (unsigned)number;
    noise[1] = (unsigned)(number >> 32);
    noise[2] = keys[2];
    noise[3] = keys[3];
    philox(keys[0], keys[1], noise);
}

/* Element i from its new first moment and the root of the corrected second. */
template <class T>
static __device__ __forceinline__ void take_step(const it_cuda_adamw &p, long long i, float first,
                                                 float root, unsigned noise)
{
    const float *s = p.scalars;
    float lr = s[0], eps = s[3], decay = s[4], correct1 = s[5];
    T *w = (T *)p.w;
    float old = load_master(w, p.lo, i);
    float step = first / correct1 / (root + eps);
    store_master(w, p, i, old - lr * (step + decay * old), noise);
}

/* ---- moments as floats ---- */

template <class T> static __device__ void adamw(const it_cuda_adamw &p)
{
    const float *s = p.scalars;
    float beta1 = s[1], beta2 = s[2], correct2 = s[6], scale = s[7], *m = (float *)p.m;
    float *v = (float *)p.v;
    long long fours = (p.count + FOUR - 1) / FOUR;
    for (long long at = (long long)blockIdx.x * blockDim.x + threadIdx.x; at < fours;
         at += (long long)gridDim.x * blockDim.x) {
        unsigned noise[FOUR] = {0, 0, 0, 0};
        make_noise(p.keys, at * FOUR, noise);
#pragma unroll
        for (int j = 0; j < FOUR; j++) {
            long long i = at * FOUR + j;
            if (i >= p.count) { break; }
            float g = p.grad[i] * scale;
            float first = beta1 * m[i] + (1.0f - beta1) * g;
            float second = beta2 * v[i] + (1.0f - beta2) * g * g;
            m[i] = first;
            v[i] = second;
            take_step<T>(p, i, first, sqrtf(second / correct2), noise[j]);
        }
    }
}
DEFINE_TYPED(adamw, it_cuda_adamw)

/* ---- moments in 8 bits: a warp a block ---- */

/* A lane's elements: FOUR from FOUR * lane on, and again a warp's further. */
static __device__ __forceinline__ long long element(long long block, int turn)
{
    return block * MOMENT_BLOCK + turn * (FOUR * WARP) + (threadIdx.x % WARP) * FOUR;
}

static __device__ void store_moments(const it_cuda_adamw &p, long long block,
                                     const float first[TURNS][FOUR], const float root[TURNS][FOUR])
{
    float most = 0.0f, most_root = 0.0f;
#pragma unroll
    for (int turn = 0; turn < TURNS; turn++) {
#pragma unroll
        for (int j = 0; j < FOUR; j++) {
            most = fmaxf(most, fabsf(first[turn][j]));
            most_root = fmaxf(most_root, root[turn][j]);
        }
    }
    most = warp_max(most);
    most_root = warp_max(most_root);
    float inverse = k_inverse(most), inverse_root = k_inverse(most_root);
#pragma unroll
    for (int turn = 0; turn < TURNS; turn++) {
        long long i = element(block, turn);
#pragma unroll
        for (int j = 0; j < FOUR; j++) {
            if (i + j >= p.count) { break; }
            float x = first[turn][j], r = root[turn][j];
            int code = (int)k_code(fabsf(x), inverse, 127.0f);
            ((signed char *)p.m)[i + j] = (signed char)(x < 0.0f ? -code : code);
            unsigned of_root = k_code(r, inverse_root, 255.0f);
            ((unsigned char *)p.v)[i + j] = (unsigned char)(of_root == 0 && r > 0.0f ? 1 : of_root);
        }
    }
    if (threadIdx.x % WARP == 0) {
        p.ms[block] = most;
        p.vs[block] = most_root;
    }
}

template <class T> static __device__ void adamw8(const it_cuda_adamw &p)
{
    const float *s = p.scalars;
    float beta1 = s[1], beta2 = s[2], correct2 = sqrtf(s[6]), scale = s[7];
    long long blocks = (p.count + MOMENT_BLOCK - 1) / MOMENT_BLOCK;
    int warps = blockDim.x / WARP;
    for (long long block = (long long)blockIdx.x * warps + threadIdx.x / WARP; block < blocks;
         block += (long long)gridDim.x * warps) {
        float ms = p.ms[block], vs = p.vs[block], first[TURNS][FOUR], root[TURNS][FOUR];
        __syncwarp(); /* all have read the scales that one lane will write */
#pragma unroll
        for (int turn = 0; turn < TURNS; turn++) {
            long long at = element(block, turn);
            unsigned noise[FOUR] = {0, 0, 0, 0};
            make_noise(p.keys, at, noise);
#pragma unroll
            for (int j = 0; j < FOUR; j++) {
                long long i = at + j;
                first[turn][j] = root[turn][j] = 0.0f;
                if (i >= p.count) { continue; }
                float g = p.grad[i] * scale, old = k_root(((unsigned char *)p.v)[i], vs);
                float x = beta1 * k_moment(((signed char *)p.m)[i], ms) + (1.0f - beta1) * g;
                float r = sqrtf(beta2 * (old * old) + (1.0f - beta2) * g * g);
                first[turn][j] = x;
                root[turn][j] = r;
                take_step<T>(p, i, x, r / correct2, noise[j]);
            }
        }
        store_moments(p, block, first, root);
    }
}
DEFINE_TYPED(adamw8, it_cuda_adamw)
