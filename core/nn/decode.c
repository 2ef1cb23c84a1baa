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
    struct it_tensor ids;                        /* i [slots]: read, then drawn */
    struct it_tensor plan;                       /* i: the four that follow, one upload a step */
    struct it_tensor positions, kv_rows, length; /* i [slots] */
    struct it_tensor keys;                       /* u [slots,6] */
    struct it_tensor table;                      /* i [slots, slot_pages] */
    struct it_tensor params, stats;              /* a [slots,4], a [slots,8] */
    struct it_tensor iota;                            /* i [slots]: 0, 1, 2, ... */
    struct it_tensor prompt_ids, prompt_positions, prompt_rows, segments;
    int64_t mark; /* activations begin here */
    struct bucket bucket[MAX_BUCKETS];
    int32_t *host;    /* staging of `plan` */
    int32_t *pages;   /* [slots, slot_pages] what the device has of the table ... */
    double *reals;    /* [slots, 4] ... of the params ... */
    double temps[2];  /* ... and of the head's options */
    void *scratch;    /* slots * IT_STAT_COUNT reals */
    bool ahead;       /* results are fetched, two steps may be under way */
    int64_t flight[2]; /* rows of the steps queued and not collected, the oldest first */
    int flights;
    int fetch; /* number of the next step's fetches, 0 or 1 */
};

/* Words of a piece of `plan`: views may begin there on every device. */
static int64_t piece_words(const struct it_decoder *d)
{
    enum { EVEN = 64 };
    return (d->options.slots + EVEN - 1) / EVEN * EVEN;
}
enum { KEY_WORDS = 6, PIECES = 3 + KEY_WORDS };

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
    IT_TRY(it_tensor1(d->arena, IT_I32, PIECES * piece_words(d), &d->plan));
    d->positions = it_rows(d->plan, 0, o->slots);
    d->kv_rows = it_rows(d->plan, piece_words(d), o->slots);
    d->length = it_rows(d->plan, 2 * piece_words(d), o->slots);
    d->keys = it_rows(d->plan, 3 * piece_words(d), KEY_WORDS * o->slots);
    d->keys.dtype = IT_U32;
    d->keys = it_reshape2(d->keys, o->slots, KEY_WORDS);
    IT_TRY(it_tensor2(d->arena, IT_I32, o->slots, o->slot_pages, &d->table));
    IT_TRY(it_tensor2(d->arena, a, o->slots, 4, &d->params));
    IT_TRY(it_tensor2(d->arena, a, o->slots, IT_STAT_COUNT, &d->stats));
    IT_TRY(it_tensor1(d->arena, IT_I32, o->slots, &d->iota));
    IT_TRY(it_tensor1(d->arena, IT_I32, o->prefill_tokens, &d->prompt_ids));
    IT_TRY(it_tensor1(d->arena, IT_I32, o->prefill_tokens, &d->prompt_positions));
    IT_TRY(it_tensor1(d->arena, IT_I32, o->prefill_tokens, &d->prompt_rows));
    IT_TRY(it_tensor2(d->arena, IT_I32, o->prefill_tokens, 5, &d->segments));
    IT_TRY(it_upload(d->ids, d->host)); /* zeros: ids of rows that nobody has are ids */
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
    d->host = it_calloc((size_t)(PIECES * piece_words(d)), sizeof *d->host);
    d->pages = it_calloc(slots * (size_t)options->slot_pages, sizeof *d->pages);
    memset(d->pages, 0xff, slots * (size_t)options->slot_pages * sizeof *d->pages);
    d->reals = it_calloc(slots * 4, sizeof *d->reals);
    d->reals[0] = d->temps[0] = -1.0; /* neither is what a step asks for: the first one uploads */
    int64_t fetched = options->slots * IT_STAT_COUNT * (int64_t)sizeof(float);
    d->ahead = !it_arena_is_measuring(arena) && it_device_fetches(net->device, fetched);
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
    it_free(d->pages);
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

/* Rows [first, last) of a host array whose rows are `width` long. */
static enum it_status put_rows(struct it_tensor t, const int32_t *values, int64_t width,
                               int64_t first, int64_t last)
{
    return it_upload(it_rows(t, first, last - first), values + first * width);
}

/* The ids that the host knows: the others are there. */
static enum it_status put_ids(struct it_decoder *d, const struct it_decode_step *step)
{
    for (int64_t first = 0, last; first < step->n; first = last + 1) {
        for (last = first; last < step->n && step->ids[last] >= 0;) { last++; }
        if (last > first) { IT_TRY(put_rows(d->ids, step->ids, 1, first, last)); }
    }
    return IT_OK;
}

/* The rows of page numbers that are new. */
static enum it_status put_table(struct it_decoder *d, const struct it_decode_step *step)
{
    int64_t width = d->options.slot_pages;
    size_t bytes = (size_t)width * sizeof *d->pages;
    for (int64_t first = 0, last; first < step->n; first = last + 1) {
        for (last = first; last < step->n; last++) {
            const int32_t *row = step->tables + last * width;
            if (memcmp(d->pages + last * width, row, bytes) == 0) { break; }
            memcpy(d->pages + last * width, row, bytes);
        }
        if (last > first) { IT_TRY(put_rows(d->table, step->tables, width, first, last)); }
    }
    return IT_OK;
}

/* Positions, cache rows, lengths and keys: rows from n on are nobody's. */
static enum it_status put_plan(struct it_decoder *d, const struct it_decode_step *step)
{
    int64_t each = piece_words(d);
    memset(d->host, 0, (size_t)(PIECES * each) * sizeof *d->host);
    for (int64_t i = 0; i < d->options.slots; i++) {
        bool used = i < step->n && step->kv_rows[i] >= 0;
        d->host[i] = used ? step->positions[i] : 0;
        d->host[each + i] = used ? step->kv_rows[i] : -1;
        d->host[2 * each + i] = used ? step->positions[i] + 1 : 0;
    }
    memcpy(d->host + 3 * each, step->keys, (size_t)(step->n * KEY_WORDS) * sizeof *d->host);
    return it_upload(d->plan, d->host);
}

/* Rows from n on are greedy, which is the least work. */
static enum it_status put_params(struct it_decoder *d, const struct it_decode_step *step)
{
    bool changed = false;
    for (int64_t i = 0; i < d->options.slots * 4; i++) {
        double value = i < step->n * 4 ? (double)step->params[i] : 0.0;
        changed = changed || d->reals[i] != value;
        d->reals[i] = value;
    }
    return changed ? it_put_reals(d->params, d->reals, d->scratch) : IT_OK;
}

static enum it_status put_step(struct it_decoder *d, const struct it_decode_step *step)
{
    const double temps[2] = {step->head.temperature, step->head.stat_temperature};
    IT_TRY(put_ids(d, step));
    IT_TRY(put_plan(d, step));
    IT_TRY(put_table(d, step));
    IT_TRY(put_params(d, step));
    if (memcmp(d->temps, temps, sizeof temps) == 0) { return IT_OK; }
    memcpy(d->temps, temps, sizeof temps);
    return it_head_set(&d->head, &step->head);
}

bool it_decoder_runs_ahead(const struct it_decoder *d)
{
    return d->ahead;
}

enum it_status it_decoder_submit(struct it_decoder *d, const struct it_weights *weights,
                                 const struct it_decode_step *step)
{
    assert(step->n > 0 && step->n <= d->options.slots);
    assert(d->flights < (d->ahead ? 2 : 1));
    int index = 0;
    int64_t rows = 1;
    while (rows < step->n) {
        rows *= 2;
        index++;
    }
    if (rows > d->options.slots) { rows = d->options.slots; }
    IT_TRY(put_step(d, step));
    IT_TRY(run_bucket(d, weights, index, rows, step->head.stat_vocab));
    if (d->ahead) {
        IT_TRY(it_fetch(it_rows(d->ids, 0, step->n), 2 * d->fetch));
        IT_TRY(it_fetch(it_rows(d->stats, 0, step->n), 2 * d->fetch + 1));
        d->fetch = 1 - d->fetch;
    }
    d->flight[d->flights++] = step->n;
    return IT_OK;
}

enum it_status it_decoder_collect(struct it_decoder *d, int32_t *ids_out, double *stats_out)
{
    assert(d->flights > 0);
    int64_t n = d->flight[0];
    int fetch = 2 * (d->flights == 2 ? d->fetch : 1 - d->fetch);
    struct it_tensor ids = it_rows(d->ids, 0, n), stats = it_rows(d->stats, 0, n);
    d->flight[0] = d->flight[1];
    d->flights--;
    if (!d->ahead) {
        IT_TRY(it_download(ids_out, ids));
        return it_get_reals(stats_out, stats, d->scratch);
    }
    float *reals = d->scratch; /* devices that fetch have no F64 */
    IT_TRY(it_fetch_take(ids_out, ids, fetch));
    IT_TRY(it_fetch_take(reals, stats, fetch + 1));
    for (int64_t i = 0; i < n * IT_STAT_COUNT; i++) { stats_out[i] = (double)reals[i]; }
    return IT_OK;
}

enum it_status it_decoder_step(struct it_decoder *d, const struct it_weights *weights,
                               const struct it_decode_step *step, int32_t *ids_out,
                               double *stats_out)
{
    IT_TRY(it_decoder_submit(d, weights, step));
    return it_decoder_collect(d, ids_out, stats_out);
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
