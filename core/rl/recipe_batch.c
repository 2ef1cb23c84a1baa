/* SPDX-License-Identifier: MIT */
/* The arithmetic of a run: completions an update, updates, learning rates. */
#include <math.h>

#include "core/base/log.h"
#include "core/rl/recipe.h"

static int64_t greatest_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Plan, trainer and doctor ask for the same shape: it is said when it changes. */
static void say(const struct it_recipe *r, const struct it_batch_shape *s)
{
    static struct it_batch_shape said;
    if (said.completions == s->completions && said.processes == s->processes &&
        said.prompts == s->prompts) {
        return;
    }
    said = *s;
    it_info("num_processes %lld, the smallest that fits: %lld x %lld x %lld = %lld completions an "
            "update = %lld prompts x %lld", (long long)s->processes,
            (long long)r->per_device_train_batch_size, (long long)r->gradient_accumulation_steps,
            (long long)s->processes, (long long)s->completions, (long long)s->prompts,
            (long long)r->num_generations);
}

enum it_status it_recipe_batch(const struct it_recipe *r, int64_t devices,
                               struct it_batch_shape *shape_out)
{
    static const int64_t most = 1 << 30; /* completions: more is a slip of the pen */
    int64_t g = r->num_generations, processes = r->num_processes;
    int64_t one = r->per_device_train_batch_size * r->gradient_accumulation_steps;
    if (devices < 1) { devices = 1; }
    if (processes == 0) {
        int64_t step = one * devices;
        processes = devices * (g / greatest_divisor(g, step));
    }
    struct it_batch_shape s = {.processes = processes};
    if (one > most / processes) {
        return it_fail(IT_INVALID, "an update of %lld x %lld x %lld completions is too large",
                       (long long)r->per_device_train_batch_size,
                       (long long)r->gradient_accumulation_steps, (long long)processes);
    }
    s.completions = one * processes;
    s.prompts = s.completions / g;
    s.micro_batches = r->gradient_accumulation_steps * processes;
    if (s.completions % g != 0) {
        return it_fail(IT_INVALID, "per_device_train_batch_size %lld x gradient_accumulation_steps "
                       "%lld x num_processes %lld = %lld completions an update, which "
                       "num_generations %lld does not divide; leave num_processes out, or make it "
                       "a multiple of %lld", (long long)r->per_device_train_batch_size,
                       (long long)r->gradient_accumulation_steps, (long long)processes,
                       (long long)s.completions, (long long)g,
                       (long long)(g / greatest_divisor(g, one)));
    }
    if (r->num_processes == 0) { say(r, &s); }
    *shape_out = s;
    return IT_OK;
}

int64_t it_recipe_updates(const struct it_recipe *r, const struct it_batch_shape *shape,
                          int64_t n_prompts)
{
    if (r->max_steps > 0) { return r->max_steps; }
    int64_t an_epoch = n_prompts / shape->prompts; /* the incomplete batch is left out */
    double updates = ceil(r->num_train_epochs * (double)(an_epoch > 0 ? an_epoch : 1));
    return n_prompts > 0 ? (int64_t)updates : 0;
}

/* As in the two trainers that the profiles stand for: transformers rounds up, verl down. */
static int64_t warmup_updates(const struct it_recipe *r, int64_t n)
{
    double share = r->warmup_ratio * (double)n;
    if (r->lr_scheduler_type == IT_SCHEDULE_CONSTANT) { return 0; }
    if (r->warmup_steps > 0) { return r->warmup_steps; }
    return (int64_t)(r->profile == IT_PROFILE_VERL ? floor(share) : ceil(share));
}

/* The schedules of transformers at `step` = 0, 1, ..., past the warm-up. */
static double falling(const struct it_recipe *r, int64_t step, int64_t warmup, int64_t n)
{
    double left = n > warmup ? (double)(n - warmup) : 1.0, done = (double)(step - warmup) / left;
    if (done > 1.0) { done = 1.0; }
    switch ((enum it_schedule)r->lr_scheduler_type) {
    case IT_SCHEDULE_COSINE: return 0.5 * (1.0 + cos(acos(-1.0) * done));
    case IT_SCHEDULE_LINEAR: return 1.0 - done;
    case IT_SCHEDULE_CONSTANT:
    case IT_SCHEDULE_CONSTANT_WITH_WARMUP: return 1.0;
    }
    return 1.0;
}

/* Update k has the factor of step k - 1. That makes the first update of a warm-up one of rate 0;
 * without lr_zero_first the warm-up, and nothing else, is counted from 1 instead, so that neither
 * the first nor the last update is lost. */
double it_recipe_learning_rate(const struct it_recipe *r, int64_t update, int64_t n)
{
    int64_t warmup = warmup_updates(r, n), step = update - 1;
    if (step < warmup) {
        return r->learning_rate * (double)(r->lr_zero_first ? step : update) / (double)warmup;
    }
    return r->learning_rate * falling(r, step, warmup, n);
}
