/* SPDX-License-Identifier: MIT */
/* Model folders in the Hugging Face layout, read and written. One small file an architecture. */
#ifndef IT_MODELS_MODELS_H
#define IT_MODELS_MODELS_H

#include "core/nn/nn.h"
#include "core/text/text.h"

/* NULL when there is none of that model_type. */
const struct it_arch *it_arch_find(const char *model_type);
const struct it_arch *it_arch_at(size_t index); /* NULL past the end */

/* LoRA adapters to be made and trained; names and meaning as in PEFT. */
struct it_adapter_options {
    int64_t r;
    double alpha;
    bool rslora;
    const struct it_strs *targets; /* "q_proj", ..., or "all-linear"; none: q_proj and v_proj */
    uint64_t seed;
};

/* An opened model folder: configuration, weights on a device, and the text side. */
struct it_model {
    char *folder;  /* of the base, where an adapter's folder was opened */
    char *adapter; /* folder of the adapter; NULL: none, or a new one */
    struct it_net *net;
    struct it_tokenizer *tokenizer;   /* NULL when the folder has none and none was required */
    bool lent;                        /* the tokenizer: whoever opened the model closes it */
    struct it_chat_template *chat;    /* NULL: none, or not asked for */
    enum it_dtype file_dtype;         /* torch_dtype of config.json */
};

struct it_model_options {
    struct it_device *device;
    enum it_dtype dtype;   /* NONE: BF16 where the device has it and the file says so, else F32 */
    int64_t positions;     /* longest sequence; 0: see it_net_options */
    bool need_tokenizer;
    struct it_tokenizer *tokenizer; /* lent, where the folder's is open already; NULL: it is not */
    /* Prompts are conversations: opens the chat template (one that cannot be rendered is refused),
     * and what ends its turns is a stop id. */
    bool chat;
    struct it_chat_settings chat_settings;
    bool random;           /* no weight files wanted: random weights of that shape (bench) */
    uint64_t seed;         /* of random weights */
    bool measure;          /* weights are measuring views: plan only */
    const char *adapter;   /* a folder with adapter_config.json to go with this model; NULL: none */
    const struct it_adapter_options *adapters; /* new ones, unless there are some; NULL: none */
};

/* What a model's name means: a path that exists, else a repository in the hub's cache
 * (core/data/hub.h), else the name itself. The caller frees. */
char *it_model_path(const char *name);
/* Are there files of a tokenizer? */
bool it_model_has_tokenizer(const char *folder);
/* Does the folder hold an adapter (adapter_config.json)? */
bool it_model_is_adapter(const char *folder);
/* Where config.json and the tokenizer are: it_model_path, or for an adapter its base model's. */
enum it_status it_model_base(const char *name, char **folder_out);
/* it_fail: this is no model folder; names the pull that may be missing. */
enum it_status it_model_no_folder(const char *path);

/* `folder` may be a name, see it_model_path. Everything that can be wrong is said with file, field
 * or tensor and the cure: no config.json, an architecture that is not known, sizes the model cannot
 * have, missing, extra, truncated or wrong-shape tensors. Stop ids: generation_config, config and
 * tokenizer_config together, a conflict is said aloud. With `random` or `measure` a config.json
 * will do for a folder. A folder with adapter_config.json is an adapter: its base is opened with
 * it. */
enum it_status it_model_open(const char *folder, const struct it_model_options *options,
                             struct it_model **model_out);
void it_model_close(struct it_model *model);
/* What ends the turns of this template (NULL: nothing) is a stop id of the model, too. */
enum it_status it_model_end_turns(struct it_model *model, const struct it_chat_template *chat);

/* Read config.json alone (a file or a folder). */
enum it_status it_config_read(const char *path, const struct it_arch **arch_out,
                              struct it_model_config *config_out, enum it_dtype *file_dtype_out);

/* Weights of another folder of the same shape into a set of this net: a reference, a checkpoint. Of
 * a net with adapters the adapters alone, from a folder as it_model_save writes it. */
enum it_status it_weights_load(const struct it_net *net, const char *folder,
                               struct it_weights *weights);

/* Write a folder that transformers loads: config.json, generation_config.json, the tokenizer's
 * files copied from `text_from` (a folder, may be NULL), model.safetensors (or shards of at most
 * shard_bytes with an index; 0: 5 GB). Each file is written atomically. A net with adapters is
 * written as PEFT does: adapter_config.json, whose base is text_from, and
 * adapter_model.safetensors. */
struct it_save_options {
    const char *text_from;
    int64_t shard_bytes;
    enum it_dtype dtype; /* NONE: the net's */
};
enum it_status it_model_save(const struct it_net *net, const struct it_weights *weights,
                             const char *folder, const struct it_save_options *options);

/* `export --to gguf`: a file that llama.cpp loads, of F32, F16 or BF16 matrices (vectors are F32),
 * with the tokenizer and its template when the folder has one. Atomic. What the format cannot say
 * (a rotary scaling, a pre-tokenizer it has no name for) is refused with its name. */
enum it_status it_model_export_gguf(const struct it_model *model, const char *path,
                                    enum it_dtype dtype);

/* `init`: a random model of the shape of a config.json, as a folder; tokenizer files beside the
 * config are copied. */
enum it_status it_model_init(const char *config_path, uint64_t seed, enum it_dtype dtype,
                             const char *folder);

#endif
