/* SPDX-License-Identifier: MIT */
/* sample: a block a row. Every filter is a lower bound on the logit, found by bisection over the
 * ordered bit patterns of floats, as in core/tensor/ref_sample.c; sums are in double, a warp a tile
 * of ids, tiles in the order of ids. */
#include "backends/cuda/kernels/device.cuh"

enum { TILE = 1024, TILES = 1024 };

struct draw {
    const float *z;
    long long n;
    float most, inverse;
    double *tile; /* [TILES], shared */
};

static __device__ __forceinline__ double weight_of(const draw &d, float z)
{
    return (double)k_exp((z - d.most) * d.inverse);
}

static __device__ __forceinline__ unsigned order_of(float x)
{
    unsigned bits = k_bits(x);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

static __device__ __forceinline__ float float_of(unsigned order)
{
    return k_float(order & 0x80000000u ? order & 0x7fffffffu : ~order);
}

/* What id j with logit z counts for. */
static __device__ __forceinline__ double mass_of(const draw &d, float z, float bound, double least,
                                                 bool weighted)
{
    if (!(z >= bound)) { return 0.0; }
    if (!weighted) { return 1.0; }
    double w = weight_of(d, z);
    return w >= least ? w : 0.0;
}

/* d.tile[i] = mass of tile i; returns their sum in order. */
static __device__ double mass_from(const draw &d, float bound, double least, bool weighted)
{
    int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP, warps = blockDim.x / WARP;
    int tiles = (int)((d.n + TILE - 1) / TILE);
    for (int i = warp; i < tiles; i += warps) {
        double mass = 0.0;
        for (long long j = (long long)i * TILE + lane; j < (i + 1LL) * TILE && j < d.n; j += WARP) {
            mass += mass_of(d, d.z[j], bound, least, weighted);
        }
        mass = warp_sum(mass);
        if (lane == 0) { d.tile[i] = mass; }
    }
    __syncthreads();
    double sum = 0.0;
    for (int i = 0; i < tiles; i++) { sum += d.tile[i]; }
    __syncthreads();
    return sum;
}

/* The highest bound in [low, most] from which at least `enough` remains. */
static __device__ float highest_bound(const draw &d, float low, double enough, bool weighted)
{
    unsigned from = order_of(low), to = order_of(d.most);
    while (from < to) {
        unsigned middle = from + (to - from) / 2 + 1;
        if (mass_from(d, float_of(middle), 0.0, weighted) >= enough) {
            from = middle;
        } else {
            to = middle - 1;
        }
    }
    return float_of(from);
}

/* First largest; every thread gets it. */
static __device__ int find_most(const draw &d, float *most_out)
{
    __shared__ float shared_most[WARP];
    __shared__ int shared_at[WARP];
    float most = -INFINITY;
    int at = 0x7fffffff;
    for (long long j = threadIdx.x; j < d.n; j += blockDim.x) {
        if (d.z[j] > most) {
            most = d.z[j];
            at = (int)j;
        }
    }
    for (int lane = WARP / 2; lane > 0; lane /= 2) {
        float other = __shfl_xor_sync(ALL_LANES, most, lane);
        int other_at = __shfl_xor_sync(ALL_LANES, at, lane);
        if (other > most || (other == most && other_at < at)) {
            most = other;
            at = other_at;
        }
    }
    if (threadIdx.x % WARP == 0) {
        shared_most[threadIdx.x / WARP] = most;
        shared_at[threadIdx.x / WARP] = at;
    }
    __syncthreads();
    for (unsigned i = 0; i < blockDim.x / WARP; i++) {
        if (shared_most[i] > most || (shared_most[i] == most && shared_at[i] < at)) {
            most = shared_most[i];
            at = shared_at[i];
        }
    }
    __syncthreads();
    *most_out = most;
    return at < d.n ? at : 0;
}

/* The first id where the sum of those kept passes `goal`; the tiles' sums are those of the last
 * mass_from. One warp. */
static __device__ int invert(const draw &d, float bound, double least, double goal, int fallback)
{
    int lane = threadIdx.x % WARP, tiles = (int)((d.n + TILE - 1) / TILE), i = 0;
    double sum = 0.0;
    while (i < tiles && sum + d.tile[i] <= goal) { sum += d.tile[i++]; }
    if (i == tiles) { return fallback; }
    int last = fallback;
    for (long long first = (long long)i * TILE; first < (i + 1LL) * TILE; first += WARP) {
        long long j = first + lane;
        double mass = j < d.n ? mass_of(d, d.z[j], bound, least, true) : 0.0, upto = mass;
        for (int step = 1; step < WARP; step *= 2) {
            double before = __shfl_up_sync(ALL_LANES, upto, step);
            if (lane >= step) { upto += before; }
        }
        unsigned kept = __ballot_sync(ALL_LANES, mass > 0.0);
        unsigned past = __ballot_sync(ALL_LANES, mass > 0.0 && sum + upto > goal);
        if (past) { return (int)first + __ffs((int)past) - 1; }
        if (kept) { last = (int)first + WARP - 1 - __clz((int)kept); }
        sum += __shfl_sync(ALL_LANES, upto, WARP - 1);
    }
    return last; /* the tile's own sum was larger by a rounding */
}

/* The first word of Philox for a row of keys. */
static __device__ unsigned first_word(const unsigned *keys)
{
    unsigned c[4] = {keys[2], keys[3], keys[4], keys[5]};
    philox(keys[0], keys[1], c);
    return c[0];
}

DEFINE_KERNEL(sample, it_cuda_sample)
{
    __shared__ double tile[TILES];
    long long r = blockIdx.x;
    const float *params = row_of<const float>(p.params, r);
    draw d = {row_of<const float>(p.logits, r), p.columns, 0.0f, 0.0f, tile};
    int greedy = find_most(d, &d.most), id = greedy;
    if (params[0] > 0.0f && isfinite(d.most)) {
        d.inverse = 1.0f / params[0];
        float bound = -INFINITY;
        if (params[1] >= 1.0f && params[1] < (float)p.columns) {
            bound = highest_bound(d, bound, (double)floorf(params[1]), false);
        }
        if (params[2] < 1.0f) {
            double enough = (double)params[2] * mass_from(d, bound, 0.0, true);
            bound = highest_bound(d, bound, enough, true);
        }
        double u = ((double)first_word(row_of<const unsigned>(p.keys, r)) + 0.5) * 0x1p-32;
        double total = mass_from(d, bound, (double)params[3], true);
        if (threadIdx.x < WARP) { id = invert(d, bound, (double)params[3], u * total, greedy); }
    }
    if (threadIdx.x == 0) { p.ids[r] = id; }
}
