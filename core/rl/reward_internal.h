/* SPDX-License-Identifier: MIT */
/* Between the files of the rewards: what the table of reward.c names. */
#ifndef IT_RL_REWARD_INTERNAL_H
#define IT_RL_REWARD_INTERNAL_H

#include "core/rl/reward.h"

typedef void it_reward_fn(const struct it_recipe *recipe, const struct it_group *group,
                          double *out);

/* reward_stats.c: means and sums of what the model said of its own tokens */
it_reward_fn it_reward_self_certainty, it_reward_kl_p_u, it_reward_neg_entropy,
    it_reward_em_rl_token, it_reward_em_rl_sequence, it_reward_avg_logprob,
    it_reward_neg_perplexity, it_reward_probability, it_reward_prob_disparity, it_reward_gini,
    it_reward_distributional_perplexity, it_reward_rent, it_reward_rent_format;
/* reward_votes.c: agreement of a group's answers */
it_reward_fn it_reward_plurality, it_reward_empo;
/* reward_text.c: verdicts, controls and texts */
it_reward_fn it_reward_accuracy, it_reward_incorrect, it_reward_format_only, it_reward_random,
    it_reward_contains_keyword, it_reward_repetition, it_reward_overlong;

/* There is an answer to compare. */
static inline bool it_sample_answered(const struct it_sample *sample)
{
    return sample->extracted && sample->extracted[0] != '\0';
}

/* The i-th word of random bits that belongs to this group and to `stream` (one a use). */
uint32_t it_group_random(const struct it_group *group, uint64_t stream, uint32_t i);
enum { IT_STREAM_RANDOM_REWARD = 0x72776172, IT_STREAM_TIE = 0x65697472 };

#endif
