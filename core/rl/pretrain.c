/* SPDX-License-Identifier: MIT */
/* Next-token training in the same run directory, with the same checkpoints. The loss is the mean
 * over predicted tokens of (1 - e) * -log p(target) + e * mean over the vocabulary of -log p,
 * where e is label_smoothing; the second term is self-certainty plus ln V, hence its gradient
 * comes through the same op. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/rl/internal.h"

enum { STREAM_ORDER = 2, STREAM_NOISE = 3 };

struct pretrainer {
    const struct it_pretrain_setup *setup;
    const struct it_recipe *recipe;
    struct it_net *net;
    struct it_optimizer *optimizer;
    struct it_arena *phase;
    struct it_weights grads;
    struct it_tape *tape;
    struct it_run *run;
    int64_t budget, rows; /* tokens and predictions of a pack at most */
    int64_t update, updates, num_tokens, position;
    int64_t *order, epoch;
    int64_t skipped;
    /* one pack */
    int32_t *ids, *positions, *segments, *row, *targets;
    double *stats, *coefs;
    struct it_pack pack;
};

static const struct it_text_example *example(struct pretrainer *p, int64_t position)
{
    int64_t n = p->setup->n_examples, epoch = position / n;
    if (epoch != p->epoch) {
        struct it_rng rng;
        it_rng_init(&rng, (uint64_t)p->recipe->seed, STREAM_ORDER + ((uint64_t)epoch << 8));
        for (int64_t i = 0; i < n; i++) { p->order[i] = i; }
        if (p->recipe->shuffle_dataset) { it_rng_shuffle(&rng, p->order, n); }
        p->epoch = epoch;
    }
    return &p->setup->examples[p->order[position % n]];
}

/* Ids seen by the model: of the completion, a share token_noise is replaced by random ids; targets
 * stay clean. It keeps the tail of the distribution honest (docs/demo.md). */
static int32_t seen(struct pretrainer *p, struct it_rng *noise, const struct it_text_example *e,
                    int64_t i)
{
    if (p->recipe->token_noise <= 0.0 || i < e->n_prompt) { return e->ids[i]; }
    bool replace = it_rng_uniform(noise) < p->recipe->token_noise;
    int64_t other = it_rng_below(noise, p->net->config.vocab);
    return replace ? (int32_t)other : e->ids[i];
}

static void pack_example(struct pretrainer *p, const struct it_text_example *e, int64_t position)
{
    struct it_rng noise;
    int64_t start = p->pack.n_tokens, n = e->n - 1;
    int32_t *s = p->segments + 5 * p->pack.n_segments++;
    int64_t first = p->recipe->completion_only_loss && e->n_prompt > 0 ? e->n_prompt : 1;
    it_rng_init(&noise, (uint64_t)p->recipe->seed, STREAM_NOISE + ((uint64_t)position << 8));
    s[0] = s[4] = (int32_t)start;
    s[1] = (int32_t)n;
    s[2] = s[3] = 0;
    for (int64_t i = 0; i < n; i++) {
        p->ids[start + i] = seen(p, &noise, e, i);
        p->positions[start + i] = (int32_t)i;
        if (i + 1 < first) { continue; }
        p->row[p->pack.n_rows] = (int32_t)(start + i);
        p->targets[p->pack.n_rows++] = e->ids[i + 1];
    }
    p->pack.n_tokens += n;
}

/* Examples [position, ...) that fit one pack and the update's tokens; returns how many. */
static int64_t fill_pack(struct pretrainer *p, int64_t position, int64_t tokens_left)
{
    int64_t taken = 0;
    p->pack = (struct it_pack){.ids = p->ids,
                               .positions = p->positions,
                               .segments = p->segments,
                               .rows = p->row,
                               .targets = p->targets};
    for (;;) {
        const struct it_text_example *e = example(p, position + taken);
        int64_t need = p->pack.n_tokens + e->n - 1;
        if (taken > 0 && (need > p->budget || need > tokens_left)) { return taken; }
        pack_example(p, e, position + taken);
        taken++;
        if (p->pack.n_tokens >= tokens_left) { return taken; }
    }
}

/* Predictions of the update, known before its first gradient. */
static int64_t count_targets(struct pretrainer *p, int64_t *examples_out)
{
    int64_t rows = 0, tokens = 0, n = 0, want = p->recipe->train_batch_tokens;
    while (tokens < want) {
        n += fill_pack(p, p->position + n, want - tokens);
        tokens += p->pack.n_tokens;
        rows += p->pack.n_rows;
    }
    *examples_out = n;
    return rows;
}

struct update_totals {
    double nll, loss, tokens, grad_norm, right;
};

static enum it_status pack_gradient(struct pretrainer *p, double weight, struct update_totals *u)
{
    struct it_head_options head = {.temperature = 1.0, .stat_temperature = 1.0};
    double e = p->recipe->label_smoothing, log_v = log((double)p->net->config.vocab);
    IT_TRY(it_tape_forward(p->tape, &p->net->weights, &p->pack, &head, p->stats));
    for (int64_t i = 0; i < p->pack.n_rows; i++) {
        const double *s = p->stats + i * IT_STAT_COUNT;
        double nll = -s[IT_STAT_LOGPROB];
        u->nll += nll * weight;
        u->loss += ((1.0 - e) * nll + e * (s[IT_STAT_CERTAINTY] + log_v)) * weight;
        u->right += (exp(-nll) >= s[IT_STAT_TOP] * (1.0 - 1e-6)) * weight;
        p->coefs[i * 3] = -(1.0 - e) * weight;
        p->coefs[i * 3 + 1] = 0.0;
        p->coefs[i * 3 + 2] = e * weight;
    }
    u->tokens += (double)p->pack.n_tokens;
    return it_tape_backward(p->tape, &p->net->weights, &p->pack, &head, p->coefs, &p->grads);
}

static enum it_status one_update(struct pretrainer *p, struct update_totals *u)
{
    const struct it_recipe *r = p->recipe;
    int64_t examples, done = 0, tokens = 0;
    double weight = 1.0 / (double)count_targets(p, &examples);
    IT_TRY(it_weights_fill(&p->grads, 0.0));
    while (done < examples) {
        if (it_interrupted()) { return IT_INTERRUPTED; }
        done += fill_pack(p, p->position + done, r->train_batch_tokens - tokens);
        tokens += p->pack.n_tokens;
        IT_TRY(pack_gradient(p, weight, u));
    }
    IT_TRY(it_grad_norm(p->optimizer, &p->grads, &u->grad_norm));
    if (!isfinite(u->grad_norm) || !isfinite(u->loss)) {
        it_warn("update %lld skipped: loss %g, gradient norm %g", (long long)p->update + 1, u->loss,
                u->grad_norm);
        if (++p->skipped >= 3) {
            return it_fail(IT_GUARD, "three updates in a row had a loss or gradient that is not "
                                     "finite: lower learning_rate");
        }
    } else {
        double limit = r->max_grad_norm, scale = 1.0;
        if (limit > 0.0 && u->grad_norm > limit) { scale = limit / (u->grad_norm + 1e-6); }
        p->skipped = 0;
        IT_TRY(it_optimizer_step(p->optimizer, &p->grads,
                                 it_recipe_learning_rate(r, p->update + 1, p->updates), scale));
    }
    p->position += examples;
    p->num_tokens += tokens;
    p->update++;
    return IT_OK;
}

/* ---- state ---- */

static int64_t state_tensors(struct pretrainer *p, struct it_state_tensor **tensors_out)
{
    struct it_trainer view = {.recipe = p->recipe, .optimizer = p->optimizer};
    return it_trainer_state_tensors(&view, tensors_out);
}

static enum it_status save(struct pretrainer *p)
{
    struct it_state_tensor *tensors;
    int64_t n = state_tensors(p, &tensors);
    json_t *state = json_object();
    json_object_set_new(state, "global_step", json_integer((json_int_t)p->update));
    json_object_set_new(state, "max_steps", json_integer((json_int_t)p->updates));
    json_object_set_new(state, "optim", json_string(it_recipe_optim(p->recipe)));
    json_object_set_new(state, "optimizer_step", json_integer((json_int_t)p->optimizer->step));
    json_object_set_new(state, "num_tokens", json_integer((json_int_t)p->num_tokens));
    json_object_set_new(state, "position", json_integer((json_int_t)p->position));
    json_object_set_new(state, "skipped", json_integer((json_int_t)p->skipped));
    enum it_status status =
        it_run_save(p->run, p->update, &p->setup->folders, &p->net->weights, tensors, n, state);
    json_decref(state);
    it_free(tensors);
    return status;
}

static enum it_status load(struct pretrainer *p)
{
    char *folder;
    json_t *state;
    struct it_state_tensor *tensors;
    enum it_status status;
    IT_TRY(it_run_newest(p->run, -1, &folder, &state));
    if (!folder) { return it_run_truncate(p->run, -1); }
    int64_t n = state_tensors(p, &tensors);
    IT_TRY_GOTO(status, end, it_check_optim(p->recipe, folder, state));
    IT_TRY_GOTO(status, end, it_run_load(folder, &p->setup->folders, &p->net->weights, tensors, n));
    IT_TRY_GOTO(status, end, it_json_get_int(state, folder, "global_step", 0, &p->update));
    IT_TRY_GOTO(status, end,
                it_json_get_int(state, folder, "optimizer_step", 0, &p->optimizer->step));
    IT_TRY_GOTO(status, end, it_json_get_int(state, folder, "num_tokens", 0, &p->num_tokens));
    IT_TRY_GOTO(status, end, it_json_get_int(state, folder, "position", 0, &p->position));
    IT_TRY_GOTO(status, end, it_json_get_int(state, folder, "skipped", 0, &p->skipped));
    it_info("going on from %s", folder);
    status = it_run_truncate(p->run, p->update);
end:
    it_free(tensors);
    json_decref(state);
    it_free(folder);
    return status;
}

/* ---- beginning and end ---- */

static int64_t longest(const struct it_pretrain_setup *s)
{
    int64_t most = 2;
    for (int64_t i = 0; i < s->n_examples; i++) {
        if (s->examples[i].n > most) { most = s->examples[i].n; }
    }
    return most;
}

static enum it_status open_device(struct pretrainer *p)
{
    const struct it_recipe *r = p->recipe;
    enum it_dtype a = it_dtype_accumulation(p->net->dtype);
    const struct it_adamw_options adamw = it_recipe_adamw(r);
    struct it_tape_options tape = {.max_tokens = p->budget,
                                   .max_segments = p->budget,
                                   .max_rows = p->budget,
                                   .train = true,
                                   .checkpoint = r->gradient_checkpointing ? IT_CHECKPOINT_BLOCK
                                                                           : IT_CHECKPOINT_NONE};
    int64_t bytes;
    IT_TRY(it_tape_plan(p->net, &tape, &bytes));
    bytes += it_weights_bytes(p->net, a) + (1 << 20);
    IT_TRY(it_optimizer_open(p->net, &adamw, &p->optimizer));
    IT_TRY(it_arena_open(p->net->device, "gradients and activations", bytes, &p->phase));
    IT_TRY(it_weights_open(p->net, "gradients", a, p->phase, &p->grads));
    return it_tape_open(p->net, p->phase, &tape, &p->tape);
}

static void open_host(struct pretrainer *p)
{
    size_t n = (size_t)p->budget + 1;
    int64_t most = longest(p->setup);
    if (p->budget < most) { n = (size_t)most + 1; }
    p->ids = it_calloc(n, sizeof *p->ids);
    p->positions = it_calloc(n, sizeof *p->positions);
    p->segments = it_calloc(n * 5, sizeof *p->segments);
    p->row = it_calloc(n, sizeof *p->row);
    p->targets = it_calloc(n, sizeof *p->targets);
    p->stats = it_calloc(n * IT_STAT_COUNT, sizeof *p->stats);
    p->coefs = it_calloc(n * 3, sizeof *p->coefs);
    p->order = it_calloc((size_t)p->setup->n_examples, sizeof *p->order);
}

static void close_all(struct pretrainer *p)
{
    it_tape_close(p->tape);
    it_weights_close(&p->grads);
    it_arena_close(p->phase);
    it_optimizer_close(p->optimizer);
    it_run_close(p->run);
    it_free(p->ids);
    it_free(p->positions);
    it_free(p->segments);
    it_free(p->row);
    it_free(p->targets);
    it_free(p->stats);
    it_free(p->coefs);
    it_free(p->order);
}

static int64_t count_updates(const struct it_pretrain_setup *s)
{
    int64_t tokens = 0;
    if (s->recipe->max_steps > 0) { return s->recipe->max_steps; }
    for (int64_t i = 0; i < s->n_examples; i++) { tokens += s->examples[i].n - 1; }
    double n = s->recipe->num_train_epochs * (double)tokens / (double)s->recipe->train_batch_tokens;
    return n < 1.0 ? 1 : (int64_t)n;
}

static enum it_status log_update(struct pretrainer *p, const struct update_totals *u,
                                 double seconds)
{
    const struct it_recipe *r = p->recipe;
    double rate = it_recipe_learning_rate(r, p->update, p->updates);
    const struct {
        const char *name;
        double value;
    } row[] = {{"epoch", (double)p->position / (double)p->setup->n_examples},
               {"loss", u->loss},
               {"nll", u->nll},
               {"mean_token_accuracy", u->right},
               {"grad_norm", u->grad_norm},
               {"learning_rate", rate},
               {"step_time", seconds},
               {"perf/train_tok_s", u->tokens / (seconds + 1e-9)}};
    json_t *record = json_object();
    json_object_set_new(record, "step", json_integer((json_int_t)p->update));
    json_object_set_new(record, "num_tokens", json_integer((json_int_t)p->num_tokens));
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        json_object_set_new(record, row[i].name, it_json_real(row[i].value));
    }
    enum it_status status = it_run_metrics(p->run, p->update, record);
    json_decref(record);
    bool said =
        p->update == p->updates || (r->logging_steps > 0 && p->update % r->logging_steps == 0);
    if (said) {
        it_info("update %lld/%lld  loss %.4f  token accuracy %.3f  grad %.3g  lr %.2e  %.0f tok/s",
                (long long)p->update, (long long)p->updates, u->loss, u->right, u->grad_norm, rate,
                u->tokens / (seconds + 1e-9));
    }
    return status;
}

static enum it_status run_updates(struct pretrainer *p)
{
    const struct it_recipe *r = p->recipe;
    while (p->update < p->updates) {
        struct update_totals u = {0};
        double start = it_now();
        enum it_status status = it_interrupted() ? IT_INTERRUPTED : one_update(p, &u);
        /* the weights are still those of the last whole update */
        if (status == IT_INTERRUPTED || status == IT_GUARD) { IT_TRY(save(p)); }
        if (status == IT_INTERRUPTED) {
            it_warn("interrupted after update %lld of %lld; go on with --resume",
                    (long long)p->update, (long long)p->updates);
        }
        IT_TRY(status);
        IT_TRY(log_update(p, &u, it_now() - start));
        if (p->update == p->updates || (r->save_steps > 0 && p->update % r->save_steps == 0)) {
            IT_TRY(save(p));
        }
    }
    return IT_OK;
}

static enum it_status check_examples(const struct it_pretrain_setup *s)
{
    if (s->n_examples == 0) { return it_fail(IT_INVALID, "there is no example to train on"); }
    for (int64_t i = 0; i < s->n_examples; i++) {
        const struct it_text_example *e = &s->examples[i];
        bool learns = e->n_prompt < e->n || !s->recipe->completion_only_loss;
        if (e->n >= 2 && learns && e->n <= s->net->positions + 1) { continue; }
        return it_fail(IT_INVALID,
                       "example %lld has %lld tokens, %lld of them prompt; expected 2 to %lld, and "
                       "one at least to predict",
                       (long long)i + 1, (long long)e->n, (long long)e->n_prompt,
                       (long long)s->net->positions + 1);
    }
    return IT_OK;
}

enum it_status it_pretrain(const struct it_pretrain_setup *setup)
{
    struct pretrainer p = {.setup = setup, .recipe = setup->recipe, .net = setup->net, .epoch = -1};
    enum it_status status;
    IT_TRY(check_examples(setup));
    int64_t most = longest(setup);
    p.budget = setup->recipe->micro_tokens ? setup->recipe->micro_tokens : 2048;
    if (p.budget < most) { p.budget = most; }
    p.updates = count_updates(setup);
    open_host(&p);
    IT_TRY_GOTO(status, end,
                it_run_open(setup->recipe, setup->ledger, setup->resume, setup->overwrite, &p.run));
    IT_TRY_GOTO(status, end, open_device(&p));
    if (setup->resume) { IT_TRY_GOTO(status, end, load(&p)); }
    IT_TRY_GOTO(status, end, run_updates(&p));
end:
    close_all(&p);
    return status;
}
