/* SPDX-License-Identifier: MIT */
/* attn and attn_decode, exact: a warp a query and head. Keys are walked in blocks of WARP from the
 * start of the sequence, whichever rows they lie in, so that a decode step is equal to the bit to
 * the last row of a long one, and a shared prefix to one that is not. */
#include "backends/cuda/kernels/attn_step.cuh"

/* A head's columns are spread over the lanes: column lane + WARP i is `part[i]`. */
enum { PARTS = 8 };

template <class T>
static __device__ __forceinline__ void load_parts(float part[PARTS], const T *at, int lane,
                                                  int width)
{
#pragma unroll
    for (int i = 0; i < PARTS; i++) {
        int c = lane + WARP * i;
        part[i] = c < width ? get(at + c) : 0.0f;
    }
}

static __device__ __forceinline__ float dot_parts(const float a[PARTS], const float b[PARTS],
                                                  int width)
{
    float sum = 0.0f;
#pragma unroll
    for (int i = 0; i < PARTS; i++) {
        if (WARP * i < width) { sum = fmaf(a[i], b[i], sum); }
    }
    return warp_sum(sum);
}

/* The softmax of one query over its keys; returns the logsumexp. */
template <class T, class Keys>
static __device__ float attend(const it_cuda_attn &p, const T *q, int kv_head, const Keys &keys,
                               T *y)
{
    int lane = threadIdx.x % WARP, width = p.width;
    float query[PARTS], sum[PARTS] = {}, other[PARTS];
    float most = -INFINITY, total = 0.0f;
    load_parts(query, q, lane, width);
    for (long long first = 0; first < keys.count; first += WARP) {
        long long left = keys.count - first;
        int n = left < WARP ? (int)left : WARP;
        float mine = -INFINITY;
        for (int j = 0; j < n; j++) {
            const T *k = key_at<T>(p, keys, first + j, (long long)kv_head * width);
            load_parts(other, k, lane, width);
            float score = p.scale * dot_parts(query, other, width);
            if (j == lane) { mine = score; }
        }
        float before = most;
        most = fmaxf(most, warp_max(mine));
        float shrink = k_exp(before - most), weight = lane < n ? k_exp(mine - most) : 0.0f;
        total = total * shrink + warp_sum(weight);
#pragma unroll
        for (int i = 0; i < PARTS; i++) { sum[i] *= shrink; }
        for (int j = 0; j < n; j++) {
            const T *v = value_at<T>(p, keys, first + j, (long long)kv_head * width);
            float w = __shfl_sync(ALL_LANES, weight, j);
            load_parts(other, v, lane, width);
#pragma unroll
            for (int i = 0; i < PARTS; i++) { sum[i] = fmaf(w, other[i], sum[i]); }
        }
    }
#pragma unroll
    for (int i = 0; i < PARTS; i++) {
        int c = lane + WARP * i;
        if (c < width) { put(y + c, keys.count > 0 ? sum[i] / total : 0.0f); }
    }
    return most + k_log(total);
}

template <class T> static __device__ void attn(const it_cuda_attn &p)
{
    long long warp = ((long long)blockIdx.x * blockDim.x + threadIdx.x) / WARP;
    long long r = warp / p.heads;
    int head = (int)(warp % p.heads), lane = threadIdx.x % WARP;
    if (r >= p.rows) { return; }
    segment_keys keys;
    if (!find_segment(p, r, &keys)) { return; }
    float lse = attend(p, row_of<const T>(p.q, r) + (long long)head * p.width,
                       head / (p.heads / p.kv_heads), keys,
                       row_of<T>(p.y, r) + (long long)head * p.width);
    if (lane == 0) { row_of<float>(p.lse, r)[head] = lse; }
}
DEFINE_TYPED(attn, it_cuda_attn)

template <class T> static __device__ void attn_decode(const it_cuda_attn &p)
{
    long long warp = ((long long)blockIdx.x * blockDim.x + threadIdx.x) / WARP;
    long long r = warp / p.heads;
    int head = (int)(warp % p.heads);
    if (r >= p.rows) { return; }
    long long most = (long long)p.pages * p.page;
    long long count = p.length[r] < most ? p.length[r] : most;
    paged_keys keys = {count, row_of<const int>(p.table, r), p.page, p.key_rows};
    attend(p, row_of<const T>(p.q, r) + (long long)head * p.width, head / (p.heads / p.kv_heads),
           keys, row_of<T>(p.y, r) + (long long)head * p.width);
}
DEFINE_TYPED(attn_decode, it_cuda_attn)

enum { STEP_WARPS = 4 };
template <class T> struct step_heads {
    T q[STEP_WARPS][PARTS * WARP], k[STEP_WARPS][PARTS * WARP];
};

/* A warp makes its own query and key; the first of a group writes key and value to the cache. */
template <class T>
static __device__ void attn_step_block(const it_cuda_attn &p, long long block,
                                       step_heads<T> *turned)
{
    long long warp = (block * blockDim.x + threadIdx.x) / WARP;
    long long r = warp / p.heads, most = (long long)p.pages * p.page;
    int head = (int)(warp % p.heads), group = p.heads / p.kv_heads, kv_head = head / group;
    if (r >= p.rows) { return; }
    T *q = turned->q[threadIdx.x / WARP], *k = turned->k[threadIdx.x / WARP];
    const T *v = step_value<T>(p, r, kv_head);
    step_head<T>(p, r, head, q);
    step_head<T>(p, r, p.heads + kv_head, k);
    __syncwarp();
    long long to = step_written(p, r), column = (long long)kv_head * p.width;
    for (int c = threadIdx.x % WARP; to >= 0 && head % group == 0 && c < p.width; c += WARP) {
        row_of<T>(p.k, to)[column + c] = k[c];
        row_of<T>(p.v, to)[column + c] = v[c];
    }
    long long count = p.length[r] < most ? p.length[r] : most;
    step_keys<T> keys = {{count, row_of<const int>(p.table, r), p.page, p.key_rows}, to, k, v};
    attend(p, (const T *)q, kv_head, keys, row_of<T>(p.y, r) + (long long)head * p.width);
}

template <class T> static __device__ void attn_step(const it_cuda_attn_step &p)
{
    constexpr int HEADS_BYTES = (int)sizeof(step_heads<T>);
    constexpr int PRODUCT_BYTES = stream::tile<T, IT_CUDA_STEP_COLUMNS>::BYTES;
    constexpr int BYTES = HEADS_BYTES > PRODUCT_BYTES ? HEADS_BYTES : PRODUCT_BYTES;
    __shared__ __align__(16) unsigned char memory[BYTES];
    step_blocks<T>(p, memory, [&](long long block) {
        attn_step_block<T>(p.attn, block, (step_heads<T> *)memory);
    });
}
DEFINE_TYPED(attn_step, it_cuda_attn_step)

/* ---- backward ---- */

/* delta = dy . y, once for all keys */
template <class T> static __device__ void attn_delta(const it_cuda_attn &p)
{
    long long warp = ((long long)blockIdx.x * blockDim.x + threadIdx.x) / WARP;
    long long r = warp / p.heads;
    int head = (int)(warp % p.heads), lane = threadIdx.x % WARP;
    if (r >= p.rows) { return; }
    float a[PARTS], b[PARTS];
    load_parts(a, row_of<const T>(p.dy, r) + (long long)head * p.width, lane, p.width);
    load_parts(b, row_of<const T>(p.y, r) + (long long)head * p.width, lane, p.width);
    float delta = dot_parts(a, b, p.width);
    if (lane == 0) { p.delta[r * p.heads + head] = delta; }
}
DEFINE_TYPED(attn_delta, it_cuda_attn)

/* dq = scale sum_j p_j (dy . v_j - delta) k_j; rows in no segment get zeros */
template <class T> static __device__ void attn_dq(const it_cuda_attn &p)
{
    long long warp = ((long long)blockIdx.x * blockDim.x + threadIdx.x) / WARP;
    long long r = warp / p.heads;
    int head = (int)(warp % p.heads), lane = threadIdx.x % WARP, width = p.width;
    if (r >= p.rows) { return; }
    segment_keys keys;
    if (!find_segment(p, r, &keys)) { keys.count = 0; }
    long long column = (long long)head * width;
    long long kv_column = (long long)(head / (p.heads / p.kv_heads)) * width;
    float q[PARTS], dy[PARTS], k[PARTS], v[PARTS], sum[PARTS] = {};
    load_parts(q, row_of<const T>(p.q, r) + column, lane, width);
    load_parts(dy, row_of<const T>(p.dy, r) + column, lane, width);
    float lse = keys.count ? row_of<const float>(p.lse, r)[head] : 0.0f;
    float delta = p.delta[r * p.heads + head];
    for (long long j = 0; j < keys.count; j++) {
        long long key = keys.row(j);
        load_parts(k, row_of<const T>(p.k, key) + kv_column, lane, width);
        load_parts(v, row_of<const T>(p.v, key) + kv_column, lane, width);
        float weight = k_exp(p.scale * dot_parts(q, k, width) - lse);
        float ds = p.scale * weight * (dot_parts(dy, v, width) - delta);
#pragma unroll
        for (int i = 0; i < PARTS; i++) { sum[i] = fmaf(ds, k[i], sum[i]); }
    }
    T *dq = row_of<T>(p.dq, r) + column;
#pragma unroll
    for (int i = 0; i < PARTS; i++) {
        if (lane + WARP * i < width) { put(dq + lane + WARP * i, sum[i]); }
    }
}
DEFINE_TYPED(attn_dq, it_cuda_attn)

/* dk and dv of one key and key head: its queries in the order of segments, rows and heads */
template <class T> static __device__ void attn_dkv(const it_cuda_attn &p)
{
    long long warp = ((long long)blockIdx.x * blockDim.x + threadIdx.x) / WARP;
    long long key = warp / p.kv_heads;
    int kv_head = (int)(warp % p.kv_heads), lane = threadIdx.x % WARP, width = p.width;
    int group = p.heads / p.kv_heads;
    if (key >= p.key_rows) { return; }
    long long kv_column = (long long)kv_head * width;
    float q[PARTS], dy[PARTS], k[PARTS], v[PARTS], dk[PARTS] = {}, dv[PARTS] = {};
    load_parts(k, row_of<const T>(p.k, key) + kv_column, lane, width);
    load_parts(v, row_of<const T>(p.v, key) + kv_column, lane, width);
    for (int s = 0; s < p.segments; s++) {
        query_span span;
        if (!queries_of_key(p, s, key, &span)) { continue; }
        for (long long r = span.first; r < span.last; r++) {
            for (int head = kv_head * group; head < (kv_head + 1) * group; head++) {
                long long column = (long long)head * width;
                load_parts(q, row_of<const T>(p.q, r) + column, lane, width);
                load_parts(dy, row_of<const T>(p.dy, r) + column, lane, width);
                float lse = row_of<const float>(p.lse, r)[head];
                float weight = k_exp(p.scale * dot_parts(q, k, width) - lse);
                float ds = p.scale * weight *
                           (dot_parts(dy, v, width) - p.delta[r * p.heads + head]);
#pragma unroll
                for (int i = 0; i < PARTS; i++) {
                    dk[i] = fmaf(ds, q[i], dk[i]);
                    dv[i] = fmaf(weight, dy[i], dv[i]);
                }
            }
        }
    }
    T *to_k = row_of<T>(p.dk, key) + kv_column, *to_v = row_of<T>(p.dv, key) + kv_column;
#pragma unroll
    for (int i = 0; i < PARTS; i++) {
        int c = lane + WARP * i;
        if (c < width) {
            put(to_k + c, dk[i]);
            put(to_v + c, dv[i]);
        }
    }
}
DEFINE_TYPED(attn_dkv, it_cuda_attn)
