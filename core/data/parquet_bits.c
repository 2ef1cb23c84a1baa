/* SPDX-License-Identifier: MIT */
/* Parquet's packed integers: the RLE / bit-packed hybrid and DELTA_BINARY_PACKED. */
#include "core/data/parquet_internal.h"

/* `width` bits from bit `bit` on, the lowest first; the caller has checked that they are there. */
static uint64_t get_bits(const uint8_t *bytes, size_t bit, unsigned width)
{
    uint64_t value = 0;
    for (unsigned got = 0; got < width;) {
        unsigned offset = (unsigned)(bit & 7), take = 8 - offset;
        if (take > width - got) { take = width - got; }
        uint64_t part = (uint64_t)(bytes[bit >> 3] >> offset) & ((1U << take) - 1);
        value |= part << got;
        got += take;
        bit += take;
    }
    return value;
}

static bool get_varint(const uint8_t **at, const uint8_t *end, uint64_t *value_out)
{
    struct it_thrift t = {.at = *at, .end = end};
    *value_out = it_thrift_varint(&t);
    *at = t.at;
    return !t.broken;
}

/* The next run's header: an odd one counts groups of 8 packed values, an even one repeats. */
static bool begin_run(struct it_pq_runs *r)
{
    uint64_t head;
    size_t bytes = (r->width + 7) / 8;
    if (r->packed) { /* behind the groups, or behind what there was of the last ones */
        size_t used = (r->bit + 7) / 8;
        r->at += used;
        r->bit = 0;
        r->packed = false;
    }
    if (!get_varint(&r->at, r->end, &head)) { return false; }
    if (head & 1) {
        if (head >> 1 > (uint64_t)1 << 40) { return false; }
        r->left = (head >> 1) * 8;
        r->packed = true;
        return r->left > 0;
    }
    r->left = head >> 1;
    if (r->left == 0 || (size_t)(r->end - r->at) < bytes) { return false; }
    r->value = (uint32_t)get_bits(r->at, 0, (unsigned)(8 * bytes));
    r->at += bytes;
    return r->width == 32 || r->value >> r->width == 0;
}

bool it_pq_runs_next(struct it_pq_runs *r, uint32_t *value_out)
{
    if (r->left == 0 && !begin_run(r)) { return false; }
    r->left--;
    if (r->packed) {
        if ((size_t)(r->end - r->at) < (r->bit + r->width + 7) / 8) { return false; }
        r->value = (uint32_t)get_bits(r->at, r->bit, r->width);
        r->bit += r->width;
    }
    *value_out = r->value;
    return true;
}

/* Header: values in a block (a multiple of 128), miniblocks in a block, values in all, the first
 * value. */
bool it_pq_delta_open(struct it_pq_delta *d, const uint8_t *at, const uint8_t *end)
{
    uint64_t block, first;
    *d = (struct it_pq_delta){.at = at, .end = end, .first = true};
    if (!get_varint(&d->at, end, &block) || !get_varint(&d->at, end, &d->minis) ||
        !get_varint(&d->at, end, &d->left) || !get_varint(&d->at, end, &first)) {
        return false;
    }
    if (block == 0 || block > 1 << 20 || block % 128 || d->minis == 0 || block % d->minis ||
        block / d->minis % 8 || d->left > INT32_MAX) {
        return false;
    }
    d->per_mini = block / d->minis;
    d->mini = d->minis; /* the first block comes first */
    d->value = first >> 1 ^ (0 - (first & 1));
    return true;
}

static bool begin_mini(struct it_pq_delta *d)
{
    if (d->mini == d->minis) {
        uint64_t min;
        if (!get_varint(&d->at, d->end, &min) || (uint64_t)(d->end - d->at) < d->minis) {
            return false;
        }
        d->min_delta = min >> 1 ^ (0 - (min & 1));
        d->widths = d->at;
        d->at += d->minis;
        d->mini = 0;
    }
    d->width = d->widths[d->mini++];
    uint64_t bytes = d->per_mini / 8 * d->width;
    if (d->width > 64 || (uint64_t)(d->end - d->at) < bytes) { return false; }
    d->bits = d->at;
    d->bit = 0;
    d->at += bytes;
    d->in_mini = d->per_mini;
    return true;
}

bool it_pq_delta_next(struct it_pq_delta *d, int64_t *value_out)
{
    if (d->left == 0) { return false; }
    if (!d->first) {
        if (d->in_mini == 0 && !begin_mini(d)) { return false; }
        d->value += d->min_delta + get_bits(d->bits, d->bit, d->width);
        d->bit += d->width;
        d->in_mini--;
    }
    d->first = false;
    d->left--;
    *value_out = (int64_t)d->value;
    return true;
}

const uint8_t *it_pq_delta_end(const struct it_pq_delta *delta)
{
    struct it_pq_delta d = *delta;
    if (d.left && d.first) { d.left--; }
    while (d.left > d.in_mini) {
        d.left -= d.in_mini;
        if (!begin_mini(&d)) { return NULL; }
    }
    return d.at;
}
