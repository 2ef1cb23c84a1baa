/* SPDX-License-Identifier: MIT */
/* Values of a template: making them, comparing them, going through them. */
#include <math.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/text/jinja_internal.h"

/* ---- memory ---- */

#define CHUNK 16384

struct it_jchunk {
    struct it_jchunk *next;
    size_t used, size;
    max_align_t memory[];
};

void *it_jarena_take(struct it_jarena *arena, size_t bytes)
{
    struct it_jchunk *chunk = arena->chunk;
    size_t align = sizeof(max_align_t), need = (bytes + align - 1) / align * align;
    if (need == 0) { need = align; }
    if (!chunk || chunk->size - chunk->used < need) {
        size_t size = need > CHUNK ? need : CHUNK;
        chunk = it_calloc(1, sizeof *chunk + size);
        chunk->size = size;
        chunk->next = arena->chunk;
        arena->chunk = chunk;
        arena->taken += size;
    }
    char *memory = (char *)chunk->memory + chunk->used;
    chunk->used += need;
    return memory;
}

char *it_jarena_copy(struct it_jarena *arena, const char *text, size_t bytes)
{
    char *copy = it_jarena_take(arena, bytes + 1);
    if (bytes) { memcpy(copy, text, bytes); }
    return copy;
}

void it_jarena_free(struct it_jarena *arena)
{
    while (arena->chunk) {
        struct it_jchunk *chunk = arena->chunk;
        arena->chunk = chunk->next;
        it_free(chunk);
    }
}

/* ---- lists and dicts ---- */

struct it_jvalue it_jlist_new(struct it_jrun *run, enum it_jform form)
{
    struct it_jlist *list = it_jarena_take(&run->arena, sizeof *list);
    list->form = (uint8_t)form;
    return (struct it_jvalue){.kind = IT_JLIST, .u.list = list};
}

void it_jlist_add(struct it_jrun *run, struct it_jvalue list, struct it_jvalue item)
{
    struct it_jlist *l = list.u.list;
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 4;
        struct it_jvalue *wider = it_jarena_take(&run->arena, cap * sizeof *wider);
        if (l->n) { memcpy(wider, l->item, l->n * sizeof *wider); }
        l->item = wider;
        l->cap = cap;
    }
    l->item[l->n++] = item;
}

struct it_jvalue it_jdict_new(struct it_jrun *run)
{
    return (struct it_jvalue){.kind = IT_JDICT,
                              .u.dict = it_jarena_take(&run->arena, sizeof(struct it_jdict))};
}

/* Keys are texts, numbers, bools or None: never too deep to compare. */
static bool same_key(const struct it_jvalue *a, const struct it_jvalue *b)
{
    if (it_jis_number(a) && it_jis_number(b)) {
        if (a->kind == IT_JINT && b->kind == IT_JINT) { return a->u.whole == b->u.whole; }
        double x = it_jnumber(a), y = it_jnumber(b);
        return x >= y && x <= y;
    }
    if (a->kind != b->kind) { return false; }
    if (a->kind != IT_JTEXT) { return a->kind == IT_JNONE; }
    return a->n == b->n && memcmp(a->u.text, b->u.text, a->n) == 0;
}

const struct it_jvalue *it_jdict_find(const struct it_jdict *dict, const struct it_jvalue *key)
{
    for (size_t i = 0; i < dict->n; i++) {
        if (same_key(&dict->item[i].key, key)) { return &dict->item[i].value; }
    }
    return NULL;
}

const struct it_jvalue *it_jdict_name(const struct it_jdict *dict, const char *name)
{
    struct it_jvalue key = it_jtext(name, strlen(name));
    return it_jdict_find(dict, &key);
}

static bool is_key(const struct it_jvalue *key)
{
    return key->kind == IT_JNONE || key->kind == IT_JTEXT || it_jis_number(key);
}

static void dict_add(struct it_jrun *run, struct it_jdict *d, struct it_jvalue key,
                     struct it_jvalue value)
{
    if (d->n == d->cap) {
        size_t cap = d->cap ? 2 * d->cap : 4;
        struct it_jpair *wider = it_jarena_take(&run->arena, cap * sizeof *wider);
        if (d->n) { memcpy(wider, d->item, d->n * sizeof *wider); }
        d->item = wider;
        d->cap = cap;
    }
    d->item[d->n++] = (struct it_jpair){key, value};
}

enum it_status it_jdict_put(struct it_jrun *run, int line, struct it_jvalue dict,
                            struct it_jvalue key, struct it_jvalue value)
{
    struct it_jdict *d = dict.u.dict;
    if (!is_key(&key)) {
        return it_jrun_fail(run, IT_INVALID, line, "%s cannot be a key", it_jkind_words(&key));
    }
    IT_TRY(it_jrun_charge(run, line, d->n));
    for (size_t i = 0; i < d->n; i++) {
        if (same_key(&d->item[i].key, &key)) {
            d->item[i].value = value;
            return IT_OK;
        }
    }
    dict_add(run, d, key, value);
    return IT_OK;
}

static enum it_status from_object(struct it_jrun *run, const json_t *json, int depth,
                                  struct it_jvalue *out)
{
    const char *key;
    json_t *item;
    *out = it_jdict_new(run);
    json_object_foreach((json_t *)(uintptr_t)json, key, item)
    {
        struct it_jvalue value;
        size_t n = strlen(key);
        IT_TRY(it_jfrom_json(run, item, depth + 1, &value));
        /* the keys of an object differ: no need to look */
        dict_add(run, out->u.dict, it_jtext(it_jarena_copy(&run->arena, key, n), n), value);
    }
    return IT_OK;
}

/* Texts stay where they are: the JSON outlives the run. */
enum it_status it_jfrom_json(struct it_jrun *run, const json_t *json, int depth,
                             struct it_jvalue *out)
{
    size_t i;
    json_t *item;
    if (depth > IT_JINJA_VALUE_DEPTH) {
        return it_jrun_fail(run, IT_INVALID, 0, "the conversation is nested deeper than %d levels",
                            IT_JINJA_VALUE_DEPTH);
    }
    IT_TRY(it_jrun_charge(run, 0, sizeof *out));
    switch (json_typeof(json)) {
    case JSON_OBJECT: return from_object(run, json, depth, out);
    case JSON_ARRAY:
        *out = it_jlist_new(run, IT_JPLAIN);
        json_array_foreach(json, i, item)
        {
            struct it_jvalue value;
            IT_TRY(it_jfrom_json(run, item, depth + 1, &value));
            it_jlist_add(run, *out, value);
        }
        return IT_OK;
    case JSON_STRING:
        *out = it_jtext(json_string_value(json), json_string_length(json));
        return IT_OK;
    case JSON_INTEGER: *out = it_jint(json_integer_value(json)); return IT_OK;
    case JSON_REAL: *out = it_jreal(json_real_value(json)); return IT_OK;
    case JSON_TRUE: *out = it_jbool(true); return IT_OK;
    case JSON_FALSE: *out = it_jbool(false); return IT_OK;
    case JSON_NULL: break;
    }
    *out = IT_JNONE_VALUE;
    return IT_OK;
}

/* ---- questions ---- */

bool it_jis_number(const struct it_jvalue *value)
{
    return value->kind == IT_JBOOL || value->kind == IT_JINT || value->kind == IT_JREAL;
}

double it_jnumber(const struct it_jvalue *value)
{
    if (value->kind == IT_JREAL) { return value->u.real; }
    return value->kind == IT_JINT ? (double)value->u.whole : value->u.yes;
}

bool it_jtext_is(const struct it_jvalue *value, const char *text)
{
    size_t n = strlen(text);
    return value->kind == IT_JTEXT && value->n == n && memcmp(value->u.text, text, n) == 0;
}

bool it_jtrue(const struct it_jvalue *value)
{
    switch ((enum it_jkind)value->kind) {
    case IT_JUNDEFINED:
    case IT_JNONE: return false;
    case IT_JBOOL: return value->u.yes;
    case IT_JINT: return value->u.whole != 0;
    case IT_JREAL: return fpclassify(value->u.real) != FP_ZERO;
    case IT_JTEXT: return value->n > 0;
    case IT_JLIST: return value->u.list->form == IT_JLAZY || value->u.list->n > 0;
    case IT_JDICT: return value->u.dict->n > 0;
    case IT_JSPACE:
    case IT_JMACRO:
    case IT_JFUNCTION:
    case IT_JMETHOD:
    case IT_JLOOP: break;
    }
    return true;
}

const char *it_jkind_words(const struct it_jvalue *value)
{
    static const char *const words[] = {
        [IT_JUNDEFINED] = "an undefined value", [IT_JNONE] = "None", [IT_JBOOL] = "a bool",
        [IT_JINT] = "a whole number", [IT_JREAL] = "a real number", [IT_JTEXT] = "a text",
        [IT_JLIST] = "a list", [IT_JDICT] = "a dict", [IT_JSPACE] = "a namespace",
        [IT_JMACRO] = "a macro", [IT_JFUNCTION] = "a function", [IT_JMETHOD] = "a method",
        [IT_JLOOP] = "a loop"};
    static const char *const forms[] = {[IT_JPLAIN] = "a list", [IT_JTUPLE] = "a tuple",
                                        [IT_JLAZY] = "a generator", [IT_JVIEW] = "a view of a dict",
                                        [IT_JRANGE] = "a range"};
    return value->kind == IT_JLIST ? forms[value->u.list->form] : words[value->kind];
}

/* ---- equality and order ---- */

static enum it_status equal_at(struct it_jrun *run, int line, const struct it_jvalue *a,
                               const struct it_jvalue *b, int depth, bool *out);

static enum it_status equal_lists(struct it_jrun *run, int line, const struct it_jlist *a,
                                  const struct it_jlist *b, int depth, bool *out)
{
    *out = a->n == b->n;
    for (size_t i = 0; i < a->n && *out; i++) {
        IT_TRY(equal_at(run, line, &a->item[i], &b->item[i], depth + 1, out));
    }
    return IT_OK;
}

static enum it_status equal_dicts(struct it_jrun *run, int line, const struct it_jdict *a,
                                  const struct it_jdict *b, int depth, bool *out)
{
    *out = a->n == b->n;
    for (size_t i = 0; i < a->n && *out; i++) {
        IT_TRY(it_jrun_charge(run, line, b->n));
        const struct it_jvalue *other = it_jdict_find(b, &a->item[i].key);
        *out = other != NULL;
        if (other) { IT_TRY(equal_at(run, line, &a->item[i].value, other, depth + 1, out)); }
    }
    return IT_OK;
}

static enum it_status equal_at(struct it_jrun *run, int line, const struct it_jvalue *a,
                               const struct it_jvalue *b, int depth, bool *out)
{
    if (depth > IT_JINJA_VALUE_DEPTH) {
        return it_jrun_fail(run, IT_INVALID, line, "a value nested too deep to compare");
    }
    IT_TRY(it_jrun_charge(run, line, a->kind == IT_JTEXT ? a->n / 64 : 0));
    *out = same_key(a, b);
    if (*out || a->kind != b->kind) { return IT_OK; }
    switch ((enum it_jkind)a->kind) {
    case IT_JUNDEFINED: *out = true; return IT_OK;
    case IT_JDICT: return equal_dicts(run, line, a->u.dict, b->u.dict, depth, out);
    case IT_JLIST:
        if (a->u.list->form != b->u.list->form) { return IT_OK; }
        if (a->u.list->form == IT_JLAZY || a->u.list->form == IT_JVIEW) {
            *out = a->u.list == b->u.list;
            return IT_OK;
        }
        return equal_lists(run, line, a->u.list, b->u.list, depth, out);
    case IT_JSPACE: *out = a->u.dict == b->u.dict; return IT_OK;
    case IT_JMACRO: *out = a->u.macro == b->u.macro; return IT_OK;
    case IT_JFUNCTION: *out = a->u.function == b->u.function; return IT_OK;
    default: return IT_OK;
    }
}

enum it_status it_jequal(struct it_jrun *run, int line, const struct it_jvalue *a,
                         const struct it_jvalue *b, bool *equal_out)
{
    return equal_at(run, line, a, b, 0, equal_out);
}

static enum it_status order_at(struct it_jrun *run, int line, const struct it_jvalue *a,
                               const struct it_jvalue *b, int depth, int *out)
{
    IT_TRY(it_jrun_charge(run, line, a->kind == IT_JTEXT ? a->n / 64 : 0));
    if (a->kind == IT_JINT && b->kind == IT_JINT) {
        *out = (a->u.whole > b->u.whole) - (a->u.whole < b->u.whole);
        return IT_OK;
    }
    if (it_jis_number(a) && it_jis_number(b)) {
        double x = it_jnumber(a), y = it_jnumber(b);
        if (isnan(x) || isnan(y)) {
            return it_jrun_fail(run, IT_INVALID, line, "the order of nan is not known here");
        }
        *out = (x > y) - (x < y);
        return IT_OK;
    }
    if (a->kind == IT_JTEXT && b->kind == IT_JTEXT) {
        int order = memcmp(a->u.text, b->u.text, a->n < b->n ? a->n : b->n);
        *out = order ? order : (a->n > b->n) - (a->n < b->n);
        return IT_OK;
    }
    bool lists = a->kind == IT_JLIST && b->kind == IT_JLIST &&
                 a->u.list->form == b->u.list->form && a->u.list->form <= IT_JTUPLE;
    if (!lists || depth > IT_JINJA_VALUE_DEPTH) {
        return it_jrun_fail(run, IT_INVALID, line, "%s and %s have no order", it_jkind_words(a),
                            it_jkind_words(b));
    }
    const struct it_jlist *x = a->u.list, *y = b->u.list;
    for (size_t i = 0; i < x->n && i < y->n; i++) {
        bool equal;
        IT_TRY(equal_at(run, line, &x->item[i], &y->item[i], depth + 1, &equal));
        if (!equal) { return order_at(run, line, &x->item[i], &y->item[i], depth + 1, out); }
    }
    *out = (x->n > y->n) - (x->n < y->n);
    return IT_OK;
}

enum it_status it_jorder(struct it_jrun *run, int line, const struct it_jvalue *a,
                         const struct it_jvalue *b, int *order_out)
{
    return order_at(run, line, a, b, 0, order_out);
}

/* ---- going through ---- */

enum it_status it_jitems(struct it_jrun *run, int line, const struct it_jvalue *value,
                         const struct it_jlist **items_out)
{
    struct it_jvalue list;
    if (value->kind == IT_JLIST) {
        struct it_jlist *l = value->u.list;
        if (l->form != IT_JLAZY) {
            *items_out = l;
            return IT_OK;
        }
        struct it_jlist *rest = it_jarena_take(&run->arena, sizeof *rest);
        if (l->at < l->n) { *rest = (struct it_jlist){.item = l->item + l->at, .n = l->n - l->at}; }
        l->at = l->n;
        *items_out = rest;
        return IT_OK;
    }
    list = it_jlist_new(run, IT_JPLAIN);
    *items_out = list.u.list;
    if (value->kind == IT_JUNDEFINED) { return IT_OK; }
    if (value->kind == IT_JDICT) {
        IT_TRY(it_jrun_charge(run, line, value->u.dict->n * sizeof list));
        for (size_t i = 0; i < value->u.dict->n; i++) {
            it_jlist_add(run, list, value->u.dict->item[i].key);
        }
        return IT_OK;
    }
    if (value->kind != IT_JTEXT) {
        return it_jrun_fail(run, IT_INVALID, line, "%s cannot be gone through",
                            it_jkind_words(value));
    }
    IT_TRY(it_jrun_charge(run, line, value->n * 2 * sizeof list));
    for (size_t at = 0, bytes; at < value->n; at += bytes) {
        it_jchar_at(value->u.text + at, value->n - at, &bytes);
        it_jlist_add(run, list, it_jtext(value->u.text + at, bytes));
    }
    return IT_OK;
}

enum it_status it_jlength(struct it_jrun *run, int line, const struct it_jvalue *value,
                          int64_t *length_out)
{
    switch ((enum it_jkind)value->kind) {
    case IT_JUNDEFINED: *length_out = 0; return IT_OK;
    case IT_JTEXT:
        IT_TRY(it_jrun_charge(run, line, value->n / 64));
        *length_out = (int64_t)it_jchars(value->u.text, value->n);
        return IT_OK;
    case IT_JDICT: *length_out = (int64_t)value->u.dict->n; return IT_OK;
    case IT_JLIST:
        if (value->u.list->form == IT_JLAZY) { break; }
        *length_out = (int64_t)value->u.list->n;
        return IT_OK;
    default: break;
    }
    return it_jrun_fail(run, IT_INVALID, line, "%s has no length", it_jkind_words(value));
}

enum it_status it_jcontains(struct it_jrun *run, int line, const struct it_jvalue *all,
                            const struct it_jvalue *one, bool *found_out)
{
    *found_out = false;
    if (all->kind == IT_JTEXT) {
        if (one->kind != IT_JTEXT) {
            return it_jrun_fail(run, IT_INVALID, line, "%s cannot be in a text",
                                it_jkind_words(one));
        }
        IT_TRY(it_jrun_charge(run, line, all->n * (1 + one->n / 8)));
        *found_out = it_jfind(all->u.text, all->n, one) != NULL;
        return IT_OK;
    }
    if (all->kind == IT_JDICT) {
        IT_TRY(it_jrun_charge(run, line, all->u.dict->n));
        *found_out = it_jdict_find(all->u.dict, one) != NULL;
        return IT_OK;
    }
    const struct it_jlist *list;
    bool lazy = all->kind == IT_JLIST && all->u.list->form == IT_JLAZY;
    size_t before = lazy ? all->u.list->at : 0;
    IT_TRY(it_jitems(run, line, all, &list));
    for (size_t i = 0; i < list->n && !*found_out; i++) {
        IT_TRY(it_jequal(run, line, &list->item[i], one, found_out));
        if (lazy && *found_out) { all->u.list->at = before + i + 1; } /* the rest is still there */
    }
    return IT_OK;
}

enum it_status it_jtext_take(struct it_jrun *run, int line, struct it_str *text,
                             struct it_jvalue *out)
{
    enum it_status status = it_jrun_charge(run, line, text->len);
    if (status == IT_OK) {
        *out = it_jtext(it_jarena_copy(&run->arena, it_str_c(text), text->len), text->len);
    }
    it_str_free(text);
    return status;
}
