/* SPDX-License-Identifier: MIT */
/* Contents of a case's operands, by the operand's name where its meaning asks for more than normal
 * numbers. Seeded: the same on every machine. */
#include <math.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/tensor/cases_internal.h"
#include "core/tensor/internal.h"
#include "core/tensor/kmath.h"
#include "core/tensor/ref_internal.h"

static void put(const struct it_tensor *t, int64_t i, double value)
{
    void *host = it_view_host(t);
    switch (t->dtype) {
    case IT_F32: ((float *)host)[i] = (float)value; break;
    case IT_BF16: ((uint16_t *)host)[i] = (uint16_t)k_bf16_store((float)value); break;
    case IT_F64: ((double *)host)[i] = value; break;
    case IT_I16: ((int16_t *)host)[i] = (int16_t)value; break;
    case IT_U32: ((uint32_t *)host)[i] = (uint32_t)value; break;
    case IT_U8: ((uint8_t *)host)[i] = (uint8_t)value; break;
    default: ((int32_t *)host)[i] = (int32_t)value; break;
    }
}

void it_case_segment(const struct it_case *c, int64_t s, int32_t segment_out[5])
{
    int64_t t = it_case_dim(c, 't'), count = it_case_dim(c, 's');
    int64_t used = t > 2 * count ? t - 1 : t, prefix = it_case_dim(c, 'u') - t;
    int64_t first = used * s / count, end = used * (s + 1) / count;
    segment_out[0] = (int32_t)first;
    segment_out[1] = (int32_t)(end - first);
    segment_out[2] = 0;
    segment_out[3] = (int32_t)(s % 3 == 2 ? 0 : prefix);
    segment_out[4] = (int32_t)(prefix + first);
}

int64_t it_case_length(const struct it_case *c, int64_t r)
{
    int64_t most = it_case_dim(c, 'g') * c->i[2];
    if (most <= 0 || (it_case_dim(c, 's') > 1 && r == 0)) { return 0; }
    return r <= 1 ? most : 1 + (most - 1) * (r * 7 % 10) / 10;
}

/* The numbers 0 to n - 1 in a random order; the caller frees. */
static int64_t *permutation(struct it_rng *rng, int64_t n)
{
    int64_t *items = it_alloc((size_t)n * sizeof *items + 1);
    for (int64_t i = 0; i < n; ++i) { items[i] = i; }
    it_rng_shuffle(rng, items, n);
    return items;
}

/* Different rows of the cache, one of them skipped. */
static void fill_rows(const struct it_case *c, const struct it_tensor *t, struct it_rng *rng)
{
    int64_t cached = it_case_dim(c, 'p');
    int64_t *order = permutation(rng, cached);
    for (int64_t r = 0; r < t->shape[0]; ++r) {
        put(t, r, r == 2 || r >= cached ? -1 : (double)order[r]);
    }
    it_free(order);
}

/* Different pages; those beyond a slot's length are no pages at all. */
static void fill_table(const struct it_case *c, const struct it_tensor *t, struct it_rng *rng)
{
    int64_t page = c->i[2], pages = t->shape[1], stored = it_case_dim(c, 'p') / page;
    int64_t *order = permutation(rng, stored);
    for (int64_t r = 0; r < t->shape[0]; ++r) {
        int64_t used = (it_case_length(c, r) + page - 1) / page;
        for (int64_t g = 0; g < pages; ++g) {
            put(t, r * pages + g, g < used ? (double)order[(r * pages + g) % stored] : -1);
        }
    }
    it_free(order);
}

/* The last key's row; one slot writes none, one the row of its first key. */
static void fill_step_rows(const struct it_case *c, const struct it_tensor *rows,
                           const struct it_tensor *table)
{
    const int32_t *pages = it_view_host(table);
    int64_t page = c->i[2];
    for (int64_t r = 0; r < rows->shape[0]; ++r) {
        int64_t key = r == 3 ? 0 : it_case_length(c, r) - 1;
        const int32_t *own = pages + r * table->shape[1];
        bool none = r == 2 || it_case_length(c, r) == 0;
        put(rows, r, none ? -1 : (double)(own[key / page] * page + key % page));
    }
}

static void fill_rope_table(const struct it_tensor *t, struct it_rng *rng)
{
    int64_t half = t->shape[1] / 2;
    for (int64_t p = 0; p < t->shape[0]; ++p) {
        for (int64_t j = 0; j < half; ++j) {
            double angle = 6.283185307179586 * it_rng_uniform(rng);
            put(t, p * 2 * half + j, cos(angle));
            put(t, p * 2 * half + half + j, sin(angle));
        }
    }
}

/* Sums that columns before i1 could have; their largest is now above, now below what follows. */
static void fill_state(const struct it_case *c, const struct it_tensor *t)
{
    double counted = (double)(c->i[0] && c->i[0] < c->i[1] ? c->i[0] : c->i[1]);
    for (int64_t r = 0; r < t->shape[0]; ++r) {
        double most = 6 + 5 * (double)(r % 3);
        const double row[IT_STATE_COUNT] = {
            [IT_STATE_TARGET] = 0.5,       [IT_STATE_MOST] = most,
            [IT_STATE_S] = 7.5,            [IT_STATE_MOST2] = 0.75 * most,
            [IT_STATE_SECOND2] = 0.7 * most, [IT_STATE_S2] = 9.25,
            [IT_STATE_S2_REST] = 1e-7,     [IT_STATE_A2] = -0.75 * most * counted,
            [IT_STATE_B2] = -11,           [IT_STATE_G2] = 2.5};
        for (int64_t j = 0; j < IT_STATE_COUNT; ++j) { put(t, r * IT_STATE_COUNT + j, row[j]); }
    }
}

static void fill_params(const struct it_tensor *t)
{
    static const double kinds[][4] = {{0, 0, 1, 0},      {1, 0, 1, 0},    {0.7, 5, 1, 0},
                                      {1.3, 0, 0.8, 0},  {1, 0, 1, 0.05}, {0.9, 50, 0.95, 0.02},
                                      {2, 3, 0.5, 0.001}};
    for (int64_t r = 0; r < t->shape[0]; ++r) {
        for (int p = 0; p < 4; ++p) { put(t, r * 4 + p, kinds[r % 7][p]); }
    }
}

/* Operands with a meaning; false for those that are just numbers. */
static bool fill_meaning(const struct it_case *c, const char *name, const struct it_tensor *t,
                         struct it_rng *rng)
{
    int64_t count = it_tensor_count(t);
    if (strcmp(name, "ids") == 0 || strcmp(name, "targets") == 0) {
        bool part = c->op == IT_OP_TOKEN_STATS || c->op == IT_OP_TOKEN_STATS_BWD;
        int64_t all = part && c->i[2] ? c->i[2] : it_case_dim(c, 'v');
        for (int64_t i = 0; i < count; ++i) { /* one below and one above the range, too */
            put(t, i, (double)it_rng_below(rng, all + 2) - 1);
        }
    } else if (strcmp(name, "pos") == 0) {
        for (int64_t i = 0; i < count; ++i) {
            char positions = c->op == IT_OP_ATTN_STEP ? 't' : 'p';
            put(t, i, (double)it_rng_below(rng, it_case_dim(c, positions)));
        }
    } else if (strcmp(name, "segs") == 0) {
        for (int64_t s = 0; s < t->shape[0]; ++s) {
            int32_t segment[5];
            it_case_segment(c, s, segment);
            for (int64_t i = 0; i < 5; ++i) { put(t, s * 5 + i, segment[i]); }
        }
    } else if (strcmp(name, "length") == 0) {
        for (int64_t r = 0; r < count; ++r) { put(t, r, (double)it_case_length(c, r)); }
    } else if (strcmp(name, "rows") == 0) {
        fill_rows(c, t, rng);
    } else if (strcmp(name, "table") == 0) {
        if (c->op == IT_OP_ROPE) { fill_rope_table(t, rng); }
        if (c->op != IT_OP_ROPE) { fill_table(c, t, rng); }
    } else if (strcmp(name, "angles") == 0) {
        fill_rope_table(t, rng);
    } else if (strcmp(name, "temps") == 0) {
        put(t, 0, 0.9);
        put(t, 1, 1.25);
    } else if (strcmp(name, "state") == 0) {
        fill_state(c, t);
    } else if (strcmp(name, "params") == 0) {
        fill_params(t);
    } else if (strcmp(name, "keys") == 0) {
        for (int64_t i = 0; i < count; ++i) { put(t, i, (double)it_rng_u32(rng)); }
    } else if (t->dtype == IT_U8) {
        for (int64_t i = 0; i < count; ++i) { put(t, i, (double)it_rng_below(rng, 256)); }
    } else if (strcmp(name, "ms") == 0 || strcmp(name, "vs") == 0) {
        for (int64_t i = 0; i < count; ++i) { /* the last block of several has had no gradient */
            put(t, i, i > 0 && i == count - 1 ? 0 : (*name == 'm' ? 1 : 0.1) * (0.5 + (double)i));
        }
    } else if (strcmp(name, "lo") == 0) {
        for (int64_t i = 0; i < count; ++i) { put(t, i, (double)it_rng_below(rng, 65536) - 32768); }
    } else if (strcmp(name, "scalars") == 0) {
        static const double step3[8] = {1e-2, 0.9, 0.999, 1e-8, 0.1, 0.271, 0.002997001, 0.5};
        for (int64_t i = 0; i < 8; ++i) { put(t, i, step3[i]); }
    } else {
        return false;
    }
    return true;
}

static void fill_numbers(const struct it_case *c, const char *name, const struct it_tensor *t,
                         struct it_rng *rng)
{
    bool second_moment = c->op == IT_OP_ADAMW && strcmp(name, "v") == 0;
    double scale = strcmp(name, "logits") == 0 ? 3 : 1;
    for (int64_t i = 0, count = it_tensor_count(t); i < count; ++i) {
        double value = it_rng_normal(rng);
        put(t, i, second_moment ? 0.01 * value * value : scale * value);
    }
}

/* Saved by the forward op: made by it. */
static enum it_status fill_saved(const struct it_case *c, const struct it_args *args)
{
    const struct it_tensor *t = args->t;
    struct it_args f = {0};
    switch (c->op) {
    case IT_OP_RMSNORM_BWD: /* dx, which is set, holds the y that nobody needs */
        f = (struct it_args){.t = {t[0], t[5], t[3], t[4]}, .f = {1e-6}};
        return it_reference_run(NULL, IT_OP_RMSNORM, &f);
    case IT_OP_ATTN_BWD:
        f = (struct it_args){.t = {t[7], t[8], t[4], t[5], t[6], t[9]}, .f = {c->f[0]},
                             .i = {c->i[0], c->i[1]}};
        return it_reference_run(NULL, IT_OP_ATTN, &f);
    case IT_OP_TOKEN_STATS_BWD: /* a part of a vocabulary passes for all of one */
        f = (struct it_args){.t = {t[3], {0}, t[1], t[2], t[5]}, .i = {c->i[2] ? 0 : c->i[0]}};
        return it_reference_run(NULL, IT_OP_TOKEN_STATS, &f);
    case IT_OP_ATTN_STEP: fill_step_rows(c, &t[9], &t[10]); return IT_OK;
    default: return IT_OK;
    }
}

enum it_status it_case_fill(const struct it_case *c, const struct it_args *args)
{
    const struct it_signature *s = it_signature(c->op);
    for (int k = 0; k < s->count; ++k) {
        if (c->type[k] == IT_NONE) { continue; }
        struct it_rng rng;
        it_rng_init(&rng, c->seed, (uint64_t)c->op << 8 | (uint64_t)k);
        const char *name = s->operand[k].name;
        if (!fill_meaning(c, name, &args->t[k], &rng)) {
            fill_numbers(c, name, &args->t[k], &rng);
        }
    }
    return fill_saved(c, args);
}
