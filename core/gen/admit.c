/* SPDX-License-Identifier: MIT */
/* Who starts when: requests in order, as slots and pages allow. */
#include <assert.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/gen/internal.h"

static const struct it_gen_request *request_of(const struct it_generator *g)
{
    return &g->run->requests[g->feed.request];
}

/* Past requests that want nothing (more). */
static void skip_done(struct it_generator *g)
{
    while (it_gen_waiting(g) && g->feed.sample >= request_of(g)->n_samples) {
        g->feed.request++;
        g->feed.sample = 0;
    }
}

bool it_gen_waiting(const struct it_generator *generator)
{
    return generator->feed.request < generator->run->n_requests;
}

void it_gen_feed_begin(struct it_generator *generator)
{
    struct it_feed *feed = &generator->feed;
    feed->request = feed->sample = feed->completion = 0;
    feed->cached = false;
    feed->n_pages = 0;
    generator->pending.n_tokens = generator->pending.n_segments = generator->pending.n_copies = 0;
    skip_done(generator);
}

void it_gen_feed_end(struct it_generator *generator)
{
    it_pages_drop(&generator->pages, generator->feed.n_pages, generator->feed.pages);
    generator->feed.n_pages = 0;
    generator->feed.cached = false;
}

/* Pages of the sample that the feed is at. */
struct need {
    int64_t cached; /* tokens of the prompt whose keys and values are kept: all but the last */
    int64_t room;   /* most new tokens */
    int64_t shared; /* pages that the prompt fills */
    int64_t prompt; /* pages to take for the prompt: none when it is cached already */
    int64_t own;    /* pages to take for the sample */
    bool part;      /* the prompt ends inside a page ... */
    bool last;      /* ... which the last sample takes over instead of a page of its own */
};

static struct need measure(const struct it_generator *g)
{
    const struct it_gen_request *request = request_of(g);
    int64_t page = g->limits.page, n = request->n_prompt - 1;
    struct need need = {.cached = n, .shared = n / page, .part = n % page > 0};
    need.room = g->max_length - request->n_prompt;
    if (need.room > g->run->sampling.max_new_tokens) {
        need.room = g->run->sampling.max_new_tokens;
    }
    if (request->max_new_tokens && need.room > request->max_new_tokens) {
        need.room = request->max_new_tokens;
    }
    need.last = g->feed.sample + 1 == request->n_samples;
    need.prompt = g->feed.cached ? 0 : need.shared + need.part;
    /* The last new token is never written: cached + room rows in all. */
    int64_t total = (n + need.room + page - 1) / page;
    need.own = total - need.shared - (need.last && need.part);
    return need;
}

/* The decoder's part of what was admitted so far. */
static enum it_status flush(struct it_generator *g)
{
    struct it_pending *p = &g->pending;
    double start = it_now();
    if (p->n_tokens > 0) {
        struct it_pack pack = {.n_tokens = p->n_tokens,
                               .ids = p->ids,
                               .positions = p->positions,
                               .n_segments = p->n_segments,
                               .segments = p->segments};
        IT_TRY(it_decoder_prefill(g->decoder, g->run->weights, &pack, p->rows));
    }
    if (p->n_copies > 0) { IT_TRY(it_decoder_copy(g->decoder, p->n_copies, p->from, p->to)); }
    p->n_tokens = p->n_segments = p->n_copies = 0;
    g->totals.prefill_s += it_now() - start;
    return IT_OK;
}

/* Take the prompt's pages and queue its prefill. */
static enum it_status cache_prompt(struct it_generator *g, const struct need *need)
{
    struct it_pending *p = &g->pending;
    struct it_feed *feed = &g->feed;
    if (p->n_tokens + need->cached > g->limits.prefill_tokens) { IT_TRY(flush(g)); }
    it_pages_take(&g->pages, need->prompt, feed->pages);
    feed->n_pages = need->prompt;
    feed->cached = true;
    g->totals.prompt_tokens += need->cached + 1;
    if (need->cached == 0) { return IT_OK; }

    const int32_t *prompt = request_of(g)->prompt;
    int32_t first = (int32_t)p->n_tokens, length = (int32_t)need->cached;
    memcpy(p->segments + 5 * p->n_segments++, (int32_t[5]){first, length, 0, 0, first},
           5 * sizeof *p->segments);
    memcpy(p->ids + first, prompt, (size_t)length * sizeof *prompt);
    for (int32_t i = 0; i < length; i++) {
        p->positions[first + i] = i;
        p->rows[first + i] = it_gen_cache_row(feed->pages, i, g->limits.page);
    }
    p->n_tokens += length;
    return IT_OK;
}

/* Queue the copy of the prompt's last rows into the sample's first own page. */
static enum it_status copy_part(struct it_generator *g, const struct need *need,
                                const int32_t *table)
{
    struct it_pending *p = &g->pending;
    int64_t page = g->limits.page, rows = need->cached % page;
    if (p->n_copies + rows > g->copy_rows) { IT_TRY(flush(g)); }
    for (int64_t i = need->shared * page; i < need->cached; i++) {
        p->from[p->n_copies] = it_gen_cache_row(g->feed.pages, i, page);
        p->to[p->n_copies++] = it_gen_cache_row(table, i, page);
    }
    return IT_OK;
}

/* The sample's page table: the prompt's full pages, then its own. The last sample inherits what the
 * feed held. */
static enum it_status give_pages(struct it_generator *g, const struct need *need, int32_t *table)
{
    struct it_feed *feed = &g->feed;
    memcpy(table, feed->pages, (size_t)need->shared * sizeof *table);
    int32_t *own = table + need->shared;
    if (need->last) {
        if (need->part) { *own++ = feed->pages[need->shared]; }
        feed->n_pages = 0;
        feed->cached = false;
        it_pages_take(&g->pages, need->own, own);
        return IT_OK;
    }
    it_pages_hold(&g->pages, need->shared, table);
    it_pages_take(&g->pages, need->own, own);
    return need->part ? copy_part(g, need, table) : IT_OK;
}

/* The first row that is nobody's. */
static int64_t free_row(struct it_generator *g)
{
    int64_t row = g->full;
    while (row < g->n_rows && g->sequence[row].completion) { row++; }
    if (row == g->n_rows) { g->n_rows++; }
    g->full = row + 1;
    return row;
}

static enum it_status start(struct it_generator *g, const struct need *need)
{
    const struct it_gen_request *request = request_of(g);
    struct it_feed *feed = &g->feed;
    if (!feed->cached) { IT_TRY(cache_prompt(g, need)); }
    int64_t row = free_row(g);
    struct it_sequence *sequence = &g->sequence[row];
    g->n_active++;
    sequence->number = ++g->started;
    sequence->completion = &g->completions[feed->completion++];
    sequence->capacity = 0;
    sequence->room = need->room;
    sequence->n_pages = need->shared + need->own + (need->last && need->part);
    it_str_clear(&sequence->tail);
    g->ids[row] = request->prompt[need->cached];
    g->positions[row] = (int32_t)need->cached;
    it_gen_key(&g->run->sampling, request->key, (uint32_t)feed->sample,
               g->keys + row * IT_KEY_WORDS);
    IT_TRY(give_pages(g, need, it_gen_table(g, row)));
    feed->sample++;
    skip_done(g);
    return IT_OK;
}

enum it_status it_gen_admit(struct it_generator *generator)
{
    while (it_gen_waiting(generator) && generator->n_active < generator->limits.slots) {
        struct need need = measure(generator);
        if (need.prompt + need.own > generator->pages.n_free) { break; }
        IT_TRY(start(generator, &need));
    }
    assert(generator->n_active > 0 || !it_gen_waiting(generator));
    return flush(generator);
}
