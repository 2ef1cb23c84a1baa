/* SPDX-License-Identifier: MIT */
/* Records of an evaluation on disk, and going on from them. */
#include "cli/results.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "tasks/task.h"

/* ---- settings ---- */

static char *shown(const json_t *value)
{
    return value ? json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6)) : NULL;
}

static enum it_status compare(const char *folder, const json_t *before, const json_t *settings)
{
    /* iterating changes nothing: jansson only lacks the const */
    json_t *object = (json_t *)(uintptr_t)settings;
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        const json_t *now = json_object_iter_value(at);
        const json_t *then = json_object_get(before, json_object_iter_key(at));
        if (json_equal(now, then)) { continue; }
        char *a = shown(then), *b = shown(now);
        it_fail(IT_INVALID, "%s: holds an evaluation with %s %s, now it is %s: name another "
                "folder, or give --overwrite", folder, json_object_iter_key(at), a ? a : "unset",
                b ? b : "unset");
        free(a);
        free(b);
        return IT_INVALID;
    }
    return IT_OK;
}

/* The files that an evaluation makes, and nothing else. */
static bool is_ours(const char *name)
{
    char *task = it_strndup(name, strcspn(name, "."));
    bool ours = strcmp(name, "settings.json") == 0 || strcmp(name, "results.json") == 0 ||
                (it_ends_with(name, ".jsonl") && it_task_find(task));
    it_free(task);
    return ours;
}

static enum it_status clear(const char *folder)
{
    struct it_strs names = {0};
    IT_TRY(it_dir_list(folder, &names));
    enum it_status status = IT_OK;
    for (size_t i = 0; i < names.n && status == IT_OK; i++) {
        char *path = it_path_join(folder, names.item[i]);
        if (is_ours(names.item[i]) && unlink(path) != 0) {
            status = it_fail(IT_IO, "%s: cannot delete: %s", path, strerror(errno));
        }
        it_free(path);
    }
    it_strs_free(&names);
    return status;
}

enum it_status it_results_open(const char *folder, const json_t *settings, bool overwrite)
{
    char *path = it_path_join(folder, "settings.json");
    json_t *before = NULL;
    enum it_status status = it_dir_make(folder);
    bool there = status == IT_OK && it_path_exists(path);
    if (there && overwrite) {
        status = clear(folder);
    } else if (there) {
        status = it_json_read(path, &before);
        if (status == IT_OK) { status = compare(folder, before, settings); }
    } else if (status == IT_OK && !it_dir_is_empty(folder)) {
        status = it_fail(IT_INVALID, "%s: not empty, and not of an evaluation; name a new folder",
                         folder);
    }
    if (status == IT_OK && !before) { status = it_json_write(path, settings); }
    json_decref(before);
    it_free(path);
    return status;
}

/* ---- the journal ---- */

/* Lines that are not whole records are left out: a kill may have torn the last. */
static enum it_status keep(struct it_journal *j, int64_t (*place)(void *, const json_t *),
                           void *context)
{
    struct it_lines lines;
    IT_TRY(it_lines_open(j->path, 0, &lines));
    enum it_status status;
    while ((status = it_lines_next(&lines)) == IT_OK) {
        json_t *record = json_loadb(it_str_c(&lines.line), lines.line.len, JSON_ALLOW_NUL, NULL);
        int64_t at = record ? place(context, record) : -1;
        if (at < 0) {
            json_decref(record);
            continue;
        }
        j->n_kept += j->record[at] == NULL;
        json_decref(j->record[at]); /* what came later is what was said last */
        j->record[at] = record;
    }
    it_lines_close(&lines);
    return status == IT_END ? IT_OK : status;
}

/* Every record there is, in order, as a whole file. */
static enum it_status rewrite(const struct it_journal *j)
{
    struct it_file file;
    IT_TRY(it_file_begin(j->path, &file));
    for (int64_t i = 0; i < j->n; i++) {
        enum it_status status = j->record[i] ? it_jsonl_put(file.stream, j->record[i]) : IT_OK;
        if (status != IT_OK) {
            it_file_abandon(&file);
            return status;
        }
    }
    return it_file_commit(&file);
}

static enum it_status open_file(struct it_journal *j, int64_t (*place)(void *, const json_t *),
                                void *context)
{
    if (it_path_exists(j->path)) { IT_TRY(keep(j, place, context)); }
    IT_TRY(rewrite(j));
    j->stream = fopen(j->path, "ae");
    return j->stream ? IT_OK : it_fail(IT_IO, "%s: cannot append: %s", j->path, strerror(errno));
}

enum it_status it_journal_open(const char *folder, const char *task, int64_t n,
                               int64_t (*place)(void *, const json_t *), void *context,
                               struct it_journal *journal_out)
{
    struct it_journal j = {.n = n, .record = it_calloc((size_t)n, sizeof *j.record)};
    struct it_str name = {0};
    enum it_status status = IT_OK;
    if (folder) {
        it_str_printf(&name, "%s.jsonl", task);
        j.path = it_path_join(folder, it_str_c(&name));
        it_str_free(&name);
        status = open_file(&j, place, context);
    }
    if (status != IT_OK) {
        it_journal_close(&j);
        return status;
    }
    *journal_out = j;
    return IT_OK;
}

enum it_status it_journal_again(struct it_journal *j, int64_t place)
{
    if (!j->stream) { return IT_OK; }
    IT_TRY(it_jsonl_put(j->stream, j->record[place]));
    return fflush(j->stream) ? it_fail(IT_IO, "%s: writing failed: %s", j->path, strerror(errno))
                             : IT_OK;
}

enum it_status it_journal_put(struct it_journal *j, int64_t place, json_t *record)
{
    if (j->record[place]) { /* computed again beside a sample that was missing */
        json_decref(record);
        return IT_OK;
    }
    j->record[place] = record;
    return it_journal_again(j, place);
}

enum it_status it_journal_finish(struct it_journal *j)
{
    return j->path ? rewrite(j) : IT_OK;
}

void it_journal_close(struct it_journal *j)
{
    if (j->stream) { fclose(j->stream); }
    for (int64_t i = 0; i < j->n; i++) { json_decref(j->record[i]); }
    it_free(j->record);
    it_free(j->path);
    *j = (struct it_journal){0};
}

/* ---- scores ---- */

static enum it_status merge(const char *path, json_t *document)
{
    json_t *before;
    IT_TRY(it_json_read(path, &before));
    json_t *results = json_object_get(document, "results");
    json_object_update_missing(results, json_object_get(before, "results"));
    json_decref(before);
    return IT_OK;
}

enum it_status it_results_write(const char *folder, json_t *document)
{
    char *path = it_path_join(folder, "results.json");
    enum it_status status = it_path_exists(path) ? merge(path, document) : IT_OK;
    if (status == IT_OK) { status = it_json_write(path, document); }
    it_free(path);
    return status;
}
