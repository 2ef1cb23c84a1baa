/* SPDX-License-Identifier: MIT */
/* attn_decode of bf16 on AMX tiles: one query of each sequence, whose heads are the rows. The
 * chains are those of attn_amx.c, and so are the bits; but keys and values are read once, and few
 * rows meet them, so that turning values would cost more than the products. Here the weights are
 * turned: sums are [rows][width], values go in pairs of rows. Products are four tiles wide, of keys
 * or of columns of the width; where there are fewer, the others' sums are computed of what lies
 * there, and are looked at by nobody. */
#include <math.h>
#include <string.h>

#include "backends/cpu/cpu.h"
#include "backends/cpu/kernels_amx.h"
#include "backends/cpu/simd_avx512.h"
#include "core/tensor/kmath.h"

#include "backends/cpu/vector.inc.c"

#include "backends/cpu/tiles_amx.h"

#include "backends/cpu/attn_amx.h"

enum { STRIP = 2 * PANEL /* keys that are packed and multiplied at a time */ };

/* Scratch, in bytes. */
enum {
    QUERIES_AT = 0,
    STRIP_AT = QUERIES_AT + MOST_ROWS * MOST_WIDTH * 2,
    VALUES_AT = STRIP_AT + STRIP * MOST_WIDTH * 2, /* [width / 32][KEY_STEPS] pairs */
    WEIGHTS_AT = VALUES_AT + KEYS * MOST_WIDTH * 2,
    SCORES_AT = WEIGHTS_AT + KEY_STEPS * TILE, /* [tiles of rows][KEYS][16] */
    SUMS_AT = SCORES_AT + MOST_ROWS / 16 * HALF,
    END_AT = SUMS_AT + MOST_ROWS * MOST_WIDTH * 4
};
_Static_assert((int)END_AT <= (int)IT_AMX_SCRATCH, "scratch");

/* Four operands side by side: first rows of their tiles, and how far it is to the next row. */
struct four {
    const char *at[4];
    size_t row;
    int64_t step;
};

/* Four tiles of sums, `across` bytes apart, (+)= one operand, the left one where `broad`, times
 * four. */
static inline __attribute__((always_inline)) void multiply_four(bool broad, struct operand one,
                                                                struct four many, int64_t steps,
                                                                char *c, size_t stride,
                                                                int64_t across, bool onto)
{
    if (onto) {
        _tile_loadd(0, c, stride);
        _tile_loadd(1, c + across, stride);
        _tile_loadd(2, c + 2 * across, stride);
        _tile_loadd(3, c + 3 * across, stride);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    for (int64_t s = 0, at = 0; s < steps; s++, one.at += one.step, at += many.step) {
        _tile_loadd(4, one.at, LINE);
        _tile_loadd(5, many.at[0] + at, many.row);
        _tile_loadd(6, many.at[1] + at, many.row);
        if (broad) {
            _tile_dpbf16ps(0, 4, 5);
            _tile_dpbf16ps(1, 4, 6);
        } else {
            _tile_dpbf16ps(0, 5, 4);
            _tile_dpbf16ps(1, 6, 4);
        }
        _tile_loadd(7, many.at[2] + at, many.row);
        _tile_loadd(5, many.at[3] + at, many.row);
        if (broad) {
            _tile_dpbf16ps(2, 4, 7);
            _tile_dpbf16ps(3, 4, 5);
        } else {
            _tile_dpbf16ps(2, 7, 4);
            _tile_dpbf16ps(3, 5, 4);
        }
    }
    _tile_stored(0, c, stride);
    _tile_stored(1, c + across, stride);
    _tile_stored(2, c + 2 * across, stride);
    _tile_stored(3, c + 3 * across, stride);
}

/* A query, the heads that share a key head. */
struct step {
    const struct attention *a;
    const struct keys *s;
    struct queries q;
    int tiles;     /* of 16 rows */
    int64_t width; /* of sums: whole strips of four tiles */
    float most[MOST_ROWS], sum[MOST_ROWS];
    char *scratch;
};

/* n keys from position j on as operands: where they lie, if 16 are in each page and the width is
 * whole tiles; else packed. */
static struct four keys_at(const struct step *t, int64_t j, int n)
{
    const struct attention *a = t->a;
    const struct keys *s = t->s;
    char *strip = t->scratch + STRIP_AT;
    int64_t panel = a->steps * PAIR;
    if (n < STRIP || s->page % 16 || a->width % STEP) {
        pack_keys(a, s, s->k, j, n, strip);
        return (struct four){
            {strip, strip + TILE, strip + panel, strip + panel + TILE}, LINE, PAIR};
    }
    struct four keys = {.row = (size_t)s->k->stride[0] * 2, .step = LINE};
    for (int i = 0; i < 4; i++, j += 16) {
        keys.at[i] = element(s->k, s->pages[j / s->page] * s->page + j % s->page, s->column);
    }
    return keys;
}

/* scores of a block: n keys from position j on */
static void score_block(const struct step *t, int64_t j, int n)
{
    int64_t steps = t->a->steps, panel = steps * PAIR;
    for (int i = 0; i < n; i += STRIP) {
        struct four keys = keys_at(t, j + i, at_most(n - i, STRIP));
        for (int r = 0; r < t->tiles; r++) {
            struct operand queries = {t->scratch + QUERIES_AT + r / 2 * panel + r % 2 * TILE, PAIR,
                                      0};
            multiply_four(false, queries, keys, steps, t->scratch + SCORES_AT + r * HALF + i * LINE,
                          LINE, TILE, false);
        }
    }
}

static void rescale_rows(const struct step *t, int first, int64_t stride, vf by)
{
    float factor[16];
    if (_mm512_cmp_ps_mask(by, v_set(1), _CMP_NEQ_UQ) == 0) { return; }
    v_store(factor, by);
    for (int i = 0; i < 16; i++) {
        float *row = (float *)(void *)(t->scratch + SUMS_AT + (first + i) * stride);
        for (int64_t c = 0; c < t->width; c += VW) {
            v_store(row + c, v_load(row + c) * v_set(factor[i]));
        }
    }
}

/* Weights in pairs of keys, [steps][16 pairs][16 rows], to rows along the keys. */
static void turn_weights(char *to, const char *from, int steps)
{
    for (int i = 0; i < steps; i++, to += TILE, from += TILE) {
        vf square[VW];
#pragma GCC unroll 16
        for (int k = 0; k < VW; k++) {
            square[k] = v_load((const float *)(const void *)(from + k * LINE));
        }
        v_transpose(square);
#pragma GCC unroll 16
        for (int k = 0; k < VW; k++) { v_store((float *)(void *)(to + k * LINE), square[k]); }
    }
}

static void add_block(struct step *t, int64_t j, int n)
{
    const struct attention *a = t->a;
    const char *lines[PANEL];
    int steps = (int)parts(n, STEP);
    int64_t stride = t->width * 4, panel = KEY_STEPS * PAIR;
    char *values = t->scratch + VALUES_AT, *weights = t->scratch + WEIGHTS_AT;
    for (int i = 0; i < steps; i++) {
        int some = at_most(n - i * STEP, STEP);
        key_lines(t->s, t->s->v, j + i * STEP, some, lines);
        for (int64_t c = 0; c < a->steps; c++) {
            pack_step_across(values + c * panel + i * PAIR, lines, some, c * STEP, columns_of(a, c),
                             ACROSS_MIXED);
        }
    }
    for (int r = 0; r < t->tiles; r++) {
        char *scores = t->scratch + SCORES_AT + r * HALF;
        vf rescale = soften((float *)(void *)scores, steps * STEP, sight_of(&t->q, 16 * r, j, n),
                            v_set(a->scale * LOG2_E), t->most + 16 * r, t->sum + 16 * r);
        if (j > 0) { rescale_rows(t, 16 * r, stride, rescale); }
        turn_weights(weights, scores, steps);
        for (int64_t c = 0; c < a->steps; c += 2) {
            const char *at = values + c * panel;
            struct operand left = {weights, TILE, 0};
            struct four right = {{at, at + TILE, at + panel, at + panel + TILE}, LINE, PAIR};
            multiply_four(true, left, right, steps,
                          t->scratch + SUMS_AT + 16 * r * stride + c * SUMS_LINE, (size_t)stride,
                          LINE, j > 0);
        }
    }
}

static void put_heads(const struct step *t, const struct it_tensor *y)
{
    for (int r = 0; r < t->q.rows; r++) {
        const float *sums = (const void *)(t->scratch + SUMS_AT + r * t->width * 4);
        put_mixed(row_in(t->a, &t->q, y, r), sums, t->a->width, 1.0f / t->sum[r]);
    }
}

static void attend(struct step *t, const struct it_tensor *y)
{
    t->tiles = (int)parts(t->q.rows, 16);
    t->width = rounded(t->a->width, 4 * 16);
    for (int r = 0; r < 16 * t->tiles; r++) {
        t->most[r] = -INFINITY;
        t->sum[r] = 0;
    }
    pack_queries(t->a, &t->q, t->a->q, t->scratch + QUERIES_AT);
    for (int64_t j = 0; j < t->q.length; j += KEYS) {
        int n = at_most(t->q.length - j, KEYS);
        score_block(t, j, n);
        add_block(t, j, n);
    }
    put_heads(t, y);
}

/* ---- tasks: (slot, key head) ---- */

static void decode_tasks(void *context, int64_t begin, int64_t end, int thread)
{
    const struct attention *a = context;
    const struct it_args *args = a->args;
    const int32_t *lengths = it_view_host(&args->t[5]);
    struct step t = {.a = a, .scratch = (char *)it_cpu_scratch(a->device, thread)};
    _tile_loadconfig(&eight_tiles);
    for (int64_t i = begin; i < end; i++) {
        int64_t slot = i / a->kv_heads, kv = i % a->kv_heads;
        if (lengths[slot] <= 0) {
            size_t bytes = (size_t)(a->group * a->width) * 2;
            memset(row_of(&args->t[0], slot) + (size_t)kv * bytes, 0, bytes);
            continue;
        }
        struct keys s = {
            .k = a->k,
            .v = a->v,
            .column = kv * a->width,
            .pages = (const void *)row_at(&args->t[4], slot),
            .page = args->i[2],
        };
        t.s = &s;
        set_queries(a, &t.q, slot, 1, kv, lengths[slot]);
        attend(&t, &args->t[0]);
    }
    _tile_release();
}

/* Every page that a slot's length reaches lies in the cache. */
static enum it_status check_pages(const struct it_args *args)
{
    const struct it_tensor *table = &args->t[4];
    const int32_t *lengths = it_view_host(&args->t[5]);
    int64_t page = args->i[2], rows = args->t[2].shape[0];
    for (int64_t slot = 0; slot < table->shape[0]; slot++) {
        const int32_t *pages = (const void *)row_at(table, slot);
        int64_t length = lengths[slot];
        if (length > table->shape[1] * page) {
            return it_fail(IT_INVALID, "op attn_decode: slot %lld: %lld keys, room for %lld",
                           (long long)slot, (long long)length, (long long)(table->shape[1] * page));
        }
        for (int64_t j = 0; j < length; j += page) {
            int64_t last = least(length - j, page);
            if (pages[j / page] < 0 || pages[j / page] * page + last > rows) {
                return it_fail(IT_INVALID, "op attn_decode: page %d of slot %lld leaves the cache",
                               pages[j / page], (long long)slot);
            }
        }
    }
    return IT_OK;
}

enum it_status it_amx_attn_decode(struct it_device *device, const struct it_args *args)
{
    struct attention a = attention_of(device, args, &args->t[1]);
    if (!suits_tiles(args, 0, 3, &a)) {
        return it_cpu_kernels_avx512.kernel[IT_OP_ATTN_DECODE](device, args);
    }
    IT_TRY(check_pages(args));
    const int32_t *lengths = it_view_host(&args->t[5]);
    int64_t keys = 0, tasks = a.q->shape[0] * a.kv_heads;
    for (int64_t slot = 0; slot < a.q->shape[0]; slot++) { keys += lengths[slot]; }
    bool small = keys * a.q->shape[1] < IT_AMX_SMALL;
    it_pool_run(device->pool, tasks, small ? tasks : 1, decode_tasks, &a);
    return IT_OK;
}
