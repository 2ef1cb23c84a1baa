/* SPDX-License-Identifier: MIT */
/* Philox 4x32-10: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3",
 * SC 2011; and a stream of host-side choices built on it. */
#include "core/base/rng.h"

#include <math.h>

/* Multipliers and Weyl increments of the paper, table 2 and section 4. */
static const uint32_t multiplier[2] = {0xD2511F53u, 0xCD9E8D57u};
static const uint32_t weyl[2] = {0x9E3779B9u, 0xBB67AE85u};
static const int rounds = 10;

void it_philox(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4])
{
    uint32_t k0 = key[0], k1 = key[1];
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    for (int round = 0; round < rounds; round++) {
        uint64_t p0 = (uint64_t)multiplier[0] * c0;
        uint64_t p1 = (uint64_t)multiplier[1] * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        k0 += weyl[0];
        k1 += weyl[1];
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* The stream's key is a Philox word of (seed, stream), so that neighbouring seeds and streams share
 * nothing, and the whole 64-bit position is left for counting. */
void it_rng_init(struct it_rng *rng, uint64_t seed, uint64_t stream)
{
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    const uint32_t counter[4] = {(uint32_t)stream, (uint32_t)(stream >> 32), 0, 0};
    uint32_t out[4];
    it_philox(key, counter, out);
    rng->key[0] = out[0];
    rng->key[1] = out[1];
    rng->position = 0;
}

/* The block of four words that holds word `position`. */
static void block(const struct it_rng *rng, uint32_t out[4])
{
    uint64_t number = rng->position / 4;
    const uint32_t counter[4] = {(uint32_t)number, (uint32_t)(number >> 32), 0, 0};
    it_philox(rng->key, counter, out);
}

uint32_t it_rng_u32(struct it_rng *rng)
{
    uint32_t word[4];
    block(rng, word);
    return word[rng->position++ % 4];
}

double it_rng_uniform(struct it_rng *rng)
{
    return 0x1p-32 * (double)it_rng_u32(rng);
}

/* Draw as many bits as n - 1 has, again while the number is too large: at most two draws on
 * average, and no bias. */
int64_t it_rng_below(struct it_rng *rng, int64_t n)
{
    if (n <= 1) { return 0; }
    uint64_t last = (uint64_t)n - 1, mask = last;
    for (int shift = 1; shift < 64; shift *= 2) { mask |= mask >> shift; }
    for (;;) {
        uint64_t draw = it_rng_u32(rng);
        if (mask > UINT32_MAX) { draw |= (uint64_t)it_rng_u32(rng) << 32; }
        draw &= mask;
        if (draw <= last) { return (int64_t)draw; }
    }
}

/* Quantile of the normal distribution: P. J. Acklam's rational approximation (2003), relative error
 * below 1.2e-9. One word a number, so that number i of a stream is at position i; only the outer
 * five percent call the C library. */
static double normal_of(uint32_t word)
{
    static const double a[6] = {-3.969683028665376e+01, 2.209460984245205e+02,
                                -2.759285104469687e+02, 1.383577518672690e+02,
                                -3.066479806614716e+01, 2.506628277459239e+00};
    static const double b[5] = {-5.447609879822406e+01, 1.615858368580409e+02,
                                -1.556989798598866e+02, 6.680131188771972e+01,
                                -1.328068155288572e+01};
    static const double c[6] = {-7.784894002430293e-03, -3.223964580411365e-01,
                                -2.400758277161838e+00, -2.549732539343734e+00,
                                4.374664141464968e+00, 2.938163982698783e+00};
    static const double d[4] = {7.784695709041462e-03, 3.224671290700398e-01,
                                2.445134137142996e+00, 3.754408661907416e+00};
    const double tail = 0.02425;
    double p = 0x1p-32 * ((double)word + 0.5);
    double near = p < 0.5 ? p : 1.0 - p;
    if (near > tail) {
        double q = p - 0.5, r = q * q;
        return (((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + a[5]) * q /
               (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1.0);
    }
    double q = sqrt(-2.0 * log(near));
    double x = (((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + c[4]) * q + c[5]) /
               ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1.0);
    return p < 0.5 ? x : -x;
}

double it_rng_normal(struct it_rng *rng)
{
    return normal_of(it_rng_u32(rng));
}

void it_rng_normals(struct it_rng *rng, double *out, int64_t n)
{
    uint32_t word[4];
    for (int64_t i = 0; i < n; i++, rng->position++) {
        if (i == 0 || rng->position % 4 == 0) { block(rng, word); }
        out[i] = normal_of(word[rng->position % 4]);
    }
}

void it_rng_shuffle(struct it_rng *rng, int64_t *items, int64_t n)
{
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = it_rng_below(rng, i + 1);
        int64_t item = items[i];
        items[i] = items[j];
        items[j] = item;
    }
}
