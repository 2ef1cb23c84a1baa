/* SPDX-License-Identifier: MIT */
/* The head: chunks of rows, and in them tiles of the vocabulary. */
#include <string.h>

#include "core/base/mem.h"
#include "core/nn/internal.h"

static const struct it_tensor absent;

enum it_status it_put_reals(struct it_tensor t, const double *values, void *scratch)
{
    int64_t n = it_tensor_count(&t);
    if (t.dtype == IT_F64) { return it_upload(t, values); }
    float *narrow = scratch;
    for (int64_t i = 0; i < n; i++) { narrow[i] = (float)values[i]; }
    return it_upload(t, narrow);
}

enum it_status it_get_reals(double *values_out, struct it_tensor t, void *scratch)
{
    int64_t n = it_tensor_count(&t);
    if (t.dtype == IT_F64) { return it_download(values_out, t); }
    float *narrow = scratch;
    memset(narrow, 0, (size_t)n * sizeof *narrow); /* a measuring tensor downloads nothing */
    IT_TRY(it_download(narrow, t));
    for (int64_t i = 0; i < n; i++) { values_out[i] = narrow[i]; }
    return IT_OK;
}

/* ---- memory ---- */

enum { MOST_ROWS = 1024, SCRATCH_BYTES = 56 << 20, WHOLE_BYTES = 64 << 20, LEAST_WHOLE = 16 };

static int64_t within(int64_t n, int64_t least, int64_t most)
{
    int64_t x = n < most ? n : most;
    return x > least ? x : least;
}

/* Rows of a chunk and elements of a tile. A product of few rows waits for the weight, one of many
 * columns gains nothing: rows come first, then as many columns as there is room for. */
static void choose_sizes(const struct it_head_sizes *sizes, struct it_head *head)
{
    const struct it_model_config *c = &head->net->config;
    enum it_dtype x = head->net->dtype, a = it_dtype_accumulation(x);
    int64_t x_size = (int64_t)it_dtype_size(x), a_size = (int64_t)it_dtype_size(a);
    int64_t most = sizes->most > 0 ? sizes->most : 1;
    if (sizes->use == IT_HEAD_DECODE) {
        int64_t fit = within(WHOLE_BYTES / (a_size * c->vocab), LEAST_WHOLE, MOST_ROWS);
        head->rows = within(sizes->rows ? sizes->rows : fit, 1, most);
        head->elements = head->rows * c->vocab;
        return;
    }
    bool train = sizes->use == IT_HEAD_TRAIN, narrow = x != a;
    int64_t tile = c->vocab < IT_STATS_TILE ? c->vocab : IT_STATS_TILE;
    int64_t element = a_size + (train && narrow ? x_size : 0);
    int64_t row = c->hidden * x_size * 2 + 32 * a_size; /* and statistics, sums, ids */
    if (train) { row += c->hidden * (x_size + a_size + (narrow ? x_size : 0)); }
    int64_t fit = within(SCRATCH_BYTES / (row + element * tile), 1, MOST_ROWS);
    head->rows = within(sizes->rows ? sizes->rows : fit, 1, most);
    int64_t room =
        sizes->columns ? head->rows * sizes->columns : (SCRATCH_BYTES - head->rows * row) / element;
    head->elements = within(room, head->rows * tile, head->rows * c->vocab);
}

static enum it_status backward_tensors(struct it_head *h, struct it_arena *arena)
{
    const struct it_model_config *c = &h->net->config;
    enum it_dtype x = h->net->dtype, a = it_dtype_accumulation(x);
    IT_TRY(it_tensor2(arena, a, h->rows, 3, &h->coefs));
    IT_TRY(it_tensor2(arena, a, h->rows, c->hidden, &h->dsum));
    IT_TRY(it_tensor2(arena, x, h->rows, c->hidden, &h->dhidden));
    h->dlogits = h->logits;
    h->dnormed = h->dsum;
    if (x != a) {
        IT_TRY(it_tensor1(arena, x, h->elements, &h->dlogits));
        IT_TRY(it_tensor2(arena, x, h->rows, c->hidden, &h->dnormed));
    }
    return h->net->lora.r ? it_tensor1(arena, a, c->hidden, &h->dnorm) : IT_OK;
}

enum it_status it_head_open(const struct it_net *net, struct it_arena *arena,
                            const struct it_head_sizes *sizes, struct it_head *head_out)
{
    const struct it_model_config *c = &net->config;
    enum it_dtype x = net->dtype, a = it_dtype_accumulation(x);
    struct it_head h = {.net = net};
    choose_sizes(sizes, &h);
    bool whole = sizes->use == IT_HEAD_DECODE;
    int64_t kept = whole ? h.rows : within(sizes->most, h.rows, INT64_MAX);
    IT_TRY(it_tensor2(arena, x, h.rows, c->hidden, &h.hidden));
    IT_TRY(it_tensor2(arena, x, h.rows, c->hidden, &h.normed));
    IT_TRY(it_tensor1(arena, a, h.rows, &h.rstd));
    IT_TRY(it_tensor1(arena, a, h.elements, &h.logits));
    if (whole) { h.logits = it_reshape2(h.logits, h.rows, c->vocab); }
    IT_TRY(it_tensor1(arena, IT_I32, h.rows, &h.index));
    IT_TRY(it_tensor1(arena, a, 2, &h.temps));
    if (!whole) {
        IT_TRY(it_tensor1(arena, IT_I32, h.rows, &h.targets));
        IT_TRY(it_tensor2(arena, a, kept, IT_STAT_COUNT, &h.stats));
        IT_TRY(it_tensor2(arena, a, h.rows, IT_STATE_COUNT, &h.state));
    }
    if (sizes->use == IT_HEAD_TRAIN) { IT_TRY(backward_tensors(&h, arena)); }
    h.scratch = it_alloc((size_t)kept * IT_STAT_COUNT * sizeof(double));
    *head_out = h;
    return IT_OK;
}

void it_head_close(struct it_head *head)
{
    it_free(head->scratch);
    head->scratch = NULL;
}

enum it_status it_head_set(struct it_head *head, const struct it_head_options *options)
{
    double temps[2] = {options->temperature, options->stat_temperature};
    return it_put_reals(head->temps, temps, head->scratch);
}

/* ---- a chunk of rows ---- */

static struct it_tensor head_weight(const struct it_head *head, const struct it_weights *weights)
{
    return it_weight(weights, -1, head->net->config.tied ? IT_SLOT_EMBED : IT_SLOT_HEAD);
}

static enum it_status norm_rows(struct it_head *head, const struct it_weights *weights,
                                struct it_tensor hidden, int64_t n)
{
    struct it_tensor x = it_rows(head->hidden, 0, n), y = it_rows(head->normed, 0, n);
    IT_TRY(it_gather_rows(x, hidden, it_rows(head->index, 0, n)));
    return it_rmsnorm(y, it_rows(head->rstd, 0, n), x, it_weight(weights, -1, IT_SLOT_FINAL_NORM),
                      head->net->config.rms_eps);
}

enum it_status it_head_logits(struct it_head *head, const struct it_weights *weights,
                              struct it_tensor hidden, int64_t n)
{
    IT_TRY(norm_rows(head, weights, hidden, n));
    return it_matmul(it_rows(head->logits, 0, n), it_rows(head->normed, 0, n),
                     head_weight(head, weights), absent, (struct it_matmul_how){.trans_b = true});
}

/* Rows [first, first + n) of the pack. */
struct chunk {
    struct it_head *head;
    const struct it_weights *weights;
    int64_t first, n, counted;
};

/* Chunks of one length, near enough: a short last one would read the weight for little. */
static int64_t chunk_rows(const struct it_head *head, int64_t n)
{
    enum { EVEN = 16 };
    int64_t chunks = (n + head->rows - 1) / head->rows;
    int64_t each = chunks ? (n + chunks - 1) / chunks : 1;
    return within((each + EVEN - 1) / EVEN * EVEN, 1, head->rows);
}

static enum it_status chunk_begin(const struct chunk *k, struct it_tensor hidden,
                                  const struct it_pack *pack)
{
    struct it_head *head = k->head;
    IT_TRY(it_upload(it_rows(head->index, 0, k->n), pack->rows + k->first));
    IT_TRY(it_upload(it_rows(head->targets, 0, k->n), pack->targets + k->first));
    return norm_rows(head, k->weights, hidden, k->n);
}

/* Columns of a tile. */
static int64_t tile_width(const struct chunk *k)
{
    int64_t fit = k->head->elements / k->n, vocab = k->head->net->config.vocab;
    return fit >= vocab ? vocab : fit / IT_STATS_TILE * IT_STATS_TILE;
}

static struct it_tensor tile_of(struct it_tensor elements, int64_t rows, int64_t columns)
{
    return it_reshape2(it_rows(elements, 0, rows * columns), rows, columns);
}

/* Logits of columns [first, first + width). */
static enum it_status tile_logits(const struct chunk *k, int64_t first, int64_t width,
                                  struct it_tensor *logits_out)
{
    *logits_out = tile_of(k->head->logits, k->n, width);
    return it_matmul(*logits_out, it_rows(k->head->normed, 0, k->n),
                     it_rows(head_weight(k->head, k->weights), first, width), absent,
                     (struct it_matmul_how){.trans_b = true});
}

static enum it_status chunk_forward(const struct chunk *k)
{
    struct it_head *head = k->head;
    struct it_columns_of c = {.all = head->net->config.vocab, .counted = k->counted};
    int64_t width = tile_width(k);
    for (; c.first < c.all; c.first += width) {
        struct it_tensor logits;
        IT_TRY(tile_logits(k, c.first, within(width, 1, c.all - c.first), &logits));
        IT_TRY(it_token_stats_part(it_rows(head->stats, k->first, k->n),
                                   it_rows(head->state, 0, k->n), logits,
                                   it_rows(head->targets, 0, k->n), head->temps, c));
    }
    return IT_OK;
}

enum it_status it_head_forward(struct it_head *head, const struct it_weights *weights,
                               struct it_tensor hidden, const struct it_pack *pack,
                               const struct it_head_options *options, double *stats_out)
{
    int64_t each = chunk_rows(head, pack->n_rows);
    struct chunk k = {.head = head, .weights = weights, .counted = options->stat_vocab};
    IT_TRY(it_head_set(head, options));
    for (; k.first < pack->n_rows; k.first += each) {
        k.n = within(each, 1, pack->n_rows - k.first);
        IT_TRY(chunk_begin(&k, hidden, pack));
        IT_TRY(chunk_forward(&k));
    }
    return it_get_reals(stats_out, it_rows(head->stats, 0, pack->n_rows), head->scratch);
}

/* ---- backward ---- */

/* dsum (+)= dlogits W over columns [first, first + width), a tile of the constant width at a time:
 * the order of a row's sum does not depend on how many rows there are. */
static enum it_status add_dnormed(const struct chunk *k, struct it_tensor dlogits, int64_t first,
                                  int64_t width)
{
    struct it_tensor w = head_weight(k->head, k->weights), dy = it_rows(k->head->dsum, 0, k->n);
    for (int64_t j = 0; j < width; j += IT_STATS_TILE) {
        int64_t n = within(IT_STATS_TILE, 1, width - j);
        IT_TRY(it_matmul(dy, it_columns(dlogits, j, n), it_rows(w, first + j, n), absent,
                         (struct it_matmul_how){.accumulate = first + j > 0}));
    }
    return IT_OK;
}

static enum it_status chunk_tiles_backward(const struct chunk *k, struct it_tensor dw)
{
    struct it_head *head = k->head;
    struct it_columns_of c = {.all = head->net->config.vocab, .counted = k->counted};
    int64_t width = tile_width(k);
    for (; c.first < c.all; c.first += width) {
        int64_t n = within(width, 1, c.all - c.first);
        struct it_tensor logits, dlogits = tile_of(head->dlogits, k->n, n);
        IT_TRY(tile_logits(k, c.first, n, &logits));
        IT_TRY(it_token_stats_bwd_part(dlogits, logits, it_rows(head->targets, 0, k->n),
                                       it_rows(head->stats, k->first, k->n),
                                       it_rows(head->coefs, 0, k->n), head->temps, c));
        IT_TRY(add_dnormed(k, dlogits, c.first, n));
        if (dw.dtype == IT_NONE) { continue; }
        IT_TRY(it_matmul(it_rows(dw, c.first, n), dlogits, it_rows(head->normed, 0, k->n), absent,
                         (struct it_matmul_how){.trans_a = true, .accumulate = true}));
    }
    return IT_OK;
}

/* Through the final norm, to the rows that were gathered. */
static enum it_status chunk_end(const struct chunk *k, struct it_weights *grads,
                                struct it_tensor dhidden)
{
    struct it_head *head = k->head;
    struct it_tensor dy = it_rows(head->dnormed, 0, k->n), dx = it_rows(head->dhidden, 0, k->n);
    struct it_tensor dnorm = it_weight(grads, -1, IT_SLOT_FINAL_NORM);
    if (dy.dtype != head->dsum.dtype) { IT_TRY(it_copy(dy, it_rows(head->dsum, 0, k->n))); }
    if (dnorm.dtype == IT_NONE) {
        dnorm = head->dnorm;
        IT_TRY(it_fill(it_reshape2(dnorm, 1, dnorm.shape[0]), 0.0));
    }
    IT_TRY(it_rmsnorm_bwd(dx, dnorm, dy, it_rows(head->hidden, 0, k->n),
                          it_weight(k->weights, -1, IT_SLOT_FINAL_NORM),
                          it_rows(head->rstd, 0, k->n)));
    return it_scatter_add_rows(dhidden, dx, it_rows(head->index, 0, k->n));
}

enum it_status it_head_backward(struct it_head *head, const struct it_weights *weights,
                                struct it_tensor hidden, const struct it_pack *pack,
                                const struct it_head_options *options, const double *coefs,
                                struct it_weights *grads, struct it_tensor dhidden)
{
    int64_t each = chunk_rows(head, pack->n_rows);
    struct chunk k = {.head = head, .weights = weights, .counted = options->stat_vocab};
    IT_TRY(it_head_set(head, options));
    for (; k.first < pack->n_rows; k.first += each) {
        k.n = within(each, 1, pack->n_rows - k.first);
        IT_TRY(chunk_begin(&k, hidden, pack));
        IT_TRY(it_put_reals(it_rows(head->coefs, 0, k.n), coefs + k.first * 3, head->scratch));
        IT_TRY(chunk_tiles_backward(&k, head_weight(head, grads)));
        IT_TRY(chunk_end(&k, grads, dhidden));
    }
    return IT_OK;
}
