/* SPDX-License-Identifier: MIT */
/* What each kind of step does, forward and backward. The two directions stand side by side:
 * backward reads what forward saved, sets gradients of activations and adds into gradients of
 * weights. */
#include <assert.h>
#include <math.h>

#include "core/nn/internal.h"

enum it_status it_pass_activation(struct it_pass *pass, int64_t columns, struct it_tensor *t_out)
{
    return it_tensor2(pass->arena, pass->net->dtype, pass->tokens, columns, t_out);
}

static struct it_tensor weight(const struct it_pass *pass, enum it_slot slot)
{
    return it_weight(pass->weights, pass->layer, slot);
}

static struct it_tensor gradient(const struct it_pass *pass, enum it_slot slot)
{
    return it_weight(pass->grads, pass->layer, slot);
}

static const struct it_tensor absent;

/* y = x W^T (+ bias), and its gradients: dx = dy W, dW += dy^T x, dbias += column sums of dy. W may
 * have adapters; u is theirs. */
static enum it_status project(struct it_pass *pass, enum it_slot slot, struct it_tensor bias,
                              struct it_tensor y, struct it_tensor x, struct it_tensor *u_out)
{
    IT_TRY(it_matmul(y, x, weight(pass, slot), bias, (struct it_matmul_how){.trans_b = true}));
    return it_lora_forward(pass, slot, y, x, u_out);
}

static enum it_status project_back(struct it_pass *pass, enum it_slot slot, struct it_tensor dx,
                                   struct it_tensor dy, struct it_tensor x, struct it_tensor u)
{
    struct it_tensor dw = gradient(pass, slot);
    IT_TRY(it_matmul(dx, dy, weight(pass, slot), absent, (struct it_matmul_how){0}));
    if (dw.dtype != IT_NONE) {
        IT_TRY(it_matmul(dw, dy, x, absent,
                         (struct it_matmul_how){.trans_a = true, .accumulate = true}));
    }
    return it_lora_backward(pass, slot, dx, dy, x, u);
}

/* The gradient of a norm's weight; of one that is frozen, memory that nobody reads. */
static enum it_status norm_gradient(struct it_pass *pass, enum it_slot slot,
                                    struct it_tensor *dw_out)
{
    struct it_tensor w = weight(pass, slot);
    *dw_out = gradient(pass, slot);
    if (dw_out->dtype != IT_NONE) { return IT_OK; }
    IT_TRY(it_tensor1(pass->arena, it_dtype_accumulation(w.dtype), w.shape[0], dw_out));
    return it_fill(it_reshape2(*dw_out, 1, w.shape[0]), 0.0);
}

/* ---- residual stream ---- */

static enum it_status branch(struct it_pass *pass, const struct it_step *step, struct it_flow *flow,
                             struct it_saved *saved)
{
    (void)pass, (void)step, (void)saved;
    flow->residual = flow->x;
    return IT_OK;
}

/* Backward, BRANCH is where the two gradients meet again: the mirror of MERGE. */
static enum it_status branch_back(struct it_pass *pass, const struct it_step *step,
                                  struct it_flow *flow, const struct it_saved *saved)
{
    (void)pass, (void)step, (void)saved;
    IT_TRY(it_scale_add(flow->residual, 1.0, flow->x, 1.0, flow->residual));
    flow->x = flow->residual;
    return IT_OK;
}

static enum it_status merge(struct it_pass *pass, const struct it_step *step, struct it_flow *flow,
                            struct it_saved *saved)
{
    (void)step, (void)saved;
    struct it_tensor y = flow->residual; /* in place, unless a norm kept it for backward */
    if (pass->mode == IT_PASS_KEEP) {
        IT_TRY(it_pass_activation(pass, pass->net->config.hidden, &y));
    }
    IT_TRY(it_scale_add(y, 1.0, flow->x, 1.0, flow->residual));
    flow->x = y;
    return IT_OK;
}

/* The gradient of a sum goes both ways. The residual's side is the stream's own buffer, which
 * BRANCH will add into; the other side only reads it before then. */
static enum it_status merge_back(struct it_pass *pass, const struct it_step *step,
                                 struct it_flow *flow, const struct it_saved *saved)
{
    (void)pass, (void)step, (void)saved;
    flow->residual = flow->x;
    return IT_OK;
}

/* ---- norm ---- */

static enum it_status norm(struct it_pass *pass, const struct it_step *step, struct it_flow *flow,
                           struct it_saved *saved)
{
    struct it_tensor y, rstd;
    IT_TRY(it_pass_activation(pass, pass->net->config.hidden, &y));
    IT_TRY(it_tensor1(pass->arena, it_dtype_accumulation(pass->net->dtype), pass->tokens, &rstd));
    IT_TRY(it_rmsnorm(y, rstd, flow->x, weight(pass, step->slot), pass->net->config.rms_eps));
    *saved = (struct it_saved){{flow->x, rstd}};
    flow->x = y;
    return IT_OK;
}

static enum it_status norm_back(struct it_pass *pass, const struct it_step *step,
                                struct it_flow *flow, const struct it_saved *saved)
{
    struct it_tensor dx, dw;
    IT_TRY(it_pass_activation(pass, pass->net->config.hidden, &dx));
    IT_TRY(norm_gradient(pass, step->slot, &dw));
    IT_TRY(it_rmsnorm_bwd(dx, dw, flow->x, saved->t[0], weight(pass, step->slot), saved->t[1]));
    flow->x = dx;
    return IT_OK;
}

/* ---- attention ---- */

/* q, k and v as column views of flow->qkv. */
void it_flow_split(const struct it_pass *pass, struct it_flow *flow)
{
    int64_t q = it_dim_size(&pass->net->config, IT_DIM_Q);
    int64_t kv = it_dim_size(&pass->net->config, IT_DIM_KV);
    flow->q = it_columns(flow->qkv, 0, q);
    flow->k = it_columns(flow->qkv, q, kv);
    flow->v = it_columns(flow->qkv, q + kv, kv);
}

static enum it_status qkv(struct it_pass *pass, const struct it_step *step, struct it_flow *flow,
                          struct it_saved *saved)
{
    (void)step;
    IT_TRY(it_pass_activation(pass, it_dim_size(&pass->net->config, IT_DIM_QKV), &flow->qkv));
    it_flow_split(pass, flow);
    *saved = (struct it_saved){{flow->x}};
    return project(pass, IT_SLOT_QKV, weight(pass, IT_SLOT_QKV_BIAS), flow->qkv, flow->x,
                   &saved->t[1]);
}

static enum it_status qkv_back(struct it_pass *pass, const struct it_step *step,
                               struct it_flow *flow, const struct it_saved *saved)
{
    (void)step;
    struct it_tensor bias = gradient(pass, IT_SLOT_QKV_BIAS);
    if (bias.dtype != IT_NONE) { IT_TRY(it_sum_rows(bias, flow->qkv)); }
    IT_TRY(it_pass_activation(pass, pass->net->config.hidden, &flow->x));
    return project_back(pass, IT_SLOT_QKV, flow->x, flow->qkv, saved->t[0], saved->t[1]);
}

/* In memory of its own, where each `width` columns can be a row. */
static enum it_status dense(struct it_pass *pass, struct it_tensor t, struct it_tensor *copy_out)
{
    IT_TRY(it_pass_activation(pass, t.shape[1], copy_out));
    return it_copy(*copy_out, t);
}

/* t [tokens, columns] in rows as wide as the weight: a head each, or all heads of a token. */
static struct it_tensor in_rows(struct it_tensor t, struct it_tensor w)
{
    return it_reshape2(t, it_tensor_count(&t) / w.shape[0], w.shape[0]);
}

static enum it_status norm_part(struct it_pass *pass, enum it_slot slot, struct it_tensor *part,
                                struct it_tensor *x_out, struct it_tensor *rstd_out)
{
    struct it_tensor w = weight(pass, slot), y;
    int64_t rows = it_tensor_count(part) / w.shape[0];
    IT_TRY(dense(pass, *part, x_out));
    IT_TRY(it_pass_activation(pass, part->shape[1], &y));
    IT_TRY(it_tensor1(pass->arena, it_dtype_accumulation(pass->net->dtype), rows, rstd_out));
    IT_TRY(it_rmsnorm(in_rows(y, w), *rstd_out, in_rows(*x_out, w), w, pass->net->config.rms_eps));
    *part = y;
    return IT_OK;
}

/* `part`, columns of the gradient of qkv, becomes the gradient before the norm. */
static enum it_status norm_part_back(struct it_pass *pass, enum it_slot slot,
                                     struct it_tensor part, struct it_tensor x,
                                     struct it_tensor rstd)
{
    struct it_tensor w = weight(pass, slot), dy, dx, dw;
    IT_TRY(dense(pass, part, &dy));
    IT_TRY(it_pass_activation(pass, part.shape[1], &dx));
    IT_TRY(norm_gradient(pass, slot, &dw));
    IT_TRY(it_rmsnorm_bwd(in_rows(dx, w), dw, in_rows(dy, w), in_rows(x, w), w, rstd));
    return it_copy(part, dx);
}

static enum it_status qknorm(struct it_pass *pass, const struct it_step *step, struct it_flow *flow,
                             struct it_saved *saved)
{
    (void)step;
    *saved = (struct it_saved){0};
    IT_TRY(norm_part(pass, IT_SLOT_QNORM, &flow->q, &saved->t[0], &saved->t[1]));
    return norm_part(pass, IT_SLOT_KNORM, &flow->k, &saved->t[2], &saved->t[3]);
}

static enum it_status qknorm_back(struct it_pass *pass, const struct it_step *step,
                                  struct it_flow *flow, const struct it_saved *saved)
{
    (void)step;
    IT_TRY(norm_part_back(pass, IT_SLOT_QNORM, flow->q, saved->t[0], saved->t[1]));
    return norm_part_back(pass, IT_SLOT_KNORM, flow->k, saved->t[2], saved->t[3]);
}

static enum it_status turn(struct it_pass *pass, struct it_flow *flow, int sign)
{
    IT_TRY(it_rope(flow->q, pass->net->rope, pass->positions, sign));
    return it_rope(flow->k, pass->net->rope, pass->positions, sign);
}

static enum it_status rope(struct it_pass *pass, const struct it_step *step, struct it_flow *flow,
                           struct it_saved *saved)
{
    (void)step, (void)saved;
    return turn(pass, flow, 1);
}

static enum it_status rope_back(struct it_pass *pass, const struct it_step *step,
                                struct it_flow *flow, const struct it_saved *saved)
{
    (void)step, (void)saved;
    return turn(pass, flow, -1); /* a rotation undoes itself */
}

struct it_attn_shape it_pass_attn_shape(const struct it_pass *pass)
{
    const struct it_model_config *c = &pass->net->config;
    return (struct it_attn_shape){.heads = c->heads,
                                  .kv_heads = c->kv_heads,
                                  .page = pass->page,
                                  .scale = 1.0 / sqrt((double)c->head_dim)};
}

static enum it_status attn(struct it_pass *pass, const struct it_step *step, struct it_flow *flow,
                           struct it_saved *saved)
{
    (void)step;
    struct it_tensor q = flow->q, k = flow->k, v = flow->v, y, lse;
    IT_TRY(it_pass_activation(pass, q.shape[1], &y));
    if (pass->mode == IT_PASS_PREFILL || pass->mode == IT_PASS_DECODE) {
        IT_TRY(it_kv_write(pass->kc[pass->layer], pass->vc[pass->layer], k, v, pass->kv_rows));
    }
    if (pass->mode == IT_PASS_DECODE) {
        IT_TRY(it_attn_decode(y, q, pass->kc[pass->layer], pass->vc[pass->layer], pass->table,
                              pass->length, it_pass_attn_shape(pass)));
    } else {
        IT_TRY(it_tensor2(pass->arena, it_dtype_accumulation(pass->net->dtype), pass->tokens,
                          pass->net->config.heads, &lse));
        IT_TRY(it_attn(y, lse, q, k, v, pass->segments, it_pass_attn_shape(pass)));
        *saved = (struct it_saved){{q, k, v, y, lse}};
    }
    flow->x = y;
    return IT_OK;
}

static enum it_status attn_back(struct it_pass *pass, const struct it_step *step,
                                struct it_flow *flow, const struct it_saved *saved)
{
    (void)step;
    IT_TRY(it_pass_activation(pass, it_dim_size(&pass->net->config, IT_DIM_QKV), &flow->qkv));
    it_flow_split(pass, flow);
    return it_attn_bwd((struct it_attn_grads){flow->q, flow->k, flow->v}, flow->x,
                       (struct it_attn_saved){.q = saved->t[0],
                                              .k = saved->t[1],
                                              .v = saved->t[2],
                                              .y = saved->t[3],
                                              .lse = saved->t[4],
                                              .segs = pass->segments},
                       it_pass_attn_shape(pass));
}

static enum it_status out(struct it_pass *pass, const struct it_step *step, struct it_flow *flow,
                          struct it_saved *saved)
{
    (void)step;
    struct it_tensor y;
    IT_TRY(it_pass_activation(pass, pass->net->config.hidden, &y));
    *saved = (struct it_saved){{flow->x}};
    IT_TRY(project(pass, IT_SLOT_OUT, absent, y, flow->x, &saved->t[1]));
    flow->x = y;
    return IT_OK;
}

static enum it_status out_back(struct it_pass *pass, const struct it_step *step,
                               struct it_flow *flow, const struct it_saved *saved)
{
    (void)step;
    struct it_tensor dx;
    IT_TRY(it_pass_activation(pass, it_dim_size(&pass->net->config, IT_DIM_Q), &dx));
    IT_TRY(project_back(pass, IT_SLOT_OUT, dx, flow->x, saved->t[0], saved->t[1]));
    flow->x = dx;
    return IT_OK;
}

/* ---- feed-forward ---- */

static enum it_status mlp(struct it_pass *pass, const struct it_step *step, struct it_flow *flow,
                          struct it_saved *saved)
{
    (void)step;
    const struct it_model_config *c = &pass->net->config;
    struct it_tensor gate_up, h, y;
    IT_TRY(it_pass_activation(pass, 2 * c->ff, &gate_up));
    IT_TRY(it_pass_activation(pass, c->ff, &h));
    IT_TRY(it_pass_activation(pass, c->hidden, &y));
    *saved = (struct it_saved){{flow->x, gate_up, h}};
    IT_TRY(project(pass, IT_SLOT_GATE_UP, absent, gate_up, flow->x, &saved->t[3]));
    IT_TRY(it_swiglu(h, gate_up));
    IT_TRY(project(pass, IT_SLOT_DOWN, absent, y, h, &saved->t[4]));
    flow->x = y;
    return IT_OK;
}

static enum it_status mlp_back(struct it_pass *pass, const struct it_step *step,
                               struct it_flow *flow, const struct it_saved *saved)
{
    (void)step;
    const struct it_model_config *c = &pass->net->config;
    struct it_tensor dh, dgate_up, dx;
    IT_TRY(it_pass_activation(pass, c->ff, &dh));
    IT_TRY(it_pass_activation(pass, 2 * c->ff, &dgate_up));
    IT_TRY(it_pass_activation(pass, c->hidden, &dx));
    IT_TRY(project_back(pass, IT_SLOT_DOWN, dh, flow->x, saved->t[2], saved->t[4]));
    IT_TRY(it_swiglu_bwd(dgate_up, dh, saved->t[1]));
    IT_TRY(project_back(pass, IT_SLOT_GATE_UP, dx, dgate_up, saved->t[0], saved->t[3]));
    flow->x = dx;
    return IT_OK;
}

/* ---- the table ---- */

static const struct {
    enum it_status (*forward)(struct it_pass *, const struct it_step *, struct it_flow *,
                              struct it_saved *);
    enum it_status (*backward)(struct it_pass *, const struct it_step *, struct it_flow *,
                               const struct it_saved *);
} step_table[IT_STEP_COUNT] = {
    /*                  forward  backward        saves */
    [IT_STEP_BRANCH] = {branch, branch_back}, /* nothing */
    [IT_STEP_NORM] = {norm, norm_back},       /* x, rstd */
    [IT_STEP_QKV] = {qkv, qkv_back},          /* x, u of the adapters */
    [IT_STEP_QKNORM] = {qknorm, qknorm_back}, /* q, rstd, k, rstd */
    [IT_STEP_ROPE] = {rope, rope_back},       /* nothing */
    [IT_STEP_ATTN] = {attn, attn_back},       /* q, k, v, y, lse */
    [IT_STEP_OUT] = {out, out_back},          /* x, u */
    [IT_STEP_MERGE] = {merge, merge_back},    /* nothing */
    [IT_STEP_MLP] = {mlp, mlp_back},          /* x, gate_up, h, u of gate_up, u of down */
};

enum it_status it_step_forward(struct it_pass *pass, const struct it_step *step,
                               struct it_flow *flow, struct it_saved *saved)
{
    assert(step->kind > IT_STEP_END && step->kind < IT_STEP_COUNT);
    return step_table[step->kind].forward(pass, step, flow, saved);
}

enum it_status it_step_backward(struct it_pass *pass, const struct it_step *step,
                                struct it_flow *flow, const struct it_saved *saved)
{
    assert(step->kind > IT_STEP_END && step->kind < IT_STEP_COUNT);
    return step_table[step->kind].backward(pass, step, flow, saved);
}
