/* SPDX-License-Identifier: MIT */
/* CSV and TSV with a header line: RFC 4180 quoting, so that values may hold separators, quotes and
 * line ends. Values stay strings: nothing guesses types. Empty lines are no rows. */
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/data/data.h"
#include "core/data/internal.h"

enum { MAX_COLUMNS = 1 << 16 };

struct it_data_reader {
    struct it_source source;
    int separator;
    struct it_strs names;
    bool *chosen;   /* [names.n] */
    int64_t row;    /* data rows read */
    bool ended;
    /* the row last read: its values one after the other in `text`, value i up to ends[i] */
    struct it_str text;
    size_t *ends, n, cap;
    int64_t line;   /* where it began */
    bool quoted;    /* its last value was: "" alone is a row, an empty line is none */
};

static enum it_status broken(struct it_data_reader *r, const char *cause)
{
    r->ended = true;
    if (r->source.status != IT_OK) { return r->source.status; }
    size_t column = r->n + 1;
    bool named = r->n < r->names.n;
    return it_fail(IT_INVALID, "%s: row %lld (line %lld), column %zu%s%s%s: %s", r->source.path,
                   (long long)r->row, (long long)r->line, column, named ? " \"" : "",
                   named ? r->names.item[r->n] : "", named ? "\"" : "", cause);
}

static enum it_status add_byte(struct it_data_reader *r, int c)
{
    if (r->text.len >= (size_t)IT_DATA_RECORD_LIMIT) {
        return broken(r, "the row is longer than 256 MiB; is a quote not closed?");
    }
    it_str_putc(&r->text, (char)c);
    return IT_OK;
}

/* Behind the opening quote, up to what follows the closing one. */
static enum it_status read_quoted(struct it_data_reader *r, int *next_out)
{
    struct it_source *s = &r->source;
    for (;;) {
        int c = it_source_get(s);
        if (c == '"') {
            c = it_source_get(s);
            if (c != '"') {
                *next_out = c;
                return IT_OK;
            }
        }
        if (c < 0) { return broken(r, "the quote that opens this value is never closed"); }
        IT_TRY(add_byte(r, c));
    }
}

/* One value; what ended it: the separator, '\n' or -1. A quote inside a value that does not begin
 * with one stands for itself, as other readers have it. */
static enum it_status read_value(struct it_data_reader *r, int *end_out)
{
    struct it_source *s = &r->source;
    int c = it_source_get(s);
    r->quoted = c == '"';
    if (r->quoted) {
        IT_TRY(read_quoted(r, &c));
        if (c == '\r') { c = it_source_get(s); }
        if (c != r->separator && c != '\n' && c >= 0) {
            return broken(r, "text behind the closing quote; a quote inside a value is written "
                             "twice");
        }
    } else {
        while (c >= 0 && c != r->separator && c != '\n') {
            IT_TRY(add_byte(r, c));
            c = it_source_get(s);
        }
        size_t begin = r->n ? r->ends[r->n - 1] : 0;
        if (c != r->separator && r->text.len > begin && r->text.data[r->text.len - 1] == '\r') {
            r->text.len--;
        }
    }
    if (s->status != IT_OK) { return broken(r, NULL); }
    *end_out = c;
    return IT_OK;
}

/* IT_END when no row is left. */
static enum it_status read_row(struct it_data_reader *r)
{
    for (;;) {
        int c = it_source_get(&r->source);
        if (c < 0) { return r->source.status == IT_OK ? IT_END : broken(r, NULL); }
        it_source_unget(&r->source, c);
        r->line = r->source.line;
        r->n = 0;
        it_str_clear(&r->text);
        do {
            IT_TRY(read_value(r, &c));
            if (r->n == MAX_COLUMNS) { return broken(r, "a row has 65536 columns at most"); }
            r->ends = it_grow(r->ends, &r->cap, r->n + 1, sizeof *r->ends);
            r->ends[r->n++] = r->text.len;
        } while (c == r->separator);
        if (r->n > 1 || r->text.len || r->quoted) { return IT_OK; }
    }
}

static const char *value_at(const struct it_data_reader *r, size_t i, size_t *n_out)
{
    size_t begin = i ? r->ends[i - 1] : 0;
    *n_out = r->ends[i] - begin;
    return it_str_c(&r->text) + begin;
}

static enum it_status check_header(const struct it_data_reader *r)
{
    json_t *seen = json_object();
    enum it_status status = IT_OK;
    for (size_t i = 0; i < r->names.n && status == IT_OK; i++) {
        const json_t *before = json_object_get(seen, r->names.item[i]);
        if (before) {
            status = it_fail(IT_INVALID, "%s:%lld: columns %lld and %zu have the same name \"%s\"; "
                             "rename one", r->source.path, (long long)r->line,
                             (long long)json_integer_value(before), i + 1, r->names.item[i]);
        }
        json_object_set_new_nocheck(seen, r->names.item[i], json_integer((json_int_t)i + 1));
    }
    json_decref(seen);
    return status;
}

static enum it_status read_header(struct it_data_reader *r)
{
    enum it_status status = read_row(r);
    if (status == IT_END) {
        return it_fail(IT_INVALID, "%s: empty, expected a header line that names the columns",
                       r->source.path);
    }
    IT_TRY(status);
    for (size_t i = 0; i < r->n; i++) {
        size_t n;
        const char *name = value_at(r, i, &n);
        if (it_utf8_valid_prefix(name, n) != n || memchr(name, '\0', n)) {
            return it_fail(IT_INVALID, "%s:%lld: the name of column %zu is not UTF-8 text; convert "
                           "the file, as with iconv", r->source.path, (long long)r->line, i + 1);
        }
        char *copy = it_strndup(name, n);
        it_strs_add(&r->names, copy);
        it_free(copy);
    }
    return check_header(r);
}

static void csv_close(struct it_data_reader *r)
{
    it_source_close(&r->source);
    it_strs_free(&r->names);
    it_free(r->chosen);
    it_str_free(&r->text);
    it_free(r->ends);
    it_free(r);
}

static enum it_status csv_open(const char *path, const struct it_strs *columns,
                               struct it_data_reader **reader_out)
{
    struct it_source source;
    IT_TRY(it_source_open(path, &source));
    struct it_data_reader *r = it_calloc(1, sizeof *r);
    r->source = source;
    r->separator = it_data_named(path, ".tsv") ? '\t' : ',';
    enum it_status status = read_header(r);
    if (status != IT_OK) {
        csv_close(r);
        return status;
    }
    r->chosen = it_calloc(r->names.n, sizeof *r->chosen);
    for (size_t i = 0; i < r->names.n; i++) {
        r->chosen[i] = columns == NULL;
        for (size_t k = 0; columns && k < columns->n; k++) {
            if (strcmp(columns->item[k], r->names.item[i]) == 0) { r->chosen[i] = true; }
        }
    }
    *reader_out = r;
    return IT_OK;
}

static enum it_status make_record(struct it_data_reader *r, json_t **record_out)
{
    json_t *record = json_object();
    for (size_t i = 0; i < r->names.n; i++) {
        size_t n;
        const char *bytes = value_at(r, i, &n);
        if (!r->chosen[i]) { continue; }
        json_t *value = json_stringn(bytes, n);
        if (!value) {
            json_decref(record);
            return it_fail(IT_INVALID, "%s: row %lld (line %lld), column \"%s\": not UTF-8 text; "
                           "convert the file, as with iconv", r->source.path, (long long)r->row,
                           (long long)r->line, r->names.item[i]);
        }
        json_object_set_new_nocheck(record, r->names.item[i], value);
    }
    *record_out = record;
    return IT_OK;
}

static enum it_status csv_next(struct it_data_reader *r, struct it_str *where,
                               json_t **record_out)
{
    if (r->ended) { return IT_END; }
    r->row++; /* read_row names it in errors */
    enum it_status status = read_row(r);
    if (status == IT_END) {
        r->ended = true;
        return IT_END;
    }
    it_str_clear(where);
    it_str_printf(where, "%s: row %lld", r->source.path, (long long)r->row);
    IT_TRY(status);
    if (r->n != r->names.n) {
        bool less = r->n < r->names.n;
        return it_fail(IT_INVALID, "%s: row %lld (line %lld), column %zu: the row has %zu columns, "
                       "the header %zu%s%s%s", r->source.path, (long long)r->row,
                       (long long)r->line, (less ? r->n : r->names.n) + 1, r->n, r->names.n,
                       less ? "; no value for \"" : "", less ? r->names.item[r->n] : "",
                       less ? "\"" : "");
    }
    return make_record(r, record_out);
}

static void csv_columns(const struct it_data_reader *r, struct it_strs *names)
{
    for (size_t i = 0; i < r->names.n; i++) { it_strs_add(names, r->names.item[i]); }
}

const struct it_data_format it_data_csv = {csv_open, csv_next, csv_columns, csv_close};
