/* SPDX-License-Identifier: MIT */
/* Opening the JSONL file of a task's split. */
#include "tasks/dataset.h"

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"

enum it_status it_dataset_string(const json_t *fields, const char *where, const char *name,
                                 const char **value_out)
{
    IT_TRY(it_json_get_string(fields, where, name, value_out));
    if (*value_out == NULL) {
        return it_fail(IT_INVALID, "%s: field \"%s\": expected a string, found none", where, name);
    }
    return IT_OK;
}

/* The file that holds the split; the caller frees. */
static enum it_status find_file(const char *task, const char *folder, const char *split,
                                const char *data, char **path_out)
{
    if (data == NULL) {
        return it_fail(IT_NOT_FOUND,
                       "%s: no data given: set INTUITOR_DATA or --data to the folder that has "
                       "%s/%s.jsonl",
                       task, folder, split);
    }
    if (it_path_exists(data) && !it_path_is_dir(data)) {
        *path_out = it_strdup(data);
        return IT_OK;
    }
    struct it_str name = {0};
    it_str_printf(&name, "%s.jsonl", split);
    char *inner = it_path_join(data, folder);
    char *under = it_path_join(inner, it_str_c(&name));
    char *beside = it_path_join(data, it_str_c(&name));
    char **chosen = it_path_exists(under) ? &under : it_path_exists(beside) ? &beside : NULL;
    enum it_status status = IT_OK;
    if (chosen != NULL) {
        *path_out = *chosen;
        *chosen = NULL;
    } else {
        status = it_fail(IT_NOT_FOUND, "%s: neither %s nor %s is there", task, under, beside);
    }
    it_str_free(&name);
    it_free(inner);
    it_free(under);
    it_free(beside);
    return status;
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
    struct it_lines lines;
    struct it_problems problems = {0};
    struct it_str where = {0};
    IT_TRY(find_file(task, folder, split, source->data, &path));
    enum it_status status = it_lines_open(path, 0, &lines);
    if (status != IT_OK) {
        it_free(path);
        return status;
    }
    while (source->limit <= 0 || (int64_t)problems.n < source->limit) {
        json_t *record;
        status = it_jsonl_next(&lines, &record);
        if (status != IT_OK) { break; }
        it_str_clear(&where);
        it_str_printf(&where, "%s:%lld", path, (long long)lines.number);
        status = add_record(task, it_str_c(&where), record, fill, &problems);
        if (status != IT_OK) { break; }
    }
    if (status == IT_END) { status = IT_OK; }
    if (status == IT_OK && problems.n == 0) {
        status = it_fail(IT_INVALID, "%s: no records", path);
    }
    it_lines_close(&lines);
    it_str_free(&where);
    it_free(path);
    if (status != IT_OK) {
        it_problems_free(&problems);
        return status;
    }
    *problems_out = problems;
    return IT_OK;
}
