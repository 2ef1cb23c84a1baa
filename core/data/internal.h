/* SPDX-License-Identifier: MIT */
/* What the readers of this folder share: bytes of plain and gzip files, the table of formats. */
#ifndef IT_DATA_INTERNAL_H
#define IT_DATA_INTERNAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"
#include "core/base/str.h"

/* ---- bytes (source.c) ---- */

/* A byte order mark at the beginning is dropped. A failed read is logged once, ends the bytes and
 * stays in `status`. */
struct it_source {
    void *gz; /* gzFile: reads plain files as they are */
    char *path;
    uint8_t *buffer;
    size_t at, n;
    int64_t line; /* of the next byte, from 1 */
    enum it_status status;
};
enum it_status it_source_open(const char *path, struct it_source *source_out);
void it_source_close(struct it_source *source);
int it_source_refill(struct it_source *source); /* the next byte not yet in the buffer, or -1 */
static inline int it_source_get(struct it_source *source)
{
    int c = source->at < source->n ? source->buffer[source->at++] : it_source_refill(source);
    source->line += c == '\n';
    return c;
}
/* Undoes one it_source_get that gave `c`, not -1. */
static inline void it_source_unget(struct it_source *source, int c)
{
    source->at--;
    source->line -= c == '\n';
}
/* The next line without its end, whose number is source->line before the call. IT_END; IT_INVALID,
 * silent and with the rest skipped, when longer than a record may be; or source->status. */
enum it_status it_source_line(struct it_source *source, struct it_str *line);

/* ---- formats ---- */

struct it_data_reader; /* each format has its own */
struct it_data_format {
    /* columns: names to read, or NULL. */
    enum it_status (*open)(const char *path, const struct it_strs *columns,
                           struct it_data_reader **reader_out);
    /* Writes the place of the record read or refused. A reader that cannot go on after an error
     * returns IT_END from then on. */
    enum it_status (*next)(struct it_data_reader *reader, struct it_str *where,
                           json_t **record_out);
    void (*columns)(const struct it_data_reader *reader, struct it_strs *names); /* or NULL */
    void (*close)(struct it_data_reader *reader);
};
extern const struct it_data_format it_data_json, it_data_csv, it_data_parquet;

/* What follows the last slash ends with `suffix`, in any case, perhaps with ".gz" behind. */
bool it_data_named(const char *path, const char *suffix);

/* The files of a split in reading order (folder.c). `path` is a folder. */
enum it_status it_data_files(const char *path, const char *split, struct it_strs *files_out);

#endif
