/* SPDX-License-Identifier: MIT */
/* Llama 2 and 3 (arXiv 2407.21783): norm before each branch, grouped query attention, a gated
 * feed-forward, no biases. Llama 3.1 and 3.2 slow the rotary frequencies down by "rope_scaling" of
 * the type llama3 (core/nn/rope.c), and small ones tie the head to the embedding.
 *
 * Mistral 7B (arXiv 2310.06825) has the same block and names. Its sliding window is read and bounds
 * the length of a sequence: within it, sliding attention is full attention. */
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
    IT_NAME_MLP,
    IT_NAME_NORM(IT_SLOT_NORM1, "input_layernorm"),
    IT_NAME_NORM(IT_SLOT_NORM2, "post_attention_layernorm"),
    IT_NAME_ENDS,
};

static const struct it_option llama[] = {
    IT_CONFIG_SIZES("0", "0", "2048"),
    IT_CONFIG_NUMBERS("1e-6"),
    IT_CONFIG_WINDOW("0"),
};

static const struct it_option mistral[] = {
    IT_CONFIG_SIZES("8", "0", "131072"),
    IT_CONFIG_NUMBERS("1e-6"),
    IT_CONFIG_WINDOW("4096"),
};

const struct it_arch it_arch_llama = IT_ARCH("llama", "LlamaForCausalLM", llama);
const struct it_arch it_arch_mistral = IT_ARCH("mistral", "MistralForCausalLM", mistral);
