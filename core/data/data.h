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

/* A record, whatever its format, is at most this long; so is a line. */
enum { IT_DATA_RECORD_LIMIT = 256 << 20 };

struct it_data;

struct it_data_options {
    const char *split;          /* which files of a folder: "train" ...; NULL: the only one */
    const char *const *columns; /* read these alone, where the format can skip; NULL: all */
    size_t n_columns;
};

/* `path` is a file, told by its content and name ("-": stdin), or a folder:
 * <split>.{jsonl,ndjson,json,csv,tsv,parquet} (also .gz), <split>-00000-of-00003.parquet and its
 * siblings in order, <split>/<those>, or any of these under data/ or a configuration's folder, as
 * Hugging Face datasets lie on disk. IT_NOT_FOUND names what was looked for and which splits there
 * are. */
enum it_status it_data_open(const char *path, const struct it_data_options *options,
                            struct it_data **data_out);
void it_data_close(struct it_data *data);
/* The next record, owned by the caller; IT_END after the last. IT_INVALID names file, row and
 * column; the next call goes on behind the bad record where that can be found (JSONL always, a row
 * of CSV that is ragged), else with the next file: a loop until IT_END ends. */
enum it_status it_data_next(struct it_data *data, json_t **record_out);
/* "FILE:LINE", or "FILE: row N" (from 1, header lines not counted), of the record last read. */
const char *it_data_where(const struct it_data *data);
/* Names of the columns that the open file has, chosen or not; none for JSON, where each record says
 * its own. */
void it_data_columns(const struct it_data *data, struct it_strs *names_out);
/* The folder of a configuration of a dataset's folder, which the caller frees: <config> or
 * data/<config> in it. A file is itself, and so is a folder without such when `config` is NULL,
 * "default" or "main", as files without configurations are called. IT_NOT_FOUND names those there
 * are. */
enum it_status it_data_config(const char *path, const char *config, char **path_out);
/* Splits of a folder, sorted. */
enum it_status it_data_splits(const char *path, struct it_strs *splits_out);
/* Where a dataset of this name lies: the path itself, a name under INTUITOR_DATA, a repository in
 * the hub's cache (core/data/hub.h); NULL: nowhere. The caller frees. */
char *it_data_find(const char *name);
/* Whether `path` is a file, or a folder with this split (NULL: any), which must lie in one of the
 * places above or in a configuration called default or main. Says nothing. */
bool it_data_has(const char *path, const char *split);
/* Whether the name ends as one of the formats above: train.jsonl, part.csv.gz. */
bool it_data_is_name(const char *name);

#endif
