/* SPDX-License-Identifier: MIT */
/* Many sequences at once: continuous batching over decode slots, paged KV shared by the samples of
 * a prompt, counter-based sampling, and the statistics of every sampled token from the sampler
 * itself.
 *
 * A prompt's keys and values are computed once, for its first n-1 tokens; its last token goes
 * through decode once a sample, so that every sampled token comes from the same place. Random
 * numbers are keyed by (seed, update, prompt, sample, position): a completion does not depend on
 * what else was in its batch. */
#ifndef IT_GEN_GEN_H
#define IT_GEN_GEN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/nn/nn.h"
#include "core/text/text.h"

struct it_sampling {
    double temperature; /* 0: greedy */
    double top_p;       /* 1: off */
    double min_p;       /* 0: off */
    int64_t top_k;      /* 0: off */
    int64_t max_new_tokens;
    const int32_t *stop_ids; /* any of these ends a completion and is kept as its last token */
    int n_stop_ids;
    const struct it_strs *stop_strings; /* NULL: none. The token that completes a match is the
                                           last; it_stop_cut finds where the text ends */
    double logprob_temperature; /* of the recorded log-probs: `temperature` in train, else 1 */
    double stat_temperature;    /* of entropy, certainty, ...: 1 unless a recipe says otherwise */
    int64_t stat_vocab;         /* see it_head_options */
    uint64_t seed, update;      /* keys of the random numbers */
};

/* Bytes of `text` before the first occurrence of any of the stop strings; `bytes` without one. What
 * generation compares is the text without special tokens (it_tokenizer_decode, skip_special). */
size_t it_stop_cut(const struct it_strs *stop_strings, const char *text, size_t bytes);

struct it_gen_request {
    const int32_t *prompt; /* at least one id */
    int64_t n_prompt;
    int64_t n_samples;
    int64_t max_new_tokens; /* of this prompt's samples; 0: the sampling's. Never more than that */
    uint64_t key; /* names the prompt in the random numbers' keys */
};

enum it_finish { IT_FINISH_STOP, IT_FINISH_LENGTH, IT_FINISH_STOP_STRING, IT_FINISH_INTERRUPTED };
const char *it_finish_name(enum it_finish finish); /* "stop", "length", "stop", "interrupted" */

/* Arrays have n entries; the stop id, when there is one, is the last. */
struct it_completion {
    int64_t request, sample;
    int64_t n;
    int32_t *ids;
    float *logprob, *entropy, *certainty, *sum_p2, *margin;
    enum it_finish finish;
};
void it_completion_free(struct it_completion *completion);

struct it_generator_options {
    int64_t slots;          /* 0: 256; more than there are completions only costs memory */
    int64_t max_length;     /* prompt and completion together */
    int64_t kv_bytes;       /* most memory for KV pages; 0: as much as slots of max_length need */
    int64_t prefill_tokens; /* 0: 2048; raised to hold the longest prompt in one piece */
};
struct it_generator;

/* Lives in the phase arena. */
enum it_status it_generator_open(struct it_net *net, struct it_arena *arena,
                                 const struct it_generator_options *options,
                                 const struct it_tokenizer *tokenizer, /* or NULL */
                                 struct it_generator **generator_out);
void it_generator_close(struct it_generator *generator);
enum it_status it_generator_plan(struct it_net *net, const struct it_generator_options *options,
                                 int64_t *bytes_out);

/* Fills completions_out, [sum of n_samples] in the order of requests, then samples. A prompt with
 * no room for one new token within max_length is IT_INVALID. `done` (may be NULL) is called as each
 * completion ends, in the order they end. Stops early with IT_INTERRUPTED when it_interrupted():
 * then completions_out is filled too, what had not ended having the tokens so far (none, when it
 * had not started) and IT_FINISH_INTERRUPTED, and `done` is not called for those. After any other
 * failure there is nothing to free. Deterministic: the same requests give the same completions
 * whatever the slots. */
typedef void it_gen_done(void *context, const struct it_completion *completion);
struct it_gen_run {
    const struct it_weights *weights;
    const struct it_gen_request *requests;
    int64_t n_requests;
    struct it_sampling sampling;
    it_gen_done *done;
    void *context;
    const char *progress; /* NULL: silent; else the word of the progress bar ("rollout") */
};
struct it_gen_totals {
    int64_t prompt_tokens, new_tokens, steps;
    double prefill_s, decode_s;
};
enum it_status it_generator_run(struct it_generator *generator, const struct it_gen_run *run,
                                struct it_completion *completions_out,
                                struct it_gen_totals *totals_out);

#endif
