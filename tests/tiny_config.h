/* SPDX-License-Identifier: MIT */
/* The smallest configuration that is good, and changes to it, as files in the scratch folder. */
#ifndef IT_TESTS_TINY_CONFIG_H
#define IT_TESTS_TINY_CONFIG_H

#include <jansson.h>

#include "tests/scratch.h"

static const char tiny_config[] =
    "{\"architectures\": [\"Qwen2ForCausalLM\"], \"model_type\": \"qwen2\", \"vocab_size\": 11,"
    " \"hidden_size\": 8, \"num_hidden_layers\": 2, \"num_attention_heads\": 2,"
    " \"num_key_value_heads\": 1, \"intermediate_size\": 6, \"max_position_embeddings\": 16,"
    " \"rms_norm_eps\": 1e-5, \"rope_theta\": 1000000.0, \"tie_word_embeddings\": true,"
    " \"hidden_act\": \"silu\", \"rope_scaling\": null, \"attention_dropout\": 0.5,"
    " \"use_sliding_window\": false, \"torch_dtype\": \"bfloat16\", \"eos_token_id\": [3, 4]}";

/* tiny_config with a field set to what `value` says, or taken away (NULL), as FOLDER/name. */
static inline const char *tiny_changed(const char *name, const char *field, const char *value)
{
    json_t *config = json_loads(tiny_config, 0, NULL), *new = NULL;
    if (value) {
        new = json_loads(value, JSON_DECODE_ANY, NULL);
        ck_assert_ptr_nonnull(new);
        json_object_set_new(config, field, new);
    } else if (field) {
        json_object_del(config, field);
    }
    char *text = json_dumps(config, 0);
    const char *path = scratch_text(name, text);
    free(text);
    json_decref(config);
    return path;
}

#endif
