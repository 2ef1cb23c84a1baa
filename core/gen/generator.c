/* SPDX-License-Identifier: MIT */
/* Continuous batching: opening and closing, and the loop of a run: admit, step, end. What a run is
 * asked is checked in request.c, who starts when is decided in admit.c. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/gen/internal.h"

/* Positions a page: small enough that a sequence's last page wastes little and the copy of a
 * prompt's last page is short, large enough that attention reads long runs of rows. */
enum { PAGE = 32 };
enum { DEFAULT_SLOTS = 256, MOST_SLOTS = 65536, DEFAULT_PREFILL = 2048 };

static int64_t max_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t min_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Keys and values of a page in every layer. */
static int64_t page_bytes(const struct it_net *net)
{
    const struct it_model_config *c = &net->config;
    return 2 * PAGE * c->layers * c->kv_heads * c->head_dim * (int64_t)it_dtype_size(net->dtype);
}

/* Pages for the slots at full length; one more lets a prompt keep its partial page while its
 * samples have copies of it (the feed has one such prompt at most). */
static enum it_status limit_pages(const struct it_net *net,
                                  const struct it_generator_options *options,
                                  struct it_decoder_options *limits)
{
    limits->pages = limits->slots * limits->slot_pages + 1;
    if (options->kv_bytes > 0) {
        limits->pages = min_of(limits->pages, options->kv_bytes / page_bytes(net));
    }
    if (limits->pages < limits->slot_pages + 1) {
        char have[24], need[24];
        return it_fail(
            IT_NOMEM,
            "%s for the KV cache is less than one sequence of %" PRId64
            " positions needs (%s): give it more or shorten max_length",
            it_format_size(options->kv_bytes, have, sizeof have), options->max_length,
            it_format_size((limits->slot_pages + 1) * page_bytes(net), need, sizeof need));
    }
    if (limits->pages > INT32_MAX / PAGE) {
        return it_fail(IT_INVALID,
                       "a KV cache of %" PRId64 " positions is more than can be numbered: use fewer"
                       " slots or bound kv_bytes",
                       limits->pages * PAGE);
    }
    return IT_OK;
}

static enum it_status resolve(const struct it_net *net, const struct it_generator_options *options,
                              struct it_decoder_options *limits_out)
{
    if (options->max_length < 2 || options->max_length > net->positions) {
        return it_fail(IT_INVALID,
                       "max_length %" PRId64 ": expected 2 to %" PRId64 ", the model's positions",
                       options->max_length, net->positions);
    }
    if (options->slots < 0 || options->slots > MOST_SLOTS) {
        return it_fail(IT_INVALID, "slots %" PRId64 ": expected 0 to %d", options->slots,
                       (int)MOST_SLOTS);
    }
    if (options->kv_bytes < 0 || options->prefill_tokens < 0) {
        return it_fail(IT_INVALID, "kv_bytes and prefill_tokens cannot be negative");
    }
    struct it_decoder_options limits = {.page = PAGE};
    limits.slots = options->slots ? options->slots : DEFAULT_SLOTS;
    limits.slot_pages = (options->max_length - 1 + PAGE - 1) / PAGE;
    /* A prompt goes through prefill in one piece, so a pack holds at least the longest (without its
     * last token, and with room for a new one); and never more than a prompt for each slot. */
    int64_t longest = max_of(options->max_length - 2, 1);
    limits.prefill_tokens = options->prefill_tokens ? options->prefill_tokens : DEFAULT_PREFILL;
    limits.prefill_tokens = max_of(min_of(limits.prefill_tokens, limits.slots * longest), longest);
    IT_TRY(limit_pages(net, options, &limits));
    *limits_out = limits;
    return IT_OK;
}

enum it_status it_generator_plan(struct it_net *net, const struct it_generator_options *options,
                                 int64_t *bytes_out)
{
    struct it_decoder_options limits;
    IT_TRY(resolve(net, options, &limits));
    return it_decoder_plan(net, &limits, bytes_out);
}

static void open_arrays(struct it_generator *g)
{
    size_t slots = (size_t)g->limits.slots, tokens = (size_t)g->limits.prefill_tokens;
    size_t slot_pages = (size_t)g->limits.slot_pages, copies = (size_t)g->copy_rows;
    g->pending.ids = it_calloc(tokens, sizeof(int32_t));
    g->pending.positions = it_calloc(tokens, sizeof(int32_t));
    g->pending.rows = it_calloc(tokens, sizeof(int32_t));
    g->pending.segments = it_calloc(slots, 5 * sizeof(int32_t));
    g->pending.from = it_calloc(copies, sizeof(int32_t));
    g->pending.to = it_calloc(copies, sizeof(int32_t));
    g->feed.pages = it_calloc(slot_pages, sizeof(int32_t));
    g->sequence = it_calloc(slots, sizeof *g->sequence);
    g->ids = it_calloc(slots, sizeof *g->ids);
    g->positions = it_calloc(slots, sizeof *g->positions);
    g->step_ids = it_calloc(slots, sizeof *g->step_ids);
    g->step_positions = it_calloc(slots, sizeof *g->step_positions);
    g->kv_rows = it_calloc(slots, sizeof *g->kv_rows);
    for (int f = 0; f < 2; f++) {
        g->flight[f].number = it_calloc(slots, sizeof *g->flight[f].number);
    }
    g->next = it_calloc(slots, sizeof *g->next);
    g->tables = it_calloc(slots, slot_pages * sizeof *g->tables);
    g->params = it_calloc(slots, 4 * sizeof *g->params);
    g->keys = it_calloc(slots, IT_KEY_WORDS * sizeof *g->keys);
    g->stats = it_calloc(slots, IT_STAT_COUNT * sizeof *g->stats);
    it_pages_open(&g->pages, g->limits.pages);
}

enum it_status it_generator_open(struct it_net *net, struct it_arena *arena,
                                 const struct it_generator_options *options,
                                 const struct it_tokenizer *tokenizer,
                                 struct it_generator **generator_out)
{
    struct it_decoder_options limits;
    IT_TRY(resolve(net, options, &limits));
    struct it_decoder *decoder;
    IT_TRY(it_decoder_open(net, arena, &limits, &decoder));
    struct it_generator *g = it_calloc(1, sizeof *g);
    g->net = net;
    g->tokenizer = tokenizer;
    g->decoder = decoder;
    g->limits = limits;
    g->max_length = options->max_length;
    g->copy_rows = max_of(limits.prefill_tokens, PAGE);
    open_arrays(g);
    *generator_out = g;
    return IT_OK;
}

void it_generator_close(struct it_generator *generator)
{
    if (!generator) { return; }
    struct it_generator *g = generator;
    for (int64_t r = 0; r < g->limits.slots; r++) { it_str_free(&g->sequence[r].tail); }
    void *const owned[] = {
        g->pending.ids,  g->pending.positions,
        g->pending.rows, g->pending.segments,
        g->pending.from, g->pending.to,
        g->feed.pages,   g->sequence,
        g->ids,          g->positions,
        g->step_ids,     g->step_positions,
        g->kv_rows,      g->next,
        g->tables,       g->params,
        g->keys,         g->stats,
        g->flight[0].number, g->flight[1].number,
    };
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) { it_free(owned[i]); }
    it_pages_close(&g->pages);
    it_decoder_close(g->decoder);
    it_free(g);
}

/* ---- a run ---- */

/* Everything of a row to a free row. */
static void move_row(struct it_generator *g, int64_t to, int64_t from)
{
    struct it_sequence freed = g->sequence[to];
    g->sequence[to] = g->sequence[from];
    g->sequence[from] = freed; /* keeps the memory of its tail */
    g->ids[to] = g->ids[from];
    g->positions[to] = g->positions[from];
    memcpy(it_gen_table(g, to), it_gen_table(g, from),
           (size_t)g->sequence[to].n_pages * sizeof *g->tables);
    memcpy(g->keys + to * IT_KEY_WORDS, g->keys + from * IT_KEY_WORDS,
           IT_KEY_WORDS * sizeof *g->keys);
}

/* Close up the rows of ended sequences, keeping the order; no step may be under way. */
static void compact(struct it_generator *g)
{
    int64_t kept = 0;
    for (int64_t r = 0; r < g->n_rows; r++) {
        if (!g->sequence[r].completion) { continue; }
        if (r != kept) { move_row(g, kept, r); }
        kept++;
    }
    g->n_rows = g->full = kept;
}

static void end_sequence(struct it_generator *g, int64_t row, enum it_finish finish)
{
    struct it_sequence *sequence = &g->sequence[row];
    struct it_completion *completion = sequence->completion;
    it_pages_drop(&g->pages, sequence->n_pages, it_gen_table(g, row));
    sequence->completion = NULL;
    g->n_active--;
    g->full = min_of(g->full, row);
    completion->finish = finish;
    it_completion_trim(completion);
    if (g->run->done && finish != IT_FINISH_INTERRUPTED) {
        g->run->done(g->run->context, completion);
    }
}

/* Whether `id`, just added, ends its sequence. */
static bool ends(struct it_generator *g, int64_t row, int32_t id, enum it_finish *finish_out)
{
    const struct it_sampling *sampling = &g->run->sampling;
    struct it_sequence *sequence = &g->sequence[row];
    for (int i = 0; i < sampling->n_stop_ids; i++) {
        if (id == sampling->stop_ids[i]) {
            *finish_out = IT_FINISH_STOP;
            return true;
        }
    }
    if (it_stop_feed(&g->stop, &sequence->tail, id)) {
        *finish_out = IT_FINISH_STOP_STRING;
        return true;
    }
    *finish_out = IT_FINISH_LENGTH;
    return sequence->completion->n == sequence->room;
}

/* Row r of the step to come, after `ahead` tokens that the host has yet to see. */
static void plan_row(struct it_generator *g, int64_t r, int64_t ahead)
{
    int64_t position = g->positions[r] + ahead;
    g->step_ids[r] = ahead ? -1 : g->ids[r];
    g->step_positions[r] = (int32_t)position;
    g->kv_rows[r] = it_gen_cache_row(it_gen_table(g, r), position, g->limits.page);
    g->keys[r * IT_KEY_WORDS + IT_KEY_POSITION] = (uint32_t)position + 1; /* of the new token */
}

/* Who takes part in the step to come: all that will not surely have ended by then. A sequence that
 * does end in the step under way makes a token too many, which is dropped when it is collected. */
static int64_t plan_step(struct it_generator *g, struct it_flight *flight)
{
    const struct it_flight *before = g->flights > 0 ? &g->flight[g->flights - 1] : NULL;
    int64_t n = 0;
    flight->n = g->n_rows;
    for (int64_t r = 0; r < g->n_rows; r++) {
        const struct it_sequence *sequence = &g->sequence[r];
        bool waits = before && r < before->n && before->number[r] == sequence->number;
        int64_t ahead = waits ? 1 : 0;
        bool runs = sequence->completion && sequence->completion->n + ahead < sequence->room;
        flight->number[r] = runs ? sequence->number : 0;
        g->step_ids[r] = 0;
        g->kv_rows[r] = -1;
        if (!runs) { continue; }
        plan_row(g, r, ahead);
        n++;
    }
    return n;
}

/* Queue a step, if anybody takes part. */
static enum it_status submit(struct it_generator *g)
{
    const struct it_sampling *sampling = &g->run->sampling;
    struct it_flight *flight = &g->flight[g->flights];
    if (plan_step(g, flight) == 0) { return IT_OK; }
    struct it_decode_step step = {.n = flight->n,
                                  .ids = g->step_ids,
                                  .positions = g->step_positions,
                                  .kv_rows = g->kv_rows,
                                  .tables = g->tables,
                                  .params = g->params,
                                  .keys = g->keys,
                                  .head = {.temperature = sampling->logprob_temperature,
                                           .stat_temperature = sampling->stat_temperature,
                                           .stat_vocab = sampling->stat_vocab}};
    double start = it_now();
    IT_TRY(it_decoder_submit(g->decoder, g->run->weights, &step));
    g->flights++;
    g->totals.decode_s += it_now() - start;
    g->totals.steps++;
    return IT_OK;
}

/* The results of the oldest step. */
static enum it_status collect(struct it_generator *g, struct it_flight *flight_out)
{
    double start = it_now();
    struct it_flight flight = g->flight[0];
    g->flight[0] = g->flight[1];
    g->flight[1] = *flight_out = flight; /* its memory is the next step's */
    g->flights--;
    IT_TRY(it_decoder_collect(g->decoder, g->next, g->stats));
    g->totals.decode_s += it_now() - start;
    return IT_OK;
}

/* A token for every row that was still its sequence's. */
static enum it_status add_tokens(struct it_generator *g)
{
    struct it_flight flight;
    IT_TRY(collect(g, &flight));
    for (int64_t r = 0; r < flight.n; r++) {
        struct it_sequence *sequence = &g->sequence[r];
        enum it_finish finish;
        if (!sequence->completion || flight.number[r] != sequence->number) { continue; }
        it_completion_add(sequence->completion, &sequence->capacity, g->next[r],
                          g->stats + r * IT_STAT_COUNT);
        g->ids[r] = g->next[r];
        g->positions[r]++;
        g->totals.new_tokens++;
        if (ends(g, r, g->next[r], &finish)) { end_sequence(g, r, finish); }
    }
    return IT_OK;
}

/* Whether fewer rows would do for a smaller step: they close up once nothing is under way. */
static bool should_close_up(const struct it_generator *g)
{
    return g->n_active <= g->n_rows / 2;
}

/* The next step is queued before the results of the last are looked at, where the decoder runs
 * ahead: the device has work while the host has its own. */
static enum it_status loop(struct it_generator *g, struct it_progress *progress)
{
    bool ahead = it_decoder_runs_ahead(g->decoder);
    while (g->n_active > 0 || it_gen_waiting(g)) {
        if (it_interrupted()) { return IT_INTERRUPTED; }
        if (g->flights == 0) {
            compact(g);
            IT_TRY(it_gen_admit(g));
            IT_TRY(submit(g));
        }
        if (ahead && !should_close_up(g)) { IT_TRY(submit(g)); }
        IT_TRY(add_tokens(g));
        if (g->flights > 0) { IT_TRY(it_gen_admit(g)); }
        if (progress) { it_progress_set(progress, g->totals.new_tokens); }
    }
    return IT_OK;
}

/* Completions that have not started look like interrupted ones without a token. */
static int64_t begin(struct it_generator *g, const struct it_gen_run *run,
                     struct it_completion *completions)
{
    int64_t n = 0;
    for (int64_t i = 0; i < run->n_requests; i++) {
        for (int64_t s = 0; s < run->requests[i].n_samples; s++) {
            completions[n++] =
                (struct it_completion){.request = i, .sample = s, .finish = IT_FINISH_INTERRUPTED};
        }
    }
    const struct it_sampling *sampling = &run->sampling;
    /* More than the vocabulary is no filter, and past 2^24 a float could not count it. */
    int64_t top_k = sampling->top_k < g->net->config.vocab ? sampling->top_k : 0;
    for (int64_t r = 0; r < g->limits.slots; r++) {
        float *row = g->params + 4 * r;
        row[0] = (float)sampling->temperature;
        row[1] = (float)top_k;
        row[2] = (float)sampling->top_p;
        row[3] = (float)sampling->min_p;
    }
    g->run = run;
    g->completions = completions;
    g->totals = (struct it_gen_totals){0};
    g->n_active = g->n_rows = g->full = 0;
    g->started = 0;
    it_stop_init(&g->stop, g->tokenizer, sampling->stop_strings);
    it_gen_feed_begin(g);
    return n;
}

/* Whatever is still running or waiting ends here. */
static void end(struct it_generator *g)
{
    struct it_flight unused;
    while (g->flights > 0) { (void)collect(g, &unused); } /* a failure was reported already */
    for (int64_t r = 0; r < g->n_rows; r++) {
        if (g->sequence[r].completion) { end_sequence(g, r, IT_FINISH_INTERRUPTED); }
    }
    assert(g->n_active == 0);
    it_gen_feed_end(g);
    assert(g->pages.n_free == g->pages.n);
    g->run = NULL;
    g->completions = NULL;
}

enum it_status it_generator_run(struct it_generator *generator, const struct it_gen_run *run,
                                struct it_completion *completions_out,
                                struct it_gen_totals *totals_out)
{
    IT_TRY(it_gen_check(generator, run));
    int64_t n = begin(generator, run, completions_out);
    struct it_progress progress;
    /* how many tokens there will be nobody knows: the sum so far and the rate are shown */
    if (run->progress) { it_progress_begin(&progress, run->progress, "tokens", 0); }
    enum it_status status = loop(generator, run->progress ? &progress : NULL);
    if (run->progress) { it_progress_end(&progress); }
    end(generator);
    if (status != IT_OK && status != IT_INTERRUPTED) {
        for (int64_t i = 0; i < n; i++) { it_completion_free(&completions_out[i]); }
        return status;
    }
    if (totals_out) { *totals_out = generator->totals; }
    return status;
}
