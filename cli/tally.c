/* SPDX-License-Identifier: MIT */
/* Accuracy, its standard error, pass@k. */
#include "cli/tally.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/mem.h"

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
    struct it_tally_problem *problem = find(t, id);
    bool correct = mark.correct && mark.gradable;
    problem->n++;
    problem->correct += correct;
    t->n++;
    t->correct += correct;
    t->ungradable += !mark.gradable;
    t->no_answer += !mark.answered;
}

void it_tally_free(struct it_tally *t)
{
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

/* The unbiased estimate of Chen et al. 2021: 1 - prod over i = n-c+1 .. n of (1 - k/i). */
static double pass_at(const struct it_tally_problem *p, double k)
{
    if ((double)(p->n - p->correct) < k) { return 1.0; }
    double fail = 1.0;
    for (int64_t i = p->n - p->correct + 1; i <= p->n; i++) { fail *= 1.0 - k / (double)i; }
    return 1.0 - fail;
}

static json_t *pass(const struct it_tally *t, double k)
{
    double sum = 0.0;
    for (size_t i = 0; i < t->problems; i++) {
        if ((double)t->item[i].n < k) {
            it_warn("pass@%g: a problem has only %lld samples: no value is given", k,
                    (long long)t->item[i].n);
            return json_null();
        }
        sum += pass_at(&t->item[i], k);
    }
    return it_json_real(sum / (double)t->problems);
}

json_t *it_tally_summary(const struct it_tally *t, const char *task, const char *profile,
                         const struct it_reals *k)
{
    json_t *summary = json_object();
    const struct {
        const char *name;
        int64_t value;
    } count[] = {{"problems", (int64_t)t->problems},
                 {"ungradable", t->ungradable},
                 {"no_answer", t->no_answer}};
    json_object_set_new(summary, "task", json_string(task));
    json_object_set_new(summary, "profile", json_string(profile));
    json_object_set_new(summary, "n", json_integer((json_int_t)t->n));
    json_object_set_new(summary, "correct", json_integer((json_int_t)t->correct));
    json_object_set_new(summary, "accuracy", it_json_real((double)t->correct / (double)t->n));
    json_object_set_new(summary, "stderr", it_json_real(standard_error(t)));
    for (size_t i = 0; i < sizeof count / sizeof *count; i++) {
        json_object_set_new(summary, count[i].name, json_integer((json_int_t)count[i].value));
    }
    for (size_t i = 0; i < k->n; i++) {
        char name[32];
        snprintf(name, sizeof name, "pass@%.0f", k->item[i]);
        json_object_set_new(summary, name, pass(t, k->item[i]));
    }
    return summary;
}

void it_tally_print(FILE *stream, const json_t *summary)
{
    const json_t *error = json_object_get(summary, "stderr");
    const char *task = json_string_value(json_object_get(summary, "task"));
    long long n = (long long)json_integer_value(json_object_get(summary, "n"));
    if (n == 0) {
        fprintf(stream, "%s: no records\n", task);
        return;
    }
    fprintf(stream, "%s (%s): %lld of %lld right, accuracy %.4f", task,
            json_string_value(json_object_get(summary, "profile")),
            (long long)json_integer_value(json_object_get(summary, "correct")), n,
            json_number_value(json_object_get(summary, "accuracy")));
    if (json_is_number(error)) { fprintf(stream, " +- %.4f", json_number_value(error)); }
    /* iterating changes nothing: jansson only lacks the const */
    json_t *object = (json_t *)(uintptr_t)summary;
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        const char *name = json_object_iter_key(at);
        const json_t *value = json_object_iter_value(at);
        bool counted = strcmp(name, "ungradable") == 0 || strcmp(name, "no_answer") == 0;
        if (counted && json_integer_value(value)) {
            fprintf(stream, ", %lld %s", (long long)json_integer_value(value),
                    name[0] == 'u' ? "golds unreadable" : "without an answer");
        } else if (strncmp(name, "pass@", 5) == 0 && json_is_number(value)) {
            fprintf(stream, ", %s %.4f", name, json_number_value(value));
        }
    }
    fputc('\n', stream);
}
