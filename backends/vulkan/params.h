/* SPDX-License-Identifier: MIT */
/* What a kernel is given: one struct of push constants, at most 128 bytes (all that Vulkan
 * promises), the same bytes for the C that launches and the GLSL that runs. Memory is named by its
 * address on the device (buffer device addresses), so that there are no descriptors and no limit on
 * a range: `y` is where the view begins, `y_row` counts elements from one of its rows to the next.
 * Addresses come first: they are aligned to 8 bytes. Elements of a view are counted in an int. */
#ifndef IT_VULKAN_PARAMS_H
#define IT_VULKAN_PARAMS_H

#ifdef VULKAN /* GLSL */
#    define address uvec2
#    define PARAMS(name) struct name
#else
#    include <stdint.h>
typedef uint64_t it_vulkan_address;
#    define address it_vulkan_address
#    define PARAMS(name) struct it_vulkan_##name
#endif

PARAMS(elements) { /* fill, copy, scale_add */
    address y, a, b;
    int y_row, a_row, b_row, rows, columns;
    float alpha, beta;
};

PARAMS(gated) { /* swiglu */
    address y, dh, gu;
    int y_row, dh_row, gu_row, rows, columns;
};

PARAMS(adam) { /* m, v: floats, or codes of adamw8 with their scales ms, vs */
    address w, m, v, ms, vs, lo, grad, scalars, keys;
    int count, split, random; /* there are low halves; there are keys */
};

PARAMS(move) { /* gather_rows, scatter_add_rows, kv_write */
    address y, y2, x, x2, ids;
    int y_row, y2_row, x_row, x2_row, rows, columns, limit;
};

PARAMS(turn) { /* rope */
    address x, table, positions;
    int x_row, table_row, rows, columns, width, table_rows;
    float sign;
};

PARAMS(norm) { /* rmsnorm; partial: of dw */
    address y, x, dy, w, rstd, partial;
    int y_row, x_row, dy_row, rows, columns, chunk;
    int onto; /* the partial sums are dw itself, and the one chunk is added onto it */
    float eps;
};

PARAMS(sums) { /* sum_rows, sumsq, add_partials; onto as above */
    address x, partial, y;
    int x_row, rows, columns, chunk, onto;
};

PARAMS(product) { /* matmul; scales: of matrix_scales; aligned: a line is read four at a time */
    address y, a, b, bias, scales;
    int y_row, a_row, b_row, m, n, k;
    int trans_a, trans_b, accumulate, biased, a_aligned, b_aligned;
};

PARAMS(attention) { /* attn, attn_delta, attn_dq */
    address y, q, k, v, dy, lse, delta, segs;
    int y_row, q_row, k_row, v_row, dy_row, lse_row, segs_row;
    int rows, key_rows, segments, heads, kv_heads, width;
    float scale;
};

PARAMS(paged) { /* attn_decode */
    address y, q, k, v, table, lengths;
    int y_row, q_row, k_row, v_row, table_row;
    int rows, key_rows, heads, kv_heads, width, page, pages;
    float scale;
};

PARAMS(attention_keys) { /* attn_dkv: heads holds (heads << 16) + key heads, to fit */
    address dk, dv, q, k, v, dy, lse, delta, segs;
    int dk_row, dv_row, q_row, k_row, v_row, dy_row, lse_row, segs_row;
    int rows, key_rows, segments, heads, width;
    float scale;
};

PARAMS(statistics) { /* logits: columns [first, first + columns) of vocabulary; `some` count */
    address stats, state, logits, targets, temps, coefs, dlogits;
    int stats_row, state_row, logits_row, coefs_row, dlogits_row;
    int rows, columns, first, vocabulary, some, tile;
};

PARAMS(draws) { /* sample */
    address ids, logits, params, keys;
    int logits_row, params_row, keys_row, rows, columns;
};

#undef address
#undef PARAMS
#endif
