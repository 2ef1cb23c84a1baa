/* SPDX-License-Identifier: MIT */
/* Sums, products and multiples of matrices, worked out into one matrix of trees. */
#ifndef IT_TASKS_GRADE_MATRIX_H
#define IT_TASKS_GRADE_MATRIX_H

#include "tasks/grade/expr.h"

/* The tree without matrix arithmetic: a matrix, or the node itself where there is none (the
 * determinant of a matrix becomes a scalar). NULL when the shapes do not fit. */
struct it_expr *it_matrix_reduce(struct it_expr_pool *pool, struct it_expr *node);

#endif
