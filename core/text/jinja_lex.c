/* SPDX-License-Identifier: MIT */
/* A template cut into tokens, with the white space that tags take away. The environment is that of
 * the transformers library: the newline behind a block or comment is removed, and so is white space
 * between the start of a line and a block; "-" in a tag takes all white space beside it, "+" turns
 * the removal off. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/text/jinja_internal.h"

struct lexer {
    struct it_jinja *jinja;
    const char *text;
    size_t n, at;
    int line;
    bool line_starting; /* what was read before ends with a newline, or nothing was */
};

enum it_status it_jinja_refuse(const struct it_jinja *jinja, int line, const char *format, ...)
{
    char cause[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(cause, sizeof cause, format, arguments);
    va_end(arguments);
    return it_fail(IT_INVALID, "%s: chat template, line %d: %s", jinja->where, line, cause);
}

static void put(struct lexer *x, enum it_jtoken_kind kind, struct it_jvalue value)
{
    struct it_jinja *j = x->jinja;
    j->token = it_grow(j->token, &j->cap, j->tokens + 1, sizeof *j->token);
    j->token[j->tokens++] = (struct it_jtoken){.kind = kind, .line = x->line, .value = value};
}

static void advance(struct lexer *x, size_t to)
{
    for (; x->at < to; x->at++) { x->line += x->text[x->at] == '\n'; }
}

static bool starts(const struct lexer *x, size_t at, const char *what)
{
    size_t n = strlen(what);
    return x->n - at >= n && memcmp(x->text + at, what, n) == 0;
}

static size_t skip_space(const struct lexer *x, size_t at)
{
    size_t bytes;
    while (at < x->n && it_jspace(it_jchar_at(x->text + at, x->n - at, &bytes))) { at += bytes; }
    return at;
}

/* ---- inside of tags ---- */

static const struct {
    const char *text;
    enum it_jtoken_kind kind;
} operators[] = { /* longer ones first */
    {"//", IT_JT_FLOORDIV}, {"**", IT_JT_POW}, {"==", IT_JT_EQ}, {"!=", IT_JT_NE},
    {">=", IT_JT_GE}, {"<=", IT_JT_LE}, {"+", IT_JT_ADD}, {"-", IT_JT_SUB}, {"/", IT_JT_DIV},
    {"*", IT_JT_MUL}, {"%", IT_JT_MOD}, {"~", IT_JT_TILDE}, {"[", IT_JT_LBRACKET},
    {"]", IT_JT_RBRACKET}, {"(", IT_JT_LPAREN}, {")", IT_JT_RPAREN}, {"{", IT_JT_LBRACE},
    {"}", IT_JT_RBRACE}, {">", IT_JT_GT}, {"<", IT_JT_LT}, {"=", IT_JT_ASSIGN}, {".", IT_JT_DOT},
    {":", IT_JT_COLON}, {"|", IT_JT_PIPE}, {",", IT_JT_COMMA}, {";", IT_JT_SEMICOLON}};

/* `digits` hexadecimal digits at text[*at], or octal ones, at most so many. */
static bool read_code(const char *text, size_t n, size_t *at, int digits, int base, int32_t *code)
{
    int got = 0;
    *code = 0;
    while (got < digits && *at < n) {
        char c = text[*at];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : 99;
        if (digit >= base || *code > 0x10ffff) { break; }
        *code = *code * base + digit;
        got++;
        (*at)++;
    }
    bool surrogate = *code >= 0xd800 && *code < 0xe000;
    return (base == 8 || got == digits) && *code <= 0x10ffff && !surrogate;
}

/* What follows a backslash, as Python reads it. */
static bool read_escape(const char *text, size_t n, size_t *at, struct it_str *out)
{
    static const char plain[] = "\\'\"abfnrtv", meant[] = "\\'\"\a\b\f\n\r\t\v";
    char c = text[(*at)++];
    const char *found = c ? strchr(plain, c) : NULL;
    int32_t code;
    if (found) {
        it_str_putc(out, meant[found - plain]);
    } else if (c >= '0' && c <= '7') {
        (*at)--;
        if (!read_code(text, n, at, 3, 8, &code)) { return false; }
        it_jchar_add(out, code);
    } else if (c == 'x' || c == 'u' || c == 'U') {
        if (!read_code(text, n, at, c == 'x' ? 2 : c == 'u' ? 4 : 8, 16, &code)) { return false; }
        it_jchar_add(out, code);
    } else if (c == 'N' || (unsigned char)c >= 0x80) {
        return false; /* names of characters; what Python makes of the other is nobody's wish */
    } else if (c != '\n') {
        it_str_putc(out, '\\');
        it_str_putc(out, c);
    }
    return true;
}

static enum it_status read_string(struct lexer *x)
{
    char quote = x->text[x->at];
    size_t end = x->at + 1;
    while (end < x->n && x->text[end] != quote) { end += x->text[end] == '\\' ? 2 : 1; }
    if (end >= x->n) {
        return it_jinja_refuse(x->jinja, x->line, "a text in quotes that doesn't end");
    }
    struct it_str out = {0};
    for (size_t i = x->at + 1; i < end;) {
        char c = x->text[i++];
        if (c != '\\') {
            it_str_putc(&out, c);
        } else if (!read_escape(x->text, end, &i, &out)) {
            it_str_free(&out);
            return it_jinja_refuse(x->jinja, x->line, "the escape \\%c in a text is not known",
                                   x->text[i - 1] & 0x7f);
        }
    }
    put(x, IT_JT_STRING,
        it_jtext(it_jarena_copy(&x->jinja->arena, it_str_c(&out), out.len), out.len));
    it_str_free(&out);
    advance(x, end + 1);
    return IT_OK;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_';
}

/* Past digits with single _ between them. */
static size_t digits_end(const struct lexer *x, size_t at)
{
    while (at < x->n && (is_digit(x->text[at]) || (x->text[at] == '_' && at + 1 < x->n &&
                                                   is_digit(x->text[at + 1])))) {
        at++;
    }
    return at;
}

static enum it_status read_number(struct lexer *x)
{
    size_t end = digits_end(x, x->at), next = end;
    bool real = false;
    bool after_dot = x->at > 0 && x->text[x->at - 1] == '.'; /* x.0.1 is two subscripts */
    if (!after_dot && next + 1 < x->n && x->text[next] == '.' && is_digit(x->text[next + 1])) {
        end = next = digits_end(x, next + 1);
        real = true;
    }
    if (!after_dot && next < x->n && (x->text[next] == 'e' || x->text[next] == 'E')) {
        next++;
        if (next < x->n && (x->text[next] == '+' || x->text[next] == '-')) { next++; }
        if (next < x->n && is_digit(x->text[next])) {
            end = digits_end(x, next);
            real = true;
        }
    }
    char digits[64];
    size_t n = 0;
    for (size_t i = x->at; i < end && n + 1 < sizeof digits; i++) {
        if (x->text[i] != '_') { digits[n++] = x->text[i]; }
    }
    digits[n] = '\0';
    bool zero_first = !real && n > 1 && digits[0] == '0';
    if (n + 1 == sizeof digits || zero_first || (end < x->n && is_word(x->text[end])) ||
        (!real && n > 18)) {
        return it_jinja_refuse(x->jinja, x->line, "the number %.20s... is not known here", digits);
    }
    if (real) {
        put(x, IT_JT_REAL, it_jreal(strtod(digits, NULL)));
    } else {
        put(x, IT_JT_INT, it_jint(strtoll(digits, NULL, 10)));
    }
    advance(x, end);
    return IT_OK;
}

static enum it_status read_inside(struct lexer *x, int *nesting)
{
    char c = x->text[x->at];
    if (c == '\'' || c == '"') { return read_string(x); }
    if (is_digit(c)) { return read_number(x); }
    if (is_word(c)) {
        size_t end = x->at;
        while (end < x->n && is_word(x->text[end])) { end++; }
        put(x, IT_JT_NAME,
            it_jtext(it_jarena_copy(&x->jinja->arena, x->text + x->at, end - x->at), end - x->at));
        advance(x, end);
        return IT_OK;
    }
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        if (!starts(x, x->at, operators[i].text)) { continue; }
        enum it_jtoken_kind kind = operators[i].kind;
        *nesting += kind == IT_JT_LPAREN || kind == IT_JT_LBRACKET || kind == IT_JT_LBRACE;
        *nesting -= kind == IT_JT_RPAREN || kind == IT_JT_RBRACKET || kind == IT_JT_RBRACE;
        if (*nesting < 0) { return it_jinja_refuse(x->jinja, x->line, "unexpected %c", c); }
        put(x, kind, it_jundefined(NULL));
        advance(x, x->at + strlen(operators[i].text));
        return IT_OK;
    }
    return it_jinja_refuse(x->jinja, x->line, "unexpected character \"%.*s\"",
                           (int)it_jchars_skip(x->text + x->at, x->n - x->at, 1), x->text + x->at);
}

/* Past the end of a tag that ends here: "%}", "-%}" with the white space behind it, "+%}". 0: it
 * doesn't. */
static size_t tag_end(const struct lexer *x, size_t at, const char *close, bool trims)
{
    if (starts(x, at, close)) {
        at += 2;
        return trims && at < x->n && x->text[at] == '\n' ? at + 1 : at;
    }
    if (x->text[at] == '-' && starts(x, at + 1, close)) { return skip_space(x, at + 3); }
    if (trims && x->text[at] == '+' && starts(x, at + 1, close)) { return at + 3; }
    return 0;
}

static enum it_status read_tag(struct lexer *x, bool block)
{
    const char *close = block ? "%}" : "}}";
    int nesting = 0, first = x->line;
    size_t end;
    for (;;) {
        advance(x, skip_space(x, x->at));
        if (x->at >= x->n) {
            return it_jinja_refuse(x->jinja, first, "a tag that doesn't end (%s is missing)",
                                   close);
        }
        end = nesting ? 0 : tag_end(x, x->at, close, block);
        if (end) { break; }
        IT_TRY(read_inside(x, &nesting));
    }
    put(x, block ? IT_JT_BLOCK_END : IT_JT_PRINT_END, it_jundefined(NULL));
    advance(x, end);
    return IT_OK;
}

static enum it_status read_comment(struct lexer *x)
{
    for (size_t at = x->at; at + 1 < x->n; at++) {
        if (!starts(x, at, "#}")) { continue; }
        /* the sign is the character before, if the comment has one */
        bool sign = at > x->at && (x->text[at - 1] == '-' || x->text[at - 1] == '+');
        advance(x, tag_end(x, sign ? at - 1 : at, "#}", true));
        return IT_OK;
    }
    return it_jinja_refuse(x->jinja, x->line, "a comment that doesn't end (#} is missing)");
}

/* ---- outside ---- */

/* The text before a tag at `tag`, whose sign is there: what of it stays. */
static size_t text_end(const struct lexer *x, size_t from, size_t tag, char sign, bool strips)
{
    size_t end = tag, begin;
    if (sign == '-') {
        it_jstrip(x->text + from, tag - from, NULL, false, true, &begin, &end);
        return from + end;
    }
    if (sign == '+' || !strips) { return tag; }
    size_t line = tag;
    while (line > from && x->text[line - 1] != '\n') { line--; }
    if (line == from && !x->line_starting) { return tag; }
    return skip_space(x, line) >= tag ? line : tag;
}

static void put_text(struct lexer *x, size_t from, size_t to)
{
    if (to > from) {
        put(x, IT_JT_TEXT, it_jtext(it_jarena_copy(&x->jinja->arena, x->text + from, to - from),
                                    to - from));
    }
}

/* "{% raw %}" at `at`: the end of the tag, or 0. */
static size_t word_tag(const struct lexer *x, size_t at, const char *word, bool trims)
{
    if (!starts(x, at, "{%")) { return 0; }
    at += 2;
    if (at < x->n && (x->text[at] == '-' || x->text[at] == '+')) { at++; }
    at = skip_space(x, at);
    if (!starts(x, at, word)) { return 0; }
    at = skip_space(x, at + strlen(word));
    if (at >= x->n) { return 0; }
    if (!trims && starts(x, at, "%}")) { return at + 2; }
    return trims || x->text[at] == '-' ? tag_end(x, at, "%}", true) : 0;
}

/* Everything up to {% endraw %} is text. */
static enum it_status read_raw(struct lexer *x)
{
    int first = x->line;
    for (size_t at = x->at; at < x->n; at++) {
        size_t end = x->text[at] == '{' ? word_tag(x, at, "endraw", true) : 0;
        if (!end) { continue; }
        put_text(x, x->at, text_end(x, x->at, at, x->text[at + 2], true));
        advance(x, end);
        return IT_OK;
    }
    return it_jinja_refuse(x->jinja, first, "{%% raw %%} without {%% endraw %%}");
}

static size_t next_tag(const struct lexer *x, size_t at)
{
    for (; at + 1 < x->n; at++) {
        char c = x->text[at + 1];
        if (x->text[at] == '{' && (c == '{' || c == '%' || c == '#')) { return at; }
    }
    return x->n;
}

static enum it_status read_piece(struct lexer *x)
{
    size_t tag = next_tag(x, x->at);
    if (tag == x->n) {
        put_text(x, x->at, x->n);
        advance(x, x->n);
        return IT_OK;
    }
    char kind = x->text[tag + 1], sign = tag + 2 < x->n ? x->text[tag + 2] : '\0';
    put_text(x, x->at, text_end(x, x->at, tag, sign, kind != '{'));
    advance(x, tag);
    size_t raw = kind == '%' ? word_tag(x, tag, "raw", false) : 0;
    if (raw) {
        advance(x, raw);
        x->line_starting = x->text[x->at - 1] == '\n';
        return read_raw(x);
    }
    advance(x, tag + (sign == '-' || sign == '+' ? 3 : 2));
    if (kind == '#') { return read_comment(x); }
    put(x, kind == '%' ? IT_JT_BLOCK_BEGIN : IT_JT_PRINT_BEGIN, it_jundefined(NULL));
    return read_tag(x, kind == '%');
}

/* One newline is one character, and the last one is not part of the template. */
static void normalize(const char *text, size_t bytes, struct it_str *out)
{
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == '\r') {
            it_str_putc(out, '\n');
            i += i + 1 < bytes && text[i + 1] == '\n';
        } else {
            it_str_putc(out, text[i]);
        }
    }
    if (out->len && out->data[out->len - 1] == '\n') { out->data[--out->len] = '\0'; }
}

enum it_status it_jinja_lex(struct it_jinja *jinja, const char *text, size_t bytes)
{
    if (bytes > IT_JINJA_SOURCE_MAX) {
        return it_jinja_refuse(jinja, 1, "longer than %d bytes", IT_JINJA_SOURCE_MAX);
    }
    if (it_utf8_valid_prefix(text, bytes) != bytes) {
        return it_jinja_refuse(jinja, 1, "not UTF-8");
    }
    struct it_str source = {0};
    normalize(text, bytes, &source);
    struct lexer x = {.jinja = jinja, .text = it_str_c(&source), .n = source.len, .line = 1,
                      .line_starting = true};
    enum it_status status = IT_OK;
    while (status == IT_OK && x.at < x.n) {
        status = read_piece(&x);
        x.line_starting = x.at == 0 || x.text[x.at - 1] == '\n';
    }
    put(&x, IT_JT_END, it_jundefined(NULL));
    it_str_free(&source);
    return status;
}
