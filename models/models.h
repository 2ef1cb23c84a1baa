/* SPDX-License-Identifier: MIT */
/* Model folders in the Hugging Face layout, read and written. One small file an architecture. */
#ifndef IT_MODELS_MODELS_H
#define IT_MODELS_MODELS_H

#include "core/nn/nn.h"
#include "core/text/text.h"

/* NULL when there is none of that model_type. */
const struct it_arch *it_arch_find(const char *model_type);
const struct it_arch *it_arch_at(size_t index); /* NULL past the end */

/* An opened model folder: configuration, weights on a device, and the text side. */
struct it_model {
    char *folder;
    struct it_net *net;
    struct it_tokenizer *tokenizer;   /* NULL when the folder has none and none was required */
    struct it_chat_template chat;
    bool has_chat;
    enum it_dtype file_dtype;         /* torch_dtype of config.json */
};

struct it_model_options {
    struct it_device *device;
    enum it_dtype dtype;   /* NONE: BF16 where the device has it and the file says so, else F32 */
    int64_t positions;     /* longest sequence; 0: see it_net_options */
    bool need_tokenizer;
    bool random;           /* no weight files wanted: random weights of that shape (bench) */
    uint64_t seed;         /* of random weights */
    bool measure;          /* weights are measuring views: plan only */
};

/* Everything that can be wrong is said with file, field or tensor and the cure: no config.json, an
 * architecture that is not known, sizes the model cannot have, missing, extra, truncated or
 * wrong-shape tensors. Stop ids: generation_config, config and tokenizer_config together, a
 * conflict is said aloud. With `random` or `measure` a config.json will do for a folder. */
enum it_status it_model_open(const char *folder, const struct it_model_options *options,
                             struct it_model **model_out);
void it_model_close(struct it_model *model);

/* Read config.json alone (a file or a folder). */
enum it_status it_config_read(const char *path, const struct it_arch **arch_out,
                              struct it_model_config *config_out, enum it_dtype *file_dtype_out);

/* Weights of another folder of the same shape into a set of this net: a reference, a checkpoint. */
enum it_status it_weights_load(const struct it_net *net, const char *folder,
                               struct it_weights *weights);

/* Write a folder that transformers loads: config.json, generation_config.json, the tokenizer's
 * files copied from `text_from` (a folder, may be NULL), model.safetensors (or shards of at most
 * shard_bytes with an index; 0: 5 GB). Each file is written atomically. */
struct it_save_options {
    const char *text_from;
    int64_t shard_bytes;
    enum it_dtype dtype; /* NONE: the net's */
};
enum it_status it_model_save(const struct it_net *net, const struct it_weights *weights,
                             const char *folder, const struct it_save_options *options);

/* `init`: a random model of the shape of a config.json, as a folder; tokenizer files beside the
 * config are copied. */
enum it_status it_model_init(const char *config_path, uint64_t seed, enum it_dtype dtype,
                             const char *folder);

#endif
