/* SPDX-License-Identifier: MIT */
/* Options as rows of a table: parsing by type, and the lists that grow from the rows. */
#include "core/base/option.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/internal.h"
#include "core/base/json.h"
#include "core/base/mem.h"

/* Column of a type: the word of --help, and what an error says was expected. */
static const struct {
    const char *word, *expected;
} types[] = {
    [IT_OPT_BOOL] = {"true or false", "true or false"},
    [IT_OPT_INT] = {"integer", "an integer"},
    [IT_OPT_REAL] = {"number", "a number"},
    [IT_OPT_SIZE] = {"size", "a size such as 38GiB, 512MB or 1024"},
    [IT_OPT_STRING] = {"text", "text"},
    [IT_OPT_CHOICE] = {"choice", "one name"},
    [IT_OPT_STRINGS] = {"list of names", "a list of names"},
    [IT_OPT_REALS] = {"list of numbers", "a list of numbers"},
    [IT_OPT_OBJECT] = {"map", "a map, or a JSON object in quotes"},
    [IT_OPT_IGNORED] = {"no effect", "anything"},
};

/* The field of `row` in the options' struct. */
static void *field(const struct it_option *row, void *values)
{
    return (char *)values + row->offset;
}

static const void *const_field(const struct it_option *row, const void *values)
{
    return (const char *)values + row->offset;
}

static enum it_status expected(const struct it_option *row, const char *where, const char *found)
{
    return it_fail(IT_INVALID, "%s: %s: expected %s, found \"%s\"", where, row->name,
                   types[row->type].expected, found);
}

const struct it_option *it_option_find(const struct it_option_table *table, const char *key)
{
    for (size_t i = 0; i < table->n; i++) {
        if (strcmp(table->row[i].name, key) == 0) { return &table->row[i]; }
    }
    return NULL;
}

static enum it_status unknown_key(const struct it_option_table *table, const char *where,
                                  const char *key)
{
    const char **names = it_alloc(table->n * sizeof *names);
    for (size_t i = 0; i < table->n; i++) { names[i] = table->row[i].name; }
    const char *closest = it_closest(key, names, table->n);
    it_free(names);
    if (!closest) {
        return it_fail(IT_INVALID, "%s: unknown key \"%s\"; --help lists the known ones", where,
                       key);
    }
    return it_fail(IT_INVALID, "%s: unknown key \"%s\"; did you mean \"%s\"?", where, key,
                   closest);
}

/* The forms of YAML 1.1, in either case. */
static bool read_bool(const char *text, bool *value_out)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {{"true", true},   {"false", false}, {"yes", true}, {"no", false},
                 {"on", true},     {"off", false},   {"1", true},   {"0", false}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(words[i].word, text) == 0) {
            *value_out = words[i].value;
            return true;
        }
    }
    return false;
}

/* Decimal only: strtod alone would take hexadecimal, infinities and leading blanks. */
static bool read_real(const char *text, double *value_out)
{
    char *end;
    if (text[0] == '\0' || text[strspn(text, "0123456789+-.eE")] != '\0') { return false; }
    double value = strtod(text, &end);
    if (*end != '\0' || !isfinite(value)) { return false; }
    *value_out = value;
    return true;
}

/* 3 and 1e3 and 3.0: a number that is whole. All digits of a plain integer count. */
static bool read_int(const char *text, int64_t *value_out)
{
    char *end;
    double real;
    if (!read_real(text, &real)) { return false; }
    errno = 0;
    long long whole = strtoll(text, &end, 10);
    if (*end == '\0') {
        if (errno == ERANGE) { return false; }
        *value_out = whole;
        return true;
    }
    if (real != floor(real) || fabs(real) > 0x1p53) { return false; }
    *value_out = (int64_t)real;
    return true;
}

/* The parts of "a|b|c", without blanks round them. */
static void split(const char *text, char mark, struct it_strs *list)
{
    for (;;) {
        const char *end = strchr(text, mark);
        size_t length = end ? (size_t)(end - text) : strlen(text);
        while (length && isspace((unsigned char)text[0])) { text++, length--; }
        while (length && isspace((unsigned char)text[length - 1])) { length--; }
        char *part = it_strndup(text, length);
        it_strs_add(list, part);
        it_free(part);
        if (!end) { return; }
        text = end + 1;
    }
}

static enum it_status set_choice(const struct it_option *row, int *value, const char *where,
                                 const char *text)
{
    struct it_strs names = {0};
    split(row->choices, '|', &names);
    enum it_status status = IT_INVALID;
    for (size_t i = 0; i < names.n; i++) {
        if (strcmp(names.item[i], text) == 0) {
            *value = (int)i;
            status = IT_OK;
        }
    }
    if (status != IT_OK) {
        struct it_str all = {0};
        for (size_t i = 0; i < names.n; i++) {
            it_str_printf(&all, "%s%s", i ? ", " : "", names.item[i]);
        }
        const char *closest = it_closest(text, (const char *const *)names.item, names.n);
        it_fail(status, "%s: %s: expected one of %s, found \"%s\"%s%s%s", where, row->name,
                it_str_c(&all), text, closest ? "; did you mean \"" : "", closest ? closest : "",
                closest ? "\"?" : "");
        it_str_free(&all);
    }
    it_strs_free(&names);
    return status;
}

static void reals_free(struct it_reals *reals)
{
    it_free(reals->item);
    *reals = (struct it_reals){0};
}

static enum it_status set_reals(const struct it_option *row, struct it_reals *reals,
                                const char *where, const struct it_strs *list)
{
    struct it_reals fresh = {0};
    for (size_t i = 0; i < list->n; i++) {
        double value;
        if (!read_real(list->item[i], &value)) {
            reals_free(&fresh);
            return expected(row, where, list->item[i]);
        }
        fresh.item = it_grow(fresh.item, &fresh.cap, fresh.n + 1, sizeof *fresh.item);
        fresh.item[fresh.n++] = value;
    }
    reals_free(reals);
    *reals = fresh;
    return IT_OK;
}

static enum it_status set_list(const struct it_option *row, void *values, const char *where,
                               const struct it_strs *list)
{
    if (row->type == IT_OPT_IGNORED) { return IT_OK; }
    if (row->type == IT_OPT_REALS) { return set_reals(row, field(row, values), where, list); }
    if (row->type != IT_OPT_STRINGS) {
        return it_fail(IT_INVALID, "%s: %s: expected %s, found a list", where, row->name,
                       types[row->type].expected);
    }
    struct it_strs fresh = {0}, *strings = field(row, values);
    for (size_t i = 0; i < list->n; i++) { it_strs_add(&fresh, list->item[i]); }
    it_strs_free(strings);
    *strings = fresh;
    return IT_OK;
}

/* "a,b,c"; nothing at all is the empty list. */
static enum it_status set_list_text(const struct it_option *row, void *values, const char *where,
                                    const char *text)
{
    struct it_strs list = {0};
    if (text[strspn(text, " \t")] != '\0') { split(text, ',', &list); }
    enum it_status status = set_list(row, values, where, &list);
    it_strs_free(&list);
    return status;
}

static void set_string(char **string, const char *text)
{
    char *copy = it_strdup(text);
    it_free(*string);
    *string = copy;
}

static bool is_object(const char *text)
{
    json_t *value = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    bool found = json_is_object(value);
    json_decref(value);
    return found;
}

static enum it_status set_text(const struct it_option *row, void *values, const char *where,
                               const char *text)
{
    void *value = field(row, values);
    bool good = true;
    switch (row->type) {
    case IT_OPT_BOOL: good = read_bool(text, value); break;
    case IT_OPT_INT: good = read_int(text, value); break;
    case IT_OPT_REAL: good = read_real(text, value); break;
    case IT_OPT_SIZE: good = it_size_from_text(text, value); break;
    case IT_OPT_STRING: set_string(value, text); break;
    case IT_OPT_OBJECT:
        good = is_object(text);
        if (good) { set_string(value, text); }
        break;
    case IT_OPT_CHOICE: return set_choice(row, value, where, text);
    case IT_OPT_STRINGS:
    case IT_OPT_REALS: return set_list_text(row, values, where, text);
    case IT_OPT_IGNORED: break;
    }
    return good ? IT_OK : expected(row, where, text);
}

enum it_status it_options_init(const struct it_option_table *table, void *values)
{
    for (size_t i = 0; i < table->n; i++) {
        const struct it_option *row = &table->row[i];
        if (row->fallback && row->type != IT_OPT_IGNORED) {
            IT_TRY(set_text(row, values, "default", row->fallback));
        }
    }
    return IT_OK;
}

enum it_status it_option_set(const struct it_option_table *table, void *values, const char *where,
                             const char *key, const char *text)
{
    const struct it_option *row = it_option_find(table, key);
    return row ? set_text(row, values, where, text) : unknown_key(table, where, key);
}

enum it_status it_option_set_list(const struct it_option_table *table, void *values,
                                  const char *where, const char *key, const struct it_strs *list)
{
    const struct it_option *row = it_option_find(table, key);
    return row ? set_list(row, values, where, list) : unknown_key(table, where, key);
}

static json_t *choice_json(const struct it_option *row, int value)
{
    struct it_strs names = {0};
    split(row->choices, '|', &names);
    json_t *json =
        value >= 0 && (size_t)value < names.n ? json_string(names.item[value]) : json_null();
    it_strs_free(&names);
    return json;
}

static json_t *text_json(const char *text)
{
    return text ? it_json_text(text, strlen(text)) : json_null();
}

static json_t *strings_json(const struct it_strs *list)
{
    json_t *array = json_array();
    for (size_t i = 0; i < list->n; i++) { json_array_append_new(array, text_json(list->item[i])); }
    return array;
}

static json_t *reals_json(const struct it_reals *list)
{
    json_t *array = json_array();
    for (size_t i = 0; i < list->n; i++) {
        json_array_append_new(array, it_json_real(list->item[i]));
    }
    return array;
}

static json_t *value_json(const struct it_option *row, const void *values)
{
    const void *value = const_field(row, values);
    switch (row->type) {
    case IT_OPT_BOOL: return json_boolean(*(const bool *)value);
    case IT_OPT_INT:
    case IT_OPT_SIZE: return json_integer(*(const int64_t *)value);
    case IT_OPT_REAL: return it_json_real(*(const double *)value);
    case IT_OPT_STRING:
    case IT_OPT_OBJECT: return text_json(*(char *const *)value);
    case IT_OPT_CHOICE: return choice_json(row, *(const int *)value);
    case IT_OPT_STRINGS: return strings_json(value);
    case IT_OPT_REALS: return reals_json(value);
    case IT_OPT_IGNORED: break;
    }
    return NULL;
}

json_t *it_options_dump(const struct it_option_table *table, const void *values)
{
    json_t *object = json_object();
    for (size_t i = 0; i < table->n; i++) {
        const struct it_option *row = &table->row[i];
        if (row->type != IT_OPT_IGNORED) {
            json_object_set_new(object, row->name, value_json(row, values));
        }
    }
    return object;
}

void it_options_free(const struct it_option_table *table, void *values)
{
    for (size_t i = 0; i < table->n; i++) {
        const struct it_option *row = &table->row[i];
        if (row->type == IT_OPT_STRING || row->type == IT_OPT_OBJECT) {
            char **string = field(row, values);
            it_free(*string);
            *string = NULL;
        } else if (row->type == IT_OPT_STRINGS) {
            it_strs_free(field(row, values));
        } else if (row->type == IT_OPT_REALS) {
            reals_free(field(row, values));
        }
    }
}

void it_options_help(const struct it_option_table *table, struct it_str *out)
{
    for (size_t i = 0; i < table->n; i++) {
        const struct it_option *row = &table->row[i];
        if (row->type == IT_OPT_IGNORED) { continue; }
        const char *word = row->type == IT_OPT_CHOICE ? row->choices : types[row->type].word;
        it_str_printf(out, "  %s (%s, %s): %s\n", row->name, word,
                      row->fallback ? row->fallback : "unset", row->doc);
    }
}
