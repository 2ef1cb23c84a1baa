/* SPDX-License-Identifier: MIT */
/* What a run may ask: everything is checked before the first token. */
#include <inttypes.h>
#include <math.h>

#include "core/gen/internal.h"

/* Kernels see floats: a temperature must be one. */
static bool is_temperature(double t)
{
    return (float)t > 0 && isfinite((float)t);
}

static enum it_status check_sampling(const struct it_generator *g, const struct it_sampling *s)
{
    /* Written so that a NaN fails. */
    if (s->temperature != 0 && !is_temperature(s->temperature)) {
        return it_fail(IT_INVALID, "temperature %g: expected 0 or a positive 32-bit number",
                       s->temperature);
    }
    if (!(s->top_p > 0 && s->top_p <= 1)) {
        return it_fail(IT_INVALID, "top_p %g: expected more than 0, at most 1", s->top_p);
    }
    if (!(s->min_p >= 0 && s->min_p <= 1)) {
        return it_fail(IT_INVALID, "min_p %g: expected 0 to 1", s->min_p);
    }
    if (s->top_k < 0) {
        return it_fail(IT_INVALID, "top_k %" PRId64 ": expected 0 or more", s->top_k);
    }
    if (s->max_new_tokens < 1) {
        return it_fail(IT_INVALID, "max_new_tokens %" PRId64 ": expected 1 or more",
                       s->max_new_tokens);
    }
    if (!is_temperature(s->logprob_temperature)) {
        return it_fail(IT_INVALID, "temperature of the log-probs %g: expected more than 0",
                       s->logprob_temperature);
    }
    if (!is_temperature(s->stat_temperature)) {
        return it_fail(IT_INVALID, "temperature of the statistics %g: expected more than 0",
                       s->stat_temperature);
    }
    if (s->stat_vocab < 0 || s->stat_vocab > g->net->config.vocab) {
        return it_fail(IT_INVALID,
                       "vocabulary of the statistics %" PRId64 ": expected 0 to %" PRId64,
                       s->stat_vocab, g->net->config.vocab);
    }
    return IT_OK;
}

static enum it_status check_stop_strings(const struct it_generator *g,
                                         const struct it_strs *strings)
{
    if (!strings || strings->n == 0) { return IT_OK; }
    if (!g->tokenizer) {
        return it_fail(IT_INVALID, "stop strings need a tokenizer, and there is none");
    }
    for (size_t i = 0; i < strings->n; i++) {
        if (strings->item[i][0] == '\0') { return it_fail(IT_INVALID, "a stop string is empty"); }
    }
    return IT_OK;
}

static enum it_status check_request(const struct it_generator *g,
                                    const struct it_gen_request *request, int64_t index)
{
    if (request->n_samples < 0 || request->n_samples > INT32_MAX) {
        return it_fail(IT_INVALID, "request %" PRId64 ": %" PRId64 " samples", index,
                       request->n_samples);
    }
    if (request->max_new_tokens < 0) {
        return it_fail(IT_INVALID,
                       "request %" PRId64 ": max_new_tokens %" PRId64 ": expected 0 or more", index,
                       request->max_new_tokens);
    }
    if (request->n_prompt < 1) {
        return it_fail(IT_INVALID, "request %" PRId64 ": the prompt is empty", index);
    }
    if (request->n_prompt >= g->max_length) {
        return it_fail(IT_INVALID,
                       "request %" PRId64 ": a prompt of %" PRId64
                       " tokens leaves no room for a new one within %" PRId64,
                       index, request->n_prompt, g->max_length);
    }
    int64_t vocab = g->net->config.vocab;
    for (int64_t i = 0; i < request->n_prompt; i++) {
        int32_t id = request->prompt[i];
        if (id >= 0 && id < vocab) { continue; }
        return it_fail(IT_INVALID,
                       "request %" PRId64 ": id %" PRId32 " is outside the vocabulary of %" PRId64,
                       index, id, vocab);
    }
    return IT_OK;
}

enum it_status it_gen_check(const struct it_generator *generator, const struct it_gen_run *run)
{
    IT_TRY(check_sampling(generator, &run->sampling));
    IT_TRY(check_stop_strings(generator, run->sampling.stop_strings));
    for (int64_t i = 0; i < run->n_requests; i++) {
        IT_TRY(check_request(generator, &run->requests[i], i));
    }
    return IT_OK;
}
