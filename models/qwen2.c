/* SPDX-License-Identifier: MIT */
/* Qwen2, the architecture of Qwen2 and Qwen2.5 (arXiv 2407.10671): norm before each branch, grouped
 * query attention whose q, k and v have biases, a gated feed-forward, rotary positions. */
#include "models/internal.h"

static const struct it_step steps[] = {
    {.kind = IT_STEP_BRANCH},
    {.kind = IT_STEP_NORM, .slot = IT_SLOT_NORM1},
    {.kind = IT_STEP_QKV},
    {.kind = IT_STEP_ROPE},
    {.kind = IT_STEP_ATTN},
    {.kind = IT_STEP_OUT},
    {.kind = IT_STEP_MERGE},
    {.kind = IT_STEP_BRANCH},
    {.kind = IT_STEP_NORM, .slot = IT_SLOT_NORM2},
    {.kind = IT_STEP_MLP},
    {.kind = IT_STEP_MERGE},
    {.kind = IT_STEP_END},
};

static const struct it_slot_row slots[] = {
    IT_SLOT_NORM(IT_SLOT_NORM1, IT_DIM_HIDDEN),
    IT_SLOT_NORM(IT_SLOT_NORM2, IT_DIM_HIDDEN),
    {IT_SLOT_QKV_BIAS, IT_DIM_QKV, IT_DIM_ONE, IT_WEIGHT_BIAS},
    IT_SLOT_MATRICES,
    IT_SLOT_ENDS,
};

/* In the order of transformers' state_dict. */
static const struct it_name_row names[] = {
    IT_NAME_EMBED,
    IT_NAME_Q,
    {IT_NAME_LAYER("self_attn.q_proj.bias"), IT_SLOT_QKV_BIAS, IT_DIM_Q, {0}},
    IT_NAME_K,
    {IT_NAME_LAYER("self_attn.k_proj.bias"), IT_SLOT_QKV_BIAS, IT_DIM_KV, {IT_DIM_Q}},
    IT_NAME_V,
    {IT_NAME_LAYER("self_attn.v_proj.bias"), IT_SLOT_QKV_BIAS, IT_DIM_KV, {IT_DIM_Q, IT_DIM_KV}},
    IT_NAME_OUT,
    IT_NAME_MLP,
    IT_NAME_NORM(IT_SLOT_NORM1, "input_layernorm"),
    IT_NAME_NORM(IT_SLOT_NORM2, "post_attention_layernorm"),
    IT_NAME_ENDS,
};

static const struct it_option config[] = {
    IT_CONFIG_SIZES("32", "0", "32768"),
    IT_CONFIG_NUMBERS("1e-6"),
};

const struct it_arch it_arch_qwen2 = IT_ARCH("qwen2", "Qwen2ForCausalLM", config);
