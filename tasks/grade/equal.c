/* SPDX-License-Identifier: MIT */
/* Are two parsed answers the same answer? Relations here, collections in equal_sets.c. */
#include "tasks/grade/equal.h"

#include <string.h>
#include <strings.h>

#include "tasks/grade/equal_internal.h"
#include "tasks/grade/exact.h"
#include "tasks/grade/matrix.h"
#include "tasks/grade/region.h"

enum { DEPTH_MAX = 40 };

/* ---- assignments ---- */

static bool has_number(const struct it_expr *node)
{
    if (node->kind == IT_EXPR_NUMBER || node->kind == IT_EXPR_BIG) { return true; }
    for (int i = 0; i < node->n; i++) {
        if (has_number(node->arg[i])) { return true; }
    }
    return false;
}

static bool is_equation(const struct it_expr *node)
{
    return node->kind == IT_EXPR_RELATION && strspn(node->name, "=") == strlen(node->name);
}

bool it_is_assignment(const struct it_expr *node)
{
    return is_equation(node) && !has_number(node->arg[0]);
}

static struct it_expr *right_side(const struct it_expr *relation)
{
    return relation->arg[relation->n - 1];
}

/* a = b = c says a = c. */
static struct it_expr *shorten(struct it_expr_pool *pool, struct it_expr *node)
{
    if (!it_is_assignment(node) || node->n == 2) { return node; }
    struct it_expr *both[2] = {node->arg[0], right_side(node)};
    struct it_expr *short_one = it_expr_new(pool, IT_EXPR_RELATION, 0, both, 2);
    if (short_one == NULL) { return node; }
    short_one->name = "=";
    return short_one;
}

/* ---- relations ---- */

static char flip(char op)
{
    switch (op) {
    case '<': return '>';
    case '>': return '<';
    case 'l': return 'g';
    case 'g': return 'l';
    default: return op;
    }
}

static struct it_expr *difference(struct it_expr_pool *pool, struct it_expr *a, struct it_expr *b)
{
    return it_expr_binary(pool, IT_EXPR_ADD, a, it_expr_unary(pool, IT_EXPR_NEG, b));
}

struct link {
    struct it_expr *left, *right;
    char op;
};

/* The same way round: equal sides, or an equal difference of the sides; equations may differ by a
 * factor. */
static bool link_matches(struct equality *equality, struct link g, struct link p)
{
    if (g.op != p.op) { return false; }
    if (it_equal_any(equality, g.left, p.left) && it_equal_any(equality, g.right, p.right)) {
        return true;
    }
    struct it_expr *x = difference(equality->pool, g.left, g.right);
    struct it_expr *y = difference(equality->pool, p.left, p.right);
    if (x == NULL || y == NULL) { return false; }
    if (it_value_equal(&equality->evaluator, x, y)) { return true; }
    return g.op == '=' && it_value_proportional(&equality->evaluator, x, y);
}

static struct link turn(struct link link)
{
    return (struct link){link.right, link.left, flip(link.op)};
}

static bool relations_equal(struct equality *equality, struct it_expr *gold, struct it_expr *pred)
{
    if (equality->rules->named_sets_equal && it_is_assignment(gold) && it_is_assignment(pred) &&
        it_is_collection(right_side(gold)) && it_is_collection(right_side(pred))) {
        return true;
    }
    if (gold->n != pred->n) { return false; }
    int links = gold->n - 1;
    bool forward = true, backward = true;
    for (int i = 0; i < links && (forward || backward); i++) {
        int j = links - 1 - i;
        struct link g = {gold->arg[i], gold->arg[i + 1], gold->name[i]};
        struct link p = {pred->arg[i], pred->arg[i + 1], pred->name[i]};
        struct link q = {pred->arg[j], pred->arg[j + 1], pred->name[j]};
        bool turned_matters = links == 1;
        forward = forward && (link_matches(equality, g, p) ||
                              (turned_matters && link_matches(equality, g, turn(p))));
        backward = backward && !turned_matters && link_matches(equality, g, turn(q));
    }
    return forward || backward;
}

/* ---- scalars ---- */

static const struct it_expr *infinity_sign(const struct it_expr *node, int *sign_out)
{
    *sign_out = 1;
    while (node->kind == IT_EXPR_NEG) {
        *sign_out = -*sign_out;
        node = node->arg[0];
    }
    return node->kind == IT_EXPR_INFINITY ? node : NULL;
}

static const char *letter_of(const struct it_expr *node)
{
    switch (node->kind) {
    case IT_EXPR_SYMBOL: return node->name;
    case IT_EXPR_E: return "e";
    case IT_EXPR_I: return "i";
    default: return NULL;
    }
}

/* \text{odd} and the product o d d, whatever the case. */
static bool spells(const struct it_expr *symbol, const struct it_expr *other)
{
    const char *rest = letter_of(symbol);
    if (rest == NULL) { return false; }
    const struct it_expr *alone[1] = {other};
    const struct it_expr *const *part =
        other->kind == IT_EXPR_MUL ? (const struct it_expr *const *)other->arg : alone;
    int n = other->kind == IT_EXPR_MUL ? other->n : 1;
    for (int i = 0; i < n; i++) {
        const char *name = letter_of(part[i]);
        size_t size = name != NULL ? strlen(name) : 0;
        if (name == NULL || strncasecmp(rest, name, size) != 0) { return false; }
        rest += size;
    }
    return *rest == '\0';
}

/* A number as it is written: with a sign or a percent mark at most. */
static const struct it_expr *plain_number(const struct it_expr *node)
{
    while (node->kind == IT_EXPR_NEG || node->kind == IT_EXPR_PERCENT) { node = node->arg[0]; }
    return node->kind == IT_EXPR_NUMBER || node->kind == IT_EXPR_BIG ? node : NULL;
}

/* The values are given as doubles too; beyond their precision the trees are asked. */
static bool rounded_equal(struct equality *equality, const struct it_expr *gold,
                          const struct it_expr *pred, const struct it_value *x,
                          const struct it_value *y)
{
    enum { DIGITS = 15 };
    int places = equality->rules->decimals;
    it_wide a, b;
    if (x->exact && y->exact && it_rational_round(x->fraction, places, &a) &&
        it_rational_round(y->fraction, places, &b)) {
        return a == b;
    }
    double scale = pow(10.0, places), size = fmax(cabs(x->number), cabs(y->number)) * scale;
    if (size > pow(10.0, DIGITS - 2)) {
        enum it_exact exact =
            it_exact_rounded_equal(&equality->evaluator, gold, pred, equality->rules->decimals);
        if (exact != IT_EXACT_UNKNOWN) { return exact == IT_EXACT_TRUE; }
        return cabs(x->number - y->number) <= pow(10.0, 1 - DIGITS) * cabs(x->number);
    }
    double complex left = x->number * scale, right = y->number * scale;
    return rint(creal(left)) == rint(creal(right)) && rint(cimag(left)) == rint(cimag(right));
}

enum verdict { UNEQUAL, EQUAL, UNDECIDED };

/* A decimal on either side is compared to so many places, except with an integer. */
static enum verdict decimals_equal(struct equality *equality, const struct it_expr *gold,
                                   const struct it_expr *pred)
{
    const struct it_equal_rules *rules = equality->rules;
    const struct it_expr *g = plain_number(gold), *p = plain_number(pred);
    bool g_decimal = g != NULL && g->decimal, p_decimal = p != NULL && p->decimal;
    if (!g_decimal && !p_decimal) { return UNDECIDED; }
    if (rules->decimals < 0) {
        struct it_rational half = {1, 2};
        bool g_half = g != NULL && it_rational_equal(g->value, half);
        bool p_half = p != NULL && it_rational_equal(p->value, half);
        return g_decimal != p_decimal && !g_half && !p_half ? UNEQUAL : UNDECIDED;
    }
    bool g_integer = g != NULL && !g_decimal && gold->kind != IT_EXPR_PERCENT;
    bool p_integer = p != NULL && !p_decimal && pred->kind != IT_EXPR_PERCENT;
    if (g_integer || p_integer) { return UNDECIDED; }
    struct it_value x, y;
    equality->evaluator.point = 0;
    if (it_value_has_symbols(gold) || it_value_has_symbols(pred) ||
        !it_value_of(&equality->evaluator, gold, &x) ||
        !it_value_of(&equality->evaluator, pred, &y) || x.pole || y.pole) {
        return UNEQUAL;
    }
    if (!rules->round_constants && (!x.exact || !y.exact)) { return UNDECIDED; }
    return rounded_equal(equality, gold, pred, &x, &y) ? EQUAL : UNEQUAL;
}

static bool is_pole(struct equality *equality, const struct it_expr *node)
{
    struct it_value value;
    equality->evaluator.point = 0;
    return it_value_of(&equality->evaluator, node, &value) && value.pole;
}

static bool scalars_equal(struct equality *equality, struct it_expr *gold, struct it_expr *pred)
{
    int g_sign, p_sign;
    bool g_infinite = infinity_sign(gold, &g_sign) != NULL;
    bool p_infinite = infinity_sign(pred, &p_sign) != NULL;
    if (g_infinite || p_infinite) { return g_infinite && p_infinite && g_sign == p_sign; }
    bool g_pole = is_pole(equality, gold);
    if (!g_pole && it_expr_same(gold, pred)) { return true; }
    bool p_pole = is_pole(equality, pred);
    if (g_pole || p_pole) { return g_pole && p_pole && equality->rules->poles_equal; }
    if (spells(gold, pred) || spells(pred, gold)) { return true; }
    enum verdict verdict = decimals_equal(equality, gold, pred);
    if (verdict != UNDECIDED) { return verdict == EQUAL; }
    return it_value_equal(&equality->evaluator, gold, pred);
}

static bool matrices_equal(struct equality *equality, struct it_expr *gold, struct it_expr *pred)
{
    if (gold->kind != pred->kind || gold->rows != pred->rows || gold->n != pred->n) {
        return false;
    }
    for (int i = 0; i < gold->n; i++) {
        if (!it_equal_any(equality, gold->arg[i], pred->arg[i])) { return false; }
    }
    return true;
}

/* ---- any two ---- */

static bool equal_parts(struct equality *equality, struct it_expr *gold, struct it_expr *pred)
{
    gold = shorten(equality->pool, gold);
    pred = shorten(equality->pool, pred);
    bool g_relation = gold->kind == IT_EXPR_RELATION, p_relation = pred->kind == IT_EXPR_RELATION;
    /* a prediction may say more than was asked: "2 + 3 = 5" for 5; a gold equation is meant */
    if (p_relation && is_equation(pred) && !(g_relation && is_equation(gold))) {
        pred = right_side(pred);
        p_relation = pred->kind == IT_EXPR_RELATION;
    } else if (g_relation && it_is_assignment(gold) && !(p_relation && is_equation(pred))) {
        gold = right_side(gold);
        g_relation = gold->kind == IT_EXPR_RELATION;
    }
    if (g_relation && p_relation) { return relations_equal(equality, gold, pred); }
    if ((g_relation && pred->kind == IT_EXPR_SET) || (p_relation && gold->kind == IT_EXPR_SET)) {
        if (it_collections_equal(equality, gold, pred)) { return true; } /* of one member */
    }
    if (g_relation) {
        struct it_evaluator *evaluator = &equality->evaluator;
        struct it_region g, p;
        return it_region_of_relation(evaluator, gold, &g) && it_region_of(evaluator, pred, &p) &&
               it_region_equal(evaluator, &g, &p);
    }
    if (p_relation) {
        struct it_evaluator *evaluator = &equality->evaluator;
        struct it_region g, p;
        return equality->rules->relations_as_sets && it_region_of(evaluator, gold, &g) &&
               it_region_of_relation(evaluator, pred, &p) && it_region_equal(evaluator, &g, &p);
    }
    gold = it_matrix_reduce(equality->pool, gold);
    pred = it_matrix_reduce(equality->pool, pred);
    if (gold == NULL || pred == NULL) { return false; }
    if (it_is_collection(gold) || it_is_collection(pred)) {
        return it_collections_equal(equality, gold, pred);
    }
    if (gold->kind == IT_EXPR_MATRIX || pred->kind == IT_EXPR_MATRIX) {
        return matrices_equal(equality, gold, pred);
    }
    return scalars_equal(equality, gold, pred);
}

bool it_equal_any(struct equality *equality, struct it_expr *gold, struct it_expr *pred)
{
    if (++equality->depth > DEPTH_MAX || equality->evaluator.fuel < 0) { return false; }
    bool equal = equal_parts(equality, gold, pred);
    equality->depth--;
    return equal;
}

/* ---- free naming ---- */

enum { NAMES_MAX = 16 };

struct names {
    const char *item[NAMES_MAX];
    int n;
};

/* The free symbols in the order in which they are written; false when they are too many. */
static bool collect_names(const struct it_expr *node, struct names *names)
{
    if (node->kind == IT_EXPR_SYMBOL) {
        for (int i = 0; i < names->n; i++) {
            if (strcmp(names->item[i], node->name) == 0) { return true; }
        }
        if (names->n == NAMES_MAX) { return false; }
        names->item[names->n++] = node->name;
    }
    for (int i = 0; i < node->n; i++) {
        if (!collect_names(node->arg[i], names)) { return false; }
    }
    return true;
}

static void rename_symbols(struct it_expr *node, const struct names *from, const struct names *to)
{
    for (int i = 0; node->kind == IT_EXPR_SYMBOL && i < from->n; i++) {
        if (strcmp(node->name, from->item[i]) == 0) {
            node->name = to->item[i];
            break;
        }
    }
    for (int i = 0; i < node->n; i++) { rename_symbols(node->arg[i], from, to); }
}

/* The prediction with the gold's names, when both have as many. */
static void take_names(const struct it_expr *gold, struct it_expr *pred)
{
    struct names g = {.n = 0}, p = {.n = 0};
    if (!collect_names(gold, &g) || !collect_names(pred, &p) || g.n != p.n) { return; }
    rename_symbols(pred, &p, &g);
}

bool it_equal(const struct it_equal_rules *rules, struct it_expr_pool *pool, struct it_expr *gold,
              struct it_expr *pred)
{
    struct equality equality = {.rules = rules, .pool = pool, .evaluator = {.fuel = IT_VALUE_FUEL}};
    if (rules->rename) { take_names(gold, pred); }
    return it_equal_any(&equality, gold, pred);
}
