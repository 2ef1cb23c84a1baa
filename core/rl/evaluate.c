/* SPDX-License-Identifier: MIT */
/* Accuracy on the held-out prompts, sampled and greedy, with two answers to read. The random
 * numbers are those of the prompt alone: evaluations of one model agree whenever they are made. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/rl/internal.h"

enum { SHOWN = 2 };

/* Updates count from 1, so that no training rollout shares these random numbers. */
static const uint64_t evaluation_update = 0;

struct outcome {
    double right, length, finished;
    char *shown[SHOWN];
};

static enum it_status grade_all(struct it_trainer *t, struct it_completion *c, int64_t n,
                                struct outcome *o)
{
    const struct it_trainer_setup *s = t->setup;
    const struct it_rl_prompt **prompt = it_calloc((size_t)n + 1, sizeof *prompt);
    struct it_rl_grade *grade = it_calloc((size_t)n + 1, sizeof *grade);
    char **text = it_calloc((size_t)n + 1, sizeof *text);
    for (int64_t i = 0; i < n; i++) {
        prompt[i] = &s->eval_prompts[i];
        text[i] = it_trainer_text(t, &c[i]);
    }
    enum it_status status = s->eval_grader.grade(s->eval_grader.context, prompt,
                                                 (const char *const *)text, n, grade);
    for (int64_t i = 0; i < n; i++) {
        o->right += grade[i].correct;
        o->length += (double)c[i].n;
        o->finished += c[i].finish != IT_FINISH_LENGTH;
        if (i < SHOWN) { o->shown[i] = it_strdup(text[i]); }
        it_free(grade[i].extracted);
        it_free(text[i]);
    }
    it_free(text);
    it_free(grade);
    it_free(prompt);
    return status;
}

static enum it_status one_way(struct it_trainer *t, bool greedy, struct outcome *o)
{
    const struct it_trainer_setup *s = t->setup;
    size_t n = (size_t)s->n_eval_prompts;
    struct it_gen_request *requests = it_calloc(n, sizeof *requests);
    struct it_completion *completions = it_calloc(n, sizeof *completions);
    struct it_generator *generator = NULL;
    struct it_gen_totals totals;
    for (size_t i = 0; i < n; i++) {
        requests[i] = (struct it_gen_request){.prompt = s->eval_prompts[i].ids,
                                              .n_prompt = s->eval_prompts[i].n,
                                              .n_samples = 1,
                                              .key = i};
    }
    struct it_generator_options options = {.slots = t->plan.slots,
                                           .max_length = t->recipe->max_prompt_length +
                                                         t->recipe->max_completion_length};
    struct it_gen_run run = {.weights = &t->net->weights,
                             .requests = requests,
                             .n_requests = (int64_t)n,
                             .sampling = it_trainer_sampling(t, evaluation_update),
                             .progress = greedy ? "evaluation, greedy" : "evaluation, sampled"};
    if (greedy) { run.sampling.temperature = 0.0; }
    it_arena_reset(t->phase, 0);
    enum it_status status = it_generator_open(t->net, t->phase, &options, s->tokenizer, &generator);
    if (status == IT_OK) { status = it_generator_run(generator, &run, completions, &totals); }
    if (status == IT_OK) { status = grade_all(t, completions, (int64_t)n, o); }
    it_generator_close(generator);
    for (size_t i = 0; i < n; i++) { it_completion_free(&completions[i]); }
    it_free(completions);
    it_free(requests);
    return status;
}

static void put(json_t *record, const char *way, const struct outcome *o, double n)
{
    char name[64];
    double p = o->right / n;
    const struct {
        const char *field;
        double value;
    } row[] = {{"accuracy", p},
               {"stderr", sqrt(p * (1.0 - p) / n)},
               {"mean_length", o->length / n},
               {"eos_rate", o->finished / n}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        snprintf(name, sizeof name, "%s/%s", way, row[i].field);
        json_object_set_new(record, name, it_json_real(row[i].value));
    }
}

static json_t *shown(const struct it_trainer *t, const struct outcome *sampled,
                     const struct outcome *greedy)
{
    json_t *list = json_array();
    for (int64_t i = 0; i < SHOWN && i < t->setup->n_eval_prompts; i++) {
        const struct it_rl_prompt *p = &t->setup->eval_prompts[i];
        json_t *r = json_object();
        json_object_set_new(r, "prompt", it_json_text(p->text, strlen(p->text)));
        if (p->gold) { json_object_set_new(r, "gold", json_string(p->gold)); }
        json_object_set_new(r, "sampled",
                            it_json_text(sampled->shown[i], strlen(sampled->shown[i])));
        json_object_set_new(r, "greedy", it_json_text(greedy->shown[i], strlen(greedy->shown[i])));
        json_array_append_new(list, r);
    }
    return list;
}

enum it_status it_evaluate(struct it_trainer *t, int64_t update)
{
    struct outcome sampled = {0}, greedy = {0};
    double n = (double)t->setup->n_eval_prompts;
    if (t->setup->n_eval_prompts == 0) { return IT_OK; }
    enum it_status status = one_way(t, false, &sampled);
    if (status == IT_OK) { status = one_way(t, true, &greedy); }
    if (status == IT_OK) {
        json_t *record = json_object();
        json_object_set_new(record, "step", json_integer((json_int_t)update));
        json_object_set_new(record, "n", json_integer((json_int_t)t->setup->n_eval_prompts));
        put(record, "sampled", &sampled, n);
        put(record, "greedy", &greedy, n);
        json_object_set_new(record, "samples", shown(t, &sampled, &greedy));
        it_info("held-out accuracy after %lld updates: sampled %.3f, greedy %.3f (%lld problems)",
                (long long)update, sampled.right / n, greedy.right / n,
                (long long)t->setup->n_eval_prompts);
        status = it_run_eval(t->run, update, record);
        json_decref(record);
    }
    for (int i = 0; i < SHOWN; i++) {
        it_free(sampled.shown[i]);
        it_free(greedy.shown[i]);
    }
    return status;
}
