/* SPDX-License-Identifier: MIT */
/* What the parts of the parser share: latex_parse.c has lists, relations, sums and products,
 * latex_atom.c what a product is made of, latex_group.c what stands in brackets. */
#ifndef IT_TASKS_GRADE_LATEX_INTERNAL_H
#define IT_TASKS_GRADE_LATEX_INTERNAL_H

#include "tasks/grade/latex.h"

enum { IT_PARSE_DEPTH = 150 };

struct parser {
    const struct it_token *token; /* the current one; the last is IT_TOKEN_END */
    struct it_expr_pool *pool;
    bool fold_case;
    int bars;       /* |...| that are open: a bar closes instead of opening */
    int keep_signs; /* groups that are open in which +- waits for the whole expression */
    int depth;      /* of recursion, bounded */
};

/* All of them return NULL when the text is not understood; the parse is over then. */
struct it_expr *it_parse_list(struct parser *parser); /* a,b;c: until a closing token */
struct it_expr *it_parse_relation(struct parser *parser);
struct it_expr *it_parse_sum(struct parser *parser);
struct it_expr *it_parse_factor(struct parser *parser);     /* an atom with its exponents */
struct it_expr *it_parse_brackets(struct parser *parser);   /* ( or [ */
struct it_expr *it_parse_set_braces(struct parser *parser); /* \{ */
struct it_expr *it_parse_bars(struct parser *parser);       /* |x| */
struct it_expr *it_parse_fence(struct parser *parser, const char *close, const char *name);
struct it_expr *it_parse_matrix(struct parser *parser); /* \begin{pmatrix} */
bool it_parse_starts_factor(const struct parser *parser);

static inline bool it_parse_at_char(const struct parser *parser, char symbol)
{
    return parser->token->kind == IT_TOKEN_CHAR && parser->token->symbol == symbol;
}

bool it_parse_at_command(const struct parser *parser, const char *name);

/* A list of nodes under construction. */
struct node_list {
    struct it_expr *item[256];
    int n;
};
static inline bool it_node_add(struct node_list *list, struct it_expr *node)
{
    if (node == NULL || list->n == (int)(sizeof list->item / sizeof *list->item)) { return false; }
    list->item[list->n++] = node;
    return true;
}

#endif
