/* SPDX-License-Identifier: MIT */
/* Notes of files that were read. */
#include "core/base/inputs.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/sha256.h"
#include "core/base/str.h"

static atomic_int depth;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards: */
static struct it_strs noted;

void it_inputs_begin(void)
{
    atomic_fetch_add(&depth, 1);
}

void it_inputs_end(void)
{
    atomic_fetch_sub(&depth, 1);
}

void it_inputs_note(const char *path)
{
    if (atomic_load(&depth) == 0) { return; }
    bool known = false;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < noted.n && !known; i++) { known = strcmp(noted.item[i], path) == 0; }
    if (!known) { it_strs_add(&noted, path); }
    pthread_mutex_unlock(&lock);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static json_t *describe(const char *path)
{
    char hash[IT_SHA256_TEXT];
    struct stat info;
    json_t *file = json_object();
    bool whole = stat(path, &info) == 0 && S_ISREG(info.st_mode) &&
                 it_sha256_file(path, hash) == IT_OK;
    json_object_set_new(file, "file", json_string(path));
    json_object_set_new(file, "bytes",
                        whole ? json_integer((json_int_t)info.st_size) : json_null());
    json_object_set_new(file, "sha256", whole ? json_string(hash) : json_null());
    return file;
}

json_t *it_inputs_take(void)
{
    json_t *list = json_array();
    pthread_mutex_lock(&lock);
    if (noted.n) { qsort(noted.item, noted.n, sizeof *noted.item, by_name); }
    for (size_t i = 0; i < noted.n; i++) { json_array_append_new(list, describe(noted.item[i])); }
    it_strs_free(&noted);
    pthread_mutex_unlock(&lock);
    return list;
}
