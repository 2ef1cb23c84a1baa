/* SPDX-License-Identifier: MIT */
/* Mathematical answers: what is found in a text, what equals what, and that nothing takes long. */
#include <check.h>
#include <string.h>

#include "core/base/clock.h"
#include "tasks/grade/expr.h"
#include "tasks/grade/latex.h"
#include "tasks/grade/rational.h"
#include "tests/answers.h"
#include "tests/scratch.h"

START_TEST(numbers)
{
    static const struct pair pairs[] = {
        {"$1000$", "1,000", true},
        {"$1000$", "it is 1 000.", true},
        {"$\\frac{1}{2}$", "$0.5$", true},
        {"$1\\frac{4}{5}$", "$9/5$", true},
        {"$-1\\frac12$", "$-\\frac32$", true},
        {"$\\frac32$", "$1 1/2$", true},
        {"$-\\frac94$", "$-2\\ 1/4$", true},
        {"$\\frac12$", "$1 1/2$", false},
        {"$\\frac{1}{2x}$", "$1 1/2x$", true},
        {"$3\\cdot\\frac12$", "$3.5$", false},
        {"$\\frac13$", "$0.333333$", true},
        {"$\\frac13$", "$0.33333$", false},
        {"$3$", "$3.0000001$", false},
        {"$3$", "$3.0$", true},
        {"$50\\%$", "$0.5$", true},
        {"$50\\%$", "$50$", false},
        {"$10^{-8}$", "$10^{-9}$", false},
        {"$10^{-20}$", "$0$", false},
        {"$2^{10}$", "$1024$", true},
        {"$2^{1000}$", "$2^{999}\\cdot 2$", true},
        {"$2^{1000}$", "$2^{1000}+1$", false},
        {"$50!$", "$50\\cdot49!$", true},
        {"$\\binom{5}{2}$", "$10$", true},
        {"$52_8$", "$52$", true},
        {"$\\$18.90$", "$18.9$", true},
        {"$10{,}000$", "$10000$", true},
        {"$12,\\!345$", "12345", true},
        {"$123456789012345678901234567890123456789012$",
         "$123456789012345678901234567890123456789013$", false},
        {"$\\frac{1}{0}$", "$\\frac{2}{0}$", false},
        {"$\\frac 59$", "$5/9$", true},
        {"$\\frac1{72}$", "$1/72$", true},
        {"$5$ cm", "$5\\text{ cm}^2$", true},
        {"$90^\\circ$", "$90$", true},
    };
    CHECK_PAIRS("math-verify", pairs);
}
END_TEST

START_TEST(expressions)
{
    static const struct pair pairs[] = {
        {"$x+1$", "$1+x$", true},
        {"$(x-1)(x+1)$", "$x^2-1$", true},
        {"$\\frac{x^2-1}{x-1}$", "$x+1$", true},
        {"$1/2x$", "$\\frac{1}{2x}$", true},
        {"$11\\sqrt{2}$", "$\\sqrt{242}$", true},
        {"$\\frac{\\sqrt2}{2}$", "$\\frac{1}{\\sqrt2}$", true},
        {"$\\sqrt{x^2}$", "$x$", false},
        {"$\\ln(xy)$", "$\\ln x+\\ln y$", false},
        {"$\\sin^2x+\\cos^2x$", "$1$", true},
        {"$\\sin 2x$", "$2\\sin x\\cos x$", true},
        {"$\\sin^{-1}(1)$", "$\\frac{\\pi}{2}$", true},
        {"$\\log_2 8$", "$3$", true},
        {"$\\log 100$", "$2$", true},
        {"$\\pi$", "$3.14159265$", true},
        {"$\\pi$", "$3.14$", false},
        {"$e^x$", "$\\exp(x)$", true},
        {"$6-5i$", "$-5i+6$", true},
        {"$|-5|$", "$5$", true},
        {"$\\lfloor 5.5 \\rfloor$", "$5$", true},
        {"$x^2$", "$X^2$", true},
        {"$5x$", "$5y$", false},
        {"$x_1$", "$x_{1}$", true},
        {"$x_1$", "$x_2$", false},
        {"$\\text{(C)}$", "$C$", true},
        {"$\\text{Evelyn}$", "$\\text{evelyn}$", true},
        {"$\\text{odd}$", "$odd$", true},
        {"$f(x+1)$", "$fx+f$", true},
        {"$f(2)$", "$2f$", false},
        {"$\\sqrt[3]{8}$", "$2$", true},
        {"$\\sum_{k=1}^{5} k^2$", "$55$", true},
        {"$2\\prod_{k=1}^{3} k$", "$12$", true},
        {"$\\sum_{i=1}^{3}\\sum_{j=1}^{i} j$", "$10$", true},
        {"$\\sum_{k=1}^{10^{9}} k$", "$1$", false},
        {"$(-8)^{1/3}$", "$-2$", false},
    };
    CHECK_PAIRS("math-verify", pairs);
}
END_TEST

START_TEST(collections)
{
    static const struct pair pairs[] = {
        {"$1,2$", "$2,1$", true},
        {"$(1,2)$", "$\\{1,2\\}$", true},
        {"$(2,1)$", "$\\{1,2\\}$", false},
        {"$\\{2,1\\}$", "$(1,2)$", true},
        {"$(1,2)$", "$[1,2]$", false},
        {"$(1,2)$", "$(2,1)$", false},
        {"$(1,2,3)$", "$(1,2,3)$", true},
        {"$[0,1)$", "$[0,1)$", true},
        {"$[5,\\infty)$", "$[5,+\\infty]$", true},
        {"$[1,2]\\cup[2,4]$", "$[1,4]$", true},
        {"$(-\\infty,0)\\cup(0,\\infty)$", "$\\mathbb{R}\\setminus\\{0\\}$", true},
        {"$\\{-1\\}\\cup[0,7)$", "$[0,7)\\cup\\{-1\\}$", true},
        {"$3 \\pm 2\\sqrt{2}$", "$3+2\\sqrt2, 3-2\\sqrt2$", true},
        {"$1 \\pm \\sqrt{19}$", "$1-\\sqrt{19}$", false},
        {"$\\{1\\pm\\sqrt{5},-2\\}$", "$-2, 1+\\sqrt5, 1-\\sqrt5$", true},
        {"$\\frac{1\\pm\\sqrt5}{2}$", "$\\frac{1-\\sqrt5}{2},\\frac{1+\\sqrt5}{2}$", true},
        {"$3\\text{ or }4$", "$3,4$", true},
        {"$\\{1,2,2\\}$", "$\\{2,1\\}$", true},
        {"$(1,2),(3,4)$", "$(3,4),(1,2)$", true},
        {"$\\{5\\}$", "$5$", true},
        {"$\\emptyset$", "$\\{\\}$", true},
        {"$p=5,q=2;p=7,q=2$", "$(5,2),(7,2)$", true},
    };
    CHECK_PAIRS("math-verify", pairs);
}
END_TEST

START_TEST(relations)
{
    static const struct pair pairs[] = {
        {"$x=5$", "$5$", true},
        {"$5$", "$x=5$", true},
        {"$5$", "$2+3=5$", true},
        {"$2x+z=1$", "$1$", false},
        {"$x=5$", "$y=5$", false},
        {"$x=11$", "$x=5+5+1=7=11$", true},
        {"$y=2x+3$", "$2x+3$", true},
        {"$x<3$", "$3>x$", true},
        {"$x\\ge5$", "$x\\le5$", false},
        {"$1<x<3$", "$(1,3)$", true},
        {"$(1,3)$", "$1<x<3$", false},
        {"$x\\ne0$", "$(-\\infty,0)\\cup(0,\\infty)$", true},
        {"$[5,\\infty)$", "$x\\geq 5$", false},
        {"$x\\in[-2,7]$", "$[-2,7]$", true},
        {"$y^2=4x$", "$2y^2-8x=0$", true},
        {"$2x+4y-3=0$", "$y=-x/2+3/4$", true},
        {"$x<5$", "$2x<10$", false},
        {"$f(2)<f(1)$", "$f(1)>f(2)$", true},
        {"$1/3$", "$x=1/3\\approx0.3$", true},
        {"$x=5,y=6$", "$y=6,x=5$", true},
        {"$x=\\pm1$", "$\\{1,-1\\}$", true},
    };
    CHECK_PAIRS("math-verify", pairs);
}
END_TEST

START_TEST(matrices)
{
    static const struct pair pairs[] = {
        {"$\\begin{pmatrix}1\\\\2\\end{pmatrix}$", "$\\begin{bmatrix}1\\\\2\\end{bmatrix}$", true},
        {"$\\begin{pmatrix}1\\\\2\\end{pmatrix}$", "$\\begin{pmatrix}1&2\\end{pmatrix}$", false},
        {"$\\begin{pmatrix}1\\\\2\\end{pmatrix}$", "$(1,2)$", false},
        {"$\\begin{pmatrix}2\\\\4\\end{pmatrix}$", "$2\\begin{pmatrix}1\\\\2\\end{pmatrix}$", true},
        {"$\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}\\begin{pmatrix}1\\\\1\\end{pmatrix}$",
         "$\\begin{pmatrix}3\\\\7\\end{pmatrix}$", true},
        {"$\\begin{vmatrix}1&2\\\\3&4\\end{vmatrix}$", "$-2$", true},
        {"$\\begin{pmatrix}1&2\\end{pmatrix}^T$", "$\\begin{pmatrix}1\\\\2\\end{pmatrix}$", true},
        {"$\\begin{array}{cc}1&2\\\\3&4\\end{array}$", "$\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}$",
         true},
    };
    CHECK_PAIRS("math-verify", pairs);
}
END_TEST

START_TEST(profiles_differ)
{
    static const struct pair lighteval[] = {
        {"$x^2$", "$X^2$", false},
        {"$\\pi$", "$3.141593$", false},
        {"$12:00$", "$5:00$", true},
        {"$n=2,3,4$", "$n=7,8,9$", true},
    };
    static const struct pair may2025[] = {
        {"$\\frac13$", "$0.333333$", false},
        {"$-1$", "$-1.0$", false},
        {"$[5,\\infty)$", "$x\\geq 5$", true},
        {"$\\frac12$", "$0.5$", true},
    };
    static const struct pair bare[] = {
        {"\\frac34i", "\\frac{3}{4}i", true},
        {"10", "\\$10", true},
        {"3,4", "4,3", false},
    };
    CHECK_PAIRS("lighteval", lighteval);
    CHECK_PAIRS("lighteval-2025-05", may2025);
    CHECK_PAIRS("hendrycks", bare);
}
END_TEST

/* ---- what is found ---- */

static void check_found(const char *text, const char *answer)
{
    struct it_verdict verdict;
    it_answer_grade("math-verify", IT_GOLD_ANSWER, NULL, "0", text, &verdict);
    if (answer == NULL) {
        ck_assert_msg(verdict.extracted == NULL, "%s: %s", text, verdict.extracted);
    } else {
        ck_assert_msg(verdict.extracted != NULL && strcmp(verdict.extracted, answer) == 0, "%s: %s",
                      text, verdict.extracted);
    }
    it_verdict_free(&verdict);
}

START_TEST(extraction)
{
    static const char *const cases[][2] = {
        {"first \\boxed{1}, no, that is not it at all; look again at the second of the two lines: "
         "\\boxed{2}.",
         "2"},
        {"\\boxed{1} and \\boxed{2}", "1,2"},
        {"\\boxed{1} then a gap with no list in it \\boxed{2}", "2"},
        {"\\boxed{\\frac{1}{2}} or so 7", "\\frac{1}{2}"},
        {"$x=1$ and $\\boxed{12}$", "12"},
        {"The answer is $5$. I mean 6.", "5"},
        {"The final answer is 12. I hope it is correct. 13", "12"},
        {"Answer: 20 + 6 = 26 done", "26"},
        {"so 3 + 4", "3 + 4"},
        {"it costs $1,234.50.", "1234.50"},
        {"\\(a\\) so \\[\nb\n\\]", "b"},
        {"$a\nb$", NULL},
        {"nothing here", NULL},
        {"a5 (7)", NULL},
        {"", NULL},
        {"\\boxed{3", NULL},
        {"$", NULL},
        {"\\frac{3}{4}", "\\frac{3}{4}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_found(cases[i][0], cases[i][1]);
    }
}
END_TEST

START_TEST(golds)
{
    static const struct {
        const char *gold;
        bool gradable;
    } cases[] = {
        {"\\text{odd}", true}, {"4", true}, {"so $x = \\boxed{3}$", true},
        {"\\sqrt{2}", true},   {"", false}, {"Answer is forty two.", false},
        {"AB=9, CD=4", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct it_verdict verdict;
        it_answer_grade("math-verify", IT_GOLD_ANSWER, NULL, cases[i].gold, "\\boxed{3}", &verdict);
        ck_assert_msg(verdict.gradable == cases[i].gradable, "%s", cases[i].gold);
        ck_assert(verdict.gradable || !verdict.correct);
        it_verdict_free(&verdict);
    }
}
END_TEST

START_TEST(votes)
{
    ck_assert(it_answer_same("math-verify", "\\frac12", "0.5"));
    ck_assert(it_answer_same("math-verify", "(1,3)", "1<x<3"));
    ck_assert(it_answer_same("math-verify", "1<x<3", "(1,3)"));
    ck_assert(!it_answer_same("math-verify", "1", "2"));
    ck_assert(it_answer_same("hendrycks", "\\frac12", "0.5"));
}
END_TEST

/* ---- hostile input ---- */

static char *repeat(const char *part, size_t times, const char *end)
{
    struct it_str text = {0};
    for (size_t i = 0; i < times; i++) { it_str_puts(&text, part); }
    it_str_puts(&text, end);
    return it_str_take(&text);
}

START_TEST(bounded)
{
    ck_assert(!same("math-verify", "$9^{9^{9^9}}$", "$1$"));
    ck_assert(!same("math-verify", "$9^{9^{9^9}}$", "$9^{9^{9^8}}$"));
    ck_assert(!same("math-verify", "$100000!!!!$", "$3$"));
    ck_assert(!same("math-verify", "$\\binom{100000}{50000}$", "$3$"));
    static const char *const parts[] = {
        "(",
        "{",
        "\\frac{",
        "\\sqrt",
        "-",
        "|",
        "x^",
        "\\boxed{",
        "$",
        "\\[",
        "\\( ",
        "answer ",
        "answer: 1+1+",
        "1 ",
        "1+",
        "1,",
        "(1,",
        "\\pm",
        "x=",
        "final answer is ",
        " [",
        "\\text{",
        "9^9^",
        "(x+1)^9",
        "\\{1,",
        "\\begin{pmatrix}",
        "1&",
        "\\cup[1,2]",
        "f(",
        "\\sin",
        "!",
        "%",
        "\\left(",
        "\xff\xfe",
        "$1$, ",
    };
    double start = it_now();
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char *text = repeat(parts[i], 3000, "1");
        char *boxed = repeat(parts[i], 300, "}");
        struct it_str whole = {0};
        it_str_printf(&whole, "\\boxed{%s}", boxed);
        (void)same("math-verify", text, text);
        (void)same("lighteval", it_str_c(&whole), text);
        (void)same("math-verify", text, it_str_c(&whole));
        it_str_free(&whole);
        it_free(text);
        it_free(boxed);
    }
    ck_assert_double_lt(it_now() - start, 20.0);
}
END_TEST

START_TEST(parser_refuses)
{
    static const char *const broken[] = {
        "",
        "\\frac{1}",
        "\\sqrt[",
        "(1",
        "1)",
        "|x",
        "\\{1",
        "x^",
        "x_{",
        "1+",
        "\\begin{pmatrix}1",
        "\\begin{cases}1\\end{cases}",
        "\\begin{pmatrix}1&2\\\\3\\end{pmatrix}",
        "=",
        "\\sin",
        "a&b",
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct it_expr_pool pool;
        it_expr_pool_init(&pool);
        ck_assert_msg(it_latex_parse(broken[i], strlen(broken[i]), true, &pool) == NULL, "%s",
                      broken[i]);
        it_expr_pool_free(&pool);
    }
}
END_TEST

START_TEST(rationals)
{
    struct it_rational a, b, c;
    it_wide rounded;
    ck_assert(it_rational_parse("1.50", 4, &a) && a.num == 3 && a.den == 2);
    ck_assert(it_rational_make(6, -4, &b) && b.num == -3 && b.den == 2);
    ck_assert(it_rational_add(a, b, &c) && c.num == 0 && c.den == 1);
    ck_assert(!it_rational_div(a, c, &b));
    ck_assert(!it_rational_make(1, 0, &b));
    ck_assert(!it_rational_parse("1.2.3", 5, &b));
    ck_assert(!it_rational_parse(".", 1, &b));
    ck_assert(it_rational_pow((struct it_rational){2, 3}, -3, &c) && c.num == 27 && c.den == 8);
    ck_assert(it_rational_pow((struct it_rational){2, 1}, 126, &c));
    ck_assert(!it_rational_pow((struct it_rational){2, 1}, 127, &c));
    ck_assert(!it_rational_mul(c, c, &c));
    ck_assert(it_rational_root((struct it_rational){8, 27}, 3, &c) && c.num == 2 && c.den == 3);
    ck_assert(!it_rational_root((struct it_rational){2, 1}, 2, &c));
    ck_assert(it_rational_round((struct it_rational){1, 3}, 6, &rounded) && rounded == 333333);
    ck_assert(it_rational_round((struct it_rational){-1, 8}, 2, &rounded) && rounded == -12);
    ck_assert(it_rational_round((struct it_rational){1, 8}, 2, &rounded) && rounded == 12);
    ck_assert_int_eq(it_rational_compare(a, (struct it_rational){4, 3}), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("answer");
    TCase *tests = tcase_create("answer");
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, numbers);
    tcase_add_test(tests, expressions);
    tcase_add_test(tests, collections);
    tcase_add_test(tests, relations);
    tcase_add_test(tests, matrices);
    tcase_add_test(tests, profiles_differ);
    tcase_add_test(tests, extraction);
    tcase_add_test(tests, golds);
    tcase_add_test(tests, votes);
    tcase_add_test(tests, bounded);
    tcase_add_test(tests, parser_refuses);
    tcase_add_test(tests, rationals);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
