/* SPDX-License-Identifier: MIT */
/* Qwen3 (arXiv 2505.09388), dense: norm before each branch, queries and keys normalised head by
 * head before they are turned, no biases; the heads' width is a number of its own. */
#include "models/internal.h"

static const struct it_step steps[] = {
    {.kind = IT_STEP_BRANCH},
    {.kind = IT_STEP_NORM, .slot = IT_SLOT_NORM1},
    {.kind = IT_STEP_QKV},
    {.kind = IT_STEP_QKNORM},
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
    IT_SLOT_NORM(IT_SLOT_QNORM, IT_DIM_HEAD),
    IT_SLOT_NORM(IT_SLOT_KNORM, IT_DIM_HEAD),
    IT_SLOT_MATRICES,
    IT_SLOT_ENDS,
};

/* In the order of transformers' state_dict. */
static const struct it_name_row names[] = {
    IT_NAME_EMBED,
    IT_NAME_Q,
    IT_NAME_K,
    IT_NAME_V,
    IT_NAME_OUT,
    IT_NAME_QKNORM(IT_DIM_HEAD, IT_DIM_HEAD),
    IT_NAME_MLP,
    IT_NAME_NORM(IT_SLOT_NORM1, "input_layernorm"),
    IT_NAME_NORM(IT_SLOT_NORM2, "post_attention_layernorm"),
    IT_NAME_ENDS,
};

static const struct it_option config[] = {
    IT_CONFIG_SIZES("32", "128", "32768"),
    IT_CONFIG_NUMBERS("1e-6"),
};

const struct it_arch it_arch_qwen3 = IT_ARCH("qwen3", "Qwen3ForCausalLM", config);
