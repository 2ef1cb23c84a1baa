/* SPDX-License-Identifier: MIT */
/* 100,000 texts made from numbers, of mixed scripts, emoji, controls, malformed UTF-8, special
 * tokens and long runs: the ids of four real tokenizers, by digests of what the tokenizers package
 * gives (tests/golden/tokens.json, written by scripts/compare_tokenizer.py). Read from
 * INTUITOR_DATA; skipped without it. */
#include "core/base/json.h"
#include "core/base/sha256.h"
#include "core/text/text.h"
#include "tests/scratch.h"

static const char *data; /* INTUITOR_DATA */
static json_t *golden;

/* splitmix64 */
static uint64_t below(uint64_t *state, uint64_t n)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return ((z ^ (z >> 31)) >> 33) % n;
}

static void add_code(struct it_str *text, uint64_t code)
{
    if (code >= 0xd800 && code < 0xe000) { code = 0xfffd; }
    if (code < 0x80) {
        it_str_putc(text, (char)code);
    } else if (code < 0x800) {
        it_str_putc(text, (char)(0xc0 | code >> 6));
        it_str_putc(text, (char)(0x80 | (code & 0x3f)));
    } else {
        if (code < 0x10000) {
            it_str_putc(text, (char)(0xe0 | code >> 12));
        } else {
            it_str_putc(text, (char)(0xf0 | code >> 18));
            it_str_putc(text, (char)(0x80 | (code >> 12 & 0x3f)));
        }
        it_str_putc(text, (char)(0x80 | (code >> 6 & 0x3f)));
        it_str_putc(text, (char)(0x80 | (code & 0x3f)));
    }
}

static void pick_range(uint64_t *state, uint64_t *low, uint64_t *size)
{
    const json_t *ranges = json_object_get(golden, "ranges");
    const json_t *range = json_array_get(ranges, below(state, json_array_size(ranges)));
    *low = (uint64_t)json_integer_value(json_array_get(range, 0));
    *size = (uint64_t)json_integer_value(json_array_get(range, 1)) - *low + 1;
}

static void add_piece(uint64_t *state, struct it_str *text, uint64_t most)
{
    const json_t *pieces = json_object_get(golden, "pieces");
    const json_t *piece = json_array_get(pieces, below(state, json_array_size(pieces)));
    uint64_t times = most ? 2 + below(state, most) : 1;
    while (times--) { it_str_add(text, json_string_value(piece), json_string_length(piece)); }
}

static void make_text(uint64_t *state, struct it_str *text)
{
    uint64_t parts = 1 + below(state, 10), low, size;
    while (parts--) {
        uint64_t kind = below(state, 100);
        if (kind < 45) {
            pick_range(state, &low, &size);
            uint64_t n = 1 + below(state, 8);
            while (n--) { add_code(text, low + below(state, size)); }
        } else if (kind < 80) {
            add_piece(state, text, 0);
        } else if (kind < 87) {
            uint64_t n = 1 + below(state, 12);
            while (n--) { it_str_putc(text, (char)below(state, 256)); }
        } else if (kind < 92) {
            add_piece(state, text, 60);
        } else {
            pick_range(state, &low, &size);
            add_code(text, low + below(state, size));
        }
    }
}

/* Every family's ids of one text, into its digest. */
static void add_ids(const struct it_tokenizer *tokenizer, const struct it_str *text,
                    struct it_sha256 *sha)
{
    struct it_ids ids = {0};
    struct it_str bytes = {0};
    ck_assert_int_eq(it_tokenizer_encode(tokenizer, it_str_c(text), text->len, &ids), IT_OK);
    it_ids_add(&ids, -1); /* the end of a text: four bytes 0xff */
    for (size_t i = 0; i < ids.n; i++) {
        for (int k = 0; k < 4; k++) {
            it_str_putc(&bytes, (char)((uint32_t)ids.item[i] >> 8 * k & 0xff));
        }
    }
    it_sha256_add(sha, it_str_c(&bytes), bytes.len);
    it_str_free(&bytes);
    it_ids_free(&ids);
}

static void ck_family(const char *family)
{
    const json_t *expected = json_object_get(json_object_get(golden, "digests"), family);
    int64_t strings = json_integer_value(json_object_get(golden, "strings"));
    int64_t chunk = json_integer_value(json_object_get(golden, "chunk"));
    uint64_t state = (uint64_t)json_integer_value(json_object_get(golden, "seed"));
    struct it_tokenizer *tokenizer = NULL;
    char *all = it_path_join(data, "tokenizers"), *folder = it_path_join(all, family);
    ck_assert_int_eq(it_tokenizer_open(folder, &tokenizer), IT_OK);
    ck_assert_int_eq((int64_t)json_array_size(expected) * chunk, strings);
    for (int64_t c = 0; c < strings / chunk; c++) {
        struct it_sha256 sha;
        uint8_t digest[IT_SHA256_BYTES];
        char hex[IT_SHA256_TEXT];
        it_sha256_begin(&sha);
        for (int64_t i = 0; i < chunk; i++) {
            struct it_str text = {0};
            make_text(&state, &text);
            add_ids(tokenizer, &text, &sha);
            it_str_free(&text);
        }
        it_sha256_end(&sha, digest);
        it_sha256_hex(digest, hex);
        hex[16] = '\0';
        ck_assert_msg(strcmp(hex, json_string_value(json_array_get(expected, (size_t)c))) == 0,
                      "%s: texts %lld to %lld differ", family, (long long)(c * chunk),
                      (long long)((c + 1) * chunk - 1));
    }
    it_tokenizer_close(tokenizer);
    it_free(folder);
    it_free(all);
}

START_TEST(qwen25)
{
    ck_family("qwen2.5");
}
END_TEST

START_TEST(qwen3)
{
    ck_family("qwen3");
}
END_TEST

START_TEST(llama3)
{
    ck_family("llama3");
}
END_TEST

START_TEST(olmo2)
{
    ck_family("olmo2");
}
END_TEST

int main(void)
{
    const char *top = getenv("top_srcdir");
    data = getenv("INTUITOR_DATA");
    if (!data || !*data) { return 77; }
    char *path = it_path_join(top ? top : ".", "tests/golden/tokens.json");
    if (it_json_read(path, &golden) != IT_OK) { return EXIT_FAILURE; }
    it_free(path);
    Suite *suite = suite_create("digests");
    TCase *tests = tcase_create("digests");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, qwen25);
    tcase_add_test(tests, qwen3);
    tcase_add_test(tests, llama3);
    tcase_add_test(tests, olmo2);
    suite_add_tcase(suite, tests);
    int code = scratch_run(suite);
    json_decref(golden);
    return code;
}
