/* SPDX-License-Identifier: MIT */
/* The metrics record of an update, and the completions it logs. Names are TRL's where TRL has
 * one. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/rl/internal.h"

static void put(json_t *record, const char *name, double value)
{
    json_object_set_new(record, name, it_json_real(value));
}

struct moments {
    double n, sum, square, min, max;
};

static void add(struct moments *m, double x)
{
    if (m->n == 0.0 || x < m->min) { m->min = x; }
    if (m->n == 0.0 || x > m->max) { m->max = x; }
    m->n += 1.0;
    m->sum += x;
    m->square += x * x;
}

static double mean(const struct moments *m)
{
    return m->n > 0.0 ? m->sum / m->n : NAN;
}

static double deviation(const struct moments *m)
{
    if (m->n < 2.0) { return 0.0; }
    double v = (m->square - m->sum * m->sum / m->n) / (m->n - 1.0);
    return v > 0.0 ? sqrt(v) : 0.0;
}

static void lengths(json_t *record, const struct it_batch *b)
{
    struct moments all = {0}, ended = {0};
    double clipped = 0.0;
    for (int64_t i = 0; i < b->n; i++) {
        add(&all, (double)b->sample[i].n);
        if (b->sample[i].finished) { add(&ended, (double)b->sample[i].n); }
        clipped += b->completion[i].finish == IT_FINISH_LENGTH;
    }
    put(record, "completions/mean_length", mean(&all));
    put(record, "completions/min_length", all.min);
    put(record, "completions/max_length", all.max);
    put(record, "completions/mean_terminated_length", ended.n > 0.0 ? mean(&ended) : 0.0);
    put(record, "completions/min_terminated_length", ended.min);
    put(record, "completions/max_terminated_length", ended.max);
    put(record, "completions/clipped_ratio", clipped / (double)b->n);
    put(record, "guard/eos_rate", ended.n / (double)b->n);
}

static void reward_fields(json_t *record, const struct it_trainer *t, const struct it_batch *b)
{
    for (size_t f = 0; f < t->recipe->reward_funcs.n; f++) {
        struct moments m = {0};
        char name[96];
        for (int64_t i = 0; i < b->n; i++) {
            if (!isnan(b->rewards[f][i])) { add(&m, b->rewards[f][i]); }
        }
        snprintf(name, sizeof name, "rewards/%s/mean", t->recipe->reward_funcs.item[f]);
        put(record, name, mean(&m));
        snprintf(name, sizeof name, "rewards/%s/std", t->recipe->reward_funcs.item[f]);
        put(record, name, deviation(&m));
    }
    put(record, "reward", b->advantages.reward_mean);
    put(record, "reward_std", b->advantages.reward_std);
    put(record, "frac_reward_zero_std", b->advantages.frac_reward_zero_std);
}

/* Pearson correlation of two series of n. */
static double correlation(const double *x, const double *y, int64_t n)
{
    double sx = 0.0, sy = 0.0, xx = 0.0, yy = 0.0, xy = 0.0, k = (double)n;
    for (int64_t i = 0; i < n; i++) {
        sx += x[i];
        sy += y[i];
        xx += x[i] * x[i];
        yy += y[i] * y[i];
        xy += x[i] * y[i];
    }
    double vx = xx - sx * sx / k, vy = yy - sy * sy / k;
    return vx > 0.0 && vy > 0.0 ? (xy - sx * sy / k) / sqrt(vx * vy) : 0.0;
}

static void certainty_fields(json_t *record, const struct it_trainer *t, const struct it_batch *b,
                             double *sc, double *length)
{
    struct moments all = {0}, right = {0}, wrong = {0}, within = {0}, entropy = {0};
    for (int64_t i = 0; i < b->n; i++) {
        sc[i] = it_aggregate(t->recipe, &b->sample[i], b->sample[i].certainty);
        length[i] = (double)b->sample[i].n;
        add(&all, sc[i]);
        if (b->sample[i].gradable) { add(b->sample[i].correct ? &right : &wrong, sc[i]); }
        for (int64_t k = 0; k < b->sample[i].n; k++) {
            add(&entropy, (double)b->sample[i].entropy[k]);
        }
    }
    for (int64_t g = 0; g < b->groups; g++) {
        struct moments m = {0};
        for (int64_t i = 0; i < b->size; i++) { add(&m, sc[g * b->size + i]); }
        add(&within, deviation(&m));
    }
    put(record, "entropy", mean(&entropy));
    put(record, "self_certainty/mean", mean(&all));
    put(record, "self_certainty/std", deviation(&all));
    put(record, "self_certainty/min", all.min);
    put(record, "self_certainty/max", all.max);
    put(record, "self_certainty/within_group_std", mean(&within));
    put(record, "guard/corr_certainty_length", correlation(sc, length, b->n));
    if (right.n > 0.0) { put(record, "guard/certainty_right", mean(&right)); }
    if (wrong.n > 0.0) { put(record, "guard/certainty_wrong", mean(&wrong)); }
}

static void text_fields(json_t *record, const struct it_batch *b)
{
    struct moments repetition = {0}, distinct = {0}, boxes = {0}, right = {0}, extracted = {0};
    for (int64_t i = 0; i < b->n; i++) {
        const struct it_sample *s = &b->sample[i];
        add(&repetition, it_repetition(s->ids, s->n));
        add(&distinct, it_distinct3(s->ids, s->n));
        add(&boxes, (double)s->boxes);
        add(&extracted, s->extracted ? 1.0 : 0.0);
        if (s->gradable) { add(&right, s->correct ? 1.0 : 0.0); }
    }
    put(record, "guard/repetition", mean(&repetition));
    put(record, "guard/distinct_3", mean(&distinct));
    put(record, "guard/boxes", mean(&boxes));
    put(record, "guard/extracted", mean(&extracted));
    if (right.n > 0.0) { put(record, "guard/accuracy", mean(&right)); }
}

static void loss_fields(json_t *record, const struct it_trainer *t,
                        const struct it_update_totals *u)
{
    const struct it_loss_totals *l = &u->loss;
    double tokens = l->tokens > 0.0 ? l->tokens : 1.0;
    double compared = u->ratio_tokens > 0.0 ? u->ratio_tokens : 1.0;
    put(record, "loss", l->loss);
    put(record, "grad_norm", u->grad_norm);
    put(record, "learning_rate", u->learning_rate);
    put(record, "kl", t->recipe->beta != 0.0 ? l->kl / tokens : 0.0);
    put(record, "clip_ratio/low_mean", l->clip_low / tokens);
    put(record, "clip_ratio/low_min", isfinite(l->clip_low_min) ? l->clip_low_min : 0.0);
    put(record, "clip_ratio/high_mean", l->clip_high / tokens);
    put(record, "clip_ratio/high_max", l->clip_high_max);
    put(record, "clip_ratio/region_mean", (l->clip_low + l->clip_high) / tokens);
    put(record, "policy/ratio_dev_mean", u->ratio_dev_sum / compared);
    put(record, "policy/ratio_dev_max", u->ratio_dev_max);
    put(record, "policy/ess",
        u->ess_sq > 0.0 ? u->ess_sum * u->ess_sum / (u->ess_sq * compared) : 1.0);
    json_object_set_new(record, "guard/skipped_updates", json_integer((json_int_t)t->skipped));
}

/* The peak is arenas and what the open device holds beside them, as in the plan; what the driver
 * counts stands beside it where the driver says. */
static void memory_fields(json_t *record, const struct it_trainer *t)
{
    int64_t driver = it_device_memory_taken(t->net->device);
    json_object_set_new(record, "mem/plan_bytes", json_integer((json_int_t)t->plan.total));
    json_object_set_new(record, "mem/peak_bytes",
                        json_integer((json_int_t)it_device_memory_peak(t->net->device)));
    if (driver) {
        json_object_set_new(record, "mem/driver_bytes", json_integer((json_int_t)driver));
    }
}

json_t *it_metrics_record(const struct it_trainer *t, int64_t update, const struct it_batch *b,
                          const struct it_update_totals *totals, double step_time)
{
    json_t *record = json_object();
    double *series = it_calloc((size_t)b->n * 2, sizeof *series);
    double done = (double)(update * t->shape.prompts);
    json_object_set_new(record, "step", json_integer((json_int_t)update));
    put(record, "epoch", done / (double)it_trainer_epoch(t));
    json_object_set_new(record, "num_tokens", json_integer((json_int_t)t->num_tokens));
    loss_fields(record, t, totals);
    reward_fields(record, t, b);
    lengths(record, b);
    certainty_fields(record, t, b, series, series + b->n);
    text_fields(record, b);
    put(record, "step_time", step_time);
    put(record, "time/rollout_s", b->rollout_s);
    put(record, "time/score_s", b->score_s);
    put(record, "time/reward_s", b->reward_s);
    put(record, "time/train_s", b->train_s);
    put(record, "perf/rollout_tok_s", (double)b->tokens / (b->rollout_s + 1e-9));
    put(record, "perf/score_tok_s", b->score_s > 1e-6 ? (double)b->tokens / b->score_s : 0.0);
    put(record, "perf/train_tok_s", (double)b->tokens / (b->train_s + 1e-9));
    memory_fields(record, t);
    it_free(series);
    return record;
}

json_t *it_completion_records(const struct it_trainer *t, int64_t update, const struct it_batch *b)
{
    json_t *records = json_array();
    int64_t most = t->recipe->completions_logged;
    int64_t groups = most && most < b->groups ? most : b->groups;
    for (int64_t i = 0; i < groups * b->size; i++) {
        const struct it_rl_prompt *prompt = b->prompt[i / b->size];
        json_t *r = json_object();
        json_object_set_new(r, "step", json_integer((json_int_t)update));
        json_object_set_new(r, "id", json_string(prompt->id));
        json_object_set_new(r, "prompt", it_json_text(prompt->text, strlen(prompt->text)));
        json_object_set_new(r, "completion", it_json_text(b->text[i], strlen(b->text[i])));
        json_object_set_new(r, "prompt_tokens", json_integer((json_int_t)prompt->n));
        json_object_set_new(r, "completion_tokens", json_integer((json_int_t)b->completion[i].n));
        json_object_set_new(r, "finish_reason",
                            json_string(it_finish_name(b->completion[i].finish)));
        for (size_t f = 0; f < t->recipe->reward_funcs.n; f++) {
            put(r, t->recipe->reward_funcs.item[f], b->rewards[f][i]);
        }
        put(r, "advantage", b->advantage[i]);
        if (prompt->gold) { json_object_set_new(r, "gold", json_string(prompt->gold)); }
        json_array_append_new(records, r);
    }
    return records;
}
