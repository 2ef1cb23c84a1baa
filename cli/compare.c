/* SPDX-License-Identifier: MIT */
/* A paired comparison of graded files. */
#include "cli/compare.h"

#include <stdlib.h>

#include "cli/records.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "tasks/metrics/metrics.h"

struct problem {
    char *id;
    int64_t n[2], correct[2]; /* samples of either file */
};

struct job {
    struct problem *item;
    size_t n, cap;
    json_t *index;       /* id as JSON text -> problem */
    int64_t bad;         /* records of both files */
    int64_t records[2];
};

static struct problem *find(struct job *j, const json_t *id)
{
    char *key = json_dumps(id, JSON_ENCODE_ANY | JSON_SORT_KEYS);
    const json_t *known = json_object_get(j->index, key);
    size_t at = known ? (size_t)json_integer_value(known) : j->n;
    if (!known) {
        json_object_set_new(j->index, key, json_integer((json_int_t)at));
        j->item = it_grow(j->item, &j->cap, j->n + 1, sizeof *j->item);
        j->item[j->n++] = (struct problem){.id = it_strdup(key)};
    }
    free(key);
    return &j->item[at];
}

static enum it_status add(struct job *j, int side, const json_t *record, const char *where)
{
    const json_t *id = json_object_get(record, "id"), *correct = json_object_get(record, "correct");
    if (!id || json_is_null(id)) {
        return it_fail(IT_INVALID, "%s: no field \"id\", which pairs it with the other file",
                       where);
    }
    if (!json_is_boolean(correct)) {
        return it_fail(IT_INVALID, "%s: field \"correct\": expected true or false; intuitor grade "
                       "sets it", where);
    }
    struct problem *p = find(j, id);
    p->n[side]++;
    p->correct[side] += json_is_true(correct);
    j->records[side]++;
    return IT_OK;
}

static enum it_status read_file(struct job *j, int side, const char *path)
{
    struct it_records records;
    IT_TRY(it_records_open(path, &records));
    enum it_status status = IT_OK;
    while (status == IT_OK) {
        json_t *record;
        status = it_records_next(&records, &record);
        if (status != IT_OK) { break; }
        status = it_records_judge(&records,
                                  add(j, side, record, it_str_c(&records.where)));
        json_decref(record);
    }
    j->bad += records.bad;
    it_records_close(&records);
    return status == IT_END ? IT_OK : status;
}

/* ---- numbers ---- */

struct counts {
    int64_t paired, alone[2]; /* problems of both files, of one */
    int64_t both, only[2], neither;
    bool single; /* one sample a problem */
    double sum[2];
};

static double rate(const struct problem *p, int side)
{
    return (double)p->correct[side] / (double)p->n[side];
}

/* Fills difference[counts.paired]. */
static struct counts count(const struct job *j, double *difference)
{
    struct counts c = {.single = true};
    for (size_t i = 0; i < j->n; i++) {
        const struct problem *p = &j->item[i];
        if (!p->n[0] || !p->n[1]) {
            c.alone[p->n[0] ? 0 : 1]++;
            continue;
        }
        c.single = c.single && p->n[0] == 1 && p->n[1] == 1;
        c.both += p->correct[0] && p->correct[1];
        c.only[0] += p->correct[0] && !p->correct[1];
        c.only[1] += !p->correct[0] && p->correct[1];
        c.neither += !p->correct[0] && !p->correct[1];
        for (int side = 0; side < 2; side++) { c.sum[side] += rate(p, side); }
        difference[c.paired++] = rate(p, 1) - rate(p, 0);
    }
    return c;
}

static json_t *side_of(const char *path, const struct counts *c, int side, const struct job *j)
{
    json_t *object = json_object();
    json_object_set_new(object, "file", json_string(path));
    json_object_set_new(object, "records", json_integer((json_int_t)j->records[side]));
    json_object_set_new(object, "unpaired", json_integer((json_int_t)c->alone[side]));
    json_object_set_new(object, "accuracy", it_json_real(c->sum[side] / (double)c->paired));
    return object;
}

static json_t *document_of(const struct it_compare_options *o, const struct job *j,
                           const struct counts *c, const struct it_metric_bootstrap *b)
{
    json_t *d = json_object(), *bootstrap = json_object();
    json_object_set_new(d, "problems", json_integer((json_int_t)c->paired));
    json_object_set_new(d, "a", side_of(o->a, c, 0, j));
    json_object_set_new(d, "b", side_of(o->b, c, 1, j));
    json_object_set_new(d, "difference", it_json_real(b->mean));
    if (c->single && c->paired) {
        json_object_set_new(d, "both", json_integer((json_int_t)c->both));
        json_object_set_new(d, "only_a", json_integer((json_int_t)c->only[0]));
        json_object_set_new(d, "only_b", json_integer((json_int_t)c->only[1]));
        json_object_set_new(d, "neither", json_integer((json_int_t)c->neither));
    }
    json_object_set_new(d, "mcnemar_p", c->single && c->paired
                                            ? it_json_real(it_metric_mcnemar(c->only[0],
                                                                             c->only[1]))
                                            : json_null());
    json_object_set_new(bootstrap, "stderr", it_json_real(b->stderr_));
    json_object_set_new(bootstrap, "low", it_json_real(b->low));
    json_object_set_new(bootstrap, "high", it_json_real(b->high));
    json_object_set_new(bootstrap, "p", it_json_real(b->p));
    json_object_set_new(bootstrap, "resamples", json_integer((json_int_t)o->resamples));
    json_object_set_new(bootstrap, "seed", json_integer((json_int_t)o->seed));
    json_object_set_new(d, "bootstrap", bootstrap);
    return d;
}

static void print(const struct it_compare_options *o, const struct counts *c,
                  const struct it_metric_bootstrap *b)
{
    double n = (double)c->paired;
    printf("%lld problems: a %.4f (%s), b %.4f (%s)\n", (long long)c->paired, c->sum[0] / n, o->a,
           c->sum[1] / n, o->b);
    printf("b - a: %+.4f +- %.4f (95 %%: %+.4f to %+.4f), bootstrap p %.4g\n", b->mean, b->stderr_,
           b->low, b->high, b->p);
    if (!c->single) {
        printf("McNemar's test wants one sample of each problem\n");
        return;
    }
    printf("both right %lld, only a %lld, only b %lld, neither %lld: McNemar p %.4g\n",
           (long long)c->both, (long long)c->only[0], (long long)c->only[1],
           (long long)c->neither, it_metric_mcnemar(c->only[0], c->only[1]));
}

static void say_alone(const struct it_compare_options *o, const struct job *j,
                      const struct counts *c)
{
    for (int side = 0; side < 2; side++) {
        const char *first = NULL;
        for (size_t i = 0; !first && i < j->n; i++) {
            if (!j->item[i].n[1 - side]) { first = j->item[i].id; }
        }
        if (c->alone[side]) {
            it_warn("%s: %lld problems are not in the other file and are left out, the first is "
                    "%s", side ? o->b : o->a, (long long)c->alone[side], first);
        }
    }
}

static enum it_status report(const struct it_compare_options *o, const struct job *j)
{
    double *difference = it_calloc(j->n + 1, sizeof *difference);
    struct counts c = count(j, difference);
    enum it_status status = IT_OK;
    say_alone(o, j, &c);
    struct it_metric_bootstrap b =
        it_metric_bootstrap(difference, c.paired, o->resamples, o->seed);
    if (o->json) {
        json_t *document = document_of(o, j, &c, &b);
        status = it_jsonl_put(stdout, document);
        json_decref(document);
    } else if (c.paired) {
        print(o, &c, &b);
    } else {
        printf("no problem is in both files\n");
    }
    it_free(difference);
    if (status == IT_OK && j->bad) {
        status = it_fail(IT_FAILED, "%lld records are bad and were left out", (long long)j->bad);
    }
    return status;
}

enum it_status it_compare_run(const struct it_compare_options *o)
{
    struct job j = {.index = json_object()};
    enum it_status status;
    if (o->resamples < 2 || o->resamples > 10000000) {
        return it_fail(IT_INVALID, "resamples: expected 2 to 10000000");
    }
    IT_TRY_GOTO(status, end, read_file(&j, 0, o->a));
    IT_TRY_GOTO(status, end, read_file(&j, 1, o->b));
    status = report(o, &j);
end:
    for (size_t i = 0; i < j.n; i++) { it_free(j.item[i].id); }
    it_free(j.item);
    json_decref(j.index);
    return status;
}
