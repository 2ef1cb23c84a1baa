/* SPDX-License-Identifier: MIT */
/* intuitor analyze: what recorded samples say of a model's confidence. */
#include "cli/analyze.h"

#include "cli/cli.h"
#include "core/base/json.h"
#include "core/base/mem.h"

struct analyze_values {
    struct it_cli_common common;
    char *input, *against, *task, *profile, *data;
    bool unsafe;
    struct it_reals n;
};

#define AT(field) offsetof(struct analyze_values, field)
static const struct it_option rows[] = {
    IT_CLI_ROWS(analyze_values),
    IT_CLI_JSON_ROW(analyze_values),
    {"input", IT_OPT_STRING, NULL,
     "what generate wrote, with \"gold\"; or records of one completion each, as eval and grade "
     "write them; -: standard input", AT(input), NULL},
    {"against", IT_OPT_STRING, NULL,
     "a second file of the same problems: how many of their unique answers do the two share?",
     AT(against), NULL},
    {"n", IT_OPT_REALS, NULL, "sample counts of the selection table; unset: 1, 2, 4 ... all", AT(n),
     NULL},
    {"task", IT_OPT_STRING, NULL,
     "whose rule finds and compares answers; unset: math, and graded records count as graded",
     AT(task), NULL},
    {"profile", IT_OPT_STRING, NULL, "grading rule; unset: the task's own", AT(profile), NULL},
    IT_CLI_GRADING_ROWS(analyze_values),
};

static const char notes[] =
    "Confidence: is it higher where the answer is right? Mann-Whitney U of each statistic, p of\n"
    "the one-sided test (right above wrong; normal with continuity correction, exact for up to 60\n"
    "completions), r = Z / sqrt(n). U, z, p and r at the top are those of self-certainty.\n"
    "Categories (Figure 6): no answer found, or code that does not parse (where --task names a\n"
    "task of programs); an answer with fewer than 8 words before it; an answer with reasoning\n"
    "before it. docs/howto-eval.md has the formulas and their sources.\n";

struct job {
    const struct analyze_values *v;
    struct it_sampled_file file, against;
    struct it_reals sizes;
};

static json_t *document_of(struct job *j)
{
    static const char *const top[] = {"u", "z", "p", "r"};
    struct it_sampled_file *f = &j->file;
    json_t *d = json_object(), *confidence = it_analyze_confidence(f);
    const json_t *test = json_object_get(confidence, "self_certainty");
    size_t n = 0, graded = 0, right = 0;
    for (size_t i = 0; i < f->n; i++) {
        n += f->item[i].n;
        graded += f->item[i].has_gold ? f->item[i].n : 0;
        for (size_t k = 0; k < f->item[i].n; k++) { right += f->item[i].sample[k].correct; }
    }
    json_object_set_new(d, "task", json_string(f->task->name));
    json_object_set_new(d, "profile", json_string(f->profile));
    json_object_set_new(d, "problems", json_integer((json_int_t)f->n));
    json_object_set_new(d, "n", json_integer((json_int_t)n));
    json_object_set_new(d, "correct", json_integer((json_int_t)right));
    json_object_set_new(d, "accuracy", it_json_real((double)right / (double)graded));
    for (size_t i = 0; i < sizeof top / sizeof *top; i++) {
        json_t *value = json_object_get(test, top[i]);
        json_object_set_new(d, i ? top[i] : "U", value ? json_incref(value) : json_null());
    }
    json_object_set_new(d, "confidence", confidence);
    json_object_set_new(d, "lengths", it_analyze_lengths(f));
    json_object_set_new(d, "categories", it_analyze_categories(f));
    json_object_set_new(d, "answers", it_analyze_answers(f));
    if (j->v->against) {
        json_object_set_new(d, "overlap", it_analyze_overlap(f, &j->against));
    }
    json_object_set_new(d, "selection", it_analyze_selection(f, &j->sizes));
    return d;
}

/* ---- for people ---- */

static double real(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

static void print_number(const json_t *object, const char *name, const char *format)
{
    const json_t *value = json_object_get(object, name);
    if (json_is_number(value)) {
        printf(format, json_number_value(value));
    } else {
        printf(" %10s", "-");
    }
}

static void print_confidence(json_t *confidence)
{
    const char *name;
    json_t *t;
    printf("\nconfidence of right above wrong answers (Mann-Whitney)\n%-16s %7s %7s %10s %10s %10s "
           "%10s %10s %10s\n", "statistic", "right", "wrong", "mean right", "mean wrong", "U", "Z",
           "p", "r");
    json_object_foreach(confidence, name, t)
    {
        printf("%-16s %7.0f %7.0f", name, real(t, "n_correct"), real(t, "n_wrong"));
        print_number(t, "mean_correct", " %10.4f");
        print_number(t, "mean_wrong", " %10.4f");
        print_number(t, "u", " %10.1f");
        print_number(t, "z", " %10.3f");
        print_number(t, "p", " %10.3g");
        print_number(t, "r", " %10.3f");
        printf("\n");
    }
}

static void print_lengths(json_t *lengths)
{
    static const char *const part[] = {"all", "correct", "wrong"};
    printf("\nlength in %s\n%-16s %7s %10s %10s %10s %10s\n",
           json_string_value(json_object_get(lengths, "unit")), "answers", "n", "mean", "median",
           "min", "max");
    for (int i = 0; i < 3; i++) {
        const json_t *l = json_object_get(lengths, part[i]);
        printf("%-16s %7.0f", part[i], real(l, "n"));
        print_number(l, "mean", " %10.1f");
        print_number(l, "median", " %10.1f");
        print_number(l, "min", " %10.0f");
        print_number(l, "max", " %10.0f");
        printf("\n");
    }
    printf("cut by length: %.4f of all\n", real(lengths, "cut"));
}

static void print_categories(json_t *categories)
{
    const char *name;
    json_t *c;
    printf("\n%-16s %7s %10s %10s\n", "category", "n", "share", "accuracy");
    json_object_foreach(categories, name, c)
    {
        printf("%-16s %7.0f", name, real(c, "n"));
        print_number(c, "share", " %10.4f");
        print_number(c, "accuracy", " %10.4f");
        printf("\n");
    }
}

static void print_answers(const json_t *d)
{
    const json_t *a = json_object_get(d, "answers"), *o = json_object_get(d, "overlap");
    printf("\nunique answers of a problem: %.3f; share of the most frequent: %.4f; unanimous: "
           "%.4f\n", real(a, "unique"), real(a, "majority_share"), real(a, "unanimous"));
    if (o) {
        printf("unique answers of %.0f problems in both files: %.0f here, %.0f there, %.0f "
               "shared; Jaccard %.4f\n", real(o, "problems"), real(o, "unique_a"),
               real(o, "unique_b"), real(o, "shared"), real(o, "jaccard"));
    }
}

static void print_selection(const json_t *list, const struct it_reals *sizes)
{
    size_t i;
    const json_t *row;
    printf("\naccuracy by the number of samples\n%-16s", "method");
    for (size_t k = 0; k < sizes->n; k++) { printf(" %9.0f", sizes->item[k]); }
    json_array_foreach(list, i, row)
    {
        if (i % sizes->n == 0) {
            printf("\n%-16s", json_string_value(json_object_get(row, "method")));
        }
        print_number(row, "accuracy", " %9.4f");
    }
    printf("\n");
}

static enum it_status put(struct job *j)
{
    json_t *d = document_of(j);
    enum it_status status = IT_OK;
    if (j->v->common.json) {
        status = it_jsonl_put(stdout, d);
    } else {
        printf("%zu problems, %.0f completions, %s (%s), accuracy %.4f\n", j->file.n, real(d, "n"),
               j->file.task->name, j->file.profile, real(d, "accuracy"));
        print_confidence(json_object_get(d, "confidence"));
        print_lengths(json_object_get(d, "lengths"));
        print_categories(json_object_get(d, "categories"));
        print_answers(d);
        print_selection(json_object_get(d, "selection"), &j->sizes);
    }
    json_decref(d);
    return status;
}

static enum it_status open_file(const struct analyze_values *v, const char *path,
                                struct it_sampled_file *file_out)
{
    struct it_samples_options options = {.path = path, .task = v->task, .profile = v->profile,
                                         .data = v->data, .threads = v->common.threads,
                                         .unsafe = v->unsafe, .syntax = true};
    return it_samples_open("analyze", &options, file_out);
}

static enum it_status run(const void *values, const struct it_strs *arguments)
{
    const struct analyze_values *v = values;
    struct job j = {.v = v};
    enum it_status status;
    if (arguments->n) {
        return it_cli_usage(&it_command_analyze, "nothing but options is expected");
    }
    if (!v->input) { return it_cli_usage(&it_command_analyze, "no --input given"); }
    IT_TRY(open_file(v, v->input, &j.file));
    if (v->against) { IT_TRY_GOTO(status, end, open_file(v, v->against, &j.against)); }
    IT_TRY_GOTO(status, end, it_selection_sizes("analyze", &v->n, &j.file, &j.sizes));
    status = put(&j);
    if (status == IT_OK) { status = it_samples_verdict(&j.file, v->input); }
    if (status == IT_OK) { status = it_samples_verdict(&j.against, v->against); }
end:
    it_samples_close(&j.against);
    it_samples_close(&j.file);
    it_free(j.sizes.item);
    return status;
}

const struct it_command it_command_analyze = {
    .name = "analyze",
    .summary = "is a model surer of right answers? and what else its samples say",
    .usage = "--input F.jsonl [--task NAME] [--against G.jsonl] [--json]",
    .example = "intuitor analyze --input evals/tiny/arithmetic.jsonl --json",
    .notes = notes,
    .table = {rows, sizeof rows / sizeof *rows},
    .values_size = sizeof(struct analyze_values),
    .run = run,
};
