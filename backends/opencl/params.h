/* SPDX-License-Identifier: MIT */
/* What a kernel is given beside its buffers: one struct by value, the same bytes for the C that
 * launches it and the OpenCL C that runs it (8-byte numbers first). A place is {offset, row} in
 * elements of its buffer: where the view starts, and from one row to the next. */
#ifndef IT_OPENCL_PARAMS_H
#define IT_OPENCL_PARAMS_H

#ifdef __OPENCL_VERSION__
typedef long it_long;
#else
#    include <stdint.h>
typedef int64_t it_long;
#endif

enum {
    GPU_GROUP = 64,    /* items in a group on a GPU, but for the wide groups: 256, or 64 */
    CPU_COLUMNS = 256, /* neighbouring columns of the one item of a group on a processor */
    CPU_BLOCK = 1024,  /* of a long sum on a processor */
    MOMENT_BLOCK = 256, /* elements that share a scale: IT_MOMENT_BLOCK */
    MOST_WIDTH = 256,  /* of a head */
    KEYS = 64,         /* a block of keys in attention */
    MOST_TILE = 64,    /* of a product, on a GPU */
    TILE_K = 16,
    FEW_ROWS = 16,     /* of a product that reads b once for all rows; a multiple of CPU_ROWS */
    FEW_COLUMNS = 16,  /* of a group of it on a GPU */
    FEW_K = 128,       /* and of k at a time */
    PACK_K = 128,      /* of a product, on a processor: k of a piece of packing */
    PACK_BLOCK = 128   /* rows of an item; a multiple of CPU_ROWS */
};
#define CPU_ROWS(lanes) ((lanes) == 16 ? 8 : 4) /* what fits its registers, with 2 vectors across */

struct place {
    it_long at, row;
};

struct elements { /* fill, copy, scale_add: y a b */
    struct place y, a, b;
    it_long rows, columns;
    float alpha, beta;
};

struct move { /* gather_rows, scatter_add_rows, kv_write: y y2 x x2 ids */
    struct place y, y2, x, x2, ids;
    it_long rows, columns, limit;
};

struct norm { /* y x dy w rstd partial */
    struct place y, x, dy, w, rstd;
    it_long rows, columns, chunk;
    it_long partial; /* where the partial sums begin */
    float eps;
    int onto; /* they are dw itself, and the one chunk is added onto it */
};

struct turn { /* rope: x table positions */
    struct place x, table, positions;
    it_long rows, columns, width, table_rows;
    float sign, unused;
};

struct gated { /* swiglu: y dh gu */
    struct place y, dh, gu;
    it_long rows, columns;
};

struct product { /* y a b bias; packed: a and b say where in the panels */
    struct place y, a, b, bias;
    it_long m, n, k;
    int trans_a, trans_b, accumulate, biased;
};

struct packing { /* panels m: `count` rows, or columns where `across`, in panels of `width` */
    struct place m;
    it_long count, k, to; /* to: where the panels begin */
    int across, width;
};

struct attention { /* buffers: see the kernels */
    struct place y, q, k, v, dy, dq, dk, dv, lse, segs, table, length;
    it_long rows, key_rows;
    int heads, kv_heads, width, segments, page, pages;
    float scale;
    int unused;
};

struct statistics { /* stats state logits targets temps coefs dlogits */
    struct place stats, state, logits, targets, temps, coefs, dlogits;
    it_long rows, columns, first; /* logits are columns [first, first + columns) ... */
    it_long vocabulary, some;     /* ... of this; some: the statistics' vocabulary */
    it_long tile;
};

struct draws { /* ids logits params keys */
    struct place ids, logits, params, keys;
    it_long rows, columns;
};

struct sums { /* y x partial */
    struct place y, x;
    it_long rows, columns, chunk;
    it_long partial; /* where the partial sums begin */
    int onto, unused; /* onto: they are y itself, and the one chunk is added onto it */
};

struct adam { /* w m v, of adamw8 ms vs, lo grad scalars keys */
    struct place w, m, v, ms, vs, lo, grad, scalars, keys;
    it_long count;
    int split, random; /* there are low halves; there are keys */
};

#endif
