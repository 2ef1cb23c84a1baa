/* SPDX-License-Identifier: MIT */
/* The length-controlled win rate: a logistic model of the preference in the difference of lengths,
 * the difficulty of the instruction and the model itself; then the mean of what it says where the
 * lengths are equal. */
#include <math.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "tasks/grade/alpaca_internal.h"

/* The two gamed baselines weigh a fifth of the model's rows together. */
static const double gamed_weight = 0.1;

/* ---- a stand-in for rows that are not there ---- */

/* Quantiles of the normal distribution with deviation 1 (that of a standardised difference), dealt
 * to the instructions in a fixed order that has nothing to do with their difficulty. */
static double normal_quantile(double p)
{
    double low = -10, high = 10;
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        if (0.5 * erfc(-middle / sqrt(2)) < p) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

static double standin_rate(const struct it_alpaca_set *set, const double *coefficient, double shift,
                           const double *spread, struct it_glm_row *row)
{
    double sum = 0;
    for (size_t i = 0; i < set->n; i++) {
        double z = tanh(shift + spread[i]), h = set->item[i].difficulty;
        double x = coefficient[0] * z + coefficient[1] * h + coefficient[2];
        row[i] = (struct it_glm_row){.x = {z, h, 0}, .y = it_glm_logistic(x)};
        sum += row[i].y;
    }
    return 100 * sum / (double)set->n;
}

void it_alpaca_standin(const struct it_alpaca_set *set, const double coefficient[IT_GLM_FEATURES],
                       double win_rate, struct it_glm_row *row)
{
    double *spread = it_alloc(set->n * sizeof *spread), low = -8, high = 8;
    size_t stride = (size_t)(0.618 * (double)set->n) + 1; /* made coprime below: a permutation */
    for (;; stride++) {
        size_t a = stride, b = set->n;
        while (b != 0) {
            size_t rest = a % b;
            a = b;
            b = rest;
        }
        if (a == 1) { break; }
    }
    for (size_t i = 0; i < set->n; i++) {
        spread[i] = normal_quantile(((double)(i * stride % set->n) + 0.5) / (double)set->n);
    }
    for (int i = 0; i < 60; i++) { /* a longer baseline answer lowers the rate */
        double middle = (low + high) / 2;
        bool above = standin_rate(set, coefficient, middle, spread, row) > win_rate;
        if (above == (coefficient[0] < 0)) {
            low = middle;
        } else {
            high = middle;
        }
    }
    it_free(spread);
}

/* ---- the fit ---- */

/* A record that has all that the model asks for. */
struct entry {
    double length_gap, difficulty, y; /* y NaN: no preference */
};

static size_t collect(const struct it_alpaca_set *set, json_t *const *records, size_t n,
                      struct entry *entry)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t place = it_alpaca_set_find(set, json_object_get(records[i], "instruction"));
        const json_t *output = it_alpaca_output(records[i]);
        const json_t *given = json_object_get(records[i], "output_1");
        if (place < 0 || output == NULL) { continue; }
        const struct it_alpaca_item *item = &set->item[place];
        const char *baseline = json_is_string(given) ? json_string_value(given) : item->reference;
        size_t size = json_is_string(given) ? json_string_length(given) : strlen(baseline);
        entry[kept++] = (struct entry){
            .length_gap = it_alpaca_length(baseline, size) -
                          it_alpaca_length(json_string_value(output), json_string_length(output)),
            .difficulty = item->difficulty,
            .y = it_alpaca_preference(records[i]) - 1,
        };
    }
    return kept;
}

static void fit(const struct it_alpaca_set *set, const struct entry *entry, size_t n,
                struct it_glm *glm_out)
{
    struct it_glm_row *row = it_alloc((set->n_gamed + n) * sizeof *row);
    double *gap = it_alloc(n * sizeof *gap);
    size_t rows = 0;
    for (size_t i = 0; i < set->n_gamed; i++) {
        row[rows] = set->gamed[i];
        row[rows++].weight = gamed_weight;
    }
    for (size_t i = 0; i < n; i++) { gap[i] = entry[i].length_gap; }
    double deviation = it_alpaca_deviation(gap, n);
    for (size_t i = 0; i < n; i++) {
        if (isnan(entry[i].y)) { continue; }
        double z = deviation > 0 ? tanh(gap[i] / deviation) : 0;
        row[rows++] = (struct it_glm_row){
            .x = {z, entry[i].difficulty, 1},
            .y = entry[i].y,
            .weight = 1,
        };
    }
    it_glm_select(row, rows, glm_out);
    it_free(gap);
    it_free(row);
}

/* Mean and spread over the whole set of what the model says at equal lengths; percent. */
static void predict(const struct it_alpaca_set *set, const double *beta, double *mean_out,
                    double *error_out)
{
    double *q = it_alloc(set->n * sizeof *q), sum = 0;
    for (size_t i = 0; i < set->n; i++) {
        q[i] = it_glm_logistic(beta[1] * set->item[i].difficulty + beta[2]);
        sum += q[i];
    }
    *mean_out = 100 * sum / (double)set->n;
    *error_out = 100 * it_alpaca_deviation(q, set->n) / sqrt((double)set->n);
    it_free(q);
}

/* ---- what the summary says ---- */

/* The rate that the leaderboard's own coefficients give, where the annotated model has some. */
static void put_published(const struct it_alpaca_set *set, json_t *const *records, size_t n,
                          json_t *summary)
{
    const char *model =
        n > 0 ? json_string_value(json_object_get(records[0], "generator_2")) : NULL;
    const json_t *weights = model != NULL ? json_object_get(set->weights, model) : NULL;
    double beta[IT_GLM_FEATURES], rate, error;
    if (weights == NULL) { return; }
    for (size_t k = 0; k < IT_GLM_FEATURES; k++) {
        beta[k] = json_number_value(json_array_get(weights, k));
    }
    predict(set, beta, &rate, &error);
    json_object_set_new(summary, "lc_win_rate_published", it_json_real(rate));
}

static const char *missing(const struct it_alpaca_set *set, const struct entry *entry, size_t n)
{
    size_t annotated = 0;
    for (size_t i = 0; i < set->n; i++) {
        if (isnan(set->item[i].difficulty)) { return "instruction_difficulty of the data folder"; }
    }
    for (size_t i = 0; i < n; i++) { annotated += isnan(entry[i].y) ? 0 : 1; }
    return annotated < IT_GLM_FOLDS ? "annotated instructions of the evaluation set" : NULL;
}

static void put_null(json_t *summary, const char *why)
{
    json_object_set_new(summary, "lc_win_rate", json_null());
    json_object_set_new(summary, "lc_standard_error", json_null());
    json_object_set_new(summary, "lc_missing", json_string(why));
}

static void put_fit(const struct it_alpaca_set *set, const struct it_glm *glm, json_t *summary)
{
    static const char *const kinds[] = {
        [IT_ALPACA_GAMED_NONE] = "none",
        [IT_ALPACA_GAMED_STANDIN] = "stand-in",
        [IT_ALPACA_GAMED_FILE] = "df_gamed.csv",
    };
    double rate, error;
    json_t *coefficients = json_array();
    for (int k = 0; k < IT_GLM_FEATURES; k++) {
        json_array_append_new(coefficients, it_json_real(glm->beta[k]));
    }
    predict(set, glm->beta, &rate, &error);
    json_object_set_new(summary, "lc_win_rate", it_json_real(rate));
    json_object_set_new(summary, "lc_standard_error", it_json_real(error));
    json_object_set_new(summary, "lc_gamed", json_string(kinds[set->gamed_kind]));
    json_object_set_new(summary, "lc_coefficients", coefficients);
    double raw = json_number_value(json_object_get(summary, "win_rate"));
    double room = rate > raw ? 100 - raw : raw;
    if (fabs(rate - raw) > fmax(10, room / 4)) {
        it_warn("alpaca_eval: length control moves the win rate from %.2f to %.2f: look at the "
                "lengths of the outputs before this number is used",
                raw, rate);
    }
}

void it_alpaca_length_controlled(const struct it_alpaca_set *set, json_t *const *records, size_t n,
                                 json_t *summary)
{
    if (set == NULL) {
        put_null(summary, "the data folder: set INTUITOR_DATA or --data");
        return;
    }
    struct entry *entry = it_alloc((n + 1) * sizeof *entry);
    size_t kept = collect(set, records, n, entry);
    const char *why = missing(set, entry, kept);
    if (kept < n) {
        it_warn("alpaca_eval: %zu of %zu records are not of the evaluation set or have no output; "
                "they are left out of the length-controlled win rate",
                n - kept, n);
    }
    if (why != NULL) {
        put_null(summary, why);
    } else {
        struct it_glm glm;
        fit(set, entry, kept, &glm);
        put_fit(set, &glm, summary);
        put_published(set, records, n, summary);
    }
    it_free(entry);
}
