/* SPDX-License-Identifier: MIT */
/* One worker: a Python interpreter started with posix_spawn (sound whatever threads the caller has:
 * nothing of ours runs between fork and exec), which reads zygote.py from its control socket, puts
 * up its walls and says which ones stand. It ends when the socket closes, so it cannot outlive this
 * process, whichever way that ends. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "tasks/grade/sandbox_internal.h"

enum { CONTROL = 3, START_MS = 30000, STOP_MS = 3000 };

/* -s -B: no packages of the user, nothing written beside the sources. Not -I: it would ignore
 * PYTHONHASHSEED, and the order of sets would change from run to run. */
static const char bootstrap[] =
    "import socket\n"
    "control = socket.socket(fileno=3)\n"
    "exec(compile(control.recv(1 << 20), 'zygote.py', 'exec'))\n"
    "begin(control)\n";

static char *const environment[] = {
    (char *)(uintptr_t)"PYTHONHASHSEED=0", (char *)(uintptr_t)"OMP_NUM_THREADS=1",
    (char *)(uintptr_t)"OPENBLAS_NUM_THREADS=1", (char *)(uintptr_t)"LC_ALL=C.UTF-8",
    (char *)(uintptr_t)"MALLOC_ARENA_MAX=1", /* an arena a thread would fill the address space */
    (char *)(uintptr_t)"PATH=/usr/bin:/bin", NULL};

static int spawn_with(const char *python, int socket, posix_spawn_file_actions_t *actions,
                      posix_spawnattr_t *attributes, pid_t *pid_out)
{
    char *const arguments[] = {(char *)(uintptr_t)python, (char *)(uintptr_t)"-s",
                               (char *)(uintptr_t)"-B", (char *)(uintptr_t)"-c",
                               (char *)(uintptr_t)bootstrap, NULL};
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    /* Ctrl-C on the terminal is for this process: the session is another. */
    int error = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
                                                     POSIX_SPAWN_SETSIGDEF);
    if (error == 0) { error = posix_spawnattr_setsigmask(attributes, &none); }
    if (error == 0) { error = posix_spawnattr_setsigdefault(attributes, &all); }
    for (int file = 0; file < CONTROL && error == 0; file++) {
        error = posix_spawn_file_actions_addopen(actions, file, "/dev/null", O_RDWR, 0);
    }
    if (error == 0) { error = posix_spawn_file_actions_adddup2(actions, socket, CONTROL); }
    if (error != 0) { return error; }
    return posix_spawn(pid_out, python, actions, attributes, arguments, environment);
}

static int spawn(const char *python, int socket, pid_t *pid_out)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0) { return error; }
    error = posix_spawnattr_init(&attributes);
    if (error == 0) {
        error = spawn_with(python, socket, &actions, &attributes, pid_out);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* Theirs must be above 3: the lower numbers are opened anew in the child before it is moved to 3,
 * and dup2 onto itself would leave it close-on-exec. */
static enum it_status control_pair(int pair_out[2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair_out) != 0) {
        return it_fail(IT_IO, "sandbox: no socket: %s", strerror(errno));
    }
    if (pair_out[1] <= CONTROL) {
        int moved = fcntl(pair_out[1], F_DUPFD_CLOEXEC, CONTROL + 1);
        close(pair_out[1]);
        pair_out[1] = moved;
        if (moved < 0) {
            close(pair_out[0]);
            return it_fail(IT_IO, "sandbox: no socket: %s", strerror(errno));
        }
    }
    return IT_OK;
}

/* ---- what the zygote says at its start ---- */

static enum it_status heard(const json_t *hello, struct it_sandbox_worker *worker,
                            struct it_sandbox_walls *walls_out)
{
    const char *error = json_string_value(json_object_get(hello, "error"));
    const char *scratch = json_string_value(json_object_get(hello, "scratch"));
    if (error) { return it_fail(IT_UNSUPPORTED, "sandbox: the interpreter says: %s", error); }
    if (!scratch) { return it_fail(IT_UNSUPPORTED, "sandbox: the interpreter's answer is odd"); }
    worker->scratch = it_strdup(scratch);
    *walls_out = (struct it_sandbox_walls){
        .root = json_is_true(json_object_get(hello, "root")),
        .files = json_is_true(json_object_get(hello, "files")),
        .seccomp = json_is_true(json_object_get(hello, "seccomp")),
        .cgroup = json_is_true(json_object_get(hello, "cgroup")),
        .landlock = (int)json_integer_value(json_object_get(hello, "landlock")),
        .n_namespaces = (int)json_array_size(json_object_get(hello, "namespaces")),
    };
    return IT_OK;
}

static enum it_status listen_to(struct it_sandbox_worker *worker, const char *python,
                                struct it_sandbox_walls *walls_out)
{
    char text[8192];
    struct pollfd wait = {.fd = worker->control, .events = POLLIN};
    double end = it_now() + START_MS / 1000.0;
    int ready;
    do {
        ready = poll(&wait, 1, (int)(1000 * (end - it_now())) + 1);
    } while (ready < 0 && errno == EINTR && it_now() < end);
    ssize_t n = ready > 0 ? recv(worker->control, text, sizeof text, 0) : -1;
    if (n <= 0) {
        return it_fail(IT_UNSUPPORTED, "sandbox: %s did not start as a Python 3 interpreter with "
                       "ctypes; name another (configure --with-python=PATH)", python);
    }
    json_t *hello = json_loadb(text, (size_t)n, 0, NULL);
    enum it_status status = heard(hello, worker, walls_out);
    json_decref(hello);
    return status;
}

enum it_status it_worker_start(const struct it_sandbox_setup *setup,
                               struct it_sandbox_worker *worker)
{
    int pair[2];
    IT_TRY(control_pair(pair));
    *worker = (struct it_sandbox_worker){.control = pair[0], .busy = worker->busy};
    int error = spawn(setup->python, pair[1], &worker->guard);
    close(pair[1]);
    if (error != 0) {
        worker->guard = 0;
        it_worker_stop(worker);
        return it_fail(IT_UNSUPPORTED, "sandbox: %s: %s; name a Python 3 (configure "
                       "--with-python=PATH)", setup->python, strerror(error));
    }
    if (send(pair[0], setup->source, strlen(setup->source), MSG_NOSIGNAL) < 0 ||
        send(pair[0], setup->config, strlen(setup->config), MSG_NOSIGNAL) < 0) {
        error = errno;
        it_worker_stop(worker);
        return it_fail(IT_UNSUPPORTED, "sandbox: %s does not listen: %s", setup->python,
                       strerror(error));
    }
    return IT_OK;
}

enum it_status it_worker_meet(const struct it_sandbox_setup *setup,
                              struct it_sandbox_worker *worker,
                              struct it_sandbox_walls *walls_out)
{
    enum it_status status = listen_to(worker, setup->python, walls_out);
    if (status != IT_OK) { it_worker_stop(worker); }
    return status;
}

void it_worker_hang_up(struct it_sandbox_worker *worker)
{
    if (worker->control >= 0) { close(worker->control); }
    worker->control = -1;
}

/* True when the guard is gone (or somebody else has waited for it). */
static bool gone(pid_t guard, int flags)
{
    for (;;) {
        pid_t got = waitpid(guard, NULL, flags);
        if (got >= 0 || errno != EINTR) { return got != 0; }
    }
}

void it_worker_stop(struct it_sandbox_worker *worker)
{
    it_worker_hang_up(worker);
    if (worker->guard > 0) {
        double end = it_now() + STOP_MS / 1000.0;
        bool ended = gone(worker->guard, WNOHANG);
        while (!ended && it_now() < end) {
            nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
            ended = gone(worker->guard, WNOHANG);
        }
        if (!ended) { /* the zygote dies with its guard, a job with its zygote */
            kill(worker->guard, SIGKILL);
            gone(worker->guard, 0);
        }
        worker->guard = 0;
    }
    if (worker->scratch && it_path_exists(worker->scratch)) { it_dir_remove(worker->scratch); }
    it_free(worker->scratch);
    worker->scratch = NULL;
}
