/* SPDX-License-Identifier: MIT */
/* A model opened to sample from: the arena and the generator within the memory there is, and
 * completions as records. */
#ifndef IT_CLI_SAMPLER_H
#define IT_CLI_SAMPLER_H

#include "cli/cli.h"
#include "core/gen/gen.h"

/* Device and model for sequences of up to `positions` tokens; closed with both closers. */
struct it_cli_engine {
    struct it_device *device;
    struct it_model *model;
    int64_t limit; /* --memory-limit, 0: none */
};
struct it_cli_engine_options {
    const char *folder;
    const char *adapter; /* NULL: none, or the folder is one */
    struct it_tokenizer *tokenizer; /* of the folder, lent; NULL: it is not open yet */
    const struct it_cli_common *common;
    int64_t positions;
    bool exact;
};
enum it_status it_cli_engine_open(const struct it_cli_engine_options *options,
                                  struct it_cli_engine *engine_out);
void it_cli_engine_close(struct it_cli_engine *engine);
/* Bytes of device memory that are left for what is not weights. */
int64_t it_cli_engine_room(const struct it_cli_engine *engine);

struct it_cli_sampler {
    struct it_arena *arena;
    struct it_generator *generator;
};
/* As many slots as memory allows, for `completions` of at most max_length tokens each, prompt
 * included. */
enum it_status it_cli_sampler_open(const struct it_cli_engine *engine, int64_t completions,
                                   int64_t max_length, struct it_cli_sampler *sampler_out);
void it_cli_sampler_close(struct it_cli_sampler *sampler);

/* --temperature and its kind. IT_INVALID, named by the command, before anything is opened. */
struct it_cli_sampling {
    double temperature, top_p, min_p;
    int64_t top_k, n, max_new_tokens;
};
enum it_status it_cli_sampling_check(const char *command, const struct it_cli_sampling *sampling);
/* Statistics are those of the unfiltered distribution at temperature 1. */
struct it_sampling it_cli_sampling(const struct it_cli_sampling *sampling,
                                   const struct it_model *model, int64_t seed);

/* What a completion says: special tokens left out, cut before a stop string. */
json_t *it_cli_completion_text(const struct it_tokenizer *tokenizer, const struct it_completion *c,
                               const struct it_strs *stop);
/* Sets finish_reason, logprob (sum), self_certainty, entropy and gini, the sum of p^2 (means; null
 * without tokens). */
void it_cli_completion_stats(json_t *object, const struct it_completion *c);

#endif
