/* SPDX-License-Identifier: MIT */
/* A run directory in memory. A run may have been killed in the middle of a line, copied in part, or
 * written by another program: what can be read is shown, the rest is counted and named. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/option.h"

/* Columns and records beyond these are of no run of ours, and a page has to end. */
enum { MOST_COLUMNS = 512, MOST_RECORDS = 96 };

static void note(struct it_report_run *run, const char *path, const char *what, size_t count)
{
    struct it_str text = {0};
    it_str_printf(&text, "%s: %s", path, what);
    if (count) { it_str_printf(&text, ": %zu", count); }
    it_warn("%s", it_str_c(&text));
    it_strs_add(&run->notes, it_str_c(&text));
    it_str_free(&text);
}

/* NaN and Infinity are no JSON, but Python writes them: they become null. In place. */
static bool nulls_for_nans(struct it_str *line)
{
    static const char *const words[] = {"-Infinity", "Infinity", "NaN"};
    struct it_str out = {0};
    bool quoted = false, found = false;
    for (size_t i = 0; i < line->len; i++) {
        size_t w = 0, length = 0;
        if (line->data[i] == '"' && (i == 0 || line->data[i - 1] != '\\')) { quoted = !quoted; }
        while (!quoted && w < 3) {
            length = strlen(words[w]);
            if (line->len - i >= length && !memcmp(line->data + i, words[w], length)) { break; }
            w++;
        }
        if (quoted || w == 3) {
            it_str_putc(&out, line->data[i]);
        } else {
            it_str_puts(&out, "null");
            i += length - 1;
            found = true;
        }
    }
    it_str_free(line);
    *line = out;
    return found;
}

static json_t *object_of(struct it_str *line)
{
    json_t *value = json_loadb(it_str_c(line), line->len, JSON_ALLOW_NUL, NULL);
    if (!value && nulls_for_nans(line)) {
        value = json_loadb(it_str_c(line), line->len, JSON_ALLOW_NUL, NULL);
    }
    if (json_is_object(value)) { return value; }
    json_decref(value);
    return NULL;
}

/* Calls take() with each record of a file; false ends it. A missing file is no error. */
static void each_record(struct it_report_run *run, const char *path,
                        bool (*take)(struct it_report_run *run, json_t *record))
{
    struct it_lines lines;
    size_t damaged = 0;
    if (!it_path_exists(path) || it_path_is_dir(path) || it_lines_open(path, 0, &lines) != IT_OK) {
        return;
    }
    for (bool more = true; more;) {
        enum it_status status = it_lines_next(&lines);
        if (status == IT_END || (status != IT_OK && status != IT_INVALID)) { break; }
        bool blank = status == IT_OK && strspn(it_str_c(&lines.line), " \t\r") == lines.line.len;
        json_t *record = status == IT_OK && !blank ? object_of(&lines.line) : NULL;
        damaged += !record && !blank;
        if (record) { more = take(run, record); }
        json_decref(record);
    }
    it_lines_close(&lines);
    if (damaged) { note(run, path, "lines that are no records, left out", damaged); }
}

/* A number that a chart can hold. */
static double number_of(const json_t *value)
{
    double x = json_is_number(value) ? json_number_value(value) : NAN;
    return fabs(x) < 1e30 ? x : NAN;
}

static double number(const json_t *record, const char *name)
{
    return number_of(json_object_get(record, name));
}

/* ---- metrics.jsonl ---- */

static double *column_for(struct it_report_run *run, const char *name, size_t guess)
{
    if (guess < run->n_columns && strcmp(run->column[guess].name, name) == 0) {
        return run->column[guess].value;
    }
    for (size_t i = 0; i < run->n_columns; i++) {
        if (strcmp(run->column[i].name, name) == 0) { return run->column[i].value; }
    }
    if (run->n_columns == MOST_COLUMNS) { return NULL; }
    run->column = it_grow(run->column, &run->cap_columns, run->n_columns + 1, sizeof *run->column);
    struct it_report_column *c = &run->column[run->n_columns++];
    c->name = it_strdup(name);
    c->value = it_alloc(run->cap_steps * sizeof *c->value);
    for (size_t i = 0; i < run->cap_steps; i++) { c->value[i] = NAN; }
    return c->value;
}

static void reserve_steps(struct it_report_run *run, size_t need)
{
    size_t before = run->cap_steps;
    if (need <= before) { return; }
    run->step = it_grow(run->step, &run->cap_steps, need, sizeof *run->step);
    for (size_t c = 0; c < run->n_columns; c++) {
        double *v = it_realloc(run->column[c].value, run->cap_steps * sizeof *v);
        for (size_t i = before; i < run->cap_steps; i++) { v[i] = NAN; }
        run->column[c].value = v;
    }
}

static bool take_metrics(struct it_report_run *run, json_t *record)
{
    double step = number(record, "step");
    const char *name;
    json_t *value;
    size_t guess = 0;
    if (isnan(step)) { return true; }
    reserve_steps(run, run->n_steps + 1);
    size_t row = run->n_steps++;
    run->step[row] = step;
    json_object_foreach(record, name, value) {
        if (!json_is_number(value)) { continue; }
        double *column = column_for(run, name, guess++);
        if (column) { column[row] = number_of(value); }
    }
    return true;
}

struct place {
    double step;
    size_t row;
};

static int by_step(const void *a, const void *b)
{
    const struct place *p = a, *q = b;
    if (p->step != q->step) { return p->step < q->step ? -1 : 1; }
    return p->row < q->row ? -1 : 1;
}

/* Ascending steps; of several records of a step the last one written counts. */
static void sort_metrics(struct it_report_run *run)
{
    size_t n = run->n_steps, kept = 0;
    struct place *place = it_alloc((n + 1) * sizeof *place);
    double *old = it_alloc((n + 1) * sizeof *old);
    for (size_t i = 0; i < n; i++) { place[i] = (struct place){run->step[i], i}; }
    qsort(place, n, sizeof *place, by_step);
    for (size_t i = 0; i < n; i++) {
        if (i + 1 < n && place[i + 1].step == place[i].step) { continue; }
        place[kept++] = place[i];
    }
    for (size_t c = 0; c < run->n_columns; c++) {
        memcpy(old, run->column[c].value, n * sizeof *old);
        for (size_t i = 0; i < kept; i++) { run->column[c].value[i] = old[place[i].row]; }
    }
    for (size_t i = 0; i < kept; i++) { run->step[i] = place[i].step; }
    if (kept < n) {
        note(run, run->folder, "updates recorded again, the last one counts", n - kept);
    }
    run->n_steps = kept;
    it_free(old);
    it_free(place);
}

/* ---- eval.jsonl ---- */

static void keep_answers(struct it_report_run *run, const json_t *record, double step)
{
    json_t *answers = json_object_get(record, "samples");
    if (!json_is_array(answers) || json_array_size(answers) == 0) { return; }
    if (!run->first_answers) {
        run->first_answers = json_incref(answers);
        run->first_step = step;
    } else {
        json_decref(run->last_answers);
        run->last_answers = json_incref(answers);
        run->last_step = step;
    }
}

static bool take_eval(struct it_report_run *run, json_t *record)
{
    struct it_report_eval e = {.step = number(record, "step"), .problems = number(record, "n")};
    if (isnan(e.step)) { return true; }
    e.accuracy[0] = number(record, "sampled/accuracy");
    e.accuracy[1] = number(record, "greedy/accuracy");
    e.error[0] = number(record, "sampled/stderr");
    e.error[1] = number(record, "greedy/stderr");
    e.length[0] = number(record, "sampled/mean_length");
    e.length[1] = number(record, "greedy/mean_length");
    keep_answers(run, record, e.step);
    run->eval = it_grow(run->eval, &run->cap_evals, run->n_evals + 1, sizeof *run->eval);
    run->eval[run->n_evals++] = e;
    return true;
}

/* ---- completions/ ---- */

static bool take_early(struct it_report_run *run, json_t *record)
{
    json_array_append(run->early, record);
    return json_array_size(run->early) < MOST_RECORDS;
}

static bool take_late(struct it_report_run *run, json_t *record)
{
    json_array_append(run->late, record);
    return json_array_size(run->late) < MOST_RECORDS;
}

/* The first and the last update that were logged. */
static void read_completions(struct it_report_run *run, const char *folder)
{
    struct it_strs names = {0};
    const char *early = NULL, *late = NULL;
    long long first = 0, last = 0, step;
    if (!it_path_is_dir(folder) || it_dir_list(folder, &names) != IT_OK) { return; }
    for (size_t i = 0; i < names.n; i++) {
        if (sscanf(names.item[i], "completions_%lld", &step) != 1) { continue; }
        if (!it_ends_with(names.item[i], ".jsonl")) { continue; }
        if (!early || step < first) {
            early = names.item[i];
            first = step;
        }
        if (!late || step >= last) {
            late = names.item[i];
            last = step;
        }
    }
    if (early) {
        char *path = it_path_join(folder, early);
        run->early = json_array();
        each_record(run, path, take_early);
        it_free(path);
    }
    if (late && late != early) {
        char *path = it_path_join(folder, late);
        run->late = json_array();
        each_record(run, path, take_late);
        it_free(path);
    }
    it_strs_free(&names);
}

/* ---- recipe.yaml and run.json ---- */

static enum it_status take_key(void *context, const struct it_yaml_item *item)
{
    json_t *recipe = context;
    struct it_str text = {0};
    if (item->scalar) { it_str_puts(&text, item->scalar); }
    for (size_t i = 0; item->list && i < item->list->n; i++) {
        it_str_printf(&text, "%s%s", i ? ", " : "", item->list->item[i]);
    }
    if (!item->is_null && !item->map) {
        json_object_set_new(recipe, item->key, it_json_text(it_str_c(&text), text.len));
    }
    it_str_free(&text);
    return IT_OK;
}

static void read_recipe(struct it_report_run *run, const char *path)
{
    run->recipe = json_object();
    if (!it_path_exists(path)) {
        note(run, path, "missing", 0);
    } else if (it_yaml_read(path, take_key, run->recipe) != IT_OK) {
        note(run, path, "cannot be read to its end", 0);
    }
}

static void read_ledger(struct it_report_run *run, const char *path)
{
    if (!it_path_exists(path)) {
        note(run, path, "missing", 0);
    } else if (it_json_read(path, &run->ledger) != IT_OK || !json_is_object(run->ledger)) {
        json_decref(run->ledger);
        run->ledger = NULL;
        note(run, path, "cannot be read", 0);
    }
}

/* ---- all of it ---- */

enum { RECIPE, LEDGER, METRICS, EVAL, COMPLETIONS, PARTS };
static const char *const parts[PARTS] = {"recipe.yaml", "run.json", "metrics.jsonl", "eval.jsonl",
                                         "completions"};

static char *label_of(const char *folder)
{
    size_t n = strlen(folder);
    struct it_str label = {0};
    while (n > 1 && folder[n - 1] == '/') { n--; }
    char *path = it_strndup(folder, n);
    const char *base = it_path_base(path);
    it_utf8_add_lossy(&label, base, strlen(base));
    it_free(path);
    return it_str_take(&label);
}

enum it_status it_report_read(const char *folder, struct it_report_run *run_out)
{
    struct it_report_run run = {0};
    char *path[PARTS];
    bool any = false;
    if (!it_path_is_dir(folder)) {
        return it_fail(IT_NOT_FOUND, "%s: no such run directory", folder);
    }
    for (int i = 0; i < PARTS; i++) {
        path[i] = it_path_join(folder, parts[i]);
        any = any || it_path_exists(path[i]);
    }
    if (any) {
        run.folder = it_strdup(folder);
        run.label = label_of(folder);
        read_recipe(&run, path[RECIPE]);
        read_ledger(&run, path[LEDGER]);
        each_record(&run, path[METRICS], take_metrics);
        sort_metrics(&run);
        each_record(&run, path[EVAL], take_eval);
        read_completions(&run, path[COMPLETIONS]);
        *run_out = run;
    }
    for (int i = 0; i < PARTS; i++) { it_free(path[i]); }
    if (any) { return IT_OK; }
    return it_fail(IT_INVALID, "%s: not a run directory: none of recipe.yaml, run.json, "
                   "metrics.jsonl, eval.jsonl is there", folder);
}

void it_report_free(struct it_report_run *run)
{
    for (size_t i = 0; i < run->n_columns; i++) {
        it_free(run->column[i].name);
        it_free(run->column[i].value);
    }
    it_free(run->column);
    it_free(run->step);
    it_free(run->eval);
    it_free(run->folder);
    it_free(run->label);
    json_decref(run->ledger);
    json_decref(run->recipe);
    json_decref(run->first_answers);
    json_decref(run->last_answers);
    json_decref(run->early);
    json_decref(run->late);
    it_strs_free(&run->notes);
    memset(run, 0, sizeof *run);
}

const double *it_report_column(const struct it_report_run *run, const char *name)
{
    for (size_t i = 0; i < run->n_columns; i++) {
        if (strcmp(run->column[i].name, name) == 0) { return run->column[i].value; }
    }
    return NULL;
}

const char *it_report_key(const struct it_report_run *run, const char *key)
{
    return json_string_value(json_object_get(run->recipe, key));
}

double it_report_tail(const struct it_report_run *run, const char *name, size_t most)
{
    const double *y = it_report_column(run, name);
    double sum = 0.0, count = 0.0;
    size_t first = run->n_steps > most ? run->n_steps - most : 0;
    for (size_t i = first; y && i < run->n_steps; i++) {
        if (isnan(y[i])) { continue; }
        sum += y[i];
        count += 1.0;
    }
    return count > 0.0 ? sum / count : NAN;
}
