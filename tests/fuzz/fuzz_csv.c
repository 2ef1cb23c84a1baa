/* SPDX-License-Identifier: MIT */
/* Hostile text data: the first byte chooses CSV, TSV, JSON or JSONL as the name; reading ends, and
 * what comes out can be written as JSON. gzip is in it wherever the bytes say so. */
#define _GNU_SOURCE
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/data/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const char *const names[] = {"a.csv", "a.tsv", "a.json", "a.jsonl", "a.txt"};
enum { N_NAMES = sizeof names / sizeof *names };

static void read_all(const char *path)
{
    struct it_data *data;
    if (it_data_open(path, NULL, &data) != IT_OK) { return; }
    for (;;) {
        json_t *record = NULL;
        enum it_status status = it_data_next(data, &record);
        assert((status == IT_OK) == (record != NULL));
        if (status == IT_END) { break; }
        if (record) {
            char *text = json_dumps(record, JSON_COMPACT);
            assert(text);
            free(text);
        }
        json_decref(record);
    }
    it_data_close(data);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    char path[64];
    if (n == 0) { return 0; }
    it_log_set_level(IT_LOG_ERROR);
    snprintf(path, sizeof path, "/dev/shm/it-fuzz-%ld-%s", (long)getpid(),
             names[bytes[0] % N_NAMES]);
    FILE *file = fopen(path, "w");
    if (!file) { return 0; }
    (void)fwrite(bytes + 1, 1, n - 1, file);
    fclose(file);
    read_all(path);
    unlink(path);
    return 0;
}
