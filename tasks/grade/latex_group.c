/* SPDX-License-Identifier: MIT */
/* Parsing what stands in brackets: groups, intervals, tuples, sets, absolute values, matrices. */
#include <math.h>
#include <string.h>

#include "tasks/grade/latex_internal.h"
#include "tasks/grade/value.h"

/* The end of an interval as a double; false when it is no constant. */
static bool end_value(const struct it_expr *node, double *out)
{
    struct it_evaluator evaluator = {.fuel = 1000};
    struct it_value value;
    bool minus = node->kind == IT_EXPR_NEG;
    if ((minus ? node->arg[0] : node)->kind == IT_EXPR_INFINITY) {
        *out = minus ? -HUGE_VAL : HUGE_VAL;
        return true;
    }
    if (it_value_has_symbols(node) || !it_value_of(&evaluator, node, &value) || value.pole) {
        return false;
    }
    *out = creal(value.number);
    return true;
}

/* Ends that cannot bound an interval, in the order they are written: a point in the plane. */
static bool decreasing(const struct it_expr *left, const struct it_expr *right, bool closed)
{
    double a, b;
    if (!end_value(left, &a) || !end_value(right, &b)) { return false; }
    return a > b || (a == b && !closed);
}

static bool is_infinite(const struct it_expr *node)
{
    return (node->kind == IT_EXPR_NEG ? node->arg[0] : node)->kind == IT_EXPR_INFINITY;
}

/* ( or [ up to ) or ]: a group, an interval, a tuple. */
struct it_expr *it_parse_brackets(struct parser *parser)
{
    bool left_closed = it_parse_at_char(parser, '[');
    struct node_list item = {.n = 0};
    bool semicolon = false;
    int bars = parser->bars;
    parser->bars = 0;
    parser->token++;
    parser->keep_signs++;
    for (;;) {
        if (!it_node_add(&item, it_parse_relation(parser))) { return NULL; }
        if (it_parse_at_char(parser, ';')) { semicolon = true; }
        if (!it_parse_at_char(parser, ',') && !it_parse_at_char(parser, ';')) { break; }
        parser->token++;
    }
    parser->keep_signs--;
    parser->bars = bars;
    bool right_closed = it_parse_at_char(parser, ']');
    if (!right_closed && !it_parse_at_char(parser, ')')) { return NULL; }
    parser->token++;
    if (item.n == 1) { return item.item[0]; }
    if (item.n > 2 || semicolon ||
        decreasing(item.item[0], item.item[1], left_closed && right_closed)) {
        return it_expr_new(parser->pool, IT_EXPR_TUPLE, 0, item.item, item.n);
    }
    /* infinity is in no interval, however its end is written */
    bool low_end = left_closed && !is_infinite(item.item[0]);
    bool high_end = right_closed && !is_infinite(item.item[1]);
    int op = (low_end ? 1 : 0) | (high_end ? 2 : 0);
    return it_expr_new(parser->pool, IT_EXPR_INTERVAL, op, item.item, 2);
}

/* \{...\}, perhaps empty. */
struct it_expr *it_parse_set_braces(struct parser *parser)
{
    parser->token++;
    if (it_parse_at_char(parser, 'E')) {
        parser->token++;
        return it_expr_new(parser->pool, IT_EXPR_SET, 1, NULL, 0);
    }
    int keep = parser->keep_signs, bars = parser->bars;
    parser->keep_signs = 0;
    parser->bars = 0;
    struct it_expr *list = it_parse_list(parser);
    parser->keep_signs = keep;
    parser->bars = bars;
    if (list == NULL || !it_parse_at_char(parser, 'E')) { return NULL; }
    parser->token++;
    if (list->kind != IT_EXPR_SET || list->op != 0) {
        return it_expr_new(parser->pool, IT_EXPR_SET, 1, &list, 1);
    }
    list->op = 1;
    return list;
}

struct it_expr *it_parse_bars(struct parser *parser)
{
    parser->token++;
    parser->bars++;
    struct it_expr *inner = it_parse_sum(parser);
    parser->bars--;
    if (inner == NULL || !it_parse_at_char(parser, '|')) { return NULL; }
    parser->token++;
    return it_expr_call(parser->pool, "abs", &inner, 1);
}

/* \lfloor x \rfloor and the like. */
struct it_expr *it_parse_fence(struct parser *parser, const char *close, const char *name)
{
    parser->token++;
    struct it_expr *inner = it_parse_sum(parser);
    if (inner == NULL || !it_parse_at_command(parser, close)) { return NULL; }
    parser->token++;
    return it_expr_call(parser->pool, name, &inner, 1);
}

/* ---- matrices ---- */

struct it_expr *it_parse_matrix(struct parser *parser)
{
    static const char *const known[] = {"matrix",  "pmatrix",     "bmatrix", "Bmatrix",
                                        "vmatrix", "smallmatrix", "array"};
    const struct it_token *name = parser->token;
    bool found = false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        found = found ||
                (strlen(known[i]) == name->size && memcmp(known[i], name->text, name->size) == 0);
    }
    if (!found) { return NULL; }
    bool determinant = name->text[0] == 'v';
    struct node_list cell = {.n = 0};
    int rows = 0, columns = 0, in_row = 0;
    parser->token++;
    for (;;) {
        if (parser->token->kind == IT_TOKEN_FINISH && in_row == 0) { break; }
        if (!it_node_add(&cell, it_parse_relation(parser))) { return NULL; }
        in_row++;
        if (it_parse_at_char(parser, '&')) {
            parser->token++;
            continue;
        }
        bool more = it_parse_at_char(parser, '\n');
        if (!more && parser->token->kind != IT_TOKEN_FINISH) { return NULL; }
        if (rows > 0 && in_row != columns) { return NULL; }
        columns = in_row;
        in_row = 0;
        rows++;
        if (more) { parser->token++; }
    }
    parser->token++;
    struct it_expr *node = it_expr_new(parser->pool, IT_EXPR_MATRIX, 0, cell.item, cell.n);
    if (node == NULL || rows == 0) { return NULL; }
    node->rows = rows;
    return determinant ? it_expr_call(parser->pool, "det", &node, 1) : node;
}
