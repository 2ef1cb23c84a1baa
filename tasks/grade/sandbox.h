/* SPDX-License-Identifier: MIT */
/* Running Python programs that a model wrote. Each job is a process of its own without network,
 * without write access outside a scratch folder, with bounded time, memory, output, files and
 * threads. What a program should print or return never enters its process: results come back as
 * bytes and are compared here.
 *
 * Tiers, the strongest that this machine allows is taken and named: namespaces + Landlock +
 * seccomp + rlimits; Landlock + seccomp + rlimits; seccomp + rlimits. Without seccomp nothing is
 * run unless `unsafe` says so. */
#ifndef IT_TASKS_GRADE_SANDBOX_H
#define IT_TASKS_GRADE_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"

struct it_sandbox;

struct it_sandbox_options {
    const char *python;  /* NULL: found by configure, else the first that works under /usr */
    int64_t workers;     /* jobs at once; 0: one a physical core */
    bool unsafe;         /* run even where the seccomp tier cannot be reached */
    unsigned without;    /* walls left out, IT_WALL_ bits: to test what the others hold */
};
enum it_sandbox_wall { IT_WALL_NAMESPACES = 1, IT_WALL_LANDLOCK = 2, IT_WALL_SECCOMP = 4 };
/* "landlock" -> its bit; 0 for what is no wall's name. */
unsigned it_sandbox_wall(const char *name);

/* Limits of one job; 0: the default in brackets. */
struct it_sandbox_limits {
    double wall_s;        /* [10] */
    double cpu_s;         /* [wall_s] */
    int64_t memory_bytes; /* address space [1 GiB] */
    int64_t output_bytes; /* standard output, and the same again for the reply [16 MiB] */
    int64_t file_bytes;   /* largest file in the scratch folder [1 MiB]; -1: 0 */
    int64_t threads;      /* beside the first [32] */
};

struct it_sandbox_job {
    /* The program. Without a driver it is run as __main__ and `input` is its standard input. */
    const char *program;
    size_t program_size;
    const char *input;
    size_t input_size;
    /* Source of ours that runs first, in the same process, with these names: `program` and `input`
     * (both bytes) and `reply(bytes)`, which sends one message home under the job's nonce. It
     * decides when and how the program runs. NULL: none. */
    const char *driver;
    struct it_sandbox_limits limits;
};

enum it_sandbox_end {
    IT_SANDBOX_EXIT,    /* the process ended by itself: exit_code */
    IT_SANDBOX_SIGNAL,  /* killed by signal_number of its own making (a segmentation fault ...) */
    IT_SANDBOX_TIME,    /* wall or CPU limit */
    IT_SANDBOX_MEMORY,  /* memory limit: MemoryError that nobody caught, or killed for it */
    IT_SANDBOX_OUTPUT   /* more output than allowed */
};

struct it_sandbox_result {
    enum it_sandbox_end end;
    int exit_code, signal_number;
    char *out;            /* standard output up to the limit; 0-terminated, may hold NULs; owned */
    size_t out_size;
    char *err;            /* the last 4 KiB of standard error, owned */
    char **reply;         /* [n_replies] messages of the driver with the right nonce, owned */
    size_t *reply_size;
    size_t n_replies;
    double wall_s, cpu_s;
    int64_t peak_bytes;   /* of resident memory */
};

/* Starts the warm pool: interpreters that fork a child a job. IT_UNSUPPORTED with the cause and the
 * cure where the tier is not reached or no Python is found. */
enum it_status it_sandbox_open(const struct it_sandbox_options *options,
                               struct it_sandbox **sandbox_out);
void it_sandbox_close(struct it_sandbox *sandbox);
/* "namespaces + landlock + seccomp + rlimits": what was reached, for logs and results. */
const char *it_sandbox_tier(const struct it_sandbox *sandbox);
int64_t it_sandbox_workers(const struct it_sandbox *sandbox);

/* Runs one job and waits for it; may be called from many threads, `workers` run at a time. A job
 * that hit the wall limit having used little CPU is run once more, alone. The status speaks of the
 * sandbox (IT_OK whatever the program did); a program cannot make it fail. IT_INTERRUPTED when the
 * user asked to stop (core/base/clock.h) while it ran. */
enum it_status it_sandbox_run(struct it_sandbox *sandbox, const struct it_sandbox_job *job,
                              struct it_sandbox_result *result_out);
void it_sandbox_result_free(struct it_sandbox_result *result);

/* "AC", "WA", "TLE", "MLE", "RE", "OLE": a result whose output was `right` or not. */
const char *it_sandbox_verdict(const struct it_sandbox_result *result, bool right);

#endif
