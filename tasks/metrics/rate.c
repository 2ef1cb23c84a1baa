/* SPDX-License-Identifier: MIT */
/* Rates of right samples. */
#include <math.h>

#include "tasks/metrics/metrics.h"

/* Chen et al. 2021 (arXiv 2107.03374): 1 - prod over i = n-c+1 .. n of (1 - k/i). */
double it_metric_pass_at(int64_t n, int64_t c, int64_t k)
{
    if (n < k || k < 1) { return (double)NAN; }
    if (n - c < k) { return 1.0; }
    double fail = 1.0;
    for (int64_t i = n - c + 1; i <= n; i++) { fail *= 1.0 - (double)k / (double)i; }
    return 1.0 - fail;
}

/* Wilson 1927. */
struct it_metric_interval it_metric_wilson(double proportion, double n)
{
    const double z = 1.959963984540054; /* 97.5 % of the normal distribution */
    double scale = 1.0 / (1.0 + z * z / n);
    double centre = scale * (proportion + z * z / (2.0 * n));
    double spread = scale * z * sqrt((proportion * (1.0 - proportion) + z * z / (4.0 * n)) / n);
    if (!(n > 0.0)) { return (struct it_metric_interval){(double)NAN, (double)NAN}; }
    /* rounding must not put the ends outside of what they bound */
    return (struct it_metric_interval){proportion > 0.0 ? centre - spread : 0.0,
                                       proportion < 1.0 ? centre + spread : 1.0};
}
