/* SPDX-License-Identifier: MIT */
/* Tokens by id and by bytes, merges by pair of ids: two open-addressing tables, built once and then
 * only read. */
#include "core/text/internal.h"

#include <string.h>

#include "core/base/mem.h"

static uint64_t mix(uint64_t x)
{
    x ^= x >> 32;
    x *= 0x9e3779b97f4a7c15u;
    x ^= x >> 29;
    return x;
}

static uint64_t hash_bytes(const char *bytes, size_t n)
{
    uint64_t h = 0x2545f4914f6cdd1du ^ n;
    while (n >= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        h = mix(h ^ word) * 0xd6e8feb86659fd93u;
        bytes += 8;
        n -= 8;
    }
    uint64_t tail = 0;
    for (size_t i = 0; i < n; i++) { tail |= (uint64_t)(unsigned char)bytes[i] << (8 * i); }
    return mix(mix(h ^ tail) * 0xd6e8feb86659fd93u);
}

static uint64_t hash_pair(int32_t left, int32_t right)
{
    uint64_t h = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 31;
}

/* Power of two with at most half of it used. */
static size_t table_size(size_t n)
{
    size_t size = 256;
    while (size < 2 * n) { size *= 2; }
    return size;
}

/* The pair's entry, or the empty one where it would go. */
static struct it_merge *merge_of(const struct it_vocab *vocab, int32_t left, int32_t right,
                                 uint64_t hash)
{
    for (size_t i = (size_t)hash & vocab->merge_mask;; i = (i + 1) & vocab->merge_mask) {
        struct it_merge *merge = &vocab->merge[i];
        if (merge->left < 0 || (merge->left == left && merge->right == right)) { return merge; }
    }
}

/* Four bits a slot of the merge table, chosen by another part of the hash than the slot is. */
static size_t filter_bit(const struct it_vocab *vocab, uint64_t hash)
{
    return (size_t)(hash >> 24) & (vocab->merge_mask * 4 + 3);
}

static void insert_merge(struct it_vocab *vocab, struct it_merge merge)
{
    uint64_t hash = hash_pair(merge.left, merge.right);
    size_t bit = filter_bit(vocab, hash);
    *merge_of(vocab, merge.left, merge.right, hash) = merge;
    vocab->may_merge[bit / 64] |= (uint64_t)1 << (bit % 64);
}

/* Room for twice the merges; the first call makes the table. */
static void grow_merges(struct it_vocab *vocab)
{
    struct it_merge *old = vocab->merge;
    size_t old_size = old ? vocab->merge_mask + 1 : 0, size = table_size(old_size);
    vocab->merge_mask = size - 1;
    vocab->merge = it_alloc(size * sizeof *vocab->merge);
    for (size_t i = 0; i < size; i++) { vocab->merge[i] = (struct it_merge){-1, -1, 0, 0}; }
    it_free(vocab->may_merge);
    vocab->may_merge = it_calloc(size * 4 / 64, sizeof *vocab->may_merge);
    for (size_t i = 0; i < old_size; i++) {
        if (old[i].left >= 0) { insert_merge(vocab, old[i]); }
    }
    it_free(old);
}

enum it_status it_vocab_init(struct it_vocab *vocab, const char *where, size_t limit)
{
    *vocab = (struct it_vocab){0};
    if (limit == 0 || limit > INT32_MAX / 4) {
        return it_fail(IT_INVALID, "%s: a vocabulary of %zu tokens", where, limit);
    }
    vocab->limit = limit;
    vocab->token = it_calloc(limit, sizeof *vocab->token);
    size_t slots = table_size(limit);
    vocab->slot_mask = slots - 1;
    vocab->slot = it_alloc(slots * sizeof *vocab->slot);
    for (size_t i = 0; i < slots; i++) { vocab->slot[i] = (struct it_slot){0, -1}; }
    grow_merges(vocab);
    return IT_OK;
}

void it_vocab_free(struct it_vocab *vocab)
{
    it_str_free(&vocab->text);
    it_free(vocab->token);
    it_free(vocab->slot);
    it_free(vocab->merge);
    it_free(vocab->may_merge);
    *vocab = (struct it_vocab){0};
}

/* The slot that holds the token, or the empty one where it would go. */
static size_t slot_of(const struct it_vocab *vocab, const char *bytes, size_t n, uint32_t kind,
                      uint64_t hash)
{
    uint32_t tag = (uint32_t)(hash >> 32);
    for (size_t i = (size_t)hash & vocab->slot_mask;; i = (i + 1) & vocab->slot_mask) {
        const struct it_slot *slot = &vocab->slot[i];
        if (slot->id < 0) { return i; }
        if (slot->tag != tag) { continue; }
        const struct it_token *token = &vocab->token[slot->id];
        if (token->length == n && (token->flags & IT_TOKEN_BYTES) == kind &&
            memcmp(vocab->text.data + token->at, bytes, n) == 0) {
            return i;
        }
    }
}

int32_t it_vocab_find(const struct it_vocab *vocab, const char *bytes, size_t n, bool as_bytes)
{
    if (n == 0) { return -1; }
    uint32_t kind = as_bytes ? IT_TOKEN_BYTES : 0;
    return vocab->slot[slot_of(vocab, bytes, n, kind, hash_bytes(bytes, n))].id;
}

enum it_status it_vocab_put(struct it_vocab *vocab, const char *where, int64_t id,
                            const char *bytes, size_t n, uint32_t flags)
{
    if (n == 0 || n > IT_TOKEN_BYTES_MAX) {
        return it_fail(IT_INVALID, "%s: token %lld has %zu bytes", where, (long long)id, n);
    }
    if (id < 0 || (size_t)id >= vocab->limit) {
        return it_fail(IT_INVALID, "%s: id %lld, but there are only %zu tokens: a hole", where,
                       (long long)id, vocab->limit);
    }
    struct it_token *token = &vocab->token[id];
    if (token->flags & IT_TOKEN_USED) {
        return it_fail(IT_INVALID, "%s: id %lld is given to two tokens", where, (long long)id);
    }
    uint64_t hash = hash_bytes(bytes, n);
    size_t slot = slot_of(vocab, bytes, n, flags & IT_TOKEN_BYTES, hash);
    if (vocab->slot[slot].id >= 0) {
        return it_fail(IT_INVALID, "%s: ids %d and %lld are the same token", where,
                       (int)vocab->slot[slot].id, (long long)id);
    }
    if (vocab->text.len > UINT32_MAX - n) {
        return it_fail(IT_INVALID, "%s: more than 4 GiB of tokens", where);
    }
    *token = (struct it_token){(uint32_t)vocab->text.len, (uint32_t)n, flags | IT_TOKEN_USED};
    it_str_add(&vocab->text, bytes, n);
    vocab->slot[slot] = (struct it_slot){(uint32_t)(hash >> 32), (int32_t)id};
    if ((size_t)id >= vocab->n) { vocab->n = (size_t)id + 1; }
    return IT_OK;
}

const struct it_merge *it_vocab_merge(const struct it_vocab *vocab, int32_t left, int32_t right)
{
    uint64_t hash = hash_pair(left, right);
    size_t bit = filter_bit(vocab, hash);
    if (!(vocab->may_merge[bit / 64] >> (bit % 64) & 1)) { return NULL; }
    const struct it_merge *merge = merge_of(vocab, left, right, hash);
    return merge->left < 0 ? NULL : merge;
}

enum it_status it_vocab_put_merge(struct it_vocab *vocab, const char *where, int32_t left,
                                  int32_t right)
{
    const struct it_token *a = &vocab->token[left], *b = &vocab->token[right];
    struct it_str both = {0};
    it_str_add(&both, vocab->text.data + a->at, a->length);
    it_str_add(&both, vocab->text.data + b->at, b->length);
    bool as_bytes = (a->flags & b->flags & IT_TOKEN_BYTES) != 0;
    int32_t result = it_vocab_find(vocab, both.data, both.len, as_bytes);
    it_str_free(&both);
    if (result < 0) {
        return it_fail(IT_INVALID, "%s: merge %zu: the ids %d and %d joined are not a token", where,
                       vocab->merges, (int)left, (int)right);
    }
    if (vocab->merges > INT32_MAX / 4) { return it_fail(IT_INVALID, "%s: too many merges", where); }
    if (2 * (vocab->merges + 1) > vocab->merge_mask + 1) { grow_merges(vocab); }
    /* A pair given twice has its later rank, as in the tokenizers library. */
    insert_merge(vocab, (struct it_merge){left, right, (int32_t)vocab->merges++, result});
    return IT_OK;
}

/* A token that merges never reach from its own bytes must not be taken for the whole piece. */
static void find_whole(struct it_vocab *vocab)
{
    int32_t part[IT_TOKEN_BYTES_MAX];
    for (size_t id = 0; id < vocab->n; id++) {
        struct it_token *token = &vocab->token[id];
        if (!(token->flags & IT_TOKEN_BYTES)) { continue; }
        size_t n = 0;
        for (; n < token->length; n++) {
            part[n] = vocab->byte[(unsigned char)vocab->text.data[token->at + n]];
            if (part[n] < 0) { break; }
        }
        if (n == token->length && it_bpe_merge(vocab, part, n) == 1) {
            token->flags |= IT_TOKEN_WHOLE;
        }
    }
}

enum it_status it_vocab_finish(struct it_vocab *vocab, const char *where)
{
    for (size_t id = 0; id < vocab->n; id++) {
        if (!(vocab->token[id].flags & IT_TOKEN_USED)) {
            return it_fail(IT_INVALID, "%s: no token has id %zu: a hole", where, id);
        }
    }
    for (int byte = 0; byte < 256; byte++) {
        char text = (char)byte;
        vocab->byte[byte] = it_vocab_find(vocab, &text, 1, true);
    }
    find_whole(vocab);
    return IT_OK;
}

int it_byte_of_character(int32_t character)
{
    if ((character >= 33 && character <= 126) || (character >= 161 && character <= 172) ||
        (character >= 174 && character <= 255)) {
        return character;
    }
    int nth = character - 256; /* of the bytes 0 to 32, 127 to 160 and 173 */
    if (nth < 0 || nth > 67) { return -1; }
    return nth < 33 ? nth : nth < 67 ? 127 + nth - 33 : 173;
}

bool it_bytes_add_written(struct it_str *out, const char *text, size_t n)
{
    size_t before = out->len;
    for (size_t i = 0; i < n;) {
        unsigned char c = (unsigned char)text[i];
        int byte = -1;
        if (c < 0x80) {
            byte = it_byte_of_character(c);
            i++;
        } else if ((c & 0xe0) == 0xc0 && i + 1 < n) {
            byte = it_byte_of_character((c & 0x1f) << 6 | ((unsigned char)text[i + 1] & 0x3f));
            i += 2;
        }
        if (byte < 0) {
            if (out->len > before) { out->data[out->len = before] = '\0'; }
            return false;
        }
        it_str_putc(out, (char)byte);
    }
    return true;
}

int32_t it_vocab_find_written(const struct it_vocab *vocab, const char *text, size_t n)
{
    struct it_str bytes = {0};
    int32_t id = -1;
    if (it_bytes_add_written(&bytes, text, n)) {
        id = it_vocab_find(vocab, bytes.data, bytes.len, true);
    }
    it_str_free(&bytes);
    return id >= 0 ? id : it_vocab_find(vocab, text, n, false);
}

enum it_status it_vocab_put_written(struct it_vocab *vocab, const char *where, int64_t id,
                                    const char *text, size_t n)
{
    struct it_str bytes = {0};
    enum it_status status =
        it_bytes_add_written(&bytes, text, n)
            ? it_vocab_put(vocab, where, id, bytes.data, bytes.len, IT_TOKEN_BYTES)
            : it_vocab_put(vocab, where, id, text, n, 0);
    it_str_free(&bytes);
    return status;
}
