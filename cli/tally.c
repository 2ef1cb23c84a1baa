/* SPDX-License-Identifier: MIT */
/* Accuracy, its standard error and interval, pass@k, avg@k, maj@k. */
#include "cli/tally.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/votes.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "tasks/metrics/metrics.h"

/* ---- records ---- */

static struct it_tally_problem *new_problem(struct it_tally *t)
{
    t->item = it_grow(t->item, &t->cap, t->problems + 1, sizeof *t->item);
    t->item[t->problems] = (struct it_tally_problem){0};
    return &t->item[t->problems++];
}

static struct it_tally_problem *find(struct it_tally *t, const json_t *id)
{
    char *key = id && !json_is_null(id) ? json_dumps(id, JSON_ENCODE_ANY | JSON_SORT_KEYS) : NULL;
    if (!key) { return new_problem(t); }
    if (!t->index) { t->index = json_object(); }
    const json_t *known = json_object_get(t->index, key);
    struct it_tally_problem *problem;
    if (known) {
        problem = &t->item[json_integer_value(known)];
    } else {
        json_object_set_new(t->index, key, json_integer((json_int_t)t->problems));
        problem = new_problem(t);
    }
    free(key);
    return problem;
}

void it_tally_add(struct it_tally *t, const json_t *id, struct it_tally_mark mark)
{
    struct it_tally_problem *p = find(t, id);
    bool correct = mark.correct && mark.gradable;
    p->sample = it_grow(p->sample, &p->cap, p->n + 1, sizeof *p->sample);
    p->sample[p->n++] = (struct it_tally_sample){
        .correct = correct, .answer = t->keep_answers ? it_strdup(mark.answer) : NULL};
    p->correct += correct;
    t->n++;
    t->correct += correct;
    t->ungradable += !mark.gradable;
    t->no_answer += !mark.answer;
}

void it_tally_free(struct it_tally *t)
{
    for (size_t i = 0; i < t->problems; i++) {
        for (size_t s = 0; s < t->item[i].n; s++) { it_free(t->item[i].sample[s].answer); }
        it_free(t->item[i].sample);
    }
    it_free(t->item);
    json_decref(t->index);
    *t = (struct it_tally){0};
}

enum it_status it_tally_check(const struct it_reals *k, const char *where)
{
    for (size_t i = 0; i < k->n; i++) {
        if (!(k->item[i] >= 1 && k->item[i] <= 1e9) || k->item[i] != floor(k->item[i])) {
            return it_fail(IT_INVALID, "%s: k: expected whole numbers from 1, found %g", where,
                           k->item[i]);
        }
    }
    return IT_OK;
}

/* ---- numbers ---- */

/* Samples of one problem are not independent: their deviations are summed before squaring (a
 * clustered error). With one sample a problem it is sd / sqrt(n), the sd over n - 1. */
static double standard_error(const struct it_tally *t)
{
    double n = (double)t->n, problems = (double)t->problems, sum = 0.0;
    double accuracy = (double)t->correct / n;
    for (size_t i = 0; i < t->problems; i++) {
        double deviation = (double)t->item[i].correct - (double)t->item[i].n * accuracy;
        sum += deviation * deviation;
    }
    return sqrt(sum * problems / (problems - 1.0)) / n; /* not finite for one problem */
}

static double pass_at(const struct it_tally_problem *p, const struct it_tally_setup *setup,
                      int64_t k)
{
    (void)setup;
    return it_metric_pass_at((int64_t)p->n, p->correct, k);
}

static double mean_at(const struct it_tally_problem *p, const struct it_tally_setup *setup,
                      int64_t k)
{
    int64_t right = 0;
    (void)setup;
    for (int64_t i = 0; i < k; i++) { right += p->sample[i].correct; }
    return (double)right / (double)k;
}

/* The answer that most of the first k samples have; the first of equals. */
static double majority_at(const struct it_tally_problem *p, const struct it_tally_setup *setup,
                          int64_t k)
{
    struct it_metric_sample *vote = it_calloc((size_t)k, sizeof *vote);
    const char **answer = it_calloc((size_t)k, sizeof *answer);
    for (int64_t i = 0; i < k; i++) { answer[i] = p->sample[i].answer; }
    it_votes_classes(setup->task, setup->profile, answer, k, vote);
    bool right = p->sample[it_metric_borda(vote, k, 0.0)].correct;
    it_free(answer);
    it_free(vote);
    return right;
}

static void sample_range(const struct it_tally *t, size_t *least_out, size_t *most_out)
{
    size_t least = SIZE_MAX, most = 0;
    for (size_t i = 0; i < t->problems; i++) {
        least = t->item[i].n < least ? t->item[i].n : least;
        most = t->item[i].n > most ? t->item[i].n : most;
    }
    *least_out = t->problems ? least : 0;
    *most_out = most;
}

static bool is_whole(const struct it_tally *t, const struct it_tally_setup *setup)
{
    size_t least, most;
    sample_range(t, &least, &most);
    return setup->samples == 0 ||
           ((int64_t)least == setup->samples && (int64_t)most == setup->samples);
}

/* Means over problems of what k samples say. */
static void set_at(const struct it_tally *t, const struct it_tally_setup *setup, int64_t k,
                   json_t *summary)
{
    static const struct {
        const char *name;
        double (*of)(const struct it_tally_problem *, const struct it_tally_setup *, int64_t);
    } metric[] = {{"pass", pass_at}, {"avg", mean_at}, {"maj", majority_at}};
    size_t least, most;
    sample_range(t, &least, &most);
    bool enough = (int64_t)least >= k && is_whole(t, setup);
    /* of one sample avg and maj say nothing that pass does not */
    for (size_t m = 0; m < (k > 1 ? sizeof metric / sizeof *metric : 1); m++) {
        char name[32];
        double sum = 0.0;
        for (size_t i = 0; enough && i < t->problems; i++) {
            sum += metric[m].of(&t->item[i], setup, k);
        }
        snprintf(name, sizeof name, "%s@%lld", metric[m].name, (long long)k);
        json_object_set_new(summary, name,
                            enough ? it_json_real(sum / (double)t->problems) : json_null());
    }
}

json_t *it_tally_summary(const struct it_tally *t, const struct it_tally_setup *setup)
{
    json_t *summary = json_object();
    double accuracy = (double)t->correct / (double)t->n;
    struct it_metric_interval wilson = it_metric_wilson(accuracy, (double)t->problems);
    size_t least, most;
    sample_range(t, &least, &most);
    const struct {
        const char *name;
        int64_t value;
    } count[] = {{"problems", (int64_t)t->problems}, {"ungradable", t->ungradable},
                 {"no_answer", t->no_answer},        {"min_samples", (int64_t)least},
                 {"max_samples", (int64_t)most}};
    json_object_set_new(summary, "task", json_string(setup->task->name));
    json_object_set_new(summary, "profile", json_string(setup->profile));
    json_object_set_new(summary, "n", json_integer((json_int_t)t->n));
    json_object_set_new(summary, "correct", json_integer((json_int_t)t->correct));
    json_object_set_new(summary, "accuracy", it_json_real(accuracy));
    json_object_set_new(summary, "stderr", it_json_real(standard_error(t)));
    json_object_set_new(summary, "low", it_json_real(wilson.low));
    json_object_set_new(summary, "high", it_json_real(wilson.high));
    for (size_t i = 0; i < sizeof count / sizeof *count; i++) {
        json_object_set_new(summary, count[i].name, json_integer((json_int_t)count[i].value));
    }
    for (size_t i = 0; i < setup->k.n; i++) {
        set_at(t, setup, (int64_t)setup->k.item[i], summary);
    }
    return summary;
}

enum it_status it_tally_whole(const struct it_tally *t, const struct it_tally_setup *setup)
{
    size_t least, most;
    sample_range(t, &least, &most);
    for (size_t i = 0; i < setup->k.n; i++) {
        if (t->problems && setup->k.item[i] > (double)least) {
            it_warn("pass@%g: a problem has only %zu sample%s: no value is given",
                    setup->k.item[i], least, least == 1 ? "" : "s");
        } else if (least != most && !setup->samples) {
            it_warn("pass@%g: problems have from %zu to %zu samples; --samples N refuses that",
                    setup->k.item[i], least, most);
        }
    }
    if (t->problems == 0 || is_whole(t, setup)) { return IT_OK; }
    return it_fail(IT_FAILED, "%s: problems have from %zu to %zu samples, %lld each were "
                   "expected: pass@K and its kind are not given", setup->task->name, least, most,
                   (long long)setup->samples);
}

/* ---- for people ---- */

static double real(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

static void print_score(FILE *stream, const json_t *score)
{
    fprintf(stream, "accuracy %.4f", real(score, "accuracy"));
    if (json_is_number(json_object_get(score, "stderr"))) {
        fprintf(stream, " +- %.4f", real(score, "stderr"));
    }
    fprintf(stream, " (95 %%: %.4f to %.4f)", real(score, "low"), real(score, "high"));
    /* iterating changes nothing: jansson only lacks the const */
    json_t *object = (json_t *)(uintptr_t)score;
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        const char *name = json_object_iter_key(at);
        const json_t *value = json_object_iter_value(at);
        if (strchr(name, '@') && json_is_number(value)) {
            fprintf(stream, ", %s %.4f", name, json_number_value(value));
        }
    }
}

static void print_breakdown(FILE *stream, json_t *by)
{
    const char *field, *value;
    json_t *values, *score;
    json_object_foreach(by, field, values)
    {
        fprintf(stream, "  by %s\n", field);
        json_object_foreach(values, value, score)
        {
            fprintf(stream, "    %-24s %6lld  ", value,
                    (long long)json_integer_value(json_object_get(score, "n")));
            print_score(stream, score);
            fputc('\n', stream);
        }
    }
}

/* What the task itself adds: numbers that are not among ours. */
static void print_own(FILE *stream, const json_t *summary)
{
    static const char *const ours[] = {"n",        "correct",    "accuracy",  "stderr",
                                       "low",      "high",       "problems",  "ungradable",
                                       "no_answer", "min_samples", "max_samples"};
    /* iterating changes nothing: jansson only lacks the const */
    json_t *object = (json_t *)(uintptr_t)summary, *value;
    const char *name;
    json_object_foreach(object, name, value)
    {
        bool known = !json_is_number(value) || strchr(name, '@');
        for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
            known = known || strcmp(name, ours[i]) == 0;
        }
        if (!known) { fprintf(stream, "  %s %.10g\n", name, json_number_value(value)); }
    }
}

void it_tally_print(FILE *stream, const json_t *summary)
{
    const char *task = json_string_value(json_object_get(summary, "task"));
    long long n = (long long)json_integer_value(json_object_get(summary, "n"));
    long long unreadable = (long long)json_integer_value(json_object_get(summary, "ungradable"));
    long long silent = (long long)json_integer_value(json_object_get(summary, "no_answer"));
    if (n == 0) {
        fprintf(stream, "%s: no records\n", task);
        return;
    }
    fprintf(stream, "%s (%s): %lld of %lld right, ", task,
            json_string_value(json_object_get(summary, "profile")),
            (long long)json_integer_value(json_object_get(summary, "correct")), n);
    print_score(stream, summary);
    if (unreadable) { fprintf(stream, ", %lld golds unreadable", unreadable); }
    if (silent) { fprintf(stream, ", %lld without an answer", silent); }
    fputc('\n', stream);
    print_own(stream, summary);
    print_breakdown(stream, json_object_get(summary, "by"));
}
