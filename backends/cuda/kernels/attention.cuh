/* SPDX-License-Identifier: MIT */
/* Which keys a query sees, and which queries a key: the rows of segs in ops.def. What leaves the
 * tensors is cut off: a kernel never touches memory that is not its own. */
#ifndef IT_CUDA_ATTENTION_CUH
#define IT_CUDA_ATTENTION_CUH

#include "backends/cuda/kernels/device.cuh"

struct segment {
    long long query, length, prefix_start, prefix, own;
};

static __device__ __forceinline__ segment segment_at(const it_cuda_attn &p, int s)
{
    const int *row = row_of<const int>(p.segs, s);
    return {row[0], row[1], row[2], row[3], row[4]};
}

static __device__ __forceinline__ bool segment_fits(const it_cuda_attn &p, const segment &g)
{
    return g.length > 0 && g.query >= 0 && g.query + g.length <= p.rows && g.own >= 0 &&
           g.own + g.length <= p.key_rows && g.prefix >= 0 &&
           (g.prefix == 0 || (g.prefix_start >= 0 && g.prefix_start + g.prefix <= p.key_rows));
}

struct segment_keys {
    long long count, prefix_start, prefix, own;
    __device__ __forceinline__ long long row(long long j) const
    {
        return j < prefix ? prefix_start + j : own + j - prefix;
    }
};

struct paged_keys {
    long long count;
    const int *table;
    int page;
    long long rows;
    __device__ __forceinline__ long long row(long long j) const
    {
        long long r = (long long)table[j / page] * page + j % page;
        return r >= 0 && r < rows ? r : 0;
    }
};

/* Where key j of a head begins, and its value; `column` is the key head's first. */
template <class T, class Keys>
static __device__ __forceinline__ const T *key_at(const it_cuda_attn &p, const Keys &keys,
                                                  long long j, long long column)
{
    return row_of<const T>(p.k, keys.row(j)) + column;
}

template <class T, class Keys>
static __device__ __forceinline__ const T *value_at(const it_cuda_attn &p, const Keys &keys,
                                                    long long j, long long column)
{
    return row_of<const T>(p.v, keys.row(j)) + column;
}

/* The keys of query row r; false when it is in no segment. All lanes of a warp ask together. */
static __device__ __forceinline__ bool find_segment(const it_cuda_attn &p, long long r,
                                                    segment_keys *keys)
{
    int lane = threadIdx.x % WARP;
    for (int first = 0; first < p.segments; first += WARP) {
        bool mine = false;
        if (first + lane < p.segments) {
            segment g = segment_at(p, first + lane);
            mine = segment_fits(p, g) && r >= g.query && r < g.query + g.length;
        }
        unsigned votes = __ballot_sync(ALL_LANES, mine);
        if (!votes) { continue; }
        segment g = segment_at(p, first + __ffs((int)votes) - 1);
        *keys = {g.prefix + r - g.query + 1, g.prefix_start, g.prefix, g.own};
        return true;
    }
    return false;
}

/* Query block number `block` counts the blocks of ROWS queries of each segment in turn; false when
 * there are not as many. All threads ask together. */
struct query_block {
    segment g;
    long long first; /* of the segment's queries */
};

static __device__ __forceinline__ bool find_block(const it_cuda_attn &p, long long block, int rows,
                                                  query_block *out)
{
    for (int s = 0; s < p.segments; s++) {
        segment g = segment_at(p, s);
        long long blocks = segment_fits(p, g) ? (g.length + rows - 1) / rows : 0;
        if (block < blocks) {
            *out = {g, block * rows};
            return true;
        }
        block -= blocks;
    }
    return false;
}

struct query_span {
    long long first, last;
};

/* The query rows of segment s that see a key row. */
static __device__ __forceinline__ bool queries_of_key(const it_cuda_attn &p, int s, long long key,
                                                      query_span *span)
{
    segment g = segment_at(p, s);
    if (!segment_fits(p, g)) { return false; }
    long long in_prefix = key - g.prefix_start, in_own = key - g.own;
    if (in_prefix >= 0 && in_prefix < g.prefix) {
        *span = {g.query, g.query + g.length};
        return true;
    }
    if (in_own >= 0 && in_own < g.length) {
        *span = {g.query + in_own, g.query + g.length};
        return true;
    }
    return false;
}

#endif
