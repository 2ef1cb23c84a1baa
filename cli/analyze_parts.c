/* SPDX-License-Identifier: MIT */
/* Confidence, lengths, categories, answers, selection. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/analyze.h"
#include "cli/votes.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "tasks/metrics/metrics.h"

static size_t count_samples(const struct it_sampled_file *f)
{
    size_t n = 0;
    for (size_t i = 0; i < f->n; i++) { n += f->item[i].n; }
    return n;
}

static double mean(const double *x, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) { sum += x[i]; }
    return sum / (double)n;
}

/* ---- confidence ---- */

/* Values of right samples into `right`, of wrong ones into `wrong`; ungradable ones and those
 * without the statistic are in neither. */
static void split(const struct it_sampled_file *f, int score, double *right, size_t *n_right,
                  double *wrong, size_t *n_wrong)
{
    *n_right = *n_wrong = 0;
    for (size_t i = 0; i < f->n; i++) {
        for (size_t k = 0; k < f->item[i].n; k++) {
            const struct it_sampled *s = &f->item[i].sample[k];
            double value = s->score[score];
            if (!f->item[i].has_gold || !s->gradable || !s->known[score] || isnan(value)) {
                continue;
            }
            if (s->correct) {
                right[(*n_right)++] = value;
            } else {
                wrong[(*n_wrong)++] = value;
            }
        }
    }
}

static json_t *test_json(const double *right, size_t n_right, const double *wrong, size_t n_wrong)
{
    struct it_metric_ranks t =
        it_metric_mann_whitney(right, (int64_t)n_right, wrong, (int64_t)n_wrong);
    const struct {
        const char *name;
        double value;
    } number[] = {{"mean_correct", mean(right, n_right)},
                  {"mean_wrong", mean(wrong, n_wrong)},
                  {"u", t.u}, {"auroc", t.auroc}, {"z", t.z}, {"r", t.r}, {"p", t.p},
                  {"p_two_sided", t.p_two}, {"p_exact", t.p_exact},
                  {"p_exact_two_sided", t.p_exact_two}};
    json_t *object = json_object();
    json_object_set_new(object, "n_correct", json_integer((json_int_t)n_right));
    json_object_set_new(object, "n_wrong", json_integer((json_int_t)n_wrong));
    for (size_t i = 0; i < sizeof number / sizeof *number; i++) {
        json_object_set_new(object, number[i].name, it_json_real(number[i].value));
    }
    return object;
}

json_t *it_analyze_confidence(const struct it_sampled_file *f)
{
    size_t n = count_samples(f), n_right, n_wrong;
    double *right = it_calloc(n + 1, sizeof *right), *wrong = it_calloc(n + 1, sizeof *wrong);
    json_t *object = json_object();
    for (int score = 0; score < IT_SCORES; score++) {
        split(f, score, right, &n_right, wrong, &n_wrong);
        if (n_right + n_wrong == 0) { continue; }
        json_object_set_new(object, it_score_name((enum it_score)score),
                            test_json(right, n_right, wrong, n_wrong));
    }
    it_free(right);
    it_free(wrong);
    return object;
}

/* ---- lengths ---- */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static json_t *length_json(double *length, size_t n)
{
    json_t *object = json_object();
    json_object_set_new(object, "n", json_integer((json_int_t)n));
    if (n == 0) { return object; }
    qsort(length, n, sizeof *length, ascending);
    json_object_set_new(object, "mean", it_json_real(mean(length, n)));
    json_object_set_new(object, "median",
                        it_json_real(0.5 * (length[(n - 1) / 2] + length[n / 2])));
    json_object_set_new(object, "min", it_json_real(length[0]));
    json_object_set_new(object, "max", it_json_real(length[n - 1]));
    return object;
}

static const char *text_of(const struct it_sampled *s)
{
    return json_string_value(json_object_get(s->record, "completion"));
}

static double length_of(const struct it_sampled *s, bool tokens)
{
    return tokens ? (double)s->n_tokens : (double)strlen(text_of(s));
}

json_t *it_analyze_lengths(const struct it_sampled_file *f)
{
    static const char *const name[] = {"all", "correct", "wrong"};
    size_t most = count_samples(f), cut = 0;
    double *length = it_calloc(most + 1, sizeof *length);
    json_t *object = json_object();
    bool tokens = true;
    for (size_t i = 0; i < f->n; i++) {
        for (size_t k = 0; k < f->item[i].n; k++) {
            tokens = tokens && f->item[i].sample[k].n_tokens >= 0;
            cut += f->item[i].sample[k].cut;
        }
    }
    json_object_set_new(object, "unit", json_string(tokens ? "tokens" : "bytes"));
    for (int which = 0; which < 3; which++) {
        size_t n = 0;
        for (size_t i = 0; i < f->n; i++) {
            for (size_t k = 0; k < f->item[i].n; k++) {
                const struct it_sampled *s = &f->item[i].sample[k];
                bool counts = which == 0 || (f->item[i].has_gold && s->correct == (which == 1));
                if (counts) { length[n++] = length_of(s, tokens); }
            }
        }
        json_object_set_new(object, name[which], length_json(length, n));
    }
    json_object_set_new(object, "cut", it_json_real((double)cut / (double)most));
    it_free(length);
    return object;
}

/* ---- categories ---- */

enum { REASONING_WORDS = 8 };

/* Where the answer begins: its code fence, its box, or the last place it stands at. */
static size_t answer_begin(const char *text, const char *answer)
{
    const char *mark = strstr(text, "```");
    if (!mark) { mark = strstr(text, "\\boxed"); }
    for (const char *at = text; !mark && *answer && (at = strstr(at, answer)); at++) {
        if (!strstr(at + 1, answer)) { mark = at; }
    }
    return mark ? (size_t)(mark - text) : strlen(text);
}

/* Words before the answer. */
static size_t count_words(const char *text, size_t size)
{
    size_t words = 0;
    for (size_t i = 0; i < size;) {
        while (i < size && strchr(" \t\r\n", text[i])) { i++; }
        words += i < size;
        while (i < size && !strchr(" \t\r\n", text[i])) { i++; }
    }
    return words;
}

static int category_of(const struct it_sampled *s)
{
    if (!s->answer || s->broken) { return 0; }
    const char *text = text_of(s);
    return count_words(text, answer_begin(text, s->answer)) < REASONING_WORDS ? 1 : 2;
}

json_t *it_analyze_categories(const struct it_sampled_file *f)
{
    static const char *const name[] = {"no_answer", "no_reasoning", "reasoning"};
    size_t n[3] = {0}, graded[3] = {0}, right[3] = {0};
    double all = (double)count_samples(f);
    json_t *object = json_object();
    for (size_t i = 0; i < f->n; i++) {
        for (size_t k = 0; k < f->item[i].n; k++) {
            int c = category_of(&f->item[i].sample[k]);
            n[c]++;
            graded[c] += f->item[i].has_gold;
            right[c] += f->item[i].has_gold && f->item[i].sample[k].correct;
        }
    }
    for (int c = 0; c < 3; c++) {
        json_t *part = json_object();
        json_object_set_new(part, "n", json_integer((json_int_t)n[c]));
        json_object_set_new(part, "share", it_json_real((double)n[c] / all));
        json_object_set_new(part, "accuracy", it_json_real((double)right[c] / (double)graded[c]));
        json_object_set_new(object, name[c], part);
    }
    return object;
}

/* ---- answers ---- */

/* Samples of the largest class, and how many classes there are. */
static size_t largest(const struct it_sampled_problem *p, size_t *classes_out)
{
    size_t *count = it_calloc(p->n + 1, sizeof *count), most = 0, classes = 0;
    for (size_t i = 0; i < p->n; i++) {
        if (p->vote[i].answer < 0) { continue; }
        size_t c = (size_t)p->vote[i].answer;
        classes += count[c] == 0;
        count[c]++;
        most = count[c] > most ? count[c] : most;
    }
    it_free(count);
    *classes_out = classes;
    return most;
}

json_t *it_analyze_answers(const struct it_sampled_file *f)
{
    double unique = 0.0, share = 0.0, unanimous = 0.0, n = (double)f->n;
    json_t *object = json_object();
    for (size_t i = 0; i < f->n; i++) {
        size_t classes, most = largest(&f->item[i], &classes);
        unique += (double)classes;
        share += (double)most / (double)f->item[i].n;
        unanimous += most == f->item[i].n;
    }
    json_object_set_new(object, "unique", it_json_real(unique / n));
    json_object_set_new(object, "majority_share", it_json_real(share / n));
    json_object_set_new(object, "unanimous", it_json_real(unanimous / n));
    return object;
}

/* Does a sample before `k` have the same answer? */
static bool is_repeated(const struct it_sampled_problem *p, size_t k)
{
    for (size_t i = 0; i < k; i++) {
        if (p->vote[i].answer == p->vote[k].answer) { return true; }
    }
    return false;
}

static bool has_answer(const struct it_sampled_file *f, const struct it_sampled_problem *p,
                       const char *answer)
{
    for (size_t i = 0; i < p->n; i++) {
        if (p->sample[i].answer && !is_repeated(p, i) &&
            it_votes_same(f->task, f->profile, p->sample[i].answer, answer)) {
            return true;
        }
    }
    return false;
}

/* Problems are the same by their id, else by their prompt. */
static char *key_of(const struct it_sampled_problem *p)
{
    const json_t *id = json_object_get(p->record, "id");
    if (!id || json_is_null(id)) { id = json_object_get(p->record, "prompt"); }
    if (!id || json_is_null(id)) { id = json_object_get(p->record, "messages"); }
    return id ? json_dumps(id, JSON_ENCODE_ANY | JSON_SORT_KEYS) : NULL;
}

json_t *it_analyze_overlap(const struct it_sampled_file *a, const struct it_sampled_file *b)
{
    json_t *index = json_object(), *object = json_object();
    size_t problems = 0, in_a = 0, in_b = 0, shared = 0;
    double jaccard = 0.0;
    for (size_t i = 0; i < b->n; i++) {
        char *key = key_of(&b->item[i]);
        if (key) { json_object_set_new(index, key, json_integer((json_int_t)i)); }
        free(key);
    }
    for (size_t i = 0; i < a->n; i++) {
        char *key = key_of(&a->item[i]);
        const json_t *at = key ? json_object_get(index, key) : NULL;
        size_t both = 0, classes_p, classes_q;
        free(key);
        if (!at) { continue; }
        const struct it_sampled_problem *p = &a->item[i], *q = &b->item[json_integer_value(at)];
        largest(p, &classes_p);
        largest(q, &classes_q);
        for (size_t k = 0; k < p->n; k++) {
            both += p->sample[k].answer && !is_repeated(p, k) &&
                    has_answer(b, q, p->sample[k].answer);
        }
        problems++;
        in_a += classes_p;
        in_b += classes_q;
        shared += both;
        size_t all = classes_p + classes_q - (both < classes_q ? both : classes_q);
        jaccard += all ? (double)both / (double)all : 1.0;
    }
    json_object_set_new(object, "problems", json_integer((json_int_t)problems));
    json_object_set_new(object, "unique_a", json_integer((json_int_t)in_a));
    json_object_set_new(object, "unique_b", json_integer((json_int_t)in_b));
    json_object_set_new(object, "shared", json_integer((json_int_t)shared));
    json_object_set_new(object, "jaccard", it_json_real(jaccard / (double)problems));
    json_decref(index);
    return object;
}

/* ---- selection ---- */

json_t *it_analyze_selection(struct it_sampled_file *f, const struct it_reals *sizes)
{
    const struct it_selection_options options = {.power = -1.0, .score = IT_SCORE_CERTAINTY};
    json_t *list = json_array();
    for (size_t m = 0; it_method_at(m); m++) {
        bool whole = true;
        for (size_t i = 0; i < f->n && whole; i++) {
            whole = it_selection_lacks(it_method_at(m), &options, &f->item[i]) < 0;
        }
        for (size_t k = 0; whole && k < sizes->n; k++) {
            struct it_selected s =
                it_selection_measure(it_method_at(m), &options, f, (int64_t)sizes->item[k]);
            json_array_append_new(list, it_selected_json(&s, &options));
            it_free(s.chosen);
        }
    }
    return list;
}
