/* SPDX-License-Identifier: MIT */
/* Records as users have them: JSONL (plain or gzip), a JSON array, CSV and TSV with a header line,
 * Parquet; a folder of splits. Every record comes out as a JSON object. */
#ifndef IT_DATA_DATA_H
#define IT_DATA_DATA_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"
#include "core/base/str.h"

struct it_data;

struct it_data_options {
    const char *split;          /* which files of a folder: "train" ...; NULL: the only one */
    const char *const *columns; /* read these alone, where the format can skip; NULL: all */
    size_t n_columns;
};

/* `path` is a file, told by its content and name, or a folder: <split>.{jsonl,json,csv,tsv,parquet}
 * (also .gz), <split>-00000-of-00003.parquet and its siblings in order, or data/<those>, as Hugging
 * Face datasets lie on disk. IT_NOT_FOUND names what was looked for and which splits there are. */
enum it_status it_data_open(const char *path, const struct it_data_options *options,
                            struct it_data **data_out);
void it_data_close(struct it_data *data);
/* The next record, owned by the caller; IT_END after the last. IT_INVALID names file, row and
 * column; with JSONL the next call goes on behind the bad line. */
enum it_status it_data_next(struct it_data *data, json_t **record_out);
/* "FILE:LINE", or "FILE: row N" (from 1), of the record last read. */
const char *it_data_where(const struct it_data *data);
/* Splits of a folder, sorted. */
enum it_status it_data_splits(const char *path, struct it_strs *splits_out);

#endif
