/* SPDX-License-Identifier: MIT */
/* The head: final norm, logits and statistics of a few rows at a time, so that the logits of all
 * tokens never exist. Backward computes each chunk again. */
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

int64_t it_head_default_rows(const struct it_net *net)
{
    int64_t logits = (int64_t)64 << 20; /* bytes of f32 logits that exist at a time */
    int64_t rows = logits / (4 * net->config.vocab);
    return rows < 16 ? 16 : rows > 1024 ? 1024 : rows;
}

enum it_status it_head_open(const struct it_net *net, struct it_arena *arena, int64_t rows,
                            bool train, struct it_head *head_out)
{
    const struct it_model_config *c = &net->config;
    enum it_dtype x = net->dtype, a = it_dtype_accumulation(x);
    struct it_head h = {.net = net, .rows = rows};
    IT_TRY(it_tensor2(arena, x, rows, c->hidden, &h.hidden));
    IT_TRY(it_tensor2(arena, x, rows, c->hidden, &h.normed));
    IT_TRY(it_tensor1(arena, a, rows, &h.rstd));
    IT_TRY(it_tensor2(arena, a, rows, c->vocab, &h.logits));
    IT_TRY(it_tensor1(arena, IT_I32, rows, &h.index));
    IT_TRY(it_tensor1(arena, IT_I32, rows, &h.targets));
    IT_TRY(it_tensor2(arena, a, rows, IT_STAT_COUNT, &h.stats));
    IT_TRY(it_tensor1(arena, a, 2, &h.temps));
    if (train) {
        IT_TRY(it_tensor2(arena, a, rows, 3, &h.coefs));
        IT_TRY(it_tensor2(arena, x, rows, c->hidden, &h.dnormed));
        IT_TRY(it_tensor2(arena, x, rows, c->hidden, &h.dhidden));
        if (net->lora.r) { IT_TRY(it_tensor1(arena, a, c->hidden, &h.dnorm)); }
        h.dlogits = h.logits;
        if (x != a) { IT_TRY(it_tensor2(arena, x, rows, c->vocab, &h.dlogits)); }
    }
    h.scratch = it_alloc((size_t)rows * IT_STAT_COUNT * sizeof(double));
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

static struct it_tensor head_weight(const struct it_head *head, const struct it_weights *weights)
{
    return it_weight(weights, -1, head->net->config.tied ? IT_SLOT_EMBED : IT_SLOT_HEAD);
}

enum it_status it_head_logits(struct it_head *head, const struct it_weights *weights,
                              struct it_tensor hidden, int64_t n)
{
    struct it_tensor x = it_rows(head->hidden, 0, n), y = it_rows(head->normed, 0, n);
    IT_TRY(it_gather_rows(x, hidden, it_rows(head->index, 0, n)));
    IT_TRY(it_rmsnorm(y, it_rows(head->rstd, 0, n), x, it_weight(weights, -1, IT_SLOT_FINAL_NORM),
                      head->net->config.rms_eps));
    return it_matmul(it_rows(head->logits, 0, n), y, head_weight(head, weights), absent,
                     (struct it_matmul_how){.trans_b = true});
}

/* Logits and statistics of rows [first, first + n) of the pack. */
static enum it_status chunk(struct it_head *head, const struct it_weights *weights,
                            struct it_tensor hidden, const struct it_pack *pack, int64_t first,
                            int64_t n, int64_t stat_vocab)
{
    IT_TRY(it_upload(it_rows(head->index, 0, n), pack->rows + first));
    IT_TRY(it_upload(it_rows(head->targets, 0, n), pack->targets + first));
    IT_TRY(it_head_logits(head, weights, hidden, n));
    return it_token_stats(it_rows(head->stats, 0, n), it_rows(head->logits, 0, n),
                          it_rows(head->targets, 0, n), head->temps, stat_vocab);
}

static int64_t chunk_rows(const struct it_head *head, const struct it_pack *pack, int64_t first)
{
    int64_t left = pack->n_rows - first;
    return left < head->rows ? left : head->rows;
}

enum it_status it_head_forward(struct it_head *head, const struct it_weights *weights,
                               struct it_tensor hidden, const struct it_pack *pack,
                               const struct it_head_options *options, double *stats_out)
{
    IT_TRY(it_head_set(head, options));
    for (int64_t first = 0; first < pack->n_rows; first += head->rows) {
        int64_t n = chunk_rows(head, pack, first);
        IT_TRY(chunk(head, weights, hidden, pack, first, n, options->stat_vocab));
        IT_TRY(it_get_reals(stats_out + first * IT_STAT_COUNT, it_rows(head->stats, 0, n),
                            head->scratch));
    }
    return IT_OK;
}

static enum it_status chunk_backward(struct it_head *head, const struct it_weights *weights,
                                     struct it_weights *grads, struct it_tensor dhidden, int64_t n,
                                     int64_t stat_vocab)
{
    struct it_tensor dlogits = it_rows(head->dlogits, 0, n), y = it_rows(head->normed, 0, n);
    struct it_tensor dy = it_rows(head->dnormed, 0, n), dx = it_rows(head->dhidden, 0, n);
    IT_TRY(it_token_stats_bwd(dlogits, it_rows(head->logits, 0, n), it_rows(head->targets, 0, n),
                              it_rows(head->stats, 0, n), it_rows(head->coefs, 0, n), head->temps,
                              stat_vocab));
    IT_TRY(it_matmul(dy, dlogits, head_weight(head, weights), absent, (struct it_matmul_how){0}));
    struct it_tensor dw = head_weight(head, grads);
    struct it_tensor dnorm = it_weight(grads, -1, IT_SLOT_FINAL_NORM);
    if (dw.dtype != IT_NONE) {
        IT_TRY(it_matmul(dw, dlogits, y, absent,
                         (struct it_matmul_how){.trans_a = true, .accumulate = true}));
    }
    if (dnorm.dtype == IT_NONE) {
        dnorm = head->dnorm;
        IT_TRY(it_fill(it_reshape2(dnorm, 1, dnorm.shape[0]), 0.0));
    }
    IT_TRY(it_rmsnorm_bwd(dx, dnorm, dy, it_rows(head->hidden, 0, n),
                          it_weight(weights, -1, IT_SLOT_FINAL_NORM), it_rows(head->rstd, 0, n)));
    return it_scatter_add_rows(dhidden, dx, it_rows(head->index, 0, n));
}

enum it_status it_head_backward(struct it_head *head, const struct it_weights *weights,
                                struct it_tensor hidden, const struct it_pack *pack,
                                const struct it_head_options *options, const double *coefs,
                                struct it_weights *grads, struct it_tensor dhidden)
{
    IT_TRY(it_head_set(head, options));
    for (int64_t first = 0; first < pack->n_rows; first += head->rows) {
        int64_t n = chunk_rows(head, pack, first);
        IT_TRY(chunk(head, weights, hidden, pack, first, n, options->stat_vocab));
        IT_TRY(it_put_reals(it_rows(head->coefs, 0, n), coefs + first * 3, head->scratch));
        IT_TRY(chunk_backward(head, weights, grads, dhidden, n, options->stat_vocab));
    }
    return IT_OK;
}
