/* SPDX-License-Identifier: MIT */
/* Two graded files of the same problems. */
#ifndef IT_CLI_COMPARE_H
#define IT_CLI_COMPARE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"

struct it_compare_options {
    const char *a, *b; /* JSONL with "id" and "correct", as grade and eval write it */
    int64_t resamples;
    uint64_t seed;
    bool json;
};
/* Prints how often which is right, McNemar's exact test (one sample a problem) and the paired
 * bootstrap of the difference b - a over problems. */
enum it_status it_compare_run(const struct it_compare_options *options);

#endif
