/* SPDX-License-Identifier: MIT */
/* Sets of real numbers made of intervals and points. */
#include "tasks/grade/region.h"

#include <math.h>
#include <string.h>

static const struct it_end below_all = {-HUGE_VAL, NULL, false};
static const struct it_end above_all = {HUGE_VAL, NULL, false};

/* Doubles tell ends apart that are far from each other; the trees tell those that are near. */
static bool same(struct it_evaluator *evaluator, const struct it_end *a, const struct it_end *b)
{
    if (isinf(a->at) || isinf(b->at)) { return a->at == b->at; }
    if (fabs(a->at - b->at) > 1e-9 * (1.0 + fabs(a->at))) { return false; }
    return it_value_equal(evaluator, a->node, b->node);
}

static bool end_of(struct it_evaluator *evaluator, const struct it_expr *node, bool closed,
                   struct it_end *out)
{
    struct it_value value;
    bool minus = node->kind == IT_EXPR_NEG;
    if ((minus ? node->arg[0] : node)->kind == IT_EXPR_INFINITY) {
        *out = minus ? below_all : above_all;
        return true;
    }
    evaluator->point = 0;
    if (it_value_has_symbols(node) || !it_value_of(evaluator, node, &value) || value.pole ||
        fabs(cimag(value.number)) > value.error + 1e-12) {
        return false;
    }
    *out = (struct it_end){creal(value.number), node, closed};
    return true;
}

static bool is_empty(struct it_evaluator *evaluator, const struct it_piece *piece)
{
    if (same(evaluator, &piece->low, &piece->high)) {
        return !piece->low.closed || !piece->high.closed;
    }
    return piece->low.at > piece->high.at;
}

/* Does b begin inside a or touch it? a begins first. */
static bool joins(struct it_evaluator *evaluator, const struct it_piece *a,
                  const struct it_piece *b)
{
    if (same(evaluator, &a->high, &b->low)) { return a->high.closed || b->low.closed; }
    return b->low.at < a->high.at;
}

static bool begins_before(struct it_evaluator *evaluator, const struct it_piece *a,
                          const struct it_piece *b)
{
    if (same(evaluator, &a->low, &b->low)) { return a->low.closed && !b->low.closed; }
    return a->low.at < b->low.at;
}

static bool add_piece(struct it_evaluator *evaluator, struct it_region *region,
                      struct it_piece piece)
{
    if (is_empty(evaluator, &piece)) { return true; }
    if (region->n == IT_REGION_PIECES) { return false; }
    int at = region->n++;
    while (at > 0 && begins_before(evaluator, &piece, &region->piece[at - 1])) {
        region->piece[at] = region->piece[at - 1];
        at--;
    }
    region->piece[at] = piece;
    int kept = 0;
    for (int i = 1; i < region->n; i++) {
        struct it_piece *last = &region->piece[kept], *next = &region->piece[i];
        if (!joins(evaluator, last, next)) {
            region->piece[++kept] = *next;
        } else if (same(evaluator, &last->high, &next->high)) {
            last->high.closed = last->high.closed || next->high.closed;
        } else if (next->high.at > last->high.at) {
            last->high = next->high;
        }
    }
    region->n = kept + 1;
    return true;
}

static bool unite(struct it_evaluator *evaluator, const struct it_region *a,
                  const struct it_region *b, struct it_region *out)
{
    *out = *a;
    for (int i = 0; i < b->n; i++) {
        if (!add_piece(evaluator, out, b->piece[i])) { return false; }
    }
    return true;
}

static bool intersect(struct it_evaluator *evaluator, const struct it_region *a,
                      const struct it_region *b, struct it_region *out)
{
    out->n = 0;
    for (int i = 0; i < a->n; i++) {
        for (int j = 0; j < b->n; j++) {
            const struct it_piece *x = &a->piece[i], *y = &b->piece[j];
            struct it_piece piece = *x;
            if (same(evaluator, &x->low, &y->low)) {
                piece.low.closed = x->low.closed && y->low.closed;
            } else if (y->low.at > x->low.at) {
                piece.low = y->low;
            }
            if (same(evaluator, &x->high, &y->high)) {
                piece.high.closed = x->high.closed && y->high.closed;
            } else if (y->high.at < x->high.at) {
                piece.high = y->high;
            }
            if (!add_piece(evaluator, out, piece)) { return false; }
        }
    }
    return true;
}

static struct it_end beyond(struct it_end end)
{
    end.closed = !end.closed && isfinite(end.at);
    return end;
}

static bool complement(struct it_evaluator *evaluator, const struct it_region *a,
                       struct it_region *out)
{
    struct it_end from = below_all;
    out->n = 0;
    for (int i = 0; i < a->n; i++) {
        const struct it_piece gap = {from, beyond(a->piece[i].low)};
        if (!add_piece(evaluator, out, gap)) { return false; }
        from = beyond(a->piece[i].high);
    }
    const struct it_piece rest = {from, above_all};
    return from.at == HUGE_VAL || add_piece(evaluator, out, rest);
}

static bool of_pair(struct it_evaluator *evaluator, const struct it_expr *node,
                    struct it_region *out)
{
    struct it_region a, b, rest;
    if (!it_region_of(evaluator, node->arg[0], &a) || !it_region_of(evaluator, node->arg[1], &b)) {
        return false;
    }
    if (node->kind == IT_EXPR_UNION) { return unite(evaluator, &a, &b, out); }
    if (node->kind == IT_EXPR_INTERSECTION) { return intersect(evaluator, &a, &b, out); }
    return complement(evaluator, &b, &rest) && intersect(evaluator, &a, &rest, out);
}

bool it_region_of(struct it_evaluator *evaluator, const struct it_expr *node,
                  struct it_region *region_out)
{
    struct it_piece piece = {below_all, above_all};
    region_out->n = 0;
    switch (node->kind) {
    case IT_EXPR_INTERVAL:
        return end_of(evaluator, node->arg[0], (node->op & 1) != 0, &piece.low) &&
               end_of(evaluator, node->arg[1], (node->op & 2) != 0, &piece.high) &&
               add_piece(evaluator, region_out, piece);
    case IT_EXPR_SET:
        for (int i = 0; i < node->n; i++) {
            if (!end_of(evaluator, node->arg[i], true, &piece.low) || isinf(piece.low.at)) {
                return false;
            }
            piece.high = piece.low;
            if (!add_piece(evaluator, region_out, piece)) { return false; }
        }
        return true;
    case IT_EXPR_NAMED_SET:
        return strcmp(node->name, "R") == 0 && add_piece(evaluator, region_out, piece);
    case IT_EXPR_UNION:
    case IT_EXPR_INTERSECTION:
    case IT_EXPR_DIFFERENCE: return of_pair(evaluator, node, region_out);
    default: return false;
    }
}

/* One link "left op right" where one side is the symbol and the other a constant. */
static bool add_bound(struct it_evaluator *evaluator, const struct it_expr *left, char op,
                      const struct it_expr *right, const struct it_expr *variable,
                      struct it_piece *piece)
{
    bool symbol_left = it_expr_same(left, variable);
    const struct it_expr *other = symbol_left ? right : left;
    if (!symbol_left && !it_expr_same(right, variable)) { return false; }
    bool closed = op == 'l' || op == 'g', less = op == '<' || op == 'l';
    return end_of(evaluator, other, closed, less == symbol_left ? &piece->high : &piece->low);
}

bool it_region_of_relation(struct it_evaluator *evaluator, const struct it_expr *node,
                           struct it_region *region_out)
{
    const struct it_expr *variable = NULL;
    struct it_piece piece = {below_all, above_all};
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
        if (!end_of(evaluator, other, true, &point.piece[0].low)) { return false; }
        point.piece[0].high = point.piece[0].low;
        return complement(evaluator, &point, region_out);
    }
    for (int i = 0; i + 1 < node->n; i++) {
        if (strchr("<l>g", node->name[i]) == NULL ||
            !add_bound(evaluator, node->arg[i], node->name[i], node->arg[i + 1], variable,
                       &piece)) {
            return false;
        }
    }
    return add_piece(evaluator, region_out, piece);
}

bool it_region_equal(struct it_evaluator *evaluator, const struct it_region *a,
                     const struct it_region *b)
{
    if (a->n != b->n) { return false; }
    for (int i = 0; i < a->n; i++) {
        const struct it_piece *x = &a->piece[i], *y = &b->piece[i];
        if (x->low.closed != y->low.closed || x->high.closed != y->high.closed ||
            !same(evaluator, &x->low, &y->low) || !same(evaluator, &x->high, &y->high)) {
            return false;
        }
    }
    return true;
}
