/* SPDX-License-Identifier: MIT */
/* Rational functions modulo primes: two that agree at random points of a field of 2^61 elements are
 * the same. pi and e, which no rational function relates to fractions, stand as symbols. */
#include <string.h>

#include "tasks/grade/value.h"

static const uint64_t primes[] = {
    (UINT64_C(1) << 61) - 1,  /* Mersenne */
    (UINT64_C(1) << 62) - 57, /* the largest prime below 2^62 */
};

static uint64_t mul_mod(uint64_t a, uint64_t b, uint64_t p)
{
    return (uint64_t)((unsigned __int128)a * b % p);
}

static uint64_t pow_mod(uint64_t base, uint64_t exponent, uint64_t p)
{
    uint64_t result = 1;
    for (; exponent > 0; exponent >>= 1) {
        if ((exponent & 1) != 0) { result = mul_mod(result, base, p); }
        base = mul_mod(base, base, p);
    }
    return result;
}

static bool divide(uint64_t a, uint64_t b, uint64_t p, uint64_t *out)
{
    if (b == 0) { return false; }
    *out = mul_mod(a, pow_mod(b, p - 2, p), p);
    return true;
}

static uint64_t wide_mod(it_wide value, uint64_t p)
{
    it_wide rest = value % (it_wide)p;
    return (uint64_t)(rest < 0 ? rest + (it_wide)p : rest);
}

/* With a point perhaps. */
static uint64_t digits_mod(const char *digits, uint64_t p)
{
    uint64_t rest = 0, scale = 1;
    bool after = false;
    for (; *digits != '\0'; digits++) {
        if (*digits == '.') {
            after = true;
            continue;
        }
        rest = (mul_mod(rest, 10, p) + (uint64_t)(*digits - '0')) % p;
        if (after) { scale = mul_mod(scale, 10, p); }
    }
    (void)divide(rest, scale, p, &rest); /* a power of ten is never zero */
    return rest;
}

/* Integer exponents of any size that fits; the value is exact. */
static bool integer_exponent(struct it_evaluator *evaluator, const struct it_expr *node,
                             int64_t *out)
{
    struct it_value value;
    return it_value_of(evaluator, node, &value) && value.exact &&
           it_rational_is_integer(value.fraction, out);
}

static bool power(struct it_evaluator *evaluator, const struct it_expr *node, int prime,
                  uint64_t *out)
{
    uint64_t base, p = primes[prime];
    int64_t exponent;
    if (!integer_exponent(evaluator, node->arg[1], &exponent) ||
        !it_value_residue(evaluator, node->arg[0], prime, &base)) {
        return false;
    }
    if (exponent >= 0) {
        *out = pow_mod(base, (uint64_t)exponent, p);
        return base != 0 || exponent > 0;
    }
    return divide(1, pow_mod(base, (uint64_t)-exponent, p), p, out);
}

static bool factorial(struct it_evaluator *evaluator, const struct it_expr *node, int prime,
                      uint64_t *out)
{
    int64_t n;
    if (!integer_exponent(evaluator, node->arg[0], &n) || n < 0 || n > 100000) { return false; }
    evaluator->fuel -= n / 4;
    if (evaluator->fuel < 0) { return false; }
    uint64_t product = 1;
    for (int64_t i = 2; i <= n; i++) { product = mul_mod(product, (uint64_t)i, primes[prime]); }
    *out = product;
    return true;
}

static bool combine(struct it_evaluator *evaluator, const struct it_expr *node, int prime,
                    uint64_t *out)
{
    bool sum = node->kind == IT_EXPR_ADD;
    uint64_t total = sum ? 0 : 1, p = primes[prime];
    for (int i = 0; i < node->n; i++) {
        uint64_t next;
        if (!it_value_residue(evaluator, node->arg[i], prime, &next)) { return false; }
        total = sum ? (total + next) % p : mul_mod(total, next, p);
    }
    *out = total;
    return true;
}

bool it_value_residue(struct it_evaluator *evaluator, const struct it_expr *node, int prime,
                      uint64_t *residue_out)
{
    uint64_t p = primes[prime], a, b;
    if (--evaluator->fuel < 0) { return false; }
    switch (node->kind) {
    case IT_EXPR_NUMBER:
        return divide(wide_mod(node->value.num, p), wide_mod(node->value.den, p), p, residue_out);
    case IT_EXPR_BIG: *residue_out = digits_mod(node->name, p); return true;
    case IT_EXPR_SYMBOL:
        *residue_out = it_value_hash(node->name, evaluator->point) % p;
        return true;
    case IT_EXPR_PI: *residue_out = it_value_hash("\\pi", evaluator->point) % p; return true;
    case IT_EXPR_E: *residue_out = it_value_hash("\\e", evaluator->point) % p; return true;
    case IT_EXPR_ADD:
    case IT_EXPR_MUL: return combine(evaluator, node, prime, residue_out);
    case IT_EXPR_NEG:
        if (!it_value_residue(evaluator, node->arg[0], prime, &a)) { return false; }
        *residue_out = a == 0 ? 0 : p - a;
        return true;
    case IT_EXPR_PERCENT:
        return it_value_residue(evaluator, node->arg[0], prime, &a) &&
               divide(a, 100, p, residue_out);
    case IT_EXPR_DIV:
        return it_value_residue(evaluator, node->arg[0], prime, &a) &&
               it_value_residue(evaluator, node->arg[1], prime, &b) && divide(a, b, p, residue_out);
    case IT_EXPR_POW: return power(evaluator, node, prime, residue_out);
    case IT_EXPR_CALL:
        return strcmp(node->name, "factorial") == 0 &&
               factorial(evaluator, node, prime, residue_out);
    default: return false;
    }
}
