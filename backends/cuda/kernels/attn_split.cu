/* SPDX-License-Identifier: MIT */
/* attn_decode on tensor cores, for bf16 and heads of 64 or 128 columns, where exactness is not
 * asked for. A block walks `split` keys of one row and key head for all heads of its group, so that
 * keys and values are read once; the sums of a row's blocks are joined in the order of the keys.
 * Where a split begins depends on nothing but its number. */
#include "backends/cuda/kernels/attn_mma.cuh"

/* A tile is 64 keys, 16 a warp; a group's heads are the 16 rows of a product. */
constexpr int WARP_KEYS = 16, HEADS = 16, WARPS = THREADS / WARP;

/* n rows of keys or values to the warp's own tile, zeros after; lane i says which row is the
 * i-th. */
template <int WIDTH>
static __device__ __forceinline__ void load_keys(unsigned short *tile, const it_cuda_view &v,
                                                 long long column, long long row, int n)
{
    int lane = threadIdx.x % WARP;
    const unsigned short *base = (const unsigned short *)v.at + column;
#pragma unroll
    for (int e = 0; e < WARP_KEYS * WIDTH / 8; e += WARP) {
        int i = (e + lane) / (WIDTH / 8), c = (e + lane) % (WIDTH / 8) * 8;
        long long from = __shfl_sync(ALL_LANES, row, i);
        unsigned short *to = tile + i * (WIDTH + PAD) + c;
        if (i < n) {
            copy_16(to, base + from * v.row + c);
        } else {
            *(uint4 *)to = uint4{0, 0, 0, 0};
        }
    }
}

/* What a warp has seen of each row: the largest score, the sum of weights, weights times values. */
template <int WIDTH> struct decode_sums {
    float most[2], total[2], y[WIDTH / 8][4];
};

/* A warp's 16 keys, of which n are there. */
template <int WIDTH>
static __device__ __forceinline__ void add_keys(const it_cuda_attn &p, const place &me, int n,
                                                const unsigned short *q, const unsigned short *k,
                                                const unsigned short *v, decode_sums<WIDTH> *sums)
{
    float s[WARP_KEYS / 8][4];
    clear<WARP_KEYS / 8>(s);
    rows_by_rows<WIDTH, WARP_KEYS>(s, q, k, place{0, me.g, me.t});
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float before = sums->most[half], sum = 0.0f, *most = &sums->most[half];
#pragma unroll
        for (int e = 0; e < WARP_KEYS / 4; e++) {
            float *x = &s[e / 2][half * 2 + e % 2];
            *x = e / 2 * 8 + me.t + e % 2 < n ? *x * p.scale : -INFINITY;
            *most = fmaxf(*most, *x);
        }
        *most = quad_max(*most);
        float base = *most > -INFINITY ? *most : 0.0f, shrink = k_exp(before - base);
#pragma unroll
        for (int e = 0; e < WARP_KEYS / 4; e++) {
            float *x = &s[e / 2][half * 2 + e % 2];
            *x = k_exp(*x - base);
            sum += *x;
        }
        sums->total[half] = sums->total[half] * shrink + sum;
#pragma unroll
        for (int j = 0; j < WIDTH / 8; j++) {
            sums->y[j][half * 2] *= shrink;
            sums->y[j][half * 2 + 1] *= shrink;
        }
    }
    weights_by_rows<WIDTH, WARP_KEYS>(sums->y, s, v);
}

/* The warps' sums as one, in their order: to y where the row has one block, else to p.delta. */
template <int WIDTH>
static __device__ __forceinline__ void join_warps(const it_cuda_attn &p, const place &me,
                                                  long long r, int head0, int group, int split,
                                                  const decode_sums<WIDTH> &sums, float *shared)
{
    float *most = shared, *total = most + WARPS * HEADS, *part = total + WARPS * HEADS;
    float all[2] = {quad_sum(sums.total[0]), quad_sum(sums.total[1])};
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int h = me.g + half * 8, at = me.warp * HEADS + h;
        if (h >= group) { continue; }
        if (me.t == 0) {
            most[at] = sums.most[half];
            total[at] = all[half];
        }
#pragma unroll
        for (int j = 0; j < WIDTH / 8; j++) {
            part[at * WIDTH + j * 8 + me.t] = sums.y[j][half * 2];
            part[at * WIDTH + j * 8 + me.t + 1] = sums.y[j][half * 2 + 1];
        }
    }
    __syncthreads();
    for (int e = threadIdx.x; e < group * WIDTH; e += THREADS) {
        int h = e / WIDTH, c = e % WIDTH;
        float highest = most[h], sum = 0.0f, y = 0.0f;
        for (int w = 1; w < WARPS; w++) { highest = fmaxf(highest, most[w * HEADS + h]); }
        for (int w = 0; w < WARPS; w++) {
            int at = w * HEADS + h;
            float share = k_exp(most[at] - highest);
            sum += share * total[at];
            y += share * part[at * WIDTH + c];
        }
        if (p.splits == 1) {
            put(row_of<bf16>(p.y, r) + (long long)head0 * WIDTH + e, y / sum);
            continue;
        }
        float *out = p.delta + ((r * p.heads + head0 + h) * p.splits + split) * (WIDTH + 2);
        out[c] = y;
        if (c == 0) {
            out[WIDTH] = highest;
            out[WIDTH + 1] = sum;
        }
    }
}

template <int WIDTH> static __device__ void attn_split(const it_cuda_attn &p)
{
    /* q, then a tile of keys and one of values a warp; joined, the sums of the warps */
    constexpr int TILE = WARP_KEYS * (WIDTH + PAD);
    constexpr int HALVES = (1 + 2 * WARPS) * TILE, FLOATS = WARPS * HEADS * (WIDTH + 2);
    constexpr int BYTES = HALVES * 2 > FLOATS * 4 ? HALVES * 2 : FLOATS * 4;
    __shared__ __align__(16) unsigned char shared[BYTES];
    unsigned short *q = (unsigned short *)shared;
    place me = place_of();
    int lane = threadIdx.x % WARP, group = p.heads / p.kv_heads;
    unsigned short *k = q + (1 + 2 * me.warp) * TILE, *v = k + TILE;
    int split = (int)(blockIdx.x % p.splits), kv_head = (int)(blockIdx.x / p.splits % p.kv_heads);
    long long r = blockIdx.x / p.splits / p.kv_heads;
    long long most = (long long)p.pages * p.page, kv_column = (long long)kv_head * WIDTH;
    int count = (int)(p.length[r] < most ? p.length[r] : most);
    paged_keys keys = {count, row_of<const int>(p.table, r), p.page, p.key_rows};
    int first = split * p.split, last = count - first < p.split ? count : first + p.split;
    if (count <= 0 && split == 0 && p.splits == 1) { /* an empty slot */
        for (int e = threadIdx.x; e < group * WIDTH; e += THREADS) {
            put(row_of<bf16>(p.y, r) + (long long)kv_head * group * WIDTH + e, 0.0f);
        }
    }
    if (first >= count) { return; }
    it_cuda_view heads = {row_of<unsigned short>(p.q, r), WIDTH};
    load_rows<WIDTH>(q, heads, 0, group, HEADS, [=](int i) { return kv_head * group + i; });
    decode_sums<WIDTH> sums = {{-INFINITY, -INFINITY}, {0.0f, 0.0f}, {}};
    for (int j0 = first; j0 < last; j0 += WARPS * WARP_KEYS) {
        int mine = j0 + me.warp * WARP_KEYS, n = last - mine;
        long long row = lane < n && lane < WARP_KEYS ? keys.row(mine + lane) : 0;
        load_keys<WIDTH>(k, p.k, kv_column, row, n);
        load_keys<WIDTH>(v, p.v, kv_column, row, n);
        copy_wait();
        __syncthreads();
        if (n > 0) { add_keys(p, me, n, q, k, v, &sums); }
        __syncthreads();
    }
    join_warps(p, me, r, kv_head * group, group, split, sums, (float *)shared);
}
DEFINE_KERNEL(attn_split_64, it_cuda_attn) { attn_split<64>(p); }
DEFINE_KERNEL(attn_split_128, it_cuda_attn) { attn_split<128>(p); }

/* y of one row and head from its splits, a thread a column */
DEFINE_KERNEL(attn_join, it_cuda_attn)
{
    long long r = blockIdx.x / p.heads, most = (long long)p.pages * p.page;
    long long count = p.length[r] < most ? p.length[r] : most;
    int head = (int)(blockIdx.x % p.heads), c = threadIdx.x;
    int splits = count > 0 ? (int)((count + p.split - 1) / p.split) : 0, each = p.width + 2;
    const float *part = p.delta + (r * p.heads + head) * p.splits * each;
    float highest = -INFINITY, sum = 0.0f, y = 0.0f;
    for (int s = 0; s < splits; s++) { highest = fmaxf(highest, part[s * each + p.width]); }
    for (int s = 0; s < splits; s++) {
        float share = k_exp(part[s * each + p.width] - highest);
        sum += share * part[s * each + p.width + 1];
        y += share * part[s * each + c];
    }
    put(row_of<bf16>(p.y, r) + (long long)head * p.width + c, splits ? y / sum : 0.0f);
}
