/* SPDX-License-Identifier: MIT */
/* A hostile safetensors file: opening it fails cleanly, or every byte of every tensor can be read
 * and all that was said of the tensors holds. */
#define _GNU_SOURCE
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/nn/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void read_all(const struct it_safetensors *file, size_t n)
{
    volatile uint8_t sum = 0;
    size_t total = 0;
    for (size_t i = 0; i < file->n; i++) {
        const struct it_safetensor *t = &file->item[i];
        assert(it_safetensors_find(file, t->name) == t);
        assert(t->rank >= 0 && t->rank <= IT_MAX_RANK);
        for (size_t b = 0; b < t->size; b++) { sum = (uint8_t)(sum + t->data[b]); }
        total += t->size;
    }
    assert(total <= n);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    char path[32];
    struct it_safetensors file;
    int fd = memfd_create("input", MFD_CLOEXEC);
    if (fd < 0) { return 0; }
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (write(fd, bytes, n) == (ssize_t)n && it_safetensors_open(path, &file) == IT_OK) {
        read_all(&file, n);
        it_safetensors_close(&file);
    }
    close(fd);
    return 0;
}
