/* SPDX-License-Identifier: MIT */
/* Values of Python literals: hashes, order of sets and dicts, equality. */
#include "tasks/grade/literal.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "tasks/grade/literal_internal.h"

/* Comparisons of items that share a hash but differ are made by accident almost never; on purpose
 * they could be made many. */
enum { COLLISIONS_MAX = 100000 };

void it_literal_free(struct it_literal *literal)
{
    for (size_t i = 0; i < literal->n; i++) { it_literal_free(&literal->item[i]); }
    it_free(literal->item);
    it_free(literal->text);
    *literal = (struct it_literal){0};
}

void it_literal_add(struct it_literal *container, size_t *cap, struct it_literal *item)
{
    container->item = it_grow(container->item, cap, container->n + 1, sizeof *container->item);
    container->item[container->n++] = *item;
    *item = (struct it_literal){0};
}

/* ---- hashes ---- */

static uint64_t mix(uint64_t hash)
{
    hash ^= hash >> 33;
    hash *= 0xff51afd7ed558ccdULL;
    hash ^= hash >> 33;
    hash *= 0xc4ceb9fe1a85ec53ULL;
    return hash ^ hash >> 33;
}

static uint64_t hash_bytes(const char *text, size_t size, uint64_t seed)
{
    uint64_t hash = mix(seed + size);
    for (size_t i = 0; i < size; i++) { hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3ULL; }
    return mix(hash);
}

static void hash_set(struct it_literal *literal)
{
    uint64_t hash = (uint64_t)literal->kind + 1;
    switch (literal->kind) {
    case IT_LITERAL_NONE:
    case IT_LITERAL_ELLIPSIS:
    case IT_LITERAL_NAN: hash = mix(hash); break;
    case IT_LITERAL_NUMBER:
    case IT_LITERAL_STR:
    case IT_LITERAL_BYTES: hash = hash_bytes(literal->text, literal->size, hash); break;
    case IT_LITERAL_LIST:
    case IT_LITERAL_TUPLE:
        for (size_t i = 0; i < literal->n; i++) { hash = mix(hash * 31 + literal->item[i].hash); }
        break;
    case IT_LITERAL_SET: /* sums do not mind the order */
        for (size_t i = 0; i < literal->n; i++) { hash += mix(literal->item[i].hash); }
        break;
    case IT_LITERAL_DICT:
        for (size_t i = 0; i + 1 < literal->n; i += 2) {
            hash += mix(literal->item[i].hash * 31 + literal->item[i + 1].hash);
        }
        break;
    }
    literal->hash = hash;
}

/* ---- equality ---- */

static bool equal(const struct it_literal *a, const struct it_literal *b, int *collisions);

static bool equal_in_order(const struct it_literal *a, const struct it_literal *b, int *collisions)
{
    for (size_t i = 0; i < a->n; i++) {
        if (!equal(&a->item[i], &b->item[i], collisions)) { return false; }
    }
    return true;
}

/* Both are sorted by the hashes of their keys: a partner can only be among those of its hash. */
static bool equal_unordered(const struct it_literal *a, const struct it_literal *b,
                            int *collisions)
{
    size_t step = a->kind == IT_LITERAL_DICT ? 2 : 1, from = 0;
    for (size_t i = 0; i < a->n; i += step) {
        uint64_t hash = a->item[i].hash;
        while (from < b->n && b->item[from].hash < hash) { from += step; }
        bool found = false;
        for (size_t k = from; k < b->n && b->item[k].hash == hash && !found; k += step) {
            found = equal(&a->item[i], &b->item[k], collisions);
            if (found && step == 2 && !equal(&a->item[i + 1], &b->item[k + 1], collisions)) {
                return false;
            }
            if (!found && ++*collisions > COLLISIONS_MAX) { return false; }
        }
        if (!found) { return false; }
    }
    return true;
}

static bool equal(const struct it_literal *a, const struct it_literal *b, int *collisions)
{
    if (a->hash != b->hash || a->kind != b->kind || a->n != b->n) { return false; }
    switch (a->kind) {
    case IT_LITERAL_NONE:
    case IT_LITERAL_ELLIPSIS: return true;
    case IT_LITERAL_NAN: return false;
    case IT_LITERAL_NUMBER:
    case IT_LITERAL_STR:
    case IT_LITERAL_BYTES: return a->size == b->size && memcmp(a->text, b->text, a->size) == 0;
    case IT_LITERAL_LIST:
    case IT_LITERAL_TUPLE: return equal_in_order(a, b, collisions);
    case IT_LITERAL_SET:
    case IT_LITERAL_DICT: return equal_unordered(a, b, collisions);
    }
    return false;
}

bool it_literal_equal(const struct it_literal *a, const struct it_literal *b)
{
    int collisions = 0;
    return equal(a, b, &collisions);
}

/* ---- sets and dicts ---- */

static bool hashable(const struct it_literal *literal)
{
    if (literal->kind == IT_LITERAL_LIST || literal->kind == IT_LITERAL_DICT ||
        literal->kind == IT_LITERAL_SET) {
        return false;
    }
    for (size_t i = 0; i < literal->n; i++) {
        if (!hashable(&literal->item[i])) { return false; }
    }
    return true;
}

/* An entry of a set or dict while it is sorted: where it stood decides among equals. */
struct entry {
    struct it_literal key, value;
    size_t place;
};

static int by_hash(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    if (a->key.hash != b->key.hash) { return a->key.hash < b->key.hash ? -1 : 1; }
    return a->place < b->place ? -1 : a->place > b->place;
}

/* Python keeps the first of equal keys and the last of their values. */
static bool merge(struct it_literal *literal, struct entry *entry, size_t n)
{
    size_t step = literal->kind == IT_LITERAL_DICT ? 2 : 1, kept = 0, run = 0;
    int collisions = 0;
    bool good = true;
    for (size_t i = 0; i < n; i++) {
        if (kept > run && entry[kept - 1].key.hash != entry[i].key.hash) { run = kept; }
        size_t twin = run;
        while (twin < kept && !equal(&entry[twin].key, &entry[i].key, &collisions)) {
            good = good && ++collisions <= COLLISIONS_MAX;
            twin = good ? twin + 1 : kept;
        }
        if (twin < kept) {
            it_literal_free(&entry[i].key);
            it_literal_free(&entry[twin].value);
            entry[twin].value = entry[i].value;
        } else {
            entry[kept++] = entry[i];
        }
    }
    for (size_t i = 0; i < kept; i++) {
        literal->item[i * step] = entry[i].key;
        if (step == 2) { literal->item[i * step + 1] = entry[i].value; }
    }
    literal->n = kept * step;
    return good;
}

static bool sort(struct it_literal *literal)
{
    size_t step = literal->kind == IT_LITERAL_DICT ? 2 : 1, n = literal->n / step;
    for (size_t i = 0; i < literal->n; i += step) {
        if (!hashable(&literal->item[i])) { return false; }
    }
    if (n == 0) { return true; }
    struct entry *entry = it_calloc(n, sizeof *entry);
    for (size_t i = 0; i < n; i++) {
        entry[i].key = literal->item[i * step];
        if (step == 2) { entry[i].value = literal->item[i * step + 1]; }
        entry[i].place = i;
    }
    qsort(entry, n, sizeof *entry, by_hash);
    bool good = merge(literal, entry, n);
    it_free(entry);
    return good;
}

bool it_literal_seal(struct it_literal *literal)
{
    if ((literal->kind == IT_LITERAL_SET || literal->kind == IT_LITERAL_DICT) && !sort(literal)) {
        return false;
    }
    hash_set(literal);
    return true;
}
