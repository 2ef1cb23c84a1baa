/* SPDX-License-Identifier: MIT */
/* Small host memory that never fails, and what the kernel says about memory. */
#include "core/base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* _Exit, not exit: handlers and buffered streams may need the memory that is not there, and the
 * caller may be any thread holding any lock. */
static _Noreturn void out_of_memory(size_t bytes)
{
    fprintf(stderr, "error: out of host memory: %zu bytes were asked for\n", bytes);
    _Exit(EXIT_FAILURE);
}

static size_t product(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        fprintf(stderr, "error: %zu items of %zu bytes are more than a size can hold\n", count,
                size);
        abort();
    }
    return bytes;
}

/* Zero bytes are asked for as one, so that NULL always means failure. */
void *it_alloc(size_t bytes)
{
    void *memory = malloc(bytes ? bytes : 1);
    if (!memory) { out_of_memory(bytes); }
    return memory;
}

void *it_calloc(size_t count, size_t size)
{
    size_t bytes = product(count, size);
    void *memory = calloc(bytes ? bytes : 1, 1);
    if (!memory) { out_of_memory(bytes); }
    return memory;
}

void *it_realloc(void *old, size_t bytes)
{
    void *memory = realloc(old, bytes ? bytes : 1);
    if (!memory) { out_of_memory(bytes); }
    return memory;
}

char *it_strdup(const char *text)
{
    return text ? it_strndup(text, strlen(text)) : NULL;
}

char *it_strndup(const char *text, size_t bytes)
{
    if (!text) { return NULL; }
    size_t length = strnlen(text, bytes);
    char *copy = it_alloc(length + 1);
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

void it_free(void *memory)
{
    free(memory);
}

void *it_grow(void *array, size_t *capacity, size_t need, size_t item_size)
{
    if (need <= *capacity) { return array; }
    size_t larger = *capacity < 8 ? 8 : *capacity;
    while (larger < need) { larger = larger > SIZE_MAX / 2 ? need : larger * 2; }
    array = it_realloc(array, product(larger, item_size));
    *capacity = larger;
    return array;
}

/* The number of a "NAME:   123 kB" line, in bytes. */
static int64_t proc_bytes(const char *path, const char *name)
{
    FILE *stream = fopen(path, "re");
    if (!stream) { return 0; }
    char line[256];
    int64_t kilobytes = 0;
    size_t length = strlen(name);
    while (fgets(line, sizeof line, stream)) {
        if (strncmp(line, name, length) == 0 && line[length] == ':') {
            if (sscanf(line + length + 1, "%" SCNd64, &kilobytes) != 1) { kilobytes = 0; }
            break;
        }
    }
    fclose(stream);
    return kilobytes > 0 && kilobytes <= INT64_MAX / 1024 ? kilobytes * 1024 : 0;
}

int64_t it_mem_peak(void)
{
    return proc_bytes("/proc/self/status", "VmHWM");
}

int64_t it_mem_total(void)
{
    return proc_bytes("/proc/meminfo", "MemTotal");
}
