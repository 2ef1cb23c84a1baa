/* SPDX-License-Identifier: MIT */
/* The Mann-Whitney U test (Mann and Whitney 1947). */
#include <math.h>
#include <stdlib.h>

#include "core/base/mem.h"
#include "tasks/metrics/metrics.h"

/* Largest n_a + n_b of which all arrangements are counted: below a millisecond. */
enum { MOST_EXACT = 60 };

struct value {
    double x;
    bool of_a;
};

static int ascending(const void *a, const void *b)
{
    double x = ((const struct value *)a)->x, y = ((const struct value *)b)->x;
    return (x > y) - (x < y);
}

/* Twice the mean rank (from 1) of the run of equal values that begins at `begin`: a whole number.
 * The run's end is set. */
static int64_t twice_rank(const struct value *sorted, int64_t n, int64_t begin, int64_t *end_out)
{
    int64_t end = begin + 1;
    while (end < n && sorted[end].x <= sorted[begin].x) { end++; }
    *end_out = end;
    return begin + 1 + end;
}

/* Chances that the ranks of a random n_a of the n values sum (doubled) to at least, and at most,
 * `observed`. ways[k][s]: choices of k values that sum to s. */
static void count_arrangements(const int64_t *rank, int64_t n, int64_t n_a, int64_t observed,
                               double *above_out, double *below_out)
{
    int64_t most = n * (n + 1), width = most + 1;
    double *ways = it_calloc((size_t)((n_a + 1) * width), sizeof *ways), all = 0.0;
    double above = 0.0, below = 0.0;
    ways[0] = 1.0;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t k = i + 1 < n_a ? i + 1 : n_a; k >= 1; k--) {
            double *to = ways + k * width;
            const double *from = to - width;
            for (int64_t s = most; s >= rank[i]; s--) { to[s] += from[s - rank[i]]; }
        }
    }
    for (int64_t s = 0; s <= most; s++) {
        double w = ways[n_a * width + s];
        all += w;
        above += s >= observed ? w : 0.0;
        below += s <= observed ? w : 0.0;
    }
    it_free(ways);
    *above_out = above / all;
    *below_out = below / all;
}

static double upper_tail(double z)
{
    return 0.5 * erfc(z / sqrt(2.0));
}

static void fill_normal(struct it_metric_ranks *out, double n_a, double n_b, double ties)
{
    double n = n_a + n_b, distance = out->u - n_a * n_b / 2.0;
    double sd = sqrt(n_a * n_b / 12.0 * (n + 1.0 - ties / (n * (n - 1.0))));
    if (!(sd > 0.0)) { return; }
    out->z = distance / sd;
    out->r = out->z / sqrt(n);
    out->p = upper_tail((distance - 0.5) / sd);
    out->p_two = fmin(1.0, 2.0 * upper_tail((fabs(distance) - 0.5) / sd));
}

static void fill_exact(struct it_metric_ranks *out, const int64_t *rank, int64_t n_a, int64_t n_b,
                       int64_t sum)
{
    double above, below;
    if (n_a + n_b > MOST_EXACT) { return; }
    count_arrangements(rank, n_a + n_b, n_a, sum, &above, &below);
    out->p_exact = above;
    out->p_exact_two = fmin(1.0, 2.0 * fmin(above, below));
}

struct it_metric_ranks it_metric_mann_whitney(const double *a, int64_t n_a, const double *b,
                                              int64_t n_b)
{
    const double none = (double)NAN;
    struct it_metric_ranks out = {none, none, none, none, none, none, none, none};
    int64_t n = n_a + n_b, sum = 0;
    if (n_a < 1 || n_b < 1) { return out; }
    struct value *value = it_calloc((size_t)n, sizeof *value);
    int64_t *rank = it_calloc((size_t)n, sizeof *rank);
    double ties = 0.0;
    for (int64_t i = 0; i < n; i++) {
        value[i] = i < n_a ? (struct value){a[i], true} : (struct value){b[i - n_a], false};
    }
    qsort(value, (size_t)n, sizeof *value, ascending);
    for (int64_t i = 0, end; i < n; i = end) {
        int64_t twice = twice_rank(value, n, i, &end);
        double t = (double)(end - i);
        ties += t * t * t - t;
        for (int64_t k = i; k < end; k++) {
            rank[k] = twice;
            sum += value[k].of_a ? twice : 0;
        }
    }
    out.u = 0.5 * (double)sum - 0.5 * (double)n_a * (double)(n_a + 1);
    out.auroc = out.u / ((double)n_a * (double)n_b);
    fill_normal(&out, (double)n_a, (double)n_b, ties);
    if (!isnan(out.z)) { fill_exact(&out, rank, n_a, n_b, sum); }
    it_free(rank);
    it_free(value);
    return out;
}
