/* SPDX-License-Identifier: MIT */
/* Constants as elements of the fields that Calcium builds, where equality is proven. Its work can
 * not be interrupted, so only trees that are sure to be cheap are given to it. */
#include "config.h"

#ifdef HAVE_CALCIUM
#    include <string.h>

#    include "tasks/grade/exact_internal.h"

enum { COST = 2000, NODES = 40, INTEGER_BITS = 100, EXPONENT = 20, DEGREE = 6, GENERATORS = 4 };

/* ---- is it cheap? ---- */

struct bill {
    int nodes, generators; /* generators: what no fraction can say */
};

static bool is_small(const struct it_expr *node, int64_t most)
{
    if (node->kind == IT_EXPR_NEG) { node = node->arg[0]; }
    return node->kind == IT_EXPR_NUMBER && node->value.den == 1 && node->value.num <= most &&
           node->value.num >= 0;
}

/* A whole exponent, or one over a small degree. */
static bool is_cheap_exponent(const struct it_expr *node)
{
    if (node->kind == IT_EXPR_NEG) { node = node->arg[0]; }
    if (is_small(node, EXPONENT)) { return true; }
    if (node->kind == IT_EXPR_NUMBER) {
        return node->value.den <= DEGREE && node->value.num <= DEGREE;
    }
    return node->kind == IT_EXPR_DIV && is_small(node->arg[0], DEGREE) &&
           is_small(node->arg[1], DEGREE);
}

static bool add_up(const struct it_expr *node, struct bill *bill)
{
    static const char *const known[] = {"sqrt", "root", "exp",  "ln",   "log", "sin",
                                        "cos",  "tan",  "asin", "acos", "atan"};
    if (++bill->nodes > NODES) { return false; }
    bool good = true;
    switch (node->kind) {
    case IT_EXPR_NUMBER:
        return node->value.num >> INTEGER_BITS <= 0 && node->value.den >> INTEGER_BITS == 0;
    case IT_EXPR_PI:
    case IT_EXPR_E:
    case IT_EXPR_I:
    case IT_EXPR_NEG:
    case IT_EXPR_PERCENT:
    case IT_EXPR_ADD:
    case IT_EXPR_MUL:
    case IT_EXPR_DIV: break;
    case IT_EXPR_POW:
        good = is_cheap_exponent(node->arg[1]);
        bill->generators += is_small(node->arg[1], EXPONENT) ? 0 : 1;
        break;
    case IT_EXPR_CALL:
        good = false;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
            good = good || strcmp(node->name, known[i]) == 0;
        }
        if (strcmp(node->name, "root") == 0) {
            good = node->n == 2 && is_small(node->arg[1], DEGREE);
        }
        bill->generators++;
        break;
    default: return false;
    }
    for (int i = 0; i < node->n && good; i++) { good = add_up(node->arg[i], bill); }
    return good && bill->generators <= GENERATORS;
}

/* ---- elements ---- */

static bool element(const struct it_expr *node, ca_t out, ca_ctx_t context);

static void set_fraction(struct it_rational value, ca_t out, ca_ctx_t context)
{
    fmpq_t fraction;
    fmpq_init(fraction);
    it_exact_set_fraction(fraction, value);
    ca_set_fmpq(out, fraction, context);
    fmpq_clear(fraction);
}

static bool apply(const char *name, const ca_t x, const ca_t second, bool two, ca_t out,
                  ca_ctx_t context)
{
    static const struct {
        const char *name;
        void (*function)(ca_t out, const ca_t x, ca_ctx_t context);
    } elementary[] = {{"sqrt", ca_sqrt}, {"exp", ca_exp},   {"ln", ca_log},
                      {"sin", ca_sin},   {"cos", ca_cos},   {"tan", ca_tan},
                      {"asin", ca_asin}, {"acos", ca_acos}, {"atan", ca_atan}};
    for (size_t i = 0; i < sizeof elementary / sizeof *elementary; i++) {
        if (strcmp(name, elementary[i].name) == 0) {
            elementary[i].function(out, x, context);
            return true;
        }
    }
    ca_t other;
    ca_init(other, context);
    if (strcmp(name, "root") == 0) {
        ca_inv(other, second, context);
        ca_pow(out, x, other, context);
    } else { /* log */
        ca_set_ui(other, 10, context);
        if (two) { ca_set(other, second, context); }
        ca_log(other, other, context);
        ca_log(out, x, context);
        ca_div(out, out, other, context);
    }
    ca_clear(other, context);
    return true;
}

static bool pair(const struct it_expr *node, ca_t out, ca_ctx_t context)
{
    ca_t left, right;
    ca_init(left, context);
    ca_init(right, context);
    bool two = node->n > 1;
    bool good =
        element(node->arg[0], left, context) && (!two || element(node->arg[1], right, context));
    if (good && node->kind == IT_EXPR_DIV) {
        ca_div(out, left, right, context);
    } else if (good && node->kind == IT_EXPR_POW) {
        ca_pow(out, left, right, context);
    } else if (good) {
        good = apply(node->name, left, right, two, out, context);
    }
    ca_clear(left, context);
    ca_clear(right, context);
    return good;
}

static bool chain(const struct it_expr *node, ca_t out, ca_ctx_t context)
{
    ca_t next;
    ca_init(next, context);
    bool good = element(node->arg[0], out, context);
    for (int i = 1; i < node->n && good; i++) {
        good = element(node->arg[i], next, context);
        (node->kind == IT_EXPR_ADD ? ca_add : ca_mul)(out, out, next, context);
    }
    ca_clear(next, context);
    return good;
}

static bool element(const struct it_expr *node, ca_t out, ca_ctx_t context)
{
    switch (node->kind) {
    case IT_EXPR_NUMBER: set_fraction(node->value, out, context); return true;
    case IT_EXPR_PI: ca_pi(out, context); return true;
    case IT_EXPR_E:
        ca_one(out, context);
        ca_exp(out, out, context);
        return true;
    case IT_EXPR_I: ca_i(out, context); return true;
    case IT_EXPR_NEG:
        if (!element(node->arg[0], out, context)) { return false; }
        ca_neg(out, out, context);
        return true;
    case IT_EXPR_PERCENT:
        if (!element(node->arg[0], out, context)) { return false; }
        ca_div_ui(out, out, 100, context);
        return true;
    case IT_EXPR_ADD:
    case IT_EXPR_MUL: return chain(node, out, context);
    case IT_EXPR_DIV:
    case IT_EXPR_POW:
    case IT_EXPR_CALL: return pair(node, out, context);
    default: return false;
    }
}

enum it_exact it_exact_field_equal(struct it_evaluator *evaluator, const struct it_expr *a,
                                   const struct it_expr *b)
{
    struct bill bill = {0};
    evaluator->fuel -= COST;
    if (evaluator->fuel < 0 || !add_up(a, &bill) || !add_up(b, &bill)) { return IT_EXACT_UNKNOWN; }
    ca_ctx_t context;
    ca_t x, y;
    ca_ctx_init(context);
    ca_ctx_set_option(context, CA_OPT_PREC_LIMIT, 512);
    ca_ctx_set_option(context, CA_OPT_QQBAR_DEG_LIMIT, 24);
    ca_init(x, context);
    ca_init(y, context);
    enum it_exact result = IT_EXACT_UNKNOWN;
    if (element(a, x, context) && element(b, y, context)) {
        truth_t equal = ca_check_equal(x, y, context);
        if (equal == T_TRUE) { result = IT_EXACT_TRUE; }
        if (equal == T_FALSE) { result = IT_EXACT_FALSE; }
    }
    ca_clear(x, context);
    ca_clear(y, context);
    ca_ctx_clear(context);
    return result;
}

#else
/* a file of nothing is no C */
extern int it_exact_field_is_left_out;
#endif
