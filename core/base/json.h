/* SPDX-License-Identifier: MIT */
/* JSON through jansson, with errors that name file, line and field. */
#ifndef IT_BASE_JSON_H
#define IT_BASE_JSON_H

#include <jansson.h>

#include "core/base/file.h"
#include "core/base/status.h"
#include "core/base/str.h"

/* Parse a document (depth limited by jansson; duplicate keys refused). Failures are logged as
 * "PATH:LINE: cause" and are IT_INVALID (IT_NOT_FOUND when the file is missing). */
enum it_status it_json_read(const char *path, json_t **value_out);
enum it_status it_json_parse(const char *what, const char *text, size_t bytes, json_t **value_out);

/* The next record of a JSONL file that is an object. Blank lines are skipped. IT_END at the end. A
 * broken line is logged as FILE:LINE and returned as IT_INVALID; calling again goes on after it. */
enum it_status it_jsonl_next(struct it_lines *lines, json_t **object_out);

/* Write pretty (indented, keys in the order given) through it_file_write. */
enum it_status it_json_write(const char *path, const json_t *value);
/* Append one compact line to a stream; UTF-8 as it is; doubles with 17 digits, so that they read
 * back to the same bits. Non-finite numbers must not be put into JSON: use it_json_real. */
enum it_status it_jsonl_put(FILE *stream, const json_t *value);
json_t *it_json_real(double value); /* null for NaN and infinities */
/* json_stringn, with malformed UTF-8 replaced as it_utf8_add_lossy does: never NULL. */
json_t *it_json_text(const char *bytes, size_t count);

/* Typed fields of an object. Missing gives the default; a wrong type logs
 * "WHERE: field "name": expected TYPE, found TYPE" and is IT_INVALID. */
enum it_status it_json_get_int(const json_t *object, const char *where, const char *name,
                               int64_t missing, int64_t *value_out);
enum it_status it_json_get_real(const json_t *object, const char *where, const char *name,
                                double missing, double *value_out); /* integers are reals too */
enum it_status it_json_get_bool(const json_t *object, const char *where, const char *name,
                                bool missing, bool *value_out);
/* Borrowed from the object; NULL when missing or null. */
enum it_status it_json_get_string(const json_t *object, const char *where, const char *name,
                                  const char **value_out);

#endif
