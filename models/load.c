/* SPDX-License-Identifier: MIT */
/* Weights from files. Everything but the numbers themselves is checked before the first byte goes
 * to the device: a set of weights is the old or the new one, unless it holds NaN or the device
 * fails. */
#include <stdint.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/nn/safetensors.h"
#include "models/internal.h"

/* Bytes written at a time: by the host's threads, and to a device through the host. */
enum { HOST_BYTES = 1 << 20, DEVICE_BYTES = 16 << 20 };

/* Tensors that old versions of transformers wrote and that follow from the configuration. */
static bool is_harmless(const char *name)
{
    static const char *const endings[] = {".rotary_emb.inv_freq", ".masked_bias",
                                          ".rotary_emb.cos_cached", ".rotary_emb.sin_cached"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        if (it_ends_with(name, endings[i])) { return true; }
    }
    return false;
}

/* "a", "b", "c" and 5 more */
static void list_name(struct it_str *list, size_t *n, const char *name)
{
    enum { SHOWN = 3 };
    if (*n < SHOWN) { it_str_printf(list, "%s\"%s\"", *n ? ", " : "", name); }
    (*n)++;
}

static void list_end(struct it_str *list, size_t n)
{
    if (n > 3) { it_str_printf(list, " and %zu more", n - 3); }
}

static enum it_status check_missing(const struct it_safetensors *file,
                                    const struct it_places *places)
{
    struct it_str list = {0};
    size_t n = 0;
    for (size_t i = 0; i < places->n; i++) {
        const char *name = places->item[i].name;
        if (!it_safetensors_find(file, name)) { list_name(&list, &n, name); }
    }
    list_end(&list, n);
    enum it_status status = IT_OK;
    if (n) {
        status = it_fail(IT_INVALID, "%s: missing tensor%s %s", file->path, n > 1 ? "s" : "",
                         it_str_c(&list));
    }
    it_str_free(&list);
    return status;
}

/* A name that the architecture has but this model has not: lm_head beside a tied embedding. */
static bool is_tied_head(const struct it_net *net, const char *name)
{
    for (int r = 0; r < net->arch->n_names && net->config.tied; r++) {
        const struct it_name_row *row = &net->arch->names[r];
        if (row->slot == IT_SLOT_HEAD && strcmp(row->pattern, name) == 0) { return true; }
    }
    return false;
}

static enum it_status check_extra(const struct it_net *net, const struct it_safetensors *file,
                                  const struct it_places *places)
{
    bool *used = it_calloc(file->n + 1, sizeof *used);
    struct it_str list = {0};
    size_t n = 0;
    for (size_t i = 0; i < places->n; i++) {
        used[it_safetensors_find(file, places->item[i].name) - file->item] = true;
    }
    for (size_t i = 0; i < file->n; i++) {
        const char *name = file->item[i].name;
        if (!used[i] && !is_harmless(name) && !is_tied_head(net, name)) {
            list_name(&list, &n, name);
        }
    }
    list_end(&list, n);
    enum it_status status = IT_OK;
    if (n) {
        status = it_fail(IT_INVALID, "%s: tensor%s %s: not part of a %s of %lld layers; check that "
                         "config.json belongs to these weights", file->path, n > 1 ? "s" : "",
                         it_str_c(&list), net->arch->model_type, (long long)net->config.layers);
    }
    it_str_free(&list);
    it_free(used);
    return status;
}

/* A head beside a tied embedding repeats it. Where it does not, version 5 of transformers keeps the
 * two apart and older ones tie them: what was meant cannot be known. */
static enum it_status check_tied_head(const struct it_net *net, const struct it_safetensors *file)
{
    const struct it_safetensor *head = NULL, *embedding = NULL;
    for (int r = 0; r < net->arch->n_names && net->config.tied; r++) {
        const struct it_name_row *row = &net->arch->names[r];
        if (row->slot == IT_SLOT_HEAD) { head = it_safetensors_find(file, row->pattern); }
        if (row->slot == IT_SLOT_EMBED) { embedding = it_safetensors_find(file, row->pattern); }
    }
    if (!head || (head->dtype == embedding->dtype && head->size == embedding->size &&
                  memcmp(head->data, embedding->data, head->size) == 0)) {
        return IT_OK;
    }
    return it_fail(IT_INVALID, "%s: tensor \"%s\" differs from \"%s\", but config.json says "
                   "tie_word_embeddings true; make it false, or take the tensor out", file->path,
                   head->name, embedding->name);
}

static enum it_status check_tensor(const struct it_safetensors *file, const struct it_place *place)
{
    const struct it_safetensor *t = it_safetensors_find(file, place->name);
    if (t->dtype != IT_F32 && t->dtype != IT_BF16 && t->dtype != IT_F16) {
        return it_fail(IT_INVALID, "%s: tensor \"%s\": dtype %s; weights are read as F32, BF16 "
                       "or F16", file->path, place->name, t->file_dtype);
    }
    return it_safetensors_check_shape(file, t, place->view.rank, place->view.shape);
}

static enum it_status check(const struct it_net *net, const struct it_safetensors *file,
                            const struct it_places *places)
{
    IT_TRY(check_missing(file, places));
    IT_TRY(check_extra(net, file, places));
    for (size_t i = 0; i < places->n; i++) { IT_TRY(check_tensor(file, &places->item[i])); }
    return check_tied_head(net, file);
}

/* Rows at a time, which stay in a cache between being looked at and being copied. Where the device
 * has them in host memory, all threads write there; else they pass through `piece`. */
static enum it_status upload(const struct it_net *net, const struct it_safetensors *file,
                             const struct it_safetensor *from, struct it_tensor to)
{
    struct it_pool *pool = it_device_pool(net->device);
    int64_t rows = to.shape[0], columns = it_tensor_count(&to) / rows;
    int64_t row_bytes = columns * (int64_t)it_dtype_size(to.dtype);
    bool on_host = it_tensor_host(&to) != NULL;
    int64_t step = (on_host ? HOST_BYTES : DEVICE_BYTES) / row_bytes + 1;
    if (step > rows) { step = rows; }
    void *piece = on_host ? NULL : it_alloc((size_t)(step * row_bytes));
    enum it_status status = IT_OK;
    for (int64_t r = 0; r < rows && status == IT_OK; r += step) {
        int64_t n = rows - r < step ? rows - r : step;
        const struct it_tensor part = it_rows(to, r, n);
        const uint8_t *source = from->data + (size_t)(r * columns) * it_dtype_size(from->dtype);
        if (!it_is_finite(pool, from->dtype, source, n * columns)) {
            status = it_fail(IT_INVALID, "%s: tensor \"%s\": NaN or infinity in rows %lld to %lld; "
                             "weights are finite numbers", file->path, from->name, (long long)r,
                             (long long)(r + n - 1));
            break;
        }
        it_convert(pool, to.dtype, on_host ? it_tensor_host(&part) : piece, from->dtype, source,
                   n * columns);
        if (!on_host) { status = it_upload(part, piece); }
    }
    it_free(piece);
    return status;
}

enum it_status it_places_read(const struct it_net *net, const struct it_safetensors *file,
                              const struct it_places *places)
{
    IT_TRY(check(net, file, places));
    for (size_t i = 0; i < places->n; i++) {
        const struct it_place *place = &places->item[i];
        const struct it_safetensor *found = it_safetensors_find(file, place->name);
        IT_TRY(upload(net, file, found, place->view));
    }
    return IT_OK;
}

enum it_status it_weights_read(const struct it_net *net, const char *folder,
                               struct it_weights *weights)
{
    struct it_safetensors file;
    struct it_places places;
    IT_TRY(it_safetensors_open_folder(folder, "model", &file));
    it_places_open(net, weights, &places);
    enum it_status status = it_places_read(net, &file, &places);
    it_places_close(&places);
    it_safetensors_close(&file);
    return status;
}

/* ---- weights of another folder ---- */

static enum it_status differs(const char *folder, const char *field, double found, double expected)
{
    return it_fail(IT_INVALID, "%s: field \"%s\" is %.10g; the model it is to go with has %.10g",
                   folder, field, found, expected);
}

/* Every number that the weights were trained under. max_position_embeddings and the like may
 * differ. */
static enum it_status check_same(const char *folder, const struct it_model_config *found,
                                 const struct it_model_config *expected)
{
    const struct {
        const char *field;
        double found, expected;
    } rows[] = {
        {"vocab_size", (double)found->vocab, (double)expected->vocab},
        {"hidden_size", (double)found->hidden, (double)expected->hidden},
        {"num_hidden_layers", (double)found->layers, (double)expected->layers},
        {"num_attention_heads", (double)found->heads, (double)expected->heads},
        {"num_key_value_heads", (double)found->kv_heads, (double)expected->kv_heads},
        {"head_dim", (double)found->head_dim, (double)expected->head_dim},
        {"intermediate_size", (double)found->ff, (double)expected->ff},
        {"rms_norm_eps", found->rms_eps, expected->rms_eps},
        {"sliding_window", (double)found->window, (double)expected->window},
        {"rope_theta", found->rope_theta, expected->rope_theta},
        {"rope_scaling type", found->rope.kind, expected->rope.kind},
        {"rope_scaling factor", found->rope.factor, expected->rope.factor},
        {"rope_scaling low_freq_factor", found->rope.low, expected->rope.low},
        {"rope_scaling high_freq_factor", found->rope.high, expected->rope.high},
        {"rope_scaling original_max_position_embeddings", (double)found->rope.original,
         (double)expected->rope.original},
        {"tie_word_embeddings", found->tied, expected->tied},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].found != rows[i].expected) {
            return differs(folder, rows[i].field, rows[i].found, rows[i].expected);
        }
    }
    return IT_OK;
}

enum it_status it_weights_load(const struct it_net *net, const char *folder,
                               struct it_weights *weights)
{
    const struct it_arch *arch = NULL;
    struct it_model_config config;
    enum it_dtype file_dtype;
    if (net->lora.r) { return it_adapter_load(net, folder, weights); }
    IT_TRY(it_config_read(folder, &arch, &config, &file_dtype));
    enum it_status status = IT_OK;
    if (arch != net->arch) {
        status = it_fail(IT_INVALID, "%s: model_type is %s; the model it is to go with is %s",
                         folder, arch->model_type, net->arch->model_type);
    }
    if (status == IT_OK) { status = check_same(folder, &config, &net->config); }
    if (status == IT_OK) { status = it_weights_read(net, folder, weights); }
    it_config_free(&config);
    return status;
}
