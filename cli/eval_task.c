/* SPDX-License-Identifier: MIT */
/* Generating and grading the problems of one task. */
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
    it_cli_prompts_close(&task->prompts);
    json_decref(task->summary);
    *task = (struct it_eval_task){0};
}

struct job {
    struct it_eval_task *t;
    const struct it_eval_setup *setup;
    json_t *index; /* id -> prompt */
    struct it_journal journal;
    int64_t *asked; /* [requests] -> prompt */
    enum it_status status; /* of grading and writing, inside the generator's callback */
};

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
static json_t *new_record(const struct job *j, const struct it_problem *problem,
                          const struct it_completion *c)
{
    json_t *record = problem->record ? json_copy(problem->record) : json_object();
    json_object_set_new(record, "id", text_or_null(problem->id));
    json_object_set_new(record, "sample", json_integer((json_int_t)c->sample));
    json_object_set_new(record, "prompt", text_or_null(problem->text));
    json_object_set_new(record, "completion",
                        completion_text(j->setup->engine->model->tokenizer, c));
    json_object_set_new(record, "gold", text_or_null(problem->gold));
    json_object_set_new(record, "n_tokens", json_integer((json_int_t)c->n));
    it_cli_completion_stats(record, c);
    return record;
}

static enum it_status grade(const struct job *j, const struct it_problem *problem, json_t *record)
{
    struct it_verdict verdict = {0};
    if (problem->gold) {
        IT_TRY(j->t->task->grade(&j->t->prompts.grading, record, problem->id, &verdict));
    } else {
        verdict.detail = it_strdup("no gold");
    }
    json_object_set_new(record, "extracted", text_or_null(verdict.extracted));
    json_object_set_new(record, "correct", json_boolean(verdict.correct && verdict.gradable));
    json_object_set_new(record, "detail", text_or_null(verdict.detail));
    json_object_set_new(record, "gradable", json_boolean(verdict.gradable));
    it_verdict_free(&verdict);
    return IT_OK;
}

static void done(void *context, const struct it_completion *c)
{
    struct job *j = context;
    int64_t prompt = j->asked[c->request];
    const struct it_problem *problem = j->t->prompts.item[prompt].problem;
    if (j->status != IT_OK) { return; }
    json_t *record = new_record(j, problem, c);
    j->status = grade(j, problem, record);
    if (j->status != IT_OK) {
        json_decref(record);
        return;
    }
    j->status = it_journal_put(&j->journal, prompt * j->setup->sampling.n + c->sample, record);
}

/* ---- going on ---- */

static json_t *index_of(const struct it_cli_prompts *prompts)
{
    json_t *index = json_object();
    for (int64_t i = 0; i < prompts->n; i++) {
        json_object_set_new(index, prompts->item[i].id, json_integer((json_int_t)i));
    }
    return index;
}

/* Only a graded record of the very prompt that is asked now counts. */
static int64_t place(void *context, const json_t *record)
{
    const struct job *j = context;
    const char *id = json_string_value(json_object_get(record, "id"));
    const char *prompt = json_string_value(json_object_get(record, "prompt"));
    const json_t *sample = json_object_get(record, "sample");
    const json_t *known = id ? json_object_get(j->index, id) : NULL;
    int64_t n = j->setup->sampling.n;
    if (!known || !prompt || !json_is_integer(sample) ||
        !json_is_boolean(json_object_get(record, "correct"))) {
        return -1;
    }
    int64_t at = (int64_t)json_integer_value(known), s = (int64_t)json_integer_value(sample);
    return s >= 0 && s < n && strcmp(prompt, j->t->prompts.item[at].text) == 0 ? at * n + s : -1;
}

/* A prompt is asked again with all its samples where one is missing: they come out the same. */
static int64_t list_missing(struct job *j, struct it_gen_request *requests)
{
    int64_t samples = j->setup->sampling.n, n = 0;
    for (int64_t i = 0; i < j->t->prompts.n; i++) {
        const struct it_rl_prompt *prompt = &j->t->prompts.item[i];
        bool whole = true;
        for (int64_t s = 0; s < samples; s++) {
            whole = whole && j->journal.record[i * samples + s];
        }
        if (whole) { continue; }
        j->asked[n] = i;
        requests[n++] = (struct it_gen_request){.prompt = prompt->ids, .n_prompt = prompt->n,
                                                .n_samples = samples, .key = (uint64_t)i};
    }
    return n;
}

/* ---- completions ---- */

static enum it_status sample(struct job *j, const struct it_gen_request *requests, int64_t n)
{
    const struct it_eval_setup *s = j->setup;
    struct it_cli_sampling sampling = s->sampling;
    struct it_cli_sampler sampler;
    int64_t total = n * sampling.n;
    sampling.max_new_tokens = j->t->max_new_tokens;
    IT_TRY(it_cli_sampler_open(s->engine, total, j->t->max_length, &sampler));
    struct it_completion *completions = it_calloc((size_t)total, sizeof *completions);
    struct it_gen_run run = {.weights = &s->engine->model->net->weights, .requests = requests,
                             .n_requests = n, .done = done, .context = j,
                             .sampling = it_cli_sampling(&sampling, s->engine->model, s->seed),
                             .progress = j->t->task->name};
    struct it_gen_totals totals;
    enum it_status status = it_generator_run(sampler.generator, &run, completions, &totals);
    if (status == IT_OK) { status = j->status; }
    if (status == IT_OK) {
        it_info("%s: %lld completions, %.1f tokens/s", j->t->task->name, (long long)total,
                (double)totals.new_tokens / (totals.decode_s + 1e-9));
    }
    for (int64_t i = 0; i < total; i++) { it_completion_free(&completions[i]); }
    it_free(completions);
    it_cli_sampler_close(&sampler);
    return status;
}

static void say_interrupted(const struct job *j)
{
    int64_t n = 0;
    for (int64_t i = 0; i < j->journal.n; i++) { n += j->journal.record[i] != NULL; }
    if (j->setup->out) {
        it_warn("interrupted: %lld of %lld completions of %s are in %s; the same command goes on",
                (long long)n, (long long)j->journal.n, j->t->task->name, j->setup->out);
    } else {
        it_warn("interrupted: without --out nothing is kept");
    }
}

/* ---- the score ---- */

static json_t *summarise(const struct job *j)
{
    static double one = 1.0;
    const struct it_reals k = {.item = &one, .n = j->setup->sampling.n > 1};
    struct it_tally tally = {0};
    double tokens = 0.0, ended = 0.0, n = (double)j->journal.n;
    for (int64_t i = 0; i < j->journal.n; i++) {
        const json_t *r = j->journal.record[i];
        const char *finish = json_string_value(json_object_get(r, "finish_reason"));
        struct it_tally_mark mark = {
            .correct = json_is_true(json_object_get(r, "correct")),
            .gradable = !json_is_false(json_object_get(r, "gradable")),
            .answered = json_is_string(json_object_get(r, "extracted")),
        };
        it_tally_add(&tally, json_object_get(r, "id"), mark);
        tokens += json_number_value(json_object_get(r, "n_tokens"));
        ended += finish && strcmp(finish, "stop") == 0;
    }
    json_t *summary = it_tally_summary(&tally, j->t->task->name, j->t->prompts.grading.profile, &k);
    json_object_set_new(summary, "max_new_tokens",
                        json_integer((json_int_t)j->t->max_new_tokens));
    json_object_set_new(summary, "mean_tokens", it_json_real(tokens / n));
    json_object_set_new(summary, "ended", it_json_real(ended / n));
    it_tally_free(&tally);
    return summary;
}

enum it_status it_eval_task_run(struct it_eval_task *t, const struct it_eval_setup *setup)
{
    struct job j = {.t = t, .setup = setup, .index = index_of(&t->prompts)};
    struct it_gen_request *requests = it_calloc((size_t)t->prompts.n, sizeof *requests);
    enum it_status status;
    j.asked = it_calloc((size_t)t->prompts.n, sizeof *j.asked);
    IT_TRY_GOTO(status, end, it_journal_open(setup->out, t->task->name,
                                             t->prompts.n * setup->sampling.n, place, &j,
                                             &j.journal));
    if (j.journal.n_kept) {
        it_info("%s: %lld of %lld completions were there and are kept", t->task->name,
                (long long)j.journal.n_kept, (long long)j.journal.n);
    }
    int64_t n = list_missing(&j, requests);
    if (n) { status = sample(&j, requests, n); }
    if (status == IT_INTERRUPTED) { say_interrupted(&j); }
    if (status == IT_OK) { status = it_journal_finish(&j.journal); }
    if (status == IT_OK) { t->summary = summarise(&j); }
    it_journal_close(&j.journal);
end:
    json_decref(j.index);
    it_free(j.asked);
    it_free(requests);
    return status;
}
