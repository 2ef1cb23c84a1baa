/* SPDX-License-Identifier: MIT */
/* Parquet values as JSON: what JSON has no type for becomes text that says the same (dates and
 * times as ISO 8601, decimals digit by digit, bytes that are no text as {"base64": ...}). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/data/parquet_internal.h"

enum { MAX_DECIMAL = 64 }; /* bytes */

/* ---- time ---- */

/* Civil date of a day counted from 1970-01-01, by eras of 400 years that begin in March. */
static void put_date(struct it_str *out, int64_t day)
{
    day += 719468;
    int64_t era = (day >= 0 ? day : day - 146096) / 146097;
    int64_t of_era = day - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t shifted = (5 * of_year + 2) / 153; /* 0: March */
    int64_t month = shifted < 10 ? shifted + 3 : shifted - 9;
    it_str_printf(out, "%04lld-%02lld-%02lld",
                  (long long)(year + era * 400 + (month <= 2 ? 1 : 0)), (long long)month,
                  (long long)(of_year - (153 * shifted + 2) / 5 + 1));
}

/* A time of day in units of 10^-digits s; a fraction, where there is one, has 3, 6 or 9 digits. */
static void put_time(struct it_str *out, int64_t units, int digits)
{
    int64_t one = digits == 3 ? 1000 : digits == 6 ? 1000000 : 1000000000;
    int64_t seconds = units / one, rest = units % one;
    for (; rest % 1000 == 0 && digits > 3; digits -= 3) { rest /= 1000; }
    it_str_printf(out, "%02lld:%02lld:%02lld", (long long)(seconds / 3600),
                  (long long)(seconds / 60 % 60), (long long)(seconds % 60));
    if (rest) { it_str_printf(out, ".%0*lld", digits, (long long)rest); }
}

static void put_timestamp(struct it_str *out, int64_t units, int digits)
{
    int64_t a_day = 86400 * (digits == 3 ? 1000 : digits == 6 ? 1000000 : 1000000000LL);
    int64_t day = units / a_day, of_day = units % a_day;
    if (of_day < 0) {
        of_day += a_day;
        day--;
    }
    put_date(out, day);
    it_str_putc(out, 'T');
    put_time(out, of_day, digits);
}

/* The timestamp of old writers: nanoseconds of the day, then the Julian day. */
static void put_int96(struct it_str *out, const uint8_t *at)
{
    uint64_t nanoseconds = 0, day = 0;
    for (int i = 7; i >= 0; i--) { nanoseconds = nanoseconds << 8 | at[i]; }
    for (int i = 11; i >= 8; i--) { day = day << 8 | at[i]; }
    int64_t civil = (int64_t)(int32_t)(uint32_t)day - 2440588; /* the Julian day of 1970-01-01 */
    if (nanoseconds >= 86400000000000ULL) {
        civil += (int64_t)(nanoseconds / 86400000000000ULL);
        nanoseconds %= 86400000000000ULL;
    }
    put_date(out, civil);
    it_str_putc(out, 'T');
    put_time(out, (int64_t)nanoseconds, 9);
}

/* ---- decimals ---- */

/* Digits of a big-endian magnitude, by division by ten; `n` bytes are used up. */
static void put_digits(struct it_str *digits, uint8_t *magnitude, size_t n)
{
    char reversed[MAX_DECIMAL * 3];
    size_t count = 0, first = 0;
    while (first < n) {
        unsigned rest = 0;
        for (size_t i = first; i < n; i++) {
            unsigned value = rest << 8 | magnitude[i];
            magnitude[i] = (uint8_t)(value / 10);
            rest = value % 10;
        }
        reversed[count++] = (char)('0' + rest);
        while (first < n && magnitude[first] == 0) { first++; }
    }
    while (count) { it_str_putc(digits, reversed[--count]); }
}

/* A two's complement number, big-endian, with `scale` digits behind the point. */
static bool put_decimal(struct it_str *out, const uint8_t *bytes, size_t n, int scale)
{
    uint8_t magnitude[MAX_DECIMAL] = {0};
    struct it_str digits = {0};
    if (n == 0 || n > MAX_DECIMAL) { return false; }
    bool negative = bytes[0] & 0x80;
    unsigned carry = negative;
    for (size_t i = n; i-- > 0;) {
        unsigned byte = (negative ? (uint8_t)~bytes[i] : bytes[i]) + carry;
        magnitude[i] = (uint8_t)byte;
        carry = byte >> 8;
    }
    put_digits(&digits, magnitude, n);
    if (negative) { it_str_putc(out, '-'); }
    size_t whole = digits.len > (size_t)scale ? digits.len - (size_t)scale : 0;
    if (whole == 0) { it_str_putc(out, '0'); }
    it_str_add(out, digits.data, whole);
    if (scale) { it_str_putc(out, '.'); }
    for (size_t i = digits.len - whole; i < (size_t)scale; i++) { it_str_putc(out, '0'); }
    it_str_add(out, digits.data + whole, digits.len - whole);
    it_str_free(&digits);
    return true;
}

static bool put_decimal_integer(struct it_str *out, int64_t value, int scale)
{
    uint8_t bytes[8];
    for (int i = 7; i >= 0; i--) {
        bytes[i] = (uint8_t)value;
        value >>= 8;
    }
    return put_decimal(out, bytes, sizeof bytes, scale);
}

/* ---- bytes ---- */

static json_t *base64(const uint8_t *bytes, size_t n)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct it_str text = {0};
    for (size_t i = 0; i < n; i += 3) {
        size_t have = n - i < 3 ? n - i : 3;
        unsigned group = 0;
        for (size_t k = 0; k < 3; k++) { group = group << 8 | (k < have ? bytes[i + k] : 0); }
        for (size_t k = 0; k < 4; k++) {
            it_str_putc(&text, k <= have ? letters[group >> (18 - 6 * k) & 63] : '=');
        }
    }
    json_t *object = json_object();
    json_object_set_new(object, "base64", json_stringn(it_str_c(&text), text.len));
    it_str_free(&text);
    return object;
}

static void put_uuid(struct it_str *out, const uint8_t *bytes)
{
    for (int i = 0; i < 16; i++) {
        it_str_printf(out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", bytes[i]);
    }
}

/* IEEE 754 binary16. */
static double half(const uint8_t *at)
{
    unsigned bits = at[0] | (unsigned)at[1] << 8, exponent = bits >> 10 & 31, rest = bits & 1023;
    double value = exponent == 31 ? (rest ? NAN : INFINITY)
                   : exponent     ? ldexp(1024 + rest, (int)exponent - 25)
                                  : ldexp(rest, -24);
    return bits & 0x8000 ? -value : value;
}

/* ---- values ---- */

/* Whether the meaning was one that is written as text. */
static bool put_text(const struct it_pq_node *node, const struct it_pq_value *v,
                     struct it_str *out)
{
    bool stored = node->type == IT_PQ_BYTES || node->type == IT_PQ_FIXED;
    switch (node->meaning) {
    case IT_PQ_DECIMAL:
        return stored ? put_decimal(out, v->bytes, v->n, node->scale)
                      : put_decimal_integer(out, v->integer, node->scale);
    case IT_PQ_DATE: put_date(out, v->integer); return true;
    case IT_PQ_TIME:
        if (v->integer < 0) { return false; }
        put_time(out, v->integer, node->scale);
        return true;
    case IT_PQ_TIMESTAMP:
        put_timestamp(out, v->integer, node->scale);
        if (node->utc) { it_str_putc(out, 'Z'); }
        return true;
    case IT_PQ_UUID: put_uuid(out, v->bytes); return true;
    case IT_PQ_UNSIGNED: /* beyond what a JSON integer holds here */
        if (node->type != IT_PQ_INT64 || v->integer >= 0) { return false; }
        it_str_printf(out, "%llu", (unsigned long long)v->integer);
        return true;
    default:
        if (node->type != IT_PQ_INT96) { return false; }
        put_int96(out, v->bytes);
        return true;
    }
}

json_t *it_pq_json(const struct it_pq_node *node, const struct it_pq_value *v)
{
    struct it_str text = {0};
    json_t *value = NULL;
    if (put_text(node, v, &text)) {
        value = json_stringn(it_str_c(&text), text.len);
        it_str_free(&text);
        return value;
    }
    switch (node->type) {
    case IT_PQ_BOOLEAN: return json_boolean(v->integer != 0);
    case IT_PQ_INT32:
        return json_integer(node->meaning == IT_PQ_UNSIGNED ? (json_int_t)(uint32_t)v->integer
                                                            : (json_int_t)v->integer);
    case IT_PQ_INT64: return json_integer((json_int_t)v->integer);
    case IT_PQ_FLOAT:
    case IT_PQ_DOUBLE: return it_json_real(v->real);
    default: break;
    }
    if (node->meaning == IT_PQ_HALF) { return it_json_real(half(v->bytes)); }
    value = json_stringn(v->n ? (const char *)v->bytes : "", v->n);
    return value || node->meaning == IT_PQ_TEXT ? value : base64(v->bytes, v->n);
}
