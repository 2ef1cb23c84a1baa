/* SPDX-License-Identifier: MIT */
/* Attention on tensor cores, forward and backward (after FlashAttention-2, arXiv 2307.08691), for
 * bf16 and heads of 64 or 128 columns. Four warps; a warp has 16 rows of the block's 64. Backward
 * is two kernels, one that owns queries and one that owns keys, so that no sum is made by atomics:
 * the order is fixed, and a prefix's gradients are summed over its users in the order of the
 * segments. */
#include "backends/cuda/kernels/attn_mma.cuh"

/* ---- forward: a block a query block and head ---- */

template <int WIDTH> static __device__ void attn_mma(const it_cuda_attn &p)
{
    __shared__ __align__(16) unsigned short q[ROWS * (WIDTH + PAD)], k[ROWS * (WIDTH + PAD)];
    query_block block;
    if (!find_block(p, blockIdx.x, ROWS, &block)) { return; }
    const segment &g = block.g;
    place me = place_of();
    int head = blockIdx.y;
    long long column = (long long)head * WIDTH, first = g.query + block.first;
    long long kv_column = (long long)(head / (p.heads / p.kv_heads)) * WIDTH;
    int n = (int)(g.length - block.first < ROWS ? g.length - block.first : ROWS);
    segment_keys keys = {g.prefix + block.first + n, g.prefix_start, g.prefix, g.own};
    load_rows<WIDTH>(q, p.q, column, n, ROWS, [=](int i) { return first + i; });
    /* rows me.g and me.g + 8 of the warp see keys up to: */
    long long last[2] = {g.prefix + block.first + me.warp * 16 + me.g,
                         g.prefix + block.first + me.warp * 16 + me.g + 8};
    float most[2] = {-INFINITY, -INFINITY}, total[2] = {0.0f, 0.0f}, y[WIDTH / 8][4];
    clear<WIDTH / 8>(y);
    for (long long j0 = 0; j0 < keys.count; j0 += ROWS) {
        int here = (int)(keys.count - j0 < ROWS ? keys.count - j0 : ROWS);
        auto rows = [=](int i) { return keys.row(j0 + i); };
        float s[ROWS / 8][4];
        clear<ROWS / 8>(s);
        __syncthreads();
        load_rows<WIDTH>(k, p.k, kv_column, here, ROWS, rows);
        copy_wait();
        __syncthreads();
        rows_by_rows<WIDTH, ROWS>(s, q, k, me);
        __syncthreads();
        load_rows<WIDTH>(k, p.v, kv_column, here, ROWS, rows); /* on its way meanwhile */
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float before = most[half], sum = 0.0f;
#pragma unroll
            for (int j = 0; j < ROWS / 8; j++) {
#pragma unroll
                for (int e = 0; e < 2; e++) {
                    float *x = &s[j][half * 2 + e];
                    long long key = j0 + j * 8 + me.t + e;
                    *x = key <= last[half] && key < keys.count ? *x * p.scale : -INFINITY;
                    most[half] = fmaxf(most[half], *x);
                }
            }
            most[half] = quad_max(most[half]);
            float base = most[half] > -INFINITY ? most[half] : 0.0f;
            float shrink = k_exp(before - base);
#pragma unroll
            for (int j = 0; j < ROWS / 8; j++) {
#pragma unroll
                for (int e = 0; e < 2; e++) {
                    float *x = &s[j][half * 2 + e];
                    *x = k_exp(*x - base);
                    sum += *x;
                }
            }
            total[half] = total[half] * shrink + sum;
#pragma unroll
            for (int j = 0; j < WIDTH / 8; j++) {
                y[j][half * 2] *= shrink;
                y[j][half * 2 + 1] *= shrink;
            }
        }
        copy_wait();
        __syncthreads();
        weights_by_rows<WIDTH, ROWS>(y, s, k);
    }
    float sum[2] = {quad_sum(total[0]), quad_sum(total[1])};
    store_rows<WIDTH>(p.y, column, first, n, me, y, 1.0f / sum[0], 1.0f / sum[1]);
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int r = me.warp * 16 + me.g + half * 8;
        if (me.t == 0 && r < n) {
            row_of<float>(p.lse, first + r)[head] = most[half] + k_log(sum[half]);
        }
    }
}
DEFINE_KERNEL(attn_mma_64, it_cuda_attn) { attn_mma<64>(p); }
DEFINE_KERNEL(attn_mma_128, it_cuda_attn) { attn_mma<128>(p); }

/* ---- backward, queries: the same blocks; dq must be zero before ---- */

/* s and dp become scale p (dp - delta), 0 where a key is not seen. */
static __device__ __forceinline__ float back_weight(const it_cuda_attn &p, bool seen, float s,
                                                    float dp, float lse, float delta)
{
    return seen ? p.scale * k_exp(s * p.scale - lse) * (dp - delta) : 0.0f;
}

template <int WIDTH> static __device__ void attn_mma_dq(const it_cuda_attn &p)
{
    __shared__ __align__(16) unsigned short q[ROWS * (WIDTH + PAD)], k[ROWS * (WIDTH + PAD)];
    query_block block;
    if (!find_block(p, blockIdx.x, ROWS, &block)) { return; }
    const segment &g = block.g;
    place me = place_of();
    int head = blockIdx.y;
    long long column = (long long)head * WIDTH, first = g.query + block.first;
    long long kv_column = (long long)(head / (p.heads / p.kv_heads)) * WIDTH;
    int n = (int)(g.length - block.first < ROWS ? g.length - block.first : ROWS);
    segment_keys keys = {g.prefix + block.first + n, g.prefix_start, g.prefix, g.own};
    auto queries = [=](int i) { return first + i; };
    long long last[2];
    float lse[2], delta[2], dq[WIDTH / 8][4];
    clear<WIDTH / 8>(dq);
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int r = me.warp * 16 + me.g + half * 8;
        last[half] = r < n ? g.prefix + block.first + r : -1;
        lse[half] = r < n ? row_of<const float>(p.lse, first + r)[head] : 0.0f;
        delta[half] = r < n ? p.delta[(first + r) * p.heads + head] : 0.0f;
    }
    for (long long j0 = 0; j0 < keys.count; j0 += ROWS) {
        int here = (int)(keys.count - j0 < ROWS ? keys.count - j0 : ROWS);
        auto rows = [=](int i) { return keys.row(j0 + i); };
        float s[ROWS / 8][4], dp[ROWS / 8][4];
        clear<ROWS / 8>(s);
        clear<ROWS / 8>(dp);
        __syncthreads();
        load_rows<WIDTH>(q, p.dy, column, n, ROWS, queries);
        load_rows<WIDTH>(k, p.v, kv_column, here, ROWS, rows);
        copy_wait();
        __syncthreads();
        rows_by_rows<WIDTH, ROWS>(dp, q, k, me);
        __syncthreads();
        load_rows<WIDTH>(q, p.q, column, n, ROWS, queries);
        load_rows<WIDTH>(k, p.k, kv_column, here, ROWS, rows);
        copy_wait();
        __syncthreads();
        rows_by_rows<WIDTH, ROWS>(s, q, k, me);
#pragma unroll
        for (int j = 0; j < ROWS / 8; j++) {
#pragma unroll
            for (int e = 0; e < 4; e++) {
                int half = e / 2;
                long long key = j0 + j * 8 + me.t + e % 2;
                s[j][e] = back_weight(p, key <= last[half] && key < keys.count, s[j][e], dp[j][e],
                                      lse[half], delta[half]);
            }
        }
        weights_by_rows<WIDTH, ROWS>(dq, s, k);
    }
    store_rows<WIDTH>(p.dq, column, first, n, me, dq, 1.0f, 1.0f);
}
DEFINE_KERNEL(attn_mma_dq_64, it_cuda_attn) { attn_mma_dq<64>(p); }
DEFINE_KERNEL(attn_mma_dq_128, it_cuda_attn) { attn_mma_dq<128>(p); }

/* ---- backward, keys: a block 64 key rows and a key head ---- */

/* Queries at a time: sums of dk and dv leave room for no more. */
constexpr int QUERIES = 16;

struct key_sums {
    const it_cuda_attn &p;
    place me;
    long long key0;    /* the block's first key row */
    int kv_head;
    unsigned short *k, *v, *q, *dy;
};

/* What up to QUERIES queries from row r0 on of segment s add; last is behind the segment's last. */
template <int WIDTH>
static __device__ void add_queries(const key_sums &b, int s, int head, long long r0,
                                   long long last, float dk[WIDTH / 8][4], float dv[WIDTH / 8][4])
{
    const it_cuda_attn &p = b.p;
    const place &me = b.me;
    int n = (int)(last - r0 < QUERIES ? last - r0 : QUERIES);
    auto rows = [=](int i) { return r0 + i; };
    long long column = (long long)head * WIDTH;
    float w[QUERIES / 8][4], dp[QUERIES / 8][4];
    clear<QUERIES / 8>(w);
    clear<QUERIES / 8>(dp);
    __syncthreads();
    load_rows<WIDTH>(b.q, p.q, column, n, QUERIES, rows);
    load_rows<WIDTH>(b.dy, p.dy, column, n, QUERIES, rows);
    copy_wait(); /* the block's keys and values, too */
    __syncthreads();
    rows_by_rows<WIDTH, QUERIES>(w, b.k, b.q, me);
    rows_by_rows<WIDTH, QUERIES>(dp, b.v, b.dy, me);
    query_span span[2];
    bool sees[2];
#pragma unroll
    for (int half = 0; half < 2; half++) {
        long long key = b.key0 + me.warp * 16 + me.g + half * 8;
        sees[half] = key < p.key_rows && queries_of_key(p, s, key, &span[half]);
    }
#pragma unroll
    for (int j = 0; j < QUERIES / 8; j++) {
#pragma unroll
        for (int e = 0; e < 4; e++) {
            int half = e / 2, i = j * 8 + me.t + e % 2;
            long long r = r0 + i;
            bool seen = i < n && sees[half] && r >= span[half].first && r < span[half].last;
            float lse = seen ? row_of<const float>(p.lse, r)[head] : 0.0f;
            float delta = seen ? p.delta[r * p.heads + head] : 0.0f;
            float weight = seen ? k_exp(w[j][e] * p.scale - lse) : 0.0f;
            dp[j][e] = back_weight(p, seen, w[j][e], dp[j][e], lse, delta);
            w[j][e] = weight;
        }
    }
    weights_by_rows<WIDTH, QUERIES>(dv, w, b.dy);
    weights_by_rows<WIDTH, QUERIES>(dk, dp, b.q);
}

/* The query rows of segment s that see any of the key rows [key0, key0 + n). */
static __device__ __forceinline__ bool queries_of_keys(const it_cuda_attn &p, int s, long long key0,
                                                       int n, query_span *span)
{
    segment g = segment_at(p, s);
    if (!segment_fits(p, g)) { return false; }
    if (key0 < g.prefix_start + g.prefix && key0 + n > g.prefix_start) {
        *span = {g.query, g.query + g.length};
        return true;
    }
    if (key0 < g.own + g.length && key0 + n > g.own) {
        long long skip = key0 > g.own ? key0 - g.own : 0;
        *span = {g.query + skip, g.query + g.length};
        return true;
    }
    return false;
}

template <int WIDTH> static __device__ void attn_mma_dkv(const it_cuda_attn &p)
{
    __shared__ __align__(16) unsigned short k[ROWS * (WIDTH + PAD)], v[ROWS * (WIDTH + PAD)];
    __shared__ __align__(16) unsigned short q[QUERIES * (WIDTH + PAD)];
    __shared__ __align__(16) unsigned short dy[QUERIES * (WIDTH + PAD)];
    key_sums b = {p, place_of(), (long long)blockIdx.x * ROWS, (int)blockIdx.y, k, v, q, dy};
    int n = (int)(p.key_rows - b.key0 < ROWS ? p.key_rows - b.key0 : ROWS);
    int group = p.heads / p.kv_heads;
    long long kv_column = (long long)b.kv_head * WIDTH, key0 = b.key0;
    float dk[WIDTH / 8][4], dv[WIDTH / 8][4];
    clear<WIDTH / 8>(dk);
    clear<WIDTH / 8>(dv);
    load_rows<WIDTH>(k, p.k, kv_column, n, ROWS, [=](int i) { return key0 + i; });
    load_rows<WIDTH>(v, p.v, kv_column, n, ROWS, [=](int i) { return key0 + i; });
    for (int s = 0; s < p.segments; s++) {
        query_span span;
        if (!queries_of_keys(p, s, key0, n, &span)) { continue; }
        for (int head = b.kv_head * group; head < (b.kv_head + 1) * group; head++) {
            for (long long r = span.first; r < span.last; r += QUERIES) {
                add_queries<WIDTH>(b, s, head, r, span.last, dk, dv);
            }
        }
    }
    store_rows<WIDTH>(p.dk, kv_column, key0, n, b.me, dk, 1.0f, 1.0f);
    store_rows<WIDTH>(p.dv, kv_column, key0, n, b.me, dv, 1.0f, 1.0f);
}
DEFINE_KERNEL(attn_mma_dkv_64, it_cuda_attn) { attn_mma_dkv<64>(p); }
DEFINE_KERNEL(attn_mma_dkv_128, it_cuda_attn) { attn_mma_dkv<128>(p); }
