/* SPDX-License-Identifier: MIT */
/* Rewards from the agreement of a group's answers: plurality votes (GRPO-PV, as TTRL) and EMPO. */
#include <string.h>

#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/rl/reward_internal.h"

uint32_t it_group_random(const struct it_group *group, uint64_t stream, uint32_t i)
{
    struct it_rng rng; /* a key of its own: the sampler counts under the plain seed */
    it_rng_init(&rng, group->seed, stream);
    const uint32_t counter[4] = {(uint32_t)group->update, (uint32_t)(group->update >> 32),
                                 (uint32_t)group->key, i};
    uint32_t word[4];
    it_philox(rng.key, counter, word);
    return word[0];
}

/* A group's answers: cluster[i] is the first sample with the answer of sample i, -1 without one;
 * votes[c] counts the samples of cluster c. */
struct votes {
    int64_t *cluster, *count;
    int64_t most, tied; /* votes of the largest cluster, and how many have as many */
};

static bool same(const struct it_group *group, int64_t earlier, int64_t later)
{
    const char *a = group->sample[earlier].extracted, *b = group->sample[later].extracted;
    return strcmp(a, b) == 0 || (group->equal && group->equal(group->context, a, b));
}

/* Equality of answers is not always transitive: a sample joins the cluster of the first earlier
 * one that it equals. */
static void count_votes(const struct it_group *group, struct votes *v)
{
    v->cluster = it_alloc((size_t)group->n * sizeof *v->cluster);
    v->count = it_calloc((size_t)group->n, sizeof *v->count);
    v->most = v->tied = 0;
    for (int64_t i = 0; i < group->n; i++) {
        v->cluster[i] = it_sample_answered(&group->sample[i]) ? i : -1;
        for (int64_t j = 0; j < i && v->cluster[i] == i; j++) {
            if (v->cluster[j] >= 0 && same(group, j, i)) { v->cluster[i] = v->cluster[j]; }
        }
        if (v->cluster[i] >= 0) { v->count[v->cluster[i]]++; }
    }
    for (int64_t c = 0; c < group->n; c++) {
        if (v->count[c] > v->most) {
            v->most = v->count[c];
            v->tied = 0;
        }
        if (v->count[c] == v->most && v->most > 0) { v->tied++; }
    }
}

static void votes_free(struct votes *v)
{
    it_free(v->cluster);
    it_free(v->count);
}

/* The cluster that wins: number `pick` of the tied ones, in the order of their first samples. */
static int64_t winner(const struct votes *v, int64_t n, int64_t pick)
{
    for (int64_t c = 0; c < n; c++) {
        if (v->count[c] == v->most && pick-- == 0) { return c; }
    }
    return -1;
}

void it_reward_plurality(const struct it_recipe *recipe, const struct it_group *group, double *out)
{
    struct votes v;
    count_votes(group, &v);
    enum it_plurality_tie policy = (enum it_plurality_tie)recipe->plurality_tie;
    bool split = policy == IT_TIE_SPLIT, none = policy == IT_TIE_ZERO && v.tied > 1;
    int64_t pick = 0;
    if (policy == IT_TIE_RANDOM && v.tied > 1) {
        pick = (int64_t)(((uint64_t)it_group_random(group, IT_STREAM_TIE, 0) *
                          (uint64_t)v.tied) >> 32);
    }
    int64_t best = v.most > 0 ? winner(&v, group->n, pick) : -1;
    for (int64_t i = 0; i < group->n; i++) {
        int64_t c = v.cluster[i];
        out[i] = 0.0;
        if (c < 0 || none) { continue; }
        if (split && v.count[c] == v.most) { out[i] = 1.0 / (double)v.tied; }
        if (!split && c == best) { out[i] = 1.0; }
    }
    votes_free(&v);
}

/* Zero where the semantic entropy is at its largest, ln G: that is where every sample stands alone,
 * those without an answer included. */
void it_reward_empo(const struct it_recipe *recipe, const struct it_group *group, double *out)
{
    (void)recipe;
    struct votes v;
    count_votes(group, &v);
    for (int64_t i = 0; i < group->n; i++) {
        int64_t c = v.cluster[i];
        out[i] = c >= 0 && v.most > 1 ? (double)v.count[c] / (double)group->n : 0.0;
    }
    votes_free(&v);
}
