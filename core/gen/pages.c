/* SPDX-License-Identifier: MIT */
/* Pages of the KV cache, counted by their users. */
#include <assert.h>

#include "core/base/mem.h"
#include "core/gen/internal.h"

void it_pages_open(struct it_pages *pages, int64_t n)
{
    *pages = (struct it_pages){.n = n, .n_free = n};
    pages->free = it_calloc((size_t)n, sizeof *pages->free);
    pages->users = it_calloc((size_t)n, sizeof *pages->users);
    for (int64_t i = 0; i < n; i++) { pages->free[i] = (int32_t)(n - 1 - i); }
}

void it_pages_close(struct it_pages *pages)
{
    it_free(pages->free);
    it_free(pages->users);
    *pages = (struct it_pages){0};
}

void it_pages_take(struct it_pages *pages, int64_t count, int32_t *out)
{
    assert(count <= pages->n_free);
    for (int64_t i = 0; i < count; i++) {
        out[i] = pages->free[--pages->n_free];
        assert(pages->users[out[i]] == 0);
        pages->users[out[i]] = 1;
    }
}

void it_pages_hold(struct it_pages *pages, int64_t count, const int32_t *page)
{
    for (int64_t i = 0; i < count; i++) {
        assert(pages->users[page[i]] > 0);
        pages->users[page[i]]++;
    }
}

void it_pages_drop(struct it_pages *pages, int64_t count, const int32_t *page)
{
    for (int64_t i = 0; i < count; i++) {
        assert(pages->users[page[i]] > 0);
        if (--pages->users[page[i]] == 0) { pages->free[pages->n_free++] = page[i]; }
    }
}
