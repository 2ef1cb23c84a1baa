/* SPDX-License-Identifier: MIT */
/* Are two parsed answers the same answer? The gold and the prediction are not alike: an inequality
 * as gold accepts the interval, the interval as gold does not accept the inequality. */
#ifndef IT_TASKS_GRADE_EQUAL_H
#define IT_TASKS_GRADE_EQUAL_H

#include <stdbool.h>

#include "tasks/grade/expr.h"

/* How the reference graders differ from each other. */
struct it_equal_rules {
    int decimals;          /* places to which a decimal is compared; negative: not rounded at all */
    bool poles_equal;      /* two divisions by zero are the same */
    bool named_sets_equal; /* x = {1,2} and y = (3,4) are the same: both fall to "false" */
    bool round_constants;  /* pi against 3.141593: round the constant too */
    bool rename;           /* symbols may have other names: f(x) is f(y) */
    bool relations_as_sets; /* a set as gold accepts the inequality that describes it */
};

/* New nodes may be put into `pool`. Bounded in work: what cannot be settled is not equal. */
bool it_equal(const struct it_equal_rules *rules, struct it_expr_pool *pool, struct it_expr *gold,
              struct it_expr *pred);

#endif
