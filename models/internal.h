/* SPDX-License-Identifier: MIT */
/* What the files of this folder share and nobody else includes. */
#ifndef IT_MODELS_INTERNAL_H
#define IT_MODELS_INTERNAL_H

#include <jansson.h>
#include <stddef.h>

#include "models/models.h"

/* ---- architectures: one line here and one in arch.c each ---- */

extern const struct it_arch it_arch_llama;
extern const struct it_arch it_arch_mistral;
extern const struct it_arch it_arch_olmo2;
extern const struct it_arch it_arch_qwen2;
extern const struct it_arch it_arch_qwen3;

/* ---- rows that architectures share ---- */

#define IT_CONFIG_KEY(key, kind, missing, field, words)                                            \
    {.name = (key), .type = (kind), .fallback = (missing), .doc = (words),                         \
     .offset = offsetof(struct it_model_config, field)}

/* Keys that every architecture has. A fallback NULL: required. "0", and null in a file: follows
 * from other sizes. Where a key is absent, transformers takes a constant of the architecture: the
 * arguments here. */
#define IT_CONFIG_SIZES(kv_heads_absent, head_dim_absent, positions_absent)                        \
    IT_CONFIG_KEY("vocab_size", IT_OPT_INT, NULL, vocab, "rows of the embedding"),                 \
    IT_CONFIG_KEY("hidden_size", IT_OPT_INT, NULL, hidden, "width of the residual stream"),        \
    IT_CONFIG_KEY("num_hidden_layers", IT_OPT_INT, NULL, layers, "blocks"),                        \
    IT_CONFIG_KEY("num_attention_heads", IT_OPT_INT, NULL, heads, "query heads"),                  \
    IT_CONFIG_KEY("num_key_value_heads", IT_OPT_INT, kv_heads_absent, kv_heads,                    \
                  "key and value heads; null: as many as query heads"),                            \
    IT_CONFIG_KEY("head_dim", IT_OPT_INT, head_dim_absent, head_dim,                               \
                  "width of a head; null: hidden_size / num_attention_heads"),                     \
    IT_CONFIG_KEY("intermediate_size", IT_OPT_INT, NULL, ff, "width of the feed-forward"),         \
    IT_CONFIG_KEY("max_position_embeddings", IT_OPT_INT, positions_absent, max_positions,          \
                  "longest sequence the model was trained for, tokens")

#define IT_CONFIG_NUMBERS(eps_absent)                                                              \
    IT_CONFIG_KEY("rms_norm_eps", IT_OPT_REAL, eps_absent, rms_eps,                                \
                  "added to the mean of squares"),                                                 \
    IT_CONFIG_KEY("rope_theta", IT_OPT_REAL, "10000", rope_theta, "base of the rotary angles"),    \
    IT_CONFIG_KEY("initializer_range", IT_OPT_REAL, "0.02", init_range,                            \
                  "standard deviation of random weights"),                                         \
    IT_CONFIG_KEY("tie_word_embeddings", IT_OPT_BOOL, "false", tied,                               \
                  "whether the head is the embedding")

#define IT_CONFIG_WINDOW(absent)                                                                   \
    IT_CONFIG_KEY("sliding_window", IT_OPT_INT, absent, window,                                    \
                  "keys that a query sees, itself included; null: all before it")

/* The matrices of a block; embedding, last norm and head. */
#define IT_SLOT_MATRICES                                                                           \
    {IT_SLOT_QKV, IT_DIM_QKV, IT_DIM_HIDDEN, IT_WEIGHT_DECAY},                                     \
    {IT_SLOT_OUT, IT_DIM_HIDDEN, IT_DIM_Q, IT_WEIGHT_DECAY},                                       \
    {IT_SLOT_GATE_UP, IT_DIM_2FF, IT_DIM_HIDDEN, IT_WEIGHT_DECAY},                                 \
    {IT_SLOT_DOWN, IT_DIM_HIDDEN, IT_DIM_FF, IT_WEIGHT_DECAY}
#define IT_SLOT_ENDS                                                                               \
    {IT_SLOT_EMBED, IT_DIM_VOCAB, IT_DIM_HIDDEN, IT_WEIGHT_DECAY},                                 \
    {IT_SLOT_FINAL_NORM, IT_DIM_HIDDEN, IT_DIM_ONE, IT_WEIGHT_NORM},                               \
    {IT_SLOT_HEAD, IT_DIM_VOCAB, IT_DIM_HIDDEN, IT_WEIGHT_DECAY | IT_WEIGHT_UNTIED}
#define IT_SLOT_NORM(slot, size) {slot, size, IT_DIM_ONE, IT_WEIGHT_NORM}

/* Their names, in the order of transformers' state_dict. */
#define IT_NAME_LAYER(rest) "model.layers.%d." rest
#define IT_NAME_EMBED {"model.embed_tokens.weight", IT_SLOT_EMBED, IT_DIM_VOCAB, {0}}
#define IT_NAME_Q {IT_NAME_LAYER("self_attn.q_proj.weight"), IT_SLOT_QKV, IT_DIM_Q, {0}}
#define IT_NAME_K {IT_NAME_LAYER("self_attn.k_proj.weight"), IT_SLOT_QKV, IT_DIM_KV, {IT_DIM_Q}}
#define IT_NAME_V                                                                                  \
    {IT_NAME_LAYER("self_attn.v_proj.weight"), IT_SLOT_QKV, IT_DIM_KV, {IT_DIM_Q, IT_DIM_KV}}
#define IT_NAME_OUT {IT_NAME_LAYER("self_attn.o_proj.weight"), IT_SLOT_OUT, IT_DIM_HIDDEN, {0}}
#define IT_NAME_QKNORM(size_q, size_k)                                                             \
    {IT_NAME_LAYER("self_attn.q_norm.weight"), IT_SLOT_QNORM, size_q, {0}},                        \
    {IT_NAME_LAYER("self_attn.k_norm.weight"), IT_SLOT_KNORM, size_k, {0}}
#define IT_NAME_MLP                                                                                \
    {IT_NAME_LAYER("mlp.gate_proj.weight"), IT_SLOT_GATE_UP, IT_DIM_FF, {0}},                      \
    {IT_NAME_LAYER("mlp.up_proj.weight"), IT_SLOT_GATE_UP, IT_DIM_FF, {IT_DIM_FF}},                \
    {IT_NAME_LAYER("mlp.down_proj.weight"), IT_SLOT_DOWN, IT_DIM_HIDDEN, {0}}
#define IT_NAME_NORM(slot, rest) {IT_NAME_LAYER(rest ".weight"), slot, IT_DIM_HIDDEN, {0}}
#define IT_NAME_ENDS                                                                               \
    {"model.norm.weight", IT_SLOT_FINAL_NORM, IT_DIM_HIDDEN, {0}},                                 \
    {"lm_head.weight", IT_SLOT_HEAD, IT_DIM_VOCAB, {0}}

/* An architecture from the static tables `steps`, `slots` and `names` of its file, and one of
 * options: architectures that differ in config.json alone share a file. */
#define IT_ARCH(type, class, options)                                                              \
    {.model_type = (type),                                                                         \
     .class_name = (class),                                                                        \
     .steps = steps,                                                                               \
     .slots = slots,                                                                               \
     .n_slots = sizeof slots / sizeof slots[0],                                                    \
     .names = names,                                                                               \
     .n_names = sizeof names / sizeof names[0],                                                    \
     .config = options,                                                                            \
     .n_config = sizeof options / sizeof options[0]}

/* ---- config.c ---- */

/* A JSON file that must be an object. */
enum it_status it_model_json(const char *path, json_t **object_out);

/* "eos_token_id" of an object, an integer or a list of them, added to the ids already there. */
enum it_status it_eos_read(const json_t *object, const char *where, int64_t vocab, int32_t *ids,
                           int *n);
void it_eos_add(int32_t id, int32_t *ids, int *n); /* once each; full: left out */

/* ---- rope.c: rotary scaling of config.json, read into config->rope and rope_theta; written in the
 * form of transformers 4, which version 5 reads too ---- */

enum it_status it_rope_read(const json_t *object, const char *path, struct it_model_config *config);
void it_rope_write(const struct it_model_config *config, json_t *object);

/* ---- open.c ---- */

/* Stop ids of config, generation_config.json and the tokenizer together, into config->eos. */
enum it_status it_eos_merge(const char *folder, const struct it_tokenizer *tokenizer,
                            struct it_model_config *config);

/* ---- places.c: the tensors of a file, one by one, where they lie in a weight set ---- */

struct it_place {
    char *name;
    struct it_tensor view; /* rows of a slot */
};
struct it_places {
    struct it_place *item; /* in the order in which they are written */
    size_t n;
};
void it_places_open(const struct it_net *net, const struct it_weights *weights,
                    struct it_places *places_out);
void it_places_close(struct it_places *places);
char *it_place_name(const struct it_name_row *row, int layer); /* the caller frees */

/* ---- convert.c ---- */

struct it_pool;
/* From any of F32, BF16, F16 and F64 to another, by way of f32. `from` may be unaligned. */
void it_convert(struct it_pool *pool, enum it_dtype to_type, void *to, enum it_dtype from_type,
                const void *from, int64_t n);
/* Whether n numbers of F32, BF16 or F16 hold no NaN and no infinity. `from` may be unaligned. */
bool it_is_finite(struct it_pool *pool, enum it_dtype type, const void *from, int64_t n);

/* ---- lora.c: what adapter_config.json says ---- */

/* The modules that `names` mean, as bits of struct it_lora; one that the architecture has not is
 * refused with those it has. `where`: file and field, or recipe key. */
enum it_status it_lora_targets(const struct it_arch *arch, const char *where,
                               const struct it_strs *names, uint64_t *modules_out);
enum it_status it_lora_read(const char *folder, const struct it_arch *arch,
                            struct it_lora *lora_out);
/* The folder of the base model that adapter_config.json names; the caller frees. */
enum it_status it_lora_base(const char *folder, char **base_out);
json_t *it_lora_config(const struct it_net *net, const char *base);
/* "q_proj, v_proj" */
void it_lora_names(const struct it_net *net, struct it_str *names);

/* ---- lora_files.c: adapter_model.safetensors ---- */

/* Gives the net the adapter of a folder (NULL: none), else new ones if the options ask for them. */
enum it_status it_adapter_open(const char *folder, const struct it_model_options *options,
                               struct it_net *net);
/* Each A and B under its name; closed as those of a model. */
void it_adapter_places(const struct it_net *net, const struct it_weights *weights,
                       struct it_places *places_out);
enum it_status it_adapter_load(const struct it_net *net, const char *folder,
                               struct it_weights *weights);
enum it_status it_adapter_save(const struct it_net *net, const struct it_weights *weights,
                               const char *folder, const char *base);

/* ---- load.c ---- */

struct it_safetensors;
/* All places from the file, which has nothing else. Everything is checked first. */
enum it_status it_places_read(const struct it_net *net, const struct it_safetensors *file,
                              const struct it_places *places);

/* The weights of a folder whose config.json is known to fit. */
enum it_status it_weights_read(const struct it_net *net, const char *folder,
                               struct it_weights *weights);

/* ---- gguf_write.c, gguf_text.c: the parts of a GGUF file ---- */

/* Key-value pairs as they are collected. */
struct it_gguf {
    struct it_str pairs;
    uint64_t n_pairs;
};
void it_gguf_u32(struct it_gguf *gguf, const char *key, uint32_t value);
void it_gguf_f32(struct it_gguf *gguf, const char *key, float value);
void it_gguf_bool(struct it_gguf *gguf, const char *key, bool value);
void it_gguf_string(struct it_gguf *gguf, const char *key, const char *text, size_t bytes);
/* JSON strings or integers (which become i32). */
void it_gguf_strings(struct it_gguf *gguf, const char *key, const json_t *list);
void it_gguf_ints(struct it_gguf *gguf, const char *key, const json_t *list);
/* Little-endian integers and length-prefixed strings of the format. */
void it_gguf_put(struct it_str *out, const void *value, size_t bytes);
void it_gguf_put_string(struct it_str *out, const char *text, size_t bytes);

/* The tokenizer of the folder and its chat template, for a vocabulary of config->vocab. */
enum it_status it_gguf_text(const char *folder, const struct it_model_config *config,
                            struct it_gguf *gguf);

#endif
