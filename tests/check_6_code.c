/* SPDX-License-Identifier: MIT */
/* Programs in completions, outputs, tests of records; and judging a few programs in the sandbox. */
#include <check.h>

#include "core/base/json.h"
#include "tasks/grade/lcb.h"
#include "tasks/task.h"
#include "tests/scratch.h"

/* ---- extraction ---- */

static void block_is(char *(*find)(const char *), const char *completion, const char *program)
{
    char *found = find(completion);
    if (program == NULL) {
        ck_assert_ptr_null(found);
    } else {
        ck_assert_ptr_nonnull(found);
        ck_assert_str_eq(found, program);
    }
    it_free(found);
}

START_TEST(blocks)
{
    block_is(it_code_last_block, "a\n```python\nx = 1\ny\n```\nb", "x = 1\ny");
    block_is(it_code_last_block, "```\nold\n```\n```c\n new\n```", " new");
    block_is(it_code_last_block, "```python\nx\n```\ntext ``` here", "");
    block_is(it_code_last_block, "```\na\n```\nb\n```\nc", "b");
    block_is(it_code_last_block, "```python\nprint(1)", NULL);
    block_is(it_code_last_block, "```python\n```", "");
    block_is(it_code_last_block, "  print(1)\n", "print(1)");
    block_is(it_code_last_block, "``` x = 1 ```", NULL);
    block_is(it_code_last_block, "", "");
    block_is(it_code_all_blocks, "```python\n a \n```\n```\nb\n```\n```python\nc\n```", "a\n\nc");
    block_is(it_code_all_blocks, "```\na\n```", NULL);
    block_is(it_code_all_blocks, "```python\na", NULL);
}
END_TEST

/* ---- outputs ---- */

START_TEST(lines)
{
    static const struct {
        const char *got, *want;
        enum it_code_match match;
    } rows[] = {
        {"1\n", "1", IT_CODE_SAME},            {"\n 1 \n2 \n\n", "1\n2", IT_CODE_SAME},
        {"1   2", "1 2", IT_CODE_SAME},        {"a   b", "a b", IT_CODE_DIFFERENT},
        {"1.0", "1", IT_CODE_SAME},            {"1e3", "1000", IT_CODE_SAME},
        {"1_000", "1000", IT_CODE_SAME},       {"Infinity", "inf", IT_CODE_SAME},
        {"-inf", "inf", IT_CODE_DIFFERENT},    {"NaN", "nan", IT_CODE_DIFFERENT},
        {"sNaN", "sNaN", IT_CODE_SAME},        {"snan", "sNaN", IT_CODE_SIGNALS},
        {"2 snan", "1 snan", IT_CODE_DIFFERENT}, {"-0", "0.000", IT_CODE_SAME},
        {"0.30000000000000004", "0.3", IT_CODE_DIFFERENT},
        {"50000000000000000", "50000000000000001", IT_CODE_DIFFERENT},
        {"1\n2", "1 2", IT_CODE_DIFFERENT},    {"", "", IT_CODE_SAME},
        {"1 2", "1", IT_CODE_DIFFERENT},       {"0x10", "16", IT_CODE_DIFFERENT},
        {"1e-2 +3", "0.01 3.0", IT_CODE_SAME}, {"1,5", "1.5", IT_CODE_DIFFERENT},
        {"1\r\n2\r\n", "1\n2", IT_CODE_SAME},  {"\xc2\xa0" "7\xe3\x80\x80", "7", IT_CODE_SAME},
        {"1e9999999999999999999", "1e9999999999999999999 ", IT_CODE_SAME},
        {"1e9999999999999999999", "2", IT_CODE_DIFFERENT}, {"1\n\n2", "1\n2", IT_CODE_DIFFERENT},
        {"1e", "1", IT_CODE_DIFFERENT},        {".", "0", IT_CODE_DIFFERENT},
        {"5.", "5", IT_CODE_SAME},             {".5", "0.50", IT_CODE_SAME},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ck_assert_msg(it_code_lines(rows[i].got, strlen(rows[i].got), rows[i].want,
                                    strlen(rows[i].want)) == rows[i].match,
                      "%s | %s", rows[i].got, rows[i].want);
    }
    ck_assert(it_code_words(" a  b\n", 6, "a\nb", 3));
    ck_assert(!it_code_words("a b", 3, "a", 1));
    ck_assert(!it_code_words("1.0", 3, "1", 1));
    ck_assert(it_code_words(NULL, 0, " ", 1));
}
END_TEST

/* ---- tests of records ---- */

static json_t *parse(const char *text)
{
    json_t *value;
    ck_assert_int_eq(it_json_parse("test", text, strlen(text), &value), IT_OK);
    return value;
}

START_TEST(layouts)
{
    static const struct {
        const char *record;
        size_t n;
        const char *entry, *input, *output;
    } rows[] = {
        {"{\"tests\":[{\"input\":\"1\",\"output\":\"2\"}]}", 1, NULL, "1", "2"},
        {"{\"tests\":[{\"args\":[[1,2.5],\"x\"],\"expected\":null}],\"entry_point\":\"f\"}", 1, "f",
         "[1,2.5]\n\"x\"", "null"},
        {"{\"tests\":[]}", 0, NULL, NULL, NULL},
        {"{\"public_test_cases\":\"[{\\\"input\\\":\\\"a\\\",\\\"output\\\":\\\"b\\\","
         "\\\"testtype\\\":\\\"stdin\\\"}]\",\"private_test_cases\":\"[{\\\"input\\\":\\\"c\\\","
         "\\\"output\\\":\\\"d\\\"}]\",\"metadata\":\"{}\",\"starter_code\":\"\"}",
         2, NULL, "a", "b"},
        {"{\"public_test_cases\":[{\"input\":\"1\",\"output\":\"2\",\"testtype\":\"functional\"}],"
         "\"metadata\":\"{\\\"func_name\\\":\\\"go\\\"}\",\"starter_code\":\"x\"}",
         1, "go", "1", "2"},
        {"{\"public_test_cases\":[{\"input\":\"1\",\"output\":\"2\",\"testtype\":\"functional\"}],"
         "\"starter_code\":\"class Solution:\\n    def __init__(self): pass\\n    def solve(self, "
         "a: int) -> int:\"}",
         1, "solve", "1", "2"},
        {"{\"public_tests\":{\"input\":[\"1\",\"2\"],\"output\":[\"3\",\"4\"]},\"private_tests\":"
         "{\"input\":[],\"output\":[]},\"time_limit\":{\"seconds\":2,\"nanos\":500000000},"
         "\"memory_limit_bytes\":256000000}",
         2, NULL, "1", "3"},
        {"{\"official_tests\":[{\"input\":\"5\",\"output\":\"6\"}],\"examples\":[{\"input\":\"7\","
         "\"output\":\"8\"}],\"time_limit\":2.5,\"memory_limit\":256.0}",
         1, NULL, "5", "6"},
        {"{\"official_tests\":[],\"examples\":[{\"input\":\"7\",\"output\":\"8\"}]}", 1, NULL, "7",
         "8"},
        {"{\"input_output\":\"{\\\"inputs\\\":[\\\"1\\\"],\\\"outputs\\\":[\\\"2\\\"],"
         "\\\"fn_name\\\":\\\"f\\\"}\"}",
         1, "f", "1", "2"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *record = parse(rows[i].record);
        struct it_code_tests tests;
        ck_assert_int_eq(it_code_tests_read(record, "f:1", &tests), IT_OK);
        ck_assert_uint_eq(tests.n, rows[i].n);
        ck_assert_int_eq(it_code_has_tests(record), rows[i].n > 0);
        ck_assert_int_eq(tests.entry != NULL, rows[i].entry != NULL);
        if (rows[i].entry != NULL) { ck_assert_str_eq(tests.entry, rows[i].entry); }
        if (rows[i].n > 0) {
            ck_assert_str_eq(tests.item[0].input, rows[i].input);
            ck_assert_str_eq(tests.item[0].output, rows[i].output);
        }
        it_code_tests_free(&tests);
        json_decref(record);
    }
}
END_TEST

START_TEST(bad_tests)
{
    static const char *const rows[][2] = {
        {"{}", "field \"tests\""},
        {"{\"tests\":3}", "expected an array of tests"},
        {"{\"tests\":[3]}", "test 0: expected the strings"},
        {"{\"tests\":[{\"input\":1,\"output\":\"2\"}]}", "test 0: expected the strings"},
        {"{\"tests\":[{\"args\":[1],\"expected\":2}]}", "\"entry_point\""},
        {"{\"tests\":[],\"time_limit_s\":-1}", "\"time_limit_s\""},
        {"{\"tests\":[],\"time_limit_s\":\"x\"}", "\"time_limit_s\": expected"},
        {"{\"tests\":[],\"memory_limit_mb\":1e30}", "\"memory_limit_mb\""},
        {"{\"tests\":[],\"entry_point\":7}", "\"entry_point\""},
        {"{\"public_test_cases\":\"[1\"}", "\"public_test_cases\": not valid JSON"},
        {"{\"private_test_cases\":\"eJw\"}", "cut off"},
        {"{\"private_test_cases\":\"AAAA\"}", "zlib"},
        {"{\"public_tests\":{\"input\":[\"1\"],\"output\":[]}}", "of one length"},
        {"{\"tests\":[],\"metadata\":\"{\"}", "\"metadata\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *record = parse(rows[i][0]);
        struct it_code_tests tests;
        ck_assert_fails(it_code_tests_read(record, "f:7", &tests), IT_INVALID, rows[i][1]);
        ck_assert_ptr_nonnull(strstr(it_str_c(&spoken), "f:7: "));
        json_decref(record);
    }
    /* a bomb of brackets is an error of that record alone */
    struct it_str deep = {0};
    for (int i = 0; i < 200000; i++) { it_str_putc(&deep, '['); }
    json_t *record = json_object();
    json_object_set_new(record, "private_test_cases", json_string(it_str_c(&deep)));
    struct it_code_tests tests;
    ck_assert_fails(it_code_tests_read(record, "f:8", &tests), IT_INVALID, "not valid JSON");
    json_decref(record);
    it_str_free(&deep);
}
END_TEST

/* ---- judging ---- */

static struct it_sandbox *sandbox; /* NULL where none can be opened */

static bool judged(const char *task, const char *profile, const char *record, const char *program,
                   const char *detail)
{
    const struct it_grading grading = {.profile = profile, .sandbox = sandbox};
    struct it_verdict verdict;
    json_t *fields = parse(record);
    json_object_set_new(fields, "completion", json_string(program));
    ck_assert_int_eq(it_task_find(task)->grade(&grading, fields, "f:1", &verdict), IT_OK);
    if (detail != NULL) {
        ck_assert_msg(verdict.detail != NULL && strstr(verdict.detail, detail) != NULL,
                      "%s: said \"%s\", expected \"%s\"", program, verdict.detail, detail);
    }
    bool correct = verdict.correct;
    ck_assert(verdict.gradable || !correct);
    it_verdict_free(&verdict);
    json_decref(fields);
    return correct;
}

static const char sum[] = "{\"tests\":[{\"input\":\"1 2\\n\",\"output\":\"3\"},{\"input\":\"4 5\","
                          "\"output\":\"9\\n\"}],\"time_limit_s\":60}";
static const char quick[] = "{\"tests\":[{\"input\":\"1 2\\n\",\"output\":\"3\"},{\"input\":"
                            "\"4 5\",\"output\":\"9\\n\"}],\"time_limit_s\":0.7}";
static const char call[] = "{\"tests\":[{\"args\":[[1,2]],\"expected\":[2,1]}],"
                           "\"entry_point\":\"f\",\"time_limit_s\":60}";

static const char bare[] = "{\"tests\":[{\"args\":[],\"expected\":7}],\"entry_point\":\"f\"}";

/* A program that would never end gets little time; the others more than a busy machine can want. */
static const char *seconds_for(const char *program)
{
    return strstr(program, "while True") || strstr(program, "sleep") ? quick : sum;
}

START_TEST(strict)
{
    static const struct {
        const char *program, *detail;
    } rows[] = {
        {"print(sum(map(int, input().split())))", "AC, test 2 of 2"},
        {"import sys\nfor line in sys.stdin: print(sum(map(int, line.split())))", "AC"},
        {"n = 0\ndef f():\n    global n\n    n = sum(map(int, open(0).read().split()))\nf()\n"
         "print(n)", "AC"},
        {"if __name__ == '__main__':\n    print(sum(map(int, input().split())))\nx = 1", "AC"},
        {"import sys\nsys.stdout.buffer.write(b'%d' % sum(map(int, input().split())))", "AC"},
        {"print(3)", "WA, test 2 of 2"},
        {"print(sum(map(int, input().split())))\nraise SystemExit(3)", "RE, test 1 of 2"},
        {"print(sum(map(int, input().split()))", "RE"},
        {"while True: pass", "TLE"},
        {"import time\ntime.sleep(9)", "TLE"},
        {"x = bytearray(8 << 30)", "MLE"},
    };
    if (sandbox == NULL) { return; }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool right = judged("livecodebench", "lcb-strict", seconds_for(rows[i].program),
                            rows[i].program, rows[i].detail);
        ck_assert_int_eq(right, strncmp(rows[i].detail, "AC", 2) == 0);
    }
    ck_assert(judged("livecodebench", "lcb-strict", call,
                     "class Solution:\n    def f(self, a: List[int]):\n        return a[::-1]",
                     "AC"));
    ck_assert(judged("livecodebench", "lcb-strict", call, "def f(a):\n    return tuple(a[::-1])",
                     "AC"));
    ck_assert(!judged("livecodebench", "lcb-strict", call,
                      "class X:\n    def __eq__(self, o): return True\ndef f(a): return X()",
                      "WA"));
    ck_assert(!judged("livecodebench", "lcb-strict", call, "def g(a): return a", "RE"));
    ck_assert(judged("livecodebench", "lcb-strict", bare, "def f(): return 7", "AC"));
    ck_assert(judged("codeforces", "lcb-strict", sum, "print(sum(map(int, input().split())), '')",
                     "AC"));
}
END_TEST

START_TEST(compat)
{
    static const struct {
        const char *program, *detail;
    } rows[] = {
        {"print(sum(map(int, input().split())))", "[True, True]"},
        {"import sys\nfor line in sys.stdin: print(sum(map(int, line.split())))", "[-4]"},
        {"n = 0\ndef f():\n    global n\n    n += 1\nf()", "[-4]"},
        {"print(sum(map(int, input().split())))\nimport sys\nsys.exit(3)", "[True, True]"},
        {"print(3)", "[True, -2]"},
        {"while True: pass", "[-3]"},
        {"try:\n    while True: pass\nexcept Exception: print(3)", "[-2]"},
        {"quit()", "[-4]"},
        {"exit()", "[-2]"},
        {"import os\nos._exit(0)", "[-1]"},
        {"import resource", "[-4]"},
        {"print('snan')", "[-4]"},
    };
    if (sandbox == NULL) { return; }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool right = judged("livecodebench", "lcb-compat", seconds_for(rows[i].program),
                            rows[i].program, rows[i].detail);
        ck_assert_int_eq(right, strcmp(rows[i].detail, "[True, True]") == 0);
    }
    ck_assert(judged("livecodebench", "lcb-compat", call, "def f(a): return tuple(a[::-1])",
                     "[True]"));
    ck_assert(!judged("livecodebench", "lcb-compat", call, "def f(a): return [tuple(a[::-1])]",
                      "[False]"));
    ck_assert(!judged("livecodebench", "lcb-compat", call, "def g(a): return a", "[-4]"));
    ck_assert(judged("livecodebench", "lcb-compat", bare, "def f(): return 7.0", "[True]"));
    ck_assert(judged("livecodebench", "lcb-compat", "{\"tests\":[]}", "print(1)", "[]"));
    ck_assert(!judged("livecodebench", "lcb-compat", "{\"tests\":[]}", "print(", "[-4]"));
    ck_assert(judged("livecodebench", "lcb-compat-all", sum,
                     "```python\nx = input()\n```\n```python\nprint(sum(map(int, x.split())))\n```",
                     "[True, True]"));
    ck_assert(!judged("livecodebench", "lcb-compat", sum, "```python\nprint(1)", "no block"));
}
END_TEST

START_TEST(contest)
{
    static const char files[] = "{\"tests\":[{\"input\":\"7\",\"output\":\"7\"}],"
                                "\"input_mode\":\"file\"}";
    static const char checked[] =
        "{\"tests\":[{\"input\":\"10\",\"output\":\"3 7\"}],\"generated_checker\":"
        "\"import sys\\nn = int(open(sys.argv[1]).read())\\n"
        "a, b = map(int, open(sys.argv[3]).read().split())\\nprint(int(a + b == n))\"}";
    static const char interactive[] = "{\"tests\":[{\"input\":\"7\",\"output\":\"7\"}],"
                                      "\"interaction_format\":\"Ask.\"}";
    if (sandbox == NULL) { return; }
    ck_assert(judged("codeforces", "lcb-strict", files,
                     "open('output.txt', 'w').write(open('input.txt').read())", "AC"));
    ck_assert(!judged("codeforces", "lcb-strict", files, "print(7)", NULL));
    ck_assert(judged("codeforces", "lcb-strict", checked, "print(4, 6)", "AC"));
    ck_assert(!judged("codeforces", "lcb-strict", checked, "print(4, 5)", "WA"));
    ck_assert(!judged("codeforces", "lcb-strict", checked, "print('x')", "WA"));
    ck_assert(!judged("codeforces", "lcb-strict", interactive, "print(7)", "interactive"));
}
END_TEST

START_TEST(cruxeval)
{
    static const char record[] = "{\"code\":\"def f(a, b=1):\\n    return [a, (b,)]\","
                                 "\"output\":\"[2, (1,)]\",\"input\":\"2\"}";
    static const struct {
        const char *answer;
        bool right;
    } rows[] = {
        {"f(2)", true},        {"f(2.0, True) # f", true}, {"f(1 + 1), 'why'", true},
        {"f(3)", false},       {"f(2) or True", false},    {"0 or f(2)", false},
        {"[2, (1,)] # f(", false}, {"f(", false},          {"f(2)\nx", false},
        {"f(2)[0]", false},    {"g(2)", false},            {"f(2) == f(2)", false},
        {"[ANSWER]assert f(2) == [2, (1,)][/ANSWER]", true},
        {"f(type('X', (), {'__eq__': lambda s, o: True})())", false},
    };
    if (sandbox == NULL) { return; }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ck_assert_msg(judged("cruxeval_i", "cruxeval", record, rows[i].answer, NULL) ==
                          rows[i].right, "%s", rows[i].answer);
    }
}
END_TEST

START_TEST(no_python)
{
    static const char record[] = "{\"output\":\"[2, (1,)]\",\"input\":\"2\"}";
    static const char zero[] = "{\"output\":\"'a'\"}";
    ck_assert(judged("cruxeval_o", "cruxeval", record, "[2.0, (True,)]", NULL));
    ck_assert(!judged("cruxeval_o", "cruxeval", record, "[2, [1]]", NULL));
    ck_assert(!judged("cruxeval_o", "cruxeval", record, "f(2)", "repeats the call"));
    ck_assert(judged("cruxeval_o", "cruxeval", record,
                     "So.\n[ANSWER]\nassert f(2) == [2, (1,)]\n[/ANSWER]", NULL));
    ck_assert(judged("cruxeval_o", "zeroeval", zero, "{\"answer\": \"'a'\"}", NULL));
    ck_assert(!judged("cruxeval_o", "zeroeval", zero, "a", "no \"answer\""));
    ck_assert(!judged("cruxeval_o", "cruxeval", "{\"output\":\"f()\"}", "1", "no Python literal"));
    const struct it_task *task = it_task_find("cruxeval_o");
    ck_assert(task->equal("cruxeval", "[1]", "[ 1.0 ]"));
    ck_assert(!task->equal("zeroeval", "[1]", "[ 1 ]"));
    const struct it_grading none = {.profile = "lcb-strict"};
    struct it_verdict verdict;
    json_t *fields = parse(sum);
    json_object_set_new(fields, "completion", json_string("print(1)"));
    ck_assert_fails(it_task_find("livecodebench")->grade(&none, fields, "f:1", &verdict),
                    IT_UNSUPPORTED, "no sandbox");
    json_decref(fields);
}
END_TEST

/* ---- problems ---- */

START_TEST(windows)
{
    static const struct {
        const char *params;
        size_t n;
    } rows[] = {{NULL, 3},
                {"from=2024-08-01", 2},
                {"from=2024-08-01,to=2024-12-01", 1},
                {"version=v2", 1},
                {"version=release_v2", 3},
                {"version=v1_v2,difficulty=hard", 1}};
    scratch_text("test.jsonl",
                 "{\"question_id\":\"a\",\"question_content\":\"A\",\"starter_code\":\"\","
                 "\"contest_date\":\"2023-05-07T00:00:00\",\"difficulty\":\"easy\","
                 "\"public_test_cases\":\"[{\\\"input\\\":\\\"\\\",\\\"output\\\":\\\"\\\"}]\"}\n"
                 "{\"question_id\":\"b\",\"question_content\":\"B\",\"starter_code\":\"def f(x):\","
                 "\"contest_date\":\"2024-12-01T14:00:00\",\"difficulty\":\"hard\"}\n");
    scratch_text("test2.jsonl",
                 "{\"question_id\":\"c\",\"question_content\":\"C\",\"starter_code\":\"\","
                 "\"contest_date\":\"2024-12-01T00:00:00\",\"difficulty\":\"easy\"}\n");
    const struct it_task *task = it_task_find("livecodebench");
    struct it_problems problems;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct it_task_source source = {.data = scratch, .params = rows[i].params};
        ck_assert_int_eq(task->open(&source, &problems), IT_OK);
        ck_assert_uint_eq(problems.n, rows[i].n);
        ck_assert_ptr_nonnull(strstr(problems.item[0].text, "Enclose the code"));
        it_problems_free(&problems);
    }
    static const char *const bad[][2] = {{"form=2024-08-01", "did you mean \"from\"?"},
                                         {"from=8/2024", "expected a date"},
                                         {"version=v9", "version=v9: expected"},
                                         {"version", "expected name=value"},
                                         {"from=2031-01-01", "no problem lies in this window"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct it_task_source source = {.data = scratch, .params = bad[i][0]};
        ck_assert_fails(task->open(&source, &problems), IT_INVALID, bad[i][1]);
    }
}
END_TEST

START_TEST(contest_problems)
{
    const char *path = scratch_text(
        "cf.jsonl",
        "{\"id\":\"1/A\",\"description\":\"Add.\",\"input_format\":\"Two numbers.\",\"examples\":"
        "[{\"input\":\"1 2\",\"output\":\"3\"}],\"input_mode\":\"file\",\"note\":null}\n"
        "{\"name\":\"2_B. X\",\"description\":\"Ask.\",\"interaction_format\":\"Query.\"}\n");
    const struct it_task_source source = {.data = path, .split = "train"};
    struct it_problems problems;
    ck_assert_int_eq(it_task_find("codeforces")->open(&source, &problems), IT_OK);
    ck_assert_uint_eq(problems.n, 2);
    ck_assert_str_eq(problems.item[0].id, "1/A");
    ck_assert_ptr_nonnull(strstr(problems.item[0].text, "from the file input.txt"));
    ck_assert_ptr_nonnull(strstr(problems.item[0].text, "Output:\n\n3"));
    ck_assert_ptr_nonnull(problems.item[0].gold);
    ck_assert_str_eq(problems.item[1].id, "2_B. X");
    ck_assert_ptr_null(problems.item[1].gold);
    it_problems_free(&problems);
}
END_TEST

static void judge_begin(void)
{
    const struct it_sandbox_options options = {.workers = 1};
    scratch_begin();
    if (it_sandbox_open(&options, &sandbox) != IT_OK) { sandbox = NULL; }
}

static void judge_end(void)
{
    if (sandbox != NULL) { it_sandbox_close(sandbox); }
    sandbox = NULL;
    scratch_end();
}

int main(void)
{
    Suite *suite = suite_create("code");
    TCase *plain = tcase_create("plain"), *judging = tcase_create("judging");
    tcase_add_checked_fixture(plain, scratch_begin, scratch_end);
    tcase_add_test(plain, blocks);
    tcase_add_test(plain, lines);
    tcase_add_test(plain, layouts);
    tcase_add_test(plain, bad_tests);
    tcase_add_test(plain, no_python);
    tcase_add_test(plain, windows);
    tcase_add_test(plain, contest_problems);
    tcase_add_checked_fixture(judging, judge_begin, judge_end);
    tcase_set_timeout(judging, 300);
    tcase_add_test(judging, strict);
    tcase_add_test(judging, compat);
    tcase_add_test(judging, contest);
    tcase_add_test(judging, cruxeval);
    suite_add_tcase(suite, plain);
    suite_add_tcase(suite, judging);
    return scratch_run(suite);
}
