/* SPDX-License-Identifier: MIT */
/* Runs of steps that the ops of tier F do in one, in decoding: a norm with the products behind it,
 * all that attention does to a row, a product with the sum behind it. Rounded as the steps by
 * themselves round: which of the two ran cannot be seen in the numbers of an exact device. */
#include "core/nn/internal.h"

/* Products with adapters beside them stay in steps. */
static bool is_plain(const struct it_pass *pass, enum it_slot slot)
{
    return it_lora_pair(pass->weights, pass->layer, slot).a.dtype == IT_NONE;
}

static struct it_tensor weight(const struct it_pass *pass, enum it_slot slot)
{
    return it_weight(pass->weights, pass->layer, slot);
}

/* The weight of the norm of `step`, when it is one; *step_out is what follows. */
static struct it_tensor norm_before(const struct it_pass *pass, const struct it_step *step,
                                    const struct it_step **step_out)
{
    bool norm = step->kind == IT_STEP_NORM;
    *step_out = step + norm;
    return norm ? weight(pass, step->slot) : (struct it_tensor){0};
}

static enum it_status project(const struct it_pass *pass, enum it_slot slot, struct it_tensor y,
                              struct it_projection p)
{
    p.w = weight(pass, slot);
    p.eps = pass->net->config.rms_eps;
    return it_project(y, p);
}

/* [NORM] QKV */
static enum it_status qkv(struct it_pass *pass, const struct it_step *step, struct it_flow *flow,
                          int *steps_out)
{
    const struct it_step *at;
    struct it_projection p = {.x = flow->x, .gain = norm_before(pass, step, &at)};
    if (at->kind != IT_STEP_QKV || !is_plain(pass, IT_SLOT_QKV)) { return IT_OK; }
    IT_TRY(it_pass_activation(pass, it_dim_size(&pass->net->config, IT_DIM_QKV), &flow->qkv));
    it_flow_split(pass, flow);
    p.bias = weight(pass, IT_SLOT_QKV_BIAS);
    *steps_out = (int)(at + 1 - step);
    return project(pass, IT_SLOT_QKV, flow->qkv, p);
}

/* [QKNORM] ROPE ATTN [OUT [MERGE]] */
static enum it_status attn(struct it_pass *pass, const struct it_step *step, struct it_flow *flow,
                           int *steps_out)
{
    const struct it_step *at = step;
    struct it_attn_step a = {.kc = pass->kc[pass->layer],
                             .vc = pass->vc[pass->layer],
                             .angles = pass->net->rope,
                             .positions = pass->positions,
                             .rows = pass->kv_rows,
                             .table = pass->table,
                             .length = pass->length,
                             .eps = pass->net->config.rms_eps};
    if (at->kind == IT_STEP_QKNORM) {
        a.qnorm = weight(pass, IT_SLOT_QNORM);
        a.knorm = weight(pass, IT_SLOT_KNORM);
        at++;
    }
    if (at[0].kind != IT_STEP_ROPE || at[1].kind != IT_STEP_ATTN) { return IT_OK; }
    struct it_tensor y;
    IT_TRY(it_pass_activation(pass, it_dim_size(&pass->net->config, IT_DIM_Q), &y));
    flow->x = y;
    at += 2;
    if (at->kind == IT_STEP_OUT && is_plain(pass, IT_SLOT_OUT)) {
        bool merge = at[1].kind == IT_STEP_MERGE;
        a.wo = weight(pass, IT_SLOT_OUT);
        a.out = flow->residual;
        if (merge) { a.residual = flow->residual; }
        if (!merge) { IT_TRY(it_pass_activation(pass, pass->net->config.hidden, &a.out)); }
        flow->x = a.out;
        at += 1 + merge;
    }
    *steps_out = (int)(at - step);
    return it_attn_step(y, flow->qkv, a, it_pass_attn_shape(pass));
}

/* [NORM] MLP [MERGE] */
static enum it_status mlp(struct it_pass *pass, const struct it_step *step, struct it_flow *flow,
                          int *steps_out)
{
    const struct it_step *at;
    struct it_projection p = {
        .x = flow->x, .gain = norm_before(pass, step, &at), .gated = true};
    if (at->kind != IT_STEP_MLP || !is_plain(pass, IT_SLOT_GATE_UP) ||
        !is_plain(pass, IT_SLOT_DOWN)) {
        return IT_OK;
    }
    struct it_projection down = {0};
    IT_TRY(it_pass_activation(pass, pass->net->config.ff, &down.x));
    IT_TRY(project(pass, IT_SLOT_GATE_UP, down.x, p));
    bool merge = at[1].kind == IT_STEP_MERGE; /* in the residual's memory */
    flow->x = flow->residual;
    if (merge) { down.residual = flow->residual; }
    if (!merge) { IT_TRY(it_pass_activation(pass, pass->net->config.hidden, &flow->x)); }
    *steps_out = (int)(at + 1 + merge - step);
    return project(pass, IT_SLOT_DOWN, flow->x, down);
}

enum it_status it_step_fused(struct it_pass *pass, const struct it_step *step,
                             struct it_flow *flow, int *steps_out)
{
    const struct it_device *device = pass->net->device;
    bool products = it_device_fuses(device, IT_OP_PROJECT, pass->tokens);
    *steps_out = 0;
    if (pass->mode != IT_PASS_DECODE) { return IT_OK; }
    switch (step->kind) {
    case IT_STEP_NORM:
    case IT_STEP_QKV:
    case IT_STEP_MLP:
        if (products) { IT_TRY(qkv(pass, step, flow, steps_out)); }
        return products && *steps_out == 0 ? mlp(pass, step, flow, steps_out) : IT_OK;
    case IT_STEP_QKNORM:
    case IT_STEP_ROPE:
        return it_device_fuses(device, IT_OP_ATTN_STEP, pass->tokens)
                   ? attn(pass, step, flow, steps_out)
                   : IT_OK;
    default: return IT_OK;
    }
}
