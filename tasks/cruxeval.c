/* SPDX-License-Identifier: MIT */
/* The tasks `cruxeval_o` (what does this call give?) and `cruxeval_i` (which call gives this?). The
 * first is judged without Python, by comparing literals; the second runs the call. */
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "tasks/dataset.h"
#include "tasks/grade/lcb.h"
#include "tasks/grade/literal.h"
#include "tasks/grade/zeroeval.h"
#include "tasks/prompt.h"
#include "tasks/task.h"

const struct it_task it_task_cruxeval_o, it_task_cruxeval_i;

/* ---- problems ---- */

static enum it_status fill(const json_t *record, const char *where, struct it_problem *problem)
{
    const char *code, *input, *output, *id;
    IT_TRY(it_dataset_string(record, where, "code", &code));
    IT_TRY(it_dataset_string(record, where, "input", &input));
    IT_TRY(it_dataset_string(record, where, "output", &output));
    IT_TRY(it_json_get_string(record, where, "id", &id));
    problem->id = it_strdup(id);
    problem->gold = it_strdup(output);
    return IT_OK;
}

/* The benchmark's file is cruxeval.jsonl; a folder with test.jsonl does too. */
static enum it_status open_task(const struct it_task *task, const struct it_task_source *source,
                                struct it_problems *problems_out)
{
    const char *template, *split = source->split != NULL ? source->split : "test";
    struct it_problems problems = {0};
    bool published = strcmp(split, "test") == 0 &&
                     it_dataset_has("cruxeval", "cruxeval", source->data);
    IT_TRY(it_prompt_find(task, source, &template));
    IT_TRY(it_dataset_open(task->name, "cruxeval", published ? "cruxeval" : split, source, fill,
                           &problems));
    for (size_t i = 0; i < problems.n; i++) {
        struct it_problem *problem = &problems.item[i];
        struct it_str text = {0};
        enum it_status status = it_prompt_fill(template, problem->record, problem->id, &text);
        problem->text = it_strdup(it_str_c(&text));
        it_str_free(&text);
        if (status != IT_OK) {
            it_problems_free(&problems);
            return status;
        }
    }
    *problems_out = problems;
    return IT_OK;
}

static enum it_status open_output(const struct it_task_source *source,
                                  struct it_problems *problems_out)
{
    return open_task(&it_task_cruxeval_o, source, problems_out);
}

static enum it_status open_input(const struct it_task_source *source,
                                 struct it_problems *problems_out)
{
    return open_task(&it_task_cruxeval_i, source, problems_out);
}

/* ---- answers ---- */

/* What is between the last [ANSWER] and its [/ANSWER] (or the end), from the prompts with tags;
 * NULL where there is no such tag. */
static char *tagged(const char *completion)
{
    const char *from = NULL;
    for (const char *at = completion; (at = strstr(at, "[ANSWER]")) != NULL;) {
        at += strlen("[ANSWER]");
        from = at;
    }
    if (from == NULL) { return NULL; }
    const char *to = strstr(from, "[/ANSWER]");
    return it_trimmed(from, to != NULL ? (size_t)(to - from) : strlen(from));
}

/* The literal: a completion that is one stays as it is. From a tagged answer that repeats the
 * assertion, what follows its "==". The caller frees. */
static char *output_answer(const char *completion)
{
    struct it_literal literal;
    if (it_literal_read_asserted(completion, strlen(completion), &literal)) {
        it_literal_free(&literal);
        return it_strdup(completion);
    }
    char *answer = tagged(completion);
    if (answer == NULL) { return it_strdup(completion); }
    const char *equals = strstr(answer, "==");
    if (equals != NULL && it_starts_with(answer, "assert ")) {
        char *right = it_trimmed(equals + 2, strlen(equals + 2));
        it_free(answer);
        return right;
    }
    return answer;
}

/* The call: from a tagged answer, what stands before "==", without "assert". */
static char *input_answer(const char *completion)
{
    char *answer = tagged(completion);
    if (answer == NULL) { return it_strdup(completion); }
    const char *from = it_starts_with(answer, "assert ") ? answer + strlen("assert ") : answer;
    const char *equals = from != answer ? strstr(from, "==") : NULL;
    char *call = it_trimmed(from, equals != NULL ? (size_t)(equals - from) : strlen(from));
    it_free(answer);
    return call;
}

/* ---- cruxeval ---- */

/* The official check refuses an answer that repeats the call, f(input). */
static bool repeats_call(const json_t *fields, const char *answer)
{
    const char *input = json_string_value(json_object_get(fields, "input"));
    if (input == NULL) { return false; }
    struct it_str call = {0};
    it_str_printf(&call, "f(%s)", input);
    bool repeated = strstr(answer, it_str_c(&call)) != NULL;
    it_str_free(&call);
    return repeated;
}

static void grade_literal(const json_t *fields, const char *completion, const char *output,
                          struct it_verdict *verdict)
{
    struct it_literal want, got;
    char *answer = output_answer(completion);
    verdict->gradable = it_literal_read(output, strlen(output), IT_LITERAL_PYTHON, &want);
    if (!verdict->gradable) {
        verdict->detail = it_strdup("the output is no Python literal");
        it_free(answer);
        return;
    }
    if (repeats_call(fields, answer)) {
        verdict->detail = it_strdup("repeats the call");
    } else if (!it_literal_read_asserted(answer, strlen(answer), &got)) {
        verdict->detail = it_strdup("not a Python literal");
    } else {
        verdict->correct = it_literal_equal(&want, &got);
        it_literal_free(&got);
    }
    verdict->extracted = answer;
    it_literal_free(&want);
}

/* ---- zeroeval ---- */

/* Without the quotes, ' and ", that it begins and ends with. */
static char *unquoted(const char *text)
{
    size_t size = strlen(text);
    while (size > 0 && (*text == '\'' || *text == '"')) {
        text++;
        size--;
    }
    while (size > 0 && (text[size - 1] == '\'' || text[size - 1] == '"')) { size--; }
    return it_strndup(text, size);
}

/* As compared there: quotes off, line breaks as \n. */
static char *normal(const char *answer)
{
    char *bare = unquoted(answer);
    struct it_str text = {0};
    for (const char *c = bare; *c != '\0'; c++) {
        if (*c == '\n') {
            it_str_puts(&text, "\\n");
        } else {
            it_str_putc(&text, *c);
        }
    }
    it_free(bare);
    char *out = it_strdup(it_str_c(&text));
    it_str_free(&text);
    return out;
}

/* For models of that name alone, a word boxed at the very end counts where no JSON answer is. */
static char *llama_box(const json_t *fields, const char *completion)
{
    const char *model = json_string_value(json_object_get(fields, "model"));
    if (model == NULL) { model = json_string_value(json_object_get(fields, "generator")); }
    size_t size = strlen(completion);
    const char *tail = completion + (size > 30 ? size - 30 : 0);
    if (model == NULL || strstr(model, "Llama-3.1") == NULL || strstr(tail, "boxed") == NULL) {
        return NULL;
    }
    for (const char *at = completion; (at = strstr(at, "\\boxed{")) != NULL;) {
        at += strlen("\\boxed{");
        size_t n = strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
        if (n > 0 && at[n] == '}') { return it_strndup(at, n); }
    }
    return NULL;
}

static void grade_zeroeval(const json_t *fields, const char *completion, const char *output,
                           struct it_verdict *verdict)
{
    char *answer = it_zeroeval_answer(completion, NULL);
    if (answer == NULL) { answer = llama_box(fields, completion); }
    char *want = unquoted(output);
    verdict->gradable = true;
    if (answer == NULL) {
        verdict->detail = it_strdup("no \"answer\"");
    } else {
        verdict->extracted = normal(answer);
        verdict->correct = strcmp(want, verdict->extracted) == 0;
    }
    it_free(want);
    it_free(answer);
}

/* ---- the tasks ---- */

/* `output`, or `gold` in records of other tools. */
static enum it_status read_output(const json_t *fields, const char *where, const char **output_out)
{
    const char *output, *gold;
    IT_TRY(it_json_get_string(fields, where, "output", &output));
    IT_TRY(it_json_get_string(fields, where, "gold", &gold));
    if (output == NULL) { output = gold; }
    if (output == NULL) { return it_dataset_string(fields, where, "output", output_out); }
    *output_out = output;
    return IT_OK;
}

static enum it_status grade_output(const struct it_grading *grading, const json_t *fields,
                                   const char *where, struct it_verdict *verdict_out)
{
    const char *completion, *output;
    struct it_verdict verdict = {0};
    IT_TRY(it_dataset_string(fields, where, "completion", &completion));
    IT_TRY(read_output(fields, where, &output));
    if (strcmp(grading->profile, "zeroeval") == 0) {
        grade_zeroeval(fields, completion, output, &verdict);
    } else {
        grade_literal(fields, completion, output, &verdict);
    }
    *verdict_out = verdict;
    return IT_OK;
}

static enum it_status grade_input(const struct it_grading *grading, const json_t *fields,
                                  const char *where, struct it_verdict *verdict_out)
{
    const char *completion, *output, *code;
    struct it_verdict verdict = {0};
    IT_TRY(it_dataset_string(fields, where, "completion", &completion));
    IT_TRY(it_dataset_string(fields, where, "code", &code));
    IT_TRY(read_output(fields, where, &output));
    char *answer = input_answer(completion);
    if (strstr(answer, "f(") == NULL && strstr(answer, "candidate(") == NULL) {
        struct it_literal literal;
        verdict.gradable = it_literal_read(output, strlen(output), IT_LITERAL_PYTHON, &literal);
        if (verdict.gradable) { it_literal_free(&literal); }
        verdict.detail = it_strdup("no call of f");
        it_free(answer);
    } else {
        enum it_status status =
            it_lcb_call_gives(grading->sandbox, where, code, answer, output, &verdict);
        if (status != IT_OK) {
            it_free(answer);
            return status;
        }
        verdict.extracted = answer;
    }
    *verdict_out = verdict;
    return IT_OK;
}

/* The same value, however it is written. */
static bool same_output(const char *profile, const char *a, const char *b)
{
    struct it_literal left, right;
    if (strcmp(a, b) == 0) { return true; }
    if (strcmp(profile, "zeroeval") == 0) { return false; }
    if (!it_literal_read_asserted(a, strlen(a), &left)) { return false; }
    bool same = it_literal_read_asserted(b, strlen(b), &right);
    if (same) {
        same = it_literal_equal(&left, &right);
        it_literal_free(&right);
    }
    it_literal_free(&left);
    return same;
}

const struct it_task it_task_cruxeval_o = {
    .name = "cruxeval_o",
    .summary = "what a short Python function returns, compared as Python literals",
    .default_profile = "cruxeval",
    .profiles = "cruxeval|zeroeval",
    .default_prompt = "cot",
    .prompts = "cot|direct|zeroeval",
    .max_new_tokens = 1024,
    .open = open_output,
    .grade = grade_output,
    .equal = same_output,
};

const struct it_task it_task_cruxeval_i = {
    .name = "cruxeval_i",
    .summary = "a call for which a short Python function returns a given value, by running it",
    .default_profile = "cruxeval",
    .profiles = "cruxeval",
    .default_prompt = "cot",
    .prompts = "cot|direct",
    .runs_programs = true,
    .max_new_tokens = 1024,
    .open = open_input,
    .grade = grade_input,
};
