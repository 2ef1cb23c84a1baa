/* SPDX-License-Identifier: MIT */
/* The run directory's records: recipe, ledger, metrics, evaluations, completions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/rl/events.h"
#include "core/rl/run.h"

/* Keys that may differ between a run and its continuation: they change no number of
 * metrics.jsonl. */
static const char *const free_keys[] = {
    "output_dir",         "logging_steps", "save_steps",   "save_total_limit", "save_strategy",
    "completions_logged", "threads",       "strict",       "reference",
};

static bool is_free(const char *key)
{
    for (size_t i = 0; i < sizeof free_keys / sizeof *free_keys; i++) {
        if (strcmp(free_keys[i], key) == 0) { return true; }
    }
    return false;
}

static char *in_run(const struct it_run *run, const char *name)
{
    return it_path_join(run->folder, name);
}

static enum it_status same_recipe(const struct it_run *run, const struct it_recipe *recipe)
{
    char *path = in_run(run, "recipe.yaml");
    struct it_recipe before;
    enum it_status status = it_recipe_load(path, NULL, 0, &before, NULL);
    if (status == IT_OK) {
        json_t *a = it_options_dump(&it_recipe_table, &before);
        json_t *b = it_options_dump(&it_recipe_table, recipe), *value;
        const char *key;
        json_object_foreach(b, key, value)
        {
            json_t *old = json_object_get(a, key);
            if (is_free(key) || (old && json_equal(old, value)) || status != IT_OK) { continue; }
            char *was = old ? json_dumps(old, JSON_ENCODE_ANY) : NULL;
            char *now = json_dumps(value, JSON_ENCODE_ANY);
            status = it_fail(IT_INVALID,
                             "%s: the run began with %s %s and would go on with %s; "
                             "give it back its value, or start a run of its own",
                             path, key, was ? was : "unset", now ? now : "unset");
            free(was);
            free(now);
        }
        json_decref(a);
        json_decref(b);
        it_recipe_free(&before);
    }
    it_free(path);
    return status;
}

/* recipe.yaml is written last: a folder that has one is a run, and has the rest. */
static enum it_status begin(struct it_run *run, const struct it_recipe *recipe, json_t *ledger)
{
    char *yaml = in_run(run, "recipe.yaml"), *json = in_run(run, "run.json");
    enum it_status status = ledger ? it_json_write(json, ledger) : IT_OK;
    if (status == IT_OK) { status = it_recipe_write(recipe, yaml); }
    it_free(yaml);
    it_free(json);
    return status;
}

/* Nothing but what `begin` leaves when it is killed. */
static bool hardly_begun(const struct it_run *run)
{
    struct it_strs names = {0};
    bool only = it_dir_list(run->folder, &names) == IT_OK;
    for (size_t i = 0; i < names.n; i++) {
        const char *name = names.item[i];
        only = only && (*name == '.' || strcmp(name, "completions") == 0 ||
                        strcmp(name, "run.json") == 0);
    }
    it_strs_free(&names);
    return only;
}

/* Temporary checkpoints of a killed run. */
static enum it_status remove_stale(struct it_run *run)
{
    struct it_strs names = {0};
    enum it_status status = it_dir_list(run->folder, &names);
    for (size_t i = 0; i < names.n && status == IT_OK; i++) {
        if (!it_starts_with(names.item[i], "checkpoint-") || !it_ends_with(names.item[i], ".tmp")) {
            continue;
        }
        char *path = in_run(run, names.item[i]);
        status = it_dir_remove(path);
        it_free(path);
    }
    it_strs_free(&names);
    return status;
}

static enum it_status prepare(struct it_run *run, const struct it_recipe *recipe, json_t *ledger,
                              bool resume, bool overwrite)
{
    char *yaml = in_run(run, "recipe.yaml");
    bool exists = it_path_exists(yaml), empty = it_dir_is_empty(run->folder);
    it_free(yaml);
    if (!empty && !resume && !overwrite) {
        return it_fail(IT_INVALID,
                       "output_dir %s is not empty: --resume goes on from its newest "
                       "checkpoint, --overwrite deletes it, or choose another output_dir",
                       run->folder);
    }
    if (!empty && !exists && !hardly_begun(run)) {
        return it_fail(IT_INVALID,
                       "output_dir %s holds files but no recipe.yaml, so it is not a run "
                       "and is left as it is: choose another output_dir",
                       run->folder);
    }
    if (!empty && overwrite && !resume) {
        IT_TRY(it_dir_remove(run->folder));
        exists = false;
    }
    char *completions = in_run(run, "completions");
    enum it_status status = it_dir_make(completions);
    it_free(completions);
    IT_TRY(status);
    if (exists && resume) {
        IT_TRY(same_recipe(run, recipe));
        return remove_stale(run);
    }
    return begin(run, recipe, ledger);
}

enum it_status it_run_open(const struct it_recipe *recipe, json_t *ledger, bool resume,
                           bool overwrite, struct it_run **run_out)
{
    struct it_run *run = it_calloc(1, sizeof *run);
    run->folder = it_strdup(recipe->output_dir);
    run->saved = -1;
    run->save_total_limit = recipe->save_total_limit;
    enum it_status status = prepare(run, recipe, ledger, resume, overwrite);
    if (status == IT_OK) { status = it_events_open(run->folder, &run->events); }
    if (status != IT_OK) {
        it_run_close(run);
        return status;
    }
    *run_out = run;
    return IT_OK;
}

enum it_status it_run_open_dry(const char *folder, struct it_run **run_out)
{
    if (!it_path_is_dir(folder)) {
        return it_fail(IT_NOT_FOUND, "%s: no such run directory", folder);
    }
    struct it_run *run = it_calloc(1, sizeof *run);
    run->folder = it_strdup(folder);
    run->dry = true;
    *run_out = run;
    return IT_OK;
}

void it_run_close(struct it_run *run)
{
    if (!run) { return; }
    it_events_close(run->events);
    it_free(run->folder);
    it_free(run);
}

/* ---- records ---- */

static enum it_status append(struct it_run *run, const char *name, const json_t *record)
{
    char *path = in_run(run, name);
    FILE *stream = fopen(path, "a");
    enum it_status status = IT_OK;
    if (!stream) {
        status = it_fail(IT_IO, "%s: cannot append", path);
    } else {
        status = it_jsonl_put(stream, record);
        if (fflush(stream) || fsync(fileno(stream))) {
            status = it_fail(IT_IO, "%s: writing failed; is the disk full?", path);
        }
        if (fclose(stream) && status == IT_OK) {
            status = it_fail(IT_IO, "%s: writing failed; is the disk full?", path);
        }
    }
    it_free(path);
    return status;
}

enum it_status it_run_metrics(struct it_run *run, int64_t step, const json_t *record)
{
    if (run->dry) { return IT_OK; }
    IT_TRY(append(run, "metrics.jsonl", record));
    return it_events_put(run->events, step, "", record);
}

enum it_status it_run_eval(struct it_run *run, int64_t step, const json_t *record)
{
    if (run->dry) { return IT_OK; }
    IT_TRY(append(run, "eval.jsonl", record));
    return it_events_put(run->events, step, "eval/", record);
}

enum it_status it_run_completions(struct it_run *run, int64_t step, const json_t *records)
{
    if (run->dry) { return IT_OK; }
    char name[64];
    snprintf(name, sizeof name, "completions/completions_%05lld.jsonl", (long long)step);
    char *path = in_run(run, name);
    struct it_file file;
    enum it_status status = it_file_begin(path, &file);
    if (status == IT_OK) {
        size_t i;
        json_t *record;
        json_array_foreach(records, i, record)
        {
            if (status == IT_OK) { status = it_jsonl_put(file.stream, record); }
        }
        if (status == IT_OK) {
            status = it_file_commit(&file);
        } else {
            it_file_abandon(&file);
        }
    }
    it_free(path);
    return status;
}

bool it_run_evaluated(const struct it_run *run, int64_t step)
{
    char *path = in_run(run, "eval.jsonl");
    struct it_lines lines;
    bool found = false;
    if (it_path_exists(path) && it_lines_open(path, 0, &lines) == IT_OK) {
        json_t *record;
        while (!found && it_jsonl_next(&lines, &record) == IT_OK) {
            found = json_integer_value(json_object_get(record, "step")) == (json_int_t)step;
            json_decref(record);
        }
        it_lines_close(&lines);
    }
    it_free(path);
    return found;
}

/* ---- cutting back to a step ---- */

/* Keep the whole records of steps <= step, and put them into the new event file. */
static enum it_status cut(struct it_run *run, const char *name, const char *prefix, int64_t step)
{
    char *path = in_run(run, name);
    struct it_lines lines;
    struct it_str kept = {0};
    enum it_status status = IT_OK;
    if (!it_path_exists(path)) {
        it_free(path);
        return IT_OK;
    }
    IT_TRY_GOTO(status, end, it_lines_open(path, 0, &lines));
    for (;;) {
        enum it_status next = it_lines_next(&lines);
        if (next == IT_END) { break; }
        json_t *record = next == IT_OK ? json_loadb(lines.line.data ? lines.line.data : "",
                                                    lines.line.len, 0, NULL)
                                       : NULL;
        json_int_t at = json_integer_value(json_object_get(record, "step"));
        if (json_is_object(record) && at <= step && status == IT_OK) {
            it_str_add(&kept, lines.line.data, lines.line.len);
            it_str_putc(&kept, '\n');
            status = it_events_put(run->events, at, prefix, record);
        }
        json_decref(record);
        if (next == IT_IO) {
            status = next;
            break;
        }
    }
    it_lines_close(&lines);
    if (status == IT_OK) { status = it_file_write(path, it_str_c(&kept), kept.len); }
end:
    it_str_free(&kept);
    it_free(path);
    return status;
}

static enum it_status cut_completions(struct it_run *run, int64_t step)
{
    char *folder = in_run(run, "completions");
    struct it_strs names = {0};
    enum it_status status = it_dir_list(folder, &names);
    for (size_t i = 0; i < names.n && status == IT_OK; i++) {
        long long at;
        if (sscanf(names.item[i], "completions_%lld", &at) != 1 || at <= step) { continue; }
        char *path = it_path_join(folder, names.item[i]);
        if (remove(path)) { status = it_fail(IT_IO, "%s: cannot remove", path); }
        it_free(path);
    }
    it_strs_free(&names);
    it_free(folder);
    return status;
}

enum it_status it_run_truncate(struct it_run *run, int64_t step)
{
    if (run->dry) { return IT_OK; }
    it_events_close(run->events);
    run->events = NULL;
    IT_TRY(it_events_remove(run->folder));
    IT_TRY(it_events_open(run->folder, &run->events));
    IT_TRY(cut(run, "metrics.jsonl", "", step));
    IT_TRY(cut(run, "eval.jsonl", "eval/", step));
    return cut_completions(run, step);
}
