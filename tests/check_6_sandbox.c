/* SPDX-License-Identifier: MIT */
/* The sandbox from outside: verdicts, limits, replies, walls of each tier, and what is left behind.
 * Programs that try to get out are in check_6_escape.c. */
#include <check.h>
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "core/base/clock.h"
#include "tasks/grade/sandbox.h"
#include "tests/scratch.h"

static struct it_sandbox *box; /* the usual one, of two workers */

static struct it_sandbox *open_box(int64_t workers, unsigned without)
{
    const struct it_sandbox_options options = {.workers = workers, .without = without};
    struct it_sandbox *opened;
    ck_assert_int_eq(it_sandbox_open(&options, &opened), IT_OK);
    return opened;
}

static void setup(void)
{
    box = open_box(2, 0);
}

static void teardown(void)
{
    it_sandbox_close(box);
}

/* On a machine with much else to do: what only a hang would reach. */
enum { PATIENCE_S = 60, TEST_S = 300 };

static struct it_sandbox_job plain(const char *program, const char *input)
{
    return (struct it_sandbox_job){.program = program, .program_size = strlen(program),
                                   .input = input, .input_size = strlen(input),
                                   .limits = {.wall_s = PATIENCE_S}};
}

static struct it_sandbox_result run_job(struct it_sandbox *where, const struct it_sandbox_job *job)
{
    struct it_sandbox_result result;
    ck_assert_int_eq(it_sandbox_run(where, job, &result), IT_OK);
    return result;
}

static struct it_sandbox_result run_text(const char *program, const char *input)
{
    const struct it_sandbox_job job = plain(program, input);
    return run_job(box, &job);
}

/* ---- verdicts ---- */

static const struct {
    const char *program, *input, *out, *verdict;
} cases[] = {
    {"print(sum(map(int, input().split())))", "3 4\n", "7\n", "AC"},
    {"print(8)", "", "7\n", "WA"},
    {"import sys\nfor line in sys.stdin: print(line.strip()[::-1])", "ab\ncd", "ba\ndc\n", "AC"},
    {"import sys\nsys.stdout.buffer.write(sys.stdin.buffer.read())", "\xff\n", "\xff\n", "AC"},
    {"print(open(0).read(), end='')", "x\ny", "x\ny", "AC"},
    {"print(open('/dev/stdin').read(), end='')", "x\ny", "x\ny", "AC"},
    {"if __name__ == '__main__': print(1)", "", "1\n", "AC"},
    {"import sys\nprint(1)\nsys.exit()", "", "1\n", "AC"},
    {"import sys\nprint(1)\nsys.exit(3)", "", "1\n", "RE"},
    {"raise SystemExit('no')", "", "", "RE"},
    {"1/0", "", "", "RE"},
    {"def f(:", "", "", "RE"},
    {"print(1)\n\x80", "", "", "RE"},
    {"# coding: utf-8\nprint('\xc3\xa9')", "", "\xc3\xa9\n", "AC"},
    {"from __future__ import annotations\nprint(1)", "", "1\n", "AC"},
    {"quit()", "", "", "AC"},
    {"import threading\nthreading.Thread(target=lambda: print(5)).start()", "", "5\n", "AC"},
    {"import atexit\natexit.register(print, 'end')", "", "end\n", "AC"},
    {"import asyncio\nprint(asyncio.run(asyncio.sleep(0, 5)))", "", "5\n", "AC"},
    {"open('f', 'w').write('x' * 9)\nprint(len(open('f').read()))", "", "9\n", "AC"},
    {"import os\nprint(os.listdir('.'))", "", "[]\n", "AC"},
    {"import sys\nsys.setrecursionlimit(10**6)\ndef f(n): return n and f(n - 1) + 1\n"
     "print(f(50000))", "", "50000\n", "AC"},
    {"print({'b', 'a', 'c'} == set('abc'), hash('a'))", "", NULL, "AC"},
    {"x = 'a' * (1 << 34)", "", "", "MLE"},
    {"import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "", "", "RE"},
    {"import os\nos.abort()", "", "", "RE"},
    {"while True: print('x' * 1000000)", "", NULL, "OLE"},
};

START_TEST(verdicts)
{
    struct it_sandbox_result r = run_text(cases[_i].program, cases[_i].input);
    bool right = !cases[_i].out || strcmp(r.out, cases[_i].out) == 0;
    ck_assert_msg(strcmp(it_sandbox_verdict(&r, right), cases[_i].verdict) == 0,
                  "%s: %s, expected %s; out %.200s err %s", cases[_i].program,
                  it_sandbox_verdict(&r, right), cases[_i].verdict, r.out, r.err);
    it_sandbox_result_free(&r);
}
END_TEST

START_TEST(details)
{
    struct it_sandbox_result r = run_text("import sys\nsys.stderr.write('y' * 9999 + 'z')", "");
    ck_assert_uint_eq(strlen(r.err), 4096);
    ck_assert_str_eq(r.err + 4090, "yyyyyz");
    ck_assert_int_gt(r.peak_bytes, 1 << 20);
    ck_assert(r.wall_s > 0 && r.cpu_s > 0);
    it_sandbox_result_free(&r);
    r = run_text("import os\nos._exit(7)", "");
    ck_assert_int_eq(r.end, IT_SANDBOX_EXIT);
    ck_assert_int_eq(r.exit_code, 7);
    it_sandbox_result_free(&r);
    r = run_text("import os\nos.abort()", "");
    ck_assert_int_eq(r.end, IT_SANDBOX_SIGNAL);
    ck_assert_int_eq(r.signal_number, SIGABRT);
    it_sandbox_result_free(&r);
    r = run_text("import os\nos.write(1, b'a\\0b')", "");
    ck_assert_uint_eq(r.out_size, 3);
    ck_assert_mem_eq(r.out, "a\0b", 4);
    it_sandbox_result_free(&r);
    r = run_text("1 / 0", "");
    ck_assert_msg(!strstr(r.err, "zygote"), "%s", r.err);
    it_sandbox_result_free(&r);
}
END_TEST

START_TEST(megabytes)
{
    enum { SIZE = 8 << 20 };
    char *input = it_alloc(SIZE);
    for (size_t i = 0; i < SIZE; i++) { input[i] = (char)(i * 7); }
    struct it_sandbox_job job = plain("import sys\ndata = sys.stdin.buffer.read()\n"
                                      "sys.stdout.buffer.write(data)", "");
    job.input = input;
    job.input_size = SIZE;
    struct it_sandbox_result r = run_job(box, &job);
    ck_assert_uint_eq(r.out_size, SIZE);
    ck_assert_mem_eq(r.out, input, SIZE);
    it_sandbox_result_free(&r);
    it_free(input);
}
END_TEST

/* ---- limits ---- */

static const char *limited(const char *program, struct it_sandbox_limits limits)
{
    struct it_sandbox_job job = plain(program, "");
    job.limits = limits;
    if (limits.wall_s <= 0) { job.limits.wall_s = PATIENCE_S; }
    struct it_sandbox_result r = run_job(box, &job);
    const char *verdict = it_sandbox_verdict(&r, strcmp(r.out, "ok\n") == 0);
    it_sandbox_result_free(&r);
    return verdict;
}

START_TEST(limits)
{
    typedef struct it_sandbox_limits limit;
    static const char big[] = "x = bytearray(300 << 20)\nprint('ok')";
    static const char busy[] = "while True:\n  try:\n    while True: pass\n"
                               "  except BaseException: pass";
    ck_assert_str_eq(limited(big, (limit){0}), "AC");
    ck_assert_str_eq(limited(big, (limit){.memory_bytes = 256 << 20}), "MLE");
    ck_assert_str_eq(limited(busy, (limit){.wall_s = 0.3}), "TLE");
    ck_assert_str_eq(limited(busy, (limit){.cpu_s = 1}), "TLE");
    ck_assert_str_eq(limited("import time\ntime.sleep(9)", (limit){.wall_s = 0.2}), "TLE");
    ck_assert_str_eq(limited("print('o' * 999)", (limit){.output_bytes = 999}), "OLE");
    ck_assert_str_eq(limited("print('o' * 998)", (limit){.output_bytes = 999}), "WA");
    ck_assert_str_eq(limited("open('f', 'w')\nprint('ok')", (limit){0}), "AC");
    ck_assert_str_eq(limited("with open('f', 'w') as f: f.write('x')\nprint('ok')",
                             (limit){.file_bytes = -1}), "RE");
    ck_assert_str_eq(limited("with open('f', 'w') as f: f.write('x' * 2000)\nprint('ok')",
                             (limit){.file_bytes = 1000}), "RE");
    static const char threads[] =
        "import threading\ngo = threading.Event()\n"
        "all = [threading.Thread(target=go.wait, daemon=True) for _ in range(20)]\n"
        "for t in all: t.start()\n"
        "go.set()\nprint('ok')";
    ck_assert_str_eq(limited(threads, (limit){0}), "AC");
    ck_assert_str_eq(limited(threads, (limit){.threads = 4}), "RE");
}
END_TEST

/* ---- drivers ---- */

START_TEST(driver)
{
    struct it_sandbox_job job = plain("def f(x): return x * 2", "21\0!");
    job.input_size = 4;
    job.driver = "names = {}\nexec(program, names)\n"
                 "reply(repr(names['f'](21)).encode())\nreply(input)\nreply(b'')\n"
                 "print('out')\nassert isinstance(program, bytes)\n";
    struct it_sandbox_result r = run_job(box, &job);
    ck_assert_msg(r.n_replies == 3, "%s", r.err);
    ck_assert_str_eq(r.reply[0], "42");
    ck_assert_uint_eq(r.reply_size[1], 4);
    ck_assert_mem_eq(r.reply[1], "21\0!", 5);
    ck_assert_uint_eq(r.reply_size[2], 0);
    ck_assert_str_eq(r.out, "out\n");
    ck_assert_str_eq(it_sandbox_verdict(&r, true), "AC");
    it_sandbox_result_free(&r);
    job.driver = "reply(b'x' * (1 << 22))\nreply(b'after')";
    r = run_job(box, &job);
    ck_assert_uint_eq(r.n_replies, 2);
    ck_assert_uint_eq(r.reply_size[0], 1 << 22);
    it_sandbox_result_free(&r);
    job.limits.output_bytes = 1 << 20;
    r = run_job(box, &job);
    ck_assert_int_eq(r.end, IT_SANDBOX_OUTPUT);
    it_sandbox_result_free(&r);
}
END_TEST

START_TEST(forged)
{
    struct it_sandbox_job job = plain("", "");
    job.driver = "import os\nos.write(3, b'R' * 37)\n"
                 "os.write(3, os.urandom(16) + b'R\\1\\0\\0\\0x')\n"
                 "reply(b'true')\nos.write(3, b'tail')";
    struct it_sandbox_result r = run_job(box, &job);
    ck_assert_uint_eq(r.n_replies, 1);
    ck_assert_str_eq(r.reply[0], "true");
    it_sandbox_result_free(&r);
}
END_TEST

/* ---- walls of each tier: what holds in all of them ---- */

static const char attempts[] =
    "import os\n"
    "def refused(f):\n"
    "  try: f()\n"
    "  except OSError: return True\n"
    "import socket\n"
    "tries = [os.fork, socket.socket, lambda: open('/etc/passwd'), lambda: os.kill(1, 0),\n"
    "         lambda: os.listdir('/home'), lambda: open('/usr/lib/it-x', 'w'),\n"
    "         lambda: os.listdir('/proc/1'), lambda: os.execv('/bin/sh', ['sh']),\n"
    "         lambda: os.kill(os.getppid(), 0)]\n"
    "print(all([refused(t) for t in tries]))\n";

START_TEST(tiers)
{
    static const unsigned without[] = {0, IT_WALL_NAMESPACES, IT_WALL_LANDLOCK,
                                       IT_WALL_NAMESPACES | IT_WALL_LANDLOCK};
    struct it_sandbox *tier = open_box(1, without[_i]);
    const struct it_sandbox_job job = plain(attempts, "");
    ck_assert_ptr_nonnull(strstr(it_sandbox_tier(tier), "seccomp"));
    if (without[_i] & IT_WALL_LANDLOCK) {
        ck_assert_ptr_null(strstr(it_sandbox_tier(tier), "landlock"));
    }
    struct it_sandbox_result r = run_job(tier, &job);
    ck_assert_msg(strcmp(r.out, "True\n") == 0, "%s: %s%s", it_sandbox_tier(tier), r.out, r.err);
    it_sandbox_result_free(&r);
    it_sandbox_close(tier);
}
END_TEST

START_TEST(refusals)
{
    struct it_sandbox *closed = NULL;
    struct it_sandbox_options options = {.workers = 1, .without = IT_WALL_SECCOMP};
    scratch_begin();
    ck_assert_fails(it_sandbox_open(&options, &closed), IT_UNSUPPORTED, "not run without seccomp");
    options = (struct it_sandbox_options){.workers = 1, .python = "/nonexistent/python"};
    ck_assert_fails(it_sandbox_open(&options, &closed), IT_UNSUPPORTED, "/nonexistent/python");
    options.python = "/bin/true";
    ck_assert_fails(it_sandbox_open(&options, &closed), IT_UNSUPPORTED, "/bin/true");
    options = (struct it_sandbox_options){.workers = 1, .without = IT_WALL_SECCOMP,
                                          .unsafe = true};
    ck_assert_int_eq(it_sandbox_open(&options, &closed), IT_OK);
    ck_assert_ptr_null(strstr(it_sandbox_tier(closed), "seccomp"));
    it_sandbox_close(closed);
    it_sandbox_close(NULL);
    ck_assert_uint_eq(it_sandbox_wall("landlock"), IT_WALL_LANDLOCK);
    ck_assert_uint_eq(it_sandbox_wall("moat"), 0);
    scratch_end();
}
END_TEST

/* ---- many at once ---- */

enum { THREADS = 8, ROUNDS = 16 };

/* Programs that differ in what they need, so that a mix-up of workers would show. */
static void *hammer(void *context)
{
    int64_t wrong = 0, me = (int64_t)(intptr_t)context;
    for (int64_t i = 0; i < ROUNDS; i++) {
        char program[160], expected[32];
        const char *verdict = i % 4 == 3 ? "RE" : i % 4 == 2 ? "MLE" : "AC";
        snprintf(program, sizeof program, "print(%lld)\n%s", (long long)(me * 1000 + i),
                 i % 4 == 3 ? "1/0" : i % 4 == 2 ? "x = bytearray(1 << 40)" : "");
        snprintf(expected, sizeof expected, "%lld\n", (long long)(me * 1000 + i));
        struct it_sandbox_job job = plain(program, "");
        struct it_sandbox_result r;
        if (it_sandbox_run(box, &job, &r) != IT_OK) { return (void *)-1; }
        wrong += strcmp(r.out, expected) != 0 ||
                 strcmp(it_sandbox_verdict(&r, true), verdict) != 0;
        it_sandbox_result_free(&r);
    }
    return (void *)(intptr_t)wrong;
}

START_TEST(parallel)
{
    pthread_t thread[THREADS];
    for (intptr_t i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&thread[i], NULL, hammer, (void *)i), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *wrong;
        pthread_join(thread[i], &wrong);
        ck_assert_ptr_null(wrong);
    }
}
END_TEST

/* ---- what is left behind ---- */

static int entries(const char *folder, const char *prefix)
{
    DIR *open = opendir(folder);
    int n = 0;
    for (const struct dirent *entry; open && (entry = readdir(open));) {
        n += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
    }
    if (open) { closedir(open); }
    return n;
}

/* Processes whose parent is `parent`; those found are written to `found` up to `most`. */
static int children(pid_t parent, pid_t *found, int most)
{
    DIR *proc = opendir("/proc");
    int n = 0;
    for (const struct dirent *entry; (entry = readdir(proc));) {
        char path[300], line[512] = "";
        int its_parent = 0;
        snprintf(path, sizeof path, "/proc/%.200s/stat", entry->d_name);
        FILE *stream = entry->d_name[0] >= '0' && entry->d_name[0] <= '9' ? fopen(path, "r") : NULL;
        if (!stream) { continue; }
        const char *end = fgets(line, sizeof line, stream) ? strrchr(line, ')') : NULL;
        if (end && sscanf(end + 1, " %*c %d", &its_parent) == 1 && its_parent == parent &&
            n < most) {
            found[n++] = (pid_t)atoi(entry->d_name);
        }
        fclose(stream);
    }
    closedir(proc);
    return n;
}

START_TEST(leaks)
{
    static const char litter[] =
        "import os\n"
        "for i in range(20): open('f%d' % i, 'w').write('x')\n"
        "try:\n os.mkdir('d'); os.symlink('/etc', 'd/s'); os.chmod('d', 0)\nexcept OSError: pass\n"
        "os.kill(os.getpid(), 9)\n";
    pid_t found[8];
    struct it_sandbox_result r = run_text(litter, "");
    it_sandbox_result_free(&r);
    int files = entries("/proc/self/fd", "");
    for (int i = 0; i < 100; i++) {
        r = run_text(i % 2 ? litter : "import os\nprint(os.listdir('.'))", "");
        if (i % 2 == 0) { ck_assert_str_eq(r.out, "[]\n"); }
        it_sandbox_result_free(&r);
    }
    ck_assert_int_eq(entries("/proc/self/fd", ""), files);
    ck_assert_int_eq(children(getpid(), found, 8), 2);
    for (int guard = 0; guard < 2; guard++) {
        pid_t zygote[8], job[8];
        ck_assert_int_eq(children(found[guard], zygote, 8), 1);
        ck_assert_int_eq(children(zygote[0], job, 8), 0);
    }
}
END_TEST

START_TEST(folders)
{
    scratch_begin();
    setenv("TMPDIR", scratch, 1);
    struct it_sandbox *here = open_box(2, _i ? IT_WALL_NAMESPACES : 0);
    ck_assert_int_eq(entries(scratch, "intuitor-"), 2);
    struct it_sandbox_job job = plain("open('left', 'w').write('x')\nimport os\nos._exit(0)", "");
    struct it_sandbox_result r = run_job(here, &job);
    it_sandbox_result_free(&r);
    it_sandbox_close(here);
    ck_assert_int_eq(entries(scratch, "intuitor-"), 0);
    unsetenv("TMPDIR");
    scratch_end();
}
END_TEST

static bool vanished(const pid_t *process, int n)
{
    for (double end = it_now() + PATIENCE_S; it_now() < end;) {
        int left = 0;
        for (int i = 0; i < n; i++) { left += kill(process[i], 0) == 0; }
        if (left == 0) { return true; }
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    return false;
}

/* An interpreter that is killed is replaced, whichever of the two processes it was. */
START_TEST(replaced)
{
    struct it_sandbox *one = open_box(1, 0);
    for (int which = 0; which < 2; which++) {
        pid_t found[4];
        int n = children(getpid(), found, 4);
        pid_t victim = 0;
        for (int i = 0; i < n; i++) { victim = found[i] > victim ? found[i] : victim; }
        if (which == 1) { ck_assert_int_eq(children(victim, &victim, 1), 1); }
        ck_assert_int_eq(kill(victim, SIGKILL), 0);
        const struct it_sandbox_job job = plain("print(6 * 7)", "");
        struct it_sandbox_result r = run_job(one, &job);
        ck_assert_str_eq(r.out, "42\n");
        it_sandbox_result_free(&r);
    }
    it_sandbox_close(one);
}
END_TEST

/* A grader that is killed takes everything with it, running jobs included. */
START_TEST(orphans)
{
    int ready[2];
    ck_assert_int_eq(pipe(ready), 0);
    pid_t grader = fork();
    if (grader == 0) {
        struct it_sandbox *own = open_box(1, 0);
        struct it_sandbox_result r;
        const struct it_sandbox_job job = plain("import time\ntime.sleep(60)", "");
        if (write(ready[1], "x", 1) == 1) { it_sandbox_run(own, &job, &r); }
        _exit(0);
    }
    char byte;
    pid_t process[3];
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    ck_assert_int_eq(children(grader, &process[0], 1), 1);
    ck_assert_int_eq(children(process[0], &process[1], 1), 1);
    for (double end = it_now() + PATIENCE_S; children(process[1], &process[2], 1) == 0;) {
        ck_assert(it_now() < end); /* the job is on its way */
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    kill(grader, SIGKILL);
    waitpid(grader, NULL, 0);
    ck_assert(vanished(process, 3));
    close(ready[0]);
    close(ready[1]);
}
END_TEST

START_TEST(interrupted)
{
    pid_t grader = fork();
    if (grader == 0) {
        struct it_sandbox_result r;
        const struct it_sandbox_job job = plain("import time\ntime.sleep(60)", "");
        struct it_sandbox *own = open_box(1, 0);
        it_interrupt_install();
        raise(SIGINT);
        double start = it_now();
        bool right = it_sandbox_run(own, &job, &r) == IT_INTERRUPTED &&
                     it_now() - start < PATIENCE_S / 2;
        it_sandbox_close(own);
        _exit(right ? 0 : 1);
    }
    int status;
    waitpid(grader, &status, 0);
    ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
    const struct it_sandbox_options options = {.workers = 1};
    if (it_sandbox_open(&options, &box) != IT_OK) { return 77; }
    it_sandbox_close(box);
    Suite *suite = suite_create("sandbox");
    TCase *tests = tcase_create("sandbox");
    tcase_set_timeout(tests, TEST_S);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, verdicts, 0, (int)(sizeof cases / sizeof *cases));
    tcase_add_test(tests, details);
    tcase_add_test(tests, megabytes);
    tcase_add_test(tests, limits);
    tcase_add_test(tests, driver);
    tcase_add_test(tests, forged);
    tcase_add_test(tests, parallel);
    tcase_add_test(tests, leaks);
    suite_add_tcase(suite, tests);
    TCase *alone = tcase_create("alone");
    tcase_set_timeout(alone, TEST_S);
    tcase_add_loop_test(alone, tiers, 0, 4);
    tcase_add_test(alone, refusals);
    tcase_add_loop_test(alone, folders, 0, 2);
    tcase_add_test(alone, replaced);
    tcase_add_test(alone, orphans);
    tcase_add_test(alone, interrupted);
    suite_add_tcase(suite, alone);
    return scratch_run(suite);
}
