/* SPDX-License-Identifier: MIT */
/* attn_decode and attn_step on tensor cores, for bf16 and heads of 64 or 128 columns, where
 * exactness is not asked for. A block walks `split` keys of one row and key head for all heads of
 * its group, so that keys and values are read once; the sums of a row's blocks are joined in the
 * order of the keys, by the last of them to finish. Where a split begins depends on nothing but its
 * number. */
#include "backends/cuda/kernels/attn_mma.cuh"
#include "backends/cuda/kernels/attn_step.cuh"

/* A tile is 64 keys, 16 a warp; a group's heads are the 16 rows of a product. */
constexpr int WARP_KEYS = 16, HEADS = 16, WARPS = THREADS / WARP;

/* n rows of keys or values to the warp's own tile, zeros after; lane i says which row is the
 * i-th. Cache row `fresh` (-1: none) is in shared memory. */
template <int WIDTH>
static __device__ __forceinline__ void load_keys(unsigned short *tile, const it_cuda_view &v,
                                                 long long column, long long row, int n,
                                                 long long fresh, const unsigned short *fresh_head)
{
    int lane = threadIdx.x % WARP;
    const unsigned short *base = (const unsigned short *)v.at + column;
#pragma unroll
    for (int e = 0; e < WARP_KEYS * WIDTH / 8; e += WARP) {
        int i = (e + lane) / (WIDTH / 8), c = (e + lane) % (WIDTH / 8) * 8;
        long long from = __shfl_sync(ALL_LANES, row, i);
        unsigned short *to = tile + i * (WIDTH + PAD) + c;
        if (i < n && from == fresh) {
            *(uint4 *)to = *(const uint4 *)(fresh_head + c);
        } else if (i < n) {
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

/* The warps' sums as one, in their order: to y where the row has one split, else to p.delta. */
template <int WIDTH>
static __device__ __forceinline__ void join_warps(const it_cuda_attn &p, const place &me,
                                                  long long r, int head0, int group, int split,
                                                  bool alone, const decode_sums<WIDTH> &sums,
                                                  float *shared)
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
        if (alone) {
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

/* Whether this block is the last of the `blocks` of a row and key head, whose writes it then sees.
 * All threads ask together. */
static __device__ __forceinline__ bool is_last(unsigned *done, int blocks, int *shared)
{
    __syncthreads();
    if (threadIdx.x == 0) {
        __threadfence();
        *shared = atomicAdd(done, 1u) == (unsigned)blocks - 1;
        if (*shared) { *done = 0; }
        __threadfence();
    }
    __syncthreads();
    return *shared;
}

/* y of a group's heads from the sums of its splits, a thread a column; other blocks wrote them, so
 * they are read where those wrote. */
template <int WIDTH>
static __device__ __forceinline__ void join_splits(const it_cuda_attn &p, long long r, int head0,
                                                   int group, int splits)
{
    const int each = WIDTH + 2;
    for (int e = threadIdx.x; e < group * WIDTH; e += THREADS) {
        const float *part = p.delta + (r * p.heads + head0 + e / WIDTH) * p.splits * each;
        float highest = -INFINITY, sum = 0.0f, y = 0.0f;
        for (int s = 0; s < splits; s++) {
            highest = fmaxf(highest, __ldcg(part + s * each + WIDTH));
        }
        for (int s = 0; s < splits; s++) {
            float share = k_exp(__ldcg(part + s * each + WIDTH) - highest);
            sum += share * __ldcg(part + s * each + WIDTH + 1);
            y += share * __ldcg(part + s * each + e % WIDTH);
        }
        put(row_of<bf16>(p.y, r) + (long long)head0 * WIDTH + e, y / sum);
    }
}

/* attn_step: the group's queries into tile q, the new key and value into `fresh`, and from there,
 * by the first split, into the cache. */
template <int WIDTH>
static __device__ __forceinline__ void make_heads(const it_cuda_attn &p, long long r, int kv_head,
                                                  int split, unsigned short *q,
                                                  unsigned short *fresh)
{
    int group = p.heads / p.kv_heads, warp = threadIdx.x / WARP;
    for (int h = warp; h <= group; h += WARPS) {
        unsigned short *to = h < group ? q + h * (WIDTH + PAD) : fresh;
        step_head<bf16>(p, r, h < group ? kv_head * group + h : p.heads + kv_head, (bf16 *)to);
    }
    for (int e = group * (WIDTH + PAD) + threadIdx.x; e < HEADS * (WIDTH + PAD); e += THREADS) {
        q[e] = 0;
    }
    const bf16 *v = step_value<bf16>(p, r, kv_head);
    for (int c = threadIdx.x; c < WIDTH; c += THREADS) { fresh[WIDTH + c] = v[c].bits; }
    __syncthreads();
    long long to = step_written(p, r), column = (long long)kv_head * WIDTH;
    for (int c = threadIdx.x; to >= 0 && split == 0 && c < WIDTH; c += THREADS) {
        row_of<unsigned short>(p.k, to)[column + c] = fresh[c];
        row_of<unsigned short>(p.v, to)[column + c] = fresh[WIDTH + c];
    }
}

/* q, then a tile of keys and one of values a warp; joined, the sums of the warps */
template <int WIDTH> struct split_memory {
    enum { HALVES = (1 + 2 * WARPS) * WARP_KEYS * (WIDTH + PAD) };
    enum { FLOATS = WARPS * HEADS * (WIDTH + 2) };
    enum { BYTES = (int)HALVES * 2 > (int)FLOATS * 4 ? (int)HALVES * 2 : (int)FLOATS * 4 };
};

template <int WIDTH, bool STEP>
static __device__ void attn_split(const it_cuda_attn &p, long long block, unsigned char *shared)
{
    constexpr int TILE = WARP_KEYS * (WIDTH + PAD);
    __shared__ __align__(16) unsigned short fresh[STEP ? 2 * WIDTH : 8];
    __shared__ int last_one;
    unsigned short *q = (unsigned short *)shared;
    place me = place_of();
    int lane = threadIdx.x % WARP, group = p.heads / p.kv_heads;
    unsigned short *k = q + (1 + 2 * me.warp) * TILE, *v = k + TILE;
    int split = (int)(block % p.splits), kv_head = (int)(block / p.splits % p.kv_heads);
    long long r = block / p.splits / p.kv_heads;
    long long most = (long long)p.pages * p.page, kv_column = (long long)kv_head * WIDTH;
    int count = (int)(p.length[r] < most ? p.length[r] : most);
    paged_keys keys = {count, row_of<const int>(p.table, r), p.page, p.key_rows};
    int first = split * p.split, last = count - first < p.split ? count : first + p.split;
    if (first >= count && split > 0) { return; }
    long long written = STEP ? step_written(p, r) : -1;
    if (STEP) {
        make_heads<WIDTH>(p, r, kv_head, split, q, fresh);
    } else {
        it_cuda_view heads = {row_of<unsigned short>(p.q, r), WIDTH};
        load_rows<WIDTH>(q, heads, 0, group, HEADS, [=](int i) { return kv_head * group + i; });
    }
    if (count <= 0) { /* an empty slot */
        copy_wait();
        for (int e = threadIdx.x; e < group * WIDTH; e += THREADS) {
            put(row_of<bf16>(p.y, r) + (long long)kv_head * group * WIDTH + e, 0.0f);
        }
        return;
    }
    decode_sums<WIDTH> sums = {{-INFINITY, -INFINITY}, {0.0f, 0.0f}, {}};
    for (int j0 = first; j0 < last; j0 += WARPS * WARP_KEYS) {
        int mine = j0 + me.warp * WARP_KEYS, n = last - mine;
        long long row = lane < n && lane < WARP_KEYS ? keys.row(mine + lane) : 0;
        load_keys<WIDTH>(k, p.k, kv_column, row, n, written, fresh);
        load_keys<WIDTH>(v, p.v, kv_column, row, n, written, fresh + (STEP ? WIDTH : 0));
        copy_wait();
        __syncthreads();
        if (n > 0) { add_keys(p, me, n, q, k, v, &sums); }
        __syncthreads();
    }
    int splits = (count + p.split - 1) / p.split;
    join_warps(p, me, r, kv_head * group, group, split, splits == 1, sums, (float *)shared);
    if (splits > 1 && is_last(p.done + r * p.kv_heads + kv_head, splits, &last_one)) {
        join_splits<WIDTH>(p, r, kv_head * group, group, splits);
    }
}

template <int WIDTH> static __device__ void attn_split(const it_cuda_attn &p)
{
    __shared__ __align__(16) unsigned char shared[split_memory<WIDTH>::BYTES];
    attn_split<WIDTH, false>(p, blockIdx.x, shared);
}
DEFINE_KERNEL(attn_split_64, it_cuda_attn) { attn_split<64>(p); }
DEFINE_KERNEL(attn_split_128, it_cuda_attn) { attn_split<128>(p); }

template <int WIDTH> static __device__ void attn_step_split(const it_cuda_attn_step &p)
{
    constexpr int SPLIT_BYTES = split_memory<WIDTH>::BYTES;
    constexpr int PRODUCT_BYTES = stream::tile<bf16, IT_CUDA_STEP_COLUMNS>::BYTES;
    constexpr int BYTES = SPLIT_BYTES > PRODUCT_BYTES ? SPLIT_BYTES : PRODUCT_BYTES;
    __shared__ __align__(16) unsigned char memory[BYTES];
    step_blocks<bf16>(p, memory, [&](long long block) {
        attn_split<WIDTH, true>(p.attn, block, memory);
    });
}
DEFINE_KERNEL(attn_step_64, it_cuda_attn_step) { attn_step_split<64>(p); }
DEFINE_KERNEL(attn_step_128, it_cuda_attn_step) { attn_step_split<128>(p); }
