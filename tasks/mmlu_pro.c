/* SPDX-License-Identifier: MIT */
/* The task `mmlu_pro`: questions of 14 subjects with up to ten options, asked with worked examples
 * of the same subject, answered with a letter. */
#include <string.h>

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "tasks/dataset.h"
#include "tasks/grade/mmlu_guess.h"
#include "tasks/grade/mmlu_letter.h"
#include "tasks/prompt.h"
#include "tasks/task.h"

const struct it_task it_task_mmlu_pro;

/* Of the official local run: 4096 positions, 2048 of them for the answer, five examples unless the
 * prompt would not fit. */
enum { EXAMPLES = 5, PROMPT_TOKENS = 2048, OPTIONS = 10 };

/* ---- questions ---- */

static enum it_status fill(const json_t *record, const char *where, struct it_problem *problem)
{
    const char *question, *category, *answer;
    IT_TRY(it_dataset_string(record, where, "question", &question));
    IT_TRY(it_dataset_string(record, where, "category", &category));
    IT_TRY(it_dataset_string(record, where, "answer", &answer));
    size_t options = it_mmlu_options(record);
    if (options == 0 || options > OPTIONS) {
        return it_fail(IT_INVALID, "%s: field \"options\": expected a list of 1 to %d texts", where,
                       OPTIONS);
    }
    const json_t *id = json_object_get(record, "question_id");
    if (json_is_integer(id)) {
        struct it_str name = {0};
        it_str_printf(&name, "mmlu_pro/%lld", (long long)json_integer_value(id));
        problem->id = it_str_take(&name);
    }
    problem->gold = it_strdup(answer);
    return IT_OK;
}

/* "A. first\nB. second", without the places that hold no option. */
static void add_options(const json_t *record, struct it_str *text)
{
    const json_t *options = json_object_get(record, "options"), *option;
    size_t i;
    char letter = 'A';
    json_array_foreach(options, i, option)
    {
        if (!it_mmlu_is_option(option)) { continue; }
        it_str_printf(text, "%s%c. %s", letter > 'A' ? "\n" : "", letter,
                      json_string_value(option));
        letter++;
    }
}

/* A worked example, its reasoning as the file has it ("A: Let's think ..."). */
static enum it_status add_example(const struct it_problem *example, struct it_str *text)
{
    static const char mark[] = "A: ";
    const char *question, *reasoning;
    IT_TRY(it_dataset_string(example->record, example->id, "question", &question));
    IT_TRY(it_dataset_string(example->record, example->id, "cot_content", &reasoning));
    if (it_starts_with(reasoning, mark)) { reasoning += sizeof mark - 1; }
    it_str_printf(text, "Question:\n%s\nOptions:\n", question);
    add_options(example->record, text);
    it_str_printf(text, "\nAnswer: %s\n\n", reasoning);
    return IT_OK;
}

/* The first `count` examples of the question's subject. */
static enum it_status add_examples(const struct it_problems *examples,
                                   const struct it_problem *problem, int count, struct it_str *text)
{
    const char *category = it_dataset_field(problem->record, "category");
    for (size_t i = 0; i < examples->n && count > 0; i++) {
        if (strcmp(it_dataset_field(examples->item[i].record, "category"), category) != 0) {
            continue;
        }
        IT_TRY(add_example(&examples->item[i], text));
        count--;
    }
    return IT_OK;
}

static enum it_status word(const char *template, const struct it_problems *examples, int count,
                           struct it_problem *problem)
{
    struct it_str options = {0}, shown = {0}, text = {0};
    enum it_status status = add_examples(examples, problem, count, &shown);
    if (status == IT_OK) {
        json_t *fields = json_copy(problem->record);
        add_options(problem->record, &options);
        json_object_set_new(fields, "options", it_json_text(it_str_c(&options), options.len));
        json_object_set_new(fields, "examples", it_json_text(it_str_c(&shown), shown.len));
        status = it_prompt_fill(template, fields, problem->id, &text);
        json_decref(fields);
    }
    it_free(problem->text);
    problem->text = it_strdup(it_str_c(&text));
    it_str_free(&options);
    it_str_free(&shown);
    it_str_free(&text);
    return status;
}

/* One example less as long as the prompt leaves no room for the answer. */
static enum it_status word_within(const struct it_task_source *source, const char *template,
                                  const struct it_problems *examples, struct it_problem *problem)
{
    int count = examples->n > 0 ? EXAMPLES : 0;
    IT_TRY(word(template, examples, count, problem));
    while (count > 0 && source->count_tokens != NULL &&
           source->count_tokens(source->count_context, problem->text) >= PROMPT_TOKENS) {
        count--;
        IT_TRY(word(template, examples, count, problem));
    }
    return IT_OK;
}

/* The examples are the validation split: in the dataset's folder, or beside a file of questions. */
static enum it_status open_examples(const struct it_task_source *source,
                                    struct it_problems *examples_out)
{
    char *folder = NULL;
    struct it_task_source from = {.data = source->data};
    if (source->data != NULL && it_path_exists(source->data) && !it_path_is_dir(source->data)) {
        size_t n = (size_t)(it_path_base(source->data) - source->data);
        folder = n > 0 ? it_strndup(source->data, n) : it_strdup(".");
        from.data = folder;
    }
    enum it_status status =
        it_dataset_open("mmlu_pro", "mmlu_pro", "validation", &from, fill, examples_out);
    it_free(folder);
    return status;
}

static enum it_status open_task(const struct it_task_source *source,
                                struct it_problems *problems_out)
{
    const char *template, *split = source->split != NULL ? source->split : "test";
    struct it_problems problems = {0}, examples = {0};
    enum it_status status;
    IT_TRY(it_prompt_find(&it_task_mmlu_pro, source, &template));
    if (strstr(template, "{examples}") != NULL) { IT_TRY(open_examples(source, &examples)); }
    IT_TRY_GOTO(status, end,
                it_dataset_open("mmlu_pro", "mmlu_pro", split, source, fill, &problems));
    for (size_t i = 0; i < problems.n; i++) {
        IT_TRY_GOTO(status, end, word_within(source, template, &examples, &problems.item[i]));
    }
    *problems_out = problems;
    problems = (struct it_problems){0};
end:
    it_problems_free(&problems);
    it_problems_free(&examples);
    return status;
}

/* ---- answers ---- */

static enum it_status grade(const struct it_grading *grading, const json_t *fields,
                            const char *where, struct it_verdict *verdict_out)
{
    static const char *const stages[] = {
        [IT_MMLU_NONE] = "no letter",
        [IT_MMLU_FIRST] = "first stage",
        [IT_MMLU_SECOND] = "second stage",
        [IT_MMLU_LAST] = "last letter",
    };
    bool first = strcmp(grading->profile, "mmlu-pro-first") == 0;
    const char *completion, *gold;
    enum it_mmlu_stage stage;
    IT_TRY(it_dataset_string(fields, where, "completion", &completion));
    IT_TRY(it_dataset_string(fields, where, "gold", &gold));
    char letter = it_mmlu_letter(completion, strlen(completion),
                                 first ? IT_MMLU_FIRST : IT_MMLU_LAST, &stage);
    struct it_verdict verdict = {
        .gradable = gold[0] >= 'A' && gold[0] < 'A' + OPTIONS && gold[1] == '\0',
        .detail = it_strdup(stages[stage]),
    };
    if (!verdict.gradable) {
        it_free(verdict.detail);
        verdict.detail = it_strdup("the gold is no letter from A to J");
    }
    if (letter != 0) {
        verdict.extracted = it_strndup(&letter, 1);
        verdict.correct = verdict.gradable && letter == gold[0];
    }
    *verdict_out = verdict;
    return IT_OK;
}

const struct it_task it_task_mmlu_pro = {
    .name = "mmlu_pro",
    .summary = "questions of 14 subjects, a letter from up to ten as answer",
    .default_profile = "mmlu-pro",
    .profiles = "mmlu-pro|mmlu-pro-first",
    .default_prompt = "five-shot",
    .prompts = "five-shot|zero-shot",
    .breakdown = "category",
    .max_new_tokens = 2048,
    .open = open_task,
    .grade = grade,
    .report = it_mmlu_report,
};
