/* SPDX-License-Identifier: MIT */
/* The texts of arithmetic problems: questions, worked and bare solutions, the corpus. */
#include <string.h>

#include "core/base/json.h"
#include "tasks/arithmetic.h"

void it_arithmetic_text(const struct it_arithmetic_problem *problem, struct it_str *out)
{
    bool max = problem->kind == IT_ARITHMETIC_MAX;
    it_str_puts(out, max ? "max(" : "");
    for (int i = 0; i < problem->n; i++) {
        if (i > 0) {
            char between[IT_ARITHMETIC_KINDS] = {problem->sign[i], '+', '*', ','};
            it_str_putc(out, between[problem->kind]);
        }
        it_str_printf(out, "%lld", (long long)problem->operand[i]);
    }
    it_str_puts(out, max ? ")=" : "=");
}

/* The result that a step shows: the true one, or with chance `wrong` a near miss: off by 1 to 9, or
 * by ten, and a result that is not negative stays so. */
static int64_t shown(int64_t value, double wrong, struct it_rng *rng)
{
    if (wrong <= 0.0 || it_rng_uniform(rng) >= wrong) { return value; }
    int64_t miss = 1 + it_rng_below(rng, 10);
    return it_rng_below(rng, 2) == 1 && value >= miss ? value - miss : value + miss;
}

static void put_step(struct it_str *out, int64_t left, char operation, int64_t right,
                     int64_t result)
{
    it_str_printf(out, "%lld%c%lld=%lld;", (long long)left, operation, (long long)right,
                  (long long)result);
}

static int64_t work_chain(const struct it_arithmetic_problem *problem, double wrong,
                          struct it_rng *rng, struct it_str *out)
{
    int64_t sum = problem->operand[0];
    for (int i = 1; i < problem->n; i++) {
        int64_t operand = problem->operand[i];
        int64_t result = problem->sign[i] == '-' ? sum - operand : sum + operand;
        result = shown(result, wrong, rng);
        put_step(out, sum, problem->sign[i], operand, result);
        sum = result;
    }
    return sum;
}

/* Columns from the right; a carry is the first summand of the next column. */
static int64_t work_add(const struct it_arithmetic_problem *problem, double wrong,
                        struct it_rng *rng, struct it_str *out)
{
    int64_t a = problem->operand[0], b = problem->operand[1], carry = 0, sum = 0, place = 1;
    while (a > 0 || b > 0) {
        int64_t column = shown(carry + a % 10 + b % 10, wrong, rng);
        it_str_puts(out, carry > 0 ? "1+" : "");
        put_step(out, a % 10, '+', b % 10, column);
        a /= 10;
        b /= 10;
        carry = column >= 10 ? 1 : 0;
        sum += place * (column % 10);
        place *= 10;
    }
    return sum + place * carry;
}

/* Digit by digit of the second factor, lowest first, then the parts added up. */
static int64_t work_mul(const struct it_arithmetic_problem *problem, double wrong,
                        struct it_rng *rng, struct it_str *out)
{
    int64_t factor = problem->operand[0], part[8] = {0}, place = 1;
    int parts = 0;
    for (int64_t rest = problem->operand[1]; rest > 0; rest /= 10, place *= 10) {
        int64_t digit = rest % 10 * place;
        if (digit == 0) { continue; }
        part[parts] = shown(factor * digit, wrong, rng);
        put_step(out, factor, '*', digit, part[parts]);
        parts++;
    }
    int64_t sum = part[0];
    for (int i = 1; i < parts; i++) {
        int64_t result = shown(sum + part[i], wrong, rng);
        put_step(out, sum, '+', part[i], result);
        sum = result;
    }
    return sum;
}

/* A wrong comparison takes the smaller one on. */
static int64_t work_max(const struct it_arithmetic_problem *problem, double wrong,
                        struct it_rng *rng, struct it_str *out)
{
    int64_t best = problem->operand[0];
    for (int i = 1; i < problem->n; i++) {
        int64_t other = problem->operand[i];
        bool miss = wrong > 0.0 && it_rng_uniform(rng) < wrong;
        bool better = (other > best) != miss;
        int64_t large = better ? other : best, small = better ? best : other;
        it_str_printf(out, "%lld%c%lld;", (long long)large, large == small ? '=' : '>',
                      (long long)small);
        best = large;
    }
    return best;
}

static void put_box(struct it_str *out, int64_t answer)
{
    it_str_printf(out, "\\boxed{%lld}", (long long)answer);
}

void it_arithmetic_worked(const struct it_arithmetic_problem *problem, double wrong,
                          struct it_rng *rng, struct it_str *out)
{
    int64_t answer = 0;
    switch (problem->kind) {
    case IT_ARITHMETIC_CHAIN: answer = work_chain(problem, wrong, rng, out); break;
    case IT_ARITHMETIC_ADD: answer = work_add(problem, wrong, rng, out); break;
    case IT_ARITHMETIC_MUL: answer = work_mul(problem, wrong, rng, out); break;
    case IT_ARITHMETIC_MAX: answer = work_max(problem, wrong, rng, out); break;
    case IT_ARITHMETIC_KINDS: break;
    }
    put_box(out, answer);
}

void it_arithmetic_bare(const struct it_arithmetic_problem *problem, struct it_str *out)
{
    put_box(out, problem->gold);
}

static void put_solution(const struct it_arithmetic_mix *mix,
                         const struct it_arithmetic_problem *problem, struct it_rng *rng,
                         struct it_str *out)
{
    if (it_rng_uniform(rng) < mix->worked) {
        it_arithmetic_worked(problem, mix->wrong, rng, out);
    } else {
        put_box(out, shown(problem->gold, mix->bare_wrong, rng));
    }
}

enum it_status it_arithmetic_example(const struct it_arithmetic_mix *mix, uint64_t index,
                                     struct it_str *prompt_out, struct it_str *completion_out)
{
    struct it_rng rng;
    struct it_arithmetic_problem problem, next;
    it_rng_init(&rng, mix->seed, index);
    IT_TRY(it_arithmetic_draw(&mix->space, "train", &rng, &problem));
    IT_TRY(it_arithmetic_draw(&mix->space, "train", &rng, &next));
    it_arithmetic_text(&problem, prompt_out);
    put_solution(mix, &problem, &rng, completion_out);
    if (it_rng_uniform(&rng) < mix->ramble) {
        it_str_putc(completion_out, '\n');
        it_arithmetic_text(&next, completion_out);
        put_solution(mix, &next, &rng, completion_out);
    }
    return IT_OK;
}

enum it_status it_arithmetic_corpus(const struct it_arithmetic_mix *mix, uint64_t n, FILE *stream)
{
    struct it_str prompt = {0}, completion = {0};
    enum it_status status = IT_OK;
    for (uint64_t i = 0; i < n && status == IT_OK; i++) {
        it_str_clear(&prompt);
        it_str_clear(&completion);
        status = it_arithmetic_example(mix, i, &prompt, &completion);
        if (status != IT_OK) { break; }
        json_t *line = json_pack("{s:s, s:s}", "prompt", it_str_c(&prompt), "completion",
                                 it_str_c(&completion));
        status = it_jsonl_put(stream, line);
        json_decref(line);
    }
    it_str_free(&prompt);
    it_str_free(&completion);
    return status;
}
