/* SPDX-License-Identifier: MIT */
/* intuitor select: Best of N from recorded samples, without a model. */
#include <string.h>

#include "cli/cli.h"
#include "cli/selection.h"
#include "core/base/json.h"
#include "core/base/mem.h"

struct select_values {
    struct it_cli_common common;
    char *input, *output, *task, *profile, *data;
    bool unsafe;
    double power;
    int score; /* enum it_score */
    struct it_strs method;
    struct it_reals n;
};

#define AT(field) offsetof(struct select_values, field)
static const struct it_option rows[] = {
    IT_CLI_ROWS(select_values),
    IT_CLI_JSON_ROW(select_values),
    {"input", IT_OPT_STRING, NULL,
     "what generate wrote, with \"gold\" where accuracy is wanted; or records of one completion "
     "each with an \"id\", as eval and grade write; -: standard input", AT(input), NULL},
    {"method", IT_OPT_STRINGS, NULL,
     "self_certainty, borda, majority, avg_logprob, perplexity, entropy, gini, first, oracle; "
     "several as a,b; unset: all that the records allow", AT(method), NULL},
    {"power", IT_OPT_REAL, "-1",
     "of borda's votes; below 0: 0.3 up to 16 samples, 1.2 from 32 on, between them in between",
     AT(power), NULL},
    {"score", IT_OPT_CHOICE, "self_certainty", "the statistic by which borda ranks", AT(score),
     "self_certainty|avg_logprob|perplexity|entropy|gini"},
    {"n", IT_OPT_REALS, NULL,
     "choose among this many first samples of a problem, 4,16; unset: 1, 2, 4 ... all", AT(n),
     NULL},
    {"task", IT_OPT_STRING, NULL,
     "whose rule finds and compares answers; unset: math, and graded records count as graded",
     AT(task), NULL},
    {"profile", IT_OPT_STRING, NULL, "grading rule; unset: the task's own", AT(profile), NULL},
    {"output", IT_OPT_STRING, NULL,
     "file for the input's problems with the choice of the one --method among the most samples",
     AT(output), NULL},
    IT_CLI_GRADING_ROWS(select_values),
};

static const char notes[] =
    "Prints the accuracy of each method when it chooses among the first N samples of a problem.\n"
    "A sample without an answer is never chosen where another has one, and casts no vote; ties go\n"
    "to the earlier sample. Answers are the same when the task's rule says so. --output adds\n"
    "selected (the sample's index from 0), extracted, correct (null without a gold), completion.\n"
    "With --json each result has chosen: each problem's index, in the input's order.\n";

struct job {
    const struct select_values *v;
    struct it_selection_options options;
    struct it_sampled_file file;
    const struct it_method **method;
    size_t n_methods;
    struct it_reals sizes;
    struct it_selected *result; /* [n_methods * sizes.n] */
    size_t n_results;
};

static enum it_status unknown_method(const char *name)
{
    const char *names[16];
    struct it_str list = {0};
    size_t n = 0;
    for (; it_method_at(n); n++) {
        names[n] = it_method_at(n)->name;
        it_str_printf(&list, "%s%s", n ? ", " : "", names[n]);
    }
    const char *closest = it_closest(name, names, n);
    it_fail(IT_INVALID, "select: unknown method \"%s\"; %s %s", name,
            closest ? "did you mean" : "there are", closest ? closest : it_str_c(&list));
    it_str_free(&list);
    return IT_INVALID;
}

static enum it_status find_methods(struct job *j)
{
    const struct select_values *v = j->v;
    j->method = it_calloc(v->method.n + 16, sizeof *j->method);
    for (size_t i = 0; i < v->method.n; i++) {
        const struct it_method *method = it_method_find(v->method.item[i]);
        if (!method) { return unknown_method(v->method.item[i]); }
        j->method[j->n_methods++] = method;
    }
    for (size_t i = 0; v->method.n == 0 && it_method_at(i); i++) {
        j->method[j->n_methods++] = it_method_at(i);
    }
    return IT_OK;
}

static enum it_status check(struct job *j, const struct it_strs *arguments)
{
    const struct select_values *v = j->v;
    if (arguments->n) {
        return it_cli_usage(&it_command_select, "nothing but options is expected");
    }
    if (!v->input) { return it_cli_usage(&it_command_select, "no --input given"); }
    if (!(v->power >= -1e6 && v->power <= 1e6)) {
        return it_fail(IT_INVALID, "select: power: expected 0 to 1e6, or below 0 for what suits N");
    }
    IT_TRY(find_methods(j));
    if (v->output && v->method.n != 1) {
        return it_cli_usage(&it_command_select, "--output wants one --method");
    }
    j->options = (struct it_selection_options){.power = v->power, .score = v->score};
    return IT_OK;
}

/* A method that was not asked for by name is left out where its statistic is not there; for one
 * that was, the problem is a bad record. */
static void check_scores(struct job *j)
{
    size_t kept = 0;
    for (size_t m = 0; m < j->n_methods; m++) {
        bool whole = true;
        for (size_t i = 0; i < j->file.n && whole; i++) {
            whole = it_selection_lacks(j->method[m], &j->options, &j->file.item[i]) < 0;
        }
        if (j->v->method.n == 0 && !whole) {
            it_info("%s is left out: not every completion has what it ranks by",
                    j->method[m]->name);
            continue;
        }
        j->method[kept++] = j->method[m];
    }
    j->n_methods = kept;
}

static void drop_lacking(struct job *j)
{
    struct it_sampled_file *f = &j->file;
    for (size_t m = 0; m < j->n_methods; m++) {
        for (size_t i = 0; i < f->n; i++) {
            int64_t at = f->item[i].bad ? -1 : it_selection_lacks(j->method[m], &j->options,
                                                                  &f->item[i]);
            if (at < 0) { continue; }
            it_fail(IT_INVALID, "%s: completion %lld has nothing that %s can rank by",
                    f->item[i].where, (long long)at, j->method[m]->name);
            f->item[i].bad = true;
            f->bad++;
        }
    }
    it_samples_drop(f);
}

static void measure(struct job *j)
{
    j->result = it_calloc(j->n_methods * j->sizes.n + 1, sizeof *j->result);
    for (size_t m = 0; m < j->n_methods; m++) {
        for (size_t k = 0; k < j->sizes.n; k++) {
            j->result[j->n_results++] = it_selection_measure(
                j->method[m], &j->options, &j->file, (int64_t)j->sizes.item[k]);
        }
    }
}

/* ---- results ---- */

static json_t *document_of(const struct job *j)
{
    json_t *document = json_object(), *results = json_array();
    json_object_set_new(document, "task", json_string(j->file.task->name));
    json_object_set_new(document, "profile", json_string(j->file.profile));
    json_object_set_new(document, "problems", json_integer((json_int_t)j->file.n));
    for (size_t r = 0; r < j->n_results; r++) {
        json_t *result = it_selected_json(&j->result[r], &j->options), *chosen = json_array();
        for (size_t i = 0; i < j->file.n; i++) {
            json_array_append_new(chosen, json_integer((json_int_t)j->result[r].chosen[i]));
        }
        json_object_set_new(result, "chosen", chosen);
        json_array_append_new(results, result);
    }
    json_object_set_new(document, "results", results);
    return document;
}

static void print_table(const struct job *j)
{
    printf("%zu problems, %s (%s); accuracy by the number of samples\n%-16s", j->file.n,
           j->file.task->name, j->file.profile, "method");
    for (size_t k = 0; k < j->sizes.n; k++) { printf(" %9.0f", j->sizes.item[k]); }
    for (size_t r = 0; r < j->n_results; r++) {
        const struct it_selected *s = &j->result[r];
        if (r % j->sizes.n == 0) { printf("\n%-16s", s->method->name); }
        if (s->problems) {
            printf(" %9.4f", s->accuracy);
        } else {
            printf(" %9s", "-");
        }
    }
    printf("\n");
    if (j->n_results && j->result[0].problems == 0) {
        printf("no record has a gold: --output writes what is chosen\n");
    }
}

static enum it_status put_choices(const struct job *j)
{
    struct it_output output;
    enum it_status status;
    if (!j->v->output) { return IT_OK; }
    IT_TRY(it_output_open(j->v->output, &output));
    status = IT_OK;
    for (size_t i = 0; i < j->file.n && status == IT_OK && j->n_results; i++) {
        const struct it_sampled_problem *p = &j->file.item[i];
        size_t at = j->result[j->n_results - 1].chosen[i];
        const struct it_sampled *s = &p->sample[at];
        json_t *record = json_copy(p->record);
        json_object_set_new(record, "selected", json_integer((json_int_t)at));
        json_object_set(record, "completion", json_object_get(s->record, "completion"));
        json_object_set_new(record, "extracted",
                            s->answer ? it_json_text(s->answer, strlen(s->answer)) : json_null());
        json_object_set_new(record, "correct", p->has_gold ? json_boolean(s->correct)
                                                           : json_null());
        status = it_output_put(&output, record);
        json_decref(record);
    }
    return it_output_close(&output, status);
}

static enum it_status put_results(const struct job *j)
{
    enum it_status status = IT_OK;
    if (j->v->common.json) {
        json_t *document = document_of(j);
        status = it_jsonl_put(stdout, document);
        json_decref(document);
    } else if (j->sizes.n) {
        print_table(j);
    } else {
        printf("no problems\n");
    }
    return status == IT_OK ? put_choices(j) : status;
}

static enum it_status run(const void *values, const struct it_strs *arguments)
{
    const struct select_values *v = values;
    struct job j = {.v = v};
    struct it_samples_options options = {.path = v->input, .task = v->task, .profile = v->profile,
                                         .data = v->data, .threads = v->common.threads,
                                         .unsafe = v->unsafe};
    enum it_status status;
    IT_TRY_GOTO(status, end, check(&j, arguments));
    IT_TRY_GOTO(status, end, it_samples_open("select", &options, &j.file));
    check_scores(&j);
    drop_lacking(&j);
    IT_TRY_GOTO(status, close, it_selection_sizes("select", &v->n, &j.file, &j.sizes));
    measure(&j);
    status = put_results(&j);
    if (status == IT_OK) { status = it_samples_verdict(&j.file, v->input); }
close:
    it_samples_close(&j.file);
end:
    for (size_t r = 0; r < j.n_results; r++) { it_free(j.result[r].chosen); }
    it_free(j.result);
    it_free(j.sizes.item);
    it_free(j.method);
    return status;
}

const struct it_command it_command_select = {
    .name = "select",
    .summary = "choose the best of many samples, and how often each method is right",
    .usage = "--input F.jsonl [--method M] [--power P] [--n 4,16] [--task NAME] [--json]",
    .example = "intuitor select --input samples.jsonl --method borda --power 0.5 --json",
    .notes = notes,
    .table = {rows, sizeof rows / sizeof *rows},
    .values_size = sizeof(struct select_values),
    .run = run,
};
