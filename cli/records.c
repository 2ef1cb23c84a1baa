/* SPDX-License-Identifier: MIT */
/* Reading records of which some may be bad, and writing those that were done. */
#include "cli/records.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"

enum it_status it_records_open(const char *path, struct it_records *records_out)
{
    struct it_records records = {0};
    IT_TRY(it_data_open(path, NULL, &records.data));
    records.path = it_strdup(strcmp(path, "-") == 0 ? "stdin" : path);
    *records_out = records;
    return IT_OK;
}

void it_records_close(struct it_records *records)
{
    it_data_close(records->data);
    it_free(records->path);
    it_str_free(&records->where);
}

/* The number at the end of "FILE:LINE" or "FILE: row N". */
static int64_t number_of(const char *where)
{
    size_t at = strlen(where);
    while (at > 0 && where[at - 1] >= '0' && where[at - 1] <= '9') { at--; }
    return strtoll(where + at, NULL, 10);
}

enum it_status it_records_next(struct it_records *records, json_t **object_out)
{
    for (;;) {
        enum it_status status = it_data_next(records->data, object_out);
        if (status == IT_END) { return status; }
        records->n++;
        if (status == IT_OK) { break; }
        IT_TRY(it_records_judge(records, status));
    }
    it_str_clear(&records->where);
    it_str_puts(&records->where, it_data_where(records->data));
    records->number = number_of(it_str_c(&records->where));
    return IT_OK;
}

enum it_status it_records_judge(struct it_records *records, enum it_status status)
{
    if (status != IT_INVALID) { return status; }
    records->bad++;
    return IT_OK;
}

enum it_status it_records_verdict(const struct it_records *records)
{
    if (records->bad == 0) { return IT_OK; }
    return it_fail(IT_FAILED, "%s: %lld of %lld records are bad and were left out",
                   records->path, (long long)records->bad, (long long)records->n);
}

static enum it_status wrong_type(const char *where, const char *name, const char *expected)
{
    return it_fail(IT_INVALID, "%s: field \"%s\": expected %s", where, name, expected);
}

enum it_status it_record_text(const json_t *record, const char *where, const char *name,
                              const json_t **text_out)
{
    const json_t *value = json_object_get(record, name);
    if (value && !json_is_null(value) && !json_is_string(value)) {
        return wrong_type(where, name, "a string");
    }
    *text_out = json_is_string(value) ? value : NULL;
    return IT_OK;
}

enum it_status it_record_ids(const json_t *record, const char *where, const char *name,
                             int64_t vocab, struct it_ids *ids_out)
{
    const json_t *list = json_object_get(record, name), *item;
    size_t i;
    if (!json_is_array(list)) { return wrong_type(where, name, "a list of token ids"); }
    json_array_foreach(list, i, item)
    {
        if (!json_is_integer(item)) { return wrong_type(where, name, "a list of token ids"); }
        json_int_t id = json_integer_value(item);
        if (id < 0 || id >= vocab) {
            return it_fail(IT_INVALID, "%s: field \"%s\": id %lld is outside the vocabulary of "
                           "%lld", where, name, (long long)id, (long long)vocab);
        }
        it_ids_add(ids_out, (int32_t)id);
    }
    return IT_OK;
}

enum it_status it_output_open(const char *path, struct it_output *output_out)
{
    struct it_output output = {.stream = stdout};
    if (path) {
        IT_TRY(it_file_begin(path, &output.file));
        output.stream = output.file.stream;
    }
    *output_out = output;
    return IT_OK;
}

enum it_status it_output_put(struct it_output *output, const json_t *record)
{
    IT_TRY(it_jsonl_put(output->stream, record));
    if (output->stream == stdout && fflush(stdout)) {
        return it_fail(IT_IO, "standard output: writing failed");
    }
    output->n++;
    return IT_OK;
}

enum it_status it_output_close(struct it_output *output, enum it_status status)
{
    if (!output->file.stream) { return status; }
    if (status != IT_OK && status != IT_FAILED && status != IT_INTERRUPTED) {
        it_file_abandon(&output->file);
        return status;
    }
    enum it_status written = it_file_commit(&output->file);
    return status == IT_OK ? written : status;
}
