/* SPDX-License-Identifier: MIT */
/* The CUDA backend on a GPU: every case, exact and not; graphs against eager; sizes that only a
 * large model has; what is said when memory is short. Skipped where there is no GPU. */
#include "core/base/log.h"
#define CUDA_TEST_DEVICE "cuda"
#include "tests/cuda_cases.h"
#include "tests/parity.h"
#include "tests/scratch.h"

static struct it_device *open_gpu(bool exact, int64_t limit)
{
    struct it_device *device = NULL;
    struct it_device_options options = {.threads = 1, .exact = exact, .memory_limit = limit};
    ck_ok(it_device_open("cuda", &options, &device));
    return device;
}

START_TEST(equals_the_reference)
{
    struct parity_report report;
    it_log_set_level(IT_LOG_ERROR); /* refusals are counted here */
    struct it_device *device = open_gpu(_i == 0, 0);
    parity_run(device, (struct parity_how){0}, &report);
    printf("%s, exact %d: %d cases, %d refused, worst %.2f of its tolerance\n",
           it_device_info(device)->description, _i == 0, report.ran, report.refused, report.worst);
    it_device_close(device);
    ck_assert_int_eq(report.failed, 0);
    ck_assert_int_lt(report.refused, report.ran / 10);
}
END_TEST

/* ---- graphs ---- */

struct chain {
    struct it_tensor x, w, gain, rstd, normed, gu, h, w2, y;
};

static struct chain make_chain(int64_t rows)
{
    enum { D = 256, FF = 512 };
    return (struct chain){.x = box_random(IT_BF16, rows, D, 1), .w = box_random(IT_BF16, 2 * FF, D,
                          0.05), .gain = it_flatten(box_random(IT_BF16, 1, D, 1)),
                          .rstd = it_flatten(box_new(IT_F32, 1, rows)),
                          .normed = box_new(IT_BF16, rows, D),
                          .gu = box_new(IT_BF16, rows, 2 * FF), .h = box_new(IT_BF16, rows, FF),
                          .w2 = box_random(IT_BF16, D, FF, 0.05),
                          .y = box_new(IT_F32, rows, D)};
}

static void run_chain(const struct chain *c)
{
    const struct it_tensor none = {0};
    const struct it_matmul_how how = {.trans_b = true};
    ck_ok(it_rmsnorm(c->normed, c->rstd, c->x, c->gain, 1e-6));
    ck_ok(it_matmul(c->gu, c->normed, c->w, none, how));
    ck_ok(it_swiglu(c->h, c->gu));
    ck_ok(it_matmul(c->y, c->h, c->w2, none, how));
}

/* With the library's products in it, and after other work has used its workspace. */
START_TEST(a_graph_equals_eager)
{
    static const int64_t rows[] = {1, 8, 17, 300};
    box_device = open_gpu(_i % 2, 0);
    ck_ok(it_arena_open(box_device, "box", 64 << 20, &box_arena));
    it_rng_init(&box_rng, 7, 0);
    struct chain c = make_chain(rows[_i / 2]), other = make_chain(200);
    struct it_graph *graph = NULL;
    ck_ok(it_record_begin(box_device));
    run_chain(&c);
    ck_ok(it_record_end(box_device, &graph));
    for (int round = 0; round < 3; round++) {
        struct it_tensor next = box_random(IT_BF16, rows[_i / 2], 256, 1);
        ck_ok(it_copy(c.x, next));
        run_chain(&c);
        double *eager = box_get(c.y);
        ck_ok(it_fill(c.y, 0));
        run_chain(&other);
        ck_ok(it_graph_replay(graph));
        double *replayed = box_get(c.y);
        size_t bytes = (size_t)it_tensor_count(&c.y) * sizeof *eager;
        ck_assert(memcmp(eager, replayed, bytes) == 0);
        free(eager);
        free(replayed);
    }
    it_graph_close(graph);
    box_close();
}
END_TEST

/* ---- sizes ---- */

/* Logits of a whole micro-batch over a large vocabulary: more than 2^31 bytes, and rows past what
 * 32 bits count. The last rows equal the same rows alone. */
START_TEST(a_large_vocabulary)
{
    enum { V = 151936, ROWS = 15000, FEW = 3 };
    struct it_tensor few, large, stats, few_stats, d, few_d;
    box_device = open_gpu(_i, 0);
    int64_t bytes = (int64_t)V * ROWS * 6 + (INT64_C(1) << 26);
    if (it_device_info(box_device)->memory_free < bytes) {
        printf("a large vocabulary: too little memory, left out\n");
        it_device_close(box_device);
        return;
    }
    ck_ok(it_arena_open(box_device, "box", bytes, &box_arena));
    it_rng_init(&box_rng, 7, 0);
    few = box_random(IT_F32, FEW, V, 3);
    large = box_new(IT_F32, ROWS, V);
    d = box_new(IT_BF16, ROWS, V);
    few_d = box_new(IT_BF16, FEW, V);
    stats = box_new(IT_F32, ROWS, 8);
    few_stats = box_new(IT_F32, FEW, 8);
    struct it_tensor coefs = box_random(IT_F32, ROWS, 3, 1);
    struct it_tensor temps = box_list(IT_F32, 2, (double[]){0.9, 1});
    struct it_tensor targets = it_flatten(box_new(IT_I32, 1, ROWS));
    double *ids = calloc(ROWS, sizeof *ids);
    for (int i = 0; i < ROWS; i++) { ids[i] = (double)(i * 7 % V); }
    box_set(targets, ids);
    free(ids);
    int64_t at = ROWS - FEW;
    ck_ok(it_fill(large, 0.5));
    ck_ok(it_copy(it_rows(large, at, FEW), few));
    ck_ok(it_token_stats(stats, large, targets, temps, 0));
    ck_ok(it_token_stats_bwd(d, large, targets, stats, coefs, temps, 0));
    targets = it_rows(targets, at, FEW);
    ck_ok(it_token_stats(few_stats, few, targets, temps, 0));
    ck_ok(it_token_stats_bwd(few_d, few, targets, few_stats, it_rows(coefs, at, FEW), temps, 0));
    ck_assert(box_same(it_rows(stats, at, FEW), few_stats));
    ck_assert(box_same(it_rows(d, at, FEW), few_d));
    box_close();
}
END_TEST

/* More rows than a grid has blocks downward. */
START_TEST(many_rows)
{
    enum { ROWS = 200001, N = 8 };
    box_device = open_gpu(true, 0);
    ck_ok(it_arena_open(box_device, "box", 64 << 20, &box_arena));
    it_rng_init(&box_rng, 7, 0);
    struct it_tensor x = box_random(IT_F32, ROWS, N, 1), y = box_new(IT_F32, ROWS, N);
    struct it_tensor half = box_new(IT_BF16, ROWS, N), back = box_new(IT_F32, ROWS, N);
    ck_ok(it_scale_add(y, 2, x, -1, x));
    ck_assert(box_same(x, y));
    ck_ok(it_copy(half, x));
    ck_ok(it_copy(back, half));
    ck_assert(box_distance(x, back) < 0.02);
    box_close();
}
END_TEST

/* ---- memory ---- */

START_TEST(too_much_is_refused_and_the_device_lives)
{
    struct it_arena *arena = NULL;
    scratch_begin();
    struct it_device *device = open_gpu(false, 0);
    int64_t total = it_device_info(device)->memory_total;
    int64_t free_bytes = it_device_info(device)->memory_free;
    ck_assert(free_bytes > 0 && free_bytes < total);
    ck_assert_fails(it_arena_open(device, "phase", 2 * total, &arena), IT_NOMEM, "arena phase");
    ck_ok(it_arena_open(device, "phase", 1 << 20, &arena));
    it_arena_close(arena);
    it_device_close(device);
    device = open_gpu(false, INT64_C(4) << 30);
    ck_assert_fails(it_arena_open(device, "phase", INT64_C(4) << 30, &arena), IT_NOMEM, "limit");
    it_device_close(device);
    scratch_end();
}
END_TEST

int main(void)
{
    struct it_device *device = NULL;
    enum it_status status = it_device_open("cuda", NULL, &device);
    if (status != IT_OK) { return status == IT_NOT_FOUND || status == IT_INVALID ? 77 : 1; }
    it_device_close(device);
    setenv("CK_FORK", "no", 1); /* drivers do not survive a fork */
    Suite *suite = suite_create("cuda_gpu");
    TCase *tests = tcase_create("cuda_gpu");
    tcase_add_loop_test(tests, equals_the_reference, 0, 2);
    cuda_cases(tests);
    tcase_add_loop_test(tests, a_graph_equals_eager, 0, 8);
    tcase_add_loop_test(tests, a_large_vocabulary, 0, 2);
    tcase_add_test(tests, many_rows);
    tcase_add_test(tests, too_much_is_refused_and_the_device_lives);
    suite_add_tcase(suite, tests);
    return box_run(suite);
}
