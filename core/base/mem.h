/* SPDX-License-Identifier: MIT */
/* Small host memory. These never return NULL: a host without room for a few kilobytes cannot go on,
 * and they stop the program with one line saying how much was asked for. Tensor memory never comes
 * from here: it belongs to a device and reports IT_NOMEM. */
#ifndef IT_BASE_MEM_H
#define IT_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

void *it_alloc(size_t bytes);                 /* uninitialised */
void *it_calloc(size_t count, size_t size);   /* zeroed; overflow of count*size is an abort */
void *it_realloc(void *old, size_t bytes);
char *it_strdup(const char *text);            /* NULL gives NULL */
char *it_strndup(const char *text, size_t bytes);
void it_free(void *memory);                   /* NULL is fine */

/* Grow an array to hold at least `need` items, doubling; returns the (moved) array and updates
 * *capacity, counted in items. */
void *it_grow(void *array, size_t *capacity, size_t need, size_t item_size);

/* Peak resident bytes of this process, and the machine's memory, from /proc. 0 when unknown. */
int64_t it_mem_peak(void);
int64_t it_mem_total(void);

#endif
