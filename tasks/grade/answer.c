/* SPDX-License-Identifier: MIT */
/* Grading mathematical answers: a table of profiles over one extractor and one equality. */
#include "tasks/grade/answer.h"

#include <stdatomic.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "tasks/grade/equal.h"
#include "tasks/grade/exact.h"
#include "tasks/grade/extract.h"
#include "tasks/grade/hendrycks.h"
#include "tasks/grade/latex.h"
#include "tasks/grade/letter.h"

struct profile {
    const char *name;
    struct it_extract_rules extract;
    struct it_equal_rules equal;
    bool swapped;         /* the prediction stands in the place of the gold */
    bool drops_reasoning; /* what a completion has between <think> and </think> is not read */
};

static const struct profile profiles[] = {
    {.name = "math-verify",
     .extract =
         {.latex = true, .plain = true, .box_priority = 0, .fold_case = true, .keep_text = true},
     .equal = {.decimals = 6, .round_constants = true}},
    {.name = "lighteval",
     .extract = {.latex = true,
                 .plain = true,
                 .box_priority = 55,
                 .keep_text = true,
                 .loose_groups = true,
                 .older = true},
     .equal = {.decimals = 6, .poles_equal = true, .named_sets_equal = true},
     .drops_reasoning = true},
    {.name = "lighteval-2025-05",
     .extract =
         {.latex = true, .plain = true, .box_priority = 55, .loose_groups = true, .older = true},
     .equal = {.decimals = -1, .poles_equal = true, .named_sets_equal = true},
     .swapped = true},
};

static const struct profile *find_profile(const char *name)
{
    for (size_t i = 0; i < sizeof profiles / sizeof *profiles; i++) {
        if (strcmp(profiles[i].name, name) == 0) { return &profiles[i]; }
    }
    return &profiles[0];
}

static bool answers_equal(const struct profile *profile, struct it_answer *gold,
                          struct it_answer *pred)
{
    if (gold->first != NULL && pred->first != NULL && it_latex_same(gold->first, pred->first)) {
        return true;
    }
    if (profile->swapped) {
        struct it_answer *other = gold;
        gold = pred;
        pred = other;
    }
    if (gold->expr == NULL || pred->expr == NULL) { return false; }
    return it_equal(&profile->equal, &gold->pool, gold->expr, pred->expr);
}

/* Prose is no formula, though its letters could be multiplied: two bare words of three letters. */
static bool is_prose(const char *text)
{
    int words = 0, run = 0;
    bool command = false;
    for (int depth = 0;; text++) {
        char c = *text;
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (letter) {
            run++;
            continue;
        }
        if (run >= 3 && !command && depth == 0) { words++; }
        if (c == '{') { depth++; }
        if (c == '}') { depth--; }
        run = 0;
        command = c == '\\';
        if (c == '\0') { break; }
    }
    return words >= 2;
}

static bool has_delimiter(const char *text)
{
    static const char *const mark[] = {"\\boxed", "\\fbox", "$", "\\(", "\\["};
    for (size_t i = 0; i < sizeof mark / sizeof *mark; i++) {
        const char *at = strstr(text, mark[i]);
        if (at != NULL && (at == text || mark[i][0] != '$' || at[-1] != '\\')) { return true; }
    }
    return false;
}

static void read_gold(const struct profile *profile, enum it_gold kind, const char *text,
                      struct it_answer *answer_out)
{
    struct it_extract_rules rules = profile->extract;
    if (kind == IT_GOLD_NUMBER || kind == IT_GOLD_RATIONALE) {
        rules.latex = false;
        it_answer_find(&rules, text, strlen(text), answer_out);
        return;
    }
    bool bare = !has_delimiter(text);
    if (bare && kind == IT_GOLD_ANSWER) {
        if (is_prose(text)) {
            rules.keep_text = false;
            it_answer_find(&rules, "", 0, answer_out);
            return;
        }
        it_answer_whole(&rules, text, strlen(text), answer_out);
        return;
    }
    it_answer_find(&rules, text, strlen(text), answer_out);
    if (answer_out->expr == NULL && answer_out->text == NULL && bare && !is_prose(text)) {
        it_answer_free(answer_out);
        it_answer_whole(&rules, text, strlen(text), answer_out);
    }
}

static void grade_hendrycks(enum it_gold kind, const char *gold, const char *pred,
                            struct it_verdict *verdict)
{
    bool pair = kind == IT_GOLD_TEXT;
    char *wanted = pair ? NULL : it_hendrycks_box(gold);
    char *found = it_hendrycks_box(pred);
    if (pair && found == NULL) { found = it_strdup(pred); }
    if (pair) { wanted = it_hendrycks_box(gold); }
    verdict->gradable = true;
    verdict->correct = found != NULL && it_hendrycks_equal(wanted != NULL ? wanted : gold, found);
    if (found == NULL) { verdict->detail = it_strdup("no box"); }
    verdict->extracted = found;
    it_free(wanted);
}

static void grade_letters(bool unspaced, const char *gold, const char *pred,
                          struct it_verdict *verdict)
{
    char wanted = it_letter_find(gold, unspaced), found = it_letter_find(pred, unspaced);
    verdict->gradable = wanted != '\0';
    verdict->correct = verdict->gradable && wanted == found;
    if (found != '\0') { verdict->extracted = it_strndup(&found, 1); }
    if (!verdict->gradable) {
        verdict->detail = it_strdup("the gold holds no letter");
    } else if (found == '\0') {
        verdict->detail = it_strdup("no letter found");
    }
}

/* Said once: what this build cannot decide. */
static void mention_build(void)
{
    static atomic_flag said = ATOMIC_FLAG_INIT;
    if (!it_exact_available() && !atomic_flag_test_and_set(&said)) {
        it_info("answers are compared with fractions and doubles: this build has no Calcium, which "
                "proves equality");
    }
}

/* The text without "<think>...</think>". The caller frees. */
static char *without_reasoning(const char *text)
{
    static const char open[] = "<think>", close[] = "</think>";
    struct it_str kept = {0};
    for (;;) {
        const char *from = strstr(text, open);
        const char *to = from != NULL ? strstr(from + strlen(open), close) : NULL;
        if (to == NULL) { break; }
        it_str_add(&kept, text, (size_t)(from - text));
        text = to + strlen(close);
    }
    it_str_puts(&kept, text);
    return it_str_take(&kept);
}

static void apply_settings(const struct it_answer_settings *settings, struct profile *profile)
{
    if (settings->latex || settings->plain) {
        profile->extract.latex = settings->latex;
        profile->extract.plain = settings->plain;
    }
    if (settings->decimals > 0) { profile->equal.decimals = settings->decimals; }
    profile->equal.rename = settings->rename;
    profile->equal.relations_as_sets = settings->relations_as_sets;
    profile->extract.unspaced = settings->unspaced;
}

void it_answer_grade(const char *name, enum it_gold kind, const struct it_answer_settings *settings,
                     const char *gold_text, const char *text, struct it_verdict *verdict_out)
{
    struct it_verdict verdict = {0};
    mention_build();
    if (settings != NULL && settings->letters) {
        grade_letters(settings->unspaced, gold_text, text, &verdict);
        *verdict_out = verdict;
        return;
    }
    if (strcmp(name, "hendrycks") == 0) {
        grade_hendrycks(kind, gold_text, text, &verdict);
        *verdict_out = verdict;
        return;
    }
    struct profile chosen = *find_profile(name);
    const struct profile *profile = &chosen;
    if (settings != NULL) { apply_settings(settings, &chosen); }
    if (kind == IT_GOLD_RATIONALE) { /* the metric of gsm8k has settings of its own */
        chosen.extract.box_priority = 0;
        chosen.equal.decimals = chosen.equal.decimals < 0 ? -1 : 5;
    }
    struct it_answer gold, pred;
    read_gold(profile, kind, gold_text, &gold);
    char *spoken =
        profile->drops_reasoning && kind != IT_GOLD_TEXT ? without_reasoning(text) : NULL;
    if (spoken != NULL) { text = spoken; }
    it_answer_find(&profile->extract, text, strlen(text), &pred);
    if (kind == IT_GOLD_TEXT && pred.expr == NULL && pred.text == NULL && !has_delimiter(text) &&
        !has_delimiter(gold_text) && !is_prose(text)) {
        /* two bare answers are compared as formulas */
        it_answer_free(&pred);
        it_answer_whole(&profile->extract, text, strlen(text), &pred);
        it_answer_free(&gold);
        it_answer_whole(&profile->extract, gold_text, strlen(gold_text), &gold);
    }
    verdict.gradable = gold.expr != NULL || gold.text != NULL;
    verdict.correct = verdict.gradable && answers_equal(profile, &gold, &pred);
    if (pred.text != NULL) { verdict.extracted = it_strdup(pred.text); }
    if (!verdict.gradable) {
        verdict.detail = it_strdup("the gold cannot be read");
    } else if (verdict.extracted == NULL) {
        verdict.detail = it_strdup("no answer found");
    } else if (!verdict.correct && pred.expr == NULL) {
        verdict.detail = it_strdup("the answer cannot be read");
    }
    it_answer_free(&gold);
    it_answer_free(&pred);
    it_free(spoken);
    *verdict_out = verdict;
}

bool it_answer_same(const char *name, const char *a, const char *b)
{
    if (strcmp(a, b) == 0) { return true; }
    if (strcmp(name, "hendrycks") == 0) { return it_hendrycks_equal(a, b); }
    const struct profile *profile = find_profile(name);
    struct it_answer left, right;
    it_answer_whole(&profile->extract, a, strlen(a), &left);
    it_answer_whole(&profile->extract, b, strlen(b), &right);
    bool same = answers_equal(profile, &left, &right) || answers_equal(profile, &right, &left);
    it_answer_free(&left);
    it_answer_free(&right);
    return same;
}
