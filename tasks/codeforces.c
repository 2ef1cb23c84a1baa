/* SPDX-License-Identifier: MIT */
/* The task `codeforces`: problems of programming contests, mostly to train on. Reads the layouts of
 * CodeContests and of open-r1/codeforces. */
#include <string.h>

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "tasks/dataset.h"
#include "tasks/grade/lcb.h"
#include "tasks/prompt.h"
#include "tasks/task.h"

const struct it_task it_task_codeforces;

static const char system_prompt[] =
    "You are an AI that helps to solve programming contest problems by writing Python code.";

/* ---- problems ---- */

static void add_section(const json_t *record, const char *name, const char *title,
                        struct it_str *text)
{
    const char *section = it_dataset_field(record, name);
    if (section[0] != '\0') { it_str_printf(text, "\n\n## %s\n\n%s", title, section); }
}

static void add_examples(const json_t *record, struct it_str *text)
{
    size_t i;
    const json_t *example;
    json_array_foreach(json_object_get(record, "examples"), i, example)
    {
        it_str_printf(text, "\n\n## Example %zu\n\nInput:\n\n%s\n\nOutput:\n\n%s", i + 1,
                      it_dataset_field(example, "input"), it_dataset_field(example, "output"));
    }
}

/* CodeContests has the whole statement in one field; open-r1 has it in parts. */
static char *statement_of(const json_t *record)
{
    struct it_str text = {0};
    const char *whole = it_dataset_field(record, "description");
    it_str_puts(&text, whole[0] != '\0' ? whole : it_dataset_field(record, "statement"));
    add_section(record, "input_format", "Input", &text);
    add_section(record, "output_format", "Output", &text);
    add_section(record, "interaction_format", "Interaction", &text);
    add_examples(record, &text);
    add_section(record, "note", "Note", &text);
    return it_str_take(&text);
}

static enum it_status fill(const json_t *record, const char *where, struct it_problem *problem)
{
    const char *description;
    if (it_dataset_field(record, "statement")[0] == '\0') {
        IT_TRY(it_dataset_string(record, where, "description", &description));
    }
    IT_TRY(it_dataset_text(record, where, "id", &problem->id));
    if (problem->id == NULL) { IT_TRY(it_dataset_text(record, where, "name", &problem->id)); }
    if (it_code_has_tests(record) && it_dataset_field(record, "interaction_format")[0] == '\0') {
        problem->gold = it_strdup("tests");
    }
    return IT_OK;
}

/* The template's fields are the record's, and {statement}, {source}, {target}. */
static enum it_status word(const char *template, struct it_problem *problem)
{
    bool files = strcmp(it_dataset_field(problem->record, "input_mode"), "file") == 0;
    json_t *fields = json_copy(problem->record);
    char *statement = statement_of(problem->record);
    struct it_str text = {0};
    json_object_set_new(fields, "statement", it_json_text(statement, strlen(statement)));
    json_object_set_new(fields, "source",
                        json_string(files ? "from the file input.txt" : "from standard input"));
    json_object_set_new(fields, "target",
                        json_string(files ? "to the file output.txt" : "to standard output"));
    enum it_status status = it_prompt_fill(template, fields, problem->id, &text);
    if (status == IT_OK) { problem->text = it_strdup(it_str_c(&text)); }
    it_str_free(&text);
    it_free(statement);
    json_decref(fields);
    return status;
}

/* Where no <split>.jsonl lies, the first codecontests*.jsonl is the training split. The caller
 * frees; NULL: none. */
static char *other_name(const struct it_task_source *source, const char *split)
{
    struct it_strs names = {0};
    char *found = NULL;
    if (source->data == NULL || strcmp(split, "train") != 0) { return NULL; }
    char *folder = it_path_join(source->data, "codeforces");
    if (it_path_is_dir(folder) && it_dir_list(folder, &names) == IT_OK) {
        for (size_t i = 0; i < names.n && found == NULL; i++) {
            if (it_starts_with(names.item[i], "codecontests") &&
                it_ends_with(names.item[i], ".jsonl")) {
                found = it_path_join(folder, names.item[i]);
            }
            if (strcmp(names.item[i], "train.jsonl") == 0) { break; }
        }
    }
    it_strs_free(&names);
    it_free(folder);
    return found;
}

static enum it_status cf_open(const struct it_task_source *source,
                              struct it_problems *problems_out)
{
    const char *template, *split = source->split != NULL ? source->split : "test";
    struct it_task_source from = *source;
    struct it_problems problems = {0};
    IT_TRY(it_prompt_find(&it_task_codeforces, source, &template));
    char *other = other_name(source, split);
    if (other != NULL) { from.data = other; }
    enum it_status status =
        it_dataset_open("codeforces", "codeforces", split, &from, fill, &problems);
    it_free(other);
    IT_TRY(status);
    for (size_t i = 0; i < problems.n && status == IT_OK; i++) {
        status = word(template, &problems.item[i]);
    }
    if (status != IT_OK) {
        it_problems_free(&problems);
        return status;
    }
    *problems_out = problems;
    return IT_OK;
}

/* ---- grading ---- */

/* The site's own comparison is not public: without a checker, outputs are the same when their words
 * are. */
static enum it_status cf_grade(const struct it_grading *grading, const json_t *fields,
                               const char *where, struct it_verdict *verdict_out)
{
    const struct it_lcb_rules rules = {
        .compat = strcmp(grading->profile, "lcb-compat") == 0,
        .words = true,
        .time_limit_s = 10.0,
    };
    return it_lcb_grade(grading->sandbox, &rules, fields, where, verdict_out);
}

const struct it_task it_task_codeforces = {
    .name = "codeforces",
    .summary = "contest problems in the layouts of CodeContests and open-r1, judged by tests",
    .default_profile = "lcb-strict",
    .profiles = "lcb-strict|lcb-compat",
    .system_prompt = system_prompt,
    .default_prompt = "solve",
    .prompts = "solve|brief|bare",
    .breakdown = "difficulty|rating",
    .runs_programs = true,
    .max_new_tokens = 4096,
    .open = cf_open,
    .grade = cf_grade,
};
