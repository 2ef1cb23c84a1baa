/* SPDX-License-Identifier: MIT */
/* Hostile JSON lines: each is a record, or refused with its number; the lines after it are read all
 * the same, and what was read can be written and read again. */
#define _GNU_SOURCE
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check(const json_t *object)
{
    static const char *const names[] = {"prompt", "completion", "id", "gold"};
    assert(json_is_object(object));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *text;
        int64_t number;
        double real;
        bool truth;
        if (it_json_get_string(object, "input", names[i], &text) == IT_OK && text) {
            json_t *copy = it_json_text(text, strlen(text));
            assert(copy);
            json_decref(copy);
        }
        (void)it_json_get_int(object, "input", names[i], 0, &number);
        (void)it_json_get_real(object, "input", names[i], 0.0, &real);
        (void)it_json_get_bool(object, "input", names[i], false, &truth);
    }
    FILE *sink = fopen("/dev/null", "w");
    assert(sink && it_jsonl_put(sink, object) == IT_OK);
    fclose(sink);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    char path[32];
    struct it_lines lines;
    int fd = memfd_create("input", MFD_CLOEXEC);
    if (fd < 0) { return 0; }
    it_log_set_level(IT_LOG_ERROR);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (write(fd, bytes, n) == (ssize_t)n && it_lines_open(path, 4096, &lines) == IT_OK) {
        for (;;) {
            json_t *object = NULL;
            enum it_status status = it_jsonl_next(&lines, &object);
            if (status == IT_END) { break; }
            assert((status == IT_OK) == (object != NULL));
            if (object) { check(object); }
            json_decref(object);
        }
        it_lines_close(&lines);
    }
    close(fd);
    return 0;
}
