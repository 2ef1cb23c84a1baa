/* SPDX-License-Identifier: MIT */
/* Programs against tests: a process a test (lcb-strict), or the official wrapper (lcb-compat). */
#include "tasks/grade/lcb.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "tasks/dataset.h"
#include "tasks/embedded.h"
#include "tasks/grade/literal.h"

/* A program may need 4 GiB where nothing is said; where a limit is said, the interpreter's own
 * address space comes on top. */
static const int64_t memory_default = (int64_t)4 << 30, memory_interpreter = (int64_t)160 << 20;
static const int64_t output_limit = (int64_t)64 << 20;

/* What the threads of a run share: nothing. What one judgement needs: */
struct judge {
    struct it_sandbox *sandbox;
    const struct it_lcb_rules *rules;
    const char *where, *program;
    const struct it_code_tests *tests;
    double seconds; /* a test */
};

/* ---- jobs ---- */

/* The common part of the drivers and one of them. The caller frees. */
static char *driver_of(const char *name)
{
    struct it_str text = {0};
    const char *common = it_embedded_find("grade/lcb_common.py", NULL);
    const char *own = it_embedded_find(name, NULL);
    it_str_printf(&text, "%s\n%s", common != NULL ? common : "", own != NULL ? own : "");
    return it_str_take(&text);
}

static struct it_sandbox_limits limits_of(const struct judge *j, double wall_s)
{
    int64_t said = j->tests->memory_bytes;
    return (struct it_sandbox_limits){
        .wall_s = wall_s,
        .cpu_s = wall_s,
        .memory_bytes = said > 0 ? said + memory_interpreter : memory_default,
        .output_bytes = output_limit,
    };
}

static enum it_status run(const struct judge *j, const char *driver, const char *input,
                          size_t input_size, double wall_s, struct it_sandbox_result *result_out)
{
    char *text = driver != NULL ? driver_of(driver) : NULL;
    const struct it_sandbox_job job = {
        .program = j->program,
        .program_size = strlen(j->program),
        .input = input,
        .input_size = input_size,
        .driver = text,
        .limits = limits_of(j, wall_s),
    };
    enum it_status status = it_sandbox_run(j->sandbox, &job, result_out);
    it_free(text);
    return status;
}

/* What the drivers of calls and of the wrapper read: JSON, without the outputs. */
static char *request(const struct judge *j, const struct it_code_test *test, size_t n)
{
    json_t *asked = json_object(), *inputs = json_array();
    for (size_t i = 0; i < n; i++) {
        json_array_append_new(inputs, json_stringn(test[i].input, test[i].input_size));
    }
    json_object_set_new(asked, "tests", inputs);
    json_object_set_new(asked, "entry", j->tests->entry != NULL ? json_string(j->tests->entry)
                                                                : json_null());
    json_object_set_new(asked, "seconds", json_real(j->seconds));
    char *text = json_dumps(asked, JSON_COMPACT);
    json_decref(asked);
    return text;
}

/* ---- comparing ---- */

/* Whether the literal that a driver sent is the value of the JSON text of a test. */
static bool value_is(const char *got, size_t size, const struct it_literal *want)
{
    struct it_literal value;
    if (!it_literal_read(got, size, IT_LITERAL_REPLY, &value)) { return false; }
    bool same = it_literal_equal(&value, want);
    it_literal_free(&value);
    return same;
}

static bool read_expected(const struct it_code_test *test, struct it_literal *out)
{
    return it_literal_read(test->output, test->output_size, IT_LITERAL_JSON, out);
}

/* Every expected value of calls must be JSON before anything is run. */
static bool expected_readable(const struct it_code_tests *tests, struct it_verdict *verdict)
{
    for (size_t i = 0; tests->entry != NULL && i < tests->n; i++) {
        struct it_literal want;
        if (!read_expected(&tests->item[i], &want)) {
            struct it_str text = {0};
            it_str_printf(&text, "the expected value of test %zu is not JSON", i);
            verdict->detail = it_str_take(&text);
            return false;
        }
        it_literal_free(&want);
    }
    return true;
}

static bool is_call(const struct judge *j) { return j->tests->entry != NULL; }

static bool reply_is_value(const struct it_sandbox_result *result, size_t i,
                           const struct it_code_test *test)
{
    struct it_literal want;
    if (result->n_replies <= i || result->reply[i][0] != 'v' || !read_expected(test, &want)) {
        return false;
    }
    bool same = value_is(result->reply[i] + 1, result->reply_size[i] - 1, &want);
    it_literal_free(&want);
    return same;
}

static bool text_is(const struct judge *j, const char *got, size_t size,
                    const struct it_code_test *test)
{
    return j->rules->words ? it_code_words(got, size, test->output, test->output_size)
                           : it_code_lines(got, size, test->output, test->output_size) ==
                                 IT_CODE_SAME;
}

/* ---- a process a test ---- */

/* The checker that comes with the problem: right when it prints 1 and ends well. */
static enum it_status check_output(const struct judge *j, const struct it_code_test *test,
                                   const char *got, size_t size, bool *right_out)
{
    static const double checker_s = 30.0;
    struct judge checker = *j;
    struct it_sandbox_result result;
    struct it_str input = {0};
    checker.program = j->tests->checker;
    it_str_printf(&input, "%zu %zu %zu\n", test->input_size, test->output_size, size);
    it_str_add(&input, test->input, test->input_size);
    it_str_add(&input, test->output, test->output_size);
    it_str_add(&input, got, size);
    enum it_status status = run(&checker, "grade/lcb_checker.py", it_str_c(&input), input.len,
                                checker_s, &result);
    it_str_free(&input);
    IT_TRY(status);
    *right_out = result.end == IT_SANDBOX_EXIT && result.exit_code == 0 &&
                 it_code_lines(result.out, result.out_size, "1", 1) == IT_CODE_SAME;
    it_sandbox_result_free(&result);
    return IT_OK;
}

static enum it_status judge_output(const struct judge *j, const struct it_code_test *test,
                                   const struct it_sandbox_result *result, bool *right_out)
{
    const char *got = result->out;
    size_t size = result->out_size;
    *right_out = false;
    if (is_call(j)) {
        *right_out = reply_is_value(result, 0, test);
        return IT_OK;
    }
    if (j->tests->files) {
        if (result->n_replies == 0 || result->reply[0][0] != 'o') { return IT_OK; }
        got = result->reply[0] + 1;
        size = result->reply_size[0] - 1;
    }
    if (j->tests->checker != NULL) {
        if (result->end != IT_SANDBOX_EXIT || result->exit_code != 0) { return IT_OK; }
        return check_output(j, test, got, size, right_out);
    }
    *right_out = text_is(j, got, size, test);
    return IT_OK;
}

static enum it_status run_test(const struct judge *j, const struct it_code_test *test,
                               const char **verdict_out)
{
    static const double start_s = 0.5; /* the interpreter's own, which no program pays for */
    struct it_sandbox_result result;
    bool right;
    enum it_status status;
    if (is_call(j)) {
        char *input = request(j, test, 1);
        status = run(j, "grade/lcb_call.py", input, strlen(input), j->seconds + start_s, &result);
        free(input);
    } else {
        status = run(j, j->tests->files ? "grade/lcb_files.py" : NULL, test->input,
                     test->input_size, j->seconds + start_s, &result);
    }
    IT_TRY(status);
    status = judge_output(j, test, &result, &right);
    if (status == IT_OK) { *verdict_out = it_sandbox_verdict(&result, right); }
    it_sandbox_result_free(&result);
    return status;
}

static enum it_status judge_strict(const struct judge *j, struct it_verdict *verdict)
{
    const char *word = "AC";
    size_t i = 0;
    while (i < j->tests->n && strcmp(word, "AC") == 0) {
        IT_TRY(run_test(j, &j->tests->item[i], &word));
        i++;
    }
    struct it_str text = {0};
    verdict->correct = strcmp(word, "AC") == 0;
    it_str_printf(&text, "%s, test %zu of %zu", word, i, j->tests->n);
    verdict->detail = it_str_take(&text);
    return IT_OK;
}

/* ---- the official wrapper ---- */

enum { WRONG = -2, SLOW = -3, BROKEN = -4, KILLED = -1 };

/* The official result of test i: 1, or a code below 1. Everything fails at once where *all_out. */
static int compat_result(const struct judge *j, const struct it_sandbox_result *result, size_t i,
                         bool *all_out)
{
    char kind = i < result->n_replies && result->reply_size[i] > 0 ? result->reply[i][0] : '\0';
    *all_out = false;
    switch (kind) {
    case 'v': return reply_is_value(result, i, &j->tests->item[i]) ? 1 : 0;
    case 't': return SLOW;
    case 'e': return BROKEN;
    case 'o': break;
    case 'f': *all_out = true; return BROKEN;
    default: *all_out = true; return KILLED;
    }
    const struct it_code_test *test = &j->tests->item[i];
    enum it_code_match match = it_code_lines(result->reply[i] + 1, result->reply_size[i] - 1,
                                             test->output, test->output_size);
    *all_out = match == IT_CODE_SIGNALS;
    return match == IT_CODE_SAME ? 1 : match == IT_CODE_SIGNALS ? BROKEN : WRONG;
}

/* What the driver said of the failure that ended the list, or how the process ended. */
static void put_reason(const struct it_sandbox_result *result, size_t i, int code,
                       struct it_str *text)
{
    char kind = i < result->n_replies ? result->reply[i][0] : '\0';
    if (code == KILLED) {
        it_str_printf(text, " %s", it_sandbox_verdict(result, false));
    } else if (code == BROKEN && (kind == 'e' || kind == 'f')) {
        it_str_putc(text, ' ');
        it_utf8_add_lossy(text, result->reply[i] + 1, result->reply_size[i] - 1);
    }
}

/* The list as the official harness would give it: up to the first failure. */
static void compat_list(const struct judge *j, const struct it_sandbox_result *result,
                        struct it_verdict *verdict)
{
    struct it_str list = {0}, text = {0};
    size_t i = 0;
    int code = 1;
    bool all = false;
    while (i < j->tests->n && code == 1) {
        code = compat_result(j, result, i++, &all);
        if (all) { it_str_clear(&list); }
        const char *sign = list.len > 0 ? ", " : "";
        if (code == 1 || code == 0) {
            it_str_printf(&list, "%s%s", sign, code == 1 ? "True" : "False");
        } else {
            it_str_printf(&list, "%s%d", sign, code);
        }
    }
    /* a program without tests still has to load */
    if (j->tests->n == 0 && (result->n_replies == 0 || result->reply[0][0] != 'd')) {
        code = compat_result(j, result, 0, &all);
        it_str_printf(&list, "%d", code);
        i = 1;
    }
    verdict->correct = code == 1;
    it_str_printf(&text, "[%s]", it_str_c(&list));
    if (code < 1) { put_reason(result, i - 1, code, &text); }
    verdict->detail = it_str_take(&text);
    it_str_free(&list);
}

/* The wrapper's alarm counts real time. A test that was too slow although the process hardly got
 * the processor is tried once more, as the sandbox does with its own limit. */
static bool starved(const struct it_sandbox_result *result)
{
    size_t last = result->n_replies > 1 ? result->n_replies - 2 : 0;
    return result->n_replies > 0 && result->reply[last][0] == 't' &&
           result->cpu_s < 0.5 * result->wall_s;
}

static enum it_status judge_compat(const struct judge *j, struct it_verdict *verdict)
{
    struct it_sandbox_result result;
    char *input = request(j, j->tests->item, j->tests->n);
    double wall_s = (j->seconds + 1.0) * (double)j->tests->n + 5.0; /* the official global limit */
    enum it_status status = run(j, "grade/lcb_compat.py", input, strlen(input), wall_s, &result);
    if (status == IT_OK && starved(&result)) {
        it_sandbox_result_free(&result);
        status = run(j, "grade/lcb_compat.py", input, strlen(input), wall_s, &result);
    }
    free(input);
    IT_TRY(status);
    compat_list(j, &result, verdict);
    it_sandbox_result_free(&result);
    return IT_OK;
}

static enum it_status judge(struct judge *j, struct it_verdict *verdict)
{
    const struct it_code_tests *tests = j->tests;
    const struct it_lcb_rules *rules = j->rules;
    bool stdio = !tests->files && tests->checker == NULL;
    verdict->gradable = false;
    if (tests->interactive) {
        verdict->detail = it_strdup("an interactive problem: tests cannot judge it");
        return IT_OK;
    }
    if (tests->n == 0 && !rules->compat) {
        verdict->detail = it_strdup("no tests");
        return IT_OK;
    }
    if (!expected_readable(tests, verdict)) { return IT_OK; }
    verdict->gradable = true;
    if (j->program == NULL) {
        verdict->detail = it_strdup("no block of code");
        return IT_OK;
    }
    if (j->sandbox == NULL) {
        return it_fail(IT_UNSUPPORTED, "%s: the program cannot be judged: no sandbox is open",
                       j->where);
    }
    return rules->compat && stdio ? judge_compat(j, verdict) : judge_strict(j, verdict);
}

enum it_status it_lcb_grade(struct it_sandbox *sandbox, const struct it_lcb_rules *rules,
                            const json_t *fields, const char *where,
                            struct it_verdict *verdict_out)
{
    const char *completion;
    struct it_code_tests tests;
    struct it_verdict verdict = {0};
    IT_TRY(it_dataset_string(fields, where, "completion", &completion));
    IT_TRY(it_code_tests_read(fields, where, &tests));
    char *program = rules->all_blocks ? it_code_all_blocks(completion)
                                      : it_code_last_block(completion);
    if (program != NULL && program[0] == '\0') {
        it_free(program);
        program = NULL;
    }
    verdict.extracted = program;
    struct judge j = {.sandbox = sandbox, .rules = rules, .where = where, .program = program,
                      .tests = &tests, .seconds = tests.time_limit_s > 0.0 ? tests.time_limit_s
                                                                           : rules->time_limit_s};
    enum it_status status = judge(&j, &verdict);
    it_code_tests_free(&tests);
    if (status != IT_OK) {
        it_verdict_free(&verdict);
        return status;
    }
    *verdict_out = verdict;
    return IT_OK;
}

/* ---- CRUXEval-I ---- */

static const char *why_not(const struct it_sandbox_result *result)
{
    if (result->n_replies > 0 && result->reply[0][0] == 'r') { return "not one call of f"; }
    if (result->end == IT_SANDBOX_EXIT && result->exit_code == 0) { return "another value"; }
    return it_sandbox_verdict(result, false);
}

enum it_status it_lcb_call_gives(struct it_sandbox *sandbox, const char *where, const char *code,
                                 const char *answer, const char *output, struct it_verdict *verdict)
{
    static const double seconds = 3.0; /* the official limit */
    static const struct it_code_tests none = {0};
    struct judge j = {.sandbox = sandbox, .where = where, .program = code, .tests = &none};
    struct it_literal want;
    struct it_sandbox_result result;
    verdict->gradable = it_literal_read(output, strlen(output), IT_LITERAL_PYTHON, &want);
    if (!verdict->gradable) {
        verdict->detail = it_strdup("the output is no Python literal");
        return IT_OK;
    }
    if (sandbox == NULL) {
        it_literal_free(&want);
        return it_fail(IT_UNSUPPORTED, "%s: the answer cannot be judged: no sandbox is open",
                       where);
    }
    enum it_status status =
        run(&j, "grade/lcb_crux.py", answer, strlen(answer), seconds, &result);
    if (status == IT_OK) {
        verdict->correct =
            result.n_replies == 2 && result.reply[1][0] == 'd' && result.reply[0][0] == 'v' &&
            value_is(result.reply[0] + 1, result.reply_size[0] - 1, &want);
        verdict->detail = verdict->correct ? NULL : it_strdup(why_not(&result));
        it_sandbox_result_free(&result);
    }
    it_literal_free(&want);
    return status;
}
