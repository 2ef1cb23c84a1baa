/* SPDX-License-Identifier: MIT */
/* Statements of a template. Blocks that chat templates have no use for (include, extends, ...) are
 * refused by name. */
#include <string.h>

#include "core/base/mem.h"
#include "core/text/jinja_internal.h"

const struct it_jtoken *it_jparse_peek(const struct it_jparser *p)
{
    return &p->jinja->token[p->at]; /* the last one is END and never passed */
}

static const struct it_jtoken *next(struct it_jparser *p)
{
    const struct it_jtoken *token = it_jparse_peek(p);
    if (token->kind != IT_JT_END) { p->at++; }
    return token;
}

bool it_jparse_is_name(const struct it_jparser *p, const char *name)
{
    const struct it_jtoken *token = it_jparse_peek(p);
    return token->kind == IT_JT_NAME && strcmp(token->value.u.text, name) == 0;
}

bool it_jparse_skip(struct it_jparser *p, enum it_jtoken_kind kind)
{
    if (it_jparse_peek(p)->kind != kind) { return false; }
    next(p);
    return true;
}

bool it_jparse_skip_name(struct it_jparser *p, const char *name)
{
    if (!it_jparse_is_name(p, name)) { return false; }
    next(p);
    return true;
}

static void describe(const struct it_jtoken *token, char *out, size_t size)
{
    static const char *const words[] = {
        [IT_JT_END] = "the end of the template", [IT_JT_TEXT] = "text",
        [IT_JT_PRINT_BEGIN] = "{{", [IT_JT_PRINT_END] = "}}", [IT_JT_BLOCK_BEGIN] = "{%",
        [IT_JT_BLOCK_END] = "%}", [IT_JT_INT] = "a number", [IT_JT_REAL] = "a number",
        [IT_JT_ADD] = "+", [IT_JT_SUB] = "-", [IT_JT_MUL] = "*", [IT_JT_DIV] = "/",
        [IT_JT_FLOORDIV] = "//", [IT_JT_MOD] = "%", [IT_JT_POW] = "**", [IT_JT_TILDE] = "~",
        [IT_JT_LPAREN] = "(", [IT_JT_RPAREN] = ")", [IT_JT_LBRACKET] = "[",
        [IT_JT_RBRACKET] = "]", [IT_JT_LBRACE] = "{", [IT_JT_RBRACE] = "}", [IT_JT_EQ] = "==",
        [IT_JT_NE] = "!=", [IT_JT_GT] = ">", [IT_JT_GE] = ">=", [IT_JT_LT] = "<",
        [IT_JT_LE] = "<=", [IT_JT_ASSIGN] = "=", [IT_JT_DOT] = ".", [IT_JT_COLON] = ":",
        [IT_JT_PIPE] = "|", [IT_JT_COMMA] = ",", [IT_JT_SEMICOLON] = ";"};
    if (token->kind == IT_JT_NAME || token->kind == IT_JT_STRING) {
        snprintf(out, size, "\"%.40s\"", token->value.u.text);
    } else {
        snprintf(out, size, "%s", words[token->kind]);
    }
}

enum it_status it_jparse_wrong(const struct it_jparser *p, const char *what)
{
    char found[64];
    const struct it_jtoken *token = it_jparse_peek(p);
    describe(token, found, sizeof found);
    return it_jinja_refuse(p->jinja, token->line, "expected %s, found %s", what, found);
}

enum it_status it_jparse_expect(struct it_jparser *p, enum it_jtoken_kind kind, const char *what)
{
    return it_jparse_skip(p, kind) ? IT_OK : it_jparse_wrong(p, what);
}

struct it_jnode *it_jparse_node(struct it_jparser *p, enum it_jnode_kind kind)
{
    struct it_jnode *node = it_jarena_take(&p->jinja->arena, sizeof *node);
    node->kind = (uint8_t)kind;
    node->line = it_jparse_peek(p)->line;
    return node;
}

/* Room doubles at powers of two; the old block stays with the arena. */
void it_jparse_add(struct it_jparser *p, struct it_jnode *node, struct it_jnode *item)
{
    if ((node->n & (node->n - 1)) == 0) {
        struct it_jnode **wider =
            it_jarena_take(&p->jinja->arena, (node->n ? 2 * node->n : 1) * sizeof *wider);
        if (node->n) { memcpy(wider, node->item, node->n * sizeof *wider); }
        node->item = wider;
    }
    node->item[node->n++] = item;
}

enum it_status it_jparse_enter(struct it_jparser *p)
{
    if (++p->depth <= IT_JINJA_PARSE_DEPTH) { return IT_OK; }
    return it_jinja_refuse(p->jinja, it_jparse_peek(p)->line, "nested deeper than %d levels",
                           IT_JINJA_PARSE_DEPTH);
}

/* ---- targets of assignments ---- */

static enum it_status one_target(struct it_jparser *p, bool with_space, struct it_jnode **out)
{
    const struct it_jtoken *token = it_jparse_peek(p);
    static const char *const constant[] = {"true", "false", "none", "True", "False", "None"};
    if (it_jparse_skip(p, IT_JT_LPAREN)) {
        struct it_jnode *tuple = it_jparse_node(p, IT_JN_TUPLE);
        do {
            struct it_jnode *item;
            IT_TRY(it_jparse_enter(p));
            IT_TRY(one_target(p, false, &item));
            p->depth--;
            it_jparse_add(p, tuple, item);
        } while (it_jparse_skip(p, IT_JT_COMMA));
        *out = tuple;
        return it_jparse_expect(p, IT_JT_RPAREN, ")");
    }
    if (token->kind != IT_JT_NAME) { return it_jparse_wrong(p, "the name of a variable"); }
    for (size_t i = 0; i < sizeof constant / sizeof *constant; i++) {
        if (it_jparse_is_name(p, constant[i])) {
            return it_jparse_wrong(p, "the name of a variable");
        }
    }
    struct it_jnode *node = it_jparse_node(p, IT_JN_NAME);
    node->name = next(p)->value.u.text;
    if (with_space && it_jparse_skip(p, IT_JT_DOT)) {
        struct it_jnode *field = it_jparse_node(p, IT_JN_GET);
        if (it_jparse_peek(p)->kind != IT_JT_NAME) { return it_jparse_wrong(p, "a name"); }
        field->a = node;
        field->name = next(p)->value.u.text;
        node = field;
    }
    *out = node;
    return IT_OK;
}

static enum it_status target(struct it_jparser *p, bool with_space, struct it_jnode **out)
{
    IT_TRY(one_target(p, with_space, out));
    if (it_jparse_peek(p)->kind != IT_JT_COMMA) { return IT_OK; }
    struct it_jnode *tuple = it_jparse_node(p, IT_JN_TUPLE);
    it_jparse_add(p, tuple, *out);
    while (it_jparse_skip(p, IT_JT_COMMA)) {
        struct it_jnode *item;
        if (it_jparse_peek(p)->kind != IT_JT_NAME && it_jparse_peek(p)->kind != IT_JT_LPAREN) {
            break;
        }
        if (it_jparse_is_name(p, "in")) { break; }
        IT_TRY(one_target(p, with_space, &item));
        it_jparse_add(p, tuple, item);
    }
    *out = tuple;
    return IT_OK;
}

/* ---- statements ---- */

static enum it_status body(struct it_jparser *p, const char *const *ends, struct it_jnode *into);

static enum it_status block_end(struct it_jparser *p)
{
    return it_jparse_expect(p, IT_JT_BLOCK_END, "%}");
}

static enum it_status statement_if(struct it_jparser *p, struct it_jnode **out)
{
    static const char *const ends[] = {"elif", "else", "endif", NULL};
    struct it_jnode *node = it_jparse_node(p, IT_JN_WHEN), *last = node;
    for (;;) {
        IT_TRY(it_jparse_tuple(p, false, &last->a));
        IT_TRY(block_end(p));
        IT_TRY(body(p, ends, last));
        if (!it_jparse_skip_name(p, "elif")) { break; }
        last->c = it_jparse_node(p, IT_JN_WHEN);
        last = last->c;
    }
    if (it_jparse_skip_name(p, "else")) {
        IT_TRY(block_end(p));
        last->c = it_jparse_node(p, IT_JN_BODY);
        IT_TRY(body(p, ends + 2, last->c));
    }
    *out = node;
    next(p); /* endif */
    return block_end(p);
}

static enum it_status statement_for(struct it_jparser *p, struct it_jnode **out)
{
    static const char *const ends[] = {"else", "endfor", NULL};
    struct it_jnode *node = it_jparse_node(p, IT_JN_FOR);
    IT_TRY(target(p, false, &node->a));
    if (!it_jparse_skip_name(p, "in")) { return it_jparse_wrong(p, "in"); }
    IT_TRY(it_jparse_tuple(p, false, &node->b));
    if (it_jparse_skip_name(p, "if")) { IT_TRY(it_jparse_expression(p, true, &node->test)); }
    if (it_jparse_is_name(p, "recursive")) {
        return it_jinja_refuse(p->jinja, node->line, "recursive loops are not known here");
    }
    IT_TRY(block_end(p));
    p->loops++;
    IT_TRY(body(p, ends, node));
    p->loops--;
    if (it_jparse_skip_name(p, "else")) {
        IT_TRY(block_end(p));
        node->c = it_jparse_node(p, IT_JN_BODY);
        IT_TRY(body(p, ends + 1, node->c));
    }
    *out = node;
    next(p); /* endfor */
    return block_end(p);
}

/* A body whose output is kept back: a loop around it cannot be left from inside. */
static enum it_status captured_body(struct it_jparser *p, const char *const *ends,
                                    struct it_jnode *node)
{
    int loops = p->loops;
    p->loops = 0;
    IT_TRY(body(p, ends, node));
    p->loops = loops;
    next(p); /* its end's name */
    return block_end(p);
}

static enum it_status statement_set(struct it_jparser *p, struct it_jnode **out)
{
    static const char *const ends[] = {"endset", NULL};
    struct it_jnode *node = it_jparse_node(p, IT_JN_SET);
    IT_TRY(target(p, true, &node->a));
    *out = node;
    if (it_jparse_skip(p, IT_JT_ASSIGN)) {
        IT_TRY(it_jparse_tuple(p, true, &node->b));
        return block_end(p);
    }
    node->kind = IT_JN_CAPTURE;
    if (node->a->kind == IT_JN_TUPLE) { return it_jparse_wrong(p, "="); }
    IT_TRY(it_jparse_filters(p, NULL, &node->b));
    IT_TRY(block_end(p));
    return captured_body(p, ends, node);
}

static enum it_status statement_with(struct it_jparser *p, struct it_jnode **out)
{
    static const char *const ends[] = {"endwith", NULL};
    struct it_jnode *node = it_jparse_node(p, IT_JN_WITH);
    while (it_jparse_peek(p)->kind != IT_JT_BLOCK_END) {
        if (node->n) { IT_TRY(it_jparse_expect(p, IT_JT_COMMA, ",")); }
        struct it_jnode *set = it_jparse_node(p, IT_JN_SET);
        IT_TRY(one_target(p, false, &set->a));
        IT_TRY(it_jparse_expect(p, IT_JT_ASSIGN, "="));
        IT_TRY(it_jparse_expression(p, true, &set->b));
        it_jparse_add(p, node, set);
    }
    IT_TRY(block_end(p));
    node->c = it_jparse_node(p, IT_JN_BODY);
    IT_TRY(body(p, ends, node->c));
    *out = node;
    next(p);
    return block_end(p);
}

static enum it_status macro_parameters(struct it_jparser *p, struct it_jnode *node)
{
    IT_TRY(it_jparse_expect(p, IT_JT_LPAREN, "("));
    while (!it_jparse_skip(p, IT_JT_RPAREN)) {
        if (node->n) { IT_TRY(it_jparse_expect(p, IT_JT_COMMA, ", or )")); }
        struct it_jnode *parameter = it_jparse_node(p, IT_JN_ARG);
        if (it_jparse_peek(p)->kind != IT_JT_NAME) { return it_jparse_wrong(p, "a name"); }
        parameter->name = next(p)->value.u.text;
        if (it_jparse_skip(p, IT_JT_ASSIGN)) {
            IT_TRY(it_jparse_expression(p, true, &parameter->a));
        } else if (node->n && node->item[node->n - 1]->a) {
            return it_jparse_wrong(p, "= (a parameter without a default after one with)");
        }
        it_jparse_add(p, node, parameter);
    }
    return IT_OK;
}

static enum it_status statement_macro(struct it_jparser *p, struct it_jnode **out)
{
    static const char *const ends[] = {"endmacro", NULL};
    struct it_jnode *node = it_jparse_node(p, IT_JN_MACRO);
    int loops = p->loops;
    bool outer = p->in_macro;
    if (it_jparse_peek(p)->kind != IT_JT_NAME) { return it_jparse_wrong(p, "a macro's name"); }
    node->name = next(p)->value.u.text;
    IT_TRY(macro_parameters(p, node));
    IT_TRY(block_end(p));
    node->c = it_jparse_node(p, IT_JN_BODY);
    p->loops = 0;
    p->in_macro = true;
    IT_TRY(body(p, ends, node->c));
    p->loops = loops;
    p->in_macro = outer;
    *out = node;
    next(p);
    it_jparse_skip_name(p, node->name);
    return block_end(p);
}

static enum it_status statement_filter(struct it_jparser *p, struct it_jnode **out)
{
    static const char *const ends[] = {"endfilter", NULL};
    struct it_jnode *node = it_jparse_node(p, IT_JN_FILTERED);
    /* the first filter comes without its | */
    p->jinja->token[--p->at].kind = IT_JT_PIPE;
    IT_TRY(it_jparse_filters(p, NULL, &node->b));
    IT_TRY(block_end(p));
    *out = node;
    return captured_body(p, ends, node);
}

static enum it_status statement_generation(struct it_jparser *p, struct it_jnode **out)
{
    static const char *const ends[] = {"endgeneration", NULL};
    *out = it_jparse_node(p, IT_JN_SCOPE);
    IT_TRY(block_end(p));
    return captured_body(p, ends, *out);
}

static enum it_status leave_loop(struct it_jparser *p, enum it_jnode_kind kind,
                                 struct it_jnode **out)
{
    *out = it_jparse_node(p, kind);
    if (p->loops) { return block_end(p); }
    return it_jinja_refuse(p->jinja, (*out)->line, "{%% %s %%} outside of a loop",
                           kind == IT_JN_BREAK ? "break" : "continue");
}

static enum it_status statement_break(struct it_jparser *p, struct it_jnode **out)
{
    return leave_loop(p, IT_JN_BREAK, out);
}

static enum it_status statement_continue(struct it_jparser *p, struct it_jnode **out)
{
    return leave_loop(p, IT_JN_CONTINUE, out);
}

static const struct {
    const char *name;
    enum it_status (*parse)(struct it_jparser *p, struct it_jnode **out);
} statements[] = {{"if", statement_if},         {"for", statement_for},
                  {"set", statement_set},       {"with", statement_with},
                  {"macro", statement_macro},   {"filter", statement_filter},
                  {"break", statement_break},   {"continue", statement_continue},
                  {"generation", statement_generation}};

static enum it_status statement(struct it_jparser *p, struct it_jnode **out)
{
    const struct it_jtoken *token = it_jparse_peek(p);
    if (token->kind != IT_JT_NAME) { return it_jparse_wrong(p, "a statement"); }
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        if (!it_jparse_skip_name(p, statements[i].name)) { continue; }
        IT_TRY(it_jparse_enter(p));
        IT_TRY(statements[i].parse(p, out));
        p->depth--;
        return IT_OK;
    }
    if (it_starts_with(token->value.u.text, "end") || it_jparse_is_name(p, "else") ||
        it_jparse_is_name(p, "elif")) {
        return it_jinja_refuse(p->jinja, token->line, "{%% %s %%} ends nothing here",
                               token->value.u.text);
    }
    return it_jinja_refuse(p->jinja, token->line, "the statement {%% %.40s %%} is not known here",
                           token->value.u.text);
}

static bool is_end(const struct it_jparser *p, const char *const *ends)
{
    for (; *ends; ends++) {
        if (it_jparse_is_name(p, *ends)) { return true; }
    }
    return false;
}

/* Pieces up to the name (not passed) of one of `ends`, or for NULL to the end of the template. */
static enum it_status body(struct it_jparser *p, const char *const *ends, struct it_jnode *into)
{
    for (;;) {
        const struct it_jtoken *token = it_jparse_peek(p);
        struct it_jnode *node = NULL;
        if (token->kind == IT_JT_END) {
            if (!ends) { return IT_OK; }
            return it_jinja_refuse(p->jinja, into->line, "a block without its {%% %s %%}",
                                   ends[0][0] == 'e' && ends[1] ? ends[ends[2] ? 2 : 1] : ends[0]);
        }
        if (token->kind == IT_JT_TEXT) {
            node = it_jparse_node(p, IT_JN_TEXT);
            node->value = next(p)->value;
        } else if (token->kind == IT_JT_PRINT_BEGIN) {
            node = it_jparse_node(p, IT_JN_PRINT);
            next(p);
            IT_TRY(it_jparse_tuple(p, true, &node->a));
            IT_TRY(it_jparse_expect(p, IT_JT_PRINT_END, "}}"));
        } else {
            IT_TRY(it_jparse_expect(p, IT_JT_BLOCK_BEGIN, "{%"));
            if (ends && is_end(p, ends)) { return IT_OK; }
            IT_TRY(statement(p, &node));
        }
        it_jparse_add(p, into, node);
    }
}

enum it_status it_jinja_parse(struct it_jinja *jinja)
{
    struct it_jparser p = {.jinja = jinja};
    jinja->body = it_jparse_node(&p, IT_JN_BODY);
    return body(&p, NULL, jinja->body);
}
