/* SPDX-License-Identifier: MIT */
/* Messages and the progress bar: whole lines on stderr, under one lock. */
#include "core/base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/mem.h"

static atomic_int current_level = IT_LOG_INFO;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards stderr and what follows */
static struct it_progress *shown;                        /* NULL: no progress is active */
static bool bar_on_screen;

static const char *const prefixes[] = {"error: ", "warning: ", "", "debug: ", "trace: "};

/* Seconds before a bar appears, between two drawings, and between two plain lines. */
static const double first_drawing = 2.0, bar_period = 0.2, line_period = 10.0;

void it_log_set_level(enum it_log_level level)
{
    atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
}

enum it_log_level it_log_level(void)
{
    return (enum it_log_level)atomic_load_explicit(&current_level, memory_order_relaxed);
}

/* A child made while another thread is logging must find the lock free. */
static void lock_before_fork(void)
{
    pthread_mutex_lock(&lock);
}

static void unlock_after_fork(void)
{
    pthread_mutex_unlock(&lock);
}

static void prepare_forks(void)
{
    pthread_atfork(lock_before_fork, unlock_after_fork, unlock_after_fork);
}

static void enter(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, prepare_forks);
    pthread_mutex_lock(&lock);
}

static void leave(void)
{
    fflush(stderr); /* buffered where a program put something else in its place */
    pthread_mutex_unlock(&lock);
}

/* Input quoted in a message must neither break the line nor drive the terminal. */
static void make_one_line(char *text)
{
    for (unsigned char *c = (unsigned char *)text; *c; c++) {
        if (*c < 0x20 || *c == 0x7f) { *c = *c == '\n' || *c == '\t' ? ' ' : '?'; }
    }
}

static void erase_bar(void)
{
    if (bar_on_screen) { fputs("\r\033[K", stderr); }
    bar_on_screen = false;
}

/* "1:02:03", "2:03" */
static void format_seconds(double seconds, char *buffer, size_t size)
{
    long s = seconds < 3.6e8 ? (long)(seconds + 0.5) : 360000000L;
    if (s >= 3600) {
        snprintf(buffer, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    } else {
        snprintf(buffer, size, "%ld:%02ld", s / 60, s % 60);
    }
}

/* "rollout 120/896 completions, 13 %, 3.4 completions/s, 3:48 left" */
static void describe(const struct it_progress *p, double now, char *text, size_t size)
{
    double elapsed = now - p->start;
    double rate = elapsed > 0 ? (double)p->done / elapsed : 0;
    if (p->total <= 0) {
        snprintf(text, size, "%s %lld %s, %.3g %s/s", p->what, (long long)p->done, p->unit, rate,
                 p->unit);
        return;
    }
    char left[32] = "?";
    double missing = (double)(p->total - p->done);
    if (rate > 0) { format_seconds(missing > 0 ? missing / rate : 0, left, sizeof left); }
    snprintf(text, size, "%s %lld/%lld %s, %.0f %%, %.3g %s/s, %s left", p->what,
             (long long)p->done, (long long)p->total, p->unit,
             100.0 * (double)p->done / (double)p->total, rate, p->unit, left);
}

static int terminal_columns(void)
{
    struct winsize window;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_col < 20) { return 80; }
    return window.ws_col;
}

/* The words, and a bar in what is left of the line: one that wraps could not be erased. */
static void draw_bar(const struct it_progress *p, const char *text)
{
    static const char full[] = "########################";
    static const char empty[] = "                        ";
    int columns = terminal_columns() - 1, width = columns - (int)strlen(text) - 3;
    fprintf(stderr, "\r\033[K%.*s", columns, text);
    if (p->total > 0 && width >= 4) {
        if (width > (int)sizeof full - 1) { width = (int)sizeof full - 1; }
        double part = (double)p->done / (double)p->total;
        int marks = part >= 1 ? width : part > 0 ? (int)(width * part) : 0;
        fprintf(stderr, " [%.*s%.*s]", marks, full, width - marks, empty);
    }
    bar_on_screen = true;
}

static void draw(struct it_progress *p, double now)
{
    char text[256];
    describe(p, now, text, sizeof text);
    if (isatty(STDERR_FILENO) == 1) {
        draw_bar(p, text);
    } else {
        fprintf(stderr, "%s\n", text);
    }
    p->drawn = now;
}

/* Written with one call, so that the lines of several processes stay whole. */
static void put_line(const char *prefix, char *text)
{
    make_one_line(text);
    enter();
    bool redraw = bar_on_screen;
    erase_bar();
    fprintf(stderr, "%s%s\n", prefix, text);
    if (redraw && shown) { draw(shown, it_now()); }
    leave();
}

static void put(enum it_log_level level, const char *format, va_list arguments) IT_PRINTF(2, 0);

static void put(enum it_log_level level, const char *format, va_list arguments)
{
    if (level > it_log_level()) { return; }
    int error = errno; /* the caller may still want it */
    char small[512], *text = small;
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(small, sizeof small, format, arguments);
    if (length >= (int)sizeof small) {
        text = it_alloc((size_t)length + 1);
        vsnprintf(text, (size_t)length + 1, format, again);
    } else if (length < 0) {
        strcpy(small, "a message that could not be formatted");
    }
    va_end(again);
    put_line(prefixes[level], text);
    if (text != small) { it_free(text); }
    errno = error;
}

enum it_status it_fail(enum it_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    put(IT_LOG_ERROR, format, arguments);
    va_end(arguments);
    return status;
}

void it_warn(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    put(IT_LOG_WARN, format, arguments);
    va_end(arguments);
}

void it_info(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    put(IT_LOG_INFO, format, arguments);
    va_end(arguments);
}

void it_debug(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    put(IT_LOG_DEBUG, format, arguments);
    va_end(arguments);
}

void it_trace(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    put(IT_LOG_TRACE, format, arguments);
    va_end(arguments);
}

void it_progress_begin(struct it_progress *progress, const char *what, const char *unit,
                       int64_t total)
{
    double now = it_now();
    *progress = (struct it_progress){
        .what = what, .unit = unit, .total = total, .start = now, .drawn = now};
    enter();
    if (!shown && it_log_level() >= IT_LOG_INFO) {
        shown = progress;
        progress->active = true;
    }
    leave();
}

void it_progress_set(struct it_progress *progress, int64_t done)
{
    enter();
    progress->done = done;
    if (progress->active) {
        double now = it_now();
        double period = isatty(STDERR_FILENO) == 1 ? bar_period : line_period;
        if (now - progress->start >= first_drawing && now - progress->drawn >= period) {
            draw(progress, now);
        }
    }
    leave();
}

void it_progress_end(struct it_progress *progress)
{
    enter();
    if (progress->active) {
        erase_bar();
        shown = NULL;
        progress->active = false;
    }
    leave();
}
