/* SPDX-License-Identifier: MIT */
/* AlpacaEval 2.0: the evaluation set, win rates, and the length-controlled win rate. */
#ifndef IT_TASKS_GRADE_ALPACA_H
#define IT_TASKS_GRADE_ALPACA_H

#include <jansson.h>

#include "core/base/status.h"
#include "tasks/grade/glm.h"

/* One instruction of the evaluation set, at its place in it. */
struct it_alpaca_item {
    char *instruction, *reference; /* owned; the baseline's answer */
    double difficulty;             /* NaN: not known */
};
struct it_alpaca_set {
    struct it_alpaca_item *item;
    size_t n, cap;
    json_t *index; /* instruction -> place */
    /* Rows of the two gamed baselines, which every fit contains; see gamed_kind. */
    struct it_glm_row *gamed;
    size_t n_gamed;
    enum it_alpaca_gamed {
        IT_ALPACA_GAMED_NONE,   /* the fit has the model's rows alone */
        IT_ALPACA_GAMED_STANDIN, /* made from the baselines' published weights and win rates */
        IT_ALPACA_GAMED_FILE    /* df_gamed.csv */
    } gamed_kind;
    json_t *weights; /* generator -> its published coefficients [3]; empty where there is no file */
};

/* From DATA/alpaca_eval, or DATA itself:
 *   alpaca_eval_gpt4_baseline.json or reference_gpt4_1106_preview.json   required
 *   instruction_difficulty.{csv,jsonl}, df_gamed.csv                      without them no LC
 *   glm_weights_length_controlled_v1.csv, leaderboard_*.csv               for the stand-in */
enum it_status it_alpaca_set_open(const char *data, struct it_alpaca_set *set_out);
void it_alpaca_set_close(struct it_alpaca_set *set);
/* The place of an instruction; -1 when it is none of the set's. */
int64_t it_alpaca_set_find(const struct it_alpaca_set *set, const json_t *instruction);

/* The preference of a record, from 1 (the baseline) to 2 (the model); 0 says a draw, 1.5. NaN where
 * there is none. */
double it_alpaca_preference(const json_t *record);
/* The model's answer: output_2, else completion, else output. NULL when there is none. */
const json_t *it_alpaca_output(const json_t *record);

/* Puts win_rate, standard_error, n_wins, n_wins_base, n_draws, n_total, discrete_win_rate and
 * avg_length into the summary; percent; null where there are too few records. */
void it_alpaca_rates(json_t *const *records, size_t n, json_t *summary);
/* Puts lc_win_rate, lc_standard_error and how they came about: lc_gamed, lc_coefficients. The set
 * may be NULL: then they are null, and `lc_missing` says what was not there. */
void it_alpaca_length_controlled(const struct it_alpaca_set *set, json_t *const *records, size_t n,
                                 json_t *summary);

#endif
