/* SPDX-License-Identifier: MIT */
/* Annotations of AlpacaEval 2.0 and their win rates. */
#include "tasks/grade/alpaca.h"

#include <math.h>
#include <string.h>

#include "core/base/json.h"
#include "tasks/grade/alpaca_internal.h"

double it_alpaca_preference(const json_t *record)
{
    const json_t *value = json_object_get(record, "preference");
    double preference = json_is_number(value) ? json_number_value(value) : NAN;
    if (preference == 0) { return 1.5; }
    return preference >= 1 && preference <= 2 ? preference : NAN;
}

const json_t *it_alpaca_output(const json_t *record)
{
    static const char *const names[] = {"output_2", "completion", "output"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const json_t *text = json_object_get(record, names[i]);
        if (json_is_string(text)) { return text; }
    }
    return NULL;
}

double it_alpaca_length(const char *text, size_t size)
{
    size_t length = 0;
    for (size_t i = 0; i < size; i++) { length += ((unsigned char)text[i] & 0xC0) != 0x80; }
    return (double)length;
}

/* With n - 1. */
double it_alpaca_deviation(const double *value, size_t n)
{
    double mean = 0, squares = 0;
    for (size_t i = 0; i < n; i++) { mean += value[i] / (double)n; }
    for (size_t i = 0; i < n; i++) { squares += (value[i] - mean) * (value[i] - mean); }
    return n > 1 ? sqrt(squares / (double)(n - 1)) : NAN;
}

static void put_count(json_t *summary, const char *name, size_t count)
{
    json_object_set_new(summary, name, json_integer((json_int_t)count));
}

void it_alpaca_rates(json_t *const *records, size_t n, json_t *summary)
{
    size_t total = 0, wins = 0, losses = 0, draws = 0, outputs = 0;
    double sum = 0, squares = 0, length = 0;
    for (size_t i = 0; i < n; i++) {
        double y = it_alpaca_preference(records[i]) - 1;
        const json_t *output = it_alpaca_output(records[i]);
        if (output != NULL) {
            length += it_alpaca_length(json_string_value(output), json_string_length(output));
            outputs++;
        }
        if (isnan(y)) { continue; }
        total++;
        sum += y;
        wins += y > 0.5;
        losses += y < 0.5;
        draws += y == 0.5;
    }
    double mean = sum / (double)total;
    for (size_t i = 0; i < n; i++) {
        double y = it_alpaca_preference(records[i]) - 1;
        if (!isnan(y)) { squares += (y - mean) * (y - mean); }
    }
    double variance = squares / ((double)total - 1), count = (double)total;
    json_object_set_new(summary, "win_rate", it_json_real(100 * mean));
    json_object_set_new(summary, "standard_error",
                        total > 1 ? it_json_real(100 * sqrt(variance / count)) : json_null());
    put_count(summary, "n_wins", wins);
    put_count(summary, "n_wins_base", losses);
    put_count(summary, "n_draws", draws);
    put_count(summary, "n_total", total);
    json_object_set_new(summary, "discrete_win_rate",
                        it_json_real(100 * ((double)wins + 0.5 * (double)draws) / count));
    json_object_set_new(summary, "avg_length",
                        outputs > 0 ? json_integer((json_int_t)(length / (double)outputs))
                                    : json_null());
}
