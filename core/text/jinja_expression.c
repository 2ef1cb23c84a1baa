/* SPDX-License-Identifier: MIT */
/* Expressions of a template, with Jinja's precedence: tests and filters bind tighter than any
 * operator, ~ is between * and +, and a chain of ** reads from the left. */
#include <string.h>

#include "core/base/mem.h"
#include "core/text/jinja_internal.h"

typedef enum it_status parse_function(struct it_jparser *p, struct it_jnode **out);

static enum it_status unary(struct it_jparser *p, bool with_filters, struct it_jnode **out);

static struct it_jnode *node_of(struct it_jparser *p, enum it_jnode_kind kind, struct it_jnode *a,
                                struct it_jnode *b)
{
    struct it_jnode *node = it_jparse_node(p, kind);
    if (a) { node->line = a->line; }
    node->a = a;
    node->b = b;
    return node;
}

/* ---- primaries ---- */

static void remember_name(struct it_jparser *p, const char *name)
{
    struct it_jinja *j = p->jinja;
    for (size_t i = 0; i < j->n_names; i++) {
        if (strcmp(j->names[i], name) == 0) { return; }
    }
    j->names = it_grow(j->names, &j->names_cap, j->n_names + 1, sizeof *j->names);
    j->names[j->n_names++] = name;
}

static enum it_status name(struct it_jparser *p, struct it_jnode **out)
{
    static const struct {
        const char *name;
        struct it_jvalue value;
    } constant[] = {{"true", {.kind = IT_JBOOL, .u.yes = true}},
                    {"True", {.kind = IT_JBOOL, .u.yes = true}},
                    {"false", {.kind = IT_JBOOL}}, {"False", {.kind = IT_JBOOL}},
                    {"none", {.kind = IT_JNONE}}, {"None", {.kind = IT_JNONE}}};
    struct it_jnode *node = it_jparse_node(p, IT_JN_NAME);
    node->name = it_jparse_peek(p)->value.u.text;
    for (size_t i = 0; i < sizeof constant / sizeof *constant; i++) {
        if (strcmp(node->name, constant[i].name) == 0) {
            node->kind = IT_JN_CONST;
            node->value = constant[i].value;
        }
    }
    if (node->kind == IT_JN_NAME) { remember_name(p, node->name); }
    if (p->in_macro && (strcmp(node->name, "varargs") == 0 || strcmp(node->name, "kwargs") == 0 ||
                        strcmp(node->name, "caller") == 0)) {
        return it_jinja_refuse(p->jinja, node->line, "%s of a macro is not known here", node->name);
    }
    p->at++;
    *out = node;
    return IT_OK;
}

/* Texts beside each other are one. */
static enum it_status strings(struct it_jparser *p, struct it_jnode **out)
{
    struct it_str text = {0};
    struct it_jnode *node = it_jparse_node(p, IT_JN_CONST);
    for (; it_jparse_peek(p)->kind == IT_JT_STRING; p->at++) {
        it_str_add(&text, it_jparse_peek(p)->value.u.text, it_jparse_peek(p)->value.n);
    }
    node->value = it_jtext(it_jarena_copy(&p->jinja->arena, it_str_c(&text), text.len), text.len);
    it_str_free(&text);
    *out = node;
    return IT_OK;
}

/* Items up to a closing token, which is passed. */
static enum it_status items(struct it_jparser *p, enum it_jtoken_kind close, const char *what,
                            struct it_jnode *node)
{
    while (!it_jparse_skip(p, close)) {
        struct it_jnode *item;
        if (node->n) {
            if (!it_jparse_skip(p, IT_JT_COMMA)) { return it_jparse_wrong(p, what); }
            if (it_jparse_skip(p, close)) { break; }
        }
        IT_TRY(it_jparse_expression(p, true, &item));
        it_jparse_add(p, node, item);
    }
    return IT_OK;
}

static enum it_status dictionary(struct it_jparser *p, struct it_jnode *node)
{
    while (!it_jparse_skip(p, IT_JT_RBRACE)) {
        struct it_jnode *key, *value;
        if (node->n) {
            if (!it_jparse_skip(p, IT_JT_COMMA)) { return it_jparse_wrong(p, ", or }"); }
            if (it_jparse_skip(p, IT_JT_RBRACE)) { break; }
        }
        IT_TRY(it_jparse_expression(p, true, &key));
        IT_TRY(it_jparse_expect(p, IT_JT_COLON, ":"));
        IT_TRY(it_jparse_expression(p, true, &value));
        it_jparse_add(p, node, key);
        it_jparse_add(p, node, value);
    }
    return IT_OK;
}

static enum it_status parenthesis(struct it_jparser *p, struct it_jnode **out)
{
    p->at++;
    if (it_jparse_peek(p)->kind == IT_JT_RPAREN) {
        *out = it_jparse_node(p, IT_JN_TUPLE);
    } else {
        IT_TRY(it_jparse_tuple(p, true, out));
    }
    return it_jparse_expect(p, IT_JT_RPAREN, ")");
}

static enum it_status primary(struct it_jparser *p, struct it_jnode **out)
{
    const struct it_jtoken *token = it_jparse_peek(p);
    switch (token->kind) {
    case IT_JT_NAME: return name(p, out);
    case IT_JT_STRING: return strings(p, out);
    case IT_JT_INT:
    case IT_JT_REAL:
        *out = it_jparse_node(p, IT_JN_CONST);
        (*out)->value = token->value;
        p->at++;
        return IT_OK;
    case IT_JT_LPAREN: return parenthesis(p, out);
    case IT_JT_LBRACKET:
        *out = it_jparse_node(p, IT_JN_LIST);
        p->at++;
        return items(p, IT_JT_RBRACKET, ", or ]", *out);
    case IT_JT_LBRACE:
        *out = it_jparse_node(p, IT_JN_DICT);
        p->at++;
        return dictionary(p, *out);
    default: return it_jparse_wrong(p, "an expression");
    }
}

/* ---- what follows a primary ---- */

/* After "(": arguments, by position first. */
static enum it_status arguments(struct it_jparser *p, struct it_jnode *node)
{
    bool named = false;
    while (!it_jparse_skip(p, IT_JT_RPAREN)) {
        if (node->n) {
            if (!it_jparse_skip(p, IT_JT_COMMA)) { return it_jparse_wrong(p, ", or )"); }
            if (it_jparse_skip(p, IT_JT_RPAREN)) { break; }
        }
        enum it_jtoken_kind kind = it_jparse_peek(p)->kind;
        if (kind == IT_JT_MUL || kind == IT_JT_POW) {
            return it_jinja_refuse(p->jinja, it_jparse_peek(p)->line,
                                   "arguments by %s are not known here",
                                   kind == IT_JT_MUL ? "*list" : "**dict");
        }
        struct it_jnode *argument = it_jparse_node(p, IT_JN_ARG);
        if (kind == IT_JT_NAME && p->jinja->token[p->at + 1].kind == IT_JT_ASSIGN) {
            argument->name = it_jparse_peek(p)->value.u.text;
            p->at += 2;
            named = true;
        } else if (named) {
            return it_jparse_wrong(p, "a named argument (those by position come first)");
        }
        IT_TRY(it_jparse_expression(p, true, &argument->a));
        it_jparse_add(p, node, argument);
    }
    return IT_OK;
}

static bool ends_bound(const struct it_jparser *p)
{
    enum it_jtoken_kind kind = it_jparse_peek(p)->kind;
    return kind == IT_JT_COLON || kind == IT_JT_RBRACKET || kind == IT_JT_COMMA;
}

/* After "[". */
static enum it_status subscript(struct it_jparser *p, struct it_jnode *of, struct it_jnode **out)
{
    struct it_jnode *bound[3] = {NULL, NULL, NULL};
    int n = 0;
    bool slice = false;
    do {
        if (!ends_bound(p)) { IT_TRY(it_jparse_expression(p, true, &bound[n])); }
        n++;
        if (it_jparse_peek(p)->kind == IT_JT_COLON) { slice = true; }
    } while (n < 3 && it_jparse_skip(p, IT_JT_COLON));
    if (!slice && !bound[0]) { return it_jparse_wrong(p, "an expression"); }
    if (it_jparse_peek(p)->kind == IT_JT_COMMA) {
        return it_jinja_refuse(p->jinja, of->line, "a subscript with a comma is not known here");
    }
    IT_TRY(it_jparse_expect(p, IT_JT_RBRACKET, "]"));
    *out = node_of(p, slice ? IT_JN_SLICE : IT_JN_AT, of, slice ? NULL : bound[0]);
    for (int i = 0; slice && i < 3; i++) { it_jparse_add(p, *out, bound[i]); }
    return IT_OK;
}

static enum it_status field(struct it_jparser *p, struct it_jnode *of, struct it_jnode **out)
{
    const struct it_jtoken *token = it_jparse_peek(p);
    if (token->kind == IT_JT_NAME) {
        *out = node_of(p, IT_JN_GET, of, NULL);
        (*out)->name = token->value.u.text;
    } else if (token->kind == IT_JT_INT) {
        *out = node_of(p, IT_JN_AT, of, it_jparse_node(p, IT_JN_CONST));
        (*out)->b->value = token->value;
    } else {
        return it_jparse_wrong(p, "a name");
    }
    p->at++;
    return IT_OK;
}

static enum it_status postfix(struct it_jparser *p, struct it_jnode **node)
{
    for (int links = 0;; links++) {
        if (links > IT_JINJA_PARSE_DEPTH) { return it_jparse_wrong(p, "a shorter expression"); }
        if (it_jparse_skip(p, IT_JT_DOT)) {
            IT_TRY(field(p, *node, node));
        } else if (it_jparse_skip(p, IT_JT_LBRACKET)) {
            IT_TRY(subscript(p, *node, node));
        } else if (it_jparse_skip(p, IT_JT_LPAREN)) {
            *node = node_of(p, IT_JN_CALL, *node, NULL);
            IT_TRY(arguments(p, *node));
        } else {
            return IT_OK;
        }
    }
}

/* ---- filters and tests ---- */

static enum it_status filter(struct it_jparser *p, struct it_jnode *of, struct it_jnode **out)
{
    struct it_jnode *node = it_jparse_node(p, IT_JN_FILTER);
    const struct it_jtoken *token = it_jparse_peek(p);
    if (token->kind != IT_JT_NAME) { return it_jparse_wrong(p, "the name of a filter"); }
    node->a = of;
    node->name = token->value.u.text;
    node->known = it_jfilter_find(node->name);
    if (!node->known) {
        return it_jinja_refuse(p->jinja, token->line, "the filter \"%.40s\" is not known here",
                               node->name);
    }
    p->at++;
    *out = node;
    return it_jparse_skip(p, IT_JT_LPAREN) ? arguments(p, node) : IT_OK;
}

enum it_status it_jparse_filters(struct it_jparser *p, struct it_jnode *node,
                                 struct it_jnode **out)
{
    int links = 0;
    while (it_jparse_skip(p, IT_JT_PIPE)) {
        if (++links > IT_JINJA_PARSE_DEPTH) { return it_jparse_wrong(p, "fewer filters"); }
        IT_TRY(filter(p, node, &node));
    }
    *out = node;
    return IT_OK;
}

/* A test's argument without parentheses: `is divisibleby 3`. */
static bool begins_argument(const struct it_jparser *p)
{
    switch (it_jparse_peek(p)->kind) {
    case IT_JT_NAME:
        return !it_jparse_is_name(p, "else") && !it_jparse_is_name(p, "or") &&
               !it_jparse_is_name(p, "and") && !it_jparse_is_name(p, "is");
    case IT_JT_STRING:
    case IT_JT_INT:
    case IT_JT_REAL:
    case IT_JT_LBRACKET:
    case IT_JT_LBRACE: return true;
    default: return false;
    }
}

static enum it_status test(struct it_jparser *p, struct it_jnode *of, struct it_jnode **out)
{
    struct it_jnode *node = it_jparse_node(p, IT_JN_TEST);
    node->negated = it_jparse_skip_name(p, "not");
    const struct it_jtoken *token = it_jparse_peek(p);
    if (token->kind != IT_JT_NAME) { return it_jparse_wrong(p, "the name of a test"); }
    node->a = of;
    node->name = token->value.u.text;
    node->known = it_jtest_find(node->name);
    if (!node->known) {
        return it_jinja_refuse(p->jinja, token->line, "the test \"is %.40s\" is not known here",
                               node->name);
    }
    p->at++;
    *out = node;
    if (it_jparse_skip(p, IT_JT_LPAREN)) { return arguments(p, node); }
    if (!begins_argument(p)) { return IT_OK; }
    struct it_jnode *argument = it_jparse_node(p, IT_JN_ARG);
    IT_TRY(primary(p, &argument->a));
    IT_TRY(postfix(p, &argument->a));
    it_jparse_add(p, node, argument);
    return IT_OK;
}

static enum it_status filters_and_tests(struct it_jparser *p, struct it_jnode **node)
{
    for (int links = 0;; links++) {
        if (links > IT_JINJA_PARSE_DEPTH) { return it_jparse_wrong(p, "a shorter expression"); }
        if (it_jparse_skip(p, IT_JT_PIPE)) {
            IT_TRY(filter(p, *node, node));
        } else if (it_jparse_skip_name(p, "is")) {
            IT_TRY(test(p, *node, node));
        } else if (it_jparse_skip(p, IT_JT_LPAREN)) {
            *node = node_of(p, IT_JN_CALL, *node, NULL);
            IT_TRY(arguments(p, *node));
        } else {
            return IT_OK;
        }
    }
}

/* ---- operators, from the tightest ---- */

static enum it_status unary(struct it_jparser *p, bool with_filters, struct it_jnode **out)
{
    enum it_jtoken_kind kind = it_jparse_peek(p)->kind;
    IT_TRY(it_jparse_enter(p));
    if (kind == IT_JT_SUB || kind == IT_JT_ADD) {
        struct it_jnode *node = it_jparse_node(p, IT_JN_UNARY);
        node->op = (uint8_t)kind;
        p->at++;
        IT_TRY(unary(p, false, &node->a));
        *out = node;
    } else {
        IT_TRY(primary(p, out));
    }
    IT_TRY(postfix(p, out));
    p->depth--;
    return with_filters ? filters_and_tests(p, out) : IT_OK;
}

static enum it_status operand(struct it_jparser *p, struct it_jnode **out)
{
    return unary(p, true, out);
}

/* A chain of operators of one level, from the left. A long chain is a deep tree. */
static enum it_status chain(struct it_jparser *p, parse_function *tighter,
                            const enum it_jtoken_kind *ops, size_t n_ops, struct it_jnode **out)
{
    IT_TRY(tighter(p, out));
    for (int links = 0;; links++) {
        enum it_jtoken_kind kind = it_jparse_peek(p)->kind;
        size_t i = 0;
        while (i < n_ops && ops[i] != kind) { i++; }
        if (i == n_ops) { return IT_OK; }
        if (links > IT_JINJA_PARSE_DEPTH) { return it_jparse_wrong(p, "a shorter expression"); }
        struct it_jnode *right;
        p->at++;
        IT_TRY(tighter(p, &right));
        *out = node_of(p, IT_JN_BINARY, *out, right);
        (*out)->op = (uint8_t)kind;
    }
}

static enum it_status power(struct it_jparser *p, struct it_jnode **out)
{
    static const enum it_jtoken_kind ops[] = {IT_JT_POW};
    return chain(p, operand, ops, 1, out);
}

static enum it_status product(struct it_jparser *p, struct it_jnode **out)
{
    static const enum it_jtoken_kind ops[] = {IT_JT_MUL, IT_JT_DIV, IT_JT_FLOORDIV, IT_JT_MOD};
    return chain(p, power, ops, 4, out);
}

static enum it_status joined(struct it_jparser *p, struct it_jnode **out)
{
    IT_TRY(product(p, out));
    if (it_jparse_peek(p)->kind != IT_JT_TILDE) { return IT_OK; }
    struct it_jnode *node = node_of(p, IT_JN_JOIN, NULL, NULL), *item = *out;
    it_jparse_add(p, node, item);
    while (it_jparse_skip(p, IT_JT_TILDE)) {
        IT_TRY(product(p, &item));
        it_jparse_add(p, node, item);
    }
    *out = node;
    return IT_OK;
}

static enum it_status sum(struct it_jparser *p, struct it_jnode **out)
{
    static const enum it_jtoken_kind ops[] = {IT_JT_ADD, IT_JT_SUB};
    return chain(p, joined, ops, 2, out);
}

/* The comparison that stands here, passed; END: none. */
static enum it_jtoken_kind comparison_op(struct it_jparser *p)
{
    enum it_jtoken_kind kind = it_jparse_peek(p)->kind;
    if (kind >= IT_JT_EQ && kind <= IT_JT_LE) {
        p->at++;
        return kind;
    }
    if (it_jparse_skip_name(p, "in")) { return IT_JT_IN; }
    const struct it_jtoken *after = it_jparse_peek(p) + 1;
    if (it_jparse_is_name(p, "not") && after->kind == IT_JT_NAME &&
        strcmp(after->value.u.text, "in") == 0) {
        p->at += 2;
        return IT_JT_NOT_IN;
    }
    return IT_JT_END;
}

static enum it_status comparison(struct it_jparser *p, struct it_jnode **out)
{
    enum it_jtoken_kind op;
    struct it_jnode *node = NULL;
    IT_TRY(sum(p, out));
    while ((op = comparison_op(p)) != IT_JT_END) {
        struct it_jnode *with = it_jparse_node(p, IT_JN_COMPARE);
        with->op = (uint8_t)op;
        IT_TRY(sum(p, &with->a));
        if (!node) { node = node_of(p, IT_JN_COMPARE, *out, NULL); }
        it_jparse_add(p, node, with);
    }
    if (node) { *out = node; }
    return IT_OK;
}

static enum it_status negation(struct it_jparser *p, struct it_jnode **out)
{
    if (!it_jparse_is_name(p, "not")) { return comparison(p, out); }
    struct it_jnode *node = it_jparse_node(p, IT_JN_NOT);
    p->at++;
    IT_TRY(it_jparse_enter(p));
    IT_TRY(negation(p, &node->a));
    p->depth--;
    *out = node;
    return IT_OK;
}

static enum it_status logic(struct it_jparser *p, parse_function *tighter, const char *word,
                            enum it_jnode_kind kind, struct it_jnode **out)
{
    IT_TRY(tighter(p, out));
    for (int links = 0; it_jparse_skip_name(p, word); links++) {
        struct it_jnode *right;
        if (links > IT_JINJA_PARSE_DEPTH) { return it_jparse_wrong(p, "a shorter expression"); }
        IT_TRY(tighter(p, &right));
        *out = node_of(p, kind, *out, right);
    }
    return IT_OK;
}

static enum it_status conjunction(struct it_jparser *p, struct it_jnode **out)
{
    return logic(p, negation, "and", IT_JN_AND, out);
}

static enum it_status disjunction(struct it_jparser *p, struct it_jnode **out)
{
    return logic(p, conjunction, "or", IT_JN_OR, out);
}

enum it_status it_jparse_expression(struct it_jparser *p, bool with_if, struct it_jnode **out)
{
    IT_TRY(it_jparse_enter(p));
    IT_TRY(disjunction(p, out));
    for (int links = 0; with_if && it_jparse_skip_name(p, "if"); links++) {
        struct it_jnode *node = node_of(p, IT_JN_IF, *out, NULL);
        if (links > IT_JINJA_PARSE_DEPTH) { return it_jparse_wrong(p, "a shorter expression"); }
        IT_TRY(disjunction(p, &node->b));
        if (it_jparse_skip_name(p, "else")) { IT_TRY(it_jparse_expression(p, true, &node->c)); }
        *out = node;
    }
    p->depth--;
    return IT_OK;
}

/* What ends a tuple without parentheses. */
static bool ends_tuple(const struct it_jparser *p)
{
    enum it_jtoken_kind kind = it_jparse_peek(p)->kind;
    return kind == IT_JT_PRINT_END || kind == IT_JT_BLOCK_END || kind == IT_JT_RPAREN;
}

enum it_status it_jparse_tuple(struct it_jparser *p, bool with_if, struct it_jnode **out)
{
    IT_TRY(it_jparse_expression(p, with_if, out));
    if (it_jparse_peek(p)->kind != IT_JT_COMMA) { return IT_OK; }
    struct it_jnode *tuple = node_of(p, IT_JN_TUPLE, NULL, NULL), *item = *out;
    it_jparse_add(p, tuple, item);
    while (it_jparse_skip(p, IT_JT_COMMA)) {
        if (ends_tuple(p)) { break; }
        IT_TRY(it_jparse_expression(p, with_if, &item));
        it_jparse_add(p, tuple, item);
    }
    *out = tuple;
    return IT_OK;
}
