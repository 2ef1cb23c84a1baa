/* SPDX-License-Identifier: MIT */
/* The escape suite: programs that try to get out of the sandbox (escape.py), run in it. */
#ifndef IT_TASKS_GRADE_SANDBOX_ESCAPE_H
#define IT_TASKS_GRADE_SANDBOX_ESCAPE_H

#include "tasks/grade/sandbox.h"

struct it_escape {
    char *name, *allowed;  /* "fork bomb", "AC RE"; owned */
    const char *verdict;   /* "AC" where every attempt was refused */
    bool held;             /* nothing got out, the verdict is an allowed one, the sandbox lives */
    char *what;            /* what got out, or what is wrong; owned, NULL when held */
    double seconds;
};
struct it_escapes {
    struct it_escape *item;
    size_t n, n_escaped;
};

/* Runs every line, over all workers. The status speaks of the machinery; escapes are counted. */
enum it_status it_sandbox_escape(struct it_sandbox *sandbox, struct it_escapes *escapes_out);
void it_escapes_free(struct it_escapes *escapes);

/* `n` friendly and hostile programs in a row over all workers, and what they changed: verdicts that
 * are not the expected ones, open descriptors and processes below this one before and after; the
 * median time of an empty program from request to report. */
struct it_soak {
    int64_t programs, wrong;
    int64_t files_before, files_after, processes_before, processes_after;
    double seconds, start_s;
};
enum it_status it_sandbox_soak(struct it_sandbox *sandbox, int64_t n, struct it_soak *soak_out);

#endif
