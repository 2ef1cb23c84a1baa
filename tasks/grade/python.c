/* SPDX-License-Identifier: MIT */
/* JSON as Python reads it, and values as Python's str() and repr() write them. One pass: values are
 * written while they are read. */
#include "tasks/grade/python.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

enum { DEPTH_MAX = 200 };

struct reader {
    const char *text;
    size_t size, at;
    int depth;
};

void it_python_float(double value, struct it_str *out)
{
    char digits[40];
    if (isnan(value) || isinf(value)) {
        it_str_puts(out, isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
        return;
    }
    int precision = 0;
    do {
        (void)snprintf(digits, sizeof digits, "%.*e", precision, value);
    } while (strtod(digits, NULL) != value && precision++ < 17);
    int exponent = atoi(strchr(digits, 'e') + 1);
    if (exponent >= -4 && exponent < 16) {
        int places = precision > exponent ? precision - exponent : 1;
        it_str_printf(out, "%.*f", places, value);
        return;
    }
    *strchr(digits, 'e') = '\0';
    it_str_printf(out, "%se%c%02d", digits, exponent < 0 ? '-' : '+', abs(exponent));
}

static void skip_space(struct reader *reader)
{
    while (reader->at < reader->size && strchr(" \t\r\n", reader->text[reader->at]) != NULL &&
           reader->text[reader->at] != '\0') {
        reader->at++;
    }
}

static bool take(struct reader *reader, const char *word)
{
    size_t size = strlen(word);
    if (reader->size - reader->at < size || memcmp(reader->text + reader->at, word, size) != 0) {
        return false;
    }
    reader->at += size;
    return true;
}

/* ---- strings ---- */

static void put_code_point(struct it_str *out, uint32_t c)
{
    char bytes[4];
    size_t n = 0;
    if (c < 0x80) {
        bytes[n++] = (char)c;
    } else if (c < 0x800) {
        bytes[n++] = (char)(0xc0 | c >> 6);
        bytes[n++] = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        if (c >= 0xd800 && c < 0xe000) { c = 0xfffd; } /* half a pair has no UTF-8 */
        bytes[n++] = (char)(0xe0 | c >> 12);
        bytes[n++] = (char)(0x80 | (c >> 6 & 0x3f));
        bytes[n++] = (char)(0x80 | (c & 0x3f));
    } else {
        bytes[n++] = (char)(0xf0 | c >> 18);
        bytes[n++] = (char)(0x80 | (c >> 12 & 0x3f));
        bytes[n++] = (char)(0x80 | (c >> 6 & 0x3f));
        bytes[n++] = (char)(0x80 | (c & 0x3f));
    }
    it_str_add(out, bytes, n);
}

static bool four_digits(struct reader *reader, uint32_t *out)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        char c = reader->at < reader->size ? reader->text[reader->at] : '\0';
        const char *digits = "0123456789abcdef", *hit;
        char low = (char)(c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c);
        if (c == '\0' || (hit = strchr(digits, low)) == NULL) { return false; }
        value = value * 16 + (uint32_t)(hit - digits);
        reader->at++;
    }
    *out = value;
    return true;
}

static bool read_escape(struct reader *reader, struct it_str *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = reader->at < reader->size ? reader->text[reader->at++] : '\0';
    const char *hit = c != '\0' ? strchr(from, c) : NULL;
    if (hit != NULL) {
        it_str_putc(out, to[hit - from]);
        return true;
    }
    uint32_t high, low;
    if (c != 'u' || !four_digits(reader, &high)) { return false; }
    size_t mark = reader->at;
    if (high >= 0xd800 && high < 0xdc00 && take(reader, "\\u")) {
        if (four_digits(reader, &low) && low >= 0xdc00 && low < 0xe000) {
            high = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        } else {
            reader->at = mark;
        }
    }
    put_code_point(out, high);
    return true;
}

static bool read_string(struct reader *reader, struct it_str *out)
{
    if (!take(reader, "\"")) { return false; }
    while (reader->at < reader->size) {
        char c = reader->text[reader->at++];
        if (c == '"') { return true; }
        if ((unsigned char)c < 0x20) { return false; }
        if (c != '\\') {
            it_str_putc(out, c);
        } else if (!read_escape(reader, out)) {
            return false;
        }
    }
    return false;
}

/* repr() of a string: single quotes unless only they occur inside. */
static void put_repr(const struct it_str *text, struct it_str *out)
{
    const char *data = it_str_c(text);
    bool single = memchr(data, '\'', text->len) != NULL;
    bool twice = memchr(data, '"', text->len) != NULL;
    char quote = single && !twice ? '"' : '\'';
    it_str_putc(out, quote);
    for (size_t i = 0; i < text->len; i++) {
        unsigned char c = (unsigned char)data[i];
        if (c == '\\' || c == (unsigned char)quote) {
            it_str_printf(out, "\\%c", c);
        } else if (c == '\n' || c == '\r' || c == '\t') {
            it_str_puts(out, c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t");
        } else if (c < 0x20 || c == 0x7f) {
            it_str_printf(out, "\\x%02x", c);
        } else {
            it_str_putc(out, (char)c);
        }
    }
    it_str_putc(out, quote);
}

/* ---- values ---- */

static bool read_number(struct reader *reader, struct it_str *out)
{
    size_t from = reader->at, at = from;
    const char *text = reader->text;
    bool real = false;
    if (at < reader->size && text[at] == '-') { at++; }
    size_t digits = at;
    while (at < reader->size && text[at] >= '0' && text[at] <= '9') { at++; }
    if (at == digits) { return false; }
    if (text[digits] == '0') { at = digits + 1; }
    if (at + 1 < reader->size && text[at] == '.' && text[at + 1] >= '0' && text[at + 1] <= '9') {
        real = true;
        at++;
        while (at < reader->size && text[at] >= '0' && text[at] <= '9') { at++; }
    }
    if (at < reader->size && (text[at] == 'e' || text[at] == 'E')) {
        size_t mark = at + 1;
        if (mark < reader->size && (text[mark] == '+' || text[mark] == '-')) { mark++; }
        if (mark < reader->size && text[mark] >= '0' && text[mark] <= '9') {
            real = true;
            at = mark;
            while (at < reader->size && text[at] >= '0' && text[at] <= '9') { at++; }
        }
    }
    reader->at = at;
    char *copy = it_strndup(text + from, at - from);
    if (real) {
        it_python_float(strtod(copy, NULL), out);
    } else {
        it_str_puts(out, strcmp(copy, "-0") == 0 ? "0" : copy);
    }
    it_free(copy);
    return true;
}

static bool read_value(struct reader *reader, bool top, struct it_str *out);

static bool read_array(struct reader *reader, struct it_str *out)
{
    it_str_putc(out, '[');
    reader->at++;
    skip_space(reader);
    if (take(reader, "]")) {
        it_str_putc(out, ']');
        return true;
    }
    for (;;) {
        if (!read_value(reader, false, out)) { return false; }
        skip_space(reader);
        if (take(reader, "]")) { break; }
        if (!take(reader, ",")) { return false; }
        it_str_puts(out, ", ");
    }
    it_str_putc(out, ']');
    return true;
}

/* The members of an object in the order of their first appearance, the last value of each. */
struct member {
    struct it_str key, value;
};
struct members {
    struct member *item;
    size_t n, cap;
};

static void members_free(struct members *members)
{
    for (size_t i = 0; i < members->n; i++) {
        it_str_free(&members->item[i].key);
        it_str_free(&members->item[i].value);
    }
    it_free(members->item);
}

static struct member *member_of(struct members *members, const struct it_str *key)
{
    for (size_t i = 0; i < members->n; i++) {
        struct it_str *other = &members->item[i].key;
        if (other->len == key->len && memcmp(it_str_c(other), it_str_c(key), key->len) == 0) {
            return &members->item[i];
        }
    }
    return NULL;
}

/* `top`: the values are wanted as str(), not as repr(). */
static bool read_members(struct reader *reader, bool top, struct members *members)
{
    reader->at++;
    skip_space(reader);
    if (take(reader, "}")) { return true; }
    for (;;) {
        struct it_str key = {0};
        skip_space(reader);
        if (!read_string(reader, &key)) {
            it_str_free(&key);
            return false;
        }
        struct member *member = member_of(members, &key);
        if (member == NULL) {
            members->item =
                it_grow(members->item, &members->cap, members->n + 1, sizeof *members->item);
            member = &members->item[members->n++];
            *member = (struct member){.key = key};
        } else {
            it_str_free(&key);
            it_str_clear(&member->value);
        }
        skip_space(reader);
        if (!take(reader, ":") || !read_value(reader, top, &member->value)) { return false; }
        skip_space(reader);
        if (take(reader, "}")) { return true; }
        if (!take(reader, ",")) { return false; }
    }
}

static bool read_object(struct reader *reader, struct it_str *out)
{
    struct members members = {0};
    bool good = read_members(reader, false, &members);
    it_str_putc(out, '{');
    for (size_t i = 0; i < members.n; i++) {
        if (i > 0) { it_str_puts(out, ", "); }
        put_repr(&members.item[i].key, out);
        it_str_puts(out, ": ");
        it_str_add(out, it_str_c(&members.item[i].value), members.item[i].value.len);
    }
    it_str_putc(out, '}');
    members_free(&members);
    return good;
}

static bool read_value(struct reader *reader, bool top, struct it_str *out)
{
    static const char *const word[][2] = {{"true", "True"},    {"false", "False"},
                                          {"null", "None"},    {"NaN", "nan"},
                                          {"Infinity", "inf"}, {"-Infinity", "-inf"}};
    skip_space(reader);
    if (reader->at >= reader->size) { return false; }
    char c = reader->text[reader->at];
    if (c == '"') {
        struct it_str text = {0};
        bool good = read_string(reader, &text);
        if (top) {
            it_str_add(out, it_str_c(&text), text.len);
        } else {
            put_repr(&text, out);
        }
        it_str_free(&text);
        return good;
    }
    if (c == '{' || c == '[') {
        if (++reader->depth > DEPTH_MAX) { return false; }
        bool good = c == '{' ? read_object(reader, out) : read_array(reader, out);
        reader->depth--;
        return good;
    }
    for (size_t i = 0; i < sizeof word / sizeof *word; i++) {
        if (take(reader, word[i][0])) {
            it_str_puts(out, word[i][1]);
            return true;
        }
    }
    return read_number(reader, out);
}

bool it_python_json_member(const char *text, size_t size, const char *key, bool *found_out,
                           struct it_str *out)
{
    struct reader reader = {.text = text, .size = size};
    struct members members = {0};
    struct it_str name = {0};
    skip_space(&reader);
    bool good = reader.at < size && text[reader.at] == '{' && read_members(&reader, true, &members);
    skip_space(&reader);
    good = good && reader.at == size;
    it_str_puts(&name, key);
    struct member *member = good ? member_of(&members, &name) : NULL;
    if (member != NULL) { it_str_add(out, it_str_c(&member->value), member->value.len); }
    *found_out = member != NULL;
    it_str_free(&name);
    members_free(&members);
    return good;
}
