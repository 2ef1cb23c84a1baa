/* SPDX-License-Identifier: MIT */
/* Passes of a whole model: generation, training, scoring. What must be computed is counted as
 * 2 FLOP a weight of a matrix and token, three times that to train, attention at half because it is
 * causal; the head once for each prediction, recomputation never. What must be moved in a decode
 * step is every weight once, and the keys and values of what each sequence has seen. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/bench.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/rng.h"

/* Of --lengths: spread of the logarithm, completions a slot. */
static const double spread = 0.8;
enum { WAVES = 4 };

/* The longest for a mean: 3,072 tokens for 700, as long answers to MATH are. */
static int64_t longest_of(int64_t mean)
{
    return (mean * 3072 + 699) / 700;
}

/* ---- counting ---- */

/* Weights of matrices outside the head. */
static double body_weights(const struct it_model_config *c)
{
    double q = (double)(c->heads * c->head_dim), kv = (double)(c->kv_heads * c->head_dim);
    double h = (double)c->hidden, ff = (double)c->ff;
    return (double)c->layers * (h * (q + 2.0 * kv) + q * h + 3.0 * h * ff);
}

static double head_weights(const struct it_model_config *c)
{
    return (double)c->vocab * (double)c->hidden;
}

/* Of one query over `keys` keys, in all layers: scores and their sum. */
static double attention_flops(const struct it_model_config *c, double keys)
{
    return 4.0 * (double)(c->layers * c->heads * c->head_dim) * keys;
}

/* Sequences of n tokens, of which `predicted` have a prediction, forward. */
static double pass_flops(const struct it_model_config *c, double sequences, double n,
                         double predicted)
{
    return sequences * (2.0 * body_weights(c) * n + 2.0 * head_weights(c) * predicted +
                        0.5 * n * attention_flops(c, n));
}

static double kv_bytes(const struct it_net *net)
{
    const struct it_model_config *c = &net->config;
    return 2.0 * (double)(c->layers * c->kv_heads * c->head_dim) *
           (double)it_dtype_size(net->dtype);
}

/* ---- made-up sequences ---- */

static int32_t *random_ids(uint64_t seed, int64_t vocab, int64_t n)
{
    struct it_rng rng;
    int32_t *ids = it_calloc((size_t)n, sizeof *ids);
    it_rng_init(&rng, seed, 1);
    for (int64_t i = 0; i < n; i++) { ids[i] = (int32_t)it_rng_below(&rng, vocab); }
    return ids;
}

static void name_shape(struct it_bench_row *row, const struct it_bench_values *v, const char *note)
{
    snprintf(row->shape, sizeof row->shape, "%lld x (%lld + %lld) tokens%s", (long long)v->batch,
             (long long)v->prompt_tokens, (long long)v->new_tokens, note);
}

/* ---- generation ---- */

struct load {
    struct it_bench *bench;
    struct it_net *net;
    struct it_gen_request *request;
    struct it_completion *completion;
    int64_t n, longest; /* requests; new tokens of one */
    int32_t *ids;
    double prompt, made; /* tokens of a run */
    double *prefill_s, *decode_s;
};

/* Log-normal with the mean asked for, by the seed alone. */
static int64_t length_of(const struct it_bench_values *v, struct it_rng *rng)
{
    double mean = (double)v->new_tokens;
    if (!v->lengths) { return v->new_tokens; }
    double n = mean * exp(spread * it_rng_normal(rng) - 0.5 * spread * spread);
    int64_t longest = longest_of(v->new_tokens);
    return n < 1.0 ? 1 : n > (double)longest ? longest : (int64_t)rint(n);
}

static void load_open(struct it_bench *bench, struct it_net *net, struct load *load)
{
    const struct it_bench_values *v = bench->values;
    struct it_rng rng;
    *load = (struct load){.bench = bench, .net = net};
    load->n = v->lengths ? WAVES * v->batch : v->batch;
    load->request = it_calloc((size_t)load->n, sizeof *load->request);
    load->completion = it_calloc((size_t)load->n, sizeof *load->completion);
    load->ids = random_ids((uint64_t)v->common.seed, net->config.vocab, load->n * v->prompt_tokens);
    load->prefill_s = it_calloc((size_t)v->runs, sizeof *load->prefill_s);
    load->decode_s = it_calloc((size_t)v->runs, sizeof *load->decode_s);
    it_rng_init(&rng, (uint64_t)v->common.seed, 2);
    for (int64_t i = 0; i < load->n; i++) {
        int64_t length = length_of(v, &rng);
        load->request[i] = (struct it_gen_request){.prompt = load->ids + i * v->prompt_tokens,
                                                   .n_prompt = v->prompt_tokens, .n_samples = 1,
                                                   .max_new_tokens = length, .key = (uint64_t)i};
        load->made += (double)length;
        if (length > load->longest) { load->longest = length; }
    }
    load->prompt = (double)(load->n * (v->prompt_tokens - 1)); /* the last goes through decode */
}

static void load_close(struct load *load)
{
    it_free(load->request);
    it_free(load->completion);
    it_free(load->ids);
    it_free(load->prefill_s);
    it_free(load->decode_s);
}

/* Bytes of all decode steps as full as they can be: slots that wait for the longest sequence are
 * time lost, not work done. */
static double decode_bytes(const struct load *load)
{
    const struct it_bench_values *v = load->bench->values;
    const struct it_model_config *c = &load->net->config;
    double steps = ceil(load->made / (double)v->batch), keys = 0.0;
    double weights = (body_weights(c) + head_weights(c)) * (double)it_dtype_size(load->net->dtype);
    for (int64_t i = 0; i < load->n; i++) {
        double n = (double)load->request[i].max_new_tokens;
        keys += n * ((double)v->prompt_tokens + 0.5 * (n - 1.0));
    }
    return steps * weights + keys * kv_bytes(load->net);
}

static double decode_flops(const struct load *load)
{
    const struct it_bench_values *v = load->bench->values;
    const struct it_model_config *c = &load->net->config;
    double flops = load->made * 2.0 * (body_weights(c) + head_weights(c));
    for (int64_t i = 0; i < load->n; i++) {
        double n = (double)load->request[i].max_new_tokens;
        flops += n * attention_flops(c, (double)v->prompt_tokens + 0.5 * (n - 1.0));
    }
    return flops;
}

static enum it_status generate_once(struct load *load, struct it_generator *generator,
                                    int64_t most, struct it_gen_totals *totals_out)
{
    struct it_gen_run run = {
        .weights = &load->net->weights, .requests = load->request, .n_requests = load->n,
        .sampling = {.temperature = 1.0, .top_p = 1.0, .max_new_tokens = most,
                     .logprob_temperature = 1.0, .stat_temperature = 1.0,
                     .seed = (uint64_t)load->bench->values->common.seed},
    };
    enum it_status status = it_generator_run(generator, &run, load->completion, totals_out);
    if (status != IT_OK && status != IT_INTERRUPTED) { return status; }
    for (int64_t i = 0; i < load->n; i++) { it_completion_free(&load->completion[i]); }
    return status;
}

static void add_generation(struct load *load)
{
    struct it_bench *bench = load->bench;
    const struct it_bench_values *v = bench->values;
    const char *note = v->lengths ? ", log-normal" : "";
    struct it_bench_row prefill = it_bench_row(bench, "generate/prefill", load->net->dtype);
    struct it_bench_row decode = it_bench_row(bench, "generate/decode", load->net->dtype);
    double tokens = (double)(v->prompt_tokens - 1);
    name_shape(&prefill, v, note);
    name_shape(&decode, v, note);
    prefill.unit = decode.unit = "tok/s";
    prefill.time_s = it_bench_median(load->prefill_s, (size_t)v->runs);
    decode.time_s = it_bench_median(load->decode_s, (size_t)v->runs);
    prefill.flops = pass_flops(&load->net->config, (double)load->n, tokens, 0.0);
    decode.flops = decode_flops(load);
    decode.bytes = decode_bytes(load);
    decode.rate = load->made / decode.time_s;
    if (load->prompt > 0.0) {
        prefill.rate = load->prompt / prefill.time_s;
        it_bench_add(bench, &prefill);
    }
    it_bench_add(bench, &decode);
}

static enum it_status generate_runs(struct load *load, struct it_generator *generator)
{
    struct it_gen_totals totals;
    IT_TRY(generate_once(load, generator, load->longest < 4 ? load->longest : 4, &totals));
    for (int64_t i = 0; i < load->bench->values->runs; i++) {
        IT_TRY(generate_once(load, generator, load->longest, &totals));
        load->prefill_s[i] = totals.prefill_s;
        load->decode_s[i] = totals.decode_s;
    }
    add_generation(load);
    return IT_OK;
}

static enum it_status generate(struct it_bench *bench, struct it_net *net)
{
    struct load load;
    struct it_arena *arena = NULL;
    struct it_generator *generator = NULL;
    int64_t bytes = 0;
    load_open(bench, net, &load);
    struct it_generator_options options = {
        .slots = bench->values->batch, .max_length = bench->values->prompt_tokens + load.longest};
    enum it_status status = it_generator_plan(net, &options, &bytes);
    if (status == IT_OK) { status = it_arena_open(bench->device, "generation", bytes, &arena); }
    if (status == IT_OK) {
        status = it_generator_open(net, arena, &options, NULL, &generator);
    }
    if (status == IT_OK) { status = generate_runs(&load, generator); }
    it_generator_close(generator);
    it_arena_close(arena);
    load_close(&load);
    return status;
}

/* ---- training and scoring: one pack of sequences, each predicting its completion ---- */

struct pass {
    struct it_net *net;
    struct it_tape *tape;
    struct it_pack pack;
    struct it_head_options head;
    int32_t *ids, *positions, *segments, *rows, *targets;
    double *stats, *coefs;
    struct it_weights grads;
    struct it_optimizer *optimizer;
};

static void pack_open(const struct it_bench_values *v, struct it_net *net, struct pass *p)
{
    int64_t n = v->prompt_tokens + v->new_tokens, tokens = v->batch * n, row = 0;
    int64_t rows = v->batch * v->new_tokens;
    *p = (struct pass){.net = net, .head = {.temperature = 1.0, .stat_temperature = 1.0}};
    p->ids = random_ids((uint64_t)v->common.seed, net->config.vocab, tokens);
    p->positions = it_calloc((size_t)tokens, sizeof *p->positions);
    p->segments = it_calloc((size_t)v->batch * 5, sizeof *p->segments);
    p->rows = it_calloc((size_t)rows, sizeof *p->rows);
    p->targets = it_calloc((size_t)rows, sizeof *p->targets);
    p->stats = it_calloc((size_t)rows * IT_STAT_COUNT, sizeof *p->stats);
    p->coefs = it_calloc((size_t)rows * 3, sizeof *p->coefs);
    for (int64_t s = 0; s < v->batch; s++) {
        int32_t *segment = p->segments + 5 * s, first = (int32_t)(s * n);
        segment[0] = segment[4] = first;
        segment[1] = (int32_t)n;
        for (int64_t i = 0; i < n; i++) { p->positions[s * n + i] = (int32_t)i; }
        for (int64_t i = v->prompt_tokens; i < n; i++, row++) {
            p->rows[row] = first + (int32_t)i - 1;
            p->targets[row] = p->ids[s * n + i];
            p->coefs[3 * row] = -1.0 / (double)rows;
        }
    }
    p->pack = (struct it_pack){.n_tokens = tokens, .ids = p->ids, .positions = p->positions,
                               .n_segments = v->batch, .segments = p->segments,
                               .n_rows = rows, .rows = p->rows, .targets = p->targets};
}

static void pack_close(struct pass *p)
{
    it_free(p->ids);
    it_free(p->positions);
    it_free(p->segments);
    it_free(p->rows);
    it_free(p->targets);
    it_free(p->stats);
    it_free(p->coefs);
}

static enum it_status forward(void *context)
{
    struct pass *p = context;
    return it_tape_forward(p->tape, &p->net->weights, &p->pack, &p->head, p->stats);
}

static enum it_status forward_backward(void *context)
{
    struct pass *p = context;
    IT_TRY(forward(p));
    return it_tape_backward(p->tape, &p->net->weights, &p->pack, &p->head, p->coefs, &p->grads);
}

/* So small a rate that the weights stay where they are; the work is the same. */
static enum it_status optimize(void *context)
{
    struct pass *p = context;
    return it_optimizer_step(p->optimizer, &p->grads, 1e-30, 1.0);
}

static enum it_status bench_pass(struct it_bench *bench, struct pass *p, bool train)
{
    const struct it_bench_values *v = bench->values;
    struct it_bench_row row = it_bench_row(bench, train ? "train/pass" : "score", p->net->dtype);
    double n = (double)(v->prompt_tokens + v->new_tokens);
    name_shape(&row, v, "");
    IT_TRY(it_bench_time(bench, train ? forward_backward : forward, p, &row.time_s));
    row.flops = pass_flops(&p->net->config, (double)v->batch, n, (double)v->new_tokens);
    if (train) { row.flops *= 3.0; }
    row.unit = "tok/s";
    row.rate = (double)p->pack.n_tokens / row.time_s;
    it_bench_add(bench, &row);
    return IT_OK;
}

/* Masters and moments are read and written, gradients read: 28 bytes a parameter for f32 weights,
 * and for bf16 ones with their low halves. */
static enum it_status bench_optimizer(struct it_bench *bench, struct pass *p)
{
    struct it_bench_row row = it_bench_row(bench, "train/optimizer", p->net->dtype);
    double parameters = (double)it_net_parameters(p->net);
    snprintf(row.shape, sizeof row.shape, "%.0f parameters", parameters);
    IT_TRY(it_bench_time(bench, optimize, p, &row.time_s));
    row.bytes = 28.0 * parameters;
    row.unit = "GB/s";
    row.rate = 1e-9 * row.bytes / row.time_s;
    it_bench_add(bench, &row);
    return IT_OK;
}

static enum it_status tape_open(struct it_bench *bench, struct pass *p, bool train,
                                struct it_arena **arena_out)
{
    struct it_tape_options options = {.max_tokens = p->pack.n_tokens, .max_rows = p->pack.n_rows,
                                      .max_segments = p->pack.n_segments, .train = train};
    int64_t bytes = 0;
    IT_TRY(it_tape_plan(p->net, &options, &bytes));
    IT_TRY(it_arena_open(bench->device, "activations", bytes, arena_out));
    return it_tape_open(p->net, *arena_out, &options, &p->tape);
}

static enum it_status train(struct it_bench *bench, struct pass *p)
{
    struct it_adamw_options how = {.beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8};
    enum it_dtype dtype = it_dtype_accumulation(p->net->dtype);
    IT_TRY(it_weights_open(p->net, "gradients", dtype, NULL, &p->grads));
    enum it_status status = it_weights_fill(&p->grads, 0.0);
    if (status == IT_OK) { status = bench_pass(bench, p, true); }
    if (status == IT_OK) { status = it_optimizer_open(p->net, &how, &p->optimizer); }
    if (status == IT_OK) { status = bench_optimizer(bench, p); }
    it_optimizer_close(p->optimizer);
    it_weights_close(&p->grads);
    return status;
}

static enum it_status train_or_score(struct it_bench *bench, struct it_net *net, bool trains)
{
    struct it_arena *arena = NULL;
    struct pass p;
    pack_open(bench->values, net, &p);
    enum it_status status = tape_open(bench, &p, trains, &arena);
    if (status == IT_OK) { status = trains ? train(bench, &p) : bench_pass(bench, &p, false); }
    it_tape_close(p.tape);
    it_arena_close(arena);
    pack_close(&p);
    return status;
}

/* ---- the model ---- */

/* Before weights are made. */
static enum it_status check_length(const char *path, int64_t length)
{
    const struct it_arch *arch = NULL;
    struct it_model_config config = {0};
    enum it_dtype dtype;
    IT_TRY(it_config_read(path, &arch, &config, &dtype));
    int64_t most = config.max_positions;
    it_config_free(&config);
    if (length <= most) { return IT_OK; }
    return it_fail(IT_INVALID, "%s: sequences of %lld tokens, and the model has %lld positions",
                   path, (long long)length, (long long)most);
}

enum it_status it_bench_model(struct it_bench *bench, enum it_bench_what what)
{
    const struct it_bench_values *v = bench->values;
    struct it_model *model = NULL;
    bool longer = what == IT_BENCH_GENERATE && v->lengths;
    struct it_model_options options = {
        .device = bench->device, .dtype = it_cli_dtype(&v->common), .random = v->config != NULL,
        .positions = v->prompt_tokens + (longer ? longest_of(v->new_tokens) : v->new_tokens),
        .seed = (uint64_t)v->common.seed};
    const char *path = v->config ? v->config : v->model;
    IT_TRY(check_length(path, options.positions));
    IT_TRY(it_model_open(path, &options, &model));
    it_info("%s: %.1f M parameters, %s", path, 1e-6 * (double)it_net_parameters(model->net),
            it_dtype_name(model->net->dtype));
    enum it_status status = what == IT_BENCH_GENERATE
                                ? generate(bench, model->net)
                                : train_or_score(bench, model->net, what == IT_BENCH_TRAIN);
    it_model_close(model);
    return status;
}
