/* SPDX-License-Identifier: MIT */
/* A decoder and a tokenizer made of integers: see the header. */
#include "tests/toy_decoder.h"

#include <check.h>
#include <signal.h>
#include <string.h>

#include "core/base/mem.h"

/* ---- the decoder ---- */

struct it_decoder {
    struct it_decoder_options options;
    int32_t *id, *position; /* [pages * page] */
    int32_t *drawn;         /* [slots] what each row drew last */
    struct {
        int64_t n;
        int32_t *ids;
        double *stats;
    } flight[2]; /* results not collected, the oldest first */
    int flights;
};

struct toy toy;
bool toy_ahead;

struct it_net toy_net = {.config = {.vocab = 97, .layers = 2, .kv_heads = 2, .head_dim = 4},
                         .dtype = IT_F32,
                         .positions = 512};

enum it_status it_decoder_open(struct it_net *of, struct it_arena *arena,
                               const struct it_decoder_options *options,
                               struct it_decoder **decoder_out)
{
    (void)of;
    (void)arena;
    struct it_decoder *d = it_calloc(1, sizeof *d);
    size_t rows = (size_t)(options->pages * options->page);
    d->options = *options;
    d->id = it_calloc(rows, sizeof *d->id);
    d->position = it_calloc(rows, sizeof *d->position);
    d->drawn = it_calloc((size_t)options->slots, sizeof *d->drawn);
    memset(d->position, 0xff, rows * sizeof *d->position); /* -1: never written */
    *decoder_out = d;
    return IT_OK;
}

void it_decoder_close(struct it_decoder *decoder)
{
    ck_assert_int_eq(decoder->flights, 0);
    it_free(decoder->drawn);
    it_free(decoder->id);
    it_free(decoder->position);
    it_free(decoder);
}

enum it_status it_decoder_plan(struct it_net *of, const struct it_decoder_options *options,
                               int64_t *bytes_out)
{
    (void)of;
    *bytes_out = options->pages * options->page * TOY_ROW_BYTES;
    return IT_OK;
}

static void put(struct it_decoder *d, int32_t row, int32_t id, int32_t position)
{
    if (row < 0 || row >= d->options.pages * d->options.page) { ck_abort_msg("no such row"); }
    d->id[row] = id;
    d->position[row] = position;
}

enum it_status it_decoder_prefill(struct it_decoder *decoder, const struct it_weights *weights,
                                  const struct it_pack *pack, const int32_t *kv_rows)
{
    ck_assert_ptr_eq(weights, &toy_net.weights);
    ck_assert(pack->n_tokens > 0 && pack->n_tokens <= decoder->options.prefill_tokens);
    int32_t at = 0;
    for (int64_t s = 0; s < pack->n_segments; s++) {
        const int32_t *segment = pack->segments + 5 * s;
        ck_assert(segment[0] == at && segment[1] > 0 && segment[3] == 0 && segment[4] == at);
        for (int32_t i = 0; i < segment[1]; i++, at++) {
            if (pack->positions[at] != i) { ck_abort_msg("a position in a prompt is wrong"); }
            put(decoder, kv_rows[at], pack->ids[at], i);
        }
    }
    ck_assert_int_eq(at, pack->n_tokens);
    toy.prefills++;
    toy.prefilled += at;
    return IT_OK;
}

enum it_status it_decoder_copy(struct it_decoder *decoder, int64_t n, const int32_t *from,
                               const int32_t *to)
{
    for (int64_t i = 0; i < n; i++) {
        put(decoder, to[i], decoder->id[from[i]], decoder->position[from[i]]);
    }
    toy.copied += n;
    return IT_OK;
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
    return hash ^ (hash >> 29);
}

uint64_t toy_fold(uint64_t hash, int32_t id)
{
    return mix(hash, (uint64_t)id);
}

uint64_t toy_fold_key(uint64_t hash, const uint32_t key[IT_KEY_WORDS])
{
    for (int i = 0; i < IT_KEY_WORDS; i++) { hash = mix(hash, key[i]); }
    return hash;
}

int32_t toy_draw(uint64_t hash)
{
    return (int32_t)((hash >> 16) % (uint64_t)toy_net.config.vocab);
}

double toy_stat(uint64_t hash, int column)
{
    return (double)(float)(mix(hash, (uint64_t)column) >> 40);
}

/* Only the row's own sequence may have the page that it writes to. Check's macros write to a file
 * at each call: not for inner loops. */
static void check_private(const struct it_decoder *d, const struct it_decode_step *step, int64_t r)
{
    int64_t page = d->options.page;
    for (int64_t s = 0; s < step->n; s++) {
        const int32_t *table = step->tables + s * d->options.slot_pages;
        bool other = s != r && step->kv_rows[s] >= 0;
        for (int64_t p = 0; other && p <= step->positions[s] / page; p++) {
            if (table[p] == step->kv_rows[r] / page) { ck_abort_msg("a shared page is written"); }
        }
    }
}

/* What a stream of a device would do in turn is done at once; the host only sees it later. */
static void draw_row(struct it_decoder *d, const struct it_decode_step *step, int64_t r,
                     double *stats)
{
    int64_t page = d->options.page;
    const int32_t *table = step->tables + r * d->options.slot_pages;
    uint64_t hash = 1;
    for (int32_t j = 0; j <= step->positions[r]; j++) {
        int64_t row = table[j / page] * page + j % page;
        if (row < 0 || row >= d->options.pages * page || d->position[row] != j) {
            ck_abort_msg("row %lld does not hold position %d", (long long)row, (int)j);
        }
        hash = toy_fold(hash, d->id[row]);
    }
    hash = toy_fold_key(hash, step->keys + r * IT_KEY_WORDS);
    d->drawn[r] = toy_draw(hash);
    for (int c = 0; c < IT_STAT_COUNT; c++) { stats[c] = toy_stat(hash, c); }
}

bool it_decoder_runs_ahead(const struct it_decoder *decoder)
{
    (void)decoder;
    return toy_ahead;
}

enum it_status it_decoder_submit(struct it_decoder *decoder, const struct it_weights *weights,
                                 const struct it_decode_step *step)
{
    size_t n = (size_t)step->n;
    ck_assert_ptr_eq(weights, &toy_net.weights);
    ck_assert(step->n > 0 && step->n <= decoder->options.slots);
    ck_assert(decoder->flights < (toy_ahead ? 2 : 1));
    toy.steps++;
    if (step->n > toy.most) { toy.most = step->n; }
    if (toy.steps == toy.fail_at) { return IT_DEVICE; }
    if (toy.steps == toy.interrupt_at) { raise(SIGINT); }
    for (int64_t r = 0; r < step->n; r++) {
        if (step->kv_rows[r] < 0) { continue; }
        int32_t id = step->ids[r] < 0 ? decoder->drawn[r] : step->ids[r];
        put(decoder, step->kv_rows[r], id, step->positions[r]);
        check_private(decoder, step, r);
    }
    double *stats = it_calloc(n * IT_STAT_COUNT, sizeof *stats);
    for (int64_t r = 0; r < step->n; r++) {
        decoder->drawn[r] = 1; /* of nobody's rows: not to be used */
        if (step->kv_rows[r] >= 0) { draw_row(decoder, step, r, stats + r * IT_STAT_COUNT); }
    }
    int32_t *ids = it_calloc(n, sizeof *ids);
    memcpy(ids, decoder->drawn, n * sizeof *ids);
    decoder->flight[decoder->flights].n = step->n;
    decoder->flight[decoder->flights].ids = ids;
    decoder->flight[decoder->flights++].stats = stats;
    return IT_OK;
}

enum it_status it_decoder_collect(struct it_decoder *decoder, int32_t *ids_out, double *stats_out)
{
    ck_assert_int_gt(decoder->flights, 0);
    size_t n = (size_t)decoder->flight[0].n;
    memcpy(ids_out, decoder->flight[0].ids, n * sizeof *ids_out);
    memcpy(stats_out, decoder->flight[0].stats, n * IT_STAT_COUNT * sizeof *stats_out);
    it_free(decoder->flight[0].ids);
    it_free(decoder->flight[0].stats);
    decoder->flight[0] = decoder->flight[1];
    decoder->flights--;
    return IT_OK;
}

/* ---- the tokenizer ---- */

void it_tokenizer_decode(const struct it_tokenizer *tokenizer, const int32_t *ids, size_t n,
                         bool skip_special, struct it_str *text_out)
{
    ck_assert(skip_special);
    for (size_t i = 0; i < n; i++) {
        it_str_puts(text_out, tokenizer->text[ids[i] % tokenizer->n]);
    }
}
