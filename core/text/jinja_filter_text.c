/* SPDX-License-Identifier: MIT */
/* Filters of texts and numbers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/text/jinja_internal.h"

#define FILTER(name) static enum it_status name(struct it_jcall *call, struct it_jvalue *out)

static enum it_status self_text(struct it_jcall *call, struct it_jvalue *text)
{
    return it_jstring(call->run, call->line, &call->self, text);
}

/* ---- case, white space ---- */

static enum it_status change_case(struct it_jcall *call, enum it_jcase how, struct it_jvalue *out)
{
    struct it_jvalue text;
    struct it_str changed = {0};
    IT_TRY(self_text(call, &text));
    IT_TRY(it_jrun_charge(call->run, call->line, text.n));
    it_jcase_add(&changed, text.u.text, text.n, how);
    IT_TRY(it_jtext_take(call->run, call->line, &changed, out));
    out->safe = text.safe;
    return IT_OK;
}

FILTER(upper)
{
    return change_case(call, IT_JUPPER, out);
}

FILTER(lower)
{
    return change_case(call, IT_JLOWER, out);
}

FILTER(capitalize)
{
    return change_case(call, IT_JCAPITAL, out);
}

/* Jinja's own: words are what stands between white space, dashes and opening brackets. */
FILTER(title)
{
    struct it_jvalue text;
    struct it_str changed = {0};
    IT_TRY(self_text(call, &text));
    IT_TRY(it_jrun_charge(call->run, call->line, text.n));
    for (size_t at = 0, bytes; at < text.n;) {
        size_t first = 0, end = at;
        for (; end < text.n; end += bytes) {
            int32_t c = it_jchar_at(text.u.text + end, text.n - end, &bytes);
            if (it_jspace(c) || (c && c < 0x80 && strchr("-({[<", (char)c))) { break; }
            if (end == at) { first = bytes; }
        }
        it_jcase_add(&changed, text.u.text + at, first, IT_JUPPER);
        it_jcase_add(&changed, text.u.text + at + first, end - at - first, IT_JLOWER);
        if (end < text.n) {
            it_str_add(&changed, text.u.text + end, bytes);
            end += bytes;
        }
        at = end;
    }
    return it_jtext_take(call->run, call->line, &changed, out);
}

FILTER(trim)
{
    struct it_jvalue text, set;
    size_t begin, end;
    bool given = call->given[0] && call->arg[0].kind != IT_JNONE;
    IT_TRY(self_text(call, &text));
    if (given) { IT_TRY(it_jcall_text(call, 0, &set)); }
    IT_TRY(it_jrun_charge(call->run, call->line, text.n));
    it_jstrip(text.u.text, text.n, given ? &set : NULL, true, true, &begin, &end);
    *out = it_jtext(text.u.text + begin, end - begin);
    out->safe = text.safe;
    return IT_OK;
}

/* Lines by \n alone would not be Python's. */
static size_t line_end(const char *text, size_t n, size_t at, size_t *next_out)
{
    for (size_t bytes; at < n; at += bytes) {
        int32_t c = it_jchar_at(text + at, n - at, &bytes);
        if ((c >= 0x0a && c <= 0x0d) || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 ||
            c == 0x2029) {
            bool pair = c == '\r' && at + 1 < n && text[at + 1] == '\n';
            *next_out = at + bytes + pair;
            return at;
        }
    }
    *next_out = n;
    return n;
}

static enum it_status indent_text(struct it_jcall *call, struct it_jvalue *with)
{
    int64_t width = 4;
    if (call->given[0] && call->arg[0].kind == IT_JTEXT) { return it_jcall_text(call, 0, with); }
    IT_TRY(it_jcall_int(call, 0, &width));
    width = width < 0 ? 0 : width;
    if (width > 1000) { return it_jcall_fail(call, "more than 1000 spaces"); }
    char *spaces = it_jarena_take(&call->run->arena, (size_t)width + 1);
    memset(spaces, ' ', (size_t)width);
    *with = it_jtext(spaces, (size_t)width);
    return IT_OK;
}

FILTER(indent)
{
    struct it_jvalue text = call->self, with;
    bool first = call->given[1] && it_jtrue(&call->arg[1]);
    bool blank = call->given[2] && it_jtrue(&call->arg[2]), any = false;
    struct it_str indented = {0};
    if (text.kind != IT_JTEXT) {
        return it_jcall_fail(call, "expected a text, found %s", it_jkind_words(&text));
    }
    IT_TRY(indent_text(call, &with));
    /* as many lines as bytes at most */
    IT_TRY(it_jrun_charge(call->run, call->line, text.n));
    for (size_t at = 0, next; at < text.n || !any; at = next) {
        size_t end = line_end(text.u.text, text.n, at, &next);
        if (any ? blank || end > at : first) { it_str_add(&indented, with.u.text, with.n); }
        it_str_add(&indented, text.u.text + at, end - at);
        if (end < text.n) { it_str_putc(&indented, '\n'); }
        /* what follows the last newline is an empty line, filled when blank lines are */
        if (next == text.n && end < text.n && blank) {
            it_str_add(&indented, with.u.text, with.n);
        }
        any = true;
        if (indented.len > IT_JINJA_OUTPUT_MAX) {
            it_str_free(&indented);
            return it_jcall_fail(call, "a text of more than %d MiB", IT_JINJA_OUTPUT_MAX >> 20);
        }
    }
    return it_jtext_take(call->run, call->line, &indented, out);
}

FILTER(replace)
{
    const struct it_jfunction *found = NULL;
    struct it_jvalue text, argument[3];
    const char *names[3] = {NULL, NULL, NULL};
    struct it_jargs args = {argument, names, 2};
    IT_TRY(self_text(call, &text));
    text.safe = false;
    IT_TRY(it_jmethod_find(call->run, call->line, &text, "replace", &found));
    for (int i = 0; i < 2; i++) {
        IT_TRY(it_jstring(call->run, call->line, &call->arg[i], &argument[i]));
    }
    if (call->given[2] && call->arg[2].kind != IT_JNONE) {
        argument[2] = call->arg[2];
        args.n = 3;
    }
    return it_jcall(call->run, call->line, found, &text, &args, out);
}

/* ---- kinds ---- */

FILTER(string)
{
    return self_text(call, out);
}

FILTER(safe)
{
    IT_TRY(self_text(call, out));
    out->safe = true;
    return IT_OK;
}

FILTER(forceescape)
{
    struct it_jvalue text;
    struct it_str escaped = {0};
    IT_TRY(self_text(call, &text));
    IT_TRY(it_jrun_charge(call->run, call->line, text.n * 5));
    it_jescape_add(&escaped, text.u.text, text.n);
    IT_TRY(it_jtext_take(call->run, call->line, &escaped, out));
    out->safe = true;
    return IT_OK;
}

FILTER(escape)
{
    if (call->self.kind != IT_JTEXT || !call->self.safe) { return forceescape(call, out); }
    *out = call->self;
    return IT_OK;
}

FILTER(fallback)
{
    bool by_truth = call->given[1] && it_jtrue(&call->arg[1]);
    bool missing = call->self.kind == IT_JUNDEFINED || (by_truth && !it_jtrue(&call->self));
    *out = !missing ? call->self : call->given[0] ? call->arg[0] : it_jtext("", 0);
    return IT_OK;
}

FILTER(length)
{
    int64_t n;
    IT_TRY(it_jlength(call->run, call->line, &call->self, &n));
    *out = it_jint(n);
    return IT_OK;
}

/* A number as Python reads one from text; *whole_out tells an integer's form. */
static bool read_number(const struct it_jvalue *text, bool *whole_out, double *real_out,
                        int64_t *value_out)
{
    char digits[64], *end;
    size_t begin, stop, n = 0;
    it_jstrip(text->u.text, text->n, NULL, true, true, &begin, &stop);
    if (stop == begin || stop - begin >= sizeof digits) { return false; }
    *whole_out = true;
    for (size_t i = begin; i < stop; i++) {
        char c = text->u.text[i];
        bool digit = c >= '0' && c <= '9', inner = i > begin && i + 1 < stop;
        if (c == '_' && inner) { /* between digits only */
            char a = text->u.text[i - 1], b = text->u.text[i + 1];
            if (a < '0' || a > '9' || b < '0' || b > '9') { return false; }
            continue;
        }
        if (!digit && !strchr("+-.eE", c)) { return false; }
        *whole_out = *whole_out && (digit || (i == begin && c != '.' && c != 'e' && c != 'E'));
        digits[n++] = c;
    }
    digits[n] = '\0';
    *real_out = strtod(digits, &end);
    if (end == digits || *end) { return false; }
    if (*whole_out && fabs(*real_out) < 9e18) { *value_out = strtoll(digits, NULL, 10); }
    return true;
}

static enum it_status from_real(struct it_jcall *call, double real, struct it_jvalue *out)
{
    if (!(fabs(real) < 9e18)) { return it_jcall_fail(call, "a whole number of more than 64 bits"); }
    *out = it_jint((int64_t)real);
    return IT_OK;
}

FILTER(to_int)
{
    const struct it_jvalue *v = &call->self;
    bool whole;
    double real;
    int64_t value = 0, base = 10;
    IT_TRY(it_jcall_int(call, 1, &base));
    if (base != 10) {
        return it_jrun_fail(call->run, IT_INVALID, call->line, "int with base %lld is not "
                            "known here", (long long)base);
    }
    if (v->kind == IT_JUNDEFINED) { return it_jcall_fail(call, "an undefined value"); }
    if (v->kind == IT_JREAL && !isnan(v->u.real)) { return from_real(call, v->u.real, out); }
    if (v->kind == IT_JINT || v->kind == IT_JBOOL) {
        *out = it_jint(v->kind == IT_JINT ? v->u.whole : v->u.yes);
        return IT_OK;
    }
    if (v->kind == IT_JTEXT && read_number(v, &whole, &real, &value)) {
        if (!whole || fabs(real) >= 9e18) { return from_real(call, real, out); }
        *out = it_jint(value);
        return IT_OK;
    }
    *out = call->given[0] ? call->arg[0] : it_jint(0);
    return IT_OK;
}

FILTER(to_real)
{
    bool whole;
    double real;
    int64_t value;
    if (call->self.kind == IT_JUNDEFINED) { return it_jcall_fail(call, "an undefined value"); }
    if (it_jis_number(&call->self)) {
        *out = it_jreal(it_jnumber(&call->self));
    } else if (call->self.kind == IT_JTEXT && read_number(&call->self, &whole, &real, &value)) {
        *out = it_jreal(real);
    } else {
        *out = call->given[0] ? call->arg[0] : it_jreal(0);
    }
    return IT_OK;
}

static enum it_status need_number(struct it_jcall *call)
{
    if (it_jis_number(&call->self)) { return IT_OK; }
    return it_jcall_fail(call, "expected a number, found %s", it_jkind_words(&call->self));
}

FILTER(absolute)
{
    struct it_jvalue zero = it_jint(0);
    IT_TRY(need_number(call));
    if (call->self.kind == IT_JREAL) {
        *out = it_jreal(fabs(call->self.u.real));
        return IT_OK;
    }
    enum it_jtoken_kind op = it_jnumber(&call->self) < 0 ? IT_JT_SUB : IT_JT_ADD;
    return it_jbinary(call->run, call->line, op, &zero, &call->self, out);
}

/* To the nearest, ties to even, of the exact decimal value: what printing does. */
FILTER(rounded)
{
    int64_t digits = 0;
    struct it_jvalue how = it_jtext("common", 6);
    char text[400];
    IT_TRY(need_number(call));
    IT_TRY(it_jcall_int(call, 0, &digits));
    IT_TRY(it_jcall_text(call, 1, &how));
    if (digits < 0 || digits > 15) {
        return it_jrun_fail(call->run, IT_INVALID, call->line, "round to %lld digits is not "
                            "known here", (long long)digits);
    }
    double value = it_jnumber(&call->self), scale = pow(10, (double)digits);
    if (it_jtext_is(&how, "common")) {
        if (call->self.kind != IT_JREAL) { return to_int(call, out); }
        snprintf(text, sizeof text, "%.*f", (int)digits, value);
        *out = it_jreal(strtod(text, NULL));
    } else if (it_jtext_is(&how, "ceil") || it_jtext_is(&how, "floor")) {
        double scaled = value * scale;
        *out = it_jreal((it_jtext_is(&how, "ceil") ? ceil(scaled) : floor(scaled)) / scale);
    } else {
        return it_jcall_fail(call, "the method is common, ceil or floor");
    }
    return IT_OK;
}

/* ---- JSON ---- */

static enum it_status json_indent(struct it_jcall *call, struct it_jjson *form)
{
    struct it_jvalue with;
    if (!call->given[1] || call->arg[1].kind == IT_JNONE) { return IT_OK; }
    /* the argument is where indent_text looks for it */
    struct it_jcall inner = *call;
    inner.arg[0] = call->arg[1];
    inner.given[0] = true;
    IT_TRY(indent_text(&inner, &with));
    form->lines = true;
    form->indent = with.u.text;
    form->indent_n = with.n;
    form->comma_n = 1; /* the line's end follows, without a space */
    return IT_OK;
}

static enum it_status json_separators(struct it_jcall *call, struct it_jjson *form)
{
    const struct it_jvalue *pair = &call->arg[2];
    if (!call->given[2] || pair->kind == IT_JNONE) { return IT_OK; }
    if (pair->kind != IT_JLIST || pair->u.list->n != 2 ||
        pair->u.list->item[0].kind != IT_JTEXT || pair->u.list->item[1].kind != IT_JTEXT) {
        return it_jcall_fail(call, "separators are two texts");
    }
    form->comma = pair->u.list->item[0].u.text;
    form->comma_n = pair->u.list->item[0].n;
    form->colon = pair->u.list->item[1].u.text;
    form->colon_n = pair->u.list->item[1].n;
    return IT_OK;
}

FILTER(tojson)
{
    struct it_jjson form = {.comma = ", ", .colon = ": ", .comma_n = 2, .colon_n = 2};
    struct it_str text = {0};
    form.ascii = call->given[0] && it_jtrue(&call->arg[0]);
    form.sorted = call->given[3] && it_jtrue(&call->arg[3]);
    IT_TRY(json_indent(call, &form));
    IT_TRY(json_separators(call, &form));
    enum it_status status = it_jjson_write(call->run, call->line, &call->self, &form, 0, &text);
    if (status == IT_OK) { return it_jtext_take(call->run, call->line, &text, out); }
    it_str_free(&text);
    return status;
}

const struct it_jfunction it_jfilters_text[] = {
    {"upper", "", upper},
    {"lower", "", lower},
    {"capitalize", "", capitalize},
    {"title", "", title},
    {"trim", "chars", trim},
    {"indent", "width first blank", indent},
    {"replace", "!old !new count", replace},
    {"string", "", string},
    {"safe", "", safe},
    {"escape", "", escape},
    {"e", "", escape},
    {"forceescape", "", forceescape},
    {"default", "default_value boolean", fallback},
    {"d", "default_value boolean", fallback},
    {"length", "", length},
    {"count", "", length},
    {"int", "default base", to_int},
    {"float", "default", to_real},
    {"abs", "", absolute},
    {"round", "precision method", rounded},
    {"tojson", "ensure_ascii indent separators sort_keys", tojson},
    {NULL, NULL, NULL},
};
