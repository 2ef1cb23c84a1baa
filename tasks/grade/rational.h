/* SPDX-License-Identifier: MIT */
/* Exact fractions of 127-bit integers. Every function returns false, and leaves its output alone,
 * where the result does not fit or does not exist. */
#ifndef IT_TASKS_GRADE_RATIONAL_H
#define IT_TASKS_GRADE_RATIONAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef __int128 it_wide;

/* In lowest terms, den > 0. */
struct it_rational {
    it_wide num, den;
};

bool it_rational_make(it_wide num, it_wide den, struct it_rational *out);
/* Decimal digits with at most one point: "12", "1.50", ".5". */
bool it_rational_parse(const char *text, size_t size, struct it_rational *out);
bool it_rational_add(struct it_rational a, struct it_rational b, struct it_rational *out);
bool it_rational_mul(struct it_rational a, struct it_rational b, struct it_rational *out);
bool it_rational_div(struct it_rational a, struct it_rational b, struct it_rational *out);
bool it_rational_pow(struct it_rational base, int64_t exponent, struct it_rational *out);
/* The exact root of degree `degree` when there is a rational one and the base is not negative. */
bool it_rational_root(struct it_rational base, int64_t degree, struct it_rational *out);
struct it_rational it_rational_neg(struct it_rational a);
bool it_rational_equal(struct it_rational a, struct it_rational b);
/* -1, 0, 1; by doubles where the products do not fit. */
int it_rational_compare(struct it_rational a, struct it_rational b);
/* The integer nearest to a * 10^places, ties to even. */
bool it_rational_round(struct it_rational a, int places, it_wide *out);
bool it_rational_is_integer(struct it_rational a, int64_t *value_out);
double it_rational_double(struct it_rational a);

#endif
