/* SPDX-License-Identifier: MIT */
/* The cpu backend on every case: exact and not, with one thread and with two, with the kernels of
 * every instruction set that this machine has. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "tests/parity.h"

static bool is_built(const char *name)
{
    const struct it_backend *backend;
    for (size_t i = 0; (backend = it_backend_at(i)); ++i) {
        if (strcmp(it_backend_name(backend), name) == 0) { return true; }
    }
    return false;
}

static const struct it_device_options ways[] = {
    {.threads = 1, .exact = true},
    {.threads = 2, .exact = true},
    {.threads = 2, .exact = false},
};

/* INTUITOR_ISA is an upper bound: where a set is missing the next one below is tested again. */
static const char *const sets[] = {"portable", "avx2", "avx512", "amx"};
enum { WAYS = sizeof ways / sizeof *ways, SETS = sizeof sets / sizeof *sets };

START_TEST(equals_the_reference)
{
    const struct it_device_options *way = &ways[_i % WAYS];
    setenv("INTUITOR_ISA", sets[_i / WAYS], 1);
    struct it_device *device = NULL;
    struct parity_report report;
    it_log_set_level(IT_LOG_ERROR); /* refusals are counted here */
    ck_assert_int_eq(it_device_open("cpu", way, &device), IT_OK);
    parity_run(device, (struct parity_how){0}, &report);
    printf("%s: threads %d, exact %d: %d cases, %d refused, worst %.2f of its tolerance\n",
           it_device_info(device)->description, way->threads, way->exact, report.ran,
           report.refused, report.worst);
    it_device_close(device);
    ck_assert_int_eq(report.failed, 0);
}
END_TEST

int main(void)
{
    if (!is_built("cpu")) { return 77; }
    Suite *suite = suite_create("parity_cpu");
    TCase *tests = tcase_create("parity_cpu");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, equals_the_reference, 0, WAYS * SETS);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
