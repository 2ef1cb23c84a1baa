/* SPDX-License-Identifier: MIT */
/* Data files of tasks/ that travel inside the program: prompts, and the Python that runs in the
 * sandbox. tasks/local.mk lists them; scripts/embed.sh turns them into C at build time. */
#ifndef IT_TASKS_EMBEDDED_H
#define IT_TASKS_EMBEDDED_H

#include <stddef.h>

/* The file "tasks/<name>", 0-terminated; NULL when there is none. size_out may be NULL. */
const char *it_embedded_find(const char *name, size_t *size_out);

/* The table that the generated file defines; ends with a NULL name. */
struct it_embedded_file {
    const char *name;
    const unsigned char *bytes;
    size_t size;
};
extern const struct it_embedded_file it_embedded_files[];

#endif
