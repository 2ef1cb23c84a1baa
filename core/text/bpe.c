/* SPDX-License-Identifier: MIT */
/* Byte-pair merges of one piece: of all neighbours that merge, the pair of lowest rank first, the
 * leftmost where ranks are equal. Short pieces are scanned, long ones (a kilobyte of dashes) keep
 * their pairs in a heap, so that time grows as n log n. */
#include "core/text/internal.h"

#include <string.h>

#include "core/base/mem.h"

#define SHORT_MAX 48
#define NEVER     INT32_MAX

static void look(const struct it_vocab *vocab, const int32_t *id, int32_t *rank, int32_t *result)
{
    const struct it_merge *merge = it_vocab_merge(vocab, id[0], id[1]);
    *rank = merge ? merge->rank : NEVER;
    *result = merge ? merge->result : -1;
}

static size_t merge_short(const struct it_vocab *vocab, int32_t *id, size_t n)
{
    int32_t rank[SHORT_MAX], result[SHORT_MAX]; /* of the pair (i, i+1) */
    for (size_t i = 0; i + 1 < n; i++) { look(vocab, &id[i], &rank[i], &result[i]); }
    while (n > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < n; i++) {
            if (rank[i] < rank[best]) { best = i; }
        }
        if (rank[best] == NEVER) { break; }
        id[best] = result[best];
        size_t tail = n - best - 2; /* symbols after the pair, and pairs after its successor's */
        memmove(&id[best + 1], &id[best + 2], tail * sizeof *id);
        n--;
        if (tail > 0) {
            memmove(&rank[best + 1], &rank[best + 2], (tail - 1) * sizeof *rank);
            memmove(&result[best + 1], &result[best + 2], (tail - 1) * sizeof *result);
            look(vocab, &id[best], &rank[best], &result[best]);
        }
        if (best > 0) { look(vocab, &id[best - 1], &rank[best - 1], &result[best - 1]); }
    }
    return n;
}

/* A pair as it was when it was pushed; stale when either side has changed since. */
struct pair {
    int32_t rank, result;
    int32_t left, right; /* ids */
    size_t at;
};

struct heap {
    struct pair *item;
    size_t n, cap;
};

static bool before(const struct pair *a, const struct pair *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static void heap_push(struct heap *heap, struct pair pair)
{
    heap->item = it_grow(heap->item, &heap->cap, heap->n + 1, sizeof *heap->item);
    size_t i = heap->n++;
    while (i > 0 && before(&pair, &heap->item[(i - 1) / 2])) {
        heap->item[i] = heap->item[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    heap->item[i] = pair;
}

static struct pair heap_pop(struct heap *heap)
{
    struct pair top = heap->item[0], last = heap->item[--heap->n];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < heap->n; i = child) {
        if (child + 1 < heap->n && before(&heap->item[child + 1], &heap->item[child])) { child++; }
        if (!before(&heap->item[child], &last)) { break; }
        heap->item[i] = heap->item[child];
    }
    heap->item[i] = last;
    return top;
}

/* A linked list of symbols; id -1 marks one that was merged into its left neighbour. */
struct chain {
    int32_t *id;
    size_t *next, *previous; /* n: none */
    size_t n;
};

static void push_pair(const struct it_vocab *vocab, struct heap *heap, const struct chain *chain,
                      size_t at)
{
    size_t next = chain->next[at];
    if (next == chain->n) { return; }
    const struct it_merge *merge = it_vocab_merge(vocab, chain->id[at], chain->id[next]);
    if (!merge) { return; }
    heap_push(heap, (struct pair){merge->rank, merge->result, merge->left, merge->right, at});
}

static size_t merge_long(const struct it_vocab *vocab, int32_t *id, size_t n)
{
    struct chain chain = {id, it_alloc(n * sizeof(size_t)), it_alloc(n * sizeof(size_t)), n};
    struct heap heap = {0};
    for (size_t i = 0; i < n; i++) {
        chain.next[i] = i + 1;
        chain.previous[i] = i > 0 ? i - 1 : n;
    }
    for (size_t i = 0; i + 1 < n; i++) { push_pair(vocab, &heap, &chain, i); }
    while (heap.n > 0) {
        struct pair pair = heap_pop(&heap);
        size_t next = chain.next[pair.at];
        if (id[pair.at] != pair.left || next == n || id[next] != pair.right) { continue; }
        id[pair.at] = pair.result;
        id[next] = -1;
        chain.next[pair.at] = chain.next[next];
        if (chain.next[next] != n) { chain.previous[chain.next[next]] = pair.at; }
        push_pair(vocab, &heap, &chain, pair.at);
        if (chain.previous[pair.at] != n) {
            push_pair(vocab, &heap, &chain, chain.previous[pair.at]);
        }
    }
    size_t kept = 0;
    for (size_t i = 0; i != n; i = chain.next[i]) { id[kept++] = id[i]; }
    it_free(chain.next);
    it_free(chain.previous);
    it_free(heap.item);
    return kept;
}

size_t it_bpe_merge(const struct it_vocab *vocab, int32_t *id, size_t n)
{
    if (n < 2) { return n; }
    return n <= SHORT_MAX ? merge_short(vocab, id, n) : merge_long(vocab, id, n);
}
