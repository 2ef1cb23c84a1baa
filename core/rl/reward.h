/* SPDX-License-Identifier: MIT */
/* Rewards: one row each, computed for the samples of one prompt together. */
#ifndef IT_RL_REWARD_H
#define IT_RL_REWARD_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"
#include "core/rl/recipe.h"

/* What is known of one completion. Arrays have n entries. */
struct it_sample {
    int64_t n;
    const int32_t *ids;
    const float *logprob, *entropy, *certainty, *sum_p2, *margin;
    bool finished;          /* ended by a stop id or string, not by length */
    bool ends_with_stop_id; /* its last id is a stop id */
    const char *text;       /* without special tokens */
    const char *extracted;  /* the grader's answer; NULL: none */
    bool gradable, correct;
    int64_t boxes; /* complete \boxed{} in the text */
};

struct it_group {
    int64_t n;
    const struct it_sample *sample;
    const char *question; /* the prompt's text */
    bool has_gold;
    bool (*equal)(void *context, const char *a, const char *b); /* the same answer? */
    void *context;
    uint64_t seed, update, key; /* of random numbers */
    double log_vocab;           /* ln V of the statistics */
};

struct it_reward {
    const char *name;
    const char *doc; /* formula and source */
    bool needs_gold;
    /* out[i]: NaN where the completion cannot be rewarded (not gradable): left out of the group. */
    void (*score)(const struct it_recipe *recipe, const struct it_group *group, double *out);
};
const struct it_reward *it_reward_find(const char *name);
const struct it_reward *it_reward_at(size_t index); /* NULL past the end */
/* Rewards of plug-ins join the table. */
enum it_status it_reward_register(const struct it_reward *reward);

/* Aggregate a per-token statistic over the tokens that count (sc_include_eos, sc_agg, sc_window).
 * */
double it_aggregate(const struct it_recipe *recipe, const struct it_sample *sample,
                    const float *values);

#endif
