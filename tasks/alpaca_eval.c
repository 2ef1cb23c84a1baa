/* SPDX-License-Identifier: MIT */
/* The task `alpaca_eval`: 805 instructions; a judge compares each answer with that of a baseline
 * model. Grading reads recorded preferences; where a record has none, a judge is asked. */
#include <math.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "tasks/dataset.h"
#include "tasks/grade/alpaca.h"
#include "tasks/grade/judge.h"
#include "tasks/task.h"

/* ---- instructions ---- */

static void add_problem(struct it_problems *problems, const struct it_alpaca_item *item, size_t at)
{
    struct it_str id = {0};
    json_t *record = json_object();
    it_str_printf(&id, "alpaca_eval/%zu", at);
    json_object_set_new(record, "index", json_integer((json_int_t)at));
    json_object_set_new(record, "instruction",
                        it_json_text(item->instruction, strlen(item->instruction)));
    problems->item =
        it_grow(problems->item, &problems->cap, problems->n + 1, sizeof *problems->item);
    problems->item[problems->n++] = (struct it_problem){
        .record = record,
        .id = it_str_take(&id),
        .text = it_strdup(item->instruction),
    };
}

static enum it_status open_task(const struct it_task_source *source,
                                struct it_problems *problems_out)
{
    struct it_alpaca_set set;
    struct it_problems problems = {0};
    if (source->data == NULL) {
        return it_fail(IT_NOT_FOUND, "alpaca_eval: no data given: set INTUITOR_DATA or --data to "
                                     "the folder that has alpaca_eval/");
    }
    IT_TRY(it_alpaca_set_open(source->data, &set));
    for (size_t i = 0; i < set.n; i++) {
        if (source->limit > 0 && i >= (size_t)source->limit) { break; }
        add_problem(&problems, &set.item[i], i);
    }
    it_alpaca_set_close(&set);
    *problems_out = problems;
    return IT_OK;
}

/* ---- the judge ---- */

static bool wants_judge(const json_t *record)
{
    return json_is_null(json_object_get(record, "preference")) ||
           json_object_get(record, "preference") == NULL;
}

/* False for a record that lacks a part of the question: grading names it. */
static bool make_pair(const struct it_alpaca_set *set, const json_t *record,
                      struct it_judge_pair *pair)
{
    const json_t *instruction = json_object_get(record, "instruction");
    const json_t *output_1 = json_object_get(record, "output_1");
    const json_t *output_2 = it_alpaca_output(record);
    int64_t place = set != NULL ? it_alpaca_set_find(set, instruction) : -1;
    *pair = (struct it_judge_pair){
        .instruction = json_string_value(instruction),
        .output_1 = place >= 0 ? set->item[place].reference : NULL,
        .output_2 = json_string_value(output_2),
    };
    if (json_is_string(output_1)) { pair->output_1 = json_string_value(output_1); }
    return pair->instruction != NULL && pair->output_1 != NULL && pair->output_2 != NULL;
}

static void put_answer(const struct it_judge *judge, const struct it_judge_pair *pair,
                       json_t *record)
{
    json_object_set_new(record, "preference", it_json_real(pair->preference));
    json_object_set_new(record, "annotator", json_string(it_judge_model(judge)));
    json_object_set_new(record, "judge_prompt",
                        json_string(it_judge_is_official(judge) ? "alpaca_eval" : "own"));
    json_object_set_new(record, "is_switched_outputs", json_boolean(pair->switched));
    if (pair->binary) { json_object_set_new(record, "judge_binary", json_true()); }
    if (pair->problem != NULL) {
        json_object_set_new(record, "judge_problem",
                            it_json_text(pair->problem, strlen(pair->problem)));
    }
}

static enum it_status ask_judge(const struct it_grading *grading, const struct it_alpaca_set *set,
                                json_t *const *records, size_t n)
{
    struct it_judge_pair *pair = it_calloc(n + 1, sizeof *pair);
    size_t *place = it_alloc((n + 1) * sizeof *place), pairs = 0;
    for (size_t i = 0; i < n; i++) {
        if (!wants_judge(records[i]) || !make_pair(set, records[i], &pair[pairs])) { continue; }
        place[pairs++] = i;
    }
    enum it_status status = pairs > 0 ? it_judge_run(grading->judge, pair, pairs) : IT_OK;
    for (size_t i = 0; i < pairs; i++) {
        if (status == IT_OK) { put_answer(grading->judge, &pair[i], records[place[i]]); }
        it_free(pair[i].problem);
    }
    it_free(pair);
    it_free(place);
    return status;
}

static enum it_status prepare(const struct it_grading *grading, json_t *const *records, size_t n)
{
    struct it_alpaca_set set;
    if (grading->judge == NULL) { return IT_OK; }
    if (grading->data == NULL) { return ask_judge(grading, NULL, records, n); }
    IT_TRY(it_alpaca_set_open(grading->data, &set));
    enum it_status status = ask_judge(grading, &set, records, n);
    it_alpaca_set_close(&set);
    return status;
}

/* ---- grading ---- */

static enum it_status check(const json_t *fields, const char *where, double *preference_out)
{
    const char *instruction;
    const json_t *value = json_object_get(fields, "preference");
    IT_TRY(it_dataset_string(fields, where, "instruction", &instruction));
    if (it_alpaca_output(fields) == NULL) {
        return it_fail(IT_INVALID,
                       "%s: field \"output_2\": expected the model's output, found none", where);
    }
    if (value == NULL) {
        return it_fail(IT_INVALID,
                       "%s: field \"preference\": none; give --judge-url to ask a judge%s", where,
                       json_object_get(fields, "output_1") == NULL
                           ? ", and output_1 or the data folder for the baseline's output"
                           : "");
    }
    *preference_out = it_alpaca_preference(fields);
    if (!json_is_null(value) && isnan(*preference_out)) {
        return it_fail(IT_INVALID,
                       "%s: field \"preference\": expected a number from 1 to 2, 0 for a draw, or "
                       "null",
                       where);
    }
    return IT_OK;
}

static enum it_status grade(const struct it_grading *grading, const json_t *fields,
                            const char *where, struct it_verdict *verdict_out)
{
    double preference = NAN;
    (void)grading;
    IT_TRY(check(fields, where, &preference));
    struct it_verdict verdict = {.gradable = true, .correct = preference > 1.5};
    if (isnan(preference)) {
        const char *problem = json_string_value(json_object_get(fields, "judge_problem"));
        verdict.detail = it_strdup(problem != NULL ? problem : "no preference");
    } else {
        struct it_str detail = {0};
        it_str_printf(&detail, "preference %.10g", preference);
        verdict.detail = it_str_take(&detail);
        verdict.extracted = it_strdup(preference > 1.5   ? "output_2"
                                      : preference < 1.5 ? "output_1"
                                                         : "draw");
    }
    *verdict_out = verdict;
    return IT_OK;
}

/* An output that tries to speak for the judge, or one and the same text for every instruction,
 * wins without being good. */
static void warn_gamed(json_t *const *records, size_t n)
{
    json_t *seen = json_object();
    size_t marked = 0;
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(it_alpaca_output(records[i]));
        if (text == NULL) { continue; }
        marked += strstr(text, "<|im_start|>") != NULL || strstr(text, "<|im_end|>") != NULL ||
                  strstr(text, "\"model_identifier\"") != NULL;
        json_object_set_new(seen, text, json_true());
    }
    if (marked > 0) {
        it_warn("alpaca_eval: %zu outputs hold marks of the judge's own prompt: their preferences "
                "may have been talked into",
                marked);
    }
    if (n >= 10 && json_object_size(seen) <= n / 2) {
        it_warn("alpaca_eval: %zu records have %zu different outputs: constant answers are known "
                "to mislead judges",
                n, json_object_size(seen));
    }
    json_decref(seen);
}

static enum it_status report(const struct it_grading *grading, json_t *const *records, size_t n,
                             json_t *summary)
{
    struct it_alpaca_set set;
    size_t binary = 0;
    it_alpaca_rates(records, n, summary);
    for (size_t i = 0; i < n; i++) {
        binary += json_is_true(json_object_get(records[i], "judge_binary"));
    }
    json_object_set_new(summary, "binary_judge", json_boolean(binary > 0));
    if (n > 0) { warn_gamed(records, n); }
    if (n > 0 && json_integer_value(json_object_get(summary, "n_total")) == 0) {
        it_warn("alpaca_eval: no record has a preference: --judge-url asks a judge");
    }
    if (grading->data == NULL) {
        it_alpaca_length_controlled(NULL, records, n, summary);
        return IT_OK;
    }
    IT_TRY(it_alpaca_set_open(grading->data, &set));
    it_alpaca_length_controlled(&set, records, n, summary);
    it_alpaca_set_close(&set);
    return IT_OK;
}

const struct it_task it_task_alpaca_eval = {
    .name = "alpaca_eval",
    .summary = "instructions; a judge prefers the answer or a baseline's",
    .default_profile = "alpaca-eval-2",
    .profiles = "alpaca-eval-2",
    .breakdown = "dataset",
    .max_new_tokens = 2048,
    .open = open_task,
    .prepare = prepare,
    .grade = grade,
    .report = report,
};
