/* SPDX-License-Identifier: MIT */
/* The task `livecodebench`: programs judged by tests, from the benchmark's own files. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "tasks/dataset.h"
#include "tasks/embedded.h"
#include "tasks/grade/lcb.h"
#include "tasks/prompt.h"
#include "tasks/task.h"

const struct it_task it_task_livecodebench;

static const char system_prompt[] =
    "You are an experienced Python programmer. You get the specification of a problem and write a "
    "correct Python program that meets it and passes all tests.";

/* ---- which problems ---- */

enum { RELEASES = 6 };

/* "from=2024-08-01,to=2024-12-01,version=v4_v5,difficulty=hard". Dates are compared as the official
 * harness does: a contest later on the day `to` is outside. */
struct window {
    char from[32], to[32], difficulty[16], platform[16];
    int first, last; /* shards of the releases */
};

static enum it_status read_date(const char *name, const char *text)
{
    static const char form[] = "dddd-dd-dd";
    size_t i = 0;
    while (i < sizeof form - 1 && (form[i] == 'd' ? isdigit((unsigned char)text[i]) != 0
                                                  : text[i] == form[i])) {
        i++;
    }
    if (i == sizeof form - 1 && (text[i] == '\0' || text[i] == 'T')) { return IT_OK; }
    return it_fail(IT_INVALID, "livecodebench: params: %s=%s: expected a date as 2024-08-01", name,
                   text);
}

/* "v5" is the fifth shard alone, "v4_v5" two of them, "release_v5" all up to the fifth. */
static enum it_status read_version(const char *text, struct window *window)
{
    bool release = it_starts_with(text, "release_");
    const char *at = release ? text + strlen("release_") : text;
    int digit[2] = {0};
    bool good = at[0] == 'v' && isdigit((unsigned char)at[1]);
    if (good) {
        digit[0] = digit[1] = at[1] - '0';
        at += 2;
        if (!release && at[0] == '_' && at[1] == 'v' && isdigit((unsigned char)at[2])) {
            digit[1] = at[2] - '0';
            at += 3;
        }
    }
    good = good && *at == '\0' && digit[0] >= 1 && digit[0] <= digit[1] && digit[1] <= RELEASES;
    if (!good) {
        return it_fail(IT_INVALID,
                       "livecodebench: params: version=%s: expected v1 to v%d (one shard), v4_v5 "
                       "(several), or release_v1 to release_v%d (all up to it)",
                       text, RELEASES, RELEASES);
    }
    window->first = release ? 1 : digit[0];
    window->last = digit[1];
    return IT_OK;
}

static enum it_status read_param(const char *name, const char *value, struct window *window)
{
    const struct {
        const char *name;
        char *to;
        size_t size;
    } texts[] = {{"from", window->from, sizeof window->from},
                 {"to", window->to, sizeof window->to},
                 {"difficulty", window->difficulty, sizeof window->difficulty},
                 {"platform", window->platform, sizeof window->platform}};
    if (strcmp(name, "version") == 0) { return read_version(value, window); }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (strcmp(texts[i].name, name) != 0) { continue; }
        if (strlen(value) >= texts[i].size) { break; }
        memcpy(texts[i].to, value, strlen(value) + 1);
        return i < 2 ? read_date(name, value) : IT_OK;
    }
    static const char *const names[] = {"from", "to", "version", "difficulty", "platform"};
    const char *near = it_closest(name, names, 5);
    return it_fail(IT_INVALID,
                   "livecodebench: params: unknown or too long \"%s\"%s%s%s (from, to, version, "
                   "difficulty, platform)",
                   name, near != NULL ? ", did you mean \"" : "", near != NULL ? near : "",
                   near != NULL ? "\"?" : "");
}

static enum it_status read_window(const char *params, struct window *window_out)
{
    struct window window = {.first = 1, .last = RELEASES};
    enum it_status status = IT_OK;
    for (const char *at = params != NULL ? params : ""; *at != '\0' && status == IT_OK;) {
        size_t size = strcspn(at, ",");
        char *name = it_strndup(at, size), *equals = strchr(name, '=');
        if (equals != NULL) {
            *equals = '\0';
            status = read_param(name, equals + 1, &window);
        } else {
            status =
                it_fail(IT_INVALID, "livecodebench: params: \"%s\": expected name=value", name);
        }
        it_free(name);
        at += size + (at[size] == ',' ? 1 : 0);
    }
    if (status == IT_OK) { *window_out = window; }
    return status;
}

/* A date without a time is midnight. */
static int compare_dates(const char *a, const char *b)
{
    char left[] = "0000-00-00T00:00:00", right[] = "0000-00-00T00:00:00";
    memcpy(left, a, strnlen(a, sizeof left - 1));
    memcpy(right, b, strnlen(b, sizeof right - 1));
    return strcmp(left, right);
}

static bool inside(const struct window *window, const json_t *record)
{
    const char *date = it_dataset_field(record, "contest_date");
    return (window->from[0] == '\0' || compare_dates(date, window->from) >= 0) &&
           (window->to[0] == '\0' || compare_dates(date, window->to) <= 0) &&
           (window->difficulty[0] == '\0' ||
            strcmp(it_dataset_field(record, "difficulty"), window->difficulty) == 0) &&
           (window->platform[0] == '\0' ||
            strcmp(it_dataset_field(record, "platform"), window->platform) == 0);
}

/* ---- the prompt ---- */

/* The template's fields are the record's, and {format}: what kind of program is wanted. */
static enum it_status word(const char *template, const char *where, struct it_problem *problem)
{
    const char *starter = it_dataset_field(problem->record, "starter_code");
    const char *format = it_embedded_find(starter[0] != '\0'
                                              ? "prompts/livecodebench.format-call.txt"
                                              : "prompts/livecodebench.format-stdin.txt", NULL);
    struct it_str text = {0};
    json_t *fields = json_copy(problem->record);
    enum it_status status = it_prompt_fill(format, fields, where, &text);
    if (status == IT_OK) {
        json_object_set_new(fields, "format", json_string(it_str_c(&text)));
        it_str_clear(&text);
        status = it_prompt_fill(template, fields, where, &text);
    }
    if (status == IT_OK) { problem->text = it_strdup(it_str_c(&text)); }
    it_str_free(&text);
    json_decref(fields);
    return status;
}

static enum it_status fill(const json_t *record, const char *where, struct it_problem *problem)
{
    const char *content, *id;
    IT_TRY(it_dataset_string(record, where, "question_content", &content));
    IT_TRY(it_dataset_string(record, where, "question_id", &id));
    problem->id = it_strdup(id);
    if (it_code_has_tests(record)) { problem->gold = it_strdup("tests"); }
    return IT_OK;
}

/* ---- the files ---- */

/* Files of the published set: test.jsonl is shard 1, test2.jsonl shard 2; 0: another name. */
static int shard_of(const char *name)
{
    int shard = 1;
    if (!it_starts_with(name, "test")) { return 0; }
    const char *at = name + strlen("test");
    if (isdigit((unsigned char)*at)) { shard = *at++ - '0'; }
    return strcmp(at, ".jsonl") == 0 && shard >= 1 && shard <= RELEASES ? shard : 0;
}

static void drop(struct it_problem *problem)
{
    json_decref(problem->record);
    it_free(problem->id);
    it_free(problem->text);
    it_free(problem->gold);
}

/* The reading of all files: what is kept so far, and which ids. */
struct reading {
    const struct window *window;
    const struct it_task_source *source;
    struct it_problems kept;
    json_t *ids;
};

/* Mirrors say in "_version" which release added a problem; the files of the set by their name. */
static bool in_shards(const struct reading *reading, int shard, const json_t *record)
{
    const char *version = it_dataset_field(record, "_version");
    if (shard == 0 && version[0] == 'v' && isdigit((unsigned char)version[1])) {
        shard = version[1] - '0';
    }
    bool all = reading->window->first == 1;
    if (shard == 0) { return all && reading->window->last >= RELEASES - 1; }
    return shard >= reading->window->first && shard <= reading->window->last;
}

static enum it_status read_file(struct reading *reading, const char *path, int shard)
{
    struct it_task_source source = *reading->source;
    struct it_problems all;
    source.data = path;
    source.limit = 0;
    IT_TRY(it_dataset_open("livecodebench", "livecodebench", "test", &source, fill, &all));
    for (size_t i = 0; i < all.n; i++) {
        struct it_problem *problem = &all.item[i];
        bool full = reading->source->limit > 0 &&
                    (int64_t)reading->kept.n >= reading->source->limit;
        if (full || json_object_get(reading->ids, problem->id) != NULL ||
            !inside(reading->window, problem->record) ||
            !in_shards(reading, shard, problem->record)) {
            drop(problem);
            continue;
        }
        json_object_set_new(reading->ids, problem->id, json_true());
        reading->kept.item = it_grow(reading->kept.item, &reading->kept.cap, reading->kept.n + 1,
                                     sizeof *reading->kept.item);
        reading->kept.item[reading->kept.n++] = *problem;
    }
    it_free(all.item);
    return IT_OK;
}

/* The set's own files; else, where another mirror lies, all its problems*.jsonl, the latest
 * first: it is the one that says more of a problem that both have. */
static enum it_status read_folder(struct reading *reading, const char *folder)
{
    struct it_strs names = {0};
    size_t shards = 0, n = 0;
    IT_TRY(it_dir_list(folder, &names));
    for (size_t i = 0; i < names.n; i++) { shards += shard_of(names.item[i]) > 0; }
    enum it_status status = IT_OK;
    for (size_t k = names.n; k-- > 0 && status == IT_OK;) {
        const char *name = names.item[shards > 0 ? names.n - 1 - k : k];
        int shard = shard_of(name);
        bool wanted = shards > 0 ? shard >= reading->window->first && shard <= reading->window->last
                                 : it_starts_with(name, "problems") && it_ends_with(name, ".jsonl");
        if (!wanted) { continue; }
        char *path = it_path_join(folder, name);
        status = read_file(reading, path, shard);
        it_free(path);
        n++;
    }
    it_strs_free(&names);
    if (status == IT_OK && n == 0) {
        status = it_fail(IT_NOT_FOUND,
                         "livecodebench: %s holds no test.jsonl, test2.jsonl ... (of "
                         "livecodebench/code_generation_lite) for these releases", folder);
    }
    return status;
}

static enum it_status read_source(struct reading *reading)
{
    const char *data = reading->source->data;
    if (data == NULL) {
        return it_fail(IT_NOT_FOUND, "livecodebench: no data given: set INTUITOR_DATA or --data to "
                                     "the folder that has livecodebench/test*.jsonl");
    }
    if (it_path_exists(data) && !it_path_is_dir(data)) { return read_file(reading, data, 0); }
    char *inner = it_path_join(data, "livecodebench");
    enum it_status status = read_folder(reading, it_path_is_dir(inner) ? inner : data);
    it_free(inner);
    return status;
}

static enum it_status lcb_open(const struct it_task_source *source,
                               struct it_problems *problems_out)
{
    struct window window;
    const char *template;
    if (source->split != NULL && strcmp(source->split, "test") != 0) {
        return it_fail(IT_INVALID, "livecodebench: the only split is test, not \"%s\"",
                       source->split);
    }
    IT_TRY(read_window(source->params, &window));
    IT_TRY(it_prompt_find(&it_task_livecodebench, source, &template));
    struct reading reading = {.window = &window, .source = source, .ids = json_object()};
    enum it_status status = read_source(&reading);
    for (size_t i = 0; i < reading.kept.n && status == IT_OK; i++) {
        status = word(template, reading.kept.item[i].id, &reading.kept.item[i]);
    }
    if (status == IT_OK && reading.kept.n == 0) {
        status = it_fail(IT_INVALID, "livecodebench: no problem lies in this window (%s)",
                         source->params != NULL ? source->params : "all");
    }
    json_decref(reading.ids);
    if (status != IT_OK) {
        it_problems_free(&reading.kept);
        return status;
    }
    *problems_out = reading.kept;
    return IT_OK;
}

/* ---- grading ---- */

/* lcb-*-all takes every block that is marked as Python, lcb-* the last block of any kind. */
static enum it_status lcb_grade(const struct it_grading *grading, const json_t *fields,
                                const char *where, struct it_verdict *verdict_out)
{
    const struct it_lcb_rules rules = {
        .compat = it_starts_with(grading->profile, "lcb-compat"),
        .all_blocks = it_ends_with(grading->profile, "-all"),
        .time_limit_s = 6.0,
    };
    return it_lcb_grade(grading->sandbox, &rules, fields, where, verdict_out);
}

const struct it_task it_task_livecodebench = {
    .name = "livecodebench",
    .summary = "programming problems, judged by running the program on tests",
    .default_profile = "lcb-strict",
    .profiles = "lcb-strict|lcb-compat|lcb-strict-all|lcb-compat-all",
    .system_prompt = system_prompt,
    .default_prompt = "chat",
    .prompts = "chat|plain|base",
    .breakdown = "difficulty|platform",
    .runs_programs = true,
    .max_new_tokens = 4096,
    .open = lcb_open,
    .grade = lcb_grade,
};
