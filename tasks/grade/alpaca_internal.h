/* SPDX-License-Identifier: MIT */
/* What the files of alpaca.h share. */
#ifndef IT_TASKS_GRADE_ALPACA_INTERNAL_H
#define IT_TASKS_GRADE_ALPACA_INTERNAL_H

#include <stddef.h>

#include "tasks/grade/alpaca.h"

double it_alpaca_length(const char *text, size_t size);       /* in code points */
double it_alpaca_deviation(const double *value, size_t n);    /* with n - 1; NaN below two */

/* Rows that stand for one of the gamed baselines, as many as the set has items, at `row`. The
 * baseline's own fitted coefficients say how its preference depends on length and difficulty; the
 * one thing that is not published, where its standardised length differences lie, is found from
 * its win rate (percent). */
void it_alpaca_standin(const struct it_alpaca_set *set, const double coefficient[IT_GLM_FEATURES],
                       double win_rate, struct it_glm_row *row);

#endif
