/* SPDX-License-Identifier: MIT */
/* For tests of mathematical answers: whether a rule finds a prediction equal to a gold, alone and
 * for tables. */
#ifndef IT_TESTS_ANSWERS_H
#define IT_TESTS_ANSWERS_H

#include <check.h>

#include "tasks/grade/answer.h"

/* `settings` may be NULL: the profile's own. */
static inline bool same_with(const char *profile, const struct it_answer_settings *settings,
                             const char *gold, const char *pred)
{
    struct it_verdict verdict;
    it_answer_grade(profile, IT_GOLD_TEXT, settings, gold, pred, &verdict);
    bool correct = verdict.correct;
    it_verdict_free(&verdict);
    return correct;
}

static inline bool same(const char *profile, const char *gold, const char *pred)
{
    return same_with(profile, NULL, gold, pred);
}

struct pair {
    const char *gold, *pred;
    bool equal;
};

static inline void check_pairs(const char *profile, const struct pair *pair, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ck_assert_msg(same(profile, pair[i].gold, pair[i].pred) == pair[i].equal,
                      "%s: gold %s, prediction %s: expected %s", profile, pair[i].gold,
                      pair[i].pred, pair[i].equal ? "equal" : "not equal");
    }
}
#define CHECK_PAIRS(profile, list) check_pairs(profile, list, sizeof(list) / sizeof *(list))

#endif
