/* SPDX-License-Identifier: MIT */
/* Grading mathematical answers under the rules of one reference grader, chosen by name. docs:
 * grading.md says what each does and how closely it is followed. */
#ifndef IT_TASKS_GRADE_ANSWER_H
#define IT_TASKS_GRADE_ANSWER_H

#include <stdbool.h>

#include "tasks/task.h"

/* What a gold text is. */
enum it_gold {
    IT_GOLD_ANSWER,   /* the bare answer in LaTeX, or a solution that holds \boxed{} */
    IT_GOLD_TEXT,     /* free text: read like a prediction (math_equiv) */
    IT_GOLD_NUMBER,   /* a number */
    IT_GOLD_RATIONALE /* text whose last number is the answer (gsm8k under lighteval) */
};

/* What a pair may ask for beyond its profile, as the cases of the reference graders' tests do. All
 * zero: nothing. */
struct it_answer_settings {
    bool latex, plain,
        letters;            /* what is looked for, the others are not; none: formulas, numbers */
    int decimals;           /* places to which decimals are compared; 0: the profile's */
    bool rename;            /* symbols may have other names: f(x) is f(y) */
    bool relations_as_sets; /* a set as gold accepts the inequality that describes it */
    bool unspaced;          /* the language is written without spaces: Chinese, Japanese */
};

/* `profile`: math-verify, lighteval, lighteval-2025-05, hendrycks. `settings` may be NULL. */
void it_answer_grade(const char *profile, enum it_gold kind,
                     const struct it_answer_settings *settings, const char *gold, const char *pred,
                     struct it_verdict *verdict_out);
/* Two bare answers, for votes. Symmetric. */
bool it_answer_same(const char *profile, const char *a, const char *b);

#endif
