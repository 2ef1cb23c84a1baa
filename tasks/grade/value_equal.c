/* SPDX-License-Identifier: MIT */
/* Are two trees equal as numbers, or as equations? */
#include <math.h>

#include "tasks/grade/exact.h"
#include "tasks/grade/value.h"

bool it_value_has_symbols(const struct it_expr *node)
{
    if (node->kind == IT_EXPR_SYMBOL) { return true; }
    for (int i = 0; i < node->n; i++) {
        if (it_value_has_symbols(node->arg[i])) { return true; }
    }
    return false;
}

enum answer { NO, YES, OPEN };

/* Both are rational functions: two primes, a point each. A pole at one point tries the next. */
static enum answer by_residues(struct it_evaluator *evaluator, const struct it_expr *a,
                               const struct it_expr *b)
{
    int agreed = 0;
    for (int point = 0; point < IT_VALUE_POINTS && agreed < 2; point++) {
        uint64_t x, y;
        evaluator->point = 100 + point;
        if (!it_value_residue(evaluator, a, point % 2, &x)) { return OPEN; }
        if (!it_value_residue(evaluator, b, point % 2, &y)) { return OPEN; }
        if (x != y) { return NO; }
        agreed++;
    }
    return agreed == 2 ? YES : OPEN;
}

/* Too inexact to tell anything. */
static bool vague(const struct it_value *value)
{
    return value->error > 1e-7 * (1e-30 + cabs(value->number)) && value->error > 1e-7;
}

/* By complex doubles at a few points: surely different, alike as far as one can see, or OPEN. */
static enum answer by_doubles(struct it_evaluator *evaluator, const struct it_expr *a,
                              const struct it_expr *b, int points)
{
    int agreed = 0;
    for (int point = 0; point < points; point++) {
        struct it_value x, y;
        evaluator->point = point;
        if (!it_value_of(evaluator, a, &x) || !it_value_of(evaluator, b, &y) || x.pole || y.pole ||
            vague(&x) || vague(&y)) {
            continue;
        }
        if (cabs(x.number - y.number) > 8 * (x.error + y.error)) { return NO; }
        agreed++;
    }
    return agreed >= (points + 1) / 2 ? YES : OPEN;
}

bool it_value_equal(struct it_evaluator *evaluator, const struct it_expr *a,
                    const struct it_expr *b)
{
    struct it_value x, y;
    int points = it_value_has_symbols(a) || it_value_has_symbols(b) ? IT_VALUE_POINTS : 1;
    evaluator->point = 0;
    if (points == 1 && it_value_of(evaluator, a, &x) && it_value_of(evaluator, b, &y) && !x.pole &&
        !y.pole && x.exact && y.exact) {
        return it_rational_equal(x.fraction, y.fraction);
    }
    enum answer answer = by_residues(evaluator, a, b);
    if (answer != OPEN) { return answer == YES; }
    answer = by_doubles(evaluator, a, b, points);
    if (answer == NO) { return false; }
    enum it_exact exact = it_exact_equal(evaluator, a, b);
    return exact == IT_EXACT_UNKNOWN ? answer == YES : exact == IT_EXACT_TRUE;
}

bool it_value_proportional(struct it_evaluator *evaluator, const struct it_expr *a,
                           const struct it_expr *b)
{
    double complex ratio = 0.0;
    int agreed = 0;
    for (int point = 0; point < IT_VALUE_POINTS; point++) {
        struct it_value x, y;
        evaluator->point = point;
        if (!it_value_of(evaluator, a, &x) || !it_value_of(evaluator, b, &y) || x.pole || y.pole ||
            vague(&x) || vague(&y)) {
            continue;
        }
        double size = cabs(y.number);
        bool zero_x = cabs(x.number) <= 8 * x.error, zero_y = size <= 8 * y.error;
        if (zero_x || zero_y) { return false; }
        double complex next = x.number / y.number;
        double error = (x.error + cabs(next) * y.error) / size;
        if (agreed > 0 && cabs(next - ratio) > 16 * (error + 1e-15 * cabs(next))) { return false; }
        ratio = next;
        agreed++;
    }
    return agreed >= 2;
}
