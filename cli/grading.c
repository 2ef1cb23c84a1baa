/* SPDX-License-Identifier: MIT */
/* Grading over the cores. */
#include "cli/grading.h"

#include <limits.h>
#include <stdatomic.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "tasks/grade/judge.h"
#include "tasks/grade/sandbox.h"

enum it_status it_graders_open(const struct it_graders_options *o, struct it_graders *graders_out)
{
    struct it_graders g = {0};
    if (o->threads < 0 || o->threads > INT_MAX) {
        return it_fail(IT_INVALID, "threads: expected 0 (one a physical core) or more");
    }
    IT_TRY(it_pool_open((int)o->threads, &g.pool));
    enum it_status status = IT_OK;
    if (o->judge) { status = it_cli_judge_open(o->judge, o->data, &g.judge); }
    /* before the pool's threads begin: they start with its first work */
    if (status == IT_OK && o->runs_programs) {
        struct it_sandbox_options options = {.workers = it_pool_threads(g.pool),
                                             .unsafe = o->unsafe};
        status = it_sandbox_open(&options, &g.sandbox);
        if (status == IT_OK) {
            it_info("programs run in a sandbox: %s", it_sandbox_tier(g.sandbox));
        }
    }
    if (status != IT_OK) {
        it_graders_close(&g);
        return status;
    }
    *graders_out = g;
    return IT_OK;
}

void it_graders_close(struct it_graders *g)
{
    it_pool_close(g->pool);
    if (g->sandbox) { it_sandbox_close(g->sandbox); }
    it_judge_close(g->judge);
    *g = (struct it_graders){0};
}

const char *it_graders_tier(const struct it_graders *g)
{
    return g->sandbox ? it_sandbox_tier(g->sandbox) : NULL;
}

struct job {
    const struct it_task *task;
    const struct it_grading *grading;
    struct it_graded *item;
    struct it_progress *progress;
    int64_t before;
    atomic_int_least64_t done;
    atomic_int failure; /* enum it_status: of grading as a whole, the first that was seen */
};

static void grade_some(void *context, int64_t begin, int64_t end, int thread)
{
    struct job *j = context;
    for (int64_t i = begin; i < end; i++) {
        struct it_graded *item = &j->item[i];
        int none = IT_OK;
        if (item->status == IT_OK && (it_interrupted() || atomic_load(&j->failure) != IT_OK)) {
            item->status = IT_INTERRUPTED;
        } else if (item->status == IT_OK) {
            item->status = j->task->grade(j->grading, item->record, item->where, &item->verdict);
        }
        if (item->status != IT_OK && item->status != IT_INVALID) {
            atomic_compare_exchange_strong(&j->failure, &none, (int)item->status);
        }
        int64_t done = atomic_fetch_add(&j->done, 1) + 1;
        if (thread == 0 && j->progress) { it_progress_set(j->progress, j->before + done); }
    }
}

/* What only a service can say of the records comes before their grading; without it none is. */
static enum it_status prepare(const struct it_task *task, const struct it_grading *grading,
                              struct it_graded *item, size_t n)
{
    if (!task->prepare) { return IT_OK; }
    json_t **records = it_calloc(n + 1, sizeof *records);
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (item[i].status == IT_OK) { records[count++] = item[i].record; }
    }
    enum it_status status = count ? task->prepare(grading, records, count) : IT_OK;
    for (size_t i = 0; i < n && status != IT_OK; i++) {
        if (item[i].status == IT_OK) { item[i].status = IT_INTERRUPTED; }
    }
    it_free(records);
    return status;
}

enum it_status it_graders_run(const struct it_graders *g, const struct it_task *task,
                              const struct it_grading *grading, struct it_graded *item, size_t n,
                              struct it_progress *progress, int64_t done)
{
    struct job job = {.task = task, .grading = grading, .item = item, .progress = progress,
                      .before = done};
    IT_TRY(prepare(task, grading, item, n));
    it_pool_run(g->pool, (int64_t)n, 1, grade_some, &job);
    return (enum it_status)atomic_load(&job.failure);
}

static json_t *text_or_null(const char *text)
{
    return text ? it_json_text(text, strlen(text)) : json_null();
}

void it_graded_put(const struct it_verdict *verdict, json_t *record)
{
    json_object_set_new(record, "extracted", text_or_null(verdict->extracted));
    json_object_set_new(record, "correct", json_boolean(verdict->correct && verdict->gradable));
    json_object_set_new(record, "detail", text_or_null(verdict->detail));
}
