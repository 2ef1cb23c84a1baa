/* SPDX-License-Identifier: MIT */
/* The JSON answer rule of ZeroEval. */
#include "tasks/grade/zeroeval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/str.h"
#include "tasks/grade/python.h"

/* ---- the answer's text ---- */

/* From the first brace to the one that balances it, quotes not minded; newlines deleted. False when
 * none balances. */
static bool first_object(const char *text, struct it_str *out)
{
    long depth = 0;
    const char *start = NULL;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '{' && depth++ == 0) { start = at; }
        if (*at != '}' || start == NULL || --depth > 0) { continue; }
        for (const char *c = start; c <= at; c++) {
            if (*c != '\n') { it_str_putc(out, *c); }
        }
        return true;
    }
    return false;
}

static const char *skip_space(const char *at)
{
    while (*at != '\0' && strchr(" \t\r\n\f\v", *at) != NULL) { at++; }
    return at;
}

/* What follows `word`, spaces, a colon and spaces; NULL when that is not there. */
static const char *after_key(const char *at, const char *word)
{
    if (strncmp(at, word, strlen(word)) != 0) { return NULL; }
    at = skip_space(at + strlen(word));
    return *at == ':' ? skip_space(at + 1) : NULL;
}

/* The first `key: "value"` (quoted) or `key: value` (up to a comma or space) of the text. */
static char *pattern(const char *text, const char *key, bool quoted)
{
    for (const char *at = text; *at != '\0'; at++) {
        const char *value = after_key(at, key);
        if (value == NULL) { continue; }
        if (!quoted) { return it_strndup(value, strcspn(value, ", \t\r\n\f\v")); }
        if (*value != '"') { continue; }
        const char *end = strchr(value + 1, '"');
        if (end != NULL) { return it_strndup(value + 1, (size_t)(end - value - 1)); }
    }
    return NULL;
}

char *it_zeroeval_answer(const char *completion, bool *strict_out)
{
    struct it_str object = {0}, answer = {0};
    bool found = false;
    if (first_object(completion, &object)) {
        (void)it_python_json_member(it_str_c(&object), object.len, "answer", &found, &answer);
    }
    it_str_free(&object);
    if (strict_out != NULL) { *strict_out = found; }
    if (found) {
        (void)it_str_c(&answer);
        char *text = answer.data != NULL ? it_str_take(&answer) : it_strdup("");
        it_str_free(&answer);
        return text;
    }
    it_str_free(&answer);
    static const char *const key[] = {"\"answer\"", "answer"};
    for (int i = 0; i < 2; i++) {
        char *value = pattern(completion, key[i], true);
        if (value == NULL) { value = pattern(completion, key[i], false); }
        if (value != NULL) { return value; }
    }
    return NULL;
}

/* ---- numbers ---- */

/* The part of Python's expressions that answers use: + - * / // ** and parentheses of decimal
 * numbers. The original hands such text to eval(). */
struct reader {
    const char *at;
    int depth;
    bool real; /* a division or a decimal point: the result prints as a float */
};

static bool read_sum(struct reader *reader, double *out);

static void blanks(struct reader *reader)
{
    while (*reader->at == ' ' || *reader->at == '\t') { reader->at++; }
}

static bool read_atom(struct reader *reader, double *out)
{
    blanks(reader);
    if (*reader->at == '(') {
        if (++reader->depth > 50) { return false; }
        reader->at++;
        if (!read_sum(reader, out) || *reader->at != ')') { return false; } /* may be the end */
        reader->depth--;
        reader->at++;
        blanks(reader);
        return true;
    }
    size_t size = strspn(reader->at, "0123456789.");
    if (size == 0 || size > 300) { return false; }
    /* an integer with leading zeros is an error in Python */
    if (reader->at[0] == '0' && size > 1 && memchr(reader->at, '.', size) == NULL &&
        strspn(reader->at, "0") != size) {
        return false;
    }
    char copy[304], *end;
    memcpy(copy, reader->at, size);
    copy[size] = '\0';
    *out = strtod(copy, &end);
    if (*end != '\0') { return false; }
    if (strchr(copy, '.') != NULL) { reader->real = true; }
    reader->at += size;
    blanks(reader);
    return true;
}

static bool read_signed(struct reader *reader, double *out);

/* a ** b binds closer than a sign on its left, and from the right. */
static bool read_power(struct reader *reader, double *out)
{
    double exponent;
    if (!read_atom(reader, out)) { return false; }
    if (strncmp(reader->at, "**", 2) != 0) { return true; }
    reader->at += 2;
    if (!read_signed(reader, &exponent)) { return false; }
    if (exponent < 0.0) { reader->real = true; }
    *out = pow(*out, exponent);
    return isfinite(*out);
}

static bool read_signed(struct reader *reader, double *out)
{
    blanks(reader);
    if (*reader->at == '-' || *reader->at == '+') {
        bool minus = *reader->at == '-';
        if (++reader->depth > 50) { return false; }
        reader->at++;
        if (!read_signed(reader, out)) { return false; }
        reader->depth--;
        if (minus) { *out = -*out; }
        return true;
    }
    return read_power(reader, out);
}

static bool read_product(struct reader *reader, double *out)
{
    if (!read_signed(reader, out)) { return false; }
    while (*reader->at == '*' || *reader->at == '/') {
        bool over = *reader->at == '/', floored = over && reader->at[1] == '/';
        double right;
        reader->at += floored ? 2 : 1;
        if (!read_signed(reader, &right) || (over && right == 0.0)) { return false; }
        if (over && !floored) { reader->real = true; }
        *out = over ? *out / right : *out * right;
        if (floored) { *out = floor(*out); }
    }
    return true;
}

static bool read_sum(struct reader *reader, double *out)
{
    if (!read_product(reader, out)) { return false; }
    while (*reader->at == '+' || *reader->at == '-') {
        bool minus = *reader->at == '-';
        double right;
        reader->at++;
        if (!read_product(reader, &right)) { return false; }
        *out = minus ? *out - right : *out + right;
    }
    return true;
}

/* Without "$" and ","; spaces trimmed; a fraction worked out. */
static void sanitize(const char *answer, struct it_str *out)
{
    struct it_str kept = {0};
    for (; *answer != '\0'; answer++) {
        if (*answer != '$' && *answer != ',') { it_str_putc(&kept, *answer); }
    }
    const char *data = it_str_c(&kept);
    size_t from = 0, to = kept.len;
    while (from < to && strchr(" \t\r\n\f\v", data[from]) != NULL) { from++; }
    while (to > from && strchr(" \t\r\n\f\v", data[to - 1]) != NULL) { to--; }
    char *trimmed = it_strndup(data + from, to - from);
    it_str_free(&kept);
    struct reader reader = {.at = trimmed};
    double value;
    if (strchr(trimmed, '/') != NULL && read_sum(&reader, &value) && *reader.at == '\0') {
        if (reader.real) {
            it_python_float(value, out);
        } else {
            it_str_printf(out, "%.0f", value);
        }
    } else {
        it_str_puts(out, trimmed);
    }
    it_free(trimmed);
}

/* The bytes of a decimal digit, ASCII or full-width, and its value; 0 when it is none. */
static size_t digit(const char *at, char *value)
{
    if (*at >= '0' && *at <= '9') {
        *value = *at;
        return 1;
    }
    const unsigned char *byte = (const unsigned char *)at;
    if (byte[0] == 0xef && byte[1] == 0xbc && byte[2] >= 0x90 && byte[2] <= 0x99) {
        *value = (char)('0' + (byte[2] - 0x90));
        return 3;
    }
    return 0;
}

static size_t digits(const char *at, struct it_str *plain)
{
    size_t size = 0, next;
    char value;
    while ((next = digit(at + size, &value)) > 0) {
        it_str_putc(plain, value);
        size += next;
    }
    return size;
}

/* The first -?digits(.digits)? of the text, in plain digits. */
static bool first_number(const char *text, struct it_str *plain)
{
    for (const char *at = text; *at != '\0'; at++) {
        const char *start = *at == '-' ? at + 1 : at;
        struct it_str number = {0};
        if (*at == '-') { it_str_putc(&number, '-'); }
        size_t size = digits(start, &number);
        if (size == 0) {
            it_str_free(&number);
            continue;
        }
        char ignored;
        if (start[size] == '.' && digit(start + size + 1, &ignored) > 0) {
            it_str_putc(&number, '.');
            (void)digits(start + size + 1, &number);
        }
        it_str_puts(plain, it_str_c(&number));
        it_str_free(&number);
        return true;
    }
    return false;
}

char *it_zeroeval_number(const char *answer)
{
    struct it_str clean = {0}, number = {0};
    sanitize(answer, &clean);
    bool found = first_number(it_str_c(&clean), &number);
    it_str_free(&clean);
    char *text = found ? it_str_take(&number) : NULL;
    it_str_free(&number);
    return text;
}

bool it_zeroeval_numbers_equal(const char *gold, const char *answer)
{
    char *left = it_zeroeval_number(gold), *right = it_zeroeval_number(answer);
    bool equal = left != NULL && right != NULL && strtod(left, NULL) == strtod(right, NULL);
    it_free(left);
    it_free(right);
    return equal;
}
