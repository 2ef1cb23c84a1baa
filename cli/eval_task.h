/* SPDX-License-Identifier: MIT */
/* One task of an evaluation: its prompts, its completions, its score. */
#ifndef IT_CLI_EVAL_TASK_H
#define IT_CLI_EVAL_TASK_H

#include "cli/cli.h"
#include "cli/results.h"
#include "cli/sampler.h"

struct it_eval_task {
    const struct it_task *task;
    struct it_cli_prompts prompts;
    int64_t max_new_tokens, max_length; /* length: prompt included */
    json_t *summary;                    /* after it_eval_task_run */
};

struct it_eval_setup {
    const struct it_cli_engine *engine;
    const char *out; /* folder for the records; NULL: none */
    struct it_cli_sampling sampling; /* max_new_tokens 0: the task's own */
    int64_t seed;
};

/* `dataset` says everything but the task. `text` is the text side of the model. */
enum it_status it_eval_task_open(const struct it_task *task, const struct it_model *text,
                                 const struct it_cli_dataset *dataset, int64_t max_new_tokens,
                                 struct it_eval_task *task_out);
void it_eval_task_close(struct it_eval_task *task);
/* Generates and grades what is not on disk yet, and fills the summary. */
enum it_status it_eval_task_run(struct it_eval_task *task, const struct it_eval_setup *setup);

#endif
