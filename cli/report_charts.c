/* SPDX-License-Identifier: MIT */
/* Which curves a report draws. A row whose field no run has is left out, so that the same table
 * serves reinforcement learning, pretraining, and runs of other programs with TRL's names. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/report.h"
#include "core/base/mem.h"

static const struct it_chart table[] = {
    {"", "guard/accuracy", "Accuracy",
     "share of right answers: rollouts as lines, held-out problems as marks, with standard error",
     IT_CHART_WIDE | IT_CHART_SHARE},
    {"Reward", "reward", "Reward", "weighted, mean over completions", 0},
    {"Reward", "reward_std", "Reward spread", "standard deviation over completions", 0},
    {"Reward", "frac_reward_zero_std", "Groups without a signal",
     "share of groups whose rewards are all equal", IT_CHART_SHARE},
    {"Reward", "self_certainty/mean", "Self-certainty", "KL(uniform || policy), nats a token", 0},
    {"Reward", "self_certainty/within_group_std", "Self-certainty within groups",
     "mean of the groups' standard deviations", 0},
    {"Reward", "guard/certainty_right", "Self-certainty of right answers",
     "nats a token; compare the next chart", 0},
    {"Reward", "guard/certainty_wrong", "Self-certainty of wrong answers", "nats a token", 0},
    {"Completions", "completions/mean_length", "Completion length", "mean, tokens", 0},
    {"Completions", "completions/clipped_ratio", "Cut off", "share that reached the length limit",
     IT_CHART_SHARE},
    {"Completions", "guard/extracted", "Answer found", "share with an answer to grade",
     IT_CHART_SHARE},
    {"Completions", "guard/repetition", "Repetition", "share of the most frequent token",
     IT_CHART_SHARE},
    {"Completions", "guard/distinct_3", "Distinct trigrams", "distinct over all",
     IT_CHART_SHARE},
    {"Completions", "guard/corr_certainty_length", "Certainty against length",
     "correlation; near 1 means length is what is rewarded", 0},
    {"Optimisation", "loss", "Loss", "", 0},
    {"Optimisation", "nll", "Negative log-likelihood", "nats a token", 0},
    {"Optimisation", "mean_token_accuracy", "Token accuracy", "share of tokens predicted",
     IT_CHART_SHARE},
    {"Optimisation", "kl", "KL to the reference", "nats a token", 0},
    {"Optimisation", "entropy", "Entropy", "of the policy, nats a token", 0},
    {"Optimisation", "grad_norm", "Gradient norm", "before clipping", IT_CHART_LOG},
    {"Optimisation", "learning_rate", "Learning rate", "", IT_CHART_PLAIN},
    {"Optimisation", "clip_ratio/region_mean", "Clipped tokens", "share outside the trust region",
     IT_CHART_SHARE},
    {"Optimisation", "policy/ratio_dev_mean", "Sampler against trainer",
     "mean |ratio - 1|; 0 with exact kernels", IT_CHART_LOG},
    {"Optimisation", "policy/ess", "Effective sample size", "of the importance ratios",
     IT_CHART_SHARE},
    {"Speed", "step_time", "Time an update", "seconds", 0},
    {"Speed", "perf/rollout_tok_s", "Rollout speed", "tokens a second", 0},
    {"Speed", "perf/train_tok_s", "Training speed", "tokens a second", 0},
};

/* A curve of zeros says only that something is off. */
static bool has_numbers(const struct it_report *report, const char *field)
{
    for (size_t r = 0; r < report->n; r++) {
        const double *y = it_report_column(&report->run[r], field);
        for (size_t i = 0; y && i < report->run[r].n_steps; i++) {
            if (!isnan(y[i]) && y[i] != 0.0) { return true; }
        }
    }
    return false;
}

static bool has_evals(const struct it_report *report)
{
    for (size_t r = 0; r < report->n; r++) {
        if (report->run[r].n_evals) { return true; }
    }
    return false;
}

static void add(struct it_charts *charts, struct it_chart chart)
{
    charts->item = it_grow(charts->item, &charts->cap, charts->n + 1, sizeof *charts->item);
    charts->item[charts->n++] = chart;
}

static bool is_listed(const struct it_charts *charts, const char *field)
{
    for (size_t i = 0; i < charts->n; i++) {
        if (strcmp(charts->item[i].field, field) == 0) { return true; }
    }
    return false;
}

/* The field of another chart that is this reward by another name. */
static const char *twin_of(const char *field)
{
    if (strcmp(field, "rewards/accuracy/mean") == 0) { return "guard/accuracy"; }
    return strcmp(field, "rewards/self_certainty/mean") == 0 ? "self_certainty/mean" : field;
}

/* rewards/NAME/mean; `words` is reserved, because the charts point into it. */
static void add_rewards(const struct it_report *report, struct it_charts *charts)
{
    enum { MOST = 16 };
    for (size_t r = 0; r < report->n; r++) {
        for (size_t c = 0; c < report->run[r].n_columns; c++) {
            const char *field = report->run[r].column[c].name;
            size_t n = strlen(field);
            bool reward = it_starts_with(field, "rewards/") && it_ends_with(field, "/mean");
            if (!reward || n <= 13 || charts->words.n >= 2 * MOST) { continue; }
            bool shown = is_listed(charts, field) || is_listed(charts, twin_of(field));
            if (shown || !has_numbers(report, field)) { continue; }
            char *name = it_strndup(field + 8, n - 13);
            struct it_str title = {0};
            it_str_printf(&title, "Reward: %s", name);
            it_strs_add(&charts->words, field);
            it_strs_add(&charts->words, it_str_c(&title));
            add(charts, (struct it_chart){"Reward", charts->words.item[charts->words.n - 2],
                                          charts->words.item[charts->words.n - 1],
                                          "before its weight", 0});
            it_str_free(&title);
            it_free(name);
        }
    }
}

void it_charts_open(const struct it_report *report, struct it_charts *charts_out)
{
    struct it_charts charts = {0};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        bool marks = (table[i].flags & IT_CHART_WIDE) && has_evals(report);
        if (marks || has_numbers(report, table[i].field)) { add(&charts, table[i]); }
        /* after the last of the fixed rows of that heading */
        bool last = strcmp(table[i].field, "guard/certainty_wrong") == 0;
        if (last) { add_rewards(report, &charts); }
    }
    *charts_out = charts;
}

void it_charts_close(struct it_charts *charts)
{
    it_free(charts->item);
    it_strs_free(&charts->words);
    memset(charts, 0, sizeof *charts);
}
