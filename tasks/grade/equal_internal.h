/* SPDX-License-Identifier: MIT */
/* What equal.c and equal_sets.c share. */
#ifndef IT_TASKS_GRADE_EQUAL_INTERNAL_H
#define IT_TASKS_GRADE_EQUAL_INTERNAL_H

#include <complex.h>
#include <math.h>

#include "tasks/grade/equal.h"
#include "tasks/grade/value.h"

struct equality {
    const struct it_equal_rules *rules;
    struct it_expr_pool *pool;
    struct it_evaluator evaluator; /* its fuel bounds the whole comparison */
    int depth;
};

bool it_equal_any(struct equality *equality, struct it_expr *gold, struct it_expr *pred);
/* Sets, tuples, intervals, unions: at least one of the two is one. */
bool it_collections_equal(struct equality *equality, struct it_expr *gold, struct it_expr *pred);
bool it_is_collection(const struct it_expr *node);
/* name = value, where the name holds no number. */
bool it_is_assignment(const struct it_expr *node);

#endif
