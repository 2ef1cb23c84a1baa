/* SPDX-License-Identifier: MIT */
/* Grading many records at once: over the cores, in a sandbox where the task runs what a model
 * wrote. */
#ifndef IT_CLI_GRADING_H
#define IT_CLI_GRADING_H

#include <stddef.h>

#include "cli/judge.h"
#include "core/base/log.h"
#include "core/base/pool.h"
#include "tasks/task.h"

/* Rows of commands that grade; the values have `unsafe`, and `data` where the rows do. */
#define IT_CLI_UNSAFE_ROW(v)                                                                       \
    {"unsafe-no-sandbox", IT_OPT_BOOL, "false",                                                    \
     "run programs even where this machine cannot lock them in", offsetof(struct v, unsafe), NULL}
#define IT_CLI_GRADING_ROWS(v)                                                                     \
    {"data", IT_OPT_STRING, NULL, "dataset root; unset: INTUITOR_DATA", offsetof(struct v, data),  \
     NULL},                                                                                        \
    IT_CLI_UNSAFE_ROW(v),                                                                          \
    {"threads", IT_OPT_INT, "0", "completions graded at once; 0: one a physical core",             \
     offsetof(struct v, common.threads), NULL}

struct it_graders {
    struct it_pool *pool;
    struct it_sandbox *sandbox; /* NULL: no task asked for one */
    struct it_judge *judge;     /* NULL: nobody is asked */
};
struct it_graders_options {
    int64_t threads;    /* 0: one a physical core */
    bool runs_programs; /* some task does: a sandbox is opened */
    bool unsafe;        /* even where its walls cannot be put up */
    const struct it_cli_judge *judge; /* NULL: none */
    const char *data;                 /* dataset root, where the judge's prompt may be; or NULL */
};
enum it_status it_graders_open(const struct it_graders_options *options,
                               struct it_graders *graders_out);
void it_graders_close(struct it_graders *graders);
/* "namespaces + landlock + seccomp + rlimits"; NULL without a sandbox. */
const char *it_graders_tier(const struct it_graders *graders);

/* One record. Filled by it_graders_run: IT_OK and a verdict; IT_INVALID, logged: this record is
 * bad; IT_INTERRUPTED: it was not reached. */
struct it_graded {
    json_t *record; /* the caller's, as is */
    char *where;    /* "FILE:LINE" */
    enum it_status status;
    struct it_verdict verdict; /* the caller frees */
};
/* Grades items that do not have a status but IT_OK. Other failures than those of a record go up;
 * an interruption is IT_INTERRUPTED. `done` records before these were counted by `progress` (may be
 * NULL). */
enum it_status it_graders_run(const struct it_graders *graders, const struct it_task *task,
                              const struct it_grading *grading, struct it_graded *item, size_t n,
                              struct it_progress *progress, int64_t done);
/* Sets extracted, correct and detail of a record; a gold that could not be read counts as wrong. */
void it_graded_put(const struct it_verdict *verdict, json_t *record);

#endif
