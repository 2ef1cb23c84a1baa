/* SPDX-License-Identifier: MIT */
/* Published and derived ids of real tokenizers, read from INTUITOR_DATA; skipped without it. */
#include "core/base/json.h"
#include "core/text/text.h"
#include "tests/scratch.h"

static const char *data; /* INTUITOR_DATA */

static char *data_path(const char *name)
{
    return it_path_join(data, name);
}

static struct it_tokenizer *open_folder(const char *folder)
{
    struct it_tokenizer *tokenizer = NULL;
    ck_assert_int_eq(it_tokenizer_open(folder, &tokenizer), IT_OK);
    return tokenizer;
}

/* Qwen2.5 without its tokenizer.json, through links. */
static struct it_tokenizer *open_qwen_files(void)
{
    static const char *const name[] = {"vocab.json", "merges.txt", "added_tokens.json",
                                       "tokenizer_config.json"};
    char *folder = data_path("tokenizers/qwen2.5");
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        char *target = it_path_join(folder, name[i]);
        ck_assert_int_eq(symlink(target, scratch_path(name[i])), 0);
        it_free(target);
    }
    it_free(folder);
    return open_folder(scratch);
}

static void ck_vector(const struct it_tokenizer *tokenizer, const json_t *vector)
{
    const json_t *text = json_object_get(vector, "text"),
                 *expected = json_object_get(vector, "ids");
    const json_t *decoded = json_object_get(vector, "decoded"), *id;
    struct it_ids ids = {0};
    struct it_str back = {0};
    size_t i;
    ck_assert_int_eq(
        it_tokenizer_encode(tokenizer, json_string_value(text), json_string_length(text), &ids),
        IT_OK);
    ck_assert_msg(ids.n == json_array_size(expected), "%zu ids for \"%.60s\"", ids.n,
                  json_string_value(text));
    json_array_foreach(expected, i, id)
    {
        ck_assert_msg(ids.item[i] == json_integer_value(id), "id %zu of \"%.60s\"", i,
                      json_string_value(text));
    }
    if (json_is_string(decoded)) {
        it_tokenizer_decode(tokenizer, ids.item, ids.n, false, &back);
        ck_assert_str_eq(it_str_c(&back), json_string_value(decoded));
    }
    it_str_free(&back);
    it_ids_free(&ids);
}

/* All vectors of one tokenizer; conversations are made of special tokens, written out. */
static int ck_vectors(const struct it_tokenizer *tokenizer, const char *name)
{
    static const char *const file[] = {"tokenizers/vectors/open/published.jsonl",
                                       "tokenizers/vectors/open/derived.jsonl"};
    int count = 0;
    for (size_t i = 0; i < 2; i++) {
        struct it_lines lines;
        json_t *vector = NULL;
        char *path = data_path(file[i]);
        ck_assert_int_eq(it_lines_open(path, 0, &lines), IT_OK);
        enum it_status status;
        while ((status = it_jsonl_next(&lines, &vector)) == IT_OK) {
            const char *of = json_string_value(json_object_get(vector, "tokenizer"));
            if (of && strcmp(of, name) == 0 && json_is_string(json_object_get(vector, "text"))) {
                ck_vector(tokenizer, vector);
                count++;
            }
            json_decref(vector);
        }
        ck_assert_int_eq(status, IT_END);
        it_lines_close(&lines);
        it_free(path);
    }
    return count;
}

static void ck_folder(const char *name, const char *vectors, int32_t size, int at_least)
{
    char *folder = data_path(name);
    struct it_tokenizer *tokenizer = open_folder(folder);
    ck_assert_int_eq(it_tokenizer_size(tokenizer), size);
    ck_assert_int_ge(ck_vectors(tokenizer, vectors), at_least);
    it_tokenizer_close(tokenizer);
    it_free(folder);
}

START_TEST(qwen25)
{
    ck_folder("tokenizers/qwen2.5", "qwen2", 151665, 181);
}
END_TEST

START_TEST(qwen25_without_tokenizer_json)
{
    struct it_tokenizer *tokenizer = open_qwen_files();
    ck_assert_int_eq(it_tokenizer_size(tokenizer), 151665);
    ck_assert_int_eq(it_tokenizer_eos(tokenizer), 151643);
    ck_assert(it_tokenizer_is_special(tokenizer, 151644));
    ck_assert(!it_tokenizer_is_special(tokenizer, 151657)); /* <tool_call> */
    ck_assert_int_ge(ck_vectors(tokenizer, "qwen2"), 181);
    it_tokenizer_close(tokenizer);
}
END_TEST

START_TEST(qwen3)
{
    ck_folder("tokenizers/qwen3", "qwen3", 151669, 10);
}
END_TEST

START_TEST(llama3)
{
    ck_folder("tokenizers/llama3", "llama3", 128256, 190);
}
END_TEST

START_TEST(olmo2)
{
    ck_folder("tokenizers/olmo2", "olmo2", 100278, 187);
}
END_TEST

/* Every token of a vocabulary decodes to bytes that, where they are text, encode to something that
 * decodes to them again. */
START_TEST(round_trips)
{
    char *folder = data_path("tokenizers/llama3");
    struct it_tokenizer *tokenizer = open_folder(folder);
    for (int32_t id = 0; id < it_tokenizer_size(tokenizer); id += 7) {
        struct it_str text = {0}, back = {0};
        struct it_ids ids = {0};
        it_tokenizer_decode(tokenizer, &id, 1, false, &text);
        ck_assert_uint_gt(text.len, 0);
        if (it_utf8_valid_prefix(text.data, text.len) == text.len) {
            ck_assert_int_eq(it_tokenizer_encode(tokenizer, text.data, text.len, &ids), IT_OK);
            it_tokenizer_decode(tokenizer, ids.item, ids.n, false, &back);
            ck_assert_str_eq(it_str_c(&back), text.data);
        }
        it_str_free(&text);
        it_str_free(&back);
        it_ids_free(&ids);
    }
    it_tokenizer_close(tokenizer);
    it_free(folder);
}
END_TEST

int main(void)
{
    data = getenv("INTUITOR_DATA");
    if (!data || !*data) { return 77; }
    Suite *suite = suite_create("vectors");
    TCase *tests = tcase_create("vectors");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, scratch_begin, scratch_end);
    tcase_add_test(tests, qwen25);
    tcase_add_test(tests, qwen25_without_tokenizer_json);
    tcase_add_test(tests, qwen3);
    tcase_add_test(tests, llama3);
    tcase_add_test(tests, olmo2);
    tcase_add_test(tests, round_trips);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
