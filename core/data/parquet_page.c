/* SPDX-License-Identifier: MIT */
/* One column of a row group: its pages in turn, and of each page the levels and values in step. */
#include <string.h>
#include <zlib.h>

#include "core/base/mem.h"
#include "core/data/parquet_internal.h"

enum { PAGE_LIMIT = 512 << 20, DATA_PAGE = 0, INDEX_PAGE = 1, DICTIONARY_PAGE = 2,
       DATA_PAGE_V2 = 3 };

struct header {
    int64_t kind, size, stored; /* bytes, uncompressed and as they lie in the file */
    int64_t crc, values, encoding, rep_encoding, def_encoding, rep_bytes, def_bytes;
    bool checked, plain; /* a CRC is given; a page of version 2 that is not compressed */
};

enum it_status it_pq_column_fail(const struct it_pq_column *c, enum it_status status,
                                 const char *cause)
{
    return it_fail(status, "%s: row %lld, column \"%s\": %s", c->path, (long long)*c->row, c->name,
                   cause);
}

static enum it_status broken(const struct it_pq_column *c, const char *cause)
{
    return it_pq_column_fail(c, IT_INVALID, cause);
}

/* Field ids of DataPageHeader, DictionaryPageHeader and DataPageHeaderV2. */
static void read_kind(struct it_thrift *t, const struct it_thrift_field *outer, struct header *h)
{
    struct it_thrift_field field = {0};
    bool v2 = outer->id == 8;
    it_thrift_enter(t, outer);
    while (it_thrift_next(t, &field)) {
        if (field.id == 1) {
            h->values = it_thrift_int(t, &field);
        } else if (field.id == (v2 ? 4 : 2)) {
            h->encoding = it_thrift_int(t, &field);
        } else if (outer->id == 5 && (field.id == 3 || field.id == 4)) {
            *(field.id == 3 ? &h->def_encoding : &h->rep_encoding) = it_thrift_int(t, &field);
        } else if (v2 && (field.id == 5 || field.id == 6)) {
            *(field.id == 5 ? &h->def_bytes : &h->rep_bytes) = it_thrift_int(t, &field);
        } else if (v2 && field.id == 7) {
            h->plain = !it_thrift_bool(t, &field);
        } else {
            it_thrift_skip(t, &field);
        }
    }
}

static enum it_status read_header(struct it_pq_column *c, struct header *h)
{
    struct it_thrift t = {.at = c->at, .end = c->end};
    struct it_thrift_field field = {0};
    *h = (struct header){.kind = -1, .size = -1, .stored = -1, .rep_encoding = IT_PQ_ENC_RLE,
                         .def_encoding = IT_PQ_ENC_RLE, .encoding = -1};
    while (it_thrift_next(&t, &field)) {
        switch (field.id) {
        case 1: h->kind = it_thrift_int(&t, &field); break;
        case 2: h->size = it_thrift_int(&t, &field); break;
        case 3: h->stored = it_thrift_int(&t, &field); break;
        case 4:
            h->crc = it_thrift_int(&t, &field);
            h->checked = true;
            break;
        case 5:
        case 7:
        case 8: read_kind(&t, &field, h); break;
        default: it_thrift_skip(&t, &field);
        }
    }
    if (t.broken) { return broken(c, "a broken page header"); }
    c->at = t.at;
    if (h->stored < 0 || h->stored > c->end - c->at) {
        return broken(c, "a page reaches past its column; is the file cut off?");
    }
    if (h->size < 0 || h->size > PAGE_LIMIT || h->values < 0 || h->values > INT32_MAX) {
        return broken(c, "a page header with sizes that cannot be");
    }
    if (h->checked && (uint32_t)h->crc != crc32_z(0, c->at, (size_t)h->stored)) {
        return broken(c, "a page does not have the checksum it says; copy the file again");
    }
    return IT_OK;
}

/* The bytes of a page behind `raw` ones that are never compressed. *owned is freed and set where
 * memory was needed. */
static enum it_status unpack(struct it_pq_column *c, const struct header *h, size_t raw,
                             uint8_t **owned, const uint8_t **at_out, const uint8_t **end_out)
{
    int codec = h->plain ? 0 : c->codec;
    size_t n = (size_t)h->stored - raw, size = (size_t)h->size - raw;
    const uint8_t *bytes = c->at + raw;
    const char *cause = it_pq_codec_check(codec, n, size);
    if (cause) { return it_pq_column_fail(c, IT_INVALID, cause); }
    *at_out = bytes;
    *end_out = bytes + n;
    if (codec == 0) { return IT_OK; }
    it_free(*owned);
    *owned = it_alloc(size ? size : 1);
    cause = it_pq_decompress(codec, bytes, n, *owned, size);
    if (cause) { return broken(c, cause); }
    *at_out = *owned;
    *end_out = *owned + size;
    return IT_OK;
}

static enum it_status read_dictionary(struct it_pq_column *c, const struct header *h)
{
    const uint8_t *at, *end;
    struct it_pq_values values = {0};
    struct it_pq_dictionary *d = &c->dictionary;
    if (d->item) { return broken(c, "two dictionaries"); }
    if (h->encoding != IT_PQ_ENC_PLAIN && h->encoding != IT_PQ_ENC_PLAIN_DICTIONARY) {
        return it_pq_column_fail(c, IT_INVALID, "a dictionary in an unknown encoding");
    }
    IT_TRY(unpack(c, h, 0, &d->owned, &at, &end));
    size_t n = (size_t)h->values;
    if (n > (size_t)(end - at) || c->node->type == IT_PQ_BOOLEAN) {
        return broken(c, "a dictionary of more values than it has bytes");
    }
    d->item = it_calloc(n + 1, sizeof *d->item);
    (void)it_pq_values_open(&values, c->node, IT_PQ_ENC_PLAIN, at, end, n);
    for (d->n = 0; d->n < n; d->n++) {
        if (!it_pq_values_next(&values, NULL, &d->item[d->n])) {
            return broken(c, "a dictionary that ends too early");
        }
    }
    return IT_OK;
}

static unsigned bits_of(int most)
{
    unsigned bits = 0;
    for (; most; most >>= 1) { bits++; }
    return bits;
}

/* Levels of a page of version 1: a length of 4 bytes and the runs. */
static bool open_levels(struct it_pq_runs *runs, int most, const uint8_t **at, const uint8_t *end)
{
    *runs = (struct it_pq_runs){0};
    if (most == 0) { return true; }
    if (end - *at < 4) { return false; }
    uint32_t n = (*at)[0] | (uint32_t)(*at)[1] << 8 | (uint32_t)(*at)[2] << 16 |
                 (uint32_t)(*at)[3] << 24;
    *at += 4;
    if (n > (size_t)(end - *at)) { return false; }
    *runs = (struct it_pq_runs){.at = *at, .end = *at + n, .width = bits_of(most)};
    *at += n;
    return true;
}

static enum it_status open_page(struct it_pq_column *c, const struct header *h)
{
    const uint8_t *at, *end;
    int rep = c->node->max_rep, def = c->node->max_def;
    if (h->kind == DATA_PAGE_V2) {
        if (h->rep_bytes < 0 || h->def_bytes < 0 || h->rep_bytes > h->stored ||
            h->def_bytes > h->stored - h->rep_bytes || h->rep_bytes + h->def_bytes > h->size) {
            return broken(c, "levels that are longer than their page");
        }
        size_t raw = (size_t)(h->rep_bytes + h->def_bytes);
        const uint8_t *levels = c->at, *defs = c->at + h->rep_bytes;
        c->reps = (struct it_pq_runs){.at = levels, .end = defs, .width = bits_of(rep)};
        c->defs = (struct it_pq_runs){.at = defs, .end = levels + raw, .width = bits_of(def)};
        IT_TRY(unpack(c, h, raw, &c->page, &at, &end));
    } else {
        if ((rep && h->rep_encoding != IT_PQ_ENC_RLE) ||
            (def && h->def_encoding != IT_PQ_ENC_RLE)) {
            return it_pq_column_fail(c, IT_INVALID, "levels in the encoding BIT_PACKED of old "
                                     "writers; write the file again");
        }
        IT_TRY(unpack(c, h, 0, &c->page, &at, &end));
        if (!open_levels(&c->reps, rep, &at, end) || !open_levels(&c->defs, def, &at, end)) {
            return broken(c, "levels that are longer than their page");
        }
    }
    if (h->encoding < 0 || h->encoding > IT_PQ_ENC_SPLIT || h->encoding == 1 ||
        h->encoding == IT_PQ_ENC_BIT_PACKED) {
        return it_pq_column_fail(c, IT_INVALID, "values in an unknown encoding");
    }
    if (!it_pq_values_open(&c->values, c->node, (int)h->encoding, at, end, (size_t)h->values)) {
        return broken(c, "values that their encoding cannot be");
    }
    return IT_OK;
}

/* Opens pages until one has entries. */
static enum it_status next_page(struct it_pq_column *c)
{
    while (c->page_left == 0) {
        struct header h;
        IT_TRY(read_header(c, &h));
        if (h.kind == DICTIONARY_PAGE) {
            IT_TRY(read_dictionary(c, &h));
        } else if (h.kind == DATA_PAGE || h.kind == DATA_PAGE_V2) {
            if (h.values > c->left) { return broken(c, "a page of more values than the column"); }
            IT_TRY(open_page(c, &h));
            c->page_left = h.values;
            c->left -= h.values;
        } else if (h.kind != INDEX_PAGE) {
            return it_pq_column_fail(c, IT_INVALID, "a page of an unknown kind");
        }
        c->at += h.stored;
    }
    return IT_OK;
}

enum it_status it_pq_column_peek(struct it_pq_column *c)
{
    if (c->peeked || c->ended) { return IT_OK; }
    c->rep = c->def = 0;
    if (c->page_left == 0) {
        c->ended = c->left == 0;
        if (c->ended) { return IT_OK; }
        IT_TRY(next_page(c));
    }
    const struct it_pq_node *node = c->node;
    if ((node->max_rep && !it_pq_runs_next(&c->reps, &c->rep)) ||
        (node->max_def && !it_pq_runs_next(&c->defs, &c->def)) ||
        c->rep > (uint32_t)node->max_rep || c->def > (uint32_t)node->max_def) {
        return broken(c, "broken levels");
    }
    c->page_left--;
    c->peeked = true;
    return IT_OK;
}

enum it_status it_pq_column_take(struct it_pq_column *c, struct it_pq_value *value_out)
{
    c->peeked = false;
    if (!it_pq_values_next(&c->values, &c->dictionary, value_out)) {
        return broken(c, "fewer values than the page says, or one outside its dictionary");
    }
    return IT_OK;
}

bool it_pq_column_is_empty(struct it_pq_column *c)
{
    return !c->peeked && c->page_left == 0 && c->left == 0;
}

static void chunk_free(struct it_pq_column *c)
{
    it_free(c->page);
    it_free(c->dictionary.owned);
    it_free(c->dictionary.item);
    c->page = NULL;
    c->dictionary = (struct it_pq_dictionary){0};
}

/* A dictionary page, where there is one, lies before the data pages; old writers say 0 for none. */
enum it_status it_pq_column_begin(struct it_pq_column *c, const struct it_pq_chunk *chunk,
                                  const struct it_map *map)
{
    chunk_free(c);
    int64_t begin = chunk->data_at;
    if (chunk->dictionary_at > 0 && chunk->dictionary_at < begin) { begin = chunk->dictionary_at; }
    if (chunk->elsewhere || chunk->encrypted) {
        return it_pq_column_fail(c, IT_INVALID,
                                 chunk->encrypted ? "encrypted" : "its data lie in another file");
    }
    if (chunk->type != (int)c->node->type) {
        return broken(c, "stored with another type than the schema's");
    }
    c->left = c->page_left = 0;
    c->peeked = c->ended = false;
    if (chunk->values == 0) { return IT_OK; } /* then it need not have a place */
    if (begin < 4 || chunk->bytes < 0 || chunk->values < 0 || (uint64_t)begin > map->size ||
        (uint64_t)chunk->bytes > map->size - (uint64_t)begin) {
        return broken(c, "its place lies outside the file; is the file cut off?");
    }
    c->at = map->data + begin;
    c->end = c->at + chunk->bytes;
    c->codec = chunk->codec;
    c->left = chunk->values;
    return IT_OK;
}

void it_pq_column_free(struct it_pq_column *c)
{
    chunk_free(c);
    it_str_free(&c->values.previous);
    it_free(c->name);
}
