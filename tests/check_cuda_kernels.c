/* SPDX-License-Identifier: MIT */
/* The kernels of the CUDA backend on every case, without a GPU: exact (all kernels are its own) and
 * not. */
#include <stdio.h>

#include "core/base/log.h"
#include "tests/cuda_device.h"
#define CUDA_TEST_DEVICE "cuda-on-host"
#include "tests/cuda_cases.h"
#include "tests/parity.h"

START_TEST(equals_the_reference)
{
    struct it_device *device = NULL;
    struct parity_report report;
    struct it_device_options options = {.threads = 1, .exact = _i == 0};
    it_log_set_level(IT_LOG_ERROR); /* refusals are counted here */
    ck_assert_int_eq(it_device_open("cuda-on-host", &options, &device), IT_OK);
    parity_run(device, (struct parity_how){0}, &report);
    printf("exact %d: %d cases, %d refused, worst %.2f of its tolerance\n", options.exact,
           report.ran, report.refused, report.worst);
    it_device_close(device);
    ck_assert_int_eq(report.failed, 0);
    ck_assert_int_lt(report.refused, report.ran / 10);
}
END_TEST

int main(void)
{
    if (it_backend_register(&cuda_on_host_backend) != IT_OK) { return 1; }
    Suite *suite = suite_create("cuda_kernels");
    TCase *tests = tcase_create("cuda_kernels");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, equals_the_reference, 0, 2);
    cuda_cases(tests);
    suite_add_tcase(suite, tests);
    return box_run(suite);
}
