/* SPDX-License-Identifier: MIT */
/* Two runs side by side: the first step and field where they differ, times and memory aside. */
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/rl/run.h"

/* What two machines may disagree on without being different runs. */
static bool is_measured(const char *key)
{
    return it_starts_with(key, "time/") || it_starts_with(key, "perf/") ||
           it_starts_with(key, "mem/") || strcmp(key, "step_time") == 0;
}

static void say(struct it_str *out, const char *key, const json_t *a, const json_t *b)
{
    char *left = a ? json_dumps(a, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)) : NULL;
    char *right = b ? json_dumps(b, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)) : NULL;
    it_str_printf(out, "%s: %s against %s", key, left ? left : "missing",
                  right ? right : "missing");
    free(left);
    free(right);
}

/* Every field of a is in b; swapped: a is the second run. */
static bool covers(const json_t *a, const json_t *b, bool swapped, struct it_str *what_out)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)a, key, value)
    {
        const json_t *other = json_object_get(b, key);
        if (is_measured(key) || (other && json_equal(value, other))) { continue; }
        say(what_out, key, swapped ? other : value, swapped ? value : other);
        return false;
    }
    return true;
}

bool it_record_same(const json_t *a, const json_t *b, struct it_str *what_out)
{
    return covers(a, b, false, what_out) && covers(b, a, true, what_out);
}

static enum it_status open_metrics(const char *folder, struct it_lines *lines_out)
{
    char *path = it_path_join(folder, "metrics.jsonl");
    enum it_status status = it_lines_open(path, 0, lines_out);
    it_free(path);
    return status;
}

static enum it_status compare(struct it_lines *a, struct it_lines *b, bool *same_out,
                              struct it_str *what_out)
{
    for (;;) {
        json_t *x = NULL, *y = NULL;
        enum it_status left = it_jsonl_next(a, &x), right = it_jsonl_next(b, &y);
        bool both = left == IT_OK && right == IT_OK, ended = left == IT_END && right == IT_END;
        if (both || left == IT_END || right == IT_END) {
            json_t *step = json_object_get(x ? x : y, "step");
            struct it_str field = {0};
            *same_out = ended || (both && it_record_same(x, y, &field));
            if (!*same_out) {
                it_str_printf(what_out, "step %lld: %s", (long long)json_integer_value(step),
                              both ? it_str_c(&field) : "only one run has it");
            }
            it_str_free(&field);
        }
        json_decref(x);
        json_decref(y);
        if (left != IT_OK && left != IT_END) { return left; }
        if (right != IT_OK && right != IT_END) { return right; }
        if (ended || !*same_out) { return IT_OK; }
    }
}

enum it_status it_run_diff(const char *folder_a, const char *folder_b, bool *same_out,
                           struct it_str *what_out)
{
    struct it_lines a, b;
    IT_TRY(open_metrics(folder_a, &a));
    enum it_status status = open_metrics(folder_b, &b);
    if (status == IT_OK) {
        status = compare(&a, &b, same_out, what_out);
        it_lines_close(&b);
    }
    it_lines_close(&a);
    return status;
}
