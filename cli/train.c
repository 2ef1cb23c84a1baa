/* SPDX-License-Identifier: MIT */
/* intuitor train: reinforcement learning by a recipe. */
#include <string.h>

#include "cli/cli.h"
#include "cli/summary.h"
#include "core/base/file.h"
#include "core/base/mem.h"

struct train_values {
    struct it_cli_common common;
    bool plan, resume, overwrite;
};

static const struct it_option rows[] = {
    IT_CLI_ROWS(train_values),
    IT_CLI_JSON_ROW(train_values),
    IT_CLI_BACKEND_ROW(train_values),
    IT_CLI_DEVICE_ROWS(train_values),
    {"plan", IT_OPT_BOOL, "false", "print batch, memory and the choices made, and run nothing",
     offsetof(struct train_values, plan), NULL},
    {"resume", IT_OPT_BOOL, "false", "go on from the newest valid checkpoint of output_dir",
     offsetof(struct train_values, resume), NULL},
    {"overwrite", IT_OPT_BOOL, "false", "delete the run in output_dir first",
     offsetof(struct train_values, overwrite), NULL},
};

static enum it_status run(const void *values, const struct it_strs *arguments)
{
    const struct train_values *v = values;
    struct it_session session;
    struct it_strs overrides = {0};
    enum it_status status;
    for (size_t i = 0; i < arguments->n; i++) { it_strs_add(&overrides, arguments->item[i]); }
    if (v->resume && overrides.n == 1 && it_path_is_dir(overrides.item[0])) {
        status = it_summary_resume_folder(&overrides); /* train --resume DIR */
        if (status != IT_OK) { goto end; }
    }
    if (overrides.n == 0) {
        status = it_cli_usage(&it_command_train, "no recipe given");
        goto end;
    }
    it_cli_add_seed(&v->common, &overrides);
    struct it_session_options options = {.recipe = overrides.item[0], .overrides = &overrides,
                                         .common = &v->common, .measure = v->plan};
    IT_TRY_GOTO(status, end, it_session_open(&options, &session));
    session.setup.resume = v->resume;
    session.setup.overwrite = v->overwrite;
    if (v->plan) {
        status = it_summary_plan(&session, v->common.json);
    } else {
        status = it_train(&session.setup);
        if (status == IT_OK) {
            status = it_summary_run(session.recipe.output_dir, v->common.json);
        }
    }
    it_session_close(&session);
end:
    it_strs_free(&overrides);
    return status;
}

const struct it_command it_command_train = {
    .name = "train",
    .summary = "train a model by a recipe: INTUITOR, GRPO, GRPO-PV, any reward and loss",
    .usage = "RECIPE.yaml [key=value ...] [--plan | --resume [RUN_DIR] | --overwrite]",
    .example = "intuitor train recipes/demo.yaml max_steps=10 output_dir=runs/try",
    .table = {rows, sizeof rows / sizeof *rows},
    .values_size = sizeof(struct train_values),
    .run = run,
    .recipe = &it_recipe_table,
};
