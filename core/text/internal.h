/* SPDX-License-Identifier: MIT */
/* The parts of a tokenizer, seen by core/text only. In reading order: vocabulary and merges, added
 * tokens, the expressions that cut text into pieces, normalisation, and the tokenizer that owns
 * them. */
#ifndef IT_TEXT_INTERNAL_H
#define IT_TEXT_INTERNAL_H

#include "core/text/text.h"

/* ---- vocab.c: tokens by id and by bytes, merges by pair ---------------------------------------
 * A token of the model's vocabulary is stored as the bytes it stands for (IT_TOKEN_BYTES). What is
 * not written in the byte alphabet, added tokens above all, is stored as written and never found
 * by its bytes. */
enum {
    IT_TOKEN_USED = 1,    /* the id is taken */
    IT_TOKEN_BYTES = 2,   /* reachable from text through bytes and merges */
    IT_TOKEN_WHOLE = 4,   /* its bytes, taken alone, merge to just this token */
    IT_TOKEN_ADDED = 8,   /* found in the text before anything else */
    IT_TOKEN_SPECIAL = 16 /* left out by decoding with skip_special */
};

struct it_token {
    uint32_t at, length; /* in it_vocab.text */
    uint32_t flags;
};

struct it_slot {
    uint32_t tag; /* upper half of the hash */
    int32_t id;   /* -1: empty */
};

struct it_merge {
    int32_t left, right; /* left -1: empty */
    int32_t rank, result;
};

struct it_vocab {
    struct it_str text;
    struct it_token *token; /* [limit] */
    size_t limit, n;        /* ids are below limit; n is the largest in use + 1 */
    struct it_slot *slot;
    size_t slot_mask;
    struct it_merge *merge;
    size_t merge_mask, merges;
    uint64_t *may_merge; /* one bit a hash of a pair: most neighbours don't merge */
    int32_t byte[256];   /* id of a single byte, -1: none */
};

#define IT_TOKEN_BYTES_MAX 4096

/* At most `limit` tokens will be put, each of at most IT_TOKEN_BYTES_MAX bytes. */
enum it_status it_vocab_init(struct it_vocab *vocab, const char *where, size_t limit);
void it_vocab_free(struct it_vocab *vocab);
enum it_status it_vocab_put(struct it_vocab *vocab, const char *where, int64_t id,
                            const char *bytes, size_t n, uint32_t flags);
/* The id of these bytes (with IT_TOKEN_BYTES) or of this text as written (without), or -1. */
int32_t it_vocab_find(const struct it_vocab *vocab, const char *bytes, size_t n, bool as_bytes);
/* Merges in order of rank; parts and result must be tokens. */
enum it_status it_vocab_put_merge(struct it_vocab *vocab, const char *where, int32_t left,
                                  int32_t right);
const struct it_merge *it_vocab_merge(const struct it_vocab *vocab, int32_t left, int32_t right);
/* All tokens and merges are in: refuses a hole among the ids, then finds the whole tokens. */
enum it_status it_vocab_finish(struct it_vocab *vocab, const char *where);

/* The byte alphabet of GPT-2, in which vocabularies are written: printable characters of Latin-1
 * stand for their own byte, U+0100 to U+0143 for the others in order. False, with nothing added,
 * when a character is outside it. */
bool it_bytes_add_written(struct it_str *out, const char *text, size_t n);
/* The byte of a character of the alphabet, -1 for others. */
int it_byte_of_character(int32_t character);
/* A token as the vocabulary files write it. */
int32_t it_vocab_find_written(const struct it_vocab *vocab, const char *text, size_t n);
/* Put a token as the vocabulary files write it. */
enum it_status it_vocab_put_written(struct it_vocab *vocab, const char *where, int64_t id,
                                    const char *text, size_t n);

/* ---- bpe.c: merge the n ids of one piece in place, returns how many are left ---------------- */
size_t it_bpe_merge(const struct it_vocab *vocab, int32_t *id, size_t n);

/* ---- added.c: tokens found in the text before anything else -------------------------------- */
struct it_added {
    const char *content; /* borrowed, NULL once in a set */
    size_t length;
    int32_t id;
    bool single_word, lstrip, rstrip, normalized, special;
};

struct it_trie_node {
    int32_t child, sibling; /* indices, -1: none */
    int32_t added;          /* index of the token that ends here, -1: none */
    uint8_t byte;
};

struct it_added_set {
    struct it_added *item;
    size_t n, cap;
    struct it_trie_node *node;
    size_t nodes, node_cap;
    int32_t root[256]; /* node of a first byte, -1: none */
};
void it_added_set_init(struct it_added_set *set);
void it_added_set_free(struct it_added_set *set);
void it_added_set_put(struct it_added_set *set, const struct it_added *added);

/* Cut text into stretches between added tokens and the tokens. */
struct it_added_scan {
    const struct it_added_set *set;
    const char *text;
    size_t n, search, done; /* done: end of what was handed out */
    size_t pending_end;
    int32_t pending_id; /* -1: none */
};
struct it_stretch {
    size_t begin, end;
    int32_t id; /* -1: plain text */
};
void it_added_scan_begin(struct it_added_scan *scan, const struct it_added_set *set,
                         const char *text, size_t n);
bool it_added_scan_next(struct it_added_scan *scan, struct it_stretch *stretch_out);

/* ---- split.c: an expression that cuts text into pieces -------------------------------------- */
#define IT_SPLITS_MAX 8

struct it_split {
    void *code; /* pcre2_code */
    bool jit, keep_matches, keep_gaps;
};

extern const char it_pattern_gpt2[], it_pattern_qwen2[], it_pattern_llama3[];

/* `literal` takes the pattern as plain text. */
enum it_status it_split_open(const char *where, const char *pattern, bool literal,
                             struct it_split *split_out);
void it_split_close(struct it_split *split);

/* Working memory of one call of encode. */
struct it_split_work;
struct it_split_work *it_split_work_new(void);
void it_split_work_free(struct it_split_work *work);
/* The next match at or after `from`; IT_END when there is none. */
enum it_status it_split_match(const struct it_split *split, struct it_split_work *work,
                              const char *text, size_t n, size_t from, size_t *begin_out,
                              size_t *end_out);

/* ---- normal.c ----------------------------------------------------------------------------- */
/* True when NFC surely leaves the (valid) text as it is; quick. */
bool it_nfc_is_stable(const char *text, size_t n);
/* Append the NFC form of valid UTF-8. */
enum it_status it_nfc_add(struct it_str *out, const char *text, size_t n);
bool it_is_space(int32_t character); /* Unicode White_Space */
bool it_is_word(int32_t character);  /* letters, marks, decimal digits, connectors, joiners */

/* ---- the whole ---------------------------------------------------------------------------- */
struct it_tokenizer {
    struct it_vocab vocab;
    struct it_added_set raw, normalized; /* found before and after normalisation */
    struct it_split split[IT_SPLITS_MAX];
    size_t splits;
    bool nfc, ignore_merges;
    int32_t eos;
};

/* load.c: a tokenizer.json in memory; `where` names it in errors. */
enum it_status it_tokenizer_parse(const char *where, const char *text, size_t bytes,
                                  struct it_tokenizer **tokenizer_out);

/* load_added.c: the places that list added tokens; each may be NULL. */
struct it_added_sources {
    const char *where;
    json_t *list;  /* "added_tokens" of tokenizer.json: [{"id", "content", flags}] */
    json_t *plain; /* added_tokens.json: {"content": id} */
    const char *config_where;
    json_t
        *decoder; /* "added_tokens_decoder" of tokenizer_config.json: {"id": {"content", flags}} */
};
size_t it_added_count(const struct it_added_sources *sources);
enum it_status it_added_load(struct it_tokenizer *tokenizer,
                             const struct it_added_sources *sources);

/* load_json.c: start a vocabulary from {"token": id}, with room for `added` more. */
enum it_status it_load_tokens(struct it_vocab *vocab, const char *where, json_t *tokens,
                              size_t added);

/* Fill a zeroed tokenizer, up to it_vocab_finish. load_json.c: from a parsed tokenizer.json (its
 * added tokens are put into `sources`); load_files.c: from the older forms. */
enum it_status it_load_json(struct it_tokenizer *tokenizer, const char *where, json_t *root,
                            struct it_added_sources *sources);
enum it_status it_load_vocab_merges(struct it_tokenizer *tokenizer, const char *vocab_path,
                                    const char *merges_path, const char *class_name,
                                    const struct it_added_sources *sources);
enum it_status it_load_ranks(struct it_tokenizer *tokenizer, const char *path,
                             const struct it_added_sources *sources);

#endif
