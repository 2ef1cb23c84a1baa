/* SPDX-License-Identifier: MIT */
/* attn of bf16 on AMX tiles: some rows against the keys of one sequence, in blocks of a constant
 * width, with the softmax that corrects itself (Milakov and Gimelshein, "Online normalizer
 * calculation for softmax", 2018; by blocks: Dao and others, "FlashAttention", 2022). For a row,
 * whatever rows are beside it, whichever task it is in, and in attn_decode (attn_amx_decode.c):
 *   scores  one chain of tile instructions over the head's width
 *   block   its largest scaled score so far; weights in powers of two below that one; their sum, as
 *           two chains, over even and odd keys; weights rounded to bf16
 *   output  one chain of tile instructions over the keys, rescaled where a block begins; at the
 *           end divided by the sum
 * Keys that a row does not see, and those that fill up a block, have a weight of zero, which
 * changes no bit of a sum but the sign of a zero: outputs have none. */
#include <math.h>
#include <string.h>

#include "backends/cpu/cpu.h"
#include "backends/cpu/kernels_amx.h"
#include "backends/cpu/simd_avx512.h"
#include "core/tensor/kmath.h"

#include "backends/cpu/vector.inc.c"

#include "backends/cpu/tiles_amx.h"

#include "backends/cpu/attn_amx.h"

/* Scratch of attend(), in bytes. */
enum {
    QUERIES_AT = 0,
    KEYS_AT = QUERIES_AT + MOST_ROWS * MOST_WIDTH * 2,
    TURNED_AT = KEYS_AT + KEYS * MOST_WIDTH * 2,
    SCORES_AT = TURNED_AT + KEYS * MOST_WIDTH * 2,
    SUMS_AT = SCORES_AT + 2 * HALF,
    END_AT = SUMS_AT + MOST_ROWS * MOST_WIDTH * 4
};
_Static_assert((int)END_AT <= (int)IT_AMX_SCRATCH, "scratch");

/* ---- weights times values ---- */

static void add_steps(const struct attention *a, const struct turned *turned, int step, int steps,
                      int rt, const char *weights, char *sums, bool onto)
{
    for (int64_t c = 0; c < a->steps; c++) {
        struct operand left = {turned->panels + (c * KEY_STEPS + step) * PAIR, PAIR, TILE};
        struct operand right = {weights + step * TILE, TILE, HALF};
        multiply(rt, left, right, steps, sums + c * PANEL * SUMS_LINE, SUMS_LINE, LINE, onto);
    }
}

/* Infinities and NaNs times weights of zero are no zeros: where rows see different keys of a step,
 * those of each query go alone, with zeros for the keys that it does not see. */
static void add_apart(const struct attention *a, const struct queries *q, int first,
                      const struct keys *s, const struct it_tensor *t, int64_t j,
                      const char *weights, char *sums)
{
    _Alignas(LINE) char panels[MOST_STEPS * PAIR], copy[MOST_WIDTH * SUMS_LINE];
    size_t bytes = (size_t)(a->steps * PANEL * SUMS_LINE);
    for (int r = first, end = first, last = last_of(q, first); r <= last; r = end) {
        while (end <= last && q->query[end] == q->query[r]) { end++; }
        if (length_of(q, r) <= j) { continue; }
        pack_turned_step(a, s, t, j, at_most(length_of(q, r) - j, STEP), panels, PAIR);
        memcpy(copy, sums, bytes);
        for (int64_t c = 0; c < a->steps; c++) {
            struct operand left = {panels + c * PAIR, PAIR, TILE}, right = {weights, TILE, HALF};
            multiply(2, left, right, 1, copy + c * PANEL * SUMS_LINE, SUMS_LINE, LINE, true);
        }
        for (int64_t c = 0; c < a->width; c++) {
            int64_t at = c * SUMS_LINE + (r - first) * 4;
            memcpy(sums + at, copy + at, (size_t)(end - r) * 4);
        }
    }
}

void it_amx_add_weighted(const struct attention *a, const struct queries *q, int first,
                         const struct keys *s, const struct it_tensor *t,
                         const struct turned *turned, int64_t j, int n, const char *weights,
                         char *sums, bool onto)
{
    int rt = q->rows - first > 16 ? 2 : 1, steps = (int)parts(n, STEP);
    int plain = 0; /* steps that go together */
    while (plain < steps &&
           (!turned->tainted[plain] || length_of(q, first) >= j + (plain + 1) * STEP)) {
        plain++;
    }
    if (plain == steps) {
        add_steps(a, turned, 0, steps, rt, weights, sums, onto);
        return;
    }
    if (!onto) { memset(sums, 0, (size_t)(a->steps * PANEL * SUMS_LINE)); }
    add_steps(a, turned, 0, plain, rt, weights, sums, true);
    for (int i = plain; i < steps; i++) {
        add_apart(a, q, first, s, t, j + i * STEP, weights + i * TILE, sums);
    }
}

void it_amx_put_sums(const struct attention *a, const struct queries *q, int first,
                     const char *sums, const float *factor, const struct it_tensor *t)
{
    for (int half = 0; half < 2 && q->rows - first > 16 * half; half++) {
        int rows = at_most(q->rows - first - 16 * half, 16);
        vf times = v_load(factor + 16 * half);
        char *to[16];
        for (int i = 0; i < rows; i++) { to[i] = row_in(a, q, t, first + 16 * half + i); }
        for (int64_t c = 0; c < a->width; c += VW) {
            vf square[VW];
            const char *from = sums + c * SUMS_LINE + half * LINE;
#pragma GCC unroll 16
            for (int i = 0; i < VW; i++) {
                /* a sum's sign of zero depends on what filled up its last step: 0 + -0 is 0 */
                vf sum = v_load((const float *)(const void *)(from + i * SUMS_LINE));
                square[i] = sum * times + v_set(0);
            }
            v_transpose(square);
            for (int i = 0; i < rows; i++) {
                put_n(to[i], c, square[i], at_most(a->width - c, VW), true);
            }
        }
    }
}

/* ---- rows against the keys of a sequence ---- */

static void rescale_sums(const struct attention *a, char *sums, vf by)
{
    if (_mm512_cmp_ps_mask(by, v_set(1), _CMP_NEQ_UQ) == 0) { return; }
    for (int64_t c = 0; c < a->steps * STEP; c++, sums += SUMS_LINE) {
        float *line = (float *)(void *)sums;
        v_store(line, v_load(line) * by);
    }
}

/* One panel of rows meets n keys of a block, packed. */
static void meet(const struct attention *a, const struct queries *q, int first,
                 const struct keys *s, const struct turned *values, int64_t j, int n,
                 struct running *running, char *scratch)
{
    char *scores = scratch + SCORES_AT, *sums = scratch + SUMS_AT + first * a->steps * STEP * 4;
    int rt = q->rows - first > 16 ? 2 : 1;
    vf factor = v_set(a->scale * LOG2_E);
    make_scores(a, scratch + KEYS_AT, n, scratch + QUERIES_AT + first * a->steps * LINE, rt,
                scores);
    for (int half = 0; half < rt; half++) {
        int row = first + 16 * half;
        vf rescale =
            soften((float *)(void *)(scores + half * HALF), (int)rounded(n, STEP),
                   sight_of(q, row, j, n), factor, running->most + row, running->sum + row);
        if (j > 0) { rescale_sums(a, sums + half * LINE, rescale); }
    }
    it_amx_add_weighted(a, q, first, s, s->v, values, j, n, scores, sums, j > 0);
}

static void finish(const struct attention *a, const struct queries *q,
                   const struct running *running, const struct it_tensor *y,
                   const struct it_tensor *lse, const char *scratch)
{
    float inverse[MOST_ROWS];
    for (int r = 0; r < rounded(q->rows, PANEL); r++) { inverse[r] = 1.0f / running->sum[r]; }
    for (int r = 0; r < q->rows; r += PANEL) {
        it_amx_put_sums(a, q, r, scratch + SUMS_AT + r * a->steps * STEP * 4, inverse + r, y);
    }
    for (int r = 0; lse && r < q->rows; r++) {
        float *row = (float *)(void *)row_of(lse, q->first + q->query[r]);
        float sum = running->sum[r], most = running->most[r] * LN_2;
        row[q->kv * a->group + r - q->query[r] * a->group] = sum == sum ? most + k_log(sum) : sum;
    }
}

static void attend(const struct attention *a, const struct queries *q, const struct keys *s,
                   const struct it_tensor *y, const struct it_tensor *lse, char *scratch)
{
    struct running running;
    struct turned values = {.panels = scratch + TURNED_AT};
    for (int r = 0; r < MOST_ROWS; r++) {
        running.most[r] = -INFINITY;
        running.sum[r] = 0;
    }
    pack_queries(a, q, a->q, scratch + QUERIES_AT);
    int64_t longest = length_of(q, q->rows - 1);
    for (int64_t j = 0; j < longest; j += KEYS) {
        int n = at_most(longest - j, KEYS);
        pack_keys(a, s, s->k, j, n, scratch + KEYS_AT);
        pack_turned(a, s, s->v, j, n, &values);
        for (int r = 0; r < q->rows; r += PANEL) {
            int64_t seen = length_of(q, last_of(q, r)) - j;
            if (seen > 0) { meet(a, q, r, s, &values, j, at_most(seen, n), &running, scratch); }
        }
    }
    finish(a, q, &running, y, lse, scratch);
}

/* ---- tasks ---- */

/* A sequence of rows of t from `start` on stands inside. */
static bool range_fits(int64_t start, int64_t length, int64_t rows)
{
    return length == 0 || (start >= 0 && length > 0 && start + length <= rows);
}

enum it_status it_amx_check_segments(const char *op, const struct attention *a)
{
    int64_t queries = a->q->shape[0], keys = a->k->shape[0];
    for (int64_t i = 0; i < a->segs->shape[0]; i++) {
        struct segment g = segment_at(a->segs, i);
        bool inside = range_fits(g.query, g.queries, queries) &&
                      range_fits(g.prefix_start, g.prefix, keys) &&
                      range_fits(g.own, g.queries, keys);
        if (!inside) {
            return it_fail(IT_INVALID, "op %s: segment %lld is outside of its tensors", op,
                           (long long)i);
        }
    }
    return IT_OK;
}

static int64_t tasks_of(const struct attention *a, const struct segment *g)
{
    return parts(g->queries, a->grain) * a->kv_heads;
}

static int64_t count_tasks(const struct attention *a)
{
    int64_t count = 0;
    for (int64_t i = 0; i < a->segs->shape[0]; i++) {
        struct segment g = segment_at(a->segs, i);
        count += tasks_of(a, &g);
    }
    return count;
}

static int64_t work_of(const struct attention *a)
{
    int64_t pairs = 0;
    for (int64_t i = 0; i < a->segs->shape[0]; i++) {
        struct segment g = segment_at(a->segs, i);
        pairs += g.queries * (g.prefix + g.queries / 2 + 1);
    }
    return pairs * a->q->shape[1];
}

struct walk {
    const struct attention *a;
    it_amx_work *work;
    void *context;
};

static void walk_tasks(void *context, int64_t begin, int64_t end, int thread)
{
    const struct walk *walk = context;
    const struct attention *a = walk->a;
    char *scratch = (char *)it_cpu_scratch(a->device, thread);
    struct queries q;
    int64_t base = 0;
    _tile_loadconfig(&eight_tiles);
    for (int64_t i = 0; i < a->segs->shape[0] && base < end; i++) {
        struct segment g = segment_at(a->segs, i);
        int64_t tasks = tasks_of(a, &g);
        for (int64_t task = begin > base ? begin - base : 0; task < tasks && base + task < end;
             task++) {
            int64_t kv = task % a->kv_heads, start = task / a->kv_heads * a->grain;
            struct keys s = keys_of(a, &g, kv);
            set_queries(a, &q, g.query + start, least(g.queries - start, a->grain), kv,
                        g.prefix + start + 1);
            walk->work(walk->context, &q, &s, scratch);
        }
        base += tasks;
    }
    _tile_release();
}

void it_amx_for_queries(struct attention *a, it_amx_work *work, void *context)
{
    struct walk walk = {a, work, context};
    int64_t enough = 4 * (int64_t)it_pool_threads(a->device->pool);
    a->grain = MOST_ROWS / a->group;
    while (a->grain > 1 && a->grain * a->group > 4 * PANEL && count_tasks(a) < enough) {
        a->grain = parts(a->grain, 2);
    }
    int64_t tasks = count_tasks(a);
    it_pool_run(a->device->pool, tasks, work_of(a) < IT_AMX_SMALL ? tasks : 1, walk_tasks, &walk);
}

/* ---- attn ---- */

static void attn_work(void *context, const struct queries *q, const struct keys *s, char *scratch)
{
    const struct attention *a = context;
    attend(a, q, s, &a->args->t[0], &a->args->t[1], scratch);
}

enum it_status it_amx_attn(struct it_device *device, const struct it_args *args)
{
    struct attention a = attention_of(device, args, &args->t[2]);
    bool wide = args->t[0].dtype != IT_BF16;
    if (wide || !suits_tiles(args, 2, 4, &a)) {
        return it_cpu_kernels_avx512.kernel[IT_OP_ATTN](device, args);
    }
    a.segs = &args->t[5];
    IT_TRY(it_amx_check_segments("attn", &a));
    it_amx_for_queries(&a, attn_work, &a);
    return IT_OK;
}
