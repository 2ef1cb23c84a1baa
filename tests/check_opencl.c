/* SPDX-License-Identifier: MIT */
/* The OpenCL backend, with the kernels of processors and with those of GPUs, which differ, on the
 * one device there is: every case, exact and not, then the same again and again. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/tensor/backend.h"
#include "tests/parity.h"

static const struct it_backend *find(const char *name)
{
    const struct it_backend *backend;
    for (size_t i = 0; (backend = it_backend_at(i)); ++i) {
        if (strcmp(it_backend_name(backend), name) == 0) { return backend; }
    }
    return NULL;
}

static const char *const kinds[] = {"cpu", "gpu"};

static struct it_device *open_device(int kind, bool exact)
{
    struct it_device *device = NULL;
    struct it_device_options options = {.threads = 1, .exact = exact};
    setenv("INTUITOR_OPENCL_KERNELS", kinds[kind], 1);
    ck_assert_int_eq(it_device_open("opencl", &options, &device), IT_OK);
    return device;
}

START_TEST(equals_the_reference)
{
    struct parity_report report;
    it_log_set_level(IT_LOG_ERROR); /* refusals are counted here */
    struct it_device *device = open_device(_i / 2, _i % 2);
    parity_run(device, (struct parity_how){0}, &report);
    printf("%s, kernels %s, exact %d: %d cases, %d refused, worst %.2f of its tolerance\n",
           it_device_info(device)->description, kinds[_i / 2], _i % 2, report.ran, report.refused,
           report.worst);
    it_device_close(device);
    ck_assert_int_eq(report.failed, 0);
    ck_assert_int_lt(report.refused - report.optional, report.ran / 10);
}
END_TEST

/* ---- the same again and again: PoCL once gave threads each other's local memory ---- */

/* Sizes with many work groups at once and long walks in each; letters of the op's signature. */
static const struct {
    enum it_op op;
    const char *letters;
    int64_t size[3];
} busy[] = {
    {IT_OP_SCATTER_ADD_ROWS, "tn", {300, 700}}, {IT_OP_RMSNORM, "mn", {64, 3001}},
    {IT_OP_RMSNORM_BWD, "mn", {64, 3001}},      {IT_OP_MATMUL, "mnk", {130, 190, 300}},
    {IT_OP_ATTN, "tu", {150, 200}},             {IT_OP_ATTN_BWD, "tu", {90, 120}},
    {IT_OP_ATTN_DECODE, "s", {16}},             {IT_OP_SWIGLU_BWD, "mn", {64, 999}},
    {IT_OP_TOKEN_STATS, "tv", {23, 8193}},      {IT_OP_TOKEN_STATS_BWD, "tv", {23, 4097}},
    {IT_OP_SAMPLE, "tv", {16, 1031}},           {IT_OP_SUM_ROWS, "mn", {600, 700}},
    {IT_OP_SUMSQ, "n", {300001}},               {IT_OP_ADAMW, "n", {9001}},
    {IT_OP_ADAMW8, "ng", {9001, 36}},
};

enum { AGAIN = 12 };

static size_t output_bytes(const struct it_case *c, const struct it_args *args, int k)
{
    return (size_t)it_tensor_count(&args->t[k]) * it_dtype_size(c->type[k]);
}

/* How many of the repeats differ from the first. */
static int differing(const struct it_case *c, struct it_device *device)
{
    struct it_arena *arena = NULL;
    struct it_args args;
    unsigned char *first[IT_MAX_OPERANDS] = {NULL}, *again[IT_MAX_OPERANDS] = {NULL};
    int outputs = it_op_info(c->op)->outputs, differ = 0;
    ck_assert_int_eq(it_arena_open(device, "repeats", 32 << 20, &arena), IT_OK);
    int64_t mark = it_arena_mark(arena);
    for (int i = 0; i < AGAIN; ++i) {
        bool same = true;
        it_arena_reset(arena, mark);
        ck_assert_int_eq(it_case_prepare(c, arena, &args), IT_OK);
        ck_assert_int_eq(it_case_run(c, &args), IT_OK);
        for (int k = 0; k < outputs; ++k) {
            if (c->type[k] == IT_NONE) { continue; }
            size_t bytes = output_bytes(c, &args, k);
            if (!first[k]) {
                first[k] = malloc(bytes);
                again[k] = malloc(bytes);
                ck_assert(first[k] && again[k]);
            }
            ck_assert_int_eq(it_download(i ? again[k] : first[k], args.t[k]), IT_OK);
            same = same && (i == 0 || memcmp(first[k], again[k], bytes) == 0);
        }
        differ += !same;
    }
    for (int k = 0; k < outputs; ++k) {
        free(first[k]);
        free(again[k]);
    }
    it_arena_close(arena);
    return differ;
}

/* The first case of an op in a type, or false. */
static bool find_case(enum it_op op, enum it_dtype dtype, struct it_case *case_out)
{
    for (size_t i = 0; i < it_case_count(); ++i) {
        it_case_at(i, case_out);
        if (case_out->op == op && case_out->dtype == dtype && !case_out->bench) { return true; }
    }
    return false;
}

START_TEST(repeats_are_equal)
{
    static const enum it_dtype types[] = {IT_F32, IT_BF16};
    struct it_device *device = open_device(_i, false);
    int wrong = 0;
    for (size_t n = 0; n < 2 * sizeof busy / sizeof *busy; ++n) {
        struct it_case c;
        char text[160];
        size_t b = n / 2;
        if (!find_case(busy[b].op, types[n % 2], &c)) { continue; }
        for (int l = 0; busy[b].letters[l]; ++l) {
            c.dim[busy[b].letters[l] - 'a'] = busy[b].size[l];
        }
        int differ = differing(&c, device);
        wrong += differ;
        if (differ == 0) { continue; }
        fprintf(stderr, "kernels %s: %s: %d of %d repeats differ\n", kinds[_i],
                it_case_describe(&c, text, sizeof text), differ, AGAIN);
    }
    it_device_close(device);
    ck_assert_int_eq(wrong, 0);
}
END_TEST

/* A vocabulary of a real model, where a careless sum loses digits. */
START_TEST(long_rows_keep_their_digits)
{
    struct it_device *device = open_device(_i, false);
    it_log_set_level(IT_LOG_WARN);
    for (size_t i = 0; i < it_case_count(); ++i) {
        struct it_case c;
        double error = 1.0;
        it_case_at(i, &c);
        if (!c.bench || (c.op != IT_OP_TOKEN_STATS && c.op != IT_OP_SAMPLE)) { continue; }
        c.dim['t' - 'a'] = 2;
        ck_assert_int_eq(it_case_check(&c, device, &error), IT_OK);
        ck_assert_double_le(error, c.tolerance);
    }
    it_device_close(device);
}
END_TEST

/* ---- what cannot be ---- */

/* Numbers in [-1, 1), in the device's order of rows. */
static struct it_tensor noise(struct it_arena *arena, enum it_dtype dtype, int64_t rows,
                              int64_t columns)
{
    struct it_tensor f32, t;
    float *values = malloc((size_t)(rows * columns) * sizeof *values);
    uint32_t state = 5;
    ck_assert_ptr_nonnull(values);
    for (int64_t i = 0; i < rows * columns; ++i) {
        state = state * 1664525u + 1013904223u;
        values[i] = (float)(int32_t)state * 0x1p-31f;
    }
    ck_assert_int_eq(it_tensor2(arena, IT_F32, rows, columns, &f32), IT_OK);
    ck_assert_int_eq(it_tensor2(arena, dtype, rows, columns, &t), IT_OK);
    ck_assert_int_eq(it_upload(f32, values), IT_OK);
    ck_assert_int_eq(it_copy(t, f32), IT_OK);
    free(values);
    return t;
}

/* Few rows have kernels of their own: what they give is what the rows give among many, to the bit,
 * over blocks of k and of columns that are not whole. */
START_TEST(few_rows_equal_many)
{
    enum { M = 40, N = 70, K = 300, FIRST = 3 };
    static const int64_t counts[] = {1, 2, 7, 8, 9, 15, 16, 17};
    static char all[M * N * 4], few[M * N * 4];
    struct it_device *device = open_device(_i / 4, false);
    enum it_dtype dtype = _i & 1 ? IT_BF16 : IT_F32;
    const struct it_matmul_how how = {.trans_b = _i & 2};
    struct it_arena *arena;
    struct it_tensor y;
    ck_assert_int_eq(it_arena_open(device, "box", 1 << 20, &arena), IT_OK);
    struct it_tensor x = noise(arena, dtype, M, K), bias = it_flatten(noise(arena, dtype, 1, N));
    struct it_tensor w = how.trans_b ? noise(arena, dtype, N, K) : noise(arena, dtype, K, N);
    size_t row = N * it_dtype_size(dtype);
    ck_assert_int_eq(it_tensor2(arena, dtype, M, N, &y), IT_OK);
    ck_assert_int_eq(it_matmul(y, x, w, bias, how), IT_OK);
    ck_assert_int_eq(it_download(all, y), IT_OK);
    for (size_t c = 0; c < sizeof counts / sizeof *counts; ++c) {
        struct it_tensor part = it_rows(y, 0, counts[c]);
        ck_assert_int_eq(it_fill(y, 0), IT_OK);
        ck_assert_int_eq(it_matmul(part, it_rows(x, FIRST, counts[c]), w, bias, how), IT_OK);
        ck_assert_int_eq(it_download(few, part), IT_OK);
        ck_assert_int_eq(memcmp(few, all + FIRST * row, (size_t)counts[c] * row), 0);
    }
    it_arena_close(arena);
    it_device_close(device);
}
END_TEST

/* Operands that do not fit the space for packed panels come in parts: rows as of smaller ones. */
START_TEST(rows_beyond_the_scratch_equal_fewer)
{
    enum { M = 1100, N = 40, K = 8000, FIRST = M / 2 };
    static float all[M * N], half[FIRST * N];
    struct it_device *device = open_device(0, false);
    const struct it_matmul_how how = {.trans_b = true};
    struct it_arena *arena;
    struct it_tensor y, none = {0};
    ck_assert_int_eq(it_arena_open(device, "box", 96 << 20, &arena), IT_OK);
    struct it_tensor x = noise(arena, IT_F32, M, K), w = noise(arena, IT_F32, N, K);
    ck_assert_int_eq(it_tensor2(arena, IT_F32, M, N, &y), IT_OK);
    ck_assert_int_eq(it_matmul(y, x, w, none, how), IT_OK);
    ck_assert_int_eq(it_download(all, y), IT_OK);
    struct it_tensor part = it_rows(y, 0, FIRST);
    for (int64_t row = 0; row < M; row += FIRST) {
        ck_assert_int_eq(it_matmul(part, it_rows(x, row, FIRST), w, none, how), IT_OK);
        ck_assert_int_eq(it_download(half, part), IT_OK);
        ck_assert_int_eq(memcmp(half, all + row * N, sizeof half), 0);
    }
    it_arena_close(arena);
    it_device_close(device);
}
END_TEST

START_TEST(too_much_is_an_error_not_a_crash)
{
    struct it_device *device = open_device(0, false);
    const struct it_device_info *info = it_device_info(device);
    struct it_arena *arena = NULL;
    struct it_buffer buffer = {0};
    ck_assert_int_eq(it_arena_open(device, "too much", 2 * info->memory_total, &arena), IT_NOMEM);
    ck_assert_int_eq(device->ops->alloc(device, (size_t)info->max_slab + 1, &buffer), IT_NOMEM);
    ck_assert_ptr_null(buffer.handle);
    it_device_close(device);
    ck_assert_int_eq(it_device_open("opencl:99", NULL, &device), IT_NOT_FOUND);
}
END_TEST

/* Software is no reason for auto to leave the cpu backend. */
START_TEST(auto_takes_gpus_only)
{
    struct it_device *device = NULL;
    bool gpu = find("opencl")->suits_auto();
    ck_assert_int_eq(it_device_open("auto", NULL, &device), IT_OK);
    if (!gpu) { ck_assert_int_ne(strncmp(it_device_info(device)->name, "opencl", 6), 0); }
    it_device_close(device);
}
END_TEST

int main(void)
{
    const struct it_backend *backend = find("opencl");
    char why[160] = "not compiled in";
    if (!backend || backend->probe(why, sizeof why) == 0) {
        printf("skipped: %s\n", why);
        return 77;
    }
    Suite *suite = suite_create("opencl");
    TCase *tests = tcase_create("opencl");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, equals_the_reference, 0, 4);
    tcase_add_loop_test(tests, repeats_are_equal, 0, 2);
    tcase_add_loop_test(tests, long_rows_keep_their_digits, 0, 2);
    tcase_add_loop_test(tests, few_rows_equal_many, 0, 8);
    tcase_add_test(tests, rows_beyond_the_scratch_equal_fewer);
    tcase_add_test(tests, too_much_is_an_error_not_a_crash);
    tcase_add_test(tests, auto_takes_gpus_only);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* drivers do not survive a fork */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
