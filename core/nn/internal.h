/* SPDX-License-Identifier: MIT */
/* Between the files of core/nn. */
#ifndef IT_NN_INTERNAL_H
#define IT_NN_INTERNAL_H

#include "core/nn/head.h"
#include "core/nn/nn.h"

/* What the forward direction of a step leaves for the backward one; views into the arena. */
struct it_saved {
    struct it_tensor t[5]; /* a step says what they are where it writes them */
};

/* What flows from step to step. Backward, the same names carry gradients. */
struct it_flow {
    struct it_tensor x;        /* [tokens, hidden], or [tokens, heads*head_dim] after attention */
    struct it_tensor residual; /* [tokens, hidden] */
    struct it_tensor qkv;      /* [tokens, (heads + 2 kv_heads) head_dim] */
    struct it_tensor q, k, v;  /* columns of qkv, until a norm gives q and k memory of their own */
};

enum it_pass_mode {
    IT_PASS_KEEP,    /* training: everything backward needs stays in the arena */
    IT_PASS_SCORE,   /* forward alone: the residual stream is one buffer, updated in place */
    IT_PASS_PREFILL, /* score, and keys and values go to the cache */
    IT_PASS_DECODE   /* one query a sequence over the cache */
};

/* One walk through the stack over one batch. */
struct it_pass {
    const struct it_net *net;
    const struct it_weights *weights;
    struct it_weights *grads; /* backward only */
    struct it_arena *arena;   /* of activations */
    enum it_pass_mode mode;
    int64_t tokens;
    struct it_tensor ids, positions; /* i [tokens] */
    struct it_tensor segments;       /* i [segments, 5]; packed modes */
    struct it_tensor kv_rows;        /* i [tokens]; prefill, decode */
    struct it_tensor table, length;  /* i [tokens, slot_pages], i [tokens]; decode */
    const struct it_tensor *kc, *vc; /* [layers] cache tensors [pages*page, kv_heads*head_dim] */
    int64_t page;
    int layer; /* being walked */
};

enum it_status it_step_forward(struct it_pass *pass, const struct it_step *step,
                               struct it_flow *flow, struct it_saved *saved);
enum it_status it_step_backward(struct it_pass *pass, const struct it_step *step,
                                struct it_flow *flow, const struct it_saved *saved);

/* fused.c. What the ops of tier F do of a decode step from `step` on, where the device has them:
 * the steps done, 0 where there are none. */
enum it_status it_step_fused(struct it_pass *pass, const struct it_step *step,
                             struct it_flow *flow, int *steps_out);

/* Of a pass: an activation [tokens, columns]; q, k and v as column views of flow->qkv; what
 * attention is told. */
enum it_status it_pass_activation(struct it_pass *pass, int64_t columns, struct it_tensor *t_out);
void it_flow_split(const struct it_pass *pass, struct it_flow *flow);
struct it_attn_shape it_pass_attn_shape(const struct it_pass *pass);

/* x = embedding rows of pass->ids, allocated from pass->arena. */
enum it_status it_pass_embed(struct it_pass *pass, struct it_tensor *x_out);
/* Layer pass->layer: x -> x_out. saved [IT_MAX_STEPS] is written in mode KEEP. */
enum it_status it_pass_block(struct it_pass *pass, struct it_tensor x, struct it_saved *saved,
                             struct it_tensor *x_out);
/* Gradients of the block: dx is read and then overwritten with the gradient of the block's input.
 * */
enum it_status it_pass_block_backward(struct it_pass *pass, struct it_tensor dx,
                                      const struct it_saved *saved);

/* lora.c. y += scale (x A^T) B^T where the set has adapters of the slot; u, scale (x A^T), is for
 * backward and absent where there are none. */
enum it_status it_lora_forward(struct it_pass *pass, enum it_slot slot, struct it_tensor y,
                               struct it_tensor x, struct it_tensor *u_out);
/* Adds into dx and into the gradients of A and B. */
enum it_status it_lora_backward(struct it_pass *pass, enum it_slot slot, struct it_tensor dx,
                                struct it_tensor dy, struct it_tensor x, struct it_tensor u);

/* parked.c. Before a recalled set's tensors are used: stage 0 is the embedding, l + 1 is layer l,
 * layers + 1 the rest. Nothing to do for other sets. */
enum it_status it_weights_arrive(const struct it_weights *weights, int stage);
void it_arrival_close(struct it_arrival *arrival);

/* ---- helpers ---- */

/* Host doubles to and from a dense F32 or F64 tensor; scratch holds its elements in its own type.
 * */
enum it_status it_put_reals(struct it_tensor t, const double *values, void *scratch);
enum it_status it_get_reals(double *values_out, struct it_tensor t, void *scratch);

#endif
