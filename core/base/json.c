/* SPDX-License-Identifier: MIT */
/* JSON documents and JSONL records: reading, writing, typed fields. */
#include "core/base/json.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/internal.h"

/* Text may hold U+0000 (a model may write it); only a field read as a C string may not. */
static const size_t decoding = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL;

static json_t *load(const char *text, size_t bytes, json_error_t *error)
{
    if (bytes >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) { /* a byte order mark */
        text += 3;
        bytes -= 3;
    }
    return json_loadb(text, bytes, decoding, error);
}

/* A document is read whole; what never ends (/dev/zero) must. */
static const size_t most_bytes = (size_t)1 << 30;

enum it_status it_json_read(const char *path, json_t **value_out)
{
    struct it_str text = {0};
    json_error_t error;
    IT_TRY(it_file_read_limit(path, most_bytes, &text));
    json_t *value = load(it_str_c(&text), text.len, &error);
    it_str_free(&text);
    if (!value) {
        return it_fail(IT_INVALID, "%s:%d: not valid JSON: %s", path,
                       error.line > 0 ? error.line : 1, error.text);
    }
    *value_out = value;
    return IT_OK;
}

/* A text of one line has no line worth naming: `what` is then often FILE:LINE already. */
enum it_status it_json_parse(const char *what, const char *text, size_t bytes, json_t **value_out)
{
    json_error_t error;
    json_t *value = load(text, bytes, &error);
    if (!value && bytes && memchr(text, '\n', bytes) && error.line > 0) {
        return it_fail(IT_INVALID, "%s:%d: not valid JSON: %s", what, error.line, error.text);
    }
    if (!value) { return it_fail(IT_INVALID, "%s: not valid JSON: %s", what, error.text); }
    *value_out = value;
    return IT_OK;
}

static bool is_blank(const struct it_str *line)
{
    return line->len == 0 || strspn(line->data, " \t\r") == line->len;
}

static const char *type_name(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "an array";
    case JSON_STRING: return "a string";
    case JSON_INTEGER: return "an integer";
    case JSON_REAL: return "a number";
    case JSON_TRUE: return "true";
    case JSON_FALSE: return "false";
    case JSON_NULL: return "null";
    }
    return "nothing";
}

enum it_status it_jsonl_next(struct it_lines *lines, json_t **object_out)
{
    do { IT_TRY(it_lines_next(lines)); } while (is_blank(&lines->line));
    json_error_t error;
    json_t *value = load(lines->line.data, lines->line.len, &error);
    if (json_is_object(value)) {
        *object_out = value;
        return IT_OK;
    }
    if (value) {
        it_fail(IT_INVALID, "%s:%" PRId64 ": expected an object, found %s", lines->path,
                lines->number, type_name(value));
        json_decref(value);
        return IT_INVALID;
    }
    return it_fail(IT_INVALID, "%s:%" PRId64 ": not valid JSON: %s", lines->path, lines->number,
                   error.text);
}

/* The fewest significant digits that read back to the same bits. */
static int digits_of_real(double value)
{
    char text[32];
    int digits = 1;
    for (; digits < 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) { break; }
    }
    return digits;
}

/* The most that any number in the document needs, so that people read 1e-06 and not
 * 9.9999999999999995e-07. */
static int digits_needed(const json_t *value)
{
    int most = 1;
    if (json_is_real(value)) { return digits_of_real(json_real_value(value)); }
    if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++) {
            int digits = digits_needed(json_array_get(value, i));
            most = digits > most ? digits : most;
        }
    } else if (json_is_object(value)) {
        /* iterating changes nothing: jansson only lacks the const */
        json_t *object = (json_t *)(uintptr_t)value;
        for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
            int digits = digits_needed(json_object_iter_value(at));
            most = digits > most ? digits : most;
        }
    }
    return most;
}

enum it_status it_json_write(const char *path, const json_t *value)
{
    size_t digits = (size_t)digits_needed(value);
    size_t flags = JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits);
    char *text = json_dumps(value, flags);
    if (!text) { return it_fail(IT_INVALID, "%s: a value cannot be written as JSON", path); }
    size_t length = strlen(text);
    text[length] = '\n'; /* where the NUL was: the length says where it ends */
    enum it_status status = it_file_write(path, text, length + 1);
    free(text);
    return status;
}

/* One fwrite, so that a line is torn only where the disk is full. */
enum it_status it_jsonl_put(FILE *stream, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    if (!text) { return it_fail(IT_INVALID, "a record cannot be written as JSON"); }
    size_t length = strlen(text);
    text[length] = '\n';
    size_t written = fwrite(text, 1, length + 1, stream);
    int error = errno;
    free(text);
    return written == length + 1 ? IT_OK : it_fail_errno(error, "a JSONL file", "write");
}

json_t *it_json_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *it_json_text(const char *bytes, size_t count)
{
    if (count == 0) { return json_string(""); } /* `bytes` may be NULL then */
    if (it_utf8_valid_prefix(bytes, count) == count) { return json_stringn(bytes, count); }
    struct it_str text = {0};
    it_utf8_add_lossy(&text, bytes, count);
    json_t *value = json_stringn(text.data, text.len);
    it_str_free(&text);
    return value;
}

/* The field, or NULL when it is missing or null (Hugging Face writes null for "not set"). */
static const json_t *field(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return value && !json_is_null(value) ? value : NULL;
}

static enum it_status wrong_type(const char *where, const char *name, const char *expected,
                                 const json_t *value)
{
    return it_fail(IT_INVALID, "%s: field \"%s\": expected %s, found %s", where, name, expected,
                   type_name(value));
}

enum it_status it_json_get_int(const json_t *object, const char *where, const char *name,
                               int64_t missing, int64_t *value_out)
{
    const json_t *value = field(object, name);
    if (value && !json_is_integer(value)) { return wrong_type(where, name, "an integer", value); }
    *value_out = value ? json_integer_value(value) : missing;
    return IT_OK;
}

enum it_status it_json_get_real(const json_t *object, const char *where, const char *name,
                                double missing, double *value_out)
{
    const json_t *value = field(object, name);
    if (value && !json_is_number(value)) { return wrong_type(where, name, "a number", value); }
    *value_out = value ? json_number_value(value) : missing;
    return IT_OK;
}

enum it_status it_json_get_bool(const json_t *object, const char *where, const char *name,
                                bool missing, bool *value_out)
{
    const json_t *value = field(object, name);
    if (value && !json_is_boolean(value)) {
        return wrong_type(where, name, "true or false", value);
    }
    *value_out = value ? json_is_true(value) : missing;
    return IT_OK;
}

enum it_status it_json_get_string(const json_t *object, const char *where, const char *name,
                                  const char **value_out)
{
    const json_t *value = field(object, name);
    if (value && !json_is_string(value)) { return wrong_type(where, name, "a string", value); }
    if (value && strlen(json_string_value(value)) != json_string_length(value)) {
        return it_fail(IT_INVALID, "%s: field \"%s\": a NUL character is not allowed here", where,
                       name);
    }
    *value_out = value ? json_string_value(value) : NULL;
    return IT_OK;
}
