/* SPDX-License-Identifier: MIT */
/* Packing: samples of a group share one copy of their prompt; packs are filled in order up to a
 * budget of tokens. Which samples share a pack changes nothing but the order of sums of
 * gradients. */
#include <assert.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/rl/internal.h"

/* The last token of a completion is predicted, not read, unless what follows it is asked for. */
static int64_t tokens_read(const struct it_completion *c, bool after)
{
    return c->n - (after ? 0 : 1);
}

static struct it_train_pack *new_pack(struct it_packs *packs, size_t *capacity,
                                      const struct it_pack_source *s)
{
    size_t tokens = (size_t)s->budget, parts = (size_t)(s->groups * s->group_size);
    size_t rows = tokens + 2 * parts;
    packs->item = it_grow(packs->item, capacity, (size_t)packs->n + 1, sizeof *packs->item);
    struct it_train_pack *p = &packs->item[packs->n++];
    memset(p, 0, sizeof *p);
    p->ids = it_alloc(tokens * sizeof *p->ids);
    p->positions = it_alloc(tokens * sizeof *p->positions);
    p->segments = it_alloc((parts + (size_t)s->groups) * 5 * sizeof *p->segments);
    p->rows = it_alloc(rows * sizeof *p->rows);
    p->targets = it_alloc(rows * sizeof *p->targets);
    p->part = it_alloc(parts * sizeof *p->part);
    return p;
}

static int32_t add_segment(struct it_train_pack *p, const int32_t *ids, int64_t n, int64_t position,
                           int64_t prefix, int64_t prefix_length)
{
    int32_t start = (int32_t)p->pack.n_tokens;
    if (n > 0) {
        int32_t *s = p->segments + 5 * p->pack.n_segments++;
        s[0] = s[4] = start;
        s[1] = (int32_t)n;
        s[2] = (int32_t)prefix;
        s[3] = (int32_t)prefix_length;
    }
    for (int64_t i = 0; i < n; i++) {
        p->ids[start + i] = ids[i];
        p->positions[start + i] = (int32_t)(position + i);
    }
    p->pack.n_tokens += n;
    return start;
}

/* prompt_row: row of the prompt's first token in this pack */
static void add_part(struct it_train_pack *p, const struct it_rl_prompt *prompt, int64_t prompt_row,
                     const struct it_completion *c, int64_t sample, bool after)
{
    int64_t n = tokens_read(c, after);
    int32_t start = add_segment(p, c->ids, n, prompt->n, prompt_row, prompt->n);
    p->part[p->n_parts++] = (struct it_part){.sample = sample, .first = p->pack.n_rows, .n = c->n};
    for (int64_t i = 0; i < n + 1; i++) {
        int64_t row = p->pack.n_rows++;
        p->rows[row] = i ? start + (int32_t)i - 1 : (int32_t)(prompt_row + prompt->n - 1);
        p->targets[row] = i < c->n ? c->ids[i] : 0;
    }
}

static void finish_packs(struct it_packs *packs)
{
    for (int64_t i = 0; i < packs->n; i++) {
        struct it_train_pack *p = &packs->item[i];
        p->pack.ids = p->ids;
        p->pack.positions = p->positions;
        p->pack.segments = p->segments;
        p->pack.rows = p->rows;
        p->pack.targets = p->targets;
        if (p->pack.n_tokens > packs->max_tokens) { packs->max_tokens = p->pack.n_tokens; }
        if (p->pack.n_segments > packs->max_segments) { packs->max_segments = p->pack.n_segments; }
        if (p->pack.n_rows > packs->max_rows) { packs->max_rows = p->pack.n_rows; }
    }
}

void it_packs_build(const struct it_pack_source *s, struct it_packs *packs_out)
{
    struct it_packs packs = {0};
    size_t capacity = 0;
    struct it_train_pack *p = NULL;
    for (int64_t g = 0; g < s->groups; g++) {
        const struct it_rl_prompt *prompt = s->prompt[g];
        int64_t prompt_row = -1; /* not in the pack yet */
        for (int64_t i = g * s->group_size; i < (g + 1) * s->group_size; i++) {
            const struct it_completion *c = &s->completion[i];
            if (c->n == 0 || (s->skip && s->skip[i])) { continue; }
            int64_t own = tokens_read(c, s->after);
            assert(prompt->n + own <= s->budget);
            int64_t need = own + (prompt_row < 0 ? prompt->n : 0);
            if (!p || p->pack.n_tokens + need > s->budget) {
                p = new_pack(&packs, &capacity, s);
                prompt_row = -1;
            }
            if (prompt_row < 0) { prompt_row = add_segment(p, prompt->ids, prompt->n, 0, 0, 0); }
            add_part(p, prompt, prompt_row, c, i, s->after);
        }
    }
    finish_packs(&packs);
    *packs_out = packs;
}

void it_packs_free(struct it_packs *packs)
{
    for (int64_t i = 0; i < packs->n; i++) {
        struct it_train_pack *p = &packs->item[i];
        it_free(p->ids);
        it_free(p->positions);
        it_free(p->segments);
        it_free(p->rows);
        it_free(p->targets);
        it_free(p->part);
    }
    it_free(packs->item);
    *packs = (struct it_packs){0};
}

/* Every completion has one row more than it has tokens read; the shortest has none read. */
int64_t it_packs_max_rows(int64_t tokens, int64_t samples)
{
    return tokens + samples;
}
