/* SPDX-License-Identifier: MIT */
/* Where threads are put: on machines that hwloc is told to imagine, and on this one. */
#define _GNU_SOURCE /* cpu_set_t */
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "core/base/clock.h"
#include "core/base/pool.h"
#include "tests/scratch.h"

enum { MOST = 64 };

static struct it_pool *open_pool(int threads)
{
    struct it_pool *pool;
    ck_assert_int_eq(it_pool_open(threads, &pool), IT_OK);
    return pool;
}

/* ---- imagined machines ---- */

/* "core/cpu@node" of every thread. */
static void check_places(const char *machine, int threads, const char *expected)
{
    char found[1024] = "";
    size_t at = 0;
    ck_assert_int_eq(setenv("HWLOC_SYNTHETIC", machine, 1), 0);
    struct it_pool *pool = open_pool(threads);
    for (int i = 0; i < it_pool_threads(pool); i++) {
        struct it_pool_place p = it_pool_place(pool, i);
        at += (size_t)snprintf(found + at, sizeof found - at, "%s%d/%d@%d", i ? " " : "", p.core,
                               p.cpu, p.node);
        ck_assert_uint_lt(at, sizeof found);
    }
    ck_assert_msg(strcmp(found, expected) == 0, "%s, %d threads: %s, expected %s", machine, threads,
                  found, expected);
    it_pool_close(pool);
}

static const struct {
    const char *machine;
    int threads;
    const char *expected;
} imagined[] = {
    /* a thread a core, not one a hardware thread */
    {"numa:2 core:4 pu:2", 0, "0/0@0 1/2@0 2/4@0 3/6@0 4/8@1 5/10@1 6/12@1 7/14@1"},
    {"pack:2 numa:2 l3:1 core:2 pu:2", 0, "0/0@0 1/2@0 2/4@1 3/6@1 4/8@2 5/10@2 6/12@3 7/14@3"},
    {"core:3 pu:1", 0, "0/0@0 1/1@0 2/2@0"},
    /* fewer threads than cores: over all nodes, in order */
    {"numa:2 core:4 pu:2", 4, "0/0@0 2/4@0 4/8@1 6/12@1"},
    {"numa:2 core:4 pu:2", 3, "0/0@0 2/4@0 5/10@1"},
    {"numa:2 core:4 pu:2", 2, "0/0@0 4/8@1"},
    {"numa:4 core:2 pu:1", 3, "0/0@0 2/2@1 5/5@2"},
    /* the system numbers processors across the nodes: the cores of a node stay together */
    {"numa:2 core:2 pu:2(indexes=0,4,2,6,1,5,3,7)", 0, "0/0@0 1/2@0 2/1@1 3/3@1"},
    {"numa:2(indexes=1,0) core:2 pu:1(indexes=0,2,1,3)", 0, "0/0@1 1/2@1 2/1@0 3/3@0"},
    /* nothing says which hardware threads share a core */
    {"numa:2 pu:2", 0, "0/0@0 1/1@0 2/2@1 3/3@1"},
    /* more threads than cores are not placed; one thread has no need to be */
    {"core:2 pu:2", 3, "-1/-1@-1 -1/-1@-1 -1/-1@-1"},
    {"numa:2 core:4 pu:2", 1, "-1/-1@-1"},
};
enum { IMAGINED = sizeof imagined / sizeof *imagined };

START_TEST(an_imagined_machine)
{
    setenv("HWLOC_THISSYSTEM", "0", 1);
    check_places(imagined[_i].machine, imagined[_i].threads, imagined[_i].expected);
    unsetenv("HWLOC_THISSYSTEM"); /* hwloc knows by itself that it is another machine */
    check_places(imagined[_i].machine, imagined[_i].threads, imagined[_i].expected);
}
END_TEST

START_TEST(a_place_of_nobody)
{
    setenv("HWLOC_SYNTHETIC", "core:2 pu:1", 1);
    struct it_pool *pool = open_pool(0);
    ck_assert_int_eq(it_pool_place(pool, 1).core, 1);
    ck_assert_int_eq(it_pool_place(pool, 2).core, -1);
    ck_assert_int_eq(it_pool_place(pool, -1).core, -1);
    ck_assert_int_eq(it_pool_place(NULL, 0).node, -1);
    it_pool_close(pool);
}
END_TEST

/* ---- affinities as the system knows them ---- */

struct crowd {
    atomic_int here, threads;
    cpu_set_t allowed[MOST];
};

/* One chunk a thread: each waits for the others, so that nobody takes two. */
static void note_affinity(void *context, int64_t begin, int64_t end, int thread)
{
    struct crowd *c = context;
    (void)begin, (void)end;
    sched_getaffinity(0, sizeof c->allowed[thread], &c->allowed[thread]);
    atomic_fetch_add(&c->here, 1);
    for (double stop = it_now() + 10; atomic_load(&c->here) < c->threads && it_now() < stop;) {
        usleep(20);
    }
}

static void gather(struct it_pool *pool, struct crowd *crowd)
{
    memset(crowd, 0, sizeof *crowd);
    crowd->threads = it_pool_threads(pool);
    ck_assert_int_le(crowd->threads, MOST);
    it_pool_run(pool, crowd->threads, 1, note_affinity, crowd);
    ck_assert_int_eq(crowd->here, crowd->threads);
}

/* Nobody was bound to anything. */
static void check_unbound(struct it_pool *pool)
{
    struct crowd *crowd = it_calloc(1, sizeof *crowd);
    cpu_set_t mine;
    ck_assert_int_eq(sched_getaffinity(0, sizeof mine, &mine), 0);
    gather(pool, crowd);
    for (int i = 0; i < crowd->threads; i++) { ck_assert(CPU_EQUAL(&crowd->allowed[i], &mine)); }
    it_free(crowd);
}

START_TEST(an_imagined_machine_binds_nobody)
{
    setenv("HWLOC_SYNTHETIC", "numa:2 core:4 pu:2", 1);
    struct it_pool *pool = open_pool(0);
    ck_assert_int_eq(it_pool_threads(pool), 8);
    check_unbound(pool);
    it_pool_close(pool);
}
END_TEST

/* Processors that this machine has not got, said to be its own: the system refuses to bind. */
START_TEST(where_binding_is_refused_threads_work)
{
    setenv("HWLOC_SYNTHETIC", "core:2 pu:1(indexes=1000,1001)", 1);
    setenv("HWLOC_THISSYSTEM", "1", 1);
    struct it_pool *pool = open_pool(0);
    ck_assert_int_eq(it_pool_threads(pool), 2);
    ck_assert_int_eq(it_pool_place(pool, 1).cpu, 1001);
    check_unbound(pool);
    it_pool_close(pool);
}
END_TEST

/* On one core each, and nobody on the caller's. */
static void check_bound(struct it_pool *pool, struct crowd *crowd)
{
    cpu_set_t mine, taken, both;
    ck_assert_int_eq(sched_getaffinity(0, sizeof mine, &mine), 0);
    gather(pool, crowd);
    ck_assert(CPU_EQUAL(&crowd->allowed[0], &mine)); /* the caller stays as it was */
    CPU_ZERO(&taken);
    for (int i = 1; i < crowd->threads; i++) {
        const cpu_set_t *allowed = &crowd->allowed[i];
        bool own = CPU_ISSET((size_t)it_pool_place(pool, i).cpu, allowed);
        bool first = CPU_ISSET((size_t)it_pool_place(pool, 0).cpu, allowed);
        ck_assert_msg(own != first, "thread %d: neither on its own core nor on the first", i);
        CPU_AND(&both, allowed, &taken);
        ck_assert_int_eq(CPU_COUNT(&both), 0);
        CPU_OR(&taken, &taken, allowed);
    }
}

static bool enough_cores(struct it_pool *pool)
{
    return it_pool_threads(pool) > 1 && it_pool_threads(pool) <= MOST;
}

START_TEST(this_machine)
{
    struct it_pool *pool = open_pool(0);
    struct crowd *crowd = it_calloc(1, sizeof *crowd);
    cpu_set_t mine;
    ck_assert_int_eq(sched_getaffinity(0, sizeof mine, &mine), 0);
    ck_assert_int_le(it_pool_threads(pool), CPU_COUNT(&mine));
    if (enough_cores(pool)) { check_bound(pool, crowd); }
    it_free(crowd);
    it_pool_close(pool);
}
END_TEST

/* Pauses too: workers are not moved often. */
static void go_to(int cpu)
{
    cpu_set_t one;
    usleep(3000);
    CPU_ZERO(&one);
    CPU_SET((size_t)cpu, &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
}

/* The caller visits every core: the worker whose core it is moves to the caller's own. */
START_TEST(a_worker_changes_places_with_the_caller)
{
    struct it_pool *pool = open_pool(0);
    struct crowd *crowd = it_calloc(1, sizeof *crowd);
    for (int k = 2 * it_pool_threads(pool) - 1; enough_cores(pool) && k >= 0; k--) {
        int visited = k % it_pool_threads(pool);
        go_to(it_pool_place(pool, visited).cpu);
        check_bound(pool, crowd);
        for (int i = 1; i < crowd->threads; i++) {
            int cpu = it_pool_place(pool, i == visited ? 0 : i).cpu;
            ck_assert(CPU_ISSET((size_t)cpu, &crowd->allowed[i]));
        }
    }
    it_free(crowd);
    it_pool_close(pool);
}
END_TEST

struct burning {
    double sums[64];
    atomic_int fetched; /* chunks that ended elsewhere than they began */
};

static void burn(void *context, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    struct burning *b = context;
    cpu_set_t before, after;
    CPU_ZERO(&before);
    sched_getaffinity(0, sizeof before, &before);
    for (int64_t i = begin; i < end; i++) {
        double x = (double)i;
        for (int k = 0; k < 20000; k++) { x = x * 0.999999 + 1e-6; }
        b->sums[i] = x;
    }
    sched_getaffinity(0, sizeof after, &after);
    if (!CPU_EQUAL(&before, &after)) { atomic_fetch_add(&b->fetched, 1); }
}

/* Another process keeps the last worker's core, so that the caller fetches this worker: in the
 * next run it is at its own place again. A system that shares cores out in another way may never
 * come to that; here the first time is seen after some milliseconds. */
START_TEST(a_worker_without_a_core_comes_back)
{
    struct it_pool *pool = open_pool(0);
    struct crowd *crowd = it_calloc(1, sizeof *crowd);
    struct burning b = {.fetched = 0};
    if (enough_cores(pool)) {
        int last = it_pool_threads(pool) - 1, own = it_pool_place(pool, last).cpu;
        pid_t hog = fork();
        if (hog == 0) {
            go_to(own);
            for (double end = it_now() + 15; it_now() < end;) {}
            _exit(0);
        }
        go_to(it_pool_place(pool, 0).cpu);
        for (double end = it_now() + 2; b.fetched == 0 && it_now() < end;) {
            it_pool_run(pool, 64, 1, burn, &b);
        }
        kill(hog, SIGKILL);
        waitpid(hog, NULL, 0);
        check_bound(pool, crowd);
        ck_assert(CPU_ISSET((size_t)own, &crowd->allowed[last]));
    }
    it_free(crowd);
    it_pool_close(pool);
}
END_TEST

/* As under taskset: nobody leaves what the process was given. */
START_TEST(a_restricted_process)
{
    cpu_set_t mine, one;
    ck_assert_int_eq(sched_getaffinity(0, sizeof mine, &mine), 0);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &mine)) { continue; }
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
        struct it_pool *pool = open_pool(0);
        ck_assert_int_eq(it_pool_threads(pool), 1);
        it_pool_close(pool);
        pool = open_pool(2); /* more than there are cores: unbound, inside the same set */
        ck_assert_int_eq(it_pool_place(pool, 1).core, -1);
        check_unbound(pool);
        it_pool_close(pool);
    }
}
END_TEST

static void machine_begin(void)
{
    scratch_begin();
    unsetenv("HWLOC_SYNTHETIC");
    unsetenv("HWLOC_THISSYSTEM");
    unsetenv("HWLOC_XMLFILE");
}

int main(void)
{
    Suite *suite = suite_create("pool places");
    TCase *tests = tcase_create("pool places");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, machine_begin, scratch_end);
    tcase_add_loop_test(tests, an_imagined_machine, 0, IMAGINED);
    tcase_add_test(tests, a_place_of_nobody);
    tcase_add_test(tests, an_imagined_machine_binds_nobody);
    tcase_add_test(tests, where_binding_is_refused_threads_work);
    tcase_add_test(tests, this_machine);
    tcase_add_test(tests, a_worker_changes_places_with_the_caller);
    tcase_add_test(tests, a_worker_without_a_core_comes_back);
    tcase_add_test(tests, a_restricted_process);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
