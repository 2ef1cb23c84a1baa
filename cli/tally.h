/* SPDX-License-Identifier: MIT */
/* Counting right answers: accuracy with its standard error, and pass@k over a problem's samples. */
#ifndef IT_CLI_TALLY_H
#define IT_CLI_TALLY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core/base/option.h"

struct it_tally_problem {
    int64_t n, correct;
};
struct it_tally {
    struct it_tally_problem *item;
    size_t problems, cap;
    json_t *index; /* id as JSON text -> index of the problem */
    int64_t n, correct, ungradable, no_answer;
};

struct it_tally_mark {
    bool correct;
    bool gradable; /* false: the gold could not be read; counts as wrong, as published scores do */
    bool answered; /* an answer was found in the completion */
};
/* id NULL or null: a problem of its own. */
void it_tally_add(struct it_tally *tally, const json_t *id, struct it_tally_mark mark);
void it_tally_free(struct it_tally *tally);

/* Each is a whole number from 1. */
enum it_status it_tally_check(const struct it_reals *k, const char *where);
/* {"task","profile","n","correct","accuracy","stderr","problems","ungradable","no_answer",
 * "pass@K"...}. NULL numbers where there are too few records. */
json_t *it_tally_summary(const struct it_tally *tally, const char *task, const char *profile,
                         const struct it_reals *k);
/* The summary for people. */
void it_tally_print(FILE *stream, const json_t *summary);

#endif
