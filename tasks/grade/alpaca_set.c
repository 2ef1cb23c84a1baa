/* SPDX-License-Identifier: MIT */
/* Reading the files of AlpacaEval 2.0's evaluation set. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/data/data.h"
#include "tasks/grade/alpaca_internal.h"

enum { ITEMS_LIMIT = 1 << 20 };

/* The file of that name in DATA/alpaca_eval, or in DATA; NULL when there is none. */
static char *find(const char *data, const char *name)
{
    char *folder = it_path_join(data, "alpaca_eval"), *inner = it_path_join(folder, name);
    char *outer = it_path_join(data, name), *found = NULL;
    if (it_path_exists(inner)) {
        found = it_strdup(inner);
    } else if (it_path_exists(outer)) {
        found = it_strdup(outer);
    }
    it_free(folder);
    it_free(inner);
    it_free(outer);
    return found;
}

/* Calls `take` for each record of the first of the files that is there. */
typedef enum it_status it_alpaca_take(struct it_alpaca_set *set, const char *where,
                                      const json_t *record);
static enum it_status read_first(struct it_alpaca_set *set, const char *data,
                                 const char *const *names, it_alpaca_take *take, bool *found_out)
{
    static const struct it_data_options options;
    char *path = NULL;
    for (; *names != NULL && path == NULL; names++) { path = find(data, *names); }
    *found_out = path != NULL;
    if (path == NULL) { return IT_OK; }
    struct it_data *reader;
    enum it_status status = it_data_open(path, &options, &reader);
    it_free(path);
    IT_TRY(status);
    while (status == IT_OK) {
        json_t *record;
        status = it_data_next(reader, &record);
        if (status != IT_OK) { break; }
        status = take(set, it_data_where(reader), record);
        json_decref(record);
    }
    it_data_close(reader);
    return status == IT_END ? IT_OK : status;
}

/* A number, or text that is one (CSV). NaN when it is neither. */
static double number(const json_t *record, const char *name)
{
    const json_t *value = json_object_get(record, name);
    const char *text = json_string_value(value);
    if (json_is_number(value)) { return json_number_value(value); }
    if (text == NULL || *text == '\0') { return NAN; }
    char *end;
    double x = strtod(text, &end);
    return *end == '\0' && isfinite(x) ? x : NAN;
}

static double required(double x, const char *where, const char *name, enum it_status *status)
{
    if (isnan(x)) {
        *status = it_fail(IT_INVALID, "%s: field \"%s\": expected a number", where, name);
    }
    return x;
}

/* ---- the files ---- */

static enum it_status take_baseline(struct it_alpaca_set *set, const char *where,
                                    const json_t *record)
{
    const char *instruction, *output;
    IT_TRY(it_json_get_string(record, where, "instruction", &instruction));
    IT_TRY(it_json_get_string(record, where, "output", &output));
    if (instruction == NULL || output == NULL) {
        return it_fail(IT_INVALID, "%s: expected the fields \"instruction\" and \"output\"", where);
    }
    if (json_object_get(set->index, instruction) != NULL) {
        return it_fail(IT_INVALID, "%s: this instruction is there twice", where);
    }
    if (set->n >= ITEMS_LIMIT) { return it_fail(IT_INVALID, "%s: too many instructions", where); }
    json_object_set_new(set->index, instruction, json_integer((json_int_t)set->n));
    set->item = it_grow(set->item, &set->cap, set->n + 1, sizeof *set->item);
    set->item[set->n++] = (struct it_alpaca_item){
        .instruction = it_strdup(instruction),
        .reference = it_strdup(output),
        .difficulty = NAN,
    };
    return IT_OK;
}

/* The index is a column of its own, or the unnamed first one that pandas writes. */
static enum it_status take_difficulty(struct it_alpaca_set *set, const char *where,
                                      const json_t *record)
{
    enum it_status status = IT_OK;
    const char *name = json_object_get(record, "index") != NULL ? "index" : "";
    double place = required(number(record, name), where, "index", &status);
    double difficulty = required(number(record, "instruction_difficulty"), where,
                                 "instruction_difficulty", &status);
    IT_TRY(status);
    if (place != floor(place) || place < 0 || place >= (double)set->n) {
        return it_fail(IT_INVALID, "%s: field \"index\": expected a place from 0 to %zu", where,
                       set->n - 1);
    }
    set->item[(size_t)place].difficulty = difficulty;
    return IT_OK;
}

/* Preferences here are already shares from 0 to 1, or from 1 to 2: a file is one or the other, and
 * read_gamed puts it right. */
static enum it_status take_gamed(struct it_alpaca_set *set, const char *where, const json_t *record)
{
    enum it_status status = IT_OK;
    double preference = number(record, "preference");
    if (isnan(preference)) { return IT_OK; }
    double z = required(number(record, "std_delta_len"), where, "std_delta_len", &status);
    double difficulty = required(number(record, "instruction_difficulty"), where,
                                 "instruction_difficulty", &status);
    IT_TRY(status);
    if (preference < 0 || preference > 2 || set->n_gamed >= ITEMS_LIMIT) {
        return it_fail(IT_INVALID, "%s: field \"preference\": expected 0 to 2", where);
    }
    set->gamed = it_realloc(set->gamed, (set->n_gamed + 1) * sizeof *set->gamed);
    set->gamed[set->n_gamed++] = (struct it_glm_row){
        .x = {tanh(z), difficulty, 0},
        .y = preference,
    };
    return IT_OK;
}

static enum it_status read_gamed(struct it_alpaca_set *set, const char *data)
{
    static const char *const names[] = {"df_gamed.csv", NULL};
    bool found, doubled = false;
    IT_TRY(read_first(set, data, names, take_gamed, &found));
    for (size_t i = 0; i < set->n_gamed; i++) { doubled = doubled || set->gamed[i].y > 1; }
    for (size_t i = 0; i < set->n_gamed && doubled; i++) {
        double y = set->gamed[i].y == 0 ? 0.5 : set->gamed[i].y - 1;
        set->gamed[i].y = fmax(y, 0);
    }
    if (set->n_gamed > 0) { set->gamed_kind = IT_ALPACA_GAMED_FILE; }
    return IT_OK;
}

static enum it_status take_weights(struct it_alpaca_set *set, const char *where,
                                   const json_t *record)
{
    static const char *const names[IT_GLM_FEATURES] = {
        "np.tanh(std_delta_len)", "instruction_difficulty", "not_gamed_baseline.astype(float)"};
    enum it_status status = IT_OK;
    const char *model = json_string_value(json_object_get(record, ""));
    json_t *row = json_array();
    for (int k = 0; k < IT_GLM_FEATURES; k++) {
        double weight = required(number(record, names[k]), where, names[k], &status);
        json_array_append_new(row, it_json_real(weight));
    }
    if (status == IT_OK && model != NULL) { json_object_set(set->weights, model, row); }
    json_decref(row);
    return status;
}

/* ---- the stand-in for df_gamed.csv ---- */

static const char *const gamed_names[] = {"gpt4_1106_preview_concise", "gpt4_1106_preview_verbose"};
enum { GAMED = sizeof gamed_names / sizeof *gamed_names };

/* Win rates of the gamed baselines go where their weights are, as a fourth number. */
static enum it_status take_leaderboard(struct it_alpaca_set *set, const char *where,
                                       const json_t *record)
{
    const char *model = json_string_value(json_object_get(record, ""));
    (void)where;
    for (int i = 0; i < GAMED; i++) {
        if (model == NULL || strcmp(model, gamed_names[i]) != 0) { continue; }
        json_t *row = json_object_get(set->weights, model);
        double rate = number(record, "win_rate");
        if (row != NULL && !isnan(rate)) { json_array_append_new(row, it_json_real(rate)); }
    }
    return IT_OK;
}

static void make_standin(struct it_alpaca_set *set)
{
    struct it_glm_row *row = it_alloc(GAMED * set->n * sizeof *row);
    for (int i = 0; i < GAMED; i++) {
        double value[IT_GLM_FEATURES + 1];
        const json_t *known = json_object_get(set->weights, gamed_names[i]);
        if (json_array_size(known) != IT_GLM_FEATURES + 1) {
            it_free(row);
            return;
        }
        for (size_t k = 0; k <= IT_GLM_FEATURES; k++) {
            value[k] = json_number_value(json_array_get(known, k));
        }
        it_alpaca_standin(set, value, value[IT_GLM_FEATURES], row + (size_t)i * set->n);
    }
    set->gamed = row;
    set->n_gamed = GAMED * set->n;
    set->gamed_kind = IT_ALPACA_GAMED_STANDIN;
}

static bool has_difficulties(const struct it_alpaca_set *set)
{
    for (size_t i = 0; i < set->n; i++) {
        if (isnan(set->item[i].difficulty)) { return false; }
    }
    return set->n > 0;
}

/* ---- all of it ---- */

static enum it_status read_all(struct it_alpaca_set *set, const char *data)
{
    static const char *const baseline[] = {"alpaca_eval_gpt4_baseline.json",
                                           "reference_gpt4_1106_preview.json", NULL};
    static const char *const difficulty[] = {"instruction_difficulty.csv",
                                             "instruction_difficulty.jsonl", NULL};
    static const char *const weights[] = {"glm_weights_length_controlled_v1.csv", NULL};
    static const char *const leaderboard[] = {"leaderboard_weighted_alpaca_eval_gpt4_turbo.csv",
                                              "weighted_alpaca_eval_gpt4_turbo_leaderboard.csv",
                                              NULL};
    bool found;
    IT_TRY(read_first(set, data, baseline, take_baseline, &found));
    if (!found) {
        return it_fail(IT_NOT_FOUND,
                       "alpaca_eval: no %s in %s/alpaca_eval or %s: get it from the dataset "
                       "tatsu-lab/alpaca_eval",
                       baseline[0], data, data);
    }
    IT_TRY(read_first(set, data, difficulty, take_difficulty, &found));
    IT_TRY(read_gamed(set, data));
    IT_TRY(read_first(set, data, weights, take_weights, &found));
    if (set->gamed_kind == IT_ALPACA_GAMED_NONE && found && has_difficulties(set)) {
        IT_TRY(read_first(set, data, leaderboard, take_leaderboard, &found));
        make_standin(set);
    }
    return IT_OK;
}

enum it_status it_alpaca_set_open(const char *data, struct it_alpaca_set *set_out)
{
    struct it_alpaca_set set = {.index = json_object(), .weights = json_object()};
    enum it_status status = read_all(&set, data);
    if (status != IT_OK) {
        it_alpaca_set_close(&set);
        return status;
    }
    *set_out = set;
    return IT_OK;
}

void it_alpaca_set_close(struct it_alpaca_set *set)
{
    for (size_t i = 0; i < set->n; i++) {
        it_free(set->item[i].instruction);
        it_free(set->item[i].reference);
    }
    it_free(set->item);
    it_free(set->gamed);
    json_decref(set->index);
    json_decref(set->weights);
    *set = (struct it_alpaca_set){0};
}

int64_t it_alpaca_set_find(const struct it_alpaca_set *set, const json_t *instruction)
{
    const char *text = json_string_value(instruction);
    const json_t *place = text != NULL ? json_object_get(set->index, text) : NULL;
    return place != NULL ? (int64_t)json_integer_value(place) : -1;
}
