/* SPDX-License-Identifier: MIT */
/* Sums, products and multiples of matrices. */
#include "tasks/grade/matrix.h"

#include <string.h>

enum { CELLS_MAX = 100, DETERMINANT_MAX = 4 };

static bool has_matrix(const struct it_expr *node)
{
    if (node->kind == IT_EXPR_MATRIX) { return true; }
    for (int i = 0; i < node->n; i++) {
        if (has_matrix(node->arg[i])) { return true; }
    }
    return false;
}

static struct it_expr *make(struct it_expr_pool *pool, struct it_expr *const *cell, int rows,
                            int columns)
{
    struct it_expr *node = it_expr_new(pool, IT_EXPR_MATRIX, 0, cell, rows * columns);
    if (node != NULL) { node->rows = rows; }
    return node;
}

static int columns_of(const struct it_expr *matrix)
{
    return matrix->n / matrix->rows;
}

static struct it_expr *sum(struct it_expr_pool *pool, struct it_expr *a, struct it_expr *b)
{
    struct it_expr *cell[CELLS_MAX];
    if (a->rows != b->rows || a->n != b->n || a->n > CELLS_MAX) { return NULL; }
    for (int i = 0; i < a->n; i++) {
        cell[i] = it_expr_binary(pool, IT_EXPR_ADD, a->arg[i], b->arg[i]);
    }
    return make(pool, cell, a->rows, columns_of(a));
}

static struct it_expr *scale(struct it_expr_pool *pool, enum it_expr_kind kind,
                             struct it_expr *matrix, struct it_expr *factor)
{
    struct it_expr *cell[CELLS_MAX];
    if (matrix->n > CELLS_MAX) { return NULL; }
    for (int i = 0; i < matrix->n; i++) {
        cell[i] = it_expr_binary(pool, kind, matrix->arg[i], factor);
    }
    return make(pool, cell, matrix->rows, columns_of(matrix));
}

static struct it_expr *product(struct it_expr_pool *pool, struct it_expr *a, struct it_expr *b)
{
    int inner = columns_of(a), columns = columns_of(b);
    struct it_expr *cell[CELLS_MAX], *term[CELLS_MAX];
    if (inner != b->rows || a->rows * columns > CELLS_MAX || inner > CELLS_MAX) { return NULL; }
    for (int i = 0; i < a->rows * columns; i++) {
        for (int k = 0; k < inner; k++) {
            term[k] = it_expr_binary(pool, IT_EXPR_MUL, a->arg[i / columns * inner + k],
                                     b->arg[k * columns + i % columns]);
        }
        cell[i] = it_expr_new(pool, IT_EXPR_ADD, 0, term, inner);
    }
    return make(pool, cell, a->rows, columns);
}

static struct it_expr *transpose(struct it_expr_pool *pool, struct it_expr *matrix)
{
    struct it_expr *cell[CELLS_MAX];
    int columns = columns_of(matrix);
    if (matrix->n > CELLS_MAX) { return NULL; }
    for (int i = 0; i < matrix->n; i++) {
        cell[i % columns * matrix->rows + i / columns] = matrix->arg[i];
    }
    return make(pool, cell, columns, matrix->rows);
}

/* Expansion along the first row; fine for the few rows of an answer. */
static struct it_expr *determinant(struct it_expr_pool *pool, struct it_expr *const *cell, int n)
{
    if (n == 1) { return cell[0]; }
    struct it_expr *term[DETERMINANT_MAX], *minor[DETERMINANT_MAX * DETERMINANT_MAX];
    for (int skip = 0; skip < n; skip++) {
        int kept = 0;
        for (int i = n; i < n * n; i++) {
            if (i % n != skip) { minor[kept++] = cell[i]; }
        }
        struct it_expr *part =
            it_expr_binary(pool, IT_EXPR_MUL, cell[skip], determinant(pool, minor, n - 1));
        term[skip] = skip % 2 == 0 ? part : it_expr_unary(pool, IT_EXPR_NEG, part);
    }
    return it_expr_new(pool, IT_EXPR_ADD, 0, term, n);
}

static struct it_expr *reduce_call(struct it_expr_pool *pool, struct it_expr *node,
                                   struct it_expr *arg)
{
    if (arg->kind != IT_EXPR_MATRIX) { return node; }
    if (strcmp(node->name, "transpose") == 0) { return transpose(pool, arg); }
    if (strcmp(node->name, "det") == 0) {
        bool fits = arg->rows <= DETERMINANT_MAX && arg->n == arg->rows * arg->rows;
        return fits ? determinant(pool, arg->arg, arg->rows) : NULL;
    }
    return node;
}

/* Operands from left to right; matrices and scalars mix in products only. */
static struct it_expr *reduce_chain(struct it_expr_pool *pool, enum it_expr_kind kind,
                                    struct it_expr *const *arg, int n)
{
    struct it_expr *total = arg[0];
    for (int i = 1; i < n && total != NULL; i++) {
        bool left = total->kind == IT_EXPR_MATRIX, right = arg[i]->kind == IT_EXPR_MATRIX;
        if (!left && !right) {
            total = it_expr_binary(pool, kind, total, arg[i]);
        } else if (kind == IT_EXPR_ADD) {
            total = left && right ? sum(pool, total, arg[i]) : NULL;
        } else if (left && right) {
            total = product(pool, total, arg[i]);
        } else {
            total = left ? scale(pool, kind, total, arg[i]) : scale(pool, kind, arg[i], total);
        }
    }
    return total;
}

struct it_expr *it_matrix_reduce(struct it_expr_pool *pool, struct it_expr *node)
{
    if (node->kind == IT_EXPR_MATRIX || !has_matrix(node) || node->n == 0 || node->n > CELLS_MAX) {
        return node;
    }
    struct it_expr *arg[CELLS_MAX];
    for (int i = 0; i < node->n; i++) {
        arg[i] = it_matrix_reduce(pool, node->arg[i]);
        if (arg[i] == NULL) { return NULL; }
    }
    struct it_rational minus_one = {-1, 1};
    switch (node->kind) {
    case IT_EXPR_ADD:
    case IT_EXPR_MUL: return reduce_chain(pool, node->kind, arg, node->n);
    case IT_EXPR_NEG:
        if (arg[0]->kind != IT_EXPR_MATRIX) { return it_expr_unary(pool, IT_EXPR_NEG, arg[0]); }
        return scale(pool, IT_EXPR_MUL, arg[0], it_expr_number(pool, minus_one, false));
    case IT_EXPR_DIV:
        if (arg[0]->kind != IT_EXPR_MATRIX || arg[1]->kind == IT_EXPR_MATRIX) { return node; }
        return scale(pool, IT_EXPR_DIV, arg[0], arg[1]);
    case IT_EXPR_CALL: return reduce_call(pool, node, arg[0]);
    default: return node;
    }
}
