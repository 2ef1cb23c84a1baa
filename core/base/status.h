/* SPDX-License-Identifier: MIT */
/* One list of results for the whole program. Columns: name, exit code of the program that ends
 * with it (docs: command line), words. */
#ifndef IT_BASE_STATUS_H
#define IT_BASE_STATUS_H

#define IT_STATUS_LIST(X)                                                                          \
    X(OK, 0, "done")                                                                               \
    X(FAILED, 1, "failed")                                                                         \
    X(NOMEM, 1, "out of memory")                                                                   \
    X(IO, 1, "input or output failed")                                                             \
    X(DEVICE, 1, "the device failed")                                                              \
    X(UNSUPPORTED, 1, "not supported here")                                                        \
    X(INVALID, 2, "bad input")                                                                     \
    X(NOT_FOUND, 2, "not found")                                                                   \
    X(GUARD, 3, "stopped by a guard")                                                              \
    X(INTERRUPTED, 75, "interrupted, state saved")                                                 \
    X(END, 0, "no more") /* iterators only: never an error, never logged */

enum it_status {
#define X(name, code, words) IT_##name,
    IT_STATUS_LIST(X)
#undef X
};

const char *it_status_words(enum it_status status);
int it_status_exit_code(enum it_status status);

/* Pass a failure up in silence: whoever saw it first has logged it. */
#define IT_TRY(expression)                                                                         \
    do {                                                                                           \
        enum it_status it_try_ = (expression);                                                     \
        if (it_try_ != IT_OK) { return it_try_; }                                                  \
    } while (0)

/* The same where something must be undone first. */
#define IT_TRY_GOTO(status, label, expression)                                                     \
    do {                                                                                           \
        (status) = (expression);                                                                   \
        if ((status) != IT_OK) { goto label; }                                                     \
    } while (0)

#endif
