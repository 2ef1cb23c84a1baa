/* SPDX-License-Identifier: MIT */
/* The values of a page in each encoding, one after the other. Little-endian throughout. */
#include <string.h>

#include "core/base/mem.h"
#include "core/data/parquet_internal.h"

static uint32_t get_u32(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* Bytes of a value; 0 where each has its own. Booleans are bits. */
static size_t size_of(const struct it_pq_node *node)
{
    switch (node->type) {
    case IT_PQ_INT32:
    case IT_PQ_FLOAT: return 4;
    case IT_PQ_INT64:
    case IT_PQ_DOUBLE: return 8;
    case IT_PQ_INT96: return 12;
    case IT_PQ_FIXED: return (size_t)node->length;
    case IT_PQ_BOOLEAN:
    case IT_PQ_BYTES:
    case IT_PQ_GROUP: break;
    }
    return 0;
}

static bool is_integer(enum it_pq_type type)
{
    return type == IT_PQ_INT32 || type == IT_PQ_INT64;
}

static bool open_runs(struct it_pq_values *v)
{
    if (v->encoding == IT_PQ_ENC_RLE) { /* booleans: a length, then bits */
        if (v->end - v->at < 4 || get_u32(v->at) > (size_t)(v->end - v->at) - 4) { return false; }
        v->runs = (struct it_pq_runs){.at = v->at + 4, .end = v->at + 4 + get_u32(v->at),
                                      .width = 1};
        return true;
    }
    if (v->at == v->end) { return true; } /* all null: nothing will be asked for */
    v->runs = (struct it_pq_runs){.at = v->at + 1, .end = v->end, .width = v->at[0]};
    return v->at[0] <= 32;
}

/* Lengths, or prefix lengths and lengths, then bytes. */
static bool open_lengths(struct it_pq_values *v)
{
    if (v->encoding == IT_PQ_ENC_DELTA_BYTES) {
        if (!it_pq_delta_open(&v->prefixes, v->at, v->end)) { return false; }
        v->at = it_pq_delta_end(&v->prefixes);
        if (!v->at) { return false; }
    }
    if (!it_pq_delta_open(&v->lengths, v->at, v->end)) { return false; }
    v->at = it_pq_delta_end(&v->lengths);
    return v->at != NULL;
}

bool it_pq_values_open(struct it_pq_values *v, const struct it_pq_node *node, int encoding,
                       const uint8_t *at, const uint8_t *end, size_t most)
{
    struct it_str previous = v->previous; /* keeps its memory */
    it_str_clear(&previous);
    *v = (struct it_pq_values){.type = node->type, .size = size_of(node), .encoding = encoding,
                               .at = at, .end = end, .previous = previous};
    bool bytes = v->type == IT_PQ_BYTES;
    switch (encoding) {
    case IT_PQ_ENC_PLAIN: return true;
    case IT_PQ_ENC_PLAIN_DICTIONARY:
    case IT_PQ_ENC_DICTIONARY: return v->type != IT_PQ_BOOLEAN && open_runs(v);
    case IT_PQ_ENC_RLE: return v->type == IT_PQ_BOOLEAN && (at == end || open_runs(v));
    case IT_PQ_ENC_DELTA:
        return is_integer(v->type) && (at == end || it_pq_delta_open(&v->lengths, at, end));
    case IT_PQ_ENC_DELTA_LENGTH: return bytes && (at == end || open_lengths(v));
    case IT_PQ_ENC_DELTA_BYTES:
        return (bytes || v->type == IT_PQ_FIXED) && (at == end || open_lengths(v));
    case IT_PQ_ENC_SPLIT:
        v->count = v->size ? (size_t)(end - at) / v->size : 0;
        return v->size && v->count <= most && (size_t)(end - at) % v->size == 0;
    default: return false;
    }
}

static void set_value(const struct it_pq_values *v, const uint8_t *at, size_t n,
                      struct it_pq_value *out)
{
    *out = (struct it_pq_value){.bytes = at, .n = n};
    if (v->size != 4 && v->size != 8) { return; }
    uint64_t word = get_u32(at);
    if (v->size == 8) { word |= (uint64_t)get_u32(at + 4) << 32; }
    if (v->type == IT_PQ_INT32) { out->integer = (int32_t)(uint32_t)word; }
    if (v->type == IT_PQ_INT64) { out->integer = (int64_t)word; }
    if (v->type == IT_PQ_DOUBLE) { memcpy(&out->real, &word, sizeof out->real); }
    if (v->type == IT_PQ_FLOAT) {
        uint32_t bits = (uint32_t)word;
        float real;
        memcpy(&real, &bits, sizeof real);
        out->real = (double)real;
    }
}

static bool next_plain(struct it_pq_values *v, struct it_pq_value *out)
{
    size_t n = v->size, left = (size_t)(v->end - v->at);
    if (v->type == IT_PQ_BOOLEAN) {
        if (v->index / 8 >= left) { return false; }
        *out = (struct it_pq_value){.integer = v->at[v->index / 8] >> (v->index % 8) & 1};
        v->index++;
        return true;
    }
    if (v->type == IT_PQ_BYTES) {
        if (left < 4) { return false; }
        n = get_u32(v->at);
        v->at += 4;
        left -= 4;
    }
    if (n > left) { return false; }
    set_value(v, v->at, n, out);
    v->at += n;
    return true;
}

static bool next_of_dictionary(struct it_pq_values *v, const struct it_pq_dictionary *dictionary,
                               struct it_pq_value *out)
{
    uint32_t index;
    if (!it_pq_runs_next(&v->runs, &index) || index >= dictionary->n) { return false; }
    *out = dictionary->item[index];
    return true;
}

/* Suffixes lie one after the other in [at, end). */
static bool next_of_lengths(struct it_pq_values *v, struct it_pq_value *out)
{
    int64_t n, prefix = 0;
    if (!it_pq_delta_next(&v->lengths, &n) || n < 0 || n > v->end - v->at) { return false; }
    if (v->encoding == IT_PQ_ENC_DELTA_LENGTH) {
        set_value(v, v->at, (size_t)n, out);
    } else {
        if (!it_pq_delta_next(&v->prefixes, &prefix) || prefix < 0 ||
            (uint64_t)prefix > v->previous.len) {
            return false;
        }
        v->previous.len = (size_t)prefix;
        it_str_add(&v->previous, v->at, (size_t)n);
        if (v->type == IT_PQ_FIXED && v->previous.len != v->size) { return false; }
        set_value(v, (const uint8_t *)it_str_c(&v->previous), v->previous.len, out);
    }
    v->at += n;
    return true;
}

/* BYTE_STREAM_SPLIT: all first bytes, then all second ones ... */
static bool next_split(struct it_pq_values *v, struct it_pq_value *out)
{
    if (v->index == v->count) { return false; }
    it_str_clear(&v->previous);
    for (size_t k = 0; k < v->size; k++) {
        it_str_putc(&v->previous, (char)v->at[k * v->count + v->index]);
    }
    v->index++;
    set_value(v, (const uint8_t *)v->previous.data, v->size, out);
    return true;
}

bool it_pq_values_next(struct it_pq_values *v, const struct it_pq_dictionary *dictionary,
                       struct it_pq_value *value_out)
{
    uint32_t bit;
    switch (v->encoding) {
    case IT_PQ_ENC_PLAIN: return next_plain(v, value_out);
    case IT_PQ_ENC_PLAIN_DICTIONARY:
    case IT_PQ_ENC_DICTIONARY: return next_of_dictionary(v, dictionary, value_out);
    case IT_PQ_ENC_RLE:
        if (!it_pq_runs_next(&v->runs, &bit)) { return false; }
        *value_out = (struct it_pq_value){.integer = bit};
        return true;
    case IT_PQ_ENC_DELTA:
        *value_out = (struct it_pq_value){0};
        if (!it_pq_delta_next(&v->lengths, &value_out->integer)) { return false; }
        if (v->type == IT_PQ_INT32) { /* sums wrap at the type's width */
            value_out->integer = (int32_t)(uint32_t)(uint64_t)value_out->integer;
        }
        return true;
    case IT_PQ_ENC_DELTA_LENGTH:
    case IT_PQ_ENC_DELTA_BYTES: return next_of_lengths(v, value_out);
    default: return next_split(v, value_out);
    }
}
