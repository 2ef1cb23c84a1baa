/* SPDX-License-Identifier: MIT */
/* Generation with a small random model: what the sampler recorded is what training computes, to the
 * bit; ids do not depend on the slots; greedy takes the largest; a completion ends where it
 * should. */
#include <check.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/gen/gen.h"
#include "models/models.h"

enum { VOCAB = 61, MAX_LENGTH = 96, PROMPTS = 5 };

static const struct it_model_config config = {.vocab = VOCAB,
                                              .hidden = 24,
                                              .layers = 3,
                                              .heads = 4,
                                              .kv_heads = 2,
                                              .head_dim = 6,
                                              .ff = 40,
                                              .max_positions = 128,
                                              .rms_eps = 1e-6,
                                              .rope_theta = 10000,
                                              .init_range = 0.25};

/* Each test runs for every device and type. */
static const struct {
    const char *device;
    enum it_dtype dtype;
} places[] = {{"reference", IT_F32}, {"reference", IT_BF16}, {"cpu", IT_F32}, {"cpu", IT_BF16}};
enum { PLACES = sizeof places / sizeof *places };

static struct it_device *device;
static struct it_net *net;

static bool is_built(const char *name)
{
    for (size_t i = 0; it_backend_at(i); i++) {
        if (strcmp(it_backend_name(it_backend_at(i)), name) == 0) { return true; }
    }
    return strcmp(name, "reference") == 0;
}

/* False when this build has no such device. */
static bool open_net_of(const struct it_arch *arch, int place)
{
    const struct it_device_options exact = {.threads = 2, .exact = true};
    const struct it_net_options options = {.dtype = places[place].dtype, .positions = MAX_LENGTH};
    struct it_model_config named = config;
    char type[32];
    strcpy(type, arch->model_type);
    named.model_type = type;
    if (!is_built(places[place].device)) { return false; }
    ck_assert_int_eq(it_device_open(places[place].device, &exact, &device), IT_OK);
    ck_assert_int_eq(it_net_open(device, arch, &named, &options, &net), IT_OK);
    ck_assert_int_eq(it_weights_init(net, &net->weights, 5), IT_OK);
    return true;
}

static bool open_net(int place)
{
    return open_net_of(it_arch_find("qwen2"), place);
}

static void close_net(void)
{
    it_net_close(net);
    it_device_close(device);
}

/* ---- requests, and running them ---- */

static const int64_t lengths[PROMPTS] = {7, 1, 33, 40, 2};
static const int64_t samples[PROMPTS] = {4, 2, 3, 1, 3};
enum { COMPLETIONS = 13 };
static int32_t prompts[PROMPTS][64];
static struct it_gen_request requests[PROMPTS];

static void make_requests(void)
{
    struct it_rng rng;
    it_rng_init(&rng, 3, 0);
    for (int i = 0; i < PROMPTS; i++) {
        for (int64_t t = 0; t < lengths[i]; t++) {
            prompts[i][t] = (int32_t)it_rng_below(&rng, VOCAB);
        }
        requests[i] = (struct it_gen_request){.prompt = prompts[i],
                                              .n_prompt = lengths[i],
                                              .n_samples = samples[i],
                                              .key = (uint64_t)i};
    }
}

static struct it_gen_run make_run(double temperature)
{
    make_requests();
    double recorded = temperature > 0 ? temperature : 1;
    return (struct it_gen_run){.weights = &net->weights,
                               .requests = requests,
                               .n_requests = PROMPTS,
                               .sampling = {.temperature = temperature,
                                            .top_p = 1,
                                            .max_new_tokens = 37,
                                            .logprob_temperature = recorded,
                                            .stat_temperature = 1,
                                            .seed = 42,
                                            .update = 1}};
}

/* Into completions [COMPLETIONS], in an arena of exactly the planned bytes. */
static enum it_status generate(const struct it_gen_run *run, int64_t slots,
                               struct it_completion *completions)
{
    const struct it_generator_options options = {.slots = slots, .max_length = MAX_LENGTH};
    struct it_arena *arena;
    struct it_generator *generator;
    int64_t bytes;
    ck_assert_int_eq(it_generator_plan(net, &options, &bytes), IT_OK);
    ck_assert_int_eq(it_arena_open(device, "generation", bytes, &arena), IT_OK);
    ck_assert_int_eq(it_generator_open(net, arena, &options, NULL, &generator), IT_OK);
    enum it_status status = it_generator_run(generator, run, completions, NULL);
    it_generator_close(generator);
    it_arena_close(arena);
    return status;
}

static void free_all(struct it_completion *completions)
{
    for (int i = 0; i < COMPLETIONS; i++) { it_completion_free(&completions[i]); }
}

/* ---- what training says ---- */

struct score {
    struct it_arena *arena;
    struct it_tape *tape;
    int32_t ids[512], positions[512], segments[8][5], rows[512], targets[512];
    struct it_pack pack;
    double stats[512][IT_STAT_COUNT];
};

static struct score *open_score(void)
{
    const struct it_tape_options options = {
        .max_tokens = 512, .max_segments = 8, .max_rows = 512, .head_rows = 50};
    struct score *score = it_calloc(1, sizeof *score);
    int64_t bytes;
    ck_assert_int_eq(it_tape_plan(net, &options, &bytes), IT_OK);
    ck_assert_int_eq(it_arena_open(device, "scoring", bytes, &score->arena), IT_OK);
    ck_assert_int_eq(it_tape_open(net, score->arena, &options, &score->tape), IT_OK);
    score->pack.ids = score->ids;
    score->pack.positions = score->positions;
    score->pack.segments = score->segments[0];
    score->pack.rows = score->rows;
    score->pack.targets = score->targets;
    return score;
}

static void close_score(struct score *score)
{
    it_tape_close(score->tape);
    it_arena_close(score->arena);
    it_free(score);
}

/* A segment of n tokens after the first `prefix` tokens of the pack; returns its first row. */
static int32_t add_segment(struct score *score, const int32_t *ids, int64_t n, int64_t prefix)
{
    struct it_pack *pack = &score->pack;
    int32_t first = (int32_t)pack->n_tokens, length = (int32_t)prefix;
    const int32_t segment[5] = {first, (int32_t)n, 0, length, first};
    ck_assert_int_le(first + n, 512);
    if (n == 0) { return first; }
    memcpy(score->segments[pack->n_segments++], segment, sizeof segment);
    for (int32_t i = 0; i < n; i++) {
        score->ids[first + i] = ids[i];
        score->positions[first + i] = length + i;
    }
    pack->n_tokens += n;
    return first;
}

static void add_row(struct score *score, int32_t row, int32_t target)
{
    score->rows[score->pack.n_rows] = row;
    score->targets[score->pack.n_rows++] = target;
}

static void run_score(struct score *score, const struct it_gen_run *run)
{
    const struct it_head_options head = {.temperature = run->sampling.logprob_temperature,
                                         .stat_temperature = run->sampling.stat_temperature,
                                         .stat_vocab = run->sampling.stat_vocab};
    ck_assert_int_eq(
        it_tape_forward(score->tape, run->weights, &score->pack, &head, score->stats[0]), IT_OK);
}

static void clear_score(struct score *score)
{
    score->pack.n_tokens = score->pack.n_segments = score->pack.n_rows = 0;
}

static void same_bits(float recorded, double computed, const char *what, int64_t token)
{
    float narrow = (float)computed;
    if (memcmp(&recorded, &narrow, sizeof narrow) != 0) {
        ck_abort_msg("%s of token %lld: recorded %a, trained %a", what, (long long)token,
                     (double)recorded, (double)narrow);
    }
}

/* Rows of `c` in the scored pack from row `at` on; returns the next. */
static int64_t compare(const struct score *score, const struct it_completion *c, int64_t at)
{
    for (int64_t i = 0; i < c->n; i++, at++) {
        const double *stats = score->stats[at];
        same_bits(c->logprob[i], stats[IT_STAT_LOGPROB], "log-prob", i);
        same_bits(c->entropy[i], stats[IT_STAT_ENTROPY], "entropy", i);
        same_bits(c->certainty[i], stats[IT_STAT_CERTAINTY], "certainty", i);
        same_bits(c->sum_p2[i], stats[IT_STAT_SUM_P2], "sum p^2", i);
        same_bits(c->margin[i], stats[IT_STAT_MARGIN], "margin", i);
    }
    return at;
}

/* A prompt once and its completions after it, as a trainer packs a group. */
static void add_group(struct score *score, const struct it_gen_request *request,
                      const struct it_completion *completion, int64_t n)
{
    int32_t last = add_segment(score, request->prompt, request->n_prompt, 0);
    last += (int32_t)request->n_prompt - 1;
    for (int64_t s = 0; s < n; s++) {
        const struct it_completion *c = &completion[s];
        int32_t first = add_segment(score, c->ids, c->n - 1, request->n_prompt);
        add_row(score, last, c->ids[0]);
        for (int32_t i = 1; i < c->n; i++) { add_row(score, first + i - 1, c->ids[i]); }
    }
}

/* ---- tests ---- */

static void check_recorded(struct it_gen_run run)
{
    struct it_completion completions[COMPLETIONS];
    struct score *score = open_score();
    ck_assert_int_eq(generate(&run, 5, completions), IT_OK);
    for (int64_t i = 0, at = 0; i < PROMPTS; at += samples[i++]) {
        clear_score(score);
        add_group(score, &requests[i], &completions[at], samples[i]);
        run_score(score, &run);
        int64_t row = 0;
        for (int64_t s = 0; s < samples[i]; s++) {
            ck_assert_int_eq(completions[at + s].n, 37);
            row = compare(score, &completions[at + s], row);
        }
        clear_score(score); /* and one alone */
        add_group(score, &requests[i], &completions[at], 1);
        run_score(score, &run);
        compare(score, &completions[at], 0);
    }
    free_all(completions);
    close_score(score);
}

START_TEST(recorded_is_trained)
{
    if (!open_net_of(it_arch_at((size_t)_i / PLACES), _i % PLACES)) { return; }
    check_recorded(make_run(1.0));
    struct it_gen_run run = make_run(0.7);
    run.sampling.logprob_temperature = 0.9;
    run.sampling.stat_temperature = 1.3;
    run.sampling.stat_vocab = 50;
    run.sampling.top_k = 20;
    run.sampling.top_p = 0.9;
    run.sampling.min_p = 0.01;
    check_recorded(run);
    close_net();
}
END_TEST

static void same_completion(const struct it_completion *a, const struct it_completion *b)
{
    size_t floats = (size_t)a->n * sizeof(float);
    ck_assert_int_eq(a->request, b->request);
    ck_assert_int_eq(a->sample, b->sample);
    ck_assert_int_eq(a->n, b->n);
    ck_assert_int_eq(a->finish, b->finish);
    ck_assert_mem_eq(a->ids, b->ids, (size_t)a->n * sizeof *a->ids);
    ck_assert_mem_eq(a->logprob, b->logprob, floats);
    ck_assert_mem_eq(a->entropy, b->entropy, floats);
    ck_assert_mem_eq(a->certainty, b->certainty, floats);
    ck_assert_mem_eq(a->sum_p2, b->sum_p2, floats);
    ck_assert_mem_eq(a->margin, b->margin, floats);
}

START_TEST(any_slots_same_completions)
{
    const int64_t slots[] = {3, 8, 13};
    struct it_completion one[COMPLETIONS], many[COMPLETIONS];
    if (!open_net(_i)) { return; }
    struct it_gen_run run = make_run(1.0);
    const int32_t stop[] = {3, 17};
    run.sampling.stop_ids = stop;
    run.sampling.n_stop_ids = 2;
    ck_assert_int_eq(generate(&run, 1, one), IT_OK);
    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++) {
        ck_assert_int_eq(generate(&run, slots[i], many), IT_OK);
        for (int c = 0; c < COMPLETIONS; c++) { same_completion(&one[c], &many[c]); }
        free_all(many);
    }
    run.sampling.seed++;
    ck_assert_int_eq(generate(&run, 8, many), IT_OK);
    int differ = 0;
    for (int c = 0; c < COMPLETIONS; c++) {
        int64_t n = one[c].n < many[c].n ? one[c].n : many[c].n;
        differ += memcmp(one[c].ids, many[c].ids, (size_t)n * sizeof(int32_t)) != 0;
    }
    ck_assert_int_gt(differ, 0);
    free_all(many);
    free_all(one);
    close_net();
}
END_TEST

/* Of all ids after the prompt and the first `n` new ones, the first of the most likely. */
static int32_t best_next(struct score *score, const struct it_gen_run *run,
                         const struct it_gen_request *request, const int32_t *ids, int64_t n)
{
    int32_t best = 0;
    clear_score(score);
    add_segment(score, request->prompt, request->n_prompt, 0);
    add_segment(score, ids, n, request->n_prompt);
    int32_t last = (int32_t)score->pack.n_tokens - 1;
    for (int32_t id = 0; id < VOCAB; id++) { add_row(score, last, id); }
    run_score(score, run);
    for (int32_t id = 1; id < VOCAB; id++) {
        if (score->stats[id][IT_STAT_LOGPROB] > score->stats[best][IT_STAT_LOGPROB]) { best = id; }
    }
    return best;
}

START_TEST(greedy_is_the_largest)
{
    struct it_completion completions[COMPLETIONS];
    if (!open_net(_i)) { return; }
    struct it_gen_run run = make_run(0);
    run.sampling.max_new_tokens = 9;
    struct score *score = open_score();
    ck_assert_int_eq(generate(&run, 8, completions), IT_OK);
    for (int c = 0; c < COMPLETIONS; c++) {
        const struct it_gen_request *request = &requests[completions[c].request];
        const int32_t *ids = completions[c].ids;
        ck_assert_int_eq(completions[c].n, 9);
        if (completions[c].sample > 0) { /* a greedy group is one answer */
            ck_assert_mem_eq(ids, completions[c - 1].ids, 9 * sizeof *ids);
            continue;
        }
        for (int64_t i = 0; i < 9; i++) {
            ck_assert_int_eq(ids[i], best_next(score, &run, request, ids, i));
        }
    }
    free_all(completions);
    close_score(score);
    close_net();
}
END_TEST

/* Stopped runs are the beginnings of unstopped ones. */
START_TEST(endings)
{
    struct it_completion whole[COMPLETIONS], ended[COMPLETIONS];
    if (!open_net(_i)) { return; }
    struct it_gen_run run = make_run(1.0);
    run.sampling.max_new_tokens = 1000;
    ck_assert_int_eq(generate(&run, 4, whole), IT_OK);
    const int32_t stop[] = {11, whole[0].ids[20]};
    run.sampling.stop_ids = stop;
    run.sampling.n_stop_ids = 2;
    ck_assert_int_eq(generate(&run, 4, ended), IT_OK);
    for (int c = 0; c < COMPLETIONS; c++) {
        int64_t room = MAX_LENGTH - lengths[whole[c].request], n = 0;
        ck_assert_int_eq(whole[c].n, room);
        ck_assert_int_eq(whole[c].finish, IT_FINISH_LENGTH);
        while (n < room && whole[c].ids[n] != stop[0] && whole[c].ids[n] != stop[1]) { n++; }
        ck_assert_int_eq(ended[c].finish, n < room ? IT_FINISH_STOP : IT_FINISH_LENGTH);
        ck_assert_int_eq(ended[c].n, n < room ? n + 1 : room);
        ck_assert_mem_eq(ended[c].ids, whole[c].ids, (size_t)ended[c].n * sizeof(int32_t));
    }
    ck_assert_int_eq(ended[0].finish, IT_FINISH_STOP);
    free_all(whole);
    free_all(ended);
    close_net();
}
END_TEST

static void interrupt_now(void *context, const struct it_completion *completion)
{
    (void)completion;
    ++*(int *)context;
    raise(SIGINT);
}

START_TEST(interruption)
{
    struct it_completion whole[COMPLETIONS], cut[COMPLETIONS];
    if (!open_net(0)) { return; }
    struct it_gen_run run = make_run(1.0);
    const int32_t stop = 9;
    int done = 0, finished = 0;
    run.sampling.stop_ids = &stop;
    run.sampling.n_stop_ids = 1;
    ck_assert_int_eq(generate(&run, 3, whole), IT_OK);
    it_interrupt_install();
    run.done = interrupt_now;
    run.context = &done;
    ck_assert_int_eq(generate(&run, 3, cut), IT_INTERRUPTED);
    for (int c = 0; c < COMPLETIONS; c++) {
        finished += cut[c].finish != IT_FINISH_INTERRUPTED;
        ck_assert_int_le(cut[c].n, whole[c].n);
        for (int64_t i = 0; i < cut[c].n; i++) { ck_assert_int_eq(cut[c].ids[i], whole[c].ids[i]); }
    }
    ck_assert_int_eq(done, 1);
    ck_assert_int_eq(finished, 1);
    free_all(whole);
    free_all(cut);
    close_net();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("generate");
    TCase *tests = tcase_create("generate");
    it_log_set_level(IT_LOG_ERROR);
    tcase_set_timeout(tests, 60);
    int n_archs = 0;
    while (it_arch_at((size_t)n_archs)) { n_archs++; }
    tcase_add_loop_test(tests, recorded_is_trained, 0, n_archs * PLACES);
    tcase_add_loop_test(tests, any_slots_same_completions, 0, PLACES);
    tcase_add_loop_test(tests, greedy_is_the_largest, 0, PLACES);
    tcase_add_loop_test(tests, endings, 0, PLACES);
    tcase_add_test(tests, interruption);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
