/* SPDX-License-Identifier: MIT */
/* intuitor grade: recorded completions against their golds, without a model. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/compare.h"
#include "cli/grading.h"
#include "cli/prompt.h"
#include "cli/records.h"
#include "cli/tally.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"

struct grade_values {
    struct it_cli_common common;
    char *task, *input, *output, *profile, *data, *from, *to, *date_field;
    bool unsafe, compare;
    int64_t samples, resamples;
    struct it_reals k;
    struct it_strs by;
    struct it_cli_judge judge;
};

#define AT(field) offsetof(struct grade_values, field)
static const struct it_option rows[] = {
    IT_CLI_ROWS(grade_values),
    IT_CLI_JSON_ROW(grade_values),
    {"task", IT_OPT_STRING, NULL, "the task whose rule decides", AT(task), NULL},
    {"input", IT_OPT_STRING, NULL,
     "records with \"completion\" and the task's own fields: JSONL (.gz), a JSON array, CSV, "
     "Parquet; -: standard input", AT(input), NULL},
    {"output", IT_OPT_STRING, NULL,
     "file for the graded records; unset: standard output, or nowhere with --json", AT(output),
     NULL},
    {"profile", IT_OPT_STRING, NULL, "grading rule; unset: the task's own", AT(profile), NULL},
    {"k", IT_OPT_REALS, NULL,
     "1,5: add pass@1 and pass@5, avg@5 and maj@5; records of one \"id\" are samples of one "
     "problem", AT(k), NULL},
    {"samples", IT_OPT_INT, "0",
     "samples that each problem must have: without them --k gives null, and the exit code is 1; "
     "0: any number", AT(samples), NULL},
    {"by", IT_OPT_STRINGS, NULL,
     "split the score by these fields, FIELD or FIELD:CHARACTERS (contest_date:7 is a month); the "
     "task's own are always there", AT(by), NULL},
    {"from", IT_OPT_STRING, NULL, "leave out records dated before, as 2024-08-01", AT(from), NULL},
    {"to", IT_OPT_STRING, NULL, "leave out records dated after (later that day is after)", AT(to),
     NULL},
    {"date-field", IT_OPT_STRING, "contest_date", "the field that --from and --to read",
     AT(date_field), NULL},
    IT_CLI_GRADING_ROWS(grade_values),
    {"compare", IT_OPT_BOOL, "false", "A.jsonl B.jsonl, both graded: is one better? McNemar's "
     "exact test and a paired bootstrap over problems", AT(compare), NULL},
    IT_CLI_JUDGE_ROWS(grade_values),
    {"resamples", IT_OPT_INT, "10000", "of the bootstrap", AT(resamples), NULL},
    {"seed", IT_OPT_INT, "0", "of the bootstrap's random numbers", AT(common.seed), NULL},
};

static const char notes[] =
    "Each record gets extracted (text or null), correct and detail. The summary has n, correct,\n"
    "accuracy, its standard error (over problems: records of one id are not independent), its\n"
    "95 % interval (Wilson's over problems), the same by level, subject and the like, and what\n"
    "the task itself adds. A gold that cannot be read is named and counted as ungradable; its\n"
    "record counts as wrong, as in published scores. A bad record is named and left out, and the\n"
    "exit code is then 1. pass@K is the unbiased estimate; avg@K and maj@K are of the first K\n"
    "samples; null where a problem has fewer. docs/howto-eval.md has the formulas.\n";

/* Records are graded a window at a time: all cores stay busy, and memory stays bounded. */
enum { WINDOW_RECORDS = 4096, WINDOW_BYTES = 64 << 20 };

struct job {
    const struct grade_values *v;
    const struct it_task *task;
    struct it_grading grading;
    struct it_graders graders;
    bool writing;
    struct it_records records;
    struct it_output output;
    struct it_tally_setup setup;
    struct it_tally tally;
    struct it_breakdown breakdown;
    struct it_graded *window; /* [WINDOW_RECORDS], its `where` owned here */
    int64_t done, outside;
    json_t **kept; /* every graded record, for the task's report */
    size_t n_kept, cap_kept;
};

/* ---- records ---- */

static void keep(struct job *j, const struct it_graded *item, struct it_tally_mark mark)
{
    it_tally_add(&j->tally, json_object_get(item->record, "id"), mark);
    it_breakdown_add(&j->breakdown, item->record, mark);
    if (j->task->report) {
        j->kept = it_grow(j->kept, &j->cap_kept, j->n_kept + 1, sizeof *j->kept);
        j->kept[j->n_kept++] = json_incref(item->record);
    }
}

static enum it_status take(struct job *j, struct it_graded *item)
{
    const struct it_verdict *verdict = &item->verdict;
    if (item->status == IT_INTERRUPTED) { return IT_OK; }
    if (item->status != IT_OK) { return it_records_judge(&j->records, item->status); }
    if (!verdict->gradable) {
        it_warn("%s: the gold cannot be read%s%s: the record counts as wrong", item->where,
                verdict->detail ? ", " : "", verdict->detail ? verdict->detail : "");
    }
    struct it_tally_mark mark = {.correct = verdict->correct, .gradable = verdict->gradable,
                                 .answer = verdict->extracted};
    it_graded_put(verdict, item->record);
    keep(j, item, mark);
    return j->writing ? it_output_put(&j->output, item->record) : IT_OK;
}

/* Dates are text that sorts. A day ends a window with its first instant, as in LiveCodeBench's. */
static bool is_after(const char *date, const char *last)
{
    size_t n = strlen(last);
    if (strncmp(date, last, n) != 0) { return strcmp(date, last) > 0; }
    return date[n] != '\0' && strncmp(date + n + 1, "00:00:00", 8) != 0;
}

static bool is_outside(const struct job *j, const json_t *record)
{
    const char *date = json_string_value(json_object_get(record, j->v->date_field));
    if (!j->v->from && !j->v->to) { return false; }
    return !date || (j->v->from && strcmp(date, j->v->from) < 0) ||
           (j->v->to && is_after(date, j->v->to));
}

/* About the bytes that a value takes. */
static size_t size_of(const json_t *value)
{
    const char *name;
    size_t bytes = 64, i;
    json_t *item, *container = (json_t *)(uintptr_t)value; /* iterating changes nothing */
    if (json_is_string(value)) { return bytes + json_string_length(value); }
    json_array_foreach(container, i, item) { bytes += size_of(item); }
    json_object_foreach(container, name, item) { bytes += 64 + size_of(item); }
    return bytes;
}

/* Up to a window of records; IT_END after the last. */
static enum it_status read_window(struct job *j, size_t *n_out)
{
    enum it_status status = IT_OK;
    size_t n = 0, bytes = 0;
    while (status == IT_OK && n < WINDOW_RECORDS && bytes < WINDOW_BYTES) {
        json_t *record;
        status = it_interrupted() ? IT_INTERRUPTED : it_records_next(&j->records, &record);
        if (status != IT_OK) { break; }
        bytes += size_of(record);
        if (is_outside(j, record)) {
            j->outside++;
            json_decref(record);
            continue;
        }
        j->window[n++] = (struct it_graded){.record = record,
                                            .where = it_strdup(it_str_c(&j->records.where))};
    }
    *n_out = n;
    return status;
}

static enum it_status grade_window(struct job *j, size_t n, struct it_progress *progress)
{
    enum it_status status = it_graders_run(&j->graders, j->task, &j->grading, j->window, n,
                                           progress, j->done);
    /* what was done is written before an interruption or a failure ends the work */
    for (size_t i = 0; i < n; i++) {
        struct it_graded *item = &j->window[i];
        bool ours = item->status == IT_OK || item->status == IT_INVALID;
        enum it_status taken = ours ? take(j, item) : IT_OK;
        if (status == IT_OK) { status = taken; }
        it_verdict_free(&item->verdict);
        json_decref(item->record);
        it_free(item->where);
    }
    j->done += (int64_t)n;
    return status;
}

static enum it_status grade_all(struct job *j)
{
    struct it_progress progress;
    enum it_status status = IT_OK;
    it_progress_begin(&progress, "grade", "records", 0);
    while (status == IT_OK) {
        size_t n;
        status = read_window(j, &n);
        enum it_status graded = grade_window(j, n, &progress);
        if (graded != IT_OK) { status = graded; }
    }
    it_progress_end(&progress);
    return status == IT_END ? IT_OK : status;
}

/* ---- the summary ---- */

static enum it_status summarise(const struct job *j)
{
    json_t *summary = it_tally_summary(&j->tally, &j->setup);
    const char *tier = it_graders_tier(&j->graders);
    enum it_status status = IT_OK;
    if (tier) { json_object_set_new(summary, "sandbox", json_string(tier)); }
    if (j->outside) {
        json_object_set_new(summary, "outside", json_integer((json_int_t)j->outside));
        it_info("%lld records are dated outside of the window", (long long)j->outside);
    }
    if (j->task->report && j->n_kept) {
        status = j->task->report(&j->grading, j->kept, j->n_kept, summary);
    }
    it_breakdown_summary(&j->breakdown, &j->setup, summary);
    if (status == IT_OK && j->v->common.json) {
        status = it_jsonl_put(stdout, summary);
    } else if (status == IT_OK) {
        /* records on standard output stay alone there */
        it_tally_print(j->v->output ? stdout : stderr, summary);
    }
    json_decref(summary);
    return status == IT_OK ? it_tally_whole(&j->tally, &j->setup) : status;
}

/* ---- the command ---- */

static enum it_status check(struct job *j, const struct it_strs *arguments)
{
    const struct grade_values *v = j->v;
    if (arguments->n) { return it_cli_usage(&it_command_grade, "nothing but options is expected"); }
    if (!v->task) { return it_cli_usage(&it_command_grade, "no --task given"); }
    if (!v->input) { return it_cli_usage(&it_command_grade, "no --input given"); }
    if (v->samples < 0) { return it_fail(IT_INVALID, "grade: samples: expected 0 or more"); }
    IT_TRY(it_cli_task("grade", v->task, &j->task));
    IT_TRY(it_task_profile(j->task, v->profile, &j->grading.profile));
    j->grading.data = v->data ? v->data : getenv("INTUITOR_DATA");
    j->setup = (struct it_tally_setup){.task = j->task, .profile = j->grading.profile, .k = v->k,
                                       .samples = v->samples};
    j->tally.keep_answers = v->k.n > 0;
    return it_tally_check(&v->k, "grade");
}

static enum it_status open_job(struct job *j)
{
    const struct grade_values *v = j->v;
    struct it_graders_options options = {.threads = v->common.threads,
                                         .runs_programs = j->task->runs_programs,
                                         .unsafe = v->unsafe, .judge = &v->judge,
                                         .data = j->grading.data};
    IT_TRY(it_breakdown_open(j->task, &v->by, j->tally.keep_answers, &j->breakdown));
    IT_TRY(it_records_open(v->input, &j->records));
    IT_TRY(it_graders_open(&options, &j->graders));
    j->grading.sandbox = j->graders.sandbox;
    j->grading.judge = j->graders.judge;
    j->window = it_calloc(WINDOW_RECORDS, sizeof *j->window);
    return IT_OK;
}

static void close_job(struct job *j)
{
    for (size_t i = 0; i < j->n_kept; i++) { json_decref(j->kept[i]); }
    it_free(j->kept);
    it_free(j->window);
    it_graders_close(&j->graders);
    it_breakdown_close(&j->breakdown);
    it_tally_free(&j->tally);
    it_records_close(&j->records);
}

static enum it_status compare(const struct grade_values *v, const struct it_strs *arguments)
{
    if (arguments->n != 2) {
        return it_cli_usage(&it_command_grade, "--compare takes two graded files");
    }
    struct it_compare_options options = {.a = arguments->item[0], .b = arguments->item[1],
                                         .resamples = v->resamples,
                                         .seed = (uint64_t)v->common.seed,
                                         .json = v->common.json};
    return it_compare_run(&options);
}

static enum it_status run(const void *values, const struct it_strs *arguments)
{
    const struct grade_values *v = values;
    struct job j = {.v = v, .writing = v->output || !v->common.json};
    enum it_status status;
    if (v->compare) { return compare(v, arguments); }
    IT_TRY(check(&j, arguments));
    IT_TRY_GOTO(status, end, open_job(&j));
    if (j.writing) { IT_TRY_GOTO(status, end, it_output_open(v->output, &j.output)); }
    status = grade_all(&j);
    if (status == IT_OK) { status = summarise(&j); }
    if (status == IT_OK) { status = it_records_verdict(&j.records); }
    if (j.writing) { status = it_output_close(&j.output, status); }
end:
    close_job(&j);
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
