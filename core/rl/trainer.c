/* SPDX-License-Identifier: MIT */
/* The loop, and what it needs to begin, to stop anywhere, and to go on to the same bits. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/rl/internal.h"

/* ---- beginning ---- */

/* A model that is kept beside the policy. */
static enum it_status open_beside(struct it_trainer *t, const char *label, bool adapted,
                                  struct it_weights *weights_out)
{
    if (!t->plan.streamed) { return it_weights_fork(t->net, label, adapted, weights_out); }
    char size[24];
    it_info("%s: %s in host memory, copied to device %s for each scoring", label,
            it_format_size(it_weights_bytes(t->net, t->net->dtype), size, sizeof size),
            it_device_info(t->net->device)->name);
    return it_weights_park(t->net, label, weights_out);
}

static enum it_status open_sets(struct it_trainer *t)
{
    const struct it_adamw_options adamw = it_recipe_adamw(t->recipe);
    if (it_needs_reference(t->recipe)) {
        IT_TRY(open_beside(t, "reference", t->recipe->sync_ref_model, &t->reference));
    }
    if (it_needs_annotator(t->recipe)) {
        IT_TRY(open_beside(t, "annotator", true, &t->annotator));
    }
    IT_TRY(it_optimizer_open(t->net, &adamw, &t->optimizer));
    return it_arena_open(t->net->device, "generation and training", t->plan.phase, &t->phase);
}

static int64_t statistics_vocabulary(const struct it_trainer *t)
{
    int64_t size = it_tokenizer_size(t->setup->tokenizer);
    if (t->recipe->sc_vocab != IT_SC_TOKENIZER || size >= t->net->config.vocab) { return 0; }
    return size;
}

static enum it_status open_run(struct it_trainer *t, enum it_trainer_mode mode)
{
    const struct it_trainer_setup *s = t->setup;
    switch (mode) {
    case IT_TRAINER_RUN: return it_run_open(s->recipe, s->ledger, s->resume, s->overwrite, &t->run);
    case IT_TRAINER_REPLAY: return it_run_open_dry(s->recipe->output_dir, &t->run);
    case IT_TRAINER_PROBE: break;
    }
    return IT_OK;
}

enum it_status it_trainer_open(const struct it_trainer_setup *setup, enum it_trainer_mode mode,
                               struct it_trainer *t_out)
{
    struct it_trainer t = {.setup = setup, .recipe = setup->recipe, .net = setup->net, .epoch = -1};
    enum it_status status;
    t.monitor.accuracy_start = NAN;
    t.vocab = statistics_vocabulary(&t);
    t.order = it_calloc((size_t)setup->n_prompts + 1, sizeof *t.order);
    IT_TRY_GOTO(status, fail, it_recipe_batch(setup->recipe, setup->devices, &t.shape));
    IT_TRY_GOTO(status, fail, it_trainer_plan(setup, &t.plan));
    t.updates = it_recipe_updates(setup->recipe, &t.shape, setup->n_prompts);
    if (t.recipe->sc_annotator == IT_SC_EMA && t.recipe->sc_ema > 0.9 && t.net->dtype == IT_BF16) {
        it_warn("sc_annotator ema: bfloat16 rounds steps of 1 - sc_ema = %g away; use float32, or "
                "sc_annotator periodic",
                1.0 - t.recipe->sc_ema);
    }
    IT_TRY_GOTO(status, fail, open_run(&t, mode));
    IT_TRY_GOTO(status, fail, open_sets(&t));
    *t_out = t;
    return IT_OK;
fail:
    it_trainer_close(&t);
    return status;
}

void it_trainer_close(struct it_trainer *t)
{
    it_run_close(t->run);
    it_arena_close(t->phase);
    it_optimizer_close(t->optimizer);
    it_weights_close(&t->reference);
    it_weights_close(&t->annotator);
    it_free(t->order);
    memset(t, 0, sizeof *t);
}

/* ---- the state of a run ---- */

static int64_t name_set(struct it_state_tensor *list, int64_t n, const char *prefix,
                        const struct it_weights *set)
{
    for (int i = 0; i < set->n; i++) {
        const struct it_weight *w = &set->item[i];
        if (w->t.dtype == IT_NONE || (w->flags & IT_WEIGHT_FROZEN)) { continue; }
        if (list) {
            snprintf(list[n].name, sizeof list[n].name, "%s.%d", prefix, i);
            list[n].t = w->t;
        }
        n++;
    }
    return n;
}

static int64_t name_state(struct it_trainer *t, struct it_state_tensor *list)
{
    int64_t n = name_set(list, 0, "m", &t->optimizer->m);
    n = name_set(list, n, "v", &t->optimizer->v);
    n = name_set(list, n, "m_scale", &t->optimizer->m_scale);
    n = name_set(list, n, "v_scale", &t->optimizer->v_scale);
    n = name_set(list, n, "lo", &t->optimizer->lo);
    if (t->recipe->sync_ref_model) { n = name_set(list, n, "reference", &t->reference); }
    return name_set(list, n, "annotator", &t->annotator);
}

int it_trainer_state_tensors(struct it_trainer *t, struct it_state_tensor **tensors_out)
{
    int64_t n = name_state(t, NULL);
    *tensors_out = it_calloc((size_t)n, sizeof **tensors_out);
    return (int)name_state(t, *tensors_out);
}

static enum it_status save(struct it_trainer *t)
{
    struct it_state_tensor *tensors;
    int n = it_trainer_state_tensors(t, &tensors);
    json_t *state = json_object();
    json_object_set_new(state, "global_step", json_integer((json_int_t)t->update));
    json_object_set_new(state, "max_steps", json_integer((json_int_t)t->updates));
    json_object_set_new(state, "optim", json_string(it_recipe_optim(t->recipe)));
    json_object_set_new(state, "optimizer_step", json_integer((json_int_t)t->optimizer->step));
    json_object_set_new(state, "num_tokens", json_integer((json_int_t)t->num_tokens));
    json_object_set_new(state, "skipped", json_integer((json_int_t)t->skipped));
    json_object_set_new(state, "skipped_in_row", json_integer((json_int_t)t->skipped_in_row));
    json_object_set_new(state, "seed", json_integer((json_int_t)t->recipe->seed));
    json_object_set_new(state, "monitor", it_monitor_save(&t->monitor));
    enum it_status status =
        it_run_save(t->run, t->update, &t->setup->folders, &t->net->weights, tensors, n, state);
    json_decref(state);
    it_free(tensors);
    return status;
}

/* From the newest whole checkpoint with step <= most (-1: any); none leaves the beginning. */
static enum it_status load(struct it_trainer *t, int64_t most)
{
    char *folder;
    json_t *state;
    struct it_state_tensor *tensors;
    int64_t optimizer_step;
    IT_TRY(it_run_newest(t->run, most, &folder, &state));
    if (!folder) { return IT_OK; }
    int n = it_trainer_state_tensors(t, &tensors);
    const char *where = folder;
    enum it_status status = it_check_optim(t->recipe, folder, state);
    IT_TRY_GOTO(status, end, status);
    IT_TRY_GOTO(status, end,
                it_run_load(folder, &t->setup->folders, &t->net->weights, tensors, n));
    IT_TRY_GOTO(status, end, it_json_get_int(state, where, "global_step", 0, &t->update));
    IT_TRY_GOTO(status, end, it_json_get_int(state, where, "optimizer_step", 0, &optimizer_step));
    IT_TRY_GOTO(status, end, it_json_get_int(state, where, "num_tokens", 0, &t->num_tokens));
    IT_TRY_GOTO(status, end, it_json_get_int(state, where, "skipped", 0, &t->skipped));
    IT_TRY_GOTO(status, end,
                it_json_get_int(state, where, "skipped_in_row", 0, &t->skipped_in_row));
    t->optimizer->step = optimizer_step;
    it_monitor_load(&t->monitor, json_object_get(state, "monitor"));
    it_info("going on from %s", folder);
end:
    it_free(tensors);
    json_decref(state);
    it_free(folder);
    return status;
}

/* ---- one update ---- */

static enum it_status move_set(struct it_trainer *t, struct it_weights *set, double mix)
{
    if (!t->plan.streamed) { return it_weights_mix(set, mix, &t->net->weights); }
    it_arena_reset(t->phase, 0);
    return it_weights_mix_parked(t->net, set, t->phase, mix, &t->net->weights);
}

static enum it_status move_sets(struct it_trainer *t)
{
    const struct it_recipe *r = t->recipe;
    if (it_needs_reference(r) && r->sync_ref_model && t->update % r->ref_model_sync_steps == 0) {
        IT_TRY(move_set(t, &t->reference, r->ref_model_mixup_alpha));
    }
    if (r->sc_annotator == IT_SC_EMA) {
        IT_TRY(move_set(t, &t->annotator, 1.0 - r->sc_ema));
    }
    if (r->sc_annotator == IT_SC_PERIODIC && t->update % r->sc_period == 0) {
        IT_TRY(move_set(t, &t->annotator, 1.0));
    }
    return IT_OK;
}

static int64_t tokens_of(const struct it_batch *b)
{
    int64_t n = b->tokens;
    for (int64_t g = 0; g < b->groups; g++) { n += b->prompt[g]->n * b->size; }
    return n;
}

/* Update t->update + 1. Nothing of the trainer changes unless it is whole. */
static enum it_status one_update(struct it_trainer *t, json_t **record_out, json_t **records_out)
{
    struct it_batch b = {0};
    struct it_update_totals totals;
    int64_t update = t->update + 1;
    double start = it_now();
    enum it_status status;
    IT_TRY(it_rollout(t, update, &b));
    IT_TRY_GOTO(status, end, it_score(t, update, &b));
    IT_TRY_GOTO(status, end, it_update(t, &b, &totals));
    t->update = update;
    t->num_tokens += tokens_of(&b);
    IT_TRY_GOTO(status, end, move_sets(t));
    *record_out = it_metrics_record(t, update, &b, &totals, it_now() - start);
    *records_out = it_completion_records(t, update, &b);
end:
    it_batch_free(&b, (int64_t)t->recipe->reward_funcs.n);
    return status;
}

static double field(const json_t *record, const char *name)
{
    return json_number_value(json_object_get(record, name));
}

static void say(const struct it_trainer *t, const json_t *record)
{
    char accuracy[32] = "";
    if (json_object_get(record, "guard/accuracy")) {
        snprintf(accuracy, sizeof accuracy, "  accuracy %.3f", field(record, "guard/accuracy"));
    }
    it_info("update %lld/%lld  reward %.4g%s  certainty %.3f  length %.1f  entropy %.3f  kl %.4f  "
            "grad %.3g  %.1f s",
            (long long)t->update, (long long)t->updates, field(record, "reward"), accuracy,
            field(record, "self_certainty/mean"), field(record, "completions/mean_length"),
            field(record, "entropy"), field(record, "kl"), field(record, "grad_norm"),
            field(record, "step_time"));
}

static bool due(int64_t update, int64_t every, int64_t last)
{
    return update == last || (every > 0 && update % every == 0);
}

static bool evaluation_due(const struct it_trainer *t)
{
    int64_t every = t->recipe->eval_steps;
    return t->update == 0 || t->update == t->updates || (every > 0 && t->update % every == 0);
}

/* Log, evaluate, save: in this order, so that a kill before the save repeats all three. */
static enum it_status after_update(struct it_trainer *t, const json_t *record,
                                   const json_t *records)
{
    const struct it_recipe *r = t->recipe;
    char why[256];
    bool fired = it_monitor_check(&t->monitor, r, record, why, sizeof why);
    if (!fired && t->skipped_in_row >= 3) {
        snprintf(why, sizeof why,
                 "%lld updates in a row had a loss or gradient that is not finite: "
                 "lower learning_rate, or look at the completions",
                 (long long)t->skipped_in_row);
        fired = true;
    }
    bool last = t->update == t->updates || fired;
    IT_TRY(it_run_metrics(t->run, t->update, record));
    if (due(t->update, r->logging_steps, t->updates)) {
        say(t, record);
        IT_TRY(it_run_completions(t->run, t->update, records));
    }
    if (last || evaluation_due(t)) { IT_TRY(it_evaluate(t, t->update)); }
    bool saving = !r->save_strategy || strcmp(r->save_strategy, "no") != 0;
    if (fired || (saving && due(t->update, r->save_steps, t->updates))) { IT_TRY(save(t)); }
    return fired ? it_fail(IT_GUARD, "update %lld: %s", (long long)t->update, why) : IT_OK;
}

/* The plan against what there was. */
static void say_memory(const struct it_trainer *t)
{
    char planned[24], peak[24], counted[24];
    int64_t driver = it_device_memory_taken(t->net->device);
    it_info("memory of device %s: %s planned, %s at most%s%s", it_device_info(t->net->device)->name,
            it_format_size(t->plan.total, planned, sizeof planned),
            it_format_size(it_device_memory_peak(t->net->device), peak, sizeof peak),
            driver ? "; the driver counts " : "",
            driver ? it_format_size(driver, counted, sizeof counted) : "");
}

static enum it_status run_updates(struct it_trainer *t)
{
    while (t->update < t->updates) {
        json_t *record = NULL, *records = NULL;
        enum it_status status =
            it_interrupted() ? IT_INTERRUPTED : one_update(t, &record, &records);
        if (status == IT_GUARD) { IT_TRY(save(t)); } /* the weights are still those before it */
        if (status == IT_OK) { status = after_update(t, record, records); }
        json_decref(record);
        json_decref(records);
        if (status == IT_INTERRUPTED) {
            IT_TRY(save(t));
            it_warn("interrupted after update %lld of %lld; go on with --resume",
                    (long long)t->update, (long long)t->updates);
        }
        IT_TRY(status);
    }
    return IT_OK;
}

enum it_status it_train(const struct it_trainer_setup *setup)
{
    struct it_trainer t;
    IT_TRY(it_trainer_open(setup, IT_TRAINER_RUN, &t));
    enum it_status status = IT_OK;
    if (setup->resume) {
        IT_TRY_GOTO(status, end, load(&t, -1));
        IT_TRY_GOTO(status, end, it_run_truncate(t.run, t.update > 0 ? t.update : -1));
    }
    /* an interruption may have come in the middle of the evaluation */
    if (evaluation_due(&t) && !it_run_evaluated(t.run, t.update)) {
        IT_TRY_GOTO(status, end, it_evaluate(&t, t.update));
    }
    IT_TRY_GOTO(status, end, run_updates(&t));
    say_memory(&t);
end:
    it_trainer_close(&t);
    return status;
}

enum it_status it_train_replay(const struct it_trainer_setup *setup, int64_t step,
                               json_t **record_out)
{
    struct it_trainer t;
    json_t *record = NULL, *records = NULL;
    IT_TRY(it_trainer_open(setup, IT_TRAINER_REPLAY, &t));
    enum it_status status = load(&t, step - 1);
    while (status == IT_OK && t.update < step) {
        json_decref(record);
        record = NULL;
        status = one_update(&t, &record, &records);
        json_decref(records);
        records = NULL;
    }
    it_trainer_close(&t);
    if (status != IT_OK) {
        json_decref(record);
        return status;
    }
    *record_out = record;
    return IT_OK;
}

enum it_status it_train_probe(const struct it_trainer_setup *setup, double *ratio_dev_mean_out,
                              double *ratio_dev_max_out)
{
    struct it_trainer t;
    struct it_batch b = {0};
    struct it_update_totals totals;
    IT_TRY(it_trainer_open(setup, IT_TRAINER_PROBE, &t));
    t.shape.prompts = 1;
    enum it_status status = it_rollout(&t, 1, &b);
    if (status == IT_OK) { status = it_score(&t, 1, &b); }
    if (status == IT_OK) { status = it_update(&t, &b, &totals); }
    if (status == IT_OK) {
        double tokens = totals.ratio_tokens > 0.0 ? totals.ratio_tokens : 1.0;
        *ratio_dev_mean_out = totals.ratio_dev_sum / tokens;
        *ratio_dev_max_out = totals.ratio_dev_max;
    }
    it_batch_free(&b, (int64_t)setup->recipe->reward_funcs.n);
    it_trainer_close(&t);
    return status;
}
