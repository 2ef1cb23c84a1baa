/* SPDX-License-Identifier: MIT */
/* Opening what sampling and scoring need within the memory there is. */
#include "cli/sampler.h"

#include <string.h>

#include "core/base/json.h"

/* ---- device and model ---- */

enum it_status it_cli_engine_open(const struct it_cli_engine_options *o,
                                  struct it_cli_engine *engine_out)
{
    struct it_cli_engine engine = {.limit = o->common->memory_limit};
    IT_TRY(it_cli_device(o->common, o->exact, false, &engine.device));
    struct it_model_options options = {.device = engine.device,
                                       .dtype = it_cli_dtype(o->common),
                                       .adapter = o->adapter,
                                       .tokenizer = o->tokenizer,
                                       .positions = o->positions};
    enum it_status status = it_model_open(o->folder, &options, &engine.model);
    if (status != IT_OK) {
        it_device_close(engine.device);
        return status;
    }
    const struct it_model_config *c = &engine.model->net->config;
    it_info("model %s: %s, %.1f M parameters, %s", o->folder, c->model_type,
            1e-6 * (double)it_net_parameters(engine.model->net),
            it_dtype_name(engine.model->net->dtype));
    if (o->positions > c->max_positions) {
        it_warn("model %s: sequences may reach %lld tokens, and it was made for %lld", o->folder,
                (long long)o->positions, (long long)c->max_positions);
    }
    *engine_out = engine;
    return IT_OK;
}

void it_cli_engine_close(struct it_cli_engine *engine)
{
    it_model_close(engine->model);
    it_device_close(engine->device);
    *engine = (struct it_cli_engine){0};
}

/* The rest of --memory-limit; without one, nine tenths of what was free when the device opened. */
int64_t it_cli_engine_room(const struct it_cli_engine *engine)
{
    const struct it_device_info *info = it_device_info(engine->device);
    int64_t limit = engine->limit, used = it_device_memory_used(engine->device);
    if (limit) { return limit - info->memory_held - used; }
    return info->memory_free ? info->memory_free / 10 * 9 - used : INT64_MAX;
}

/* ---- generation ---- */

enum { MOST_SLOTS = 256 };

enum it_status it_cli_sampler_open(const struct it_cli_engine *engine, int64_t completions,
                                   int64_t max_length, struct it_cli_sampler *sampler_out)
{
    struct it_net *net = engine->model->net;
    struct it_generator_options options = {.max_length = max_length};
    struct it_cli_sampler sampler = {0};
    int64_t room = it_cli_engine_room(engine), bytes;
    options.slots = completions < MOST_SLOTS ? completions : MOST_SLOTS;
    IT_TRY(it_generator_plan(net, &options, &bytes));
    while (bytes > room && options.slots > 1) {
        options.slots /= 2;
        IT_TRY(it_generator_plan(net, &options, &bytes));
    }
    if (bytes > room) {
        char need[24], have[24];
        return it_fail(IT_NOMEM, "generation of one sequence of %lld tokens needs %s beside the "
                       "weights and %s is left: shorten the prompts or --max-new-tokens",
                       (long long)max_length, it_format_size(bytes, need, sizeof need),
                       it_format_size(room > 0 ? room : 0, have, sizeof have));
    }
    it_debug("generation: %lld sequences at once", (long long)options.slots);
    IT_TRY(it_arena_open(engine->device, "generation", bytes, &sampler.arena));
    enum it_status status = it_generator_open(net, sampler.arena, &options,
                                              engine->model->tokenizer, &sampler.generator);
    if (status != IT_OK) {
        it_arena_close(sampler.arena);
        return status;
    }
    *sampler_out = sampler;
    return IT_OK;
}

void it_cli_sampler_close(struct it_cli_sampler *sampler)
{
    it_generator_close(sampler->generator);
    it_arena_close(sampler->arena);
    *sampler = (struct it_cli_sampler){0};
}

/* Written so that a NaN fails. */
enum it_status it_cli_sampling_check(const char *command, const struct it_cli_sampling *s)
{
    const int64_t most = INT32_MAX / 2;
    const struct {
        bool good;
        const char *option, *expected;
    } rule[] = {
        {s->temperature >= 0 && s->temperature <= 1e6, "temperature", "0 (greedy) to 1e6"},
        {s->top_p > 0 && s->top_p <= 1, "top-p", "more than 0, at most 1"},
        {s->min_p >= 0 && s->min_p <= 1, "min-p", "0 to 1"},
        {s->top_k >= 0, "top-k", "0 (off) or more"},
        {s->n >= 1 && s->n <= most, "n", "1 to 1073741823"},
        {s->max_new_tokens >= 1 && s->max_new_tokens <= most, "max-new-tokens", "1 to 1073741823"},
    };
    for (size_t i = 0; i < sizeof rule / sizeof *rule; i++) {
        if (!rule[i].good) {
            return it_fail(IT_INVALID, "%s, command line: %s: expected %s", command,
                           rule[i].option, rule[i].expected);
        }
    }
    return IT_OK;
}

struct it_sampling it_cli_sampling(const struct it_cli_sampling *s, const struct it_model *model,
                                   int64_t seed)
{
    const struct it_model_config *c = &model->net->config;
    return (struct it_sampling){.temperature = s->temperature, .top_p = s->top_p,
                                .min_p = s->min_p, .top_k = s->top_k,
                                .max_new_tokens = s->max_new_tokens, .stop_ids = c->eos,
                                .n_stop_ids = c->n_eos, .logprob_temperature = 1.0,
                                .stat_temperature = 1.0, .seed = (uint64_t)seed};
}

/* ---- completions ---- */

json_t *it_cli_completion_text(const struct it_tokenizer *tokenizer, const struct it_completion *c,
                               const struct it_strs *stop)
{
    struct it_str text = {0};
    it_tokenizer_decode(tokenizer, c->ids, (size_t)c->n, true, &text);
    json_t *value = it_json_text(it_str_c(&text), it_stop_cut(stop, it_str_c(&text), text.len));
    it_str_free(&text);
    return value;
}

void it_cli_completion_stats(json_t *object, const struct it_completion *c)
{
    double logprob = 0.0, certainty = 0.0, entropy = 0.0, gini = 0.0, n = (double)c->n;
    for (int64_t i = 0; i < c->n; i++) {
        logprob += (double)c->logprob[i];
        certainty += (double)c->certainty[i];
        entropy += (double)c->entropy[i];
        gini += (double)c->sum_p2[i];
    }
    json_object_set_new(object, "finish_reason", json_string(it_finish_name(c->finish)));
    json_object_set_new(object, "logprob", it_json_real(logprob));
    json_object_set_new(object, "self_certainty", it_json_real(certainty / n));
    json_object_set_new(object, "entropy", it_json_real(entropy / n));
    json_object_set_new(object, "gini", it_json_real(gini / n));
}
