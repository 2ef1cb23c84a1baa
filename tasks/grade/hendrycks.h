/* SPDX-License-Identifier: MIT */
/* The grading rule published with the MATH data: the last box, a fixed list of rewritings, equal
 * strings. */
#ifndef IT_TASKS_GRADE_HENDRYCKS_H
#define IT_TASKS_GRADE_HENDRYCKS_H

#include <stdbool.h>

/* The content of the last \boxed{} or \fbox{}, or what follows "\boxed " up to a dollar sign; NULL
 * when there is none. The caller frees. */
char *it_hendrycks_box(const char *text);
bool it_hendrycks_equal(const char *a, const char *b);

#endif
