/* SPDX-License-Identifier: MIT */
/* Two systems on the same problems. */
#include <math.h>
#include <stdlib.h>

#include "core/base/mem.h"
#include "core/base/rng.h"
#include "tasks/metrics/metrics.h"

/* McNemar 1947, exact: under no difference each differing pair is a fair coin. */
double it_metric_mcnemar(int64_t a, int64_t b)
{
    double n = (double)a + (double)b, least = (double)(a < b ? a : b), tail = 0.0;
    /* from the largest term down, until terms no longer count */
    for (double i = least; i >= 0.0; i -= 1.0) {
        double term = exp(lgamma(n + 1.0) - lgamma(i + 1.0) - lgamma(n - i + 1.0) - n * log(2.0));
        tail += term;
        if (term < 1e-18 * tail) { break; }
    }
    return fmin(1.0, 2.0 * tail);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Linear between order statistics, as numpy.quantile does. */
static double quantile(const double *sorted, int64_t n, double q)
{
    double at = q * (double)(n - 1);
    int64_t low = (int64_t)at, high = low + 1 < n ? low + 1 : low;
    return sorted[low] + (at - (double)low) * (sorted[high] - sorted[low]);
}

static double resampled_mean(const double *difference, int64_t n, struct it_rng *rng)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++) { sum += difference[it_rng_below(rng, n)]; }
    return sum / (double)n;
}

/* Efron 1979. The p-value counts the observed sample among the resamples (Davison and Hinkley 1997,
 * section 4.2): it is never 0. */
struct it_metric_bootstrap it_metric_bootstrap(const double *difference, int64_t n,
                                               int64_t resamples, uint64_t seed)
{
    const double none = (double)NAN;
    struct it_metric_bootstrap out = {none, none, none, none, none};
    if (n < 1 || resamples < 2) { return out; }
    struct it_rng rng;
    double *mean = it_calloc((size_t)resamples, sizeof *mean), sum = 0.0, squares = 0.0;
    int64_t below = 0, above = 0;
    it_rng_init(&rng, seed, 0);
    for (int64_t i = 0; i < n; i++) { sum += difference[i]; }
    out.mean = sum / (double)n;
    for (int64_t i = 0; i < resamples; i++) {
        mean[i] = resampled_mean(difference, n, &rng);
        below += mean[i] <= 0.0;
        above += mean[i] >= 0.0;
        squares += (mean[i] - out.mean) * (mean[i] - out.mean);
    }
    qsort(mean, (size_t)resamples, sizeof *mean, ascending);
    out.stderr_ = sqrt(squares / (double)(resamples - 1));
    out.low = quantile(mean, resamples, 0.025);
    out.high = quantile(mean, resamples, 0.975);
    int64_t rarer = below < above ? below : above;
    out.p = fmin(1.0, 2.0 * (double)(rarer + 1) / (double)(resamples + 1));
    it_free(mean);
    return out;
}
