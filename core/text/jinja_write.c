/* SPDX-License-Identifier: MIT */
/* Values as text: Python's str and repr, and json.dumps with the settings of the transformers
 * library (characters as they are, ", " and ": "). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/text/jinja_internal.h"

/* The digits of the shortest text that reads back to the same number, without point or exponent
 * ("12"), and the power of ten of the first one. */
static int shortest_digits(double real, char digits[32], int *exponent_out)
{
    char text[40];
    for (int precision = 0; precision < 17; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, real);
        double back = strtod(text, NULL);
        if (back >= real && back <= real) { break; }
    }
    int n = 0;
    const char *at = text;
    for (; *at && *at != 'e'; at++) {
        if (*at >= '0' && *at <= '9') { digits[n++] = *at; }
    }
    *exponent_out = *at ? (int)strtol(at + 1, NULL, 10) : 0;
    return n;
}

void it_jreal_write(double real, struct it_str *out)
{
    char digits[32];
    int exponent;
    if (isnan(real)) {
        it_str_puts(out, "nan");
        return;
    }
    if (signbit(real)) { it_str_putc(out, '-'); }
    real = fabs(real);
    if (isinf(real)) {
        it_str_puts(out, "inf");
        return;
    }
    int n = shortest_digits(real, digits, &exponent);
    if (exponent < -4 || exponent >= 16) {
        it_str_add(out, digits, 1);
        if (n > 1) { it_str_printf(out, ".%.*s", n - 1, digits + 1); }
        it_str_printf(out, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
    } else if (exponent < 0) {
        it_str_puts(out, "0.");
        for (int i = -1; i > exponent; i--) { it_str_putc(out, '0'); }
        it_str_add(out, digits, (size_t)n);
    } else {
        for (int i = 0; i <= exponent; i++) { it_str_putc(out, i < n ? digits[i] : '0'); }
        it_str_putc(out, '.');
        if (n > exponent + 1) {
            it_str_add(out, digits + exponent + 1, (size_t)(n - exponent - 1));
        } else {
            it_str_putc(out, '0');
        }
    }
}

/* ---- str and repr ---- */

static void quote_char(struct it_str *out, int32_t c, const char *bytes, size_t n, char quote)
{
    if (c == '\\' || c == quote) {
        it_str_putc(out, '\\');
        it_str_add(out, bytes, n);
    } else if (c == '\n' || c == '\r' || c == '\t') {
        it_str_puts(out, c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t");
    } else if (it_jprintable(c)) {
        it_str_add(out, bytes, n);
    } else if (c < 0x100) {
        it_str_printf(out, "\\x%02x", (unsigned)c);
    } else if (c < 0x10000) {
        it_str_printf(out, "\\u%04x", (unsigned)c);
    } else {
        it_str_printf(out, "\\U%08x", (unsigned)c);
    }
}

static void quote(struct it_str *out, const char *text, size_t n)
{
    bool single = memchr(text, '\'', n) && !memchr(text, '"', n);
    char mark = single ? '"' : '\'';
    it_str_putc(out, mark);
    for (size_t at = 0, bytes; at < n; at += bytes) {
        int32_t c = it_jchar_at(text + at, n - at, &bytes);
        quote_char(out, c, text + at, bytes, mark);
    }
    it_str_putc(out, mark);
}

static enum it_status write_at(struct it_jrun *run, int line, const struct it_jvalue *value,
                               int depth, struct it_str *out);

static enum it_status write_list(struct it_jrun *run, int line, const struct it_jlist *list,
                                 int depth, struct it_str *out)
{
    bool tuple = list->form == IT_JTUPLE;
    it_str_putc(out, tuple ? '(' : '[');
    for (size_t i = 0; i < list->n; i++) {
        if (i) { it_str_puts(out, ", "); }
        IT_TRY(write_at(run, line, &list->item[i], depth + 1, out));
    }
    if (tuple && list->n == 1) { it_str_putc(out, ','); }
    it_str_putc(out, tuple ? ')' : ']');
    return IT_OK;
}

static enum it_status write_dict(struct it_jrun *run, int line, const struct it_jdict *dict,
                                 int depth, struct it_str *out)
{
    it_str_putc(out, '{');
    for (size_t i = 0; i < dict->n; i++) {
        if (i) { it_str_puts(out, ", "); }
        IT_TRY(write_at(run, line, &dict->item[i].key, depth + 1, out));
        it_str_puts(out, ": ");
        IT_TRY(write_at(run, line, &dict->item[i].value, depth + 1, out));
    }
    it_str_putc(out, '}');
    return IT_OK;
}

/* depth 0: str; deeper: repr. */
static enum it_status write_at(struct it_jrun *run, int line, const struct it_jvalue *value,
                               int depth, struct it_str *out)
{
    if (depth > IT_JINJA_VALUE_DEPTH) {
        return it_jrun_fail(run, IT_INVALID, line, "a value nested too deep to write");
    }
    IT_TRY(it_jrun_charge(run, line, value->kind == IT_JTEXT ? out->len / 64 + value->n : 0));
    switch ((enum it_jkind)value->kind) {
    case IT_JUNDEFINED:
        it_str_puts(out, depth ? "Undefined" : "");
        return IT_OK;
    case IT_JNONE: it_str_puts(out, "None"); return IT_OK;
    case IT_JBOOL: it_str_puts(out, value->u.yes ? "True" : "False"); return IT_OK;
    case IT_JINT: it_str_printf(out, "%lld", (long long)value->u.whole); return IT_OK;
    case IT_JREAL: it_jreal_write(value->u.real, out); return IT_OK;
    case IT_JTEXT:
        if (depth == 0) {
            it_str_add(out, value->u.text, value->n);
        } else if (value->safe) {
            break;
        } else {
            quote(out, value->u.text, value->n);
        }
        return IT_OK;
    case IT_JLIST:
        if (value->u.list->form > IT_JTUPLE) { break; }
        return write_list(run, line, value->u.list, depth, out);
    case IT_JDICT: return write_dict(run, line, value->u.dict, depth, out);
    default: break;
    }
    return it_jrun_fail(run, IT_INVALID, line, "%s cannot be written as text here",
                        it_jkind_words(value));
}

enum it_status it_jwrite(struct it_jrun *run, int line, const struct it_jvalue *value,
                         struct it_str *out)
{
    IT_TRY(write_at(run, line, value, 0, out));
    if (out->len <= IT_JINJA_OUTPUT_MAX) { return IT_OK; }
    return it_jrun_fail(run, IT_INVALID, line, "a text of more than %d MiB",
                        IT_JINJA_OUTPUT_MAX >> 20);
}

enum it_status it_jstring(struct it_jrun *run, int line, const struct it_jvalue *value,
                          struct it_jvalue *text_out)
{
    struct it_str text = {0};
    if (value->kind == IT_JTEXT) {
        *text_out = *value;
        return IT_OK;
    }
    enum it_status status = it_jwrite(run, line, value, &text);
    if (status == IT_OK) { return it_jtext_take(run, line, &text, text_out); }
    it_str_free(&text);
    return status;
}

/* ---- json.dumps ---- */

static void json_char(struct it_str *out, int32_t c, const char *bytes, size_t n, bool ascii)
{
    static const char plain[] = "\"\\\n\r\t\f\b", names[] = "\"\\nrtfb";
    const char *found = c > 0 && c < 0x80 ? strchr(plain, (char)c) : NULL;
    if (found) {
        it_str_putc(out, '\\');
        it_str_putc(out, names[found - plain]);
    } else if (c < 0x20) {
        it_str_printf(out, "\\u%04x", (unsigned)c);
    } else if (!ascii || c < 0x7f) {
        it_str_add(out, bytes, n);
    } else if (c < 0x10000) {
        it_str_printf(out, "\\u%04x", (unsigned)c);
    } else {
        unsigned pair = (unsigned)c - 0x10000;
        it_str_printf(out, "\\u%04x\\u%04x", 0xd800 + (pair >> 10), 0xdc00 + (pair & 0x3ff));
    }
}

static void json_text(struct it_str *out, const char *text, size_t n, bool ascii)
{
    it_str_putc(out, '"');
    for (size_t at = 0, bytes; at < n; at += bytes) {
        int32_t c = it_jchar_at(text + at, n - at, &bytes);
        json_char(out, c, text + at, bytes, ascii);
    }
    it_str_putc(out, '"');
}

static void json_number(const struct it_jvalue *value, struct it_str *out)
{
    if (value->kind == IT_JBOOL) {
        it_str_puts(out, value->u.yes ? "true" : "false");
    } else if (value->kind == IT_JINT) {
        it_str_printf(out, "%lld", (long long)value->u.whole);
    } else if (isfinite(value->u.real)) {
        it_jreal_write(value->u.real, out);
    } else {
        it_str_puts(out, isnan(value->u.real) ? "NaN" : value->u.real > 0 ? "Infinity"
                                                                          : "-Infinity");
    }
}

static void new_line(const struct it_jjson *form, int depth, struct it_str *out)
{
    if (!form->lines) { return; }
    it_str_putc(out, '\n');
    for (int i = 0; i < depth; i++) { it_str_add(out, form->indent, form->indent_n); }
}

static enum it_status json_list(struct it_jrun *run, int line, const struct it_jlist *list,
                                const struct it_jjson *form, int depth, struct it_str *out)
{
    it_str_putc(out, '[');
    for (size_t i = 0; i < list->n; i++) {
        if (i) { it_str_add(out, form->comma, form->comma_n); }
        new_line(form, depth + 1, out);
        IT_TRY(it_jjson_write(run, line, &list->item[i], form, depth + 1, out));
    }
    if (list->n) { new_line(form, depth, out); }
    it_str_putc(out, ']');
    return IT_OK;
}

/* Keys that are not texts are written as texts. */
static void json_key(const struct it_jvalue *key, const struct it_jjson *form, struct it_str *out)
{
    if (key->kind == IT_JTEXT) {
        json_text(out, key->u.text, key->n, form->ascii);
        return;
    }
    it_str_putc(out, '"');
    if (key->kind == IT_JNONE) {
        it_str_puts(out, "null");
    } else {
        json_number(key, out);
    }
    it_str_putc(out, '"');
}

/* The order of the keys of a dict, by insertion: dicts are small. */
static enum it_status sort_keys(struct it_jrun *run, int line, const struct it_jdict *dict,
                                const struct it_jpair **order)
{
    for (size_t i = 0; i < dict->n; i++) {
        size_t at = i;
        for (; at > 0; at--) {
            int sign;
            IT_TRY(it_jorder(run, line, &order[at - 1]->key, &dict->item[i].key, &sign));
            if (sign <= 0) { break; }
            order[at] = order[at - 1];
        }
        order[at] = &dict->item[i];
    }
    return IT_OK;
}

static enum it_status json_dict(struct it_jrun *run, int line, const struct it_jdict *dict,
                                const struct it_jjson *form, int depth, struct it_str *out)
{
    const struct it_jpair **order = it_jarena_take(&run->arena, dict->n * sizeof *order);
    for (size_t i = 0; i < dict->n; i++) { order[i] = &dict->item[i]; }
    if (form->sorted) { IT_TRY(sort_keys(run, line, dict, order)); }
    it_str_putc(out, '{');
    for (size_t i = 0; i < dict->n; i++) {
        if (i) { it_str_add(out, form->comma, form->comma_n); }
        new_line(form, depth + 1, out);
        json_key(&order[i]->key, form, out);
        it_str_add(out, form->colon, form->colon_n);
        IT_TRY(it_jjson_write(run, line, &order[i]->value, form, depth + 1, out));
    }
    if (dict->n) { new_line(form, depth, out); }
    it_str_putc(out, '}');
    return IT_OK;
}

enum it_status it_jjson_write(struct it_jrun *run, int line, const struct it_jvalue *value,
                              const struct it_jjson *form, int depth, struct it_str *out)
{
    if (depth > IT_JINJA_VALUE_DEPTH || out->len > IT_JINJA_OUTPUT_MAX) {
        return it_jrun_fail(run, IT_INVALID, line, "tojson: a value too large or too deep");
    }
    size_t indent = form->lines ? (size_t)depth * form->indent_n : 0;
    IT_TRY(it_jrun_charge(run, line, indent + (value->kind == IT_JTEXT ? value->n : 0)));
    switch ((enum it_jkind)value->kind) {
    case IT_JNONE: it_str_puts(out, "null"); return IT_OK;
    case IT_JBOOL:
    case IT_JINT:
    case IT_JREAL: json_number(value, out); return IT_OK;
    case IT_JTEXT: json_text(out, value->u.text, value->n, form->ascii); return IT_OK;
    case IT_JLIST:
        if (value->u.list->form > IT_JTUPLE) { break; }
        return json_list(run, line, value->u.list, form, depth, out);
    case IT_JDICT: return json_dict(run, line, value->u.dict, form, depth, out);
    default: break;
    }
    return it_jrun_fail(run, IT_INVALID, line, "tojson: %s is no JSON", it_jkind_words(value));
}
