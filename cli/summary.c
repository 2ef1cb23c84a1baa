/* SPDX-License-Identifier: MIT */
/* Plans and results in words. */
#include "cli/summary.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"

void it_summary_batch(const struct it_session *s, const struct it_batch_shape *shape,
                      struct it_str *out)
{
    const struct it_recipe *r = &s->recipe;
    int64_t updates = it_recipe_updates(r, shape, s->train.n);
    it_str_printf(out, "%lld prompts x %lld = %lld completions = %lld micro-batches of %lld; %lld "
                  "updates over %lld prompts", (long long)shape->prompts,
                  (long long)r->num_generations, (long long)shape->completions,
                  (long long)shape->micro_batches, (long long)r->per_device_train_batch_size,
                  (long long)updates, (long long)s->train.n);
}

/* Keys whose value people look for first, because a profile or a default may have chosen it. */
static const char *const chosen[] = {
    "method", "profile", "reward_funcs", "reward_weights", "advantage", "scale_rewards",
    "loss_type", "importance_sampling_level", "beta", "epsilon", "temperature", "top_k", "top_p",
    "learning_rate", "lr_scheduler_type", "weight_decay", "max_grad_norm", "num_iterations",
    "exact", "max_prompt_length", "max_completion_length",
};

static json_t *plan_document(const struct it_session *s, const struct it_batch_shape *shape,
                             const struct it_memory_plan *p)
{
    json_t *document = json_object(), *memory = json_object(), *batch = json_object();
    json_t *recipe = it_options_dump(&it_recipe_table, &s->recipe);
    const struct {
        const char *name;
        int64_t bytes;
    } part[] = {{"device", p->device}, {"weights", p->weights}, {"reference", p->reference},
                {"annotator", p->annotator}, {"optimizer", p->optimizer},
                {"constants", p->constants}, {"gradients", p->gradients},
                {"activations", p->activations}, {"scoring", p->scoring}, {"kv_and_decode", p->kv},
                {"phase", p->phase}, {"total", p->total}, {"host", p->host}};
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        json_object_set_new(memory, part[i].name, json_integer((json_int_t)part[i].bytes));
    }
    json_object_set_new(batch, "prompts", json_integer((json_int_t)shape->prompts));
    json_object_set_new(batch, "num_generations",
                        json_integer((json_int_t)s->recipe.num_generations));
    json_object_set_new(batch, "completions", json_integer((json_int_t)shape->completions));
    json_object_set_new(batch, "micro_batches", json_integer((json_int_t)shape->micro_batches));
    json_object_set_new(batch, "num_processes", json_integer((json_int_t)shape->processes));
    json_object_set_new(batch, "updates",
                        json_integer((json_int_t)it_recipe_updates(&s->recipe, shape, s->train.n)));
    json_object_set_new(document, "batch", batch);
    json_object_set_new(document, "memory_bytes", memory);
    json_object_set_new(document, "streamed", json_boolean(p->streamed));
    json_object_set_new(document, "micro_tokens", json_integer((json_int_t)p->micro_tokens));
    json_object_set_new(document, "decode_slots", json_integer((json_int_t)p->slots));
    json_object_set_new(document, "recipe", recipe);
    return document;
}

static void print_plan(const struct it_session *s, const struct it_batch_shape *shape,
                       const json_t *document)
{
    struct it_str words = {0};
    const char *name;
    json_t *bytes;
    it_summary_batch(s, shape, &words);
    printf("batch     %s\n", it_str_c(&words));
    printf("passes    %lld tokens a training pass, %lld sequences decoded at once\n",
           (long long)json_integer_value(json_object_get(document, "micro_tokens")),
           (long long)json_integer_value(json_object_get(document, "decode_slots")));
    printf("memory    (total: device to constants, and phase: the largest of training = gradients "
           "and\n           activations, scoring, generation: these take turns in one arena%s)\n",
           json_is_true(json_object_get(document, "streamed"))
               ? "; reference and annotator\n           wait in host memory and come to it to score"
               : "");
    json_object_foreach(json_object_get(document, "memory_bytes"), name, bytes) {
        char size[24];
        printf("  %-16s %12s\n", name,
               it_format_size((int64_t)json_integer_value(bytes), size, sizeof size));
    }
    printf("choices   (recipe, then profile, then default)\n");
    for (size_t i = 0; i < sizeof chosen / sizeof *chosen; i++) {
        json_t *value = json_object_get(json_object_get(document, "recipe"), chosen[i]);
        char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6)) : NULL;
        printf("  %-26s %s\n", chosen[i], text ? text : "unset");
        free(text);
    }
    it_str_free(&words);
}

enum it_status it_summary_plan(const struct it_session *s, bool json)
{
    struct it_batch_shape shape;
    struct it_memory_plan plan;
    IT_TRY(it_recipe_batch(&s->recipe, s->setup.devices, &shape));
    IT_TRY(it_trainer_plan(&s->setup, &plan));
    json_t *document = plan_document(s, &shape, &plan);
    enum it_status status = IT_OK;
    if (json) {
        status = it_jsonl_put(stdout, document);
    } else {
        print_plan(s, &shape, document);
    }
    json_decref(document);
    return status;
}

/* ---- a finished run ---- */

/* First and last record of eval.jsonl; NULL when there is none. */
static enum it_status read_evaluations(const char *folder, json_t **first_out, json_t **last_out)
{
    char *path = it_path_join(folder, "eval.jsonl");
    struct it_lines lines;
    json_t *first = NULL, *last = NULL;
    enum it_status status = IT_OK;
    if (it_path_exists(path)) {
        status = it_lines_open(path, 0, &lines);
        while (status == IT_OK) {
            json_t *record;
            status = it_jsonl_next(&lines, &record);
            if (status != IT_OK) { break; }
            if (!first) { first = json_incref(record); }
            json_decref(last);
            last = record;
        }
        it_lines_close(&lines);
    }
    it_free(path);
    if (status != IT_OK && status != IT_END) {
        json_decref(first);
        json_decref(last);
        return status;
    }
    *first_out = first;
    *last_out = last;
    return IT_OK;
}

static double real(const json_t *record, const char *name)
{
    return json_number_value(json_object_get(record, name));
}

static void print_row(const json_t *record, const char *when)
{
    printf("  %-18s %.3f +- %.3f   %.3f +- %.3f   %6.1f\n", when, real(record, "sampled/accuracy"),
           real(record, "sampled/stderr"), real(record, "greedy/accuracy"),
           real(record, "greedy/stderr"), real(record, "greedy/mean_length"));
}

static void print_answers(const json_t *first, const json_t *last)
{
    size_t i;
    json_t *before;
    json_array_foreach(json_object_get(first, "samples"), i, before) {
        const json_t *after = json_array_get(json_object_get(last, "samples"), i);
        const char *gold = json_string_value(json_object_get(before, "gold"));
        printf("\n  %s   (gold %s)\n    before: %s\n    after:  %s\n",
               json_string_value(json_object_get(before, "prompt")), gold ? gold : "unknown",
               json_string_value(json_object_get(before, "greedy")),
               json_string_value(json_object_get(after, "greedy")));
    }
}

enum it_status it_summary_run(const char *folder, bool json)
{
    json_t *first, *last;
    IT_TRY(read_evaluations(folder, &first, &last));
    if (json) {
        json_t *document = json_object();
        json_object_set_new(document, "run", json_string(folder));
        if (first) { json_object_set(document, "before", first); }
        if (last) { json_object_set(document, "after", last); }
        enum it_status status = it_jsonl_put(stdout, document);
        json_decref(document);
        json_decref(first);
        json_decref(last);
        return status;
    }
    if (first && last && first != last) {
        char when[48];
        printf("\nheld-out accuracy on %lld problems, with its standard error\n",
               (long long)json_integer_value(json_object_get(last, "n")));
        printf("  %-18s %-16s  %-16s  %s\n", "", "sampled", "greedy", "tokens");
        print_row(first, "before");
        snprintf(when, sizeof when, "after %lld updates",
                 (long long)json_integer_value(json_object_get(last, "step")));
        print_row(last, when);
        print_answers(first, last);
        printf("\nrun directory %s; intuitor report %s draws its curves\n", folder, folder);
    }
    json_decref(first);
    json_decref(last);
    return IT_OK;
}

enum it_status it_summary_resume_folder(struct it_strs *arguments)
{
    char *folder = it_strdup(arguments->item[0]), *recipe = it_path_join(folder, "recipe.yaml");
    struct it_str output = {0};
    it_str_printf(&output, "output_dir=%s", folder);
    it_strs_free(arguments);
    it_strs_add(arguments, recipe);
    it_strs_add(arguments, it_str_c(&output));
    it_str_free(&output);
    it_free(folder);
    it_free(recipe);
    return IT_OK;
}
