/* SPDX-License-Identifier: MIT */
/* The escape suite under the strongest tier of this machine, and the parser of replies. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tasks/grade/sandbox_escape.h"
#include "tasks/grade/sandbox_internal.h"

static struct it_sandbox *box;

START_TEST(nothing_escapes)
{
    struct it_escapes escapes;
    ck_assert_int_eq(it_sandbox_escape(box, &escapes), IT_OK);
    ck_assert_uint_ge(escapes.n, 45);
    for (size_t i = 0; i < escapes.n; i++) {
        const struct it_escape *line = &escapes.item[i];
        ck_assert_msg(line->held, "%s: %s: %s", line->name, line->verdict, line->what);
    }
    ck_assert_uint_eq(escapes.n_escaped, 0);
    it_escapes_free(&escapes);
}
END_TEST

/* ---- replies: "nonce letter length bytes", among anything else ---- */

static const unsigned char nonce[IT_NONCE_BYTES + 1] = "0123456789abcdef";

static void put(struct it_str *s, char kind, uint32_t length, const char *message)
{
    it_str_add(s, nonce, IT_NONCE_BYTES);
    it_str_putc(s, kind);
    it_str_add(s, &length, sizeof length);
    it_str_puts(s, message);
}

static void expect(const struct it_str *s, size_t *at, char kind, const char *message)
{
    const char *found;
    size_t size;
    char got = it_sandbox_reply_next(it_str_c(s), s->len, nonce, at, &found, &size);
    ck_assert_int_eq(got, kind);
    if (kind) {
        ck_assert_uint_eq(size, strlen(message));
        ck_assert_mem_eq(found, message, size);
    }
}

START_TEST(replies)
{
    struct it_str s = {0};
    size_t at = 0;
    expect(&s, &at, 0, "");
    it_str_puts(&s, "noise 0123456789abcde");
    put(&s, 'R', 5, "first");
    put(&s, 'X', 3, "odd");
    put(&s, 'R', 0xffffffffu, "too long");
    put(&s, 'R', 0, "");
    it_str_puts(&s, "noise");
    put(&s, 'M', 0, "");
    put(&s, 'R', 9, "cut");
    at = 0;
    expect(&s, &at, 'R', "first");
    expect(&s, &at, 'R', "");
    expect(&s, &at, 'M', "");
    expect(&s, &at, 0, "");
    expect(&s, &at, 0, "");
    it_str_free(&s);
}
END_TEST

int main(void)
{
    const struct it_sandbox_options options = {.workers = 6};
    if (it_sandbox_open(&options, &box) != IT_OK) { return 77; }
    Suite *suite = suite_create("escape");
    TCase *tests = tcase_create("escape");
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, replies);
    tcase_add_test(tests, nothing_escapes);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    it_sandbox_close(box);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
