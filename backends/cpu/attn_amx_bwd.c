/* SPDX-License-Identifier: MIT */
/* attn_bwd of bf16 on AMX tiles. With p = exp(scale q.k - lse), dp = dy . v, D = dy . y and
 * ds = p (dp - D):
 *     dq = scale sum over keys of ds k
 *     dk = scale sum over rows of ds q
 *     dv = sum over rows of p dy
 * p and ds are rounded to bf16, sums are f32. Two passes, so that no two threads add into one
 * place: the first owns queries, the second owns rows of keys and walks all segments that use them,
 * in their order. Each computes p and ds anew, in the chains of the forward pass (attn_amx.c). */
#include <math.h>
#include <string.h>

#include "backends/cpu/cpu.h"
#include "backends/cpu/kernels_amx.h"
#include "backends/cpu/simd_avx512.h"
#include "core/tensor/kmath.h"

#include "backends/cpu/vector.inc.c"

#include "backends/cpu/tiles_amx.h"

#include "backends/cpu/attn_amx.h"

enum {
    MEETING = 256, /* rows that the second pass takes at once, but for wider groups */
    MOST_MEET = MOST_ROWS / STEP,
    NEVER = INT32_MAX,                    /* the position of a key that a segment does not use */
    OPERAND = MOST_ROWS * MOST_WIDTH * 2, /* bytes of rows of q or dy, packed */
    KEYS_OPERAND = KEYS * MOST_WIDTH * 2
};

/* Scratch of the first pass, in bytes. */
enum {
    QUERIES_AT = 0, /* q and dy, turned */
    SLOPES_AT = QUERIES_AT + OPERAND,
    KEYS_AT = SLOPES_AT + OPERAND, /* rows of k and v */
    VALUES_AT = KEYS_AT + KEYS_OPERAND,
    TURNED_AT = VALUES_AT + KEYS_OPERAND, /* k, turned */
    SCORES_AT = TURNED_AT + KEYS_OPERAND, /* [2][KEYS][16]: scores, then ds; dy . v */
    PROJECTED_AT = SCORES_AT + 2 * HALF,
    SUMS_AT = PROJECTED_AT + 2 * HALF,
    END_AT = SUMS_AT + MOST_ROWS * MOST_WIDTH * 4
};
/* Of the second, which holds keys and values where the first does. */
enum {
    ACROSS_Q_AT = VALUES_AT + KEYS_OPERAND, /* rows of q and dy as pairs along the head's width */
    ACROSS_DY_AT = ACROSS_Q_AT + OPERAND,
    SQUARES_AT = ACROSS_DY_AT + OPERAND, /* 32 x 32 scores, then dy . v */
    P_AT = SQUARES_AT + 4 * PAIR,        /* [2 x 16 keys][MOST_MEET] tiles of 32 rows */
    DS_AT = P_AT + 2 * MOST_MEET * TILE,
    DK_AT = DS_AT + 2 * MOST_MEET * TILE, /* sums [KEYS][width] */
    DV_AT = DK_AT + KEYS * MOST_WIDTH * 4,
    LAST_AT = DV_AT + KEYS * MOST_WIDTH * 4
};
_Static_assert((int)END_AT <= (int)IT_AMX_SCRATCH && (int)LAST_AT <= (int)IT_AMX_SCRATCH,
               "scratch");

struct backward {
    struct attention a;
    const struct it_tensor *dq, *dk, *dv, *dy, *y, *lse;
    int64_t keys; /* that a task of the second pass owns */
};

/* What rows need whichever keys they meet: lse in powers of two, and D. */
struct saved {
    float lse[MOST_ROWS], d[MOST_ROWS];
};

static float dot_rows(const char *x, const char *y, int64_t n)
{
    vf sum = v_set(0);
    for (int64_t c = 0; c < n; c += VW) {
        int left = at_most(n - c, VW);
        sum = v_fma(get_n(x, c, left, true), get_n(y, c, left, true), sum);
    }
    return v_sum(sum);
}

static void load_saved(const struct backward *b, const struct queries *q, struct saved *saved_out)
{
    const struct attention *a = &b->a;
    for (int r = 0; r < q->rows; r++) {
        const float *lse = (const void *)row_at(b->lse, q->first + q->query[r]);
        saved_out->lse[r] = lse[q->kv * a->group + r - q->query[r] * a->group] * LOG2_E;
        saved_out->d[r] = dot_rows(row_in(a, q, b->dy, r), row_in(a, q, b->y, r), a->width);
    }
    for (int r = q->rows; r % PANEL; r++) { /* those that fill up a panel weigh nothing */
        saved_out->lse[r] = INFINITY;
        saved_out->d[r] = 0;
    }
}

/* ---- the first pass: dq ---- */

/* Scores and dy.v [n][16] of 16 rows, n even, to ds [n / 2][16] in pairs, in place of scores. */
static void weigh(float *s, const float *dp, int n, struct sight sight, vf factor, const float *lse,
                  const float *d)
{
    vf low = v_set(0) - v_load(lse), mean = v_load(d);
    __m512i *to = (void *)s;
    for (int j = 0; j < n; j += 2) {
        __mmask16 even = 0xffff, odd = 0xffff;
        if (j >= sight.common) {
            even = sees(sight, j);
            odd = sees(sight, j + 1);
        }
        vf p = v_exp2(v_fma(v_load(s + j * VW), factor, low), even);
        vf r = v_exp2(v_fma(v_load(s + (j + 1) * VW), factor, low), odd);
        p = _mm512_maskz_mul_ps(even, p, v_load(dp + j * VW) - mean);
        r = _mm512_maskz_mul_ps(odd, r, v_load(dp + (j + 1) * VW) - mean);
        _mm512_store_si512(to + j / 2, v_pair(p, r));
    }
}

static void meet_keys(const struct backward *b, const struct queries *q, int first,
                      const struct keys *s, const struct turned *turned, const struct saved *saved,
                      int64_t j, int n, char *scratch)
{
    const struct attention *a = &b->a;
    char *scores = scratch + SCORES_AT, *projected = scratch + PROJECTED_AT;
    int rt = q->rows - first > 16 ? 2 : 1;
    int64_t at = first * a->steps * LINE;
    make_scores(a, scratch + KEYS_AT, n, scratch + QUERIES_AT + at, rt, scores);
    make_scores(a, scratch + VALUES_AT, n, scratch + SLOPES_AT + at, rt, projected);
    for (int half = 0; half < rt; half++) {
        int row = first + 16 * half;
        weigh((float *)(void *)(scores + half * HALF),
              (const float *)(const void *)(projected + half * HALF), (int)rounded(n, STEP),
              sight_of(q, row, j, n), v_set(a->scale * LOG2_E), saved->lse + row, saved->d + row);
    }
    it_amx_add_weighted(a, q, first, s, s->k, turned, j, n, scores,
                        scratch + SUMS_AT + first * a->steps * STEP * 4, j > 0);
}

static void query_work(void *context, const struct queries *q, const struct keys *s, char *scratch)
{
    const struct backward *b = context;
    const struct attention *a = &b->a;
    struct turned turned = {.panels = scratch + TURNED_AT};
    struct saved saved;
    float factor[PANEL];
    load_saved(b, q, &saved);
    pack_queries(a, q, a->q, scratch + QUERIES_AT);
    pack_queries(a, q, b->dy, scratch + SLOPES_AT);
    int64_t longest = length_of(q, q->rows - 1);
    for (int64_t j = 0; j < longest; j += KEYS) {
        int n = at_most(longest - j, KEYS);
        pack_keys(a, s, s->k, j, n, scratch + KEYS_AT);
        pack_keys(a, s, s->v, j, n, scratch + VALUES_AT);
        pack_turned(a, s, s->k, j, n, &turned);
        for (int r = 0; r < q->rows; r += PANEL) {
            int64_t seen = length_of(q, last_of(q, r)) - j;
            if (seen > 0) { meet_keys(b, q, r, s, &turned, &saved, j, at_most(seen, n), scratch); }
        }
    }
    for (int i = 0; i < PANEL; i++) { factor[i] = a->scale; }
    for (int r = 0; r < q->rows; r += PANEL) {
        it_amx_put_sums(a, q, r, scratch + SUMS_AT + r * a->steps * STEP * 4, factor, b->dq);
    }
}

/* ---- the second pass: dk and dv ---- */

/* Rows that keys meet at once. */
struct meeting {
    struct queries q;
    struct saved saved;
    bool tainted; /* with infinities or NaNs in q or dy */
};

/* Rows of t in pairs, as right operands along the rows: panels of the head's width. */
static bool pack_across(const struct attention *a, const struct queries *q,
                        const struct it_tensor *t, char *to)
{
    const char *lines[PANEL];
    __m512i sizes = _mm512_setzero_si512();
    for (int r = 0; r < q->rows; r += PANEL, to += PAIR) {
        row_lines(a, q, t, r, lines);
        for (int64_t c = 0; c < a->steps; c++) {
            __m512i more = pack_step_across(to + c * MOST_MEET * PAIR, lines, q->rows - r, c * STEP,
                                            columns_of(a, c), ACROSS_MIXED);
            sizes = _mm512_max_epu16(sizes, more);
        }
    }
    return is_tainted(sizes);
}

static void prepare(const struct backward *b, struct meeting *m, char *scratch)
{
    load_saved(b, &m->q, &m->saved);
    pack_queries(&b->a, &m->q, b->a.q, scratch + QUERIES_AT);
    pack_queries(&b->a, &m->q, b->dy, scratch + SLOPES_AT);
    bool q = pack_across(&b->a, &m->q, b->a.q, scratch + ACROSS_Q_AT);
    bool dy = pack_across(&b->a, &m->q, b->dy, scratch + ACROSS_DY_AT);
    m->tainted = q || dy;
}

/* Positions of 32 rows of keys in a segment. */
struct places {
    int32_t at[PANEL];
    int32_t least, most;
};

/* Rows first.. of k; those from `last` on are not the task's. */
static struct places places_of(const struct segment *g, int64_t first, int64_t last, bool prefix,
                               bool own)
{
    struct places p = {.least = NEVER, .most = 0};
    for (int i = 0; i < PANEL; i++) {
        int64_t row = first + i, in_prefix = row - g->prefix_start, in_own = row - g->own;
        int64_t at = NEVER;
        if (own && row < last && in_own >= 0 && in_own < g->queries) { at = g->prefix + in_own; }
        if (prefix && row < last && in_prefix >= 0 && in_prefix < g->prefix) { at = in_prefix; }
        p.at[i] = (int32_t)at;
        p.least = p.at[i] < p.least ? p.at[i] : p.least;
        p.most = p.at[i] > p.most ? p.at[i] : p.most;
    }
    return p;
}

/* p and ds of 32 keys and a panel of rows from their scores and dy . v, [32 keys][32 rows]; rows of
 * two tiles each. */
static void weigh_square(const struct meeting *m, int first, const struct places *places, vf factor,
                         const float *s, char *p, char *ds)
{
    const float *dp = s + PANEL * PANEL;
    vf low[2], mean[2];
    __m512i length[2];
    for (int half = 0; half < 2; half++) {
        int row = first + 16 * half;
        low[half] = v_set(0) - v_load(m->saved.lse + row);
        mean[half] = v_load(m->saved.d + row);
        length[half] = _mm512_add_epi32(_mm512_loadu_si512(m->q.query + row),
                                        _mm512_set1_epi32((int32_t)m->q.length));
    }
    for (int i = 0; i < PANEL; i++, s += PANEL, dp += PANEL) {
        vf weight[2], slope[2];
        for (int half = 0; half < 2; half++) {
            __mmask16 seen =
                _mm512_cmpgt_epi32_mask(length[half], _mm512_set1_epi32(places->at[i]));
            weight[half] = v_exp2(v_fma(v_load(s + 16 * half), factor, low[half]), seen);
            slope[half] =
                _mm512_maskz_mul_ps(seen, weight[half], v_load(dp + 16 * half) - mean[half]);
        }
        int64_t at = i / 16 * MOST_MEET * TILE + i % 16 * LINE;
        _mm512_store_si512(p + at, (__m512i)_mm512_cvtne2ps_pbh(weight[1], weight[0]));
        _mm512_store_si512(ds + at, (__m512i)_mm512_cvtne2ps_pbh(slope[1], slope[0]));
    }
}

/* sums[32 keys][width] += weights times rows, steps [from, steps) */
static void add_rows(const struct attention *a, const char *weights, const char *rows, int from,
                     int steps, char *sums)
{
    int64_t stride = a->steps * STEP * 4;
    for (int64_t c = 0; c < a->steps; c++) {
        struct operand left = {weights + from * TILE, TILE, MOST_MEET * TILE};
        struct operand right = {rows + (c * MOST_MEET + from) * PAIR, PAIR, TILE};
        multiply(2, left, right, steps - from, sums + c * SUMS_LINE, (size_t)stride, LINE, true);
    }
}

/* The same where rows are no numbers, which times zero would give NaNs: keys that none of the rows
 * sees are left alone. */
static void add_rows_apart(const struct attention *a, const struct meeting *m,
                           const struct places *places, const char *weights, const char *rows,
                           int from, int steps, char *sums)
{
    _Alignas(LINE) char copy[PANEL * MOST_WIDTH * 4];
    size_t stride = (size_t)(a->steps * STEP * 4);
    memcpy(copy, sums, PANEL * stride);
    add_rows(a, weights, rows, from, steps, copy);
    for (int i = 0; i < PANEL; i++) {
        if (places->at[i] < length_of(&m->q, m->q.rows - 1)) {
            memcpy(sums + (size_t)i * stride, copy + (size_t)i * stride, stride);
        }
    }
}

/* A panel of the task's keys, from its row `key` on, meets rows. */
static void meet_rows(const struct backward *b, const struct meeting *m,
                      const struct places *places, int64_t key, char *scratch)
{
    const struct attention *a = &b->a;
    int steps = (int)parts(m->q.rows, STEP), from = 0;
    while (from < steps && length_of(&m->q, last_of(&m->q, from * PANEL)) <= places->least) {
        from++;
    }
    if (from == steps) { return; }
    char *square = scratch + SQUARES_AT, *p = scratch + P_AT, *ds = scratch + DS_AT;
    int64_t key_at = key * a->steps * LINE, sums_at = key * a->steps * STEP * 4;
    for (int i = from; i < steps; i++) {
        int64_t row_at = i * a->steps * PAIR;
        struct operand k = {scratch + KEYS_AT + key_at, PAIR, TILE},
                       v = {scratch + VALUES_AT + key_at, PAIR, TILE},
                       q = {scratch + QUERIES_AT + row_at, PAIR, TILE},
                       dy = {scratch + SLOPES_AT + row_at, PAIR, TILE};
        multiply(2, k, q, a->steps, square, SUMS_LINE, LINE, false);
        multiply(2, v, dy, a->steps, square + 2 * PAIR, SUMS_LINE, LINE, false);
        weigh_square(m, i * PANEL, places, v_set(a->scale * LOG2_E),
                     (const float *)(const void *)square, p + i * TILE, ds + i * TILE);
    }
    char *dk = scratch + DK_AT + sums_at, *dv = scratch + DV_AT + sums_at;
    if (m->tainted) {
        add_rows_apart(a, m, places, ds, scratch + ACROSS_Q_AT, from, steps, dk);
        add_rows_apart(a, m, places, p, scratch + ACROSS_DY_AT, from, steps, dv);
    } else {
        add_rows(a, ds, scratch + ACROSS_Q_AT, from, steps, dk);
        add_rows(a, p, scratch + ACROSS_DY_AT, from, steps, dv);
    }
}

/* What a segment's queries give to rows [first, last) of k as those of its prefix, its own, or both
 * where no row is both. */
static void back_segment(const struct backward *b, const struct segment *g, bool prefix, bool own,
                         int64_t kv, int64_t first, int64_t last, struct meeting *m, char *scratch)
{
    struct places places[KEYS / PANEL];
    int count = (int)parts(last - first, PANEL);
    int32_t earliest = NEVER;
    for (int i = 0; i < count; i++) {
        places[i] = places_of(g, first + i * PANEL, last, prefix, own);
        earliest = places[i].least < earliest ? places[i].least : earliest;
    }
    if (earliest == NEVER) { return; }
    int64_t some = b->a.group < MEETING ? MEETING / b->a.group : 1;
    int64_t start = earliest > g->prefix ? (earliest - g->prefix) / some * some : 0;
    for (; start < g->queries; start += some) {
        set_queries(&b->a, &m->q, g->query + start, least(some, g->queries - start), kv,
                    g->prefix + start + 1);
        prepare(b, m, scratch);
        for (int i = 0; i < count; i++) { meet_rows(b, m, &places[i], i * PANEL, scratch); }
    }
}

static void put_keys(const struct backward *b, const struct it_tensor *t, int64_t row, int64_t kv,
                     const char *sums, float factor)
{
    put_mixed(row_of(t, row) + kv * b->a.width * 2, (const float *)(const void *)sums, b->a.width,
              factor);
}

static void key_tasks(void *context, int64_t begin, int64_t end, int thread)
{
    const struct backward *b = context;
    const struct attention *a = &b->a;
    char *scratch = (char *)it_cpu_scratch(a->device, thread);
    size_t stride = (size_t)(a->steps * STEP * 4);
    struct meeting m;
    _tile_loadconfig(&eight_tiles);
    for (int64_t task = begin; task < end; task++) {
        int64_t kv = task % a->kv_heads, first = task / a->kv_heads * b->keys;
        int64_t n = least(b->keys, a->k->shape[0] - first);
        struct keys s = {.k = a->k, .v = a->v, .column = kv * a->width, .own_start = first};
        pack_keys(a, &s, s.k, 0, (int)n, scratch + KEYS_AT);
        pack_keys(a, &s, s.v, 0, (int)n, scratch + VALUES_AT);
        memset(scratch + DK_AT, 0, (size_t)rounded(n, PANEL) * stride);
        memset(scratch + DV_AT, 0, (size_t)rounded(n, PANEL) * stride);
        for (int64_t i = 0; i < a->segs->shape[0]; i++) {
            struct segment g = segment_at(a->segs, i);
            bool both = g.prefix_start < g.own + g.queries && g.own < g.prefix_start + g.prefix;
            if (both) { back_segment(b, &g, true, false, kv, first, first + n, &m, scratch); }
            back_segment(b, &g, !both, true, kv, first, first + n, &m, scratch);
        }
        for (int64_t r = 0; r < n; r++) {
            put_keys(b, b->dk, first + r, kv, scratch + DK_AT + (size_t)r * stride, a->scale);
            put_keys(b, b->dv, first + r, kv, scratch + DV_AT + (size_t)r * stride, 1);
        }
    }
    _tile_release();
}

static void clear_rows(void *context, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const struct it_tensor *t = context;
    for (int64_t r = begin; r < end; r++) { memset(row_of(t, r), 0, (size_t)t->shape[1] * 2); }
}

enum it_status it_amx_attn_bwd(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *t = args->t;
    struct backward b = {
        .a = attention_of(device, args, &t[4]),
        .dq = &t[0],
        .dk = &t[1],
        .dv = &t[2],
        .dy = &t[3],
        .y = &t[7],
        .lse = &t[8],
    };
    struct attention *a = &b.a;
    if (!suits_tiles(args, 0, 7, a)) {
        return it_cpu_kernels_avx512.kernel[IT_OP_ATTN_BWD](device, args);
    }
    a->segs = &t[9];
    IT_TRY(it_amx_check_segments("attn_bwd", a));
    for_rows(device, t[0].shape[0], 4 * t[0].shape[1], clear_rows, b.dq);
    it_amx_for_queries(a, query_work, &b);
    int64_t rows = a->k->shape[0], enough = 4 * (int64_t)it_pool_threads(device->pool);
    b.keys = KEYS;
    while (b.keys > 2 * PANEL && parts(rows, b.keys) * a->kv_heads < enough) { b.keys /= 2; }
    it_pool_run(device->pool, parts(rows, b.keys) * a->kv_heads, 1, key_tasks, &b);
    return IT_OK;
}
