/* SPDX-License-Identifier: MIT */
/* Between the parts of the sandbox: the pool (sandbox.c), one worker (sandbox_worker.c), one job's
 * pipes (sandbox_job.c), the seccomp programs (sandbox_filter.c), the driver's replies
 * (sandbox_reply.c). */
#ifndef IT_TASKS_GRADE_SANDBOX_INTERNAL_H
#define IT_TASKS_GRADE_SANDBOX_INTERNAL_H

#include <stdatomic.h>
#include <sys/types.h>

#include "core/base/str.h"
#include "tasks/grade/sandbox.h"

/* Runs work(context) on as many threads and waits; shows how far *next is on its way to `total`. */
void it_sandbox_crowd(void *(*work)(void *), void *context, int64_t threads,
                      const atomic_int_fast64_t *next, int64_t total, const char *what);

/* ---- seccomp programs, as the kernel takes them (struct sock_filter) ---- */

enum it_sandbox_filter {
    IT_FILTER_ZYGOTE, /* our own code after it has put up its walls: may fork */
    IT_FILTER_JOB,    /* a model's program: one process, files within the other walls */
    IT_FILTER_CLOSED, /* the same where no other wall stands before files: nothing is opened */
    IT_FILTERS
};
/* IT_UNSUPPORTED, not logged, in a build without libseccomp. */
enum it_status it_sandbox_filter(enum it_sandbox_filter which, struct it_str *program_out);

/* ---- replies ---- */

enum { IT_NONCE_BYTES = 16 };
/* What came through the reply pipe, cut into the messages that bear the nonce; other bytes, a
 * program's own, are passed over. Returns the kind of the message at *at ('R' a reply, 'M' the end
 * was a MemoryError) and moves on, or 0 at the end. */
char it_sandbox_reply_next(const char *bytes, size_t size, const unsigned char *nonce, size_t *at,
                           const char **message_out, size_t *message_size_out);

/* ---- one worker: a guard and its zygote ---- */

struct it_sandbox_setup {
    char *python, *source, *config; /* owned by the sandbox; config: one JSON text */
};

struct it_sandbox_worker {
    int control;     /* socket to the zygote; -1: none is running */
    pid_t guard;
    uint64_t serial; /* of the latest job */
    char *scratch;   /* owned; the folder on the host that the guard removes */
    bool busy;
};

/* What a zygote said of its walls. */
struct it_sandbox_walls {
    bool root, files, seccomp, cgroup;
    int landlock, n_namespaces;
};

/* Starts the interpreter; it_worker_meet waits until its walls are up. */
enum it_status it_worker_start(const struct it_sandbox_setup *setup,
                               struct it_sandbox_worker *worker);
enum it_status it_worker_meet(const struct it_sandbox_setup *setup,
                              struct it_sandbox_worker *worker,
                              struct it_sandbox_walls *walls_out);
void it_worker_hang_up(struct it_sandbox_worker *worker); /* the zygote ends by itself ... */
void it_worker_stop(struct it_sandbox_worker *worker);    /* ... and this waits for it */

/* Runs one job; *lost_out when the zygote died of it (the worker must be started again).
 * *hit_wall_out when the wall limit ended it. */
enum it_status it_worker_run(struct it_sandbox_worker *worker, const struct it_sandbox_job *job,
                             struct it_sandbox_result *result_out, bool *hit_wall_out,
                             bool *lost_out);

#endif
