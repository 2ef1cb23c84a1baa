/* SPDX-License-Identifier: MIT */
/* Metrics against scipy (scripts/golden_metrics.py), published figures and cases worked by hand. */
#include <math.h>

#include "tasks/metrics/metrics.h"
#include "tests/scratch.h"

#define NEAR(x, y, tolerance) ck_assert_double_eq_tol(x, y, tolerance)
#define COUNT(array) ((int64_t)(sizeof(array) / sizeof *(array)))

START_TEST(pass_at_k)
{
    NEAR(it_metric_pass_at(10, 3, 1), 0.3, 1e-15);
    NEAR(it_metric_pass_at(10, 3, 5), 0.9166666666666666, 1e-15);
    NEAR(it_metric_pass_at(16, 4, 8), 0.9615384615384616, 1e-15);
    NEAR(it_metric_pass_at(200, 17, 100), 0.99999636769084, 1e-13);
    ck_assert(it_metric_pass_at(10, 0, 5) == 0.0);
    ck_assert(it_metric_pass_at(10, 6, 5) == 1.0);
    ck_assert_double_nan(it_metric_pass_at(4, 4, 5));
    ck_assert_double_nan(it_metric_pass_at(4, 4, 0));
}
END_TEST

START_TEST(wilson)
{
    static const struct {
        double k, n, low, high;
    } want[] = {{0, 10, 0, 0.277532799863},
                {7, 10, 0.396778147461, 0.892208732594},
                {10, 10, 0.722467200137, 1},
                {344, 721, 0.440874747782, 0.513598055065},
                {1, 1, 0.206549314377, 1}};
    for (int64_t i = 0; i < COUNT(want); i++) {
        struct it_metric_interval got = it_metric_wilson(want[i].k / want[i].n, want[i].n);
        NEAR(got.low, want[i].low, 1e-11);
        NEAR(got.high, want[i].high, 1e-11);
    }
    ck_assert_double_nan(it_metric_wilson(0, 0).low);
}
END_TEST

START_TEST(mcnemar)
{
    ck_assert(it_metric_mcnemar(0, 0) == 1.0);
    NEAR(it_metric_mcnemar(3, 9), 0.14599609375, 1e-12);
    NEAR(it_metric_mcnemar(9, 3), 0.14599609375, 1e-12);
    ck_assert(it_metric_mcnemar(10, 10) == 1.0);
    NEAR(it_metric_mcnemar(1, 14), 0.0009765625, 1e-14);
    NEAR(it_metric_mcnemar(120, 171), 0.00330879863313, 1e-13);
    ck_assert(it_metric_mcnemar(0, 100000) == 0.0);
}
END_TEST

START_TEST(bootstrap)
{
    double d[200];
    for (int i = 0; i < 200; i++) { d[i] = i < 40 ? 1.0 : i < 60 ? -1.0 : 0.0; }
    struct it_metric_bootstrap a = it_metric_bootstrap(d, 200, 4000, 7);
    struct it_metric_bootstrap b = it_metric_bootstrap(d, 200, 4000, 7);
    NEAR(a.mean, 0.1, 1e-15);
    /* sd / sqrt(n), sd^2 = 60/200 - 0.01; the percentiles of about that normal distribution */
    NEAR(a.stderr_, sqrt(0.29 / 200), 0.0015);
    NEAR(a.low, 0.1 - 1.96 * sqrt(0.29 / 200), 0.006);
    NEAR(a.high, 0.1 + 1.96 * sqrt(0.29 / 200), 0.006);
    NEAR(a.p, 0.0087, 0.006);
    ck_assert(a.low == b.low && a.high == b.high && a.p == b.p);
    ck_assert(it_metric_bootstrap(d, 200, 4000, 8).stderr_ != a.stderr_);
    ck_assert(it_metric_bootstrap(d + 60, 140, 50, 1).p == 1.0); /* no difference at all */
    ck_assert_double_nan(it_metric_bootstrap(d, 0, 50, 1).p);
}
END_TEST

START_TEST(mann_whitney)
{
    static const double a[] = {17.81, 20.5, 23.25, 19.0, 25.5, 21.0, 18.25, 22.0};
    static const double b[] = {17.13, 20.5, 16.5, 18.25, 19.5, 15.0, 18.25};
    static const double c[] = {3.0, 1.5, 4.0, 9.0, 5.5}, d[] = {2.0, 1.0, 3.5, 0.5};
    struct it_metric_ranks t = it_metric_mann_whitney(a, COUNT(a), b, COUNT(b)); /* with ties */
    ck_assert(t.u == 46.5);
    NEAR(t.auroc, 46.5 / 56, 1e-15);
    NEAR(t.z, 2.15058131676, 1e-10);
    NEAR(t.r, 2.15058131676 / sqrt(15), 1e-10);
    NEAR(t.p, 0.0181988050018, 1e-12);
    NEAR(t.p_two, 0.0363976100037, 1e-12);
    NEAR(t.p_exact, 0.01554001554, 1e-11);
    NEAR(t.p_exact_two, 0.03108003108, 1e-11);
    t = it_metric_mann_whitney(c, COUNT(c), d, COUNT(d));
    ck_assert(t.u == 17.0);
    NEAR(t.z, 1.71464281995, 1e-10);
    NEAR(t.p, 0.0556734432666, 1e-12);
    NEAR(t.p_exact, 0.0555555555556, 1e-12);
    NEAR(t.p_exact_two, 0.111111111111, 1e-11);
    struct it_metric_ranks back = it_metric_mann_whitney(d, COUNT(d), c, COUNT(c));
    ck_assert(back.u == 3.0 && back.p_two == t.p_two && back.z == -t.z);
}
END_TEST

START_TEST(mann_whitney_of_odd_groups)
{
    static const double x[] = {1.0, 2.0, 3.0}, same[] = {5.0, 5.0, 5.0};
    double big[80];
    ck_assert_double_nan(it_metric_mann_whitney(x, 3, x, 0).u);
    ck_assert_double_nan(it_metric_mann_whitney(x, 0, x, 3).p);
    struct it_metric_ranks t = it_metric_mann_whitney(same, 3, same, 2);
    ck_assert(t.u == 3.0 && t.auroc == 0.5);
    ck_assert_double_nan(t.z);
    ck_assert_double_nan(t.p_exact);
    for (int i = 0; i < 80; i++) { big[i] = (double)((i * 37) % 80); }
    t = it_metric_mann_whitney(big, 40, big + 40, 40);
    ck_assert_double_nan(t.p_exact);
    ck_assert(t.p > 0.0 && t.p < 1.0);
}
END_TEST

/* The paper's Figure 8: from U and how many of 500 are right, p to its printed digits and
 * r = Z / sqrt(500). Values that give just this U are made: `u` pairs won. */
START_TEST(published_tests)
{
    static const struct {
        int n_right;
        double u, z, digits, unit, r;
    } row[] = {{272, 30910, -0.061, 5.2, 1e-1, -0.00},
               {306, 45415, 9.994, 8.2, 1e-24, 0.45},
               {272, 40722, 6.037, 7.9, 1e-10, 0.27},
               {318, 41178, 7.874, 1.7, 1e-15, 0.35}};
    for (int64_t i = 0; i < COUNT(row); i++) {
        int n_a = row[i].n_right, n_b = 500 - n_a;
        double a[500], b[500], left = row[i].u;
        for (int k = 0; k < n_b; k++) { b[k] = k; }
        for (int k = 0; k < n_a; k++) { /* above as many of b as are still to be won, no ties */
            double wins = left < n_b ? left : n_b;
            a[k] = wins - 0.5 + 1e-4 * (k + 1);
            left -= wins;
        }
        struct it_metric_ranks t = it_metric_mann_whitney(a, n_a, b, n_b);
        ck_assert(t.u == row[i].u);
        NEAR(t.z, row[i].z, 5e-4);
        NEAR(t.p / row[i].unit, row[i].digits, 0.05);
        NEAR(t.r, row[i].r, 5e-3);
    }
}
END_TEST

START_TEST(votes)
{
    /* answer 0 once with the best score, answer 1 twice */
    static const struct it_metric_sample s[] = {{0, 3.0}, {1, 2.0}, {1, 1.0}};
    ck_assert_int_eq(it_metric_borda(s, 3, 0.0), 1);  /* 1 against 2 votes */
    ck_assert_int_eq(it_metric_borda(s, 3, 0.5), 1);  /* 1.732 against 1.414 + 1 */
    ck_assert_int_eq(it_metric_borda(s, 3, 1.0), 0);  /* 3 against 2 + 1: the earlier */
    ck_assert_int_eq(it_metric_borda(s, 3, 2.0), 0);  /* 9 against 4 + 1 */
    ck_assert_int_eq(it_metric_borda(s, 3, 1e6), 0);
    ck_assert_int_eq(it_metric_borda(s, 2, 0.0), 0);  /* one vote each: the earlier */
    ck_assert_int_eq(it_metric_best(s, 3), 0);
    ck_assert_int_eq(it_metric_first(s, 3), 0);
    /* the best score has no answer: it keeps its rank, and casts no vote */
    static const struct it_metric_sample t[] = {
        {-1, 9.0}, {4, 1.0}, {7, 5.0}, {4, 2.0}, {7, 0.5}};
    ck_assert_int_eq(it_metric_first(t, 5), 1);
    ck_assert_int_eq(it_metric_best(t, 5), 2);
    ck_assert_int_eq(it_metric_borda(t, 5, 0.0), 1); /* two each: the earlier */
    ck_assert_int_eq(it_metric_borda(t, 5, 1.0), 1); /* 2 + 3 against 4 + 1 */
    ck_assert_int_eq(it_metric_borda(t, 5, 1.1), 2); /* 4^1.1 + 1 against 2^1.1 + 3^1.1 */
    /* without any answer, and scores that are not numbers */
    static const struct it_metric_sample none[] = {{-1, 1.0}, {-1, 2.0}};
    ck_assert_int_eq(it_metric_best(none, 2), 0);
    ck_assert_int_eq(it_metric_borda(none, 2, 1.0), 0);
    const struct it_metric_sample nan[] = {{0, (double)NAN}, {1, -5.0}, {2, (double)NAN}};
    ck_assert_int_eq(it_metric_best(nan, 3), 1);
    ck_assert_int_eq(it_metric_borda(nan, 3, 1.0), 1);
    /* equal scores keep their order */
    static const struct it_metric_sample tie[] = {{2, 1.0}, {1, 1.0}, {1, 1.0}};
    ck_assert_int_eq(it_metric_best(tie, 3), 0);
    ck_assert_int_eq(it_metric_borda(tie, 3, 2.0), 0);
}
END_TEST

START_TEST(powers)
{
    NEAR(it_metric_borda_power(1), 0.3, 1e-15);
    NEAR(it_metric_borda_power(16), 0.3, 1e-15);
    NEAR(it_metric_borda_power(32), 1.2, 1e-15);
    NEAR(it_metric_borda_power(4096), 1.2, 1e-15);
    ck_assert(it_metric_borda_power(24) > 0.3 && it_metric_borda_power(24) < 1.2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metrics");
    TCase *tests = tcase_create("metrics");
    tcase_add_test(tests, pass_at_k);
    tcase_add_test(tests, wilson);
    tcase_add_test(tests, mcnemar);
    tcase_add_test(tests, bootstrap);
    tcase_add_test(tests, mann_whitney);
    tcase_add_test(tests, mann_whitney_of_odd_groups);
    tcase_add_test(tests, published_tests);
    tcase_add_test(tests, votes);
    tcase_add_test(tests, powers);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
