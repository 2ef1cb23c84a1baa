/* SPDX-License-Identifier: MIT */
/* Choosing one of many samples (arXiv 2502.18581, sections 3 and 4, and its published code for what
 * happens to ties and to samples without an answer). */
#include <math.h>
#include <stdlib.h>

#include "core/base/mem.h"
#include "tasks/metrics/metrics.h"

/* A NaN is below everything, itself included: it never displaces another. */
static bool above(double x, double y)
{
    return x > y || (isnan(y) && !isnan(x));
}

int64_t it_metric_first(const struct it_metric_sample *sample, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        if (sample[i].answer >= 0) { return i; }
    }
    return 0;
}

int64_t it_metric_best(const struct it_metric_sample *sample, int64_t n)
{
    int64_t best = it_metric_first(sample, n);
    for (int64_t i = best + 1; i < n; i++) {
        if (sample[i].answer >= 0 && above(sample[i].score, sample[best].score)) { best = i; }
    }
    return best;
}

struct place {
    double score;
    int64_t index;
};

static int falling(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (above(x->score, y->score)) { return -1; }
    if (above(y->score, x->score)) { return 1; }
    return (x->index > y->index) - (x->index < y->index); /* ties keep their order */
}

/* Two sums of the same votes in another order may differ in the last bits: that is a tie. */
static bool more(double votes, double than)
{
    return votes > than * (1.0 + 1e-12);
}

int64_t it_metric_borda(const struct it_metric_sample *sample, int64_t n, double power)
{
    int64_t chosen = it_metric_first(sample, n);
    if (n < 1 || sample[chosen].answer < 0) { return 0; }
    struct place *place = it_calloc((size_t)n, sizeof *place);
    double *votes = it_calloc((size_t)n, sizeof *votes); /* of the answer that sample i has */
    for (int64_t i = 0; i < n; i++) { place[i] = (struct place){sample[i].score, i}; }
    qsort(place, (size_t)n, sizeof *place, falling);
    for (int64_t r = 0; r < n; r++) {
        int64_t answer = sample[place[r].index].answer, owner = 0;
        if (answer < 0) { continue; }
        while (sample[owner].answer != answer) { owner++; }
        votes[owner] += pow((double)(n - r) / (double)n, power); /* a common factor: no overflow */
    }
    for (int64_t i = 0; i < n; i++) {
        if (more(votes[i], votes[chosen])) { chosen = i; }
    }
    it_free(votes);
    it_free(place);
    return chosen;
}

/* The paper's rule of thumb: 0.3 up to 16 samples, 1.2 from 32 on; between them on a line over the
 * logarithm of n. */
double it_metric_borda_power(int64_t n)
{
    double at = log2(n > 1 ? (double)n : 1.0) - 4.0;
    return 0.3 + 0.9 * fmin(1.0, fmax(0.0, at));
}
