/* SPDX-License-Identifier: MIT */
/* The head forward and backward, beside its four products alone: logits, logits again, the
 * gradient of what came in and that of the weight. What the first takes longer is the price of the
 * statistics, of their gradients and of never holding the logits. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/bench.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/nn/head.h"

static const struct it_slot_row slots[] = {
    {IT_SLOT_EMBED, IT_DIM_VOCAB, IT_DIM_HIDDEN, 0},
    {IT_SLOT_FINAL_NORM, IT_DIM_HIDDEN, IT_DIM_ONE, IT_WEIGHT_NORM}};
static const struct it_step steps[] = {{IT_STEP_END, IT_SLOT_COUNT}};
/* A model that is all head. */
static const struct it_arch arch = {
    .model_type = "head", .class_name = "Head", .steps = steps, .slots = slots, .n_slots = 2};

struct bed {
    struct it_net *net;
    struct it_weights grads;
    struct it_arena *arena; /* of what follows */
    struct it_head head;
    struct it_tensor hidden, dhidden; /* x, a [rows, hidden] */
    struct it_tensor logits, dlogits; /* a, x [rows, vocab]: whole, for the bare products */
    struct it_pack pack;
    double *stats, *coefs;
    int32_t *ids;    /* rows, then targets */
    int64_t scratch; /* bytes of the head's tensors */
};

static const struct it_head_options head_options = {1.0, 1.0, 0};

static enum it_status bed_tensors(struct bed *bed, struct it_arena *arena)
{
    const struct it_model_config *c = &bed->net->config;
    enum it_dtype x = bed->net->dtype, a = it_dtype_accumulation(x);
    int64_t rows = bed->pack.n_rows, before = it_arena_mark(arena);
    const struct it_head_sizes sizes = {.use = IT_HEAD_TRAIN, .most = rows};
    it_head_close(&bed->head);
    IT_TRY(it_head_open(bed->net, arena, &sizes, &bed->head));
    bed->scratch = it_arena_mark(arena) - before;
    IT_TRY(it_tensor2(arena, x, rows, c->hidden, &bed->hidden));
    IT_TRY(it_tensor2(arena, a, rows, c->hidden, &bed->dhidden));
    IT_TRY(it_tensor2(arena, a, rows, c->vocab, &bed->logits));
    return it_tensor2(arena, x, rows, c->vocab, &bed->dlogits);
}

/* Numbers without a meaning: rows of the weight are the hidden states. */
static enum it_status bed_fill(struct bed *bed)
{
    int64_t rows = bed->pack.n_rows, vocab = bed->net->config.vocab;
    bed->ids = it_calloc((size_t)rows * 2, sizeof *bed->ids);
    bed->stats = it_calloc((size_t)rows * IT_STAT_COUNT, sizeof *bed->stats);
    bed->coefs = it_calloc((size_t)rows * 3, sizeof *bed->coefs);
    for (int64_t i = 0; i < rows; i++) {
        bed->ids[i] = (int32_t)i;
        bed->ids[rows + i] = (int32_t)(i * 97 % vocab);
        bed->coefs[i * 3] = 0.01;
    }
    bed->pack.rows = bed->ids;
    bed->pack.targets = bed->ids + rows;
    IT_TRY(it_weights_init(bed->net, &bed->net->weights, 1));
    IT_TRY(it_weights_fill(&bed->grads, 0.0));
    IT_TRY(it_fill(bed->dhidden, 0.0));
    IT_TRY(it_fill(bed->dlogits, 0.001));
    struct it_tensor weight = it_weight(&bed->net->weights, -1, IT_SLOT_EMBED);
    for (int64_t r = 0; r < rows; r += vocab) {
        int64_t n = rows - r < vocab ? rows - r : vocab;
        IT_TRY(it_copy(it_rows(bed->hidden, r, n), it_rows(weight, 0, n)));
    }
    return IT_OK;
}

static void bed_close(struct bed *bed)
{
    it_head_close(&bed->head);
    it_arena_close(bed->arena);
    it_weights_close(&bed->grads);
    it_net_close(bed->net);
    it_free(bed->ids);
    it_free(bed->stats);
    it_free(bed->coefs);
}

static enum it_status bed_open(const struct it_bench *bench, enum it_dtype dtype, int64_t vocab,
                               int64_t hidden, int64_t rows, struct bed *bed)
{
    struct it_model_config config = {.vocab = vocab,
                                     .hidden = hidden,
                                     .heads = 1,
                                     .kv_heads = 1,
                                     .head_dim = 2,
                                     .ff = 1,
                                     .max_positions = 1,
                                     .rms_eps = 1e-6,
                                     .rope_theta = 1e4,
                                     .init_range = 0.02,
                                     .tied = true};
    const struct it_net_options options = {.dtype = dtype, .positions = 1};
    struct it_arena *plan = NULL;
    enum it_status status;
    *bed = (struct bed){.pack.n_rows = rows};
    IT_TRY_GOTO(status, done, it_net_open(bench->device, &arch, &config, &options, &bed->net));
    IT_TRY_GOTO(
        status, done,
        it_weights_open(bed->net, "gradients", it_dtype_accumulation(dtype), NULL, &bed->grads));
    IT_TRY_GOTO(status, done, it_arena_measure(bench->device, "head", &plan));
    IT_TRY_GOTO(status, done, bed_tensors(bed, plan));
    IT_TRY_GOTO(status, done,
                it_arena_open(bench->device, "head", it_arena_peak(plan), &bed->arena));
    IT_TRY_GOTO(status, done, bed_tensors(bed, bed->arena));
    status = bed_fill(bed);
done:
    it_arena_close(plan);
    if (status != IT_OK) { bed_close(bed); }
    return status;
}

static enum it_status products(struct bed *bed)
{
    const struct it_tensor none = {0}, w = it_weight(&bed->net->weights, -1, IT_SLOT_EMBED);
    const struct it_tensor dw = it_weight(&bed->grads, -1, IT_SLOT_EMBED);
    const struct it_matmul_how forward = {.trans_b = true};
    for (int i = 0; i < 2; i++) { IT_TRY(it_matmul(bed->logits, bed->hidden, w, none, forward)); }
    IT_TRY(it_matmul(bed->dhidden, bed->dlogits, w, none, (struct it_matmul_how){0}));
    return it_matmul(dw, bed->dlogits, bed->hidden, none,
                     (struct it_matmul_how){.trans_a = true, .accumulate = true});
}

static enum it_status whole(struct bed *bed)
{
    IT_TRY(it_head_forward(&bed->head, &bed->net->weights, bed->hidden, &bed->pack, &head_options,
                           bed->stats));
    return it_head_backward(&bed->head, &bed->net->weights, bed->hidden, &bed->pack, &head_options,
                            bed->coefs, &bed->grads, bed->dhidden);
}

static enum it_status time_one(const struct it_bench *bench, enum it_status (*work)(struct bed *),
                               struct bed *bed, double *seconds_out)
{
    double start = it_now();
    if (it_interrupted()) { return IT_INTERRUPTED; }
    IT_TRY(work(bed));
    IT_TRY(it_device_finish(bench->device));
    *seconds_out = it_now() - start;
    return IT_OK;
}

/* In turns, so that whatever else the machine does meets both. */
static enum it_status time_both(const struct it_bench *bench, struct bed *bed, double medians[2])
{
    size_t n = (size_t)bench->values->runs;
    double *bare = it_calloc(n, sizeof *bare), *all = it_calloc(n, sizeof *all), unused;
    enum it_status status;
    IT_TRY_GOTO(status, done, time_one(bench, products, bed, &unused));
    IT_TRY_GOTO(status, done, time_one(bench, whole, bed, &unused));
    for (size_t i = 0; i < n; i++) {
        IT_TRY_GOTO(status, done, time_one(bench, products, bed, &bare[i]));
        IT_TRY_GOTO(status, done, time_one(bench, whole, bed, &all[i]));
    }
    medians[0] = it_bench_median(bare, n);
    medians[1] = it_bench_median(all, n);
done:
    it_free(bare);
    it_free(all);
    return status;
}

enum it_status it_bench_head(struct it_bench *bench, int64_t vocab, int64_t hidden)
{
    static const int64_t rows[] = {512, 1024};
    static const char *const names[] = {"head/products", "head/fwd+bwd"};
    enum it_dtype dtype = it_cli_dtype(&bench->values->common);
    if (dtype == IT_NONE) { dtype = IT_BF16; }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bed bed;
        double seconds[2];
        IT_TRY(bed_open(bench, dtype, vocab, hidden, rows[i], &bed));
        enum it_status status = time_both(bench, &bed, seconds);
        double scratch = 1e-6 * (double)bed.scratch;
        bed_close(&bed);
        IT_TRY(status);
        for (int k = 0; k < 2; k++) {
            struct it_bench_row row = it_bench_row(bench, names[k], dtype);
            snprintf(row.shape, sizeof row.shape, "t=%lld v=%lld n=%lld", (long long)rows[i],
                     (long long)vocab, (long long)hidden);
            row.time_s = seconds[k];
            row.flops = 8.0 * (double)rows[i] * (double)vocab * (double)hidden;
            row.unit = "GFLOP/s";
            row.rate = 1e-9 * row.flops / row.time_s;
            it_bench_add(bench, &row);
        }
        it_info("head, %lld rows: %.3f times its products, %.1f MB of scratch", (long long)rows[i],
                seconds[1] / seconds[0], scratch);
    }
    return IT_OK;
}
