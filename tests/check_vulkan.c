/* SPDX-License-Identifier: MIT */
/* The Vulkan backend on every case, exact and not, with the kernels of a processor and of a card,
 * with 16-bit storage and without; and what it does when something is wrong. The validation layer
 * watches where it is installed: any message of it is a failure. */
#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
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

static const struct {
    bool exact;
    const char *as_card; /* INTUITOR_VULKAN_AS_CARD: kernels and transfers of a discrete card */
    const char *half;    /* INTUITOR_VULKAN_16BIT */
} ways[] = {{true, "0", "1"}, {false, "1", "1"}, {true, "1", "0"}};

START_TEST(equals_the_reference)
{
    struct it_device *device = NULL;
    struct parity_report report;
    struct it_device_options options = {.threads = 1, .exact = ways[_i].exact};
    it_log_set_level(IT_LOG_WARN); /* refusals are counted here */
    setenv("INTUITOR_VULKAN_16BIT", ways[_i].half, 1);
    setenv("INTUITOR_VULKAN_AS_CARD", ways[_i].as_card, 1);
    ck_assert_int_eq(it_device_open("vulkan", &options, &device), IT_OK);
    parity_run(device, (struct parity_how){0}, &report);
    printf("%s, exact %d: %d cases, %d refused, worst %.2f of its tolerance\n",
           it_device_info(device)->description, options.exact, report.ran, report.refused,
           report.worst);
    it_device_close(device);
    unsetenv("INTUITOR_VULKAN_16BIT");
    unsetenv("INTUITOR_VULKAN_AS_CARD");
    ck_assert_int_eq(report.failed, 0);
    ck_assert_int_lt(report.refused - report.optional, report.ran / 10);
}
END_TEST

/* ---- order, limits, errors ---- */

static struct it_device *device;
static struct it_arena *arena;

static void open_box(void)
{
    ck_assert_int_eq(it_device_open("vulkan", NULL, &device), IT_OK);
    ck_assert_int_eq(it_arena_open(device, "box", 1 << 20, &arena), IT_OK);
}

static void close_box(void)
{
    it_arena_close(arena);
    it_device_close(device);
}

static struct it_tensor matrix(enum it_dtype dtype, int64_t rows, int64_t columns)
{
    struct it_tensor t;
    ck_assert_int_eq(it_tensor2(arena, dtype, rows, columns, &t), IT_OK);
    return t;
}

static struct it_tensor list_of(int64_t rows, int64_t columns, const int32_t *values)
{
    struct it_tensor t = matrix(IT_I32, rows, columns);
    ck_assert_int_eq(it_upload(t, values), IT_OK);
    return t;
}

/* Each command needs the one before it. */
static void count_up(int steps)
{
    enum { N = 100 };
    float values[N];
    open_box();
    struct it_tensor x = matrix(IT_F32, 1, N), one = matrix(IT_F32, 1, N);
    ck_assert_int_eq(it_fill(x, 0), IT_OK);
    ck_assert_int_eq(it_fill(one, 1), IT_OK);
    for (int i = 0; i < steps; i++) {
        ck_assert_int_eq(it_scale_add(x, 1, x, 1, one), IT_OK);
    }
    ck_assert_int_eq(it_download(values, x), IT_OK);
    for (int i = 0; i < N; i++) { ck_assert(values[i] == (float)steps); }
    close_box();
}

/* More commands than all recordings hold. */
START_TEST(commands_run_in_their_order)
{
    count_up(1000);
}
END_TEST

/* More than the staging of a card holds, both ways. */
START_TEST(transfers_go_in_pieces)
{
    enum { N = (9 << 20) / 4 + 3 };
    struct it_tensor x;
    float *values = it_alloc(N * sizeof *values), *back = it_calloc(N, sizeof *back);
    setenv("INTUITOR_VULKAN_AS_CARD", "1", 1);
    for (int i = 0; i < N; i++) { values[i] = (float)i; }
    ck_assert_int_eq(it_device_open("vulkan", NULL, &device), IT_OK);
    ck_assert_int_eq(it_arena_open(device, "box", 16 << 20, &arena), IT_OK);
    ck_assert_int_eq(it_tensor2(arena, IT_F32, 1, N, &x), IT_OK);
    ck_assert_int_eq(it_upload(x, values), IT_OK);
    ck_assert_int_eq(it_download(back, x), IT_OK);
    ck_assert_int_eq(memcmp(values, back, N * sizeof *values), 0);
    close_box();
    unsetenv("INTUITOR_VULKAN_AS_CARD");
    it_free(values);
    it_free(back);
}
END_TEST

/* Segments and tables that point outside: neither read nor written there, and the device lives. */
START_TEST(wild_rows_are_left_out)
{
    enum { T = 4, W = 8 };
    static const int32_t wild[] = {0, T, 0, 0, 1000000000, -5, 3, 0, 0, 0, 0, T, 2147483647, 5, 0,
                                   2147483647, 2147483647, 0, 0, 0, 0, T, -7, 2147483647, 0};
    static const int32_t pages[] = {-5, 1000000000, 0, 2147483647}, lengths[] = {2147483647, -3};
    const struct it_attn_shape shape = {.heads = 1, .kv_heads = 1, .page = 2, .scale = 1};
    float y_values[T * W], lse_values[T];
    open_box();
    struct it_tensor q = matrix(IT_F32, T, W), k = matrix(IT_F32, T, W), y = matrix(IT_F32, T, W);
    struct it_tensor lse = matrix(IT_F32, T, 1), slots = it_rows(y, 0, 2);
    ck_assert_int_eq(it_fill(q, 1), IT_OK);
    ck_assert_int_eq(it_fill(k, 1), IT_OK);
    ck_assert_int_eq(it_fill(y, 7), IT_OK);
    ck_assert_int_eq(it_fill(lse, 7), IT_OK);
    ck_assert_int_eq(it_attn(y, lse, q, k, k, list_of(5, 5, wild), shape), IT_OK);
    ck_assert_int_eq(it_download(y_values, y), IT_OK);
    ck_assert_int_eq(it_download(lse_values, lse), IT_OK);
    for (int i = 0; i < T * W; i++) { ck_assert(y_values[i] == 7 && lse_values[i / W] == 7); }
    ck_assert_int_eq(it_attn_decode(slots, it_rows(q, 0, 2), k, k, list_of(2, 2, pages),
                                    it_flatten(list_of(1, 2, lengths)), shape), IT_OK);
    ck_assert_int_eq(it_download(y_values, y), IT_OK);
    for (int i = 0; i < W; i++) { ck_assert(y_values[i] == 1 && y_values[W + i] == 0); }
    close_box();
}
END_TEST

/* ---- products of a card, of cooperative matrices where it has them ---- */

/* Rounded to bf16 numbers in [-1, 1], row r times 2^power[r]. */
static struct it_tensor spread(int64_t rows, int64_t columns, const int *by_row,
                               const int *by_column, double *values_out)
{
    struct it_tensor f32 = matrix(IT_F32, rows, columns), t = matrix(IT_BF16, rows, columns);
    float *values = it_alloc((size_t)(rows * columns) * sizeof *values);
    uint32_t state = 7;
    for (int64_t i = 0; i < rows * columns; i++) {
        state = state * 1664525u + 1013904223u;
        int power = by_row ? by_row[i / columns] : by_column[i % columns];
        values[i] = ldexpf((float)(int)(state >> 24) / 128.0f - 1.0f, power);
        values_out[i] = values[i];
    }
    ck_assert_int_eq(it_upload(f32, values), IT_OK);
    ck_assert_int_eq(it_copy(t, f32), IT_OK);
    it_free(values);
    return t;
}

/* Each element within what a sum in f32 may lose, however small its row and column are beside
 * others; what is not finite stays in its row. */
static void multiply_spread(bool trans_a, bool trans_b, int m, int n, int k)
{
    enum { MOST = 160, INFINITE = 3 };
    static double a[MOST * MOST], b[MOST * MOST];
    static float y[MOST * MOST];
    int power_a[MOST], power_b[MOST];
    for (int i = 0; i < MOST; i++) {
        power_a[i] = i * 37 % 120 - 60;
        power_b[i] = 50 - i * 23 % 110;
    }
    open_box();
    struct it_tensor ta = trans_a ? spread(k, m, NULL, power_a, a) : spread(m, k, power_a, NULL, a);
    struct it_tensor tb = trans_b ? spread(n, k, power_b, NULL, b) : spread(k, n, NULL, power_b, b);
    struct it_tensor ty = matrix(IT_F32, m, n);
    struct it_tensor one = trans_a ? it_columns(it_rows(ta, 0, 1), INFINITE, 1)
                                   : it_columns(it_rows(ta, INFINITE, 1), 0, 1);
    ck_assert_int_eq(it_fill(one, INFINITY), IT_OK);
    const struct it_matmul_how how = {.trans_a = trans_a, .trans_b = trans_b};
    ck_assert_int_eq(it_matmul(ty, ta, tb, (struct it_tensor){0}, how), IT_OK);
    ck_assert_int_eq(it_download(y, ty), IT_OK);
    for (int i = 0; i < m; i++) {
        for (int j = 0; j < n; j++) {
            double sum = 0, all = 0;
            for (int l = 0; l < k; l++) {
                double x = a[trans_a ? l * m + i : i * k + l] * b[trans_b ? j * k + l : l * n + j];
                sum += x;
                all += fabs(x);
            }
            if (i == INFINITE) {
                ck_assert(!isfinite(y[i * n + j]));
            } else {
                ck_assert(fabs(y[i * n + j] - sum) <= 1e-6 * all);
            }
        }
    }
    close_box();
}

START_TEST(products_keep_small_rows)
{
    setenv("INTUITOR_VULKAN_AS_CARD", "1", 1);
    for (int way = 0; way < 4; way++) {
        multiply_spread(way & 1, way & 2, 72, 136, 100); /* read four at a time */
        multiply_spread(way & 1, way & 2, 65, 131, 33);
    }
    unsetenv("INTUITOR_VULKAN_AS_CARD");
}
END_TEST

START_TEST(what_is_too_large_is_refused)
{
    struct it_buffer buffer = {0};
    struct it_args args = {0};
    it_log_set_level(IT_LOG_ERROR);
    open_box();
    ck_assert_int_eq(device->ops->alloc(device, SIZE_MAX / 4, &buffer), IT_NOMEM);
    ck_assert_int_eq(device->ops->alloc(device, (size_t)device->info.max_slab + 1, &buffer),
                     IT_NOMEM);
    args.t[0] = matrix(IT_F32, 2, 1);
    args.t[0].stride[0] = (int64_t)1 << 31;
    ck_assert_int_eq(device->kernel[IT_OP_FILL](device, &args), IT_UNSUPPORTED);
    close_box();
    ck_assert_int_eq(it_device_open("vulkan:99", NULL, &device), IT_NOT_FOUND);
}
END_TEST

/* A pipeline cache that is cut short or changed is made again. */
START_TEST(a_damaged_cache_is_left_alone)
{
    char *folder = it_cache_folder("vulkan");
    struct it_strs names = {0};
    it_log_set_level(IT_LOG_ERROR);
    count_up(100);
    ck_assert_int_eq(it_dir_list(folder, &names), IT_OK);
    ck_assert_uint_gt(names.n, 0);
    for (size_t i = 0; i < names.n; i++) {
        char *path = it_path_join(folder, names.item[i]);
        struct it_str bytes = {0};
        ck_assert_int_eq(it_file_read(path, &bytes), IT_OK);
        ck_assert_int_eq(it_file_write(path, it_str_c(&bytes), bytes.len - 1), IT_OK);
        count_up(100);
        ck_assert_int_eq(it_file_write(path, "short", 5), IT_OK);
        count_up(100);
        it_str_free(&bytes);
        it_free(path);
    }
    it_strs_free(&names);
    it_free(folder);
}
END_TEST

/* Where the layer is installed, it is asked to watch. */
static void turn_validation_on(void)
{
    static const char *const places[] = {"/usr/share", "/usr/local/share", "/etc"};
    char path[128];
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(path, sizeof path, "%s/vulkan/explicit_layer.d/VkLayer_khronos_validation.json",
                 places[i]);
        if (access(path, R_OK) == 0) { setenv("INTUITOR_VULKAN_VALIDATION", "1", 0); }
    }
}

int main(void)
{
    char why[160], cache[] = "/tmp/it-check-XXXXXX";
    turn_validation_on();
    const struct it_backend *backend = find("vulkan");
    if (!backend || backend->probe(why, sizeof why) == 0) { return 77; }
    if (!mkdtemp(cache) || setenv("INTUITOR_CACHE", cache, 1)) { return EXIT_FAILURE; }
    Suite *suite = suite_create("vulkan");
    TCase *tests = tcase_create("vulkan");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, equals_the_reference, 0, 3);
    tcase_add_test(tests, commands_run_in_their_order);
    tcase_add_test(tests, transfers_go_in_pieces);
    tcase_add_test(tests, wild_rows_are_left_out);
    tcase_add_test(tests, products_keep_small_rows);
    tcase_add_test(tests, what_is_too_large_is_refused);
    tcase_add_test(tests, a_damaged_cache_is_left_alone);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* drivers do not survive a fork */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    it_dir_remove(cache);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
