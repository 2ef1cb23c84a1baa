/* SPDX-License-Identifier: MIT */
/* Strings and numbers of Python and of JSON. A number's canonical text is what its value decides,
 * not its type or spelling: 1, True, 1.0 and 0x1 are "1"; 0.5 is "0x1p-1". */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "tasks/grade/literal_internal.h"

/* Python reads no decimal integer above 4300 digits from source; the official harness of
 * LiveCodeBench raises that to 50000 for JSON. Other bases have no limit there and one here. */
enum { SOURCE_DIGITS = 4300, JSON_DIGITS = 50000, BASE_DIGITS = 20000 };

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* ---- numbers ---- */

void it_literal_real(double value, struct it_str *out)
{
    if (isinf(value)) {
        it_str_puts(out, value < 0 ? "-inf" : "inf");
    } else if (value == trunc(value)) {
        it_str_printf(out, "%.0f", value == 0.0 ? 0.0 : value);
    } else {
        it_str_printf(out, "%a", value);
    }
}

static int digit_of(char c)
{
    if (is_digit(c)) { return c - '0'; }
    if (c >= 'a' && c <= 'f') { return c - 'a' + 10; }
    if (c >= 'A' && c <= 'F') { return c - 'A' + 10; }
    return 99;
}

/* Digits of `base` from the place, single underscores between them, into `digits`; false for a
 * misplaced underscore. */
static bool take_digits(struct it_literal_reader *r, int base, bool leading, struct it_str *digits)
{
    bool gap = leading; /* an underscore may stand here */
    for (;;) {
        char c = it_literal_peek(r, 0);
        if (c == '_' && r->syntax != IT_LITERAL_JSON) {
            if (!gap || digit_of(it_literal_peek(r, 1)) >= base) { return false; }
            gap = false;
        } else if (digit_of(c) < base) {
            it_str_putc(digits, c);
            gap = true;
        } else {
            return true;
        }
        r->at++;
    }
}

/* The decimal digits of a number of another base, in limbs of nine. */
static void put_decimal(const struct it_str *digits, uint32_t base, struct it_str *out)
{
    size_t n = 0, cap = digits->len / 2 + 2;
    uint32_t *limb = it_calloc(cap, sizeof *limb);
    for (size_t i = 0; i < digits->len; i++) {
        uint64_t carry = (uint64_t)digit_of(digits->data[i]);
        for (size_t k = 0; k < n; k++) {
            carry += (uint64_t)limb[k] * base;
            limb[k] = (uint32_t)(carry % 1000000000);
            carry /= 1000000000;
        }
        if (carry > 0) { limb[n++] = (uint32_t)carry; }
    }
    it_str_printf(out, "%u", n > 0 ? limb[n - 1] : 0);
    for (size_t k = n; k-- > 1;) { it_str_printf(out, "%09u", limb[k - 1]); }
    it_free(limb);
}

static bool read_based(struct it_literal_reader *r, struct it_str *out)
{
    char mark = (char)(it_literal_peek(r, 1) | 0x20);
    int base = mark == 'x' ? 16 : mark == 'o' ? 8 : 2;
    struct it_str digits = {0};
    r->at += 2;
    bool good = take_digits(r, base, true, &digits) && digits.len > 0 && digits.len <= BASE_DIGITS;
    if (good) { put_decimal(&digits, (uint32_t)base, out); }
    it_str_free(&digits);
    return good;
}

static void put_integer(const struct it_str *digits, struct it_str *out)
{
    const char *text = it_str_c(digits);
    size_t zeros = strspn(text, "0");
    it_str_puts(out, zeros == digits->len ? "0" : text + zeros);
}

/* The part of a number behind its whole digits: ".5", "e-3". False when what stands there is none
 * of them but begins as one. */
static bool read_fraction(struct it_literal_reader *r, struct it_str *digits, bool *real_out)
{
    bool json = r->syntax == IT_LITERAL_JSON;
    *real_out = false;
    if (it_literal_peek(r, 0) == '.') {
        *real_out = true;
        it_str_putc(digits, '.');
        r->at++;
        if (json && !is_digit(it_literal_peek(r, 0))) { return false; }
        if (!take_digits(r, 10, false, digits)) { return false; }
    }
    if ((it_literal_peek(r, 0) | 0x20) == 'e') {
        size_t sign = it_literal_peek(r, 1) == '+' || it_literal_peek(r, 1) == '-' ? 1 : 0;
        if (!is_digit(it_literal_peek(r, 1 + sign))) { return false; }
        *real_out = true;
        it_str_add(digits, r->text + r->at, 1 + sign);
        r->at += 1 + sign;
        if (!take_digits(r, 10, false, digits)) { return false; }
    }
    return true;
}

static bool read_decimal(struct it_literal_reader *r, bool *imaginary_out, struct it_str *digits,
                         struct it_str *out)
{
    size_t limit = r->syntax == IT_LITERAL_PYTHON ? SOURCE_DIGITS : JSON_DIGITS;
    bool real;
    if (!take_digits(r, 10, false, digits)) { return false; }
    size_t whole = digits->len;
    bool padded = whole > 1 && digits->data[0] == '0';
    if (!read_fraction(r, digits, &real)) { return false; }
    if (whole == 0 &&
        (!real || !is_digit(it_str_c(digits)[1]) || r->syntax == IT_LITERAL_JSON)) {
        return false;
    }
    if (r->syntax != IT_LITERAL_JSON && (it_literal_peek(r, 0) | 0x20) == 'j') {
        r->at++;
        *imaginary_out = true;
    } else if (!real) {
        /* 01 is an error; 00 is not, but JSON has neither */
        if (padded && (r->syntax == IT_LITERAL_JSON || strspn(digits->data, "0") < whole)) {
            return false;
        }
        if (whole > limit) { return false; }
        put_integer(digits, out);
        return true;
    } else if (padded && r->syntax == IT_LITERAL_JSON) {
        return false;
    }
    it_literal_real(strtod(it_str_c(digits), NULL), out);
    return true;
}

bool it_literal_number(struct it_literal_reader *r, bool *imaginary_out, struct it_str *out)
{
    *imaginary_out = false;
    if (r->syntax != IT_LITERAL_JSON && it_literal_peek(r, 0) == '0' &&
        it_literal_peek(r, 1) != '\0' && strchr("xXoObB", it_literal_peek(r, 1)) != NULL) {
        return read_based(r, out);
    }
    struct it_str digits = {0};
    bool good = read_decimal(r, imaginary_out, &digits, out);
    it_str_free(&digits);
    return good;
}

/* ---- strings ---- */

static void put_code_point(uint32_t c, struct it_str *out)
{
    if (c < 0x80) {
        it_str_putc(out, (char)c);
        return;
    }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const unsigned char head[] = {0, 0xc0, 0xe0, 0xf0};
    it_str_putc(out, (char)(head[more] | c >> (6 * more)));
    while (more-- > 0) { it_str_putc(out, (char)(0x80 | (c >> (6 * more) & 0x3f))); }
}

static bool take_hex(struct it_literal_reader *r, int digits, uint32_t *value_out)
{
    uint32_t value = 0;
    for (int i = 0; i < digits; i++) {
        int digit = digit_of(it_literal_peek(r, 0));
        if (digit >= 16) { return false; }
        value = value * 16 + (uint32_t)digit;
        r->at++;
    }
    *value_out = value;
    return true;
}

/* \xhh, \uhhhh, \Uhhhhhhhh: the place is behind the letter. */
static bool read_hex_escape(struct it_literal_reader *r, char letter, bool bytes,
                            struct it_str *out)
{
    uint32_t value;
    if (!take_hex(r, letter == 'x' ? 2 : letter == 'u' ? 4 : 8, &value) || value > 0x10ffff) {
        return false;
    }
    if (bytes) {
        it_str_putc(out, (char)value);
    } else {
        put_code_point(value, out);
    }
    return true;
}

static bool read_octal_escape(struct it_literal_reader *r, char first, bool bytes,
                              struct it_str *out)
{
    uint32_t value = (uint32_t)(first - '0');
    for (int i = 0; i < 2; i++) {
        char c = it_literal_peek(r, 0);
        if (c < '0' || c > '7') { break; }
        value = value * 8 + (uint32_t)(c - '0');
        r->at++;
    }
    if (bytes) {
        it_str_putc(out, (char)(value & 0xff));
    } else {
        put_code_point(value, out);
    }
    return true;
}

/* The place is behind the backslash. */
static bool read_escape(struct it_literal_reader *r, bool bytes, struct it_str *out)
{
    static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
    if (r->at >= r->size) { return false; }
    char c = r->text[r->at++];
    const char *hit = c != '\0' ? strchr(from, c) : NULL;
    if (c == '\n') { return true; }
    if (hit != NULL) {
        it_str_putc(out, to[hit - from]);
        return true;
    }
    if (c >= '0' && c <= '7') { return read_octal_escape(r, c, bytes, out); }
    if (c == 'x' || (!bytes && (c == 'u' || c == 'U'))) {
        return read_hex_escape(r, c, bytes, out);
    }
    if (!bytes && c == 'N') { return false; } /* names of characters are not known here */
    it_str_putc(out, '\\');
    it_str_putc(out, c);
    return true;
}

/* The letters before the quote; how many, -1 when none of Python's prefixes stands here. */
static int prefix(const struct it_literal_reader *r, bool *raw_out, bool *bytes_out)
{
    int n = 0, raw = 0, bytes = 0, unicode = 0;
    for (; n < 3; n++) {
        char c = it_literal_peek(r, (size_t)n), low = (char)(c | 0x20);
        if (c == '"' || c == '\'') { break; }
        if (c == '\0' || strchr("rbu", low) == NULL) { return -1; }
        raw += low == 'r';
        bytes += low == 'b';
        unicode += low == 'u';
    }
    if (n == 3 || raw > 1 || bytes > 1 || unicode > 1 || (unicode && n > 1)) { return -1; }
    *raw_out = raw;
    *bytes_out = bytes;
    return n;
}

bool it_literal_at_string(const struct it_literal_reader *r)
{
    bool raw, bytes;
    if (r->syntax == IT_LITERAL_JSON) { return it_literal_peek(r, 0) == '"'; }
    return prefix(r, &raw, &bytes) >= 0;
}

static bool read_python_string(struct it_literal_reader *r, bool *bytes_out, struct it_str *out)
{
    bool raw;
    int skip = prefix(r, &raw, bytes_out);
    if (skip < 0) { return false; }
    r->at += (size_t)skip;
    char quote = it_literal_peek(r, 0);
    bool triple = it_literal_peek(r, 1) == quote && it_literal_peek(r, 2) == quote;
    r->at += triple ? 3 : 1;
    while (r->at < r->size) {
        char c = r->text[r->at];
        if (c == quote && (!triple || (it_literal_peek(r, 1) == c && it_literal_peek(r, 2) == c))) {
            r->at += triple ? 3 : 1;
            return true;
        }
        r->at++;
        if (c == '\n' && !triple) { return false; }
        if (*bytes_out && (unsigned char)c >= 0x80) { return false; }
        if (c != '\\') {
            it_str_putc(out, c);
        } else if (!raw) {
            if (!read_escape(r, *bytes_out, out)) { return false; }
        } else if (r->at < r->size) {
            if (*bytes_out && (unsigned char)r->text[r->at] >= 0x80) { return false; }
            it_str_putc(out, c);
            it_str_putc(out, r->text[r->at++]);
        }
    }
    return false;
}

static bool read_json_escape(struct it_literal_reader *r, struct it_str *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (r->at >= r->size) { return false; }
    char c = r->text[r->at++];
    const char *hit = c != '\0' ? strchr(from, c) : NULL;
    if (hit != NULL) {
        it_str_putc(out, to[hit - from]);
        return true;
    }
    uint32_t high, low;
    if (c != 'u' || !take_hex(r, 4, &high)) { return false; }
    if (high >= 0xd800 && high < 0xdc00 && it_literal_peek(r, 0) == '\\' &&
        it_literal_peek(r, 1) == 'u') {
        size_t mark = r->at;
        r->at += 2;
        if (take_hex(r, 4, &low) && low >= 0xdc00 && low < 0xe000) {
            high = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        } else {
            r->at = mark;
        }
    }
    put_code_point(high, out);
    return true;
}

static bool read_json_string(struct it_literal_reader *r, struct it_str *out)
{
    if (it_literal_peek(r, 0) != '"') { return false; }
    r->at++;
    while (r->at < r->size) {
        char c = r->text[r->at++];
        if (c == '"') { return true; }
        if ((unsigned char)c < 0x20) { return false; }
        if (c != '\\') {
            it_str_putc(out, c);
        } else if (!read_json_escape(r, out)) {
            return false;
        }
    }
    return false;
}

bool it_literal_string(struct it_literal_reader *r, bool *bytes_out, struct it_str *out)
{
    *bytes_out = false;
    return r->syntax == IT_LITERAL_JSON ? read_json_string(r, out)
                                        : read_python_string(r, bytes_out, out);
}
