/* SPDX-License-Identifier: MIT */
/* Scores: log-probs under the reference, self-certainty under another annotator or recomputed by
 * the trainer, then rewards and advantages. In the plain on-policy case nothing is recomputed: the
 * sampler's own statistics are the reward. */
#include <math.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/rl/internal.h"

/* What a forward pass without gradient is asked for; NULL: not wanted. */
struct wanted {
    double **logprob;  /* [n][tokens] */
    float **certainty; /* [n][tokens] */
    int64_t shift;     /* 1: the distribution after each token (or1_compat) */
};

static void take(const struct it_train_pack *p, const double *stats, const struct it_batch *b,
                 const struct wanted *want)
{
    for (int64_t k = 0; k < p->n_parts; k++) {
        const struct it_part *part = &p->part[k];
        size_t n = (size_t)b->completion[part->sample].n;
        const double *row = stats + part->first * IT_STAT_COUNT;
        if (want->logprob) {
            double *out = want->logprob[part->sample] = it_alloc(n * sizeof *out);
            for (size_t i = 0; i < n; i++) { out[i] = row[i * IT_STAT_COUNT + IT_STAT_LOGPROB]; }
        }
        if (want->certainty) {
            float *out = want->certainty[part->sample] = it_alloc(n * sizeof *out);
            const double *from = row + want->shift * IT_STAT_COUNT;
            for (size_t i = 0; i < n; i++) {
                out[i] = (float)from[i * IT_STAT_COUNT + IT_STAT_CERTAINTY];
            }
        }
    }
}

static enum it_status forward_all(struct it_trainer *t, const struct it_weights *weights,
                                  const struct it_batch *b, const struct wanted *want)
{
    struct it_pack_source source = {.groups = b->groups,
                                    .group_size = b->size,
                                    .prompt = b->prompt,
                                    .completion = b->completion,
                                    .budget = t->plan.micro_tokens,
                                    .after = want->shift != 0};
    struct it_head_options head = it_trainer_head(t);
    struct it_packs packs;
    struct it_tape *tape = NULL;
    struct it_weights recalled = {0};
    enum it_status status = IT_OK;
    it_packs_build(&source, &packs);
    if (packs.n == 0) { return IT_OK; }
    double *stats = it_alloc((size_t)packs.max_rows * IT_STAT_COUNT * sizeof *stats);
    struct it_tape_options options = {.max_tokens = packs.max_tokens,
                                      .max_rows = packs.max_rows,
                                      .max_segments = packs.max_segments};
    it_arena_reset(t->phase, 0);
    if (t->plan.streamed && weights != &t->net->weights) {
        status = it_weights_recall(t->net, weights, t->phase, &recalled);
        weights = &recalled;
    }
    if (status == IT_OK) { status = it_tape_open(t->net, t->phase, &options, &tape); }
    for (int64_t i = 0; i < packs.n && status == IT_OK; i++) {
        status = it_interrupted()
                     ? IT_INTERRUPTED
                     : it_tape_forward(tape, weights, &packs.item[i].pack, &head, stats);
        if (status == IT_OK) { take(&packs.item[i], stats, b, want); }
    }
    it_tape_close(tape);
    it_weights_close(&recalled);
    it_free(stats);
    it_packs_free(&packs);
    return status;
}

static const struct it_weights *annotator(const struct it_trainer *t)
{
    switch ((enum it_sc_annotator)t->recipe->sc_annotator) {
    case IT_SC_POLICY: return &t->net->weights;
    case IT_SC_FROZEN: return t->annotator.n ? &t->annotator : &t->reference;
    case IT_SC_EMA:
    case IT_SC_PERIODIC: return &t->annotator;
    }
    return &t->net->weights;
}

static enum it_status passes(struct it_trainer *t, struct it_batch *b)
{
    const struct it_recipe *r = t->recipe;
    bool shifted = r->sc_shift == IT_SC_OR1_COMPAT;
    bool certainty = it_needs_certainty(r);
    const struct it_weights *by = annotator(t);
    struct wanted ref = {.logprob = b->ref}, sc = {.certainty = b->certainty, .shift = shifted};
    if (certainty && r->beta != 0.0 && by == &t->reference) { /* one pass serves both */
        sc.logprob = b->ref;
        IT_TRY(forward_all(t, by, b, &sc));
    } else {
        if (certainty) { IT_TRY(forward_all(t, by, b, &sc)); }
        if (r->beta != 0.0) { IT_TRY(forward_all(t, &t->reference, b, &ref)); }
    }
    for (int64_t i = 0; i < b->n; i++) {
        if (b->certainty[i]) { b->sample[i].certainty = b->certainty[i]; }
    }
    return IT_OK;
}

static void rewards(struct it_trainer *t, int64_t update, struct it_batch *b)
{
    const struct it_recipe *r = t->recipe;
    for (int64_t g = 0; g < b->groups; g++) {
        struct it_group group = {
            .n = b->size,
            .sample = b->sample + g * b->size,
            .question = b->prompt[g]->text,
            .has_gold = b->prompt[g]->gold != NULL,
            .equal = t->setup->grader.equal,
            .context = t->setup->grader.context,
            .seed = (uint64_t)r->seed,
            .update = (uint64_t)update,
            .key = (uint64_t)g,
            .log_vocab = log((double)(t->vocab ? t->vocab : t->net->config.vocab)),
        };
        for (size_t f = 0; f < r->reward_funcs.n; f++) {
            it_reward_find(r->reward_funcs.item[f])->score(r, &group, b->rewards[f] + g * b->size);
        }
    }
    it_advantages(r, b->groups, b->size, (int64_t)r->reward_funcs.n,
                  (const double *const *)b->rewards, r->reward_weights.item, b->include, b->reward,
                  b->advantage, &b->advantages);
}

enum it_status it_score(struct it_trainer *t, int64_t update, struct it_batch *b)
{
    double start = it_now();
    IT_TRY(passes(t, b));
    b->score_s = it_now() - start;
    start = it_now();
    rewards(t, update, b);
    b->reward_s += it_now() - start;
    return IT_OK;
}
