/* SPDX-License-Identifier: MIT */
/* Exact fractions of 127-bit integers. */
#include "tasks/grade/rational.h"

#include <math.h>

/* The one value whose negation overflows; it counts as an overflow itself. */
#define WIDE_MIN (-(it_wide)(~(unsigned __int128)0 >> 1) - 1)

static bool mul(it_wide a, it_wide b, it_wide *out)
{
    return !__builtin_mul_overflow(a, b, out) && *out != WIDE_MIN;
}

static bool add(it_wide a, it_wide b, it_wide *out)
{
    return !__builtin_add_overflow(a, b, out) && *out != WIDE_MIN;
}

static it_wide wide_abs(it_wide a)
{
    return a < 0 ? -a : a;
}

static it_wide gcd(it_wide a, it_wide b)
{
    a = wide_abs(a);
    b = wide_abs(b);
    while (b != 0) {
        it_wide rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

bool it_rational_make(it_wide num, it_wide den, struct it_rational *out)
{
    if (den == 0) { return false; }
    it_wide common = gcd(num, den);
    if (den < 0) { common = -common; }
    *out = (struct it_rational){num / common, den / common};
    return true;
}

bool it_rational_parse(const char *text, size_t size, struct it_rational *out)
{
    it_wide num = 0, den = 1;
    bool point = false, digits = false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '.' && !point) {
            point = true;
            continue;
        }
        if (text[i] < '0' || text[i] > '9') { return false; }
        digits = true;
        if (!mul(num, 10, &num) || !add(num, text[i] - '0', &num)) { return false; }
        if (point && !mul(den, 10, &den)) { return false; }
    }
    return digits && it_rational_make(num, den, out);
}

bool it_rational_add(struct it_rational a, struct it_rational b, struct it_rational *out)
{
    it_wide common = gcd(a.den, b.den), left, right, den, num;
    if (!mul(a.num, b.den / common, &left) || !mul(b.num, a.den / common, &right) ||
        !mul(a.den, b.den / common, &den) || !add(left, right, &num)) {
        return false;
    }
    return it_rational_make(num, den, out);
}

bool it_rational_mul(struct it_rational a, struct it_rational b, struct it_rational *out)
{
    it_wide one = gcd(a.num, b.den), two = gcd(b.num, a.den), num, den;
    if (one == 0) { one = 1; }
    if (two == 0) { two = 1; }
    if (!mul(a.num / one, b.num / two, &num) || !mul(a.den / two, b.den / one, &den)) {
        return false;
    }
    return it_rational_make(num, den, out);
}

bool it_rational_div(struct it_rational a, struct it_rational b, struct it_rational *out)
{
    struct it_rational inverse;
    return it_rational_make(b.den, b.num, &inverse) && it_rational_mul(a, inverse, out);
}

bool it_rational_pow(struct it_rational base, int64_t exponent, struct it_rational *out)
{
    struct it_rational result = {1, 1};
    if (exponent < 0) {
        if (exponent < -INT64_C(1000000)) { return false; }
        if (!it_rational_make(base.den, base.num, &base)) { return false; }
        exponent = -exponent;
    }
    while (exponent > 0) {
        if ((exponent & 1) != 0 && !it_rational_mul(result, base, &result)) { return false; }
        exponent >>= 1;
        if (exponent > 0 && !it_rational_mul(base, base, &base)) { return false; }
    }
    *out = result;
    return true;
}

static bool integer_root(it_wide value, int64_t degree, it_wide *out)
{
    double guess = pow((double)value, 1.0 / (double)degree);
    if (guess > 1e18) { return false; }
    for (it_wide root = (it_wide)guess - 1; root <= (it_wide)guess + 1; root++) {
        struct it_rational power;
        if (root >= 0 && it_rational_pow((struct it_rational){root, 1}, degree, &power) &&
            power.num == value) {
            *out = root;
            return true;
        }
    }
    return false;
}

bool it_rational_root(struct it_rational base, int64_t degree, struct it_rational *out)
{
    it_wide num, den;
    if (degree < 1 || degree > 128 || base.num < 0) { return false; }
    if (!integer_root(base.num, degree, &num) || !integer_root(base.den, degree, &den)) {
        return false;
    }
    return it_rational_make(num, den, out);
}

struct it_rational it_rational_neg(struct it_rational a)
{
    a.num = -a.num;
    return a;
}

bool it_rational_equal(struct it_rational a, struct it_rational b)
{
    return a.num == b.num && a.den == b.den;
}

int it_rational_compare(struct it_rational a, struct it_rational b)
{
    it_wide left, right;
    if (mul(a.num, b.den, &left) && mul(b.num, a.den, &right)) {
        return left < right ? -1 : left > right;
    }
    double x = it_rational_double(a), y = it_rational_double(b);
    return x < y ? -1 : x > y;
}

bool it_rational_round(struct it_rational a, int places, it_wide *out)
{
    struct it_rational scale, scaled;
    if (!it_rational_pow((struct it_rational){10, 1}, places, &scale) ||
        !it_rational_mul(a, scale, &scaled)) {
        return false;
    }
    it_wide floor = scaled.num / scaled.den;
    it_wide rest = scaled.num % scaled.den;
    if (rest < 0) {
        rest += scaled.den;
        floor--;
    }
    /* rest/den against 1/2, without doubling what may not fit */
    it_wide other = scaled.den - rest;
    bool up = rest > other || (rest == other && floor % 2 != 0);
    *out = floor + (up ? 1 : 0);
    return true;
}

bool it_rational_is_integer(struct it_rational a, int64_t *value_out)
{
    if (a.den != 1 || a.num > INT64_MAX || a.num < -INT64_MAX) { return false; }
    *value_out = (int64_t)a.num;
    return true;
}

double it_rational_double(struct it_rational a)
{
    return (double)a.num / (double)a.den;
}
