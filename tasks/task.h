/* SPDX-License-Identifier: MIT */
/* A task: problems, how they are asked, and how an answer is judged. The same row serves training
 * (prompts, the `accuracy` reward) and evaluation. Adding a task: one file, one line in the table
 * of tasks/task.c, docs/howto-task.md. */
#ifndef IT_TASKS_TASK_H
#define IT_TASKS_TASK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"
#include "core/base/str.h"

/* One problem. `record` keeps every field of the source record and is owned here. */
struct it_problem {
    json_t *record;
    char *id;   /* "test/algebra/1.json", or "<task>/<index>" */
    char *text; /* the user's turn, already in the task's own wording */
    char *gold; /* the reference answer as the grader wants it; NULL: not gradable */
};

struct it_problems {
    struct it_problem *item;
    size_t n, cap;
};
void it_problems_free(struct it_problems *problems);

/* What a grader says of one completion. */
struct it_verdict {
    char *extracted; /* owned; NULL: nothing that looks like an answer was found */
    bool gradable;   /* false: the gold itself could not be read; no reward, group dropped */
    bool correct;
    char *detail; /* owned, may be NULL: why */
};
void it_verdict_free(struct it_verdict *verdict);

struct it_task_source {
    const char *data;   /* dataset root (INTUITOR_DATA or --data); NULL: none given */
    const char *split;  /* "test" or "train"; NULL: the task's evaluation split */
    int64_t limit;      /* 0: all */
    uint64_t seed;      /* tasks that make their problems */
    const char *params; /* task's own, e.g. "kinds=chain,digits=1" for arithmetic; NULL: default */
    /* How problems are worded: one of the task's `prompts`, NULL for its default; or, when
     * `prompt_template` is not NULL, that text (tasks/prompt.h) in its place. */
    const char *prompt, *prompt_template;
    /* Tokens of a text, for tasks whose protocol keeps prompts within a budget; NULL: no tokenizer
     * is at hand, and nothing is left out. */
    int64_t (*count_tokens)(void *context, const char *text);
    void *count_context;
};

/* What grading needs beside a record. The same for all records of a run; threads share it. */
struct it_grading {
    const char *profile;        /* the rule, from it_task_profile */
    const char *data;           /* dataset root; NULL: none given */
    struct it_sandbox *sandbox; /* where programs run (tasks/grade/sandbox.h); NULL: none is open,
                                 * and a task that has to run one says so (IT_UNSUPPORTED) */
    struct it_judge *judge;     /* who prefers (tasks/grade/judge.h); NULL: nobody is asked */
};

struct it_task {
    const char *name;
    const char *summary;         /* one line for --help and docs */
    const char *default_profile; /* grading rule */
    const char *profiles;        /* "a|b|c" */
    const char *system_prompt;   /* default system message; NULL: none */
    const char *default_prompt;  /* how problems are worded (tasks/prompt.h); NULL: as they are */
    const char *prompts;         /* "a|b" */
    const char *breakdown;       /* "level|subject": fields by which scores are split; NULL: none */
    bool runs_programs;          /* grading runs what the model wrote: it wants a sandbox */
    int64_t max_new_tokens;      /* evaluation default */
    enum it_status (*open)(const struct it_task_source *source, struct it_problems *problems_out);
    /* Optional, once for many records before they are graded: adds to them what a service alone can
     * say (alpaca_eval: grading->judge's preference). Not called from several threads at once. */
    enum it_status (*prepare)(const struct it_grading *grading, json_t *const *records, size_t n);
    /* `fields` is a record as `grade` reads it: completion, gold, and the task's own fields.
     * `where` ("FILE:LINE") begins an error. Called from several threads at once. */
    enum it_status (*grade)(const struct it_grading *grading, const json_t *fields,
                            const char *where, struct it_verdict *verdict_out);
    /* Optional: what the summary of all graded records says beyond accuracy, put into `summary`.
     * A record here is what `grade` wrote: the fields it read, and the verdict's. */
    enum it_status (*report)(const struct it_grading *grading, json_t *const *records, size_t n,
                             json_t *summary);
    /* Optional: the same answer? For plurality votes (GRPO-PV), `select`. NULL: equal strings. */
    bool (*equal)(const char *profile, const char *answer_a, const char *answer_b);
};

/* NULL when there is none of that name; it_task_at lists what there is (for it_closest). */
const struct it_task *it_task_find(const char *name);
const struct it_task *it_task_at(size_t index); /* NULL past the end */
/* `profile` NULL gives the default; an unknown profile is IT_INVALID, naming the closest. */
enum it_status it_task_profile(const struct it_task *task, const char *profile,
                               const char **profile_out);
/* The same for the wordings; NULL where the task has none. */
enum it_status it_task_prompt(const struct it_task *task, const char *prompt,
                              const char **prompt_out);

#endif
