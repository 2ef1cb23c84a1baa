/* SPDX-License-Identifier: MIT */
/* Reading the tests of a record. Texts of the record are borrowed; what has to be written anew is
 * kept in `held`. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "tasks/grade/code.h"
#include "tasks/grade/pickle.h"

struct reader {
    const char *where;
    struct it_code_tests *tests;
    size_t cap;
};

void it_code_tests_free(struct it_code_tests *tests)
{
    it_free(tests->item);
    it_free(tests->entry);
    json_decref(tests->held);
    *tests = (struct it_code_tests){0};
}

static const json_t *get(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_null(value) ? NULL : value;
}

static const json_t *hold(struct reader *r, json_t *value)
{
    json_array_append_new(r->tests->held, value);
    return value;
}

static void add(struct reader *r, const json_t *input, const json_t *output)
{
    struct it_code_tests *tests = r->tests;
    tests->item = it_grow(tests->item, &r->cap, tests->n + 1, sizeof *tests->item);
    tests->item[tests->n++] = (struct it_code_test){
        json_string_value(input), json_string_value(output), json_string_length(input),
        json_string_length(output)};
}

/* ---- one test ---- */

static const json_t *dumped(struct reader *r, const json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(17));
    const json_t *string = hold(r, json_string(text));
    free(text);
    return string;
}

/* Arguments of a call, one JSON value a line. */
static const json_t *argument_lines(struct reader *r, const json_t *args)
{
    struct it_str lines = {0};
    size_t i;
    const json_t *value;
    json_array_foreach(args, i, value)
    {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(17));
        it_str_printf(&lines, "%s%s", i > 0 ? "\n" : "", text);
        free(text);
    }
    const json_t *string = hold(r, json_string(it_str_c(&lines)));
    it_str_free(&lines);
    return string;
}

static enum it_status read_test(struct reader *r, const char *list, size_t i, const json_t *test)
{
    const json_t *args = get(test, "args"), *expected = json_object_get(test, "expected");
    const json_t *input = get(test, "input"), *output = get(test, "output");
    if (json_is_array(args) && expected != NULL) {
        add(r, argument_lines(r, args), dumped(r, expected));
        return IT_OK;
    }
    if (!json_is_string(input) || !json_is_string(output)) {
        return it_fail(IT_INVALID,
                       "%s: field \"%s\", test %zu: expected the strings \"input\" and \"output\", "
                       "or \"args\" (an array) and \"expected\"",
                       r->where, list, i);
    }
    add(r, input, output);
    return IT_OK;
}

/* ---- lists of tests ---- */

/* The text of a field that is JSON in a string, or encoded private tests. */
static enum it_status parse_text(struct reader *r, const char *name, const json_t *text,
                                 const json_t **value_out)
{
    const char *bytes = json_string_value(text);
    size_t size = json_string_length(text), from = strspn(bytes, " \t\r\n");
    struct it_str where = {0}, unpacked = {0};
    json_t *value = NULL;
    enum it_status status = IT_OK;
    it_str_printf(&where, "%s: field \"%s\"", r->where, name);
    if (from < size && strchr("[{\"", bytes[from]) == NULL) {
        status = it_pickle_unpack(it_str_c(&where), bytes, size, &unpacked);
        bytes = it_str_c(&unpacked);
        size = unpacked.len;
    }
    if (status == IT_OK) { status = it_json_parse(it_str_c(&where), bytes, size, &value); }
    if (status == IT_OK) { *value_out = hold(r, value); }
    it_str_free(&where);
    it_str_free(&unpacked);
    return status;
}

/* {"input": [...], "output": [...]} of CodeContests; {"inputs", "outputs", "fn_name"} of the
 * harness of LiveCodeBench. */
static enum it_status read_columns(struct reader *r, const char *name, const json_t *columns)
{
    const json_t *inputs = get(columns, "input"), *outputs = get(columns, "output");
    const json_t *entry = get(columns, "fn_name");
    if (inputs == NULL) { inputs = get(columns, "inputs"); }
    if (outputs == NULL) { outputs = get(columns, "outputs"); }
    if (!json_is_array(inputs) || !json_is_array(outputs) ||
        json_array_size(inputs) != json_array_size(outputs)) {
        return it_fail(IT_INVALID,
                       "%s: field \"%s\": expected arrays of inputs and outputs of one length",
                       r->where, name);
    }
    if (json_is_string(entry) && r->tests->entry == NULL) {
        r->tests->entry = it_strdup(json_string_value(entry));
    }
    for (size_t i = 0; i < json_array_size(inputs); i++) {
        const json_t *input = json_array_get(inputs, i), *output = json_array_get(outputs, i);
        if (!json_is_string(input) || !json_is_string(output)) {
            return it_fail(IT_INVALID, "%s: field \"%s\", test %zu: expected strings", r->where,
                           name, i);
        }
        add(r, input, output);
    }
    return IT_OK;
}

/* The tests of one field, if the record has it. */
static enum it_status read_list(struct reader *r, const json_t *fields, const char *name,
                                bool *found)
{
    const json_t *list = get(fields, name), *test;
    size_t i;
    if (list == NULL) { return IT_OK; }
    *found = true;
    if (json_is_string(list)) {
        if (json_string_length(list) == 0) { return IT_OK; }
        IT_TRY(parse_text(r, name, list, &list));
    }
    if (json_is_object(list)) { return read_columns(r, name, list); }
    if (!json_is_array(list)) {
        return it_fail(IT_INVALID, "%s: field \"%s\": expected an array of tests", r->where, name);
    }
    json_array_foreach(list, i, test) { IT_TRY(read_test(r, name, i, test)); }
    return IT_OK;
}

/* Groups of fields; the first group of which a record has one holds its tests. */
static const char *const layouts[][3] = {
    {"tests", NULL, NULL},
    {"public_test_cases", "private_test_cases", NULL}, /* LiveCodeBench */
    {"public_tests", "private_tests", "generated_tests"}, /* CodeContests */
    {"official_tests", "generated_test_cases", NULL},  /* open-r1, joined by the user */
    {"input_output", NULL, NULL},
    {"examples", NULL, NULL}, /* open-r1 problems without tests of their own */
};
enum { LAYOUTS = sizeof layouts / sizeof *layouts };

static enum it_status read_layout(struct reader *r, const json_t *fields)
{
    bool found = false;
    for (size_t i = 0; i < LAYOUTS && !found; i++) {
        for (size_t k = 0; k < 3 && layouts[i][k] != NULL; k++) {
            IT_TRY(read_list(r, fields, layouts[i][k], &found));
        }
        /* an empty list of official tests does not hide the examples */
        if (found && r->tests->n == 0 && strcmp(layouts[i][0], "official_tests") == 0) {
            found = false;
        }
    }
    if (found) { return IT_OK; }
    return it_fail(IT_INVALID, "%s: field \"tests\": expected an array, found none", r->where);
}

bool it_code_has_tests(const json_t *fields)
{
    for (size_t i = 0; i < LAYOUTS; i++) {
        for (size_t k = 0; k < 3 && layouts[i][k] != NULL; k++) {
            const json_t *list = get(fields, layouts[i][k]), *inputs = get(list, "input");
            if (json_is_string(list) ? json_string_length(list) > 0 && strcmp(
                    json_string_value(list), "[]") != 0
                : json_is_array(inputs) ? json_array_size(inputs) > 0
                : json_is_object(list)  ? true
                                        : json_array_size(list) > 0) {
                return true;
            }
        }
    }
    return false;
}

/* ---- calls ---- */

/* The last method of the class of the starter code, else its last function: "def name(". */
static char *name_in(const char *starter)
{
    const char *name = NULL;
    size_t size = 0;
    for (const char *at = starter; (at = strstr(at, "def ")) != NULL; at += 4) {
        const char *from = at + 4;
        size_t n = strcspn(from, "( \t\r\n:");
        if (n > 0 && from[n] == '(' && strncmp(from, "__", 2) != 0) {
            name = from;
            size = n;
        }
    }
    return name != NULL ? it_strndup(name, size) : NULL;
}

static enum it_status read_metadata(struct reader *r, const json_t *fields, const json_t **out)
{
    const json_t *metadata = get(fields, "metadata");
    *out = metadata;
    if (json_is_string(metadata) && json_string_length(metadata) > 0) {
        IT_TRY(parse_text(r, "metadata", metadata, out));
    }
    return IT_OK;
}

/* Whether the tests say that they are calls. */
static bool are_calls(const json_t *fields)
{
    const char *const lists[] = {"tests", "public_test_cases"};
    for (size_t i = 0; i < 2; i++) {
        const json_t *test = json_array_get(get(fields, lists[i]), 0);
        const char *type = json_string_value(get(test, "testtype"));
        if (get(test, "args") != NULL || (type != NULL && strcmp(type, "functional") == 0)) {
            return true;
        }
    }
    return false;
}

static enum it_status read_entry(struct reader *r, const json_t *fields)
{
    static const char *const names[] = {"entry_point", "fn_name", "func_name"};
    const char *name = NULL, *starter;
    const json_t *metadata;
    for (size_t i = 0; i < 3 && name == NULL; i++) {
        IT_TRY(it_json_get_string(fields, r->where, names[i], &name));
    }
    IT_TRY(it_json_get_string(fields, r->where, "starter_code", &starter));
    IT_TRY(read_metadata(r, fields, &metadata));
    if (name == NULL) { name = json_string_value(get(metadata, "func_name")); }
    if (r->tests->entry == NULL && name != NULL && name[0] != '\0') {
        r->tests->entry = it_strdup(name);
    }
    bool calls = are_calls(fields);
    bool published = get(fields, "public_test_cases") != NULL && starter != NULL && starter[0];
    if (r->tests->entry == NULL && starter != NULL && (calls || published)) {
        r->tests->entry = name_in(starter);
    }
    if (r->tests->entry == NULL && calls) {
        return it_fail(IT_INVALID,
                       "%s: field \"entry_point\": expected the name of the function that the "
                       "tests call, found none",
                       r->where);
    }
    return IT_OK;
}

/* ---- limits ---- */

static enum it_status read_limit(const struct reader *r, const json_t *fields, const char *name,
                               double most, double *value_out)
{
    double value = 0.0;
    IT_TRY(it_json_get_real(fields, r->where, name, 0.0, &value));
    if (!(value >= 0.0 && value <= most)) {
        return it_fail(IT_INVALID, "%s: field \"%s\": expected a number from 0 (not said) to %g, "
                       "found %g", r->where, name, most, value);
    }
    *value_out = value;
    return IT_OK;
}

/* Ours in seconds and MB; CodeContests in {"seconds", "nanos"} and bytes; open-r1 in seconds and
 * MB under other names. */
static enum it_status read_limits(struct reader *r, const json_t *fields)
{
    static const double seconds_max = 3600.0, megabytes_max = 1 << 20;
    struct it_code_tests *tests = r->tests;
    const json_t *limit = get(fields, "time_limit");
    double megabytes = 0.0, bytes = 0.0;
    IT_TRY(read_limit(r, fields, "time_limit_s", seconds_max, &tests->time_limit_s));
    if (tests->time_limit_s <= 0.0 && json_is_object(limit)) {
        tests->time_limit_s = json_number_value(get(limit, "seconds")) +
                              1e-9 * json_number_value(get(limit, "nanos"));
        if (!(tests->time_limit_s >= 0.0 && tests->time_limit_s <= seconds_max)) {
            return it_fail(IT_INVALID, "%s: field \"time_limit\": expected up to %g seconds",
                           r->where, seconds_max);
        }
    } else if (tests->time_limit_s <= 0.0 && json_is_number(limit)) {
        IT_TRY(read_limit(r, fields, "time_limit", seconds_max, &tests->time_limit_s));
    }
    IT_TRY(read_limit(r, fields, "memory_limit_mb", megabytes_max, &megabytes));
    if (megabytes <= 0.0 && json_is_number(get(fields, "memory_limit"))) {
        IT_TRY(read_limit(r, fields, "memory_limit", megabytes_max, &megabytes));
    }
    IT_TRY(read_limit(r, fields, "memory_limit_bytes", megabytes_max * 1e6, &bytes));
    tests->memory_bytes = (int64_t)(megabytes > 0.0 ? megabytes * 1e6 : bytes);
    return IT_OK;
}

/* The further fields of open-r1/codeforces. */
static enum it_status read_manner(struct reader *r, const json_t *fields)
{
    const char *mode, *interaction;
    IT_TRY(it_json_get_string(fields, r->where, "input_mode", &mode));
    IT_TRY(it_json_get_string(fields, r->where, "interaction_format", &interaction));
    IT_TRY(it_json_get_string(fields, r->where, "generated_checker", &r->tests->checker));
    r->tests->files = mode != NULL && strcmp(mode, "file") == 0;
    r->tests->interactive = interaction != NULL && interaction[0] != '\0';
    if (r->tests->checker != NULL && r->tests->checker[0] == '\0') { r->tests->checker = NULL; }
    return IT_OK;
}

enum it_status it_code_tests_read(const json_t *fields, const char *where,
                                  struct it_code_tests *tests_out)
{
    struct it_code_tests tests = {.held = json_array()};
    struct reader r = {.where = where, .tests = &tests};
    enum it_status status = read_layout(&r, fields);
    if (status == IT_OK) { status = read_entry(&r, fields); }
    if (status == IT_OK) { status = read_limits(&r, fields); }
    if (status == IT_OK) { status = read_manner(&r, fields); }
    if (status != IT_OK) {
        it_code_tests_free(&tests);
        return status;
    }
    *tests_out = tests;
    return IT_OK;
}
