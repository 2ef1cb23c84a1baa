/* SPDX-License-Identifier: MIT */
/* Policy losses as a weight a token and a term a token. Terms: the clipped surrogate of PPO and
 * GRPO with clip-higher (DAPO), a two-sided limit (INTELLECT-2) and dual clip, on token ratios or
 * on the sequence's geometric mean (GSPO); the KL estimators are Schulman's k1, k2, k3. */
#include <math.h>

#include "core/base/mem.h"
#include "core/rl/objective.h"

void it_loss_weights(const struct it_recipe *r, int64_t n, const int64_t *lengths, int64_t micro,
                     double *weights_out)
{
    int64_t total = 0, batches = (n + micro - 1) / micro;
    int64_t *in_batch = it_calloc((size_t)batches, sizeof *in_batch);
    for (int64_t i = 0; i < n; i++) {
        total += lengths[i];
        in_batch[i / micro] += lengths[i];
    }
    for (int64_t i = 0; i < n; i++) {
        double length = (double)lengths[i], weight = 0.0;
        switch ((enum it_loss_type)r->loss_type) {
        case IT_LOSS_GRPO: weight = 1.0 / ((double)n * length); break;
        case IT_LOSS_BNPO: weight = 1.0 / ((double)in_batch[i / micro] * (double)batches); break;
        case IT_LOSS_DAPO: weight = 1.0 / (double)total; break;
        case IT_LOSS_DR_GRPO: weight = 1.0 / ((double)n * (double)r->max_completion_length); break;
        }
        weights_out[i] = lengths[i] > 0 ? weight : 0.0;
    }
    it_free(in_batch);
}

static double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

/* ---- KL of the policy to the reference, one token ---- */

struct term {
    double value, slope; /* slope: d value / d logp */
};

static struct term kl_term(const struct it_recipe *r, double logp, double ref)
{
    double d = logp - ref;
    bool outside = false;
    struct term t = {0};
    if (r->kl_clamp > 0.0) { /* as verl: log-ratio to +-20, the estimate to +-kl_clamp */
        outside = fabs(d) > 20.0;
        d = clamp(d, -20.0, 20.0);
    }
    switch ((enum it_kl_estimator)r->kl_estimator) {
    case IT_KL_K1: t = (struct term){d, 1.0}; break;
    case IT_KL_K2: t = (struct term){0.5 * d * d, d}; break;
    case IT_KL_K3: t = (struct term){exp(-d) + d - 1.0, 1.0 - exp(-d)}; break;
    }
    if (r->kl_clamp > 0.0 && fabs(t.value) > r->kl_clamp) {
        t.value = clamp(t.value, -r->kl_clamp, r->kl_clamp);
        outside = true;
    }
    if (outside) { t.slope = 0.0; }
    return t;
}

/* ---- the surrogate, one ratio ---- */

struct surrogate {
    double loss, slope; /* slope: d loss / d log ratio */
    bool low, high;     /* clipped on that side */
};

static struct surrogate surrogate_of(const struct it_recipe *r, double log_ratio, double a)
{
    struct surrogate s = {0};
    bool outside = fabs(log_ratio) > 20.0; /* as verl: e^20 is far from any policy gradient */
    double w = exp(clamp(log_ratio, -20.0, 20.0));
    double low = 1.0 - r->epsilon;
    double high = 1.0 + (r->epsilon_high > 0.0 ? r->epsilon_high : r->epsilon);
    bool limited = r->delta > 0.0 && w > r->delta; /* INTELLECT-2: also where A < 0 */
    double free = -a * (limited ? r->delta : w), clipped = -a * clamp(w, low, high);
    s.low = w < low && a < 0.0;
    s.high = w > high && a > 0.0;
    if (free >= clipped) {
        s.loss = free;
        s.slope = limited || outside ? 0.0 : -a * w;
    } else {
        s.loss = clipped; /* outside the region the clipped branch is constant */
    }
    if (r->dual_clip > 0.0 && a < 0.0 && s.loss > -r->dual_clip * a) {
        s.loss = -r->dual_clip * a;
        s.slope = 0.0;
    }
    return s;
}

static double mean_log_ratio(const struct it_loss_sequence *q)
{
    double sum = 0.0;
    for (int64_t i = 0; i < q->n; i++) { sum += q->logp[i] - q->old[i]; }
    return sum / (double)q->n;
}

static void note_clips(struct it_loss_totals *totals, double low, double high, double n)
{
    totals->clip_low += low;
    totals->clip_high += high;
    if (low / n < totals->clip_low_min) { totals->clip_low_min = low / n; }
    if (high / n > totals->clip_high_max) { totals->clip_high_max = high / n; }
}

void it_loss_apply(const struct it_recipe *r, const struct it_loss_sequence *q,
                   const double *entropy, const double *certainty, struct it_loss_totals *totals,
                   double *coefs)
{
    if (q->n == 0) { return; }
    bool sequence = r->importance_sampling_level == IT_RATIO_SEQUENCE;
    double mean = sequence ? mean_log_ratio(q) : 0.0, low = 0.0, high = 0.0;
    for (int64_t i = 0; i < q->n; i++) {
        /* with one ratio a sequence, d/d logp_i of n equal terms of mean log-ratio is one term's */
        double log_ratio = sequence ? mean : q->logp[i] - q->old[i];
        struct surrogate s = surrogate_of(r, log_ratio, q->advantage);
        double loss = s.loss, slope = s.slope;
        if (q->ref) {
            struct term kl = kl_term(r, q->logp[i], q->ref[i]);
            loss += r->beta * kl.value;
            slope += r->beta * kl.slope;
            totals->kl += kl.value;
        }
        loss -= r->entropy_coef * entropy[i] + r->direct_sc_coef * certainty[i];
        totals->loss += q->weight * loss;
        coefs[i * 3] = q->weight * slope;
        coefs[i * 3 + 1] = -q->weight * r->entropy_coef;
        coefs[i * 3 + 2] = -q->weight * r->direct_sc_coef;
        low += s.low;
        high += s.high;
    }
    totals->tokens += (double)q->n;
    totals->sequences++;
    note_clips(totals, low, high, (double)q->n);
}
