/* SPDX-License-Identifier: MIT */
/* Text in pieces and in its normal form. */
#include "core/text/internal.h"
#include "tests/scratch.h"

/* A Hangul syllable takes a trailing consonant, but not what stands before the first of them. */
START_TEST(hangul)
{
    static const char *const row[][2] = {
        {"\xE1\x84\x8D\xE1\x85\xAC\xE1\x86\xA8", "\xEC\xAC\x91"},
        {"\xE1\x84\x8D\xE1\x85\xAC\xE1\x86\xA7", "\xEC\xAC\x90\xE1\x86\xA7"}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct it_str out = {0};
        ck_assert_int_eq(it_nfc_add(&out, row[i][0], strlen(row[i][0])), IT_OK);
        ck_assert_str_eq(it_str_c(&out), row[i][1]);
        it_str_free(&out);
    }
}
END_TEST

/* A stream's pieces, cut anywhere, are the text: bytes come as they are, and what is not a whole
 * character yet is seen to be none. */
START_TEST(decoding_in_pieces)
{
    struct it_tokenizer *t = NULL;
    struct it_str text = {0};
    /* the bytes of U+1F600, as the byte alphabet writes F0 9F 98 80 */
    scratch_text("vocab.json", "{\"a\": 0, \"\\u00f0\": 1, \"\\u0141\": 2, \"\\u013a\": 3,"
                               "\"\\u0122\": 4, \"b\": 5}");
    scratch_text("merges.txt", "#version: 0.2\n");
    ck_assert_int_eq(it_tokenizer_open(scratch, &t), IT_OK);
    const int32_t ids[] = {0, 1, 2, 3, 4, 5};
    static const size_t whole[] = {1, 1, 1, 1, 5, 6};
    for (size_t i = 0; i < 6; i++) {
        it_tokenizer_decode(t, &ids[i], 1, false, &text);
        ck_assert_uint_eq(text.len, i + 1);
        ck_assert_uint_eq(it_utf8_valid_prefix(text.data, text.len), whole[i]);
    }
    ck_assert_str_eq(text.data, "a\xF0\x9F\x98\x80"
                                "b");
    it_str_free(&text);
    it_tokenizer_close(t);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stream");
    TCase *tests = tcase_create("stream");
    tcase_add_checked_fixture(tests, scratch_begin, scratch_end);
    tcase_add_test(tests, hangul);
    tcase_add_test(tests, decoding_in_pieces);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
