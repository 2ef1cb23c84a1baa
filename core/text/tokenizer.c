/* SPDX-License-Identifier: MIT */
/* Encoding: malformed UTF-8 replaced, added tokens cut out, the rest normalised, added tokens that
 * are looked for in normalised text cut out, the rest cut into pieces, each piece merged. And
 * decoding, which is a look-up. */
#include "core/text/internal.h"

#include <string.h>

#include "core/base/mem.h"

void it_ids_add(struct it_ids *ids, int32_t id)
{
    ids->item = it_grow(ids->item, &ids->cap, ids->n + 1, sizeof *ids->item);
    ids->item[ids->n++] = id;
}

void it_ids_free(struct it_ids *ids)
{
    it_free(ids->item);
    *ids = (struct it_ids){0};
}

/* One call of encode. */
struct encoding {
    const struct it_tokenizer *tokenizer;
    struct it_split_work *work;
    struct it_str normal;
    struct it_ids *ids;
};

/* Bytes that the vocabulary lacks give nothing, as in the tokenizers library. */
static void encode_piece(struct encoding *e, const char *text, size_t n)
{
    const struct it_vocab *vocab = &e->tokenizer->vocab;
    struct it_ids *ids = e->ids;
    int32_t id = it_vocab_find(vocab, text, n, true);
    if (id >= 0 && (e->tokenizer->ignore_merges || vocab->token[id].flags & IT_TOKEN_WHOLE)) {
        it_ids_add(ids, id);
        return;
    }
    ids->item = it_grow(ids->item, &ids->cap, ids->n + n, sizeof *ids->item);
    int32_t *symbol = ids->item + ids->n;
    size_t symbols = 0;
    for (size_t i = 0; i < n; i++) {
        int32_t byte = vocab->byte[(unsigned char)text[i]];
        if (byte >= 0) { symbol[symbols++] = byte; }
    }
    ids->n += it_bpe_merge(vocab, symbol, symbols);
}

static size_t character_bytes(unsigned char first)
{
    return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* Cut by the expression of this level and hand the parts to the next; depth is at most
 * IT_SPLITS_MAX. */
static enum it_status encode_level(struct encoding *e, size_t level, const char *text, size_t n)
{
    if (n == 0) { return IT_OK; }
    if (level == e->tokenizer->splits) {
        encode_piece(e, text, n);
        return IT_OK;
    }
    const struct it_split *split = &e->tokenizer->split[level];
    size_t done = 0, from = 0; /* done: end of the last match */
    while (from < n) {
        size_t begin, end;
        enum it_status status = it_split_match(split, e->work, text, n, from, &begin, &end);
        if (status == IT_END) { break; }
        IT_TRY(status);
        if (begin > done && split->keep_gaps) {
            IT_TRY(encode_level(e, level + 1, text + done, begin - done));
        }
        if (split->keep_matches) { IT_TRY(encode_level(e, level + 1, text + begin, end - begin)); }
        done = end;
        from = end > begin ? end : end < n ? end + character_bytes((unsigned char)text[end]) : n;
    }
    if (!split->keep_gaps) { return IT_OK; }
    return encode_level(e, level + 1, text + done, n - done);
}

/* Text between the added tokens that were found before normalisation. */
static enum it_status encode_plain(struct encoding *e, const char *text, size_t n)
{
    const struct it_tokenizer *tokenizer = e->tokenizer;
    if (tokenizer->nfc && !it_nfc_is_stable(text, n)) {
        it_str_clear(&e->normal);
        IT_TRY(it_nfc_add(&e->normal, text, n));
        text = it_str_c(&e->normal);
        n = e->normal.len;
    }
    struct it_added_scan scan;
    struct it_stretch stretch;
    it_added_scan_begin(&scan, &tokenizer->normalized, text, n);
    while (it_added_scan_next(&scan, &stretch)) {
        if (stretch.id >= 0) {
            it_ids_add(e->ids, stretch.id);
        } else {
            IT_TRY(encode_level(e, 0, text + stretch.begin, stretch.end - stretch.begin));
        }
    }
    return IT_OK;
}

static enum it_status encode_all(struct encoding *e, const char *text, size_t n)
{
    struct it_added_scan scan;
    struct it_stretch stretch;
    it_added_scan_begin(&scan, &e->tokenizer->raw, text, n);
    while (it_added_scan_next(&scan, &stretch)) {
        if (stretch.id >= 0) {
            it_ids_add(e->ids, stretch.id);
        } else {
            IT_TRY(encode_plain(e, text + stretch.begin, stretch.end - stretch.begin));
        }
    }
    return IT_OK;
}

enum it_status it_tokenizer_encode(const struct it_tokenizer *tokenizer, const char *text,
                                   size_t bytes, struct it_ids *ids_out)
{
    size_t before = ids_out->n;
    struct it_str repaired = {0};
    if (bytes == 0) { return IT_OK; }
    if (bytes > INT32_MAX) {
        return it_fail(IT_INVALID, "text of %zu bytes is too long for one call", bytes);
    }
    if (it_utf8_valid_prefix(text, bytes) != bytes) {
        it_utf8_add_lossy(&repaired, text, bytes);
        text = repaired.data;
        bytes = repaired.len;
    }
    struct encoding e = {tokenizer, it_split_work_new(), {0}, ids_out};
    enum it_status status = encode_all(&e, text, bytes);
    if (status != IT_OK) { ids_out->n = before; }
    it_split_work_free(e.work);
    it_str_free(&e.normal);
    it_str_free(&repaired);
    return status;
}

static bool in_vocabulary(const struct it_tokenizer *tokenizer, int32_t id)
{
    return id >= 0 && (size_t)id < tokenizer->vocab.n;
}

void it_tokenizer_decode(const struct it_tokenizer *tokenizer, const int32_t *ids, size_t n,
                         bool skip_special, struct it_str *text_out)
{
    const struct it_vocab *vocab = &tokenizer->vocab;
    for (size_t i = 0; i < n; i++) {
        if (!in_vocabulary(tokenizer, ids[i])) { continue; }
        const struct it_token *token = &vocab->token[ids[i]];
        if (skip_special && token->flags & IT_TOKEN_SPECIAL) { continue; }
        it_str_add(text_out, vocab->text.data + token->at, token->length);
    }
}

int32_t it_tokenizer_size(const struct it_tokenizer *tokenizer)
{
    return (int32_t)tokenizer->vocab.n;
}

int32_t it_tokenizer_find(const struct it_tokenizer *tokenizer, const char *token)
{
    return it_vocab_find_written(&tokenizer->vocab, token, strlen(token));
}

bool it_tokenizer_is_special(const struct it_tokenizer *tokenizer, int32_t id)
{
    return in_vocabulary(tokenizer, id) &&
           (tokenizer->vocab.token[id].flags & IT_TOKEN_SPECIAL) != 0;
}

int32_t it_tokenizer_eos(const struct it_tokenizer *tokenizer)
{
    return tokenizer->eos;
}
