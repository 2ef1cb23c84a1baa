/* SPDX-License-Identifier: MIT */
/* Parsing an answer: lists, relations, operations on sets, sums, products. Recursive descent; the
 * depth and the number of items are bounded, so any text ends quickly. */
#include "tasks/grade/latex_internal.h"

#include <string.h>

bool it_parse_at_command(const struct parser *parser, const char *name)
{
    const struct it_token *token = parser->token;
    return token->kind == IT_TOKEN_COMMAND && token->symbol == 0 && strlen(name) == token->size &&
           memcmp(token->text, name, token->size) == 0;
}

/* ---- plus-minus: one item becomes two ---- */

static bool has_plus_minus(const struct it_expr *node)
{
    if (node->kind == IT_EXPR_PLUSMINUS) { return true; }
    /* relations expand their own sides */
    if (node->kind == IT_EXPR_RELATION) { return false; }
    for (int i = 0; i < node->n; i++) {
        if (has_plus_minus(node->arg[i])) { return true; }
    }
    return false;
}

/* The tree with every plus-minus replaced by its upper (or lower) sign. */
static struct it_expr *choose_sign(struct it_expr_pool *pool, struct it_expr *node, bool upper)
{
    if (!has_plus_minus(node)) { return node; }
    struct it_expr *arg[256];
    if (node->n > 256) { return NULL; }
    for (int i = 0; i < node->n; i++) {
        arg[i] = choose_sign(pool, node->arg[i], upper);
        if (arg[i] == NULL) { return NULL; }
    }
    if (node->kind == IT_EXPR_PLUSMINUS) {
        bool minus = (node->op == '-') == upper;
        return minus ? it_expr_unary(pool, IT_EXPR_NEG, arg[0]) : arg[0];
    }
    struct it_expr *copy = it_expr_new(pool, node->kind, node->op, arg, node->n);
    if (copy == NULL) { return NULL; }
    copy->name = node->name;
    copy->rows = node->rows;
    return copy;
}

/* In a list the members stay members: {1 +- r, 2} is one set of three. */
static bool is_collection(const struct it_expr *node)
{
    return node->kind == IT_EXPR_SET || node->kind == IT_EXPR_UNION ||
           node->kind == IT_EXPR_TUPLE || node->kind == IT_EXPR_INTERVAL;
}

static struct it_expr *expand_plus_minus(struct it_expr_pool *pool, struct it_expr *node)
{
    if (node == NULL || is_collection(node) || !has_plus_minus(node)) { return node; }
    struct it_expr *upper = choose_sign(pool, node, true);
    struct it_expr *lower = choose_sign(pool, node, false);
    return it_expr_binary(pool, IT_EXPR_SET, upper, lower);
}

/* ---- products and sums ---- */

static bool is_whole(const struct it_expr *node)
{
    return node->kind == IT_EXPR_NUMBER && node->value.den == 1 && !node->decimal;
}

/* "1\frac{4}{5}": an integer right before a fraction of two positive integers. */
static bool is_mixed(const struct it_token *before, const struct it_expr *left,
                     const struct it_expr *right)
{
    return before->kind == IT_TOKEN_NUMBER && is_whole(left) && right->kind == IT_EXPR_DIV &&
           is_whole(right->arg[0]) && is_whole(right->arg[1]) && right->arg[0]->value.num > 0 &&
           right->arg[1]->value.num > 0;
}

/* "1 1/2" as people type it. NULL, with nothing read, where something else stands. */
static struct it_expr *parse_typed_mixed(struct parser *parser)
{
    const struct it_token *at = parser->token;
    bool numbers = at[0].kind == IT_TOKEN_NUMBER && at[1].kind == IT_TOKEN_NUMBER &&
                   at[2].kind == IT_TOKEN_CHAR && at[2].symbol == '/' &&
                   at[3].kind == IT_TOKEN_NUMBER;
    if (!numbers) { return NULL; }
    struct it_expr *whole = it_parse_factor(parser), *over = it_parse_factor(parser);
    parser->token++;
    struct it_expr *under = it_parse_factor(parser);
    struct it_expr *part = it_expr_binary(parser->pool, IT_EXPR_DIV, over, under);
    bool alone = parser->token == at + 4 && !it_parse_starts_factor(parser);
    if (whole != NULL && part != NULL && alone && is_mixed(at, whole, part)) {
        return it_expr_binary(parser->pool, IT_EXPR_ADD, whole, part);
    }
    parser->token = at;
    return NULL;
}

/* Factors side by side: they bind closer than any sign, 1/2x is 1/(2x). */
static struct it_expr *parse_adjacent(struct parser *parser)
{
    struct node_list factor = {.n = 0};
    const struct it_token *before = parser->token;
    struct it_expr *mixed = parse_typed_mixed(parser);
    if (mixed != NULL) { return mixed; }
    struct it_expr *first = it_parse_factor(parser);
    if (!it_node_add(&factor, first)) { return NULL; }
    while (it_parse_starts_factor(parser)) {
        bool fraction = it_parse_at_command(parser, "frac");
        bool number_only = parser->token == before + 1;
        struct it_expr *next = it_parse_factor(parser);
        if (next == NULL) { return NULL; }
        if (fraction && number_only && factor.n == 1 && is_mixed(before, factor.item[0], next)) {
            factor.item[0] = it_expr_binary(parser->pool, IT_EXPR_ADD, factor.item[0], next);
            continue;
        }
        if (!it_node_add(&factor, next)) { return NULL; }
    }
    if (factor.n == 1) { return factor.item[0]; }
    return it_expr_new(parser->pool, IT_EXPR_MUL, 0, factor.item, factor.n);
}

static struct it_expr *parse_product(struct parser *parser);

static struct it_expr *parse_signed(struct parser *parser)
{
    struct it_expr *node;
    if (++parser->depth > IT_PARSE_DEPTH) { return NULL; }
    if (it_parse_at_char(parser, '-')) {
        parser->token++;
        node = it_expr_unary(parser->pool, IT_EXPR_NEG, parse_signed(parser));
    } else if (it_parse_at_char(parser, '+')) {
        parser->token++;
        node = parse_signed(parser);
    } else {
        node = parse_adjacent(parser);
    }
    parser->depth--;
    return node;
}

static struct it_expr *parse_product(struct parser *parser)
{
    struct it_expr *left = parse_signed(parser);
    while (left != NULL) {
        bool times = it_parse_at_char(parser, '*');
        bool over = it_parse_at_char(parser, '/') || it_parse_at_char(parser, ':');
        if (!times && !over) { break; }
        parser->token++;
        struct it_expr *right = parse_signed(parser);
        left = it_expr_binary(parser->pool, times ? IT_EXPR_MUL : IT_EXPR_DIV, left, right);
    }
    return left;
}

static bool at_plus_minus(const struct parser *parser)
{
    return it_parse_at_command(parser, "pm") || it_parse_at_command(parser, "mp");
}

static struct it_expr *parse_plus_minus(struct parser *parser)
{
    int upper = it_parse_at_command(parser, "pm") ? '+' : '-';
    parser->token++;
    struct it_expr *term = parse_product(parser);
    return it_expr_new(parser->pool, IT_EXPR_PLUSMINUS, upper, &term, 1);
}

struct it_expr *it_parse_sum(struct parser *parser)
{
    struct node_list term = {.n = 0};
    if (++parser->depth > IT_PARSE_DEPTH) { return NULL; }
    struct it_expr *first =
        at_plus_minus(parser) ? parse_plus_minus(parser) : parse_product(parser);
    if (!it_node_add(&term, first)) { return NULL; }
    for (;;) {
        struct it_expr *next;
        if (at_plus_minus(parser)) {
            next = parse_plus_minus(parser);
        } else if (it_parse_at_char(parser, '+')) {
            parser->token++;
            next = parse_product(parser);
        } else if (it_parse_at_char(parser, '-')) {
            parser->token++;
            next = it_expr_unary(parser->pool, IT_EXPR_NEG, parse_product(parser));
        } else {
            break;
        }
        if (!it_node_add(&term, next)) { return NULL; }
    }
    parser->depth--;
    if (term.n == 1) { return term.item[0]; }
    return it_expr_new(parser->pool, IT_EXPR_ADD, 0, term.item, term.n);
}

/* ---- operations on sets ---- */

static bool set_operator(const struct parser *parser, enum it_expr_kind *kind_out)
{
    if (it_parse_at_command(parser, "cup")) {
        *kind_out = IT_EXPR_UNION;
    } else if (it_parse_at_command(parser, "cap")) {
        *kind_out = IT_EXPR_INTERSECTION;
    } else if (it_parse_at_command(parser, "setminus")) {
        *kind_out = IT_EXPR_DIFFERENCE;
    } else {
        return false;
    }
    return true;
}

static struct it_expr *parse_set(struct parser *parser)
{
    struct it_expr *left = it_parse_sum(parser);
    enum it_expr_kind kind;
    while (left != NULL && set_operator(parser, &kind)) {
        parser->token++;
        left = it_expr_binary(parser->pool, kind, left, it_parse_sum(parser));
    }
    return parser->keep_signs > 0 ? left : expand_plus_minus(parser->pool, left);
}

/* ---- relations ---- */

static bool only_symbols(const struct it_expr *node)
{
    if (node->kind == IT_EXPR_NUMBER || node->kind == IT_EXPR_BIG) { return false; }
    for (int i = 0; i < node->n; i++) {
        if (!only_symbols(node->arg[i])) { return false; }
    }
    return true;
}

/* An approximation adds nothing to what it approximates, unless that is a mere name. */
static struct it_expr *settle_approximations(struct node_list *side, char *op)
{
    int kept = 0;
    for (int i = 0; op[i] != '\0'; i++) {
        struct it_expr *right = side->item[i + 1];
        if (op[i] != '~') {
            op[kept] = op[i];
            side->item[++kept] = right;
        } else if (only_symbols(side->item[kept])) {
            side->item[kept] = right;
        }
    }
    op[kept] = '\0';
    side->n = kept + 1;
    return side->item[0];
}

struct it_expr *it_parse_relation(struct parser *parser)
{
    struct node_list side = {.n = 0};
    char op[257];
    if (++parser->depth > IT_PARSE_DEPTH) { return NULL; }
    /* "= 5" and "\\approx 5" without a left side */
    const struct it_token *token = parser->token;
    if (token->kind == IT_TOKEN_RELATION && (token->symbol == '=' || token->symbol == '~')) {
        parser->token++;
    }
    if (!it_node_add(&side, parse_set(parser))) { return NULL; }
    while (parser->token->kind == IT_TOKEN_RELATION) {
        op[side.n - 1] = parser->token->symbol;
        parser->token++;
        if (!it_node_add(&side, parse_set(parser))) { return NULL; }
    }
    op[side.n - 1] = '\0';
    parser->depth--;
    struct it_expr *first = settle_approximations(&side, op);
    if (side.n == 1) { return first; }
    struct it_expr *node = it_expr_new(parser->pool, IT_EXPR_RELATION, 0, side.item, side.n);
    if (node == NULL) { return NULL; }
    node->name = it_expr_text(parser->pool, op, strlen(op));
    return node->name != NULL ? node : NULL;
}

/* ---- lists ---- */

static bool at_list_end(const struct parser *parser)
{
    const struct it_token *token = parser->token;
    if (token->kind == IT_TOKEN_END || token->kind == IT_TOKEN_FINISH) { return true; }
    return token->kind == IT_TOKEN_CHAR && strchr(")]}E&\nM|", token->symbol) != NULL &&
           (token->symbol != '|' || parser->bars > 0);
}

/* Members of lists that are sets of +- choices join the list. */
static bool add_member(struct node_list *list, struct it_expr *node, bool flatten)
{
    if (node == NULL || !flatten || node->kind != IT_EXPR_SET || node->op != 0) {
        return it_node_add(list, node);
    }
    for (int i = 0; i < node->n; i++) {
        if (!it_node_add(list, node->arg[i])) { return false; }
    }
    return true;
}

struct it_expr *it_parse_list(struct parser *parser)
{
    struct node_list group = {.n = 0}, member = {.n = 0};
    bool semicolons = false;
    for (;;) {
        if (!add_member(&member, it_parse_relation(parser), true)) { return NULL; }
        bool comma = it_parse_at_char(parser, ','), semicolon = it_parse_at_char(parser, ';');
        if (comma || semicolon) { parser->token++; }
        if (comma && it_parse_at_char(parser, ';')) { /* ",;" */
            parser->token++;
            semicolon = true;
        }
        semicolons = semicolons || semicolon;
        bool end = (!comma && !semicolon) || at_list_end(parser);
        if (!semicolon && !end) { continue; }
        struct it_expr *whole = member.item[0];
        if (member.n > 1) {
            enum it_expr_kind kind = semicolons ? IT_EXPR_TUPLE : IT_EXPR_SET;
            whole = it_expr_new(parser->pool, kind, 0, member.item, member.n);
        }
        if (!it_node_add(&group, whole)) { return NULL; }
        member.n = 0;
        if (end) { break; }
    }
    if (group.n == 1) { return group.item[0]; }
    return it_expr_new(parser->pool, IT_EXPR_SET, 0, group.item, group.n);
}

/* "n = 2, 3, 4": the name is given the whole list. */
static struct it_expr *name_list(struct it_expr_pool *pool, struct it_expr *node)
{
    if (node->kind != IT_EXPR_SET || node->op != 0 || node->n < 2) { return node; }
    struct it_expr *first = node->arg[0];
    if (first->kind != IT_EXPR_RELATION || strcmp(first->name, "=") != 0 ||
        first->arg[0]->kind != IT_EXPR_SYMBOL) {
        return node;
    }
    for (int i = 1; i < node->n; i++) {
        if (node->arg[i]->kind == IT_EXPR_RELATION) { return node; }
    }
    struct it_expr *both[2] = {first->arg[0], NULL};
    both[1] = it_expr_new(pool, IT_EXPR_SET, 0, node->arg, node->n);
    if (both[1] == NULL) { return NULL; }
    both[1]->arg[0] = first->arg[1];
    struct it_expr *named = it_expr_new(pool, IT_EXPR_RELATION, 0, both, 2);
    if (named != NULL) { named->name = "="; }
    return named;
}

/* "7,425,000" and nothing else, with a sign perhaps: one number. */
static bool grouped_number(const char *text, size_t size, struct it_str *out)
{
    size_t at = 0, run = 0, groups = 0;
    if (at < size && (text[at] == '-' || text[at] == '+')) { it_str_putc(out, text[at++]); }
    for (; at < size && text[at] != '.' && text[at] != '%' && text[at] != '\\'; at++) {
        if (text[at] == ',') {
            if (run == 0 || run > 3 || (groups > 0 && run != 3)) { return false; }
            groups++;
            run = 0;
        } else if (text[at] >= '0' && text[at] <= '9') {
            it_str_putc(out, text[at]);
            run++;
        } else {
            return false;
        }
    }
    if (groups == 0 || run != 3) { return false; }
    for (size_t i = at; i < size; i++) {
        if (text[i] == ',') { return false; }
        it_str_putc(out, text[i]);
    }
    return true;
}

struct it_expr *it_latex_parse(const char *text, size_t size, bool fold_case,
                               struct it_expr_pool *pool)
{
    struct it_str number = {0};
    if (grouped_number(text, size, &number)) {
        text = it_expr_text(pool, it_str_c(&number), number.len);
        size = number.len;
    }
    it_str_free(&number);
    if (text == NULL) { return NULL; }
    struct it_tokens tokens = {0};
    struct it_expr *node = NULL;
    if (it_latex_lex(text, size, pool, &tokens)) {
        struct parser parser = {.token = tokens.item, .pool = pool, .fold_case = fold_case};
        if (parser.token->kind != IT_TOKEN_END) { node = it_parse_list(&parser); }
        if (node != NULL && parser.token->kind != IT_TOKEN_END) { node = NULL; }
        if (node != NULL) { node = name_list(pool, node); }
    }
    it_tokens_free(&tokens);
    return pool->full ? NULL : node;
}
