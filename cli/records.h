/* SPDX-License-Identifier: MIT */
/* Records in, records out. A bad record is named as FILE:LINE, counted and left out; the others are
 * done and written, and the command ends with exit code 1. */
#ifndef IT_CLI_RECORDS_H
#define IT_CLI_RECORDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/file.h"
#include "core/data/data.h"
#include "core/text/text.h"

struct it_records {
    struct it_data *data;
    char *path;
    struct it_str where; /* "FILE:LINE" of the record last read, or "FILE: row N" */
    int64_t number;      /* that line, or row */
    int64_t n, bad;      /* records read, and how many of them were bad */
};

/* Any format of core/data/data.h; "-" is standard input. */
enum it_status it_records_open(const char *path, struct it_records *records_out);
void it_records_close(struct it_records *records);
/* The next object. A line that is none is named and counted. IT_END at the end. */
enum it_status it_records_next(struct it_records *records, json_t **object_out);
/* What a record's own work said: IT_INVALID spoils the record alone and is counted; anything else
 * goes up. */
enum it_status it_records_judge(struct it_records *records, enum it_status status);
/* IT_OK, or IT_FAILED with one line when there were bad records. */
enum it_status it_records_verdict(const struct it_records *records);

/* A string field that may hold any character; NULL when it is missing or null. */
enum it_status it_record_text(const json_t *record, const char *where, const char *name,
                              const json_t **text_out);
/* The same for a list of token ids below `vocab`, appended. */
enum it_status it_record_ids(const json_t *record, const char *where, const char *name,
                             int64_t vocab, struct it_ids *ids_out);

/* Where records go: a file that appears whole at the end, or standard output line by line. */
struct it_output {
    struct it_file file;
    FILE *stream;
    int64_t n; /* records written */
};
enum it_status it_output_open(const char *path, struct it_output *output_out); /* NULL: stdout */
enum it_status it_output_put(struct it_output *output, const json_t *record);
/* Ends the output of a command whose status so far is `status`, and returns its status. What was
 * done before bad records or an interruption is kept; after another failure a file is not made. */
enum it_status it_output_close(struct it_output *output, enum it_status status);

#endif
