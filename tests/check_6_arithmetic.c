/* SPDX-License-Identifier: MIT */
/* The arithmetic task: seeds, splits that never meet, solutions that are right, and the corpus. */
#include "tasks/arithmetic.h"

#include <check.h>
#include <math.h>
#include <string.h>

#include "core/base/json.h"
#include "tasks/task.h"
#include "tests/scratch.h"

static struct it_problems open_split(const char *split, const char *params, uint64_t seed,
                                     int64_t limit)
{
    const struct it_task_source source = {
        .split = split, .params = params, .seed = seed, .limit = limit};
    struct it_problems problems = {0};
    ck_assert_int_eq(it_task_find("arithmetic")->open(&source, &problems), IT_OK);
    return problems;
}

static const char *field(const struct it_problem *problem, const char *name)
{
    const char *text = json_string_value(json_object_get(problem->record, name));
    ck_assert_ptr_nonnull(text);
    return text;
}

static bool grade(const char *completion, const char *gold, struct it_verdict *verdict)
{
    json_t *fields = json_pack("{s:s, s:s}", "completion", completion, "gold", gold);
    const struct it_grading grading = {.profile = "box"};
    const struct it_task *task = it_task_find("arithmetic");
    ck_assert_int_eq(task->grade(&grading, fields, "test:1", verdict), IT_OK);
    json_decref(fields);
    return verdict->correct;
}

static bool right(const char *completion, const char *gold)
{
    struct it_verdict verdict;
    bool correct = grade(completion, gold, &verdict);
    it_verdict_free(&verdict);
    return correct;
}

static const char all_kinds[] = "kinds=chain+add+mul+max,terms=2..5,digits=1..3";

START_TEST(seed_decides)
{
    struct it_problems a = open_split("train", all_kinds, 5, 50);
    struct it_problems b = open_split("train", all_kinds, 5, 50);
    struct it_problems c = open_split("train", all_kinds, 6, 50);
    size_t same = 0;
    ck_assert_uint_eq(a.n, 50);
    for (size_t i = 0; i < a.n; i++) {
        ck_assert_str_eq(a.item[i].text, b.item[i].text);
        same += strcmp(a.item[i].text, c.item[i].text) == 0;
    }
    ck_assert_uint_lt(same, 10);
    ck_assert_str_eq(a.item[7].id, "arithmetic/train/7");
    it_problems_free(&a);
    it_problems_free(&b);
    it_problems_free(&c);
}
END_TEST

/* All problems of a space small enough to exhaust: no text is in two splits or twice in one. */
START_TEST(splits_never_meet)
{
    static const char *const split[] = {"test", "fresh", "train"};
    struct it_problems part[3];
    capture_begin();
    for (int i = 0; i < 3; i++) { part[i] = open_split(split[i], "terms=2..3", 1, 5000); }
    ck_assert_ptr_nonnull(strstr(capture_end(), "different problems"));
    for (int i = 0; i < 3; i++) {
        for (int j = i; j < 3; j++) {
            for (size_t k = 0; k < part[i].n; k++) {
                for (size_t l = i == j ? k + 1 : 0; l < part[j].n; l++) {
                    ck_assert_str_ne(part[i].item[k].text, part[j].item[l].text);
                }
            }
        }
    }
    size_t total = part[0].n + part[1].n + part[2].n;
    ck_assert_uint_gt(total, 2000);
    ck_assert_double_eq_tol((double)part[0].n / (double)total, 0.1, 0.03);
    ck_assert_double_eq_tol((double)part[1].n / (double)total, 0.1, 0.03);
    for (int i = 0; i < 3; i++) { it_problems_free(&part[i]); }
}
END_TEST

/* The sum of a chain by hand, each partial sum within bounds. */
static int64_t chain_value(const char *text, int64_t most)
{
    char *at;
    int64_t sum = strtoll(text, &at, 10);
    while (*at == '+' || *at == '-') {
        sum += strtoll(at, &at, 10);
        ck_assert_int_ge(sum, 0);
        ck_assert_int_le(sum, most);
    }
    ck_assert_str_eq(at, "=");
    return sum;
}

START_TEST(chains_stay_small)
{
    struct it_problems problems = open_split("test", NULL, 3, 300);
    for (size_t i = 0; i < problems.n; i++) {
        const struct it_problem *p = &problems.item[i];
        ck_assert_int_eq(chain_value(p->text, 99), strtoll(p->gold, NULL, 10));
        ck_assert_uint_eq(strlen(p->text), 8);
    }
    it_problems_free(&problems);
}
END_TEST

START_TEST(solutions_are_right)
{
    struct it_problems problems = open_split("test", all_kinds, 9, 400);
    for (size_t i = 0; i < problems.n; i++) {
        const struct it_problem *p = &problems.item[i];
        ck_assert_msg(right(field(p, "worked"), p->gold), "%s %s", p->text, field(p, "worked"));
        ck_assert(right(field(p, "bare"), p->gold));
        ck_assert_str_eq(field(p, "problem"), p->text);
        ck_assert_str_eq(field(p, "gold"), p->gold);
    }
    it_problems_free(&problems);
}
END_TEST

START_TEST(texts)
{
    const struct it_arithmetic_problem chain = {
        IT_ARITHMETIC_CHAIN, 4, {7, 8, 3, 9}, {'+', '+', '-', '+'}, 21};
    const struct it_arithmetic_problem add = {IT_ARITHMETIC_ADD, 2, {47, 85}, {0}, 132};
    const struct it_arithmetic_problem mul = {IT_ARITHMETIC_MUL, 2, {7, 86}, {0}, 602};
    const struct it_arithmetic_problem max = {IT_ARITHMETIC_MAX, 3, {34, 71, 29}, {0}, 71};
    const struct {
        const struct it_arithmetic_problem *problem;
        const char *text, *worked;
    } cases[] = {
        {&chain, "7+8-3+9=", "7+8=15;15-3=12;12+9=21;\\boxed{21}"},
        {&add, "47+85=", "7+5=12;1+4+8=13;\\boxed{132}"},
        {&mul, "7*86=", "7*6=42;7*80=560;42+560=602;\\boxed{602}"},
        {&max, "max(34,71,29)=", "71>34;71>29;\\boxed{71}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct it_str text = {0}, worked = {0};
        it_arithmetic_text(cases[i].problem, &text);
        it_arithmetic_worked(cases[i].problem, 0.0, NULL, &worked);
        ck_assert_str_eq(it_str_c(&text), cases[i].text);
        ck_assert_str_eq(it_str_c(&worked), cases[i].worked);
        it_str_free(&text);
        it_str_free(&worked);
    }
}
END_TEST

START_TEST(last_complete_box_counts)
{
    struct it_verdict verdict;
    ck_assert(right("\\boxed{3}; no: \\boxed{ 21 }", "21"));
    ck_assert(!right("\\boxed{21} \\boxed{3}", "21"));
    ck_assert(right("\\boxed{21} \\boxed{3", "21"));
    ck_assert(!right("21", "21"));
    ck_assert(!right("\\boxed{021}", "21"));
    ck_assert(!grade("\\boxed{4", "4", &verdict));
    ck_assert_ptr_null(verdict.extracted);
    ck_assert(verdict.gradable);
    ck_assert_str_eq(verdict.detail, "no complete box");
    it_verdict_free(&verdict);
}
END_TEST

START_TEST(bad_parameters)
{
    struct it_arithmetic_space space;
    scratch_begin();
    ck_assert_fails(it_arithmetic_space_parse("kinds=chian", &space), IT_INVALID, "\"chain\"?");
    ck_assert_fails(it_arithmetic_space_parse("term=3", &space), IT_INVALID, "\"terms\"?");
    ck_assert_fails(it_arithmetic_space_parse("terms", &space), IT_INVALID, "name=value");
    ck_assert_fails(it_arithmetic_space_parse("terms=1", &space), IT_INVALID, "2..9");
    ck_assert_fails(it_arithmetic_space_parse("digits=3..2", &space), IT_INVALID, "3..2");
    ck_assert_fails(it_arithmetic_space_parse("kinds=", &space), IT_INVALID, "at least one");
    const struct it_task_source source = {.split = "validation"};
    struct it_problems problems;
    ck_assert_fails(it_task_find("arithmetic")->open(&source, &problems), IT_INVALID,
                    "unknown split");
    scratch_end();
}
END_TEST

/* ---- the corpus ---- */

struct shares {
    int n, worked, ramble, right_first;
};

static struct shares measure(const struct it_arithmetic_mix *mix, int n)
{
    struct shares shares = {.n = n};
    for (int i = 0; i < n; i++) {
        struct it_str prompt = {0}, completion = {0};
        ck_assert_int_eq(it_arithmetic_example(mix, (uint64_t)i, &prompt, &completion), IT_OK);
        char *first = it_strdup(it_str_c(&completion)), gold[32];
        char *line = strchr(first, '\n');
        if (line != NULL) { *line = '\0'; }
        shares.ramble += line != NULL;
        shares.worked += strncmp(first, "\\boxed", 6) != 0;
        snprintf(gold, sizeof gold, "%lld", (long long)chain_value(it_str_c(&prompt), 99));
        shares.right_first += right(first, gold);
        it_free(first);
        it_str_free(&prompt);
        it_str_free(&completion);
    }
    return shares;
}

START_TEST(corpus_shares)
{
    struct it_arithmetic_mix mix = {.worked = 0.35, .ramble = 0.25, .seed = 4};
    ck_assert_int_eq(it_arithmetic_space_parse("", &mix.space), IT_OK);
    struct shares clean = measure(&mix, 2000);
    /* five standard errors */
    ck_assert_double_eq_tol(clean.worked / 2000.0, 0.35, 0.054);
    ck_assert_double_eq_tol(clean.ramble / 2000.0, 0.25, 0.049);
    ck_assert_int_eq(clean.right_first, clean.n);
    mix.wrong = 0.1;
    mix.worked = 1.0;
    struct shares noisy = measure(&mix, 2000);
    ck_assert_int_eq(noisy.worked, noisy.n);
    /* three steps, each wrong one in ten; two errors rarely cancel */
    ck_assert_double_eq_tol(noisy.right_first / 2000.0, 0.729, 0.06);
    mix.worked = 0.0;
    mix.bare_wrong = 0.5;
    ck_assert_double_eq_tol(measure(&mix, 2000).right_first / 2000.0, 0.5, 0.056);
}
END_TEST

START_TEST(corpus_is_train_and_repeatable)
{
    struct it_arithmetic_mix mix = {.worked = 0.5, .ramble = 0.5, .seed = 11};
    ck_assert_int_eq(it_arithmetic_space_parse("terms=2", &mix.space), IT_OK);
    capture_begin();
    struct it_problems test = open_split("test", "terms=2", 1, 1000);
    (void)capture_end();
    FILE *stream = fopen(scratch_path("corpus.jsonl"), "w");
    ck_assert_ptr_nonnull(stream);
    ck_assert_int_eq(it_arithmetic_corpus(&mix, 500, stream), IT_OK);
    ck_assert_int_eq(fclose(stream), 0);
    struct it_lines lines;
    ck_assert_int_eq(it_lines_open(scratch_path("corpus.jsonl"), 0, &lines), IT_OK);
    json_t *line;
    uint64_t index = 0;
    for (; it_jsonl_next(&lines, &line) == IT_OK; index++) {
        struct it_str prompt = {0}, completion = {0};
        ck_assert_int_eq(it_arithmetic_example(&mix, index, &prompt, &completion), IT_OK);
        const char *p = json_string_value(json_object_get(line, "prompt"));
        ck_assert_str_eq(p, it_str_c(&prompt));
        const char *c = json_string_value(json_object_get(line, "completion"));
        ck_assert_str_eq(c, it_str_c(&completion));
        for (size_t i = 0; i < test.n; i++) { ck_assert_str_ne(p, test.item[i].text); }
        it_str_free(&prompt);
        it_str_free(&completion);
        json_decref(line);
    }
    ck_assert_uint_eq(index, 500);
    it_lines_close(&lines);
    it_problems_free(&test);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("arithmetic");
    TCase *tests = tcase_create("problems");
    tcase_add_checked_fixture(tests, scratch_begin, scratch_end);
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, seed_decides);
    tcase_add_test(tests, splits_never_meet);
    tcase_add_test(tests, chains_stay_small);
    tcase_add_test(tests, solutions_are_right);
    tcase_add_test(tests, texts);
    tcase_add_test(tests, last_complete_box_counts);
    tcase_add_test(tests, corpus_shares);
    tcase_add_test(tests, corpus_is_train_and_repeatable);
    suite_add_tcase(suite, tests);
    TCase *bad = tcase_create("bad input");
    tcase_add_test(bad, bad_parameters);
    suite_add_tcase(suite, bad);
    return scratch_run(suite);
}
