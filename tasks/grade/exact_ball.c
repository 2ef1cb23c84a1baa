/* SPDX-License-Identifier: MIT */
/* The value of a tree as a ball of complex numbers that surely holds it. */
#include "config.h"

#ifdef HAVE_CALCIUM
#    include <string.h>

#    include "core/base/str.h"
#    include "tasks/grade/exact_internal.h"

/* What a node costs, in visits of the evaluator in doubles; powers of two of the largest exponent
 * of e: beyond, numbers have more digits than anybody writes. */
enum { COST = 20, EXPONENT_BITS = 34, FACTORIAL_MOST = 1000000, SERIES_MOST = 1000 };

struct baller {
    struct it_evaluator *evaluator;
    slong bits;
};

void it_exact_set_wide(fmpz_t out, it_wide value)
{
    bool minus = value < 0;
    unsigned __int128 size = minus ? -(unsigned __int128)value : (unsigned __int128)value;
    fmpz_set_uiui(out, (ulong)(size >> 64), (ulong)size);
    if (minus) { fmpz_neg(out, out); }
}

void it_exact_set_fraction(fmpq_t out, struct it_rational value)
{
    it_exact_set_wide(fmpq_numref(out), value.num);
    it_exact_set_wide(fmpq_denref(out), value.den);
}

static bool ball(struct baller *baller, const struct it_expr *node, acb_t out);

/* Decimal digits, with a point perhaps. */
static bool digits(const char *text, fmpq_t out)
{
    struct it_str whole = {0};
    const char *point = strchr(text, '.');
    size_t places = point != NULL ? strlen(point + 1) : 0;
    it_str_add(&whole, text, point != NULL ? (size_t)(point - text) : strlen(text));
    if (point != NULL) { it_str_puts(&whole, point + 1); }
    bool good = fmpz_set_str(fmpq_numref(out), it_str_c(&whole), 10) == 0;
    fmpz_ui_pow_ui(fmpq_denref(out), 10, places);
    it_str_free(&whole);
    return good;
}

static bool number(const struct baller *baller, const struct it_expr *node, acb_t out)
{
    fmpq_t value;
    fmpq_init(value);
    bool good = true;
    if (node->kind == IT_EXPR_BIG) {
        good = digits(node->name, value);
    } else {
        it_exact_set_fraction(value, node->value);
    }
    acb_set_fmpq(out, value, baller->bits);
    fmpq_clear(value);
    return good;
}

static bool symbol(const struct baller *baller, const char *name, acb_t out)
{
    int64_t index;
    if (it_value_bound(baller->evaluator, name, &index)) {
        acb_set_si(out, (slong)index);
    } else {
        acb_set_d(out, it_value_symbol(name, baller->evaluator->point));
    }
    return true;
}

/* ---- powers ---- */

/* e^x, unless it is larger than one can say. */
static bool exponential(acb_t out, const acb_t x, slong bits)
{
    mag_t size;
    mag_init(size);
    acb_get_mag(size, x);
    bool fits = mag_cmp_2exp_si(size, EXPONENT_BITS) < 0;
    mag_clear(size);
    if (fits) { acb_exp(out, x, bits); }
    return fits;
}

static bool power(acb_t out, const acb_t base, const acb_t exponent, slong bits)
{
    enum { BY_SQUARING = 4096 };
    arf_srcptr middle = arb_midref(acb_realref(exponent));
    bool whole = acb_is_int(exponent);
    if (whole && arf_cmpabs_ui(middle, BY_SQUARING) <= 0) {
        slong n = arf_get_si(middle, ARF_RND_DOWN);
        if (n <= 0 && acb_contains_zero(base)) { return false; }
        acb_pow_si(out, base, n, bits);
        return true;
    }
    if (acb_is_exact(exponent) && acb_is_real(exponent) && arf_cmp_d(middle, 0.5) == 0) {
        acb_sqrt(out, base, bits);
        return true;
    }
    if (acb_contains_zero(base)) { return false; }
    acb_t product;
    acb_init(product);
    acb_log(product, base, bits);
    acb_mul(product, product, exponent, bits);
    bool good = exponential(out, product, bits);
    acb_clear(product);
    return good;
}

/* ---- functions ---- */

static const struct {
    const char *name;
    void (*function)(acb_t out, const acb_t x, slong bits);
} elementary[] = {
    {"sqrt", acb_sqrt}, {"sin", acb_sin},   {"cos", acb_cos},   {"tan", acb_tan},
    {"cot", acb_cot},   {"sec", acb_sec},   {"csc", acb_csc},   {"asin", acb_asin},
    {"acos", acb_acos}, {"atan", acb_atan}, {"sinh", acb_sinh}, {"cosh", acb_cosh},
    {"tanh", acb_tanh},
};

static bool is_real(const acb_t x)
{
    return arb_is_zero(acb_imagref(x));
}

static bool integer_of(const acb_t x, fmpz_t out)
{
    return is_real(x) && arb_get_unique_fmpz(out, acb_realref(x)) && acb_is_int(x);
}

/* The tree is an integer, though its ball is no point: \log_2 8. */
static bool proven_integer(struct it_evaluator *evaluator, const struct it_expr *node,
                           const arb_t x, fmpz_t out)
{
    struct it_expr integer = {.kind = IT_EXPR_NUMBER, .name = "", .value = {0, 1}};
    arb_t half;
    arb_init(half);
    arb_set_d(half, 0.5);
    arb_add(half, half, x, ARF_PREC_EXACT);
    arf_floor(arb_midref(half), arb_midref(half));
    bool small = arf_cmpabs_2exp_si(arb_midref(half), 60) < 0;
    if (small) { arf_get_fmpz(out, arb_midref(half), ARF_RND_DOWN); }
    arb_clear(half);
    if (!small) { return false; }
    integer.value.num = fmpz_get_si(out);
    return it_exact_field_equal(evaluator, node, &integer) == IT_EXACT_TRUE;
}

static bool whole_part(struct baller *baller, const struct it_expr *node, bool up, acb_t out)
{
    fmpz_t part;
    arb_t rounded;
    acb_t x;
    acb_init(x);
    arb_init(rounded);
    fmpz_init(part);
    bool good = ball(baller, node, x) && is_real(x) && acb_is_finite(x);
    if (good) {
        (up ? arb_ceil : arb_floor)(rounded, acb_realref(x), baller->bits);
        good = arb_get_unique_fmpz(part, rounded) ||
               proven_integer(baller->evaluator, node, acb_realref(x), part);
    }
    if (good) { acb_set_fmpz(out, part); }
    fmpz_clear(part);
    arb_clear(rounded);
    acb_clear(x);
    return good;
}

static bool factorial(acb_t out, const acb_t x, slong bits)
{
    mag_t size;
    mag_init(size);
    acb_get_mag(size, x);
    bool fits = mag_cmp_2exp_si(size, 20) < 0;
    mag_clear(size);
    if (!fits) { return false; }
    acb_add_ui(out, x, 1, bits);
    acb_gamma(out, out, bits);
    return acb_is_finite(out);
}

/* n(n-1)...(n-k+1) / k! for a whole k that is not large. */
static bool binomial(struct baller *baller, acb_t out, const acb_t n, const acb_t k)
{
    enum { LARGEST = 1000 };
    fmpz_t count;
    acb_t factor;
    fmpz_init(count);
    bool good = integer_of(k, count) && fmpz_sgn(count) >= 0 && fmpz_cmp_ui(count, LARGEST) <= 0;
    slong last = good ? fmpz_get_si(count) : 0;
    fmpz_clear(count);
    if (!good) { return false; }
    baller->evaluator->fuel -= last;
    acb_init(factor);
    acb_one(out);
    for (slong i = 0; i < last; i++) {
        acb_sub_ui(factor, n, (ulong)i, baller->bits);
        acb_mul(out, out, factor, baller->bits);
        acb_div_si(out, out, i + 1, baller->bits);
    }
    acb_clear(factor);
    return true;
}

static bool of_several(const char *name, acb_ptr arg, slong n, acb_t out)
{
    bool max = strcmp(name, "max") == 0, min = strcmp(name, "min") == 0, good = true;
    acb_set(out, &arg[0]);
    fmpz_t x, y;
    fmpz_init(x);
    fmpz_init(y);
    for (slong i = 1; i < n && good; i++) {
        arb_srcptr next = acb_realref(&arg[i]), best = acb_realref(out);
        if (max || min) {
            good = is_real(out) && is_real(&arg[i]);
            if (good && (max ? arb_gt(next, best) : arb_lt(next, best))) {
                acb_set(out, &arg[i]);
            } else if (good && arb_overlaps(next, best) && !arb_equal(next, best)) {
                acb_union(out, out, &arg[i], ARF_PREC_EXACT);
            }
            continue;
        }
        good = integer_of(out, x) && integer_of(&arg[i], y);
        if (!good) { break; }
        (name[0] == 'g' ? fmpz_gcd : fmpz_lcm)(x, x, y);
        acb_set_fmpz(out, x);
    }
    fmpz_clear(x);
    fmpz_clear(y);
    return good;
}

/* A name nobody knows: what it_value_opaque makes of the arguments. */
static bool opaque(const char *name, acb_srcptr arg, int n, acb_t out)
{
    enum { MOST = 16 };
    double complex value[MOST];
    for (int i = 0; i < n; i++) {
        value[i] = arf_get_d(arb_midref(acb_realref(&arg[i])), ARF_RND_NEAR) +
                   arf_get_d(arb_midref(acb_imagref(&arg[i])), ARF_RND_NEAR) * I;
    }
    acb_set_d(out, it_value_opaque(name, value, n));
    return acb_is_finite(out);
}

static bool logarithm(acb_t out, acb_srcptr arg, int n, slong bits)
{
    acb_t base;
    acb_init(base);
    acb_set_ui(base, 10);
    if (n > 1) { acb_set(base, &arg[1]); }
    acb_log(base, base, bits);
    acb_log(out, &arg[0], bits);
    bool good = !acb_contains_zero(base);
    if (good) { acb_div(out, out, base, bits); }
    acb_clear(base);
    return good;
}

static bool apply(struct baller *baller, const char *name, acb_ptr arg, int n, acb_t out)
{
    slong bits = baller->bits;
    for (size_t i = 0; i < sizeof elementary / sizeof *elementary; i++) {
        if (strcmp(name, elementary[i].name) == 0) {
            elementary[i].function(out, &arg[0], bits);
            return acb_is_finite(out);
        }
    }
    if (strcmp(name, "exp") == 0) { return exponential(out, &arg[0], bits); }
    if (strcmp(name, "ln") == 0 || strcmp(name, "log") == 0) {
        if (acb_contains_zero(&arg[0])) { return false; }
        if (name[1] == 'o') { return logarithm(out, arg, n, bits); }
        acb_log(out, &arg[0], bits);
        return true;
    }
    if (strcmp(name, "abs") == 0) {
        arb_t size;
        arb_init(size);
        acb_abs(size, &arg[0], bits);
        acb_set_arb(out, size);
        arb_clear(size);
        return true;
    }
    if (strcmp(name, "factorial") == 0) { return factorial(out, &arg[0], bits); }
    if (strcmp(name, "binom") == 0 && n == 2) { return binomial(baller, out, &arg[0], &arg[1]); }
    if (strcmp(name, "root") == 0 && n == 2) {
        if (acb_contains_zero(&arg[1])) { return false; }
        acb_inv(&arg[1], &arg[1], bits);
        return power(out, &arg[0], &arg[1], bits);
    }
    static const char *const several[] = {"max", "min", "gcd", "lcm"};
    for (size_t i = 0; i < sizeof several / sizeof *several; i++) {
        if (strcmp(name, several[i]) == 0) { return of_several(name, arg, n, out); }
    }
    return opaque(name, arg, n, out);
}

/* arg: index, first, last, body. */
static bool series(struct baller *baller, const struct it_expr *node, bool product, acb_t out)
{
    fmpz_t first, last;
    acb_t term;
    fmpz_init(first);
    fmpz_init(last);
    acb_init(term);
    bool good = ball(baller, node->arg[1], term) && integer_of(term, first) &&
                ball(baller, node->arg[2], term) && integer_of(term, last) &&
                fmpz_bits(first) < 31 && fmpz_bits(last) < 31 &&
                fmpz_get_si(last) - fmpz_get_si(first) < SERIES_MOST;
    acb_set_ui(out, product ? 1 : 0);
    if (good) {
        struct it_binding binding = {node->arg[0]->name, fmpz_get_si(first),
                                     baller->evaluator->binding};
        baller->evaluator->binding = &binding;
        for (; good && binding.value <= fmpz_get_si(last); binding.value++) {
            good = ball(baller, node->arg[3], term);
            (product ? acb_mul : acb_add)(out, out, term, baller->bits);
        }
        baller->evaluator->binding = binding.outer;
    }
    fmpz_clear(first);
    fmpz_clear(last);
    acb_clear(term);
    return good;
}

static bool call(struct baller *baller, const struct it_expr *node, acb_t out)
{
    enum { MOST = 16 };
    bool product = strcmp(node->name, "prod") == 0;
    if ((product || strcmp(node->name, "sum") == 0) && node->n == 4) {
        return series(baller, node, product, out);
    }
    if (node->n < 1 || node->n > MOST) { return false; }
    if (strcmp(node->name, "floor") == 0 || strcmp(node->name, "ceil") == 0) {
        return whole_part(baller, node->arg[0], node->name[0] == 'c', out);
    }
    acb_ptr arg = _acb_vec_init(node->n);
    bool good = true;
    for (int i = 0; i < node->n && good; i++) { good = ball(baller, node->arg[i], &arg[i]); }
    good = good && apply(baller, node->name, arg, node->n, out);
    _acb_vec_clear(arg, node->n);
    return good;
}

/* ---- trees ---- */

static bool chain(struct baller *baller, const struct it_expr *node, acb_t out)
{
    acb_t next;
    acb_init(next);
    bool good = ball(baller, node->arg[0], out);
    for (int i = 1; i < node->n && good; i++) {
        good = ball(baller, node->arg[i], next);
        (node->kind == IT_EXPR_ADD ? acb_add : acb_mul)(out, out, next, baller->bits);
    }
    acb_clear(next);
    return good;
}

static bool pair(struct baller *baller, const struct it_expr *node, acb_t out)
{
    acb_t left, right;
    acb_init(left);
    acb_init(right);
    bool good = ball(baller, node->arg[0], left) && ball(baller, node->arg[1], right);
    if (good && node->kind == IT_EXPR_POW) {
        good = power(out, left, right, baller->bits);
    } else if (good) {
        good = !acb_contains_zero(right);
        if (good) { acb_div(out, left, right, baller->bits); }
    }
    acb_clear(left);
    acb_clear(right);
    return good;
}

static bool ball(struct baller *baller, const struct it_expr *node, acb_t out)
{
    baller->evaluator->fuel -= COST + COST * baller->bits / 1024;
    if (baller->evaluator->fuel < 0) { return false; }
    switch (node->kind) {
    case IT_EXPR_NUMBER:
    case IT_EXPR_BIG: return number(baller, node, out);
    case IT_EXPR_SYMBOL: return symbol(baller, node->name, out);
    case IT_EXPR_PI: acb_const_pi(out, baller->bits); return true;
    case IT_EXPR_E:
        acb_one(out);
        acb_exp(out, out, baller->bits);
        return true;
    case IT_EXPR_I: acb_onei(out); return true;
    case IT_EXPR_NEG:
        if (!ball(baller, node->arg[0], out)) { return false; }
        acb_neg(out, out);
        return true;
    case IT_EXPR_PERCENT:
        if (!ball(baller, node->arg[0], out)) { return false; }
        acb_div_ui(out, out, 100, baller->bits);
        return true;
    case IT_EXPR_ADD:
    case IT_EXPR_MUL: return chain(baller, node, out);
    case IT_EXPR_DIV:
    case IT_EXPR_POW: return pair(baller, node, out);
    case IT_EXPR_CALL: return call(baller, node, out);
    default: return false;
    }
}

bool it_exact_ball(struct it_evaluator *evaluator, const struct it_expr *node, slong bits,
                   acb_t ball_out)
{
    struct baller baller = {evaluator, bits};
    return ball(&baller, node, ball_out) && acb_is_finite(ball_out);
}

#else
/* a file of nothing is no C */
extern int it_exact_ball_is_left_out;
#endif
