/* SPDX-License-Identifier: MIT */
/* The completions of several tasks from one run of the generator. */
#include "cli/eval_task.h"
#include "core/base/mem.h"

struct asked {
    struct it_eval_task *task;
    int64_t prompt;
};

struct batch {
    const struct it_eval_setup *setup;
    struct asked *asked; /* [n] requests */
    struct it_gen_request *requests;
    int64_t n, max_length, max_new_tokens;
    enum it_status status; /* of writing, inside the generator's callback */
};

static void done(void *context, const struct it_completion *c)
{
    struct batch *b = context;
    const struct asked *asked = &b->asked[c->request];
    if (b->status != IT_OK) { return; }
    b->status = it_eval_task_take(asked->task, b->setup, asked->prompt, c);
}

/* A prompt is asked again with all its samples where one is missing: they come out the same. Its
 * random numbers depend on its place in its own task, not on what else is asked. */
static void add_task(struct batch *b, struct it_eval_task *t)
{
    for (int64_t i = 0; i < t->prompts.n; i++) {
        const struct it_rl_prompt *prompt = &t->prompts.item[i];
        if (it_eval_task_has(t, i)) { continue; }
        b->asked[b->n] = (struct asked){t, i};
        b->requests[b->n++] =
            (struct it_gen_request){.prompt = prompt->ids, .n_prompt = prompt->n,
                                    .n_samples = t->samples, .key = (uint64_t)i,
                                    .max_new_tokens = t->max_new_tokens};
        if (t->max_length > b->max_length) { b->max_length = t->max_length; }
        if (t->max_new_tokens > b->max_new_tokens) { b->max_new_tokens = t->max_new_tokens; }
    }
}

static enum it_status sample(struct batch *b)
{
    const struct it_eval_setup *s = b->setup;
    struct it_cli_sampling sampling = s->sampling;
    struct it_cli_sampler sampler;
    int64_t total = b->n * sampling.n;
    sampling.max_new_tokens = b->max_new_tokens;
    IT_TRY(it_cli_sampler_open(s->engine, total, b->max_length, &sampler));
    struct it_completion *completions = it_calloc((size_t)total, sizeof *completions);
    struct it_gen_run run = {.weights = &s->engine->model->net->weights, .requests = b->requests,
                             .n_requests = b->n, .done = done, .context = b,
                             .sampling = it_cli_sampling(&sampling, s->engine->model, s->seed),
                             .progress = "eval"};
    struct it_gen_totals totals;
    enum it_status status = it_generator_run(sampler.generator, &run, completions, &totals);
    if (status == IT_OK) { status = b->status; }
    if (status == IT_OK) {
        it_info("%lld completions, %.1f tokens/s", (long long)total,
                (double)totals.new_tokens / (totals.decode_s + 1e-9));
    }
    for (int64_t i = 0; i < total; i++) { it_completion_free(&completions[i]); }
    it_free(completions);
    it_cli_sampler_close(&sampler);
    return status;
}

static void say_interrupted(struct it_eval_task *const *tasks, size_t n,
                            const struct it_eval_setup *setup)
{
    long long kept = 0, all = 0;
    for (size_t t = 0; t < n; t++) {
        const struct it_journal *journal = &tasks[t]->journal;
        for (int64_t i = 0; i < journal->n; i++) { kept += journal->record[i] != NULL; }
        all += journal->n;
    }
    if (setup->out) {
        it_warn("interrupted: %lld of %lld completions are in %s; the same command goes on", kept,
                all, setup->out);
    } else {
        it_warn("interrupted: without --out nothing is kept");
    }
}

enum it_status it_eval_generate(struct it_eval_task *const *tasks, size_t n,
                                const struct it_eval_setup *setup)
{
    struct batch b = {.setup = setup};
    int64_t most = 0;
    enum it_status status = IT_OK;
    for (size_t t = 0; t < n; t++) { most += tasks[t]->prompts.n; }
    b.asked = it_calloc((size_t)most + 1, sizeof *b.asked);
    b.requests = it_calloc((size_t)most + 1, sizeof *b.requests);
    for (size_t t = 0; t < n; t++) { add_task(&b, tasks[t]); }
    if (b.n > INT32_MAX / setup->sampling.n) {
        status = it_fail(IT_INVALID, "eval: %lld problems x %lld completions are too many",
                         (long long)b.n, (long long)setup->sampling.n);
    } else if (b.n) {
        status = sample(&b);
    }
    if (status == IT_INTERRUPTED) { say_interrupted(tasks, n, setup); }
    it_free(b.asked);
    it_free(b.requests);
    return status;
}
