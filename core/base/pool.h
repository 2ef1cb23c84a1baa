/* SPDX-License-Identifier: MIT */
/* Threads: a pool bound to cores through hwloc, created lazily, one a process (a fork starts
 * afresh). Work is cut into ranges that do not depend on the number of threads unless the caller
 * says so: results must not either. */
#ifndef IT_BASE_POOL_H
#define IT_BASE_POOL_H

#include <stdint.h>

#include "core/base/status.h"

struct it_pool;

/* threads 0: one a physical core that this process may use. The calling thread is one of them. */
enum it_status it_pool_open(int threads, struct it_pool **pool_out);
void it_pool_close(struct it_pool *pool);
int it_pool_threads(const struct it_pool *pool);

/* Where a thread belongs: its core in the order of the machine's tree, the first hardware thread of
 * that core and its NUMA node as the system numbers them. -1: not known, or more threads than
 * cores. Workers are bound there where the system lets them; the calling thread never is, because
 * the threads and programs that it starts would be bound with it. */
struct it_pool_place {
    int core, cpu, node;
};
struct it_pool_place it_pool_place(const struct it_pool *pool, int thread);

/* Call work(context, begin, end, thread) over [0, count) in chunks of `grain` items (the last may
 * be short); returns when all are done. Thread i begins at its own share, the i-th of equal parts
 * of the chunks, and goes on with what is left of others': data of a fixed count and grain meets
 * the same thread in every run, but for what was taken over. `thread` < it_pool_threads indexes
 * scratch. Runs inline when the pool is NULL, has one thread, or there is one chunk. Not reentrant:
 * called from inside a worker it runs inline. Nothing is allocated. */
typedef void it_pool_work(void *context, int64_t begin, int64_t end, int thread);
void it_pool_run(struct it_pool *pool, int64_t count, int64_t grain, it_pool_work *work,
                 void *context);

/* A few facts of the machine for `devices` and `bench`: cores, sockets, NUMA nodes, caches. */
struct it_topology {
    int packages, numa_nodes, cores, threads;
    int64_t l1d, l2, l3; /* bytes of one cache of each level, 0 when unknown */
    char cpu[96];        /* model name */
};
void it_topology_read(struct it_topology *topology_out);

#endif
