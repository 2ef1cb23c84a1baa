/* SPDX-License-Identifier: MIT */
/* The pool: every chunk once, whatever the threads do; forks; a core that somebody else holds. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "core/base/clock.h"
#include "core/base/pool.h"
#include "tests/scratch.h"

#if defined(__SANITIZE_THREAD__)
#    define UNDER_TSAN 1
#elif defined(__has_feature)
#    if __has_feature(thread_sanitizer)
#        define UNDER_TSAN 1
#    endif
#endif

enum { MOST = 5000, THREADS = 4 };

/* What a run did: how often each item was seen, and what was wrong. */
struct record {
    struct it_pool *pool;
    int64_t count, grain;
    atomic_int seen[MOST], threads[64], wrong;
};

static void note(void *context, int64_t begin, int64_t end, int thread)
{
    struct record *r = context;
    int64_t last = begin + r->grain < r->count ? begin + r->grain : r->count;
    bool good = begin % r->grain == 0 && end == last && thread >= 0 &&
                thread < it_pool_threads(r->pool);
    if (!good) {
        atomic_fetch_add(&r->wrong, 1);
        return;
    }
    atomic_fetch_add(&r->threads[thread], 1);
    for (int64_t i = begin; i < end; i++) { atomic_fetch_add(&r->seen[i], 1); }
}

static void check_run(struct it_pool *pool, int64_t count, int64_t grain)
{
    struct record *r = it_calloc(1, sizeof *r);
    r->pool = pool;
    r->count = count;
    r->grain = grain;
    it_pool_run(pool, count, grain, note, r);
    ck_assert_int_eq(r->wrong, 0);
    for (int64_t i = 0; i < MOST; i++) { ck_assert_int_eq(r->seen[i], i < count); }
    it_free(r);
}

static struct it_pool *open_pool(int threads)
{
    struct it_pool *pool;
    ck_assert_int_eq(it_pool_open(threads, &pool), IT_OK);
    return pool;
}

START_TEST(every_item_is_done_once)
{
    static const int threads[] = {1, 2, 3, THREADS, 0};
    struct it_pool *pool = open_pool(threads[_i]);
    ck_assert_int_eq(it_pool_threads(pool), threads[_i] ? threads[_i] : it_pool_threads(pool));
    ck_assert_int_ge(it_pool_threads(pool), 1);
    for (int64_t count = 0; count < 40; count++) {
        for (int64_t grain = 1; grain < 12; grain++) { check_run(pool, count, grain); }
    }
    check_run(pool, MOST, 1);
    check_run(pool, MOST, 7);
    check_run(pool, MOST, MOST + 1);
    it_pool_run(pool, -3, 1, NULL, NULL);
    it_pool_close(pool);
}
END_TEST

START_TEST(no_pool_runs_inline)
{
    check_run(NULL, 100, 7);
    ck_assert_int_eq(it_pool_threads(NULL), 1);
    it_pool_close(NULL);
    struct it_pool *pool = open_pool(THREADS); /* closed before its first run */
    it_pool_close(pool);
    ck_assert_fails(it_pool_open(-1, &pool), IT_INVALID, "-1 threads");
    ck_assert_fails(it_pool_open(1000000, &pool), IT_INVALID, "expected 0");
}
END_TEST

static void add_one(void *context, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    int64_t *items = context;
    for (int64_t i = begin; i < end; i++) { items[i]++; }
}

/* Plain memory, no atomics: a run must be a barrier on both sides. Long and short pauses between
 * the runs, so that workers are met spinning, falling asleep and asleep. */
START_TEST(runs_follow_one_another)
{
    struct it_pool *pool = open_pool(_i == 0 ? 2 : THREADS);
    int64_t items[64] = {0};
    enum { RUNS = 3000 };
    for (int run = 0; run < RUNS; run++) {
        it_pool_run(pool, 64, 1 + run % 9, add_one, items);
        for (int i = 0; i < 64; i++) { ck_assert_int_eq(items[i], run + 1); }
        double pause = run % 100 == 0 ? 1e-3 : run % 10 == 0 ? 5e-5 : 0;
        for (double end = it_now() + pause; pause > 0 && it_now() < end;) {}
    }
    it_pool_close(pool);
}
END_TEST

/* Two chunks that wait for one another prove that two threads are at work at once. */
static void meet(void *context, int64_t begin, int64_t end, int thread)
{
    (void)begin, (void)end, (void)thread;
    atomic_int *here = context;
    atomic_fetch_add(here, 1);
    for (double stop = it_now() + 3; atomic_load(here) < 2 && it_now() < stop;) { usleep(20); }
}

START_TEST(threads_work_at_the_same_time)
{
    struct it_pool *pool = open_pool(2);
    for (int i = 0; i < 20; i++) {
        atomic_int here = 0;
        double begin = it_now();
        it_pool_run(pool, 2, 1, meet, &here);
        ck_assert_int_eq(here, 2);
        ck_assert_double_lt(it_now() - begin, 2.9);
    }
    it_pool_close(pool);
}
END_TEST

/* ---- shares ---- */

struct shares {
    struct it_pool *pool;
    int64_t first[8];       /* the first item that a thread was given, -1: none yet */
    atomic_int begun, done; /* threads, chunks */
    int stuck;              /* a thread that does not finish before all others' chunks are done */
    int chunks;
};

static void wait_for(const atomic_int *what, int value)
{
    for (double stop = it_now() + 10; atomic_load(what) < value && it_now() < stop;) {
        usleep(20);
    }
}

static void note_first(void *context, int64_t begin, int64_t end, int thread)
{
    (void)end;
    struct shares *s = context;
    if (s->first[thread] < 0) {
        s->first[thread] = begin;
        atomic_fetch_add(&s->begun, 1);
        wait_for(&s->begun, it_pool_threads(s->pool)); /* or a fast one takes all */
    }
    if (thread == s->stuck) { wait_for(&s->done, s->chunks - 1); }
    atomic_fetch_add(&s->done, 1);
}

static void run_shares(struct shares *s, int64_t count, int64_t grain)
{
    s->chunks = (int)((count - 1) / grain + 1);
    memset(s->first, -1, sizeof s->first);
    atomic_store(&s->begun, 0);
    atomic_store(&s->done, 0);
    double begin = it_now();
    it_pool_run(s->pool, count, grain, note_first, s);
    ck_assert_int_eq(s->done, s->chunks);
    ck_assert_double_lt(it_now() - begin, 9);
}

/* Equal parts, in the order of the threads; the same in every run. */
START_TEST(threads_begin_at_their_own_shares)
{
    static const struct {
        int64_t count, grain, first[THREADS];
    } cases[] = {
        {8, 1, {0, 2, 4, 6}},
        {4, 1, {0, 1, 2, 3}},
        {11, 1, {0, 3, 6, 9}},     /* 3 3 3 2 */
        {99, 10, {0, 30, 60, 80}}, /* 10 chunks: 3 3 2 2 */
        {4001, 1000, {0, 2000, 3000, 4000}},
    };
    struct shares s = {.pool = open_pool(THREADS), .stuck = -1};
    for (size_t i = 0; i < 3 * sizeof cases / sizeof *cases; i++) {
        const int64_t *first = cases[i / 3].first;
        run_shares(&s, cases[i / 3].count, cases[i / 3].grain);
        for (int t = 0; t < THREADS; t++) { ck_assert_int_eq(s.first[t], first[t]); }
    }
    it_pool_close(s.pool);
}
END_TEST

/* One thread, the caller or a worker, is kept from going on: the others do what is left of its
 * share, and nobody waits for more than its one chunk. */
START_TEST(the_share_of_a_stuck_thread_is_done_by_others)
{
    struct shares s = {.pool = open_pool(THREADS)};
    for (s.stuck = 0; s.stuck < THREADS; s.stuck++) {
        run_shares(&s, 40, 1);
        run_shares(&s, 43, 5);
    }
    it_pool_close(s.pool);
}
END_TEST

struct nested {
    struct it_pool *same, *other;
    atomic_int inner, wrong;
};

struct inner {
    struct nested *n;
    int thread;
    pthread_t self;
};

static void inner_work(void *context, int64_t begin, int64_t end, int thread)
{
    struct inner *in = context;
    if (thread != in->thread || !pthread_equal(in->self, pthread_self())) {
        atomic_fetch_add(&in->n->wrong, 1);
    }
    atomic_fetch_add(&in->n->inner, (int)(end - begin));
}

static void count_work(void *context, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    struct nested *n = context;
    atomic_fetch_add(&n->inner, (int)(end - begin));
}

static void outer_work(void *context, int64_t begin, int64_t end, int thread)
{
    (void)begin, (void)end;
    struct nested *n = context;
    struct inner in = {.n = n, .thread = thread, .self = pthread_self()};
    it_pool_run(n->same, 10, 3, inner_work, &in);
    it_pool_run(n->other, 10, 3, count_work, n);
}

START_TEST(a_run_inside_a_run_is_inline)
{
    struct nested n = {.same = open_pool(THREADS), .other = open_pool(2)};
    it_pool_run(n.same, 50, 1, outer_work, &n);
    ck_assert_int_eq(n.wrong, 0);
    ck_assert_int_eq(n.inner, 50 * 20);
    it_pool_close(n.other);
    it_pool_close(n.same);
}
END_TEST

static void *call_often(void *argument)
{
    int64_t items[32] = {0};
    for (int run = 0; run < 300; run++) { it_pool_run(argument, 32, 3, add_one, items); }
    for (int i = 0; i < 32; i++) {
        if (items[i] != 300) { return argument; }
    }
    return NULL;
}

START_TEST(two_callers_take_turns)
{
    struct it_pool *pool = open_pool(3);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, call_often, pool), 0);
    ck_assert_ptr_null(call_often(pool));
    void *failed;
    pthread_join(thread, &failed);
    ck_assert_ptr_null(failed);
    it_pool_close(pool);
}
END_TEST

static void run_in_child(struct it_pool *pool)
{
#ifdef UNDER_TSAN
    /* the sanitizer itself cannot make threads in the child of a threaded process */
    (void)pool;
    return;
#endif
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        int64_t items[64] = {0};
        for (int run = 0; run < 20; run++) { it_pool_run(pool, 64, 5, add_one, items); }
        atomic_int here = 0;
        it_pool_run(pool, 2, 1, meet, &here); /* needs a live worker */
        bool good = here == 2;
        for (int i = 0; i < 64; i++) { good = good && items[i] == 20; }
        it_pool_close(pool);
        _exit(good ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}

START_TEST(a_fork_starts_afresh)
{
    struct it_pool *pool = open_pool(2), *another = open_pool(3);
    run_in_child(pool); /* before the first run */
    check_run(pool, 1000, 3);
    check_run(another, 1000, 3);
    run_in_child(pool); /* after it */
    run_in_child(another);
    check_run(pool, 1000, 3); /* the parent's threads are still there */
    it_pool_close(another);
    run_in_child(pool);
    it_pool_close(pool);
}
END_TEST

static atomic_bool fork_now_over;

static void *run_until_told(void *argument)
{
    int64_t items[64] = {0};
    while (!atomic_load(&fork_now_over)) { it_pool_run(argument, 64, 1, add_one, items); }
    return NULL;
}

/* The fork may come while another thread holds every lock of the pool. */
START_TEST(a_fork_in_the_middle_of_a_run)
{
    struct it_pool *pool = open_pool(2);
    pthread_t thread;
    atomic_store(&fork_now_over, false);
    ck_assert_int_eq(pthread_create(&thread, NULL, run_until_told, pool), 0);
    for (int i = 0; i < 30; i++) { run_in_child(pool); }
    atomic_store(&fork_now_over, true);
    pthread_join(thread, NULL);
    it_pool_close(pool);
}
END_TEST

static void burn(void *context, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    double *sums = context;
    for (int64_t i = begin; i < end; i++) {
        double x = (double)i; /* not 1, which stays 1 and is made no work at all */
        for (int k = 0; k < 20000; k++) { x = x * 0.999999 + 1e-6; }
        sums[i] = x;
    }
}

static double time_runs(struct it_pool *pool)
{
    double sums[64], begin = it_now();
    for (int i = 0; i < 40; i++) { it_pool_run(pool, 64, 1, burn, sums); }
    return it_now() - begin;
}

/* Two busy processes beside it: the work must not take much longer than its fair share. A bad pool
 * (static parts, or a caller that spins for a worker without a core) is several times slower. */
START_TEST(a_taken_core_does_not_stall)
{
    struct it_pool *pool = open_pool(2);
    double alone = time_runs(NULL); /* one thread: at least one fair half of two cores */
    pid_t hogs[2];
    for (int i = 0; i < 2; i++) {
        hogs[i] = fork();
        if (hogs[i] == 0) {
            for (double end = it_now() + 30; it_now() < end;) {}
            _exit(0);
        }
    }
    double crowded = time_runs(pool);
    for (int i = 0; i < 2; i++) {
        kill(hogs[i], SIGKILL);
        waitpid(hogs[i], NULL, 0);
    }
    ck_assert_msg(crowded < 6 * alone + 0.2, "alone %.3f s, crowded %.3f s", alone, crowded);
    it_pool_close(pool);
}
END_TEST

START_TEST(the_topology_is_known)
{
    struct it_topology t;
    it_topology_read(&t);
    ck_assert_int_ge(t.threads, 1);
    ck_assert_int_ge(t.threads, t.cores);
    ck_assert_int_ge(t.packages, 0);
    ck_assert_int_ge(t.l2, 0);
    ck_assert_int_gt((int)strlen(t.cpu), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool");
    TCase *tests = tcase_create("pool");
    tcase_set_timeout(tests, 60); /* the machine may be crowded */
    tcase_add_checked_fixture(tests, scratch_begin, scratch_end);
    tcase_add_loop_test(tests, every_item_is_done_once, 0, 5);
    tcase_add_test(tests, no_pool_runs_inline);
    tcase_add_loop_test(tests, runs_follow_one_another, 0, 2);
    tcase_add_test(tests, threads_work_at_the_same_time);
    tcase_add_test(tests, threads_begin_at_their_own_shares);
    tcase_add_test(tests, the_share_of_a_stuck_thread_is_done_by_others);
    tcase_add_test(tests, a_run_inside_a_run_is_inline);
    tcase_add_test(tests, two_callers_take_turns);
    tcase_add_test(tests, a_fork_starts_afresh);
    tcase_add_test(tests, a_fork_in_the_middle_of_a_run);
    tcase_add_test(tests, a_taken_core_does_not_stall);
    tcase_add_test(tests, the_topology_is_known);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
