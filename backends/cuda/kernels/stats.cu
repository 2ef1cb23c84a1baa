/* SPDX-License-Identifier: MIT */
/* token_stats and its backward; the formulas are those of core/tensor/ref_stats.c. A block makes
 * one pass over a row, a warp a tile; each thread keeps sums relative to the largest logit it has
 * seen. */
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

/* In a fixed order: lanes by halves. */
static __device__ __forceinline__ sums warp_merge(sums x)
{
    for (int lane = WARP / 2; lane > 0; lane /= 2) {
        sums y = from_lane(x, lane);
        /* the lower lane's comes first in both: the two then compute the same */
        x = threadIdx.x & lane ? merge(y, x) : merge(x, y);
    }
    return x;
}

/* columns of stats and state: enum it_stat and it_stat_state of core/tensor/ops.h */
enum { LOGPROB, ENTROPY, CERTAINTY, SUM_P2, MARGIN, LSE, LSE2, TOP };
enum { TARGET, MOST, S, S_REST, MOST2, SECOND2, S2, S2_REST, A2, A2_REST, B2, B2_REST, G2,
       G2_REST };

/* A row so far: over all logits at the first temperature, over those that count at the second. */
struct row_sums {
    sums all, some;
    float target;
};

static __device__ row_sums get_state(const it_cuda_stats &p, long long r)
{
    row_sums x = {no_sums(), no_sums(), 0.0f};
    if (p.first == 0) { return x; }
    const float *state = row_of<const float>(p.state, r);
    x.target = state[TARGET];
    x.all.most = state[MOST];
    x.all.s = state[S] + state[S_REST];
    x.all.count = (int)p.first;
    x.some = {state[MOST2],
              state[SECOND2],
              state[S2] + state[S2_REST],
              state[A2] + state[A2_REST],
              state[B2] + state[B2_REST],
              state[G2] + state[G2_REST],
              (int)(p.first < p.some ? p.first : p.some)};
    return x;
}

static __device__ void put_state(const it_cuda_stats &p, long long r, const row_sums &x)
{
    float *state = row_of<float>(p.state, r);
    state[TARGET] = x.target;
    state[MOST] = x.all.most;
    state[S] = x.all.s;
    state[MOST2] = x.some.most;
    state[SECOND2] = x.some.second;
    state[S2] = x.some.s;
    state[A2] = x.some.a;
    state[B2] = x.some.b;
    state[G2] = x.some.g;
    state[S_REST] = state[S2_REST] = state[A2_REST] = state[B2_REST] = state[G2_REST] = 0.0f;
}

static __device__ void put_stats(const it_cuda_stats &p, long long r, const row_sums &x)
{
    float lse = x.all.most + k_log(x.all.s), log_s = k_log(x.some.s), n = (float)p.some;
    float second = x.some.second > -INFINITY ? k_exp(x.some.second - x.some.most) : 0.0f;
    bool known = p.targets[r] >= 0 && p.targets[r] < p.vocabulary;
    float *y = row_of<float>(p.stats, r);
    y[LOGPROB] = known ? x.target - lse : 0.0f;
    y[ENTROPY] = log_s - x.some.b / x.some.s;
    y[CERTAINTY] = log_s - x.some.a / n - k_log(n);
    y[SUM_P2] = x.some.g / (x.some.s * x.some.s);
    y[MARGIN] = (1.0f - second) / x.some.s;
    y[LSE] = lse;
    y[LSE2] = x.some.most + log_s;
    y[TOP] = 1.0f / x.some.s;
}

/* A warp's tile, from column `begin` of the logits. Lane 0 has the result. */
static __device__ row_sums sum_tile(const it_cuda_stats &p, const float *z, long long begin)
{
    float inverse1 = 1.0f / p.temps[0], inverse2 = 1.0f / p.temps[1];
    long long end = begin + p.tile < p.columns ? begin + p.tile : p.columns;
    long long counted = p.some - p.first;
    bool wide = in_eights(p.logits, p.columns), same = inverse1 == inverse2 && end <= counted;
    row_sums x = {no_sums(), no_sums(), 0.0f};
    for (long long j = begin + threadIdx.x % WARP * EIGHT; j < end; j += WARP * EIGHT) {
        float value[EIGHT];
        get_eight(value, z, j, p.columns, wide);
        for (int i = 0; i < EIGHT && j + i < end; i++) {
            add_logit(&x.all, value[i] * inverse1);
            if (!same && j + i < counted) { add_logit(&x.some, value[i] * inverse2); }
        }
    }
    x.all = warp_merge(x.all);
    x.some = same ? x.all : warp_merge(x.some);
    return x;
}

DEFINE_KERNEL(token_stats, it_cuda_stats)
{
    __shared__ row_sums tiles[WARP];
    long long r = blockIdx.x;
    int warp = threadIdx.x / WARP, warps = blockDim.x / WARP;
    const float *z = row_of<const float>(p.logits, r);
    row_sums row = {no_sums(), no_sums(), 0.0f};
    if (threadIdx.x == 0) { row = get_state(p, r); }
    for (long long from = 0; from < p.columns; from += warps * p.tile) {
        if (from + warp * p.tile < p.columns) {
            row_sums x = sum_tile(p, z, from + warp * p.tile);
            if (threadIdx.x % WARP == 0) { tiles[warp] = x; }
        }
        __syncthreads();
        for (int i = 0; threadIdx.x == 0 && i < warps && from + i * p.tile < p.columns; i++) {
            row.all = merge(row.all, tiles[i].all);
            row.some = merge(row.some, tiles[i].some);
        }
        __syncthreads();
    }
    if (threadIdx.x != 0) { return; }
    long long target = p.targets[r] - p.first;
    if (target >= 0 && target < p.columns) { row.target = z[target] * (1.0f / p.temps[0]); }
    if (p.first + p.columns < p.vocabulary) {
        put_state(p, r, row);
    } else {
        put_stats(p, r, row);
    }
}

template <class Y>
static __device__ __forceinline__ void token_stats_bwd_row(const it_cuda_stats &p, long long r)
{
    const float *z = row_of<const float>(p.logits, r), *stats = row_of<const float>(p.stats, r);
    const float *coefs = row_of<const float>(p.coefs, r);
    Y *y = row_of<Y>(p.dlogits, r);
    float inverse1 = 1.0f / p.temps[0], inverse2 = 1.0f / p.temps[1];
    long long target = p.targets[r] - p.first, counted = p.some - p.first;
    bool known = p.targets[r] >= 0 && p.targets[r] < p.vocabulary;
    float c_logprob = known ? coefs[LOGPROB] * inverse1 : 0.0f;
    float c_entropy = coefs[ENTROPY] * inverse2, c_certainty = coefs[CERTAINTY] * inverse2;
    float lse = stats[LSE], lse2 = stats[LSE2], entropy = stats[ENTROPY];
    float each = 1.0f / (float)p.some;
    for (long long j = (long long)blockIdx.x * blockDim.x + threadIdx.x; j < p.columns;
         j += (long long)gridDim.x * blockDim.x) {
        float d = c_logprob * ((j == target ? 1.0f : 0.0f) - k_exp(z[j] * inverse1 - lse));
        if (j < counted) {
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
