/* SPDX-License-Identifier: MIT */
/* Questions that doubles leave open, settled with FLINT, Arb and Calcium where the build has them:
 * Arb's balls prove that two numbers differ, Calcium's fields prove that they are one; where it
 * cannot tell, numbers that agree to 60 digits are taken for equal. Without
 * the libraries every answer is IT_EXACT_UNKNOWN. */
#ifndef IT_TASKS_GRADE_EXACT_H
#define IT_TASKS_GRADE_EXACT_H

#include <stdbool.h>

#include "tasks/grade/value.h"

enum it_exact { IT_EXACT_UNKNOWN, IT_EXACT_FALSE, IT_EXACT_TRUE };

/* Are the libraries there? */
bool it_exact_available(void);

/* a == b for all values of their symbols, which are tried at IT_VALUE_POINTS points. Takes its work
 * from the evaluator's fuel. */
enum it_exact it_exact_equal(struct it_evaluator *evaluator, const struct it_expr *a,
                             const struct it_expr *b);
/* The same integers after multiplying two constants by 10^places and rounding to the nearest. */
enum it_exact it_exact_rounded_equal(struct it_evaluator *evaluator, const struct it_expr *a,
                                     const struct it_expr *b, int places);

#endif
