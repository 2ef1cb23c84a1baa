/* SPDX-License-Identifier: MIT */
/* SHA-256: the examples of FIPS 180-4, every way of cutting the input, files. */
#include "core/base/inputs.h"
#include "core/base/sha256.h"
#include "tests/scratch.h"

static char text[IT_SHA256_TEXT];

static const char *hash(const void *bytes, size_t count, size_t piece)
{
    struct it_sha256 sha;
    uint8_t digest[IT_SHA256_BYTES];
    it_sha256_begin(&sha);
    for (size_t at = 0; at < count; at += piece) {
        it_sha256_add(&sha, (const uint8_t *)bytes + at, count - at < piece ? count - at : piece);
    }
    it_sha256_end(&sha, digest);
    return it_sha256_hex(digest, text);
}

START_TEST(published_examples)
{
    ck_assert_str_eq(hash("", 0, 1),
                     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    ck_assert_str_eq(hash("abc", 3, 3),
                     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    const char *two = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    ck_assert_str_eq(hash(two, 56, 56),
                     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    char *million = it_alloc(1000000);
    memset(million, 'a', 1000000);
    ck_assert_str_eq(hash(million, 1000000, 4093),
                     "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    it_free(million);
}
END_TEST

/* The padding fits the last block or not: every length around it, whole and in pieces. */
START_TEST(pieces_do_not_matter)
{
    uint8_t bytes[260];
    char whole[IT_SHA256_TEXT];
    for (size_t i = 0; i < sizeof bytes; i++) { bytes[i] = (uint8_t)(i * 7 + 3); }
    for (size_t n = 0; n <= sizeof bytes; n++) {
        strcpy(whole, hash(bytes, n, n + 1));
        for (size_t piece = 1; piece < 130; piece += 9) {
            ck_assert_str_eq(hash(bytes, n, piece), whole);
        }
    }
    ck_assert_str_eq(hash(bytes, 55, 55),
                     "e7313d333c272e639f790978283f9eb392e843d0f29b7016828bb1daa4aac70b");
    ck_assert_str_eq(hash(bytes, 56, 5),
                     "4324d65f3c103567f5589c710bc08f8523f929a9272e3af36fc968e52abc6c27");
    ck_assert_str_eq(hash(bytes, 64, 64),
                     "39e3d7b6b5d075d37d053ad89b24b41bef4f3c29760c84447cab3f3be1882241");
}
END_TEST

START_TEST(files)
{
    scratch_begin();
    const char *path = scratch_text("abc", "abc");
    ck_assert_int_eq(it_sha256_file(path, text), IT_OK);
    ck_assert_str_eq(text, hash("abc", 3, 1));
    ck_assert_fails(it_sha256_file(scratch_path("none"), text), IT_NOT_FOUND, "cannot open");
    ck_assert_fails(it_sha256_file(scratch, text), IT_IO, "cannot read");
    scratch_end();
}
END_TEST

/* Files that are read between begin and end are noted, once each. */
START_TEST(inputs)
{
    struct it_str bytes = {0};
    scratch_begin();
    const char *a = scratch_text("a", "abc"), *b = scratch_text("b", "");
    const char *c = scratch_text("c", "c");
    ck_assert_int_eq(it_file_read(c, &bytes), IT_OK);
    it_inputs_begin();
    ck_assert_int_eq(it_file_read(b, &bytes), IT_OK);
    ck_assert_int_eq(it_file_read(a, &bytes), IT_OK);
    ck_assert_int_eq(it_file_read(a, &bytes), IT_OK);
    it_inputs_note("/no/such/file");
    it_inputs_end();
    ck_assert_int_eq(it_file_read(c, &bytes), IT_OK);
    capture_begin();
    json_t *list = it_inputs_take();
    capture_end();
    ck_assert_uint_eq(json_array_size(list), 3);
    ck_assert(json_is_null(json_object_get(json_array_get(list, 0), "sha256")));
    const json_t *file = json_array_get(list, 1);
    ck_assert_str_eq(json_string_value(json_object_get(file, "file")), a);
    ck_assert_int_eq(json_integer_value(json_object_get(file, "bytes")), 3);
    ck_assert_str_eq(json_string_value(json_object_get(file, "sha256")), hash("abc", 3, 1));
    json_decref(list);
    list = it_inputs_take();
    ck_assert_uint_eq(json_array_size(list), 0);
    json_decref(list);
    it_str_free(&bytes);
    scratch_end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sha256");
    TCase *tests = tcase_create("sha256");
    tcase_add_test(tests, published_examples);
    tcase_add_test(tests, pieces_do_not_matter);
    tcase_add_test(tests, files);
    tcase_add_test(tests, inputs);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
