/* SPDX-License-Identifier: MIT */
/* MMLU-Pro's official scores guess where no letter was found; what those guesses add. */
#ifndef IT_TASKS_GRADE_MMLU_GUESS_H
#define IT_TASKS_GRADE_MMLU_GUESS_H

#include "tasks/task.h"

/* Some lists of options are padded with "N/A". */
bool it_mmlu_is_option(const json_t *option);
/* Options of a record; 0 when it has no list of them. */
size_t it_mmlu_options(const json_t *record);

/* The task's report hook:
 *   accuracy_guessing           one random stream, as officially since February 2025
 *   accuracy_guessing_per_draw  the seed set anew before every draw, as before
 *   accuracy_guessing_expected  the mean over all guesses
 * null where a record without a letter does not say its options. */
enum it_status it_mmlu_report(const struct it_grading *grading, json_t *const *records, size_t n,
                              json_t *summary);

#endif
