/* SPDX-License-Identifier: MIT */
/* Sets of real numbers made of intervals and points. */
#include "tasks/grade/region.h"

#include <math.h>
#include <string.h>

#include "tasks/grade/value.h"

static bool same(double a, double b)
{
    return a == b || (isfinite(a) && isfinite(b) && fabs(a - b) <= 1e-9 * (1.0 + fabs(a)));
}

static bool end_of(const struct it_expr *node, double *out)
{
    struct it_evaluator evaluator = {.fuel = 10000};
    struct it_value value;
    if (node->kind == IT_EXPR_INFINITY) {
        *out = HUGE_VAL;
        return true;
    }
    if (node->kind == IT_EXPR_NEG && node->arg[0]->kind == IT_EXPR_INFINITY) {
        *out = -HUGE_VAL;
        return true;
    }
    if (it_value_has_symbols(node) || !it_value_of(&evaluator, node, &value) || value.pole ||
        fabs(cimag(value.number)) > value.error + 1e-12) {
        return false;
    }
    *out = creal(value.number);
    return true;
}

static bool is_empty(const struct it_piece *piece)
{
    if (same(piece->low, piece->high)) { return !piece->low_closed || !piece->high_closed; }
    return piece->low > piece->high;
}

/* Does b begin inside a or touch it? a begins first. */
static bool joins(const struct it_piece *a, const struct it_piece *b)
{
    if (same(a->high, b->low)) { return a->high_closed || b->low_closed; }
    return b->low < a->high;
}

static bool add_piece(struct it_region *region, struct it_piece piece)
{
    if (is_empty(&piece)) { return true; }
    if (region->n == IT_REGION_PIECES) { return false; }
    int at = region->n++;
    while (at > 0 && (piece.low < region->piece[at - 1].low ||
                      (piece.low == region->piece[at - 1].low && piece.low_closed))) {
        region->piece[at] = region->piece[at - 1];
        at--;
    }
    region->piece[at] = piece;
    int kept = 0;
    for (int i = 1; i < region->n; i++) {
        struct it_piece *last = &region->piece[kept], *next = &region->piece[i];
        if (!joins(last, next)) {
            region->piece[++kept] = *next;
        } else if (same(last->high, next->high)) {
            last->high_closed = last->high_closed || next->high_closed;
        } else if (next->high > last->high) {
            last->high = next->high;
            last->high_closed = next->high_closed;
        }
    }
    region->n = kept + 1;
    return true;
}

static bool unite(const struct it_region *a, const struct it_region *b, struct it_region *out)
{
    *out = *a;
    for (int i = 0; i < b->n; i++) {
        if (!add_piece(out, b->piece[i])) { return false; }
    }
    return true;
}

static bool intersect(const struct it_region *a, const struct it_region *b, struct it_region *out)
{
    out->n = 0;
    for (int i = 0; i < a->n; i++) {
        for (int j = 0; j < b->n; j++) {
            const struct it_piece *x = &a->piece[i], *y = &b->piece[j];
            struct it_piece piece = *x;
            if (same(x->low, y->low)) {
                piece.low_closed = x->low_closed && y->low_closed;
            } else if (y->low > x->low) {
                piece.low = y->low;
                piece.low_closed = y->low_closed;
            }
            if (same(x->high, y->high)) {
                piece.high_closed = x->high_closed && y->high_closed;
            } else if (y->high < x->high) {
                piece.high = y->high;
                piece.high_closed = y->high_closed;
            }
            if (!add_piece(out, piece)) { return false; }
        }
    }
    return true;
}

static bool complement(const struct it_region *a, struct it_region *out)
{
    double from = -HUGE_VAL;
    bool closed = false;
    out->n = 0;
    for (int i = 0; i < a->n; i++) {
        const struct it_piece *piece = &a->piece[i];
        struct it_piece gap = {from, piece->low, closed, !piece->low_closed};
        if (isinf(piece->low)) { gap.high_closed = false; }
        if (!add_piece(out, gap)) { return false; }
        from = piece->high;
        closed = !piece->high_closed && isfinite(piece->high);
    }
    struct it_piece rest = {from, HUGE_VAL, closed, false};
    return isinf(from) && from > 0 ? true : add_piece(out, rest);
}

static bool of_pair(const struct it_expr *node, struct it_region *out)
{
    struct it_region a, b, rest;
    if (!it_region_of(node->arg[0], &a) || !it_region_of(node->arg[1], &b)) { return false; }
    if (node->kind == IT_EXPR_UNION) { return unite(&a, &b, out); }
    if (node->kind == IT_EXPR_INTERSECTION) { return intersect(&a, &b, out); }
    return complement(&b, &rest) && intersect(&a, &rest, out);
}

bool it_region_of(const struct it_expr *node, struct it_region *region_out)
{
    region_out->n = 0;
    switch (node->kind) {
    case IT_EXPR_INTERVAL: {
        struct it_piece piece = {0, 0, (node->op & 1) != 0, (node->op & 2) != 0};
        if (!end_of(node->arg[0], &piece.low) || !end_of(node->arg[1], &piece.high)) {
            return false;
        }
        if (isinf(piece.low)) { piece.low_closed = false; }
        if (isinf(piece.high)) { piece.high_closed = false; }
        return add_piece(region_out, piece);
    }
    case IT_EXPR_SET:
        for (int i = 0; i < node->n; i++) {
            struct it_piece piece = {0, 0, true, true};
            if (!end_of(node->arg[i], &piece.low) || isinf(piece.low)) { return false; }
            piece.high = piece.low;
            if (!add_piece(region_out, piece)) { return false; }
        }
        return true;
    case IT_EXPR_NAMED_SET: {
        struct it_piece piece = {-HUGE_VAL, HUGE_VAL, false, false};
        return strcmp(node->name, "R") == 0 && add_piece(region_out, piece);
    }
    case IT_EXPR_UNION:
    case IT_EXPR_INTERSECTION:
    case IT_EXPR_DIFFERENCE: return of_pair(node, region_out);
    default: return false;
    }
}

/* One link "left op right" where one side is the symbol and the other a constant. */
static bool add_bound(const struct it_expr *left, char op, const struct it_expr *right,
                      const struct it_expr *variable, struct it_piece *piece)
{
    bool symbol_left = it_expr_same(left, variable);
    const struct it_expr *other = symbol_left ? right : left;
    if (!symbol_left && !it_expr_same(right, variable)) { return false; }
    bool closed = op == 'l' || op == 'g', less = op == '<' || op == 'l';
    double bound;
    if (!end_of(other, &bound)) { return false; }
    closed = closed && isfinite(bound);
    if (less == symbol_left) {
        piece->high = bound;
        piece->high_closed = closed;
    } else {
        piece->low = bound;
        piece->low_closed = closed;
    }
    return true;
}

bool it_region_of_relation(const struct it_expr *node, struct it_region *region_out)
{
    const struct it_expr *variable = NULL;
    struct it_piece piece = {-HUGE_VAL, HUGE_VAL, false, false};
    region_out->n = 0;
    if (node->kind != IT_EXPR_RELATION) { return false; }
    for (int i = 0; i < node->n; i++) {
        enum it_expr_kind kind = node->arg[i]->kind;
        bool name = kind == IT_EXPR_SYMBOL || (kind == IT_EXPR_CALL && node->arg[i]->n == 1 &&
                                               it_value_has_symbols(node->arg[i]));
        if (name) { variable = node->arg[i]; }
    }
    if (variable == NULL || node->n > 3) { return false; }
    if (node->n == 2 && node->name[0] == '!') {
        struct it_region point = {.n = 1};
        const struct it_expr *other = node->arg[node->arg[0] == variable ? 1 : 0];
        struct it_piece *at = &point.piece[0];
        if (!end_of(other, &at->low)) { return false; }
        *at = (struct it_piece){at->low, at->low, true, true};
        return complement(&point, region_out);
    }
    for (int i = 0; i + 1 < node->n; i++) {
        if (strchr("<l>g", node->name[i]) == NULL ||
            !add_bound(node->arg[i], node->name[i], node->arg[i + 1], variable, &piece)) {
            return false;
        }
    }
    return add_piece(region_out, piece);
}

bool it_region_equal(const struct it_region *a, const struct it_region *b)
{
    if (a->n != b->n) { return false; }
    for (int i = 0; i < a->n; i++) {
        const struct it_piece *x = &a->piece[i], *y = &b->piece[i];
        if (!same(x->low, y->low) || !same(x->high, y->high) || x->low_closed != y->low_closed ||
            x->high_closed != y->high_closed) {
            return false;
        }
    }
    return true;
}
