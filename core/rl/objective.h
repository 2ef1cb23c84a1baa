/* SPDX-License-Identifier: MIT */
/* Advantages and losses: plain C on the host, O(tokens). The device gives a few floats a token and
 * takes back a few coefficients. */
#ifndef IT_RL_OBJECTIVE_H
#define IT_RL_OBJECTIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/rl/recipe.h"

/* ---- advantages ---- */

struct it_advantage_totals {
    double reward_mean, reward_std; /* over the batch; std is the mean of the groups' (n-1) */
    double frac_reward_zero_std;    /* share of groups without information */
    int64_t excluded;               /* rewards that were NaN */
};
/* rewards [n_rewards][n]; n = groups * group_size; `include` (may be NULL) leaves samples out of
 * the statistics (their advantage is 0). NaN rewards are left out likewise. Writes the weighted
 * reward of each sample (NaN where excluded) and its advantage. Formulas: docs/algorithm.md. */
void it_advantages(const struct it_recipe *recipe, int64_t groups, int64_t group_size,
                   int64_t n_rewards, const double *const *rewards, const double *weights,
                   const bool *include, double *reward_out, double *advantage_out,
                   struct it_advantage_totals *totals_out);

/* Weight of each token of completion i, so that the loss is the sum over tokens of weight * term:
 * the loss types differ in nothing else. lengths are of the tokens that count (0: masked out).
 * micro: completions of a logical micro-batch (bnpo). */
void it_loss_weights(const struct it_recipe *recipe, int64_t n, const int64_t *lengths,
                     int64_t micro, double *weights_out);

/* ---- losses ---- */

struct it_loss_sequence {
    int64_t n;
    const double *logp; /* under the policy now */
    const double *old;  /* under the policy that sampled, or of the first iteration */
    const double *ref;  /* NULL when beta is 0 */
    double advantage, weight;
};
struct it_loss_totals {
    double loss;
    double tokens;
    double kl;                          /* sum over tokens of the estimator, unweighted */
    double clip_low, clip_high;         /* tokens (or sequences' tokens) clipped on either side */
    double clip_low_min, clip_high_max; /* over sequences, share of its tokens; set before use */
    int64_t sequences;
};
/* Adds to totals; coefs[i*3] receives d loss / d logp of token i, coefs[i*3 + 1] and [i*3 + 2]
 * those of entropy and certainty (entropy_coef, direct_sc_coef). */
void it_loss_apply(const struct it_recipe *recipe, const struct it_loss_sequence *sequence,
                   const double *entropy, const double *certainty, struct it_loss_totals *totals,
                   double *coefs);

#endif
