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
    {IT_SLOT_NORM1, IT_DIM_HIDDEN, IT_DIM_ONE, IT_WEIGHT_NORM},
    {IT_SLOT_QKV, IT_DIM_QKV, IT_DIM_HIDDEN, IT_WEIGHT_DECAY},
    {IT_SLOT_QKV_BIAS, IT_DIM_QKV, IT_DIM_ONE, IT_WEIGHT_BIAS},
    {IT_SLOT_OUT, IT_DIM_HIDDEN, IT_DIM_Q, IT_WEIGHT_DECAY},
    {IT_SLOT_NORM2, IT_DIM_HIDDEN, IT_DIM_ONE, IT_WEIGHT_NORM},
    {IT_SLOT_GATE_UP, IT_DIM_2FF, IT_DIM_HIDDEN, IT_WEIGHT_DECAY},
    {IT_SLOT_DOWN, IT_DIM_HIDDEN, IT_DIM_FF, IT_WEIGHT_DECAY},
    {IT_SLOT_EMBED, IT_DIM_VOCAB, IT_DIM_HIDDEN, IT_WEIGHT_DECAY},
    {IT_SLOT_FINAL_NORM, IT_DIM_HIDDEN, IT_DIM_ONE, IT_WEIGHT_NORM},
    {IT_SLOT_HEAD, IT_DIM_VOCAB, IT_DIM_HIDDEN, IT_WEIGHT_DECAY | IT_WEIGHT_UNTIED},
};

#define LAYER(rest) "model.layers.%d." rest

/* In the order of transformers' state_dict. */
static const struct it_name_row names[] = {
    {"model.embed_tokens.weight", IT_SLOT_EMBED, IT_DIM_VOCAB, {0}},
    {LAYER("self_attn.q_proj.weight"), IT_SLOT_QKV, IT_DIM_Q, {0}},
    {LAYER("self_attn.q_proj.bias"), IT_SLOT_QKV_BIAS, IT_DIM_Q, {0}},
    {LAYER("self_attn.k_proj.weight"), IT_SLOT_QKV, IT_DIM_KV, {IT_DIM_Q}},
    {LAYER("self_attn.k_proj.bias"), IT_SLOT_QKV_BIAS, IT_DIM_KV, {IT_DIM_Q}},
    {LAYER("self_attn.v_proj.weight"), IT_SLOT_QKV, IT_DIM_KV, {IT_DIM_Q, IT_DIM_KV}},
    {LAYER("self_attn.v_proj.bias"), IT_SLOT_QKV_BIAS, IT_DIM_KV, {IT_DIM_Q, IT_DIM_KV}},
    {LAYER("self_attn.o_proj.weight"), IT_SLOT_OUT, IT_DIM_HIDDEN, {0}},
    {LAYER("mlp.gate_proj.weight"), IT_SLOT_GATE_UP, IT_DIM_FF, {0}},
    {LAYER("mlp.up_proj.weight"), IT_SLOT_GATE_UP, IT_DIM_FF, {IT_DIM_FF}},
    {LAYER("mlp.down_proj.weight"), IT_SLOT_DOWN, IT_DIM_HIDDEN, {0}},
    {LAYER("input_layernorm.weight"), IT_SLOT_NORM1, IT_DIM_HIDDEN, {0}},
    {LAYER("post_attention_layernorm.weight"), IT_SLOT_NORM2, IT_DIM_HIDDEN, {0}},
    {"model.norm.weight", IT_SLOT_FINAL_NORM, IT_DIM_HIDDEN, {0}},
    {"lm_head.weight", IT_SLOT_HEAD, IT_DIM_VOCAB, {0}},
};

static const struct it_option config[] = {
    IT_CONFIG_SIZES,
    IT_CONFIG_KEY("max_position_embeddings", IT_OPT_INT, "32768", max_positions,
                  "longest sequence the model was trained for, tokens"),
    IT_CONFIG_KEY("rms_norm_eps", IT_OPT_REAL, "1e-6", rms_eps, "added to the mean of squares"),
    IT_CONFIG_KEY("rope_theta", IT_OPT_REAL, "10000", rope_theta, "base of the rotary angles"),
    IT_CONFIG_KEY("initializer_range", IT_OPT_REAL, "0.02", init_range,
                  "standard deviation of random weights"),
    IT_CONFIG_KEY("tie_word_embeddings", IT_OPT_BOOL, "false", tied,
                  "whether the head is the embedding"),
};

const struct it_arch it_arch_qwen2 = {
    .model_type = "qwen2",
    .class_name = "Qwen2ForCausalLM",
    .steps = steps,
    .slots = slots,
    .n_slots = sizeof slots / sizeof slots[0],
    .names = names,
    .n_names = sizeof names / sizeof names[0],
    .config = config,
    .n_config = sizeof config / sizeof config[0],
};
