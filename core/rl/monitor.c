/* SPDX-License-Identifier: MIT */
/* Monitors of text, and guards on the metrics record (docs/algorithm.md): a guard that is over its
 * limit for guard_patience updates in a row stops the run. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/rl/run.h"

/* One row a guard: the field it looks at, and which side of the limit is bad. */
struct guard {
    const char *field, *key;
    size_t limit; /* offset in the recipe */
    int side;     /* +1: too large is bad; -1: too small; 0: a drop from the start */
    const char *cure;
};
#define LIMIT(member) offsetof(struct it_recipe, member)
static const struct guard guards[] = {
    {"entropy", "guard_entropy", LIMIT(guard_entropy), -1,
     "the policy is collapsing: lower learning_rate or raise beta"},
    {"kl", "guard_kl", LIMIT(guard_kl), 1, "the policy has left the reference: raise beta"},
    {"guard/accuracy", "guard_accuracy_drop", LIMIT(guard_accuracy_drop), 0,
     "the reward is being gamed: stop earlier, or lower learning_rate"},
    {"guard/eos_rate", "guard_eos_rate", LIMIT(guard_eos_rate), -1,
     "completions no longer end: check the stop ids and max_completion_length"},
    {"guard/repetition", "guard_repetition", LIMIT(guard_repetition), 1,
     "completions repeat themselves: lower learning_rate or raise beta"},
};
enum { N_GUARDS = sizeof guards / sizeof *guards };

static bool over(const struct guard *g, double value, double limit, double start)
{
    if (g->side > 0) { return value > limit; }
    if (g->side < 0) { return value < limit; }
    return value < start - limit;
}

bool it_monitor_check(struct it_monitor *m, const struct it_recipe *recipe, const json_t *record,
                      char *why, size_t why_size)
{
    const json_t *accuracy = json_object_get(record, "guard/accuracy");
    int64_t patience = recipe->guard_patience > 0 ? recipe->guard_patience : 1;
    bool fired = false;
    if (json_is_number(accuracy) && isnan(m->accuracy_start)) {
        m->accuracy_start = json_number_value(accuracy);
    }
    for (int i = 0; i < N_GUARDS; i++) {
        const struct guard *g = &guards[i];
        double limit = *(const double *)((const char *)recipe + g->limit);
        const json_t *field = json_object_get(record, g->field);
        if (limit <= 0.0 || !json_is_number(field)) { continue; }
        double value = json_number_value(field);
        bool bad = over(g, value, limit, m->accuracy_start);
        m->count[i] = bad ? m->count[i] + 1 : 0;
        if (fired || m->count[i] < patience) { continue; } /* the others go on counting */
        snprintf(why, why_size, "%s is %.4g, %s %.4g for %lld updates; %s", g->field, value, g->key,
                 limit, (long long)m->count[i], g->cure);
        fired = true;
    }
    return fired;
}

json_t *it_monitor_save(const struct it_monitor *m)
{
    json_t *state = json_object(), *counts = json_array();
    for (int i = 0; i < N_GUARDS; i++) {
        json_array_append_new(counts, json_integer((json_int_t)m->count[i]));
    }
    json_object_set_new(state, "count", counts);
    if (!isnan(m->accuracy_start)) {
        json_object_set_new(state, "accuracy_start", json_real(m->accuracy_start));
    }
    return state;
}

void it_monitor_load(struct it_monitor *m, const json_t *state)
{
    const json_t *start = json_object_get(state, "accuracy_start");
    const json_t *counts = json_object_get(state, "count");
    for (int i = 0; i < N_GUARDS; i++) {
        m->count[i] = (int64_t)json_integer_value(json_array_get(counts, (size_t)i));
    }
    m->accuracy_start = json_is_number(start) ? json_number_value(start) : NAN;
}

/* ---- text ---- */

static int by_id(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

double it_repetition(const int32_t *ids, int64_t n)
{
    if (n == 0) { return 0.0; }
    int32_t *sorted = it_alloc((size_t)n * sizeof *sorted);
    int64_t most = 0, run = 0;
    memcpy(sorted, ids, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, by_id);
    for (int64_t i = 0; i < n; i++) {
        run = i && sorted[i] == sorted[i - 1] ? run + 1 : 1;
        if (run > most) { most = run; }
    }
    it_free(sorted);
    return (double)most / (double)n;
}

static int by_trigram(const void *a, const void *b)
{
    return memcmp(a, b, 3 * sizeof(int32_t));
}

double it_distinct3(const int32_t *ids, int64_t n)
{
    if (n < 3) { return 1.0; }
    size_t count = (size_t)n - 2;
    int32_t(*grams)[3] = it_alloc(count * sizeof *grams);
    int64_t distinct = 0;
    for (size_t i = 0; i < count; i++) { memcpy(grams[i], ids + i, sizeof *grams); }
    qsort(grams, count, sizeof *grams, by_trigram);
    for (size_t i = 0; i < count; i++) {
        distinct += i == 0 || memcmp(grams[i], grams[i - 1], sizeof *grams) != 0;
    }
    it_free(grams);
    return (double)distinct / (double)count;
}

int64_t it_count_boxes(const char *text)
{
    static const char open[] = "\\boxed{";
    int64_t boxes = 0;
    for (const char *p = strstr(text, open); p; p = strstr(p, open)) {
        int depth = 1;
        p += sizeof open - 1;
        const char *q = p;
        for (; *q && depth; q++) { depth += *q == '{' ? 1 : *q == '}' ? -1 : 0; }
        boxes += depth == 0;
    }
    return boxes;
}
