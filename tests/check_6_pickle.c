/* SPDX-License-Identifier: MIT */
/* The private tests of LiveCodeBench: base64, zlib, a pickle of one string. */
#include <check.h>
#include <zlib.h>

#include "core/base/json.h"
#include "tasks/grade/pickle.h"
#include "tests/scratch.h"

static struct it_str text;

static int pickle(const char *bytes, size_t size)
{
    it_str_clear(&text);
    return (int)it_pickle_read("f:1", bytes, size, &text);
}

/* Bytes of a string literal, without its NUL. */
#define BYTES(literal) literal, sizeof(literal) - 1

START_TEST(protocols)
{
    /* what Python's pickle.dumps("a\u00e9") writes, protocol by protocol */
    static const struct {
        const char *bytes;
        size_t size;
    } rows[] = {
        {BYTES("Va\xe9\np0\n.")},
        {BYTES("X\x03\0\0\0a\xc3\xa9q\0.")},
        {BYTES("\x80\x02X\x03\0\0\0a\xc3\xa9q\0.")},
        {BYTES("\x80\x03X\x03\0\0\0a\xc3\xa9q\0.")},
        {BYTES("\x80\x04\x95\x07\0\0\0\0\0\0\0\x8c\x03" "a\xc3\xa9\x94.")},
        {BYTES("\x80\x05\x95\x07\0\0\0\0\0\0\0\x8c\x03" "a\xc3\xa9\x94.")},
        {BYTES("\x80\x04\x8d\x03\0\0\0\0\0\0\0a\xc3\xa9\x94.")},
        {BYTES("Va\\u00e9\np0\n.")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ck_assert_int_eq(pickle(rows[i].bytes, rows[i].size), IT_OK);
        ck_assert_str_eq(it_str_c(&text), "a\xc3\xa9");
    }
    /* half a pair of surrogates is text to Python */
    ck_assert_int_eq(pickle(BYTES("\x80\x04\x8c\x03\xed\xa0\xbd\x94.")), IT_OK);
    it_str_free(&text);
}
END_TEST

START_TEST(hostile)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *said;
    } rows[] = {
        {BYTES("cos\nsystem\n(S'true'\ntR."), "0x63 (GLOBAL)"},
        {BYTES("\x80\x04\x8c\x02os\x8c\x06system\x93."), "second value"},
        {BYTES("\x80\x04\x93."), "STACK_GLOBAL"},
        {BYTES("\x80\x04\x8c\x01" "aR."), "REDUCE"},
        {BYTES("\x80\x04\x8c\x01" "a\x81."), "NEWOBJ"},
        {BYTES("\x80\x04N."), "0x4e (not part of one string)"},
        {BYTES("\x80\x04."), "holds no string"},
        {BYTES("\x80\x04\x8c\x01" "a"), "cut off"},
        {BYTES("\x80\x04\x8c\x05" "a."), "cut off"},
        {BYTES("X\xff\xff\xff\xff" "a."), "cut off"},
        {BYTES("\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\xff\x8c\x01" "a."), "cut off"},
        {BYTES("\x8d\xff\xff\xff\xff\xff\xff\xff\xff" "a."), "cut off"},
        {BYTES("\x8c\x01" "a.x"), "goes on after its end"},
        {BYTES("\x8c\x02\xc3\x28."), "not UTF-8"},
        {BYTES("Va\\u00g1\n."), "damaged escape"},
        {BYTES("Va\\U00110000\n."), "damaged escape"},
        {BYTES("Va"), "cut off"},
        {BYTES(""), "cut off"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ck_assert_fails(pickle(rows[i].bytes, rows[i].size), IT_INVALID, rows[i].said);
        ck_assert_uint_eq(text.len, 0);
        ck_assert_ptr_nonnull(strstr(it_str_c(&spoken), "f:1: "));
    }
    it_str_free(&text);
}
END_TEST

static void put_base64(const unsigned char *bytes, size_t size, struct it_str *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        unsigned bits = (unsigned)bytes[i] << 16;
        if (i + 1 < size) { bits |= (unsigned)bytes[i + 1] << 8; }
        if (i + 2 < size) { bits |= bytes[i + 2]; }
        it_str_putc(out, digits[bits >> 18]);
        it_str_putc(out, digits[bits >> 12 & 63]);
        it_str_putc(out, i + 1 < size ? digits[bits >> 6 & 63] : '=');
        it_str_putc(out, i + 2 < size ? digits[bits & 63] : '=');
    }
}

static void pack(const char *bytes, size_t size, struct it_str *out)
{
    uLongf room = compressBound((uLong)size);
    unsigned char *packed = it_alloc(room);
    ck_assert_int_eq(compress(packed, &room, (const Bytef *)bytes, (uLong)size), Z_OK);
    put_base64(packed, room, out);
    it_free(packed);
}

static int unpack(const char *encoded, size_t size)
{
    it_str_clear(&text);
    return (int)it_pickle_unpack("f:1", encoded, size, &text);
}

START_TEST(whole)
{
    struct it_str encoded = {0};
    pack(BYTES("\x80\x04\x8c\x02[]\x94."), &encoded);
    ck_assert_int_eq(unpack(encoded.data, encoded.len), IT_OK);
    ck_assert_str_eq(it_str_c(&text), "[]");
    ck_assert_fails(unpack(encoded.data, encoded.len - 1), IT_INVALID, "cut off");
    ck_assert_fails(unpack(encoded.data, encoded.len - 8), IT_INVALID, "f:1: ");
    encoded.data[1] = '*';
    ck_assert_fails(unpack(encoded.data, encoded.len), IT_INVALID, "not base64 at character 1");
    ck_assert_fails(unpack("", 0), IT_INVALID, "no compressed data");
    ck_assert_fails(unpack("====", 4), IT_INVALID, "wrongly padded");
    ck_assert_fails(unpack("AA==AAAA", 8), IT_INVALID, "not base64");
    ck_assert_fails(unpack("AAAAAAAA", 8), IT_INVALID, "not zlib");
    it_str_free(&encoded);
    it_str_free(&text);
}
END_TEST

START_TEST(bomb)
{
    struct it_str encoded = {0};
    size_t size = (size_t)IT_PICKLE_UNPACKED_LIMIT + 1;
    char *zeros = it_calloc(1, size);
    pack(zeros, size, &encoded);
    it_free(zeros);
    ck_assert_fails(unpack(encoded.data, encoded.len), IT_INVALID, "inflates to more than 256 MiB");
    it_str_free(&encoded);
    it_str_free(&text);
}
END_TEST

/* The one published value that is quoted in public. */
START_TEST(published)
{
    const char *data = getenv("INTUITOR_DATA");
    if (data == NULL) { return; }
    char *path = it_path_join(data, "livecodebench/private_test_encoding_example.json");
    json_t *example, *tests;
    ck_assert_int_eq(it_json_read(path, &example), IT_OK);
    const json_t *encoded = json_object_get(example, "encoded");
    ck_assert_int_eq(unpack(json_string_value(encoded), json_string_length(encoded)), IT_OK);
    ck_assert_int_eq(it_json_parse(path, it_str_c(&text), text.len, &tests), IT_OK);
    ck_assert(json_equal(tests, json_object_get(example, "decoded")));
    json_decref(tests);
    json_decref(example);
    it_free(path);
    it_str_free(&text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pickle");
    TCase *tests = tcase_create("pickle");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, scratch_begin, scratch_end);
    tcase_add_test(tests, protocols);
    tcase_add_test(tests, hostile);
    tcase_add_test(tests, whole);
    tcase_add_test(tests, bomb);
    tcase_add_test(tests, published);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
