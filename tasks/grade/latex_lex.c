/* SPDX-License-Identifier: MIT */
/* Cutting a tidied answer into tokens. Spellings of one thing become one token here, so that the
 * grammar knows a single form of each. */
#include <string.h>

#include "core/base/mem.h"
#include "tasks/grade/latex.h"

enum { TEXT_MAX = 20000 };

struct lexer {
    const char *text;
    size_t size, at;
    bool spaced;
    bool foreign; /* a sign that is no mathematics was seen: prose, not a formula */
    struct it_expr_pool *pool;
    struct it_tokens *tokens;
};

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is(const char *text, size_t size, const char *word)
{
    return strlen(word) == size && memcmp(text, word, size) == 0;
}

static bool among(const char *text, size_t size, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (is(text, size, list[i])) { return true; }
    }
    return false;
}
#define AMONG(text, size, list) among(text, size, list, sizeof(list) / sizeof *(list))

static void put(struct lexer *lexer, enum it_token_kind kind, char symbol, const char *text,
                size_t size)
{
    struct it_tokens *tokens = lexer->tokens;
    tokens->item = it_grow(tokens->item, &tokens->cap, tokens->n + 1, sizeof *tokens->item);
    tokens->item[tokens->n++] = (struct it_token){kind, symbol, lexer->spaced, text, size};
    lexer->spaced = false;
}

static void put_char(struct lexer *lexer, char symbol)
{
    put(lexer, IT_TOKEN_CHAR, symbol, "", 0);
}

static void put_command(struct lexer *lexer, const char *name)
{
    put(lexer, IT_TOKEN_COMMAND, 0, name, strlen(name));
}

/* A comma that stands for "and" or "or": one is enough. */
static void put_conjunction(struct lexer *lexer)
{
    struct it_tokens *tokens = lexer->tokens;
    if (tokens->n > 0 && tokens->item[tokens->n - 1].kind == IT_TOKEN_CHAR &&
        tokens->item[tokens->n - 1].symbol == ',') {
        return;
    }
    put_char(lexer, ',');
}

static void drop_comma(struct lexer *lexer)
{
    struct it_tokens *tokens = lexer->tokens;
    bool comma = tokens->n > 0 && tokens->item[tokens->n - 1].kind == IT_TOKEN_CHAR &&
                 tokens->item[tokens->n - 1].symbol == ',';
    if (comma) { tokens->n--; }
}

/* One spelling and the token it stands for. */
struct spelling {
    const char *name;
    enum it_token_kind kind;
    char symbol;
    const char *command;
};

static const struct spelling commands[] = {
    {"le", IT_TOKEN_RELATION, 'l', NULL},
    {"leq", IT_TOKEN_RELATION, 'l', NULL},
    {"leqslant", IT_TOKEN_RELATION, 'l', NULL},
    {"leqq", IT_TOKEN_RELATION, 'l', NULL},
    {"ge", IT_TOKEN_RELATION, 'g', NULL},
    {"geq", IT_TOKEN_RELATION, 'g', NULL},
    {"geqslant", IT_TOKEN_RELATION, 'g', NULL},
    {"geqq", IT_TOKEN_RELATION, 'g', NULL},
    {"lt", IT_TOKEN_RELATION, '<', NULL},
    {"gt", IT_TOKEN_RELATION, '>', NULL},
    {"ne", IT_TOKEN_RELATION, '!', NULL},
    {"neq", IT_TOKEN_RELATION, '!', NULL},
    {"in", IT_TOKEN_RELATION, '=', NULL},
    {"approx", IT_TOKEN_RELATION, '~', NULL},
    {"approxeq", IT_TOKEN_RELATION, '~', NULL},
    {"simeq", IT_TOKEN_RELATION, '~', NULL},
    {"cdot", IT_TOKEN_CHAR, '*', NULL},
    {"times", IT_TOKEN_CHAR, '*', NULL},
    {"ast", IT_TOKEN_CHAR, '*', NULL},
    {"div", IT_TOKEN_CHAR, '/', NULL},
    {"colon", IT_TOKEN_CHAR, ':', NULL},
    {"lbrace", IT_TOKEN_CHAR, 'B', NULL},
    {"rbrace", IT_TOKEN_CHAR, 'E', NULL},
    {"lbrack", IT_TOKEN_CHAR, '[', NULL},
    {"rbrack", IT_TOKEN_CHAR, ']', NULL},
    {"vert", IT_TOKEN_CHAR, '|', NULL},
    {"lvert", IT_TOKEN_CHAR, '|', NULL},
    {"rvert", IT_TOKEN_CHAR, '|', NULL},
    {"mid", IT_TOKEN_CHAR, 'M', NULL},
    {"pm", IT_TOKEN_COMMAND, 0, "pm"},
    {"dfrac", IT_TOKEN_COMMAND, 0, "frac"},
    {"tfrac", IT_TOKEN_COMMAND, 0, "frac"},
    {"cfrac", IT_TOKEN_COMMAND, 0, "frac"},
    {"dbinom", IT_TOKEN_COMMAND, 0, "binom"},
    {"tbinom", IT_TOKEN_COMMAND, 0, "binom"},
    {"degree", IT_TOKEN_COMMAND, 0, "circ"},
    {"textdegree", IT_TOKEN_COMMAND, 0, "degreemark"},
    {"varnothing", IT_TOKEN_COMMAND, 0, "emptyset"},
    {"backslash", IT_TOKEN_COMMAND, 0, "setminus"},
    {"bigcup", IT_TOKEN_COMMAND, 0, "cup"},
    {"bigcap", IT_TOKEN_COMMAND, 0, "cap"},
    {"inf", IT_TOKEN_COMMAND, 0, "infty"},
    {"infinity", IT_TOKEN_COMMAND, 0, "infty"},
    {"arcsec", IT_TOKEN_COMMAND, 0, "asec"},
    {"arctg", IT_TOKEN_COMMAND, 0, "arctan"},
    {"tg", IT_TOKEN_COMMAND, 0, "tan"},
    {"ctg", IT_TOKEN_COMMAND, 0, "cot"},
    {"lg", IT_TOKEN_COMMAND, 0, "log"},
    {"varepsilon", IT_TOKEN_COMMAND, 0, "epsilon"},
    {"varphi", IT_TOKEN_COMMAND, 0, "phi"},
    {"vartheta", IT_TOKEN_COMMAND, 0, "theta"},
};

/* Glyphs outside ASCII. */
static const struct spelling glyphs[] = {
    {"\u00d7", IT_TOKEN_CHAR, '*', NULL},        {"\u00b7", IT_TOKEN_CHAR, '*', NULL},
    {"\u22c5", IT_TOKEN_CHAR, '*', NULL},        {"\u00f7", IT_TOKEN_CHAR, '/', NULL},
    {"\u2212", IT_TOKEN_CHAR, '-', NULL},        {"\u2264", IT_TOKEN_RELATION, 'l', NULL},
    {"\u2265", IT_TOKEN_RELATION, 'g', NULL},    {"\u2260", IT_TOKEN_RELATION, '!', NULL},
    {"\u2248", IT_TOKEN_RELATION, '~', NULL},    {"\u2208", IT_TOKEN_RELATION, '=', NULL},
    {"\u03c0", IT_TOKEN_COMMAND, 0, "pi"},       {"\u221e", IT_TOKEN_COMMAND, 0, "infty"},
    {"\u221a", IT_TOKEN_COMMAND, 0, "sqrt"},     {"\u222a", IT_TOKEN_COMMAND, 0, "cup"},
    {"\u2229", IT_TOKEN_COMMAND, 0, "cap"},      {"\u00b0", IT_TOKEN_COMMAND, 0, "degreemark"},
    {"\u2205", IT_TOKEN_COMMAND, 0, "emptyset"}, {"\u00b1", IT_TOKEN_COMMAND, 0, "pm"},
    {"\u03b8", IT_TOKEN_COMMAND, 0, "theta"},    {"\u03b1", IT_TOKEN_COMMAND, 0, "alpha"},
    {"\u03b2", IT_TOKEN_COMMAND, 0, "beta"},     {"\u00b2", IT_TOKEN_COMMAND, 0, "squared"},
    {"\u00b3", IT_TOKEN_COMMAND, 0, "cubed"},
};

/* Commands without meaning for the value. */
static const char *const ignored[] = {
    "left",         "right",  "big",       "Big",         "bigg",   "Bigg",  "bigl",      "bigr",
    "Bigl",         "Bigr",   "biggl",     "biggr",       "Biggl",  "Biggr", "quad",      "qquad",
    "displaystyle", "limits", "nolimits",  "textstyle",   "middle", "hline", "thinspace", "space",
    "null",         "strut",  "mathstrut", "scriptstyle", "rm",     "bf",    "it",
};

/* Of "1, 2, \ldots, 9" the members that are written remain. */
static const char *const dots[] = {"ldots", "dots", "cdots", "dotsc"};

/* Commands whose argument is words. */
static const char *const wordy[] = {
    "text",       "mbox",   "textbf",  "textit",  "textrm",   "textnormal", "textsf",
    "texttt",     "mathrm", "mathbf",  "mathit",  "mathsf",   "mathtt",     "operatorname",
    "boldsymbol", "bm",     "mathcal", "mathscr", "mathfrak", "hbox",       "textup",
};

/* Names that are functions even when they are written as words. */
static const char *const functions[] = {
    "sin",  "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "sinh", "cosh",
    "tanh", "ln",  "log", "exp", "max", "min", "gcd",    "lcm",    "det",    "sqrt",
};

/* "12", "1.5": a number that was put among words. */
static bool is_number(const char *text, size_t size)
{
    size_t points = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '.' && i > 0 && i + 1 < size) {
            points++;
        } else if (!is_digit(text[i])) {
            return false;
        }
    }
    return size > 0 && points < 2;
}

static void put_words(struct lexer *lexer, const char *text, size_t size)
{
    struct it_str kept = {0};
    for (size_t i = 0; i < size; i++) {
        if (strchr(" ()~{}", text[i]) == NULL || text[i] == '\0') { it_str_putc(&kept, text[i]); }
    }
    const char *data = it_str_c(&kept);
    size_t length = kept.len;
    while (length > 0 && strchr(",.;:", data[length - 1]) != NULL) { length--; }
    bool comma = kept.len > 0 && data[0] == ',';
    size_t skip = comma ? 1 : 0;
    if (length <= skip) {
        if (kept.len > 0 && (comma || data[0] == ';')) { put_conjunction(lexer); }
    } else if (is(data + skip, length - skip, "and") || is(data + skip, length - skip, "or")) {
        put_conjunction(lexer);
    } else if (is_number(data + skip, length - skip)) {
        const char *copy = it_expr_text(lexer->pool, data + skip, length - skip);
        if (copy != NULL) { put(lexer, IT_TOKEN_NUMBER, 0, copy, length - skip); }
    } else if (AMONG(data, length, functions)) {
        put_command(lexer, it_expr_text(lexer->pool, data, length));
    } else {
        const char *copy = it_expr_text(lexer->pool, data, length);
        if (copy != NULL) { put(lexer, IT_TOKEN_TEXT, 0, copy, length); }
    }
    it_str_free(&kept);
}

/* The braced (or single) argument at lexer->at; moves past it. */
static void argument(struct lexer *lexer, const char **text_out, size_t *size_out)
{
    while (lexer->at < lexer->size && lexer->text[lexer->at] == ' ') { lexer->at++; }
    size_t at = lexer->at, depth = 0;
    if (at == lexer->size || lexer->text[at] != '{') {
        *text_out = lexer->text + at;
        *size_out = at < lexer->size ? 1 : 0;
        lexer->at += *size_out;
        return;
    }
    for (; at < lexer->size; at++) {
        if (lexer->text[at] == '{') { depth++; }
        if (lexer->text[at] == '}' && --depth == 0) { break; }
    }
    *text_out = lexer->text + lexer->at + 1;
    *size_out = at - lexer->at - 1;
    lexer->at = at < lexer->size ? at + 1 : at;
}

static void environment(struct lexer *lexer, bool begin)
{
    const char *name;
    size_t size;
    argument(lexer, &name, &size);
    put(lexer, begin ? IT_TOKEN_BEGIN : IT_TOKEN_FINISH, 0, name, size);
    if (begin && is(name, size, "array")) { argument(lexer, &name, &size); } /* {cc} */
}

static void named_command(struct lexer *lexer, const char *name, size_t size)
{
    const char *inner;
    size_t inner_size;
    bool spaced = lexer->spaced;
    if (AMONG(name, size, dots)) { drop_comma(lexer); }
    if (AMONG(name, size, ignored) || AMONG(name, size, dots)) {
        lexer->spaced = true;
        bool fence = is(name, size, "left") || is(name, size, "right");
        if (fence && lexer->at < lexer->size && lexer->text[lexer->at] == '.') { lexer->at++; }
        return;
    }
    if (AMONG(name, size, wordy)) {
        argument(lexer, &inner, &inner_size);
        put_words(lexer, inner, inner_size);
        return;
    }
    if (is(name, size, "begin") || is(name, size, "end")) {
        environment(lexer, is(name, size, "begin"));
        return;
    }
    if (is(name, size, "mathbb") || is(name, size, "Bbb")) {
        argument(lexer, &inner, &inner_size);
        lexer->spaced = spaced;
        put(lexer, IT_TOKEN_COMMAND, 'S', inner, inner_size);
        return;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (is(name, size, commands[i].name)) {
            const char *text = commands[i].command != NULL ? commands[i].command : "";
            put(lexer, commands[i].kind, commands[i].symbol, text, strlen(text));
            return;
        }
    }
    put(lexer, IT_TOKEN_COMMAND, 0, name, size);
}

static void backslash(struct lexer *lexer)
{
    size_t at = lexer->at + 1, end = at;
    while (end < lexer->size && is_alpha(lexer->text[end])) { end++; }
    if (end > at) {
        lexer->at = end;
        named_command(lexer, lexer->text + at, end - at);
        return;
    }
    char next = at < lexer->size ? lexer->text[at] : '\0';
    lexer->at = at < lexer->size ? at + 1 : at;
    switch (next) {
    case '{': put_char(lexer, 'B'); break;
    case '}': put_char(lexer, 'E'); break;
    case '|': put_char(lexer, '|'); break;
    case '%': put_char(lexer, '%'); break;
    case '\\': put_char(lexer, '\n'); break;
    default: lexer->spaced = true; break; /* spacing: \, \: \; and the like */
    }
}

static bool glyph(struct lexer *lexer)
{
    for (size_t i = 0; i < sizeof glyphs / sizeof *glyphs; i++) {
        size_t length = strlen(glyphs[i].name);
        if (lexer->size - lexer->at >= length &&
            memcmp(lexer->text + lexer->at, glyphs[i].name, length) == 0) {
            const char *text = glyphs[i].command != NULL ? glyphs[i].command : "";
            put(lexer, glyphs[i].kind, glyphs[i].symbol, text, strlen(text));
            lexer->at += length;
            return true;
        }
    }
    return false;
}

/* The digits under the bar of "0.1\overline{6}", when that is what stands at `at`. */
static size_t repeating(const struct lexer *lexer, size_t at, size_t *from_out)
{
    static const char bar[] = "\\overline{";
    size_t length = sizeof bar - 1, end = at + length;
    if (lexer->size - at < length || memcmp(lexer->text + at, bar, length) != 0) { return 0; }
    while (end < lexer->size && is_digit(lexer->text[end])) { end++; }
    if (end == lexer->size || lexer->text[end] != '}') { return 0; }
    *from_out = at + length;
    return end - at - length;
}

/* A decimal that repeats is the fraction (all digits - those before the bar) / 99..900..0. */
static bool put_repeating(struct lexer *lexer, size_t from, size_t at)
{
    enum { DIGITS = 30 };
    size_t bar, period = repeating(lexer, at, &bar);
    if (period == 0 || at - from + period > DIGITS) { return false; }
    it_wide before = 0, all, scale = 1, nines = 1;
    bool after = false;
    for (size_t i = from; i < at; i++) {
        if (lexer->text[i] == '.') {
            after = true;
            continue;
        }
        before = before * 10 + (lexer->text[i] - '0');
        if (after) { scale *= 10; }
    }
    all = before;
    for (size_t i = bar; i < bar + period; i++) {
        all = all * 10 + (lexer->text[i] - '0');
        nines *= 10;
    }
    /* the quotient of two integers of 18 digits at most, or none */
    it_wide top = all - before, bottom = (nines - 1) * scale;
    if (top > INT64_MAX || bottom > INT64_MAX) { return false; }
    struct it_str text[2] = {{0}, {0}};
    it_str_printf(&text[0], "%lld", (long long)top);
    it_str_printf(&text[1], "%lld", (long long)bottom);
    put_char(lexer, '(');
    for (int i = 0; i < 2; i++) {
        const char *copy = it_expr_text(lexer->pool, it_str_c(&text[i]), text[i].len);
        if (i == 1) { put_char(lexer, '/'); }
        if (copy != NULL) { put(lexer, IT_TOKEN_NUMBER, 0, copy, text[i].len); }
        it_str_free(&text[i]);
    }
    put_char(lexer, ')');
    lexer->at = bar + period + 1;
    return true;
}

static void number(struct lexer *lexer)
{
    size_t from = lexer->at, at = from;
    while (at < lexer->size && is_digit(lexer->text[at])) { at++; }
    if (at + 1 < lexer->size && lexer->text[at] == '.' && is_digit(lexer->text[at + 1])) {
        at++;
        while (at < lexer->size && is_digit(lexer->text[at])) { at++; }
    }
    bool point = at > from && memchr(lexer->text + from, '.', at - from) != NULL;
    bool ends_in_point = !point && at < lexer->size && lexer->text[at] == '.';
    if (put_repeating(lexer, from, at + (ends_in_point ? 1 : 0))) { return; }
    lexer->at = at;
    put(lexer, IT_TOKEN_NUMBER, 0, lexer->text + from, at - from);
}

/* A run of bare letters: a few are words, the others are symbols letter by letter. */
static void letters(struct lexer *lexer)
{
    size_t from = lexer->at, at = from;
    while (at < lexer->size && is_alpha(lexer->text[at])) { at++; }
    const char *run = lexer->text + from;
    size_t size = at - from;
    lexer->at = at;
    if (is(run, size, "and") || is(run, size, "or")) {
        put_conjunction(lexer);
    } else if (is(run, size, "sqrt")) {
        put_command(lexer, "sqrt");
    } else if (is(run, size, "inf") || is(run, size, "infty") || is(run, size, "infinity")) {
        put_command(lexer, "infty");
    } else if (is(run, size, "percent") || is(run, size, "percentage") || is(run, size, "pct")) {
        put_char(lexer, '%');
    } else {
        for (size_t i = 0; i < size; i++) { put(lexer, IT_TOKEN_LETTER, 0, run + i, 1); }
    }
}

static void other(struct lexer *lexer)
{
    char c = lexer->text[lexer->at];
    char next = lexer->at + 1 < lexer->size ? lexer->text[lexer->at + 1] : '\0';
    bool equal_next = next == '=';
    lexer->at++;
    if ((c == '<' || c == '>' || c == '!') && equal_next) {
        lexer->at++;
        put(lexer, IT_TOKEN_RELATION, c == '<' ? 'l' : c == '>' ? 'g' : '!', "", 0);
    } else if (c == '=' || c == '<' || c == '>') {
        put(lexer, IT_TOKEN_RELATION, c, "", 0);
    } else if (c == '*' && next == '*') {
        lexer->at++;
        put_char(lexer, '^');
    } else if ((unsigned char)c >= 0xe0) {
        lexer->foreign = true;
    } else if ((unsigned char)c >= 0x80) {
        /* an accented, Greek or Cyrillic letter: the whole sequence */
        size_t from = lexer->at - 1;
        while (lexer->at < lexer->size && ((unsigned char)lexer->text[lexer->at] & 0xc0) == 0x80) {
            lexer->at++;
        }
        put(lexer, IT_TOKEN_LETTER, 0, lexer->text + from, lexer->at - from);
    } else {
        put_char(lexer, c);
    }
}

bool it_latex_lex(const char *text, size_t size, struct it_expr_pool *pool,
                  struct it_tokens *tokens_out)
{
    if (size > TEXT_MAX) { return false; }
    struct lexer lexer = {.text = text, .size = size, .pool = pool, .tokens = tokens_out};
    while (lexer.at < size && !lexer.foreign) {
        char c = text[lexer.at];
        if (c == ' ' || c == '~') {
            lexer.spaced = true;
            lexer.at++;
        } else if (c == '\\') {
            backslash(&lexer);
        } else if (is_digit(c) ||
                   (c == '.' && lexer.at + 1 < size && is_digit(text[lexer.at + 1]))) {
            number(&lexer);
        } else if (is_alpha(c)) {
            letters(&lexer);
        } else if ((unsigned char)c >= 0x80 && glyph(&lexer)) {
            continue;
        } else {
            other(&lexer);
        }
    }
    put(&lexer, IT_TOKEN_END, 0, "", 0);
    return !pool->full && !lexer.foreign;
}

bool it_latex_same(const char *a, const char *b)
{
    if (strcmp(a, b) == 0) { return true; }
    struct it_expr_pool pool;
    struct it_tokens left = {0}, right = {0};
    it_expr_pool_init(&pool);
    bool same = it_latex_lex(a, strlen(a), &pool, &left) &&
                it_latex_lex(b, strlen(b), &pool, &right) && left.n == right.n && left.n > 1;
    for (size_t i = 0; same && i < left.n; i++) {
        const struct it_token *x = &left.item[i], *y = &right.item[i];
        same = x->kind == y->kind && x->symbol == y->symbol && x->size == y->size &&
               memcmp(x->text, y->text, x->size) == 0;
    }
    it_tokens_free(&left);
    it_tokens_free(&right);
    it_expr_pool_free(&pool);
    return same;
}

void it_tokens_free(struct it_tokens *tokens)
{
    it_free(tokens->item);
    *tokens = (struct it_tokens){0};
}
