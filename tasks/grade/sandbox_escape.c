/* SPDX-License-Identifier: MIT */
/* Runs the lines of escape.py and looks at what came of it from outside: the output, the verdict, a
 * file and a server of ours that nobody may touch, and whether the sandbox still works. */
#define _GNU_SOURCE
#include "tasks/grade/sandbox_escape.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "tasks/embedded.h"
#include "tasks/grade/sandbox_internal.h"

static const double wall_s = 1;
static const char friendly[] = "print(6 * int(input()))\n";

struct suite {
    struct it_sandbox *sandbox;
    struct it_escapes escapes;
    char **program;        /* [n]; owned */
    char *prelude, *driver;
    char *facts;           /* JSON that each program reads */
    char secret[48];       /* the expected answer, which never enters the sandbox */
    char *folder, *canary; /* a file that holds the secret */
    int server;
    atomic_int_fast64_t next;
    _Atomic enum it_status status;
};

/* ---- escape.py ---- */

/* Sections begin with "#: name | verdicts" lines; "prelude" and "driver" serve the others. */
static void add_section(struct suite *s, char *name, char *text)
{
    char *bar = strstr(name, " | ");
    if (!bar) {
        char **kept = strcmp(name, "prelude") == 0 ? &s->prelude : &s->driver;
        *kept = it_strdup(text);
        return;
    }
    *bar = 0;
    size_t n = s->escapes.n++;
    s->escapes.item = it_realloc(s->escapes.item, (n + 1) * sizeof *s->escapes.item);
    s->program = it_realloc(s->program, (n + 1) * sizeof *s->program);
    s->escapes.item[n] = (struct it_escape){.name = it_strdup(name),
                                            .allowed = it_strdup(bar + 3)};
    struct it_str program = {0};
    if (!it_starts_with(name, "driver")) { it_str_puts(&program, s->prelude); }
    it_str_puts(&program, text);
    s->program[n] = it_str_take(&program);
}

static void read_sections(struct suite *s)
{
    char *text = it_strdup(it_embedded_find("grade/escape.py", NULL));
    char *at = strstr(text, "\n#: ");
    while (at) {
        char *name = at + 4, *end = strchr(name, '\n'), *next;
        if (!end) { break; }
        next = strstr(end, "\n#: ");
        *end = 0;
        if (next) { *next = 0; }
        add_section(s, name, end + 1);
        at = next;
    }
    it_free(text);
}

/* ---- what the programs are tempted with ---- */

static enum it_status open_server(struct suite *s, int *port_out)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    s->server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->server < 0 || bind(s->server, (struct sockaddr *)&address, size) != 0 ||
        listen(s->server, 8) != 0 ||
        getsockname(s->server, (struct sockaddr *)&address, &size) != 0) {
        return it_fail(IT_IO, "escape suite: no server on 127.0.0.1: %s", strerror(errno));
    }
    *port_out = ntohs(address.sin_port);
    return IT_OK;
}

static enum it_status tempt(struct suite *s)
{
    const char *parent = getenv("TMPDIR"), *home = getenv("HOME");
    unsigned long long random[2];
    int port = 0;
    if (getrandom(random, sizeof random, 0) != sizeof random) {
        return it_fail(IT_IO, "escape suite: no random numbers");
    }
    snprintf(s->secret, sizeof s->secret, "secret-%016llx%016llx", random[0], random[1]);
    char *folder = it_path_join(parent && *parent ? parent : "/tmp", "intuitor-canary-XXXXXX");
    if (!mkdtemp(folder)) {
        enum it_status status = it_fail(IT_IO, "escape suite: %s: %s", folder, strerror(errno));
        it_free(folder);
        return status;
    }
    s->folder = folder;
    s->canary = it_path_join(folder, "canary");
    IT_TRY(it_file_write(s->canary, s->secret, strlen(s->secret)));
    IT_TRY(open_server(s, &port));
    json_t *facts = json_pack("{s:i, s:i, s:s, s:s}", "pid", (int)getpid(), "port", port, "canary",
                              s->canary, "home", home && *home ? home : "/root");
    char *text = facts ? json_dumps(facts, JSON_COMPACT) : NULL;
    json_decref(facts);
    if (!text) { return it_fail(IT_IO, "escape suite: HOME or TMPDIR is not valid UTF-8"); }
    s->facts = it_strdup(text);
    free(text);
    return IT_OK;
}

/* ---- one line ---- */

static bool touched(const struct suite *s)
{
    struct it_str text = {0};
    struct it_strs names = {0};
    bool same = it_file_read(s->canary, &text) == IT_OK &&
                strcmp(it_str_c(&text), s->secret) == 0 &&
                it_dir_list(s->folder, &names) == IT_OK && names.n == 1;
    it_str_free(&text);
    it_strs_free(&names);
    return !same;
}

static bool connected(const struct suite *s)
{
    int visitor = accept4(s->server, NULL, NULL, SOCK_CLOEXEC);
    if (visitor >= 0) { close(visitor); }
    return visitor >= 0;
}

static bool holds(const char *bytes, size_t size, const char *word)
{
    return size > 0 && memmem(bytes, size, word, strlen(word));
}

/* NULL, or what is wrong with the messages of a driver. */
static const char *judge_replies(const struct suite *s, const struct it_sandbox_result *r)
{
    for (size_t i = 0; i < r->n_replies; i++) {
        if (holds(r->reply[i], r->reply_size[i], s->secret)) { return "the answer was found"; }
        if (holds(r->reply[i], r->reply_size[i], "forged")) { return "a reply was forged"; }
    }
    return r->n_replies > 1 ? "a reply was added" : NULL;
}

static bool friend_lives(const struct suite *s)
{
    const struct it_sandbox_job job = {.program = friendly, .program_size = strlen(friendly),
                                       .input = "7\n", .input_size = 2};
    struct it_sandbox_result result;
    if (it_sandbox_run(s->sandbox, &job, &result) != IT_OK) { return false; }
    bool lives = result.end == IT_SANDBOX_EXIT && strcmp(result.out, "42\n") == 0;
    it_sandbox_result_free(&result);
    return lives;
}

static char *judge(const struct suite *s, const struct it_escape *e, bool driven,
                   const struct it_sandbox_result *r)
{
    const char *cheat = judge_replies(s, r);
    struct it_str what = {0};
    if (holds(r->out, r->out_size, "ESCAPED") || strstr(r->err, "ESCAPED")) {
        it_str_printf(&what, "%.400s", holds(r->out, r->out_size, "ESCAPED") ? r->out : r->err);
    } else if (holds(r->out, r->out_size, s->secret) || strstr(r->err, s->secret)) {
        it_str_puts(&what, "the file of the grader was read");
    } else if (driven && cheat) {
        it_str_puts(&what, cheat);
    } else if (!strstr(e->allowed, e->verdict)) {
        it_str_printf(&what, "the verdict is %s; %.200s %.1000s", e->verdict, r->out, r->err);
    } else if (touched(s)) {
        it_str_puts(&what, "the file of the grader was changed");
    } else if (connected(s)) {
        it_str_puts(&what, "the server of the grader was reached");
    } else if (r->wall_s > 3 * wall_s) {
        it_str_printf(&what, "it lived for %.1f s", r->wall_s);
    } else if (!friend_lives(s)) {
        it_str_puts(&what, "the sandbox does not work any more");
    }
    return what.data;
}

static enum it_status run_line(struct suite *s, size_t index)
{
    struct it_escape *e = &s->escapes.item[index];
    bool driven = it_starts_with(e->name, "driver");
    const struct it_sandbox_job job = {
        .program = s->program[index], .program_size = strlen(s->program[index]),
        .input = s->facts, .input_size = strlen(s->facts),
        .driver = driven ? s->driver : NULL,
        .limits = {.wall_s = wall_s, .memory_bytes = 256 << 20}};
    struct it_sandbox_result result;
    double start = it_now();
    IT_TRY(it_sandbox_run(s->sandbox, &job, &result));
    e->seconds = it_now() - start;
    bool right = driven ? result.n_replies == 1 : strcmp(result.out, "held\n") == 0;
    e->verdict = it_sandbox_verdict(&result, right);
    e->what = judge(s, e, driven, &result);
    e->held = e->what == NULL;
    it_sandbox_result_free(&result);
    return IT_OK;
}

static void *work(void *context)
{
    struct suite *s = context;
    for (;;) {
        size_t index = (size_t)atomic_fetch_add(&s->next, 1);
        if (index >= s->escapes.n) { return NULL; }
        enum it_status status = run_line(s, index);
        if (status != IT_OK) {
            s->status = status;
            s->next = (int64_t)s->escapes.n; /* the others stop, too */
        }
    }
}

/* ---- all of them ---- */

void it_sandbox_crowd(void *(*crowd_work)(void *), void *context, int64_t threads,
                      const atomic_int_fast64_t *next, int64_t total, const char *what)
{
    pthread_t thread[64];
    struct it_progress progress = {0};
    int64_t n = threads < 64 ? threads : 64, started = 0;
    it_progress_begin(&progress, what, "programs", total);
    while (started < n && pthread_create(&thread[started], NULL, crowd_work, context) == 0) {
        started++;
    }
    if (started == 0) { crowd_work(context); }
    for (int64_t at = 0; at < total && started > 0 && !it_interrupted();) {
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        at = *next;
        it_progress_set(&progress, at < total ? at : total);
    }
    for (int64_t i = 0; i < started; i++) { pthread_join(thread[i], NULL); }
    it_progress_end(&progress);
}

static void end(struct suite *s)
{
    if (s->server >= 0) { close(s->server); }
    if (s->folder) { it_dir_remove(s->folder); }
    for (size_t i = 0; i < s->escapes.n; i++) { it_free(s->program[i]); }
    it_free(s->program);
    it_free(s->prelude);
    it_free(s->driver);
    it_free(s->facts);
    it_free(s->folder);
    it_free(s->canary);
}

enum it_status it_sandbox_escape(struct it_sandbox *sandbox, struct it_escapes *escapes_out)
{
    struct suite s = {.sandbox = sandbox, .server = -1, .status = IT_OK};
    read_sections(&s);
    enum it_status status = tempt(&s);
    if (status == IT_OK) {
        it_sandbox_crowd(work, &s, it_sandbox_workers(sandbox), &s.next, (int64_t)s.escapes.n,
                         "escape suite");
        status = s.status;
    }
    end(&s);
    if (status != IT_OK) {
        it_escapes_free(&s.escapes);
        return status;
    }
    for (size_t i = 0; i < s.escapes.n; i++) { s.escapes.n_escaped += !s.escapes.item[i].held; }
    *escapes_out = s.escapes;
    return IT_OK;
}

void it_escapes_free(struct it_escapes *escapes)
{
    for (size_t i = 0; i < escapes->n; i++) {
        it_free(escapes->item[i].name);
        it_free(escapes->item[i].allowed);
        it_free(escapes->item[i].what);
    }
    it_free(escapes->item);
    *escapes = (struct it_escapes){0};
}
