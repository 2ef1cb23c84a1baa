/* SPDX-License-Identifier: MIT */
/* Answers that need more than doubles: numbers of any size, radicals, functions; the reference
 * graders' finer points; and that nothing takes long, on several threads at once. */
#include <check.h>
#include <pthread.h>
#include <string.h>

#include "core/base/clock.h"
#include "tasks/grade/exact.h"
#include "tasks/grade/letter.h"
#include "tests/answers.h"
#include "tests/scratch.h"

/* Settled with and without the libraries. */
static const struct pair always[] = {
    {"$9^{9^9}$", "$9^{387420489}$", true},
    {"$1$", "$9^{9^{9^9}}$", false},
    {"$9^{9^{9^9}}$", "$9^{9^{9^9}}$", true},
    {"$9^{9^9}$", "$9^{9^9}+1$", false},
    {"$2^{10^{10}}$", "$4^{5\\cdot10^9}$", true},
    {"$100000!$", "$100000\\cdot 99999!$", true},
    {"$1000000!$", "$1000000!+1$", false},
    {"$\\binom{100}{50}$", "$100891344545564193334812497256$", true},
    {"${10 \\choose 3}$", "$120$", true},
    {"$\\sqrt{2}+\\sqrt{3}$", "$\\sqrt{5+2\\sqrt{6}}$", true},
    {"$\\sqrt[3]{2+\\sqrt5}+\\sqrt[3]{2-\\sqrt5}$", "$1$", false}, /* principal roots */
    {"$\\cos\\frac{\\pi}{7}\\cos\\frac{2\\pi}{7}\\cos\\frac{3\\pi}{7}$", "$\\frac18$", true},
    {"$\\sqrt{-2}\\sqrt{-8}$", "$-4$", true},
    {"$\\sqrt{-1}\\cdot\\sqrt\\pi$", "$\\sqrt{-\\pi}$", true},
    {"$10^{40}+10^{-40}$", "$10^{40}$", false},
    {"$\\sin(10^{100})$", "$0.1$", false},
    {"$0.\\overline{3}$", "$\\frac13$", true},
    {"$0.1\\overline{6}$", "$\\frac16$", true},
    {"$1.\\overline{27}$", "$\\frac{14}{11}$", true},
    {"$(1/3,1)$", "$(0.333333333333,1)$", true},
    {"$(0,\\sqrt2)\\cup(3,\\sqrt{12})$", "$(0,\\frac{2}{\\sqrt2})\\cup(3,2\\sqrt3)$", true},
    {"$(-\\infty,10^{-10})\\cup(1,2)$", "$(-\\infty,0)\\cup(1,2)$", false},
};

/* Only the libraries see these. */
static const struct pair exactly[] = {
    {"$e^{\\pi\\sqrt{163}}$", "$262537412640768744$", false},
    {"$\\pi^{100}$", "$\\pi^{100}+10^{-20}$", false},
    {"$\\sqrt{10^{40}+1}$", "$10^{20}$", false},
    {"$\\sin(10^{100})$", "$\\sin(10^{100}+0\\cdot x)$", true},
    {"$\\lfloor\\log_2 8\\rfloor$", "$3$", true},
    {"$10^{20}+0.25$", "$100000000000000000000.5$", false},
    {"$\\pi\\cdot10^{12}$", "$3141592653589.793238$", true},
    {"$\\pi\\cdot10^{12}$", "$3141592653589.793239$", false},
    {"$n!$", "$n(n-1)!$", true},
    {"$\\binom{n}{2}$", "$\\frac{n(n-1)}{2}$", true},
};

START_TEST(exactness)
{
    CHECK_PAIRS("math-verify", always);
    if (it_exact_available()) { CHECK_PAIRS("math-verify", exactly); }
}
END_TEST

START_TEST(finer_points)
{
    static const struct pair pairs[] = {
        {"$7$", "$7\\text{ ft }2\\text{ in}$", true},
        {"$2,3$", "$2\\text{ and }3\\text{ cm}$", true},
        {"$12$", "$\\mathbf{12}$", true},
        {"$12$", "$\\$\\text{12}$", true},
        {"$63755$", "$63755 \u20ac$", true},
        {"$x=-9,2$", "$x_1=-9,x_2=2$", true},
        {"$x \\in [-2,7]$", "$-2 \\le x \\le 7$", false}, /* a set does not take the inequality */
        {"$1^2,3^2,10^2$", "$1,9,\\ldots,100$", true},
        {"$5x-7y=4$", "\\boxed{5x-7y=4} So \\boxed{5x-7y=4}", true},
        {"$11$", "hence 11 values for \\(x\\\\).", true},
        {"$2$", "$k = 2$ and $m = 3,$ so", true}, /* the second is a clause of the sentence */
        {"$49$", "it is 49 or $1 + 9 \\c", false},
        {"$49377373$", "it is 49,377 373.", true},
        {"$-\\frac12$", "$\\boxed{7}$ but the final answer is -\\frac{1}{2}. I hope so", true},
        {"$\\dfrac{1}{2}\\heartsuit\\pmod 7$", "$\\frac12\\heartsuit\\pmod{7}$", false},
    };
    CHECK_PAIRS("math-verify", pairs);
    ck_assert(same("lighteval", "$\\text{true}$", "$True$"));
    ck_assert(!same("lighteval", "$5$", "$5 km$"));
    ck_assert(same("lighteval", "$y=2$", "$x=2=2.0$"));
    ck_assert(same("lighteval", "$7$", "\\boxed{4}. Thus, \\boxed{7}"));
    ck_assert(!same("math-verify", "$7$", "\\boxed{4}. Thus, \\boxed{7}"));
}
END_TEST

START_TEST(reasoning)
{
    struct it_verdict verdict;
    static const char text[] = "<think>\\boxed{42}</think> I do not know.";
    it_answer_grade("lighteval", IT_GOLD_ANSWER, NULL, "42", text, &verdict);
    ck_assert(!verdict.correct && verdict.extracted == NULL);
    it_verdict_free(&verdict);
    it_answer_grade("math-verify", IT_GOLD_ANSWER, NULL, "42", text, &verdict);
    ck_assert(verdict.correct);
    it_verdict_free(&verdict);
}
END_TEST

START_TEST(settings)
{
    const struct it_answer_settings two_places = {.decimals = 2}, free_names = {.rename = true};
    const struct it_answer_settings sets = {.relations_as_sets = true}, plain = {.plain = true};
    const struct it_answer_settings chinese = {.unspaced = true}, letters = {.letters = true};
    ck_assert(same_with("math-verify", &two_places, "$\\frac13$", "$0.33$"));
    ck_assert(!same_with("math-verify", NULL, "$\\frac13$", "$0.33$"));
    ck_assert(same_with("math-verify", &free_names, "$f(x)$", "$f(y)$"));
    ck_assert(!same_with("math-verify", &free_names, "$x+y$", "$x+x$"));
    ck_assert(same_with("math-verify", &sets, "$x \\in [-2,7]$", "$-2 \\le x \\le 7$"));
    ck_assert(!same_with("math-verify", &plain, "5", "$\\frac{10}{2}$"));
    ck_assert(same_with("math-verify", &chinese, "99", "\u603b\u5171\u670999\u9897"));
    ck_assert(same_with("math-verify", &letters, "C Cecile", "the correct answer is C"));
}
END_TEST

START_TEST(letters)
{
    ck_assert_int_eq(it_letter_find("It's not A, therefore I think it's B", false), 'B');
    ck_assert_int_eq(it_letter_find("Answer: (D) and A", false), 'D');
    ck_assert_int_eq(it_letter_find("C. Because", false), 'C');
    ck_assert_int_eq(it_letter_find("A\nthe final answer is: B. I hope", false), 'B');
    ck_assert_int_eq(it_letter_find("B\u4e0d\u662f A", true), 'B');
    ck_assert_int_eq(it_letter_find("none", false), '\0');
    ck_assert_int_eq(it_letter_find("", false), '\0');
}
END_TEST

/* ---- bounds ---- */

static char *repeat(const char *part, size_t times)
{
    struct it_str text = {0};
    it_str_putc(&text, '$');
    for (size_t i = 0; i < times; i++) { it_str_puts(&text, part); }
    it_str_putc(&text, '$');
    return it_str_take(&text);
}

/* The aim is 50 ms. */
START_TEST(bounds)
{
    const double limit = 5.0; /* seconds, of a busy machine under sanitizers */
    static const char *const parts[] = {
        "9",      "\\sqrt{2+", "\\frac{", "(",      "-",  "answer ", "final answer is ", "\\boxed{",
        "\\sin(", "2^{",       "!",       "\\sqrt", "x+", "\\[",     "0.\\overline{3}"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char *text = repeat(parts[i], 10000);
        double start = it_now();
        (void)same("math-verify", text, "$1$");
        (void)same("lighteval", "$1$", text);
        ck_assert_msg(it_now() - start < limit, "%s takes too long", parts[i]);
        it_free(text);
    }
}
END_TEST

/* Equal lists of a hundred members, and unequal ones. */
START_TEST(long_lists)
{
    struct it_str up = {0}, down = {0};
    for (int i = 2; i < 110; i++) {
        it_str_printf(&up, "%s\\sqrt{%d}", i > 2 ? "," : "$", i);
        it_str_printf(&down, "%s\\sqrt{%d}", i > 2 ? "," : "$", 111 - i);
    }
    it_str_putc(&up, '$');
    it_str_putc(&down, '$');
    ck_assert(same("math-verify", it_str_c(&up), it_str_c(&down)));
    it_str_puts(&down, ",$7.5$");
    ck_assert(!same("math-verify", it_str_c(&up), it_str_c(&down)));
    it_str_free(&up);
    it_str_free(&down);
}
END_TEST

static void *grade_all(void *wrong)
{
    int *count = wrong;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof always / sizeof *always; i++) {
            const struct pair *pair = &always[i];
            *count += same("math-verify", pair->gold, pair->pred) != pair->equal;
        }
    }
    return NULL;
}

START_TEST(threads)
{
    enum { THREADS = 4 };
    pthread_t thread[THREADS];
    int wrong[THREADS] = {0};
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&thread[i], NULL, grade_all, &wrong[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(thread[i], NULL), 0);
        ck_assert_int_eq(wrong[i], 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("answer_exact");
    TCase *tests = tcase_create("answer_exact");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, exactness);
    tcase_add_test(tests, finer_points);
    tcase_add_test(tests, reasoning);
    tcase_add_test(tests, settings);
    tcase_add_test(tests, letters);
    tcase_add_test(tests, bounds);
    tcase_add_test(tests, long_lists);
    tcase_add_test(tests, threads);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
