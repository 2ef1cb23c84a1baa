/* SPDX-License-Identifier: MIT */
/* The head over tiles of the vocabulary: the same bits as whole rows of logits, however rows and
 * columns are cut; gradients against central differences; its memory. */
#include "core/nn/head.h"
#include "tests/box.h"

enum { V = 2 * IT_STATS_TILE + 123, HIDDEN = 16, TOKENS = 7, N = 5, COUNTED = V - 60 };

static const struct {
    const char *device;
    enum it_dtype dtype;
} ways[] = {{"reference", IT_F32}, {"reference", IT_BF16}, {"cpu", IT_F32}, {"cpu", IT_BF16}};

static const struct it_slot_row slots[] = {
    {IT_SLOT_EMBED, IT_DIM_VOCAB, IT_DIM_HIDDEN, 0},
    {IT_SLOT_FINAL_NORM, IT_DIM_HIDDEN, IT_DIM_ONE, IT_WEIGHT_NORM}};
static const struct it_step steps[] = {{IT_STEP_END, IT_SLOT_COUNT}};
static const struct it_arch arch = {
    .model_type = "head", .class_name = "Head", .steps = steps, .slots = slots, .n_slots = 2};

static const struct it_head_options options = {0.9, 1.2, COUNTED};
/* A row twice, one that is not asked for; targets of every tile, one that does not count, one that
 * is none. */
static const int32_t rows[N] = {0, 6, 2, 2, 5}, targets[N] = {3, IT_STATS_TILE, V - 1, -1, V - 200};
static const struct it_pack pack = {.n_rows = N, .rows = rows, .targets = targets};

static struct it_net *net;
static double coefs[N * 3];

static void begin_net(const char *device, enum it_dtype dtype, int64_t vocab, int64_t hidden,
                      bool measure)
{
    const struct it_model_config config = {.vocab = vocab,
                                           .hidden = hidden,
                                           .heads = 1,
                                           .kv_heads = 1,
                                           .head_dim = 2,
                                           .ff = 1,
                                           .max_positions = 1,
                                           .rms_eps = 1e-6,
                                           .rope_theta = 1e4,
                                           .init_range = 0.7,
                                           .tied = true};
    const struct it_net_options net_options = {.dtype = dtype, .positions = 1, .measure = measure};
    if (device) { box_open(device); }
    ck_ok(it_net_open(box_device, &arch, &config, &net_options, &net));
    if (!measure) { ck_ok(it_weights_init(net, &net->weights, 5)); }
    for (int i = 0; i < N * 3; i++) { coefs[i] = it_rng_normal(&box_rng); }
}

static void end_net(void)
{
    it_net_close(net);
    box_close();
}

/* What comes out of one way of cutting. */
struct outcome {
    double stats[N][IT_STAT_COUNT];
    struct it_tensor dhidden, dweight, dnorm;
};

static struct outcome run_head(struct it_tensor hidden, int64_t chunk, int64_t columns)
{
    enum it_dtype a = it_dtype_accumulation(net->dtype);
    const struct it_head_sizes sizes = {IT_HEAD_TRAIN, N, chunk, columns};
    struct outcome o = {.dhidden = box_zeros(a, TOKENS, HIDDEN)};
    struct it_weights grads;
    struct it_head head;
    ck_ok(it_weights_open(net, "gradients", a, box_arena, &grads));
    ck_ok(it_weights_fill(&grads, 0.25));
    ck_ok(it_head_open(net, box_arena, &sizes, &head));
    ck_ok(it_head_forward(&head, &net->weights, hidden, &pack, &options, o.stats[0]));
    ck_ok(
        it_head_backward(&head, &net->weights, hidden, &pack, &options, coefs, &grads, o.dhidden));
    o.dweight = it_weight(&grads, -1, IT_SLOT_EMBED);
    o.dnorm = it_weight(&grads, -1, IT_SLOT_FINAL_NORM);
    it_head_close(&head);
    it_weights_close(&grads);
    return o;
}

START_TEST(cuts_do_not_show)
{
    begin_net(ways[_i].device, ways[_i].dtype, V, HIDDEN, false);
    struct it_tensor hidden = box_random(net->dtype, TOKENS, HIDDEN, 1);
    struct outcome whole = run_head(hidden, N, V), tiles = run_head(hidden, N, IT_STATS_TILE);
    struct outcome wide = run_head(hidden, N, 2 * IT_STATS_TILE);
    struct outcome few = run_head(hidden, 2, IT_STATS_TILE), free = run_head(hidden, 0, 0);
    const struct outcome *const others[] = {&tiles, &wide, &few, &free};
    for (int i = 0; i < 4; i++) {
        ck_assert(memcmp(others[i]->stats, whole.stats, sizeof whole.stats) == 0);
        ck_assert(box_same(others[i]->dhidden, whole.dhidden));
        if (others[i] != &few) { ck_assert(box_same(others[i]->dweight, whole.dweight)); }
        ck_assert(box_distance(others[i]->dweight, whole.dweight) < 1e-6);
        ck_assert(box_distance(others[i]->dnorm, whole.dnorm) < 1e-6);
    }
    end_net();
}
END_TEST

/* What the sampler computes from whole rows is what the trainer computes from tiles. */
START_TEST(the_decoder_agrees)
{
    begin_net(ways[_i].device, ways[_i].dtype, V, HIDDEN, false);
    const struct it_head_sizes sizes = {.use = IT_HEAD_DECODE, .most = N};
    struct it_tensor hidden = box_random(net->dtype, TOKENS, HIDDEN, 1);
    struct outcome tiles = run_head(hidden, 0, IT_STATS_TILE);
    struct it_head head;
    struct it_tensor stats = box_new(IT_F32, N, IT_STAT_COUNT), ids;
    ck_ok(it_head_open(net, box_arena, &sizes, &head));
    ck_ok(it_head_set(&head, &options));
    ck_ok(it_upload(it_rows(head.index, 0, N), rows));
    ck_ok(it_tensor1(box_arena, IT_I32, N, &ids));
    ck_ok(it_upload(ids, targets));
    ck_ok(it_head_logits(&head, &net->weights, hidden, N));
    ck_ok(it_token_stats(stats, it_rows(head.logits, 0, N), ids, head.temps, COUNTED));
    double *got = box_get(stats);
    ck_assert(memcmp(got, tiles.stats, sizeof tiles.stats) == 0);
    free(got);
    it_head_close(&head);
    end_net();
}
END_TEST

static double loss_at(struct it_head *head, struct it_tensor hidden)
{
    double stats[N][IT_STAT_COUNT], loss = 0;
    ck_ok(it_head_forward(head, &net->weights, hidden, &pack, &options, stats[0]));
    for (int i = 0; i < N * 3; i++) { loss += coefs[i] * stats[i / 3][i % 3]; }
    return loss;
}

/* Every `each`-th element of t, which the loss depends on; `before`: what the sum began with. */
static void check_slopes(struct it_head *head, struct it_tensor hidden, struct it_tensor t,
                         struct it_tensor gradient, double before, int64_t each)
{
    const double step = 1e-5;
    double *x = box_get(t), *said = box_get(gradient);
    for (int64_t i = 0; i < it_tensor_count(&t); i += each) {
        double kept = x[i];
        x[i] = kept + step;
        box_set(t, x);
        double above = loss_at(head, hidden);
        x[i] = kept - step;
        box_set(t, x);
        double below = loss_at(head, hidden), want = (above - below) / (2 * step);
        x[i] = kept;
        box_set(t, x);
        ck_assert_msg(fabs(said[i] - before - want) <= 1e-6 * (1 + fabs(want)),
                      "element %d: gradient %.9g, difference quotient %.9g", (int)i,
                      said[i] - before, want);
    }
    free(x);
    free(said);
}

START_TEST(gradients_are_slopes)
{
    begin_net("reference", IT_F64, V, HIDDEN, false);
    const struct it_head_sizes sizes = {IT_HEAD_SCORE, N, 2, IT_STATS_TILE};
    struct it_tensor hidden = box_random(IT_F64, TOKENS, HIDDEN, 1);
    struct outcome o = run_head(hidden, 2, IT_STATS_TILE);
    struct it_head head;
    ck_ok(it_head_open(net, box_arena, &sizes, &head));
    check_slopes(&head, hidden, hidden, o.dhidden, 0, 3);
    check_slopes(&head, hidden, it_weight(&net->weights, -1, IT_SLOT_FINAL_NORM), o.dnorm, 0.25, 3);
    check_slopes(&head, hidden, it_weight(&net->weights, -1, IT_SLOT_EMBED), o.dweight, 0.25, 4001);
    it_head_close(&head);
    end_net();
}
END_TEST

/* Under 64 MB at any size, as chosen. */
START_TEST(memory_is_bounded)
{
    static const enum it_dtype dtypes[] = {IT_F32, IT_BF16, IT_F64};
    static const int64_t vocabs[] = {2, 300, IT_STATS_TILE, 32000, 151936, 1 << 20};
    static const int64_t widths[] = {2, 896, 1536, 8192, 16384};
    static const int64_t most[] = {0, 1, 7, 64, 512, 1025, 30000};
    static const enum it_head_use uses[] = {IT_HEAD_SCORE, IT_HEAD_TRAIN};
    box_open("reference");
    for (int way = 0; way < 3 * 6 * 5; way++) {
        int64_t vocab = vocabs[way % 6], hidden = widths[way / 6 % 5];
        begin_net(NULL, dtypes[way / 30], vocab, hidden, true);
        for (int i = 0; i < 7 * 2; i++) {
            const struct it_head_sizes sizes = {.use = uses[i % 2], .most = most[i / 2]};
            struct it_arena *arena;
            struct it_head head;
            ck_ok(it_arena_measure(box_device, "head", &arena));
            ck_ok(it_head_open(net, arena, &sizes, &head));
            ck_assert_int_gt(head.rows, 0);
            ck_assert_int_ge(head.elements / head.rows,
                             vocab < IT_STATS_TILE ? vocab : IT_STATS_TILE);
            ck_assert_int_lt(it_arena_peak(arena), 64000000);
            it_head_close(&head);
            it_arena_close(arena);
        }
        it_net_close(net);
    }
    box_close();
}
END_TEST

int main(void)
{
    enum { WAYS = sizeof ways / sizeof *ways };
    Suite *suite = suite_create("head");
    TCase *tests = tcase_create("head");
    tcase_add_loop_test(tests, cuts_do_not_show, 0, WAYS);
    tcase_add_loop_test(tests, the_decoder_agrees, 0, WAYS);
    tcase_add_test(tests, gradients_are_slopes);
    tcase_add_test(tests, memory_is_bounded);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
