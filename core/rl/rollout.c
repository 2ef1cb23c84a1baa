/* SPDX-License-Identifier: MIT */
/* Rollout: the update's prompts through the generator, then text and verdicts. */
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/rl/internal.h"

/* Streams of random numbers derived from the run's seed. */
enum { STREAM_SHUFFLE = 1 };

int64_t it_trainer_epoch(const struct it_trainer *t)
{
    int64_t n = t->setup->n_prompts, whole = n / t->shape.prompts * t->shape.prompts;
    return whole ? whole : n;
}

void it_trainer_prompts(struct it_trainer *t, int64_t update, const struct it_rl_prompt **out)
{
    int64_t n = t->setup->n_prompts;
    for (int64_t i = 0; i < t->shape.prompts; i++) {
        int64_t per_epoch = it_trainer_epoch(t), position = (update - 1) * t->shape.prompts + i;
        int64_t epoch = position / per_epoch;
        if (epoch != t->epoch) {
            struct it_rng rng;
            it_rng_init(&rng, (uint64_t)t->recipe->seed, STREAM_SHUFFLE + ((uint64_t)epoch << 8));
            for (int64_t k = 0; k < n; k++) { t->order[k] = k; }
            if (t->recipe->shuffle_dataset) { it_rng_shuffle(&rng, t->order, n); }
            t->epoch = epoch;
        }
        out[i] = &t->setup->prompts[t->order[position % per_epoch]];
    }
}

struct it_head_options it_trainer_head(const struct it_trainer *t)
{
    double temperature = t->recipe->temperature;
    double certainty = t->recipe->sc_temperature > 0.0 ? t->recipe->sc_temperature : temperature;
    return (struct it_head_options){
        .temperature = temperature, .stat_temperature = certainty, .stat_vocab = t->vocab};
}

struct it_sampling it_trainer_sampling(const struct it_trainer *t, uint64_t update)
{
    const struct it_recipe *r = t->recipe;
    struct it_head_options head = it_trainer_head(t);
    return (struct it_sampling){
        .temperature = r->temperature,
        .top_p = r->top_p,
        .min_p = r->min_p,
        .top_k = r->top_k > 0 ? r->top_k : 0,
        .max_new_tokens = r->max_completion_length,
        .stop_ids = t->setup->stop_ids,
        .n_stop_ids = t->setup->n_stop_ids,
        .stop_strings = r->stop_strings.n ? &r->stop_strings : NULL,
        .logprob_temperature = head.temperature,
        .stat_temperature = head.stat_temperature,
        .stat_vocab = head.stat_vocab,
        .seed = (uint64_t)r->seed,
        .update = update,
    };
}

static enum it_status generate(struct it_trainer *t, int64_t update, struct it_batch *b)
{
    struct it_gen_request *requests = it_calloc((size_t)b->groups, sizeof *requests);
    struct it_generator *generator = NULL;
    for (int64_t g = 0; g < b->groups; g++) {
        requests[g] = (struct it_gen_request){.prompt = b->prompt[g]->ids,
                                              .n_prompt = b->prompt[g]->n,
                                              .n_samples = b->size,
                                              .key = (uint64_t)g};
    }
    struct it_gen_run run = {.weights = &t->net->weights,
                             .requests = requests,
                             .n_requests = b->groups,
                             .sampling = it_trainer_sampling(t, (uint64_t)update),
                             .progress = "rollout"};
    struct it_generator_options options = {.slots = t->plan.slots,
                                           .max_length = t->recipe->max_prompt_length +
                                                         t->recipe->max_completion_length};
    it_arena_reset(t->phase, 0);
    enum it_status status =
        it_generator_open(t->net, t->phase, &options, t->setup->tokenizer, &generator);
    if (status == IT_OK) {
        status = it_generator_run(generator, &run, b->completion, &b->generated);
    }
    it_generator_close(generator);
    it_free(requests);
    return status;
}

static bool is_stop(const struct it_trainer *t, int32_t id)
{
    for (int s = 0; s < t->setup->n_stop_ids; s++) {
        if (t->setup->stop_ids[s] == id) { return true; }
    }
    return false;
}

char *it_trainer_text(const struct it_trainer *t, const struct it_completion *c)
{
    struct it_str all = {0};
    const struct it_strs *stops = &t->recipe->stop_strings;
    it_tokenizer_decode(t->setup->tokenizer, c->ids, (size_t)c->n, true, &all);
    size_t end = stops->n ? it_stop_cut(stops, it_str_c(&all), all.len) : all.len;
    char *text = it_strndup(it_str_c(&all), end);
    it_str_free(&all);
    return text;
}

/* Texts and verdicts of all samples. */
static enum it_status grade(struct it_trainer *t, struct it_batch *b)
{
    const struct it_rl_grader *grader = &t->setup->grader;
    for (int64_t i = 0; i < b->n; i++) { b->text[i] = it_trainer_text(t, &b->completion[i]); }
    if (!grader->grade) { return IT_OK; }
    const struct it_rl_prompt **prompt = it_calloc((size_t)b->n, sizeof *prompt);
    for (int64_t i = 0; i < b->n; i++) { prompt[i] = b->prompt[i / b->size]; }
    enum it_status status = grader->grade(grader->context, prompt, (const char *const *)b->text,
                                          b->n, b->grade);
    it_free(prompt);
    return status;
}

/* The reward's view of sample i. */
static void view_sample(struct it_trainer *t, struct it_batch *b, int64_t i)
{
    const struct it_completion *c = &b->completion[i];
    b->tokens += c->n;
    b->sample[i] = (struct it_sample){
        .n = c->n,
        .ids = c->ids,
        .logprob = c->logprob,
        .entropy = c->entropy,
        .certainty = c->certainty,
        .sum_p2 = c->sum_p2,
        .margin = c->margin,
        .finished = c->finish == IT_FINISH_STOP || c->finish == IT_FINISH_STOP_STRING,
        .ends_with_stop_id = c->n > 0 && is_stop(t, c->ids[c->n - 1]),
        .text = b->text[i],
        .extracted = b->grade[i].extracted,
        .gradable = b->grade[i].gradable,
        .correct = b->grade[i].correct,
        .boxes = it_count_boxes(b->text[i]),
    };
    bool truncated = c->finish == IT_FINISH_LENGTH;
    b->skip[i] = truncated && t->recipe->mask_truncated_completions;
    b->include[i] = !truncated || t->recipe->truncated_in_statistics;
}

static void batch_alloc(struct it_trainer *t, struct it_batch *b)
{
    b->groups = t->shape.prompts;
    b->size = t->recipe->num_generations;
    b->n = b->groups * b->size;
    size_t n = (size_t)b->n;
    b->prompt = it_calloc((size_t)b->groups, sizeof *b->prompt);
    b->completion = it_calloc(n, sizeof *b->completion);
    b->sample = it_calloc(n, sizeof *b->sample);
    b->text = it_calloc(n, sizeof *b->text);
    b->grade = it_calloc(n, sizeof *b->grade);
    b->certainty = it_calloc(n, sizeof *b->certainty);
    b->ref = it_calloc(n, sizeof *b->ref);
    b->kept = it_calloc(n, sizeof *b->kept);
    b->skip = it_calloc(n, sizeof *b->skip);
    b->include = it_calloc(n, sizeof *b->include);
    b->reward = it_calloc(n, sizeof *b->reward);
    b->advantage = it_calloc(n, sizeof *b->advantage);
    b->rewards = it_calloc(t->recipe->reward_funcs.n, sizeof *b->rewards);
    for (size_t r = 0; r < t->recipe->reward_funcs.n; r++) {
        b->rewards[r] = it_calloc(n, sizeof **b->rewards);
    }
}

void it_batch_free(struct it_batch *b, int64_t n_rewards)
{
    for (int64_t i = 0; i < b->n; i++) {
        it_completion_free(&b->completion[i]);
        it_free(b->text[i]);
        it_free(b->grade[i].extracted);
        it_free(b->certainty[i]);
        it_free(b->ref[i]);
        it_free(b->kept[i]);
    }
    for (int64_t r = 0; b->rewards && r < n_rewards; r++) { it_free(b->rewards[r]); }
    it_free(b->rewards);
    it_free(b->prompt);
    it_free(b->completion);
    it_free(b->sample);
    it_free(b->text);
    it_free(b->grade);
    it_free(b->certainty);
    it_free(b->ref);
    it_free(b->kept);
    it_free(b->skip);
    it_free(b->include);
    it_free(b->reward);
    it_free(b->advantage);
    *b = (struct it_batch){0};
}

enum it_status it_rollout(struct it_trainer *t, int64_t update, struct it_batch *batch_out)
{
    struct it_batch b = {0};
    double start = it_now();
    batch_alloc(t, &b);
    it_trainer_prompts(t, update, b.prompt);
    enum it_status status = generate(t, update, &b);
    b.rollout_s = it_now() - start;
    start = it_now();
    if (status == IT_OK) { status = grade(t, &b); }
    for (int64_t i = 0; i < b.n && status == IT_OK; i++) { view_sample(t, &b, i); }
    b.reward_s = it_now() - start;
    if (status != IT_OK) {
        it_batch_free(&b, (int64_t)t->recipe->reward_funcs.n);
        return status;
    }
    *batch_out = b;
    return IT_OK;
}
