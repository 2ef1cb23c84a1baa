/* SPDX-License-Identifier: MIT */
/* Counting right answers: accuracy with its standard error and interval, and what several samples
 * of a problem say together; for all records, and split by their fields. */
#ifndef IT_CLI_TALLY_H
#define IT_CLI_TALLY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core/base/option.h"
#include "tasks/task.h"

struct it_tally_sample {
    bool correct;
    char *answer; /* owned; NULL: none, or answers are not kept */
};
struct it_tally_problem {
    struct it_tally_sample *sample;
    size_t n, cap;
    int64_t correct;
};
struct it_tally {
    bool keep_answers; /* set before the first record: maj@K needs them */
    struct it_tally_problem *item;
    size_t problems, cap;
    json_t *index; /* id as JSON text -> index of the problem */
    int64_t n, correct, ungradable, no_answer;
};

struct it_tally_mark {
    bool correct;
    bool gradable; /* false: the gold could not be read; counts as wrong, as published scores do */
    const char *answer; /* NULL: none was found in the completion */
};
/* id NULL or null: a problem of its own. */
void it_tally_add(struct it_tally *tally, const json_t *id, struct it_tally_mark mark);
void it_tally_free(struct it_tally *tally);

/* Each is a whole number from 1. */
enum it_status it_tally_check(const struct it_reals *k, const char *where);

struct it_tally_setup {
    const struct it_task *task;
    const char *profile;
    struct it_reals k;
    int64_t samples; /* that each problem must have for pass@K and its kind; 0: any number */
};
/* {"task","profile","n","correct","accuracy","stderr","low","high","problems","ungradable",
 * "no_answer","min_samples","max_samples","pass@K","avg@K","maj@K"...}; null where there are too
 * few records, which is warned of. */
json_t *it_tally_summary(const struct it_tally *tally, const struct it_tally_setup *setup);
/* IT_FAILED, logged, where a problem has not setup->samples samples. */
enum it_status it_tally_whole(const struct it_tally *tally, const struct it_tally_setup *setup);
/* The summary for people, its "by" included. */
void it_tally_print(FILE *stream, const json_t *summary);

/* ---- the same for each value of a field (cli/breakdown.c) ---- */

struct it_breakdown_field {
    char *name;
    int64_t prefix; /* characters of a value that count: 7 of a date are its month; 0: all */
    bool required;  /* asked for by name: a field that no record has is warned of */
    json_t *index;  /* value -> tally */
    struct it_tally *tally;
    size_t n, cap, found; /* found: records that have the field */
};
struct it_breakdown {
    bool keep_answers;
    struct it_breakdown_field *field;
    size_t n;
};
/* The task's own fields, and those of `by`: "FIELD" or "FIELD:CHARACTERS". */
enum it_status it_breakdown_open(const struct it_task *task, const struct it_strs *by,
                                 bool keep_answers, struct it_breakdown *breakdown_out);
void it_breakdown_add(struct it_breakdown *breakdown, const json_t *record,
                      struct it_tally_mark mark);
/* Sets "by": {field: {value: {"n","correct","accuracy",...}}} where there is one. */
void it_breakdown_summary(const struct it_breakdown *breakdown, const struct it_tally_setup *setup,
                          json_t *summary);
void it_breakdown_close(struct it_breakdown *breakdown);

#endif
