/* SPDX-License-Identifier: MIT */
/* From a recipe's dataset to prompts: a task by name, or records of a file, through the chat
 * template and the tokenizer. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"

/* Datasets of the public recipes, by the task that reads them. */
static const struct {
    const char *name, *task;
} known[] = {
    {"DigitalLearningGmbH/MATH-lighteval", "math"},
    {"HuggingFaceH4/MATH-500", "math500"},
    {"openai/gsm8k", "gsm8k"},
    {"gsm8k", "gsm8k"},
};

static const struct it_task *task_of(const char *dataset)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].name, dataset) == 0) { return it_task_find(known[i].task); }
    }
    return it_task_find(dataset);
}

/* ---- records of a file ---- */

static enum it_status add_record(const struct it_cli_dataset *d, const char *where, json_t *record,
                                 struct it_problems *problems)
{
    const char *prompt_key = d->prompt_column ? d->prompt_column : "prompt";
    const char *gold_key = d->solution_column ? d->solution_column : "solution";
    const char *prompt, *gold, *id;
    IT_TRY(it_json_get_string(record, where, prompt_key, &prompt));
    IT_TRY(it_json_get_string(record, where, gold_key, &gold));
    IT_TRY(it_json_get_string(record, where, "id", &id));
    if (!prompt) {
        return it_fail(IT_INVALID, "%s: no field \"%s\"; dataset_prompt_column names the one that "
                       "holds the prompt", where, prompt_key);
    }
    if (!gold) { IT_TRY(it_json_get_string(record, where, "answer", &gold)); }
    problems->item = it_grow(problems->item, &problems->cap, problems->n + 1,
                             sizeof *problems->item);
    problems->item[problems->n++] = (struct it_problem){
        .record = json_incref(record), .id = it_strdup(id ? id : where), .text = it_strdup(prompt),
        .gold = it_strdup(gold)};
    return IT_OK;
}

static enum it_status read_file(const struct it_cli_dataset *d, const char *path,
                                struct it_problems *problems)
{
    struct it_lines lines;
    IT_TRY(it_lines_open(path, 0, &lines));
    enum it_status status = IT_OK;
    while (status == IT_OK && (!d->limit || (int64_t)problems->n < d->limit)) {
        json_t *record;
        char where[4096 + 32];
        status = it_jsonl_next(&lines, &record);
        if (status != IT_OK) { break; }
        snprintf(where, sizeof where, "%.4096s:%lld", path, (long long)lines.number);
        status = add_record(d, where, record, problems);
        json_decref(record);
    }
    it_lines_close(&lines);
    return status == IT_END ? IT_OK : status;
}

/* path, path/<split>.jsonl, or the same under INTUITOR_DATA; NULL when there is none. */
static char *find_file(const struct it_cli_dataset *d, const char *split)
{
    const char *roots[2] = {"", getenv("INTUITOR_DATA")};
    char name[256];
    snprintf(name, sizeof name, "%.200s.jsonl", split);
    for (int r = 0; r < 2; r++) {
        if (!roots[r]) { continue; }
        char *path = r ? it_path_join(roots[r], d->name) : it_strdup(d->name);
        if (it_path_is_dir(path)) {
            char *inside = it_path_join(path, name);
            it_free(path);
            path = inside;
        }
        if (it_path_exists(path) && !it_path_is_dir(path)) { return path; }
        it_free(path);
    }
    return NULL;
}

static enum it_status unknown_dataset(const struct it_cli_dataset *d)
{
    const char *names[64];
    size_t n = 0;
    for (; n < 64 && it_task_at(n); n++) { names[n] = it_task_at(n)->name; }
    const char *closest = it_closest(d->name, names, n), *root = getenv("INTUITOR_DATA");
    return it_fail(IT_INVALID,
                   "dataset_name %s: no task, file or folder of that name, nor one under "
                   "INTUITOR_DATA (%s)%s%s%s",
                   d->name, root ? root : "not set",
                   closest ? "; did you mean " : "; give a .jsonl file, or set INTUITOR_DATA",
                   closest ? closest : "", closest ? "?" : "");
}

static enum it_status open_problems(const struct it_cli_dataset *d, struct it_cli_prompts *p)
{
    const char *split = d->split ? d->split : "train";
    struct it_task_source source = {.data = d->data ? d->data : getenv("INTUITOR_DATA"),
                                    .split = split, .limit = d->limit, .seed = (uint64_t)d->seed,
                                    .params = d->params};
    if (!d->name) { return it_fail(IT_INVALID, "dataset_name is not set: name a task or a file"); }
    p->task = task_of(d->name);
    if (p->task) {
        IT_TRY(it_task_profile(p->task, d->grading_profile, &p->grading.profile));
        return p->task->open(&source, &p->problems);
    }
    char *path = find_file(d, split);
    if (!path) { return unknown_dataset(d); }
    p->task = it_task_find("math"); /* answers of unknown files: boxed, compared as mathematics */
    enum it_status status = it_task_profile(p->task, d->grading_profile, &p->grading.profile);
    if (status == IT_OK) { status = read_file(d, path, &p->problems); }
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
    if (model->has_chat) {
        json_t *messages = json_array();
        if (system) {
            json_t *turn = json_pack("{ss}", "role", "system");
            json_object_set_new(turn, "content", it_json_text(system, strlen(system)));
            json_array_append_new(messages, turn);
        }
        json_t *user = json_pack("{ss}", "role", "user");
        json_object_set_new(user, "content", it_json_text(text, strlen(text)));
        json_array_append_new(messages, user);
        status = it_chat_render(&model->chat, messages, true, &prompt);
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
    IT_TRY_GOTO(status, fail, open_problems(d, &p));
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

static enum it_status grade(void *context, const struct it_rl_prompt *prompt,
                            const char *completion, struct it_rl_grade *grade_out)
{
    const struct it_cli_prompts *p = context;
    const struct it_problem *problem = prompt->problem;
    struct it_verdict verdict = {0};
    json_t *fields = json_copy(problem->record);
    json_object_set_new(fields, "completion", it_json_text(completion, strlen(completion)));
    if (problem->gold) { json_object_set_new(fields, "gold", json_string(problem->gold)); }
    enum it_status status = p->task->grade(&p->grading, fields, problem->id, &verdict);
    json_decref(fields);
    IT_TRY(status);
    grade_out->extracted = it_strdup(verdict.extracted);
    grade_out->gradable = verdict.gradable && problem->gold;
    grade_out->correct = verdict.correct && problem->gold;
    it_verdict_free(&verdict);
    return IT_OK;
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
