/* SPDX-License-Identifier: MIT */
/* The value of a tree: exact while it can be, then a complex double with an error bound. */
#include "tasks/grade/value.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CALL_ARGUMENTS = 16 };

uint64_t it_value_hash(const char *name, int point)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325) + (uint64_t)point * UINT64_C(0x9e3779b97f4a7c15);
    for (; *name != '\0'; name++) {
        hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    }
    hash = (hash ^ hash >> 33) * UINT64_C(0xff51afd7ed558ccd);
    hash = (hash ^ hash >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return hash ^ hash >> 33;
}

/* Symbols are real. At point 0 all are positive, at point 1 all negative (so that sqrt(x^2) is not
 * x), then mixed. */
double it_value_symbol(const char *name, int point)
{
    uint64_t hash = it_value_hash(name, point);
    double size = 0.3 + 2.2 * ((double)(hash >> 11) * 0x1p-53);
    bool negative = point == 1 || (point > 1 && (hash & 1) != 0);
    return negative ? -size : size;
}

static bool set_exact(struct it_rational fraction, struct it_value *out)
{
    double number = it_rational_double(fraction);
    bool whole = fraction.den == 1 && fabs(number) < 0x1p53;
    *out =
        (struct it_value){true, false, fraction, number, whole ? 0.0 : fabs(number) * DBL_EPSILON};
    return true;
}

static bool set_number(double complex number, double error, struct it_value *out)
{
    error += cabs(number) * 4 * DBL_EPSILON;
    /* no -0i: real numbers lie on one side of the branches that are cut along the axis */
    if (cimag(number) == 0.0) { number = creal(number); }
    *out = (struct it_value){false, false, {0, 1}, number, error};
    return isfinite(creal(number)) && isfinite(cimag(number)) && isfinite(error);
}

static bool add(const struct it_value *a, const struct it_value *b, struct it_value *out)
{
    struct it_rational sum;
    if (a->exact && b->exact && it_rational_add(a->fraction, b->fraction, &sum)) {
        return set_exact(sum, out);
    }
    return set_number(a->number + b->number, a->error + b->error, out);
}

static bool mul(const struct it_value *a, const struct it_value *b, struct it_value *out)
{
    struct it_rational product;
    if (a->exact && b->exact && it_rational_mul(a->fraction, b->fraction, &product)) {
        return set_exact(product, out);
    }
    return set_number(a->number * b->number,
                      cabs(a->number) * b->error + cabs(b->number) * a->error, out);
}

static bool is_zero(const struct it_value *a)
{
    return a->exact ? a->fraction.num == 0 : cabs(a->number) <= 4 * a->error;
}

static bool divide(const struct it_value *a, const struct it_value *b, struct it_value *out)
{
    struct it_rational ratio;
    if (is_zero(b)) {
        *out = (struct it_value){.pole = true};
        return b->exact;
    }
    if (a->exact && b->exact && it_rational_div(a->fraction, b->fraction, &ratio)) {
        return set_exact(ratio, out);
    }
    double size = cabs(b->number);
    double complex quotient = a->number / b->number;
    return set_number(quotient, (a->error + cabs(quotient) * b->error) / size, out);
}

/* Exact when the exponent is a fraction whose root exists. */
static bool power_exact(struct it_rational base, struct it_rational exponent,
                        struct it_rational *out)
{
    int64_t top, bottom;
    struct it_rational whole = {exponent.num, 1}, root_degree = {exponent.den, 1}, root;
    if (!it_rational_is_integer(whole, &top) || !it_rational_is_integer(root_degree, &bottom)) {
        return false;
    }
    if (bottom == 1) { return it_rational_pow(base, top, out); }
    return it_rational_root(base, bottom, &root) && it_rational_pow(root, top, out);
}

/* So near to the negative axis that the side is not known: roots and logarithms jump there. */
static bool on_cut(const struct it_value *a)
{
    return creal(a->number) < 0 && cimag(a->number) != 0.0 && fabs(cimag(a->number)) <= a->error;
}

static bool power(const struct it_value *base, const struct it_value *exponent,
                  struct it_value *out)
{
    struct it_rational result;
    if (base->exact && exponent->exact) {
        if (base->fraction.num == 0 && exponent->fraction.num < 0) {
            *out = (struct it_value){.pole = true};
            return true;
        }
        if (power_exact(base->fraction, exponent->fraction, &result)) {
            return set_exact(result, out);
        }
    }
    double size = cabs(base->number);
    if (size == 0.0 || on_cut(base)) { return false; }
    double complex logarithm = clog(base->number);
    double complex value = cpow(base->number, exponent->number);
    double relative = cabs(exponent->number) * base->error / size +
                      cabs(logarithm) * exponent->error +
                      4 * DBL_EPSILON * cabs(exponent->number * logarithm);
    return set_number(value, cabs(value) * relative, out);
}

/* ---- functions ---- */

/* A function of one variable: the value and the derivative's size, for the error. */
static bool elementary(const char *name, double complex z, double complex *value, double *slope)
{
    double complex f, d;
    if (strcmp(name, "sin") == 0) {
        f = csin(z), d = ccos(z);
    } else if (strcmp(name, "cos") == 0) {
        f = ccos(z), d = csin(z);
    } else if (strcmp(name, "tan") == 0) {
        f = ctan(z), d = 1 + f * f;
    } else if (strcmp(name, "cot") == 0) {
        f = 1 / ctan(z), d = 1 + f * f;
    } else if (strcmp(name, "sec") == 0) {
        f = 1 / ccos(z), d = f * ctan(z);
    } else if (strcmp(name, "csc") == 0) {
        f = 1 / csin(z), d = f / ctan(z);
    } else if (strcmp(name, "asin") == 0) {
        f = casin(z), d = 1 / csqrt(1 - z * z);
    } else if (strcmp(name, "acos") == 0) {
        f = cacos(z), d = 1 / csqrt(1 - z * z);
    } else if (strcmp(name, "atan") == 0) {
        f = catan(z), d = 1 / (1 + z * z);
    } else if (strcmp(name, "sinh") == 0) {
        f = csinh(z), d = ccosh(z);
    } else if (strcmp(name, "cosh") == 0) {
        f = ccosh(z), d = csinh(z);
    } else if (strcmp(name, "tanh") == 0) {
        f = ctanh(z), d = 1 - f * f;
    } else if (strcmp(name, "exp") == 0) {
        f = cexp(z), d = f;
    } else if (strcmp(name, "ln") == 0) {
        f = clog(z), d = 1 / z;
    } else if (strcmp(name, "sqrt") == 0) {
        f = csqrt(z), d = 0.5 / f;
    } else {
        return false;
    }
    *value = f;
    *slope = cabs(d);
    return true;
}

/* Of a name nobody knows: any fixed function of its argument will do, since equal arguments then
 * give equal values. Rounding the argument makes nearly equal ones the same. */
double it_value_opaque(const char *name, const double complex *arg, int n)
{
    double sum = 0.0;
    for (int i = 0; i < n; i++) {
        double weight = it_value_symbol(name, i);
        sum += weight * creal(arg[i]) + 1.7 * weight * cimag(arg[i]);
    }
    double scaled = sum == 0.0 ? 0.0 : sum * pow(10.0, 9.0 - floor(log10(fabs(sum))));
    double spread = remainder(floor(scaled + 0.5) * 0.6180339887498949, 1.0);
    return it_value_symbol(name, 0) + spread;
}

static bool opaque(const char *name, const struct it_value *arg, int n, struct it_value *out)
{
    double complex number[CALL_ARGUMENTS];
    for (int i = 0; i < n; i++) { number[i] = arg[i].number; }
    return set_number(it_value_opaque(name, number, n), 0.0, out);
}

static bool absolute(const struct it_value *a, struct it_value *out)
{
    if (a->exact) {
        bool minus = a->fraction.num < 0;
        return set_exact(minus ? it_rational_neg(a->fraction) : a->fraction, out);
    }
    return set_number(cabs(a->number), a->error, out);
}

static bool whole_part(const struct it_value *a, bool up, struct it_value *out)
{
    if (!a->exact) {
        double x = creal(a->number), part = up ? ceil(x) : floor(x);
        bool near = fabs(x - rint(x)) <= 4 * a->error;
        return !near && fabs(cimag(a->number)) <= a->error && fabs(x) < 1e15 &&
               set_exact((struct it_rational){(it_wide)part, 1}, out);
    }
    it_wide part = a->fraction.num / a->fraction.den, rest = a->fraction.num % a->fraction.den;
    if (rest < 0) { part--; }
    if (up && rest != 0) { part++; }
    return set_exact((struct it_rational){part, 1}, out);
}

static bool whole(const struct it_value *a, int64_t *out)
{
    return a->exact && it_rational_is_integer(a->fraction, out);
}

static bool factorial(struct it_evaluator *evaluator, const struct it_value *a,
                      struct it_value *out)
{
    int64_t n;
    struct it_rational product = {1, 1};
    if (!whole(a, &n) || n < 0 || n > 170) { return false; }
    evaluator->fuel -= n;
    for (int64_t i = 2; i <= n; i++) {
        if (!it_rational_mul(product, (struct it_rational){i, 1}, &product)) {
            return set_number(tgamma((double)n + 1.0), 1e-12 * tgamma((double)n + 1.0), out);
        }
    }
    return set_exact(product, out);
}

static bool binomial(struct it_evaluator *evaluator, const struct it_value *arg,
                     struct it_value *out)
{
    int64_t n, k;
    struct it_rational product = {1, 1};
    if (!whole(&arg[0], &n) || !whole(&arg[1], &k) || k < 0 || n < 0 || n > 100000) {
        return false;
    }
    if (k > n) { return set_exact((struct it_rational){0, 1}, out); }
    if (k > n - k) { k = n - k; }
    evaluator->fuel -= k;
    if (evaluator->fuel < 0) { return false; }
    for (int64_t i = 1; i <= k; i++) {
        if (!it_rational_mul(product, (struct it_rational){n - k + i, 1}, &product) ||
            !it_rational_div(product, (struct it_rational){i, 1}, &product)) {
            return false;
        }
    }
    return set_exact(product, out);
}

/* max, min, gcd, lcm of numbers. */
static bool of_several(const char *name, const struct it_value *arg, int n, struct it_value *out)
{
    bool max = strcmp(name, "max") == 0, min = strcmp(name, "min") == 0;
    *out = arg[0];
    for (int i = 1; i < n; i++) {
        if (max || min) {
            if ((creal(arg[i].number) > creal(out->number)) == max) { *out = arg[i]; }
            continue;
        }
        int64_t a, b;
        if (!whole(out, &a) || !whole(&arg[i], &b) || a == 0 || b == 0) { return false; }
        int64_t x = a < 0 ? -a : a, y = b < 0 ? -b : b;
        while (y != 0) {
            int64_t rest = x % y;
            x = y;
            y = rest;
        }
        struct it_rational result = {x, 1};
        if (name[0] == 'l') {
            result = (struct it_rational){(it_wide)(a < 0 ? -a : a) / x * (b < 0 ? -b : b), 1};
        }
        (void)set_exact(result, out);
    }
    return true;
}

static bool logarithm(const struct it_value *arg, int n, struct it_value *out)
{
    struct it_value base, top, bottom;
    (void)set_exact((struct it_rational){10, 1}, &base);
    if (n > 1) { base = arg[1]; }
    if (is_zero(&arg[0]) || is_zero(&base) || on_cut(&arg[0])) { return false; }
    (void)set_number(clog(arg[0].number), arg[0].error / cabs(arg[0].number), &top);
    (void)set_number(clog(base.number), base.error / cabs(base.number), &bottom);
    return divide(&top, &bottom, out) && !out->pole;
}

/* arg: index, first, last, body. Written out, so the ends must be integers not far apart. */
static bool series(struct it_evaluator *evaluator, const struct it_expr *node, bool product,
                   struct it_value *out)
{
    enum { LONGEST = 1000 };
    struct it_value ends[2], total, term;
    int64_t first, last;
    for (int i = 0; i < 2; i++) {
        if (!it_value_of(evaluator, node->arg[i + 1], &ends[i]) || ends[i].pole) { return false; }
    }
    if (!whole(&ends[0], &first) || !whole(&ends[1], &last) || first < -INT32_MAX ||
        last > INT32_MAX || last - first >= LONGEST) {
        return false;
    }
    struct it_binding binding = {node->arg[0]->name, first, evaluator->binding};
    (void)set_exact((struct it_rational){product ? 1 : 0, 1}, &total);
    evaluator->binding = &binding;
    bool good = true;
    for (; good && binding.value <= last; binding.value++) {
        struct it_value before = total;
        good = it_value_of(evaluator, node->arg[3], &term) && !term.pole &&
               (product ? mul(&before, &term, &total) : add(&before, &term, &total));
    }
    evaluator->binding = binding.outer;
    *out = total;
    return good;
}

static bool call(struct it_evaluator *evaluator, const struct it_expr *node, struct it_value *out)
{
    bool product = strcmp(node->name, "prod") == 0;
    if ((product || strcmp(node->name, "sum") == 0) && node->n == 4) {
        return series(evaluator, node, product, out);
    }
    struct it_value arg[CALL_ARGUMENTS];
    const char *name = node->name;
    if (node->n < 1 || node->n > CALL_ARGUMENTS) { return false; }
    for (int i = 0; i < node->n; i++) {
        if (!it_value_of(evaluator, node->arg[i], &arg[i]) || arg[i].pole) { return false; }
    }
    if (strcmp(name, "abs") == 0) { return absolute(&arg[0], out); }
    if (strcmp(name, "floor") == 0) { return whole_part(&arg[0], false, out); }
    if (strcmp(name, "ceil") == 0) { return whole_part(&arg[0], true, out); }
    if (strcmp(name, "factorial") == 0) { return factorial(evaluator, &arg[0], out); }
    if (strcmp(name, "binom") == 0) { return binomial(evaluator, arg, out); }
    if (strcmp(name, "log") == 0) { return logarithm(arg, node->n, out); }
    if (strcmp(name, "max") == 0 || strcmp(name, "min") == 0 || strcmp(name, "gcd") == 0 ||
        strcmp(name, "lcm") == 0) {
        return of_several(name, arg, node->n, out);
    }
    if (strcmp(name, "root") == 0 && node->n == 2) {
        struct it_value one, inverse;
        (void)set_exact((struct it_rational){1, 1}, &one);
        return divide(&one, &arg[1], &inverse) && !inverse.pole && power(&arg[0], &inverse, out);
    }
    struct it_rational root;
    if (strcmp(name, "sqrt") == 0 && arg[0].exact && it_rational_root(arg[0].fraction, 2, &root)) {
        return set_exact(root, out);
    }
    bool cut = strcmp(name, "sqrt") == 0 || strcmp(name, "ln") == 0;
    if (cut && on_cut(&arg[0])) { return false; }
    double complex value;
    double slope;
    if (!elementary(name, arg[0].number, &value, &slope)) {
        return opaque(name, arg, node->n, out);
    }
    double error = arg[0].error > 0.0 ? slope * arg[0].error : 0.0;
    /* at an end of their range these three are no worse than a square root */
    bool rooted =
        strcmp(name, "asin") == 0 || strcmp(name, "acos") == 0 || strcmp(name, "sqrt") == 0;
    if (rooted) { error = fmin(error, 2.0 * sqrt(arg[0].error)); }
    return set_number(value, error, out);
}

bool it_value_bound(const struct it_evaluator *evaluator, const char *name, int64_t *value_out)
{
    for (const struct it_binding *at = evaluator->binding; at != NULL; at = at->outer) {
        if (strcmp(at->name, name) == 0) {
            *value_out = at->value;
            return true;
        }
    }
    return false;
}

static bool symbol(const struct it_evaluator *evaluator, const char *name, struct it_value *out)
{
    int64_t index;
    if (it_value_bound(evaluator, name, &index)) {
        return set_exact((struct it_rational){index, 1}, out);
    }
    return set_number(it_value_symbol(name, evaluator->point), 0.0, out);
}

bool it_value_of(struct it_evaluator *evaluator, const struct it_expr *node,
                 struct it_value *value_out)
{
    struct it_value a, b, total;
    if (--evaluator->fuel < 0) { return false; }
    switch (node->kind) {
    case IT_EXPR_NUMBER: return set_exact(node->value, value_out);
    case IT_EXPR_BIG: return set_number(strtod(node->name, NULL), 0.0, value_out);
    case IT_EXPR_SYMBOL: return symbol(evaluator, node->name, value_out);
    case IT_EXPR_PI: return set_number(3.14159265358979323846, 0.0, value_out);
    case IT_EXPR_E: return set_number(2.71828182845904523536, 0.0, value_out);
    case IT_EXPR_I: return set_number(I, 0.0, value_out);
    case IT_EXPR_CALL: return call(evaluator, node, value_out);
    case IT_EXPR_NEG:
        if (!it_value_of(evaluator, node->arg[0], &a)) { return false; }
        if (a.pole) {
            *value_out = a;
            return true;
        }
        return a.exact ? set_exact(it_rational_neg(a.fraction), value_out)
                       : set_number(-a.number, a.error, value_out);
    case IT_EXPR_PERCENT:
        (void)set_exact((struct it_rational){1, 100}, &b);
        return it_value_of(evaluator, node->arg[0], &a) && mul(&a, &b, value_out);
    case IT_EXPR_DIV:
    case IT_EXPR_POW:
        if (!it_value_of(evaluator, node->arg[0], &a) ||
            !it_value_of(evaluator, node->arg[1], &b) || a.pole || b.pole) {
            return false;
        }
        return node->kind == IT_EXPR_DIV ? divide(&a, &b, value_out) : power(&a, &b, value_out);
    case IT_EXPR_ADD:
    case IT_EXPR_MUL:
        if (!it_value_of(evaluator, node->arg[0], &total)) { return false; }
        for (int i = 1; i < node->n; i++) {
            if (total.pole || !it_value_of(evaluator, node->arg[i], &b) || b.pole) { return false; }
            a = total;
            if (!(node->kind == IT_EXPR_ADD ? add(&a, &b, &total) : mul(&a, &b, &total))) {
                return false;
            }
        }
        *value_out = total;
        return true;
    default: return false;
    }
}
