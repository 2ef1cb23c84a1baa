/* SPDX-License-Identifier: MIT */
/* A model as one GGUF file for llama.cpp: names and shapes of its own, rows of the rotary halves
 * side by side where its kernel turns neighbours (Llama, Mistral). */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "models/internal.h"

enum { ALIGNMENT = 32, PIECE_BYTES = 16 << 20, VERSION = 3 };

/* Types of tensors and of whole files, as the format numbers them. */
static const struct {
    enum it_dtype dtype;
    uint32_t tensor, file;
} types[] = {{IT_F32, 0, 0}, {IT_F16, 1, 1}, {IT_BF16, 30, 32}};
enum { N_TYPES = sizeof types / sizeof types[0] };

static uint32_t type_index(enum it_dtype dtype)
{
    uint32_t i = 0;
    while (types[i].dtype != dtype) { i++; }
    return i;
}

/* What the format calls our architectures; `paired`: pairs to turn are neighbours, not halves. */
static const struct {
    const char *model_type, *name;
    bool paired;
} archs[] = {{"llama", "llama", true},
             {"mistral", "llama", true},
             {"olmo2", "olmo2", false},
             {"qwen2", "qwen2", false},
             {"qwen3", "qwen3", false}};
enum { N_ARCHS = sizeof archs / sizeof archs[0] };

/* Parts of names, the longest that matches first. */
static const struct {
    const char *ours, *theirs;
} names[] = {
    {"model.embed_tokens", "token_embd"},
    {"model.norm", "output_norm"},
    {"lm_head", "output"},
    {"self_attn.q_proj", "attn_q"},
    {"self_attn.k_proj", "attn_k"},
    {"self_attn.v_proj", "attn_v"},
    {"self_attn.o_proj", "attn_output"},
    {"self_attn.q_norm", "attn_q_norm"},
    {"self_attn.k_norm", "attn_k_norm"},
    {"mlp.gate_proj", "ffn_gate"},
    {"mlp.up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"},
    {"input_layernorm", "attn_norm"},
    {"post_feedforward_layernorm", "post_ffw_norm"},
    {"post_attention_layernorm", NULL}, /* depends on where the block has its norms */
};

struct export {
    const struct it_model *model;
    const char *path;
    enum it_dtype dtype;
    int arch;
    struct it_places places;
    float *factors; /* [head_dim / 2], of the rotary frequencies; NULL: none needed */
    struct it_gguf gguf;
    struct it_str tensors; /* their descriptions */
    uint64_t n_tensors, offset;
    struct it_file file;
};

/* ---- tensors ---- */

static bool is_post_norm(const struct it_arch *arch)
{
    return arch->steps[1].kind != IT_STEP_NORM;
}

/* "model.layers.3.mlp.up_proj.weight" to "blk.3.ffn_up.weight". */
static enum it_status tensor_name(const struct export *e, const char *ours, struct it_str *name)
{
    static const char layers[] = "model.layers.";
    const char *rest = ours;
    it_str_clear(name);
    if (it_starts_with(ours, layers)) {
        rest += strlen(layers);
        size_t digits = strspn(rest, "0123456789");
        it_str_printf(name, "blk.%.*s.", (int)digits, rest);
        rest += digits + 1;
    }
    const char *ending = strrchr(rest, '.');
    size_t length = ending ? (size_t)(ending - rest) : 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strlen(names[i].ours) != length || memcmp(names[i].ours, rest, length) != 0) {
            continue;
        }
        const char *theirs = names[i].theirs;
        if (!theirs) {
            theirs = is_post_norm(e->model->net->arch) ? "post_attention_norm" : "ffn_norm";
        }
        it_str_printf(name, "%s%s", theirs, ending);
        return IT_OK;
    }
    return it_fail(IT_INVALID, "%s: tensor \"%s\" has no name in GGUF", e->path, ours);
}

/* Vectors stay f32: llama.cpp adds and multiplies by nothing else. */
static enum it_dtype type_of(const struct export *e, const struct it_tensor *t)
{
    return t->rank == 1 ? IT_F32 : e->dtype;
}

static uint64_t aligned(uint64_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* Shapes are written the other way round: the contiguous axis first. */
static void describe(struct export *e, const char *name, int rank, const int64_t *shape,
                     enum it_dtype dtype)
{
    uint32_t axes = (uint32_t)rank;
    uint64_t bytes = it_dtype_size(dtype);
    it_gguf_put_string(&e->tensors, name, strlen(name));
    it_gguf_put(&e->tensors, &axes, sizeof axes);
    for (int i = rank - 1; i >= 0; i--) {
        uint64_t n = (uint64_t)shape[i];
        it_gguf_put(&e->tensors, &n, sizeof n);
        bytes *= n;
    }
    it_gguf_put(&e->tensors, &types[type_index(dtype)].tensor, sizeof types[0].tensor);
    it_gguf_put(&e->tensors, &e->offset, sizeof e->offset);
    e->offset += aligned(bytes);
    e->n_tensors++;
}

static enum it_status describe_all(struct export *e)
{
    struct it_str name = {0};
    enum it_status status = IT_OK;
    for (size_t i = 0; i < e->places.n && status == IT_OK; i++) {
        const struct it_tensor *t = &e->places.item[i].view;
        status = tensor_name(e, e->places.item[i].name, &name);
        if (status == IT_OK) {
            describe(e, it_str_c(&name), t->rank, t->shape, type_of(e, t));
        }
    }
    int64_t half = e->model->net->config.head_dim / 2;
    if (e->factors) { describe(e, "rope_freqs.weight", 1, &half, IT_F32); }
    it_str_free(&name);
    return status;
}

static void put(struct export *e, const void *bytes, size_t n)
{
    fwrite(bytes, 1, n, e->file.stream); /* errors stay with the stream until it is committed */
}

static void put_padding(struct export *e, uint64_t bytes)
{
    static const char zeros[ALIGNMENT];
    put(e, zeros, (size_t)(aligned(bytes) - bytes));
}

/* Rows of a head as halves (u0 u1 ... v0 v1 ...) to pairs (u0 v0 u1 v1 ...). */
static void put_paired(struct export *e, const char *rows, int64_t n, size_t row_bytes)
{
    for (int64_t j = 0; j < n / 2; j++) {
        put(e, rows + (size_t)j * row_bytes, row_bytes);
        put(e, rows + (size_t)(n / 2 + j) * row_bytes, row_bytes);
    }
}

/* A number that f16 has no room for must not become infinity in silence. */
static enum it_status check_range(const struct export *e, const char *name, const uint16_t *half,
                                  int64_t n)
{
    for (int64_t i = 0; i < n && e->dtype == IT_F16; i++) {
        if ((half[i] & 0x7c00u) == 0x7c00u) {
            return it_fail(IT_INVALID, "%s: tensor \"%s\" has numbers that f16 cannot hold; export "
                           "it as bf16 or f32", e->path, name);
        }
    }
    return IT_OK;
}

static enum it_status put_tensor(struct export *e, const struct it_place *place)
{
    struct it_tensor t = place->view;
    enum it_dtype dtype = type_of(e, &t);
    int64_t rows = t.shape[0], columns = it_tensor_count(&t) / rows;
    size_t row_bytes = (size_t)columns * it_dtype_size(dtype);
    bool paired = archs[e->arch].paired && (strstr(place->name, ".q_proj.") ||
                                            strstr(place->name, ".k_proj."));
    int64_t step = paired ? e->model->net->config.head_dim
                          : PIECE_BYTES / (columns * (int64_t)it_dtype_size(t.dtype)) + 1;
    if (step > rows) { step = rows; }
    void *piece = it_alloc((size_t)(step * columns) * it_dtype_size(t.dtype));
    char *converted = it_alloc((size_t)step * row_bytes);
    enum it_status status = IT_OK;
    for (int64_t r = 0; r < rows && status == IT_OK; r += step) {
        int64_t n = rows - r < step ? rows - r : step;
        status = it_download(piece, it_rows(t, r, n));
        if (status != IT_OK) { break; }
        it_convert(it_device_pool(e->model->net->device), dtype, converted, t.dtype, piece,
                   n * columns);
        if (dtype == IT_F16) {
            status = check_range(e, place->name, (const uint16_t *)(const void *)converted,
                                 n * columns);
        }
        if (paired) {
            put_paired(e, converted, n, row_bytes);
        } else {
            put(e, converted, (size_t)n * row_bytes);
        }
    }
    put_padding(e, (uint64_t)rows * row_bytes);
    it_free(piece);
    it_free(converted);
    return status;
}

/* ---- key-value pairs ---- */

static void put_key(struct export *e, const char *rest, uint32_t value)
{
    struct it_str key = {0};
    it_str_printf(&key, "%s.%s", archs[e->arch].name, rest);
    it_gguf_u32(&e->gguf, it_str_c(&key), value);
    it_str_free(&key);
}

static void put_real_key(struct export *e, const char *rest, double value)
{
    struct it_str key = {0};
    it_str_printf(&key, "%s.%s", archs[e->arch].name, rest);
    it_gguf_f32(&e->gguf, it_str_c(&key), (float)value);
    it_str_free(&key);
}

static void put_sizes(struct export *e)
{
    const struct it_model_config *c = &e->model->net->config;
    bool windowed = c->window > 0 && c->window < c->max_positions; /* there, too: full attention */
    const struct {
        const char *key;
        int64_t value;
    } rows[] = {{"vocab_size", c->vocab},
                {"context_length", windowed ? c->window : c->max_positions},
                {"embedding_length", c->hidden},
                {"block_count", c->layers},
                {"feed_forward_length", c->ff},
                {"attention.head_count", c->heads},
                {"attention.head_count_kv", c->kv_heads},
                {"attention.key_length", c->head_dim},
                {"attention.value_length", c->head_dim},
                {"rope.dimension_count", c->head_dim}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        put_key(e, rows[i].key, (uint32_t)rows[i].value);
    }
    put_real_key(e, "attention.layer_norm_rms_epsilon", c->rms_eps);
    put_real_key(e, "rope.freq_base", c->rope_theta);
}

/* Linear scaling is a key. Llama 3's is a tensor by which the frequencies are divided. */
static enum it_status put_rope(struct export *e)
{
    const struct it_model_config *c = &e->model->net->config;
    struct it_model_config plain = *c;
    if (c->rope.kind == IT_ROPE_LINEAR) {
        struct it_str key = {0};
        it_str_printf(&key, "%s.rope.scaling.type", archs[e->arch].name);
        it_gguf_string(&e->gguf, it_str_c(&key), "linear", strlen("linear"));
        it_str_free(&key);
        put_real_key(e, "rope.scaling.factor", c->rope.factor);
    }
    if (c->rope.kind != IT_ROPE_LLAMA3) { return IT_OK; }
    if (!archs[e->arch].paired) {
        return it_fail(IT_INVALID, "%s: field \"rope_scaling\": llama.cpp has the type llama3 "
                       "for llama alone, not for %s", e->model->folder, c->model_type);
    }
    int64_t half = c->head_dim / 2;
    float *scaled = it_alloc((size_t)half * sizeof *scaled);
    e->factors = it_alloc((size_t)half * sizeof *e->factors);
    plain.rope.kind = IT_ROPE_DEFAULT;
    it_rope_frequencies(c, scaled);
    it_rope_frequencies(&plain, e->factors);
    for (int64_t j = 0; j < half; j++) { e->factors[j] /= scaled[j]; }
    it_free(scaled);
    return IT_OK;
}

static enum it_status put_pairs(struct export *e)
{
    const char *arch = archs[e->arch].name, *name = it_path_base(e->model->folder);
    it_gguf_string(&e->gguf, "general.architecture", arch, strlen(arch));
    it_gguf_string(&e->gguf, "general.type", "model", strlen("model"));
    if (*name) { it_gguf_string(&e->gguf, "general.name", name, strlen(name)); }
    it_gguf_u32(&e->gguf, "general.file_type", types[type_index(e->dtype)].file);
    it_gguf_u32(&e->gguf, "general.alignment", ALIGNMENT);
    put_sizes(e);
    IT_TRY(put_rope(e));
    return it_gguf_text(e->model->folder, &e->model->net->config, &e->gguf);
}

/* ---- the file ---- */

static void put_header(struct export *e)
{
    static const uint32_t version = VERSION;
    uint64_t bytes = 4 + sizeof version + 2 * sizeof(uint64_t) + e->gguf.pairs.len + e->tensors.len;
    put(e, "GGUF", 4);
    put(e, &version, sizeof version);
    put(e, &e->n_tensors, sizeof e->n_tensors);
    put(e, &e->gguf.n_pairs, sizeof e->gguf.n_pairs);
    put(e, e->gguf.pairs.data, e->gguf.pairs.len);
    put(e, e->tensors.data, e->tensors.len);
    put_padding(e, bytes);
}

static enum it_status write_file(struct export *e)
{
    enum it_status status = IT_OK;
    put_header(e);
    for (size_t i = 0; i < e->places.n && status == IT_OK; i++) {
        status = put_tensor(e, &e->places.item[i]);
    }
    if (e->factors) {
        size_t bytes = (size_t)(e->model->net->config.head_dim / 2) * sizeof *e->factors;
        put(e, e->factors, bytes);
        put_padding(e, bytes);
    }
    return status;
}

static enum it_status export_model(struct export *e)
{
    IT_TRY(put_pairs(e));
    IT_TRY(describe_all(e));
    IT_TRY(it_file_begin(e->path, &e->file));
    enum it_status status = write_file(e);
    if (status != IT_OK) {
        it_file_abandon(&e->file);
        return status;
    }
    return it_file_commit(&e->file);
}

enum it_status it_model_export_gguf(const struct it_model *model, const char *path,
                                    enum it_dtype dtype)
{
    struct export e = {.model = model, .path = path, .dtype = dtype};
    while (e.arch < N_ARCHS &&
           strcmp(archs[e.arch].model_type, model->net->arch->model_type) != 0) {
        e.arch++;
    }
    if (e.arch == N_ARCHS) {
        return it_fail(IT_INVALID, "%s: %s cannot be written as GGUF yet", model->folder,
                       model->net->arch->model_type);
    }
    if (dtype != IT_F32 && dtype != IT_F16 && dtype != IT_BF16) {
        return it_fail(IT_INVALID, "%s: GGUF is written as f32, f16 or bf16, not as %s", path,
                       it_dtype_name(dtype));
    }
    it_places_open(model->net, &model->net->weights, &e.places);
    enum it_status status = export_model(&e);
    it_places_close(&e.places);
    it_free(e.factors);
    it_str_free(&e.gguf.pairs);
    it_str_free(&e.tensors);
    return status;
}
