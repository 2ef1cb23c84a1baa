/* SPDX-License-Identifier: MIT */
/* Each reward against numbers worked out by hand. */
#include <math.h>
#include <strings.h>

#include "core/rl/reward.h"
#include "tests/scratch.h"

enum { MOST = 8 };

static struct it_recipe recipe;
static struct it_sample sample[MOST];
static struct it_group group;
static double out[MOST];

static void begin(void)
{
    memset(&recipe, 0, sizeof recipe);
    memset(sample, 0, sizeof sample);
    recipe = (struct it_recipe){.sc_include_eos = true, .sc_subtract_logv = true, .sc_window = 2,
                                .max_completion_length = 100};
    group = (struct it_group){.n = 1, .sample = sample, .question = "", .has_gold = true,
                              .seed = 1, .update = 1, .key = 0, .log_vocab = 10.0};
    for (int i = 0; i < MOST; i++) { sample[i].text = ""; }
}

static void score(const char *name)
{
    const struct it_reward *reward = it_reward_find(name);
    ck_assert_msg(reward != NULL, "no reward %s", name);
    ck_assert_str_eq(reward->name, name);
    for (int i = 0; i < MOST; i++) { out[i] = -1234.0; }
    reward->score(&recipe, &group, out);
    ck_assert_double_eq(out[group.n], -1234.0); /* nothing beyond the group */
}

static void ck_score(const char *name, double expected)
{
    score(name);
    ck_assert_msg(fabs(out[0] - expected) < 1e-6, "%s: %.9g, expected %.9g", name, out[0],
                  expected);
}

/* The scores of the whole group. */
#define ck_scores(name, ...)                                                                       \
    do {                                                                                           \
        const double expected_[] = {__VA_ARGS__};                                                  \
        score(name);                                                                               \
        ck_assert_int_eq(group.n, (int64_t)(sizeof expected_ / sizeof *expected_));                \
        for (int i_ = 0; i_ < (int)group.n; i_++) {                                                \
            ck_assert_msg(fabs(out[i_] - expected_[i_]) < 1e-9, "%s[%d]: %.9g, expected %.9g",     \
                          name, i_, out[i_], expected_[i_]);                                       \
        }                                                                                          \
    } while (0)

static void answers(int64_t n, const char *const *text)
{
    group.n = n;
    for (int64_t i = 0; i < n; i++) { sample[i].extracted = text[i]; }
}

/* ---- self-certainty ---- */

static const float certainty[] = {1.0f, 2.0f, 3.0f, 6.0f};

START_TEST(self_certainty)
{
    sample[0] = (struct it_sample){.n = 4, .certainty = certainty, .ends_with_stop_id = true};
    ck_score("self_certainty", 3.0);
    recipe.sc_include_eos = false;
    ck_score("self_certainty", 2.0);
    sample[0].ends_with_stop_id = false; /* nothing to drop: it was cut */
    ck_score("self_certainty", 3.0);
    recipe.sc_subtract_logv = false;
    ck_score("self_certainty", 13.0);
    ck_assert_double_eq(it_aggregate(&recipe, &sample[0], certainty), 3.0);
}
END_TEST

START_TEST(self_certainty_aggregates)
{
    sample[0] = (struct it_sample){.n = 4, .certainty = certainty, .ends_with_stop_id = true};
    recipe.sc_agg = IT_SC_SUM;
    ck_score("self_certainty", 12.0);
    recipe.sc_subtract_logv = false;
    ck_score("self_certainty", 52.0);
    recipe.sc_subtract_logv = true;
    recipe.sc_agg = IT_SC_MIN_WINDOW;
    ck_score("self_certainty", 1.5);
    recipe.sc_window = 3;
    ck_score("self_certainty", 2.0);
    recipe.sc_window = 10; /* longer than the completion: all of it */
    ck_score("self_certainty", 3.0);
    recipe.sc_agg = IT_SC_TAIL;
    ck_score("self_certainty", 3.0);
    recipe.sc_window = 2;
    ck_score("self_certainty", 4.5);
    recipe.sc_include_eos = false;
    ck_score("self_certainty", 2.5);
}
END_TEST

START_TEST(self_certainty_in_bf16)
{
    static const float tokens[] = {27.05f, 27.20f}, ties[] = {27.0f, 27.125f}, one[] = {1.0f};
    recipe.sc_dtype = IT_SC_BF16; /* steps of 0.125 between 16 and 32, of 0.0625 below */
    sample[0] = (struct it_sample){.n = 2, .certainty = tokens};
    ck_score("self_certainty", 27.125); /* 27 and 27.25 */
    sample[0].certainty = ties;
    ck_score("self_certainty", 27.0); /* 27.0625 to even */
    sample[0] = (struct it_sample){.n = 1, .certainty = one};
    group.log_vocab = 11.9312; /* 12.9312, rounded after the ln V is back */
    recipe.sc_subtract_logv = false;
    ck_score("self_certainty", 12.9375);
}
END_TEST

START_TEST(without_tokens)
{
    static const char *const names[] = {"self_certainty", "neg_entropy", "em_rl_token",
                                        "em_rl_sequence", "avg_logprob", "gini", "prob_disparity",
                                        "distributional_perplexity", "rent", "overlong"};
    recipe.sc_subtract_logv = recipe.sc_include_eos = false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) { ck_score(names[i], 0.0); }
    ck_score("neg_perplexity", -1.0);
    ck_score("probability", 1.0);
    ck_score("kl_p_u", 10.0);
    sample[0] = (struct it_sample){.n = 1, .certainty = certainty, .ends_with_stop_id = true};
    ck_score("self_certainty", 0.0); /* the stop token alone, left out */
}
END_TEST

/* ---- the family of statistics ---- */

START_TEST(statistics)
{
    static const float entropy[] = {0.5f, 1.0f, 1.5f}, logprob[] = {-0.5f, -1.0f, -0.75f};
    static const float sum_p2[] = {0.25f, 0.5f, 0.75f}, margin[] = {0.125f, 0.25f, 0.75f};
    sample[0] = (struct it_sample){.n = 3, .entropy = entropy, .logprob = logprob,
                                   .sum_p2 = sum_p2, .margin = margin};
    ck_score("neg_entropy", -1.0);
    ck_score("kl_p_u", 9.0);
    ck_score("em_rl_token", -3.0);
    ck_score("em_rl_sequence", -2.25);
    ck_score("avg_logprob", -0.75);
    ck_score("neg_perplexity", -2.117000017); /* -exp(0.75) */
    ck_score("probability", 0.105399225);     /* exp(-2.25) */
    ck_score("prob_disparity", 0.375);
    recipe.sc_agg = IT_SC_TAIL;
    ck_score("prob_disparity", 0.5); /* the last two */
    ck_score("gini", 0.5);
    ck_score("distributional_perplexity", -2.949564057); /* of e^.5 + e^1 + e^1.5, a third */
    ck_score("rent", -1.0);
    ck_score("rent_format", -7.0);
    sample[0].extracted = "5";
    ck_score("rent_format", -1.0);
}
END_TEST

/* ---- votes ---- */

static bool same_letter(void *context, const char *a, const char *b)
{
    ck_assert_ptr_eq(context, &recipe);
    return strcasecmp(a, b) == 0;
}

/* Not transitive: 1 and 3 differ. */
static bool neighbours(void *context, const char *a, const char *b)
{
    (void)context;
    return abs(a[0] - b[0]) <= 1;
}

START_TEST(plurality)
{
    answers(6, (const char *[]){"7", NULL, "5", "7", "", "7"});
    ck_scores("plurality", 1, 0, 0, 1, 0, 1);
    answers(3, (const char *[]){NULL, NULL, ""});
    ck_scores("plurality", 0, 0, 0);
    answers(4, (const char *[]){NULL, "x", "y", "z"}); /* three alone: the first */
    ck_scores("plurality", 0, 1, 0, 0);
    answers(4, (const char *[]){"3", "1", "2", "9"});
    group.equal = neighbours; /* 3, 1: apart; 2 joins 3, the first that it equals */
    ck_scores("plurality", 1, 0, 1, 0);
    answers(3, (const char *[]){"1", "2", "3"}); /* through 2 */
    ck_scores("plurality", 1, 1, 1);
}
END_TEST

START_TEST(plurality_ties)
{
    int wins[2] = {0, 0};
    answers(5, (const char *[]){"A", "b", "a", "B", "c"});
    group.equal = same_letter;
    group.context = &recipe;
    ck_scores("plurality", 1, 0, 1, 0, 0);
    recipe.plurality_tie = IT_TIE_ZERO;
    ck_scores("plurality", 0, 0, 0, 0, 0);
    recipe.plurality_tie = IT_TIE_SPLIT;
    ck_scores("plurality", 0.5, 0.5, 0.5, 0.5, 0);
    recipe.plurality_tie = IT_TIE_RANDOM;
    for (group.update = 1; group.update <= 64; group.update++) {
        score("plurality");
        ck_assert(out[0] + out[1] == 1.0 && out[0] == out[2] && out[1] == out[3] && out[4] == 0.0);
        wins[out[1] == 1.0]++;
    }
    ck_assert_int_gt(wins[0], 16);
    ck_assert_int_gt(wins[1], 16);
    answers(3, (const char *[]){"a", "b", "b"}); /* no tie: every policy agrees */
    for (int tie = IT_TIE_FIRST; tie <= IT_TIE_SPLIT; tie++) {
        recipe.plurality_tie = tie;
        ck_scores("plurality", 0, 1, 1);
    }
}
END_TEST

START_TEST(empo)
{
    answers(4, (const char *[]){"a", "a", "b", NULL});
    ck_scores("empo", 0.5, 0.5, 0.25, 0);
    answers(4, (const char *[]){"a", "b", "c", NULL}); /* semantic entropy ln G */
    ck_scores("empo", 0, 0, 0, 0);
    answers(2, (const char *[]){"a", "a"});
    ck_scores("empo", 1, 1);
}
END_TEST

/* ---- verdicts and controls ---- */

START_TEST(accuracy)
{
    group.n = 3;
    sample[0].gradable = sample[0].correct = sample[1].gradable = true;
    score("accuracy");
    ck_assert_double_eq(out[0], 1.0);
    ck_assert_double_eq(out[1], 0.0);
    ck_assert_double_nan(out[2]);
    score("incorrect");
    ck_assert_double_eq(out[0], 0.0);
    ck_assert_double_eq(out[1], 1.0);
    ck_assert_double_nan(out[2]);
    group.has_gold = false;
    score("accuracy");
    ck_assert_double_nan(out[0]);
    ck_assert(it_reward_find("accuracy")->needs_gold && it_reward_find("incorrect")->needs_gold);
    ck_assert(!it_reward_find("plurality")->needs_gold);
}
END_TEST

START_TEST(controls)
{
    group.n = 3;
    sample[0].extracted = "5";
    sample[1].extracted = "";
    ck_scores("format_only", 1, 0, 0);
    sample[0].text = "in PyThon:";
    sample[1].text = "pytho";
    sample[2].text = "a pythonista";
    ck_scores("contains_keyword", 1, 0, 1);
}
END_TEST

START_TEST(random_reward)
{
    double heads = 0.0, changed = 0.0, before[4] = {0};
    group.n = 4;
    for (group.update = 1; group.update <= 1000; group.update++) {
        score("random");
        for (int i = 0; i < 4; i++) {
            ck_assert(out[i] == 0.0 || out[i] == 1.0);
            heads += out[i];
            changed += out[i] != before[i];
            before[i] = out[i];
        }
    }
    ck_assert(heads > 1900.0 && heads < 2100.0); /* 2000 +- 31.6 */
    ck_assert(changed > 1900.0 && changed < 2100.0);
    group.update = 1000;
    score("random"); /* the same numbers again */
    for (int i = 0; i < 4; i++) { ck_assert_double_eq(out[i], before[i]); }
}
END_TEST

START_TEST(repetition)
{
    static const struct {
        const char *text;
        double score;
    } cases[] = {
        {"a b c a b c", -0.25}, /* abc bca cab abc */
        {" A b\tC a B\nc ", -0.25},
        {"x x x x x", -2.0 / 3.0},
        {"a b c d", 0.0},
        {"ab c x a bc x", 0.0}, /* letters are not moved between words */
        {"aa a a a aa a", 0.0}, /* nor is a word its beginning */
        {"a b", 0.0},
        {"   ", 0.0},
        {"", 0.0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sample[0].text = cases[i].text;
        ck_score("repetition", cases[i].score);
    }
}
END_TEST

START_TEST(overlong)
{
    static const struct {
        int64_t limit, n;
        double score;
    } cases[] = {{100, 80, 0.0}, {100, 85, -0.25}, {100, 100, -1.0}, {100, 150, -1.0},
                 {3, 2, 0.0},    {3, 3, -1.0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        recipe.max_completion_length = cases[i].limit;
        sample[0].n = cases[i].n;
        ck_score("overlong", cases[i].score);
    }
}
END_TEST

/* ---- the table ---- */

static void zeros(const struct it_recipe *r, const struct it_group *g, double *scores)
{
    (void)r;
    for (int64_t i = 0; i < g->n; i++) { scores[i] = 0.0; }
}

START_TEST(plug_ins_join)
{
    static const struct it_reward mine = {"mine", "Nothing.", false, zeros};
    static const struct it_reward taken = {"gini", "Nothing.", false, zeros};
    static const struct it_reward nameless = {"", "Nothing.", false, zeros};
    size_t n = 0;
    scratch_begin();
    while (it_reward_at(n)) { n++; }
    ck_assert_uint_eq(n, 22);
    ck_assert_int_eq(it_reward_register(&mine), IT_OK);
    ck_assert_ptr_eq(it_reward_find("mine"), &mine);
    ck_assert_ptr_eq(it_reward_at(n), &mine);
    ck_assert_ptr_null(it_reward_at(n + 1));
    ck_assert_fails(it_reward_register(&mine), IT_INVALID, "reward \"mine\" is there already");
    ck_assert_fails(it_reward_register(&taken), IT_INVALID, "reward \"gini\" is there already");
    ck_assert_fails(it_reward_register(&nameless), IT_INVALID, "needs a name");
    ck_assert_ptr_null(it_reward_find("nobody"));
    scratch_end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reward");
    TCase *tests = tcase_create("reward");
    tcase_add_checked_fixture(tests, begin, NULL);
    tcase_add_test(tests, self_certainty);
    tcase_add_test(tests, self_certainty_aggregates);
    tcase_add_test(tests, self_certainty_in_bf16);
    tcase_add_test(tests, without_tokens);
    tcase_add_test(tests, statistics);
    tcase_add_test(tests, plurality);
    tcase_add_test(tests, plurality_ties);
    tcase_add_test(tests, empo);
    tcase_add_test(tests, accuracy);
    tcase_add_test(tests, controls);
    tcase_add_test(tests, random_reward);
    tcase_add_test(tests, repetition);
    tcase_add_test(tests, overlong);
    tcase_add_test(tests, plug_ins_join);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
