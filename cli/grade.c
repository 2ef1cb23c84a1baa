/* SPDX-License-Identifier: MIT */
/* intuitor grade: recorded completions against their golds, without a model. */
#include <string.h>

#include "cli/cli.h"
#include "cli/prompt.h"
#include "cli/records.h"
#include "cli/tally.h"
#include "core/base/clock.h"
#include "core/base/json.h"

struct grade_values {
    struct it_cli_common common;
    char *task, *input, *output, *profile;
    struct it_reals k;
};

static const struct it_option rows[] = {
    IT_CLI_ROWS(grade_values),
    IT_CLI_JSON_ROW(grade_values),
    {"task", IT_OPT_STRING, NULL, "the task whose rule decides",
     offsetof(struct grade_values, task), NULL},
    {"input", IT_OPT_STRING, NULL,
     "JSONL records with \"completion\" and the task's own fields; -: standard input",
     offsetof(struct grade_values, input), NULL},
    {"output", IT_OPT_STRING, NULL,
     "file for the graded records; unset: standard output, or nowhere with --json",
     offsetof(struct grade_values, output), NULL},
    {"profile", IT_OPT_STRING, NULL, "grading rule; unset: the task's own",
     offsetof(struct grade_values, profile), NULL},
    {"k", IT_OPT_REALS, NULL,
     "1,5: add pass@1 and pass@5; records of one \"id\" are samples of one problem",
     offsetof(struct grade_values, k), NULL},
};

static const char notes[] =
    "Each record gets extracted (text or null), correct and detail. The summary has n, correct,\n"
    "accuracy and its standard error (over problems: records of one id are not independent). A\n"
    "gold that cannot be read is named and counted as ungradable; its record counts as wrong, as\n"
    "in published scores. A bad record is named and left out, and the exit code is then 1. pass@K\n"
    "is the unbiased estimate, null where a problem has fewer than K samples.\n";

struct job {
    const struct it_task *task;
    struct it_grading grading;
    bool writing;
    struct it_records records;
    struct it_output output;
    struct it_tally tally;
};

static json_t *text_or_null(const char *text)
{
    return text ? it_json_text(text, strlen(text)) : json_null();
}

static enum it_status grade_record(struct job *j, json_t *record)
{
    struct it_verdict verdict = {0};
    const char *where = it_str_c(&j->records.where);
    enum it_status status = j->task->grade(&j->grading, record, where, &verdict);
    if (status != IT_OK) { return it_records_judge(&j->records, status); }
    if (!verdict.gradable) {
        it_warn("%s: the gold cannot be read%s%s: the record counts as wrong", where,
                verdict.detail ? ", " : "", verdict.detail ? verdict.detail : "");
    }
    struct it_tally_mark mark = {.correct = verdict.correct, .gradable = verdict.gradable,
                                 .answered = verdict.extracted != NULL};
    it_tally_add(&j->tally, json_object_get(record, "id"), mark);
    if (j->writing) {
        json_object_set_new(record, "extracted", text_or_null(verdict.extracted));
        json_object_set_new(record, "correct", json_boolean(mark.correct && mark.gradable));
        json_object_set_new(record, "detail", text_or_null(verdict.detail));
        status = it_output_put(&j->output, record);
    }
    it_verdict_free(&verdict);
    return status;
}

static enum it_status grade_all(struct job *j)
{
    struct it_progress progress;
    enum it_status status = IT_OK;
    it_progress_begin(&progress, "grade", "records", 0);
    while (status == IT_OK) {
        json_t *record;
        status = it_interrupted() ? IT_INTERRUPTED : it_records_next(&j->records, &record);
        if (status != IT_OK) { break; }
        status = grade_record(j, record);
        json_decref(record);
        it_progress_set(&progress, j->records.n);
    }
    it_progress_end(&progress);
    return status == IT_END ? IT_OK : status;
}

static enum it_status summarise(const struct job *j, const struct grade_values *v)
{
    enum it_status status = IT_OK;
    json_t *summary = it_tally_summary(&j->tally, j->task->name, j->grading.profile, &v->k);
    if (v->common.json) {
        status = it_jsonl_put(stdout, summary);
    } else {
        /* records on standard output stay alone there */
        it_tally_print(v->output ? stdout : stderr, summary);
    }
    json_decref(summary);
    return status;
}

static enum it_status check(const struct grade_values *v, const struct it_strs *arguments,
                            struct job *j)
{
    if (arguments->n) { return it_cli_usage(&it_command_grade, "nothing but options is expected"); }
    if (!v->task) { return it_cli_usage(&it_command_grade, "no --task given"); }
    if (!v->input) { return it_cli_usage(&it_command_grade, "no --input given"); }
    IT_TRY(it_cli_task("grade", v->task, &j->task));
    IT_TRY(it_task_profile(j->task, v->profile, &j->grading.profile));
    return it_tally_check(&v->k, "grade");
}

static enum it_status run(const void *values, const struct it_strs *arguments)
{
    const struct grade_values *v = values;
    struct job j = {.writing = v->output || !v->common.json};
    IT_TRY(check(v, arguments, &j));
    IT_TRY(it_records_open(v->input, &j.records));
    enum it_status status = IT_OK;
    if (j.writing) { IT_TRY_GOTO(status, end, it_output_open(v->output, &j.output)); }
    status = grade_all(&j);
    if (status == IT_OK) { status = summarise(&j, v); }
    if (status == IT_OK) { status = it_records_verdict(&j.records); }
    if (j.writing) { status = it_output_close(&j.output, status); }
end:
    it_tally_free(&j.tally);
    it_records_close(&j.records);
    return status;
}

const struct it_command it_command_grade = {
    .name = "grade",
    .summary = "grade recorded completions, no model needed",
    .usage = "--task NAME --input F.jsonl [--output F2.jsonl] [--profile P] [--k 1,5] [--json]",
    .example = "intuitor grade --task math --input answers.jsonl --output graded.jsonl --json",
    .notes = notes,
    .table = {rows, sizeof rows / sizeof *rows},
    .values_size = sizeof(struct grade_values),
    .run = run,
};
