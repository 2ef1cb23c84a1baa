/* SPDX-License-Identifier: MIT */
/* Guesses for MMLU-Pro. The official program seeds Python's generator with 12345 and draws an index
 * for each record without a letter. Its history is part of the score:
 *   - until February 2025 the seed was set before every draw, so that the guess depends on the
 *     number of options alone;
 *   - since then one stream serves the process; subjects are done in alphabetical order, and the
 *     results of each are counted twice in a row, with the second count reported. */
#include "tasks/grade/mmlu_guess.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "tasks/grade/mersenne.h"

enum { SEED = 12345 };

bool it_mmlu_is_option(const json_t *option)
{
    const char *text = json_string_value(option);
    return text != NULL && strcmp(text, "N/A") != 0;
}

size_t it_mmlu_options(const json_t *record)
{
    const json_t *options = json_object_get(record, "options"), *option;
    size_t i, n = 0;
    json_array_foreach(options, i, option)
    {
        n += it_mmlu_is_option(option);
    }
    return n;
}

/* A record that wants a guess. */
struct guess {
    const char *subject;
    size_t place;     /* in the input */
    uint32_t options; /* at least 1 */
    uint32_t answer;  /* its index */
};

struct guesses {
    struct guess *item;
    size_t n, cap;
    size_t right; /* records with a right letter */
    bool whole;   /* every record without a letter says its options */
};

/* A guess is compared with answer_index, a letter with the letter: question 3983 has two answers.
 * A gold from A to J is its own index where there is no other. */
static uint32_t answer_index(const json_t *record)
{
    const json_t *index = json_object_get(record, "answer_index");
    const char *gold = json_string_value(json_object_get(record, "gold"));
    if (json_is_integer(index)) { return (uint32_t)json_integer_value(index); }
    return gold != NULL ? (uint32_t)(gold[0] - 'A') : UINT32_MAX;
}

static void collect(json_t *const *records, size_t n, struct guesses *g)
{
    g->whole = true;
    for (size_t i = 0; i < n; i++) {
        const json_t *record = records[i];
        g->right += json_is_true(json_object_get(record, "correct"));
        if (json_is_string(json_object_get(record, "extracted"))) { continue; }
        size_t options = it_mmlu_options(record);
        if (options == 0) {
            g->whole = false;
            continue;
        }
        const char *subject = json_string_value(json_object_get(record, "category"));
        g->item = it_grow(g->item, &g->cap, g->n + 1, sizeof *g->item);
        g->item[g->n++] = (struct guess){
            .subject = subject != NULL ? subject : "",
            .place = i,
            .options = (uint32_t)options,
            .answer = answer_index(record),
        };
    }
}

static int by_subject(const void *a, const void *b)
{
    const struct guess *x = a, *y = b;
    int order = strcmp(x->subject, y->subject);
    return order != 0 ? order : (x->place > y->place) - (x->place < y->place);
}

static size_t right_per_draw(const struct guesses *g)
{
    size_t right = 0;
    for (size_t i = 0; i < g->n; i++) {
        struct it_mersenne m;
        it_mersenne_seed(&m, SEED);
        right += it_mersenne_below(&m, g->item[i].options) == g->item[i].answer;
    }
    return right;
}

/* Sorted by subject. */
static size_t right_streamed(const struct guesses *g)
{
    struct it_mersenne m;
    size_t right = 0;
    it_mersenne_seed(&m, SEED);
    for (size_t from = 0, to; from < g->n; from = to) {
        for (to = from; to < g->n && strcmp(g->item[to].subject, g->item[from].subject) == 0;) {
            to++;
        }
        for (int count = 0; count < 2; count++) {
            for (size_t i = from; i < to; i++) {
                bool hit = it_mersenne_below(&m, g->item[i].options) == g->item[i].answer;
                right += hit && count == 1;
            }
        }
    }
    return right;
}

enum it_status it_mmlu_report(const struct it_grading *grading, json_t *const *records, size_t n,
                              json_t *summary)
{
    (void)grading;
    struct guesses g = {0};
    double expected = 0, total = (double)n;
    collect(records, n, &g);
    if (g.n > 0) { qsort(g.item, g.n, sizeof *g.item, by_subject); }
    for (size_t i = 0; i < g.n; i++) { expected += 1.0 / g.item[i].options; }
    const struct {
        const char *name;
        double right;
    } scores[] = {
        {"accuracy_guessing", (double)right_streamed(&g)},
        {"accuracy_guessing_per_draw", (double)right_per_draw(&g)},
        {"accuracy_guessing_expected", expected},
    };
    for (size_t i = 0; i < sizeof scores / sizeof *scores; i++) {
        double score = ((double)g.right + scores[i].right) / total;
        json_object_set_new(summary, scores[i].name,
                            g.whole && n > 0 ? json_real(score) : json_null());
    }
    it_free(g.item);
    return IT_OK;
}
