/* SPDX-License-Identifier: MIT */
/* The program: one file a command, a table of commands. What a command takes is an option table,
 * from which parsing, --help and the man page grow. */
#ifndef IT_CLI_CLI_H
#define IT_CLI_CLI_H

#include <stdbool.h>
#include <stdio.h>

#include "core/base/option.h"
#include "core/rl/trainer.h"
#include "models/models.h"
#include "tasks/task.h"

/* First in every command's values. */
struct it_cli_common {
    bool help, quiet, verbose, debug, json;
    char *backend;
    int dtype; /* "auto|f32|bf16" */
    int64_t threads, seed, memory_limit;
};

/* Rows that every command has, and those of commands that run a model. `v` is the values' type. */
#define IT_CLI_ROWS(v)                                                                             \
    {"help", IT_OPT_BOOL, "false", "print this and exit", offsetof(struct v, common.help), NULL},  \
    {"quiet", IT_OPT_BOOL, "false", "warnings and errors only", offsetof(struct v, common.quiet),  \
     NULL},                                                                                        \
    {"v", IT_OPT_BOOL, "false", "say more", offsetof(struct v, common.verbose), NULL},             \
    {"vv", IT_OPT_BOOL, "false", "say every op", offsetof(struct v, common.debug), NULL}

#define IT_CLI_JSON_ROW(v)                                                                         \
    {"json", IT_OPT_BOOL, "false", "one JSON document on standard output, nothing else",           \
     offsetof(struct v, common.json), NULL}

#define IT_CLI_BACKEND_ROW(v)                                                                      \
    {"backend", IT_OPT_STRING, "auto", "auto, cpu, cuda, vulkan, opencl, with :INDEX",             \
     offsetof(struct v, common.backend), NULL}

#define IT_CLI_DEVICE_ROWS(v)                                                                      \
    {"dtype", IT_OPT_CHOICE, "auto", "type of weights and activations",                            \
     offsetof(struct v, common.dtype), "auto|f32|bf16"},                                           \
    {"threads", IT_OPT_INT, "0", "host threads; 0: one a physical core",                           \
     offsetof(struct v, common.threads), NULL},                                                    \
    {"seed", IT_OPT_INT, "0", "of the random numbers", offsetof(struct v, common.seed), NULL},     \
    {"memory-limit", IT_OPT_SIZE, "0", "most memory, as 38GiB; 0: what the device has",            \
     offsetof(struct v, common.memory_limit), NULL}

struct it_command {
    const char *name;
    const char *summary; /* one line */
    const char *usage;   /* after the name: "RECIPE.yaml [key=value ...]" */
    const char *example; /* a whole command line */
    struct it_option_table table;
    size_t values_size;  /* of the struct that begins with struct it_cli_common */
    /* positional arguments in order; the status gives the exit code */
    enum it_status (*run)(const void *values, const struct it_strs *arguments);
    const struct it_option_table *recipe; /* listed by --help after the options; NULL: none */
    const char *notes; /* lines that --help puts before the example; NULL: none */
};

extern const struct it_command it_command_analyze, it_command_export, it_command_select;
extern const struct it_command it_command_bench, it_command_devices, it_command_doctor,
    it_command_eval, it_command_generate, it_command_grade, it_command_init, it_command_pretrain,
    it_command_pull, it_command_replay, it_command_report, it_command_sandbox, it_command_score,
    it_command_tokenize, it_command_train;

const struct it_command *it_command_at(size_t index); /* NULL past the end */

/* Fill zeroed values from the arguments after the command's name. --name VALUE, --name=VALUE,
 * --flag; one-letter names may have one dash. A repeated list option adds. */
enum it_status it_cli_parse(const struct it_command *command, int argc, char **argv, void *values,
                            struct it_strs *arguments_out);
void it_cli_help(const struct it_command *command);
/* it_fail(IT_INVALID) naming the command's usage. */
enum it_status it_cli_usage(const struct it_command *command, const char *what);

/* ---- shared by commands (cli/open.c, cli/dataset.c) ---- */

/* The backend that `name` (or INTUITOR_BACKEND, or auto) means, opened; says which and why. */
enum it_status it_cli_device(const struct it_cli_common *common, bool exact, bool strict,
                             struct it_device **device_out);
enum it_dtype it_cli_dtype(const struct it_cli_common *common);
/* --seed N of a command with a recipe is its last override. */
void it_cli_add_seed(const struct it_cli_common *common, struct it_strs *overrides);
/* Facts for run.json and bug reports: version, git, compiler, device, threads, memory. */
json_t *it_cli_ledger(const struct it_device *device);

struct it_graders; /* cli/grading.h */

/* What a recipe trains on: problems of a task, rendered and tokenised. */
struct it_cli_prompts {
    const struct it_task *task;
    struct it_grading grading;
    const struct it_graders *graders; /* set before the grader is used */
    struct it_problems problems;
    struct it_rl_prompt *item; /* [n]: those that fit */
    int64_t n, dropped;
    struct it_ids *ids; /* [problems.n] */
};
/* dataset: a task's name, a file or folder, or a name under INTUITOR_DATA. split NULL: "train". */
struct it_cli_dataset {
    const char *name, *split, *params, *prompt_column, *solution_column, *system_prompt,
        *grading_profile;
    const char *config; /* a configuration's folder in the dataset's; NULL: core/data/data.h */
    bool by_path; /* a folder of the working directory comes before a task's data of that name */
    const char *data; /* dataset root; NULL: INTUITOR_DATA */
    const char *prompt, *prompt_template; /* how a task's problems are worded: tasks/task.h */
    int64_t limit, max_prompt, seed;
    int overlong; /* enum it_overlong */
};
enum it_status it_cli_prompts_open(const struct it_model *model,
                                   const struct it_cli_dataset *dataset,
                                   struct it_cli_prompts *prompts_out);
void it_cli_prompts_close(struct it_cli_prompts *prompts);
/* The grader of the prompts' task. */
struct it_rl_grader it_cli_grader(struct it_cli_prompts *prompts);
/* What the recipe says of adapters, into the options of its model; `adapters` is memory for it.
 * With use_peft the model gets new ones or goes on with its own; without, one is refused. */
enum it_status it_cli_adapters(const struct it_recipe *recipe, struct it_adapter_options *adapters,
                               struct it_model_options *options);
/* Reading and writing model folders for core/rl: `context` is the model. */
struct it_rl_folders it_cli_folders(struct it_model *model);

/* Everything `train`, `doctor` and `replay` open for a recipe, in order; closed in reverse. */
struct it_session {
    struct it_recipe recipe;
    struct it_device *device;
    struct it_model *model;
    struct it_cli_prompts train, eval;
    struct it_graders *graders; /* of train and eval, owned */
    json_t *ledger;
    struct it_trainer_setup setup; /* points into the above */
};
struct it_session_options {
    const char *recipe;
    const struct it_strs *overrides; /* items from 1 on are key=value */
    const struct it_cli_common *common;
    bool measure; /* nothing is allocated: plan only */
};
enum it_status it_session_open(const struct it_session_options *options,
                               struct it_session *session_out);
void it_session_close(struct it_session *session);

#endif
