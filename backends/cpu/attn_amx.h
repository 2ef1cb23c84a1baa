/* SPDX-License-Identifier: MIT */
/* Attention of bf16 on AMX tiles: what forward (attn_amx.c) and backward (attn_amx_bwd.c) share. To
 * be included after tiles_amx.h.
 *
 * Rows are pairs of a query and one of the heads that share a key head: row r of a task is its
 * query r / group, head r % group. Scores are made turned, [keys][rows], so that a lane is a row:
 * softmax then runs down the lanes, and its weights, two keys to a word, are an operand as they
 * come out. */
#ifndef IT_CPU_ATTN_AMX_H
#define IT_CPU_ATTN_AMX_H

#include "backends/cpu/cpu.h"
#include "core/base/log.h"

enum {
    KEYS = 256,       /* of a block; blocks are counted from the start of the sequence */
    MOST_WIDTH = 256, /* of a head */
    MOST_ROWS = 512,  /* of a task */
    KEY_STEPS = KEYS / STEP,
    HALF = KEYS * LINE,   /* bytes of scores of a block with 16 rows */
    SUMS_LINE = 2 * LINE, /* bytes of 32 sums */
    MOST_STEPS = MOST_WIDTH / STEP,
};

#define LOG2_E 1.44269504f
#define LN_2   0.693147182f

/* Keys and values of one sequence, by position. */
struct keys {
    const struct it_tensor *k, *v;
    int64_t column;                          /* of the key head */
    int64_t prefix, prefix_start, own_start; /* a segment of packed rows, */
    const int32_t *pages;                    /* or, when not NULL, pages of the cache */
    int64_t page;
};

/* Rows of t, k or v, for positions [j, j + n) of a panel; others get an address all the same. */
static inline void key_lines(const struct keys *s, const struct it_tensor *t, int64_t j, int n,
                             const char *lines_out[PANEL])
{
    int64_t stride = t->stride[0] * 2, page = s->pages ? j / s->page : 0;
    int64_t left = s->pages ? 0 : j < s->prefix ? s->prefix - j : INT64_MAX; /* in one run */
    int64_t row = s->pages ? 0 : j < s->prefix ? s->prefix_start + j : s->own_start + j - s->prefix;
    if (s->pages) {
        left = s->page - j % s->page;
        row = s->pages[page] * s->page + j % s->page;
    }
    const char *line = element(t, row, s->column);
    for (int i = 0; i < PANEL; i++, line += stride, left--) {
        if (i < n && left == 0) {
            left = s->pages ? s->page : INT64_MAX;
            line = element(t, s->pages ? s->pages[++page] * s->page : s->own_start, s->column);
        }
        lines_out[i] = i < n ? line : lines_out[0];
    }
}

struct attention {
    struct it_device *device;
    const struct it_args *args;
    const struct it_tensor *q, *k, *v, *segs; /* segs: not of attn_decode */
    int64_t kv_heads, group, width;
    int64_t steps; /* of 32 in a head's width */
    float scale;
    int64_t grain; /* queries of a segment that one task takes */
};

static inline struct attention attention_of(struct it_device *device, const struct it_args *args,
                                            const struct it_tensor *q)
{
    struct attention a = {.device = device, .args = args, .q = q, .k = q + 1, .v = q + 2};
    a.kv_heads = args->i[1];
    a.group = args->i[0] / args->i[1];
    a.width = q->shape[1] / args->i[0];
    a.steps = parts(a.width, STEP);
    a.scale = (float)args->f[0];
    return a;
}

/* Tensors first..last are bf16, and heads fit. What stands here of shapes is the same for attn and
 * attn_decode, which must agree to the bit. */
static inline bool suits_tiles(const struct it_args *args, int first, int last,
                               const struct attention *a)
{
    for (int k = first; k <= last; k++) {
        if (args->t[k].dtype != IT_BF16) { return false; }
    }
    return a->width <= MOST_WIDTH && a->group <= MOST_ROWS;
}

/* Columns of a step of the head's width that exist. */
static inline __mmask32 columns_of(const struct attention *a, int64_t step)
{
    int64_t left = a->width - step * STEP;
    return left >= STEP ? ~0u : (1u << left) - 1u;
}

/* Consecutive queries for the heads of one key head. */
struct queries {
    int64_t first, kv;     /* row of q, key head */
    int64_t count, length; /* query i sees length + i keys */
    int rows;
    int32_t query[MOST_ROWS]; /* of each row; the last one's for those that fill up a panel */
};

static inline void set_queries(const struct attention *a, struct queries *q, int64_t first,
                               int64_t count, int64_t kv, int64_t length)
{
    q->first = first;
    q->count = count;
    q->kv = kv;
    q->length = length;
    q->rows = (int)(count * a->group);
    int r = 0;
    for (int64_t i = 0; i < count; i++) {
        for (int64_t h = 0; h < a->group; h++) { q->query[r++] = (int32_t)i; }
    }
    for (; r % PANEL; r++) { q->query[r] = (int32_t)count - 1; }
}

/* Keys that row r sees. */
static inline int64_t length_of(const struct queries *q, int r)
{
    return q->length + q->query[r];
}
static inline int last_of(const struct queries *q, int first) /* row of the panel from `first` on */
{
    return first + PANEL < q->rows ? first + PANEL - 1 : q->rows - 1;
}

/* Row r's elements in a tensor as wide as q. */
static inline char *row_in(const struct attention *a, const struct queries *q,
                           const struct it_tensor *t, int r)
{
    int64_t i = q->query[r];
    return row_of(t, q->first + i) + (q->kv * a->group + r - i * a->group) * a->width * 2;
}
static inline void row_lines(const struct attention *a, const struct queries *q,
                             const struct it_tensor *t, int first, const char *lines_out[PANEL])
{
    int last = last_of(q, first);
    for (int i = 0; i < PANEL; i++) {
        lines_out[i] = first + i <= last ? row_in(a, q, t, first + i) : lines_out[0];
    }
}

/* Panels of rows of t as right operands along the head's width. */
static inline void pack_queries(const struct attention *a, const struct queries *q,
                                const struct it_tensor *t, char *to)
{
    const char *lines[PANEL];
    for (int r = 0; r < q->rows; r += PANEL) {
        row_lines(a, q, t, r, lines);
        for (int64_t s = 0; s < a->steps; s++, to += PAIR) {
            pack_step(to, lines, q->rows - r, s * STEP, columns_of(a, s), true);
        }
    }
}

/* Panels of n keys from position j on as left operands along the head's width. */
static inline void pack_keys(const struct attention *a, const struct keys *s,
                             const struct it_tensor *t, int64_t j, int n, char *to)
{
    const char *lines[PANEL];
    for (int i = 0; i < n; i += PANEL) {
        int some = at_most(n - i, PANEL);
        key_lines(s, t, j + i, some, lines);
        for (int64_t step = 0; step < a->steps; step++, to += PAIR) {
            pack_step(to, lines, some, step * STEP, columns_of(a, step), false);
        }
    }
}

/* Are there infinities or NaNs among numbers whose sizes pack_step_across gave? */
static inline bool is_tainted(__m512i sizes)
{
    return _mm512_cmpge_epu16_mask(sizes, _mm512_set1_epi16(0x7f80)) != 0;
}

/* A step of 32 keys, n of them there, as left operands along the keys: [steps of the width] pairs
 * `stride` bytes apart. Returns whether any number is infinite or none. */
static inline bool pack_turned_step(const struct attention *a, const struct keys *s,
                                    const struct it_tensor *t, int64_t j, int n, char *to,
                                    int64_t stride)
{
    const char *lines[PANEL];
    __m512i sizes = _mm512_setzero_si512();
    key_lines(s, t, j, n, lines);
    for (int64_t step = 0; step < a->steps; step++, to += stride) {
        __m512i more =
            pack_step_across(to, lines, n, step * STEP, columns_of(a, step), ACROSS_LEFT);
        sizes = _mm512_max_epu16(sizes, more);
    }
    return is_tainted(sizes);
}

/* Keys of a block, turned: panels of the head's width, KEY_STEPS steps each. */
struct turned {
    char *panels;
    bool tainted[KEY_STEPS];
};
static inline void pack_turned(const struct attention *a, const struct keys *s,
                               const struct it_tensor *t, int64_t j, int n, struct turned *to)
{
    for (int i = 0; i < n; i += STEP) {
        to->tainted[i / STEP] = pack_turned_step(a, s, t, j + i, at_most(n - i, STEP),
                                                 to->panels + i / STEP * PAIR, KEY_STEPS * PAIR);
    }
}

/* Two tiles of sums by one or two: c, rows `stride` bytes apart, the tile beside it at c + across
 * and the one below at c + 16 stride, (+)= left right over `steps` steps. */
struct operand {
    const char *at;
    int64_t step, tile; /* bytes to the next one */
};
static inline __attribute__((always_inline)) void multiply_by(int rt, struct operand left,
                                                              struct operand right, int64_t steps,
                                                              char *c, size_t stride,
                                                              int64_t across, bool onto)
{
    char *below = c + 16 * stride;
    if (onto) {
        _tile_loadd(0, c, stride);
        _tile_loadd(2, below, stride);
        if (rt > 1) {
            _tile_loadd(1, c + across, stride);
            _tile_loadd(3, below + across, stride);
        }
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    for (int64_t s = 0; s < steps; s++, left.at += left.step, right.at += right.step) {
        _tile_loadd(4, left.at, LINE);
        _tile_loadd(6, right.at, LINE);
        _tile_dpbf16ps(0, 4, 6);
        _tile_loadd(5, left.at + left.tile, LINE);
        _tile_dpbf16ps(2, 5, 6);
        if (rt > 1) {
            _tile_loadd(7, right.at + right.tile, LINE);
            _tile_dpbf16ps(1, 4, 7);
            _tile_dpbf16ps(3, 5, 7);
        }
    }
    _tile_stored(0, c, stride);
    _tile_stored(2, below, stride);
    if (rt > 1) {
        _tile_stored(1, c + across, stride);
        _tile_stored(3, below + across, stride);
    }
}
static inline void multiply(int rt, struct operand left, struct operand right, int64_t steps,
                            char *c, size_t stride, int64_t across, bool onto)
{
    if (rt > 1) {
        multiply_by(2, left, right, steps, c, stride, across, onto);
    } else {
        multiply_by(1, left, right, steps, c, stride, across, onto);
    }
}

/* scores[half][key][16] of a panel of rows with n keys, packed */
static inline void make_scores(const struct attention *a, const char *keys, int n,
                               const char *queries, int rt, char *scores)
{
    for (int j = 0; j < n; j += PANEL, keys += a->steps * PAIR) {
        struct operand left = {keys, PAIR, TILE}, right = {queries, PAIR, TILE};
        multiply(rt, left, right, a->steps, scores + j * LINE, LINE, HALF, false);
    }
}

/* sums[width][32 rows] (+)= turned keys times weights[half][pair of keys][16]: n keys from position
 * j on, each row's beyond its length of weight zero. */
void it_amx_add_weighted(const struct attention *a, const struct queries *q, int first,
                         const struct keys *s, const struct it_tensor *t,
                         const struct turned *turned, int64_t j, int n, const char *weights,
                         char *sums, bool onto);

/* A panel's sums, turned back, times factor (a row each) into its rows of t. */
void it_amx_put_sums(const struct attention *a, const struct queries *q, int first,
                     const char *sums, const float *factor, const struct it_tensor *t);

/* 2^x to 2 in ten million: x = n + r, a polynomial in r that is 1 at 0, found by interpolation of
 * (2^r - 1) / r at the Chebyshev nodes of [-1/2, 1/2]. Below -126 nothing is left; a NaN stays. */
static inline vf v_exp2(vf x, __mmask16 keep)
{
    vf n = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), r = x - n;
    vf p = v_set(0.00133813021f);
    p = v_fma(p, r, v_set(0.00966636837f));
    p = v_fma(p, r, v_set(0.0555038117f));
    p = v_fma(p, r, v_set(0.240223497f));
    p = v_fma(p, r, v_set(0.693147182f));
    p = v_fma(p, r, v_set(1.0f));
    keep = _mm512_mask_cmp_ps_mask(keep, x, v_set(-126.0f), _CMP_NLT_UQ);
    return _mm512_maskz_scalef_ps(keep, p, n);
}

/* Two rows of weights, of keys 2i and 2i + 1, as words of two. */
static inline __m512i v_pair(vf even, vf odd)
{
    static const uint16_t order[32] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                       21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                       11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    return _mm512_permutexvar_epi16(_mm512_loadu_si512(order),
                                    (__m512i)_mm512_cvtne2ps_pbh(odd, even));
}

/* How many of a block's keys, from position j on, each of 16 rows sees, and those that all see. */
struct sight {
    __m512i seen;
    int common; /* even, of [0, n] */
};
static inline struct sight sight_of(const struct queries *q, int first, int64_t j, int n)
{
    int64_t seen = q->length - j; /* of query 0 */
    int limit = seen > 2 * KEYS ? 2 * KEYS : seen < -MOST_ROWS ? -MOST_ROWS : (int)seen;
    struct sight sight;
    sight.seen = _mm512_add_epi32(_mm512_loadu_si512(q->query + first), _mm512_set1_epi32(limit));
    int common = limit + q->query[first];
    sight.common = common < 0 ? 0 : at_most(common, n) & ~1;
    return sight;
}
static inline __mmask16 sees(struct sight sight, int key)
{
    return _mm512_cmpgt_epi32_mask(sight.seen, _mm512_set1_epi32(key));
}

/* A row of sums of mixed columns, times factor, to bf16. What filled up its last step may have
 * given a sum of zero another sign: 0 + -0 is 0. */
static inline void put_mixed(char *to, const float *sums, int64_t width, float factor)
{
    for (int64_t c = 0; c < width; c += 2 * VW) {
        vf low = v_load(sums + c) * v_set(factor) + v_set(0);
        vf high = v_load(sums + c + VW) * v_set(factor) + v_set(0);
        v_unmix(&low, &high);
        put_n(to, c, low, at_most(width - c, VW), true);
        if (width - c > VW) { put_n(to, c + VW, high, at_most(width - c - VW, VW), true); }
    }
}

/* ---- softmax, of the forward pass ---- */

/* Of each row so far. */
struct running {
    float most[MOST_ROWS]; /* in powers of two */
    float sum[MOST_ROWS];
};

static inline vf largest_of(const float *s, int n, struct sight sight, vf factor, vf most)
{
    vf a = most, b = most, c = most, d = most;
    int j = 0;
    for (; j + 4 <= sight.common; j += 4) {
        a = v_max(a, v_load(s + j * VW) * factor);
        b = v_max(b, v_load(s + (j + 1) * VW) * factor);
        c = v_max(c, v_load(s + (j + 2) * VW) * factor);
        d = v_max(d, v_load(s + (j + 3) * VW) * factor);
    }
    for (; j < n; j++) {
        a = _mm512_mask_max_ps(a, sees(sight, j), a, v_load(s + j * VW) * factor);
    }
    return v_max(v_max(a, b), v_max(c, d));
}

/* Scores [n][16] of 16 rows, n even, to weights [n / 2][16] in pairs, in place. Returns what the
 * rows' sums so far are to be multiplied by. */
static inline vf soften(float *s, int n, struct sight sight, vf factor, float *most_io,
                        float *sum_io)
{
    vf before = v_load(most_io), most = largest_of(s, n, sight, factor, before);
    /* a row of scores of minus infinity alone */
    vf top = v_select(_mm512_cmp_ps_mask(most, v_set(-INFINITY), _CMP_EQ_OQ), v_set(0), most);
    vf rescale = v_exp2(before - top, 0xffff), low = v_set(0) - top, even = v_set(0), odd = even;
    __m512i *to = (void *)s;
    int j = 0;
    for (; j < sight.common; j += 2) {
        vf p = v_exp2(v_fma(v_load(s + j * VW), factor, low), 0xffff);
        vf r = v_exp2(v_fma(v_load(s + (j + 1) * VW), factor, low), 0xffff);
        even = even + p;
        odd = odd + r;
        _mm512_store_si512(to + j / 2, v_pair(p, r));
    }
    for (; j < n; j += 2) {
        vf p = v_exp2(v_fma(v_load(s + j * VW), factor, low), sees(sight, j));
        vf r = v_exp2(v_fma(v_load(s + (j + 1) * VW), factor, low), sees(sight, j + 1));
        even = even + p;
        odd = odd + r;
        _mm512_store_si512(to + j / 2, v_pair(p, r));
    }
    v_store(most_io, most);
    v_store(sum_io, v_fma(v_load(sum_io), rescale, even + odd));
    return rescale;
}

/* ---- tasks: (segment, block of queries, key head), the last fastest: neighbours share keys
 * ---- */

struct segment {
    int64_t query, queries, prefix_start, prefix, own;
};
static inline struct segment segment_at(const struct it_tensor *segs, int64_t index)
{
    const int32_t *row = (const void *)row_at(segs, index);
    return (struct segment){row[0], row[1], row[2], row[3], row[4]};
}

static inline struct keys keys_of(const struct attention *a, const struct segment *g, int64_t kv)
{
    return (struct keys){
        .k = a->k,
        .v = a->v,
        .column = kv * a->width,
        .prefix = g->prefix,
        .prefix_start = g->prefix_start,
        .own_start = g->own,
    };
}

enum it_status it_amx_check_segments(const char *op, const struct attention *a);

/* Calls work for each block of queries of all segments, on the threads of the pool. */
typedef void it_amx_work(void *context, const struct queries *q, const struct keys *s,
                         char *scratch);
void it_amx_for_queries(struct attention *a, it_amx_work *work, void *context);

#endif
