/* SPDX-License-Identifier: MIT */
/* Reference kernel: sample. Each filter is a lower bound on the logit, so that the outcome does not
 * depend on how equal logits would be sorted: all of those at a bound stay. The bound is found by
 * bisection over the ordered bit patterns of floats, which needs no memory. Probabilities are
 * summed in double in both versions: a draw should not hang on the rounding of a long sum. */
#include "core/base/rng.h"
#include "core/tensor/ref_internal.h"

struct draw {
    const struct it_tensor *logits;
    int64_t row, v;
    float most, inverse; /* largest logit, 1 / temperature */
};

static float logit(const struct draw *d, int64_t j)
{
    return (float)ref_at(d->logits, d->row, j);
}

/* Relative to the most likely. */
static double weight(const struct draw *d, float z)
{
    return (double)k_exp((z - d->most) * d->inverse);
}

/* Unsigned numbers in the order of the floats, and back. */
static uint32_t order_of(float x)
{
    uint32_t bits = k_bits(x);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

static float float_of(uint32_t order)
{
    return k_float(order & 0x80000000u ? order & 0x7fffffffu : ~order);
}

/* Number, or weight, of the logits from `bound` on. */
static double mass_from(const struct draw *d, float bound, bool weighted)
{
    double mass = 0;
    for (int64_t j = 0; j < d->v; ++j) {
        float z = logit(d, j);
        if (z >= bound) { mass += weighted ? weight(d, z) : 1; }
    }
    return mass;
}

/* The highest bound in [low, most] from which at least `enough` remains. */
static float highest_bound(const struct draw *d, float low, double enough, bool weighted)
{
    uint32_t from = order_of(low), to = order_of(d->most);
    while (from < to) {
        uint32_t middle = from + (to - from) / 2 + 1;
        if (mass_from(d, float_of(middle), weighted) >= enough) {
            from = middle;
        } else {
            to = middle - 1;
        }
    }
    return float_of(from);
}

/* First largest; not-a-number never wins. */
static int64_t find_most(const struct draw *d, float *most)
{
    int64_t best = 0;
    *most = -INFINITY;
    for (int64_t j = 0; j < d->v; ++j) {
        float z = logit(d, j);
        if (z > *most) {
            *most = z;
            best = j;
        }
    }
    return best;
}

/* The first id where the cumulative sum over those kept passes u times their total. */
static int64_t invert(const struct draw *d, float bound, double min_p, double u, int64_t fallback)
{
    double total = 0, sum = 0;
    for (int64_t j = 0; j < d->v; ++j) {
        float z = logit(d, j);
        double w = z >= bound ? weight(d, z) : 0;
        if (w >= min_p) { total += w; }
    }
    for (int64_t j = 0; j < d->v; ++j) {
        float z = logit(d, j);
        double w = z >= bound ? weight(d, z) : 0;
        if (w < min_p) { continue; }
        sum += w;
        if (sum > u * total) { return j; }
    }
    return fallback;
}

static int64_t sample_row(struct draw *d, const float params[4], const uint32_t keys[6])
{
    int64_t greedy = find_most(d, &d->most);
    if (!(params[0] > 0) || !isfinite(d->most)) { return greedy; }
    d->inverse = 1 / params[0];
    float bound = -INFINITY;
    if (params[1] >= 1 && params[1] < (float)d->v) {
        bound = highest_bound(d, bound, (double)floorf(params[1]), false);
    }
    if (params[2] < 1) {
        double enough = (double)params[2] * mass_from(d, bound, true);
        bound = highest_bound(d, bound, enough, true);
    }
    uint32_t word[4];
    it_philox(keys, keys + 2, word);
    double u = (word[0] + 0.5) * 0x1p-32;
    return invert(d, bound, (double)params[3], u, greedy);
}

enum it_status REF(sample)(struct it_device *device, const struct it_args *args)
{
    (void)device;
    const struct it_tensor *ids = &args->t[0], *logits = &args->t[1], *params = &args->t[2],
                           *keys = &args->t[3];
    for (int64_t i = 0; i < logits->shape[0]; ++i) {
        struct draw draw = {.logits = logits, .row = i, .v = logits->shape[1]};
        float p[4];
        for (int c = 0; c < 4; ++c) { p[c] = (float)ref_at(params, i, c); }
        const uint32_t *key = (const uint32_t *)it_view_host(keys) + i * keys->stride[0];
        ((int32_t *)it_view_host(ids))[i] = (int32_t)sample_row(&draw, p, key);
    }
    return IT_OK;
}
