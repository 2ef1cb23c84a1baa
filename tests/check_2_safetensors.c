/* SPDX-License-Identifier: MIT */
/* The safetensors format: what is written reads back, and no broken file gets through. */
#include "core/base/sha256.h"
#include "core/nn/safetensors.h"
#include "tests/scratch.h"

/* A file of this header, padded to nothing, and `n` bytes 0, 1, 2, ... of data. */
static const char *make_file(const char *name, const char *header, size_t n)
{
    struct it_str file = {0};
    uint64_t length = strlen(header);
    it_str_add(&file, &length, sizeof length);
    it_str_puts(&file, header);
    for (size_t i = 0; i < n; i++) { it_str_putc(&file, (char)i); }
    const char *path = scratch_file(name, file.data, file.len);
    it_str_free(&file);
    return path;
}

#define A8 "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"

START_TEST(a_file_is_read)
{
    struct it_safetensors file;
    const char *path = make_file("good.safetensors",
                                 "{\"__metadata__\":{\"format\":\"pt\"},"
                                 "\"z\":{\"dtype\":\"I8\",\"shape\":[],\"data_offsets\":[8,9]},"
                                 "\"none\":{\"dtype\":\"BF16\",\"shape\":[3,0],"
                                 "\"data_offsets\":[8,8]}," A8 "}   ",
                                 9);
    ck_assert_int_eq(it_safetensors_open(path, &file), IT_OK);
    ck_assert_uint_eq(file.n, 3);
    ck_assert_str_eq(file.item[0].name, "a"); /* sorted */
    ck_assert_str_eq(file.item[2].name, "z");
    const struct it_safetensor *a = it_safetensors_find(&file, "a");
    ck_assert_int_eq(a->dtype, IT_F32);
    ck_assert_int_eq(a->rank, 1);
    ck_assert_int_eq(a->shape[0], 2);
    ck_assert_uint_eq(a->size, 8);
    ck_assert_uint_eq(a->data[7], 7);
    const struct it_safetensor *z = it_safetensors_find(&file, "z");
    ck_assert_int_eq(z->dtype, IT_NONE); /* a type without a name here */
    ck_assert_str_eq(z->file_dtype, "I8");
    ck_assert_uint_eq(z->data[0], 8);
    ck_assert_uint_eq(it_safetensors_find(&file, "none")->size, 0);
    ck_assert_ptr_null(it_safetensors_find(&file, "b"));
    it_safetensors_close(&file);
}
END_TEST

static const struct {
    const char *header;
    size_t bytes;
    const char *words;
} broken[] = {
    {"{" A8 "}", 7, "tensor \"a\" ends at byte 8 of the data, of which there are 7"},
    {"{" A8 "}", 9, "1 bytes after the last tensor belong to none"},
    {"{}", 1, "1 bytes after the last tensor belong to none"},
    {"[1]", 0, "the header is not a JSON object"},
    {"{\"a\":", 0, "not valid JSON"},
    {"{" A8 "," A8 "}", 8, "not valid JSON: duplicate object key"},
    {"{\"a\":3}", 0, "tensor \"a\": expected dtype, shape and data_offsets"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 0, "expected dtype, shape and data_offsets"},
    {"{\"a\":{\"dtype\":\"F31\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8,
     "tensor \"a\": unknown dtype \"F31\""},
    {"{\"a\":{\"dtype\":\"\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "unknown dtype \"\""},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":2,\"data_offsets\":[0,8]}}", 8,
     "tensor \"a\": \"shape\" is not a list"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,2],\"data_offsets\":[0,8]}}", 8,
     "tensor \"a\": 5 axes; at most 4"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8,
     "\"shape\" holds something other than sizes"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}", 8,
     "\"shape\" holds something other than sizes"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,8]}}", 8,
     "\"shape\" is larger than any memory"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[0,9223372036854775807],\"data_offsets\":[0,0]}}", 0,
     "\"shape\" is larger than any memory"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", 8,
     "\"data_offsets\" are not a begin and an end"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8,
     "\"data_offsets\" are not a begin and an end"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}", 8,
     "\"data_offsets\" are not a begin and an end"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8,
     "dtype and shape need 12 bytes, data_offsets give 8"},
    {"{\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[6,10]}," A8 "}", 10,
     "tensor \"b\" overlaps the one before it"},
    {"{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[9,10]}," A8 "}", 10,
     "tensor \"b\" leaves a hole before it"},
    {"{\"b\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[4,4]}," A8 "}", 8,
     "tensor \"b\" overlaps the one before it"},
};
enum { N_BROKEN = sizeof broken / sizeof broken[0] };

START_TEST(a_broken_file_is_named)
{
    struct it_safetensors file;
    const char *path = make_file("bad.safetensors", broken[_i].header, broken[_i].bytes);
    ck_assert_fails(it_safetensors_open(path, &file), IT_INVALID, broken[_i].words);
    ck_assert_ptr_nonnull(strstr(it_str_c(&spoken), "bad.safetensors"));
    ck_assert_ptr_eq(strchr(it_str_c(&spoken), '\n') + 1, spoken.data + spoken.len); /* one line */
}
END_TEST

START_TEST(a_header_longer_than_the_file_is_refused)
{
    struct it_safetensors file;
    static const unsigned char lengths[][8] = {
        {3}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {0, 0xe1, 0xf5, 5}};
    for (size_t i = 0; i < 3; i++) {
        const char *path = scratch_file("long", lengths[i], 8);
        ck_assert_fails(it_safetensors_open(path, &file), IT_INVALID, "long: not a safetensors");
    }
    const char *path = scratch_file("short", lengths[0], 7);
    ck_assert_fails(it_safetensors_open(path, &file), IT_INVALID, "7 bytes are too few");
    path = scratch_file("empty", "", 0);
    ck_assert_fails(it_safetensors_open(path, &file), IT_INVALID, "0 bytes are too few");
    ck_assert_fails(it_safetensors_open(scratch_path("absent"), &file), IT_NOT_FOUND, "absent");
}
END_TEST

/* ---- shards ---- */

#define B1 "{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}"

static enum it_status open_index(const char *text)
{
    struct it_safetensors file;
    scratch_text("model.safetensors.index.json", text);
    enum it_status status = it_safetensors_open_folder(scratch, "model", &file);
    if (status == IT_OK) { it_safetensors_close(&file); }
    return status;
}

START_TEST(shards_are_one_file)
{
    struct it_safetensors file;
    make_file("x1.safetensors", "{" A8 "}", 8);
    make_file("x2.safetensors", B1, 1);
    scratch_text("model.safetensors.index.json",
                 "{\"weight_map\":{\"b\":\"x2.safetensors\",\"a\":\"x1.safetensors\"}}");
    ck_assert_int_eq(it_safetensors_open_folder(scratch, "model", &file), IT_OK);
    ck_assert_uint_eq(file.n, 2);
    ck_assert_uint_eq(it_safetensors_find(&file, "a")->size, 8);
    ck_assert_uint_eq(it_safetensors_find(&file, "b")->size, 1);
    it_safetensors_close(&file);
}
END_TEST

START_TEST(sums_are_checked)
{
    struct it_safetensors file;
    struct it_str sums = {0};
    char hash[IT_SHA256_TEXT];
    const char *path = make_file("model.safetensors", "{" A8 "}", 8);
    ck_assert_int_eq(it_sha256_file(path, hash), IT_OK);
    it_str_printf(&sums, "%064d  other.safetensors\n\n%s *./model.safetensors\r\n", 0, hash);
    scratch_text("SHA256SUMS", it_str_c(&sums));
    ck_assert_int_eq(it_safetensors_open_folder(scratch, "model", &file), IT_OK);
    it_safetensors_close(&file);
    hash[0] = hash[0] == 'f' ? '0' : 'f';
    it_str_clear(&sums);
    it_str_printf(&sums, "%s  model.safetensors", hash); /* no line end */
    scratch_text("SHA256SUMS", it_str_c(&sums));
    ck_assert_fails(it_safetensors_open_folder(scratch, "model", &file), IT_INVALID,
                    "model.safetensors: SHA-256 is ");
    ck_assert_ptr_nonnull(strstr(it_str_c(&spoken), hash));
    scratch_text("SHA256SUMS", "\n0123  model.safetensors\n");
    ck_assert_fails(it_safetensors_open_folder(scratch, "model", &file), IT_INVALID,
                    "SHA256SUMS:2: expected 64 hexadecimal digits and a file name");
    it_str_free(&sums);
}
END_TEST

START_TEST(sums_of_shards_are_checked)
{
    struct it_safetensors file;
    struct it_str sums = {0};
    make_file("model-00001-of-00001.safetensors", "{" A8 "}", 8);
    scratch_text("model.safetensors.index.json",
                 "{\"weight_map\": {\"a\": \"model-00001-of-00001.safetensors\"}}");
    it_str_printf(&sums, "%064d  model-00001-of-00001.safetensors\n", 0);
    scratch_text("SHA256SUMS", it_str_c(&sums));
    ck_assert_fails(it_safetensors_open_folder(scratch, "model", &file), IT_INVALID,
                    "model-00001-of-00001.safetensors: SHA-256 is ");
    it_str_free(&sums);
}
END_TEST

START_TEST(a_broken_index_is_named)
{
    struct it_safetensors file;
    ck_assert_fails(it_safetensors_open_folder(scratch, "model", &file), IT_NOT_FOUND,
                    "neither model.safetensors nor model.safetensors.index.json");
    make_file("x1.safetensors", "{" A8 "}", 8);
    make_file("x2.safetensors", "{" A8 "}", 8);
    make_file("x3.safetensors", B1, 1);
    ck_assert_fails(open_index("{}"), IT_INVALID, "\"weight_map\": expected an object");
    ck_assert_fails(open_index("[]"), IT_INVALID, "\"weight_map\": expected an object");
    ck_assert_fails(open_index("{\"weight_map\":{\"a\":\"../x1.safetensors\"}}"), IT_INVALID,
                    "expected the name of a .safetensors file in the same folder");
    ck_assert_fails(open_index("{\"weight_map\":{\"a\":1}}"), IT_INVALID, "expected the name");
    ck_assert_fails(open_index("{\"weight_map\":{\"a\":\"y.safetensors\"}}"), IT_NOT_FOUND,
                    "y.saf");
    ck_assert_fails(open_index("{\"weight_map\":{\"c\":\"x1.safetensors\"}}"), IT_INVALID,
                    "tensor \"c\" is not in x1.safetensors");
    ck_assert_fails(open_index("{\"weight_map\":{\"b\":\"x3.safetensors\","
                               "\"a\":\"x1.safetensors\",\"d\":\"x2.safetensors\"}}"), IT_INVALID,
                    "tensor \"a\" is in two shards");
    make_file("x4.safetensors", "{\"c\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]},"
              "\"d\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[1,2]}}", 2);
    ck_assert_fails(open_index("{\"weight_map\":{\"c\":\"x4.safetensors\"}}"), IT_INVALID,
                    "tensor \"d\" of a shard is not listed");
    ck_assert_int_eq(open_index("{\"weight_map\":{}}"), IT_OK); /* nothing is in nothing */
}
END_TEST

/* ---- writing ---- */

START_TEST(what_is_written_reads_back)
{
    struct it_safetensors_writer *writer;
    struct it_safetensors file;
    const char *path = scratch_path("out.safetensors");
    static const int64_t shape[] = {2, 3}, nothing[] = {0};
    static const float values[] = {1.0f, -2.5f, 3e-30f, 4.0f, 5.0f, 6.0f};
    ck_assert_int_eq(it_safetensors_create(path, &writer), IT_OK);
    ck_assert_int_eq(it_safetensors_declare(writer, "w", IT_F32, 2, shape), IT_OK);
    ck_assert_int_eq(it_safetensors_declare(writer, "\"odd\"/n\xc3\xa9", IT_U8, 1, shape), IT_OK);
    ck_assert_int_eq(it_safetensors_declare(writer, "none", IT_I32, 1, nothing), IT_OK);
    ck_assert_fails(it_safetensors_declare(writer, "w", IT_F32, 2, shape), IT_INVALID,
                    "tensor \"w\" was declared twice");
    ck_assert_int_eq(it_safetensors_put(writer, values, 10), IT_OK); /* in any pieces */
    ck_assert_int_eq(it_safetensors_put(writer, (const char *)values + 10, 14), IT_OK);
    ck_assert_fails(it_safetensors_declare(writer, "late", IT_F32, 2, shape), IT_INVALID,
                    "declared after the first byte");
    ck_assert_fails(it_safetensors_put(writer, values, 3), IT_INVALID, "more bytes came");
    ck_assert_int_eq(it_safetensors_put(writer, "xy", 2), IT_OK);
    ck_assert(!it_path_exists(path)); /* nothing under its name before the end */
    ck_assert_int_eq(it_safetensors_finish(writer), IT_OK);
    ck_assert_int_eq(it_safetensors_open(path, &file), IT_OK);
    ck_assert_uint_eq(file.n, 3);
    const struct it_safetensor *w = it_safetensors_find(&file, "w");
    ck_assert_mem_eq(w->data, values, sizeof values);
    ck_assert_uint_eq((uintptr_t)w->data % 8, 0);
    ck_assert_mem_eq(it_safetensors_find(&file, "\"odd\"/n\xc3\xa9")->data, "xy", 2);
    it_safetensors_close(&file);
}
END_TEST

START_TEST(an_unfinished_file_leaves_nothing)
{
    struct it_safetensors_writer *writer;
    static const int64_t shape[] = {4};
    struct it_strs names = {0};
    const char *path = scratch_path("out.safetensors");
    ck_assert_int_eq(it_safetensors_create(path, &writer), IT_OK);
    ck_assert_int_eq(it_safetensors_declare(writer, "w", IT_U8, 1, shape), IT_OK);
    ck_assert_int_eq(it_safetensors_put(writer, "ab", 2), IT_OK);
    ck_assert_fails(it_safetensors_finish(writer), IT_INVALID, "2 bytes of tensors came; 4 were");
    ck_assert_int_eq(it_safetensors_create(path, &writer), IT_OK);
    it_safetensors_abandon(writer);
    it_safetensors_abandon(NULL);
    ck_assert_fails(it_safetensors_create(scratch_path("no/such/folder"), &writer), IT_NOT_FOUND,
                    "no/such/folder");
    unlink(scratch_path("stderr"));
    ck_assert_int_eq(it_dir_list(scratch, &names), IT_OK);
    ck_assert_uint_eq(names.n, 0);
    it_strs_free(&names);
}
END_TEST

START_TEST(a_full_disk_is_said)
{
    struct it_safetensors_writer *writer;
    static const int64_t shape[] = {1 << 20};
    if (access("/dev/full", W_OK) != 0) { return; }
    void *zeros = it_calloc(1 << 20, 1);
    ck_assert_int_eq(it_safetensors_create("/dev/full", &writer), IT_OK);
    ck_assert_int_eq(it_safetensors_declare(writer, "w", IT_U8, 1, shape), IT_OK);
    ck_assert_fails(it_safetensors_put(writer, zeros, 1 << 20), IT_IO, "No space left");
    it_safetensors_abandon(writer);
    it_free(zeros);
}
END_TEST

START_TEST(tensors_go_there_and_back)
{
    struct it_device_options options = {0};
    struct it_device *device;
    struct it_arena *arena;
    struct it_tensor t, u, part;
    struct it_safetensors_writer *writer;
    struct it_safetensors file;
    float values[12], back[12];
    const char *path = scratch_path("t.safetensors");
    for (int i = 0; i < 12; i++) { values[i] = (float)i / 3.0f; }
    ck_assert_int_eq(it_device_open("reference", &options, &device), IT_OK);
    ck_assert_int_eq(it_arena_open(device, "test", 1 << 16, &arena), IT_OK);
    ck_assert_int_eq(it_tensor2(arena, IT_F32, 4, 3, &t), IT_OK);
    ck_assert_int_eq(it_tensor2(arena, IT_F32, 4, 3, &u), IT_OK);
    ck_assert_int_eq(it_upload(t, values), IT_OK);
    part = it_columns(t, 1, 2); /* strided: goes through the host in rows */
    ck_assert_int_eq(it_safetensors_create(path, &writer), IT_OK);
    ck_assert_int_eq(it_safetensors_declare(writer, "t", t.dtype, t.rank, t.shape), IT_OK);
    ck_assert_int_eq(it_safetensors_declare(writer, "p", t.dtype, t.rank, part.shape), IT_OK);
    ck_assert_int_eq(it_safetensors_save_tensor(writer, t), IT_OK);
    ck_assert_int_eq(it_safetensors_save_tensor(writer, part), IT_OK);
    ck_assert_int_eq(it_safetensors_finish(writer), IT_OK);
    ck_assert_int_eq(it_safetensors_open(path, &file), IT_OK);
    ck_assert_int_eq(it_safetensors_load_tensor(&file, "t", u), IT_OK);
    ck_assert_int_eq(it_download(back, u), IT_OK);
    ck_assert_mem_eq(back, values, sizeof values);
    ck_assert_int_eq(it_safetensors_load_tensor(&file, "p", it_columns(u, 0, 2)), IT_OK);
    ck_assert_int_eq(it_download(back, u), IT_OK);
    ck_assert_float_eq(back[9], values[10]);
    ck_assert_fails(it_safetensors_load_tensor(&file, "q", u), IT_INVALID, "missing tensor \"q\"");
    ck_assert_fails(it_safetensors_load_tensor(&file, "p", u), IT_INVALID,
                    "tensor \"p\": shape [4, 2]; expected [4, 3]");
    u.dtype = IT_I32;
    ck_assert_fails(it_safetensors_load_tensor(&file, "t", u), IT_INVALID,
                    "dtype F32; expected i32");
    it_safetensors_close(&file);
    it_arena_close(arena);
    it_device_close(device);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("safetensors");
    TCase *tests = tcase_create("safetensors");
    tcase_add_checked_fixture(tests, scratch_begin, scratch_end);
    tcase_add_test(tests, a_file_is_read);
    tcase_add_loop_test(tests, a_broken_file_is_named, 0, N_BROKEN);
    tcase_add_test(tests, a_header_longer_than_the_file_is_refused);
    tcase_add_test(tests, shards_are_one_file);
    tcase_add_test(tests, sums_are_checked);
    tcase_add_test(tests, sums_of_shards_are_checked);
    tcase_add_test(tests, a_broken_index_is_named);
    tcase_add_test(tests, what_is_written_reads_back);
    tcase_add_test(tests, an_unfinished_file_leaves_nothing);
    tcase_add_test(tests, a_full_disk_is_said);
    tcase_add_test(tests, tensors_go_there_and_back);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
