/* SPDX-License-Identifier: MIT */
/* Words and exit codes of the results, from the one list in the header. */
#include "core/base/status.h"

#include <stddef.h>

static const struct {
    const char *words;
    int exit_code;
} results[] = {
#define X(name, code, words) [IT_##name] = {words, code},
    IT_STATUS_LIST(X)
#undef X
};

static const size_t n_results = sizeof results / sizeof results[0];

const char *it_status_words(enum it_status status)
{
    return (size_t)status < n_results ? results[status].words : "unknown status";
}

int it_status_exit_code(enum it_status status)
{
    return (size_t)status < n_results ? results[status].exit_code : 1;
}
