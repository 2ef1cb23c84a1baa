/* SPDX-License-Identifier: MIT */
/* Reading completions by problem, and grading them. */
#include "cli/samples.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/prompt.h"
#include "cli/votes.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "tasks/grade/sandbox.h"

static const char *const score_name[IT_SCORES] = {"self_certainty", "avg_logprob", "perplexity",
                                                  "entropy", "gini"};

const char *it_score_name(enum it_score score)
{
    return score_name[score];
}

/* ---- one completion ---- */

/* A number, or null for a completion without tokens; *known says whether the field is there. */
static enum it_status read_number(const json_t *object, const char *where, const char *name,
                                  double *value_out, bool *known_out)
{
    *known_out = json_object_get(object, name) != NULL;
    *value_out = (double)NAN;
    if (json_is_null(json_object_get(object, name))) { return IT_OK; }
    return it_json_get_real(object, where, name, (double)NAN, value_out);
}

static enum it_status read_tokens(const json_t *object, const char *where, int64_t *n_out)
{
    const json_t *ids = json_object_get(object, "token_ids");
    IT_TRY(it_json_get_int(object, where, "n_tokens", -1, n_out));
    if (*n_out < 0 && json_is_array(ids)) { *n_out = (int64_t)json_array_size(ids); }
    return IT_OK;
}

static enum it_status read_scores(const json_t *object, const char *where, struct it_sampled *s)
{
    double logprob;
    bool *known = s->known;
    IT_TRY(read_tokens(object, where, &s->n_tokens));
    IT_TRY(read_number(object, where, "self_certainty", &s->score[IT_SCORE_CERTAINTY],
                       &known[IT_SCORE_CERTAINTY]));
    IT_TRY(read_number(object, where, "entropy", &s->score[IT_SCORE_ENTROPY],
                       &known[IT_SCORE_ENTROPY]));
    IT_TRY(read_number(object, where, "gini", &s->score[IT_SCORE_GINI], &known[IT_SCORE_GINI]));
    IT_TRY(read_number(object, where, "logprob", &logprob, &known[IT_SCORE_LOGPROB]));
    known[IT_SCORE_LOGPROB] = known[IT_SCORE_LOGPROB] && s->n_tokens >= 0;
    known[IT_SCORE_PERPLEXITY] = known[IT_SCORE_LOGPROB];
    double mean = s->n_tokens > 0 ? logprob / (double)s->n_tokens : (double)NAN;
    s->score[IT_SCORE_LOGPROB] = mean;
    s->score[IT_SCORE_PERPLEXITY] = -exp(-mean);
    s->score[IT_SCORE_ENTROPY] = -s->score[IT_SCORE_ENTROPY];
    return IT_OK;
}

/* `text` becomes the completion that a grader reads beside the problem's fields. */
static enum it_status add_sample(struct it_sampled_problem *p, const json_t *object,
                                 const json_t *text, const char *where)
{
    struct it_sampled s = {0};
    const char *finish;
    if (!json_is_string(text)) {
        return it_fail(IT_INVALID, "%s: expected the completion's text as a string", where);
    }
    IT_TRY(read_scores(object, where, &s));
    IT_TRY(it_json_get_string(object, where, "finish_reason", &finish));
    s.cut = finish && strcmp(finish, "length") == 0;
    s.record = json_copy(p->record);
    json_object_del(s.record, "completions");
    json_t *fields = (json_t *)(uintptr_t)object; /* iterating changes nothing */
    if (object != p->record) { json_object_update(s.record, fields); }
    json_object_set(s.record, "completion", (json_t *)(uintptr_t)text);
    p->sample = it_grow(p->sample, &p->cap, p->n + 1, sizeof *p->sample);
    p->sample[p->n++] = s;
    return IT_OK;
}

/* ---- one record ---- */

static void free_sample(struct it_sampled *s)
{
    json_decref(s->record);
    it_free(s->answer);
}

static void free_problem(struct it_sampled_problem *p)
{
    for (size_t i = 0; i < p->n; i++) { free_sample(&p->sample[i]); }
    it_free(p->sample);
    it_free(p->vote);
    it_free(p->where);
    json_decref(p->record);
}

static enum it_status read_list(struct it_sampled_problem *p, const json_t *list)
{
    size_t i;
    const json_t *c;
    if (!json_is_array(list)) {
        return it_fail(IT_INVALID, "%s: field \"completions\": expected a list", p->where);
    }
    json_array_foreach(list, i, c)
    {
        char where[64];
        snprintf(where, sizeof where, ": completions[%zu]", i);
        struct it_str at = {0};
        it_str_printf(&at, "%s%s", p->where, where);
        enum it_status status = add_sample(p, c, json_object_get(c, "text"), it_str_c(&at));
        it_str_free(&at);
        IT_TRY(status);
    }
    return p->n ? IT_OK : it_fail(IT_INVALID, "%s: field \"completions\" is empty", p->where);
}

/* The problem that a record of one completion belongs to: a new one, or that of its id. */
static struct it_sampled_problem *find(struct it_sampled_file *f, const json_t *record)
{
    const json_t *id = json_object_get(record, "id");
    char *key = id && !json_is_null(id) ? json_dumps(id, JSON_ENCODE_ANY | JSON_SORT_KEYS) : NULL;
    const json_t *known = key ? json_object_get(f->index, key) : NULL;
    if (key && !known) {
        json_object_set_new(f->index, key, json_integer((json_int_t)f->n));
    }
    free(key);
    return known ? &f->item[json_integer_value(known)] : NULL;
}

static enum it_status add_record(struct it_sampled_file *f, json_t *record, const char *where)
{
    const json_t *list = json_object_get(record, "completions");
    const json_t *text = json_object_get(record, "completion");
    if (!list && !text) {
        return it_fail(IT_INVALID, "%s: expected a field \"completions\" (of generate) or "
                       "\"completion\"", where);
    }
    struct it_sampled_problem *known = list ? NULL : find(f, record);
    if (known) { return add_sample(known, record, text, where); }
    struct it_sampled_problem p = {.record = json_incref(record), .where = it_strdup(where),
                                   .list = list != NULL,
                                   .has_gold = json_object_get(record, "gold") ||
                                               json_object_get(record, "output") ||
                                               json_object_get(record, "tests")};
    enum it_status status = list ? read_list(&p, list) : add_sample(&p, record, text, where);
    p.bad = list && status == IT_INVALID; /* its place stays: an id may point behind it */
    f->item = it_grow(f->item, &f->cap, f->n + 1, sizeof *f->item);
    f->item[f->n++] = p;
    return status;
}

static enum it_status read_file(struct it_sampled_file *f, const char *path)
{
    struct it_records records;
    IT_TRY(it_records_open(path, &records));
    enum it_status status = IT_OK;
    while (status == IT_OK) {
        json_t *record;
        status = it_records_next(&records, &record);
        if (status != IT_OK) { break; }
        status = it_records_judge(&records, add_record(f, record, it_str_c(&records.where)));
        json_decref(record);
    }
    f->bad = records.bad;
    f->records = records.n;
    it_records_close(&records);
    return status == IT_END ? IT_OK : status;
}

/* ---- answers ---- */

/* Taken as it is where nobody named a task: what `grade` and `eval` wrote. */
static bool was_graded(struct it_sampled *s)
{
    const json_t *correct = json_object_get(s->record, "correct");
    const json_t *answer = json_object_get(s->record, "extracted");
    if (!json_is_boolean(correct) || !(json_is_string(answer) || json_is_null(answer))) {
        return false;
    }
    s->correct = json_is_true(correct);
    s->gradable = !json_is_false(json_object_get(s->record, "gradable"));
    s->answer = it_strdup(json_string_value(answer));
    return true;
}

/* Records without a gold are graded against a made-up one: their answers are wanted all the
 * same. */
static void add_gold(const struct it_sampled_problem *p, json_t *record)
{
    if (p->has_gold) { return; }
    bool letters = json_object_get(record, "options") != NULL;
    json_object_set_new(record, "gold", json_string(letters ? "A" : "0"));
}

struct pending {
    struct it_graded *item;
    struct it_sampled **sample;
    struct it_sampled_problem **problem;
    size_t n;
};

static void collect(struct it_sampled_file *f, bool trust, struct pending *todo)
{
    size_t all = 0;
    for (size_t i = 0; i < f->n; i++) { all += f->item[i].n; }
    todo->item = it_calloc(all + 1, sizeof *todo->item);
    todo->sample = it_calloc(all + 1, sizeof(struct it_sampled *));
    todo->problem = it_calloc(all + 1, sizeof(struct it_sampled_problem *));
    for (size_t i = 0; i < f->n; i++) {
        struct it_sampled_problem *p = &f->item[i];
        for (size_t s = 0; s < p->n && !p->bad; s++) {
            if (trust && was_graded(&p->sample[s])) {
                p->has_gold = true;
                continue;
            }
            add_gold(p, p->sample[s].record);
            todo->problem[todo->n] = p;
            todo->sample[todo->n] = &p->sample[s];
            todo->item[todo->n++] = (struct it_graded){.record = p->sample[s].record,
                                                       .where = p->where};
        }
    }
}

static void deliver(struct it_sampled_file *f, struct pending *todo)
{
    for (size_t i = 0; i < todo->n; i++) {
        struct it_graded *item = &todo->item[i];
        struct it_sampled *s = todo->sample[i];
        struct it_sampled_problem *p = todo->problem[i];
        if (item->status == IT_INVALID) {
            f->bad += p->list ? !p->bad : 1;
            s->bad = !p->list;
            p->bad = p->list;
        }
        s->answer = it_strdup(item->verdict.extracted);
        s->gradable = item->verdict.gradable && p->has_gold;
        s->correct = item->verdict.correct && s->gradable;
        it_verdict_free(&item->verdict);
    }
}

static void sort_answers(void *context, int64_t begin, int64_t end, int thread)
{
    const struct it_sampled_file *f = context;
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        struct it_sampled_problem *p = &f->item[i];
        const char **answer = it_calloc(p->n + 1, sizeof *answer);
        p->vote = it_calloc(p->n + 1, sizeof *p->vote);
        for (size_t s = 0; s < p->n; s++) { answer[s] = p->sample[s].answer; }
        it_votes_classes(f->task, f->profile, answer, (int64_t)p->n, p->vote);
        it_free(answer);
    }
}

/* Bad samples and problems leave, and what is left without a sample: nobody after this meets
 * them. */
void it_samples_drop(struct it_sampled_file *f)
{
    size_t kept = 0;
    for (size_t i = 0; i < f->n; i++) {
        struct it_sampled_problem *p = &f->item[i];
        size_t samples = 0;
        for (size_t s = 0; s < p->n; s++) {
            if (p->sample[s].bad) {
                free_sample(&p->sample[s]);
            } else {
                p->sample[samples++] = p->sample[s];
            }
        }
        p->n = samples;
        if (p->bad || samples == 0) {
            free_problem(p);
        } else {
            f->item[kept++] = *p;
        }
    }
    f->n = kept;
}

/* Parses, runs nothing. */
static const char parse_only[] = "import warnings\n"
                                 "warnings.simplefilter('ignore')\n"
                                 "try:\n"
                                 "    compile(program, 'program', 'exec')\n"
                                 "except (SyntaxError, ValueError, MemoryError, RecursionError):\n"
                                 "    reply(b'broken')\n";

struct parsing {
    struct it_sandbox *sandbox;
    struct it_sampled **sample;
};

static void parse_some(void *context, int64_t begin, int64_t end, int thread)
{
    const struct parsing *p = context;
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        struct it_sampled *s = p->sample[i];
        struct it_sandbox_result result = {0};
        if (!s->answer) { continue; }
        const struct it_sandbox_job job = {.program = s->answer, .program_size = strlen(s->answer),
                                           .driver = parse_only};
        if (it_sandbox_run(p->sandbox, &job, &result) != IT_OK) { continue; }
        s->broken = result.n_replies > 0 || result.end != IT_SANDBOX_EXIT;
        it_sandbox_result_free(&result);
    }
}

static enum it_status grade_samples(struct it_sampled_file *f, const struct it_samples_options *o,
                                    struct pending *todo)
{
    struct it_graders graders;
    struct it_graders_options options = {.threads = o->threads, .unsafe = o->unsafe,
                                         .runs_programs = f->task->runs_programs && todo->n};
    struct it_grading grading = {.profile = f->profile,
                                 .data = o->data ? o->data : getenv("INTUITOR_DATA")};
    struct it_progress progress;
    IT_TRY(it_graders_open(&options, &graders));
    grading.sandbox = graders.sandbox;
    it_progress_begin(&progress, "grade", "completions", (int64_t)todo->n);
    enum it_status status =
        it_graders_run(&graders, f->task, &grading, todo->item, todo->n, &progress, 0);
    it_progress_end(&progress);
    deliver(f, todo);
    if (status == IT_OK && o->syntax && graders.sandbox) {
        struct parsing parsing = {.sandbox = graders.sandbox, .sample = todo->sample};
        it_pool_run(graders.pool, (int64_t)todo->n, 1, parse_some, &parsing);
    }
    it_samples_drop(f);
    if (status == IT_OK) { it_pool_run(graders.pool, (int64_t)f->n, 1, sort_answers, f); }
    it_graders_close(&graders);
    return status;
}

enum it_status it_samples_open(const char *command, const struct it_samples_options *o,
                               struct it_sampled_file *file_out)
{
    struct it_sampled_file f = {.index = json_object()};
    struct pending todo = {0};
    enum it_status status;
    IT_TRY_GOTO(status, fail, it_cli_task(command, o->task ? o->task : "math", &f.task));
    IT_TRY_GOTO(status, fail, it_task_profile(f.task, o->profile, &f.profile));
    IT_TRY_GOTO(status, fail, read_file(&f, o->path));
    collect(&f, !o->task, &todo);
    status = grade_samples(&f, o, &todo);
    it_free(todo.item);
    it_free(todo.sample);
    it_free(todo.problem);
    if (status != IT_OK) { goto fail; }
    *file_out = f;
    return IT_OK;
fail:
    it_samples_close(&f);
    return status;
}

void it_samples_close(struct it_sampled_file *f)
{
    for (size_t i = 0; i < f->n; i++) { free_problem(&f->item[i]); }
    it_free(f->item);
    json_decref(f->index);
    *f = (struct it_sampled_file){0};
}

enum it_status it_samples_verdict(const struct it_sampled_file *f, const char *path)
{
    if (f->bad == 0) { return IT_OK; }
    return it_fail(IT_FAILED, "%s: %lld of %lld records are bad and were left out", path,
                   (long long)f->bad, (long long)f->records);
}
