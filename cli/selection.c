/* SPDX-License-Identifier: MIT */
/* The methods of arXiv 2502.18581. */
#include "cli/selection.h"

#include <math.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"

enum { NO_SCORE = -1 };

static const struct it_method methods[] = {
    {"self_certainty", "highest mean KL(U||p)", IT_SCORE_CERTAINTY},
    {"borda", "votes of ranked samples, (N - rank + 1)^power each", NO_SCORE},
    {"majority", "the answer that most samples have", NO_SCORE},
    {"avg_logprob", "highest mean log-probability", IT_SCORE_LOGPROB},
    {"perplexity", "lowest exp(-mean log-probability)", IT_SCORE_PERPLEXITY},
    {"entropy", "lowest mean entropy", IT_SCORE_ENTROPY},
    {"gini", "highest mean sum of p^2", IT_SCORE_GINI},
    {"first", "the first sample with an answer", NO_SCORE},
    {"oracle", "right when any sample is: the bound of every method", NO_SCORE},
};
enum { N_METHODS = sizeof methods / sizeof *methods };

static bool is(const struct it_method *method, const char *name)
{
    return strcmp(method->name, name) == 0;
}

const struct it_method *it_method_at(size_t index)
{
    return index < N_METHODS ? &methods[index] : NULL;
}

const struct it_method *it_method_find(const char *name)
{
    for (size_t i = 0; i < N_METHODS; i++) {
        if (is(&methods[i], name)) { return &methods[i]; }
    }
    return NULL;
}

static int score_of(const struct it_method *method, const struct it_selection_options *o)
{
    return is(method, "borda") ? o->score : method->score;
}

int64_t it_selection_lacks(const struct it_method *method, const struct it_selection_options *o,
                           const struct it_sampled_problem *p)
{
    int score = score_of(method, o);
    for (size_t i = 0; score >= 0 && i < p->n; i++) {
        if (!p->sample[i].known[score]) { return (int64_t)i; }
    }
    return -1;
}

static double power_of(const struct it_selection_options *o, int64_t n)
{
    return o->power < 0.0 ? it_metric_borda_power(n) : o->power;
}

static size_t oracle(const struct it_sampled_problem *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p->sample[i].correct) { return i; }
    }
    return (size_t)it_metric_first(p->vote, (int64_t)n);
}

size_t it_selection_choose(const struct it_method *method, const struct it_selection_options *o,
                           struct it_sampled_problem *p, size_t n)
{
    int score = score_of(method, o);
    int64_t count = (int64_t)(n < p->n ? n : p->n);
    for (int64_t i = 0; i < count; i++) {
        p->vote[i].score = score >= 0 ? p->sample[i].score[score] : 0.0;
    }
    if (is(method, "borda")) {
        return (size_t)it_metric_borda(p->vote, count, power_of(o, count));
    }
    if (is(method, "majority")) { return (size_t)it_metric_borda(p->vote, count, 0.0); }
    if (is(method, "first")) { return (size_t)it_metric_first(p->vote, count); }
    if (is(method, "oracle")) { return oracle(p, (size_t)count); }
    return (size_t)it_metric_best(p->vote, count);
}

struct it_selected it_selection_measure(const struct it_method *method,
                                        const struct it_selection_options *o,
                                        struct it_sampled_file *f, int64_t n)
{
    struct it_selected out = {.method = method, .n = n, .power = power_of(o, n),
                              .chosen = it_calloc(f->n + 1, sizeof *out.chosen)};
    for (size_t i = 0; i < f->n; i++) {
        struct it_sampled_problem *p = &f->item[i];
        out.chosen[i] = it_selection_choose(method, o, p, (size_t)n);
        out.problems += p->has_gold;
        out.correct += p->has_gold && p->sample[out.chosen[i]].correct;
    }
    double problems = (double)out.problems;
    out.accuracy = (double)out.correct / problems;
    out.error = sqrt(out.accuracy * (1.0 - out.accuracy) / (problems - 1.0));
    return out;
}

json_t *it_selected_json(const struct it_selected *s, const struct it_selection_options *o)
{
    json_t *object = json_object();
    json_object_set_new(object, "method", json_string(s->method->name));
    json_object_set_new(object, "n", json_integer((json_int_t)s->n));
    if (is(s->method, "borda")) {
        json_object_set_new(object, "power", it_json_real(s->power));
        json_object_set_new(object, "score", json_string(it_score_name((enum it_score)o->score)));
    }
    json_object_set_new(object, "problems", json_integer((json_int_t)s->problems));
    json_object_set_new(object, "correct", json_integer((json_int_t)s->correct));
    json_object_set_new(object, "accuracy", it_json_real(s->accuracy));
    json_object_set_new(object, "stderr", it_json_real(s->error));
    return object;
}

static void add_size(struct it_reals *sizes, double n)
{
    sizes->item = it_grow(sizes->item, &sizes->cap, sizes->n + 1, sizeof *sizes->item);
    sizes->item[sizes->n++] = n;
}

enum it_status it_selection_sizes(const char *command, const struct it_reals *asked,
                                  const struct it_sampled_file *f, struct it_reals *sizes_out)
{
    double most = 0.0;
    for (size_t i = 0; i < f->n; i++) { most = fmax(most, (double)f->item[i].n); }
    for (size_t i = 0; i < asked->n; i++) {
        if (!(asked->item[i] >= 1 && asked->item[i] <= 1e9) ||
            asked->item[i] != floor(asked->item[i])) {
            return it_fail(IT_INVALID, "%s: n: expected whole numbers from 1, found %g", command,
                           asked->item[i]);
        }
        if (asked->item[i] > most) {
            it_warn("%s: no problem has %g samples: those there are are used", command,
                    asked->item[i]);
        }
        add_size(sizes_out, asked->item[i]);
    }
    if (asked->n) { return IT_OK; }
    for (double n = 1.0; n < most; n *= 2.0) { add_size(sizes_out, n); }
    if (most > 0.0) { add_size(sizes_out, most); }
    return IT_OK;
}
