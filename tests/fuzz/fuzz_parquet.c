/* SPDX-License-Identifier: MIT */
/* Hostile Parquet: records or one error, whatever lengths, offsets, levels and counts it claims. */
#define _GNU_SOURCE
#include <assert.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/data/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    char path[32];
    struct it_data *data;
    int fd = memfd_create("input", MFD_CLOEXEC);
    if (fd < 0) { return 0; }
    it_log_set_level(IT_LOG_ERROR);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    /* the file is known by its first bytes */
    if (n > 4 && pwrite(fd, "PAR1", 4, 0) == 4 &&
        pwrite(fd, bytes + 4, n - 4, 4) == (ssize_t)n - 4 &&
        it_data_open(path, NULL, &data) == IT_OK) {
        for (int i = 0; i < 2000; i++) { /* a few bytes may honestly stand for many rows */
            json_t *record = NULL;
            enum it_status status = it_data_next(data, &record);
            assert((status == IT_OK) == (record != NULL));
            if (status != IT_OK) { break; }
            json_decref(record);
        }
        it_data_close(data);
    }
    close(fd);
    return 0;
}
