/* SPDX-License-Identifier: MIT */
/* intuitor eval: generate and grade benchmarks. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/eval_task.h"
#include "cli/prompt.h"
#include "cli/results.h"
#include "core/base/file.h"
#include "core/base/inputs.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "version.h"

struct eval_values {
    struct it_cli_common common;
    char *model, *adapter, *data, *out, *profile, *params, *split, *prompt, *prompt_template;
    char *system_prompt;
    bool raw, overwrite, unsafe;
    int64_t limit;
    struct it_strs tasks;
    struct it_cli_sampling sampling;
    struct it_cli_chat_settings chat_settings;
    struct it_cli_judge judge;
};

#define AT(field) offsetof(struct eval_values, field)
static const struct it_option rows[] = {
    IT_CLI_ROWS(eval_values),
    IT_CLI_JSON_ROW(eval_values),
    {"model", IT_OPT_STRING, NULL, "model folder", AT(model), NULL},
    {"adapter", IT_OPT_STRING, NULL, "folder with a LoRA adapter of that model", AT(adapter), NULL},
    {"tasks", IT_OPT_STRINGS, NULL, "names of tasks, a,b", AT(tasks), NULL},
    {"data", IT_OPT_STRING, NULL,
     "dataset root, or one task's folder or file; unset: INTUITOR_DATA", AT(data), NULL},
    {"split", IT_OPT_STRING, "test", "which problems", AT(split), NULL},
    {"params", IT_OPT_STRING, NULL, "of a task that makes its problems, as kinds=chain,digits=1",
     AT(params), NULL},
    {"limit", IT_OPT_INT, "0", "most problems of a task; 0: all", AT(limit), NULL},
    {"profile", IT_OPT_STRING, NULL, "grading rule; unset: each task's own", AT(profile), NULL},
    {"prompt", IT_OPT_STRING, NULL,
     "how the problems are worded: one of the task's wordings; unset: its usual one", AT(prompt),
     NULL},
    {"prompt-template", IT_OPT_STRING, NULL,
     "file with your own wording: {field} stands for a field of the problem's record, {{ and }} "
     "for braces", AT(prompt_template), NULL},
    {"system-prompt", IT_OPT_STRING, NULL,
     "the system message; empty: none; unset: the task's own", AT(system_prompt), NULL},
    IT_CLI_UNSAFE_ROW(eval_values),
    {"raw", IT_OPT_BOOL, "false", "plain prompts even where the model has a chat template", AT(raw),
     NULL},
    IT_CLI_CHAT_ROWS(eval_values),
    {"max-new-tokens", IT_OPT_INT, "0", "most tokens of a completion; 0: the task's own",
     AT(sampling.max_new_tokens), NULL},
    {"temperature", IT_OPT_REAL, "0", "of the sampling; 0: greedy", AT(sampling.temperature), NULL},
    {"top-p", IT_OPT_REAL, "1", "sample among the likeliest tokens of this mass; 1: off",
     AT(sampling.top_p), NULL},
    {"top-k", IT_OPT_INT, "0", "sample among this many likeliest tokens; 0: off",
     AT(sampling.top_k), NULL},
    {"n", IT_OPT_INT, "1", "completions of each problem; above 1 adds pass@1 and pass@, avg@, "
     "maj@ of all", AT(sampling.n),
     NULL},
    {"out", IT_OPT_STRING, NULL, "folder for results.json and <task>.jsonl", AT(out), NULL},
    {"overwrite", IT_OPT_BOOL, "false", "delete the evaluation in --out first", AT(overwrite),
     NULL},
    IT_CLI_JUDGE_ROWS(eval_values),
    IT_CLI_BACKEND_ROW(eval_values),
    IT_CLI_DEVICE_ROWS(eval_values),
};

static const char notes[] =
    "Each record of <task>.jsonl is a completion with the fields that grade takes. Records are\n"
    "on disk as soon as they are generated: after a kill or Ctrl-C the same command goes on where\n"
    "it was. settings.json says what was asked; a folder with other settings is refused. Tasks of\n"
    "similar length are generated together. results.json names the rule of each score, the walls\n"
    "of the sandbox, and every data file by its SHA-256. The standard error is over problems. The\n"
    "paper's Table 1: --tasks gsm8k,math500,livecodebench,cruxeval_o,mmlu_pro,alpaca_eval.\n";

struct job {
    const struct eval_values *v;
    struct it_model text; /* the text side: prompts come before the net that is sized for them */
    struct it_eval_task *task;
    size_t n;
    struct it_cli_engine engine;
    struct it_graders graders;
    char *template_text; /* of --prompt-template */
    json_t *settings, *inputs;
};

/* ---- prompts ---- */

static enum it_status check(const struct eval_values *v, const struct it_strs *arguments)
{
    struct it_cli_sampling sampling = v->sampling;
    if (arguments->n) { return it_cli_usage(&it_command_eval, "nothing but options is expected"); }
    if (!v->model) { return it_cli_usage(&it_command_eval, "no --model given"); }
    if (v->tasks.n == 0) { return it_cli_usage(&it_command_eval, "no --tasks given"); }
    if (v->limit < 0) {
        return it_fail(IT_INVALID, "eval, command line: limit: expected 0 (all) or more");
    }
    if (sampling.max_new_tokens == 0) { sampling.max_new_tokens = 1; /* the task's own is sound */ }
    return it_cli_sampling_check("eval", &sampling);
}

/* Names before anything is opened. */
static enum it_status find_tasks(const struct eval_values *v, const struct it_task **tasks)
{
    for (size_t i = 0; i < v->tasks.n; i++) {
        const char *profile, *prompt;
        IT_TRY(it_cli_task("eval", v->tasks.item[i], &tasks[i]));
        IT_TRY(it_task_profile(tasks[i], v->profile, &profile));
        IT_TRY(it_task_prompt(tasks[i], v->prompt, &prompt));
        for (size_t k = 0; k < i; k++) {
            if (tasks[k] == tasks[i]) {
                return it_fail(IT_INVALID, "eval: task %s is given twice", tasks[i]->name);
            }
        }
    }
    return IT_OK;
}

static enum it_status read_template(struct job *j)
{
    struct it_str text = {0};
    if (!j->v->prompt_template) { return IT_OK; }
    if (j->v->prompt) {
        return it_cli_usage(&it_command_eval, "--prompt and --prompt-template exclude each other");
    }
    IT_TRY(it_file_read(j->v->prompt_template, &text));
    if (text.len == 0 || memchr(it_str_c(&text), '\0', text.len) ||
        it_utf8_valid_prefix(it_str_c(&text), text.len) != text.len) {
        it_str_free(&text);
        return it_fail(IT_INVALID, "%s: expected a prompt as UTF-8 text", j->v->prompt_template);
    }
    j->template_text = it_str_take(&text);
    return IT_OK;
}

static enum it_status open_tasks(struct job *j)
{
    const struct eval_values *v = j->v;
    const struct it_task **tasks = it_calloc(v->tasks.n, sizeof *tasks);
    struct it_cli_dataset dataset = {.split = v->split, .params = v->params, .data = v->data,
                                     .grading_profile = v->profile, .limit = v->limit,
                                     .prompt = v->prompt, .prompt_template = j->template_text,
                                     .system_prompt = v->system_prompt};
    j->task = it_calloc(v->tasks.n, sizeof *j->task);
    enum it_status status = find_tasks(v, tasks);
    if (status == IT_OK) { status = it_cli_text_open(v->model, true, &j->text); }
    if (status == IT_OK && !v->raw) { status = it_cli_text_try_chat(&j->text, &v->chat_settings); }
    it_inputs_begin();
    for (size_t i = 0; i < v->tasks.n && status == IT_OK; i++) {
        status = it_eval_task_open(tasks[i], &j->text, &dataset, v->sampling.max_new_tokens,
                                   &j->task[i]);
        if (status == IT_OK) { j->n++; }
    }
    it_inputs_end();
    j->inputs = it_inputs_take();
    it_free(tasks);
    return status;
}

/* ---- settings ---- */

/* "model.safetensors 29030 bytes 1763720000": weights that changed are another model. */
static json_t *weight_files(const char *folder)
{
    struct it_strs names = {0};
    json_t *list = json_array();
    if (it_dir_list(folder, &names) != IT_OK) { return list; }
    for (size_t i = 0; i < names.n; i++) {
        struct stat info;
        char *path = it_path_join(folder, names.item[i]);
        if (it_ends_with(path, ".safetensors") && stat(path, &info) == 0) {
            json_array_append_new(list, json_sprintf("%s %lld bytes %lld", names.item[i],
                                                     (long long)info.st_size,
                                                     (long long)info.st_mtime));
        }
        it_free(path);
    }
    it_strs_free(&names);
    return list;
}

static json_t *whole_path(const char *path)
{
    char buffer[PATH_MAX];
    return path ? json_string(realpath(path, buffer) ? buffer : path) : json_null();
}

static json_t *text_or_null(const char *text)
{
    return text ? it_json_text(text, strlen(text)) : json_null();
}

/* Everything that decides what a completion is. */
static void fill_settings(struct job *j)
{
    const struct eval_values *v = j->v;
    const char *data = v->data ? v->data : getenv("INTUITOR_DATA");
    json_t *s = j->settings = json_object();
    json_object_set_new(s, "model", whole_path(j->engine.model->folder));
    json_object_set_new(s, "weights", weight_files(j->engine.model->folder));
    if (j->engine.model->adapter) {
        json_object_set_new(s, "adapter", whole_path(j->engine.model->adapter));
        json_object_set_new(s, "adapter_weights", weight_files(j->engine.model->adapter));
    }
    json_object_set_new(s, "dtype", json_string(it_dtype_name(j->engine.model->net->dtype)));
    json_object_set_new(s, "data", whole_path(data));
    json_object_set_new(s, "split", json_string(v->split));
    json_object_set_new(s, "params", v->params ? json_string(v->params) : json_null());
    json_object_set_new(s, "profile", v->profile ? json_string(v->profile) : json_null());
    json_object_set_new(s, "limit", json_integer((json_int_t)v->limit));
    json_object_set_new(s, "prompt", v->prompt ? json_string(v->prompt) : json_null());
    json_object_set_new(s, "prompt_template", text_or_null(j->template_text));
    json_object_set_new(s, "system_prompt", text_or_null(v->system_prompt));
    json_object_set_new(s, "raw", json_boolean(v->raw));
    const struct it_cli_chat_settings *chat = &v->chat_settings;
    json_object_set_new(s, "template_date", chat->date ? json_string(chat->date) : json_null());
    json_object_set_new(s, "chat_template_kwargs",
                        chat->variables ? json_string(chat->variables) : json_null());
    json_object_set_new(s, "max_new_tokens",
                        json_integer((json_int_t)v->sampling.max_new_tokens));
    json_object_set_new(s, "temperature", json_real(v->sampling.temperature));
    json_object_set_new(s, "top_p", json_real(v->sampling.top_p));
    json_object_set_new(s, "top_k", json_integer((json_int_t)v->sampling.top_k));
    json_object_set_new(s, "n", json_integer((json_int_t)v->sampling.n));
    json_object_set_new(s, "seed", json_integer((json_int_t)v->common.seed));
}

/* ---- results ---- */

static json_t *document_of(const struct job *j)
{
    json_t *document = json_object(), *results = json_object();
    json_object_set_new(document, "version", json_string(IT_VERSION));
    json_object_set_new(document, "git", json_string(IT_GIT_HASH));
    json_object_set_new(document, "device",
                        json_string(it_device_info(j->engine.device)->name));
    const char *tier = it_graders_tier(&j->graders);
    json_object_set_new(document, "sandbox", tier ? json_string(tier) : json_null());
    json_object_set(document, "inputs", j->inputs);
    json_object_set(document, "settings", j->settings);
    for (size_t i = 0; i < j->n; i++) {
        json_object_set(results, j->task[i].task->name, j->task[i].summary);
    }
    json_object_set_new(document, "results", results);
    return document;
}

static double real(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

/* "0.5340 +- 0.0223"; "-" where nobody judged. */
static void describe_accuracy(const json_t *summary, char *text, size_t size)
{
    const json_t *accuracy = json_object_get(summary, "accuracy");
    const json_t *error = json_object_get(summary, "stderr");
    if (!json_is_number(accuracy)) {
        snprintf(text, size, "-");
    } else if (!json_is_number(error)) {
        snprintf(text, size, "%.4f", json_number_value(accuracy));
    } else {
        snprintf(text, size, "%.4f +- %.4f", json_number_value(accuracy),
                 json_number_value(error));
    }
}

static void print_table(const struct job *j)
{
    static const char *const rates[] = {"win_rate", "lc_win_rate"};
    printf("%-14s %-18s %7s  %-17s %9s  %s\n", "task", "profile", "n", "accuracy", "tokens",
           "ended");
    for (size_t i = 0; i < j->n; i++) {
        const json_t *s = j->task[i].summary;
        char accuracy[48];
        describe_accuracy(s, accuracy, sizeof accuracy);
        printf("%-14s %-18s %7lld  %-17s %9.1f  %.3f\n", j->task[i].task->name,
               json_string_value(json_object_get(s, "profile")),
               (long long)json_integer_value(json_object_get(s, "n")), accuracy,
               real(s, "mean_tokens"), real(s, "ended"));
        for (size_t r = 0; r < sizeof rates / sizeof *rates; r++) {
            if (json_is_number(json_object_get(s, rates[r]))) {
                printf("  %s %.2f %%\n", rates[r], real(s, rates[r]));
            }
        }
    }
}

static enum it_status put_results(const struct job *j)
{
    json_t *document = document_of(j);
    enum it_status status = IT_OK;
    if (j->v->out) { status = it_results_write(j->v->out, document); }
    if (status == IT_OK && j->v->common.json) {
        status = it_jsonl_put(stdout, document);
    } else if (status == IT_OK) {
        print_table(j);
    }
    json_decref(document);
    return status;
}

/* ---- the command ---- */

static enum it_status open_engine(struct job *j)
{
    struct it_cli_engine_options options = {.folder = j->v->model,
                                            .adapter = j->v->adapter, .common = &j->v->common,
                                            .tokenizer = j->text.tokenizer};
    for (size_t i = 0; i < j->n; i++) {
        if (j->task[i].max_length > options.positions) {
            options.positions = j->task[i].max_length;
        }
    }
    IT_TRY(it_cli_engine_open(&options, &j->engine));
    return it_model_end_turns(j->engine.model, j->text.chat);
}

/* Before the engine: a machine without walls is known before a model is loaded. */
static enum it_status open_graders(struct job *j)
{
    const struct eval_values *v = j->v;
    struct it_graders_options options = {.threads = v->common.threads, .unsafe = v->unsafe,
                                         .judge = &v->judge,
                                         .data = v->data ? v->data : getenv("INTUITOR_DATA")};
    for (size_t i = 0; i < j->n; i++) {
        options.runs_programs = options.runs_programs || j->task[i].task->runs_programs;
    }
    IT_TRY(it_graders_open(&options, &j->graders));
    for (size_t i = 0; i < j->n; i++) {
        j->task[i].prompts.grading.sandbox = j->graders.sandbox;
        j->task[i].prompts.grading.judge = j->graders.judge;
    }
    return IT_OK;
}

static int longest_first(const void *a, const void *b)
{
    const struct it_eval_task *x = *(struct it_eval_task *const *)a;
    const struct it_eval_task *y = *(struct it_eval_task *const *)b;
    return (x->max_length < y->max_length) - (x->max_length > y->max_length);
}

/* Tasks are generated together where their lengths are alike: room for one of 32768 tokens beside
 * each of 512 would leave few slots for all of them. */
static enum it_status run_tasks(struct job *j, const struct it_eval_setup *setup)
{
    struct it_eval_task **order = it_calloc(j->n, sizeof(struct it_eval_task *));
    enum it_status status = IT_OK;
    for (size_t i = 0; i < j->n; i++) { order[i] = &j->task[i]; }
    qsort(order, j->n, sizeof *order, longest_first);
    for (size_t i = 0; i < j->n && status == IT_OK; i++) {
        status = it_eval_task_begin(order[i], setup);
    }
    for (size_t i = 0, end; i < j->n && status == IT_OK; i = end) {
        end = i + 1;
        while (end < j->n && 2 * order[end]->max_length >= order[i]->max_length) { end++; }
        status = it_eval_generate(order + i, end - i, setup);
        for (size_t t = i; t < end && status == IT_OK; t++) {
            status = it_eval_task_score(order[t], setup);
        }
    }
    it_free(order);
    return status;
}

static enum it_status evaluate(struct job *j)
{
    struct it_eval_setup setup = {.engine = &j->engine, .graders = &j->graders,
                                  .out = j->v->out, .sampling = j->v->sampling,
                                  .seed = j->v->common.seed};
    fill_settings(j);
    if (j->v->out) { IT_TRY(it_results_open(j->v->out, j->settings, j->v->overwrite)); }
    IT_TRY(run_tasks(j, &setup));
    return put_results(j);
}

static enum it_status run(const void *values, const struct it_strs *arguments)
{
    const struct eval_values *v = values;
    struct job j = {.v = v};
    enum it_status status;
    IT_TRY(check(v, arguments));
    IT_TRY_GOTO(status, end, read_template(&j));
    IT_TRY_GOTO(status, end, open_tasks(&j));
    IT_TRY_GOTO(status, end, open_graders(&j));
    IT_TRY_GOTO(status, end, open_engine(&j));
    status = evaluate(&j);
    it_cli_engine_close(&j.engine);
end:
    it_graders_close(&j.graders);
    json_decref(j.settings);
    json_decref(j.inputs);
    it_free(j.template_text);
    for (size_t i = 0; i < j.n; i++) { it_eval_task_close(&j.task[i]); }
    it_free(j.task);
    it_cli_text_close(&j.text);
    return status;
}

const struct it_command it_command_eval = {
    .name = "eval",
    .summary = "generate and grade benchmarks",
    .usage = "--model DIR --tasks a,b [--data DIR] [--limit N] [-n K] [--out DIR] [--json]",
    .example = "intuitor eval --model models/tiny --tasks arithmetic --limit 100 --out evals/tiny",
    .notes = notes,
    .table = {rows, sizeof rows / sizeof *rows},
    .values_size = sizeof(struct eval_values),
    .run = run,
};
