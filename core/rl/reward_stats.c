/* SPDX-License-Identifier: MIT */
/* Rewards from the model's own statistics of its tokens (docs/algorithm.md has the formulas). A
 * completion without tokens has sums and means of 0. */
#include <math.h>

#include "core/base/mem.h"
#include "core/rl/reward_internal.h"
#include "core/tensor/kmath.h"

static double sum(const float *values, int64_t n)
{
    double total = 0.0;
    for (int64_t i = 0; i < n; i++) { total += (double)values[i]; }
    return total;
}

static double mean(const float *values, int64_t n)
{
    return n > 0 ? sum(values, n) / (double)n : 0.0;
}

/* ---- aggregates ---- */

/* What is added to each token, and whether tokens and result pass through bf16. */
struct reading {
    double offset;
    bool bf16;
};

static double rounded(double x, const struct reading *reading)
{
    return reading->bf16 ? (double)k_bf16_load(k_bf16_store((float)x)) : x;
}

static int64_t counted(const struct it_recipe *recipe, const struct it_sample *sample)
{
    bool drop = !recipe->sc_include_eos && sample->ends_with_stop_id && sample->n > 0;
    return sample->n - (drop ? 1 : 0);
}

/* prefix[i]: sum of the first i tokens. Smallest mean over w consecutive of n tokens. */
static double lowest_window(const double *prefix, int64_t n, int64_t w)
{
    double lowest = INFINITY;
    for (int64_t end = w; end <= n; end++) {
        double m = (prefix[end] - prefix[end - w]) / (double)w;
        if (!(m >= lowest)) { lowest = m; } /* NaN must not pass unseen */
    }
    return lowest;
}

static double aggregate(const struct it_recipe *recipe, const struct it_sample *sample,
                        const float *values, const struct reading *reading)
{
    int64_t n = counted(recipe, sample), w = recipe->sc_window < n ? recipe->sc_window : n;
    if (n == 0) { return 0.0; }
    double *prefix = it_alloc((size_t)(n + 1) * sizeof *prefix), result = 0.0;
    prefix[0] = 0.0;
    for (int64_t i = 0; i < n; i++) {
        prefix[i + 1] = prefix[i] + rounded((double)values[i] + reading->offset, reading);
    }
    switch ((enum it_sc_agg)recipe->sc_agg) {
    case IT_SC_MEAN: result = prefix[n] / (double)n; break;
    case IT_SC_SUM: result = prefix[n]; break;
    case IT_SC_MIN_WINDOW: result = lowest_window(prefix, n, w); break;
    case IT_SC_TAIL: result = (prefix[n] - prefix[n - w]) / (double)w; break;
    }
    it_free(prefix);
    return rounded(result, reading);
}

double it_aggregate(const struct it_recipe *recipe, const struct it_sample *sample,
                    const float *values)
{
    return aggregate(recipe, sample, values, &(struct reading){0});
}

/* ---- rewards ---- */

/* The statistic holds logsumexp - mean(z) - ln V. Without sc_subtract_logv the ln V comes back
 * before anything is rounded: that is where the bf16 of the open-r1 trainer loses its digits. */
void it_reward_self_certainty(const struct it_recipe *recipe, const struct it_group *group,
                              double *out)
{
    struct reading reading = {.offset = recipe->sc_subtract_logv ? 0.0 : group->log_vocab,
                              .bf16 = recipe->sc_dtype == IT_SC_BF16};
    for (int64_t i = 0; i < group->n; i++) {
        const struct it_sample *s = &group->sample[i];
        out[i] = aggregate(recipe, s, s->certainty, &reading);
    }
}

void it_reward_kl_p_u(const struct it_recipe *recipe, const struct it_group *group, double *out)
{
    (void)recipe;
    for (int64_t i = 0; i < group->n; i++) {
        out[i] = group->log_vocab - mean(group->sample[i].entropy, group->sample[i].n);
    }
}

void it_reward_neg_entropy(const struct it_recipe *recipe, const struct it_group *group,
                           double *out)
{
    (void)recipe;
    for (int64_t i = 0; i < group->n; i++) {
        out[i] = -mean(group->sample[i].entropy, group->sample[i].n);
    }
}

void it_reward_em_rl_token(const struct it_recipe *recipe, const struct it_group *group,
                           double *out)
{
    (void)recipe;
    for (int64_t i = 0; i < group->n; i++) {
        out[i] = -sum(group->sample[i].entropy, group->sample[i].n);
    }
}

void it_reward_em_rl_sequence(const struct it_recipe *recipe, const struct it_group *group,
                              double *out)
{
    (void)recipe;
    for (int64_t i = 0; i < group->n; i++) {
        out[i] = sum(group->sample[i].logprob, group->sample[i].n);
    }
}

void it_reward_avg_logprob(const struct it_recipe *recipe, const struct it_group *group,
                           double *out)
{
    (void)recipe;
    for (int64_t i = 0; i < group->n; i++) {
        out[i] = mean(group->sample[i].logprob, group->sample[i].n);
    }
}

void it_reward_neg_perplexity(const struct it_recipe *recipe, const struct it_group *group,
                              double *out)
{
    (void)recipe;
    for (int64_t i = 0; i < group->n; i++) {
        out[i] = -exp(-mean(group->sample[i].logprob, group->sample[i].n));
    }
}

void it_reward_probability(const struct it_recipe *recipe, const struct it_group *group,
                           double *out)
{
    (void)recipe;
    for (int64_t i = 0; i < group->n; i++) {
        out[i] = exp(sum(group->sample[i].logprob, group->sample[i].n));
    }
}

void it_reward_prob_disparity(const struct it_recipe *recipe, const struct it_group *group,
                              double *out)
{
    for (int64_t i = 0; i < group->n; i++) {
        out[i] = it_aggregate(recipe, &group->sample[i], group->sample[i].margin);
    }
}

void it_reward_gini(const struct it_recipe *recipe, const struct it_group *group, double *out)
{
    (void)recipe;
    for (int64_t i = 0; i < group->n; i++) {
        out[i] = mean(group->sample[i].sum_p2, group->sample[i].n);
    }
}

void it_reward_distributional_perplexity(const struct it_recipe *recipe,
                                         const struct it_group *group, double *out)
{
    (void)recipe;
    for (int64_t i = 0; i < group->n; i++) {
        const struct it_sample *s = &group->sample[i];
        double total = 0.0;
        for (int64_t t = 0; t < s->n; t++) { total += exp((double)s->entropy[t]); }
        out[i] = s->n > 0 ? -total / (double)s->n : 0.0;
    }
}

void it_reward_rent(const struct it_recipe *recipe, const struct it_group *group, double *out)
{
    it_reward_neg_entropy(recipe, group, out);
}

void it_reward_rent_format(const struct it_recipe *recipe, const struct it_group *group,
                           double *out)
{
    static const double no_answer = -7.0; /* RENT's constant, below any mean entropy that is met */
    it_reward_neg_entropy(recipe, group, out);
    for (int64_t i = 0; i < group->n; i++) {
        if (!it_sample_answered(&group->sample[i])) { out[i] = no_answer; }
    }
}
