/* SPDX-License-Identifier: MIT */
/* One task of an evaluation: its prompts, its completions, its score. */
#ifndef IT_CLI_EVAL_TASK_H
#define IT_CLI_EVAL_TASK_H

#include "cli/cli.h"
#include "cli/grading.h"
#include "cli/results.h"
#include "cli/sampler.h"

struct it_eval_task {
    const struct it_task *task;
    struct it_cli_prompts prompts;
    int64_t max_new_tokens, max_length; /* length: prompt included */
    int64_t samples;                    /* of each prompt; record p * samples + s is sample s */
    json_t *index;                      /* id -> prompt */
    bool begun;
    struct it_journal journal;
    json_t *summary; /* after it_eval_task_score */
};

struct it_eval_setup {
    const struct it_cli_engine *engine;
    const struct it_graders *graders;
    const char *out;                 /* folder for the records; NULL: none */
    struct it_cli_sampling sampling; /* max_new_tokens 0: the task's own */
    int64_t seed;
};

/* `dataset` says everything but the task. `text` is the text side of the model. */
enum it_status it_eval_task_open(const struct it_task *task, const struct it_model *text,
                                 const struct it_cli_dataset *dataset, int64_t max_new_tokens,
                                 struct it_eval_task *task_out);
void it_eval_task_close(struct it_eval_task *task);

/* Reads what an earlier run left. */
enum it_status it_eval_task_begin(struct it_eval_task *task, const struct it_eval_setup *setup);
/* Whether all samples of a prompt are there. */
bool it_eval_task_has(const struct it_eval_task *task, int64_t prompt);
/* Keeps a completion, on disk at once. */
enum it_status it_eval_task_take(struct it_eval_task *task, const struct it_eval_setup *setup,
                                 int64_t prompt, const struct it_completion *completion);
/* All completions are there: grades those that are not graded yet, and fills the summary. */
enum it_status it_eval_task_score(struct it_eval_task *task, const struct it_eval_setup *setup);

/* Generates what is missing of several tasks together (cli/eval_batch.c). Interrupted, it says what
 * is kept. */
enum it_status it_eval_generate(struct it_eval_task *const *tasks, size_t n,
                                const struct it_eval_setup *setup);

#endif
