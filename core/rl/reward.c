/* SPDX-License-Identifier: MIT */
/* The table of rewards, and what plug-ins add to it. */
#include "core/rl/reward.h"

#include <string.h>

#include "core/base/log.h"
#include "core/rl/reward_internal.h"

/* H: entropy of a token's distribution, lp: log-prob of the token chosen, V: vocabulary, G: samples
 * of the prompt. Means are over the completion's tokens. */
static const struct it_reward rows[] = {
    {"self_certainty", "mean KL(uniform || p) = -mean of ln(V p) over the vocabulary (INTUITOR, "
     "arXiv 2505.19590); the sc_* keys choose tokens, aggregate and rounding", false,
     it_reward_self_certainty},
    {"kl_p_u", "mean (ln V - H): the other direction, same advantages as neg_entropy", false,
     it_reward_kl_p_u},
    {"neg_entropy", "-mean H (entropy minimisation; 2505.19590, appendix B.4)", false,
     it_reward_neg_entropy},
    {"em_rl_token", "-sum H (EM-RL, arXiv 2505.15134)", false, it_reward_em_rl_token},
    {"em_rl_sequence", "sum lp (EM-RL-sequence, arXiv 2505.15134; favours short answers)", false,
     it_reward_em_rl_sequence},
    {"avg_logprob", "mean lp (2505.19590, appendix B.4; favours long answers)", false,
     it_reward_avg_logprob},
    {"neg_perplexity", "-exp(-mean lp)", false, it_reward_neg_perplexity},
    {"probability", "exp(sum lp), the completion's probability (RLSC)", false,
     it_reward_probability},
    {"prob_disparity", "mean of the best probability minus the second best (RLSF), over the tokens "
     "of the sc_agg key: tail reads the answer only", false, it_reward_prob_disparity},
    {"gini", "mean sum of p^2 (arXiv 2502.18581)", false, it_reward_gini},
    {"distributional_perplexity", "-mean exp(H) (arXiv 2502.18581)", false,
     it_reward_distributional_perplexity},
    {"rent", "-mean H (RENT)", false, it_reward_rent},
    {"rent_format", "rent, and -7 where no answer is found (RENT with format)", false,
     it_reward_rent_format},
    {"empo", "share of the group that gives the same answer; 0 without an answer, and for all when "
     "no two agree (EMPO, arXiv 2504.05812)", false, it_reward_empo},
    {"plurality", "1 for the group's most frequent answer, else 0 (GRPO-PV, after TTRL); "
     "plurality_tie settles ties", false, it_reward_plurality},
    {"random", "1 or 0 with even chances (a control)", false, it_reward_random},
    {"format_only", "1 where an answer is found, right or wrong (a control)", false,
     it_reward_format_only},
    {"incorrect", "1 - accuracy (a control)", true, it_reward_incorrect},
    {"accuracy", "1 for the gold answer, 0 for another; left out where gold cannot be read", true,
     it_reward_accuracy},
    {"contains_keyword", "1 where the text mentions python, in any case (a control)", false,
     it_reward_contains_keyword},
    {"repetition", "-(1 - distinct / all) over the text's runs of 3 words", false,
     it_reward_repetition},
    {"overlong", "0, falling to -1 over the last fifth of max_completion_length (DAPO)", false,
     it_reward_overlong},
};
enum { N_ROWS = sizeof rows / sizeof *rows, MOST_ADDED = 64 };

/* Filled while plug-ins load, before any run. */
static const struct it_reward *added[MOST_ADDED];
static size_t n_added;

const struct it_reward *it_reward_at(size_t index)
{
    if (index < N_ROWS) { return &rows[index]; }
    return index - N_ROWS < n_added ? added[index - N_ROWS] : NULL;
}

const struct it_reward *it_reward_find(const char *name)
{
    const struct it_reward *reward;
    for (size_t i = 0; (reward = it_reward_at(i)); i++) {
        if (strcmp(reward->name, name) == 0) { return reward; }
    }
    return NULL;
}

enum it_status it_reward_register(const struct it_reward *reward)
{
    if (!reward->name || reward->name[0] == '\0' || !reward->score) {
        return it_fail(IT_INVALID, "a reward needs a name and a score function");
    }
    if (it_reward_find(reward->name)) {
        return it_fail(IT_INVALID, "reward \"%s\" is there already; give yours another name",
                       reward->name);
    }
    if (n_added == MOST_ADDED) {
        return it_fail(IT_UNSUPPORTED, "reward \"%s\": plug-ins can add %d rewards at most",
                       reward->name, MOST_ADDED);
    }
    added[n_added++] = reward;
    return IT_OK;
}
