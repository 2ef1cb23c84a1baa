/* SPDX-License-Identifier: MIT */
/* Numbers about graded samples: rates and their intervals, two systems on the same problems, ranks,
 * and the answer that a set of samples votes for. Pure functions; formulas and their sources are in
 * docs/howto-eval.md. */
#ifndef IT_TASKS_METRICS_METRICS_H
#define IT_TASKS_METRICS_METRICS_H

#include <stdbool.h>
#include <stdint.h>

/* ---- rates (rate.c) ---- */

/* Chance that k of a problem's n samples, c of them right, hold a right one: the unbiased estimate.
 * NaN where n < k. */
double it_metric_pass_at(int64_t n, int64_t c, int64_t k);

struct it_metric_interval {
    double low, high;
};
/* 95 % score interval of a proportion over n independent trials; NaN for n 0. */
struct it_metric_interval it_metric_wilson(double proportion, double n);

/* ---- two systems on the same problems (paired.c) ---- */

/* McNemar's exact two-sided test: of the pairs that differ, `a` went to one system, `b` to the
 * other. 1 where none differs. */
double it_metric_mcnemar(int64_t a, int64_t b);

struct it_metric_bootstrap {
    double mean, stderr_, low, high; /* of the mean difference; 95 % percentiles */
    double p;                        /* two-sided; NaN for n 0 */
};
/* Resamples the n differences with replacement. Same seed, same numbers. */
struct it_metric_bootstrap it_metric_bootstrap(const double *difference, int64_t n,
                                               int64_t resamples, uint64_t seed);

/* ---- one group above another (rank.c) ---- */

struct it_metric_ranks {
    double u;       /* pairs in which `a` is above `b`, ties a half */
    double auroc;   /* u / (n_a * n_b) */
    double z;       /* (u - mean) / sd, the sd corrected for ties */
    double r;       /* z / sqrt(n_a + n_b) */
    double p;       /* one-sided, a above b: normal with continuity correction */
    double p_two;   /* two-sided, the same way */
    double p_exact; /* one-sided over all arrangements, ties included; NaN for large groups */
    double p_exact_two;
};
/* Mann-Whitney. Values must not be NaN. All NaN where a group is empty or all values are equal
 * (but u and auroc, which are defined then). */
struct it_metric_ranks it_metric_mann_whitney(const double *a, int64_t n_a, const double *b,
                                              int64_t n_b);

/* ---- the answer of many samples (vote.c) ---- */

struct it_metric_sample {
    int64_t answer; /* number of a class of equal answers; -1: no answer was found */
    double score;   /* higher is better; NaN is below everything */
};
/* Each returns the index of the chosen sample; 0 where no sample has an answer. Ties go to the
 * earlier sample. */
int64_t it_metric_first(const struct it_metric_sample *sample, int64_t n);
int64_t it_metric_best(const struct it_metric_sample *sample, int64_t n);
/* Rank r = 1 .. n by falling score casts (n - r + 1)^power votes for its answer; samples without
 * one keep their rank and cast none. Power 0 is the plurality. */
int64_t it_metric_borda(const struct it_metric_sample *sample, int64_t n, double power);
/* The power that suits n samples. */
double it_metric_borda_power(int64_t n);

#endif
