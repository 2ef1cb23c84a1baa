/* SPDX-License-Identifier: MIT */
/* Inside generation: pages, random keys, stop strings, and the state that admission (admit.c) and
 * decoding (generator.c) share.
 *
 * A prompt is cached once: its first n - 1 tokens fill whole pages, which its samples share by
 * reference, and usually a part of one more. Each sample gets a copy of that part, because it goes
 * on writing there; the last sample to start takes the part itself. All pages a sample can ever
 * need are set aside when it starts, so what runs never waits for memory: when pages run out, fewer
 * sequences run. Requests start in their order, so at most one prompt at a time has samples both
 * started and waiting, and that one is the feed's. */
#ifndef IT_GEN_INTERNAL_H
#define IT_GEN_INTERNAL_H

#include "core/base/log.h"
#include "core/base/str.h"
#include "core/gen/gen.h"

/* ---- pages: numbers of equal pieces of the cache, counted by their users ---- */

struct it_pages {
    int64_t n, n_free;
    int32_t *free;  /* [n_free] a stack */
    int32_t *users; /* [n] 0: free */
};
void it_pages_open(struct it_pages *pages, int64_t n);
void it_pages_close(struct it_pages *pages);
void it_pages_take(struct it_pages *pages, int64_t count, int32_t *out); /* count <= n_free */
void it_pages_hold(struct it_pages *pages, int64_t count, const int32_t *page); /* one user more */
void it_pages_drop(struct it_pages *pages, int64_t count, const int32_t *page); /* one user less */

/* ---- random keys: rows of `keys` of the sample op ---- */

/* Row: {k0, k1, position, sample, k2, k3}, where k is Philox of counter (update, prompt) under the
 * 64-bit seed. Philox is a permutation of its counters, so under one seed no two of (update,
 * prompt, sample, position) share a row, with all 64 bits of update and prompt. */
enum { IT_KEY_WORDS = 6, IT_KEY_POSITION = 2 };
void it_gen_key(const struct it_sampling *sampling, uint64_t prompt, uint32_t sample,
                uint32_t row_out[IT_KEY_WORDS]); /* of position 0: set word IT_KEY_POSITION */

/* ---- stop strings ---- */

struct it_stop {
    const struct it_tokenizer *tokenizer;
    const struct it_strs *strings; /* NULL: nothing to look for */
    size_t longest;                /* bytes of the longest */
};
void it_stop_init(struct it_stop *stop, const struct it_tokenizer *tokenizer,
                  const struct it_strs *strings);
/* Adds the bytes of `id` to `tail`, the end of the text so far; true when a stop string is now
 * whole. Bytes are compared, not characters, so tokens may end inside a character. */
bool it_stop_feed(const struct it_stop *stop, struct it_str *tail, int32_t id);

/* ---- completions ---- */

/* Appends one token; *capacity is in tokens. */
void it_completion_add(struct it_completion *completion, int64_t *capacity, int32_t id,
                       const double stats[IT_STAT_COUNT]);
void it_completion_trim(struct it_completion *completion); /* give back spare memory */

/* ---- the generator ---- */

/* A running sequence; row r of the generator's arrays is its place in a step. */
struct it_sequence {
    struct it_completion *completion; /* NULL: has ended, and the row is nobody's */
    int64_t number;                   /* of the sequence in its run, from 1 */
    int64_t capacity;                 /* of the completion's arrays */
    int64_t room;                     /* most new tokens */
    int64_t n_pages;                  /* in its row of tables */
    struct it_str tail;               /* see it_stop_feed */
};

/* What has not started: requests in order, samples in order. */
struct it_feed {
    int64_t request, sample;
    int64_t completion; /* index of that sample among all completions */
    bool cached;        /* the prompt's pages are held here */
    int64_t n_pages;
    int32_t *pages; /* [slot_pages] */
};

/* Work for the decoder that admission collects: prefills, then copies of cache rows. */
struct it_pending {
    int64_t n_tokens, n_segments, n_copies;
    int32_t *ids, *positions, *rows; /* [prefill_tokens] */
    int32_t *segments;               /* [slots][5] */
    int32_t *from, *to;              /* [copy_rows] */
};

/* A step under way: whose rows it has; a row whose sequence has ended since is not looked at. */
struct it_flight {
    int64_t n;
    int64_t *number; /* [slots] 0: nobody's */
};

struct it_generator {
    const struct it_net *net;
    const struct it_tokenizer *tokenizer;
    struct it_decoder *decoder;
    struct it_decoder_options limits;
    int64_t max_length;
    int64_t copy_rows; /* most cache rows copied at once */

    struct it_pages pages;
    struct it_pending pending;
    struct it_feed feed;

    int64_t n_active; /* running sequences */
    int64_t started;  /* so far in this run */
    int64_t n_rows;   /* rows 0 .. n_rows - 1 of what follows are theirs, or nobody's ... */
    int64_t full;     /* ... from this one on */
    struct it_sequence *sequence; /* [slots] */
    int32_t *ids, *positions;     /* [slots] the last token that the host knows of, its position */
    struct it_flight flight[2];   /* the oldest first */
    int flights;
    int32_t *step_ids, *step_positions, *kv_rows, *next; /* [slots] of one step */
    int32_t *tables;                           /* [slots][slot_pages] */
    float *params;                             /* [slots][4] */
    uint32_t *keys;                            /* [slots][IT_KEY_WORDS] */
    double *stats;                             /* [slots][IT_STAT_COUNT] */

    /* of the run going on */
    const struct it_gen_run *run;
    struct it_completion *completions;
    struct it_gen_totals totals;
    struct it_stop stop;
};

/* Everything a run asks; logs what is wrong. */
enum it_status it_gen_check(const struct it_generator *generator, const struct it_gen_run *run);

/* Starts as many sequences as slots and pages allow: at least one when nothing runs and something
 * waits. */
enum it_status it_gen_admit(struct it_generator *generator);
bool it_gen_waiting(const struct it_generator *generator); /* something has not started */
/* Puts the feed before the first sample, or drops what it holds. */
void it_gen_feed_begin(struct it_generator *generator);
void it_gen_feed_end(struct it_generator *generator);

static inline int32_t *it_gen_table(const struct it_generator *generator, int64_t row)
{
    return generator->tables + row * generator->limits.slot_pages;
}

/* Cache row of a position. */
static inline int32_t it_gen_cache_row(const int32_t *table, int64_t position, int64_t page)
{
    return (int32_t)(table[position / page] * page + position % page);
}

#endif
