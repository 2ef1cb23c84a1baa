/* SPDX-License-Identifier: MIT */
/* The OpenCL backend on every case, exact and not. */
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

START_TEST(equals_the_reference)
{
    struct it_device *device = NULL;
    struct parity_report report;
    struct it_device_options options = {.threads = 1, .exact = _i == 0};
    it_log_set_level(IT_LOG_ERROR); /* refusals are counted here */
    ck_assert_int_eq(it_device_open("opencl", &options, &device), IT_OK);
    parity_run(device, (struct parity_how){0}, &report);
    printf("%s, exact %d: %d cases, %d refused, worst %.2f of its tolerance\n",
           it_device_info(device)->description, options.exact, report.ran, report.refused,
           report.worst);
    it_device_close(device);
    ck_assert_int_eq(report.failed, 0);
    ck_assert_int_lt(report.refused, report.ran / 10);
}
END_TEST

int main(void)
{
    const struct it_backend *backend = find("opencl");
    char why[160];
    if (!backend || backend->probe(why, sizeof why) == 0) { return 77; }
    Suite *suite = suite_create("opencl");
    TCase *tests = tcase_create("opencl");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, equals_the_reference, 0, 2);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* drivers do not survive a fork */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
