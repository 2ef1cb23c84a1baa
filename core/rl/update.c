/* SPDX-License-Identifier: MIT */
/* The optimizer's part of an update: losses over packs, gradients, clipping, AdamW. */
#include <math.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/rl/internal.h"

/* Scratch of one pack: per-row doubles. */
struct scratch {
    double *stats, *coefs, *logp, *entropy, *certainty, *sampled;
};

static void scratch_open(struct scratch *s, int64_t rows)
{
    size_t n = (size_t)rows;
    s->stats = it_calloc(n * IT_STAT_COUNT, sizeof *s->stats);
    s->coefs = it_calloc(n * 3, sizeof *s->coefs);
    s->logp = it_calloc(n, sizeof *s->logp);
    s->entropy = it_calloc(n, sizeof *s->entropy);
    s->certainty = it_calloc(n, sizeof *s->certainty);
    s->sampled = it_calloc(n, sizeof *s->sampled);
}

static void scratch_close(struct scratch *s)
{
    it_free(s->stats);
    it_free(s->coefs);
    it_free(s->logp);
    it_free(s->entropy);
    it_free(s->certainty);
    it_free(s->sampled);
}

/* The sampler's log-probs against the trainer's, under the same weights. */
static void compare(const struct scratch *s, int64_t n, struct it_update_totals *totals)
{
    for (int64_t i = 0; i < n; i++) {
        double ratio = exp(s->logp[i] - s->sampled[i]), deviation = fabs(ratio - 1.0);
        totals->ratio_dev_sum += deviation;
        if (deviation > totals->ratio_dev_max) { totals->ratio_dev_max = deviation; }
        totals->ess_sum += ratio;
        totals->ess_sq += ratio * ratio;
    }
    totals->ratio_tokens += (double)n;
}

static void part_loss(struct it_trainer *t, struct it_batch *b, const struct it_part *part,
                      double weight, bool first, struct scratch *s, struct it_update_totals *totals)
{
    const struct it_completion *c = &b->completion[part->sample];
    const double *row = s->stats + part->first * IT_STAT_COUNT;
    for (int64_t i = 0; i < part->n; i++, row += IT_STAT_COUNT) {
        s->logp[i] = row[IT_STAT_LOGPROB];
        s->entropy[i] = row[IT_STAT_ENTROPY];
        s->certainty[i] = row[IT_STAT_CERTAINTY];
        s->sampled[i] = (double)c->logprob[i];
    }
    const double *old = s->sampled;
    if (t->recipe->num_iterations > 1) { /* the trainer's own log-probs of the first iteration */
        size_t bytes = (size_t)part->n * sizeof(double);
        if (first) {
            b->kept[part->sample] = it_alloc(bytes);
            memcpy(b->kept[part->sample], s->logp, bytes);
        }
        old = b->kept[part->sample];
    }
    if (first) { compare(s, part->n, totals); }
    struct it_loss_sequence sequence = {.n = part->n,
                                        .logp = s->logp,
                                        .old = old,
                                        .ref = b->ref[part->sample],
                                        .advantage = b->advantage[part->sample],
                                        .weight = weight};
    it_loss_apply(t->recipe, &sequence, s->entropy, s->certainty, &totals->loss,
                  s->coefs + part->first * 3);
}

static enum it_status one_pack(struct it_trainer *t, struct it_tape *tape, struct it_batch *b,
                               const struct it_train_pack *p, const double *weights, bool first,
                               struct scratch *s, struct it_weights *grads,
                               struct it_update_totals *totals)
{
    struct it_head_options head = it_trainer_head(t);
    /* heard only while the weights are still those of the last checkpointed state */
    if (first && it_interrupted()) { return IT_INTERRUPTED; }
    IT_TRY(it_tape_forward(tape, &t->net->weights, &p->pack, &head, s->stats));
    memset(s->coefs, 0, (size_t)p->pack.n_rows * 3 * sizeof *s->coefs);
    for (int64_t k = 0; k < p->n_parts; k++) {
        part_loss(t, b, &p->part[k], weights[p->part[k].sample], first, s, totals);
    }
    return it_tape_backward(tape, &t->net->weights, &p->pack, &head, s->coefs, grads);
}

/* With exact: true the two log-probs are equal to the bit, or something is wrong with the kernels
 * and the run must not go on; otherwise the gap has a limit. */
static enum it_status check_ratio(const struct it_trainer *t, const struct it_update_totals *totals)
{
    double mean = totals->ratio_tokens ? totals->ratio_dev_sum / totals->ratio_tokens : 0.0;
    if (t->recipe->exact && totals->ratio_dev_max != 0.0) {
        return it_fail(IT_GUARD,
                       "sampler and trainer log-probs differ (largest |ratio - 1| %.3g) "
                       "though exact is true: a kernel of device %s is not batch-invariant; run "
                       "with exact=false, and please report it",
                       totals->ratio_dev_max, it_device_info(t->net->device)->name);
    }
    double limit = t->recipe->guard_ratio_dev;
    if (limit > 0.0 && !(mean <= limit)) {
        return it_fail(IT_GUARD,
                       "sampler and trainer log-probs drift apart: mean |ratio - 1| %.4g "
                       "is above guard_ratio_dev %.4g; run with exact=true or float32",
                       mean, limit);
    }
    return IT_OK;
}

struct it_adamw_options it_recipe_adamw(const struct it_recipe *r)
{
    return (struct it_adamw_options){.beta1 = r->adam_beta1,
                                     .beta2 = r->adam_beta2,
                                     .eps = r->adam_epsilon,
                                     .weight_decay = r->weight_decay,
                                     .eight_bit = r->optim == IT_OPTIM_ADAMW_8BIT,
                                     .stochastic = r->bf16_stochastic_round,
                                     .seed = (uint64_t)r->seed};
}

const char *it_recipe_optim(const struct it_recipe *r)
{
    static const char *const names[2][2] = {
        {"adamw_torch", "adamw_torch with bf16_stochastic_round"},
        {"adamw_8bit", "adamw_8bit with bf16_stochastic_round"},
    };
    return names[r->optim == IT_OPTIM_ADAMW_8BIT][r->bf16_stochastic_round];
}

enum it_status it_check_optim(const struct it_recipe *r, const char *folder, const json_t *state)
{
    const char *was = json_string_value(json_object_get(state, "optim"));
    if (!was) { was = "adamw_torch"; } /* checkpoints from when there was no other */
    if (strcmp(was, it_recipe_optim(r)) == 0) { return IT_OK; }
    return it_fail(IT_INVALID,
                   "%s: written by optim %s, not by %s: go on with that one, or start a run of its "
                   "own from the checkpoint as a model",
                   folder, was, it_recipe_optim(r));
}

static enum it_status apply(struct it_trainer *t, struct it_weights *grads,
                            struct it_update_totals *totals)
{
    IT_TRY(it_grad_norm(t->optimizer, grads, &totals->grad_norm));
    if (!isfinite(totals->grad_norm) || !isfinite(totals->loss.loss)) {
        totals->skipped = true;
        t->skipped++;
        t->skipped_in_row++;
        it_warn("update %lld skipped: loss %g, gradient norm %g; the weights are as before it",
                (long long)t->update + 1, totals->loss.loss, totals->grad_norm);
        return IT_OK;
    }
    double limit = t->recipe->max_grad_norm, scale = 1.0;
    if (limit > 0.0 && totals->grad_norm > limit) { scale = limit / (totals->grad_norm + 1e-6); }
    return it_optimizer_step(t->optimizer, grads, totals->learning_rate, scale);
}

static enum it_status iterate(struct it_trainer *t, struct it_batch *b, struct it_packs *packs,
                              const double *weights, struct it_tape *tape, struct it_weights *grads,
                              struct it_update_totals *totals)
{
    struct scratch s;
    enum it_status status = IT_OK;
    int64_t k = 0;
    scratch_open(&s, packs->max_rows);
    while (k < t->recipe->num_iterations && status == IT_OK && !totals->skipped) {
        bool first = k++ == 0;
        status = it_weights_fill(grads, 0.0);
        for (int64_t i = 0; i < packs->n && status == IT_OK; i++) {
            status = one_pack(t, tape, b, &packs->item[i], weights, first, &s, grads, totals);
        }
        if (status == IT_OK && first) { status = check_ratio(t, totals); }
        if (status == IT_OK) { status = apply(t, grads, totals); }
    }
    totals->loss.loss /= (double)k; /* as logged: the mean over the iterations */
    if (status == IT_OK && !totals->skipped) { t->skipped_in_row = 0; }
    scratch_close(&s);
    return status;
}

static double *token_weights(const struct it_trainer *t, const struct it_batch *b)
{
    int64_t *lengths = it_calloc((size_t)b->n, sizeof *lengths);
    double *weights = it_calloc((size_t)b->n, sizeof *weights);
    for (int64_t i = 0; i < b->n; i++) { lengths[i] = b->skip[i] ? 0 : b->completion[i].n; }
    it_loss_weights(t->recipe, b->n, lengths, t->recipe->per_device_train_batch_size, weights);
    it_free(lengths);
    return weights;
}

enum it_status it_update(struct it_trainer *t, struct it_batch *b,
                         struct it_update_totals *totals_out)
{
    const struct it_recipe *r = t->recipe;
    struct it_update_totals totals = {.loss = {.clip_low_min = INFINITY}};
    struct it_pack_source source = {.groups = b->groups,
                                    .group_size = b->size,
                                    .prompt = b->prompt,
                                    .completion = b->completion,
                                    .skip = b->skip,
                                    .budget = t->plan.micro_tokens};
    struct it_packs packs;
    struct it_weights grads = {0};
    struct it_tape *tape = NULL;
    double start = it_now();
    enum it_status status = IT_OK;
    totals.learning_rate = it_recipe_learning_rate(r, t->update + 1, t->updates);
    it_packs_build(&source, &packs);
    double *weights = token_weights(t, b);
    struct it_tape_options options = {.max_tokens = packs.max_tokens,
                                      .max_rows = packs.max_rows,
                                      .max_segments = packs.max_segments,
                                      .train = true,
                                      .checkpoint = r->gradient_checkpointing ? IT_CHECKPOINT_BLOCK
                                                                              : IT_CHECKPOINT_NONE};
    it_arena_reset(t->phase, 0);
    if (packs.n > 0) {
        enum it_dtype a = it_dtype_accumulation(t->net->dtype);
        IT_TRY_GOTO(status, end, it_weights_open(t->net, "gradients", a, t->phase, &grads));
        IT_TRY_GOTO(status, end, it_tape_open(t->net, t->phase, &options, &tape));
        IT_TRY_GOTO(status, end, iterate(t, b, &packs, weights, tape, &grads, &totals));
    }
    b->train_s = it_now() - start;
    *totals_out = totals;
end:
    it_tape_close(tape);
    it_weights_close(&grads);
    it_packs_free(&packs);
    it_free(weights);
    return status;
}
