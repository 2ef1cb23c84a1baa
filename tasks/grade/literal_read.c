/* SPDX-License-Identifier: MIT */
/* Reading literals: brackets, words, signs, space. */
#include <ctype.h>
#include <string.h>

#include "core/base/mem.h"
#include "tasks/grade/literal_internal.h"

enum { DEPTH_MAX = 200 }; /* CPython refuses more open brackets */

static bool read_value(struct it_literal_reader *r, struct it_literal *out);

/* ---- space ---- */

static bool skip_comment(struct it_literal_reader *r)
{
    if (r->syntax == IT_LITERAL_JSON || it_literal_peek(r, 0) != '#') { return false; }
    while (r->at < r->size && r->text[r->at] != '\n') { r->at++; }
    return true;
}

/* Inside brackets line breaks and comments are space too. */
static void skip_space(struct it_literal_reader *r)
{
    bool inside = r->depth > 0 || r->syntax == IT_LITERAL_JSON;
    for (;;) {
        char c = it_literal_peek(r, 0);
        if (c == ' ' || c == '\t' || (c == '\f' && r->syntax != IT_LITERAL_JSON) ||
            (inside && (c == '\n' || c == '\r'))) {
            r->at++;
        } else if (c == '\\' && it_literal_peek(r, 1) == '\n') {
            r->at += 2;
        } else if (!inside || !skip_comment(r)) {
            return;
        }
    }
}

static bool take(struct it_literal_reader *r, char c)
{
    skip_space(r);
    if (c == '\0' || it_literal_peek(r, 0) != c) { return false; }
    r->at++;
    return true;
}

static bool in_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

/* The word, and not the beginning of a longer one. */
static bool take_word(struct it_literal_reader *r, const char *word)
{
    size_t size = strlen(word);
    if (r->size - r->at < size || memcmp(r->text + r->at, word, size) != 0 ||
        in_word(it_literal_peek(r, size))) {
        return false;
    }
    r->at += size;
    return true;
}

/* ---- brackets ---- */

static void own_text(struct it_literal *literal, struct it_str *text)
{
    literal->size = text->len;
    literal->text = text->data != NULL ? it_str_take(text) : it_strdup("");
}

/* Items up to `close`; *commas_out counts the commas, so that (1) and (1,) differ. */
static bool read_items(struct it_literal_reader *r, char close, struct it_literal *out,
                       size_t *commas_out)
{
    size_t cap = 0;
    *commas_out = 0;
    while (!take(r, close)) {
        struct it_literal item;
        if (out->n > *commas_out || !read_value(r, &item)) { return false; }
        it_literal_add(out, &cap, &item);
        if (!take(r, ',')) { return take(r, close); }
        ++*commas_out;
    }
    return *commas_out == 0 || r->syntax != IT_LITERAL_JSON; /* JSON: no comma at the end */
}

static bool read_paren(struct it_literal_reader *r, struct it_literal *out)
{
    size_t commas;
    out->kind = IT_LITERAL_TUPLE;
    if (!read_items(r, ')', out, &commas)) { return false; }
    if (out->n != 1 || commas > 0) { return true; }
    struct it_literal inner = out->item[0]; /* (1) is 1 */
    it_free(out->item);
    *out = inner;
    return true;
}

static bool read_list(struct it_literal_reader *r, struct it_literal *out)
{
    size_t commas;
    out->kind = IT_LITERAL_LIST;
    return read_items(r, ']', out, &commas);
}

/* A set or a dict: the colon behind the first element decides. */
static bool read_brace(struct it_literal_reader *r, struct it_literal *out)
{
    size_t cap = 0;
    bool json = r->syntax == IT_LITERAL_JSON;
    out->kind = IT_LITERAL_DICT;
    while (!take(r, '}')) {
        struct it_literal item;
        skip_space(r);
        if ((json && it_literal_peek(r, 0) != '"') || !read_value(r, &item)) { return false; }
        it_literal_add(out, &cap, &item);
        bool pair = take(r, ':');
        if (out->n == 1) { out->kind = pair ? IT_LITERAL_DICT : IT_LITERAL_SET; }
        if (pair != (out->kind == IT_LITERAL_DICT) || (json && !pair)) { return false; }
        if (pair) {
            if (!read_value(r, &item)) { return false; }
            it_literal_add(out, &cap, &item);
        }
        if (!take(r, ',')) { return take(r, '}'); }
        skip_space(r);
        if (json && it_literal_peek(r, 0) == '}') { return false; }
    }
    return true;
}

static bool read_bracket(struct it_literal_reader *r, struct it_literal *out)
{
    char open = r->text[r->at++];
    if (++r->depth > DEPTH_MAX) { return false; }
    bool good = open == '('   ? read_paren(r, out)
                : open == '[' ? read_list(r, out)
                              : read_brace(r, out);
    r->depth--;
    return good;
}

/* ---- scalars ---- */

/* Strings side by side are one string. */
static bool read_strings(struct it_literal_reader *r, struct it_literal *out)
{
    struct it_str text = {0};
    bool bytes = false, first = true, good = true;
    do {
        bool more;
        good = it_literal_string(r, &more, &text) && (first || more == bytes);
        bytes = more;
        first = false;
        if (r->syntax == IT_LITERAL_JSON) { break; }
        skip_space(r);
    } while (good && it_literal_at_string(r));
    if (good) {
        out->kind = bytes ? IT_LITERAL_BYTES : IT_LITERAL_STR;
        own_text(out, &text);
    }
    it_str_free(&text);
    return good;
}

static void negate(struct it_str *number)
{
    struct it_str positive = *number;
    *number = (struct it_str){0};
    if (it_str_c(&positive)[0] == '-') {
        it_str_puts(number, positive.data + 1);
    } else {
        it_str_printf(number, "%s%s", strcmp(it_str_c(&positive), "0") == 0 ? "" : "-",
                      it_str_c(&positive));
    }
    it_str_free(&positive);
}

/* One number with at most one sign. */
static bool read_signed(struct it_literal_reader *r, bool *imaginary_out, struct it_str *out)
{
    char sign = it_literal_peek(r, 0);
    bool json = r->syntax == IT_LITERAL_JSON;
    if (sign == '-' || (sign == '+' && !json)) {
        r->at++;
        if (!json) { skip_space(r); }
    }
    *imaginary_out = false;
    if (r->syntax == IT_LITERAL_REPLY && take_word(r, "inf")) {
        it_str_puts(out, "inf");
    } else if (json && take_word(r, "Infinity")) {
        it_str_puts(out, "inf");
    } else if (!it_literal_number(r, imaginary_out, out)) {
        return false;
    }
    if (in_word(it_literal_peek(r, 0))) { return false; }
    if (sign == '-') { negate(out); }
    return true;
}

/* 1, -2.5, 3j, 1+2j: an imaginary part of zero is none. */
static bool read_number(struct it_literal_reader *r, struct it_literal *out)
{
    struct it_str real = {0}, other = {0};
    bool imaginary = false, second = false;
    bool good = read_signed(r, &imaginary, &real);
    if (good && imaginary) {
        other = real;
        real = (struct it_str){0};
        it_str_putc(&real, '0');
    } else if (good && r->syntax != IT_LITERAL_JSON) {
        skip_space(r);
        char sign = it_literal_peek(r, 0);
        if (sign == '+' || sign == '-') {
            r->at++;
            skip_space(r);
            good = it_literal_number(r, &second, &other) && second;
            if (good && sign == '-') { negate(&other); }
        }
    }
    if (good && other.len > 0 && strcmp(other.data, "0") != 0) {
        it_str_printf(&real, "|%s", other.data);
    }
    if (good) {
        out->kind = IT_LITERAL_NUMBER;
        own_text(out, &real);
    }
    it_str_free(&real);
    it_str_free(&other);
    return good;
}

static bool read_word(struct it_literal_reader *r, struct it_literal *out)
{
    static const struct {
        const char *word[3]; /* by syntax */
        enum it_literal_kind kind;
        const char *text;
    } words[] = {
        {{"None", "null", "None"}, IT_LITERAL_NONE, NULL},
        {{"True", "true", "True"}, IT_LITERAL_NUMBER, "1"},
        {{"False", "false", "False"}, IT_LITERAL_NUMBER, "0"},
        {{NULL, "NaN", "nan"}, IT_LITERAL_NAN, NULL},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const char *word = words[i].word[r->syntax];
        if (word == NULL || !take_word(r, word)) { continue; }
        out->kind = words[i].kind;
        out->text = it_strdup(words[i].text);
        out->size = words[i].text != NULL ? 1 : 0;
        return true;
    }
    if (r->syntax == IT_LITERAL_JSON) { return false; }
    if (take_word(r, "set")) { /* the only way to write an empty set */
        out->kind = IT_LITERAL_SET;
        if (!take(r, '(')) { return false; }
        r->depth++;
        bool good = take(r, ')');
        r->depth--;
        return good;
    }
    if (it_literal_peek(r, 0) != '.' || it_literal_peek(r, 1) != '.' ||
        it_literal_peek(r, 2) != '.') {
        return false;
    }
    r->at += 3;
    out->kind = IT_LITERAL_ELLIPSIS;
    return true;
}

static bool read_value(struct it_literal_reader *r, struct it_literal *out)
{
    struct it_literal value = {0};
    skip_space(r);
    char c = it_literal_peek(r, 0);
    bool json = r->syntax == IT_LITERAL_JSON, good;
    if (c == '[' || c == '{' || (c == '(' && !json)) {
        good = read_bracket(r, &value);
    } else if (it_literal_at_string(r)) {
        good = read_strings(r, &value);
    } else {
        size_t mark = r->at;
        good = read_word(r, &value);
        if (!good && r->at == mark) { good = read_number(r, &value); }
    }
    if (!good || !it_literal_seal(&value)) {
        it_literal_free(&value);
        return false;
    }
    *out = value;
    return true;
}

/* ---- whole texts ---- */

/* The source with line ends as Python sees them; false when it has a NUL. The caller frees. */
static bool begin(const char *text, size_t size, enum it_literal_syntax syntax,
                  struct it_str *source, struct it_literal_reader *r)
{
    if (syntax != IT_LITERAL_JSON && memchr(text, '\0', size) != NULL) { return false; }
    for (size_t i = 0; i < size; i++) {
        if (text[i] != '\r' || syntax == IT_LITERAL_JSON) {
            it_str_putc(source, text[i]);
        } else if (i + 1 == size || text[i + 1] != '\n') {
            it_str_putc(source, '\n');
        }
    }
    *r = (struct it_literal_reader){
        .text = it_str_c(source), .size = source->len, .syntax = syntax};
    return true;
}

/* Nothing but space, comments and empty lines is left. */
static bool at_end(struct it_literal_reader *r)
{
    for (;;) {
        skip_space(r);
        if (r->at == r->size) { return true; }
        if (it_literal_peek(r, 0) == '\n') {
            r->at++;
        } else if (!skip_comment(r)) {
            return false;
        }
    }
}

bool it_literal_read(const char *text, size_t size, enum it_literal_syntax syntax,
                     struct it_literal *literal_out)
{
    struct it_str source = {0};
    struct it_literal_reader r;
    struct it_literal value = {0};
    bool good = begin(text, size, syntax, &source, &r) && read_value(&r, &value) && at_end(&r);
    it_str_free(&source);
    if (!good) {
        it_literal_free(&value);
        return false;
    }
    *literal_out = value;
    return true;
}

static bool skip_value(struct it_literal_reader *r)
{
    struct it_literal value;
    if (!read_value(r, &value)) { return false; }
    it_literal_free(&value);
    return true;
}

/* Further statements: each a literal, at the left margin where it begins a line. */
static bool skip_statements(struct it_literal_reader *r)
{
    for (;;) {
        skip_space(r);
        (void)skip_comment(r);
        if (r->at == r->size) { return true; }
        bool line = it_literal_peek(r, 0) == '\n';
        if (!line && it_literal_peek(r, 0) != ';') { return false; }
        r->at++;
        size_t margin = r->at;
        skip_space(r);
        char c = it_literal_peek(r, 0);
        if (c == '\n' || c == '#' || r->at == r->size) { continue; }
        if ((line && r->at != margin) || !skip_value(r)) { return false; }
    }
}

bool it_literal_read_asserted(const char *text, size_t size, struct it_literal *literal_out)
{
    struct it_str source = {0};
    struct it_literal_reader r;
    struct it_literal value = {0};
    bool good = begin(text, size, IT_LITERAL_PYTHON, &source, &r) && read_value(&r, &value);
    if (good && take(&r, ',')) { good = skip_value(&r); }
    good = good && skip_statements(&r);
    it_str_free(&source);
    if (!good) {
        it_literal_free(&value);
        return false;
    }
    *literal_out = value;
    return true;
}
