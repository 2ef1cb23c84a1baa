/* SPDX-License-Identifier: MIT */
/* Curves for people: thousands of updates as a few hundred points, with what the noise hides. */
#include <math.h>
#include <string.h>

#include "cli/report.h"
#include "core/base/mem.h"

/* Fewer points than this are drawn as they are; the width of the kernel is this part of a curve. */
enum { LEAST_SMOOTHED = 16, PARTS = 36 };

/* One piece: updates first to last - 1. */
static void piece(const double *x, const double *y, size_t first, size_t last, size_t at,
                  struct it_curve *c)
{
    double sum = 0.0, n = 0.0;
    c->x[at] = 0.5 * (x[first] + x[last - 1]);
    c->low[at] = c->high[at] = c->mean[at] = NAN;
    for (size_t i = first; i < last; i++) {
        if (isnan(y[i])) { continue; }
        if (n == 0.0 || y[i] < c->low[at]) { c->low[at] = y[i]; }
        if (n == 0.0 || y[i] > c->high[at]) { c->high[at] = y[i]; }
        sum += y[i];
        n += 1.0;
    }
    if (n > 0.0) { c->mean[at] = sum / n; }
    c->finite += (size_t)n;
}

/* A line through the neighbours, weighted by a Gaussian (local linear regression): unlike an
 * exponential average it does not lag, unlike a plain kernel it does not flatten the ends. Values
 * that are not there weigh nothing. */
static void smooth(struct it_curve *c)
{
    double width = (double)c->n / PARTS;
    if (width < 1.5) { width = 1.5; }
    size_t reach = (size_t)ceil(3.0 * width);
    for (size_t i = 0; i < c->n; i++) {
        double w0 = 0.0, w1 = 0.0, w2 = 0.0, y0 = 0.0, y1 = 0.0; /* moments of distance */
        size_t first = i > reach ? i - reach : 0, last = i + reach < c->n ? i + reach : c->n - 1;
        for (size_t k = first; k <= last; k++) {
            double d = ((double)k - (double)i) / width, w = exp(-0.5 * d * d);
            if (isnan(c->mean[k])) { continue; }
            w0 += w;
            w1 += w * d;
            w2 += w * d * d;
            y0 += w * c->mean[k];
            y1 += w * d * c->mean[k];
        }
        double spread = w0 * w2 - w1 * w1;
        c->smooth[i] = isnan(c->mean[i]) ? NAN
                       : spread > 1e-9 * w0 * w0 ? (w2 * y0 - w1 * y1) / spread : y0 / w0;
    }
}

void it_curve_open(const double *x, const double *y, size_t n, size_t most,
                   struct it_curve *curve_out)
{
    struct it_curve c = {.n = n < most ? n : most, .cut = n > most};
    double **part[] = {&c.x, &c.mean, &c.low, &c.high, &c.smooth};
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        *part[i] = it_calloc(c.n + 1, sizeof **part[i]);
    }
    for (size_t i = 0; i < c.n; i++) { piece(x, y, i * n / c.n, (i + 1) * n / c.n, i, &c); }
    c.smoothed = c.finite >= LEAST_SMOOTHED;
    smooth(&c);
    *curve_out = c;
}

void it_curve_close(struct it_curve *curve)
{
    it_free(curve->x);
    it_free(curve->mean);
    it_free(curve->low);
    it_free(curve->high);
    it_free(curve->smooth);
    memset(curve, 0, sizeof *curve);
}
