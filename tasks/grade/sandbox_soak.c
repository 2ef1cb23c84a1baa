/* SPDX-License-Identifier: MIT */
/* Friendly and hostile programs in a row, to see what they change or leave: verdicts, descriptors,
 * processes; and how long a start takes. */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "tasks/grade/sandbox_escape.h"
#include "tasks/grade/sandbox_internal.h"

static const struct {
    const char *program, *verdict;
    double wall_s;
} mix[] = {
    {"", "AC", 10}, /* the first: its time is that of a start */
    {"print(sum(map(int, input().split())))", "AC", 10},
    {"1 / 0", "RE", 10},
    {"import os\nfor i in range(9): open('f%d' % i, 'w').write('x' * 99)\nos._exit(0)", "AC", 10},
    {"import os\nos.symlink('/', 's')\nos.fork()", "RE", 10},
    {"import os\nos.closerange(0, 99)\nprint(1)", "RE", 10},
    {"import os\nos.kill(os.getpid(), 9)", "RE", 10},
    {"", "AC", 10},
    {"x = bytearray(1 << 40)", "MLE", 10},
    {"import threading, time\nfor _ in range(9):\n"
     " threading.Thread(target=time.sleep, args=(99,), daemon=True).start()", "AC", 10},
    {"import os\nkept = [os.pipe() for _ in range(20)]\nos.abort()", "RE", 10},
    {"import ctypes\nctypes.string_at(0)", "RE", 10},
    {"while True:\n try:\n  while True: pass\n except BaseException: pass", "TLE", 0.05},
    {"while True: print('x' * 99999)", "OLE", 10},
    {"import os\nfor i in range(3, 9):\n try: os.write(i, b'AC' * 99)\n except OSError: pass", "AC",
     10},
    {"import socket\nsocket.create_connection(('127.0.0.1', 1))", "RE", 10},
};
enum { N_MIX = sizeof mix / sizeof *mix, WARNED = 5 };

struct soak {
    struct it_sandbox *sandbox;
    int64_t n;
    atomic_int_fast64_t next, wrong;
    _Atomic enum it_status status;
    double *start_s; /* [n]; 0 where the program is not the empty one */
};

static void *work(void *context)
{
    struct soak *s = context;
    int64_t i;
    while ((i = atomic_fetch_add(&s->next, 1)) < s->n) {
        size_t which = (size_t)(i % N_MIX);
        const struct it_sandbox_job job = {
            .program = mix[which].program, .program_size = strlen(mix[which].program),
            .input = "1 2\n", .input_size = 4,
            .limits = {.wall_s = mix[which].wall_s, .output_bytes = 1 << 20}};
        struct it_sandbox_result result;
        enum it_status status = it_sandbox_run(s->sandbox, &job, &result);
        if (status != IT_OK) {
            s->status = status;
            s->next = s->n; /* the others stop, too */
            break;
        }
        if (which == 0) { s->start_s[i] = result.wall_s; }
        const char *verdict = it_sandbox_verdict(&result, true);
        bool same = strcmp(verdict, mix[which].verdict) == 0;
        if (!same && s->wrong++ < WARNED) {
            it_warn("sandbox: program %lld: %s, expected %s: %.200s", (long long)i, verdict,
                    mix[which].verdict, result.err);
        }
        it_sandbox_result_free(&result);
    }
    return NULL;
}

/* ---- what is there ---- */

static int64_t count_entries(const char *folder)
{
    DIR *open = opendir(folder);
    int64_t n = 0;
    while (open && readdir(open)) { n++; }
    if (open) { closedir(open); }
    return n;
}

/* The process group leader's parent, from the fourth field of /proc/PID/stat; 0: none. */
static pid_t parent_of(pid_t pid)
{
    char path[64], line[1024] = "";
    int parent = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *stream = fopen(path, "r");
    if (!stream) { return 0; }
    const char *end = fgets(line, sizeof line, stream) ? strrchr(line, ')') : NULL;
    if (!end || sscanf(end + 1, " %*c %d", &parent) != 1) { parent = 0; }
    fclose(stream);
    return parent;
}

/* Processes that descend from this one. */
static int64_t count_descendants(void)
{
    DIR *proc = opendir("/proc");
    int64_t n = 0;
    for (const struct dirent *entry; proc && (entry = readdir(proc));) {
        pid_t pid = (pid_t)atoi(entry->d_name);
        int depth = 0;
        while (pid > 1 && pid != getpid() && depth++ < 64) { pid = parent_of(pid); }
        n += pid == getpid() && atoi(entry->d_name) != getpid();
    }
    if (proc) { closedir(proc); }
    return n;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median_start(double *start_s, int64_t n)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++) {
        if (start_s[i] > 0) { start_s[kept++] = start_s[i]; }
    }
    if (kept == 0) { return 0; }
    qsort(start_s, (size_t)kept, sizeof *start_s, by_size);
    return start_s[kept / 2];
}

enum it_status it_sandbox_soak(struct it_sandbox *sandbox, int64_t n, struct it_soak *soak_out)
{
    struct soak s = {.sandbox = sandbox, .n = n, .status = IT_OK,
                     .start_s = it_calloc((size_t)n, sizeof(double))};
    struct it_soak report = {.programs = n, .files_before = count_entries("/proc/self/fd"),
                             .processes_before = count_descendants()};
    double start = it_now();
    it_sandbox_crowd(work, &s, it_sandbox_workers(sandbox), &s.next, n, "soak");
    report.seconds = it_now() - start;
    report.files_after = count_entries("/proc/self/fd");
    report.processes_after = count_descendants();
    report.wrong = s.wrong;
    report.start_s = median_start(s.start_s, n);
    it_free(s.start_s);
    if (s.status == IT_OK) { *soak_out = report; }
    return s.status;
}
