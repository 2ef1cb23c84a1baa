/* SPDX-License-Identifier: MIT */
/* The thread pool. A run is a job that threads join and leave: the caller opens it, works on it
 * like everybody, closes it when no chunk is left, and waits only for the threads that are inside.
 * A worker that wakes up late, because another process holds its core, finds the job closed and
 * delays nobody: the others have done its share.
 *
 * Each thread begins at its own share of the chunks, the same in every run of that many chunks, and
 * helps the threads after it when its own is done. The same rows of a weight are so met by the same
 * thread in every step: they may still be in its caches, and they lie in its NUMA node's memory
 * where that thread was the first to touch them.
 *
 * A core that somebody else keeps busy must not hold everybody up:
 * - The system may move the caller, which is not bound, to a worker's core. That worker changes
 *   places with it.
 * - A worker that loses its core in the middle of a chunk may get it back only milliseconds later.
 *   The caller, which has nothing left to do but to wait, has it finish on the caller's own core.
 */
#include "core/base/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/cores.h"
#include "core/base/log.h"
#include "core/base/mem.h"

enum { MOST_THREADS = 4096, OPEN = 1, INSIDE = 2, NO_PLACE = -1 };

/* How long a thread looks for news before it sleeps: longer than the gap between two operations of
 * a decode step, shorter than anybody else on the machine would notice. */
static const double spin_seconds = 50e-6;

/* A caller that sleeps looks after the workers from time to time: first and longest sleep. */
static const double first_sleep = 0.5e-3, longest_sleep = 64e-3;

struct worker {
    struct it_pool *pool;
    pthread_t thread;
    int index;
    atomic_int number;  /* of the thread, in the system's words */
    atomic_int place;   /* the thread whose core it is bound to; NO_PLACE: another's */
    atomic_bool inside; /* a job */
    double had;         /* processor seconds when the caller looked */
};

/* A thread's chunks of a job. Thieves write here too, so no two lie in one line of a cache, nor in
 * two that processors fetch together. */
struct share {
    atomic_int_least64_t next;
    int64_t end;
    char apart[128 - 2 * sizeof(int64_t)];
};

struct it_pool {
    int threads;            /* the caller included */
    int started;            /* workers that exist */
    bool tried;             /* to start them: the first run does */
    struct it_cores *cores; /* NULL: more threads than cores, or not known */
    bool placed;            /* a core of this machine for each: workers are bound, and waiting */
                            /* threads spin, which else would keep others from getting on */
    struct worker *workers; /* [threads - 1] */
    struct share *shares;   /* [threads] */
    struct it_pool *next;   /* in the list of open pools */

    pthread_mutex_t run_lock; /* one job at a time; the job: */
    int64_t count, grain;
    it_pool_work *work;
    void *context;
    atomic_int visited;     /* the worker on whose core the caller is, 0: none */
    double visited_since;   /* it_now() */
    atomic_uint state;      /* OPEN, plus INSIDE for each worker inside the job */
    atomic_uint generation; /* of jobs: the news that workers look for */

    pthread_mutex_t lock; /* for sleeping */
    pthread_cond_t news;  /* a job was opened, or the pool is closing */
    pthread_cond_t empty; /* the last worker left a closed job */
    atomic_int sleepers;
    atomic_bool awaited; /* the caller sleeps until `empty` */
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
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->empty, &monotonic);
    pthread_condattr_destroy(&monotonic);
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
        atomic_store(&pool->awaited, false);
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
    if (!pool->placed) { return atomic_load(word) != same; }
    double end = it_now() + spin_seconds;
    do {
        for (int i = 0; i < 32; i++) {
            if (atomic_load(word) != same) { return true; }
            pause_briefly();
        }
    } while (it_now() < end);
    return false;
}

static void take_share(struct it_pool *pool, struct share *share, int thread)
{
    while (atomic_load(&share->next) < share->end) { /* done shares are looked at, not written */
        int64_t chunk = atomic_fetch_add(&share->next, 1);
        if (chunk >= share->end) { return; }
        int64_t begin = chunk * pool->grain, left = pool->count - begin;
        pool->work(pool->context, begin, begin + (left < pool->grain ? left : pool->grain), thread);
    }
}

static void take_chunks(struct it_pool *pool, int thread)
{
    const struct frame frame = {.pool = pool, .thread = thread, .outer = frames};
    frames = &frame;
    for (int i = 0; i < pool->threads; i++) {
        int owner = i < pool->threads - thread ? thread + i : thread + i - pool->threads;
        take_share(pool, &pool->shares[owner], thread);
    }
    frames = frame.outer;
}

/* Whether the job was still open. A closed one is left alone: a worker that lost its core between
 * coming and going would be waited for. */
static bool enter_job(struct it_pool *pool)
{
    unsigned state = atomic_load(&pool->state);
    while (state & OPEN) {
        if (atomic_compare_exchange_weak(&pool->state, &state, state + INSIDE)) { return true; }
    }
    return false;
}

static void join_job(struct it_pool *pool, struct worker *worker)
{
    if (!enter_job(pool)) { return; }
    atomic_store(&worker->inside, true);
    take_chunks(pool, worker->index);
    atomic_store(&worker->inside, false);
    bool last = atomic_fetch_sub(&pool->state, INSIDE) == INSIDE; /* of a closed job */
    if (last && atomic_load(&pool->awaited)) {
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

/* To the core that is this worker's now, if the system lets it. */
static void take_place(struct worker *worker)
{
    struct it_pool *pool = worker->pool;
    int wanted = atomic_load(&pool->visited) == worker->index ? 0 : worker->index;
    if (!pool->placed || atomic_exchange(&worker->place, wanted) == wanted) { return; }
    if (!it_cores_bind(pool->cores, wanted)) {
        it_debug("thread %d could not be bound to a core and goes on unbound", worker->index);
    }
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    struct it_pool *pool = worker->pool;
    atomic_store(&worker->number, it_thread_number());
    unsigned seen = 0; /* the job that made this thread is news to it */
    for (;;) {
        if (!spin_while(pool, &pool->generation, seen)) { sleep_until_news(pool, seen); }
        seen = atomic_load(&pool->generation);
        if (atomic_load(&pool->closing)) { return NULL; }
        take_place(worker);
        join_job(pool, worker);
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
        *worker = (struct worker){.pool = pool, .index = i + 1, .place = NO_PLACE};
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

/* A worker that is inside a job, has work to do and gets no core to do it on comes to this one: one
 * at a time, there is one core to lend. A worker that runs, however long, and one that waits for
 * something else, stay where they are. */
static void fetch_stalled(struct it_pool *pool)
{
    unsigned state = atomic_load(&pool->state);
    for (int i = 0; i < pool->started; i++) {
        struct worker *worker = &pool->workers[i];
        bool inside = atomic_load(&worker->inside);
        if (inside && atomic_load(&worker->place) == NO_PLACE) { return; } /* is here already */
        worker->had = inside ? it_thread_seconds(worker->thread) : -1;
    }
    if (spin_while(pool, &pool->state, state)) { return; }
    for (int i = 0; i < pool->started; i++) {
        struct worker *worker = &pool->workers[i];
        if (worker->had < 0 || !atomic_load(&worker->inside)) { continue; }
        double got = it_thread_seconds(worker->thread) - worker->had;
        if (got < 0.1 * spin_seconds && it_thread_ready(atomic_load(&worker->number)) &&
            it_thread_fetch(worker->thread)) {
            atomic_store(&worker->place, NO_PLACE); /* it goes back before the next job */
            return;
        }
    }
}

/* Until the last worker has left, or the time is up. */
static void sleep_until_empty(struct it_pool *pool, double seconds)
{
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_nsec += (long)(1e9 * seconds);
    end.tv_sec += end.tv_nsec / 1000000000;
    end.tv_nsec %= 1000000000;
    pthread_mutex_lock(&pool->lock);
    atomic_store(&pool->awaited, true); /* before the look: whoever leaves last looks at it */
    int error = 0;
    while (atomic_load(&pool->state) != 0 && error == 0) {
        error = pthread_cond_timedwait(&pool->empty, &pool->lock, &end);
    }
    atomic_store(&pool->awaited, false);
    pthread_mutex_unlock(&pool->lock);
}

static void close_job(struct it_pool *pool)
{
    double pause = first_sleep;
    unsigned state;
    while ((state = atomic_fetch_and(&pool->state, ~(unsigned)OPEN) & ~(unsigned)OPEN) != 0) {
        if (spin_while(pool, &pool->state, state)) { continue; }
        if (pool->placed) { fetch_stalled(pool); }
        sleep_until_empty(pool, pause);
        pause = pause < longest_sleep ? 2 * pause : longest_sleep;
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

/* A worker is moved for the caller at most once a millisecond: on a crowded machine they would else
 * chase one another, and each move costs some ten microseconds. */
static void see_where(struct it_pool *pool)
{
    int here = it_cores_here(pool->cores), visited = here > 0 ? here : 0;
    if (visited == atomic_load(&pool->visited)) { return; }
    double now = it_now();
    if (now - pool->visited_since < 1e-3) { return; }
    pool->visited_since = now;
    atomic_store(&pool->visited, visited);
}

/* Equal shares, in order; the first ones take what is left over. */
static void share_out(struct it_pool *pool, int64_t chunks)
{
    int64_t each = chunks / pool->threads, over = chunks % pool->threads, begin = 0;
    for (int i = 0; i < pool->threads; i++) {
        struct share *share = &pool->shares[i];
        atomic_store_explicit(&share->next, begin, memory_order_relaxed);
        share->end = begin += each + (i < over);
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
    int64_t chunks = (count - 1) / grain + 1;
    pool->count = count;
    pool->grain = grain;
    pool->work = work;
    pool->context = context;
    share_out(pool, chunks);
    if (pool->placed) { see_where(pool); }
    atomic_fetch_or(&pool->state, OPEN);
    if (!pool->tried) { start_workers(pool); }
    bring_news(pool, chunks - 1);
    take_chunks(pool, 0);
    close_job(pool);
    pthread_mutex_unlock(&pool->run_lock);
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
    if (threads != 1) { cores = it_cores_open(&pool->cores); }
    pool->threads = threads ? threads : cores < 1 ? 1 : cores < MOST_THREADS ? cores : MOST_THREADS;
    if (pool->threads > cores) { /* nothing to bind to */
        it_cores_close(pool->cores);
        pool->cores = NULL;
    }
    if (pool->cores) {
        it_cores_share(pool->cores, pool->threads);
        pool->placed = it_cores_real(pool->cores);
    }
    pool->workers = it_calloc((size_t)pool->threads, sizeof *pool->workers);
    pool->shares = it_calloc((size_t)pool->threads, sizeof *pool->shares);
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
    for (int i = 0; i < pool->started; i++) {
        pthread_t thread = pool->workers[i].thread;
        if (pool->placed) { it_thread_fetch(thread); } /* its own core may be somebody else's now */
        pthread_join(thread, NULL);
    }
    it_cores_close(pool->cores);
    pthread_cond_destroy(&pool->news);
    pthread_cond_destroy(&pool->empty);
    pthread_mutex_destroy(&pool->lock);
    pthread_mutex_destroy(&pool->run_lock);
    it_free(pool->workers);
    it_free(pool->shares);
    it_free(pool);
}

struct it_pool_place it_pool_place(const struct it_pool *pool, int thread)
{
    static const struct it_pool_place unknown = {.core = -1, .cpu = -1, .node = -1};
    bool known = pool && pool->cores && thread >= 0 && thread < pool->threads;
    return known ? it_cores_at(pool->cores, thread) : unknown;
}

int it_pool_threads(const struct it_pool *pool)
{
    return pool ? pool->threads : 1;
}
