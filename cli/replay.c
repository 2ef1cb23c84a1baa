/* SPDX-License-Identifier: MIT */
/* intuitor replay: compute an update of a run again and compare, or compare two runs. */
#include <string.h>

#include "cli/cli.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/rl/run.h"

struct replay_values {
    struct it_cli_common common;
    int64_t step;
    bool diff;
};

static const struct it_option rows[] = {
    IT_CLI_ROWS(replay_values),
    IT_CLI_BACKEND_ROW(replay_values),
    IT_CLI_DEVICE_ROWS(replay_values),
    {"step", IT_OPT_INT, "0", "the update to compute again", offsetof(struct replay_values, step),
     NULL},
    {"diff", IT_OPT_BOOL, "false", "compare the records of two runs instead",
     offsetof(struct replay_values, diff), NULL},
};

/* IT_FAILED is the exit code of "different". */
static enum it_status diff(const char *a, const char *b)
{
    bool same;
    struct it_str what = {0};
    enum it_status status = it_run_diff(a, b, &same, &what);
    if (status == IT_OK) {
        printf("%s\n", same ? "the runs are the same" : it_str_c(&what));
        status = same ? IT_OK : IT_FAILED;
    }
    it_str_free(&what);
    return status;
}

/* The run's own record of an update. */
static enum it_status recorded(const char *folder, int64_t step, json_t **record_out)
{
    char *path = it_path_join(folder, "metrics.jsonl");
    struct it_lines lines;
    json_t *found = NULL;
    enum it_status status = it_lines_open(path, 0, &lines);
    if (status == IT_OK) {
        while (!found && status == IT_OK) {
            json_t *record;
            status = it_jsonl_next(&lines, &record);
            if (status != IT_OK) { break; }
            if (json_integer_value(json_object_get(record, "step")) == step) {
                found = json_incref(record);
            }
            json_decref(record);
        }
        it_lines_close(&lines);
        if (status == IT_END) {
            status = it_fail(IT_INVALID, "%s has no update %lld", path, (long long)step);
        }
    }
    it_free(path);
    if (status == IT_OK) { *record_out = found; }
    return status;
}

static enum it_status replay(const struct replay_values *v, const char *folder)
{
    struct it_session session;
    struct it_strs overrides = {0};
    struct it_str output = {0};
    json_t *before = NULL, *again = NULL;
    enum it_status status = recorded(folder, v->step, &before);
    char *recipe = it_path_join(folder, "recipe.yaml");
    it_str_printf(&output, "output_dir=%s", folder);
    it_strs_add(&overrides, recipe);
    it_strs_add(&overrides, it_str_c(&output));
    struct it_session_options options = {.recipe = recipe, .overrides = &overrides,
                                         .common = &v->common};
    if (status == IT_OK) { status = it_session_open(&options, &session); }
    if (status == IT_OK) {
        struct it_str what = {0};
        status = it_train_replay(&session.setup, v->step, &again);
        bool same = status == IT_OK && it_record_same(before, again, &what);
        if (status == IT_OK) {
            printf("update %lld: %s\n", (long long)v->step,
                   same ? "the same, to the bit" : it_str_c(&what));
            status = same ? IT_OK : IT_FAILED;
        }
        it_str_free(&what);
        it_session_close(&session);
    }
    json_decref(before);
    json_decref(again);
    it_str_free(&output);
    it_strs_free(&overrides);
    it_free(recipe);
    return status;
}

static enum it_status run(const void *values, const struct it_strs *arguments)
{
    const struct replay_values *v = values;
    if (v->diff) {
        if (arguments->n != 2) { return it_cli_usage(&it_command_replay, "--diff takes two runs"); }
        return diff(arguments->item[0], arguments->item[1]);
    }
    if (arguments->n != 1 || v->step < 1) {
        return it_cli_usage(&it_command_replay, "name one run and a --step from 1 on");
    }
    return replay(v, arguments->item[0]);
}

const struct it_command it_command_replay = {
    .name = "replay",
    .summary = "compute an update of a run again, or find where two runs differ",
    .usage = "RUN_DIR --step N | --diff RUN_A RUN_B",
    .example = "intuitor replay runs/demo --step 10",
    .table = {rows, sizeof rows / sizeof *rows},
    .values_size = sizeof(struct replay_values),
    .run = run,
};
