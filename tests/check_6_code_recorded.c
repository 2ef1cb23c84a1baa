/* SPDX-License-Identifier: MIT */
/* Recorded generations and the official verdicts on them: CRUXEval, ZeroEval's crux, programs under
 * the wrapper of LiveCodeBench, and the cheats that it lets pass. Needs INTUITOR_DATA. */
#include <check.h>

#include "core/base/json.h"
#include "core/base/pool.h"
#include "tasks/grade/sandbox.h"
#include "tasks/task.h"
#include "tests/scratch.h"

enum { WORKERS = 4 };

static const char *data;
static struct it_sandbox *sandbox; /* NULL where none can be opened: nothing is run then */

static struct it_verdict grade(const char *task, const char *profile, const json_t *fields)
{
    const struct it_grading grading = {.profile = profile, .data = data, .sandbox = sandbox};
    struct it_verdict verdict;
    ck_assert_int_eq(it_task_find(task)->grade(&grading, fields, "record", &verdict), IT_OK);
    return verdict;
}

static bool right(const char *task, const char *profile, const json_t *fields)
{
    struct it_verdict verdict = grade(task, profile, fields);
    bool correct = verdict.correct;
    ck_assert(verdict.gradable);
    it_verdict_free(&verdict);
    return correct;
}

/* The records of one file; the caller frees. */
static json_t *records_of(const char *file)
{
    char *path = it_path_join(data, file);
    struct it_lines lines;
    json_t *list = json_array(), *record;
    ck_assert_int_eq(it_lines_open(path, 0, &lines), IT_OK);
    while (it_jsonl_next(&lines, &record) == IT_OK) { json_array_append_new(list, record); }
    it_lines_close(&lines);
    it_free(path);
    return list;
}

/* ---- CRUXEval ---- */

/* Every `step`th problem of a recording; all flags must agree. Returns how many there were. */
static int recorded(const char *task, const char *file, size_t step)
{
    json_t *problems = records_of("cruxeval/cruxeval.jsonl"), *recordings = records_of(file);
    json_t *by_id = json_object(), *record, *completion;
    size_t i, k;
    int n = 0;
    json_array_foreach(problems, i, record)
    {
        json_object_set(by_id, json_string_value(json_object_get(record, "id")), record);
    }
    json_array_foreach(recordings, i, record)
    {
        const char *id = json_string_value(json_object_get(record, "id"));
        if (i % step != 0) { continue; }
        json_t *fields = json_copy(json_object_get(by_id, id));
        const json_t *flags = json_object_get(record, "scored");
        json_array_foreach(json_object_get(record, "generations"), k, completion)
        {
            json_object_set(fields, "completion", completion);
            ck_assert_msg(right(task, "cruxeval", fields) == json_is_true(json_array_get(flags, k)),
                          "%s, %s: %s", file, id, json_string_value(completion));
            n++;
        }
        json_decref(fields);
    }
    json_decref(problems);
    json_decref(recordings);
    json_decref(by_id);
    return n;
}

START_TEST(cruxeval_output)
{
    ck_assert_int_eq(recorded("cruxeval_o", "cruxeval/open/codellama-7b_temp0.2_output.jsonl", 1),
                     4080);
}
END_TEST

START_TEST(cruxeval_input)
{
    if (sandbox == NULL) { return; }
    ck_assert_int_eq(recorded("cruxeval_i", "cruxeval/open/codellama-7b_temp0.2_input.jsonl", 40),
                     110);
}
END_TEST

START_TEST(output_equality)
{
    char *path = it_path_join(data, "fixtures/cruxeval_output_equality.json");
    json_t *pairs, *pair;
    size_t i;
    ck_assert_int_eq(it_json_read(path, &pairs), IT_OK);
    it_free(path);
    json_array_foreach(pairs, i, pair)
    {
        json_t *fields = json_object();
        json_object_set(fields, "output", json_object_get(pair, "gold"));
        json_object_set(fields, "completion", json_object_get(pair, "answer"));
        bool wanted = json_is_true(json_object_get(pair, "official")) &&
                      json_is_true(json_object_get(pair, "answer_is_literal"));
        ck_assert_msg(right("cruxeval_o", "cruxeval", fields) == wanted, "%s | %s",
                      json_string_value(json_object_get(pair, "gold")),
                      json_string_value(json_object_get(pair, "answer")));
        json_decref(fields);
    }
    json_decref(pairs);
}
END_TEST

START_TEST(zeroeval)
{
    static const char *const files[] = {"zeroeval/open/crux.Qwen2.5-3B-Instruct.jsonl",
                                        "zeroeval/open/crux.claude-3-5-sonnet-20241022.jsonl"};
    json_t *list = records_of(files[_i]), *record;
    size_t i;
    json_array_foreach(list, i, record)
    {
        json_t *fields = json_object(), *text = json_object_get(record, "output");
        json_object_set(fields, "completion", json_is_array(text) ? json_array_get(text, 0) : text);
        json_object_set(fields, "output", json_object_get(record, "answer"));
        ck_assert_msg(right("cruxeval_o", "zeroeval", fields) ==
                          json_is_true(json_object_get(record, "official_matched")),
                      "%s, record %zu", files[_i], i);
        json_decref(fields);
    }
    ck_assert_uint_eq(i, 391);
    json_decref(list);
}
END_TEST

/* ---- LiveCodeBench ---- */

/* A fixture as a record of `grade`. */
static json_t *fields_of(const json_t *fixture)
{
    json_t *fields = json_object(), *tests = json_array(), *input;
    const json_t *seconds = json_object_get(fixture, "timeout_s");
    size_t i;
    json_array_foreach(json_object_get(fixture, "inputs"), i, input)
    {
        json_t *test = json_object();
        json_object_set(test, "input", input);
        json_object_set(test, "output", json_array_get(json_object_get(fixture, "outputs"), i));
        json_array_append_new(tests, test);
    }
    json_object_set_new(fields, "tests", tests);
    json_object_set(fields, "entry_point", json_object_get(fixture, "fn_name"));
    json_object_set_new(fields, "completion",
                        json_sprintf("```python\n%s\n```", json_string_value(json_object_get(
                                                               fixture, "code"))));
    json_object_set_new(fields, "time_limit_s",
                        json_real(json_is_number(seconds) ? json_number_value(seconds) : 2.0));
    return fields;
}

static json_t *fixtures(const char *file)
{
    char *path = it_path_join(data, file);
    json_t *list;
    ck_assert_int_eq(it_json_read(path, &list), IT_OK);
    it_free(path);
    return list;
}

/* [true, -3] as the list that Python prints. */
static void print_list(const json_t *official, struct it_str *out)
{
    size_t i;
    const json_t *entry;
    it_str_putc(out, '[');
    json_array_foreach(official, i, entry)
    {
        it_str_puts(out, i > 0 ? ", " : "");
        if (json_is_boolean(entry)) {
            it_str_puts(out, json_is_true(entry) ? "True" : "False");
        } else {
            it_str_printf(out, "%lld", (long long)json_integer_value(entry));
        }
    }
    it_str_putc(out, ']');
}

/* Most of these programs sleep: several at once. */
struct judging {
    const json_t *list;
    struct it_verdict *verdict; /* [programs] */
    enum it_status *status;
};

static void judge_some(void *context, int64_t begin, int64_t end, int thread)
{
    struct judging *j = context;
    const struct it_grading grading = {.profile = "lcb-compat", .sandbox = sandbox};
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        json_t *fields = fields_of(json_array_get(j->list, (size_t)i));
        j->status[i] = it_task_find("livecodebench")->grade(&grading, fields, "record",
                                                            &j->verdict[i]);
        json_decref(fields);
    }
}

START_TEST(verdicts)
{
    if (sandbox == NULL) { return; }
    json_t *list = fixtures("fixtures/lcb_verdicts.json"), *fixture;
    size_t i, n = json_array_size(list);
    struct judging j = {.list = list, .verdict = it_calloc(n, sizeof *j.verdict),
                        .status = it_calloc(n, sizeof *j.status)};
    struct it_pool *pool;
    ck_assert_int_eq(it_pool_open(WORKERS, &pool), IT_OK);
    it_pool_run(pool, (int64_t)n, 1, judge_some, &j);
    it_pool_close(pool);
    json_array_foreach(list, i, fixture)
    {
        struct it_str wanted = {0};
        ck_assert_int_eq(j.status[i], IT_OK);
        print_list(json_object_get(fixture, "official"), &wanted);
        ck_assert_msg(strncmp(j.verdict[i].detail, it_str_c(&wanted), wanted.len) == 0,
                      "%s: %s, not %s", json_string_value(json_object_get(fixture, "name")),
                      j.verdict[i].detail, it_str_c(&wanted));
        it_str_free(&wanted);
        it_verdict_free(&j.verdict[i]);
    }
    it_free(j.verdict);
    it_free(j.status);
    json_decref(list);
}
END_TEST

START_TEST(exploits)
{
    static const char *const profiles[] = {"lcb-strict", "lcb-compat"};
    if (sandbox == NULL) { return; }
    json_t *list = fixtures("fixtures/lcb_exploits.json"), *fixture;
    size_t i;
    json_array_foreach(list, i, fixture)
    {
        const char *required = json_string_value(json_object_get(fixture, "required_verdict"));
        json_t *fields = fields_of(fixture);
        bool passed = right("livecodebench", profiles[_i], fields);
        ck_assert(!passed || strcmp(required, "fail") != 0);
        ck_assert(!it_path_exists("/tmp/pwned.txt"));
        json_decref(fields);
    }
    json_decref(list);
}
END_TEST

START_TEST(problems)
{
    static const struct {
        const char *task, *split, *params;
        size_t n;
    } rows[] = {{"cruxeval_o", NULL, NULL, 800},
                {"cruxeval_i", NULL, NULL, 800},
                {"livecodebench", NULL, NULL, 1055},
                {"livecodebench", NULL, "version=v6", 175},
                {"livecodebench", NULL, "version=release_v5", 880},
                {"livecodebench", NULL, "from=2024-08-01,to=2024-12-01,version=release_v5", 223},
                {"codeforces", "train", NULL, 300}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct it_task_source source = {
            .data = data, .split = rows[i].split, .params = rows[i].params};
        struct it_problems list;
        ck_assert_int_eq(it_task_find(rows[i].task)->open(&source, &list), IT_OK);
        ck_assert_msg(list.n == rows[i].n, "%s (%s): %zu problems", rows[i].task,
                      rows[i].params != NULL ? rows[i].params : "all", list.n);
        it_problems_free(&list);
    }
}
END_TEST

static void judge_begin(void)
{
    const struct it_sandbox_options options = {.workers = WORKERS};
    if (it_sandbox_open(&options, &sandbox) != IT_OK) { sandbox = NULL; }
}

static void judge_end(void)
{
    if (sandbox != NULL) { it_sandbox_close(sandbox); }
    sandbox = NULL;
}

int main(void)
{
    data = getenv("INTUITOR_DATA");
    if (data == NULL) { return 77; }
    Suite *suite = suite_create("code recorded");
    TCase *plain = tcase_create("plain"), *judging = tcase_create("judging");
    tcase_set_timeout(plain, 60);
    tcase_add_test(plain, cruxeval_output);
    tcase_add_test(plain, output_equality);
    tcase_add_loop_test(plain, zeroeval, 0, 2);
    tcase_add_test(plain, problems);
    tcase_add_checked_fixture(judging, judge_begin, judge_end);
    tcase_set_timeout(judging, 300);
    tcase_add_test(judging, cruxeval_input);
    tcase_add_test(judging, verdicts);
    tcase_add_loop_test(judging, exploits, 0, 2);
    suite_add_tcase(suite, plain);
    suite_add_tcase(suite, judging);
    return scratch_run(suite);
}
