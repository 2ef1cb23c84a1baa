/* SPDX-License-Identifier: MIT */
/* Arithmetic, items, fields and slices, as Python has them. Whole numbers are of 64 bits: what
 * leaves them is an error. */
#include <math.h>
#include <string.h>

#include "core/text/jinja_internal.h"

static enum it_status no_such(struct it_jrun *run, int line, enum it_jtoken_kind op,
                              const struct it_jvalue *a, const struct it_jvalue *b)
{
    static const char *const signs[] = {[IT_JT_ADD] = "+", [IT_JT_SUB] = "-", [IT_JT_MUL] = "*",
                                        [IT_JT_DIV] = "/", [IT_JT_FLOORDIV] = "//",
                                        [IT_JT_MOD] = "%", [IT_JT_POW] = "**"};
    const struct it_jvalue *undefined = a->kind == IT_JUNDEFINED ? a : b;
    if (undefined->kind == IT_JUNDEFINED) {
        return it_jrun_fail(run, IT_INVALID, line, "%s is undefined, and an operand of %s",
                            undefined->u.text ? undefined->u.text : "a value", signs[op]);
    }
    return it_jrun_fail(run, IT_INVALID, line, "%s %s %s has no meaning", it_jkind_words(a),
                        signs[op], it_jkind_words(b));
}

/* ---- numbers ---- */

static enum it_status too_large(struct it_jrun *run, int line)
{
    return it_jrun_fail(run, IT_INVALID, line, "a whole number of more than 64 bits");
}

static enum it_status by_zero(struct it_jrun *run, int line)
{
    return it_jrun_fail(run, IT_INVALID, line, "a division by zero");
}

static int64_t whole_of(const struct it_jvalue *value)
{
    return value->kind == IT_JBOOL ? value->u.yes : value->u.whole;
}

static enum it_status whole_power(struct it_jrun *run, int line, int64_t base, int64_t exponent,
                                  struct it_jvalue *out)
{
    int64_t result = 1;
    if (exponent < 0) {
        if (base == 0) { return by_zero(run, line); }
        *out = it_jreal(pow((double)base, (double)exponent));
        return IT_OK;
    }
    if (base >= -1 && base <= 1) { exponent = exponent > 2 ? 2 + exponent % 2 : exponent; }
    for (int64_t i = 0; i < exponent; i++) {
        if (__builtin_mul_overflow(result, base, &result)) { return too_large(run, line); }
    }
    *out = it_jint(result);
    return IT_OK;
}

static enum it_status whole_binary(struct it_jrun *run, int line, enum it_jtoken_kind op, int64_t a,
                                   int64_t b, struct it_jvalue *out)
{
    int64_t result = 0;
    bool over = false;
    switch (op) {
    case IT_JT_ADD: over = __builtin_add_overflow(a, b, &result); break;
    case IT_JT_SUB: over = __builtin_sub_overflow(a, b, &result); break;
    case IT_JT_MUL: over = __builtin_mul_overflow(a, b, &result); break;
    case IT_JT_POW: return whole_power(run, line, a, b, out);
    default:
        if (b == 0) { return by_zero(run, line); }
        if (b == -1) { /* INT64_MIN / -1 traps */
            over = op == IT_JT_FLOORDIV && __builtin_sub_overflow(0, a, &result);
            break;
        }
        result = op == IT_JT_MOD ? a % b : a / b;
        if (a % b != 0 && (a < 0) != (b < 0)) { result += op == IT_JT_MOD ? b : -1; }
    }
    if (over) { return too_large(run, line); }
    *out = it_jint(result);
    return IT_OK;
}

static enum it_status real_binary(struct it_jrun *run, int line, enum it_jtoken_kind op, double a,
                                  double b, struct it_jvalue *out)
{
    bool zero = fpclassify(b) == FP_ZERO;
    double rest;
    switch (op) {
    case IT_JT_ADD: *out = it_jreal(a + b); return IT_OK;
    case IT_JT_SUB: *out = it_jreal(a - b); return IT_OK;
    case IT_JT_MUL: *out = it_jreal(a * b); return IT_OK;
    case IT_JT_POW:
        *out = it_jreal(pow(a, b));
        if (isfinite(out->u.real) || !isfinite(a) || !isfinite(b)) { return IT_OK; }
        return it_jrun_fail(run, IT_INVALID, line, "a power that is no real number");
    default: break;
    }
    if (zero) { return by_zero(run, line); }
    if (op == IT_JT_DIV) {
        *out = it_jreal(a / b);
        return IT_OK;
    }
    rest = fmod(a, b);
    if (fpclassify(rest) == FP_ZERO) {
        rest = copysign(0.0, b);
    } else if ((rest < 0) != (b < 0)) {
        rest += b;
    }
    if (op == IT_JT_MOD) {
        *out = it_jreal(rest);
        return IT_OK;
    }
    double quotient = (a - rest) / b, floored = floor(quotient);
    *out = it_jreal(quotient - floored > 0.5 ? floored + 1 : floored);
    return IT_OK;
}

/* ---- texts and lists ---- */

static void add_part(struct it_str *out, const struct it_jvalue *text, bool escape)
{
    if (escape && !text->safe) {
        it_jescape_add(out, text->u.text, text->n);
    } else {
        it_str_add(out, text->u.text, text->n);
    }
}

/* A text marked with | safe makes the other one safe, as in Jinja: by escaping it. */
static enum it_status add_texts(struct it_jrun *run, int line, const struct it_jvalue *a,
                                const struct it_jvalue *b, struct it_jvalue *out)
{
    struct it_str text = {0};
    bool safe = a->safe || b->safe;
    IT_TRY(it_jrun_charge(run, line, a->n + b->n));
    if (a->n + b->n > IT_JINJA_OUTPUT_MAX) {
        return it_jrun_fail(run, IT_INVALID, line, "a text of more than %d MiB",
                            IT_JINJA_OUTPUT_MAX >> 20);
    }
    add_part(&text, a, safe);
    add_part(&text, b, safe);
    IT_TRY(it_jtext_take(run, line, &text, out));
    out->safe = safe;
    return IT_OK;
}

static enum it_status add_lists(struct it_jrun *run, int line, const struct it_jvalue *a,
                                const struct it_jvalue *b, struct it_jvalue *out)
{
    const struct it_jlist *list[2] = {a->u.list, b->u.list};
    IT_TRY(it_jrun_charge(run, line, (list[0]->n + list[1]->n) * sizeof *out));
    *out = it_jlist_new(run, list[0]->form);
    for (int i = 0; i < 2; i++) {
        for (size_t k = 0; k < list[i]->n; k++) { it_jlist_add(run, *out, list[i]->item[k]); }
    }
    return IT_OK;
}

static enum it_status repeat(struct it_jrun *run, int line, const struct it_jvalue *value,
                             int64_t times, struct it_jvalue *out)
{
    size_t size = value->kind == IT_JTEXT ? value->n : value->u.list->n * sizeof *out;
    struct it_str text = {0};
    if (times < 0 || size == 0) { times = 0; }
    if (times > 0 && (uint64_t)times > IT_JINJA_OUTPUT_MAX / size) {
        return it_jrun_fail(run, IT_INVALID, line, "a value of more than %d MiB",
                            IT_JINJA_OUTPUT_MAX >> 20);
    }
    IT_TRY(it_jrun_charge(run, line, size * (size_t)times));
    if (value->kind == IT_JTEXT) {
        for (int64_t i = 0; i < times; i++) { it_str_add(&text, value->u.text, value->n); }
        IT_TRY(it_jtext_take(run, line, &text, out));
        out->safe = value->safe;
        return IT_OK;
    }
    const struct it_jlist *list = value->u.list;
    *out = it_jlist_new(run, list->form);
    for (int64_t i = 0; i < times; i++) {
        for (size_t k = 0; k < list->n; k++) { it_jlist_add(run, *out, list->item[k]); }
    }
    return IT_OK;
}

static bool is_row(const struct it_jvalue *value) /* a list or a tuple */
{
    return value->kind == IT_JLIST && value->u.list->form <= IT_JTUPLE;
}

static bool is_whole(const struct it_jvalue *value)
{
    return value->kind == IT_JINT || value->kind == IT_JBOOL;
}

enum it_status it_jbinary(struct it_jrun *run, int line, enum it_jtoken_kind op,
                          const struct it_jvalue *a, const struct it_jvalue *b,
                          struct it_jvalue *out)
{
    if (it_jis_number(a) && it_jis_number(b)) {
        if (is_whole(a) && is_whole(b) && op != IT_JT_DIV) {
            return whole_binary(run, line, op, whole_of(a), whole_of(b), out);
        }
        return real_binary(run, line, op, it_jnumber(a), it_jnumber(b), out);
    }
    if (op == IT_JT_ADD && a->kind == IT_JTEXT && b->kind == IT_JTEXT) {
        return add_texts(run, line, a, b, out);
    }
    if (op == IT_JT_ADD && is_row(a) && is_row(b) && a->u.list->form == b->u.list->form) {
        return add_lists(run, line, a, b, out);
    }
    if (op == IT_JT_MUL && (a->kind == IT_JTEXT || is_row(a)) && is_whole(b)) {
        return repeat(run, line, a, whole_of(b), out);
    }
    if (op == IT_JT_MUL && (b->kind == IT_JTEXT || is_row(b)) && is_whole(a)) {
        return repeat(run, line, b, whole_of(a), out);
    }
    if (op == IT_JT_MOD && a->kind == IT_JTEXT) {
        return it_jrun_fail(run, IT_INVALID, line, "formatting by %% is not known here");
    }
    return no_such(run, line, op, a, b);
}

/* ---- items and fields ---- */

static enum it_status undefined_owner(struct it_jrun *run, int line, const struct it_jvalue *value,
                                      const char *what)
{
    return it_jrun_fail(run, IT_INVALID, line, "%s is undefined, and has no %s",
                        value->u.text ? value->u.text : "a value", what);
}

static enum it_status method(struct it_jrun *run, int line, const struct it_jvalue *value,
                             const char *name, struct it_jvalue *out)
{
    const struct it_jfunction *function;
    enum it_status status = it_jmethod_find(run, line, value, name, &function);
    if (status != IT_OK) { return status; }
    struct it_jmethod *bound = it_jarena_take(&run->arena, sizeof *bound);
    *bound = (struct it_jmethod){*value, function};
    *out = (struct it_jvalue){.kind = IT_JMETHOD, .u.method = bound};
    return IT_OK;
}

enum it_status it_jget_name(struct it_jrun *run, int line, const struct it_jvalue *value,
                            const char *name, struct it_jvalue *out)
{
    const struct it_jvalue *found = NULL;
    if (value->kind == IT_JUNDEFINED) { return undefined_owner(run, line, value, name); }
    if (value->kind == IT_JLOOP) { return it_jloop_get(run, line, value->u.loop, name, out); }
    *out = it_jundefined(name);
    if (value->kind == IT_JNONE) { return IT_OK; }
    if (value->kind != IT_JSPACE) {
        enum it_status status = method(run, line, value, name, out);
        if (status != IT_NOT_FOUND) { return status; }
    }
    if (value->kind == IT_JDICT || value->kind == IT_JSPACE) {
        IT_TRY(it_jrun_charge(run, line, value->u.dict->n));
        found = it_jdict_name(value->u.dict, name);
    }
    if (found) { *out = *found; }
    return IT_OK;
}

static bool at_index(const struct it_jvalue *value, const struct it_jvalue *key,
                     struct it_jvalue *out)
{
    int64_t i = whole_of(key), n;
    if (value->kind == IT_JLIST) {
        const struct it_jlist *list = value->u.list;
        if (list->form == IT_JLAZY || list->form == IT_JVIEW) { return false; }
        n = (int64_t)list->n;
        if (i < -n || i >= n) { return false; }
        *out = list->item[i < 0 ? i + n : i];
        return true;
    }
    n = (int64_t)it_jchars(value->u.text, value->n);
    if (i < -n || i >= n) { return false; }
    size_t begin = it_jchars_skip(value->u.text, value->n, (size_t)(i < 0 ? i + n : i));
    size_t length = it_jchars_skip(value->u.text + begin, value->n - begin, 1);
    *out = it_jtext(value->u.text + begin, length);
    return true;
}

enum it_status it_jget_item(struct it_jrun *run, int line, const struct it_jvalue *value,
                            const struct it_jvalue *key, struct it_jvalue *out)
{
    *out = it_jundefined("an item");
    if (value->kind == IT_JUNDEFINED) { return undefined_owner(run, line, value, "items"); }
    if (value->kind == IT_JDICT) {
        IT_TRY(it_jrun_charge(run, line, value->u.dict->n));
        const struct it_jvalue *found = it_jdict_find(value->u.dict, key);
        if (found) {
            *out = *found;
            return IT_OK;
        }
    }
    if ((value->kind == IT_JLIST || value->kind == IT_JTEXT) && is_whole(key)) {
        IT_TRY(it_jrun_charge(run, line, value->kind == IT_JTEXT ? value->n : 0));
        at_index(value, key, out);
        return IT_OK;
    }
    if (key->kind != IT_JTEXT) { return IT_OK; }
    /* a name in brackets is a field after all */
    const char *name = it_jarena_copy(&run->arena, key->u.text, key->n);
    if (strlen(name) != key->n) { return IT_OK; }
    return it_jget_name(run, line, value, name, out);
}

/* ---- slices ---- */

static enum it_status bound_of(struct it_jrun *run, int line, const struct it_jvalue *value,
                               int64_t n, int64_t least, int64_t most, int64_t missing,
                               int64_t *out)
{
    *out = missing;
    if (value->kind == IT_JNONE) { return IT_OK; }
    if (!is_whole(value)) {
        return it_jrun_fail(run, IT_INVALID, line, "the bound of a slice is %s",
                            it_jkind_words(value));
    }
    int64_t at = whole_of(value);
    if (at < 0) { at = at < -n ? -1 - n : at; }
    if (at < 0) { at += n; }
    *out = at < least ? least : at > most ? most : at;
    return IT_OK;
}

/* The step of a slice of n items; longer ones are all the same. */
static enum it_status step_of(struct it_jrun *run, int line, const struct it_jvalue *value,
                              int64_t n, int64_t *step_out)
{
    *step_out = 1;
    if (value->kind == IT_JNONE) { return IT_OK; }
    if (!is_whole(value) || whole_of(value) == 0) {
        return it_jrun_fail(run, IT_INVALID, line,
                            "a slice whose step is no whole number, or is zero");
    }
    int64_t step = whole_of(value);
    *step_out = step > n + 1 ? n + 1 : step < -n - 1 ? -n - 1 : step;
    return IT_OK;
}

static enum it_status slice_items(struct it_jrun *run, int line, const struct it_jvalue *value,
                                  int64_t begin, int64_t end, int64_t step, struct it_jvalue *out)
{
    const struct it_jlist *items;
    struct it_str text = {0};
    bool is_text = value->kind == IT_JTEXT;
    IT_TRY(it_jitems(run, line, value, &items));
    IT_TRY(it_jrun_charge(run, line, items->n * sizeof *out));
    struct it_jvalue list = it_jlist_new(run, is_text ? IT_JPLAIN : value->u.list->form);
    for (int64_t i = begin; step < 0 ? i > end : i < end; i += step) {
        if (is_text) {
            it_str_add(&text, items->item[i].u.text, items->item[i].n);
        } else {
            it_jlist_add(run, list, items->item[i]);
        }
    }
    *out = list;
    return is_text ? it_jtext_take(run, line, &text, out) : IT_OK;
}

enum it_status it_jslice(struct it_jrun *run, int line, const struct it_jvalue *value,
                         const struct it_jvalue bound[3], struct it_jvalue *out)
{
    int64_t n, step, begin, end;
    if (value->kind != IT_JTEXT && !is_row(value)) {
        return it_jrun_fail(run, IT_INVALID, line, "%s%s%s cannot be sliced",
                            it_jkind_words(value), value->kind == IT_JUNDEFINED ? ": " : "",
                            value->kind == IT_JUNDEFINED ? value->u.text : "");
    }
    IT_TRY(it_jlength(run, line, value, &n));
    IT_TRY(step_of(run, line, &bound[2], n, &step));
    bool back = step < 0;
    int64_t least = back ? -1 : 0, most = back ? n - 1 : n;
    IT_TRY(bound_of(run, line, &bound[0], n, least, most, back ? most : least, &begin));
    IT_TRY(bound_of(run, line, &bound[1], n, least, most, back ? least : most, &end));
    if (value->kind != IT_JTEXT || step != 1) {
        return slice_items(run, line, value, begin, end, step, out);
    }
    size_t from = it_jchars_skip(value->u.text, value->n, (size_t)begin), bytes = 0;
    if (end > begin) {
        bytes = it_jchars_skip(value->u.text + from, value->n - from, (size_t)(end - begin));
    }
    *out = it_jtext(value->u.text + from, bytes);
    return IT_OK;
}
