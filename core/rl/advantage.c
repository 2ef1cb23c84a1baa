/* SPDX-License-Identifier: MIT */
/* Advantages from rewards (docs/algorithm.md; DeepSeekMath eq. 3 for the group form, TRL for batch
 * scaling, RLOO for leave-one-out, GDPO for normalise-then-sum). */
#include <math.h>

#include "core/base/mem.h"
#include "core/rl/objective.h"

struct spread {
    int64_t n;
    double mean, std; /* std unbiased: n - 1 */
};

static struct spread spread_of(const double *x, int64_t n)
{
    struct spread s = {0};
    double square = 0.0;
    for (int64_t i = 0; i < n; i++) {
        if (isnan(x[i])) { continue; }
        s.mean += x[i];
        s.n++;
    }
    if (s.n) { s.mean /= (double)s.n; }
    for (int64_t i = 0; i < n; i++) {
        if (!isnan(x[i])) { square += (x[i] - s.mean) * (x[i] - s.mean); }
    }
    if (s.n > 1) { s.std = sqrt(square / (double)(s.n - 1)); }
    return s;
}

/* Rounding noise of equal rewards is not a spread. */
static bool spreads(const struct spread *s)
{
    return s->n > 1 && s->std > 1e-12 * (1.0 + fabs(s->mean));
}

static bool informative(const struct it_recipe *r, const struct spread *s)
{
    return spreads(s) && s->std >= r->min_std;
}

static double centre(const struct it_recipe *r, const struct spread *group,
                     const struct spread *batch, double x)
{
    double n = (double)group->n;
    switch ((enum it_advantage_kind)r->advantage) {
    case IT_ADVANTAGE_GROUP: return x - group->mean;
    case IT_ADVANTAGE_BATCH: return x - batch->mean;
    case IT_ADVANTAGE_LOO: return (x - group->mean) * n / (n - 1.0);
    case IT_ADVANTAGE_NONE: return x;
    }
    return 0.0;
}

static double scale(const struct it_recipe *r, const struct spread *group,
                    const struct spread *batch)
{
    switch ((enum it_reward_scale)r->scale_rewards) {
    case IT_SCALE_GROUP: return group->std + r->advantage_eps;
    case IT_SCALE_BATCH: return batch->std + r->advantage_eps;
    case IT_SCALE_NONE: return 1.0;
    }
    return 1.0;
}

/* Adds weight * normalised x to out; NaN entries add nothing. */
static void normalise(const struct it_recipe *r, int64_t groups, int64_t size, const double *x,
                      double weight, double *out)
{
    struct spread batch = spread_of(x, groups * size);
    bool relative = r->advantage == IT_ADVANTAGE_GROUP || r->advantage == IT_ADVANTAGE_LOO;
    if (r->scale_rewards == IT_SCALE_BATCH && !spreads(&batch)) { return; }
    for (int64_t g = 0; g < groups; g++) {
        struct spread group = spread_of(x + g * size, size);
        if (relative && !informative(r, &group)) { continue; }
        if (r->scale_rewards == IT_SCALE_GROUP && !informative(r, &group)) { continue; }
        for (int64_t i = g * size; i < (g + 1) * size; i++) {
            if (isnan(x[i])) { continue; }
            out[i] += weight * centre(r, &group, &batch, x[i]) / scale(r, &group, &batch);
        }
    }
}

/* The reward as logged: the weighted sum, NaN where any part that counts is. */
static void weighted_sum(int64_t n, int64_t n_rewards, const double *const *rewards,
                         const double *weights, const bool *include, double *out)
{
    for (int64_t i = 0; i < n; i++) {
        out[i] = include && !include[i] ? NAN : 0.0;
        for (int64_t f = 0; f < n_rewards; f++) {
            if (weights[f] != 0.0) { out[i] += weights[f] * rewards[f][i]; }
        }
    }
}

static void separate(const struct it_recipe *r, int64_t groups, int64_t size, int64_t n_rewards,
                     const double *const *rewards, const double *weights, const double *sum,
                     double *out)
{
    int64_t n = groups * size;
    double *one = it_alloc((size_t)n * sizeof *one);
    for (int64_t f = 0; f < n_rewards; f++) {
        if (weights[f] == 0.0) { continue; }
        for (int64_t i = 0; i < n; i++) { one[i] = isnan(sum[i]) ? NAN : rewards[f][i]; }
        normalise(r, groups, size, one, weights[f], out);
    }
    it_free(one);
}

/* What has no reward (NaN in sum) stays at 0 and out of the statistics. */
static void whiten(const struct it_recipe *r, int64_t n, const double *sum, double *x)
{
    for (int64_t i = 0; i < n; i++) { x[i] = isnan(sum[i]) ? NAN : x[i]; }
    struct spread s = spread_of(x, n);
    for (int64_t i = 0; i < n; i++) {
        x[i] = isnan(x[i]) || !spreads(&s) ? 0.0 : (x[i] - s.mean) / (s.std + r->advantage_eps);
    }
}

static void totals_of(const struct it_recipe *r, int64_t groups, int64_t size, const double *sum,
                      struct it_advantage_totals *totals)
{
    struct spread batch = spread_of(sum, groups * size);
    *totals = (struct it_advantage_totals){.reward_mean = batch.mean,
                                           .excluded = groups * size - batch.n};
    for (int64_t g = 0; g < groups; g++) {
        struct spread group = spread_of(sum + g * size, size);
        totals->reward_std += group.std / (double)groups;
        totals->frac_reward_zero_std += informative(r, &group) ? 0.0 : 1.0 / (double)groups;
    }
}

void it_advantages(const struct it_recipe *r, int64_t groups, int64_t size, int64_t n_rewards,
                   const double *const *rewards, const double *weights, const bool *include,
                   double *reward_out, double *advantage_out,
                   struct it_advantage_totals *totals_out)
{
    int64_t n = groups * size;
    weighted_sum(n, n_rewards, rewards, weights, include, reward_out);
    for (int64_t i = 0; i < n; i++) { advantage_out[i] = 0.0; }
    if (r->reward_combine == IT_COMBINE_SUM) {
        normalise(r, groups, size, reward_out, 1.0, advantage_out);
    } else {
        separate(r, groups, size, n_rewards, rewards, weights, reward_out, advantage_out);
        if (r->reward_combine == IT_COMBINE_GDPO) { whiten(r, n, reward_out, advantage_out); }
    }
    totals_of(r, groups, size, reward_out, totals_out);
}
