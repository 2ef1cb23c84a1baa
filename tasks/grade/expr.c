/* SPDX-License-Identifier: MIT */
/* Mathematical answers as trees. */
#include "tasks/grade/expr.h"

#include <stdint.h>
#include <string.h>

#include "core/base/mem.h"

enum { POOL_BYTES = 1 << 20, BLOCK_BYTES = 1 << 14, DEPTH_MAX = 200 };

struct it_expr_block {
    struct it_expr_block *next;
    size_t used, size;
    _Alignas(16) unsigned char bytes[];
};

void it_expr_pool_init(struct it_expr_pool *pool)
{
    *pool = (struct it_expr_pool){.left = POOL_BYTES};
}

void it_expr_pool_free(struct it_expr_pool *pool)
{
    while (pool->block != NULL) {
        struct it_expr_block *next = pool->block->next;
        it_free(pool->block);
        pool->block = next;
    }
}

static void *take(struct it_expr_pool *pool, size_t bytes)
{
    bytes = (bytes + 15) / 16 * 16;
    if (pool->full || bytes > pool->left) {
        pool->full = true;
        return NULL;
    }
    pool->left -= bytes;
    struct it_expr_block *block = pool->block;
    if (block == NULL || block->size - block->used < bytes) {
        size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
        block = it_alloc(sizeof *block + size);
        *block = (struct it_expr_block){.next = pool->block, .size = size};
        pool->block = block;
    }
    void *memory = block->bytes + block->used;
    block->used += bytes;
    return memset(memory, 0, bytes);
}

const char *it_expr_text(struct it_expr_pool *pool, const char *text, size_t size)
{
    char *copy = take(pool, size + 1);
    if (copy != NULL) { memcpy(copy, text, size); }
    return copy;
}

struct it_expr *it_expr_new(struct it_expr_pool *pool, enum it_expr_kind kind, int op,
                            struct it_expr *const *arg, int n)
{
    int depth = 1;
    for (int i = 0; i < n; i++) {
        if (arg[i] == NULL) { return NULL; }
        if (arg[i]->depth >= depth) { depth = arg[i]->depth + 1; }
    }
    if (depth > DEPTH_MAX) {
        pool->full = true;
        return NULL;
    }
    struct it_expr *node = take(pool, sizeof *node);
    if (node == NULL) { return NULL; }
    *node = (struct it_expr){.kind = kind, .op = op, .n = n, .depth = depth, .name = ""};
    if (n > 0) {
        node->arg = take(pool, (size_t)n * sizeof(struct it_expr *));
        if (node->arg == NULL) { return NULL; }
        memcpy(node->arg, arg, (size_t)n * sizeof(struct it_expr *));
    }
    return node;
}

struct it_expr *it_expr_unary(struct it_expr_pool *pool, enum it_expr_kind kind, struct it_expr *a)
{
    return it_expr_new(pool, kind, 0, &a, 1);
}

struct it_expr *it_expr_binary(struct it_expr_pool *pool, enum it_expr_kind kind, struct it_expr *a,
                               struct it_expr *b)
{
    struct it_expr *both[2] = {a, b};
    return it_expr_new(pool, kind, 0, both, 2);
}

struct it_expr *it_expr_named(struct it_expr_pool *pool, enum it_expr_kind kind, const char *name,
                              size_t size)
{
    struct it_expr *node = it_expr_new(pool, kind, 0, NULL, 0);
    const char *copy = it_expr_text(pool, name, size);
    if (node == NULL || copy == NULL) { return NULL; }
    node->name = copy;
    return node;
}

struct it_expr *it_expr_call(struct it_expr_pool *pool, const char *name,
                             struct it_expr *const *arg, int n)
{
    struct it_expr *node = it_expr_new(pool, IT_EXPR_CALL, 0, arg, n);
    const char *copy = it_expr_text(pool, name, strlen(name));
    if (node == NULL || copy == NULL) { return NULL; }
    node->name = copy;
    return node;
}

struct it_expr *it_expr_number(struct it_expr_pool *pool, struct it_rational value, bool decimal)
{
    struct it_expr *node = it_expr_new(pool, IT_EXPR_NUMBER, 0, NULL, 0);
    if (node == NULL) { return NULL; }
    node->value = value;
    node->decimal = decimal;
    return node;
}

bool it_expr_same(const struct it_expr *a, const struct it_expr *b)
{
    if (a->kind != b->kind || a->op != b->op || a->n != b->n || a->rows != b->rows ||
        a->decimal != b->decimal || strcmp(a->name, b->name) != 0) {
        return false;
    }
    if (a->kind == IT_EXPR_NUMBER && !it_rational_equal(a->value, b->value)) { return false; }
    for (int i = 0; i < a->n; i++) {
        if (!it_expr_same(a->arg[i], b->arg[i])) { return false; }
    }
    return true;
}
