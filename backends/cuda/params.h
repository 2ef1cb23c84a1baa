/* SPDX-License-Identifier: MIT */
/* What a kernel is given: one struct by value, the same bytes for the C that launches it and the
 * CUDA C that runs it. `row` of a view counts elements from one row to the next. */
#ifndef IT_CUDA_PARAMS_H
#define IT_CUDA_PARAMS_H

struct it_cuda_view {
    void *at; /* NULL: absent */
    long long row;
};

/* fill: y = alpha; copy: y = a; scale_add: y = alpha a + beta b */
struct it_cuda_elements {
    struct it_cuda_view y, a, b;
    long long rows, columns;
    float alpha, beta;
};

/* gather_rows, scatter_add_rows, kv_write: rows of y and x, ids [rows] */
struct it_cuda_move {
    struct it_cuda_view y, y2, x, x2;
    const int *ids;
    long long rows, columns, limit; /* ids are below limit */
};

struct it_cuda_norm {
    struct it_cuda_view y, x, dy; /* y is dx going backward */
    const void *w;
    float *rstd, *dw;
    float *partial; /* [chunks, columns], or dw itself: then its one chunk is added onto it */
    long long rows, columns, chunk;
    float eps;
    int onto;
};

struct it_cuda_rope {
    struct it_cuda_view x, table;
    const int *positions;
    long long rows, columns, width, table_rows;
    float sign;
};

struct it_cuda_swiglu {
    struct it_cuda_view y, dh, gu; /* y: h, or dgu going backward */
    long long rows, columns;
};

struct it_cuda_matmul {
    struct it_cuda_view y, a, b;
    const void *bias;
    long long m, n, k;
    int trans_a, trans_b, accumulate;
};

/* Few rows: y = a b' and what project adds to that; with `gated` b has two rows a column of y. */
struct it_cuda_product {
    struct it_cuda_view y, a, b, residual;
    const void *bias, *gain;
    long long m, n, k;
    float eps;
    int gated, accumulate;
};

/* Attention; pages are those of attn_decode. */
struct it_cuda_attn {
    struct it_cuda_view y, q, k, v, dy, dq, dk, dv, lse, segs, table;
    const int *length;
    float *delta; /* [rows, heads]: dy . y; decoding: sums [rows, heads, splits, width + 2] */
    long long rows, key_rows;
    int heads, kv_heads, width, segments, page, pages; /* pages: of a row of the table */
    int split, splits; /* decoding: keys that a block walks, blocks a row and key head */
    unsigned *done;    /* decoding: [rows, kv_heads] of these blocks; 0 between kernels */
    float scale;
    /* attn_step: q are rows of q, k and v side by side */
    struct it_cuda_view angles;
    const void *qnorm, *knorm;
    const int *positions, *written; /* [rows]: places in angles, cache rows of k and v */
    long long angle_rows;
    int norm_all; /* the norms are over all heads of a row */
    float eps;
};

enum { IT_CUDA_STEP_COLUMNS = 8 }; /* of the product in attn_step that a block makes */

/* attn_step: attention, then, by further blocks of the kernel, its product with wo. */
struct it_cuda_attn_step {
    struct it_cuda_attn attn;
    struct it_cuda_product out; /* b.at NULL: none */
    unsigned *queue; /* [3] blocks begun, attention's that are done, products'; 0 between kernels */
    unsigned attn_blocks, blocks;
};

struct it_cuda_stats {
    struct it_cuda_view stats, state, logits, coefs, dlogits;
    const int *targets;
    const float *temps;
    long long rows, columns, first; /* logits are columns [first, first + columns) ... */
    long long vocabulary, some;     /* ... of this; some: the statistics' vocabulary */
    long long tile;
};

struct it_cuda_sample {
    struct it_cuda_view logits, params, keys;
    int *ids;
    long long rows, columns;
};

/* sum_rows and sumsq, in two steps through `partial` */
struct it_cuda_sum {
    struct it_cuda_view x;
    float *y, *partial;
    long long rows, columns, chunk;
    int onto; /* sum_rows: partial is y, and its one chunk is added onto it */
};

struct it_cuda_adamw {
    void *w;
    void *m, *v;    /* floats; codes of adamw8 ... */
    float *ms, *vs; /* ... with their scales */
    short *lo;            /* NULL: none */
    const unsigned *keys; /* NULL: none */
    const float *grad, *scalars;
    long long count;
};

#endif
