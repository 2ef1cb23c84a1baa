/* SPDX-License-Identifier: MIT */
/* What exact.c (which asks) shares with exact_ball.c (Arb) and exact_field.c (Calcium). */
#ifndef IT_TASKS_GRADE_EXACT_INTERNAL_H
#define IT_TASKS_GRADE_EXACT_INTERNAL_H

/* FLINT 3 has taken Arb and Calcium in; before, they were libraries of their own */
#ifdef HAVE_FLINT3
#    include <flint/acb.h>
#    include <flint/ca.h>
#    include <flint/fmpq.h>
#else
#    include <acb.h>
#    include <calcium/ca.h>
#    include <flint/fmpq.h>
#endif

#include "tasks/grade/exact.h"

/* The ball of a tree at the evaluator's point; false when it has no value, or it costs too much. */
bool it_exact_ball(struct it_evaluator *evaluator, const struct it_expr *node, slong bits,
                   acb_t ball_out);
/* a == b for constants, proven; UNKNOWN for trees that might cost much. */
enum it_exact it_exact_field_equal(struct it_evaluator *evaluator, const struct it_expr *a,
                                   const struct it_expr *b);

void it_exact_set_wide(fmpz_t out, it_wide value);
void it_exact_set_fraction(fmpq_t out, struct it_rational value);

#endif
