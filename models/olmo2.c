/* SPDX-License-Identifier: MIT */
/* OLMo 2 (arXiv 2501.00656): each branch is normalised where it ends, not where it begins, and
 * queries and keys are normalised over all heads together before they are turned. */
#include "models/internal.h"

static const struct it_step steps[] = {
    {.kind = IT_STEP_BRANCH},
    {.kind = IT_STEP_QKV},
    {.kind = IT_STEP_QKNORM},
    {.kind = IT_STEP_ROPE},
    {.kind = IT_STEP_ATTN},
    {.kind = IT_STEP_OUT},
    {.kind = IT_STEP_NORM, .slot = IT_SLOT_NORM1},
    {.kind = IT_STEP_MERGE},
    {.kind = IT_STEP_BRANCH},
    {.kind = IT_STEP_MLP},
    {.kind = IT_STEP_NORM, .slot = IT_SLOT_NORM2},
    {.kind = IT_STEP_MERGE},
    {.kind = IT_STEP_END},
};

static const struct it_slot_row slots[] = {
    IT_SLOT_NORM(IT_SLOT_NORM1, IT_DIM_HIDDEN),
    IT_SLOT_NORM(IT_SLOT_NORM2, IT_DIM_HIDDEN),
    IT_SLOT_NORM(IT_SLOT_QNORM, IT_DIM_Q),
    IT_SLOT_NORM(IT_SLOT_KNORM, IT_DIM_KV),
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
    IT_NAME_QKNORM(IT_DIM_Q, IT_DIM_KV),
    IT_NAME_MLP,
    IT_NAME_NORM(IT_SLOT_NORM1, "post_attention_layernorm"),
    IT_NAME_NORM(IT_SLOT_NORM2, "post_feedforward_layernorm"),
    IT_NAME_ENDS,
};

static const struct it_option config[] = {
    IT_CONFIG_SIZES("0", "0", "2048"),
    IT_CONFIG_NUMBERS("1e-5"),
    IT_CONFIG_WINDOW("0"),
};

const struct it_arch it_arch_olmo2 = IT_ARCH("olmo2", "Olmo2ForCausalLM", config);
