/* SPDX-License-Identifier: MIT */
/* Sets of real numbers made of intervals and points, for unions and the like. */
#ifndef IT_TASKS_GRADE_REGION_H
#define IT_TASKS_GRADE_REGION_H

#include <stdbool.h>

#include "tasks/grade/value.h"

enum { IT_REGION_PIECES = 64 };

struct it_end {
    double at;                  /* HUGE_VAL and its negative: no end */
    const struct it_expr *node; /* the same without an error; NULL where there is no end */
    bool closed;
};

struct it_piece {
    struct it_end low, high;
};

/* Pieces in order, disjoint and not touching: equal sets have equal pieces. */
struct it_region {
    struct it_piece piece[IT_REGION_PIECES];
    int n;
};

/* False when the tree is no set of reals with constant ends (or has too many pieces). */
bool it_region_of(struct it_evaluator *evaluator, const struct it_expr *node,
                  struct it_region *region_out);
/* x < 3, 1 < x <= 2 for one symbol x: the interval of x; x = ... is none. */
bool it_region_of_relation(struct it_evaluator *evaluator, const struct it_expr *node,
                           struct it_region *region_out);
bool it_region_equal(struct it_evaluator *evaluator, const struct it_region *a,
                     const struct it_region *b);

#endif
