/* SPDX-License-Identifier: MIT */
/* The scheduler of generation over the toy decoder: what it gives must be what a loop over one
 * sequence at a time gives. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "tests/toy_decoder.h"

/* ---- what must come out ---- */

enum { REQUESTS = 12 };
static const int64_t prompt_lengths[REQUESTS] = {5, 1, 33, 2, 32, 34, 100, 65, 64, 1, 31, 200};
static const int64_t sample_counts[REQUESTS] = {3, 4, 1, 7, 2, 5, 3, 9, 1, 1, 0, 2};
static int32_t prompt_ids[REQUESTS][200];
static struct it_gen_request requests[REQUESTS];

static void make_requests(void)
{
    struct it_rng rng;
    it_rng_init(&rng, 7, 0);
    for (int i = 0; i < REQUESTS; i++) {
        for (int64_t t = 0; t < prompt_lengths[i]; t++) {
            prompt_ids[i][t] = (int32_t)it_rng_below(&rng, toy_net.config.vocab);
        }
        requests[i] = (struct it_gen_request){.prompt = prompt_ids[i],
                                              .n_prompt = prompt_lengths[i],
                                              .n_samples = sample_counts[i],
                                              .key = (uint64_t)i << 40};
    }
    memset(&toy, 0, sizeof toy);
}

static int64_t count_completions(const struct it_gen_run *run)
{
    int64_t n = 0;
    for (int64_t i = 0; i < run->n_requests; i++) { n += run->requests[i].n_samples; }
    return n;
}

/* The rules of gen.h, one sequence at a time, the whole text searched at each token. */
static void expect(const struct it_gen_run *run, int64_t max_length,
                   const struct it_tokenizer *tokenizer, const struct it_completion *c)
{
    const struct it_gen_request *request = &run->requests[c->request];
    const struct it_sampling *s = &run->sampling;
    uint32_t key[IT_KEY_WORDS];
    struct it_str text = {0};
    uint64_t hash = 1;
    int64_t n = 0, room = max_length - request->n_prompt;
    if (room > s->max_new_tokens) { room = s->max_new_tokens; }
    it_gen_key(s, request->key, (uint32_t)c->sample, key);
    for (int64_t i = 0; i < request->n_prompt; i++) { hash = toy_fold(hash, request->prompt[i]); }
    for (;;) {
        key[IT_KEY_POSITION] = (uint32_t)(request->n_prompt + n);
        uint64_t drawn = toy_fold_key(hash, key);
        int32_t id = toy_draw(drawn);
        ck_assert_int_lt(n, c->n);
        ck_assert_int_eq(c->ids[n], id);
        ck_assert(c->logprob[n] == (float)toy_stat(drawn, IT_STAT_LOGPROB));
        ck_assert(c->entropy[n] == (float)toy_stat(drawn, IT_STAT_ENTROPY));
        ck_assert(c->certainty[n] == (float)toy_stat(drawn, IT_STAT_CERTAINTY));
        ck_assert(c->sum_p2[n] == (float)toy_stat(drawn, IT_STAT_SUM_P2));
        ck_assert(c->margin[n] == (float)toy_stat(drawn, IT_STAT_MARGIN));
        n++;
        hash = toy_fold(hash, id);
        enum it_finish finish = IT_FINISH_INTERRUPTED;
        if (n == room) { finish = IT_FINISH_LENGTH; }
        if (s->stop_strings) {
            it_tokenizer_decode(tokenizer, &id, 1, true, &text);
            for (size_t i = 0; i < s->stop_strings->n; i++) {
                if (strstr(text.data, s->stop_strings->item[i])) { finish = IT_FINISH_STOP_STRING; }
            }
        }
        for (int i = 0; i < s->n_stop_ids; i++) {
            if (id == s->stop_ids[i]) { finish = IT_FINISH_STOP; }
        }
        if (finish == IT_FINISH_INTERRUPTED) { continue; }
        ck_assert_int_eq(c->n, n);
        ck_assert_int_eq(c->finish, finish);
        break;
    }
    it_str_free(&text);
}

static struct it_gen_run plain_run(void)
{
    return (struct it_gen_run){.weights = &toy_net.weights,
                               .requests = requests,
                               .n_requests = REQUESTS,
                               .sampling = {.temperature = 1,
                                            .top_p = 1,
                                            .max_new_tokens = 70,
                                            .logprob_temperature = 1,
                                            .stat_temperature = 1,
                                            .seed = 0x123456789abcu,
                                            .update = 3}};
}

static void count_done(void *context, const struct it_completion *completion)
{
    ck_assert_int_gt(completion->n, 0);
    ck_assert_int_ne(completion->finish, IT_FINISH_INTERRUPTED);
    ++*(int64_t *)context;
}

/* Run, compare every completion, free. */
static void run_and_check(struct it_generator *generator, struct it_gen_run *run,
                          int64_t max_length, const struct it_tokenizer *tokenizer)
{
    int64_t n = count_completions(run), done = 0, tokens = 0;
    struct it_completion *completions = it_calloc((size_t)n, sizeof *completions);
    struct it_gen_totals totals;
    run->done = count_done;
    run->context = &done;
    ck_assert_int_eq(it_generator_run(generator, run, completions, &totals), IT_OK);
    ck_assert_int_eq(done, n);
    int64_t at = 0;
    for (int64_t i = 0; i < run->n_requests; i++) {
        for (int64_t s = 0; s < run->requests[i].n_samples; s++, at++) {
            ck_assert_int_eq(completions[at].request, i);
            ck_assert_int_eq(completions[at].sample, s);
            expect(run, max_length, tokenizer, &completions[at]);
            tokens += completions[at].n;
            it_completion_free(&completions[at]);
        }
    }
    ck_assert_int_eq(totals.new_tokens, tokens);
    it_free(completions);
}

static struct it_generator *open_generator(struct it_generator_options options,
                                           const struct it_tokenizer *tokenizer)
{
    struct it_generator *generator;
    ck_assert_int_eq(it_generator_open(&toy_net, NULL, &options, tokenizer, &generator), IT_OK);
    return generator;
}

/* ---- tests ---- */

static const int64_t slot_counts[] = {1, 2, 3, 8, 64, 0};

START_TEST(any_slots_same_ids)
{
    make_requests();
    struct it_gen_run run = plain_run();
    int64_t prefilled = 0, copied = 0, slots = slot_counts[_i];
    for (int i = 0; i < REQUESTS; i++) {
        if (sample_counts[i] == 0) { continue; }
        prefilled += prompt_lengths[i] - 1;
        copied += (sample_counts[i] - 1) * ((prompt_lengths[i] - 1) % 32);
    }
    struct it_generator *generator =
        open_generator((struct it_generator_options){.slots = slots, .max_length = 256}, NULL);
    run_and_check(generator, &run, 256, NULL);
    ck_assert_int_eq(toy.prefilled, prefilled); /* each prompt once */
    ck_assert_int_eq(toy.copied, copied);
    int64_t n = count_completions(&run);
    ck_assert_int_eq(toy.most, slots && slots < n ? slots : n); /* no slot idle */
    run.sampling.seed++;
    run_and_check(generator, &run, 256, NULL); /* again, over used pages */
    it_generator_close(generator);
}
END_TEST

START_TEST(few_pages)
{
    make_requests();
    struct it_gen_run run = plain_run();
    const int64_t pages[] = {9, 10, 13, 20}; /* max_length 256 needs 8, and one */
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        struct it_generator_options options = {
            .slots = 16, .max_length = 256, .kv_bytes = pages[i] * 32 * TOY_ROW_BYTES + 5};
        struct it_generator *generator = open_generator(options, NULL);
        int64_t bytes;
        ck_assert_int_eq(it_generator_plan(&toy_net, &options, &bytes), IT_OK);
        ck_assert_int_eq(bytes, pages[i] * 32 * TOY_ROW_BYTES);
        run_and_check(generator, &run, 256, NULL);
        it_generator_close(generator);
    }
}
END_TEST

/* A prompt of the greatest length with several samples, and nothing to spare. */
START_TEST(longest_prompt)
{
    make_requests();
    struct it_gen_run run = plain_run();
    for (int64_t length = 190; length < 201; length++) {
        int64_t slot_pages = (length + 1 - 1 + 31) / 32;
        struct it_generator_options options = {.slots = 4,
                                               .max_length = length + 1,
                                               .kv_bytes = (slot_pages + 1) * 32 * TOY_ROW_BYTES};
        struct it_generator *generator = open_generator(options, NULL);
        requests[11].n_prompt = length;
        requests[11].n_samples = 5;
        run.requests = &requests[11];
        run.n_requests = 1;
        run_and_check(generator, &run, length + 1, NULL);
        it_generator_close(generator);
    }
}
END_TEST

START_TEST(prefill_packs)
{
    make_requests();
    struct it_gen_run run = plain_run();
    struct it_generator *generator = open_generator(
        (struct it_generator_options){.slots = 64, .max_length = 256, .prefill_tokens = 1}, NULL);
    run_and_check(generator, &run, 256, NULL); /* raised to 254 */
    ck_assert_int_eq(toy.prefills, 3);         /* 4+32+1+31+33+99; 64+63; 199 */
    it_generator_close(generator);
    toy.prefills = 0;
    generator = open_generator((struct it_generator_options){.slots = 64, .max_length = 256}, NULL);
    run_and_check(generator, &run, 256, NULL);
    ck_assert_int_eq(toy.prefills, 1);
    it_generator_close(generator);
}
END_TEST

START_TEST(stop_ids)
{
    make_requests();
    struct it_gen_run run = plain_run();
    const int32_t stop[] = {11, 90, 5};
    run.sampling.stop_ids = stop;
    run.sampling.n_stop_ids = 3;
    for (size_t i = 0; i < 4; i++) {
        struct it_generator *generator = open_generator(
            (struct it_generator_options){.slots = slot_counts[i], .max_length = 210}, NULL);
        run_and_check(generator, &run, 210, NULL);
        it_generator_close(generator);
    }
}
END_TEST

/* "é" arrives in two tokens, "END" in two or three. */
static const char *const pieces[] = {"a", "b", "E", "N", "D", "\xC3", "\xA9", "ND"};
static const struct it_tokenizer tokens = {pieces, sizeof pieces / sizeof *pieces};

START_TEST(stop_strings)
{
    make_requests();
    struct it_gen_run run = plain_run();
    struct it_strs strings = {0};
    it_strs_add(&strings, "END");
    it_strs_add(&strings, "\xC3\xA9");
    it_strs_add(&strings, "aab");
    const int32_t stop = 40;
    run.sampling.stop_strings = &strings;
    run.sampling.stop_ids = &stop;
    run.sampling.n_stop_ids = 1;
    for (size_t i = 0; i < 4; i++) {
        struct it_generator *generator = open_generator(
            (struct it_generator_options){.slots = slot_counts[i], .max_length = 256}, &tokens);
        run_and_check(generator, &run, 256, &tokens);
        it_generator_close(generator);
    }
    it_strs_free(&strings);
}
END_TEST

START_TEST(cutting)
{
    struct it_strs strings = {0};
    ck_assert_uint_eq(it_stop_cut(NULL, "abc", 3), 3);
    ck_assert_uint_eq(it_stop_cut(&strings, "abc", 3), 3);
    it_strs_add(&strings, "cab");
    it_strs_add(&strings, "bca");
    ck_assert_uint_eq(it_stop_cut(&strings, "abcab", 5), 1); /* the earlier start wins */
    ck_assert_uint_eq(it_stop_cut(&strings, "bcab", 3), 0);
    ck_assert_uint_eq(it_stop_cut(&strings, "xxca", 4), 4);
    ck_assert_uint_eq(it_stop_cut(&strings, "ccccab", 6), 3);
    ck_assert_uint_eq(it_stop_cut(&strings, "a\0cab", 5), 2); /* a NUL is a byte */
    ck_assert_uint_eq(it_stop_cut(&strings, "", 0), 0);
    it_strs_free(&strings);
}
END_TEST

/* The whole runs of `interrupted` and `failed` end early; the next run finds a clean house. */
static void stopped_run(enum it_status expected)
{
    struct it_gen_run run = plain_run();
    struct it_completion completions[64];
    int64_t done = 0, partly = 0, waiting = 0, n = count_completions(&run);
    ck_assert_int_le(n, 64);
    run.done = count_done;
    run.context = &done;
    struct it_generator *generator =
        open_generator((struct it_generator_options){.slots = 4, .max_length = 256}, NULL);
    ck_assert_int_eq(it_generator_run(generator, &run, completions, NULL), expected);
    for (int64_t i = 0; i < n; i++) {
        bool interrupted = completions[i].finish == IT_FINISH_INTERRUPTED;
        if (expected == IT_INTERRUPTED) {
            partly += interrupted && completions[i].n > 0;
            waiting += interrupted && completions[i].n == 0;
        } else {
            ck_assert_ptr_null(completions[i].ids);
        }
        it_completion_free(&completions[i]);
    }
    if (expected == IT_INTERRUPTED) {
        ck_assert_int_eq(partly, 4);
        ck_assert_int_eq(done + partly + waiting, n);
    }
    ck_assert_int_gt(done, 0);
    toy.fail_at = 0;
    if (expected != IT_INTERRUPTED) { run_and_check(generator, &run, 256, NULL); }
    it_generator_close(generator);
}

START_TEST(interrupted)
{
    make_requests();
    it_interrupt_install();
    toy.interrupt_at = 100;
    stopped_run(IT_INTERRUPTED);
    ck_assert_int_eq(toy.steps, 100);
}
END_TEST

START_TEST(failed)
{
    make_requests();
    toy.fail_at = 100;
    stopped_run(IT_DEVICE);
}
END_TEST

static enum it_status open_status(struct it_generator_options options)
{
    struct it_generator *generator = NULL;
    enum it_status status = it_generator_open(&toy_net, NULL, &options, NULL, &generator);
    it_generator_close(generator);
    return status;
}

START_TEST(bad_options)
{
    struct it_generator_options good = {.slots = 2, .max_length = 512}, bad;
    ck_assert_int_eq(open_status(good), IT_OK);
    ck_assert_int_eq(open_status((bad = good, bad.max_length = 513, bad)), IT_INVALID);
    ck_assert_int_eq(open_status((bad = good, bad.max_length = 1, bad)), IT_INVALID);
    ck_assert_int_eq(open_status((bad = good, bad.slots = -1, bad)), IT_INVALID);
    ck_assert_int_eq(open_status((bad = good, bad.slots = INT64_MAX, bad)), IT_INVALID);
    ck_assert_int_eq(open_status((bad = good, bad.prefill_tokens = -1, bad)), IT_INVALID);
    ck_assert_int_eq(open_status((bad = good, bad.kv_bytes = -1, bad)), IT_INVALID);
    ck_assert_int_eq(open_status((bad = good, bad.kv_bytes = 1, bad)), IT_NOMEM);
    bad.kv_bytes = 17 * 32 * TOY_ROW_BYTES - 1;
    ck_assert_int_eq(open_status(bad), IT_NOMEM);
    bad.kv_bytes++;
    ck_assert_int_eq(open_status(bad), IT_OK);
}
END_TEST

static enum it_status run_status(const struct it_generator_options *options,
                                 struct it_sampling sampling, struct it_gen_request request)
{
    struct it_generator *generator = open_generator(*options, NULL);
    struct it_completion completion = {0};
    struct it_gen_run run = plain_run();
    run.sampling = sampling;
    run.requests = &request;
    run.n_requests = 1;
    enum it_status status = it_generator_run(generator, &run, &completion, NULL);
    it_completion_free(&completion);
    it_generator_close(generator);
    return status;
}

START_TEST(bad_runs)
{
    make_requests();
    const struct it_generator_options options = {.slots = 2, .max_length = 64};
    struct it_strs strings = {0};
    struct it_sampling good = plain_run().sampling;
    struct it_gen_request request = {.prompt = prompt_ids[0], .n_prompt = 63, .n_samples = 1};
    struct it_gen_request odd;
    int32_t outside = (int32_t)toy_net.config.vocab;
    ck_assert_int_eq(run_status(&options, good, request), IT_OK);
    odd = (struct it_gen_request){.prompt = prompt_ids[0], .n_prompt = 64, .n_samples = 1};
    ck_assert_int_eq(run_status(&options, good, odd), IT_INVALID);
    odd.n_prompt = 0;
    ck_assert_int_eq(run_status(&options, good, odd), IT_INVALID);
    odd.n_prompt = 63;
    odd.n_samples = -1;
    ck_assert_int_eq(run_status(&options, good, odd), IT_INVALID);
    odd = (struct it_gen_request){.prompt = &outside, .n_prompt = 1, .n_samples = 1};
    ck_assert_int_eq(run_status(&options, good, odd), IT_INVALID);
    outside = -1;
    ck_assert_int_eq(run_status(&options, good, odd), IT_INVALID);
    enum { BAD = 11 };
    struct it_sampling bad[BAD];
    for (int i = 0; i < BAD; i++) { bad[i] = good; }
    it_strs_add(&strings, "x");
    bad[0].temperature = -1;
    bad[1].temperature = strtod("nan", NULL);
    bad[2].top_p = 0;
    bad[3].top_p = 1.5;
    bad[4].min_p = -0.5;
    bad[5].top_k = -1;
    bad[6].max_new_tokens = 0;
    bad[7].logprob_temperature = 0;
    bad[8].stat_temperature = 0;
    bad[9].stat_vocab = toy_net.config.vocab + 1;
    bad[10].stop_strings = &strings; /* no tokenizer */
    for (int i = 0; i < BAD; i++) {
        ck_assert_int_eq(run_status(&options, bad[i], request), IT_INVALID);
    }
    it_strs_free(&strings);
}
END_TEST

START_TEST(nothing_to_do)
{
    struct it_generator *generator =
        open_generator((struct it_generator_options){.slots = 2, .max_length = 64}, NULL);
    struct it_gen_run run = plain_run();
    struct it_gen_totals totals;
    run.n_requests = 0;
    ck_assert_int_eq(it_generator_run(generator, &run, NULL, &totals), IT_OK);
    ck_assert_int_eq(totals.steps, 0);
    it_generator_close(generator);
}
END_TEST

static int compare_keys(const void *a, const void *b)
{
    return memcmp(a, b, IT_KEY_WORDS * sizeof(uint32_t));
}

/* Every (update, prompt, sample, position) has a row of its own, and the seed changes it. */
START_TEST(keys_differ)
{
    enum { EACH = 6, ALL = EACH * EACH * EACH * EACH };
    static const uint64_t far[EACH] = {0, 1, 2, 0xffffffffu, 0x100000000u, UINT64_MAX};
    uint32_t(*rows)[IT_KEY_WORDS] = it_calloc(2 * ALL, sizeof *rows);
    for (int seed = 0; seed < 2; seed++) {
        for (int i = 0; i < ALL; i++) {
            struct it_sampling sampling = {.seed = (uint64_t)seed << 63, .update = far[i % EACH]};
            uint32_t *row = rows[seed * ALL + i];
            it_gen_key(&sampling, far[i / EACH % EACH], (uint32_t)(i / (EACH * EACH) % EACH), row);
            row[IT_KEY_POSITION] = (uint32_t)(i / (EACH * EACH * EACH));
        }
    }
    qsort(rows, 2 * ALL, sizeof *rows, compare_keys);
    for (int i = 1; i < 2 * ALL; i++) { ck_assert_int_ne(compare_keys(rows[i - 1], rows[i]), 0); }
    it_free(rows);
}
END_TEST

START_TEST(finish_names)
{
    ck_assert_str_eq(it_finish_name(IT_FINISH_STOP), "stop");
    ck_assert_str_eq(it_finish_name(IT_FINISH_LENGTH), "length");
    ck_assert_str_eq(it_finish_name(IT_FINISH_STOP_STRING), "stop");
    ck_assert_str_eq(it_finish_name(IT_FINISH_INTERRUPTED), "interrupted");
}
END_TEST

static void run_ahead(void)
{
    toy_ahead = true;
}

static void run_in_turn(void)
{
    toy_ahead = false;
}

static void add_runs(TCase *tests)
{
    tcase_add_loop_test(tests, any_slots_same_ids, 0, 6);
    tcase_add_test(tests, few_pages);
    tcase_add_test(tests, longest_prompt);
    tcase_add_test(tests, prefill_packs);
    tcase_add_test(tests, stop_ids);
    tcase_add_test(tests, stop_strings);
    tcase_add_test(tests, failed);
}

int main(void)
{
    Suite *suite = suite_create("scheduler");
    TCase *ahead = tcase_create("one step ahead");
    tcase_set_timeout(ahead, 60);
    tcase_add_checked_fixture(ahead, run_ahead, run_in_turn);
    add_runs(ahead);
    suite_add_tcase(suite, ahead);
    TCase *tests = tcase_create("scheduler");
    it_log_set_level(IT_LOG_ERROR);
    tcase_set_timeout(tests, 60);
    add_runs(tests);
    tcase_add_test(tests, cutting);
    tcase_add_test(tests, bad_options);
    tcase_add_test(tests, bad_runs);
    tcase_add_test(tests, nothing_to_do);
    tcase_add_test(tests, keys_differ);
    tcase_add_test(tests, finish_names);
    tcase_add_test(tests, interrupted); /* last: without forks the flag would stay */
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
