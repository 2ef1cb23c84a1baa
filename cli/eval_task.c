/* SPDX-License-Identifier: MIT */
/* One task of an evaluation: what is there, what is asked, grading, the score. */
#include "cli/eval_task.h"

#include <string.h>

#include "cli/tally.h"
#include "core/base/json.h"
#include "core/base/mem.h"

enum it_status it_eval_task_open(const struct it_task *task, const struct it_model *text,
                                 const struct it_cli_dataset *dataset, int64_t max_new_tokens,
                                 struct it_eval_task *task_out)
{
    struct it_eval_task t = {.task = task, .max_new_tokens = max_new_tokens};
    struct it_cli_dataset d = *dataset;
    if (task->max_new_tokens == 0) {
        return it_fail(IT_INVALID, "eval: task %s has no problems to ask: it is for grade",
                       task->name);
    }
    if (!t.max_new_tokens) { t.max_new_tokens = task->max_new_tokens; }
    d.name = task->name;
    IT_TRY(it_cli_prompts_open(text, &d, &t.prompts));
    for (int64_t i = 0; i < t.prompts.n; i++) {
        int64_t length = t.prompts.item[i].n + t.max_new_tokens;
        if (length > t.max_length) { t.max_length = length; }
    }
    *task_out = t;
    return IT_OK;
}

void it_eval_task_close(struct it_eval_task *task)
{
    if (task->begun) { it_journal_close(&task->journal); }
    it_cli_prompts_close(&task->prompts);
    json_decref(task->index);
    json_decref(task->summary);
    *task = (struct it_eval_task){0};
}

/* ---- records ---- */

static json_t *text_or_null(const char *text)
{
    return text ? it_json_text(text, strlen(text)) : json_null();
}

/* A NUL that a model wrote would end the text for graders: U+FFFD stands for it. */
static json_t *completion_text(const struct it_tokenizer *tokenizer, const struct it_completion *c)
{
    json_t *text = it_cli_completion_text(tokenizer, c, NULL);
    const char *bytes = json_string_value(text);
    size_t n = json_string_length(text);
    if (!memchr(bytes, '\0', n)) { return text; }
    struct it_str clean = {0};
    for (size_t i = 0; i < n; i++) {
        if (bytes[i]) {
            it_str_putc(&clean, bytes[i]);
        } else {
            it_str_puts(&clean, "\xEF\xBF\xBD");
        }
    }
    json_decref(text);
    text = it_json_text(it_str_c(&clean), clean.len);
    it_str_free(&clean);
    return text;
}

/* The problem's own fields, then what `grade` takes, then what the sampler knew. */
static json_t *new_record(const struct it_eval_setup *setup, const struct it_problem *problem,
                          const struct it_completion *c)
{
    json_t *record = problem->record ? json_copy(problem->record) : json_object();
    json_object_set_new(record, "id", text_or_null(problem->id));
    json_object_set_new(record, "sample", json_integer((json_int_t)c->sample));
    json_object_set_new(record, "prompt", text_or_null(problem->text));
    json_object_set_new(record, "completion",
                        completion_text(setup->engine->model->tokenizer, c));
    json_object_set_new(record, "gold", text_or_null(problem->gold));
    json_object_set_new(record, "n_tokens", json_integer((json_int_t)c->n));
    it_cli_completion_stats(record, c);
    return record;
}

static bool is_graded(const json_t *record)
{
    return json_is_boolean(json_object_get(record, "gradable"));
}

/* ---- going on ---- */

/* Only a record of the very prompt that is asked now counts. */
static int64_t place(void *context, const json_t *record)
{
    const struct it_eval_task *t = context;
    const char *id = json_string_value(json_object_get(record, "id"));
    const char *prompt = json_string_value(json_object_get(record, "prompt"));
    const json_t *sample = json_object_get(record, "sample");
    const json_t *known = id ? json_object_get(t->index, id) : NULL;
    if (!known || !prompt || !json_is_integer(sample) ||
        !json_is_string(json_object_get(record, "completion"))) {
        return -1;
    }
    int64_t at = (int64_t)json_integer_value(known), s = (int64_t)json_integer_value(sample);
    bool same = strcmp(prompt, t->prompts.item[at].text) == 0;
    return s >= 0 && s < t->samples && same ? at * t->samples + s : -1;
}

enum it_status it_eval_task_begin(struct it_eval_task *t, const struct it_eval_setup *setup)
{
    t->samples = setup->sampling.n;
    t->index = json_object();
    for (int64_t i = 0; i < t->prompts.n; i++) {
        json_object_set_new(t->index, t->prompts.item[i].id, json_integer((json_int_t)i));
    }
    IT_TRY(it_journal_open(setup->out, t->task->name, t->prompts.n * t->samples, place, t,
                           &t->journal));
    t->begun = true;
    if (t->journal.n_kept) {
        it_info("%s: %lld of %lld completions were there and are kept", t->task->name,
                (long long)t->journal.n_kept, (long long)t->journal.n);
    }
    return IT_OK;
}

bool it_eval_task_has(const struct it_eval_task *t, int64_t prompt)
{
    bool whole = true;
    for (int64_t s = 0; s < t->samples; s++) {
        whole = whole && t->journal.record[prompt * t->samples + s];
    }
    return whole;
}

enum it_status it_eval_task_take(struct it_eval_task *t, const struct it_eval_setup *setup,
                                 int64_t prompt, const struct it_completion *c)
{
    const struct it_problem *problem = t->prompts.item[prompt].problem;
    return it_journal_put(&t->journal, prompt * t->samples + c->sample,
                          new_record(setup, problem, c));
}

/* ---- grading ---- */

/* Graded records are written a window at a time. */
enum { WINDOW = 1024 };

/* Whether there is something to compare the completions of a prompt with, or somebody to ask. */
static bool is_gradable(const struct it_eval_task *t, int64_t prompt)
{
    return t->prompts.item[prompt].gold || (t->task->prepare && t->prompts.grading.judge);
}

/* A record that an earlier run had no judge for is taken up again. */
static bool wants_grade(const struct it_eval_task *t, int64_t at)
{
    const json_t *record = t->journal.record[at];
    bool given_up = json_is_false(json_object_get(record, "gradable")) && t->task->prepare &&
                    t->prompts.grading.judge;
    return !is_graded(record) || given_up;
}

static enum it_status put_verdict(struct it_eval_task *t, int64_t at, struct it_verdict *verdict)
{
    json_t *record = t->journal.record[at];
    it_graded_put(verdict, record);
    json_object_set_new(record, "gradable", json_boolean(verdict->gradable));
    return it_journal_again(&t->journal, at);
}

static enum it_status grade_window(struct it_eval_task *t, const struct it_eval_setup *setup,
                                   const int64_t *at, size_t n, struct it_progress *progress,
                                   int64_t done)
{
    struct it_graded item[WINDOW];
    for (size_t i = 0; i < n; i++) {
        const struct it_problem *problem = t->prompts.item[at[i] / t->samples].problem;
        item[i] = (struct it_graded){.record = t->journal.record[at[i]], .where = problem->id};
    }
    enum it_status status = it_graders_run(setup->graders, t->task, &t->prompts.grading, item, n,
                                           progress, done);
    for (size_t i = 0; i < n; i++) {
        enum it_status put = item[i].status;
        if (put == IT_OK) { put = put_verdict(t, at[i], &item[i].verdict); }
        if (status == IT_OK) { status = put; }
        it_verdict_free(&item[i].verdict);
    }
    return status;
}

static enum it_status grade_all(struct it_eval_task *t, const struct it_eval_setup *setup)
{
    int64_t at[WINDOW], left = 0, done = 0;
    struct it_progress progress;
    enum it_status status = IT_OK;
    size_t n = 0;
    for (int64_t i = 0; i < t->journal.n; i++) { left += wants_grade(t, i); }
    it_progress_begin(&progress, "grade", "completions", left);
    for (int64_t i = 0; i < t->journal.n && status == IT_OK; i++) {
        bool last = i == t->journal.n - 1;
        if (wants_grade(t, i)) {
            if (is_gradable(t, i / t->samples)) {
                at[n++] = i;
            } else {
                struct it_verdict none = {.detail = it_strdup("no gold")};
                status = put_verdict(t, i, &none);
                it_verdict_free(&none);
            }
        }
        if (status == IT_OK && n && (last || n == WINDOW)) {
            status = grade_window(t, setup, at, n, &progress, done);
            done += (int64_t)n;
            n = 0;
        }
    }
    it_progress_end(&progress);
    return status;
}

/* ---- the score ---- */

static json_t *summarise(const struct it_eval_task *t)
{
    static const char *const said[] = {"correct", "accuracy", "stderr", "low", "high"};
    double k[2] = {1.0, (double)t->samples};
    const struct it_tally_setup setup = {.task = t->task, .profile = t->prompts.grading.profile,
                                         .k = {.item = k, .n = k[1] > 1.0 ? 2 : 0}};
    struct it_tally tally = {.keep_answers = setup.k.n > 0};
    struct it_breakdown breakdown = {0};
    double tokens = 0.0, ended = 0.0, n = (double)t->journal.n;
    if (it_breakdown_open(t->task, NULL, tally.keep_answers, &breakdown) != IT_OK) { return NULL; }
    for (int64_t i = 0; i < t->journal.n; i++) {
        const json_t *r = t->journal.record[i];
        const char *finish = json_string_value(json_object_get(r, "finish_reason"));
        struct it_tally_mark mark = {
            .correct = json_is_true(json_object_get(r, "correct")),
            .gradable = json_is_true(json_object_get(r, "gradable")),
            .answer = json_string_value(json_object_get(r, "extracted")),
        };
        it_tally_add(&tally, json_object_get(r, "id"), mark);
        it_breakdown_add(&breakdown, r, mark);
        tokens += json_number_value(json_object_get(r, "n_tokens"));
        ended += finish && strcmp(finish, "stop") == 0;
    }
    json_t *summary = it_tally_summary(&tally, &setup);
    if (t->task->prepare && !t->prompts.grading.judge) { /* nobody said what is right */
        it_warn("%s: no judge is named (--judge-url): its outputs are kept, and judged when the "
                "same command names one", t->task->name);
        for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
            json_object_set_new(summary, said[i], json_null());
        }
    }
    json_object_set_new(summary, "max_new_tokens", json_integer((json_int_t)t->max_new_tokens));
    json_object_set_new(summary, "mean_tokens", it_json_real(tokens / n));
    json_object_set_new(summary, "ended", it_json_real(ended / n));
    it_breakdown_summary(&breakdown, &setup, summary);
    it_breakdown_close(&breakdown);
    it_tally_free(&tally);
    return summary;
}

enum it_status it_eval_task_score(struct it_eval_task *t, const struct it_eval_setup *setup)
{
    IT_TRY(grade_all(t, setup));
    IT_TRY(it_journal_finish(&t->journal));
    t->summary = summarise(t);
    if (!t->task->report) { return IT_OK; }
    return t->task->report(&t->prompts.grading, t->journal.record, (size_t)t->journal.n,
                           t->summary);
}
