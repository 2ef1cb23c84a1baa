/* SPDX-License-Identifier: MIT */
/* Agreement with recorded verdicts of the reference graders, from INTUITOR_DATA. The floors are
 * what was reached when docs/grading.md was written: nothing may fall below them. */
#include <check.h>
#include <string.h>

#include "core/base/json.h"
#include "tasks/task.h"
#include "tests/scratch.h"

static const char *data;

/* Which fields of a record hold what; the expected verdict is a boolean or a number, null for a
 * gold that cannot be graded. */
struct recording {
    const char *file, *task, *profile;
    const char *completion, *gold, *expected;
    int agreeing, of;
};

static const struct recording recordings[] = {
    {"answer_equivalence/open/math_verify.jsonl", "math_equiv", "math-verify", "pred", "gold",
     "expected", 149, 149},
    {"answer_equivalence/open/hendrycks_is_equiv.jsonl", "math_equiv", "hendrycks", "pred", "gold",
     "expected", 9, 9},
    {"answer_equivalence/open/reward_tests.jsonl", "math", "math-verify", "pred", "gold",
     "expected", 10, 11},
    {"answer_equivalence/open/qwen_math_cot_100.jsonl", "math", "math-verify", "response", "gold",
     "expected", 376, 376},
    {"answer_equivalence/open/qwen_math_cot_100.jsonl", "math", "hendrycks", "response", "gold",
     "expected", 376, 376},
    {"zeroeval/open/gsm.gemma-2-2b-it.jsonl", "gsm8k", "zeroeval", "output", "answer",
     "official_matched", 659, 659},
    {"zeroeval/open/gsm.claude-3-5-sonnet-20241022.jsonl", "gsm8k", "zeroeval", "output", "answer",
     "official_matched", 659, 659},
    {"zeroeval/open/math-l5.Qwen2.5-3B-Instruct.jsonl", "math", "zeroeval", "output", "answer",
     "official_matched", 373, 373},
    {"zeroeval/open/math-l5.Qwen2.5-72B-Instruct.jsonl", "math", "zeroeval", "output", "answer",
     "official_matched", 373, 373},
};

/* A gold list is taken as its JSON text: no case with one is expected to match. */
static json_t *text_of(json_t *value)
{
    if (json_is_string(value)) { return json_incref(value); }
    char *text = json_dumps(value, JSON_ENCODE_ANY);
    json_t *copy = json_string(text);
    free(text);
    return copy;
}

static bool agrees_with(const struct it_task *task, const char *profile, json_t *completion,
                        json_t *gold, const json_t *expected, json_t *config)
{
    struct it_verdict verdict;
    json_t *fields = json_object();
    json_object_set_new(fields, "completion", text_of(completion));
    json_object_set_new(fields, "pred", text_of(completion));
    json_object_set_new(fields, "gold", text_of(gold));
    if (config != NULL) { json_object_set(fields, "extraction_config", config); }
    const struct it_grading grading = {.profile = profile};
    ck_assert_int_eq(task->grade(&grading, fields, "recorded:1", &verdict), IT_OK);
    bool right = json_is_true(expected) || json_number_value(expected) > 0.5;
    bool same = json_is_null(expected) ? !verdict.gradable : verdict.correct == right;
    it_verdict_free(&verdict);
    json_decref(fields);
    return same;
}

static bool agrees(const struct it_task *task, const char *profile, json_t *completion,
                   json_t *gold, const json_t *expected)
{
    return agrees_with(task, profile, completion, gold, expected, NULL);
}

START_TEST(recorded)
{
    const struct recording *r = &recordings[_i];
    char *path = it_path_join(data, r->file);
    struct it_lines lines;
    ck_assert_int_eq(it_lines_open(path, 0, &lines), IT_OK);
    int agreeing = 0, of = 0;
    for (json_t *record; it_jsonl_next(&lines, &record) == IT_OK; of++) {
        agreeing +=
            agrees_with(it_task_find(r->task), r->profile, json_object_get(record, r->completion),
                        json_object_get(record, r->gold), json_object_get(record, r->expected),
                        json_object_get(record, "extraction_config"));
        json_decref(record);
    }
    it_lines_close(&lines);
    it_free(path);
    ck_assert_int_eq(of, r->of);
    ck_assert_msg(agreeing >= r->agreeing, "%s under %s: %d of %d agree, %d did", r->file,
                  r->profile, agreeing, of, r->agreeing);
}
END_TEST

/* With the settings of each record: places, languages, letters. */
START_TEST(lighteval)
{
    char *path = it_path_join(data, "answer_equivalence/open/lighteval.jsonl");
    struct it_lines lines;
    ck_assert_int_eq(it_lines_open(path, 0, &lines), IT_OK);
    int agreeing = 0, of = 0;
    for (json_t *record; it_jsonl_next(&lines, &record) == IT_OK; json_decref(record)) {
        agreeing +=
            agrees_with(it_task_find("math_equiv"), "lighteval", json_object_get(record, "pred"),
                        json_object_get(record, "gold"), json_object_get(record, "expected"),
                        json_object_get(record, "extraction_config"));
        of++;
    }
    it_lines_close(&lines);
    it_free(path);
    ck_assert_int_eq(of, 126);
    ck_assert_int_eq(agreeing, 126);
}
END_TEST

START_TEST(probe_pairs)
{
    static const char *const rule[][2] = {{"math-verify", "math_verify_0_8_0"},
                                          {"lighteval", "lighteval"},
                                          {"lighteval-2025-05", "lighteval_may2025"}};
    char *path = it_path_join(data, "fixtures/math_pairs.json");
    json_t *pairs, *pair;
    ck_assert_int_eq(it_json_read(path, &pairs), IT_OK);
    it_free(path);
    size_t i;
    json_array_foreach(pairs, i, pair)
    {
        json_t *gold = json_object_get(pair, "gold"), *pred = json_object_get(pair, "pred");
        for (int k = 0; k < 3; k++) {
            ck_assert_msg(agrees(it_task_find("math_equiv"), rule[k][0], pred, gold,
                                 json_object_get(pair, rule[k][1])),
                          "%s: %s | %s", rule[k][0], json_string_value(gold),
                          json_string_value(pred));
        }
    }
    json_decref(pairs);
}
END_TEST

/* One published flag is wrong although the two numbers agree. */
START_TEST(openai_solutions)
{
    static const char *const system[] = {"6b_finetuning", "6b_verification", "175b_finetuning",
                                         "175b_verification"};
    char *path = it_path_join(data, "gsm8k/open/example_model_solutions.jsonl");
    struct it_lines lines;
    ck_assert_int_eq(it_lines_open(path, 0, &lines), IT_OK);
    int agreeing = 0, of = 0;
    for (json_t *record; it_jsonl_next(&lines, &record) == IT_OK; json_decref(record)) {
        for (int i = 0; i < 4; i++) {
            json_t *solution = json_object_get(record, system[i]);
            agreeing +=
                agrees(it_task_find("gsm8k"), "openai", json_object_get(solution, "solution"),
                       json_object_get(record, "answer"), json_object_get(solution, "is_correct"));
            of++;
        }
    }
    it_lines_close(&lines);
    it_free(path);
    ck_assert_int_eq(of, 2552);
    ck_assert_int_ge(agreeing, 2551);
}
END_TEST

/* Each answer of MATH-500 written in fifteen ways: how many are accepted. The reference graders
 * gave the same counts; an answer that is neither in a box nor a formula has its last number
 * read. The last row depends on how far apart two boxes may be. */
static const struct {
    const char *form;
    int accepted;
} styles[] = {
    {"\\boxed{%s}", 500},
    {"$\\boxed{%s}$", 500},
    {"\\[\\boxed{%s}\\]", 500},
    {"\\(\\boxed{%s}\\)", 500},
    {"**Final Answer**\n\n\\[ \\boxed{%s} \\]", 500},
    {"So $%s$", 500},
    {"The answer is %s", 391},
    {"ANSWER: %s", 391},
    {"ANSWER: $%s$", 500},
    {"Therefore, the final answer is: $\\boxed{%s}$. I hope it is correct.", 500},
    {"\\boxed{%s} and that took 12 steps", 500},
    {"\\boxed{%s}. To say it once more, slowly: \\boxed{%s}", 500},
    {"\\boxed{%s", 49},
    {"\\fbox{%s}", 500},
    {"%s", 391},
};

static json_t *written(const char *form, const char *answer)
{
    struct it_str text = {0};
    for (const char *mark; (mark = strstr(form, "%s")) != NULL; form = mark + 2) {
        it_str_add(&text, form, (size_t)(mark - form));
        it_str_puts(&text, answer);
    }
    it_str_puts(&text, form);
    json_t *completion = json_string(it_str_c(&text));
    it_str_free(&text);
    return completion;
}

START_TEST(math500_styles)
{
    static const char *const profiles[] = {"math-verify", "lighteval"};
    const struct it_task_source source = {.data = data};
    const struct it_task *task = it_task_find("math500");
    struct it_problems problems;
    ck_assert_int_eq(task->open(&source, &problems), IT_OK);
    ck_assert_uint_eq(problems.n, 500);
    for (size_t p = 0; p < 2; p++) {
        int accepted = 0;
        for (size_t i = 0; i < problems.n; i++) {
            json_t *gold = json_string(problems.item[i].gold);
            json_t *completion = written(styles[_i].form, problems.item[i].gold);
            accepted += agrees(task, profiles[p], completion, gold, json_true());
            json_decref(completion);
            json_decref(gold);
        }
        ck_assert_msg(accepted == styles[_i].accepted, "%s: %s: %d", profiles[p], styles[_i].form,
                      accepted);
    }
    it_problems_free(&problems);
}
END_TEST

/* Each gold is found in its own solution, and hardly any equals that of another problem; those that
 * do are the same: 5 and x = 5. */
START_TEST(math500_golds)
{
    static const struct {
        size_t shift;
        int accepted;
    } swaps[] = {{1, 3}, {2, 5}, {3, 0}, {7, 2}};
    const struct it_task_source source = {.data = data};
    const struct it_task *task = it_task_find("math500"), *pairs = it_task_find("math_equiv");
    struct it_problems problems;
    int accepted[4] = {0};
    ck_assert_int_eq(task->open(&source, &problems), IT_OK);
    for (size_t i = 0; i < problems.n; i++) {
        const struct it_problem *p = &problems.item[i];
        json_t *gold = json_string(p->gold), *formula = written("$%s$", p->gold);
        ck_assert_msg(
            agrees(task, "math-verify", json_object_get(p->record, "solution"), gold, json_true()),
            "%s: %s", p->id, p->gold);
        for (size_t k = 0; k < 4; k++) {
            const char *text = problems.item[(i + swaps[k].shift) % problems.n].gold;
            json_t *other = written("$%s$", text);
            accepted[k] += agrees(pairs, "math-verify", other, formula, json_true());
            json_decref(other);
        }
        json_decref(gold);
        json_decref(formula);
    }
    for (size_t k = 0; k < 4; k++) { ck_assert_int_eq(accepted[k], swaps[k].accepted); }
    it_problems_free(&problems);
}
END_TEST

/* Under lighteval four golds of gsm8k are read wrong from their rationales; the others right. */
START_TEST(gsm8k_golds)
{
    const struct it_task_source source = {.data = data};
    const struct it_task *task = it_task_find("gsm8k");
    struct it_problems problems;
    int wrong = 0;
    ck_assert_int_eq(task->open(&source, &problems), IT_OK);
    ck_assert_uint_eq(problems.n, 1319);
    for (size_t i = 0; i < problems.n; i++) {
        const struct it_problem *p = &problems.item[i];
        json_t *answer = json_object_get(p->record, "answer"), *gold = json_string(p->gold);
        ck_assert(agrees(task, "math-verify", gold, answer, json_true()));
        ck_assert(agrees(task, "openai", answer, answer, json_true()));
        wrong += agrees(task, "lighteval", gold, answer, json_false());
        json_decref(gold);
    }
    ck_assert_int_eq(wrong, 4);
    it_problems_free(&problems);
}
END_TEST

int main(void)
{
    data = getenv("INTUITOR_DATA");
    if (data == NULL) { return 77; }
    Suite *suite = suite_create("recorded");
    TCase *tests = tcase_create("recorded");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, recorded, 0, (int)(sizeof recordings / sizeof *recordings));
    tcase_add_test(tests, lighteval);
    tcase_add_test(tests, probe_pairs);
    tcase_add_test(tests, openai_solutions);
    tcase_add_loop_test(tests, math500_styles, 0, (int)(sizeof styles / sizeof *styles));
    tcase_add_test(tests, math500_golds);
    tcase_add_test(tests, gsm8k_golds);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
