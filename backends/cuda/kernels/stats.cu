/* SPDX-License-Identifier: MIT */
/* token_stats and its backward; the formulas are those of core/tensor/ref_stats.c. A block makes
 * one pass over a row; each thread keeps sums relative to the largest logit it has seen. */
#include "backends/cuda/kernels/device.cuh"

/* Over some logits at one temperature: m the largest, s = sum exp(z - m), a = sum (z - m),
 * b = sum exp(z - m) (z - m), g = sum exp(2 (z - m)). */
struct sums {
    float most, second, s, a, b, g;
    int count;
};

static __device__ __forceinline__ sums no_sums()
{
    return {-INFINITY, -INFINITY, 0.0f, 0.0f, 0.0f, 0.0f, 0};
}

/* The same sums relative to a larger most. */
static __device__ __forceinline__ void lower(sums *x, float most)
{
    if (x->count == 0 || most == x->most) {
        x->most = most;
        return;
    }
    float d = x->most - most, e = k_exp(d);
    x->a += (float)x->count * d;
    x->b = e > 0.0f ? e * (x->b + d * x->s) : 0.0f;
    x->s *= e;
    x->g *= e * e;
    x->most = most;
}

static __device__ __forceinline__ void add_logit(sums *x, float z)
{
    if (z > x->most) {
        x->second = x->most;
        lower(x, z);
    } else if (z > x->second) {
        x->second = z;
    }
    float d = z - x->most, e = k_exp(d);
    if (z == x->most) {
        d = 0.0f; /* of two infinities too */
        e = 1.0f;
    }
    x->s += e;
    x->a += d;
    x->b += e > 0.0f ? e * d : 0.0f;
    x->g += e * e;
    x->count++;
}

static __device__ __forceinline__ sums merge(sums x, sums y)
{
    if (y.count == 0) { return x; }
    if (x.count == 0) { return y; }
    float most = fmaxf(x.most, y.most);
    float second = fmaxf(fminf(x.most, y.most), fmaxf(x.second, y.second));
    lower(&x, most);
    lower(&y, most);
    return {most, second, x.s + y.s, x.a + y.a, x.b + y.b, x.g + y.g, x.count + y.count};
}

static __device__ __forceinline__ sums from_lane(const sums &x, int lane)
{
    return {__shfl_xor_sync(ALL_LANES, x.most, lane), __shfl_xor_sync(ALL_LANES, x.second, lane),
            __shfl_xor_sync(ALL_LANES, x.s, lane),    __shfl_xor_sync(ALL_LANES, x.a, lane),
            __shfl_xor_sync(ALL_LANES, x.b, lane),    __shfl_xor_sync(ALL_LANES, x.g, lane),
            __shfl_xor_sync(ALL_LANES, x.count, lane)};
}

/* In a fixed order: lanes by halves, then warps in turn. Thread 0 has the result. */
static __device__ sums block_merge(sums x, sums *shared)
{
    for (int lane = WARP / 2; lane > 0; lane /= 2) {
        sums y = from_lane(x, lane);
        /* the lower lane's comes first in both: the two then compute the same */
        x = threadIdx.x & lane ? merge(y, x) : merge(x, y);
    }
    if (threadIdx.x % WARP == 0) { shared[threadIdx.x / WARP] = x; }
    __syncthreads();
    sums all = shared[0];
    for (unsigned i = 1; i < blockDim.x / WARP; i++) { all = merge(all, shared[i]); }
    __syncthreads();
    return all;
}

/* columns of stats: enum it_stat of core/tensor/ops.h */
enum { LOGPROB, ENTROPY, CERTAINTY, SUM_P2, MARGIN, LSE, LSE2, TOP };

DEFINE_KERNEL(token_stats, it_cuda_stats)
{
    __shared__ sums shared[WARP];
    long long r = blockIdx.x;
    const float *z = row_of<const float>(p.logits, r);
    float inverse1 = 1.0f / p.temps[0], inverse2 = 1.0f / p.temps[1];
    bool same = inverse1 == inverse2 && p.some == p.columns;
    sums all = no_sums(), some = no_sums();
    bool wide = in_eights(p.logits, p.columns);
    for (long long j = threadIdx.x * EIGHT; j < p.columns; j += blockDim.x * EIGHT) {
        float value[EIGHT];
        get_eight(value, z, j, p.columns, wide);
        for (int i = 0; i < EIGHT && j + i < p.columns; i++) {
            add_logit(&all, value[i] * inverse1);
            if (!same && j + i < p.some) { add_logit(&some, value[i] * inverse2); }
        }
    }
    all = block_merge(all, shared);
    some = same ? all : block_merge(some, shared);
    if (threadIdx.x != 0) { return; }
    float lse = all.most + k_log(all.s), log_s = k_log(some.s), n = (float)p.some;
    int target = p.targets[r];
    bool known = target >= 0 && target < p.columns;
    float *y = row_of<float>(p.stats, r);
    y[LOGPROB] = known ? z[target] * inverse1 - lse : 0.0f;
    y[ENTROPY] = log_s - some.b / some.s;
    y[CERTAINTY] = log_s - some.a / n - k_log(n);
    y[SUM_P2] = some.g / (some.s * some.s);
    y[MARGIN] = (1.0f - (some.second > -INFINITY ? k_exp(some.second - some.most) : 0.0f)) / some.s;
    y[LSE] = lse;
    y[LSE2] = some.most + log_s;
    y[TOP] = 1.0f / some.s;
}

template <class Y>
static __device__ __forceinline__ void token_stats_bwd_row(const it_cuda_stats &p, long long r)
{
    const float *z = row_of<const float>(p.logits, r), *stats = row_of<const float>(p.stats, r);
    const float *coefs = row_of<const float>(p.coefs, r);
    Y *y = row_of<Y>(p.dlogits, r);
    float inverse1 = 1.0f / p.temps[0], inverse2 = 1.0f / p.temps[1];
    int target = p.targets[r];
    bool known = target >= 0 && target < p.columns;
    float c_logprob = known ? coefs[LOGPROB] * inverse1 : 0.0f;
    float c_entropy = coefs[ENTROPY] * inverse2, c_certainty = coefs[CERTAINTY] * inverse2;
    float lse = stats[LSE], lse2 = stats[LSE2], entropy = stats[ENTROPY];
    float each = 1.0f / (float)p.some;
    for (long long j = (long long)blockIdx.x * blockDim.x + threadIdx.x; j < p.columns;
         j += (long long)gridDim.x * blockDim.x) {
        float d = c_logprob * ((j == target ? 1.0f : 0.0f) - k_exp(z[j] * inverse1 - lse));
        if (j < p.some) {
            float log_p = z[j] * inverse2 - lse2, prob = k_exp(log_p);
            if (prob > 0.0f) { d -= c_entropy * prob * (log_p + entropy); }
            d += c_certainty * (prob - each);
        }
        put(y + j, d);
    }
}

template <class Y> static __device__ void token_stats_bwd(const it_cuda_stats &p)
{
    for (long long r = blockIdx.y; r < p.rows; r += gridDim.y) { token_stats_bwd_row<Y>(p, r); }
}
DEFINE_KERNEL(token_stats_bwd_f32, it_cuda_stats) { token_stats_bwd<float>(p); }
DEFINE_KERNEL(token_stats_bwd_bf16, it_cuda_stats) { token_stats_bwd<bf16>(p); }
