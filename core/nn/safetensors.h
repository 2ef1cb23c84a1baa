/* SPDX-License-Identifier: MIT */
/* The safetensors file format (huggingface/safetensors): 8 bytes of little-endian header length, a
 * JSON header, raw tensors. Files come from strangers: no length, offset or shape is trusted. */
#ifndef IT_NN_SAFETENSORS_H
#define IT_NN_SAFETENSORS_H

#include <jansson.h>

#include "core/base/file.h"
#include "core/tensor/tensor.h"

/* One tensor of an open file; bytes are row-major and lie in the map. */
struct it_safetensor {
    char *name;
    enum it_dtype dtype; /* NONE for types this program has no name for (F64 included) */
    char file_dtype[8];  /* as written, for messages */
    int rank;
    int64_t shape[IT_MAX_RANK];
    const uint8_t *data;
    size_t size;
};

/* A file, or a sharded set read through its index: tensors sorted by name. */
struct it_safetensors {
    char *path; /* as opened: for messages */
    struct it_safetensor *item;
    size_t n;
    struct it_map *map;
    size_t n_maps;
};

/* Refused with file and tensor named: header longer than the file or 100 MB, JSON that is none,
 * offsets outside, overlapping or with holes, sizes that do not match shape and type, more than
 * IT_MAX_RANK axes, duplicate names. */
enum it_status it_safetensors_open(const char *path, struct it_safetensors *file_out);
/* A folder: model.safetensors, or model.safetensors.index.json and its shards; `stem` "model".
 * Files that SHA256SUMS in the same folder names are hashed first. */
enum it_status it_safetensors_open_folder(const char *folder, const char *stem,
                                          struct it_safetensors *file_out);
/* `file` of the folder is what SHA256SUMS says, if it is there and says anything of it. */
enum it_status it_safetensors_check_sum(const char *folder, const char *file);
void it_safetensors_close(struct it_safetensors *file);
const struct it_safetensor *it_safetensors_find(const struct it_safetensors *file,
                                                const char *name);
/* IT_INVALID, naming file, tensor and both shapes, when they differ. */
enum it_status it_safetensors_check_shape(const struct it_safetensors *file,
                                          const struct it_safetensor *found, int rank,
                                          const int64_t *shape);

/* Writing: describe all tensors, then stream their bytes in the same order. Atomic. */
struct it_safetensors_writer;
enum it_status it_safetensors_create(const char *path, struct it_safetensors_writer **writer_out);
/* Declares the next tensor; all are declared before the first byte. */
enum it_status it_safetensors_declare(struct it_safetensors_writer *writer, const char *name,
                                      enum it_dtype dtype, int rank, const int64_t *shape);
enum it_status it_safetensors_put(struct it_safetensors_writer *writer, const void *bytes,
                                  size_t size);
/* Ends the file: checks that exactly the declared bytes came, syncs, renames. Frees the writer. */
enum it_status it_safetensors_finish(struct it_safetensors_writer *writer);
void it_safetensors_abandon(struct it_safetensors_writer *writer);

/* Save and load a weight-set-like list of device tensors in their own dtypes, by name. */
enum it_status it_safetensors_save_tensor(struct it_safetensors_writer *writer,
                                          struct it_tensor t); /* put, through the host */
enum it_status it_safetensors_load_tensor(const struct it_safetensors *file, const char *name,
                                          struct it_tensor t); /* same dtype and shape required */

#endif
