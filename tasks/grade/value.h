/* SPDX-License-Identifier: MIT */
/* The value of a tree and the question whether two are equal as numbers, in three steps, each
 * bounded in work: exact fractions; residues of rational functions at random points modulo primes
 * (a wrong "equal" has a chance below 2^-100); complex doubles with a running error bound at four
 * fixed points of the free symbols. What cannot be settled is not equal. */
#ifndef IT_TASKS_GRADE_VALUE_H
#define IT_TASKS_GRADE_VALUE_H

#include <complex.h>
#include <stdbool.h>
#include <stdint.h>

#include "tasks/grade/expr.h"

struct it_value {
    bool exact;
    bool pole;                   /* a division by zero: no other field counts */
    struct it_rational fraction; /* when exact */
    double complex number;
    double error; /* bound of |number - truth| */
};

/* The running index of a sum or product. */
struct it_binding {
    const char *name;
    int64_t value;
    const struct it_binding *outer;
};

struct it_evaluator {
    const struct it_binding *binding;
    int point;    /* which values the symbols have */
    int64_t fuel; /* nodes that may still be visited */
};
enum { IT_VALUE_FUEL = 200000, IT_VALUE_POINTS = 4 };

/* False when there is no value: unknown functions of no value, sets, infinities, overflow. */
bool it_value_of(struct it_evaluator *evaluator, const struct it_expr *node,
                 struct it_value *value_out);
/* a == b for all values of their symbols. */
bool it_value_equal(struct it_evaluator *evaluator, const struct it_expr *a,
                    const struct it_expr *b);
/* a == factor * b for some constant factor that is not zero: the same equation. */
bool it_value_proportional(struct it_evaluator *evaluator, const struct it_expr *a,
                           const struct it_expr *b);
bool it_value_has_symbols(const struct it_expr *node);

/* The residue of a rational function; false where it is none. See value_residue.c. */
bool it_value_residue(struct it_evaluator *evaluator, const struct it_expr *node, int prime,
                      uint64_t *residue_out);
/* The value of a bound index; false where the name is free. */
bool it_value_bound(const struct it_evaluator *evaluator, const char *name, int64_t *value_out);
/* The value that a free symbol has at a point: not zero, and of no use elsewhere. */
double it_value_symbol(const char *name, int point);
/* What stands for a function that nobody knows. */
double it_value_opaque(const char *name, const double complex *arg, int n);
/* A number that depends on the name and the point alone. */
uint64_t it_value_hash(const char *name, int point);

#endif
