/* SPDX-License-Identifier: MIT */
/* Philox against the known answers that its authors publish with Random123, and the stream. */
#include <math.h>

#include "core/base/rng.h"
#include "tests/scratch.h"

/* Random123, kat_vectors: "philox4x32 10". */
static const struct {
    uint32_t counter[4], key[2], out[4];
} answers[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

START_TEST(philox_gives_the_published_answers)
{
    uint32_t out[4];
    it_philox(answers[_i].key, answers[_i].counter, out);
    for (int i = 0; i < 4; i++) { ck_assert_uint_eq(out[i], answers[_i].out[i]); }
}
END_TEST

START_TEST(a_stream_resumes_at_its_position)
{
    struct it_rng all, rest;
    it_rng_init(&all, 42, 7);
    uint32_t words[100];
    for (int i = 0; i < 100; i++) { words[i] = it_rng_u32(&all); }
    ck_assert_uint_eq(all.position, 100);
    for (uint64_t from = 0; from < 100; from += 7) {
        it_rng_init(&rest, 42, 7);
        rest.position = from;
        for (uint64_t i = from; i < 100; i++) { ck_assert_uint_eq(it_rng_u32(&rest), words[i]); }
    }
    struct it_rng other;
    it_rng_init(&other, 42, 8);
    ck_assert_uint_ne(it_rng_u32(&other), words[0]);
    it_rng_init(&other, 43, 7);
    ck_assert_uint_ne(it_rng_u32(&other), words[0]);
}
END_TEST

START_TEST(uniform_numbers_fill_their_interval)
{
    struct it_rng rng;
    it_rng_init(&rng, 1, 0);
    enum { N = 200000 };
    double sum = 0, squares = 0;
    for (int i = 0; i < N; i++) {
        double u = it_rng_uniform(&rng);
        ck_assert(u >= 0 && u < 1);
        sum += u;
        squares += u * u;
    }
    ck_assert_double_eq_tol(sum / N, 1.0 / 2, 5 * sqrt(1.0 / 12 / N));
    ck_assert_double_eq_tol(squares / N, 1.0 / 3, 5 * sqrt(4.0 / 45 / N));
}
END_TEST

/* Chi-square over n cells; 5 standard deviations above its mean is one in millions. */
START_TEST(below_is_unbiased)
{
    static const int64_t limits[] = {1, 2, 3, 7, 10, 100};
    struct it_rng rng;
    it_rng_init(&rng, 2, 0);
    for (size_t k = 0; k < sizeof limits / sizeof limits[0]; k++) {
        int64_t n = limits[k], draws = 2000 * n;
        int64_t seen[100] = {0};
        for (int64_t i = 0; i < draws; i++) {
            int64_t value = it_rng_below(&rng, n);
            ck_assert(value >= 0 && value < n);
            seen[value]++;
        }
        double chi = 0;
        for (int64_t i = 0; i < n; i++) {
            double difference = (double)seen[i] - 2000.0;
            chi += difference * difference / 2000.0;
        }
        ck_assert_double_le(chi, (double)(n - 1) + 5 * sqrt(2.0 * (double)n) + 5);
    }
    int64_t most = 0;
    for (int i = 0; i < 1000; i++) { /* wider than one word */
        int64_t value = it_rng_below(&rng, INT64_MAX);
        ck_assert_int_ge(value, 0);
        most = value > most ? value : most;
    }
    ck_assert_int_gt(most, INT64_MAX / 100 * 95);
    ck_assert_int_eq(it_rng_below(&rng, 0), 0);
    ck_assert_int_eq(it_rng_below(&rng, -5), 0);
}
END_TEST

START_TEST(normal_numbers_have_normal_moments)
{
    struct it_rng rng;
    it_rng_init(&rng, 3, 0);
    enum { N = 200000 };
    double m1 = 0, m2 = 0, m3 = 0, m4 = 0;
    for (int i = 0; i < N; i++) {
        double x = it_rng_normal(&rng);
        m1 += x / N;
        m2 += x * x / N;
        m3 += x * x * x / N;
        m4 += x * x * x * x / N;
    }
    ck_assert_uint_eq(rng.position, (uint64_t)N); /* one word a number */
    ck_assert_double_eq_tol(m1, 0, 5 * sqrt(1.0 / N));
    ck_assert_double_eq_tol(m2, 1, 5 * sqrt(2.0 / N));
    ck_assert_double_eq_tol(m3, 0, 5 * sqrt(15.0 / N));
    ck_assert_double_eq_tol(m4, 3, 5 * sqrt(96.0 / N));
}
END_TEST

/* Each number is the quantile of its word: the distribution function leads back to it. */
START_TEST(normal_numbers_are_quantiles)
{
    struct it_rng rng;
    it_rng_init(&rng, 5, 0);
    for (int i = 0; i < 100000; i++) {
        struct it_rng words = rng;
        double p = ((double)it_rng_u32(&words) + 0.5) / 4294967296.0;
        double x = it_rng_normal(&rng);
        ck_assert_uint_eq(rng.position, words.position);
        double density = exp(-x * x / 2) / 2.5066282746310002;
        /* error of x, from the error of p; the approximation promises 1.2e-9 of x */
        double error = p < 0.5 ? 0.5 * erfc(-x / sqrt(2)) - p : 1 - p - 0.5 * erfc(x / sqrt(2));
        ck_assert_double_le(fabs(error / density), 1.2e-9 * fabs(x) + 1e-15);
    }
}
END_TEST

START_TEST(a_shuffle_is_a_fair_permutation)
{
    struct it_rng rng;
    it_rng_init(&rng, 4, 0);
    enum { N = 4, TIMES = 24000 };
    int64_t seen[256] = {0};
    for (int t = 0; t < TIMES; t++) {
        int64_t items[N] = {0, 1, 2, 3}, code = 0, present = 0;
        it_rng_shuffle(&rng, items, N);
        for (int i = 0; i < N; i++) {
            code = 4 * code + items[i];
            present |= INT64_C(1) << items[i];
        }
        ck_assert_int_eq(present, 15);
        seen[code]++;
    }
    int orders = 0;
    for (int i = 0; i < 256; i++) {
        if (seen[i] == 0) { continue; }
        orders++;
        ck_assert(seen[i] > 1000 - 160 && seen[i] < 1000 + 160); /* 5 standard deviations */
    }
    ck_assert_int_eq(orders, 24);
    it_rng_shuffle(&rng, NULL, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rng");
    TCase *tests = tcase_create("rng");
    tcase_add_loop_test(tests, philox_gives_the_published_answers, 0,
                        sizeof answers / sizeof answers[0]);
    tcase_add_test(tests, a_stream_resumes_at_its_position);
    tcase_add_test(tests, uniform_numbers_fill_their_interval);
    tcase_add_test(tests, below_is_unbiased);
    tcase_add_test(tests, normal_numbers_have_normal_moments);
    tcase_add_test(tests, normal_numbers_are_quantiles);
    tcase_add_test(tests, a_shuffle_is_a_fair_permutation);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
