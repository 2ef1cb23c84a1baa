/* SPDX-License-Identifier: MIT */
/* Records of JSON: one a line (JSONL), the elements of an array, or values one after the other as
 * pretty printers leave them. Arrays are read an element at a time, never whole. */
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/data/data.h"
#include "core/data/internal.h"

enum mode { LINES, ARRAY, SEQUENCE };

struct it_data_reader {
    struct it_source source;
    enum mode mode;
    int64_t row;
    bool ended;
    struct it_str text; /* of the value or line */
};

static bool is_blank(int c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Of a file that the name says is no JSONL. An object whose first line ends it is JSONL under
 * another name. */
static enum mode mode_of(const struct it_source *s, const char *path)
{
    size_t at = s->at, end;
    if (it_data_named(path, ".jsonl") || it_data_named(path, ".ndjson")) { return LINES; }
    while (at < s->n && is_blank(s->buffer[at])) { at++; }
    if (at < s->n && s->buffer[at] == '[') { return ARRAY; }
    const uint8_t *newline = at < s->n ? memchr(s->buffer + at, '\n', s->n - at) : NULL;
    if (!newline || s->buffer[at] != '{' || !it_data_named(path, ".json")) { return LINES; }
    for (end = (size_t)(newline - s->buffer); end > at && is_blank(s->buffer[end]);) { end--; }
    return s->buffer[end] == '}' ? LINES : SEQUENCE;
}

static void json_close(struct it_data_reader *r)
{
    it_source_close(&r->source);
    it_str_free(&r->text);
    it_free(r);
}

static enum it_status json_open(const char *path, const struct it_strs *columns,
                                struct it_data_reader **reader_out)
{
    (void)columns; /* a JSON text is parsed whole */
    struct it_source source;
    IT_TRY(it_source_open(path, &source));
    struct it_data_reader *r = it_calloc(1, sizeof *r);
    r->source = source;
    r->mode = mode_of(&source, path);
    *reader_out = r;
    return IT_OK;
}

static enum it_status parse(const struct it_data_reader *r, const char *where,
                            json_t **record_out)
{
    json_t *value;
    IT_TRY(it_json_parse(where, it_str_c(&r->text), r->text.len, &value));
    if (!json_is_object(value)) {
        json_decref(value);
        return it_fail(IT_INVALID, "%s: expected an object, found another JSON value", where);
    }
    *record_out = value;
    return IT_OK;
}

static enum it_status too_long(const char *where)
{
    return it_fail(IT_INVALID, "%s: the record is longer than %d bytes", where,
                   IT_DATA_RECORD_LIMIT);
}

static enum it_status next_line(struct it_data_reader *r, struct it_str *where,
                                json_t **record_out)
{
    enum it_status status;
    do {
        it_str_clear(where);
        it_str_printf(where, "%s:%lld", r->source.path, (long long)r->source.line);
        status = it_source_line(&r->source, &r->text);
        if (status == IT_INVALID && r->source.status == IT_OK) {
            return too_long(it_str_c(where));
        }
        IT_TRY(status);
    } while (strspn(it_str_c(&r->text), " \t\r") == r->text.len);
    return parse(r, it_str_c(where), record_out);
}

static int get_unblank(struct it_data_reader *r)
{
    int c;
    do { c = it_source_get(&r->source); } while (c >= 0 && is_blank(c));
    return c;
}

/* The bytes of one value that begins with `c`; whether they are JSON is the parser's business. */
static enum it_status scan_value(struct it_data_reader *r, const char *where, int c)
{
    bool in_string = false, escaped = false, fits = true;
    int64_t depth = 0;
    it_str_clear(&r->text);
    for (; c >= 0; c = it_source_get(&r->source)) {
        bool bracket = !in_string && (c == '{' || c == '[');
        bool closing = !in_string && (c == '}' || c == ']');
        if (!in_string && depth == 0 && (c == ',' || closing)) { /* after a bare word */
            it_source_unget(&r->source, c);
            break;
        }
        fits = fits && r->text.len < (size_t)IT_DATA_RECORD_LIMIT;
        if (fits) { it_str_putc(&r->text, (char)c); }
        depth += bracket ? 1 : closing ? -1 : 0;
        bool quote = c == '"' && !escaped;
        escaped = in_string && c == '\\' && !escaped;
        if (quote) { in_string = !in_string; }
        if (depth == 0 && (closing || (quote && !in_string) || (!in_string && is_blank(c)))) {
            break;
        }
    }
    IT_TRY(r->source.status);
    if (depth > 0 || in_string) {
        r->ended = true;
        return it_fail(IT_INVALID, "%s: the file ends inside this value", where);
    }
    return fits ? IT_OK : too_long(where);
}

static enum it_status broken(struct it_data_reader *r, const char *cause)
{
    r->ended = true;
    if (r->source.status != IT_OK) { return r->source.status; }
    return it_fail(IT_INVALID, "%s:%lld: %s", r->source.path, (long long)r->source.line, cause);
}

static enum it_status end_array(struct it_data_reader *r)
{
    r->ended = true;
    if (get_unblank(r) >= 0) { return broken(r, "something follows the end of the array"); }
    return r->source.status == IT_OK ? IT_END : r->source.status;
}

/* Up to the first byte of the next element, or IT_END behind the last. */
static enum it_status begin_element(struct it_data_reader *r, int *first_out)
{
    int c = get_unblank(r);
    if (r->row == 0) { /* mode_of has seen the bracket */
        c = get_unblank(r);
        if (c == ']') { return end_array(r); }
    } else if (c == ']') {
        return end_array(r);
    } else if (c != ',') {
        return broken(r, c < 0 ? "the file ends inside the array" : "expected a comma or the end "
                                                                    "of the array");
    } else {
        c = get_unblank(r);
    }
    if (c < 0) { return broken(r, "the file ends inside the array"); }
    if (c == ',' || c == ']' || c == '}') { return broken(r, "expected a value"); }
    *first_out = c;
    return IT_OK;
}

static enum it_status next_value(struct it_data_reader *r, struct it_str *where,
                                 json_t **record_out)
{
    int c = -1;
    if (r->mode == ARRAY) {
        IT_TRY(begin_element(r, &c));
    } else {
        c = get_unblank(r);
        if (c < 0) { return r->source.status == IT_OK ? IT_END : r->source.status; }
    }
    r->row++;
    it_str_clear(where);
    if (r->mode == ARRAY) {
        it_str_printf(where, "%s: row %lld", r->source.path, (long long)r->row);
    } else {
        it_str_printf(where, "%s:%lld", r->source.path, (long long)r->source.line);
    }
    if (r->mode == SEQUENCE && (c == ',' || c == ']' || c == '}')) {
        return broken(r, "expected an object");
    }
    enum it_status status = scan_value(r, it_str_c(where), c);
    if (r->source.status == IT_OK && status == IT_OK) {
        return parse(r, it_str_c(where), record_out);
    }
    return status;
}

static enum it_status json_next(struct it_data_reader *r, struct it_str *where,
                                json_t **record_out)
{
    if (r->ended) { return IT_END; }
    enum it_status status = r->mode == LINES ? next_line(r, where, record_out)
                                             : next_value(r, where, record_out);
    if (r->source.status != IT_OK) { r->ended = true; }
    return status;
}

const struct it_data_format it_data_json = {json_open, json_next, NULL, json_close};
