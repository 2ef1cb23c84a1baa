/* SPDX-License-Identifier: MIT */
/* The table of tasks, opening datasets, and the fields that graders read. */
#include <check.h>
#include <string.h>

#include "core/base/json.h"
#include "tasks/task.h"
#include "tests/scratch.h"

static const struct it_task *task(const char *name)
{
    const struct it_task *found = it_task_find(name);
    ck_assert_ptr_nonnull(found);
    return found;
}

START_TEST(table)
{
    size_t n = 0;
    for (const struct it_task *row; (row = it_task_at(n)) != NULL; n++) {
        const char *profile = NULL;
        ck_assert_ptr_eq(it_task_find(row->name), row);
        ck_assert_int_eq(it_task_profile(row, row->default_profile, &profile), IT_OK);
        ck_assert_str_eq(profile, row->default_profile);
        ck_assert_ptr_nonnull(row->open);
        ck_assert_ptr_nonnull(row->grade);
        ck_assert_ptr_nonnull(row->summary);
    }
    ck_assert_uint_ge(n, 5);
    ck_assert_ptr_null(it_task_find("nothing"));
}
END_TEST

START_TEST(profiles)
{
    const char *profile;
    ck_assert_int_eq(it_task_profile(task("math"), NULL, &profile), IT_OK);
    ck_assert_str_eq(profile, "math-verify");
    ck_assert_int_eq(it_task_profile(task("gsm8k"), "openai", &profile), IT_OK);
    ck_assert_str_eq(profile, "openai");
    ck_assert_fails(it_task_profile(task("math"), "hendrick", &profile), IT_INVALID,
                    "did you mean \"hendrycks\"?");
    ck_assert_fails(it_task_profile(task("math"), "math", &profile), IT_INVALID, "unknown profile");
}
END_TEST

START_TEST(gsm8k_records)
{
    scratch_text(
        "test.jsonl",
        "{\"question\":\"How many?\",\"answer\":\"2*500=<<2*500=1000>>1000\\n#### 1,000\"}\n"
        "\n"
        "{\"question\":\"And?\",\"answer\":\"# 7\",\"id\":\"seven\"}\n");
    const struct it_task_source source = {.data = scratch};
    struct it_problems problems;
    ck_assert_int_eq(task("gsm8k")->open(&source, &problems), IT_OK);
    ck_assert_uint_eq(problems.n, 2);
    ck_assert_str_eq(problems.item[0].text, "How many?");
    ck_assert_str_eq(problems.item[0].gold, "1000");
    ck_assert_str_eq(problems.item[0].id, "gsm8k/0");
    ck_assert_str_eq(problems.item[1].gold, "7");
    ck_assert_str_eq(problems.item[1].id, "seven");
    it_problems_free(&problems);
}
END_TEST

START_TEST(math_records)
{
    const char *path = scratch_text(
        "some.jsonl",
        "{\"problem\":\"P\",\"answer\":\"\\\\frac12\",\"unique_id\":\"test/algebra/1.json\"}\n"
        "{\"problem\":\"Q\",\"solution\":\"so \\\\boxed{1} then \\\\boxed{\\\\sqrt{2}}\"}\n"
        "{\"problem\":\"R\",\"answer\":\"\",\"solution\":\"\\\\boxed{}\",\"id\":\"r\"}\n");
    const struct it_task_source source = {.data = path, .split = "train"};
    struct it_problems problems;
    ck_assert_int_eq(task("math")->open(&source, &problems), IT_OK);
    ck_assert_uint_eq(problems.n, 3);
    ck_assert_str_eq(problems.item[0].id, "test/algebra/1.json");
    ck_assert_str_eq(problems.item[0].gold, "\\frac12");
    ck_assert_str_eq(problems.item[1].gold, "\\sqrt{2}");
    ck_assert_ptr_null(problems.item[2].gold);
    it_problems_free(&problems);
    const struct it_task_source two = {.data = path, .limit = 2};
    ck_assert_int_eq(task("math")->open(&two, &problems), IT_OK);
    ck_assert_uint_eq(problems.n, 2);
    it_problems_free(&problems);
}
END_TEST

START_TEST(bad_data)
{
    struct it_problems problems;
    const struct it_task_source none = {.data = NULL};
    ck_assert_fails(task("gsm8k")->open(&none, &problems), IT_NOT_FOUND, "INTUITOR_DATA");
    const struct it_task_source empty = {.data = scratch};
    ck_assert_fails(task("math500")->open(&empty, &problems), IT_NOT_FOUND, "no split \"math500\"");
    const struct it_task_source file = {.data = scratch_text("a.jsonl", "{\"problem\":3}\n")};
    ck_assert_fails(task("math")->open(&file, &problems), IT_INVALID, "a.jsonl:1: field");
    const struct it_task_source broken = {.data = scratch_text("b.jsonl", "{\"problem\":\n")};
    ck_assert_fails(task("math")->open(&broken, &problems), IT_INVALID, "b.jsonl:1");
    const struct it_task_source blank = {.data = scratch_text("c.jsonl", "\n\n")};
    ck_assert_fails(task("math")->open(&blank, &problems), IT_INVALID, "no records");
    const struct it_task_source train = {.data = scratch, .split = "train"};
    ck_assert_fails(task("math500")->open(&train, &problems), IT_INVALID, "only split");
    ck_assert_fails(task("math_equiv")->open(&empty, &problems), IT_UNSUPPORTED, "math_equiv");
}
END_TEST

START_TEST(bad_fields)
{
    struct it_verdict verdict;
    json_t *fields = json_pack("{s:s}", "completion", "x");
    const struct it_grading verify = {.profile = "math-verify"}, openai = {.profile = "openai"};
    ck_assert_fails(task("math")->grade(&verify, fields, "f:3", &verdict), IT_INVALID,
                    "f:3: field \"gold\"");
    ck_assert_fails(task("math_equiv")->grade(&verify, fields, "f:3", &verdict), IT_INVALID,
                    "\"pred\"");
    json_object_set_new(fields, "gold", json_true());
    ck_assert_fails(task("gsm8k")->grade(&openai, fields, "f:4", &verdict), IT_INVALID, "gold");
    json_decref(fields);
}
END_TEST

/* Golds and ids are often numbers where a tool wrote the records. */
START_TEST(numbers)
{
    const struct {
        const char *task, *profile, *completion;
        json_t *gold;
    } cases[] = {{"gsm8k", "math-verify", "so \\boxed{72}", json_integer(72)},
                 {"gsm8k", "openai", "#### 72", json_integer(72)},
                 {"math", "hendrycks", "so \\boxed{0.1}", json_real(0.1)},
                 {"arithmetic", "box", "\\boxed{-7}", json_integer(-7)}};
    struct it_verdict verdict;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct it_grading grading = {.profile = cases[i].profile};
        json_t *fields = json_pack("{s:s, s:o}", "completion", cases[i].completion, "gold",
                                   cases[i].gold);
        ck_assert_int_eq(task(cases[i].task)->grade(&grading, fields, "f:1", &verdict), IT_OK);
        ck_assert_msg(verdict.correct, "%s %s", cases[i].task, cases[i].completion);
        it_verdict_free(&verdict);
        json_decref(fields);
    }
    const struct it_task_source source = {
        .data = scratch_text("n.jsonl", "{\"problem\":\"P\",\"answer\":204,\"id\":60}\n")};
    struct it_problems problems;
    ck_assert_int_eq(task("math")->open(&source, &problems), IT_OK);
    ck_assert_str_eq(problems.item[0].gold, "204");
    ck_assert_str_eq(problems.item[0].id, "60");
    it_problems_free(&problems);
}
END_TEST

/* One's own file beside the splits of math, or the folder as published, which has only a test. */
START_TEST(math500_places)
{
    static const char one[] = "{\"problem\":\"P\",\"answer\":\"1\"}\n";
    static const char two[] = "{\"problem\":\"Q\",\"answer\":\"2\"}\n";
    struct it_problems problems;
    const struct it_task_source source = {.data = scratch};
    scratch_text("test.jsonl", one);
    ck_assert_int_eq(task("math500")->open(&source, &problems), IT_OK);
    ck_assert_str_eq(problems.item[0].gold, "1");
    it_problems_free(&problems);
    scratch_text("train.jsonl", one); /* now it is the folder of math */
    ck_assert_fails(task("math500")->open(&source, &problems), IT_NOT_FOUND, "no split");
    scratch_text("math500.jsonl", two);
    ck_assert_int_eq(task("math500")->open(&source, &problems), IT_OK);
    ck_assert_str_eq(problems.item[0].gold, "2");
    it_problems_free(&problems);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tasks");
    TCase *tests = tcase_create("tasks");
    tcase_add_checked_fixture(tests, scratch_begin, scratch_end);
    tcase_add_test(tests, table);
    tcase_add_test(tests, profiles);
    tcase_add_test(tests, gsm8k_records);
    tcase_add_test(tests, math_records);
    tcase_add_test(tests, bad_data);
    tcase_add_test(tests, bad_fields);
    tcase_add_test(tests, numbers);
    tcase_add_test(tests, math500_places);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
