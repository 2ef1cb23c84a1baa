/* SPDX-License-Identifier: MIT */
/* Rewards from verdicts, the controls that say nothing about the answer, and shapes of the text. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/mem.h"
#include "core/rl/reward_internal.h"

/* ---- verdicts ---- */

void it_reward_accuracy(const struct it_recipe *recipe, const struct it_group *group, double *out)
{
    (void)recipe;
    for (int64_t i = 0; i < group->n; i++) {
        const struct it_sample *s = &group->sample[i];
        out[i] = !group->has_gold || !s->gradable ? NAN : s->correct ? 1.0 : 0.0;
    }
}

void it_reward_incorrect(const struct it_recipe *recipe, const struct it_group *group, double *out)
{
    it_reward_accuracy(recipe, group, out);
    for (int64_t i = 0; i < group->n; i++) { out[i] = 1.0 - out[i]; }
}

void it_reward_format_only(const struct it_recipe *recipe, const struct it_group *group,
                           double *out)
{
    (void)recipe;
    for (int64_t i = 0; i < group->n; i++) {
        out[i] = it_sample_answered(&group->sample[i]) ? 1.0 : 0.0;
    }
}

/* ---- controls ---- */

void it_reward_random(const struct it_recipe *recipe, const struct it_group *group, double *out)
{
    (void)recipe;
    for (int64_t i = 0; i < group->n; i++) {
        out[i] = (double)(it_group_random(group, IT_STREAM_RANDOM_REWARD, (uint32_t)i) >> 31);
    }
}

void it_reward_contains_keyword(const struct it_recipe *recipe, const struct it_group *group,
                                double *out)
{
    static const char keyword[] = "python"; /* of "Spurious Rewards" */
    (void)recipe;
    for (int64_t i = 0; i < group->n; i++) {
        const char *c = group->sample[i].text;
        while (*c && strncasecmp(c, keyword, sizeof keyword - 1) != 0) { c++; }
        out[i] = *c ? 1.0 : 0.0;
    }
}

/* ---- shapes ---- */

struct word {
    const char *start;
    size_t length;
    int64_t place; /* in the text */
};

/* Three words by their numbers: equal words have equal numbers. */
struct triple {
    int64_t id[3];
};

static int compare_words(const void *a, const void *b)
{
    const struct word *x = a, *y = b;
    size_t shorter = x->length < y->length ? x->length : y->length;
    int order = strncasecmp(x->start, y->start, shorter);
    if (order == 0) { order = (x->length > y->length) - (x->length < y->length); }
    return order;
}

static int compare_triples(const void *a, const void *b)
{
    const struct triple *x = a, *y = b;
    for (int i = 0; i < 3; i++) {
        if (x->id[i] != y->id[i]) { return x->id[i] < y->id[i] ? -1 : 1; }
    }
    return 0;
}

/* Words between white space, in either case; ids_out[place] is a word's number. */
static int64_t number_words(const char *text, int64_t **ids_out)
{
    struct word *words = NULL;
    size_t n = 0, room = 0;
    for (const char *c = text; *c;) {
        while (isspace((unsigned char)*c)) { c++; }
        const char *start = c;
        while (*c && !isspace((unsigned char)*c)) { c++; }
        if (c == start) { break; }
        words = it_grow(words, &room, n + 1, sizeof *words);
        words[n] = (struct word){start, (size_t)(c - start), (int64_t)n};
        n++;
    }
    int64_t *ids = it_alloc((n + 1) * sizeof *ids), id = 0;
    if (n > 0) { qsort(words, n, sizeof *words, compare_words); }
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && compare_words(&words[i - 1], &words[i]) != 0) { id++; }
        ids[words[i].place] = id;
    }
    it_free(words);
    *ids_out = ids;
    return (int64_t)n;
}

/* 1 - distinct / all of the runs of three words; 0 with fewer words. */
static double repeated_share(const char *text)
{
    int64_t *ids;
    int64_t n = number_words(text, &ids) - 2;
    double share = 0.0;
    if (n > 0) {
        struct triple *runs = it_alloc((size_t)n * sizeof *runs);
        int64_t distinct = 1;
        for (int64_t i = 0; i < n; i++) {
            runs[i] = (struct triple){{ids[i], ids[i + 1], ids[i + 2]}};
        }
        qsort(runs, (size_t)n, sizeof *runs, compare_triples);
        for (int64_t i = 1; i < n; i++) {
            distinct += compare_triples(&runs[i - 1], &runs[i]) != 0;
        }
        share = 1.0 - (double)distinct / (double)n;
        it_free(runs);
    }
    it_free(ids);
    return share;
}

void it_reward_repetition(const struct it_recipe *recipe, const struct it_group *group,
                          double *out)
{
    (void)recipe;
    for (int64_t i = 0; i < group->n; i++) { out[i] = -repeated_share(group->sample[i].text); }
}

void it_reward_overlong(const struct it_recipe *recipe, const struct it_group *group, double *out)
{
    int64_t limit = recipe->max_completion_length, buffer = limit / 5;
    if (buffer < 1) { buffer = 1; }
    for (int64_t i = 0; i < group->n; i++) {
        int64_t over = group->sample[i].n - (limit - buffer);
        double share = (double)over / (double)buffer;
        out[i] = over <= 0 ? 0.0 : share > 1.0 ? -1.0 : -share;
    }
}
