/* SPDX-License-Identifier: MIT */
/* Messages, progress on a terminal and off it, the clock and the request to stop. */
#define _GNU_SOURCE /* posix_openpt and its kin */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "tests/scratch.h"

START_TEST(levels_choose_what_is_said)
{
    static const char *const expected[] = {
        "error: e\n",
        "error: e\nwarning: w\n",
        "error: e\nwarning: w\ni\n",
        "error: e\nwarning: w\ni\ndebug: d\n",
        "error: e\nwarning: w\ni\ndebug: d\ntrace: t\n",
    };
    ck_assert_int_eq(it_log_level(), IT_LOG_INFO);
    it_log_set_level((enum it_log_level)_i);
    capture_begin();
    ck_assert_int_eq(it_fail(IT_GUARD, "%s", "e"), IT_GUARD);
    it_warn("w");
    it_info("i");
    it_debug("d");
    it_trace("t");
    ck_assert_str_eq(capture_end(), expected[_i]);
}
END_TEST

START_TEST(a_message_is_one_line)
{
    char text[5000], line[5100];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    snprintf(line, sizeof line, "error: %s\n", text);
    capture_begin();
    errno = EDOM;
    it_fail(IT_INVALID, "%s", text);
    ck_assert_int_eq(errno, EDOM);
    ck_assert_str_eq(capture_end(), line);
    capture_begin();
    it_fail(IT_INVALID, "key \"%s\"", "a\nb\033[2Jc\xC3\xA9");
    ck_assert_str_eq(capture_end(), "error: key \"a b?[2Jc\xC3\xA9\"\n");
}
END_TEST

static void *say_often(void *argument)
{
    for (int i = 0; i < 500; i++) { it_info("%s", (const char *)argument); }
    return NULL;
}

START_TEST(threads_do_not_mix_their_lines)
{
    pthread_t threads[2];
    capture_begin();
    pthread_create(&threads[0], NULL, say_often, (void *)(uintptr_t) "aaaaaaaaaaaaaaaaaaaa");
    pthread_create(&threads[1], NULL, say_often, (void *)(uintptr_t) "bbbbbbbbbbbbbbbbbbbb");
    for (int i = 0; i < 20; i++) { /* a child of a process that is logging can log */
        pid_t child = fork();
        if (child == 0) {
            it_info("cccccccccccccccccccc");
            _exit(0);
        }
        waitpid(child, NULL, 0);
    }
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    const char *said = capture_end();
    size_t lines = 0;
    for (; *said; said += 21, lines++) {
        ck_assert_msg(said[0] >= 'a' && said[0] <= 'c', "found \"%.200s\"", said);
        for (int i = 1; i < 20; i++) { ck_assert_int_eq(said[i], said[0]); }
        ck_assert_int_eq(said[20], '\n');
    }
    ck_assert_uint_eq(lines, 1020);
}
END_TEST

/* As if the work had begun `seconds` ago. */
static void age(struct it_progress *progress, double seconds)
{
    progress->start -= seconds;
    progress->drawn -= seconds;
}

START_TEST(progress_off_a_terminal_is_plain_lines)
{
    struct it_progress p, nested;
    capture_begin();
    it_progress_begin(&p, "rollout", "tokens", 1000);
    it_progress_set(&p, 10); /* too early */
    age(&p, 5);
    it_progress_set(&p, 20); /* no ten seconds yet */
    age(&p, 5);
    it_progress_begin(&nested, "inner", "things", 5);
    age(&nested, 60);
    it_progress_set(&nested, 3);
    it_progress_end(&nested);
    it_progress_set(&p, 100);
    it_progress_set(&p, 101); /* just said */
    it_info("between");
    it_progress_end(&p);
    const char *said = capture_end();
    ck_assert_str_eq(said, "rollout 100/1000 tokens, 10 %, 10 tokens/s, 1:30 left\nbetween\n");
    capture_begin();
    it_progress_begin(&p, "read", "bytes", 0);
    age(&p, 4000);
    it_progress_set(&p, 8000);
    it_progress_end(&p);
    it_progress_begin(&p, "slow", "steps", 10);
    age(&p, 4000);
    it_progress_set(&p, 1);
    it_progress_end(&p);
    said = capture_end();
    ck_assert_str_eq(said, "read 8000 bytes, 2 bytes/s\n"
                           "slow 1/10 steps, 10 %, 0.00025 steps/s, 10:00:00 left\n");
    it_log_set_level(IT_LOG_WARN);
    capture_begin();
    it_progress_begin(&p, "quiet", "steps", 10);
    age(&p, 4000);
    it_progress_set(&p, 1);
    it_progress_end(&p);
    ck_assert_str_eq(capture_end(), "");
}
END_TEST

/* What the terminal got so far. */
static void read_terminal(int fd, char *text, size_t size)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    size_t n = 0;
    while (n + 1 < size && poll(&wait, 1, 100) == 1) {
        ssize_t got = read(fd, text + n, size - n - 1);
        if (got <= 0) { break; }
        n += (size_t)got;
    }
    text[n] = '\0';
}

START_TEST(progress_on_a_terminal_is_a_bar)
{
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0) { return; }
    int mine = open(ptsname(terminal), O_RDWR | O_NOCTTY);
    ck_assert_int_ge(mine, 0);
    struct winsize window = {.ws_row = 24, .ws_col = 80};
    ck_assert_int_eq(ioctl(mine, TIOCSWINSZ, &window), 0);
    int saved = dup(STDERR_FILENO);
    dup2(mine, STDERR_FILENO);
    struct it_progress p;
    it_progress_begin(&p, "rollout", "tokens", 8);
    it_progress_set(&p, 1); /* less than two seconds: nothing */
    age(&p, 4);
    it_progress_set(&p, 4);
    it_warn("careful");
    it_progress_end(&p);
    window.ws_col = 30;
    ck_assert_int_eq(ioctl(mine, TIOCSWINSZ, &window), 0);
    it_progress_begin(&p, "rollout", "tokens", 8);
    age(&p, 4);
    it_progress_set(&p, 4);
    it_progress_end(&p);
    dup2(saved, STDERR_FILENO);
    char text[4096];
    read_terminal(terminal, text, sizeof text);
    const char *bar = "\r\033[Krollout 4/8 tokens, 50 %, 1 tokens/s, 0:04 left"
                      " [############            ]";
    char expected[4096];
    snprintf(expected, sizeof expected, "%s\r\033[Kwarning: careful\r\n%s\r\033[K%s\r\033[K", bar,
             bar, "\r\033[Krollout 4/8 tokens, 50 %, 1 t");
    ck_assert_str_eq(text, expected);
    close(mine);
    close(terminal);
    close(saved);
}
END_TEST

START_TEST(time_goes_on)
{
    double begin = it_now(), now;
    do { now = it_now(); } while (now < begin + 0.01);
    ck_assert_double_lt(now, begin + 10);
}
END_TEST

/* The first signal sets the flag, the second one kills, whichever of the two each is. */
START_TEST(a_second_signal_ends_the_program)
{
    static const int pairs[][2] = {
        {SIGINT, SIGINT}, {SIGINT, SIGTERM}, {SIGTERM, SIGINT}, {SIGTERM, SIGTERM}};
    pid_t child = fork();
    if (child == 0) {
        it_interrupt_install();
        if (it_interrupted()) { _exit(1); }
        raise(pairs[_i][0]);
        if (!it_interrupted()) { _exit(2); }
        raise(pairs[_i][1]);
        _exit(3);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), pairs[_i][1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *tests = tcase_create("log");
    tcase_add_checked_fixture(tests, scratch_begin, scratch_end);
    tcase_add_loop_test(tests, levels_choose_what_is_said, IT_LOG_ERROR, IT_LOG_TRACE + 1);
    tcase_add_test(tests, a_message_is_one_line);
    tcase_add_test(tests, threads_do_not_mix_their_lines);
    tcase_add_test(tests, progress_off_a_terminal_is_plain_lines);
    tcase_add_test(tests, progress_on_a_terminal_is_a_bar);
    tcase_add_test(tests, time_goes_on);
    tcase_add_loop_test(tests, a_second_signal_ends_the_program, 0, 4);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
