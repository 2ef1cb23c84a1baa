/* SPDX-License-Identifier: MIT */
/* Mathematical answers as trees. Nodes live in a pool of bounded size and are freed together. */
#ifndef IT_TASKS_GRADE_EXPR_H
#define IT_TASKS_GRADE_EXPR_H

#include <stdbool.h>
#include <stddef.h>

#include "tasks/grade/rational.h"

enum it_expr_kind {
    IT_EXPR_NUMBER, /* value; `decimal` when it was written with a point */
    IT_EXPR_BIG, /* name: digits, too many for `value`; `decimal` when there is a point in them */
    IT_EXPR_SYMBOL, /* name: a letter with its subscript, or the words of a \text */
    IT_EXPR_PI,
    IT_EXPR_E,
    IT_EXPR_I, /* the imaginary unit, written I */
    IT_EXPR_INFINITY,
    IT_EXPR_ADD, /* arg[0] + arg[1] + ... */
    IT_EXPR_NEG,
    IT_EXPR_MUL,
    IT_EXPR_DIV, /* arg[0] / arg[1] */
    IT_EXPR_POW,
    IT_EXPR_PERCENT,   /* arg[0] / 100 */
    IT_EXPR_PLUSMINUS, /* arg[0] with both signs; op '+' or '-' is the upper one */
    IT_EXPR_CALL,      /* name: "sqrt", "sin", "root" ...; unknown names are opaque */
    IT_EXPR_MATRIX,    /* rows x columns, row-major; n = rows * columns */
    IT_EXPR_TUPLE,
    IT_EXPR_SET,      /* written with braces or as a list; without order */
    IT_EXPR_INTERVAL, /* arg[0], arg[1]; op: bit 0 left end closed, bit 1 right end closed */
    IT_EXPR_UNION,
    IT_EXPR_INTERSECTION,
    IT_EXPR_DIFFERENCE, /* of sets */
    IT_EXPR_NAMED_SET,  /* name: "R", "Z", ... */
    IT_EXPR_RELATION    /* arg[0] name[0] arg[1] name[1] arg[2] ...: see below */
};

/* The operators of a relation are the characters of its name, one between each two arguments:
 * '=', '!' (not equal), '<', 'l' (at most), '>', 'g' (at least). Membership is written '='. */
struct it_expr {
    enum it_expr_kind kind;
    int op;
    bool decimal;
    int rows;  /* MATRIX */
    int depth; /* levels, itself included; bounded by the pool */
    struct it_rational value;
    const char *name;
    struct it_expr **arg;
    int n;
};

struct it_expr_pool {
    struct it_expr_block *block;
    size_t left; /* bytes that may still be taken */
    bool full;   /* a node did not fit: whatever was built is to be thrown away */
};

void it_expr_pool_init(struct it_expr_pool *pool);
void it_expr_pool_free(struct it_expr_pool *pool);

/* NULL when the pool is full or the tree would be too deep, or when an argument is NULL: callers
 * build upwards and look once at the end. */
struct it_expr *it_expr_new(struct it_expr_pool *pool, enum it_expr_kind kind, int op,
                            struct it_expr *const *arg, int n);
struct it_expr *it_expr_unary(struct it_expr_pool *pool, enum it_expr_kind kind, struct it_expr *a);
struct it_expr *it_expr_binary(struct it_expr_pool *pool, enum it_expr_kind kind, struct it_expr *a,
                               struct it_expr *b);
struct it_expr *it_expr_named(struct it_expr_pool *pool, enum it_expr_kind kind, const char *name,
                              size_t size);
struct it_expr *it_expr_call(struct it_expr_pool *pool, const char *name,
                             struct it_expr *const *arg, int n);
struct it_expr *it_expr_number(struct it_expr_pool *pool, struct it_rational value, bool decimal);

/* The same tree, written the same way. */
bool it_expr_same(const struct it_expr *a, const struct it_expr *b);
/* A copy of `size` bytes of text that lives in the pool; NULL when it is full. */
const char *it_expr_text(struct it_expr_pool *pool, const char *text, size_t size);

#endif
