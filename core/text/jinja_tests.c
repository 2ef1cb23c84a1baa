/* SPDX-License-Identifier: MIT */
/* What stands behind `is`; the tables of filters and tests; the functions of a template. */
#include <math.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/text/jinja_internal.h"

#define TEST(name) static enum it_status name(struct it_jcall *call, struct it_jvalue *out)

static enum it_status say(struct it_jvalue *out, bool yes)
{
    *out = it_jbool(yes);
    return IT_OK;
}

TEST(is_defined)
{
    return say(out, call->self.kind != IT_JUNDEFINED);
}

TEST(is_undefined)
{
    return say(out, call->self.kind == IT_JUNDEFINED);
}

TEST(is_none)
{
    return say(out, call->self.kind == IT_JNONE);
}

TEST(is_boolean)
{
    return say(out, call->self.kind == IT_JBOOL);
}

TEST(is_true)
{
    return say(out, call->self.kind == IT_JBOOL && call->self.u.yes);
}

TEST(is_false)
{
    return say(out, call->self.kind == IT_JBOOL && !call->self.u.yes);
}

TEST(is_integer)
{
    return say(out, call->self.kind == IT_JINT);
}

TEST(is_float)
{
    return say(out, call->self.kind == IT_JREAL);
}

TEST(is_number)
{
    return say(out, it_jis_number(&call->self));
}

TEST(is_string)
{
    return say(out, call->self.kind == IT_JTEXT);
}

TEST(is_mapping)
{
    return say(out, call->self.kind == IT_JDICT);
}

/* An undefined value is both: it has a length, and nothing in it. */
static bool has_items(const struct it_jvalue *value)
{
    return value->kind == IT_JTEXT || value->kind == IT_JLIST || value->kind == IT_JDICT ||
           value->kind == IT_JUNDEFINED;
}

TEST(is_iterable)
{
    return say(out, has_items(&call->self) || call->self.kind == IT_JLOOP);
}

TEST(is_sequence)
{
    bool list = call->self.kind == IT_JLIST;
    bool no = list && (call->self.u.list->form == IT_JLAZY || call->self.u.list->form == IT_JVIEW);
    return say(out, has_items(&call->self) && !no);
}

TEST(is_callable)
{
    uint8_t kind = call->self.kind;
    return say(out, kind == IT_JMACRO || kind == IT_JFUNCTION || kind == IT_JMETHOD ||
                        kind == IT_JUNDEFINED || kind == IT_JLOOP);
}

TEST(is_escaped)
{
    return say(out, call->self.kind == IT_JTEXT && call->self.safe);
}

TEST(is_sameas)
{
    const struct it_jvalue *a = &call->self, *b = &call->arg[0];
    if (a->kind == IT_JNONE || a->kind == IT_JBOOL || b->kind == IT_JNONE || b->kind == IT_JBOOL) {
        return say(out, a->kind == b->kind && (a->kind == IT_JNONE || a->u.yes == b->u.yes));
    }
    return it_jrun_fail(call->run, IT_INVALID, call->line,
                        "sameas is known for true, false and none only");
}

TEST(is_in)
{
    bool found;
    IT_TRY(it_jcontains(call->run, call->line, &call->arg[0], &call->self, &found));
    return say(out, found);
}

TEST(is_equal)
{
    bool equal;
    IT_TRY(it_jequal(call->run, call->line, &call->self, &call->arg[0], &equal));
    return say(out, equal);
}

TEST(is_other)
{
    IT_TRY(is_equal(call, out));
    return say(out, !out->u.yes);
}

static enum it_status order(struct it_jcall *call, int *sign)
{
    return it_jorder(call->run, call->line, &call->self, &call->arg[0], sign);
}

TEST(is_less)
{
    int sign;
    IT_TRY(order(call, &sign));
    return say(out, sign < 0);
}

TEST(is_at_most)
{
    int sign;
    IT_TRY(order(call, &sign));
    return say(out, sign <= 0);
}

TEST(is_greater)
{
    int sign;
    IT_TRY(order(call, &sign));
    return say(out, sign > 0);
}

TEST(is_at_least)
{
    int sign;
    IT_TRY(order(call, &sign));
    return say(out, sign >= 0);
}

/* self % by == rest */
static enum it_status leaves(struct it_jcall *call, const struct it_jvalue *by, double rest,
                             struct it_jvalue *out)
{
    struct it_jvalue value;
    if (call->self.kind == IT_JTEXT) { return it_jcall_fail(call, "a text is no number"); }
    IT_TRY(it_jbinary(call->run, call->line, IT_JT_MOD, &call->self, by, &value));
    double found = it_jnumber(&value);
    return say(out, found >= rest && found <= rest);
}

TEST(is_even)
{
    struct it_jvalue two = it_jint(2);
    return leaves(call, &two, 0, out);
}

TEST(is_odd)
{
    struct it_jvalue two = it_jint(2);
    return leaves(call, &two, 1, out);
}

TEST(is_divisible)
{
    return leaves(call, &call->arg[0], 0, out);
}

/* Some letter has case, and each that has is of this one. */
static enum it_status cased(struct it_jcall *call, bool want_upper, struct it_jvalue *out)
{
    struct it_jvalue text;
    bool any = false, all = true, upper;
    IT_TRY(it_jstring(call->run, call->line, &call->self, &text));
    for (size_t at = 0, bytes; at < text.n; at += bytes) {
        int32_t c = it_jchar_at(text.u.text + at, text.n - at, &bytes);
        if (!it_jcased(c, &upper)) { continue; }
        any = true;
        all = all && upper == want_upper;
    }
    return say(out, any && all);
}

TEST(is_lower)
{
    return cased(call, false, out);
}

TEST(is_upper)
{
    return cased(call, true, out);
}

TEST(is_filter)
{
    if (call->self.kind != IT_JTEXT) { return say(out, false); }
    const char *name = it_jarena_copy(&call->run->arena, call->self.u.text, call->self.n);
    if (it_jfilter_find(name)) { return say(out, true); }
    return it_jrun_fail(call->run, IT_INVALID, call->line, "is filter: whether Jinja has \"%s\""
                        " is not known here", name);
}

static const struct it_jfunction tests[] = {
    {"defined", "", is_defined},      {"undefined", "", is_undefined},
    {"none", "", is_none},            {"boolean", "", is_boolean},
    {"true", "", is_true},            {"false", "", is_false},
    {"integer", "", is_integer},      {"float", "", is_float},
    {"number", "", is_number},        {"string", "", is_string},
    {"mapping", "", is_mapping},      {"iterable", "", is_iterable},
    {"sequence", "", is_sequence},    {"callable", "", is_callable},
    {"escaped", "", is_escaped},      {"sameas", "!other", is_sameas},
    {"in", "!seq", is_in},            {"eq", "!b", is_equal},
    {"equalto", "!b", is_equal},      {"==", "!b", is_equal},
    {"ne", "!b", is_other},           {"!=", "!b", is_other},
    {"lt", "!b", is_less},            {"lessthan", "!b", is_less},
    {"<", "!b", is_less},             {"le", "!b", is_at_most},
    {"<=", "!b", is_at_most},         {"gt", "!b", is_greater},
    {"greaterthan", "!b", is_greater}, {">", "!b", is_greater},
    {"ge", "!b", is_at_least},        {">=", "!b", is_at_least},
    {"even", "", is_even},            {"odd", "", is_odd},
    {"divisibleby", "!num", is_divisible}, {"lower", "", is_lower},
    {"upper", "", is_upper},          {"filter", "", is_filter},
    {NULL, NULL, NULL},
};

static const struct it_jfunction *find(const struct it_jfunction *table, const char *name)
{
    for (; table->name; table++) {
        if (strcmp(table->name, name) == 0) { return table; }
    }
    return NULL;
}

const struct it_jfunction *it_jtest_find(const char *name)
{
    return find(tests, name);
}

const struct it_jfunction *it_jfilter_find(const char *name)
{
    const struct it_jfunction *found = find(it_jfilters_text, name);
    return found ? found : find(it_jfilters_list, name);
}

/* ---- functions ---- */

TEST(raise_exception)
{
    struct it_jvalue text;
    (void)out; /* there is no result */
    IT_TRY(it_jstring(call->run, call->line, &call->arg[0], &text));
    return it_jrun_fail(call->run, IT_INVALID, call->line, "the template refuses this: %.*s",
                        (int)(text.n < 400 ? text.n : 400), text.u.text);
}

enum { RANGE_MAX = 100000 }; /* that of Jinja's sandbox */

TEST(range)
{
    int64_t first = 0, end = 0, step = 1;
    if (call->given[1]) {
        IT_TRY(it_jcall_int(call, 0, &first));
        IT_TRY(it_jcall_int(call, 1, &end));
        IT_TRY(it_jcall_int(call, 2, &step));
    } else {
        IT_TRY(it_jcall_int(call, 0, &end));
    }
    if (step == 0) { return it_jcall_fail(call, "a step of zero"); }
    double n = ceil(((double)end - (double)first) / (double)step);
    if (n > RANGE_MAX) { return it_jcall_fail(call, "more than %d numbers", RANGE_MAX); }
    *out = it_jlist_new(call->run, IT_JRANGE);
    for (int64_t i = 0; i < (int64_t)n; i++) {
        it_jlist_add(call->run, *out, it_jint(first + i * step));
    }
    return IT_OK;
}

/* Named arguments, over what a dict given first has. */
static enum it_status fill(struct it_jcall *call, struct it_jvalue dict)
{
    const struct it_jargs *args = call->all;
    for (size_t i = 0; i < args->n; i++) {
        if (args->name[i]) {
            IT_TRY(it_jdict_put(call->run, call->line, dict,
                                it_jtext(args->name[i], strlen(args->name[i])), args->value[i]));
            continue;
        }
        if (i > 0 || args->value[i].kind != IT_JDICT) {
            return it_jcall_fail(call, "expected names and values, or one dict");
        }
        const struct it_jdict *from = args->value[i].u.dict;
        for (size_t k = 0; k < from->n; k++) {
            IT_TRY(it_jdict_put(call->run, call->line, dict, from->item[k].key,
                                from->item[k].value));
        }
    }
    return IT_OK;
}

TEST(new_dict)
{
    *out = it_jdict_new(call->run);
    return fill(call, *out);
}

TEST(new_space)
{
    struct it_jvalue dict = it_jdict_new(call->run);
    IT_TRY(fill(call, dict));
    *out = dict;
    out->kind = IT_JSPACE;
    return IT_OK;
}

/* Dates have no zone and no time of day that a prompt should depend on, but formats may name it. */
TEST(strftime_now)
{
    struct it_jvalue format = {0};
    char text[256], pattern[128];
    IT_TRY(it_jcall_text(call, 0, &format));
    if (format.n + 2 > sizeof pattern || memchr(format.u.text, '\0', format.n)) {
        return it_jcall_fail(call, "a format of more than %zu bytes", sizeof pattern - 2);
    }
    for (size_t i = 0; i < format.n; i++) {
        if (format.u.text[i] != '%') { continue; }
        i += i + 1 < format.n;
        i += format.u.text[i] == '-' && i + 1 < format.n;
        if (!strchr("aAbBdeHIjmMpSUwWyYcxXDFTRGuVh%", format.u.text[i])) {
            return it_jrun_fail(call->run, IT_INVALID, call->line,
                                "strftime_now: %%%c is not known here", format.u.text[i]);
        }
    }
    /* a mark in front tells an empty result from a failure */
    snprintf(pattern, sizeof pattern, "|%.*s", (int)format.n, format.u.text);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* it was checked above */
    size_t n = strftime(text, sizeof text, pattern, &call->run->job->now);
#pragma GCC diagnostic pop
    if (n == 0) { return it_jcall_fail(call, "a date of more than %zu bytes", sizeof text); }
    *out = it_jtext(it_jarena_copy(&call->run->arena, text + 1, n - 1), n - 1);
    return IT_OK;
}

static const struct it_jfunction functions[] = {
    {"raise_exception", "!message", raise_exception},
    {"strftime_now", "!format", strftime_now},
    {"range", "!start stop step", range},
    {"dict", "*", new_dict},
    {"namespace", "*", new_space},
    {"lipsum", "*", NULL},
    {"cycler", "*", NULL},
    {"joiner", "*", NULL},
    {NULL, NULL, NULL},
};

const struct it_jfunction *it_jglobal_find(const char *name)
{
    return find(functions, name);
}
