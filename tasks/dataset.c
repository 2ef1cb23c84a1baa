/* SPDX-License-Identifier: MIT */
/* Opening the records of a task's split, in whatever format they lie. */
#include "tasks/dataset.h"

#include <stdlib.h>

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/data/data.h"

enum it_status it_dataset_string(const json_t *fields, const char *where, const char *name,
                                 const char **value_out)
{
    IT_TRY(it_json_get_string(fields, where, name, value_out));
    if (*value_out == NULL) {
        return it_fail(IT_INVALID, "%s: field \"%s\": expected a string, found none", where, name);
    }
    return IT_OK;
}

const char *it_dataset_field(const json_t *record, const char *name)
{
    const char *text = json_string_value(json_object_get(record, name));
    return text != NULL ? text : "";
}

enum it_status it_dataset_text(const json_t *fields, const char *where, const char *name,
                               char **text_out)
{
    const json_t *value = json_object_get(fields, name);
    const char *text;
    if (json_is_number(value)) {
        /* 15 digits give back every decimal number that people write */
        char *number = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
        *text_out = it_strdup(number);
        free(number);
        return IT_OK;
    }
    IT_TRY(it_json_get_string(fields, where, name, &text));
    *text_out = it_strdup(text);
    return IT_OK;
}

enum it_status it_dataset_gold(const json_t *fields, const char *where, const char *name,
                               char **text_out)
{
    IT_TRY(it_dataset_text(fields, where, name, text_out));
    if (*text_out == NULL) {
        return it_fail(IT_INVALID, "%s: field \"%s\": expected a string or a number, found none",
                       where, name);
    }
    return IT_OK;
}

/* Where the split lies; the caller frees. NULL: nowhere. */
static char *place_of(const char *folder, const char *split, const char *data)
{
    char *under = it_path_join(data, folder);
    if (it_path_is_dir(under) && it_data_has(under, split)) { return under; }
    it_free(under);
    return it_data_has(data, split) ? it_strdup(data) : NULL;
}

bool it_dataset_has(const char *folder, const char *split, const char *data)
{
    char *path = data != NULL ? place_of(folder, split, data) : NULL;
    bool found = path != NULL;
    it_free(path);
    return found;
}

/* The file or folder that holds the split; the caller frees. */
static enum it_status find_data(const char *task, const char *folder, const char *split,
                                const char *data, char **path_out)
{
    if (data == NULL) {
        return it_fail(IT_NOT_FOUND,
                       "%s: no data given: set INTUITOR_DATA or --data to the folder that has "
                       "%s/%s.jsonl",
                       task, folder, split);
    }
    *path_out = place_of(folder, split, data);
    if (*path_out != NULL) { return IT_OK; }
    return it_fail(IT_NOT_FOUND, "%s: no split \"%s\" (.jsonl, .json, .csv, .tsv, .parquet) in "
                   "%s/%s nor in %s", task, split, data, folder, data);
}

static enum it_status add_record(const char *task, const char *where, json_t *record,
                                 it_dataset_fill *fill, struct it_problems *problems)
{
    problems->item =
        it_grow(problems->item, &problems->cap, problems->n + 1, sizeof *problems->item);
    struct it_problem *problem = &problems->item[problems->n];
    *problem = (struct it_problem){.record = record};
    problems->n++;
    IT_TRY(fill(record, where, problem));
    if (problem->id == NULL) {
        struct it_str id = {0};
        it_str_printf(&id, "%s/%zu", task, problems->n - 1);
        problem->id = it_str_take(&id);
    }
    return IT_OK;
}

enum it_status it_dataset_open(const char *task, const char *folder, const char *split,
                               const struct it_task_source *source, it_dataset_fill *fill,
                               struct it_problems *problems_out)
{
    char *path = NULL;
    struct it_data *data;
    struct it_problems problems = {0};
    const struct it_data_options options = {.split = split};
    IT_TRY(find_data(task, folder, split, source->data, &path));
    enum it_status status = it_data_open(path, &options, &data);
    if (status != IT_OK) {
        it_free(path);
        return status;
    }
    while (source->limit <= 0 || (int64_t)problems.n < source->limit) {
        json_t *record;
        status = it_data_next(data, &record);
        if (status != IT_OK) { break; }
        status = add_record(task, it_data_where(data), record, fill, &problems);
        if (status != IT_OK) { break; }
    }
    if (status == IT_END) { status = IT_OK; }
    if (status == IT_OK && problems.n == 0) {
        status = it_fail(IT_INVALID, "%s: no records", path);
    }
    it_data_close(data);
    it_free(path);
    if (status != IT_OK) {
        it_problems_free(&problems);
        return status;
    }
    *problems_out = problems;
    return IT_OK;
}
