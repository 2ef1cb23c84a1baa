/* SPDX-License-Identifier: MIT */
/* Comparing the output of a program with the expected one. Space and decimal numbers are those of
 * Python's str.strip, str.split and decimal.Decimal. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/mem.h"
#include "core/base/str.h"
#include "tasks/grade/code.h"

struct span {
    const char *at, *end;
};

/* ---- space ---- */

/* Bytes of the space character at the place, 0 when there is none. */
static size_t space_at(const char *at, const char *end)
{
    const unsigned char *c = (const unsigned char *)at;
    size_t n = (size_t)(end - at);
    if (n == 0) { return 0; }
    if (c[0] < 0x80) {
        return c[0] == ' ' || (c[0] >= 9 && c[0] <= 13) || (c[0] >= 0x1c && c[0] <= 0x1f);
    }
    if (n >= 2 && c[0] == 0xc2) { return c[1] == 0x85 || c[1] == 0xa0 ? 2 : 0; }
    if (n < 3 || c[0] < 0xe1 || c[0] > 0xe3) { return 0; }
    unsigned code = (unsigned)(c[0] & 15) << 12 | (unsigned)(c[1] & 63) << 6 | (c[2] & 63u);
    bool space = code == 0x1680 || (code >= 0x2000 && code <= 0x200a) || code == 0x2028 ||
                 code == 0x2029 || code == 0x202f || code == 0x205f || code == 0x3000;
    return space ? 3 : 0;
}

/* Bytes of the space character that ends at `end`. */
static size_t space_before(const char *at, const char *end)
{
    for (size_t n = 1; n <= 3 && n <= (size_t)(end - at); n++) {
        if (space_at(end - n, end) == n) { return n; }
    }
    return 0;
}

static struct span strip(struct span text)
{
    size_t n;
    while ((n = space_at(text.at, text.end)) > 0) { text.at += n; }
    while ((n = space_before(text.at, text.end)) > 0) { text.end -= n; }
    return text;
}

/* Takes the next line off `text`; false at the end. `text->at` is NULL behind the last line. */
static bool next_line(struct span *text, struct span *line)
{
    if (text->at == NULL) { return false; }
    const char *newline =
        text->at < text->end ? memchr(text->at, '\n', (size_t)(text->end - text->at)) : NULL;
    *line = strip((struct span){text->at, newline != NULL ? newline : text->end});
    text->at = newline != NULL ? newline + 1 : NULL;
    return true;
}

static bool next_word(struct span *text, struct span *word)
{
    size_t n;
    while ((n = space_at(text->at, text->end)) > 0) { text->at += n; }
    word->at = text->at;
    while (text->at < text->end && space_at(text->at, text->end) == 0) { text->at++; }
    word->end = text->at;
    return word->at < word->end;
}

static bool same_bytes(struct span a, struct span b)
{
    size_t n = (size_t)(a.end - a.at);
    return n == (size_t)(b.end - b.at) && (n == 0 || memcmp(a.at, b.at, n) == 0);
}

static struct span whole(const char *text, size_t size)
{
    if (text == NULL) { text = ""; }
    return (struct span){text, text + size};
}

bool it_code_words(const char *got, size_t got_size, const char *want, size_t want_size)
{
    struct span a = whole(got, got_size), b = whole(want, want_size), x, y;
    bool more = true;
    while (more) {
        more = next_word(&a, &x);
        if (more != next_word(&b, &y) || (more && !same_bytes(x, y))) { return false; }
    }
    return true;
}

/* ---- decimal numbers ---- */

enum kind { FINITE, INFINITE, NAN_QUIET, NAN_SIGNALLING };

struct decimal {
    enum kind kind;
    bool negative;
    char *digits;     /* owned; neither first nor last is 0; "" is zero */
    int64_t exponent; /* of the last digit */
};

/* How far an exponent may go: decimal.MAX_EMAX. */
static const int64_t exponent_max = 999999999999999999;

/* "inf", "infinity", "nan123", "snan" in any case. */
static bool read_special(const char *text, struct decimal *out)
{
    if (strcasecmp(text, "inf") == 0 || strcasecmp(text, "infinity") == 0) {
        out->kind = INFINITE;
        return true;
    }
    bool signalling = *text == 's' || *text == 'S';
    text += signalling;
    if (strncasecmp(text, "nan", 3) != 0) { return false; }
    out->kind = signalling ? NAN_SIGNALLING : NAN_QUIET;
    return text[3 + strspn(text + 3, "0123456789")] == '\0';
}

static bool read_exponent(const char *text, int64_t *out)
{
    bool negative = *text == '-';
    if (*text == '-' || *text == '+') { text++; }
    size_t n = strspn(text, "0123456789"), zeros = strspn(text, "0");
    if (n == 0 || text[n] != '\0' || n - (zeros < n ? zeros : n) > 18) { return false; }
    *out = (negative ? -1 : 1) * (int64_t)strtoll(text, NULL, 10);
    return true;
}

/* Digits with at most one point, then perhaps an exponent. */
static bool read_finite(const char *text, struct decimal *out)
{
    struct it_str digits = {0};
    size_t at = 0, after = 0, seen = 0;
    bool point = false;
    for (; (text[at] >= '0' && text[at] <= '9') || (text[at] == '.' && !point); at++) {
        if (text[at] == '.') {
            point = true;
            continue;
        }
        seen++;
        after += point;
        if (digits.len > 0 || text[at] != '0') { it_str_putc(&digits, text[at]); }
    }
    int64_t exponent = 0;
    bool good = seen > 0;
    if (good && (text[at] == 'e' || text[at] == 'E')) {
        good = read_exponent(text + at + 1, &exponent);
    } else {
        good = good && text[at] == '\0';
    }
    exponent -= (int64_t)after;
    while (digits.len > 0 && digits.data[digits.len - 1] == '0') {
        digits.data[--digits.len] = '\0';
        exponent++;
    }
    good = good && (digits.len == 0 || (exponent + (int64_t)digits.len - 1 <= exponent_max &&
                                        exponent >= -exponent_max));
    if (good) {
        out->kind = FINITE;
        out->exponent = digits.len > 0 ? exponent : 0;
        out->digits = it_strdup(it_str_c(&digits));
    }
    it_str_free(&digits);
    return good;
}

/* Underscores anywhere are nothing to Decimal. */
static bool read_decimal(struct span word, struct decimal *out)
{
    struct it_str text = {0};
    for (const char *c = word.at; c < word.end; c++) {
        if (*c != '_' && *c != '\0') { it_str_putc(&text, *c); }
        if (*c == '\0') { it_str_putc(&text, '?'); }
    }
    const char *at = it_str_c(&text);
    *out = (struct decimal){.negative = *at == '-'};
    if (*at == '-' || *at == '+') { at++; }
    bool good = read_special(at, out) || read_finite(at, out);
    it_str_free(&text);
    return good;
}

struct decimals {
    struct decimal *item;
    size_t n, cap;
};

static void decimals_free(struct decimals *list)
{
    for (size_t i = 0; i < list->n; i++) { it_free(list->item[i].digits); }
    it_free(list->item);
}

static bool read_decimals(struct span line, struct decimals *list)
{
    struct span word;
    while (next_word(&line, &word)) {
        struct decimal number;
        if (!read_decimal(word, &number)) { return false; }
        list->item = it_grow(list->item, &list->cap, list->n + 1, sizeof *list->item);
        list->item[list->n++] = number;
    }
    return true;
}

static enum it_code_match compare(const struct decimal *a, const struct decimal *b)
{
    if (a->kind == NAN_SIGNALLING || b->kind == NAN_SIGNALLING) { return IT_CODE_SIGNALS; }
    if (a->kind != b->kind || a->kind == NAN_QUIET) { return IT_CODE_DIFFERENT; }
    bool zero = a->kind == FINITE && a->digits[0] == '\0' && b->digits[0] == '\0';
    bool same = a->negative == b->negative &&
                (a->kind == INFINITE ||
                 (a->exponent == b->exponent && strcmp(a->digits, b->digits) == 0));
    return zero || same ? IT_CODE_SAME : IT_CODE_DIFFERENT;
}

static enum it_code_match compare_numbers(struct span got, struct span want)
{
    struct decimals a = {0}, b = {0};
    enum it_code_match match = IT_CODE_DIFFERENT;
    if (read_decimals(got, &a) && read_decimals(want, &b) && a.n == b.n) {
        match = IT_CODE_SAME;
        for (size_t i = 0; i < a.n && match == IT_CODE_SAME; i++) {
            match = compare(&a.item[i], &b.item[i]);
        }
    }
    decimals_free(&a);
    decimals_free(&b);
    return match;
}

/* ---- lines ---- */

static size_t count_lines(struct span text)
{
    size_t n = 1;
    for (const char *c = text.at; c < text.end; c++) { n += *c == '\n'; }
    return n;
}

enum it_code_match it_code_lines(const char *got, size_t got_size, const char *want,
                                 size_t want_size)
{
    struct span a = strip(whole(got, got_size)), b = strip(whole(want, want_size)), x, y;
    if (count_lines(a) != count_lines(b)) { return IT_CODE_DIFFERENT; }
    while (next_line(&a, &x) && next_line(&b, &y)) {
        if (same_bytes(x, y)) { continue; }
        enum it_code_match match = compare_numbers(x, y);
        if (match != IT_CODE_SAME) { return match; }
    }
    return IT_CODE_SAME;
}
