/* SPDX-License-Identifier: MIT */
/* Judging a program by its tests in the sandbox. What a program should give stays on this side. */
#ifndef IT_TASKS_GRADE_LCB_H
#define IT_TASKS_GRADE_LCB_H

#include "tasks/grade/code.h"
#include "tasks/grade/sandbox.h"
#include "tasks/task.h"

struct it_lcb_rules {
    bool compat;         /* the official wrapper's meaning, one process a program; else a process
                          * a test */
    bool all_blocks;     /* the program is all blocks marked as Python, not the last of any kind */
    bool words;          /* outputs are compared word by word, not line by line */
    double time_limit_s; /* of a test where the record does not say */
};

/* The program in the record's completion, judged by the record's tests; `where` begins an error.
 * The status speaks of the record and the sandbox, never of the program. */
enum it_status it_lcb_grade(struct it_sandbox *sandbox, const struct it_lcb_rules *rules,
                            const json_t *fields, const char *where,
                            struct it_verdict *verdict_out);

/* CRUXEval-I: whether `answer`, a call of the function that `code` defines, gives the value of the
 * Python literal `output`. */
enum it_status it_lcb_call_gives(struct it_sandbox *sandbox, const char *where, const char *code,
                                 const char *answer, const char *output,
                                 struct it_verdict *verdict);

#endif
