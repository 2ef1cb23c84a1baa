/* SPDX-License-Identifier: MIT */
/* The folder that `eval --out` fills: settings.json says what was asked, <task>.jsonl has a record
 * for each completion, results.json the scores. Records are on disk as soon as they are generated,
 * and again when they are graded, so that the same command goes on after a kill. */
#ifndef IT_CLI_RESULTS_H
#define IT_CLI_RESULTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core/base/status.h"

/* Makes the folder, or checks that what it holds was asked with the same settings: IT_INVALID
 * naming the first that differs. With `overwrite` an evaluation in it is deleted. */
enum it_status it_results_open(const char *folder, const json_t *settings, bool overwrite);

/* One task's records, in their places: [n] with NULL where there is none yet. */
struct it_journal {
    char *path;   /* NULL: records are kept in memory alone */
    FILE *stream; /* appending */
    json_t **record;
    int64_t n, n_kept; /* places, and how many the file filled */
};
/* `place` says where a record of an earlier run belongs: 0 .. n-1, or -1 for nowhere. */
enum it_status it_journal_open(const char *folder, const char *task, int64_t n,
                               int64_t (*place)(void *context, const json_t *record),
                               void *context, struct it_journal *journal_out);
/* Takes the record over. */
enum it_status it_journal_put(struct it_journal *journal, int64_t place, json_t *record);
/* The record in this place has got more fields: the file has it a second time, and that counts. */
enum it_status it_journal_again(struct it_journal *journal, int64_t place);
/* All places are filled: the file gets them in order, whole or not at all. */
enum it_status it_journal_finish(struct it_journal *journal);
void it_journal_close(struct it_journal *journal);

/* results.json: `document`, with the scores of other tasks that were there kept in "results". */
enum it_status it_results_write(const char *folder, json_t *document);

#endif
