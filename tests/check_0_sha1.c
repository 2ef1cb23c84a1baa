/* SPDX-License-Identifier: MIT */
/* SHA-1 against the examples of FIPS 180 and against names that git gives. */
#include "core/base/sha1.h"
#include "tests/scratch.h"

static const char *sum(const char *text, size_t n, size_t piece)
{
    static char digits[IT_SHA1_TEXT];
    struct it_sha1 sha;
    it_sha1_begin(&sha);
    for (size_t at = 0; at < n; at += piece) {
        it_sha1_add(&sha, text + at, piece < n - at ? piece : n - at);
    }
    it_sha1_end(&sha, digits);
    return digits;
}

START_TEST(test_examples)
{
    static const char two[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    ck_assert_str_eq(sum("", 0, 1), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    ck_assert_str_eq(sum("abc", 3, 3), "a9993e364706816aba3e25717850c26c9cd0d89d");
    ck_assert_str_eq(sum(two, 56, 56), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    ck_assert_str_eq(sum(two, 56, 5), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    char *million = it_alloc(1000000);
    memset(million, 'a', 1000000);
    for (size_t piece = 63; piece <= 65; piece++) {
        ck_assert_str_eq(sum(million, 1000000, piece), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    }
    it_free(million);
}
END_TEST

/* printf 'what is up, doc?' | git hash-object --stdin */
START_TEST(test_blob)
{
    struct it_sha1 sha;
    char digits[IT_SHA1_TEXT];
    it_sha1_begin_blob(&sha, 16);
    it_sha1_add(&sha, "what is up, doc?", 16);
    it_sha1_end(&sha, digits);
    ck_assert_str_eq(digits, "bd9dbf5aae1a3862dd1526723246b20206e5fc37");
    it_sha1_begin_blob(&sha, 0);
    it_sha1_end(&sha, digits);
    ck_assert_str_eq(digits, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sha1");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, test_examples);
    tcase_add_test(tests, test_blob);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
