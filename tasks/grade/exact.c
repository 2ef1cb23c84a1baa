/* SPDX-License-Identifier: MIT */
/* Equality decided with balls and fields. */
#include "config.h"

#ifndef HAVE_CALCIUM
#    include "tasks/grade/exact.h"

bool it_exact_available(void)
{
    return false;
}

enum it_exact it_exact_equal(struct it_evaluator *evaluator, const struct it_expr *a,
                             const struct it_expr *b)
{
    (void)evaluator, (void)a, (void)b;
    return IT_EXACT_UNKNOWN;
}

enum it_exact it_exact_rounded_equal(struct it_evaluator *evaluator, const struct it_expr *a,
                                     const struct it_expr *b, int places)
{
    (void)evaluator, (void)a, (void)b, (void)places;
    return IT_EXACT_UNKNOWN;
}

#else
#    include <pthread.h>
#    include <stdlib.h>

#    include "tasks/grade/exact_internal.h"

/* Bits of the first look, of a usual one, and at most; those that must agree, in all, of a number
 * that is nearly nothing, and after the point. */
enum {
    BITS_FIRST = 128,
    BITS_USUAL = 512,
    BITS_MOST = 32768,
    BITS_AGREED = 200,
    BITS_TINY = 400,
    BITS_WHOLE = 10
};

bool it_exact_available(void)
{
    return true;
}

/* ---- FLINT keeps tables for each thread: they go when the thread does ---- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;

static void at_thread_exit(void *value)
{
    (void)value;
    flint_cleanup();
}

static void at_exit(void)
{
    flint_cleanup();
}

static void make_key(void)
{
    if (pthread_key_create(&key, at_thread_exit) == 0) { (void)atexit(at_exit); }
}

static void enter(void)
{
    (void)pthread_once(&once, make_key);
    (void)pthread_setspecific(key, &once);
}

/* ---- balls ---- */

/* At one point: FALSE when the balls are apart, TRUE when they agree to BITS_AGREED bits and to as
 * many after the point as tell integers apart. *larger_out: more bits might do. */
static enum it_exact compare_balls(struct it_evaluator *evaluator, const struct it_expr *a,
                                   const struct it_expr *b, slong bits, bool *larger_out)
{
    enum it_exact result = IT_EXACT_UNKNOWN;
    acb_t x, y;
    mag_t size, gap;
    acb_init(x);
    acb_init(y);
    mag_init(size);
    mag_init(gap);
    *larger_out = false;
    if (it_exact_ball(evaluator, a, bits, x) && it_exact_ball(evaluator, b, bits, y)) {
        bool apart = !acb_overlaps(x, y);
        acb_get_mag(size, x);
        acb_sub(y, x, y, bits);
        acb_get_mag(gap, y);
        *larger_out = mag_cmp_2exp_si(size, BITS_MOST) < 0;
        mag_mul_2exp_si(size, size, -BITS_AGREED);
        bool close = mag_cmp(gap, size) <= 0 || mag_cmp_2exp_si(gap, -BITS_TINY) <= 0;
        close = close && mag_cmp_2exp_si(gap, -BITS_WHOLE) <= 0;
        result = apart ? IT_EXACT_FALSE : close ? IT_EXACT_TRUE : IT_EXACT_UNKNOWN;
    }
    mag_clear(size);
    mag_clear(gap);
    acb_clear(x);
    acb_clear(y);
    return result;
}

static enum it_exact compare_here(struct it_evaluator *evaluator, const struct it_expr *a,
                                  const struct it_expr *b)
{
    bool larger = true;
    enum it_exact result = IT_EXACT_UNKNOWN;
    for (slong bits = BITS_USUAL; larger && result == IT_EXACT_UNKNOWN && bits <= BITS_MOST;
         bits *= 8) {
        result = compare_balls(evaluator, a, b, bits, &larger);
    }
    return result;
}

/* Points where there is no value, or where a branch is cut, say nothing. */
static enum it_exact compare_points(struct it_evaluator *evaluator, const struct it_expr *a,
                                    const struct it_expr *b)
{
    int agreed = 0;
    for (int point = 0; point < IT_VALUE_POINTS; point++) {
        evaluator->point = point;
        enum it_exact here = compare_here(evaluator, a, b);
        if (here == IT_EXACT_FALSE) { return here; }
        if (here == IT_EXACT_TRUE) { agreed++; }
    }
    return agreed >= IT_VALUE_POINTS / 2 ? IT_EXACT_TRUE : IT_EXACT_UNKNOWN;
}

enum it_exact it_exact_equal(struct it_evaluator *evaluator, const struct it_expr *a,
                             const struct it_expr *b)
{
    bool larger;
    enter();
    if (it_value_has_symbols(a) || it_value_has_symbols(b)) {
        return compare_points(evaluator, a, b);
    }
    evaluator->point = 0;
    enum it_exact first = compare_balls(evaluator, a, b, BITS_FIRST, &larger);
    if (first == IT_EXACT_FALSE) { return first; }
    enum it_exact proven = it_exact_field_equal(evaluator, a, b);
    return proven != IT_EXACT_UNKNOWN ? proven : compare_here(evaluator, a, b);
}

/* ---- rounding ---- */

/* The integer nearest to x * 10^places; false when the ball does not say which. */
static bool nearest(const arb_t x, int places, slong bits, fmpz_t out)
{
    arb_t scaled;
    fmpz_t power;
    arb_init(scaled);
    fmpz_init(power);
    fmpz_ui_pow_ui(power, 10, (ulong)places);
    arb_mul_fmpz(scaled, x, power, bits);
    arf_t half;
    arf_init(half);
    arf_set_d(half, 0.5);
    arb_add_arf(scaled, scaled, half, bits);
    arb_floor(scaled, scaled, bits);
    bool unique = arb_get_unique_fmpz(out, scaled);
    arf_clear(half);
    arb_clear(scaled);
    fmpz_clear(power);
    return unique;
}

enum it_exact it_exact_rounded_equal(struct it_evaluator *evaluator, const struct it_expr *a,
                                     const struct it_expr *b, int places)
{
    enum it_exact result = IT_EXACT_UNKNOWN;
    acb_t x, y;
    enter();
    acb_init(x);
    acb_init(y);
    evaluator->point = 0;
    /* as many bits as the integers have, and some */
    for (slong bits = BITS_FIRST; bits <= BITS_MOST && result == IT_EXACT_UNKNOWN; bits *= 4) {
        fmpz_t m, n;
        fmpz_init(m);
        fmpz_init(n);
        if (!it_exact_ball(evaluator, a, bits, x) || !it_exact_ball(evaluator, b, bits, y)) {
            bits = BITS_MOST;
        } else if (nearest(acb_realref(x), places, bits, m) &&
                   nearest(acb_realref(y), places, bits, n)) {
            bool same = fmpz_equal(m, n);
            if (nearest(acb_imagref(x), places, bits, m) &&
                nearest(acb_imagref(y), places, bits, n)) {
                result = same && fmpz_equal(m, n) ? IT_EXACT_TRUE : IT_EXACT_FALSE;
            }
        }
        fmpz_clear(m);
        fmpz_clear(n);
    }
    acb_clear(x);
    acb_clear(y);
    return result;
}
#endif
