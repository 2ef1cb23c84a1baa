/* SPDX-License-Identifier: MIT */
/* Filters of lists and dicts. What Jinja gives as a generator is one here: it is read once. */
#include <string.h>

#include "core/base/mem.h"
#include "core/text/jinja_internal.h"

#define FILTER(name) static enum it_status name(struct it_jcall *call, struct it_jvalue *out)

static enum it_status items_of(struct it_jcall *call, const struct it_jlist **items)
{
    return it_jitems(call->run, call->line, &call->self, items);
}

/* "a.b.0": fields of fields. */
static enum it_status attribute(struct it_jcall *call, const struct it_jvalue *of,
                                const struct it_jvalue *path, struct it_jvalue *out)
{
    struct it_jvalue value = *of;
    if (path->kind == IT_JINT) { return it_jget_item(call->run, call->line, of, path, out); }
    if (path->kind != IT_JTEXT) { return it_jcall_fail(call, "an attribute is a text"); }
    for (size_t at = 0; at <= path->n;) {
        const char *part = path->u.text + at;
        const char *dot = memchr(part, '.', path->n - at);
        size_t n = dot ? (size_t)(dot - part) : path->n - at, digits = 0;
        int64_t number = 0;
        for (; digits < n && digits < 9 && part[digits] >= '0' && part[digits] <= '9'; digits++) {
            number = number * 10 + part[digits] - '0';
        }
        struct it_jvalue key = n && digits == n ? it_jint(number) : it_jtext(part, n);
        IT_TRY(it_jget_item(call->run, call->line, &value, &key, out));
        value = *out;
        at += n + 1;
    }
    return IT_OK;
}

/* ---- ends, copies ---- */

FILTER(first)
{
    const struct it_jlist *items;
    struct it_jvalue self = call->self;
    if (self.kind == IT_JLIST && self.u.list->form == IT_JLAZY) {
        struct it_jlist *l = self.u.list;
        *out = l->at < l->n ? l->item[l->at++] : it_jundefined("the first of nothing");
        return IT_OK;
    }
    IT_TRY(items_of(call, &items));
    *out = items->n ? items->item[0] : it_jundefined("the first of nothing");
    return IT_OK;
}

FILTER(last)
{
    const struct it_jlist *items;
    if (call->self.kind == IT_JLIST && call->self.u.list->form == IT_JLAZY) {
        return it_jcall_fail(call, "a generator has no end: | list makes it a list");
    }
    if (call->self.kind == IT_JUNDEFINED) { return it_jcall_fail(call, "an undefined value"); }
    IT_TRY(items_of(call, &items));
    *out = items->n ? items->item[items->n - 1] : it_jundefined("the last of nothing");
    return IT_OK;
}

static enum it_status copy(struct it_jcall *call, const struct it_jlist *items, enum it_jform form,
                           bool back, struct it_jvalue *out)
{
    IT_TRY(it_jrun_charge(call->run, call->line, items->n * sizeof *out));
    *out = it_jlist_new(call->run, form);
    for (size_t i = 0; i < items->n; i++) {
        it_jlist_add(call->run, *out, items->item[back ? items->n - 1 - i : i]);
    }
    return IT_OK;
}

FILTER(list)
{
    const struct it_jlist *items;
    IT_TRY(items_of(call, &items));
    return copy(call, items, IT_JPLAIN, false, out);
}

FILTER(reverse)
{
    const struct it_jlist *items;
    bool lazy = call->self.kind == IT_JLIST && call->self.u.list->form == IT_JLAZY;
    IT_TRY(items_of(call, &items));
    if (call->self.kind != IT_JTEXT) {
        bool plain = lazy || call->self.kind == IT_JUNDEFINED; /* as in Jinja */
        return copy(call, items, plain ? IT_JPLAIN : IT_JLAZY, true, out);
    }
    struct it_str text = {0};
    for (size_t i = items->n; i > 0; i--) {
        it_str_add(&text, items->item[i - 1].u.text, items->item[i - 1].n);
    }
    return it_jtext_take(call->run, call->line, &text, out);
}

static struct it_jvalue pair(struct it_jrun *run, const struct it_jpair *of)
{
    struct it_jvalue tuple = it_jlist_new(run, IT_JTUPLE);
    it_jlist_add(run, tuple, of->key);
    it_jlist_add(run, tuple, of->value);
    return tuple;
}

FILTER(items)
{
    *out = it_jlist_new(call->run, IT_JLAZY);
    if (call->self.kind == IT_JUNDEFINED) { return IT_OK; }
    if (call->self.kind != IT_JDICT) {
        return it_jcall_fail(call, "expected a dict, found %s", it_jkind_words(&call->self));
    }
    IT_TRY(it_jrun_charge(call->run, call->line, call->self.u.dict->n * 4 * sizeof *out));
    for (size_t i = 0; i < call->self.u.dict->n; i++) {
        it_jlist_add(call->run, *out, pair(call->run, &call->self.u.dict->item[i]));
    }
    return IT_OK;
}

FILTER(join)
{
    const struct it_jlist *items;
    struct it_str text = {0};
    struct it_jvalue between = it_jtext("", 0), item;
    IT_TRY(items_of(call, &items));
    if (call->given[0]) {
        IT_TRY(it_jstring(call->run, call->line, &call->arg[0], &between));
    }
    enum it_status status = IT_OK;
    for (size_t i = 0; i < items->n && status == IT_OK; i++) {
        item = items->item[i];
        if (call->given[1] && call->arg[1].kind != IT_JNONE) {
            status = attribute(call, &items->item[i], &call->arg[1], &item);
        }
        if (i && status == IT_OK) {
            status = it_jwrite(call->run, call->line, &between, &text);
        }
        if (status == IT_OK) { status = it_jwrite(call->run, call->line, &item, &text); }
    }
    if (status == IT_OK) { return it_jtext_take(call->run, call->line, &text, out); }
    it_str_free(&text);
    return status;
}

/* ---- order ---- */

struct keyed {
    struct it_jvalue key, item;
};

/* What an item is compared by: an attribute of it, texts in lower case unless that matters. */
static enum it_status key_of(struct it_jcall *call, const struct it_jvalue *item, bool cased,
                             const struct it_jvalue *path, struct it_jvalue *key)
{
    *key = *item;
    if (path && path->kind != IT_JNONE) {
        if (path->kind == IT_JTEXT && memchr(path->u.text, ',', path->n)) {
            return it_jrun_fail(call->run, IT_INVALID, call->line,
                                "%s by several attributes is not known here", call->name);
        }
        IT_TRY(attribute(call, item, path, key));
    }
    if (key->kind != IT_JTEXT || cased) { return IT_OK; }
    struct it_str text = {0};
    it_jcase_add(&text, key->u.text, key->n, IT_JLOWER);
    return it_jtext_take(call->run, call->line, &text, key);
}

/* Stable, by merging, so that a hostile list costs n log n. */
static enum it_status merge_sort(struct it_jcall *call, struct keyed *item, struct keyed *spare,
                                 size_t n, bool back)
{
    if (n < 2) { return IT_OK; }
    size_t half = n / 2, a = 0, b = half, to = 0;
    IT_TRY(merge_sort(call, item, spare, half, back));
    IT_TRY(merge_sort(call, item + half, spare, n - half, back));
    memcpy(spare, item, n * sizeof *item);
    while (a < half && b < n) {
        int order;
        IT_TRY(it_jorder(call->run, call->line, &spare[a].key, &spare[b].key, &order));
        item[to++] = (back ? order >= 0 : order <= 0) ? spare[a++] : spare[b++];
    }
    while (a < half) { item[to++] = spare[a++]; }
    while (b < n) { item[to++] = spare[b++]; }
    return IT_OK;
}

static enum it_status sorted(struct it_jcall *call, struct keyed *item, size_t n, bool back,
                             struct it_jvalue *out)
{
    struct keyed *spare = it_jarena_take(&call->run->arena, (n + 1) * sizeof *spare);
    IT_TRY(merge_sort(call, item, spare, n, back));
    *out = it_jlist_new(call->run, IT_JPLAIN);
    for (size_t i = 0; i < n; i++) { it_jlist_add(call->run, *out, item[i].item); }
    return IT_OK;
}

static enum it_status take_keys(struct it_jcall *call, bool cased, const struct it_jvalue *path,
                                struct keyed **keyed_out, size_t *n_out)
{
    const struct it_jlist *all;
    IT_TRY(items_of(call, &all));
    IT_TRY(it_jrun_charge(call->run, call->line, 2 * all->n * sizeof **keyed_out));
    struct keyed *keyed = it_jarena_take(&call->run->arena, (all->n + 1) * sizeof *keyed);
    for (size_t i = 0; i < all->n; i++) {
        keyed[i].item = all->item[i];
        IT_TRY(key_of(call, &all->item[i], cased, path, &keyed[i].key));
    }
    *keyed_out = keyed;
    *n_out = all->n;
    return IT_OK;
}

static bool is_set(const struct it_jcall *call, int i)
{
    return call->given[i] && it_jtrue(&call->arg[i]);
}

FILTER(sort)
{
    struct keyed *keyed;
    size_t n;
    IT_TRY(take_keys(call, is_set(call, 1), call->given[2] ? &call->arg[2] : NULL, &keyed, &n));
    return sorted(call, keyed, n, is_set(call, 0), out);
}

FILTER(dictsort)
{
    struct it_jvalue by = it_jtext("key", 3);
    IT_TRY(it_jcall_text(call, 1, &by));
    bool by_value = it_jtext_is(&by, "value");
    if (call->self.kind != IT_JDICT || (!by_value && !it_jtext_is(&by, "key"))) {
        return it_jcall_fail(call, "expected a dict, and by=\"key\" or \"value\"");
    }
    const struct it_jdict *dict = call->self.u.dict;
    IT_TRY(it_jrun_charge(call->run, call->line, dict->n * 8 * sizeof *out));
    struct keyed *keyed = it_jarena_take(&call->run->arena, (dict->n + 1) * sizeof *keyed);
    for (size_t i = 0; i < dict->n; i++) {
        const struct it_jpair *p = &dict->item[i];
        keyed[i].item = pair(call->run, p);
        IT_TRY(key_of(call, by_value ? &p->value : &p->key, is_set(call, 0), NULL, &keyed[i].key));
    }
    return sorted(call, keyed, dict->n, is_set(call, 2), out);
}

FILTER(unique)
{
    struct keyed *keyed;
    size_t n, kept = 0;
    IT_TRY(take_keys(call, is_set(call, 0), call->given[1] ? &call->arg[1] : NULL, &keyed, &n));
    *out = it_jlist_new(call->run, IT_JLAZY);
    for (size_t i = 0; i < n; i++) {
        bool known = false;
        for (size_t k = 0; k < kept && !known; k++) {
            IT_TRY(it_jequal(call->run, call->line, &keyed[k].key, &keyed[i].key, &known));
        }
        if (known) { continue; }
        keyed[kept++] = keyed[i]; /* kept <= i */
        it_jlist_add(call->run, *out, keyed[i].item);
    }
    return IT_OK;
}

static enum it_status extreme(struct it_jcall *call, int sign, struct it_jvalue *out)
{
    struct keyed *keyed;
    size_t n, best = 0;
    IT_TRY(take_keys(call, is_set(call, 0), call->given[1] ? &call->arg[1] : NULL, &keyed, &n));
    for (size_t i = 1; i < n; i++) {
        int order;
        IT_TRY(it_jorder(call->run, call->line, &keyed[i].key, &keyed[best].key, &order));
        if (sign < 0 ? order < 0 : order > 0) { best = i; }
    }
    *out = n ? keyed[best].item : it_jundefined("the extreme of nothing");
    return IT_OK;
}

FILTER(least)
{
    return extreme(call, -1, out);
}

FILTER(most)
{
    return extreme(call, 1, out);
}

FILTER(sum)
{
    const struct it_jlist *all;
    struct it_jvalue total = call->given[1] ? call->arg[1] : it_jint(0);
    IT_TRY(items_of(call, &all));
    for (size_t i = 0; i < all->n; i++) {
        struct it_jvalue item = all->item[i];
        if (call->given[0] && call->arg[0].kind != IT_JNONE) {
            IT_TRY(attribute(call, &all->item[i], &call->arg[0], &item));
        }
        IT_TRY(it_jbinary(call->run, call->line, IT_JT_ADD, &total, &item, &total));
    }
    *out = total;
    return IT_OK;
}

/* ---- choosing and changing items ---- */

/* The filter or test that an argument names. */
static enum it_status named_function(struct it_jcall *call, size_t i, bool test,
                                     const struct it_jfunction **function)
{
    const struct it_jvalue *name = &call->all->value[i];
    if (name->kind == IT_JTEXT) {
        const char *text = it_jarena_copy(&call->run->arena, name->u.text, name->n);
        *function = test ? it_jtest_find(text) : it_jfilter_find(text);
        if (*function) { return IT_OK; }
        return it_jrun_fail(call->run, IT_INVALID, call->line,
                            "%s: the %s \"%.40s\" is not known here", call->name,
                            test ? "test" : "filter", text);
    }
    return it_jcall_fail(call, "the name of a %s is a text", test ? "test" : "filter");
}

static enum it_status map_attribute(struct it_jcall *call, const struct it_jlist *all,
                                    struct it_jvalue *out)
{
    const struct it_jargs *args = call->all;
    const struct it_jvalue *path = NULL, *missing = NULL;
    for (size_t i = 0; i < args->n; i++) {
        bool is_path = args->name[i] && strcmp(args->name[i], "attribute") == 0;
        bool is_default = args->name[i] && strcmp(args->name[i], "default") == 0;
        if (is_path) { path = &args->value[i]; }
        if (is_default) { missing = &args->value[i]; }
        if (!is_path && !is_default) { return it_jcall_fail(call, "an argument too many"); }
    }
    if (!path) { return it_jcall_fail(call, "a filter's name or attribute= is missing"); }
    for (size_t i = 0; i < all->n; i++) {
        struct it_jvalue value;
        IT_TRY(attribute(call, &all->item[i], path, &value));
        if (value.kind == IT_JUNDEFINED && missing && missing->kind != IT_JNONE) {
            value = *missing;
        }
        it_jlist_add(call->run, *out, value);
    }
    return IT_OK;
}

FILTER(map)
{
    const struct it_jlist *all;
    const struct it_jfunction *function;
    struct it_jargs rest = *call->all;
    IT_TRY(items_of(call, &all));
    *out = it_jlist_new(call->run, IT_JLAZY);
    if (rest.n == 0 || rest.name[0]) { return map_attribute(call, all, out); }
    IT_TRY(named_function(call, 0, false, &function));
    rest.value++;
    rest.name++;
    rest.n--;
    for (size_t i = 0; i < all->n; i++) {
        struct it_jvalue value;
        IT_TRY(it_jrun_enter(call->run, call->line));
        IT_TRY(it_jcall(call->run, call->line, function, &all->item[i], &rest, &value));
        call->run->depth--;
        it_jlist_add(call->run, *out, value);
    }
    return IT_OK;
}

/* The arguments are: an attribute (of `attr` filters), a test, the test's arguments. */
static enum it_status choose(struct it_jcall *call, bool by_attribute, bool keep,
                             struct it_jvalue *out)
{
    const struct it_jlist *all;
    const struct it_jfunction *test = NULL;
    struct it_jargs rest = *call->all;
    size_t used = by_attribute;
    if (rest.n < used || (rest.n && rest.name[0])) {
        return it_jcall_fail(call, "expected %s", by_attribute ? "an attribute" : "a test");
    }
    IT_TRY(items_of(call, &all));
    if (rest.n > used) { IT_TRY(named_function(call, used++, true, &test)); }
    rest.value += used;
    rest.name += used;
    rest.n -= used;
    *out = it_jlist_new(call->run, IT_JLAZY);
    for (size_t i = 0; i < all->n; i++) {
        struct it_jvalue value = all->item[i], verdict;
        if (by_attribute) {
            IT_TRY(attribute(call, &all->item[i], &call->all->value[0], &value));
        }
        verdict = value;
        if (test) { IT_TRY(it_jcall(call->run, call->line, test, &value, &rest, &verdict)); }
        if (it_jtrue(&verdict) == keep) { it_jlist_add(call->run, *out, all->item[i]); }
    }
    return IT_OK;
}

FILTER(select_items)
{
    return choose(call, false, true, out);
}

FILTER(reject_items)
{
    return choose(call, false, false, out);
}

FILTER(select_by)
{
    return choose(call, true, true, out);
}

FILTER(reject_by)
{
    return choose(call, true, false, out);
}

const struct it_jfunction it_jfilters_list[] = {
    {"first", "", first},
    {"last", "", last},
    {"list", "", list},
    {"reverse", "", reverse},
    {"items", "", items},
    {"join", "d attribute", join},
    {"sort", "reverse case_sensitive attribute", sort},
    {"dictsort", "case_sensitive by reverse", dictsort},
    {"unique", "case_sensitive attribute", unique},
    {"min", "case_sensitive attribute", least},
    {"max", "case_sensitive attribute", most},
    {"sum", "attribute start", sum},
    {"map", "*", map},
    {"select", "*", select_items},
    {"reject", "*", reject_items},
    {"selectattr", "*", select_by},
    {"rejectattr", "*", reject_by},
    {NULL, NULL, NULL},
};
