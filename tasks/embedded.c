/* SPDX-License-Identifier: MIT */
#include "tasks/embedded.h"

#include <string.h>

const char *it_embedded_find(const char *name, size_t *size_out)
{
    for (const struct it_embedded_file *file = it_embedded_files; file->name != NULL; file++) {
        if (strcmp(file->name, name) == 0) {
            if (size_out != NULL) { *size_out = file->size; }
            return (const char *)file->bytes;
        }
    }
    return NULL;
}
