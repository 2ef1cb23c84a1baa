/* SPDX-License-Identifier: MIT */
/* The JSON answer rule of ZeroEval: the completion is a JSON object whose "answer" counts, as text
 * (cruxeval_o) or as a number (gsm8k, math). */
#ifndef IT_TASKS_GRADE_ZEROEVAL_H
#define IT_TASKS_GRADE_ZEROEVAL_H

#include <stdbool.h>

/* The answer as Python's str() writes it; NULL: "No answer". *strict_out (may be NULL) is true when
 * the first braced object was whole JSON with an answer, false when the fallback patterns found it.
 * The caller frees. */
char *it_zeroeval_answer(const char *completion, bool *strict_out);

/* The text of the number that an answer is compared by; NULL when it has none. A fraction becomes
 * a decimal as Python prints it, then the first run of digits counts: ".5" is 5, "1e5" is 1. The
 * caller frees. */
char *it_zeroeval_number(const char *answer);
bool it_zeroeval_numbers_equal(const char *gold, const char *answer);

#endif
