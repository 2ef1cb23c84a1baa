/* SPDX-License-Identifier: MIT */
/* Messages for people, on stderr, one line each. Numbers for machines go to files, never here. */
#ifndef IT_BASE_LOG_H
#define IT_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"

enum it_log_level { IT_LOG_ERROR, IT_LOG_WARN, IT_LOG_INFO, IT_LOG_DEBUG, IT_LOG_TRACE };

#define IT_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* Default level: IT_LOG_INFO. --quiet sets WARN, -v sets DEBUG, -vv TRACE. */
void it_log_set_level(enum it_log_level level);
enum it_log_level it_log_level(void);

/* Log an error and return `status`, so that the origin of a failure is one statement:
 *     return it_fail(IT_INVALID, "%s: expected a list of strings", path);            */
enum it_status it_fail(enum it_status status, const char *format, ...) IT_PRINTF(2, 3);

void it_warn(const char *format, ...) IT_PRINTF(1, 2);
void it_info(const char *format, ...) IT_PRINTF(1, 2);
void it_debug(const char *format, ...) IT_PRINTF(1, 2);
void it_trace(const char *format, ...) IT_PRINTF(1, 2);

/* Progress of work longer than about two seconds: a bar with done/total, rate and time left when
 * stderr is a terminal, a plain line every ten seconds otherwise, nothing below IT_LOG_INFO.
 * Messages logged meanwhile appear above the bar. One at a time; nested ones are ignored. */
struct it_progress {
    const char *what; /* "rollout", borrowed */
    const char *unit; /* "tokens", borrowed */
    int64_t done, total; /* total 0: unknown */
    double start, drawn;
    bool active;
};
void it_progress_begin(struct it_progress *progress, const char *what, const char *unit,
                       int64_t total);
void it_progress_set(struct it_progress *progress, int64_t done);
void it_progress_end(struct it_progress *progress);

#endif
