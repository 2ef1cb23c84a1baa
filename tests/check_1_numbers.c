/* SPDX-License-Identifier: MIT */
/* Known numbers: statistics of distributions worked out by hand and by a plain log-softmax in
 * double, rounding to bf16, the exponential and logarithm of kmath.h, and what sampling draws. */
#include "tests/box.h"

static const struct {
    const char *device;
    enum it_dtype dtype; /* of logits */
} ways[] = {{"reference", IT_F32}, {"reference", IT_F64}, {"cpu", IT_F32}};

static enum it_dtype dtype;

static void begin(int way)
{
    dtype = ways[way].dtype;
    box_open(ways[way].device);
}

/* ---- token_stats ---- */

static const struct {
    int v;
    double temperature;
    double z[8];
    double lse, certainty, entropy, sum_p2; /* in double, six digits */
} vectors[] = {
    {4, 1, {0, 0, 0, 0}, 1.386294, 0, 1.386294, 0.25},
    {4, 1, {2, 0, 0, 0}, 2.340753, 0.454459, 0.918284, 0.533650},
    {4, 0.9, {2, 0, 0, 0}, 2.503713, 0.561863, 0.826696, 0.589573},
    {5, 1, {10, 0, -5, -5, -20}, 10.000046, 12.390608, 0.000509, 0.999908},
    {8, 1, {3, 1, 0, -1, -2, -2, -3, -8}, 3.198367, 2.618925, 0.670505, 0.686789},
};

START_TEST(statistics_of_known_distributions)
{
    begin(_i);
    for (size_t n = 0; n < sizeof vectors / sizeof *vectors; ++n) {
        int v = vectors[n].v;
        struct it_tensor logits = box_new(dtype, 1, v), stats = box_new(dtype, 1, IT_STAT_COUNT);
        const double t = vectors[n].temperature, target = 1;
        box_set(logits, vectors[n].z);
        ck_ok(it_token_stats(stats, logits, box_list(IT_I32, 1, &target),
                             box_list(dtype, 2, (double[]){t, t}), 0));
        double *s = box_get(stats);
        ck_assert(fabs(s[IT_STAT_LSE] - vectors[n].lse) < 2e-6);
        ck_assert(fabs(s[IT_STAT_LSE2] - vectors[n].lse) < 2e-6);
        ck_assert(fabs(s[IT_STAT_CERTAINTY] - vectors[n].certainty) < 2e-6);
        ck_assert(fabs(s[IT_STAT_ENTROPY] - vectors[n].entropy) < 2e-6);
        ck_assert(fabs(s[IT_STAT_SUM_P2] - vectors[n].sum_p2) < 2e-6);
        ck_assert(fabs(s[IT_STAT_LOGPROB] - (vectors[n].z[1] / t - vectors[n].lse)) < 2e-6);
        free(s);
    }
    box_close();
}
END_TEST

struct distribution {
    double lse, entropy, certainty, sum_p2, top, second;
};

/* Straight from the definitions: certainty is -1/V sum of ln(V p). */
static struct distribution distribution_of(const double *z, int v, double temperature)
{
    struct distribution d = {0};
    double most = -INFINITY, sum = 0;
    for (int j = 0; j < v; ++j) { most = fmax(most, z[j] / temperature); }
    for (int j = 0; j < v; ++j) { sum += exp(z[j] / temperature - most); }
    d.lse = most + log(sum);
    for (int j = 0; j < v; ++j) {
        double log_p = z[j] / temperature - d.lse, p = exp(log_p);
        d.entropy -= p * log_p;
        d.certainty -= (log((double)v) + log_p) / v;
        d.sum_p2 += p * p;
        d.second = fmax(d.second, fmin(p, d.top));
        d.top = fmax(d.top, p);
    }
    return d;
}

START_TEST(statistics_equal_a_log_softmax_in_double)
{
    enum { T = 6, V = 9001, FEW = 8950 }; /* more than two tiles */
    static const double targets[T] = {0, V - 1, FEW, -1, V, 17};
    begin(_i);
    double temperatures[2] = {0.9, 1.3};
    double bound = dtype == IT_F64 ? 1e-11 : 1e-5;
    struct it_tensor logits = box_random(dtype, T, V, 4), stats = box_new(dtype, T, IT_STAT_COUNT);
    struct it_tensor temps = box_list(dtype, 2, temperatures);
    ck_ok(it_token_stats(stats, logits, box_list(IT_I32, T, targets), temps, FEW));
    double *z = box_get(logits), *s = box_get(stats), *stored = box_get(temps);
    for (int i = 0; i < T; ++i, s += IT_STAT_COUNT) {
        struct distribution all = distribution_of(z + i * V, V, stored[0]);
        struct distribution few = distribution_of(z + i * V, FEW, stored[1]);
        int y = (int)targets[i];
        double log_p = y < 0 || y >= V ? 0 : z[i * V + y] / stored[0] - all.lse;
        ck_assert(fabs(s[IT_STAT_LOGPROB] - log_p) < bound);
        ck_assert(fabs(s[IT_STAT_LSE] - all.lse) < bound);
        ck_assert(fabs(s[IT_STAT_LSE2] - few.lse) < bound);
        ck_assert(fabs(s[IT_STAT_ENTROPY] - few.entropy) < bound);
        ck_assert(fabs(s[IT_STAT_CERTAINTY] - few.certainty) < bound);
        ck_assert(fabs(s[IT_STAT_SUM_P2] - few.sum_p2) < bound);
        ck_assert(fabs(s[IT_STAT_TOP] - few.top) < bound);
        ck_assert(fabs(s[IT_STAT_MARGIN] - (few.top - few.second)) < bound);
    }
    free(z);
    free(s - T * IT_STAT_COUNT);
    free(stored);
    box_close();
}
END_TEST

/* ---- scalars ---- */

START_TEST(bf16_rounds_to_nearest_even)
{
    static const struct {
        uint from, to;
    } pairs[] = {
        {0x3f800000, 0x3f80}, {0x3f808000, 0x3f80}, {0x3f808001, 0x3f81}, {0x3f818000, 0x3f82},
        {0xbf818000, 0xbf82}, {0x3f807fff, 0x3f80}, {0x00000000, 0x0000}, {0x80000000, 0x8000},
        {0x7f800000, 0x7f80}, {0xff800000, 0xff80}, {0x7f7fffff, 0x7f80}, {0x7f7f7fff, 0x7f7f},
        {0x00008000, 0x0000}, {0x00018000, 0x0002},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; ++i) {
        ck_assert_uint_eq(k_bf16_store(k_float(pairs[i].from)), pairs[i].to);
    }
    static const uint nans[] = {0x7fc00000, 0x7f800001, 0xffffffff, 0x7fffffff, 0xff800001};
    for (size_t i = 0; i < sizeof nans / sizeof *nans; ++i) {
        float back = k_bf16_load(k_bf16_store(k_float(nans[i])));
        ck_assert(back != back);
        ck_assert_uint_eq(k_bits(back) >> 31, nans[i] >> 31);
    }
    for (uint h = 0; h < 65536; ++h) {
        float x = k_bf16_load(h);
        if (x == x) { ck_assert_uint_eq(k_bf16_store(x), h); }
    }
}
END_TEST

static double ulps_off(float got, double want)
{
    int exponent;
    frexp(want, &exponent);
    return fabs((double)got - want) / ldexp(1, exponent - 24);
}

START_TEST(exponential_and_logarithm_are_near)
{
    double worst_exp = 0, worst_log = 0;
    for (int i = -8700000; i < 8870000; i += 101) {
        float x = (float)i * 1e-5f;
        worst_exp = fmax(worst_exp, ulps_off(k_exp(x), exp((double)x)));
    }
    for (uint bits = 0x00800000; bits < 0x7f800000; bits += 30011) {
        float x = k_float(bits);
        if (x > 0.999f && x < 1.001f) { continue; } /* near zero: absolute, below */
        worst_log = fmax(worst_log, ulps_off(k_log(x), log((double)x)));
    }
    ck_assert_msg(worst_exp <= 2 && worst_log <= 2, "exp %g ulp, log %g ulp", worst_exp, worst_log);
    for (float x = 0.999f; x < 1.001f; x += 1e-6f) {
        ck_assert(fabs((double)k_log(x) - log((double)x)) < 1e-9);
    }
    ck_assert(k_exp(0) == 1 && k_log(1) == 0);
    ck_assert(k_exp(-100) == 0 && k_exp(-INFINITY) == 0 && isinf(k_exp(100)));
    ck_assert(isnan(k_exp(NAN)) && isinf(k_exp(INFINITY)));
}
END_TEST

/* ---- sample ---- */

/* `n` rows of `columns` values, all the same but for column 2 of keys, which counts. */
static void fill_rows(struct it_tensor t, const double *row, bool count)
{
    int64_t n = t.shape[0], columns = t.shape[1];
    double *values = calloc((size_t)(n * columns), sizeof *values);
    for (int64_t i = 0; i < n * columns; ++i) { values[i] = row[i % columns]; }
    for (int64_t i = 0; count && i < n; ++i) { values[i * columns + 2] = (double)i; }
    box_set(t, values);
    free(values);
}

/* Draws `n` ids of one distribution with keys 0 .. n - 1. */
static int *draw(const double *z, int v, const double params[4], int n)
{
    struct it_tensor logits = box_new(dtype, n, v), rows = box_new(dtype, n, 4);
    struct it_tensor keys = box_new(IT_U32, n, 6), ids = it_flatten(box_new(IT_I32, 1, n));
    fill_rows(logits, z, false);
    fill_rows(rows, params, false);
    fill_rows(keys, (const double[6]){1, 2, 0, 4, 5, 6}, true);
    ck_ok(it_sample(ids, logits, rows, keys));
    int *drawn = box_bytes(&ids);
    ck_ok(it_download(drawn, ids));
    return drawn;
}

/* Frequencies against probabilities, within five standard deviations; 0 means never. */
static void check_draws(const double *z, int v, const double params[4], const double *expected)
{
    enum { N = 4000 };
    int64_t mark = it_arena_mark(box_arena);
    int *drawn = draw(z, v, params, N), seen[16] = {0};
    for (int i = 0; i < N; ++i) {
        ck_assert(drawn[i] >= 0 && drawn[i] < v);
        ++seen[drawn[i]];
    }
    for (int j = 0; j < v; ++j) {
        double want = expected[j] * N;
        double deviation = sqrt(want * (1 - expected[j]));
        ck_assert_msg(fabs(seen[j] - want) <= 5 * deviation, "id %d: %d drawn, %g expected", j,
                      seen[j], want);
    }
    free(drawn);
    it_arena_reset(box_arena, mark);
}

START_TEST(draws_follow_the_distribution)
{
    /* ln of 0.4, 0.1, 0.3, 0.2 */
    const double z[] = {log(0.4), log(0.1), log(0.3), log(0.2)};
    begin(_i);
    check_draws(z, 4, (double[]){1, 0, 1, 0}, (double[]){0.4, 0.1, 0.3, 0.2});
    check_draws(z, 4, (double[]){0.5, 0, 1, 0},
                (double[]){0.16 / 0.3, 0.01 / 0.3, 0.09 / 0.3, 0.04 / 0.3});
    check_draws(z, 4, (double[]){0, 0, 1, 0}, (double[]){1, 0, 0, 0});
    check_draws(z, 4, (double[]){1, 2, 1, 0}, (double[]){4. / 7, 0, 3. / 7, 0});
    check_draws(z, 4, (double[]){1, 1, 1, 0}, (double[]){1, 0, 0, 0});
    check_draws(z, 4, (double[]){1, 9, 1, 0}, (double[]){0.4, 0.1, 0.3, 0.2});
    check_draws(z, 4, (double[]){1, 0, 0.65, 0}, (double[]){4. / 7, 0, 3. / 7, 0});
    check_draws(z, 4, (double[]){1, 0, 0.75, 0}, (double[]){4. / 9, 0, 3. / 9, 2. / 9});
    check_draws(z, 4, (double[]){1, 0, 0, 0}, (double[]){1, 0, 0, 0});
    check_draws(z, 4, (double[]){1, 0, 1, 0.6}, (double[]){4. / 7, 0, 3. / 7, 0});
    /* top-p counts the mass that top-k left: 4/7 alone reaches 0.55 */
    check_draws(z, 4, (double[]){1, 2, 0.55, 0}, (double[]){1, 0, 0, 0});
    box_close();
}
END_TEST

START_TEST(equal_logits_stay_together)
{
    begin(_i);
    const double z[] = {1, 2, 1, 2, 1};
    check_draws(z, 5, (double[]){1, 1, 1, 0}, (double[]){0, 0.5, 0, 0.5, 0});
    check_draws(z, 5, (double[]){1, 0, 1, 1}, (double[]){0, 0.5, 0, 0.5, 0});
    check_draws(z, 5, (double[]){0, 1, 1, 0}, (double[]){0, 1, 0, 0, 0}); /* the first largest */
    box_close();
}
END_TEST

/* Ids that were banned, and rows that a broken model would give. */
START_TEST(sampling_survives_what_is_not_finite)
{
    begin(_i);
    const double banned[] = {-INFINITY, 0, -INFINITY, 0};
    check_draws(banned, 4, (double[]){1, 0, 1, 0}, (double[]){0, 0.5, 0, 0.5});
    check_draws(banned, 4, (double[]){1, 3, 0.9, 0.1}, (double[]){0, 0.5, 0, 0.5});
    check_draws((double[]){NAN, 1, NAN}, 3, (double[]){1, 0, 1, 0}, (double[]){0, 1, 0});
    check_draws((double[]){NAN, NAN}, 2, (double[]){1, 0, 1, 0}, (double[]){1, 0});
    check_draws((double[]){0, INFINITY}, 2, (double[]){1, 0, 1, 0}, (double[]){0, 1});
    box_close();
}
END_TEST

START_TEST(a_draw_depends_on_its_key_alone)
{
    enum { V = 300, N = 40 };
    begin(_i);
    double z[V];
    for (int j = 0; j < V; ++j) { z[j] = it_rng_normal(&box_rng); }
    const double params[4] = {1, 50, 0.95, 0.01};
    int *all = draw(z, V, params, N), different = 0;
    struct it_tensor logits = box_new(dtype, 1, V), row = box_new(dtype, 1, 4);
    struct it_tensor keys = box_new(IT_U32, 1, 6), id = it_flatten(box_new(IT_I32, 1, 1));
    box_set(logits, z);
    box_set(row, params);
    for (int i = 0; i < N; ++i) {
        int32_t one;
        box_set(keys, (double[6]){1, 2, i, 4, 5, 6});
        ck_ok(it_sample(id, logits, row, keys));
        ck_ok(it_download(&one, id));
        ck_assert_int_eq(one, all[i]);
        different += all[i] != all[0];
    }
    ck_assert_int_gt(different, N / 2);
    free(all);
    box_close();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("numbers");
    TCase *tests = tcase_create("numbers");
    int count = box_has("cpu") ? 3 : 2;
    tcase_set_timeout(tests, 30);
    tcase_add_loop_test(tests, statistics_of_known_distributions, 0, count);
    tcase_add_loop_test(tests, statistics_equal_a_log_softmax_in_double, 0, count);
    tcase_add_loop_test(tests, draws_follow_the_distribution, 0, count);
    tcase_add_loop_test(tests, equal_logits_stay_together, 0, count);
    tcase_add_loop_test(tests, sampling_survives_what_is_not_finite, 0, count);
    tcase_add_loop_test(tests, sampling_survives_what_is_not_finite, 0, count);
    tcase_add_loop_test(tests, a_draw_depends_on_its_key_alone, 0, count);
    tcase_add_test(tests, bf16_rounds_to_nearest_even);
    tcase_add_test(tests, exponential_and_logarithm_are_near);
    suite_add_tcase(suite, tests);
    return box_run(suite);
}
