/* SPDX-License-Identifier: MIT */
/* Advantages and losses against numbers worked out by hand, and every coefficient against the
 * difference quotient of the loss. */
#include <math.h>

#include "core/rl/objective.h"
#include "tests/scratch.h"

enum { MOST = 8 };

static struct it_recipe recipe;
static double reward[MOST], advantage[MOST];
static struct it_advantage_totals totals;

static void begin(void)
{
    memset(&recipe, 0, sizeof recipe);
    recipe.epsilon = 0.2;
    recipe.max_completion_length = 10;
}

#define ck_near(got, expected)                                                                     \
    do {                                                                                           \
        double got_ = (got), expected_ = (expected);                                               \
        ck_assert_msg(fabs(got_ - expected_) <= 1e-7 * (1.0 + fabs(expected_)),                    \
                      #got " is %.12g, expected %.12g", got_, expected_);                          \
    } while (0)

/* ---- advantages ---- */

static void compute(int64_t groups, int64_t size, const double *x, const bool *include)
{
    const double weight = 1.0;
    it_advantages(&recipe, groups, size, 1, &x, &weight, include, reward, advantage, &totals);
}

#define ck_advantages(groups, size, x, include, ...)                                               \
    do {                                                                                           \
        const double wanted_[] = {__VA_ARGS__};                                                    \
        compute(groups, size, x, include);                                                         \
        for (int i_ = 0; i_ < (groups) * (size); i_++) { ck_near(advantage[i_], wanted_[i_]); }    \
    } while (0)

START_TEST(of_one_group)
{
    /* mean 3, squares 4 + 1 + 0 + 9 = 14, deviation sqrt(14 / 3) = 2.160246899 */
    const double x[] = {1, 2, 3, 6}, std = 2.160246899469287;
    ck_advantages(1, 4, x, NULL, -2 / std, -1 / std, 0, 3 / std);
    recipe.advantage_eps = 0.5;
    ck_advantages(1, 4, x, NULL, -2 / (std + 0.5), -1 / (std + 0.5), 0, 3 / (std + 0.5));
    recipe.scale_rewards = IT_SCALE_NONE;
    ck_advantages(1, 4, x, NULL, -2, -1, 0, 3);
    recipe.advantage = IT_ADVANTAGE_LOO; /* 1 - (2 + 3 + 6) / 3, ... */
    ck_advantages(1, 4, x, NULL, -8.0 / 3, -4.0 / 3, 0, 4);
    recipe.advantage = IT_ADVANTAGE_NONE;
    ck_advantages(1, 4, x, NULL, 1, 2, 3, 6);
    ck_near(totals.reward_mean, 3.0);
    ck_near(totals.reward_std, std);
    ck_near(totals.frac_reward_zero_std, 0.0);
    ck_assert_int_eq(totals.excluded, 0);
}
END_TEST

START_TEST(of_a_batch)
{
    /* batch mean 3, squares 9 + 1 + 1 + 9 = 20, deviation sqrt(20 / 3) = 2.581988897 */
    const double x[] = {0, 2, 4, 6}, std = 2.581988897471611;
    recipe.scale_rewards = IT_SCALE_BATCH;
    ck_advantages(2, 2, x, NULL, -1 / std, 1 / std, -1 / std, 1 / std);
    recipe.advantage = IT_ADVANTAGE_BATCH;
    ck_advantages(2, 2, x, NULL, -3 / std, -1 / std, 1 / std, 3 / std);
    recipe.advantage = IT_ADVANTAGE_NONE;
    ck_advantages(2, 2, x, NULL, 0, 2 / std, 4 / std, 6 / std);
    recipe.advantage = IT_ADVANTAGE_BATCH;
    recipe.scale_rewards = IT_SCALE_GROUP; /* each group's is sqrt(2) */
    ck_advantages(2, 2, x, NULL, -3 / sqrt(2), -1 / sqrt(2), 1 / sqrt(2), 3 / sqrt(2));
    ck_near(totals.reward_std, sqrt(2));
}
END_TEST

START_TEST(without_information)
{
    const double equal[] = {5, 5, 5, 1, 2, 3}, noise[] = {1, 1 + 1e-15, 1, 1 - 1e-15};
    ck_advantages(2, 3, equal, NULL, 0, 0, 0, -1, 0, 1);
    ck_near(totals.frac_reward_zero_std, 0.5);
    ck_advantages(1, 4, noise, NULL, 0, 0, 0, 0);
    recipe.min_std = 1.5; /* the second group's deviation is 1 */
    ck_advantages(2, 3, equal, NULL, 0, 0, 0, 0, 0, 0);
    ck_near(totals.frac_reward_zero_std, 1.0);
    recipe.min_std = 0.0;
    recipe.scale_rewards = IT_SCALE_BATCH; /* 0 / 0 without a guard */
    recipe.advantage = IT_ADVANTAGE_BATCH;
    ck_advantages(1, 3, equal, NULL, 0, 0, 0);
    recipe.advantage = IT_ADVANTAGE_NONE;
    ck_advantages(1, 3, equal, NULL, 0, 0, 0);
}
END_TEST

START_TEST(excluded)
{
    const double x[] = {1, NAN, 3, 100}, alone[] = {NAN, 4};
    const bool include[] = {true, true, true, false};
    ck_advantages(1, 4, x, include, -1 / sqrt(2), 0, 1 / sqrt(2), 0);
    ck_assert_double_nan(reward[1]);
    ck_assert_double_nan(reward[3]);
    ck_near(totals.reward_mean, 2.0);
    ck_assert_int_eq(totals.excluded, 2);
    ck_advantages(1, 2, alone, NULL, 0, 0); /* one left: nothing to compare with */
    recipe.advantage = IT_ADVANTAGE_LOO;
    ck_advantages(1, 2, alone, NULL, 0, 0);
}
END_TEST

START_TEST(several_rewards)
{
    /* deviations 1 and 10: summed, the second rules; apart they count alike */
    const double a[] = {1, 2, 3, 1, 1, 1}, b[] = {30, 10, 20, 0, 0, 0};
    const double monitor[] = {9, 9, 9, NAN, 9, 9};
    const double *const rewards[] = {a, b, monitor}, weights[] = {0.5, 2.0, 0.0};
    it_advantages(&recipe, 2, 3, 3, rewards, weights, NULL, reward, advantage, &totals);
    ck_near(reward[0], 60.5);
    ck_near(reward[3], 0.5); /* the monitor's NaN does not count */
    /* sums 60.5 21 41.5, mean 41, squares 380.25 + 400 + 0.25, deviation sqrt(390.25) */
    ck_near(advantage[0], 19.5 / sqrt(390.25));
    ck_near(advantage[1], -20 / sqrt(390.25));
    ck_near(advantage[3], 0.0);
    recipe.reward_combine = IT_COMBINE_SEPARATE;
    it_advantages(&recipe, 2, 3, 3, rewards, weights, NULL, reward, advantage, &totals);
    ck_near(advantage[0], 0.5 * -1 + 2 * 1);
    ck_near(advantage[1], 0.5 * 0 + 2 * -1);
    ck_near(advantage[2], 0.5 * 1 + 2 * 0);
    ck_near(advantage[3], 0.0);
}
END_TEST

START_TEST(gdpo)
{
    /* 1.5 -2 0.5 and three zeros: mean 0, squares 2.25 + 4 + 0.25 = 6.5 over 5 */
    const double a[] = {1, 2, 3, 1, 1, 1}, b[] = {30, 10, 20, 0, 0, 0};
    const double equal[] = {1, 1, 1, 1, 1, 1};
    const double *const rewards[] = {a, b}, weights[] = {0.5, 2.0}, std = sqrt(6.5 / 5.0);
    const bool include[] = {true, true, true, true, false, false};
    recipe.reward_combine = IT_COMBINE_GDPO;
    it_advantages(&recipe, 2, 3, 2, rewards, weights, NULL, reward, advantage, &totals);
    ck_near(advantage[0], 1.5 / std);
    ck_near(advantage[1], -2 / std);
    ck_near(advantage[3], 0.0);
    it_advantages(&recipe, 2, 3, 2, rewards, weights, include, reward, advantage, &totals);
    ck_near(advantage[0], 1.5 / sqrt(6.5 / 3.0)); /* four count */
    ck_assert_double_eq(advantage[4], 0.0);       /* the excluded stay at 0 to the bit */
    ck_assert_double_eq(advantage[5], 0.0);
    ck_advantages(2, 3, equal, NULL, 0, 0, 0, 0, 0, 0); /* 0 / 0 without a guard */
}
END_TEST

/* ---- loss weights ---- */

#define ck_weights(type, micro, ...)                                                               \
    do {                                                                                           \
        const int64_t lengths_[] = {1, 3, 0, 2, 4};                                                \
        const double wanted_[] = {__VA_ARGS__};                                                    \
        double weight_[5];                                                                         \
        recipe.loss_type = type;                                                                   \
        it_loss_weights(&recipe, 5, lengths_, micro, weight_);                                     \
        for (int i_ = 0; i_ < 5; i_++) { ck_near(weight_[i_], wanted_[i_]); }                      \
    } while (0)

START_TEST(loss_weights)
{
    ck_weights(IT_LOSS_GRPO, 2, 1.0 / 5, 1.0 / 15, 0, 1.0 / 10, 1.0 / 20);
    ck_weights(IT_LOSS_BNPO, 2, 1.0 / 12, 1.0 / 12, 0, 1.0 / 6, 1.0 / 12); /* 4, 2 and 4 tokens */
    ck_weights(IT_LOSS_BNPO, 5, 0.1, 0.1, 0, 0.1, 0.1);
    ck_weights(IT_LOSS_DAPO, 2, 0.1, 0.1, 0, 0.1, 0.1);
    ck_weights(IT_LOSS_DR_GRPO, 2, 0.02, 0.02, 0, 0.02, 0.02);
    const int64_t none[] = {0, 0};
    double weight[2];
    for (int type = IT_LOSS_GRPO; type <= IT_LOSS_DR_GRPO; type++) {
        recipe.loss_type = type;
        it_loss_weights(&recipe, 2, none, 2, weight);
        ck_assert(weight[0] == 0.0 && weight[1] == 0.0);
    }
}
END_TEST

/* ---- losses ---- */

static struct it_loss_totals result;
static double coefs[MOST * 3];

/* n tokens with these log-ratios; ref NULL: none. */
static void apply(int64_t n, const double *log_ratio, const double *ref, double a, double weight)
{
    static const double entropy[MOST] = {0.5, 0.25, 1.0}, certainty[MOST] = {3.0, 2.0, 1.0};
    double logp[MOST], old[MOST];
    for (int64_t i = 0; i < n; i++) {
        old[i] = -1.0 - 0.1 * (double)i;
        logp[i] = old[i] + log_ratio[i];
    }
    struct it_loss_sequence q = {.n = n, .logp = logp, .old = old, .ref = ref, .advantage = a,
                                 .weight = weight};
    result = (struct it_loss_totals){.clip_low_min = INFINITY};
    memset(coefs, 0, sizeof coefs);
    it_loss_apply(&recipe, &q, entropy, certainty, &result, coefs);
}

/* One token of ratio w: its loss and the slope in its log-prob. */
static void ck_surrogate(double w, double a, double loss, double slope)
{
    double log_ratio = log(w);
    apply(1, &log_ratio, NULL, a, 1.0);
    ck_near(result.loss, loss);
    ck_near(coefs[0], slope);
}

START_TEST(clipping)
{
    ck_surrogate(1.0, 2.0, -2.0, -2.0);
    ck_surrogate(1.5, 1.0, -1.2, 0.0);
    ck_near(result.clip_high, 1.0);
    ck_near(result.clip_low, 0.0);
    ck_surrogate(0.5, 1.0, -0.5, -0.5); /* the pessimistic side is not clipped */
    ck_near(result.clip_low, 0.0);
    ck_surrogate(0.5, -1.0, 0.8, 0.0);
    ck_near(result.clip_low, 1.0);
    ck_surrogate(1.5, -1.0, 1.5, 1.5);
    ck_near(result.clip_high, 0.0);
    recipe.epsilon_high = 0.28;
    ck_surrogate(1.25, 1.0, -1.25, -1.25);
    ck_surrogate(1.3, 1.0, -1.28, 0.0);
    ck_surrogate(0.5, -1.0, 0.8, 0.0); /* below, epsilon stays */
}
END_TEST

START_TEST(two_sided_and_dual)
{
    recipe.delta = 2.0;
    ck_surrogate(3.0, -1.0, 2.0, 0.0);
    ck_surrogate(1.5, -1.0, 1.5, 1.5);
    ck_surrogate(3.0, 1.0, -1.2, 0.0);
    recipe.delta = 0.0;
    recipe.dual_clip = 3.0;
    ck_surrogate(5.0, -1.0, 3.0, 0.0);
    ck_surrogate(2.0, -1.0, 2.0, 2.0);
    ck_surrogate(5.0, 1.0, -1.2, 0.0);
    recipe.dual_clip = 0.0;
    ck_surrogate(exp(25.0), -1.0, exp(20.0), 0.0); /* a ratio beyond e^20 is cut off */
}
END_TEST

START_TEST(of_a_sequence)
{
    const double inside[] = {0.1, 0.0}, beyond[] = {0.1, 0.3, 0.2};
    recipe.importance_sampling_level = IT_RATIO_SEQUENCE;
    apply(2, inside, NULL, 1.0, 0.5); /* one ratio, e^0.05, for both tokens */
    ck_near(result.loss, -exp(0.05));
    ck_near(coefs[0], -0.5 * exp(0.05));
    ck_near(coefs[3], -0.5 * exp(0.05));
    apply(3, beyond, NULL, 1.0, 1.0); /* e^0.2 is above 1.2 */
    ck_near(result.loss, -3.6);
    ck_near(coefs[0], 0.0);
    ck_near(result.clip_high, 3.0);
    ck_near(result.clip_high_max, 1.0);
    ck_near(result.clip_low_min, 0.0);
    recipe.importance_sampling_level = IT_RATIO_TOKEN;
    apply(3, beyond, NULL, 1.0, 1.0); /* e^0.1, then 1.2 twice */
    ck_near(result.loss, -exp(0.1) - 2.4);
    ck_near(result.clip_high_max, 2.0 / 3.0);
}
END_TEST

START_TEST(kl)
{
    static const struct {
        int estimator;
        double clamp, d, value, slope;
    } cases[] = {
        {IT_KL_K1, 0, 0.5, 0.5, 1.0},
        {IT_KL_K2, 0, 0.5, 0.125, 0.5},
        {IT_KL_K3, 0, 0.5, 0.106530659713, 0.393469340287}, /* e^-.5 - .5, 1 - e^-.5 */
        {IT_KL_K3, 0, -5.0, 142.413159103, -147.413159103}, /* e^5 - 6, 1 - e^5 */
        {IT_KL_K3, 10, -5.0, 10.0, 0.0},
        {IT_KL_K3, 10, 0.5, 0.106530659713, 0.393469340287},
        {IT_KL_K1, 30, 25.0, 20.0, 0.0},
        {IT_KL_K1, 10, -15.0, -10.0, 0.0},
    };
    const double ratio = 0.0;
    recipe.beta = 0.1;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double ref = -1.0 - cases[i].d; /* the log-prob is -1 */
        recipe.kl_estimator = cases[i].estimator;
        recipe.kl_clamp = cases[i].clamp;
        apply(1, &ratio, &ref, 0.0, 2.0);
        ck_near(result.kl, cases[i].value);
        ck_near(result.loss, 2.0 * 0.1 * cases[i].value);
        ck_near(coefs[0], 2.0 * 0.1 * cases[i].slope);
    }
}
END_TEST

START_TEST(entropy_and_certainty)
{
    const double ratios[] = {0.0, 0.0};
    recipe.entropy_coef = 0.5;
    recipe.direct_sc_coef = 2.0;
    apply(2, ratios, NULL, 0.0, 0.25);
    ck_near(result.loss, -0.25 * (0.5 * 0.75 + 2.0 * 5.0));
    ck_near(coefs[0], 0.0);
    ck_near(coefs[1], -0.125);
    ck_near(coefs[5], -0.5);
    ck_near(result.tokens, 2.0);
    ck_assert_int_eq(result.sequences, 1);
}
END_TEST

/* ---- coefficients against difference quotients ---- */

enum { TOKENS = 3 };

struct point {
    double logp[TOKENS], entropy[TOKENS], certainty[TOKENS];
};

static double loss_at(const struct point *p, const double *ref, double a, double *slopes)
{
    static const double old[TOKENS] = {-1.0, -2.0, -0.5};
    struct it_loss_sequence q = {.n = TOKENS, .logp = p->logp, .old = old, .ref = ref,
                                 .advantage = a, .weight = 0.7};
    struct it_loss_totals t = {0};
    it_loss_apply(&recipe, &q, p->entropy, p->certainty, &t, slopes);
    return t.loss;
}

static void ck_slopes(const struct point *at, const double *ref, double a)
{
    const double h = 1e-6;
    double slopes[TOKENS * 3], unused[TOKENS * 3];
    loss_at(at, ref, a, slopes);
    for (int i = 0; i < TOKENS; i++) {
        for (int c = 0; c < 3; c++) {
            struct point up = *at, down = *at;
            double *x[] = {up.logp, up.entropy, up.certainty};
            double *y[] = {down.logp, down.entropy, down.certainty};
            x[c][i] += h;
            y[c][i] -= h;
            double quotient =
                (loss_at(&up, ref, a, unused) - loss_at(&down, ref, a, unused)) / (2.0 * h);
            ck_assert_msg(fabs(quotient - slopes[i * 3 + c]) < 1e-7 * (1.0 + fabs(quotient)),
                          "token %d, statistic %d, advantage %g: %.10g, quotient %.10g", i, c, a,
                          slopes[i * 3 + c], quotient);
        }
    }
}

/* Log-ratios, chosen away from every kink of the clips below, as token and as sequence ratios. */
static const double steps[][TOKENS] = {
    {0.0, 0.05, -0.08}, {-0.9, -0.35, -0.05}, {0.07, 0.4, 1.3}, {2.0, -2.0, 0.3}, {1.5, 1.2, 0.8},
};

static void ck_all_points(void)
{
    static const double ref[TOKENS] = {-1.3, -1.1, -5.0}, advantages[] = {1.5, -0.8, 0.0};
    for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
        struct point p = {.logp = {-1.0, -2.0, -0.5}, .entropy = {0.4, 1.0, 0.2},
                          .certainty = {2.0, 3.0, 5.0}};
        for (int i = 0; i < TOKENS; i++) { p.logp[i] += steps[s][i]; }
        for (int a = 0; a < 3; a++) {
            ck_slopes(&p, ref, advantages[a]);
            ck_slopes(&p, NULL, advantages[a]);
        }
    }
}

START_TEST(slopes)
{
    static const struct {
        double epsilon_high, delta, dual_clip, kl_clamp;
    } clips[] = {{0, 0, 0, 0}, {0.28, 0, 0, 0}, {0, 2.1, 0, 0}, {0, 0, 3.1, 0}, {0, 0, 0, 2.0},
                 {0.28, 4.0, 3.1, 10.0}};
    recipe.beta = 0.3;
    recipe.entropy_coef = 0.2;
    recipe.direct_sc_coef = -0.6;
    for (int level = IT_RATIO_TOKEN; level <= IT_RATIO_SEQUENCE; level++) {
        for (int estimator = IT_KL_K1; estimator <= IT_KL_K3; estimator++) {
            for (size_t i = 0; i < sizeof clips / sizeof *clips; i++) {
                recipe.importance_sampling_level = level;
                recipe.kl_estimator = estimator;
                recipe.epsilon_high = clips[i].epsilon_high;
                recipe.delta = clips[i].delta;
                recipe.dual_clip = clips[i].dual_clip;
                recipe.kl_clamp = clips[i].kl_clamp;
                ck_all_points();
            }
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("objective");
    TCase *tests = tcase_create("objective");
    tcase_add_checked_fixture(tests, begin, NULL);
    tcase_add_test(tests, of_one_group);
    tcase_add_test(tests, of_a_batch);
    tcase_add_test(tests, without_information);
    tcase_add_test(tests, excluded);
    tcase_add_test(tests, several_rewards);
    tcase_add_test(tests, gdpo);
    tcase_add_test(tests, loss_weights);
    tcase_add_test(tests, clipping);
    tcase_add_test(tests, two_sided_and_dual);
    tcase_add_test(tests, of_a_sequence);
    tcase_add_test(tests, kl);
    tcase_add_test(tests, entropy_and_certainty);
    tcase_add_test(tests, slopes);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
