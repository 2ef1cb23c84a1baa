/* SPDX-License-Identifier: MIT */
/* Scores split by the values of a record's fields. */
#include <stdlib.h>
#include <string.h>

#include "cli/tally.h"
#include "core/base/mem.h"

static struct it_breakdown_field *add_field(struct it_breakdown *b, const char *name, size_t size)
{
    for (size_t i = 0; i < b->n; i++) {
        if (strlen(b->field[i].name) == size && memcmp(b->field[i].name, name, size) == 0) {
            return &b->field[i];
        }
    }
    b->field = it_realloc(b->field, (b->n + 1) * sizeof *b->field);
    b->field[b->n] = (struct it_breakdown_field){.name = it_strndup(name, size),
                                                 .index = json_object()};
    return &b->field[b->n++];
}

static enum it_status add_asked(struct it_breakdown *b, const char *text)
{
    size_t size = strcspn(text, ":");
    char *end = NULL;
    long prefix = text[size] ? strtol(text + size + 1, &end, 10) : 0;
    if (size == 0 || (text[size] && (prefix < 1 || *end || end == text + size + 1))) {
        return it_fail(IT_INVALID, "by: expected FIELD or FIELD:CHARACTERS, found \"%s\"", text);
    }
    struct it_breakdown_field *field = add_field(b, text, size);
    field->prefix = prefix;
    field->required = true;
    return IT_OK;
}

enum it_status it_breakdown_open(const struct it_task *task, const struct it_strs *by,
                                 bool keep_answers, struct it_breakdown *breakdown_out)
{
    struct it_breakdown b = {.keep_answers = keep_answers};
    enum it_status status = IT_OK;
    for (const char *at = task->breakdown ? task->breakdown : ""; *at;) {
        size_t size = strcspn(at, "|");
        if (size) { add_field(&b, at, size); }
        at += size + (at[size] == '|');
    }
    for (size_t i = 0; by && i < by->n && status == IT_OK; i++) {
        status = add_asked(&b, by->item[i]);
    }
    if (status != IT_OK) {
        it_breakdown_close(&b);
        return status;
    }
    *breakdown_out = b;
    return IT_OK;
}

/* A value as text, cut to the characters that count; NULL: the record has none. The caller
 * frees. */
static char *value_of(const struct it_breakdown_field *field, const json_t *record)
{
    const json_t *value = json_object_get(record, field->name);
    if (!value || json_is_null(value)) { return NULL; }
    if (!json_is_string(value)) {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_COMPACT);
        char *copy = it_strdup(text);
        free(text);
        return copy;
    }
    const char *text = json_string_value(value);
    size_t size = 0;
    for (int64_t left = field->prefix; text[size] && (field->prefix == 0 || left > 0); left--) {
        size++;
        while (((unsigned char)text[size] & 0xC0) == 0x80) { size++; } /* of one character */
    }
    return it_strndup(text, size);
}

void it_breakdown_add(struct it_breakdown *b, const json_t *record, struct it_tally_mark mark)
{
    for (size_t i = 0; i < b->n; i++) {
        struct it_breakdown_field *f = &b->field[i];
        char *value = value_of(f, record);
        const char *key = value ? value : "(none)";
        const json_t *known = json_object_get(f->index, key);
        size_t at = known ? (size_t)json_integer_value(known) : f->n;
        if (!known) {
            json_object_set_new(f->index, key, json_integer((json_int_t)f->n));
            f->tally = it_grow(f->tally, &f->cap, f->n + 1, sizeof *f->tally);
            f->tally[f->n++] = (struct it_tally){.keep_answers = b->keep_answers};
        }
        f->found += value != NULL;
        it_tally_add(&f->tally[at], json_object_get(record, "id"), mark);
        it_free(value);
    }
}

/* Numbers by size, then the rest by the alphabet. */
static int by_value(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    char *x_end, *y_end;
    double u = strtod(x, &x_end), v = strtod(y, &y_end);
    bool x_number = x_end != x && !*x_end, y_number = y_end != y && !*y_end;
    if (x_number && y_number && (u < v || u > v)) { return u < v ? -1 : 1; }
    if (x_number != y_number) { return x_number ? -1 : 1; }
    return strcmp(x, y);
}

static json_t *summary_of(const struct it_breakdown_field *f, const struct it_tally_setup *setup)
{
    const char **key = it_calloc(f->n, sizeof *key), *name;
    json_t *values = json_object(), *at;
    size_t n = 0;
    json_object_foreach(f->index, name, at) { key[n++] = name; }
    qsort(key, n, sizeof *key, by_value);
    for (size_t i = 0; i < n; i++) {
        size_t t = (size_t)json_integer_value(json_object_get(f->index, key[i]));
        json_t *score = it_tally_summary(&f->tally[t], setup);
        json_object_del(score, "task");
        json_object_del(score, "profile");
        json_object_set_new(values, key[i], score);
    }
    it_free(key);
    return values;
}

void it_breakdown_summary(const struct it_breakdown *b, const struct it_tally_setup *setup,
                          json_t *summary)
{
    json_t *by = json_object();
    for (size_t i = 0; i < b->n; i++) {
        const struct it_breakdown_field *f = &b->field[i];
        if (f->found) {
            json_object_set_new(by, f->name, summary_of(f, setup));
        } else if (f->required && f->n) {
            it_warn("by: no record has a field \"%s\"", f->name);
        }
    }
    if (json_object_size(by)) { json_object_set(summary, "by", by); }
    json_decref(by);
}

void it_breakdown_close(struct it_breakdown *b)
{
    for (size_t i = 0; i < b->n; i++) {
        struct it_breakdown_field *f = &b->field[i];
        for (size_t t = 0; t < f->n; t++) { it_tally_free(&f->tally[t]); }
        it_free(f->tally);
        json_decref(f->index);
        it_free(f->name);
    }
    it_free(b->field);
    *b = (struct it_breakdown){0};
}
