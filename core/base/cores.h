/* SPDX-License-Identifier: MIT */
/* Where the threads of a pool belong, a core each, over the NUMA nodes in order, and where they
 * are. For pool.c. */
#ifndef IT_BASE_CORES_H
#define IT_BASE_CORES_H

#include <pthread.h>
#include <stdbool.h>

#include "core/base/pool.h"

struct it_cores;

/* The cores that the calling thread may run on. Returns how many; 0, and NULL, where the system
 * does not say. */
int it_cores_open(struct it_cores **cores_out);
void it_cores_close(struct it_cores *cores);

/* Share the cores out among `threads` threads, at most one a core. */
void it_cores_share(struct it_cores *cores, int threads);
struct it_pool_place it_cores_at(const struct it_cores *cores, int thread);

/* The cores are this machine's, not those of a description that hwloc was given to read: only then
 * may threads be bound to them. */
bool it_cores_real(const struct it_cores *cores);

/* Keep the calling thread on the core of thread `thread`. False where the system refuses: then it
 * may run on all cores, wherever it was fetched to before. */
bool it_cores_bind(const struct it_cores *cores, int thread);

/* The thread whose core the calling thread is on, -1: nobody's, or not known. */
int it_cores_here(const struct it_cores *cores);

/* What the system calls the calling thread, for it_thread_ready. */
int it_thread_number(void);
/* Processor seconds that a thread has had, negative when not known. */
double it_thread_seconds(pthread_t thread);
/* The thread has work to do and runs, or would if it had a core: it waits for nothing else. False
 * where that is not known. */
bool it_thread_ready(int number);
/* Have a thread go on where the calling thread is. False where that is not possible. */
bool it_thread_fetch(pthread_t thread);

#endif
