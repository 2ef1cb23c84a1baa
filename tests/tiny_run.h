/* SPDX-License-Identifier: MIT */
/* For tests of training: a random net, prompts of a few bytes, a toy grader, and runs of them in
 * the scratch folder. */
#ifndef IT_TESTS_TINY_RUN_H
#define IT_TESTS_TINY_RUN_H

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/rl/reward.h"
#include "core/rl/run.h"
#include "core/rl/trainer.h"
#include "models/internal.h"
#include "tests/scratch.h"

#define ck_ok(call) ck_assert_int_eq((call), IT_OK)

enum { TINY_PROMPTS = 7, TINY_VOCAB = 264, TINY_EOS = 257 };

/* What a test may change before a run. */
static struct {
    const char *backend;
    double init_range; /* of the random weights */
    int scale;         /* of the net's widths; 0: 1 */
    int interrupt_at;  /* grade call that raises SIGTERM; 0: never */
    int interrupt_eval_at, interrupt_save_at;
    bool fail_grade;
} tiny = {.backend = "cpu", .init_range = 0.3};

static int tiny_graded, tiny_graded_eval, tiny_saved;
static struct it_rl_prompt tiny_prompt[TINY_PROMPTS];
static int32_t tiny_ids[TINY_PROMPTS][4];
static char tiny_text[TINY_PROMPTS][8];

static inline void tiny_prompts(void)
{
    for (int i = 0; i < TINY_PROMPTS; i++) {
        int n = 2 + i % 3;
        for (int k = 0; k < n; k++) {
            tiny_ids[i][k] = 'a' + (3 * i + k) % 26;
            tiny_text[i][k] = (char)tiny_ids[i][k];
        }
        tiny_prompt[i] = (struct it_rl_prompt){
            .id = tiny_text[i], .text = tiny_text[i], .gold = "1", .ids = tiny_ids[i], .n = n};
    }
}

/* The answer is "1" where the text has an even number of bytes, else "0"; some cannot be read. */
static inline enum it_status tiny_grade(const char *text, struct it_rl_grade *out)
{
    size_t n = strlen(text);
    if (tiny.fail_grade) { return it_fail(IT_FAILED, "the grader is broken"); }
    *out = (struct it_rl_grade){.extracted = n % 5 ? it_strdup(n % 2 ? "0" : "1") : NULL,
                                .gradable = n % 7 != 0,
                                .correct = n % 2 == 0 && n % 5 && n % 7};
    return IT_OK;
}

static inline enum it_status tiny_grade_train(void *context,
                                              const struct it_rl_prompt *const *prompt,
                                              const char *const *text, int64_t n,
                                              struct it_rl_grade *out)
{
    enum it_status status = IT_OK;
    (void)context;
    (void)prompt;
    for (int64_t i = 0; i < n && status == IT_OK; i++) {
        if (++tiny_graded == tiny.interrupt_at) { raise(SIGTERM); }
        status = tiny_grade(text[i], &out[i]);
    }
    return status;
}

static inline enum it_status tiny_grade_eval(void *context,
                                             const struct it_rl_prompt *const *prompt,
                                             const char *const *text, int64_t n,
                                             struct it_rl_grade *out)
{
    enum it_status status = IT_OK;
    (void)context;
    (void)prompt;
    for (int64_t i = 0; i < n && status == IT_OK; i++) {
        if (++tiny_graded_eval == tiny.interrupt_eval_at) { raise(SIGTERM); }
        status = tiny_grade(text[i], &out[i]);
    }
    return status;
}

static inline bool tiny_equal(void *context, const char *a, const char *b)
{
    (void)context;
    return strcmp(a, b) == 0;
}

/* ---- the net ---- */

static struct it_device *tiny_device;
static struct it_net *tiny_net;
static struct it_tokenizer *tiny_tokenizer;

static inline bool tiny_has(const char *name)
{
    for (size_t i = 0; it_backend_at(i); i++) {
        if (strcmp(it_backend_name(it_backend_at(i)), name) == 0) { return true; }
    }
    return false;
}

static inline void tiny_open(const struct it_recipe *recipe)
{
    const struct it_device_options device = {.threads = 1, .exact = recipe->exact};
    bool narrow = recipe->torch_dtype == IT_RECIPE_BF16;
    const struct it_net_options options = {
        .dtype = narrow ? IT_BF16 : IT_F32,
        .positions = recipe->max_prompt_length + recipe->max_completion_length};
    const int64_t scale = tiny.scale ? tiny.scale : 1;
    const char *top = getenv("top_srcdir"), *backend = tiny_has("cpu") ? tiny.backend : "reference";
    char type[] = "qwen2", folder[4096];
    const struct it_model_config config = {.model_type = type, .vocab = TINY_VOCAB,
                                           .hidden = 16 * scale, .layers = 2, .heads = 2,
                                           .kv_heads = 1, .head_dim = 8 * scale, .ff = 24 * scale,
                                           .max_positions = 64, .rms_eps = 1e-6,
                                           .rope_theta = 1e4, .init_range = tiny.init_range,
                                           .tied = true, .eos = {TINY_EOS}, .n_eos = 1};
    snprintf(folder, sizeof folder, "%s/models/embedded", top ? top : ".");
    ck_ok(it_device_open(backend, &device, &tiny_device));
    ck_ok(it_net_open(tiny_device, it_arch_find(type), &config, &options, &tiny_net));
    ck_ok(it_weights_init(tiny_net, &tiny_net->weights, 5));
    const struct it_adapter_options adapters = {.r = recipe->lora_r, .alpha = recipe->lora_alpha,
                                                .rslora = recipe->use_rslora,
                                                .targets = &recipe->lora_target_modules,
                                                .seed = (uint64_t)recipe->seed};
    const struct it_model_options how = {.adapters = recipe->use_peft ? &adapters : NULL};
    ck_ok(it_adapter_open(NULL, &how, tiny_net));
    ck_ok(it_tokenizer_open(folder, &tiny_tokenizer));
    tiny_prompts();
    tiny_graded = tiny_graded_eval = tiny_saved = 0;
}

static inline void tiny_close(void)
{
    it_tokenizer_close(tiny_tokenizer);
    it_net_close(tiny_net);
    it_device_close(tiny_device);
}

static inline enum it_status tiny_save(void *context, const struct it_weights *weights,
                                       const char *folder)
{
    (void)context;
    if (++tiny_saved == tiny.interrupt_save_at) { raise(SIGTERM); }
    return it_model_save(tiny_net, weights, folder, &(struct it_save_options){0});
}

static inline enum it_status tiny_load(void *context, struct it_weights *weights,
                                       const char *folder)
{
    (void)context;
    return it_weights_load(tiny_net, folder, weights);
}

/* ---- recipes ---- */

static const char tiny_recipe[] = "method: intuitor\nnum_generations: 4\n"
                                  "per_device_train_batch_size: 4\n"
                                  "gradient_accumulation_steps: 2\nmax_prompt_length: 8\n"
                                  "max_completion_length: 12\nmax_steps: 4\nlearning_rate: 0.01\n"
                                  "beta: 0\nsave_steps: 2\nlogging_steps: 1\nseed: 3\n"
                                  "guard_ratio_dev: 0\nmemory_limit: 1000000000\n";

/* changes: "key=value;key=value"; the run is FOLDER/name. */
static inline enum it_status tiny_load_recipe(const char *name, const char *changes,
                                              struct it_recipe *recipe_out)
{
    const char *override[24];
    char output[sizeof scratch + 64], *copy = it_strdup(changes), *at = copy;
    int n = 0;
    snprintf(output, sizeof output, "output_dir=%s", scratch_path(name));
    override[n++] = output;
    while (*at && n < 24) {
        char *end = at + strcspn(at, ";");
        override[n++] = at;
        at = *end ? end + 1 : end;
        *end = '\0';
    }
    enum it_status status =
        it_recipe_load(scratch_text("recipe.yaml", tiny_recipe), override, n, recipe_out, NULL);
    it_free(copy);
    return status;
}

static inline struct it_trainer_setup tiny_setup(const struct it_recipe *recipe)
{
    static const int32_t stop[] = {TINY_EOS};
    return (struct it_trainer_setup){
        .recipe = recipe,
        .net = tiny_net,
        .tokenizer = tiny_tokenizer,
        .stop_ids = stop,
        .n_stop_ids = 1,
        .prompts = tiny_prompt,
        .n_prompts = TINY_PROMPTS,
        .eval_prompts = tiny_prompt,
        .n_eval_prompts = 3,
        .grader = {.grade = tiny_grade_train, .equal = tiny_equal},
        .eval_grader = {.grade = tiny_grade_eval, .equal = tiny_equal},
        .folders = {.save = tiny_save, .load = tiny_load},
        .devices = 1};
}

static inline enum it_status tiny_train(const char *name, const char *changes, bool resume)
{
    struct it_recipe recipe;
    ck_ok(tiny_load_recipe(name, changes, &recipe));
    tiny_open(&recipe);
    struct it_trainer_setup setup = tiny_setup(&recipe);
    setup.resume = resume;
    enum it_status status = it_train(&setup);
    tiny_close();
    it_recipe_free(&recipe);
    return status;
}

/* The interruption flag is the process's: what is interrupted runs in one of its own. */
static inline enum it_status tiny_apart(enum it_status (*run)(const char *name,
                                                              const char *changes, bool resume),
                                        const char *name, const char *changes)
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        it_interrupt_install();
        exit((int)run(name, changes, false));
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    return (enum it_status)WEXITSTATUS(status);
}

/* ---- what is in a run ---- */

/* The record of a step, owned by the caller; fails the test when there is none. */
static inline json_t *tiny_record(const char *name, const char *file, int64_t step)
{
    struct it_lines lines;
    json_t *record, *found = NULL;
    char *path = it_path_join(scratch_path(name), file);
    ck_ok(it_lines_open(path, 0, &lines));
    while (!found && it_jsonl_next(&lines, &record) == IT_OK) {
        if (json_integer_value(json_object_get(record, "step")) == step) {
            found = record;
        } else {
            json_decref(record);
        }
    }
    it_lines_close(&lines);
    it_free(path);
    ck_assert_msg(found != NULL, "%s of %s has no step %d", file, name, (int)step);
    return found;
}

static inline double tiny_field(const char *name, int64_t step, const char *field)
{
    json_t *record = tiny_record(name, "metrics.jsonl", step);
    const json_t *value = json_object_get(record, field);
    ck_assert_msg(json_is_number(value), "%s, step %d: %s is no number", name, (int)step, field);
    double number = json_number_value(value);
    json_decref(record);
    return number;
}

static inline void tiny_same_file(const char *a, const char *b, const char *file)
{
    struct it_str x = {0}, y = {0};
    char *left = it_path_join(scratch_path(a), file), *right = it_path_join(scratch_path(b), file);
    ck_ok(it_file_read(left, &x));
    ck_ok(it_file_read(right, &y));
    ck_assert_msg(x.len == y.len && memcmp(it_str_c(&x), it_str_c(&y), x.len) == 0,
                  "%s and %s differ", left, right);
    it_str_free(&x);
    it_str_free(&y);
    it_free(left);
    it_free(right);
}

static inline void tiny_same_metrics(const char *a, const char *b)
{
    struct it_str what = {0};
    bool same;
    ck_ok(it_run_diff(scratch_path(a), scratch_path(b), &same, &what));
    ck_assert_msg(same, "%s against %s: %s", a, b, it_str_c(&what));
    it_str_free(&what);
}

#endif
