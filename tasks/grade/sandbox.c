/* SPDX-License-Identifier: MIT */
/* The pool of workers: who runs which job, what was reached, and the second try of a job that may
 * only have been starved. */
#define _GNU_SOURCE
#include "config.h"

#include "tasks/grade/sandbox.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <sys/syscall.h>

#include "core/base/mem.h"
#include "core/base/pool.h"
#include "tasks/embedded.h"
#include "tasks/grade/sandbox_internal.h"

enum { MOST_WORKERS = 1024 };

struct it_sandbox {
    struct it_sandbox_setup setup;
    struct it_sandbox_worker *worker; /* [n] */
    int64_t n;
    struct it_sandbox_walls reached; /* by every worker */
    char tier[128];
    /* Under the lock: busy workers, jobs that want to be or are alone. */
    pthread_mutex_t lock;
    pthread_cond_t change;
    int64_t running, waiting_alone;
    bool alone;
};

static const struct {
    const char *name;
    unsigned bit;
} walls[] = {{"namespaces", IT_WALL_NAMESPACES},
             {"landlock", IT_WALL_LANDLOCK},
             {"seccomp", IT_WALL_SECCOMP}};
enum { N_WALLS = sizeof walls / sizeof *walls };

unsigned it_sandbox_wall(const char *name)
{
    for (size_t i = 0; i < N_WALLS; i++) {
        if (strcmp(walls[i].name, name) == 0) { return walls[i].bit; }
    }
    return 0;
}

/* ---- what is sent to an interpreter at its start ---- */

static json_t *hex(const struct it_str *bytes)
{
    struct it_str text = {0};
    for (size_t i = 0; i < bytes->len; i++) {
        it_str_printf(&text, "%02x", (unsigned char)bytes->data[i]);
    }
    json_t *string = json_string(it_str_c(&text));
    it_str_free(&text);
    return string;
}

static enum it_status add_filters(json_t *config, bool seccomp)
{
    static const char *const name[IT_FILTERS] = {"filter_zygote", "filter_job", "filter_closed"};
    for (int i = 0; i < IT_FILTERS; i++) {
        struct it_str program = {0};
        enum it_status status = seccomp ? it_sandbox_filter((enum it_sandbox_filter)i, &program)
                                        : IT_UNSUPPORTED;
        json_object_set_new(config, name[i], hex(&program));
        it_str_free(&program);
        if (status != IT_OK && status != IT_UNSUPPORTED) { return status; }
    }
    return IT_OK;
}

/* Landlock and pidfd_open have one number on every machine (but Alpha, which Linux's own headers
 * renumber); older headers lack them. */
enum { LANDLOCK_CREATE = 444, LANDLOCK_ADD = 445, LANDLOCK_RESTRICT = 446, PIDFD_OPEN = 434 };

static char *temporary_folder(void)
{
    const char *folder = getenv("TMPDIR");
    return realpath(folder && *folder ? folder : "/tmp", NULL);
}

static enum it_status make_config(unsigned without, char **config_out)
{
    char *tmp = temporary_folder();
    if (!tmp) { return it_fail(IT_IO, "sandbox: TMPDIR is not a folder"); }
    json_t *config = json_pack(
        "{s:s, s:[i,i,i], s:{s:i, s:i, s:i}, s:[]}", "tmp", tmp, "landlock", LANDLOCK_CREATE,
        LANDLOCK_ADD, LANDLOCK_RESTRICT, "numbers", "seccomp", (int)SYS_seccomp, "pivot_root",
        (int)SYS_pivot_root, "pidfd_open", PIDFD_OPEN, "without");
    free(tmp);
    if (!config) { return it_fail(IT_IO, "sandbox: TMPDIR is not valid UTF-8"); }
    for (size_t i = 0; i < N_WALLS; i++) {
        if (without & walls[i].bit) {
            json_array_append_new(json_object_get(config, "without"), json_string(walls[i].name));
        }
    }
    enum it_status status = add_filters(config, !(without & IT_WALL_SECCOMP));
    if (status == IT_OK) {
        char *text = json_dumps(config, JSON_COMPACT);
        *config_out = it_strdup(text);
        free(text);
    }
    json_decref(config);
    return status;
}

static char *make_source(void)
{
    struct it_str source = {0};
    it_str_puts(&source, it_embedded_find("grade/lockdown.py", NULL));
    it_str_puts(&source, it_embedded_find("grade/zygote.py", NULL));
    return it_str_take(&source);
}

static const char *find_python(const char *asked)
{
    static const char *const known[] = {
#ifdef IT_PYTHON
        IT_PYTHON,
#endif
        "/usr/bin/python3", "/usr/local/bin/python3"};
    if (asked) { return asked; }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (access(known[i], X_OK) == 0) { return known[i]; }
    }
    return NULL;
}

/* ---- opening ---- */

static void name_tier(struct it_sandbox *s)
{
    const struct it_sandbox_walls *w = &s->reached;
    struct it_str text = {0};
    if (w->n_namespaces > 0) { it_str_puts(&text, "namespaces + "); }
    if (w->root) { it_str_puts(&text, "own root + "); }
    if (w->landlock > 0) { it_str_printf(&text, "landlock %d + ", w->landlock); }
    if (w->seccomp) { it_str_puts(&text, "seccomp + "); }
    if (w->cgroup) { it_str_puts(&text, "cgroup + "); }
    it_str_printf(&text, "rlimits%s", w->files ? "" : ", no files");
    snprintf(s->tier, sizeof s->tier, "%s", it_str_c(&text));
    it_str_free(&text);
}

static const char *why_no_seccomp(unsigned without)
{
#ifdef HAVE_SECCOMP
    return without & IT_WALL_SECCOMP ? "was left out" : "this kernel refuses";
#else
    (void)without;
    return "needs libseccomp at build time (Debian: libseccomp-dev)";
#endif
}

/* A program whose result is known, through the whole machinery: an interpreter that cannot do it
 * must not give verdicts. */
static enum it_status probe(struct it_sandbox_worker *worker, const char *python)
{
    static const char program[] = "print(6 * int(input()))";
    const struct it_sandbox_job job = {.program = program, .program_size = strlen(program),
                                       .input = "7\n", .input_size = 2, .limits = {.wall_s = 30}};
    struct it_sandbox_result result;
    bool hit_wall, lost;
    IT_TRY(it_worker_run(worker, &job, &result, &hit_wall, &lost));
    bool right = !lost && strcmp(result.out, "42\n") == 0;
    enum it_status status = IT_OK;
    if (!right) {
        status = it_fail(IT_UNSUPPORTED, "sandbox: %s cannot run a small program behind these "
                         "walls: %s", python, lost ? "its interpreter died" : result.err);
    }
    if (!lost) { it_sandbox_result_free(&result); }
    return status;
}

/* The tier is promised once: a worker behind fewer walls than the first runs nothing. */
static enum it_status same_walls(const struct it_sandbox_walls *first,
                                 const struct it_sandbox_walls *now)
{
    if (now->root == first->root && now->files == first->files &&
        now->seccomp == first->seccomp && now->cgroup == first->cgroup &&
        now->landlock == first->landlock && now->n_namespaces == first->n_namespaces) {
        return IT_OK;
    }
    return it_fail(IT_UNSUPPORTED, "sandbox: an interpreter did not reach the tier of the first; "
                   "is a limit on namespaces or cgroups used up?");
}

static enum it_status start_workers(struct it_sandbox *s, const struct it_sandbox_options *options)
{
    struct it_sandbox_walls reached;
    for (int64_t i = 0; i < s->n; i++) { IT_TRY(it_worker_start(&s->setup, &s->worker[i])); }
    for (int64_t i = 0; i < s->n; i++) {
        IT_TRY(it_worker_meet(&s->setup, &s->worker[i], &reached));
        if (i == 0) { s->reached = reached; }
        IT_TRY(same_walls(&s->reached, &reached));
        if (!reached.seccomp && !options->unsafe) {
            return it_fail(IT_UNSUPPORTED, "sandbox: programs are not run without seccomp, which "
                           "%s; --unsafe-no-sandbox runs them with what is left (%s)",
                           why_no_seccomp(options->without),
                           reached.root || reached.landlock ? "files are still closed"
                                                            : "nothing before files");
        }
        IT_TRY(probe(&s->worker[i], s->setup.python));
    }
    name_tier(s);
    return IT_OK;
}

enum it_status it_sandbox_open(const struct it_sandbox_options *options,
                               struct it_sandbox **sandbox_out)
{
    struct it_topology machine;
    const char *python = find_python(options->python);
    if (!python) {
        return it_fail(IT_UNSUPPORTED, "sandbox: no Python 3 under /usr; install python3, or "
                       "configure --with-python=PATH");
    }
    it_topology_read(&machine);
    int64_t n = options->workers > 0 ? options->workers : machine.cores > 0 ? machine.cores : 1;
    struct it_sandbox *s = it_calloc(1, sizeof *s);
    s->n = n < MOST_WORKERS ? n : MOST_WORKERS;
    s->worker = it_calloc((size_t)s->n, sizeof *s->worker);
    for (int64_t i = 0; i < s->n; i++) { s->worker[i].control = -1; }
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->change, NULL);
    s->setup.python = it_strdup(python);
    s->setup.source = make_source();
    enum it_status status = make_config(options->without, &s->setup.config);
    if (status == IT_OK) { status = start_workers(s, options); }
    if (status != IT_OK) {
        it_sandbox_close(s);
        return status;
    }
    *sandbox_out = s;
    return IT_OK;
}

void it_sandbox_close(struct it_sandbox *s)
{
    if (!s) { return; }
    for (int64_t i = 0; i < s->n; i++) { it_worker_hang_up(&s->worker[i]); }
    for (int64_t i = 0; i < s->n; i++) { it_worker_stop(&s->worker[i]); }
    pthread_cond_destroy(&s->change);
    pthread_mutex_destroy(&s->lock);
    it_free(s->worker);
    it_free(s->setup.python);
    it_free(s->setup.source);
    it_free(s->setup.config);
    it_free(s);
}

const char *it_sandbox_tier(const struct it_sandbox *sandbox)
{
    return sandbox->tier;
}

int64_t it_sandbox_workers(const struct it_sandbox *sandbox)
{
    return sandbox->n;
}

/* ---- running ---- */

/* A worker that nobody uses. Jobs that want to be alone go before all others. */
static struct it_sandbox_worker *take_worker(struct it_sandbox *s, bool alone)
{
    struct it_sandbox_worker *worker = NULL;
    pthread_mutex_lock(&s->lock);
    if (alone) {
        s->waiting_alone++;
        while (s->alone || s->running > 0) { pthread_cond_wait(&s->change, &s->lock); }
        s->waiting_alone--;
        s->alone = true;
    } else {
        while (s->alone || s->waiting_alone > 0 || s->running == s->n) {
            pthread_cond_wait(&s->change, &s->lock);
        }
    }
    s->running++;
    for (int64_t i = 0; !worker; i++) {
        if (!s->worker[i].busy) { worker = &s->worker[i]; }
    }
    worker->busy = true;
    pthread_mutex_unlock(&s->lock);
    return worker;
}

static void give_worker(struct it_sandbox *s, struct it_sandbox_worker *worker, bool alone)
{
    pthread_mutex_lock(&s->lock);
    worker->busy = false;
    s->running--;
    if (alone) { s->alone = false; }
    pthread_cond_broadcast(&s->change);
    pthread_mutex_unlock(&s->lock);
}

/* A zygote that died is replaced, and the job is run again; a job that two zygotes die of has
 * killed itself as far as anybody can tell. */
static enum it_status run_on(struct it_sandbox *s, struct it_sandbox_worker *worker,
                             const struct it_sandbox_job *job,
                             struct it_sandbox_result *result_out, bool *hit_wall_out)
{
    struct it_sandbox_walls reached;
    for (int tries = 0; tries < 2; tries++) {
        bool lost;
        if (worker->control < 0) {
            IT_TRY(it_worker_start(&s->setup, worker));
            IT_TRY(it_worker_meet(&s->setup, worker, &reached));
            enum it_status status = same_walls(&s->reached, &reached);
            if (status != IT_OK) {
                it_worker_stop(worker);
                return status;
            }
        }
        IT_TRY(it_worker_run(worker, job, result_out, hit_wall_out, &lost));
        if (!lost) { return IT_OK; }
        it_debug("sandbox: an interpreter died and is replaced");
        it_worker_stop(worker);
    }
    *hit_wall_out = false;
    *result_out = (struct it_sandbox_result){.end = IT_SANDBOX_SIGNAL, .signal_number = 9,
                                             .out = it_strdup(""), .err = it_strdup("")};
    return IT_OK;
}

static enum it_status run_once(struct it_sandbox *s, const struct it_sandbox_job *job, bool alone,
                               struct it_sandbox_result *result_out, bool *hit_wall_out)
{
    struct it_sandbox_worker *worker = take_worker(s, alone);
    enum it_status status = run_on(s, worker, job, result_out, hit_wall_out);
    give_worker(s, worker, alone);
    return status;
}

enum it_status it_sandbox_run(struct it_sandbox *s, const struct it_sandbox_job *job,
                              struct it_sandbox_result *result_out)
{
    bool hit_wall;
    IT_TRY(run_once(s, job, false, result_out, &hit_wall));
    if (!hit_wall || result_out->cpu_s >= 0.5 * result_out->wall_s) { return IT_OK; }
    it_sandbox_result_free(result_out);
    return run_once(s, job, true, result_out, &hit_wall);
}

void it_sandbox_result_free(struct it_sandbox_result *result)
{
    it_free(result->out);
    it_free(result->err);
    for (size_t i = 0; i < result->n_replies; i++) { it_free(result->reply[i]); }
    it_free(result->reply);
    it_free(result->reply_size);
    *result = (struct it_sandbox_result){0};
}

const char *it_sandbox_verdict(const struct it_sandbox_result *result, bool right)
{
    switch (result->end) {
    case IT_SANDBOX_TIME: return "TLE";
    case IT_SANDBOX_MEMORY: return "MLE";
    case IT_SANDBOX_OUTPUT: return "OLE";
    case IT_SANDBOX_SIGNAL: return "RE";
    case IT_SANDBOX_EXIT: break;
    }
    if (result->exit_code != 0) { return "RE"; }
    return right ? "AC" : "WA";
}
