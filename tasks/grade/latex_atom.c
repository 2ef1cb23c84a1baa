/* SPDX-License-Identifier: MIT */
/* Parsing what products are made of: numbers, symbols, fractions, roots, functions, and the
 * exponents and subscripts that follow them. */
#include <string.h>

#include "tasks/grade/latex_internal.h"

/* ---- single arguments: \frac12, x^2, \sqrt3 ---- */

static struct it_expr *number_node(struct parser *parser, const char *text, size_t size)
{
    struct it_rational value;
    if (it_rational_parse(text, size, &value)) {
        return it_expr_number(parser->pool, value, memchr(text, '.', size) != NULL);
    }
    struct it_expr *node = it_expr_named(parser->pool, IT_EXPR_BIG, text, size);
    if (node != NULL) { node->decimal = memchr(text, '.', size) != NULL; }
    return node;
}

static struct it_expr *parse_braced(struct parser *parser)
{
    parser->token++;
    parser->keep_signs++;
    int bars = parser->bars;
    parser->bars = 0;
    struct it_expr *node = it_parse_list(parser);
    if (node != NULL && it_parse_at_command(parser, "choose")) { /* {n \choose k} */
        parser->token++;
        struct it_expr *both[2] = {node, it_parse_list(parser)};
        node = it_expr_call(parser->pool, "binom", both, 2);
    }
    parser->bars = bars;
    parser->keep_signs--;
    if (node == NULL || !it_parse_at_char(parser, '}')) { return NULL; }
    parser->token++;
    return node;
}

static struct it_expr *parse_atom(struct parser *parser);

/* An argument in braces or one atom. */
static struct it_expr *parse_argument(struct parser *parser)
{
    struct it_expr *node;
    if (++parser->depth > IT_PARSE_DEPTH) { return NULL; }
    if (it_parse_at_char(parser, '{')) {
        node = parse_braced(parser);
    } else if (it_parse_at_char(parser, '-')) {
        parser->token++;
        node = it_expr_unary(parser->pool, IT_EXPR_NEG, parse_argument(parser));
    } else {
        node = parse_atom(parser);
    }
    parser->depth--;
    return node;
}

static bool is_digits(const struct it_token *token)
{
    return memchr(token->text, '.', token->size) == NULL;
}

/* \frac{a}{b}, \frac12, \frac1{72}, \frac 59, \frac{3}7: bare digits are cut after the first. */
static struct it_expr *parse_fraction(struct parser *parser)
{
    parser->token++;
    const struct it_token *token = parser->token;
    if (token->kind == IT_TOKEN_NUMBER && token->size > 1 && is_digits(token)) {
        struct it_expr *top = number_node(parser, token->text, 1);
        struct it_expr *bottom = number_node(parser, token->text + 1, token->size - 1);
        parser->token++;
        return it_expr_binary(parser->pool, IT_EXPR_DIV, top, bottom);
    }
    struct it_expr *top = parse_argument(parser);
    if (top == NULL) { return NULL; }
    const struct it_token *below = parser->token;
    if (below->kind == IT_TOKEN_NUMBER && below->size > 1 && is_digits(below)) {
        struct it_expr *bottom = number_node(parser, below->text, 1);
        struct it_expr *rest = number_node(parser, below->text + 1, below->size - 1);
        parser->token++;
        return it_expr_binary(parser->pool, IT_EXPR_MUL,
                              it_expr_binary(parser->pool, IT_EXPR_DIV, top, bottom), rest);
    }
    return it_expr_binary(parser->pool, IT_EXPR_DIV, top, parse_argument(parser));
}

/* \sqrt{x}, \sqrt[3]{x}, \sqrt3, and \sqrt12 which is \sqrt{1}2. */
static struct it_expr *parse_root(struct parser *parser)
{
    struct it_expr *arg[2] = {NULL, NULL};
    parser->token++;
    if (it_parse_at_char(parser, '[')) {
        parser->token++;
        arg[1] = it_parse_sum(parser);
        if (arg[1] == NULL || !it_parse_at_char(parser, ']')) { return NULL; }
        parser->token++;
        arg[0] = parse_argument(parser);
        return it_expr_call(parser->pool, "root", arg, 2);
    }
    const struct it_token *token = parser->token;
    if (token->kind == IT_TOKEN_NUMBER && token->size > 1 &&
        memchr(token->text, '.', token->size) == NULL) {
        arg[0] = number_node(parser, token->text, 1);
        parser->token++;
        struct it_expr *rest = number_node(parser, token->text + 1, token->size - 1);
        return it_expr_binary(parser->pool, IT_EXPR_MUL, it_expr_call(parser->pool, "sqrt", arg, 1),
                              rest);
    }
    arg[0] = parse_argument(parser);
    return it_expr_call(parser->pool, "sqrt", arg, 1);
}

static struct it_expr *parse_binomial(struct parser *parser)
{
    struct it_expr *arg[2];
    parser->token++;
    arg[0] = parse_argument(parser);
    if (arg[0] == NULL) { return NULL; }
    arg[1] = parse_argument(parser);
    return it_expr_call(parser->pool, "binom", arg, 2);
}

/* ---- functions ---- */

struct function {
    const char *command, *name;
    bool several; /* takes a list in parentheses */
};

static const struct function functions[] = {
    {"sin", "sin", false},     {"cos", "cos", false},     {"tan", "tan", false},
    {"cot", "cot", false},     {"sec", "sec", false},     {"csc", "csc", false},
    {"arcsin", "asin", false}, {"arccos", "acos", false}, {"arctan", "atan", false},
    {"sinh", "sinh", false},   {"cosh", "cosh", false},   {"tanh", "tanh", false},
    {"ln", "ln", false},       {"log", "log", false},     {"exp", "exp", false},
    {"max", "max", true},      {"min", "min", true},      {"gcd", "gcd", true},
    {"lcm", "lcm", true},      {"det", "det", false},
};

static const struct function *find_function(const struct parser *parser)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (it_parse_at_command(parser, functions[i].command)) { return &functions[i]; }
    }
    return NULL;
}

/* What a function without parentheses takes: \sin 2x, but not past another function. */
static struct it_expr *parse_bare_argument(struct parser *parser)
{
    struct node_list factor = {.n = 0};
    while (it_parse_starts_factor(parser) && find_function(parser) == NULL) {
        if (!it_node_add(&factor, it_parse_factor(parser))) { return NULL; }
    }
    if (factor.n == 0) { return find_function(parser) != NULL ? it_parse_factor(parser) : NULL; }
    if (factor.n == 1) { return factor.item[0]; }
    return it_expr_new(parser->pool, IT_EXPR_MUL, 0, factor.item, factor.n);
}

static struct it_expr *parse_parenthesised(struct parser *parser, bool several,
                                           struct node_list *arg)
{
    struct it_expr *node = NULL;
    parser->token++;
    do {
        node = it_parse_sum(parser);
        if (!it_node_add(arg, node)) { return NULL; }
        if (!it_parse_at_char(parser, ',') || !several) { break; }
        parser->token++;
    } while (node != NULL);
    if (!it_parse_at_char(parser, ')') && !it_parse_at_char(parser, '}')) { return NULL; }
    parser->token++;
    return node;
}

static bool is_minus_one(const struct it_expr *node)
{
    return node->kind == IT_EXPR_NEG && node->arg[0]->kind == IT_EXPR_NUMBER &&
           node->arg[0]->value.num == 1 && node->arg[0]->value.den == 1;
}

static struct it_expr *parse_function(struct parser *parser, const struct function *function)
{
    struct it_expr *exponent = NULL, *base = NULL;
    struct node_list arg = {.n = 0};
    const char *name = function->name;
    parser->token++;
    while (it_parse_at_char(parser, '^') || it_parse_at_char(parser, '_')) {
        bool power = it_parse_at_char(parser, '^');
        parser->token++;
        struct it_expr *node = parse_argument(parser);
        if (node == NULL) { return NULL; }
        *(power ? &exponent : &base) = node;
    }
    bool open = it_parse_at_char(parser, '(') || it_parse_at_char(parser, '{');
    struct it_expr *last =
        open ? parse_parenthesised(parser, function->several, &arg) : parse_bare_argument(parser);
    if (last == NULL || (!open && !it_node_add(&arg, last))) { return NULL; }
    if (base != NULL && !it_node_add(&arg, base)) { return NULL; }
    if (exponent != NULL && is_minus_one(exponent)) {
        const char *const inverse[][2] = {{"sin", "asin"}, {"cos", "acos"}, {"tan", "atan"}};
        for (int i = 0; i < 3; i++) {
            if (strcmp(name, inverse[i][0]) == 0) {
                return it_expr_call(parser->pool, inverse[i][1], arg.item, arg.n);
            }
        }
    }
    struct it_expr *node = it_expr_call(parser->pool, name, arg.item, arg.n);
    return exponent == NULL ? node : it_expr_binary(parser->pool, IT_EXPR_POW, node, exponent);
}

/* ---- atoms ---- */

/* The name of a symbol, with its case folded if need be, and a subscript written plainly. */
static struct it_expr *symbol(struct parser *parser, const char *text, size_t size)
{
    char name[64];
    if (size == 0 || size >= sizeof name) {
        return it_expr_named(parser->pool, IT_EXPR_SYMBOL, text, size);
    }
    for (size_t i = 0; i < size; i++) {
        bool upper = text[i] >= 'A' && text[i] <= 'Z';
        name[i] = (char)(parser->fold_case && upper ? text[i] + ('a' - 'A') : text[i]);
    }
    return it_expr_named(parser->pool, IT_EXPR_SYMBOL, name, size);
}

static bool token_is_char(const struct it_token *token, char c)
{
    return token->kind == IT_TOKEN_CHAR && token->symbol == c;
}

/* f(2), P(A): a letter before one number or letter in parentheses is a function of it. */
static struct it_expr *parse_letter(struct parser *parser)
{
    const struct it_token *token = parser->token;
    parser->token++;
    char c = token->text[0];
    if (token->size == 1 && c == 'e') { return it_expr_new(parser->pool, IT_EXPR_E, 0, NULL, 0); }
    if (token->size == 1 && c == 'I') { return it_expr_new(parser->pool, IT_EXPR_I, 0, NULL, 0); }
    struct it_expr *name = symbol(parser, token->text, token->size);
    bool simple = token_is_char(token + 1, '(') &&
                  (token[2].kind == IT_TOKEN_NUMBER || token[2].kind == IT_TOKEN_LETTER) &&
                  token_is_char(token + 3, ')');
    if (!simple || name == NULL || strchr("ixyz", name->name[0]) != NULL) { return name; }
    parser->token += 1;
    struct it_expr *arg = parse_atom(parser);
    parser->token += 1;
    return it_expr_call(parser->pool, name->name, &arg, 1);
}

/* Commands that join or begin something else: no factor, and no symbol either. */
static bool is_operator(const struct parser *parser)
{
    static const char *const operators[] = {
        "pm",      "mp",         "cup",      "cap",    "setminus", "rfloor",     "rceil",
        "circ",    "degreemark", "squared",  "cubed",  "to",       "rightarrow", "Rightarrow",
        "implies", "iff",        "parallel", "perp",   "equiv",    "cong",       "sim",
        "subset",  "subseteq",   "forall",   "exists", "pmod",     "mod",        "bmod",
        "choose",  "int",        "lim",      "oint",   "iint"};
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        if (it_parse_at_command(parser, operators[i])) { return true; }
    }
    return false;
}

/* \sum_{k=1}^{n} and \prod with the factors that follow. */
static struct it_expr *parse_series(struct parser *parser, const char *name)
{
    struct it_expr *arg[4];
    struct node_list factor = {.n = 0};
    parser->token++;
    if (!token_is_char(parser->token, '_') || !token_is_char(parser->token + 1, '{')) {
        return NULL;
    }
    parser->token += 2;
    arg[0] = parser->token->kind == IT_TOKEN_LETTER ? parse_letter(parser) : NULL;
    if (arg[0] == NULL || arg[0]->kind != IT_EXPR_SYMBOL ||
        parser->token->kind != IT_TOKEN_RELATION || parser->token->symbol != '=') {
        return NULL;
    }
    parser->token++;
    arg[1] = it_parse_sum(parser);
    if (arg[1] == NULL || !it_parse_at_char(parser, '}')) { return NULL; }
    parser->token++;
    if (!it_parse_at_char(parser, '^')) { return NULL; }
    parser->token++;
    arg[2] = parse_argument(parser);
    while (arg[2] != NULL && it_parse_starts_factor(parser)) {
        if (!it_node_add(&factor, it_parse_factor(parser))) { return NULL; }
    }
    if (factor.n == 0) { return NULL; }
    arg[3] = it_expr_new(parser->pool, IT_EXPR_MUL, 0, factor.item, factor.n);
    return it_expr_call(parser->pool, name, arg, 4);
}

/* \overline{AB}, \vec{v}: the accent belongs to the name. */
static struct it_expr *parse_accent(struct parser *parser)
{
    const struct it_token *token = parser->token;
    parser->token++;
    struct it_expr *inner = parse_argument(parser);
    const char *name = it_expr_text(parser->pool, token->text, token->size);
    return name != NULL ? it_expr_call(parser->pool, name, &inner, 1) : NULL;
}

static struct it_expr *parse_command(struct parser *parser)
{
    static const char *const accents[] = {
        "overline",       "vec", "hat",     "bar",       "tilde",    "widehat",
        "overrightarrow", "dot", "overarc", "widetilde", "underline"};
    const struct it_token *token = parser->token;
    const struct function *function = find_function(parser);
    if (function != NULL) { return parse_function(parser, function); }
    if (it_parse_at_command(parser, "frac")) { return parse_fraction(parser); }
    if (it_parse_at_command(parser, "sqrt")) { return parse_root(parser); }
    if (it_parse_at_command(parser, "binom")) { return parse_binomial(parser); }
    if (it_parse_at_command(parser, "sum")) { return parse_series(parser, "sum"); }
    if (it_parse_at_command(parser, "prod")) { return parse_series(parser, "prod"); }
    if (is_operator(parser)) { return NULL; }
    if (it_parse_at_command(parser, "lfloor")) { return it_parse_fence(parser, "rfloor", "floor"); }
    if (it_parse_at_command(parser, "lceil")) { return it_parse_fence(parser, "rceil", "ceil"); }
    for (size_t i = 0; i < sizeof accents / sizeof *accents; i++) {
        if (it_parse_at_command(parser, accents[i])) { return parse_accent(parser); }
    }
    parser->token++;
    if (token->symbol == 'S') {
        return it_expr_named(parser->pool, IT_EXPR_NAMED_SET, token->text, token->size);
    }
    parser->token--;
    enum it_expr_kind constant = IT_EXPR_SYMBOL;
    if (it_parse_at_command(parser, "pi")) { constant = IT_EXPR_PI; }
    if (it_parse_at_command(parser, "infty")) { constant = IT_EXPR_INFINITY; }
    bool empty = it_parse_at_command(parser, "emptyset");
    parser->token++;
    if (empty) { return it_expr_new(parser->pool, IT_EXPR_SET, 1, NULL, 0); }
    if (constant != IT_EXPR_SYMBOL) { return it_expr_new(parser->pool, constant, 0, NULL, 0); }
    return symbol(parser, token->text, token->size);
}

static struct it_expr *parse_atom(struct parser *parser)
{
    const struct it_token *token = parser->token;
    switch (token->kind) {
    case IT_TOKEN_NUMBER: parser->token++; return number_node(parser, token->text, token->size);
    case IT_TOKEN_LETTER: return parse_letter(parser);
    case IT_TOKEN_TEXT: parser->token++; return symbol(parser, token->text, token->size);
    case IT_TOKEN_COMMAND: return parse_command(parser);
    case IT_TOKEN_BEGIN: return it_parse_matrix(parser);
    case IT_TOKEN_CHAR:
        switch (token->symbol) {
        case '(':
        case '[': return it_parse_brackets(parser);
        case '{': return parse_braced(parser);
        case 'B': return it_parse_set_braces(parser);
        case '|': return parser->bars > 0 ? NULL : it_parse_bars(parser);
        default: return NULL;
        }
    default: return NULL;
    }
}

bool it_parse_starts_factor(const struct parser *parser)
{
    const struct it_token *token = parser->token;
    switch (token->kind) {
    case IT_TOKEN_NUMBER:
    case IT_TOKEN_LETTER:
    case IT_TOKEN_TEXT:
    case IT_TOKEN_BEGIN: return true;
    case IT_TOKEN_CHAR:
        return token->symbol == '(' || token->symbol == '[' || token->symbol == '{' ||
               token->symbol == 'B' || (token->symbol == '|' && parser->bars == 0);
    case IT_TOKEN_COMMAND: return !is_operator(parser);
    default: return false;
    }
}

/* ---- what follows an atom ---- */

static bool is_symbol_like(const struct it_expr *node)
{
    return node->kind == IT_EXPR_SYMBOL ||
           (node->kind == IT_EXPR_CALL && node->n == 1 && strlen(node->name) == 1);
}

/* The tokens of a subscript, joined: x_{10}, a_n. Numbers ignore theirs (a base), as the reference
 * grader does. */
static struct it_expr *subscript(struct parser *parser, struct it_expr *node)
{
    struct it_str name = {0};
    int depth = 0;
    parser->token++;
    it_str_printf(&name, "%s_", node->name);
    do {
        const struct it_token *token = parser->token;
        if (token->kind == IT_TOKEN_END) { break; }
        if (token_is_char(token, '{')) {
            depth++;
        } else if (token_is_char(token, '}')) {
            depth--;
        } else if (token->size > 0) {
            it_str_add(&name, token->text, token->size);
        } else {
            it_str_putc(&name, token->symbol);
        }
        parser->token++;
    } while (depth > 0);
    struct it_expr *result = node;
    if (depth != 0) {
        result = NULL;
    } else if (is_symbol_like(node)) {
        result = symbol(parser, it_str_c(&name), name.len);
    }
    it_str_free(&name);
    return result;
}

static bool at_degrees(const struct parser *parser)
{
    const struct it_token *token = parser->token;
    if (token->kind != IT_TOKEN_COMMAND) { return false; }
    return it_parse_at_command(parser, "circ") || it_parse_at_command(parser, "degreemark");
}

/* ^\circ, ^{\circ}, ^T: no power. True when it was one of them and is passed. */
static bool pass_mark(struct parser *parser, struct it_expr **node)
{
    const struct it_token *start = parser->token;
    bool braced = token_is_char(start + 1, '{');
    parser->token += braced ? 2 : 1;
    bool degrees = at_degrees(parser);
    bool transpose = (*node)->kind == IT_EXPR_MATRIX && parser->token->size > 0 &&
                     (parser->token->text[0] == 'T' || it_parse_at_command(parser, "top"));
    if (parser->token->kind != IT_TOKEN_END) { parser->token++; }
    if ((!degrees && !transpose) || (braced && !it_parse_at_char(parser, '}'))) {
        parser->token = start;
        return false;
    }
    if (braced) { parser->token++; }
    if (transpose) { *node = it_expr_call(parser->pool, "transpose", node, 1); }
    return true;
}

static struct it_expr *power(struct parser *parser, struct it_expr *node, struct it_expr *exponent)
{
    if (exponent != NULL && node->kind == IT_EXPR_E) {
        return it_expr_call(parser->pool, "exp", &exponent, 1);
    }
    return it_expr_binary(parser->pool, IT_EXPR_POW, node, exponent);
}

struct it_expr *it_parse_factor(struct parser *parser)
{
    if (++parser->depth > IT_PARSE_DEPTH) { return NULL; }
    struct it_expr *node = parse_atom(parser);
    while (node != NULL) {
        if (it_parse_at_char(parser, '^')) {
            if (pass_mark(parser, &node)) { continue; }
            parser->token++;
            node = power(parser, node, parse_argument(parser));
        } else if (it_parse_at_char(parser, '_')) {
            node = subscript(parser, node);
        } else if (it_parse_at_char(parser, '!')) {
            parser->token++;
            node = it_expr_call(parser->pool, "factorial", &node, 1);
        } else if (it_parse_at_char(parser, '%')) {
            parser->token++;
            node = it_expr_unary(parser->pool, IT_EXPR_PERCENT, node);
        } else if (at_degrees(parser)) {
            parser->token++;
        } else if (it_parse_at_command(parser, "squared") || it_parse_at_command(parser, "cubed")) {
            struct it_rational exponent = {it_parse_at_command(parser, "squared") ? 2 : 3, 1};
            parser->token++;
            node = power(parser, node, it_expr_number(parser->pool, exponent, false));
        } else {
            break;
        }
    }
    parser->depth--;
    return node;
}
