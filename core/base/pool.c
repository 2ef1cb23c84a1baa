/* SPDX-License-Identifier: MIT */
/* The thread pool. A run is a job that threads join and leave: the caller opens it, works on it
 * like everybody, closes it when no chunk is left, and waits only for the threads that are inside.
 * A worker that wakes up late, because another process holds its core, finds the job closed and
 * delays nobody. */
#include "core/base/pool.h"

#include <hwloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"

enum { MOST_THREADS = 4096, OPEN = 1, INSIDE = 2 };

/* How long a thread looks for news before it sleeps: longer than the gap between two operations of
 * a decode step, shorter than anybody else on the machine would notice. */
static const double spin_seconds = 50e-6;

struct worker {
    struct it_pool *pool;
    pthread_t thread;
    int index;
};

struct it_pool {
    int threads;               /* the caller included */
    int started;               /* workers that exist */
    bool tried;                /* to start them: the first run does */
    bool spins;                /* not with more threads than cores: one would keep the core that */
                               /* the other needs to get on */
    hwloc_topology_t topology; /* NULL: threads stay where the system puts them */
    hwloc_obj_type_t place;    /* what a thread is bound to */
    struct worker *workers;    /* [threads - 1] */
    struct it_pool *next;      /* in the list of open pools */

    pthread_mutex_t run_lock; /* one job at a time; the job: */
    int64_t count, grain, chunks;
    it_pool_work *work;
    void *context;
    atomic_int_least64_t next_chunk;
    atomic_uint state;      /* OPEN, plus INSIDE for each worker inside the job */
    atomic_uint generation; /* of jobs: the news that workers look for */

    pthread_mutex_t lock; /* for sleeping */
    pthread_cond_t news;  /* a job was opened, or the pool is closing */
    pthread_cond_t empty; /* the last worker left a closed job */
    atomic_int sleepers;
    atomic_bool closing;
};

/* The runs that this thread is inside of, innermost first: a call from inside a pool's own work
 * must not wait for that pool. */
struct frame {
    const struct it_pool *pool;
    int thread;
    const struct frame *outer;
};
static _Thread_local const struct frame *frames;

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct it_pool *registry; /* open pools, for the child of a fork */

static void init_locks(struct it_pool *pool)
{
    pthread_mutex_init(&pool->run_lock, NULL);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->news, NULL);
    pthread_cond_init(&pool->empty, NULL);
}

static void before_fork(void)
{
    pthread_mutex_lock(&registry_lock);
}

static void after_fork_in_parent(void)
{
    pthread_mutex_unlock(&registry_lock);
}

/* The workers stayed behind, and their locks may have been held: the next run makes new ones. */
static void after_fork_in_child(void)
{
    for (struct it_pool *pool = registry; pool; pool = pool->next) {
        pool->started = 0;
        pool->tried = false;
        atomic_store(&pool->state, 0);
        atomic_store(&pool->sleepers, 0);
        init_locks(pool);
    }
    pthread_mutex_unlock(&registry_lock);
}

static void prepare_forks(void)
{
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

static inline void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Until *word differs from `same`, or the time is up. Returns whether it differs. */
static bool spin_while(const struct it_pool *pool, atomic_uint *word, unsigned same)
{
    if (!pool->spins) { return atomic_load(word) != same; }
    double end = it_now() + spin_seconds;
    do {
        for (int i = 0; i < 32; i++) {
            if (atomic_load(word) != same) { return true; }
            pause_briefly();
        }
    } while (it_now() < end);
    return false;
}

static void take_chunks(struct it_pool *pool, int thread)
{
    const struct frame frame = {.pool = pool, .thread = thread, .outer = frames};
    frames = &frame;
    for (;;) {
        int64_t chunk = atomic_fetch_add(&pool->next_chunk, 1);
        if (chunk >= pool->chunks) { break; }
        int64_t begin = chunk * pool->grain, left = pool->count - begin;
        pool->work(pool->context, begin, begin + (left < pool->grain ? left : pool->grain), thread);
    }
    frames = frame.outer;
}

static void join_job(struct it_pool *pool, int thread)
{
    if (atomic_fetch_add(&pool->state, INSIDE) & OPEN) { take_chunks(pool, thread); }
    if (atomic_fetch_sub(&pool->state, INSIDE) == INSIDE) { /* closed, and the last to leave */
        pthread_mutex_lock(&pool->lock);
        pthread_cond_signal(&pool->empty);
        pthread_mutex_unlock(&pool->lock);
    }
}

static void sleep_until_news(struct it_pool *pool, unsigned seen)
{
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->sleepers, 1); /* before the look: whoever brings news looks at it */
    while (atomic_load(&pool->generation) == seen) { pthread_cond_wait(&pool->news, &pool->lock); }
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->lock);
}

/* To the worker's own core, any of its hardware threads. */
static void bind_worker(const struct worker *worker)
{
    hwloc_topology_t topology = worker->pool->topology;
    if (!topology) { return; }
    hwloc_obj_type_t type = worker->pool->place;
    hwloc_obj_t place = hwloc_get_obj_by_type(topology, type, (unsigned)worker->index);
    if (!place || hwloc_set_cpubind(topology, place->cpuset, HWLOC_CPUBIND_THREAD) != 0) {
        it_debug("thread %d could not be bound to a core and goes on unbound", worker->index);
    }
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    struct it_pool *pool = worker->pool;
    bind_worker(worker);
    unsigned seen = 0; /* the job that made this thread is news to it */
    for (;;) {
        if (!spin_while(pool, &pool->generation, seen)) { sleep_until_news(pool, seen); }
        seen = atomic_load(&pool->generation);
        if (atomic_load(&pool->closing)) { return NULL; }
        join_job(pool, worker->index);
    }
}

/* Signals are for the threads that the program knows: workers block them all. */
static void start_workers(struct it_pool *pool)
{
    sigset_t all, old;
    pool->tried = true;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    for (int i = 0; i < pool->threads - 1; i++) {
        struct worker *worker = &pool->workers[i];
        *worker = (struct worker){.pool = pool, .index = i + 1};
        if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0) { break; }
        pool->started++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (pool->started < pool->threads - 1) {
        it_warn("only %d of %d threads could be started", pool->started + 1, pool->threads);
    }
}

static void bring_news(struct it_pool *pool, int64_t helpers)
{
    atomic_fetch_add(&pool->generation, 1);
    if (atomic_load(&pool->sleepers) == 0) { return; }
    pthread_mutex_lock(&pool->lock);
    if (helpers >= pool->started) {
        pthread_cond_broadcast(&pool->news);
    } else {
        for (int64_t i = 0; i < helpers; i++) { pthread_cond_signal(&pool->news); }
    }
    pthread_mutex_unlock(&pool->lock);
}

static void close_job(struct it_pool *pool)
{
    unsigned state;
    while ((state = atomic_fetch_and(&pool->state, ~(unsigned)OPEN) & ~(unsigned)OPEN) != 0) {
        if (spin_while(pool, &pool->state, state)) { continue; }
        pthread_mutex_lock(&pool->lock);
        while (atomic_load(&pool->state) != 0) { pthread_cond_wait(&pool->empty, &pool->lock); }
        pthread_mutex_unlock(&pool->lock);
    }
}

static void run_inline(int64_t count, int64_t grain, it_pool_work *work, void *context, int thread)
{
    for (int64_t begin = 0; begin < count;) {
        int64_t end = count - begin < grain ? count : begin + grain;
        work(context, begin, end, thread);
        begin = end;
    }
}

void it_pool_run(struct it_pool *pool, int64_t count, int64_t grain, it_pool_work *work,
                 void *context)
{
    if (count <= 0) { return; }
    if (grain < 1) { grain = 1; }
    for (const struct frame *frame = frames; pool && frame; frame = frame->outer) {
        if (frame->pool == pool) {
            run_inline(count, grain, work, context, frame->thread);
            return;
        }
    }
    if (!pool || pool->threads == 1 || count <= grain) {
        run_inline(count, grain, work, context, 0);
        return;
    }
    pthread_mutex_lock(&pool->run_lock);
    pool->count = count;
    pool->grain = grain;
    pool->chunks = (count - 1) / grain + 1;
    pool->work = work;
    pool->context = context;
    atomic_store(&pool->next_chunk, 0);
    atomic_fetch_or(&pool->state, OPEN);
    if (!pool->tried) { start_workers(pool); }
    bring_news(pool, pool->chunks - 1);
    take_chunks(pool, 0);
    close_job(pool);
    pthread_mutex_unlock(&pool->run_lock);
}

static bool load_topology(hwloc_topology_t topology)
{
    return hwloc_topology_set_all_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_NONE) == 0 &&
           hwloc_topology_set_type_filter(topology, HWLOC_OBJ_CORE, HWLOC_TYPE_FILTER_KEEP_ALL) ==
               0 &&
           hwloc_topology_load(topology) == 0;
}

/* The cores that the calling thread may run on, or the hardware threads where the system does not
 * say which of them share a core. Returns how many; 0 and no topology when hwloc fails. */
static int load_cores(hwloc_topology_t *topology_out, hwloc_obj_type_t *place_out)
{
    hwloc_topology_t topology;
    if (hwloc_topology_init(&topology) != 0) { return 0; }
    int n = 0;
    if (load_topology(topology)) {
        hwloc_bitmap_t allowed = hwloc_bitmap_alloc();
        if (allowed && hwloc_get_cpubind(topology, allowed, HWLOC_CPUBIND_THREAD) == 0) {
            hwloc_topology_restrict(topology, allowed, 0); /* refused and unchanged when empty */
        }
        hwloc_bitmap_free(allowed);
        *place_out = HWLOC_OBJ_CORE;
        n = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE);
        if (n < 1) {
            *place_out = HWLOC_OBJ_PU;
            n = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PU);
        }
    }
    if (n < 1) {
        it_debug("the cores of this machine are not known, threads stay unbound");
        hwloc_topology_destroy(topology);
        return 0;
    }
    *topology_out = topology;
    return n;
}

enum it_status it_pool_open(int threads, struct it_pool **pool_out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (threads < 0 || threads > MOST_THREADS) {
        return it_fail(IT_INVALID, "%d threads: expected 0 (one a core) to %d", threads,
                       MOST_THREADS);
    }
    struct it_pool *pool = it_calloc(1, sizeof *pool);
    int cores = 0;
    if (threads != 1) { cores = load_cores(&pool->topology, &pool->place); }
    pool->threads = threads ? threads : cores > 0 ? cores : 1;
    pool->spins = pool->threads <= cores;
    if (pool->topology && pool->threads > cores) { /* nothing to bind to */
        hwloc_topology_destroy(pool->topology);
        pool->topology = NULL;
    }
    pool->workers = it_calloc((size_t)pool->threads, sizeof *pool->workers);
    init_locks(pool);
    pthread_once(&once, prepare_forks);
    pthread_mutex_lock(&registry_lock);
    pool->next = registry;
    registry = pool;
    pthread_mutex_unlock(&registry_lock);
    *pool_out = pool;
    return IT_OK;
}

static void forget(struct it_pool *pool)
{
    pthread_mutex_lock(&registry_lock);
    struct it_pool **link = &registry;
    while (*link != pool) { link = &(*link)->next; }
    *link = pool->next;
    pthread_mutex_unlock(&registry_lock);
}

void it_pool_close(struct it_pool *pool)
{
    if (!pool) { return; }
    forget(pool);
    atomic_store(&pool->closing, true);
    bring_news(pool, pool->started);
    for (int i = 0; i < pool->started; i++) { pthread_join(pool->workers[i].thread, NULL); }
    if (pool->topology) { hwloc_topology_destroy(pool->topology); }
    pthread_cond_destroy(&pool->news);
    pthread_cond_destroy(&pool->empty);
    pthread_mutex_destroy(&pool->lock);
    pthread_mutex_destroy(&pool->run_lock);
    it_free(pool->workers);
    it_free(pool);
}

int it_pool_threads(const struct it_pool *pool)
{
    return pool ? pool->threads : 1;
}
