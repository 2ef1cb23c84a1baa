/* SPDX-License-Identifier: MIT */
/* Statuses, memory, strings, sizes, UTF-8. */
#include <signal.h>

#include "core/base/mem.h"
#include "core/base/str.h"
#include "tests/scratch.h"

START_TEST(statuses_have_words_and_exit_codes)
{
    ck_assert_str_eq(it_status_words(IT_OK), "done");
    ck_assert_str_eq(it_status_words(IT_NOT_FOUND), "not found");
    ck_assert_str_eq(it_status_words((enum it_status)99), "unknown status");
    ck_assert_int_eq(it_status_exit_code(IT_OK), 0);
    ck_assert_int_eq(it_status_exit_code(IT_IO), 1);
    ck_assert_int_eq(it_status_exit_code(IT_INVALID), 2);
    ck_assert_int_eq(it_status_exit_code(IT_GUARD), 3);
    ck_assert_int_eq(it_status_exit_code(IT_INTERRUPTED), 75);
    ck_assert_int_eq(it_status_exit_code((enum it_status)99), 1);
}
END_TEST

START_TEST(memory_grows_by_doubling)
{
    size_t capacity = 0;
    int64_t *items = NULL;
    for (size_t i = 0; i < 1000; i++) {
        items = it_grow(items, &capacity, i + 1, sizeof *items);
        items[i] = (int64_t)i;
    }
    ck_assert_uint_eq(capacity, 1024);
    ck_assert_ptr_eq(it_grow(items, &capacity, 1024, sizeof *items), items);
    for (size_t i = 0; i < 1000; i++) { ck_assert_int_eq(items[i], (int64_t)i); }
    items = it_realloc(items, 0); /* still a block */
    ck_assert_ptr_nonnull(items);
    it_free(items);
    unsigned char *zeros = it_calloc(3, 5);
    for (int i = 0; i < 15; i++) { ck_assert_uint_eq(zeros[i], 0); }
    it_free(zeros);
    it_free(NULL);
    ck_assert_ptr_null(it_strdup(NULL));
    char *part = it_strndup("abcdef", 3);
    ck_assert_str_eq(part, "abc");
    it_free(part);
}
END_TEST

START_TEST(a_product_that_overflows_aborts)
{
    freopen("/dev/null", "w", stderr);
    it_calloc(SIZE_MAX / 2, 3);
}
END_TEST

START_TEST(memory_that_is_not_there_ends_the_program)
{
    freopen("/dev/null", "w", stderr);
    it_alloc(SIZE_MAX / 2);
}
END_TEST

START_TEST(proc_is_read)
{
    ck_assert_int_gt(it_mem_total(), INT64_C(1) << 20);
    ck_assert_int_gt(it_mem_peak(), INT64_C(1) << 16);
    ck_assert_int_lt(it_mem_peak(), it_mem_total());
}
END_TEST

START_TEST(strings_grow_and_stay_terminated)
{
    struct it_str s = {0};
    ck_assert_str_eq(it_str_c(&s), "");
    char *nothing = it_str_take(&s);
    ck_assert_str_eq(nothing, "");
    it_free(nothing);
    it_str_add(&s, NULL, 0);
    ck_assert_str_eq(it_str_c(&s), "");
    it_str_puts(&s, "ab");
    it_str_putc(&s, 'c');
    it_str_add(&s, "d\0e", 3);
    it_str_printf(&s, "%05d", 42);
    ck_assert_uint_eq(s.len, 11);
    ck_assert_mem_eq(s.data, "abcd\0e00042", 12);
    it_str_clear(&s);
    ck_assert_str_eq(it_str_c(&s), "");
    for (int i = 0; i < 300; i++) { it_str_printf(&s, "%d,", i); }
    ck_assert_uint_eq(strlen(s.data), s.len);
    ck_assert(it_ends_with(s.data, "298,299,"));
    ck_assert(it_starts_with(s.data, "0,1,2,"));
    ck_assert(!it_starts_with("ab", "abc"));
    ck_assert(!it_ends_with("bc", "abc"));
    static const char spaced[] = " \t\n a b\0\f\v\r ";
    char *trimmed = it_trimmed(spaced, sizeof spaced - 1), *blank = it_trimmed(" \n", 2);
    ck_assert_mem_eq(trimmed, "a b", 4);
    ck_assert_str_eq(blank, "");
    it_free(trimmed);
    it_free(blank);
    char *taken = it_str_take(&s);
    ck_assert_ptr_null(s.data);
    it_free(taken);
    it_str_free(&s);
    struct it_strs list = {0};
    for (int i = 0; i < 20; i++) { it_strs_add(&list, i % 2 ? "odd" : "even"); }
    ck_assert_uint_eq(list.n, 20);
    ck_assert_str_eq(list.item[19], "odd");
    it_strs_free(&list);
    ck_assert_ptr_null(list.item);
}
END_TEST

START_TEST(the_closest_name_is_found)
{
    static const char *const names[] = {"learning_rate", "beta", "epsilon", "max_steps",
                                        "save_steps", "seed"};
    enum { N = sizeof names / sizeof names[0] };
    ck_assert_str_eq(it_closest("learing_rate", names, N), "learning_rate");
    ck_assert_str_eq(it_closest("learnign_rate", names, N), "learning_rate");
    ck_assert_str_eq(it_closest("Max_Steps", names, N), "max_steps");
    ck_assert_str_eq(it_closest("sede", names, N), "seed"); /* a swap is one step */
    ck_assert_str_eq(it_closest("max_step", names, N), "max_steps");
    ck_assert_ptr_null(it_closest("temperature", names, N));
    ck_assert_ptr_null(it_closest("bxxa", names, N));
    ck_assert_ptr_null(it_closest("", names, N));
    ck_assert_ptr_null(it_closest("beta", names, 0));
    char longest[5000];
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    ck_assert_ptr_null(it_closest(longest, names, N));
}
END_TEST

static const struct {
    const char *text;
    int64_t bytes; /* -1: refused */
} sizes[] = {
    {"1024", 1024},
    {"0", 0},
    {"38GiB", INT64_C(38) << 30},
    {"512 MB", INT64_C(512000000)},
    {"1.5g", INT64_C(3) << 29},
    {"1.5 GB", INT64_C(1500000000)},
    {" 7k ", 7168},
    {"9223372036854775807", INT64_MAX},
    {"2tib", INT64_C(2) << 40},
    {"100B", 100},
    {"0.1K", 102},
    {"9223372036854775808", -1},
    {"8192P", -1},
    {"8191.5P", INT64_C(9222809086901354496)},
    {"8192.5P", -1},
    {"-1", -1},
    {"", -1},
    {"GiB", -1},
    {"12 parsecs", -1},
    {"12GiBit", -1},
    {"0x10", -1},
    {"1e3", -1},
    {"inf", -1},
    {"1.5.2g", -1},
    {"1 2", -1},
};

START_TEST(sizes_are_read)
{
    int64_t bytes = -7;
    const char *text = sizes[_i].text;
    if (sizes[_i].bytes < 0) {
        ck_assert_fails(it_parse_size(text, &bytes), IT_INVALID, "expected a size");
        ck_assert_int_eq(bytes, -7);
    } else {
        ck_assert_int_eq(it_parse_size(text, &bytes), IT_OK);
        ck_assert_int_eq(bytes, sizes[_i].bytes);
    }
}
END_TEST

START_TEST(sizes_are_written)
{
    char b[16];
    ck_assert_str_eq(it_format_size(INT64_C(13421772800), b, sizeof b), "12.5 GiB");
    ck_assert_str_eq(it_format_size(0, b, sizeof b), "0 B");
    ck_assert_str_eq(it_format_size(1023, b, sizeof b), "1023 B");
    ck_assert_str_eq(it_format_size(1024, b, sizeof b), "1.0 KiB");
    ck_assert_str_eq(it_format_size((1 << 20) - 1, b, sizeof b), "1.0 MiB");
    ck_assert_str_eq(it_format_size(-2048, b, sizeof b), "-2.0 KiB");
    ck_assert_str_eq(it_format_size(INT64_MAX, b, sizeof b), "8.0 EiB");
    ck_assert_str_eq(it_format_size(INT64_MIN, b, sizeof b), "-8.0 EiB");
}
END_TEST

#define R "\xEF\xBF\xBD" /* U+FFFD */

/* What Python's bytes.decode(errors="replace") gives for the same bytes. */
static const struct {
    const char *bytes;
    size_t n, valid;
    const char *lossy;
} texts[] = {
    {"", 0, 0, ""},
    {"plain", 5, 5, "plain"},
    {"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 9, 9, "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"},
    {"a\x80z", 3, 1, "a" R "z"},                                  /* a lone continuation */
    {"\xC0\xAF", 2, 0, R R},                                      /* overlong */
    {"\xE0\x80\xAF", 3, 0, R R R},                                /* overlong */
    {"\xED\xA0\x80", 3, 0, R R R},                                /* a surrogate */
    {"\xF4\x90\x80\x80", 4, 0, R R R R},                          /* past U+10FFFF */
    {"\xF0\x9F\x98", 3, 0, R},                                    /* cut short: one mark */
    {"\xF0\x9F\x98z", 4, 0, R "z"},
    {"ab\xE2\x82", 4, 2, "ab" R},
    {"\xE2\x82\xE2\x82\xAC", 5, 0, R "\xE2\x82\xAC"},
    {"\xFF\xFE\xF8", 3, 0, R R R},
    {"\xED\x9F\xBF\xEE\x80\x80", 6, 6, "\xED\x9F\xBF\xEE\x80\x80"}, /* beside the surrogates */
    {"\xF4\x8F\xBF\xBF", 4, 4, "\xF4\x8F\xBF\xBF"},               /* U+10FFFF */
};

START_TEST(utf8_is_checked_and_repaired)
{
    ck_assert_uint_eq(it_utf8_valid_prefix(texts[_i].bytes, texts[_i].n), texts[_i].valid);
    struct it_str s = {0};
    it_utf8_add_lossy(&s, texts[_i].bytes, texts[_i].n);
    ck_assert_str_eq(it_str_c(&s), texts[_i].lossy);
    ck_assert_uint_eq(it_utf8_valid_prefix(it_str_c(&s), s.len), s.len);
    it_str_free(&s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("str");
    TCase *tests = tcase_create("str");
    tcase_add_checked_fixture(tests, scratch_begin, scratch_end);
    tcase_add_test(tests, statuses_have_words_and_exit_codes);
    tcase_add_test(tests, memory_grows_by_doubling);
    tcase_add_test(tests, proc_is_read);
    tcase_add_test(tests, strings_grow_and_stay_terminated);
    tcase_add_test(tests, the_closest_name_is_found);
    tcase_add_loop_test(tests, sizes_are_read, 0, sizeof sizes / sizeof sizes[0]);
    tcase_add_test(tests, sizes_are_written);
    tcase_add_loop_test(tests, utf8_is_checked_and_repaired, 0, sizeof texts / sizeof texts[0]);
    suite_add_tcase(suite, tests);
    TCase *deaths = tcase_create("deaths");
    tcase_add_test_raise_signal(deaths, a_product_that_overflows_aborts, SIGABRT);
    tcase_add_exit_test(deaths, memory_that_is_not_there_ends_the_program, 1);
    suite_add_tcase(suite, deaths);
    return scratch_run(suite);
}
