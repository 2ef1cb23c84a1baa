/* SPDX-License-Identifier: MIT */
/* From a recipe's dataset to prompts: a task by name, or records of a file, through the chat
 * template and the tokenizer. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/grading.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/data/data.h"
#include "core/data/hub.h"
#include "tasks/dataset.h"
#include "tasks/prompt.h"

/* Datasets of the public recipes, by the task that reads them. */
static const struct known {
    const char *name, *task;
    const char *folder; /* under INTUITOR_DATA */
    const char *file;   /* the one to read in a folder of the published name; NULL: by split */
} known[] = {
    {"DigitalLearningGmbH/MATH-lighteval", "math", "math", NULL},
    {"HuggingFaceH4/MATH-500", "math500", "math", "test.jsonl"},
    {"deepmind/code_contests", "codeforces", "codeforces", NULL},
    {"open-r1/codeforces", "codeforces", "codeforces", NULL},
    {"cruxeval-org/cruxeval", "cruxeval_o", "cruxeval", NULL},
    {"livecodebench/code_generation_lite", "livecodebench", "livecodebench", NULL},
    {"openai/gsm8k", "gsm8k", "gsm8k", NULL},
    {"gsm8k", "gsm8k", "gsm8k", NULL},
};

static const struct known *known_of(const char *dataset)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].name, dataset) == 0) { return &known[i]; }
    }
    return NULL;
}

/* Where a published dataset lies whose task would otherwise read INTUITOR_DATA/<folder>: NULL when
 * it is there, or nowhere. The caller frees. */
static char *published_data(const struct known *row)
{
    const char *root = getenv("INTUITOR_DATA");
    char *usual = root ? it_path_join(root, row->folder) : NULL;
    bool there = usual && it_path_is_dir(usual);
    it_free(usual);
    char *path = strchr(row->name, '/') && (!there || it_path_is_dir(row->name))
                     ? it_data_find(row->name) : NULL;
    if (path && row->file) {
        char *file = it_path_join(path, row->file);
        it_free(path);
        path = file;
    }
    return path;
}

/* ---- records of a file ---- */

/* Fields that are read; a format of columns need not decode others. */
struct fields {
    const char *prompt, *solution;
};

static struct fields fields_of(const struct it_cli_dataset *d)
{
    return (struct fields){.prompt = d->prompt_column ? d->prompt_column : "prompt",
                           .solution = d->solution_column ? d->solution_column : "solution"};
}

static enum it_status no_prompt(const struct it_data *data, const json_t *record, const char *key)
{
    struct it_strs columns;
    struct it_str words = {0};
    const char *name;
    json_t *value;
    it_data_columns(data, &columns);
    if (columns.n == 0) { /* JSON, where each record says its own */
        json_object_foreach((json_t *)(uintptr_t)record, name, value) {
            it_strs_add(&columns, name);
        }
    }
    for (size_t i = 0; i < columns.n && i < 32; i++) {
        it_str_printf(&words, "%s%s", i ? ", " : "", columns.item[i]);
    }
    enum it_status status =
        it_fail(IT_INVALID, "%s: no field \"%s\"; dataset_prompt_column names the one that holds "
                "the prompt; there is: %s", it_data_where(data), key, it_str_c(&words));
    it_strs_free(&columns);
    it_str_free(&words);
    return status;
}

static enum it_status add_record(const struct it_cli_dataset *d, const struct it_data *data,
                                 json_t *record, struct it_problems *problems)
{
    const struct fields fields = fields_of(d);
    const char *where = it_data_where(data);
    const char *prompt;
    IT_TRY(it_json_get_string(record, where, fields.prompt, &prompt));
    if (!prompt) { return no_prompt(data, record, fields.prompt); }
    problems->item = it_grow(problems->item, &problems->cap, problems->n + 1,
                             sizeof *problems->item);
    struct it_problem *problem = &problems->item[problems->n++];
    *problem = (struct it_problem){.record = json_incref(record), .text = it_strdup(prompt)};
    IT_TRY(it_dataset_text(record, where, "id", &problem->id));
    if (!problem->id) { problem->id = it_strdup(where); }
    IT_TRY(it_dataset_text(record, where, fields.solution, &problem->gold));
    return problem->gold ? IT_OK : it_dataset_text(record, where, "answer", &problem->gold);
}

static enum it_status read_records(const struct it_cli_dataset *d, const char *path,
                                   const char *split, struct it_problems *problems)
{
    const struct fields fields = fields_of(d);
    const char *columns[] = {fields.prompt, fields.solution, "answer", "id"};
    struct it_data_options options = {.split = split, .columns = columns,
                                      .n_columns = sizeof columns / sizeof *columns};
    struct it_data *data;
    IT_TRY(it_data_open(path, &options, &data));
    enum it_status status = IT_OK;
    while (status == IT_OK && (!d->limit || (int64_t)problems->n < d->limit)) {
        json_t *record;
        status = it_data_next(data, &record);
        if (status != IT_OK) { break; }
        status = add_record(d, data, record, problems);
        json_decref(record);
    }
    it_data_close(data);
    return status == IT_END ? IT_OK : status;
}

static enum it_status unknown_dataset(const struct it_cli_dataset *d)
{
    const char *names[64];
    size_t n = 0;
    for (; n < 64 && it_task_at(n); n++) { names[n] = it_task_at(n)->name; }
    const char *closest = it_closest(d->name, names, n), *root = getenv("INTUITOR_DATA");
    bool pullable = !closest && strchr(d->name, '/') && it_hub_is_id(d->name);
    return it_fail(IT_INVALID,
                   "dataset_name %s: no task, file or folder of that name, nor one under "
                   "INTUITOR_DATA (%s) or in the hub's cache%s%s%s%s%s",
                   d->name, root ? root : "not set",
                   closest ? "; did you mean " : "; give a file or a folder, or set INTUITOR_DATA",
                   closest ? closest : "", closest ? "?" : "",
                   pullable ? ", or: intuitor pull --repo-type dataset " : "",
                   pullable ? d->name : "");
}

static int64_t count_tokens(void *context, const char *text)
{
    const struct it_tokenizer *tokenizer = context;
    struct it_ids ids = {0};
    int64_t n = it_tokenizer_encode(tokenizer, text, strlen(text), &ids) == IT_OK
                    ? (int64_t)ids.n : INT64_MAX;
    it_ids_free(&ids);
    return n;
}

/* A task with one wording has none of its own to replace: its record's fields fill the template,
 * and {prompt} is its usual text. */
static enum it_status reword(const struct it_cli_dataset *d, struct it_cli_prompts *p)
{
    if (!d->prompt_template || p->task->prompts) { return IT_OK; }
    for (size_t i = 0; i < p->problems.n; i++) {
        struct it_problem *problem = &p->problems.item[i];
        struct it_str text = {0};
        json_t *fields = problem->record ? json_copy(problem->record) : json_object();
        json_object_set_new(fields, "prompt", it_json_text(problem->text, strlen(problem->text)));
        enum it_status status =
            it_prompt_fill(d->prompt_template, fields, problem->id, &text);
        json_decref(fields);
        if (status != IT_OK) {
            it_str_free(&text);
            return status;
        }
        it_free(problem->text);
        problem->text = it_str_take(&text);
    }
    return IT_OK;
}

/* What the recipe says of where the task's data lie: another folder to look in first, which the
 * caller frees, or NULL. A folder of the task's name in the working directory is one. */
static enum it_status find_task_data(const struct it_cli_dataset *d, const struct known *row,
                                     const struct it_task *task, char **data_out)
{
    char *path = row && !d->data ? published_data(row) : NULL;
    if (!path && d->by_path && it_path_is_dir(d->name) && it_data_has(d->name, d->split)) {
        it_info("dataset_name %s: the folder of that name here, read as task %s", d->name,
                task->name);
        path = it_strdup(d->name);
    }
    *data_out = path;
    if (!d->config || strcmp(d->config, "default") == 0) { return IT_OK; }
    char *base = path ? path : it_data_find(row ? row->folder : d->name);
    if (!base) {
        return it_fail(IT_INVALID, "dataset_config %s: %s has no folder with configurations",
                       d->config, d->name);
    }
    enum it_status status = it_data_config(base, d->config, data_out);
    it_free(base);
    return status;
}

/* The folder or file of a dataset that is no task. */
static enum it_status find_records(const struct it_cli_dataset *d, char **path_out)
{
    char *found = it_data_find(d->name);
    if (!found) { return unknown_dataset(d); }
    enum it_status status = it_data_config(found, d->config, path_out);
    it_free(found);
    return status;
}

static enum it_status open_problems(const struct it_model *model, const struct it_cli_dataset *d,
                                    struct it_cli_prompts *p)
{
    const char *split = d->split ? d->split : "train";
    struct it_task_source source = {.data = d->data ? d->data : getenv("INTUITOR_DATA"),
                                    .split = split, .limit = d->limit, .seed = (uint64_t)d->seed,
                                    .params = d->params, .prompt = d->prompt,
                                    .prompt_template = d->prompt_template,
                                    .count_tokens = model->tokenizer ? count_tokens : NULL,
                                    .count_context = model->tokenizer};
    p->grading.data = source.data;
    if (!d->name) { return it_fail(IT_INVALID, "dataset_name is not set: name a task or a file"); }
    const struct known *row = known_of(d->name);
    p->task = it_task_find(row ? row->task : d->name);
    if (p->task) {
        IT_TRY(it_task_profile(p->task, d->grading_profile, &p->grading.profile));
        char *folder = NULL;
        IT_TRY(find_task_data(d, row, p->task, &folder));
        if (folder) { source.data = folder; }
        enum it_status opened = p->task->open(&source, &p->problems);
        it_free(folder);
        return opened == IT_OK ? reword(d, p) : opened;
    }
    char *path = NULL;
    IT_TRY(find_records(d, &path));
    p->task = it_task_find("math"); /* answers of unknown files: boxed, compared as mathematics */
    enum it_status status = it_task_profile(p->task, d->grading_profile, &p->grading.profile);
    if (status == IT_OK) { status = read_records(d, path, split, &p->problems); }
    if (status == IT_OK && p->problems.n == 0) {
        status = it_fail(IT_INVALID, "%s: the dataset is empty", path);
    }
    it_free(path);
    return status;
}

/* ---- prompts ---- */

static enum it_status render(const struct it_model *model, const char *system, const char *text,
                             struct it_ids *ids_out)
{
    struct it_str prompt = {0};
    enum it_status status = IT_OK;
    if (model->chat) {
        json_t *messages = json_array();
        if (system) {
            json_t *turn = json_pack("{ss}", "role", "system");
            json_object_set_new(turn, "content", it_json_text(system, strlen(system)));
            json_array_append_new(messages, turn);
        }
        json_t *user = json_pack("{ss}", "role", "user");
        json_object_set_new(user, "content", it_json_text(text, strlen(text)));
        json_array_append_new(messages, user);
        status = it_chat_render(model->chat, NULL, messages, true, &prompt);
        json_decref(messages);
    } else {
        if (system) { it_str_printf(&prompt, "%s\n\n", system); }
        it_str_puts(&prompt, text);
    }
    if (status == IT_OK) {
        status = it_tokenizer_encode(model->tokenizer, it_str_c(&prompt), prompt.len, ids_out);
    }
    it_str_free(&prompt);
    return status;
}

static enum it_status overlong(const struct it_cli_dataset *d, const struct it_problem *problem,
                               struct it_ids *ids, bool *keep_out)
{
    *keep_out = true;
    if (d->max_prompt <= 0 || (int64_t)ids->n <= d->max_prompt) { return IT_OK; }
    switch ((enum it_overlong)d->overlong) {
    case IT_OVERLONG_DROP: *keep_out = false; return IT_OK;
    case IT_OVERLONG_TRUNCATE: /* the end of a prompt says what is asked: keep it */
        memmove(ids->item, ids->item + ids->n - (size_t)d->max_prompt,
                (size_t)d->max_prompt * sizeof *ids->item);
        ids->n = (size_t)d->max_prompt;
        return IT_OK;
    case IT_OVERLONG_ERROR: break;
    }
    return it_fail(IT_INVALID, "problem %s has %zu tokens, max_prompt_length is %lld; raise it, or "
                   "set overlong_prompts to drop or truncate", problem->id, ids->n,
                   (long long)d->max_prompt);
}

enum it_status it_cli_prompts_open(const struct it_model *model, const struct it_cli_dataset *d,
                                   struct it_cli_prompts *prompts_out)
{
    struct it_cli_prompts p = {0};
    enum it_status status;
    IT_TRY_GOTO(status, fail, open_problems(model, d, &p));
    p.ids = it_calloc(p.problems.n + 1, sizeof *p.ids);
    p.item = it_calloc(p.problems.n + 1, sizeof *p.item);
    const char *system = d->system_prompt ? d->system_prompt : p.task->system_prompt;
    if (system && !*system) { system = NULL; } /* an empty one says: none */
    for (size_t i = 0; i < p.problems.n; i++) {
        const struct it_problem *problem = &p.problems.item[i];
        bool keep;
        IT_TRY_GOTO(status, fail, render(model, system, problem->text, &p.ids[i]));
        IT_TRY_GOTO(status, fail, overlong(d, problem, &p.ids[i], &keep));
        if (!keep || p.ids[i].n == 0) {
            p.dropped++;
            continue;
        }
        p.item[p.n++] = (struct it_rl_prompt){.id = problem->id, .text = problem->text,
                                              .gold = problem->gold, .ids = p.ids[i].item,
                                              .n = (int64_t)p.ids[i].n, .problem = problem};
    }
    if (p.dropped) {
        it_warn("%lld of %zu prompts are longer than max_prompt_length %lld and were dropped",
                (long long)p.dropped, p.problems.n, (long long)d->max_prompt);
    }
    if (p.n == 0) {
        status = it_fail(IT_INVALID,
                         "%s: every prompt is longer than max_prompt_length %lld; raise it",
                         d->name, (long long)d->max_prompt);
        goto fail;
    }
    *prompts_out = p;
    return IT_OK;
fail:
    it_cli_prompts_close(&p);
    return status;
}

void it_cli_prompts_close(struct it_cli_prompts *p)
{
    for (size_t i = 0; p->ids && i < p->problems.n; i++) { it_ids_free(&p->ids[i]); }
    it_free(p->ids);
    it_free(p->item);
    it_problems_free(&p->problems);
    memset(p, 0, sizeof *p);
}

/* ---- grading ---- */

/* What graders read: the problem's record and the completion. */
static json_t *fields_to_grade(const struct it_rl_prompt *prompt, const char *completion)
{
    const struct it_problem *problem = prompt->problem;
    json_t *fields = json_copy(problem->record);
    json_object_set_new(fields, "completion", it_json_text(completion, strlen(completion)));
    if (problem->gold) { json_object_set_new(fields, "gold", json_string(problem->gold)); }
    return fields;
}

static enum it_status grade(void *context, const struct it_rl_prompt *const *prompt,
                            const char *const *completion, int64_t n,
                            struct it_rl_grade *grade_out)
{
    const struct it_cli_prompts *p = context;
    struct it_graded *item = it_calloc((size_t)n + 1, sizeof *item);
    for (int64_t i = 0; i < n; i++) {
        const struct it_problem *problem = prompt[i]->problem;
        item[i] = (struct it_graded){.record = fields_to_grade(prompt[i], completion[i]),
                                     .where = problem->id};
    }
    enum it_status status =
        it_graders_run(p->graders, p->task, &p->grading, item, (size_t)n, NULL, 0);
    for (int64_t i = 0; i < n; i++) {
        if (status == IT_OK) { status = item[i].status; }
    }
    for (int64_t i = 0; i < n; i++) {
        struct it_verdict *verdict = &item[i].verdict;
        bool has_gold = prompt[i]->gold != NULL;
        if (status == IT_OK) {
            grade_out[i] = (struct it_rl_grade){.extracted = it_strdup(verdict->extracted),
                                                .gradable = verdict->gradable && has_gold,
                                                .correct = verdict->correct && has_gold};
        }
        it_verdict_free(verdict);
        json_decref(item[i].record);
    }
    it_free(item);
    return status;
}

static bool equal(void *context, const char *a, const char *b)
{
    const struct it_cli_prompts *p = context;
    return p->task->equal ? p->task->equal(p->grading.profile, a, b) : strcmp(a, b) == 0;
}

struct it_rl_grader it_cli_grader(struct it_cli_prompts *prompts)
{
    return (struct it_rl_grader){.context = prompts, .grade = grade, .equal = equal};
}
