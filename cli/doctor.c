/* SPDX-License-Identifier: MIT */
/* intuitor doctor: what is wrong, before a run finds out. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/summary.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/pool.h"

struct doctor_values {
    struct it_cli_common common;
};

static const struct it_option rows[] = {
    IT_CLI_ROWS(doctor_values),
    IT_CLI_BACKEND_ROW(doctor_values),
    IT_CLI_DEVICE_ROWS(doctor_values),
};

enum { SHOWN = 5, GRADED = 2000 };

static void verdict(bool good, const char *what, const char *detail, int *problems)
{
    printf("%-8s %s%s%s\n", good ? "ok" : "PROBLEM", what, *detail ? ": " : "", detail);
    *problems += !good;
}

/* ---- without a recipe: the environment, to paste into a bug report ---- */

static enum it_status environment(const struct it_cli_common *common)
{
    struct it_device *device;
    struct it_topology t;
    char size[24];
    it_topology_read(&t);
    printf("cpu      %s, %d cores, %d threads, %d NUMA nodes\n", t.cpu, t.cores, t.threads,
           t.numa_nodes);
    printf("memory   %s\n", it_format_size(it_mem_total(), size, sizeof size));
    IT_TRY(it_cli_device(common, true, false, &device));
    json_t *ledger = it_cli_ledger(device);
    const char *key;
    json_t *value;
    json_object_foreach(ledger, key, value) {
        char *text = json_dumps(value, JSON_ENCODE_ANY);
        printf("%-20s %s\n", key, text);
        free(text);
    }
    json_decref(ledger);
    it_device_close(device);
    return IT_OK;
}

/* ---- text side ---- */

static void check_stops(const struct it_session *s, int *problems)
{
    const struct it_model_config *c = &s->model->net->config;
    int32_t eos = it_tokenizer_eos(s->model->tokenizer);
    int32_t turn = s->model->chat ? it_chat_turn_end(s->model->chat) : -1;
    struct it_str ids = {0};
    bool has_eos = eos < 0, has_turn = turn >= 0 || !s->model->chat;
    for (int i = 0; i < c->n_eos; i++) {
        it_str_printf(&ids, "%s%d", i ? ", " : "", c->eos[i]);
        has_eos = has_eos || c->eos[i] == eos;
    }
    static const char none[] = "none: completions never end; set eos_token_id in "
                               "generation_config.json";
    verdict(c->n_eos > 0, "stop ids", c->n_eos ? it_str_c(&ids) : none, problems);
    verdict(has_eos, "the tokenizer's eos is a stop id", "", problems);
    struct it_str end = {0};
    if (turn >= 0) { it_tokenizer_decode(s->model->tokenizer, &turn, 1, false, &end); }
    verdict(has_turn, "the chat template ends turns with a special token",
            !s->model->chat ? "no chat template: prompts are plain" : it_str_c(&end), problems);
    it_str_free(&end);
    it_str_free(&ids);
}

static void check_lengths(const struct it_session *s, int *problems)
{
    char text[160];
    const struct it_rl_prompt *p = &s->train.item[0];
    int64_t most = 0;
    for (int64_t i = 0; i < s->train.n; i++) {
        if (s->train.item[i].n > most) { most = s->train.item[i].n; }
    }
    snprintf(text, sizeof text, "%lld prompts, longest %lld tokens of %lld allowed, %lld dropped",
             (long long)s->train.n, (long long)most, (long long)s->recipe.max_prompt_length,
             (long long)s->train.dropped);
    verdict(true, "data", text, problems);
    struct it_str prompt = {0};
    it_tokenizer_decode(s->model->tokenizer, p->ids, (size_t)p->n, false, &prompt);
    printf("         the first prompt as the model sees it:\n%s\n", it_str_c(&prompt));
    it_str_free(&prompt);
}

/* A gold as a model may say it: rules look for one of these. */
static char *gold_as_answer(const char *gold, int way)
{
    struct it_str answer = {0};
    json_t *object;
    char *text;
    switch (way) {
    case 0: it_str_printf(&answer, strstr(gold, "\\boxed") ? "%s" : "\\boxed{%s}", gold); break;
    case 1: it_str_puts(&answer, gold); break;
    case 2: it_str_printf(&answer, "The answer is (%s).", gold); break;
    case 3:
        object = json_object();
        json_object_set_new(object, "answer", it_json_text(gold, strlen(gold)));
        text = json_dumps(object, 0);
        it_str_puts(&answer, text);
        free(text);
        json_decref(object);
        break;
    default: return NULL;
    }
    return it_str_take(&answer);
}

/* Right in one of the ways to say it, or the last verdict. */
static enum it_status grade_gold(const struct it_rl_grader *g, const struct it_rl_prompt *p,
                                 struct it_rl_grade *grade_out)
{
    char *answer;
    for (int way = 0; !grade_out->correct && (answer = gold_as_answer(p->gold, way)); way++) {
        const char *completion = answer;
        struct it_rl_grade grade = {0};
        enum it_status status = g->grade(g->context, &p, &completion, 1, &grade);
        it_free(grade.extracted);
        it_free(answer);
        IT_TRY(status);
        grade.extracted = NULL;
        *grade_out = grade;
    }
    return IT_OK;
}

/* Gold against gold must be right; what cannot be read is listed. */
static enum it_status check_grader(struct it_session *s, int *problems)
{
    int64_t wrong = 0, unread = 0, graded = 0;
    char text[128];
    if (s->train.task->runs_programs) {
        verdict(true, "grader", "answers are programs, and their tests decide: no gold to compare",
                problems);
        return IT_OK;
    }
    for (int64_t i = 0; i < s->train.n && graded < GRADED; i++) {
        const struct it_rl_prompt *p = &s->train.item[i];
        struct it_rl_grade grade = {0};
        if (!p->gold) { continue; }
        IT_TRY(grade_gold(&s->setup.grader, p, &grade));
        graded++;
        wrong += grade.gradable && !grade.correct;
        unread += !grade.gradable;
        if (!(grade.gradable && grade.correct) && wrong + unread <= SHOWN) {
            printf("         %s: gold %s: \"%.60s\"\n", p->id,
                   grade.gradable ? "is not equal to itself" : "cannot be read", p->gold);
        }
    }
    snprintf(text, sizeof text, "%lld golds, %lld not equal to themselves, %lld unreadable",
             (long long)graded, (long long)wrong, (long long)unread);
    verdict(wrong == 0 && unread == 0, "grader against its own golds", text, problems);
    return IT_OK;
}

static enum it_status check_sampler(struct it_session *s, int *problems)
{
    double mean, most;
    char text[160];
    enum it_status status = it_train_probe(&s->setup, &mean, &most);
    if (status == IT_GUARD) {
        verdict(false, "sampler against trainer", "see the error above", problems);
        return IT_OK;
    }
    IT_TRY(status);
    snprintf(text, sizeof text, "mean |ratio - 1| %.3g, largest %.3g%s", mean, most,
             s->recipe.exact ? " (exact)" : "");
    verdict(true, "sampler against trainer", text, problems);
    return IT_OK;
}

static enum it_status examine(struct it_session *s)
{
    struct it_batch_shape shape;
    struct it_str words = {0};
    int problems = 0;
    IT_TRY(it_recipe_batch(&s->recipe, s->setup.devices, &shape));
    it_summary_batch(s, &shape, &words);
    verdict(true, "batch", it_str_c(&words), &problems);
    it_str_free(&words);
    check_stops(s, &problems);
    check_lengths(s, &problems);
    IT_TRY(check_grader(s, &problems));
    IT_TRY(it_summary_plan(s, false));
    IT_TRY(check_sampler(s, &problems));
    if (problems == 0) { return IT_OK; }
    return it_fail(IT_FAILED, "%d problem%s found", problems, problems == 1 ? "" : "s");
}

static enum it_status run(const void *values, const struct it_strs *arguments)
{
    const struct doctor_values *v = values;
    struct it_session session;
    if (arguments->n == 0) { return environment(&v->common); }
    struct it_session_options options = {.recipe = arguments->item[0], .overrides = arguments,
                                         .common = &v->common};
    IT_TRY(it_session_open(&options, &session));
    enum it_status status = examine(&session);
    it_session_close(&session);
    return status;
}

const struct it_command it_command_doctor = {
    .name = "doctor",
    .summary = "check a recipe, its model, data and grader before a run; or this machine",
    .usage = "[RECIPE.yaml [key=value ...]]",
    .example = "intuitor doctor recipes/demo.yaml",
    .table = {rows, sizeof rows / sizeof *rows},
    .values_size = sizeof(struct doctor_values),
    .run = run,
    .recipe = &it_recipe_table,
};
