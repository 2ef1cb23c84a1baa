/* SPDX-License-Identifier: MIT */
/* The door and the fallback on the hostile device: to the bit what the reference says, whether a
 * kernel runs or refuses; and the float reference itself against the double one. */
#include <check.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "tests/hostile.h"
#include "tests/parity.h"

static struct parity_report run(const char *name, unsigned refuse_percent, struct parity_how how)
{
    struct it_device *device = NULL;
    struct parity_report report;
    it_log_set_level(IT_LOG_ERROR); /* refusals are warned of, and there are many */
    hostile_plan.refuse_percent = refuse_percent;
    ck_assert_int_eq(hostile_register(), IT_OK);
    ck_assert_int_eq(it_device_open(name, NULL, &device), IT_OK);
    parity_run(device, how, &report);
    it_device_close(device);
    ck_assert_int_eq(hostile_counts.buffers, 0);
    ck_assert_int_eq(hostile_counts.bytes, 0);
    ck_assert_int_gt(report.ran, 100);
    return report;
}

START_TEST(kernels_on_inverted_memory_equal_the_reference)
{
    struct parity_report report =
        run("hostile", 0, (struct parity_how){.in_float = true, .to_the_bit = true});
    ck_assert_int_eq(report.failed, 0);
    ck_assert_int_eq(report.refused, 0);
}
END_TEST

START_TEST(fallback_equals_the_reference)
{
    struct parity_report report =
        run("hostile", 100, (struct parity_how){.in_float = true, .to_the_bit = true});
    ck_assert_int_eq(report.failed, 0);
    ck_assert_int_eq(report.refused, report.ran);
}
END_TEST

START_TEST(random_refusals_change_nothing)
{
    struct parity_report report =
        run("hostile", 50, (struct parity_how){.in_float = true, .to_the_bit = true});
    ck_assert_int_eq(report.failed, 0);
    ck_assert(report.refused > report.ran / 4 && report.refused < report.ran * 3 / 4);
}
END_TEST

START_TEST(float_reference_is_near_the_double_one)
{
    ck_assert_int_eq(run("reference", 0, (struct parity_how){0}).failed, 0);
}
END_TEST

/* What `bench ops --check` calls. */
START_TEST(cases_check_themselves)
{
    struct it_device *device = NULL;
    it_log_set_level(IT_LOG_ERROR);
    ck_assert_int_eq(hostile_register(), IT_OK);
    ck_assert_int_eq(it_device_open("hostile", NULL, &device), IT_OK);
    bool seen[IT_OP_COUNT] = {false};
    for (size_t i = 0; i < it_case_count(); ++i) {
        struct it_case c;
        double error = -1;
        it_case_at(i, &c);
        ck_assert(it_case_bytes(&c) >= 0 && it_case_flops(&c) >= 0);
        if (c.bench) { continue; }
        seen[c.op] = true;
        ck_assert_int_eq(it_case_check(&c, device, &error), IT_OK);
        ck_assert_msg(error >= 0 && error <= c.tolerance, "%s %s: error %g",
                      it_op_info(c.op)->name, c.words, error);
    }
    for (int op = 0; op < IT_OP_COUNT; ++op) {
        ck_assert_msg(seen[op], "no case for op %s", it_op_info((enum it_op)op)->name);
    }
    it_device_close(device);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("parity_hostile");
    TCase *tests = tcase_create("parity_hostile");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, kernels_on_inverted_memory_equal_the_reference);
    tcase_add_test(tests, fallback_equals_the_reference);
    tcase_add_test(tests, random_refusals_change_nothing);
    tcase_add_test(tests, float_reference_is_near_the_double_one);
    tcase_add_test(tests, cases_check_themselves);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
