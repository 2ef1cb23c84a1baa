/* SPDX-License-Identifier: MIT */
/* Parquet: files of every encoding, compression and nesting give the records that another reader
 * found in them (scripts/golden_parquet.py); files that were cut or changed are refused. */
#define _GNU_SOURCE
#include "config.h"

#include <sys/mman.h>

#include "core/base/json.h"
#include "core/data/data.h"
#include "tests/scratch.h"

static char *golden(const char *name)
{
    const char *top = getenv("top_srcdir");
    struct it_str path = {0};
    it_str_printf(&path, "%s/tests/golden/parquet/%s", top ? top : ".", name);
    return it_str_take(&path);
}

static struct it_data *open_golden(const char *name, const char *const *columns, size_t n)
{
    struct it_data *data = NULL;
    struct it_data_options options = {.columns = columns, .n_columns = n};
    char *path = golden(name);
    ck_assert_int_eq(it_data_open(path, columns ? &options : NULL, &data), IT_OK);
    it_free(path);
    return data;
}

/* A Parquet file and the JSONL of its records, which several share. */
static const struct {
    const char *name, *records;
} files[] = {
    {"flat-none-v1", "flat"}, {"flat-none-v2", "flat"}, {"flat-gzip-v1", "flat"},
    {"flat-gzip-v2", "flat"}, {"nested-pages", "nested"}, {"nested-old-names", "nested"},
    {"nested-required", "nested-required"}, {"split-ints", "split-ints"},
    {"times-ms", "times-ms"}, {"times-us", "times-us"}, {"times-int96", "times-int96"},
    {"decimals", "decimals"}, {"decimals-ints", "decimals-ints"}, {"others", "others"},
    {"all-null", "all-null"},
#ifdef HAVE_SNAPPY
    {"flat-snappy-v1", "flat"}, {"flat-snappy-v2", "flat"}, {"flat-groups", "flat-groups"},
    {"nested-v1", "nested"}, {"nested-v2", "nested"}, {"empty", "empty"},
#endif
#ifdef HAVE_ZSTD
    {"flat-zstd-v1", "flat"}, {"flat-zstd-v2", "flat"}, {"delta-v1", "delta"},
    {"delta-v2", "delta"},
#endif
};
enum { N_FILES = sizeof files / sizeof *files };

START_TEST(records)
{
    char file[64];
    struct it_lines lines;
    snprintf(file, sizeof file, "%s.jsonl", files[_i].records);
    char *path = golden(file);
    ck_assert_int_eq(it_lines_open(path, 0, &lines), IT_OK);
    snprintf(file, sizeof file, "%s.parquet", files[_i].name);
    struct it_data *data = open_golden(file, NULL, 0);
    for (int row = 1;; row++) {
        json_t *expected = NULL, *record = NULL;
        enum it_status status = it_jsonl_next(&lines, &expected);
        ck_assert_msg(it_data_next(data, &record) == status, "%s: row %d", file, row);
        if (status == IT_END) { break; }
        char *text = json_dumps(record, JSON_ENCODE_ANY), where[512];
        ck_assert_msg(json_equal(expected, record), "%s: row %d is %s", file, row, text);
        snprintf(where, sizeof where, "%s: row %d", file, row);
        ck_assert(it_ends_with(it_data_where(data), where));
        free(text);
        json_decref(expected);
        json_decref(record);
    }
    it_data_close(data);
    it_lines_close(&lines);
    it_free(path);
}
END_TEST

START_TEST(chosen_columns)
{
    static const char *const columns[] = {"label", "absent", "sure"};
    struct it_data *data = open_golden("flat-none-v1.parquet", columns, 3);
    struct it_strs all;
    json_t *record;
    ck_assert_int_eq(it_data_next(data, &record), IT_OK);
    ck_assert_uint_eq(json_object_size(record), 2);
    ck_assert_ptr_nonnull(json_object_get(record, "label"));
    json_decref(record);
    it_data_columns(data, &all);
    ck_assert_uint_eq(all.n, 11);
    ck_assert_str_eq(all.item[10], "sure");
    it_strs_free(&all);
    it_data_close(data);
}
END_TEST

static enum it_status read_all(const char *path)
{
    struct it_data *data = NULL;
    json_t *record;
    enum it_status status = it_data_open(path, NULL, &data);
    if (status != IT_OK) { return status; }
    while ((status = it_data_next(data, &record)) == IT_OK) { json_decref(record); }
    if (status != IT_END) { ck_assert_int_eq(it_data_next(data, &record), IT_END); }
    it_data_close(data);
    return status;
}

START_TEST(refused)
{
    char *brotli = golden("flat-brotli.parquet");
    ck_assert_fails(read_all(brotli), IT_INVALID,
                    "flat-brotli.parquet: row 1, column \"text\": compressed with brotli");
    it_free(brotli);
    ck_assert_fails(read_all(scratch_path("none.parquet")), IT_NOT_FOUND, "none.parquet");
    ck_assert_fails(read_all(scratch_text("a.parquet", "")), IT_INVALID, "not a Parquet file");
    ck_assert_fails(read_all(scratch_text("b.parquet", "{\"a\": \"some text\"}")), IT_INVALID,
                    "not a Parquet file");
    ck_assert_fails(read_all(scratch_text("c.parquet", "PAR1 and no end of it")), IT_INVALID,
                    "not a whole Parquet file");
    ck_assert_fails(read_all(scratch_file("d.parquet", "PAR1\xFF\xFF\xFF\x7FPAR1", 12)),
                    IT_INVALID, "longer than the file");
    ck_assert_fails(read_all(scratch_text("e.parquet", "PAR1....\1...PARE")), IT_INVALID,
                    "encrypted");
}
END_TEST

/* Bytes changed one at a time, then ever shorter prefixes: records or an error, never a fault. */
static void mutate(const char *name, size_t step)
{
    struct it_str text = {0};
    char *path = golden(name);
    ck_assert_int_eq(it_file_read(path, &text), IT_OK);
    char bent[64]; /* in memory: thousands of small files would wait for a busy disk */
    int fd = memfd_create("bent", MFD_CLOEXEC);
    ck_assert_int_eq(pwrite(fd, text.data, text.len, 0), (ssize_t)text.len);
    snprintf(bent, sizeof bent, "/proc/self/fd/%d", fd);
    ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
    for (size_t n = 0; n < text.len; n += step) {
        const char now[] = {(char)0xFF, (char)(text.data[n] + 1), text.data[n]};
        for (size_t k = 0; k < sizeof now; k++) {
            ck_assert_int_eq(pwrite(fd, &now[k], 1, (off_t)n), 1);
            if (k + 1 == sizeof now) { break; } /* as it was */
            if (n < 4) { continue; } /* then it is no Parquet file */
            enum it_status status = read_all(bent);
            ck_assert(status == IT_END || status == IT_INVALID);
        }
    }
    for (size_t n = text.len; n > 4 + step; n -= step) { /* above: told by its first four bytes */
        ck_assert_int_eq(ftruncate(fd, (off_t)(n - step)), 0);
        ck_assert_int_eq(read_all(bent), IT_INVALID);
    }
    close(fd);
    it_str_free(&text);
    it_free(path);
}

START_TEST(hostile)
{
    static const struct {
        const char *name;
        size_t step;
    } file[] = {{"nested-old-names.parquet", 7}, {"flat-gzip-v2.parquet", 7},
                {"others.parquet", 5}, {"decimals-ints.parquet", 2}, {"split-ints.parquet", 2},
                {"all-null.parquet", 2}};
    mutate(file[_i].name, file[_i].step);
}
END_TEST

/* A page's checksum is looked at: writers may leave it out. */
START_TEST(checksums)
{
#ifdef HAVE_ZSTD
    struct it_str text = {0};
    char *path = golden("flat-zstd-v1.parquet");
    ck_assert_int_eq(it_file_read(path, &text), IT_OK);
    text.data[40] ^= 1;
    ck_assert_fails(read_all(scratch_file("bent.parquet", text.data, text.len)), IT_INVALID,
                    "checksum");
    it_str_free(&text);
    it_free(path);
#endif
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("parquet");
    TCase *tests = tcase_create("parquet");
    tcase_add_checked_fixture(tests, scratch_begin, scratch_end);
    tcase_add_loop_test(tests, records, 0, N_FILES);
    tcase_add_test(tests, chosen_columns);
    tcase_add_test(tests, refused);
    tcase_add_loop_test(tests, hostile, 0, 6);
    tcase_add_test(tests, checksums);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
