/* SPDX-License-Identifier: MIT */
/* Generation: prompts fill the paged cache, then one token a step for many sequences. A step is
 * recorded once a bucket (a power of two of sequences) and replayed: everything that changes
 * between steps is a tensor. The logits, the draw and the statistics go through the very ops that
 * training uses, row by row, so that the numbers are the same to the bit where the device is
 * exact. */
#include <assert.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/nn/internal.h"

enum { MAX_BUCKETS = 24 };

struct bucket {
    struct it_graph *graph;
    const struct it_weights *weights; /* a graph belongs to one set */
    int64_t stat_vocab;
};

struct it_decoder {
    struct it_net *net;
    struct it_arena *arena;
    struct it_decoder_options options;
    struct it_tensor *kc, *vc; /* [layers] of [pages*page, kv_heads*head_dim] */
    struct it_head head;
    struct it_tensor ids, positions, kv_rows, length; /* i [slots] */
    struct it_tensor table;                           /* i [slots, slot_pages] */
    struct it_tensor params, keys, stats;             /* a [slots,4], u [slots,6], a [slots,8] */
    struct it_tensor iota;                            /* i [slots]: 0, 1, 2, ... */
    struct it_tensor prompt_ids, prompt_positions, prompt_rows, segments;
    int64_t mark; /* activations begin here */
    struct bucket bucket[MAX_BUCKETS];
    int32_t *host; /* staging of one step's integers, slots * (4 + slot_pages) and reals behind */
    double *reals; /* slots * IT_STAT_COUNT */
    void *scratch;
    uint32_t *host_keys;
};

static enum it_status cache_tensors(struct it_decoder *d)
{
    const struct it_net *net = d->net;
    int64_t rows = d->options.pages * d->options.page;
    int64_t width = it_dim_size(&net->config, IT_DIM_KV);
    for (int64_t l = 0; l < net->config.layers; l++) {
        IT_TRY(it_tensor2(d->arena, net->dtype, rows, width, &d->kc[l]));
        IT_TRY(it_tensor2(d->arena, net->dtype, rows, width, &d->vc[l]));
    }
    return IT_OK;
}

static enum it_status step_tensors(struct it_decoder *d)
{
    const struct it_decoder_options *o = &d->options;
    enum it_dtype a = it_dtype_accumulation(d->net->dtype);
    IT_TRY(it_tensor1(d->arena, IT_I32, o->slots, &d->ids));
    IT_TRY(it_tensor1(d->arena, IT_I32, o->slots, &d->positions));
    IT_TRY(it_tensor1(d->arena, IT_I32, o->slots, &d->kv_rows));
    IT_TRY(it_tensor1(d->arena, IT_I32, o->slots, &d->length));
    IT_TRY(it_tensor2(d->arena, IT_I32, o->slots, o->slot_pages, &d->table));
    IT_TRY(it_tensor2(d->arena, a, o->slots, 4, &d->params));
    IT_TRY(it_tensor2(d->arena, IT_U32, o->slots, 6, &d->keys));
    IT_TRY(it_tensor2(d->arena, a, o->slots, IT_STAT_COUNT, &d->stats));
    IT_TRY(it_tensor1(d->arena, IT_I32, o->slots, &d->iota));
    IT_TRY(it_tensor1(d->arena, IT_I32, o->prefill_tokens, &d->prompt_ids));
    IT_TRY(it_tensor1(d->arena, IT_I32, o->prefill_tokens, &d->prompt_positions));
    IT_TRY(it_tensor1(d->arena, IT_I32, o->prefill_tokens, &d->prompt_rows));
    IT_TRY(it_tensor2(d->arena, IT_I32, o->prefill_tokens, 5, &d->segments));
    for (int64_t i = 0; i < o->slots; i++) { d->host[i] = (int32_t)i; }
    return it_upload(d->iota, d->host);
}

enum it_status it_decoder_open(struct it_net *net, struct it_arena *arena,
                               const struct it_decoder_options *options,
                               struct it_decoder **decoder_out)
{
    size_t slots = (size_t)options->slots;
    struct it_decoder *d = it_calloc(1, sizeof *d);
    d->net = net;
    d->arena = arena;
    d->options = *options;
    d->kc = it_calloc((size_t)net->config.layers, sizeof *d->kc);
    d->vc = it_calloc((size_t)net->config.layers, sizeof *d->vc);
    d->host = it_calloc(slots * (size_t)options->slot_pages + slots, sizeof *d->host);
    d->host_keys = it_calloc(slots * 6, sizeof *d->host_keys);
    d->reals = it_calloc(slots * IT_STAT_COUNT, sizeof *d->reals);
    d->scratch = it_calloc(slots * IT_STAT_COUNT, sizeof(double));
    const struct it_head_sizes head = {.use = IT_HEAD_DECODE, .most = options->slots};
    enum it_status status;
    IT_TRY_GOTO(status, fail, cache_tensors(d));
    IT_TRY_GOTO(status, fail, step_tensors(d));
    IT_TRY_GOTO(status, fail, it_head_open(net, arena, &head, &d->head));
    d->mark = it_arena_mark(arena);
    *decoder_out = d;
    return IT_OK;
fail:
    it_decoder_close(d);
    return status;
}

void it_decoder_close(struct it_decoder *d)
{
    if (!d) { return; }
    for (int b = 0; b < MAX_BUCKETS; b++) { it_graph_close(d->bucket[b].graph); }
    it_head_close(&d->head);
    it_free(d->kc);
    it_free(d->vc);
    it_free(d->host);
    it_free(d->host_keys);
    it_free(d->reals);
    it_free(d->scratch);
    it_free(d);
}

const struct it_decoder_options *it_decoder_limits(const struct it_decoder *d)
{
    return &d->options;
}

static struct it_pass new_pass(const struct it_decoder *d, const struct it_weights *weights,
                               enum it_pass_mode mode, int64_t tokens)
{
    return (struct it_pass){.net = d->net,
                            .weights = weights,
                            .arena = d->arena,
                            .mode = mode,
                            .tokens = tokens,
                            .kc = d->kc,
                            .vc = d->vc,
                            .page = d->options.page};
}

static enum it_status walk(struct it_pass *pass, struct it_tensor *hidden_out)
{
    struct it_tensor x;
    IT_TRY(it_pass_embed(pass, &x));
    for (pass->layer = 0; pass->layer < pass->net->config.layers; pass->layer++) {
        int64_t mark = it_arena_mark(pass->arena);
        IT_TRY(it_pass_block(pass, x, NULL, &x));
        it_arena_reset(pass->arena, mark);
    }
    *hidden_out = x;
    return IT_OK;
}

enum it_status it_decoder_prefill(struct it_decoder *d, const struct it_weights *weights,
                                  const struct it_pack *pack, const int32_t *kv_rows)
{
    assert(pack->n_tokens <= d->options.prefill_tokens);
    struct it_pass pass = new_pass(d, weights, IT_PASS_PREFILL, pack->n_tokens);
    struct it_tensor hidden;
    it_arena_reset(d->arena, d->mark);
    pass.ids = it_rows(d->prompt_ids, 0, pack->n_tokens);
    pass.positions = it_rows(d->prompt_positions, 0, pack->n_tokens);
    pass.kv_rows = it_rows(d->prompt_rows, 0, pack->n_tokens);
    pass.segments = it_rows(d->segments, 0, pack->n_segments);
    IT_TRY(it_upload(pass.ids, pack->ids));
    IT_TRY(it_upload(pass.positions, pack->positions));
    IT_TRY(it_upload(pass.kv_rows, kv_rows));
    IT_TRY(it_upload(pass.segments, pack->segments));
    return walk(&pass, &hidden);
}

static enum it_status copy_chunk(struct it_decoder *d, int64_t n, const int32_t *from,
                                 const int32_t *to)
{
    struct it_tensor source = it_rows(d->prompt_ids, 0, n), target = it_rows(d->prompt_rows, 0, n);
    int64_t width = it_dim_size(&d->net->config, IT_DIM_KV);
    it_arena_reset(d->arena, d->mark);
    struct it_tensor k, v;
    IT_TRY(it_tensor2(d->arena, d->net->dtype, n, width, &k));
    IT_TRY(it_tensor2(d->arena, d->net->dtype, n, width, &v));
    IT_TRY(it_upload(source, from));
    IT_TRY(it_upload(target, to));
    for (int64_t l = 0; l < d->net->config.layers; l++) {
        IT_TRY(it_gather_rows(k, d->kc[l], source));
        IT_TRY(it_gather_rows(v, d->vc[l], source));
        IT_TRY(it_kv_write(d->kc[l], d->vc[l], k, v, target));
    }
    return IT_OK;
}

enum it_status it_decoder_copy(struct it_decoder *d, int64_t n, const int32_t *from,
                               const int32_t *to)
{
    int64_t most = d->options.prefill_tokens;
    for (int64_t first = 0; first < n; first += most) {
        int64_t count = n - first < most ? n - first : most;
        IT_TRY(copy_chunk(d, count, from + first, to + first));
    }
    return IT_OK;
}

/* The recorded part: rows [0, rows) of the step's tensors to ids and stats. */
static enum it_status step_body(struct it_decoder *d, const struct it_weights *weights,
                                int64_t rows, int64_t stat_vocab)
{
    struct it_pass pass = new_pass(d, weights, IT_PASS_DECODE, rows);
    struct it_tensor hidden;
    it_arena_reset(d->arena, d->mark);
    pass.ids = it_rows(d->ids, 0, rows);
    pass.positions = it_rows(d->positions, 0, rows);
    pass.kv_rows = it_rows(d->kv_rows, 0, rows);
    pass.table = it_rows(d->table, 0, rows);
    pass.length = it_rows(d->length, 0, rows);
    IT_TRY(walk(&pass, &hidden));
    struct it_head head = d->head;
    for (int64_t first = 0; first < rows; first += head.rows) {
        int64_t n = rows - first < head.rows ? rows - first : head.rows;
        struct it_tensor logits = it_rows(head.logits, 0, n), ids = it_rows(d->ids, first, n);
        head.index = it_rows(d->iota, first, n);
        IT_TRY(it_head_logits(&head, weights, hidden, n));
        IT_TRY(it_sample(ids, logits, it_rows(d->params, first, n), it_rows(d->keys, first, n)));
        IT_TRY(it_token_stats(it_rows(d->stats, first, n), logits, ids, head.temps, stat_vocab));
    }
    return IT_OK;
}

static enum it_status run_bucket(struct it_decoder *d, const struct it_weights *weights, int index,
                                 int64_t rows, int64_t stat_vocab)
{
    struct bucket *b = &d->bucket[index];
    if (it_arena_is_measuring(d->arena)) { return step_body(d, weights, rows, stat_vocab); }
    if (b->graph && b->weights == weights && b->stat_vocab == stat_vocab) {
        return it_graph_replay(b->graph);
    }
    it_graph_close(b->graph);
    *b = (struct bucket){.weights = weights, .stat_vocab = stat_vocab};
    IT_TRY(it_record_begin(d->net->device));
    enum it_status status = step_body(d, weights, rows, stat_vocab);
    enum it_status ended = it_record_end(d->net->device, &b->graph);
    return status != IT_OK ? status : ended;
}

/* Integers of a step into a device tensor of `rows` rows, the rows past n filled with `pad`. */
static enum it_status put_ints(struct it_decoder *d, struct it_tensor t, const int32_t *values,
                               int64_t n, int64_t width, int64_t rows, int32_t pad)
{
    memcpy(d->host, values, (size_t)(n * width) * sizeof *d->host);
    for (int64_t i = n * width; i < rows * width; i++) { d->host[i] = pad; }
    return it_upload(it_rows(t, 0, rows), d->host);
}

static enum it_status put_step(struct it_decoder *d, const struct it_decode_step *step,
                               int64_t rows)
{
    int64_t n = step->n;
    IT_TRY(put_ints(d, d->ids, step->ids, n, 1, rows, 0));
    IT_TRY(put_ints(d, d->positions, step->positions, n, 1, rows, 0));
    IT_TRY(put_ints(d, d->kv_rows, step->kv_rows, n, 1, rows, -1));
    IT_TRY(put_ints(d, d->table, step->tables, n, d->options.slot_pages, rows, 0));
    for (int64_t i = 0; i < rows; i++) { d->host[i] = i < n ? step->positions[i] + 1 : 0; }
    IT_TRY(it_upload(it_rows(d->length, 0, rows), d->host));
    memset(d->reals, 0, (size_t)rows * 4 * sizeof *d->reals); /* padding rows: greedy */
    for (int64_t i = 0; i < n * 4; i++) { d->reals[i] = (double)step->params[i]; }
    IT_TRY(it_put_reals(it_rows(d->params, 0, rows), d->reals, d->scratch));
    memset(d->host_keys, 0, (size_t)rows * 6 * sizeof *d->host_keys);
    memcpy(d->host_keys, step->keys, (size_t)n * 6 * sizeof *d->host_keys);
    IT_TRY(it_upload(it_rows(d->keys, 0, rows), d->host_keys));
    return it_head_set(&d->head, &step->head);
}

enum it_status it_decoder_step(struct it_decoder *d, const struct it_weights *weights,
                               const struct it_decode_step *step, int32_t *ids_out,
                               double *stats_out)
{
    assert(step->n > 0 && step->n <= d->options.slots);
    int index = 0;
    int64_t rows = 1;
    while (rows < step->n) {
        rows *= 2;
        index++;
    }
    if (rows > d->options.slots) { rows = d->options.slots; }
    IT_TRY(put_step(d, step, rows));
    IT_TRY(run_bucket(d, weights, index, rows, step->head.stat_vocab));
    IT_TRY(it_download(ids_out, it_rows(d->ids, 0, step->n)));
    return it_get_reals(stats_out, it_rows(d->stats, 0, step->n), d->scratch);
}

/* The largest prefill and the largest step over views without memory. */
static enum it_status plan_walk(struct it_decoder *d)
{
    int64_t n = d->options.slots, tokens = d->options.prefill_tokens;
    int64_t most = n * d->options.slot_pages + tokens * 5 + n * 6;
    int32_t *zeros = it_calloc((size_t)most, sizeof *zeros);
    double *stats = it_calloc((size_t)n * IT_STAT_COUNT, sizeof *stats);
    struct it_pack pack = {
        .n_tokens = tokens, .ids = zeros, .positions = zeros, .n_segments = 1, .segments = zeros};
    struct it_decode_step step = {.n = n,
                                  .ids = zeros,
                                  .positions = zeros,
                                  .kv_rows = zeros,
                                  .tables = zeros,
                                  .keys = (const uint32_t *)zeros,
                                  .head = {1.0, 1.0, 0}};
    step.params = it_calloc((size_t)n * 4, sizeof *step.params);
    enum it_status status = it_decoder_prefill(d, &d->net->weights, &pack, zeros);
    if (status == IT_OK) { status = it_decoder_copy(d, tokens, zeros, zeros); }
    int32_t *ids = it_calloc((size_t)n, sizeof *ids);
    if (status == IT_OK) { status = it_decoder_step(d, &d->net->weights, &step, ids, stats); }
    it_free(ids);
    it_free((void *)(uintptr_t)step.params);
    it_free(stats);
    it_free(zeros);
    return status;
}

enum it_status it_decoder_plan(struct it_net *net, const struct it_decoder_options *options,
                               int64_t *bytes_out)
{
    struct it_arena *arena;
    struct it_decoder *decoder = NULL;
    IT_TRY(it_arena_measure(net->device, "generation plan", &arena));
    enum it_status status = it_decoder_open(net, arena, options, &decoder);
    if (status == IT_OK) { status = plan_walk(decoder); }
    if (status == IT_OK) { *bytes_out = it_arena_peak(arena); }
    it_decoder_close(decoder);
    it_arena_close(arena);
    return status;
}
