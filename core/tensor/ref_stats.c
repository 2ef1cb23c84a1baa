/* SPDX-License-Identifier: MIT */
/* Reference kernels: token_stats and its backward. Formulas, with z the logits over a temperature:
 *
 *     lse = m + ln s           m = max z, s = sum exp(z - m)
 *     log-prob = z_y - lse     certainty = lse - mean z - ln V      entropy = ln s - b / s
 *     sum p^2 = g / s^2        b = sum exp(z - m) (z - m), g = sum exp(2 (z - m))
 *
 * The mean is that of z - m, so that nothing large is added up (KL(U||p) of arXiv 2505.19590). */
#include "core/tensor/ref_internal.h"

/* Sums over the first n logits of a row at one temperature. */
struct vocabulary_sums {
    real most, second; /* of z; second is -inf where n is 1 */
    real s, a, b, g;   /* a = sum (z - m) */
};

static void find_top_two(const struct it_tensor *logits, int64_t row, int64_t n, real inverse,
                      struct vocabulary_sums *sums)
{
    sums->most = sums->second = -INFINITY;
    for (int64_t j = 0; j < n; ++j) {
        real z = ref_at(logits, row, j) * inverse;
        if (z > sums->most) {
            sums->second = sums->most;
            sums->most = z;
        } else if (z > sums->second) {
            sums->second = z;
        }
    }
}

static struct vocabulary_sums sum_vocabulary(const struct it_tensor *logits, int64_t row,
                                             int64_t n, real inverse)
{
    struct vocabulary_sums sums = {0};
    find_top_two(logits, row, n, inverse, &sums);
    for (int64_t start = 0; start < n; start += REF_TILE) {
        int64_t end = start + REF_TILE < n ? start + REF_TILE : n;
        real s = 0, a = 0, b = 0, g = 0;
        for (int64_t j = start; j < end; ++j) {
            real x = ref_at(logits, row, j) * inverse - sums.most, p = ref_exp(x);
            s += p;
            a += x;
            b += p > 0 ? p * x : 0; /* a logit of minus infinity has no weight */
            g += p * p;
        }
        sums.s += s;
        sums.a += a;
        sums.b += b;
        sums.g += g;
    }
    return sums;
}

enum it_status REF(token_stats)(struct it_device *device, const struct it_args *args)
{
    (void)device;
    const struct it_tensor *stats = &args->t[0], *logits = &args->t[1], *targets = &args->t[2],
                           *temps = &args->t[3];
    int64_t v = logits->shape[1], n = args->i[0] ? args->i[0] : v;
    real inverse1 = 1 / ref_get(temps, 0), inverse2 = 1 / ref_get(temps, 1);
    for (int64_t i = 0; i < logits->shape[0]; ++i) {
        struct vocabulary_sums all = sum_vocabulary(logits, i, v, inverse1);
        struct vocabulary_sums some = sum_vocabulary(logits, i, n, inverse2);
        real lse = all.most + ref_log(all.s), log_s = ref_log(some.s);
        int64_t target = ref_id(targets, i);
        bool known = target >= 0 && target < v;
        real second = some.second > -INFINITY ? ref_exp(some.second - some.most) : 0;
        ref_put(stats, i, IT_STAT_LOGPROB, known ? ref_at(logits, i, target) * inverse1 - lse : 0);
        ref_put(stats, i, IT_STAT_ENTROPY, log_s - some.b / some.s);
        ref_put(stats, i, IT_STAT_CERTAINTY, log_s - some.a / (real)n - ref_log((real)n));
        ref_put(stats, i, IT_STAT_SUM_P2, some.g / (some.s * some.s));
        ref_put(stats, i, IT_STAT_MARGIN, (1 - second) / some.s);
        ref_put(stats, i, IT_STAT_LSE, lse);
        ref_put(stats, i, IT_STAT_LSE2, some.most + log_s);
        ref_put(stats, i, IT_STAT_TOP, 1 / some.s);
    }
    return IT_OK;
}

/* d log-prob / dz_j = (1[j = y] - p_j) / T1; at T2, over its vocabulary of V:
 * d entropy / dz_j = -p_j (ln p_j + H) / T2, d certainty / dz_j = (p_j - 1/V) / T2. */
enum it_status REF(token_stats_bwd)(struct it_device *device, const struct it_args *args)
{
    (void)device;
    const struct it_tensor *dlogits = &args->t[0], *logits = &args->t[1], *targets = &args->t[2],
                           *stats = &args->t[3], *coefs = &args->t[4], *temps = &args->t[5];
    int64_t v = logits->shape[1], n = args->i[0] ? args->i[0] : v;
    real inverse1 = 1 / ref_get(temps, 0), inverse2 = 1 / ref_get(temps, 1);
    for (int64_t i = 0; i < logits->shape[0]; ++i) {
        int64_t target = ref_id(targets, i);
        bool known = target >= 0 && target < v;
        real c_logprob = known ? ref_at(coefs, i, IT_STAT_LOGPROB) * inverse1 : 0;
        real c_entropy = ref_at(coefs, i, IT_STAT_ENTROPY) * inverse2;
        real c_certainty = ref_at(coefs, i, IT_STAT_CERTAINTY) * inverse2;
        real lse = ref_at(stats, i, IT_STAT_LSE), lse2 = ref_at(stats, i, IT_STAT_LSE2);
        real entropy = ref_at(stats, i, IT_STAT_ENTROPY);
        for (int64_t j = 0; j < v; ++j) {
            real z = ref_at(logits, i, j);
            real d = c_logprob * ((j == target ? 1 : 0) - ref_exp(z * inverse1 - lse));
            if (j < n) {
                real log_p = z * inverse2 - lse2, p = ref_exp(log_p);
                if (p > 0) { d -= c_entropy * p * (log_p + entropy); }
                d += c_certainty * (p - 1 / (real)n);
            }
            ref_put(dlogits, i, j, d);
        }
    }
    return IT_OK;
}
