/* SPDX-License-Identifier: MIT */
/* The head: final norm, logits, statistics and their gradients, a tile of rows and columns of the
 * vocabulary at a time, so that the logits of all tokens never exist.
 *
 * Rows come in chunks as long as the memory allows, since every chunk reads the weight, and
 * backward its gradient too, once more. Within a chunk the columns are walked: forward, token_stats
 * carries its sums from tile to tile; backward makes each tile of logits again and turns it into
 * gradients with the statistics that forward left behind: four products in all, the least that do
 * without keeping logits. */
#ifndef IT_NN_HEAD_H
#define IT_NN_HEAD_H

#include "core/nn/nn.h"

enum it_head_use {
    IT_HEAD_DECODE, /* whole rows of logits, for sampling: it_head_logits alone */
    IT_HEAD_SCORE,  /* it_head_forward */
    IT_HEAD_TRAIN   /* and it_head_backward */
};

struct it_head_sizes {
    enum it_head_use use;
    int64_t most;    /* rows of the largest pack, or step */
    int64_t rows;    /* of a chunk; 0: chosen */
    int64_t columns; /* of a tile: whole tiles of IT_STATS_TILE, or more than all; 0: chosen */
};

struct it_head {
    const struct it_net *net;
    int64_t rows;                      /* of a chunk, at most */
    int64_t elements;                  /* of a tile: rows * columns, at most */
    struct it_tensor hidden, normed;   /* x [rows, hidden] */
    struct it_tensor rstd;             /* a [rows] */
    struct it_tensor logits;           /* a [elements]; IT_HEAD_DECODE: a [rows, vocab] */
    struct it_tensor index, targets;   /* i [rows] */
    struct it_tensor stats;            /* a [most, IT_STAT_COUNT]: of all rows, for backward */
    struct it_tensor state;            /* a [rows, IT_STATE_COUNT] */
    struct it_tensor coefs;            /* a [rows, 3] */
    struct it_tensor temps;            /* a [2] */
    struct it_tensor dlogits;          /* x [elements]: the logits' own memory unless BF16 */
    struct it_tensor dsum;             /* a [rows, hidden]: of dnormed over the tiles */
    struct it_tensor dnormed, dhidden; /* x [rows, hidden]; dnormed is dsum unless BF16 */
    struct it_tensor dnorm;            /* a [hidden]: of a final norm that is frozen, unread */
    void *scratch;                     /* host: most * IT_STAT_COUNT reals */
};

/* Tensors of `arena`. As chosen, all of them together stay below 64 MB at any size of the model, up
 * to 50,000 rows, whose statistics are kept; whole rows of IT_HEAD_DECODE may need more. */
enum it_status it_head_open(const struct it_net *net, struct it_arena *arena,
                            const struct it_head_sizes *sizes, struct it_head *head_out);
void it_head_close(struct it_head *head);
enum it_status it_head_set(struct it_head *head, const struct it_head_options *options);
/* hidden [tokens, hidden] of the last block; n <= head->rows rows of it at head->index. Leaves
 * hidden, normed, rstd, logits. */
enum it_status it_head_logits(struct it_head *head, const struct it_weights *weights,
                              struct it_tensor hidden, int64_t n);
/* All rows of a pack: stats_out [n_rows][IT_STAT_COUNT]. */
enum it_status it_head_forward(struct it_head *head, const struct it_weights *weights,
                               struct it_tensor hidden, const struct it_pack *pack,
                               const struct it_head_options *options, double *stats_out);
/* After it_head_forward of the same pack. Adds into the gradients of head and final norm, and into
 * dhidden, a [tokens, hidden]. */
enum it_status it_head_backward(struct it_head *head, const struct it_weights *weights,
                                struct it_tensor hidden, const struct it_pack *pack,
                                const struct it_head_options *options, const double *coefs,
                                struct it_weights *grads, struct it_tensor dhidden);

#endif
