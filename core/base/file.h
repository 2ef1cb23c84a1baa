/* SPDX-License-Identifier: MIT */
/* Files: whole reads, read-only maps, atomic writes, lines of JSONL, folders. */
#ifndef IT_BASE_FILE_H
#define IT_BASE_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core/base/status.h"
#include "core/base/str.h"

bool it_path_exists(const char *path);
bool it_path_is_dir(const char *path);
bool it_dir_is_empty(const char *path);                     /* missing counts as empty */
char *it_path_join(const char *folder, const char *name);   /* the caller frees */
const char *it_path_base(const char *path);                 /* points into path */
enum it_status it_dir_make(const char *path);               /* with parents; existing is fine */
enum it_status it_dir_remove(const char *path);             /* with contents; missing is fine */
/* Where things that can be made again are kept: INTUITOR_CACHE, else XDG_CACHE_HOME/intuitor, else
 * ~/.cache/intuitor; below it `name`. NULL where there is none of the three. The caller frees. */
char *it_cache_folder(const char *name);
enum it_status it_dir_list(const char *path, struct it_strs *names_out); /* sorted, no dots */

/* The whole file, appended to `out`. */
enum it_status it_file_read(const char *path, struct it_str *out);
/* The same, refusing more than `limit` bytes. */
enum it_status it_file_read_limit(const char *path, size_t limit, struct it_str *out);

/* A read-only map of a whole file. An empty file maps to data NULL, size 0. */
struct it_map {
    const uint8_t *data;
    size_t size;
};
enum it_status it_map_open(const char *path, struct it_map *map_out);
void it_map_close(struct it_map *map);

/* Write to a temporary name beside `path`, sync, rename: after a crash the old or the new content
 * is there, never a part. it_file_begin opens the temporary file; commit or abandon ends it. A
 * write error (a full disk) is reported by commit, which then removes the temporary file. What
 * exists and is no regular file (/dev/stdout, a pipe) is written in place: `temporary` is NULL. */
struct it_file {
    FILE *stream;
    char *path, *temporary;
};
enum it_status it_file_begin(const char *path, struct it_file *file_out);
enum it_status it_file_commit(struct it_file *file);
void it_file_abandon(struct it_file *file);
enum it_status it_file_write(const char *path, const void *data, size_t size); /* all three */
enum it_status it_dir_sync(const char *path); /* fsync a folder: makes renames in it durable */
enum it_status it_file_copy(const char *from, const char *to); /* atomic like it_file_write */

/* Lines of a text file of any length up to `limit` bytes a line (default 64 MiB when 0), without
 * the newline (or CR LF). `number` counts from 1. it_lines_next returns IT_END at the end, and
 * IT_INVALID (logged with FILE:LINE) for a line that is too long; the next call goes on after
 * it. */
struct it_lines {
    FILE *stream;
    char *path;
    struct it_str line;
    int64_t number;
    size_t limit;
};
/* "-" is stdin. */
enum it_status it_lines_open(const char *path, size_t limit, struct it_lines *lines_out);
enum it_status it_lines_next(struct it_lines *lines);
void it_lines_close(struct it_lines *lines);

#endif
