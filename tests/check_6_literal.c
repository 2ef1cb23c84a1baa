/* SPDX-License-Identifier: MIT */
/* Python literals: what is one, and which are equal. */
#include <check.h>

#include "tasks/grade/literal.h"
#include "tests/scratch.h"

static bool reads(const char *text, enum it_literal_syntax syntax)
{
    struct it_literal literal;
    bool good = it_literal_read(text, strlen(text), syntax, &literal);
    if (good) { it_literal_free(&literal); }
    return good;
}

static bool same(const char *a, enum it_literal_syntax left, const char *b,
                 enum it_literal_syntax right)
{
    struct it_literal x, y;
    ck_assert_msg(it_literal_read(a, strlen(a), left, &x), "%s", a);
    ck_assert_msg(it_literal_read(b, strlen(b), right, &y), "%s", b);
    bool equal = it_literal_equal(&x, &y);
    ck_assert_msg(it_literal_equal(&y, &x) == equal, "%s, %s: not symmetric", a, b);
    it_literal_free(&x);
    it_literal_free(&y);
    return equal;
}

START_TEST(equal)
{
    static const char *const pairs[][2] = {
        {"True", "1"},          {"0", "False"},         {"1", "1.0"},
        {"10", "0xA"},          {"1000", "1_000"},      {"1e3", "1000"},
        {"-0.0", "0.0"},        {"-1", "- 1"},          {"0o17", "15"},
        {"0b11", "3"},          {".5", "0.50"},         {"1+0j", "1"},
        {"1e400", "1e500"},     {"00", "0"},            {"(1)", "1"},
        {"1180591620717411303424", "0x400000000000000000"},
        {"1e22", "10000000000000000000000"},
        {"'abc'", "\"abc\""},   {"'ab'", "'a' 'b'"},    {"r'\\n'", "'\\\\n'"},
        {"'a'", "u'a'"},        {"'A'", "'\\x41'"},     {"'A'", "'\\u0041'"},
        {"'A'", "'\\101'"},     {"'it\\'s'", "\"it's\""}, {"'a\\nb'", "'''a\nb'''"},
        {"'\\q'", "'\\\\q'"},   {"b'ab'", "b'a' rb'b'"}, {"b'\\377'", "b'\\xff'"},
        {"'\xc3\xa9'", "'\\xe9'"}, {"'ab'", "('a'\n'b')"},
        {"[(4, 1)]", "[(4,1),]"}, {"{1, 2}", "{2, 1, 1, True}"},
        {"{'a': 1, 'b': 2}", "{'b': 2, 'a': 0, 'a': 1}"}, {"{1: 'x'}", "{True: 'x'}"},
        {"{(1, 2): {3}}", "{(1.0, 2): {3.0}}"}, {"set()", "set( )"}, {"...", "..."},
        {"[1, # one\n 2]", "[1, 2]"}, {"()", "( )"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        ck_assert_msg(same(pairs[i][0], IT_LITERAL_PYTHON, pairs[i][1], IT_LITERAL_PYTHON),
                      "%s and %s differ", pairs[i][0], pairs[i][1]);
    }
}
END_TEST

START_TEST(different)
{
    static const char *const pairs[][2] = {
        {"[1, 2]", "(1, 2)"}, {"b'x'", "'x'"},       {"(1,)", "(1)"},     {"''", "' '"},
        {"{'a': [1]}", "{'a': (1,)}"}, {"{}", "set()"}, {"None", "0"},    {"'1'", "1"},
        {"0.1", "0.30000000000000004"}, {"1", "1j"}, {"[]", "[[]]"},      {"{1}", "{1: 1}"},
        {"9007199254740993", "9007199254740992.0"},  {"1+2j", "1-2j"},    {"[1]", "[1, 1]"},
        {"'\\ud83d\\ude00'", "'\xf0\x9f\x98\x80'"}, {"-1", "1"},          {"''", "()"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        ck_assert_msg(!same(pairs[i][0], IT_LITERAL_PYTHON, pairs[i][1], IT_LITERAL_PYTHON),
                      "%s and %s are equal", pairs[i][0], pairs[i][1]);
    }
}
END_TEST

START_TEST(no_literals)
{
    static const char *const texts[] = {
        "", " ", "f('y')", "'a'*3", "true", "01", "1__0", "1_", "0x", "0x_", "0xg", "1e", "--1",
        "+", "-", "-'a'", "-True", "1 2", "'a", "'a' b'c'", "f'a'", "ub'a'", "b'\xc3\xa9'",
        "'\\x4'", "'\\u12'", "'\\N{DIGIT ONE}'", "'a\nb'", "[1", "1]", "[1 2]", "[,]", "(,)",
        "{1: 2, 3}", "{1, 2: 3}", "{[1]}", "{[]: 1}", "{({},)}", "{,}", "None1", "Nonesuch", "nan",
        "inf", "1,", "1, 2", "1 == 1", "not 1", "tuple()", "set([1])", "..", "1if 1 else 2", "*1",
        "{**{}}", "1 + 2", "1j + 2",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ck_assert_msg(!reads(texts[i], IT_LITERAL_PYTHON), "%s is read", texts[i]);
    }
    ck_assert(!it_literal_read("1\0", 2, IT_LITERAL_PYTHON, &(struct it_literal){0}));
}
END_TEST

/* What `assert gold == ...` takes. */
START_TEST(asserted)
{
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        {"1", true},       {" 1 # hm", true}, {"1\n", true},    {"1, 'why'", true}, {"1; 2", true},
        {"1\n2\n", true},  {"1\r\n", true},   {"1,", false},    {"1, 2, 3", false},
        {"1\n 2", false},
        {"1\nx", false},   {"\n1", false},    {"1; x", false},  {"1 == 1", false},
        {"1,\n2", false},
        {"1\n\n# c\n", true}, {"(1,\n 2)", true}, {"1 \\\n", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct it_literal literal;
        bool good = it_literal_read_asserted(rows[i].text, strlen(rows[i].text), &literal);
        ck_assert_msg(good == rows[i].good, "%s", rows[i].text);
        if (good) { it_literal_free(&literal); }
    }
}
END_TEST

START_TEST(json)
{
    static const char *const pairs[][2] = {
        {"[true, false, null]", "[True, False, None]"}, {"\"\\u00e9\\/\"", "'\xc3\xa9/'"},
        {"\"\\ud83d\\ude00\"", "'\xf0\x9f\x98\x80'"}, {"\"\\ud83d\"", "'\\ud83d'"},
        {"{\"a\": [1.5e1]}", "{'a': [15]}"}, {"-0", "0"}, {" 1 ", "1"}, {"Infinity", "1e999"},
        {"-Infinity", "-1e999"}, {"{\"a\": 1, \"a\": 2}", "{'a': 2}"},
        {"123456789012345678901234567890", "123456789012345678901234567890"},
    };
    static const char *const bad[] = {
        "[1,]", "{\"a\":1,}", "{1: 2}", "(1, 2)", "'a'", "01", "1_0", "+1", ".5", "1.", "0x1",
        "True",
        "\"a\nb\"", "\"\\x41\"", "# c", "{\"a\"}", "\"a\" \"b\"", "1 # c", "nan", "[1 2]", "1j",
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        ck_assert_msg(same(pairs[i][0], IT_LITERAL_JSON, pairs[i][1], IT_LITERAL_PYTHON),
                      "%s and %s differ", pairs[i][0], pairs[i][1]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(!reads(bad[i], IT_LITERAL_JSON), "%s is read", bad[i]);
    }
    ck_assert(!same("NaN", IT_LITERAL_JSON, "NaN", IT_LITERAL_JSON));
    ck_assert(!same("[NaN]", IT_LITERAL_JSON, "[nan]", IT_LITERAL_REPLY));
    ck_assert(same("[-inf]", IT_LITERAL_REPLY, "[-Infinity]", IT_LITERAL_JSON));
}
END_TEST

static char *repeated(const char *piece, size_t n, const char *end)
{
    struct it_str text = {0};
    for (size_t i = 0; i < n; i++) { it_str_puts(&text, piece); }
    it_str_puts(&text, end);
    return it_str_take(&text);
}

START_TEST(bounds)
{
    struct it_str set = {0};
    char *open = repeated("[", 200, ""), *close = repeated("]", 200, "");
    it_str_printf(&set, "%s%s", open, close);
    ck_assert(reads(it_str_c(&set), IT_LITERAL_PYTHON));
    it_free(open);
    open = repeated("(", 100000, "");
    ck_assert(!reads(open, IT_LITERAL_PYTHON));
    it_free(open);
    open = repeated("{1:", 100000, "");
    ck_assert(!reads(open, IT_LITERAL_PYTHON));
    it_free(open);
    open = repeated("7", 4300, "");
    ck_assert(reads(open, IT_LITERAL_PYTHON));
    it_free(open);
    open = repeated("7", 4301, "");
    ck_assert(!reads(open, IT_LITERAL_PYTHON));
    ck_assert(reads(open, IT_LITERAL_JSON));
    it_free(open);
    open = repeated("0xf", 1, "");
    ck_assert(same(open, IT_LITERAL_PYTHON, "15", IT_LITERAL_PYTHON));
    it_free(open);
    it_free(close);
    it_str_clear(&set);
    it_str_putc(&set, '{');
    for (int i = 0; i < 200000; i++) { it_str_printf(&set, "%d,", i % 50000); }
    it_str_putc(&set, '}');
    ck_assert(same(it_str_c(&set), IT_LITERAL_PYTHON, it_str_c(&set), IT_LITERAL_PYTHON));
    it_str_free(&set);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("literal");
    TCase *tests = tcase_create("literal");
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, equal);
    tcase_add_test(tests, different);
    tcase_add_test(tests, no_literals);
    tcase_add_test(tests, asserted);
    tcase_add_test(tests, json);
    tcase_add_test(tests, bounds);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
