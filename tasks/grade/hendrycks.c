/* SPDX-License-Identifier: MIT */
/* The grading rule published with the MATH data. Its order of steps and its oddities are kept:
 * where the original raises an exception, the two raw strings are compared. */
#include "tasks/grade/hendrycks.h"

#include <string.h>

#include "core/base/mem.h"
#include "core/base/str.h"

char *it_hendrycks_box(const char *text)
{
    const char *spaced = NULL;
    for (const char *at = strstr(text, "\\boxed "); at != NULL; at = strstr(at + 1, "\\boxed ")) {
        spaced = at + strlen("\\boxed ");
    }
    if (spaced != NULL) { return it_strndup(spaced, strcspn(spaced, "$")); }
    const char *last = NULL;
    static const char *const name[] = {"\\boxed", "\\fbox"};
    for (int i = 0; i < 2 && last == NULL; i++) {
        for (const char *at = strstr(text, name[i]); at != NULL; at = strstr(at + 1, name[i])) {
            last = at;
        }
    }
    if (last == NULL) { return NULL; }
    const char *open = NULL;
    int depth = 0;
    for (const char *at = last; *at != '\0'; at++) {
        if (*at == '{') {
            if (depth++ == 0 && open == NULL) { open = at; }
        }
        if (*at == '}' && --depth == 0) {
            return open != NULL ? it_strndup(open + 1, (size_t)(at - open - 1)) : NULL;
        }
    }
    return NULL;
}

/* text with every `from` replaced by `to`, left to right. */
static void replace(struct it_str *text, const char *from, const char *to)
{
    struct it_str out = {0};
    const char *at = it_str_c(text);
    for (const char *hit = strstr(at, from); hit != NULL; hit = strstr(at, from)) {
        it_str_add(&out, at, (size_t)(hit - at));
        it_str_puts(&out, to);
        at = hit + strlen(from);
    }
    it_str_puts(&out, at);
    it_str_free(text);
    *text = out;
}

static int count(const char *text, const char *word)
{
    int n = 0;
    for (; (text = strstr(text, word)) != NULL; text += strlen(word)) { n++; }
    return n;
}

/* The bytes of the UTF-8 character at `at`: the original counts characters. */
static size_t one(const char *at)
{
    size_t size = *at != '\0' ? 1 : 0;
    while (size > 0 && ((unsigned char)at[size] & 0xc0) == 0x80) { size++; }
    return size;
}

/* "\sqrt3" -> "\sqrt{3}". False: the original fails. */
static bool fix_roots(struct it_str *text)
{
    struct it_str out = {0};
    const char *at = it_str_c(text);
    for (const char *hit = strstr(at, "\\sqrt"); hit != NULL; hit = strstr(at, "\\sqrt")) {
        it_str_add(&out, at, (size_t)(hit - at));
        it_str_puts(&out, "\\sqrt");
        at = hit + strlen("\\sqrt");
        /* nothing follows, or the next root does: an index out of range */
        if (*at == '\0' || strncmp(at, "\\sqrt", 5) == 0) {
            it_str_free(&out);
            return false;
        }
        if (*at != '{') {
            it_str_printf(&out, "{%.*s}", (int)one(at), at);
            at += one(at);
        }
    }
    it_str_puts(&out, at);
    it_str_free(text);
    *text = out;
    return true;
}

/* "\frac12" -> "\frac{1}{2}", "\frac1{72}" -> "\frac{1}{72}". False: the original fails. */
static bool fix_fractions(struct it_str *text)
{
    struct it_str out = {0};
    const char *at = it_str_c(text);
    for (const char *hit = strstr(at, "\\frac"); hit != NULL; hit = strstr(at, "\\frac")) {
        it_str_add(&out, at, (size_t)(hit - at));
        it_str_puts(&out, "\\frac");
        at = hit + strlen("\\frac");
        const char *next = strstr(at, "\\frac");
        size_t size = next != NULL ? (size_t)(next - at) : strlen(at);
        if (size == 0) {
            it_str_free(&out);
            return false;
        }
        if (*at == '{') { continue; }
        size_t first = one(at);
        if (size <= first) { /* one character: the text stays as it was */
            it_str_free(&out);
            return true;
        }
        it_str_printf(&out, "{%.*s}", (int)first, at);
        at += first;
        if (*at != '{') {
            it_str_printf(&out, "{%.*s}", (int)one(at), at);
            at += one(at);
        }
    }
    it_str_puts(&out, at);
    it_str_free(text);
    *text = out;
    return true;
}

static bool is_integer(const char *text, size_t size)
{
    size_t from = size > 0 && text[0] == '-' ? 1 : 0;
    if (size == from) { return false; }
    for (size_t i = from; i < size; i++) {
        if (text[i] < '0' || text[i] > '9') { return false; }
    }
    /* written the way an integer is printed: no leading zeros, no "-0" */
    if (text[from] == '0') { return size == 1; }
    return true;
}

/* "3/4" -> "\frac{3}{4}" when both are integers as they are printed. */
static void fix_slash(struct it_str *text)
{
    const char *data = it_str_c(text), *slash = strchr(data, '/');
    if (slash == NULL || count(data, "/") != 1) { return; }
    size_t left = (size_t)(slash - data), right = strlen(slash + 1);
    if (!is_integer(data, left) || !is_integer(slash + 1, right)) { return; }
    struct it_str out = {0};
    it_str_printf(&out, "\\frac{%.*s}{%s}", (int)left, data, slash + 1);
    it_str_free(text);
    *text = out;
}

static size_t characters(const char *text, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < size; i++) { n += ((unsigned char)text[i] & 0xc0) != 0x80; }
    return n;
}

/* False where the original raises an exception. */
static bool rewrite(struct it_str *text)
{
    static const char *const early[][2] = {
        {"\n", ""},     {"\\!", ""},     {"\\\\", "\\"},    {"tfrac", "frac"}, {"dfrac", "frac"},
        {"\\left", ""}, {"\\right", ""}, {"^{\\circ}", ""}, {"^\\circ", ""},   {"\\$", ""},
    };
    static const char *const late[][2] = {{"\\%", ""}, {"%", ""}, {" .", " 0."}, {"{.", "{0."}};
    for (size_t i = 0; i < sizeof early / sizeof *early; i++) {
        replace(text, early[i][0], early[i][1]);
    }
    int units = count(it_str_c(text), "\\text{ ");
    if (units > 1) { return false; }
    if (units == 1) {
        struct it_str kept = {0};
        const char *data = it_str_c(text);
        it_str_add(&kept, data, (size_t)(strstr(data, "\\text{ ") - data));
        it_str_free(text);
        *text = kept;
    }
    for (size_t i = 0; i < sizeof late / sizeof *late; i++) {
        replace(text, late[i][0], late[i][1]);
    }
    const char *data = it_str_c(text);
    if (*data == '\0') { return true; }
    struct it_str next = {0};
    if (*data == '.') { it_str_putc(&next, '0'); }
    const char *equals = strchr(data, '=');
    size_t lead = equals != NULL ? characters(data, (size_t)(equals - data)) + next.len : 0;
    if (equals != NULL && count(data, "=") == 1 && lead <= 2) {
        it_str_clear(&next);
        data = equals + 1;
    }
    it_str_puts(&next, data);
    it_str_free(text);
    *text = next;
    if (strstr(it_str_c(text), "\\sqrt") != NULL && !fix_roots(text)) { return false; }
    replace(text, " ", "");
    if (!fix_fractions(text)) { return false; }
    if (strcmp(it_str_c(text), "0.5") == 0) {
        it_str_clear(text);
        it_str_puts(text, "\\frac{1}{2}");
    }
    fix_slash(text);
    return true;
}

bool it_hendrycks_equal(const char *a, const char *b)
{
    struct it_str left = {0}, right = {0};
    it_str_puts(&left, a);
    it_str_puts(&right, b);
    bool same = rewrite(&left) && rewrite(&right) ? strcmp(it_str_c(&left), it_str_c(&right)) == 0
                                                  : strcmp(a, b) == 0;
    it_str_free(&left);
    it_str_free(&right);
    return same;
}
