/* SPDX-License-Identifier: MIT */
/* Two files of `bench --json` side by side. Rows belong together when they measure the same thing
 * in the same way; the ceilings are printed, to tell a slower program from a busier machine, and
 * are not counted. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/bench.h"
#include "core/base/json.h"

static const char *const keys[] = {"what", "shape", "dtype", "backend", "exact"};
enum { KEYS = sizeof keys / sizeof *keys };

static enum it_status read_rows(const char *path, json_t **array_out)
{
    json_t *array = NULL;
    IT_TRY(it_json_read(path, &array));
    bool good = json_is_array(array);
    for (size_t i = 0; good && i < json_array_size(array); i++) {
        const json_t *row = json_array_get(array, i);
        good = json_is_string(json_object_get(row, "what"));
    }
    if (!good) {
        json_decref(array);
        return it_fail(IT_INVALID, "%s: expected an array of measurements, as bench --json writes",
                       path);
    }
    *array_out = array;
    return IT_OK;
}

static bool same_thing(const json_t *a, const json_t *b)
{
    for (int i = 0; i < KEYS; i++) {
        const json_t *x = json_object_get(a, keys[i]), *y = json_object_get(b, keys[i]);
        if (!x != !y || (x && !json_equal(x, y))) { return false; }
    }
    return true;
}

static const json_t *find(const json_t *array, const json_t *row)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *other = json_array_get(array, i);
        if (same_thing(row, other)) { return other; }
    }
    return NULL;
}

static double time_of(const json_t *row)
{
    const json_t *value = json_object_get(row, "time_s");
    double seconds = json_is_number(value) ? json_number_value(value) : NAN;
    return seconds > 0.0 ? seconds : NAN;
}

static const char *text(const json_t *row, const char *key)
{
    const char *value = json_string_value(json_object_get(row, key));
    return value ? value : "";
}

static bool is_ceiling(const json_t *row)
{
    return it_starts_with(text(row, "what"), "ceiling/");
}

struct tally {
    int compared, slower, missing;
    json_t *rows; /* of --json; NULL: a table */
};

static void compare_row(const json_t *a, const json_t *b, double threshold, struct tally *t)
{
    double before = time_of(a), after = time_of(b), change = 100.0 * (after / before - 1.0);
    bool slower = !is_ceiling(a) && change > threshold;
    if (isnan(change)) { return; }
    t->compared += !is_ceiling(a);
    t->slower += slower;
    if (t->rows) {
        json_t *o = json_object();
        for (int i = 0; i < KEYS; i++) {
            json_t *value = json_object_get(a, keys[i]);
            if (value) { json_object_set(o, keys[i], value); }
        }
        json_object_set_new(o, "before_s", it_json_real(before));
        json_object_set_new(o, "after_s", it_json_real(after));
        json_object_set_new(o, "change_percent", it_json_real(change));
        json_object_set_new(o, "slower", json_boolean(slower));
        json_array_append_new(t->rows, o);
        return;
    }
    printf("%-18s %-46s %-5s %-8s %11.4g ms %11.4g ms %+8.1f %%%s\n", text(a, "what"),
           text(a, "shape"), text(a, "dtype"), text(a, "backend"), 1e3 * before, 1e3 * after,
           change, slower ? "  SLOWER" : "");
}

static void compare_all(const json_t *a, const json_t *b, double threshold, struct tally *t)
{
    for (size_t i = 0; i < json_array_size(a); i++) {
        const json_t *row = json_array_get(a, i), *other = find(b, row);
        if (!other && isnan(time_of(row))) { continue; }
        if (!other) {
            t->missing++;
            it_warn("only before: %s %s", text(row, "what"), text(row, "shape"));
        } else {
            compare_row(row, other, threshold, t);
        }
    }
    for (size_t i = 0; i < json_array_size(b); i++) {
        const json_t *row = json_array_get(b, i);
        if (find(a, row)) { continue; }
        t->missing++;
        it_warn("only after: %s %s", text(row, "what"), text(row, "shape"));
    }
}

enum it_status it_bench_compare(const struct it_bench_values *values, const char *before,
                                const char *after)
{
    json_t *a = NULL, *b = NULL;
    struct tally t = {.rows = values->common.json ? json_array() : NULL};
    enum it_status status = read_rows(before, &a);
    if (status == IT_OK) { status = read_rows(after, &b); }
    if (status == IT_OK) {
        compare_all(a, b, values->threshold, &t);
        if (t.rows) { status = it_jsonl_put(stdout, t.rows); }
    }
    if (status == IT_OK && t.compared == 0) {
        status = it_fail(IT_INVALID, "%s and %s have no measurement in common", before, after);
    }
    if (status == IT_OK && t.slower) {
        status = it_fail(IT_FAILED, "%d of %d are slower by more than %g %%", t.slower, t.compared,
                         values->threshold);
    }
    json_decref(a);
    json_decref(b);
    json_decref(t.rows);
    return status;
}
