/* SPDX-License-Identifier: MIT */
/* The rules that are matters of text: hendrycks, ZeroEval's JSON answer and number, the "####" line
 * of gsm8k, and the Python they imitate. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "core/base/json.h"
#include "tasks/grade/box.h"
#include "tasks/grade/hendrycks.h"
#include "tasks/grade/python.h"
#include "tasks/grade/zeroeval.h"
#include "tasks/task.h"
#include "tests/scratch.h"

struct pair {
    const char *a, *b;
    bool equal;
};

START_TEST(hendrycks)
{
    static const struct pair pairs[] = {
        {"\\frac34", "\\frac{3}{4}", true},
        {"\\tfrac{1}{72}", "\\dfrac1{72}", true},
        {"3/4", "\\frac{3}{4}", true},
        {"03/4", "\\frac{3}{4}", false},
        {"a/4", "\\frac{a}{4}", false},
        {"x=5", "5", true},
        {"xy=5", "5", true},
        {"xyz=5", "5", false},
        {"x = 5", " 5", true},
        {".5", "\\frac12", true},
        {"0.50", "\\frac12", false},
        {"12\\text{ cm}", "12", true},
        {"12\\text{cm}", "12", false},
        /* two units: the original raises, so the raw strings count */
        {"1\\text{ m} 2\\text{ m}", "1\\text{ m} 2\\text{ m}", true},
        {"1\\text{ m} 2\\text{ m}", "1\\text{ m}  2\\text{ m}", false},
        {"90^\\circ", "90^{\\circ}", true},
        {"50\\%", "50", true},
        {"\\$3", "3", true},
        {"\\sqrt3", "\\sqrt{3}", true},
        {"\\sqrt", "\\sqrt", true},
        {"\\frac", "\\frac ", false},
        {"\\left( 1,\\!2 \\right)", "(1,2)", true},
        {"(1,2)", "(2,1)", false},
        {"", "", true},
        {"", "0", false},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        ck_assert_msg(it_hendrycks_equal(pairs[i].a, pairs[i].b) == pairs[i].equal, "%s | %s",
                      pairs[i].a, pairs[i].b);
        ck_assert_msg(it_hendrycks_equal(pairs[i].b, pairs[i].a) == pairs[i].equal, "%s | %s",
                      pairs[i].b, pairs[i].a);
    }
}
END_TEST

static void check_box(char *(*box)(const char *text), const char *text, const char *content)
{
    char *found = box(text);
    if (content == NULL) {
        ck_assert_msg(found == NULL, "%s: %s", text, found);
    } else {
        ck_assert_msg(found != NULL && strcmp(found, content) == 0, "%s: %s", text, found);
    }
    it_free(found);
}

START_TEST(boxes)
{
    check_box(it_hendrycks_box, "a \\boxed{1} b \\boxed{\\frac{1}{2}}.", "\\frac{1}{2}");
    check_box(it_hendrycks_box, "\\boxed{1} \\boxed{2", NULL);
    check_box(it_hendrycks_box, "$\\boxed 5$ so", "5");
    check_box(it_hendrycks_box, "\\fbox{7}", "7");
    check_box(it_hendrycks_box, "none", NULL);
    check_box(it_box_last, "\\boxed{1} \\boxed{2", "1");
    check_box(it_box_last, "\\boxed{\\boxed{3}}", "3");
    check_box(it_box_last, "\\boxed {4}", "4");
    check_box(it_box_last, "\\boxed{ }", "");
    check_box(it_box_last, "\\boxed", NULL);
    check_box(it_box_last, "}} \\boxed{5}", "5");
}
END_TEST

START_TEST(zeroeval_answers)
{
    static const struct {
        const char *text, *answer;
        bool strict;
    } cases[] = {
        {"{\"reasoning\": \"r\", \"answer\": \"42\"}", "42", true},
        {"```json\n{\"answer\": 1.50}\n```", "1.5", true},
        {"{\"answer\": [1, \"a\", null, true, {\"k\": \"it's\"}]}",
         "[1, 'a', None, True, {'k': \"it's\"}]", true},
        {"{\"answer\": \"1\", \"answer\": \"2\"}", "2", true},
        {"{\"answer\": Infinity}", "inf", true},
        {"{\"answer\": 1e16}", "1e+16", true},
        {"{\"answer\": 1e15}", "1000000000000000.0", true},
        {"{\"answer\": 0.00001}", "1e-05", true},
        {"{\"answer\": \"\\ud83d\\ude00\"}", "\xf0\x9f\x98\x80", true},
        {"{\"answer\": \"\"}", "", true},
        {"{\"answer\": \"a\nb\"}", "ab", true},
        {"{\"answer\": \"\\\\(5\\)\"}", "\\\\(5\\)", false},
        {"{no json} {\"answer\": \"5\"}", "5", false},
        {"\"answer\": 12, done", "12", false},
        {"answer: \"x y\"", "x y", false},
        {"answer:7", "7", false},
        {"Answer: 7", NULL, false},
        {"{\"answer\": 01}", "01}", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool strict;
        char *answer = it_zeroeval_answer(cases[i].text, &strict);
        if (cases[i].answer == NULL) {
            ck_assert_msg(answer == NULL, "%s", cases[i].text);
        } else {
            ck_assert_msg(answer != NULL && strcmp(answer, cases[i].answer) == 0, "%s: %s",
                          cases[i].text, answer);
        }
        ck_assert_msg(strict == cases[i].strict, "%s", cases[i].text);
        it_free(answer);
    }
}
END_TEST

START_TEST(zeroeval_numbers)
{
    static const char *const cases[][2] = {
        {"1/3", "0.3333333333333333"},
        {"$1,234.50", "1234.50"},
        {"-15", "-15"},
        {"1/100000", "1"},
        {".5", "5"},
        {"7.", "7"},
        {"2**3/4", "2.0"},
        {"(1+3)/4", "1.0"},
        {"1/0", "1"},
        {"about 3", "3"},
        {"3-4", "3"},
        {"-3/-2", "1.5"},
        {"\uff11\uff12", "12"},
        {"x", NULL},
        {"", NULL},
        {"-", NULL},
        {"7//2*2", "6"},
        {"03/4", "03"},
        {"1/(2", "1"}, /* ends inside a parenthesis */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *number = it_zeroeval_number(cases[i][0]);
        if (cases[i][1] == NULL) {
            ck_assert_msg(number == NULL, "%s: %s", cases[i][0], number);
        } else {
            ck_assert_msg(number != NULL && strcmp(number, cases[i][1]) == 0, "%s: %s", cases[i][0],
                          number);
        }
        it_free(number);
    }
    ck_assert(it_zeroeval_numbers_equal("70000", "$70,000"));
    ck_assert(it_zeroeval_numbers_equal("0.5", "1/2"));
    ck_assert(!it_zeroeval_numbers_equal("x", "x"));
}
END_TEST

START_TEST(python_floats)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0.1, "0.1"},
        {1.0, "1.0"},
        {1e22, "1e+22"},
        {123456.789, "123456.789"},
        {1e-4, "0.0001"},
        {9.9e-5, "9.9e-05"},
        {-2.5, "-2.5"},
        {5e-324, "5e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct it_str text = {0};
        it_python_float(cases[i].value, &text);
        ck_assert_str_eq(it_str_c(&text), cases[i].text);
        it_str_free(&text);
    }
}
END_TEST

static bool gsm8k(const char *profile, const char *gold, const char *completion)
{
    struct it_verdict verdict;
    json_t *fields = json_pack("{s:s, s:s}", "gold", gold, "completion", completion);
    const struct it_grading grading = {.profile = profile};
    ck_assert_int_eq(it_task_find("gsm8k")->grade(&grading, fields, "t:1", &verdict), IT_OK);
    bool correct = verdict.correct;
    ck_assert(verdict.gradable);
    it_verdict_free(&verdict);
    json_decref(fields);
    return correct;
}

START_TEST(gsm8k_profiles)
{
    static const char gold[] = "5*400=<<5*400=2000>>2000\n#### 2,000";
    ck_assert(gsm8k("openai", gold, "so\n#### 2000"));
    ck_assert(gsm8k("openai", gold, "A: 2,000"));
    ck_assert(!gsm8k("openai", gold, "#### 2000.0"));
    ck_assert(!gsm8k("openai", gold, "2000"));
    ck_assert(!gsm8k("openai", gold, "#### 3\n#### 2000"));
    ck_assert(gsm8k("math-verify", gold, "That makes $2,000."));
    ck_assert(gsm8k("math-verify", gold, "\\boxed{2000}, not 3"));
    ck_assert(gsm8k("math-verify", gold, "\\boxed{2{,}000.00}"));
    ck_assert(!gsm8k("math-verify", gold, "\\boxed{2001}"));
    ck_assert(gsm8k("zeroeval", "# 2000", "{\"answer\": \"$2,000\"}"));
    ck_assert(!gsm8k("zeroeval", "# 2000", "2000"));
    ck_assert(gsm8k("lighteval", gold, "The answer is 2000."));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rules");
    TCase *tests = tcase_create("rules");
    tcase_add_test(tests, hendrycks);
    tcase_add_test(tests, boxes);
    tcase_add_test(tests, zeroeval_answers);
    tcase_add_test(tests, zeroeval_numbers);
    tcase_add_test(tests, python_floats);
    tcase_add_test(tests, gsm8k_profiles);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
