/* SPDX-License-Identifier: MIT */
/* Equality of sets, lists, tuples, intervals and unions. */
#include <string.h>

#include "tasks/grade/equal_internal.h"
#include "tasks/grade/region.h"

enum { MEMBERS_MAX = 128 };

bool it_is_collection(const struct it_expr *node)
{
    switch (node->kind) {
    case IT_EXPR_SET:
    case IT_EXPR_TUPLE:
    case IT_EXPR_INTERVAL:
    case IT_EXPR_UNION:
    case IT_EXPR_INTERSECTION:
    case IT_EXPR_DIFFERENCE:
    case IT_EXPR_NAMED_SET: return true;
    default: return false;
    }
}

struct members {
    struct it_expr *item[MEMBERS_MAX];
    double complex value[MEMBERS_MAX]; /* of constants; NAN of the others */
    int n;
};

/* Members with values far apart need no closer look: long lists are compared each with each. */
static bool far_apart(double complex a, double complex b)
{
    return cabs(a - b) > 1e-3 * (1.0 + cabs(a) + cabs(b));
}

static void add_member(struct equality *equality, struct it_expr *node, struct members *out)
{
    struct it_value value;
    equality->evaluator.point = 0;
    bool known = !it_value_has_symbols(node) && it_value_of(&equality->evaluator, node, &value) &&
                 !value.pole && value.error < 1e-6;
    out->value[out->n] = known ? value.number : (double complex)NAN;
    out->item[out->n++] = node;
}

/* x = {a, b} as a member stands for x = a and x = b. */
static bool add_members(struct equality *equality, struct it_expr *node, struct members *out)
{
    struct it_expr *last = node->kind == IT_EXPR_RELATION ? node->arg[node->n - 1] : NULL;
    if (last == NULL || last->kind != IT_EXPR_SET || !it_is_assignment(node)) {
        if (out->n == MEMBERS_MAX) { return false; }
        add_member(equality, node, out);
        return true;
    }
    for (int i = 0; i < last->n; i++) {
        struct it_expr *both[2] = {node->arg[0], last->arg[i]};
        struct it_expr *part = it_expr_new(equality->pool, IT_EXPR_RELATION, 0, both, 2);
        if (part == NULL || out->n == MEMBERS_MAX) { return false; }
        part->name = "=";
        add_member(equality, part, out);
    }
    return true;
}

static bool members_of(struct equality *equality, const struct it_expr *node, struct members *out)
{
    out->n = 0;
    for (int i = 0; i < node->n; i++) {
        if (!add_members(equality, node->arg[i], out)) { return false; }
    }
    return true;
}

static void drop_repeated(struct equality *equality, struct members *members)
{
    int kept = 0;
    for (int i = 0; i < members->n; i++) {
        bool seen = false;
        for (int j = 0; j < kept && !seen; j++) {
            seen = !far_apart(members->value[j], members->value[i]) &&
                   it_equal_any(equality, members->item[j], members->item[i]);
        }
        if (seen) { continue; }
        members->value[kept] = members->value[i];
        members->item[kept++] = members->item[i];
    }
    members->n = kept;
}

static bool equal_in_order(struct equality *equality, const struct members *g,
                           const struct members *p)
{
    if (g->n != p->n) { return false; }
    for (int i = 0; i < g->n; i++) {
        if (!it_equal_any(equality, g->item[i], p->item[i])) { return false; }
    }
    return true;
}

/* Each of the one has its own partner in the other. Equality is not quite transitive (rounding), so
 * the first free partner is taken: good enough for answers. */
static bool equal_any_order(struct equality *equality, const struct members *g,
                            const struct members *p)
{
    bool taken[MEMBERS_MAX] = {false};
    if (g->n != p->n) { return false; }
    for (int i = 0; i < g->n; i++) {
        int found = -1;
        for (int j = 0; j < p->n && found < 0; j++) {
            if (!taken[j] && !far_apart(g->value[i], p->value[j]) &&
                it_equal_any(equality, g->item[i], p->item[j])) {
                found = j;
            }
        }
        if (found < 0) { return false; }
        taken[found] = true;
    }
    return true;
}

/* A tuple, or an open interval, which may be a pair. */
static bool is_ordered(const struct it_expr *node)
{
    return node->kind == IT_EXPR_TUPLE || (node->kind == IT_EXPR_INTERVAL && node->op == 0);
}

/* Unions of things that are no real constants: the same parts in any order. */
static bool parts_equal(struct equality *equality, struct it_expr *gold, struct it_expr *pred)
{
    if (gold->kind != pred->kind || gold->n != pred->n || strcmp(gold->name, pred->name) != 0 ||
        gold->op != pred->op) {
        return false;
    }
    struct members g, p;
    if (!members_of(equality, gold, &g) || !members_of(equality, pred, &p)) { return false; }
    bool ordered = gold->kind == IT_EXPR_INTERVAL || gold->kind == IT_EXPR_DIFFERENCE;
    return ordered ? equal_in_order(equality, &g, &p) : equal_any_order(equality, &g, &p);
}

static bool lists_equal(struct equality *equality, struct it_expr *gold, struct it_expr *pred)
{
    struct members g, p;
    if (!members_of(equality, gold, &g) || !members_of(equality, pred, &p)) { return false; }
    if (is_ordered(gold)) { return equal_in_order(equality, &g, &p); }
    drop_repeated(equality, &g);
    if (pred->kind == IT_EXPR_SET) { drop_repeated(equality, &p); }
    return equal_any_order(equality, &g, &p);
}

/* The node itself, or the only member of a set; NULL for other collections. */
static struct it_expr *only_member(struct equality *equality, struct it_expr *node)
{
    struct members members;
    if (!it_is_collection(node)) { return node; }
    if (node->kind != IT_EXPR_SET || !members_of(equality, node, &members)) { return NULL; }
    drop_repeated(equality, &members);
    return members.n == 1 ? members.item[0] : NULL;
}

bool it_collections_equal(struct equality *equality, struct it_expr *gold, struct it_expr *pred)
{
    if (!it_is_collection(pred) || !it_is_collection(gold)) {
        struct it_expr *g = only_member(equality, gold), *p = only_member(equality, pred);
        return g != NULL && p != NULL && it_equal_any(equality, g, p);
    }
    bool g_list = gold->kind == IT_EXPR_SET || is_ordered(gold);
    bool p_list = pred->kind == IT_EXPR_SET || is_ordered(pred);
    if (g_list && p_list && lists_equal(equality, gold, pred)) { return true; }
    bool both_intervals = gold->kind == IT_EXPR_INTERVAL && pred->kind == IT_EXPR_INTERVAL;
    struct it_region g, p;
    struct it_evaluator *evaluator = &equality->evaluator;
    if (!both_intervals && it_region_of(evaluator, gold, &g) && it_region_of(evaluator, pred, &p)) {
        return it_region_equal(evaluator, &g, &p);
    }
    return parts_equal(equality, gold, pred);
}
