/* SPDX-License-Identifier: MIT */
/* What the files of this folder share and nobody else includes. */
#ifndef IT_MODELS_INTERNAL_H
#define IT_MODELS_INTERNAL_H

#include <jansson.h>
#include <stddef.h>

#include "models/models.h"

/* ---- architectures: one line here and one in arch.c each ---- */

extern const struct it_arch it_arch_qwen2;

#define IT_CONFIG_KEY(key, kind, missing, field, words)                                            \
    {.name = (key), .type = (kind), .fallback = (missing), .doc = (words),                         \
     .offset = offsetof(struct it_model_config, field)}

/* Keys that every architecture has. A fallback NULL: required. "0": follows from other sizes. */
#define IT_CONFIG_SIZES                                                                            \
    IT_CONFIG_KEY("vocab_size", IT_OPT_INT, NULL, vocab, "rows of the embedding"),                 \
    IT_CONFIG_KEY("hidden_size", IT_OPT_INT, NULL, hidden, "width of the residual stream"),        \
    IT_CONFIG_KEY("num_hidden_layers", IT_OPT_INT, NULL, layers, "blocks"),                        \
    IT_CONFIG_KEY("num_attention_heads", IT_OPT_INT, NULL, heads, "query heads"),                  \
    IT_CONFIG_KEY("num_key_value_heads", IT_OPT_INT, "0", kv_heads,                                \
                  "key and value heads; absent: as many as query heads"),                          \
    IT_CONFIG_KEY("head_dim", IT_OPT_INT, "0", head_dim,                                           \
                  "width of a head; absent: hidden_size / num_attention_heads"),                   \
    IT_CONFIG_KEY("intermediate_size", IT_OPT_INT, NULL, ff, "width of the feed-forward")

/* ---- config.c ---- */

/* A JSON file that must be an object. */
enum it_status it_model_json(const char *path, json_t **object_out);

/* "eos_token_id" of an object, an integer or a list of them, added to the ids already there. */
enum it_status it_eos_read(const json_t *object, const char *where, int64_t vocab, int32_t *ids,
                           int *n);
void it_eos_add(int32_t id, int32_t *ids, int *n); /* once each; full: left out */

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

/* ---- convert.c ---- */

struct it_pool;
/* From F32, BF16, F16 or F64 to F32, BF16 or F64, by way of f32. `from` may be unaligned. */
void it_convert(struct it_pool *pool, enum it_dtype to_type, void *to, enum it_dtype from_type,
                const void *from, int64_t n);

/* ---- load.c ---- */

/* The weights of a folder whose config.json is known to fit. */
enum it_status it_weights_read(const struct it_net *net, const char *folder,
                               struct it_weights *weights);

#endif
