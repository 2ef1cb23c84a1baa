/* SPDX-License-Identifier: MIT */
/* Methods of texts, lists and dicts. Those of Python that are not here are refused by name, and so
 * are all that change a value: the transformers library refuses them too. */
#include <string.h>
#include <utf8proc.h>

#include "core/base/mem.h"
#include "core/text/jinja_internal.h"

#define METHOD(name) static enum it_status name(struct it_jcall *call, struct it_jvalue *out)

static struct it_jvalue part(const struct it_jcall *call, size_t begin, size_t end)
{
    return it_jtext(call->self.u.text + begin, end - begin);
}

/* ---- white space, case ---- */

static enum it_status strip(struct it_jcall *call, bool left, bool right, struct it_jvalue *out)
{
    struct it_jvalue set;
    size_t begin, end;
    bool given = call->given[0] && call->arg[0].kind != IT_JNONE;
    if (given) { IT_TRY(it_jcall_text(call, 0, &set)); }
    IT_TRY(it_jrun_charge(call->run, call->line, call->self.n));
    it_jstrip(call->self.u.text, call->self.n, given ? &set : NULL, left, right, &begin, &end);
    *out = part(call, begin, end);
    return IT_OK;
}

METHOD(strip_both)
{
    return strip(call, true, true, out);
}

METHOD(strip_left)
{
    return strip(call, true, false, out);
}

METHOD(strip_right)
{
    return strip(call, false, true, out);
}

static enum it_status change_case(struct it_jcall *call, enum it_jcase how, struct it_jvalue *out)
{
    struct it_str text = {0};
    IT_TRY(it_jrun_charge(call->run, call->line, call->self.n));
    it_jcase_add(&text, call->self.u.text, call->self.n, how);
    return it_jtext_take(call->run, call->line, &text, out);
}

METHOD(upper)
{
    return change_case(call, IT_JUPPER, out);
}

METHOD(lower)
{
    return change_case(call, IT_JLOWER, out);
}

METHOD(title)
{
    return change_case(call, IT_JTITLE, out);
}

METHOD(capitalize)
{
    return change_case(call, IT_JCAPITAL, out);
}

/* ---- looking ---- */

/* The texts that a prefix or suffix is looked for among: one, or those of a tuple. */
static enum it_status at_end(struct it_jcall *call, bool front, struct it_jvalue *out)
{
    const struct it_jvalue *one = &call->arg[0];
    size_t n = 1;
    if (one->kind == IT_JLIST && one->u.list->form == IT_JTUPLE) {
        n = one->u.list->n;
        one = one->u.list->item;
    }
    if (call->given[1] || call->given[2]) {
        return it_jrun_fail(call->run, IT_INVALID, call->line,
                            "%s between bounds is not known here", call->name);
    }
    *out = it_jbool(false);
    for (size_t i = 0; i < n; i++) {
        if (one[i].kind != IT_JTEXT) {
            return it_jcall_fail(call, "expected a text, found %s", it_jkind_words(&one[i]));
        }
        if (one[i].n > call->self.n) { continue; }
        const char *at = call->self.u.text + (front ? 0 : call->self.n - one[i].n);
        if (memcmp(at, one[i].u.text, one[i].n) == 0) { *out = it_jbool(true); }
    }
    return IT_OK;
}

METHOD(startswith)
{
    return at_end(call, true, out);
}

METHOD(endswith)
{
    return at_end(call, false, out);
}

static enum it_status cut(struct it_jcall *call, bool front, struct it_jvalue *out)
{
    struct it_jvalue found, what = {0};
    IT_TRY(it_jcall_text(call, 0, &what));
    IT_TRY(at_end(call, front, &found));
    size_t n = found.u.yes ? what.n : 0;
    *out = front ? part(call, n, call->self.n) : part(call, 0, call->self.n - n);
    return IT_OK;
}

METHOD(removeprefix)
{
    return cut(call, true, out);
}

METHOD(removesuffix)
{
    return cut(call, false, out);
}

/* The bytes of the first or last place of `what` in [from, n), or NULL. */
static const char *search(const char *text, size_t n, const struct it_jvalue *what, bool back)
{
    if (!back) { return it_jfind(text, n, what); }
    if (what->n > n) { return NULL; }
    for (size_t at = n - what->n + 1; at > 0; at--) {
        if (memcmp(text + at - 1, what->u.text, what->n) == 0) { return text + at - 1; }
    }
    return NULL;
}

static enum it_status find(struct it_jcall *call, bool back, bool must, struct it_jvalue *out)
{
    struct it_jvalue what = {0};
    IT_TRY(it_jcall_text(call, 0, &what));
    if (call->given[1] || call->given[2]) {
        return it_jrun_fail(call->run, IT_INVALID, call->line,
                            "%s between bounds is not known here", call->name);
    }
    IT_TRY(it_jrun_charge(call->run, call->line, call->self.n * (1 + what.n / 8)));
    const char *text = call->self.u.text, *at = search(text, call->self.n, &what, back);
    if (!at && must) { return it_jcall_fail(call, "the text is not there"); }
    *out = it_jint(at ? (int64_t)it_jchars(text, (size_t)(at - text)) : -1);
    return IT_OK;
}

METHOD(find_first)
{
    return find(call, false, false, out);
}

METHOD(find_last)
{
    return find(call, true, false, out);
}

METHOD(index_first)
{
    return find(call, false, true, out);
}

METHOD(index_last)
{
    return find(call, true, true, out);
}

METHOD(count)
{
    struct it_jvalue what = {0};
    int64_t n = 0;
    IT_TRY(it_jcall_text(call, 0, &what));
    IT_TRY(it_jrun_charge(call->run, call->line, call->self.n * (1 + what.n / 8)));
    const char *at = call->self.u.text, *end = at + call->self.n;
    if (what.n == 0) {
        *out = it_jint((int64_t)it_jchars(at, call->self.n) + 1);
        return IT_OK;
    }
    while ((at = it_jfind(at, (size_t)(end - at), &what))) {
        n++;
        at += what.n;
    }
    *out = it_jint(n);
    return IT_OK;
}

/* ---- kinds of characters ---- */

static bool is_alpha(int32_t c)
{
    utf8proc_category_t k = utf8proc_category(c);
    return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO;
}

static enum it_status every(struct it_jcall *call, bool (*holds)(int32_t c), struct it_jvalue *out)
{
    bool all = call->self.n > 0;
    IT_TRY(it_jrun_charge(call->run, call->line, call->self.n));
    for (size_t at = 0, bytes; at < call->self.n && all; at += bytes) {
        all = holds(it_jchar_at(call->self.u.text + at, call->self.n - at, &bytes));
    }
    *out = it_jbool(all);
    return IT_OK;
}

METHOD(isspace_all)
{
    return every(call, it_jspace, out);
}

METHOD(isalpha_all)
{
    return every(call, is_alpha, out);
}

static bool is_decimal(int32_t c)
{
    return utf8proc_category(c) == UTF8PROC_CATEGORY_ND;
}

METHOD(isdecimal_all)
{
    return every(call, is_decimal, out);
}

/* Digits that are no decimals (superscripts) and numbers (fractions) are Unicode's to list: texts
 * that have such characters are refused. */
static enum it_status digits(struct it_jcall *call, bool letters, struct it_jvalue *out)
{
    bool all = call->self.n > 0;
    for (size_t at = 0, bytes; at < call->self.n; at += bytes) {
        int32_t c = it_jchar_at(call->self.u.text + at, call->self.n - at, &bytes);
        utf8proc_category_t k = utf8proc_category(c);
        if (k == UTF8PROC_CATEGORY_NO || k == UTF8PROC_CATEGORY_NL) {
            return it_jrun_fail(call->run, IT_INVALID, call->line,
                                "%s of U+%04X is not known here", call->name, (unsigned)c);
        }
        all = all && (k == UTF8PROC_CATEGORY_ND || (letters && is_alpha(c)));
    }
    *out = it_jbool(all);
    return it_jrun_charge(call->run, call->line, call->self.n);
}

METHOD(isdigit_all)
{
    return digits(call, false, out);
}

METHOD(isalnum_all)
{
    return digits(call, true, out);
}

METHOD(isupper_all)
{
    return it_jtest_find("upper")->run(call, out);
}

METHOD(islower_all)
{
    return it_jtest_find("lower")->run(call, out);
}

/* ---- cutting and joining ---- */

static void reversed(struct it_jvalue list)
{
    struct it_jlist *l = list.u.list;
    for (size_t i = 0; i < l->n / 2; i++) {
        struct it_jvalue swap = l->item[i];
        l->item[i] = l->item[l->n - 1 - i];
        l->item[l->n - 1 - i] = swap;
    }
}

/* At white space: words, and behind the last cut the rest. */
static void split_words(struct it_jcall *call, int64_t most, bool back, struct it_jvalue list)
{
    const char *text = call->self.u.text;
    size_t begin, end, word;
    it_jstrip(text, call->self.n, NULL, !back, back, &begin, &end);
    while (begin < end && most-- != 0) {
        if (back) { /* the last word: what is left of it loses the white space at its end */
            for (word = end; word > begin;) {
                size_t at = word - 1, bytes;
                while (at > begin && ((unsigned char)text[at] & 0xc0) == 0x80) { at--; }
                if (it_jspace(it_jchar_at(text + at, end - at, &bytes))) { break; }
                word = at;
            }
            it_jlist_add(call->run, list, part(call, word, end));
            it_jstrip(text + begin, word - begin, NULL, false, true, &word, &end);
            end += begin;
        } else {
            size_t bytes, skipped, unused;
            for (word = begin; word < end; word += bytes) {
                if (it_jspace(it_jchar_at(text + word, end - word, &bytes))) { break; }
            }
            it_jlist_add(call->run, list, part(call, begin, word));
            it_jstrip(text + word, end - word, NULL, true, false, &skipped, &unused);
            begin = word + skipped;
        }
    }
    if (begin < end) { it_jlist_add(call->run, list, part(call, begin, end)); }
}

static void split_at(struct it_jcall *call, const struct it_jvalue *by, int64_t most, bool back,
                     struct it_jvalue list)
{
    const char *text = call->self.u.text;
    size_t begin = 0, end = call->self.n;
    while (most-- != 0) {
        const char *at = search(text + begin, end - begin, by, back);
        if (!at) { break; }
        size_t place = (size_t)(at - text);
        if (back) {
            it_jlist_add(call->run, list, part(call, place + by->n, end));
            end = place;
        } else {
            it_jlist_add(call->run, list, part(call, begin, place));
            begin = place + by->n;
        }
    }
    it_jlist_add(call->run, list, part(call, begin, end));
}

static enum it_status split_text(struct it_jcall *call, bool back, struct it_jvalue *out)
{
    struct it_jvalue by = {0};
    int64_t most = -1;
    bool words = !call->given[0] || call->arg[0].kind == IT_JNONE;
    if (!words) { IT_TRY(it_jcall_text(call, 0, &by)); }
    IT_TRY(it_jcall_int(call, 1, &most));
    if (!words && by.n == 0) { return it_jcall_fail(call, "an empty text to cut at"); }
    /* at most one part a byte */
    IT_TRY(it_jrun_charge(call->run, call->line, call->self.n * (1 + by.n / 8)));
    *out = it_jlist_new(call->run, IT_JPLAIN);
    if (words) {
        split_words(call, most, back, *out);
    } else {
        split_at(call, &by, most, back, *out);
    }
    if (back) { reversed(*out); }
    return it_jrun_charge(call->run, call->line, 0);
}

METHOD(split)
{
    return split_text(call, false, out);
}

METHOD(rsplit)
{
    return split_text(call, true, out);
}

METHOD(splitlines)
{
    bool keep = call->given[0] && it_jtrue(&call->arg[0]);
    const char *text = call->self.u.text;
    size_t begin = 0, n = call->self.n;
    IT_TRY(it_jrun_charge(call->run, call->line, n));
    *out = it_jlist_new(call->run, IT_JPLAIN);
    for (size_t at = 0, bytes; at < n; at += bytes) {
        int32_t c = it_jchar_at(text + at, n - at, &bytes);
        bool ends = (c >= 0x0a && c <= 0x0d) || (c >= 0x1c && c <= 0x1e) || c == 0x85 ||
                    c == 0x2028 || c == 0x2029;
        if (!ends) { continue; }
        bytes += c == '\r' && at + 1 < n && text[at + 1] == '\n';
        it_jlist_add(call->run, *out, part(call, begin, keep ? at + bytes : at));
        begin = at + bytes;
    }
    if (begin < n) { it_jlist_add(call->run, *out, part(call, begin, n)); }
    return IT_OK;
}

static enum it_status partition_text(struct it_jcall *call, bool back, struct it_jvalue *out)
{
    struct it_jvalue by = {0}, none = it_jtext("", 0);
    IT_TRY(it_jcall_text(call, 0, &by));
    if (by.n == 0) { return it_jcall_fail(call, "an empty text to cut at"); }
    IT_TRY(it_jrun_charge(call->run, call->line, call->self.n * (1 + by.n / 8)));
    const char *at = search(call->self.u.text, call->self.n, &by, back);
    size_t place = at ? (size_t)(at - call->self.u.text) : 0;
    *out = it_jlist_new(call->run, IT_JTUPLE);
    it_jlist_add(call->run, *out, at ? part(call, 0, place) : back ? none : call->self);
    it_jlist_add(call->run, *out, at ? by : none);
    it_jlist_add(call->run, *out,
                 at ? part(call, place + by.n, call->self.n) : back ? call->self : none);
    return IT_OK;
}

METHOD(partition)
{
    return partition_text(call, false, out);
}

METHOD(rpartition)
{
    return partition_text(call, true, out);
}

METHOD(join)
{
    const struct it_jlist *items;
    struct it_str text = {0};
    IT_TRY(it_jitems(call->run, call->line, &call->arg[0], &items));
    for (size_t i = 0; i < items->n; i++) {
        const struct it_jvalue *item = &items->item[i];
        bool large = text.len + item->n + call->self.n > IT_JINJA_OUTPUT_MAX;
        if (item->kind != IT_JTEXT || item->safe || large) {
            it_str_free(&text);
            return it_jcall_fail(call, "item %zu is %s", i,
                                 large ? "too much" : it_jkind_words(item));
        }
        if (i) { it_str_add(&text, call->self.u.text, call->self.n); }
        it_str_add(&text, item->u.text, item->n);
    }
    return it_jtext_take(call->run, call->line, &text, out);
}

METHOD(replace)
{
    struct it_jvalue old = {0}, new = {0};
    int64_t most = -1;
    struct it_str text = {0};
    IT_TRY(it_jcall_text(call, 0, &old));
    IT_TRY(it_jcall_text(call, 1, &new));
    IT_TRY(it_jcall_int(call, 2, &most));
    const char *at = call->self.u.text, *end = at + call->self.n;
    IT_TRY(it_jrun_charge(call->run, call->line, call->self.n * (1 + old.n / 8)));
    while (most-- != 0) {
        const char *found = it_jfind(at, (size_t)(end - at), &old);
        if (!found || text.len > IT_JINJA_OUTPUT_MAX) { break; }
        it_str_add(&text, at, (size_t)(found - at));
        it_str_add(&text, new.u.text, new.n);
        at = found + old.n;
        if (old.n) { continue; }
        if (at == end) { break; } /* nothing is between all characters and at both ends */
        size_t bytes = it_jchars_skip(at, (size_t)(end - at), 1);
        it_str_add(&text, at, bytes);
        at += bytes;
    }
    it_str_add(&text, at, (size_t)(end - at));
    if (text.len <= IT_JINJA_OUTPUT_MAX) {
        return it_jtext_take(call->run, call->line, &text, out);
    }
    it_str_free(&text);
    return it_jcall_fail(call, "a text of more than %d MiB", IT_JINJA_OUTPUT_MAX >> 20);
}

/* ---- lists and dicts ---- */

METHOD(list_count)
{
    int64_t n = 0;
    for (size_t i = 0; i < call->self.u.list->n; i++) {
        bool equal;
        IT_TRY(it_jequal(call->run, call->line, &call->self.u.list->item[i], &call->arg[0],
                         &equal));
        n += equal;
    }
    *out = it_jint(n);
    return IT_OK;
}

METHOD(list_index)
{
    for (size_t i = 0; i < call->self.u.list->n; i++) {
        bool equal;
        IT_TRY(it_jequal(call->run, call->line, &call->self.u.list->item[i], &call->arg[0],
                         &equal));
        *out = it_jint((int64_t)i);
        if (equal) { return IT_OK; }
    }
    return it_jcall_fail(call, "the item is not there");
}

static enum it_status view(struct it_jcall *call, bool keys, bool values, struct it_jvalue *out)
{
    const struct it_jdict *dict = call->self.u.dict;
    IT_TRY(it_jrun_charge(call->run, call->line, dict->n * 4 * sizeof *out));
    *out = it_jlist_new(call->run, IT_JVIEW);
    for (size_t i = 0; i < dict->n; i++) {
        struct it_jvalue item = keys ? dict->item[i].key : dict->item[i].value;
        if (keys && values) {
            item = it_jlist_new(call->run, IT_JTUPLE);
            it_jlist_add(call->run, item, dict->item[i].key);
            it_jlist_add(call->run, item, dict->item[i].value);
        }
        it_jlist_add(call->run, *out, item);
    }
    return IT_OK;
}

METHOD(dict_items)
{
    return view(call, true, true, out);
}

METHOD(dict_keys)
{
    return view(call, true, false, out);
}

METHOD(dict_values)
{
    return view(call, false, true, out);
}

METHOD(dict_get)
{
    IT_TRY(it_jrun_charge(call->run, call->line, call->self.u.dict->n));
    const struct it_jvalue *found = it_jdict_find(call->self.u.dict, &call->arg[0]);
    *out = found ? *found : call->given[1] ? call->arg[1] : IT_JNONE_VALUE;
    return IT_OK;
}

METHOD(itself)
{
    *out = call->self; /* values don't change: a copy is the same */
    return IT_OK;
}

/* ---- tables; those without a function are Python's and not known here ---- */

static const struct it_jfunction of_text[] = {
    {"strip", "chars", strip_both}, {"lstrip", "chars", strip_left},
    {"rstrip", "chars", strip_right}, {"upper", "", upper}, {"lower", "", lower},
    {"title", "", title}, {"capitalize", "", capitalize}, {"swapcase", "", NULL},
    {"startswith", "!prefix start end", startswith}, {"endswith", "!suffix start end", endswith},
    {"removeprefix", "!prefix", removeprefix}, {"removesuffix", "!suffix", removesuffix},
    {"find", "!sub start end", find_first}, {"rfind", "!sub start end", find_last},
    {"index", "!sub start end", index_first}, {"rindex", "!sub start end", index_last},
    {"count", "!sub", count}, {"split", "sep maxsplit", split}, {"rsplit", "sep maxsplit", rsplit},
    {"splitlines", "keepends", splitlines}, {"partition", "!sep", partition},
    {"rpartition", "!sep", rpartition}, {"join", "!iterable", join},
    {"replace", "!old !new count", replace}, {"isspace", "", isspace_all},
    {"isalpha", "", isalpha_all}, {"isdecimal", "", isdecimal_all}, {"isdigit", "", isdigit_all},
    {"isalnum", "", isalnum_all}, {"isupper", "", isupper_all}, {"islower", "", islower_all},
    {"casefold", "", NULL}, {"center", "", NULL}, {"encode", "", NULL}, {"expandtabs", "", NULL},
    {"format", "", NULL}, {"format_map", "", NULL}, {"isascii", "", NULL},
    {"isidentifier", "", NULL}, {"isnumeric", "", NULL}, {"isprintable", "", NULL},
    {"istitle", "", NULL}, {"ljust", "", NULL}, {"maketrans", "", NULL}, {"rjust", "", NULL},
    {"translate", "", NULL}, {"zfill", "", NULL}, {NULL, NULL, NULL}};

static const struct it_jfunction of_list[] = {
    {"count", "!value", list_count}, {"index", "!value", list_index}, {"copy", "", itself},
    {"append", "", NULL}, {"clear", "", NULL}, {"extend", "", NULL}, {"insert", "", NULL},
    {"pop", "", NULL}, {"remove", "", NULL}, {"reverse", "", NULL}, {"sort", "", NULL},
    {NULL, NULL, NULL}};

static const struct it_jfunction of_dict[] = {
    {"items", "", dict_items}, {"keys", "", dict_keys}, {"values", "", dict_values},
    {"get", "!key default", dict_get}, {"copy", "", itself}, {"clear", "", NULL},
    {"fromkeys", "", NULL}, {"pop", "", NULL}, {"popitem", "", NULL}, {"setdefault", "", NULL},
    {"update", "", NULL}, {NULL, NULL, NULL}};

static const struct it_jfunction of_number[] = {
    {"real", "", NULL}, {"imag", "", NULL}, {"numerator", "", NULL}, {"denominator", "", NULL},
    {"conjugate", "", NULL}, {"bit_length", "", NULL}, {"bit_count", "", NULL},
    {"as_integer_ratio", "", NULL}, {"is_integer", "", NULL}, {"to_bytes", "", NULL},
    {"from_bytes", "", NULL}, {"hex", "", NULL}, {"fromhex", "", NULL}, {NULL, NULL, NULL}};

static const struct it_jfunction *table_of(const struct it_jvalue *self)
{
    if (self->kind == IT_JTEXT) { return of_text; }
    if (self->kind == IT_JDICT) { return of_dict; }
    if (it_jis_number(self)) { return of_number; }
    return self->kind == IT_JLIST && self->u.list->form <= IT_JTUPLE ? of_list : NULL;
}

enum it_status it_jmethod_find(struct it_jrun *run, int line, const struct it_jvalue *self,
                               const char *name, const struct it_jfunction **function_out)
{
    const struct it_jfunction *row = table_of(self);
    bool tuple = self->kind == IT_JLIST && self->u.list->form == IT_JTUPLE;
    bool inner = it_starts_with(name, "__");
    for (; row && row->name; row++) {
        bool list_only = tuple && (!row->run || row->run == itself);
        if (strcmp(row->name, name) != 0 || list_only) { continue; }
        if (!row->run || self->safe) { break; }
        *function_out = row;
        return IT_OK;
    }
    if (row && !row->name && !inner) { return IT_NOT_FOUND; }
    return it_jrun_fail(run, IT_INVALID, line, "%s of %s%s is not known here", name,
                        it_jkind_words(self), self->safe ? " marked safe" : "");
}
