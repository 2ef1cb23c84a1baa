/* SPDX-License-Identifier: MIT */
/* JSON and JSONL: what is read back is what was written; errors name file, line and field. */
#include <math.h>

#include "core/base/json.h"
#include "tests/scratch.h"

static json_t *parse(const char *text)
{
    json_t *value = NULL;
    ck_assert_int_eq(it_json_parse("text", text, strlen(text), &value), IT_OK);
    return value;
}

START_TEST(documents)
{
    json_t *value = NULL;
    ck_assert_int_eq(it_json_read(scratch_text("a", "\xEF\xBB\xBF{\"a\": [1, 2]}"), &value), IT_OK);
    ck_assert_uint_eq(json_array_size(json_object_get(value, "a")), 2);
    json_decref(value);
    json_decref(parse("\"any value\""));
    json_decref(parse("12"));
    ck_assert_fails(it_json_read(scratch_path("missing"), &value), IT_NOT_FOUND, "missing: ");
    ck_assert_fails(it_json_read(scratch_text("b", "{\n\"a\": 1,\n\"b\" 2}"), &value), IT_INVALID,
                    "/b:3: not valid JSON: ':' expected near '2'");
    ck_assert_fails(it_json_read(scratch_text("c", "{\n\"a\": 1,\n\"a\": 2}"), &value), IT_INVALID,
                    "duplicate object key");
    ck_assert_fails(it_json_read(scratch_text("d", ""), &value), IT_INVALID, "/d:1: ");
    ck_assert_fails(it_json_parse("what", "[1", 2, &value), IT_INVALID, "what: not valid JSON");
    ck_assert_fails(it_json_parse("what", "[1\n,}", 5, &value), IT_INVALID, "what:2: not valid");
    ck_assert_fails(it_json_parse("what", "", 0, &value), IT_INVALID, "what: not valid JSON");
    ck_assert_fails(it_json_parse("what", "\"\xFF\"", 3, &value), IT_INVALID, "not valid JSON");
    ck_assert_fails(it_json_parse("what", "1e999", 5, &value), IT_INVALID, "not valid JSON");
    ck_assert_fails(it_json_parse("what", "{} x", 4, &value), IT_INVALID, "not valid JSON");
    struct it_str deep = {0};
    for (int i = 0; i < 100000; i++) { it_str_putc(&deep, '['); }
    ck_assert_fails(it_json_parse("deep", deep.data, deep.len, &value), IT_INVALID, "depth");
    it_str_free(&deep);
}
END_TEST

START_TEST(records)
{
    const char *path = scratch_text("f.jsonl", "{\"n\": 1}\n"
                                               "\n"
                                               "  \t\r\n"
                                               "[1]\n"
                                               "{\"n\": \n"
                                               "{\"n\": 6}");
    struct it_lines lines;
    json_t *object = NULL;
    int64_t n = 0;
    ck_assert_int_eq(it_lines_open(path, 0, &lines), IT_OK);
    ck_assert_int_eq(it_jsonl_next(&lines, &object), IT_OK);
    json_decref(object);
    ck_assert_fails(it_jsonl_next(&lines, &object), IT_INVALID,
                    "/f.jsonl:4: expected an object, found an array");
    ck_assert_fails(it_jsonl_next(&lines, &object), IT_INVALID, "/f.jsonl:5: not valid JSON");
    ck_assert_int_eq(it_jsonl_next(&lines, &object), IT_OK);
    ck_assert_int_eq(it_json_get_int(object, "f", "n", 0, &n), IT_OK);
    ck_assert_int_eq(n, 6);
    json_decref(object);
    ck_assert_int_eq(it_jsonl_next(&lines, &object), IT_END);
    it_lines_close(&lines);
}
END_TEST

static const double reals[] = {0.1, 1.0 / 3, 1e-320, 1.7976931348623157e308, -0.0, 5e-324, 1e22};

START_TEST(numbers_come_back_to_the_bit)
{
    FILE *stream = fopen(scratch_path("f"), "w");
    json_t *record = json_object(), *array = json_array();
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++) {
        json_array_append_new(array, it_json_real(reals[i]));
    }
    json_array_append_new(array, it_json_real((double)NAN));
    json_array_append_new(array, it_json_real(-(double)INFINITY));
    json_object_set_new(record, "r", array);
    json_object_set_new(record, "text", json_string("\xE2\x82\xAC"));
    ck_assert_int_eq(it_jsonl_put(stream, record), IT_OK);
    ck_assert_int_eq(it_jsonl_put(stream, record), IT_OK);
    ck_assert_int_eq(fclose(stream), 0);
    ck_assert_int_eq(it_json_write(scratch_path("g"), record), IT_OK);
    json_decref(record);

    struct it_lines lines;
    json_t *read[3];
    ck_assert_int_eq(it_lines_open(scratch_path("f"), 0, &lines), IT_OK);
    ck_assert_int_eq(it_jsonl_next(&lines, &read[0]), IT_OK);
    ck_assert_ptr_nonnull(strstr(lines.line.data, "\xE2\x82\xAC"));
    ck_assert_ptr_nonnull(strstr(lines.line.data, "0.10000000000000001"));
    ck_assert_int_eq(it_jsonl_next(&lines, &read[1]), IT_OK);
    ck_assert_int_eq(it_jsonl_next(&lines, &record), IT_END);
    it_lines_close(&lines);
    ck_assert_int_eq(it_json_read(scratch_path("g"), &read[2]), IT_OK);
    for (int k = 0; k < 3; k++) {
        array = json_object_get(read[k], "r");
        for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++) {
            double value = json_real_value(json_array_get(array, i));
            ck_assert_mem_eq(&value, &reals[i], sizeof value);
        }
        ck_assert(json_is_null(json_array_get(array, 7)));
        ck_assert(json_is_null(json_array_get(array, 8)));
        json_decref(read[k]);
    }
}
END_TEST

START_TEST(documents_are_written_for_people)
{
    json_t *value = json_pack("{s:f, s:i, s:[f]}", "rms_norm_eps", 1e-6, "a", 3, "list", 0.5);
    ck_assert_int_eq(it_json_write(scratch_path("f"), value), IT_OK);
    json_decref(value);
    struct it_str text = {0};
    ck_assert_int_eq(it_file_read(scratch_path("f"), &text), IT_OK);
    ck_assert_str_eq(text.data,
                     "{\n  \"rms_norm_eps\": 1e-6,\n  \"a\": 3,\n  \"list\": [\n    0.5\n  ]\n}\n");
    it_str_free(&text);
    value = json_array();
    ck_assert_fails(it_json_write(scratch_path("no/f"), value), IT_NOT_FOUND, "cannot write");
    json_decref(value);
    FILE *full = fopen("/dev/full", "w");
    if (!full) { return; }
    setvbuf(full, NULL, _IONBF, 0);
    value = json_object();
    ck_assert_fails(it_jsonl_put(full, value), IT_IO, "No space left");
    json_decref(value);
    fclose(full);
}
END_TEST

START_TEST(text_is_never_refused)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *text;
        size_t length;
    } rows[] = {
        {"abc", 3, "abc", 3},
        {NULL, 0, "", 0},
        {"a\0b", 3, "a\0b", 3},
        {"a\xFFz", 3, "a\xEF\xBF\xBDz", 5},
        {"\xE2\x82", 2, "\xEF\xBF\xBD", 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        json_t *value = it_json_text(rows[i].bytes, rows[i].n);
        ck_assert(json_is_string(value));
        ck_assert_uint_eq(json_string_length(value), rows[i].length);
        ck_assert(memcmp(json_string_value(value), rows[i].text, rows[i].length + 1) == 0);
        char *dump = json_dumps(value, JSON_ENCODE_ANY);
        json_t *again = parse(dump);
        ck_assert(json_equal(value, again));
        json_decref(again);
        json_decref(value);
        free(dump);
    }
}
END_TEST

START_TEST(fields_are_typed)
{
    json_t *o = parse("{\"i\": 7, \"r\": 0.5, \"b\": true, \"s\": \"text\", \"null\": null,"
                      " \"nul\": \"a\\u0000b\"}");
    int64_t i;
    double r;
    bool b;
    const char *s;
    ck_assert_int_eq(it_json_get_int(o, "w", "i", -1, &i), IT_OK);
    ck_assert_int_eq(i, 7);
    ck_assert_int_eq(it_json_get_int(o, "w", "missing", -1, &i), IT_OK);
    ck_assert_int_eq(i, -1);
    ck_assert_int_eq(it_json_get_int(o, "w", "null", -2, &i), IT_OK);
    ck_assert_int_eq(i, -2);
    ck_assert_fails(it_json_get_int(o, "f:3", "r", -1, &i), IT_INVALID,
                    "f:3: field \"r\": expected an integer, found a number");
    ck_assert_int_eq(i, -2);
    ck_assert_int_eq(it_json_get_real(o, "w", "r", 0, &r), IT_OK);
    ck_assert_double_eq(r, 0.5);
    ck_assert_int_eq(it_json_get_real(o, "w", "i", 0, &r), IT_OK);
    ck_assert_double_eq(r, 7);
    ck_assert_fails(it_json_get_real(o, "w", "s", 0, &r), IT_INVALID, "a number, found a string");
    ck_assert_int_eq(it_json_get_bool(o, "w", "b", false, &b), IT_OK);
    ck_assert(b);
    ck_assert_int_eq(it_json_get_bool(o, "w", "missing", false, &b), IT_OK);
    ck_assert(!b);
    ck_assert_fails(it_json_get_bool(o, "w", "i", false, &b), IT_INVALID, "true or false, found");
    ck_assert_int_eq(it_json_get_string(o, "w", "s", &s), IT_OK);
    ck_assert_str_eq(s, "text");
    ck_assert_int_eq(it_json_get_string(o, "w", "null", &s), IT_OK);
    ck_assert_ptr_null(s);
    ck_assert_int_eq(it_json_get_string(o, "w", "missing", &s), IT_OK);
    ck_assert_ptr_null(s);
    ck_assert_fails(it_json_get_string(o, "w", "b", &s), IT_INVALID, "a string, found true");
    ck_assert_fails(it_json_get_string(o, "w", "nul", &s), IT_INVALID, "NUL");
    json_decref(o);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json");
    TCase *tests = tcase_create("json");
    tcase_add_checked_fixture(tests, scratch_begin, scratch_end);
    tcase_add_test(tests, documents);
    tcase_add_test(tests, records);
    tcase_add_test(tests, numbers_come_back_to_the_bit);
    tcase_add_test(tests, documents_are_written_for_people);
    tcase_add_test(tests, text_is_never_refused);
    tcase_add_test(tests, fields_are_typed);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
