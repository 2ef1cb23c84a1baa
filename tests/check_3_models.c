/* SPDX-License-Identifier: MIT */
/* Model folders: what opens, what is refused and how, what is saved. */
#include <math.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "core/base/json.h"
#include "core/nn/safetensors.h"
#include "core/tensor/kmath.h"
#include "models/internal.h"
#include "tests/tiny_config.h"

static struct it_device *device;

static void begin(void)
{
    struct it_device_options options = {0};
    scratch_begin();
    ck_assert_int_eq(it_device_open("reference", &options, &device), IT_OK);
}

static void end(void)
{
    it_device_close(device);
    scratch_end();
}

/* ---- folders ---- */

static struct it_model *open_as(const char *folder, enum it_dtype dtype)
{
    struct it_model_options how = {.device = device, .dtype = dtype};
    struct it_model *model = NULL;
    ck_assert_int_eq(it_model_open(folder, &how, &model), IT_OK);
    return model;
}

static enum it_status open_status(const char *folder)
{
    struct it_model_options how = {.device = device};
    struct it_model *model = NULL;
    enum it_status status = it_model_open(folder, &how, &model);
    it_model_close(model);
    return status;
}

static struct it_model *random_model(const char *config, enum it_dtype dtype, uint64_t seed)
{
    struct it_model_options how = {.device = device, .dtype = dtype, .random = true, .seed = seed};
    struct it_model *model = NULL;
    ck_assert_int_eq(it_model_open(config, &how, &model), IT_OK);
    return model;
}

static void save_as(const struct it_model *model, const char *folder, int64_t shard_bytes,
                    enum it_dtype dtype)
{
    struct it_save_options options = {.text_from = model->folder, .shard_bytes = shard_bytes,
                                      .dtype = dtype};
    ck_assert_int_eq(it_model_save(model->net, &model->net->weights, folder, &options), IT_OK);
}

static void ck_assert_same_weights(const struct it_net *a, const struct it_net *b)
{
    ck_assert_int_eq(a->weights.n, b->weights.n);
    for (int i = 0; i < a->weights.n; i++) {
        struct it_tensor s = a->weights.item[i].t, t = b->weights.item[i].t;
        ck_assert_int_eq(s.dtype, t.dtype);
        ck_assert_int_eq(it_tensor_count(&s), it_tensor_count(&t));
        if (s.dtype == IT_NONE) { continue; }
        size_t bytes = (size_t)it_tensor_count(&s) * it_dtype_size(s.dtype);
        ck_assert_mem_eq(it_tensor_host(&s), it_tensor_host(&t), bytes);
    }
}

static size_t count_files(const char *folder)
{
    struct it_strs names = {0};
    ck_assert_int_eq(it_dir_list(folder, &names), IT_OK);
    size_t n = names.n;
    it_strs_free(&names);
    return n;
}

static const struct {
    const char *tied;
    enum it_dtype dtype;
    int64_t shard_bytes;
} trips[] = {{"true", IT_F32, 0},    {"false", IT_F32, 0},    {"true", IT_BF16, 0},
             {"false", IT_BF16, 700}, {"true", IT_F32, 1},    {"false", IT_F32, 1000}};
enum { N_TRIPS = sizeof trips / sizeof trips[0] };

START_TEST(a_saved_model_opens_again_to_the_bit)
{
    const char *config = tiny_changed("config.json", "tie_word_embeddings", trips[_i].tied);
    struct it_model *a = random_model(config, trips[_i].dtype, 5);
    save_as(a, scratch_path("a"), trips[_i].shard_bytes, IT_NONE);
    struct it_model *b = open_as(scratch_path("a"), trips[_i].dtype);
    ck_assert_same_weights(a->net, b->net);
    ck_assert_int_eq(b->file_dtype, trips[_i].dtype);
    ck_assert_int_eq(b->net->config.n_eos, 2);
    ck_assert_double_eq(b->net->config.rope_theta, 1e6);
    ck_assert_double_eq(b->net->config.rms_eps, 1e-5);
    ck_assert_int_eq(b->net->config.tied, a->net->config.tied);
    bool sharded = it_path_exists(scratch_path("a/model.safetensors.index.json"));
    ck_assert_int_eq(sharded, trips[_i].shard_bytes != 0);
    /* over what is there, in one file: no stale shard stays */
    scratch_text("a/SHA256SUMS", "stale\n");
    save_as(b, scratch_path("a"), 0, IT_NONE);
    ck_assert_uint_eq(count_files(scratch_path("a")), 3);
    save_as(b, scratch_path("a"), 900, IT_NONE);
    ck_assert(!it_path_exists(scratch_path("a/model.safetensors")));
    struct it_model *c = open_as(scratch_path("a"), trips[_i].dtype);
    ck_assert_same_weights(a->net, c->net);
    it_model_close(c);
    it_model_close(b);
    it_model_close(a);
}
END_TEST

/* Of every architecture, all that its configuration says included. */
START_TEST(every_architecture_is_saved_as_it_is)
{
    static const char *const scalings[] = {
        "null", "{\"rope_type\": \"linear\", \"factor\": 2.5}",
        ("{\"rope_type\": \"llama3\", \"factor\": 8.0, \"low_freq_factor\": 1.0,"
         " \"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 8}")};
    const struct it_arch *arch = it_arch_at((size_t)_i / 3);
    json_t *config = json_loads(tiny_config, 0, NULL);
    json_object_set_new(config, "model_type", json_string(arch->model_type));
    json_object_set_new(config, "architectures", json_pack("[s]", arch->class_name));
    json_object_set_new(config, "head_dim", json_integer(4 + 2 * (_i % 2)));
    json_object_set_new(config, "rope_scaling",
                        json_loads(scalings[_i % 3], JSON_DECODE_ANY, NULL));
    json_object_set_new(config, "sliding_window", _i % 2 ? json_null() : json_integer(12));
    ck_assert_int_eq(it_json_write(scratch_path("config.json"), config), IT_OK);
    json_decref(config);
    struct it_model *a = random_model(scratch, IT_F32, 8);
    save_as(a, scratch_path("m"), 0, IT_NONE);
    struct it_model *b = open_as(scratch_path("m"), IT_F32);
    ck_assert_same_weights(a->net, b->net);
    const struct it_model_config *c = &a->net->config, *d = &b->net->config;
    ck_assert_ptr_eq(a->net->arch, b->net->arch);
    ck_assert_int_eq(c->head_dim, d->head_dim);
    ck_assert_int_eq(c->window, d->window);
    ck_assert_int_eq(c->rope.kind, _i % 3);
    ck_assert_int_eq(c->rope.kind, d->rope.kind);
    ck_assert_double_eq(c->rope.factor, d->rope.factor);
    ck_assert_double_eq(c->rope.low, d->rope.low);
    ck_assert_double_eq(c->rope.high, d->rope.high);
    ck_assert_int_eq(c->rope.original, d->rope.original);
    struct it_weights reference;
    ck_assert_int_eq(it_weights_open(a->net, "reference", IT_NONE, NULL, &reference), IT_OK);
    ck_assert_int_eq(it_weights_load(a->net, scratch_path("m"), &reference), IT_OK);
    it_weights_close(&reference);
    it_model_close(b);
    it_model_close(a);
}
END_TEST

START_TEST(the_fused_slots_hold_the_rows_in_order)
{
    struct it_model *m = random_model(tiny_changed("config.json", NULL, NULL), IT_F32, 9);
    struct it_safetensors file;
    struct it_tensor qkv = it_weight(&m->net->weights, 1, IT_SLOT_QKV);
    struct it_tensor gate_up = it_weight(&m->net->weights, 0, IT_SLOT_GATE_UP);
    save_as(m, scratch_path("m"), 0, IT_NONE);
    ck_assert_int_eq(it_safetensors_open(scratch_path("m/model.safetensors"), &file), IT_OK);
    static const struct {
        const char *name;
        int64_t row, rows;
    } parts[] = {{"model.layers.1.self_attn.q_proj.weight", 0, 8},
                 {"model.layers.1.self_attn.k_proj.weight", 8, 4},
                 {"model.layers.1.self_attn.v_proj.weight", 12, 4}};
    for (size_t i = 0; i < 3; i++) {
        const struct it_safetensor *t = it_safetensors_find(&file, parts[i].name);
        struct it_tensor rows = it_rows(qkv, parts[i].row, parts[i].rows);
        ck_assert_int_eq(t->shape[0], parts[i].rows);
        ck_assert_mem_eq(t->data, it_tensor_host(&rows), t->size);
    }
    struct it_tensor up = it_rows(gate_up, 6, 6);
    const struct it_safetensor *t = it_safetensors_find(&file, "model.layers.0.mlp.up_proj.weight");
    ck_assert_mem_eq(t->data, it_tensor_host(&up), t->size);
    ck_assert_uint_eq(file.n, 2 + 2 * 12); /* no lm_head when tied */
    it_safetensors_close(&file);
    it_model_close(m);
}
END_TEST

START_TEST(types_are_converted)
{
    struct it_model *wide = random_model(tiny_changed("config.json", NULL, NULL), IT_F32, 3);
    save_as(wide, scratch_path("f32"), 0, IT_NONE);
    save_as(wide, scratch_path("bf16"), 0, IT_BF16);
    struct it_model *a = open_as(scratch_path("f32"), IT_BF16);  /* rounded when read */
    struct it_model *b = open_as(scratch_path("bf16"), IT_NONE); /* rounded when written */
    ck_assert_int_eq(b->net->dtype, IT_BF16);
    ck_assert_same_weights(a->net, b->net);
    struct it_model *c = open_as(scratch_path("f32"), IT_NONE);
    ck_assert_int_eq(c->net->dtype, IT_F32);
    struct it_tensor t = it_weight(&wide->net->weights, -1, IT_SLOT_EMBED);
    struct it_tensor u = it_weight(&b->net->weights, -1, IT_SLOT_EMBED);
    const float *f = it_tensor_host(&t);
    const uint16_t *h = it_tensor_host(&u);
    for (int i = 0; i < 88; i++) { ck_assert_uint_eq(h[i], k_bf16_store(f[i])); }
    struct it_model *d = open_as(scratch_path("bf16"), IT_F64);
    u = it_weight(&d->net->weights, -1, IT_SLOT_EMBED);
    const double *g = it_tensor_host(&u);
    for (int i = 0; i < 88; i++) { ck_assert_double_eq(g[i], (double)k_bf16_load(h[i])); }
    save_as(d, scratch_path("again"), 0, IT_BF16);
    struct it_model *e = open_as(scratch_path("again"), IT_BF16);
    ck_assert_same_weights(e->net, b->net);
    struct it_model *all[] = {wide, a, b, c, d, e};
    for (size_t i = 0; i < 6; i++) { it_model_close(all[i]); }
}
END_TEST

START_TEST(half_precision_is_read_exactly)
{
    static const struct {
        uint16_t half;
        float value;
    } cases[] = {{0x3c00, 1.0f},      {0xc000, -2.0f},    {0x7bff, 65504.0f}, {0x0400, 0x1p-14f},
                 {0x0001, 0x1p-24f},  {0x83ff, -1023.0f * 0x1p-24f}, {0x0000, 0.0f},
                 {0x3555, 0x1.554p-2f}};
    unsigned char bytes[1 + 16];
    float values[8];
    uint16_t bits;
    for (size_t i = 0; i < 8; i++) { memcpy(bytes + 1 + 2 * i, &cases[i].half, 2); }
    it_convert(NULL, IT_F32, values, IT_F16, bytes + 1, 8); /* unaligned, as in a file */
    for (size_t i = 0; i < 8; i++) { ck_assert_float_eq(values[i], cases[i].value); }
    bits = 0x7c00;
    it_convert(NULL, IT_F32, values, IT_F16, &bits, 1);
    ck_assert_float_infinite(values[0]);
    bits = 0xfe00;
    it_convert(NULL, IT_F32, values, IT_F16, &bits, 1);
    ck_assert_float_nan(values[0]);
}
END_TEST

START_TEST(init_makes_a_model)
{
    const char *config = tiny_changed("config.json", NULL, NULL);
    scratch_text("tokenizer.json", "{}"); /* copied as it is */
    ck_assert_int_eq(mkdir(scratch_path("shape"), 0777), 0);
    const char *shape = tiny_changed("shape/config.json", "hidden_size", "16");
    enum it_status status = it_model_init(shape, 7, IT_NONE, scratch_path("m"));
    if (status == IT_NOT_FOUND || status == IT_INVALID) { return; } /* no cpu backend here */
    ck_assert_int_eq(status, IT_OK);
    struct it_model *a = open_as(scratch_path("m"), IT_NONE);
    ck_assert_int_eq(a->net->dtype, IT_BF16); /* as the file said */
    ck_assert_int_eq(a->net->config.hidden, 16);
    struct it_model *b = random_model(scratch_path("shape"), IT_BF16, 7);
    ck_assert_same_weights(a->net, b->net); /* the numbers depend on the seed alone */
    struct it_tensor norm = it_weight(&a->net->weights, 0, IT_SLOT_NORM1);
    ck_assert_uint_eq(((const uint16_t *)it_tensor_host(&norm))[15], k_bf16_store(1.0f));
    it_model_close(a);
    it_model_close(b);
    ck_assert_fails(it_model_init(config, 7, IT_NONE, scratch_path("m")), IT_INVALID, "not empty");
    ck_assert_fails(it_model_init(scratch_path("x"), 7, IT_NONE, scratch_path("n")), IT_NOT_FOUND,
                    "x:");
    ck_assert(!it_path_exists(scratch_path("n")));
}
END_TEST

/* ---- broken folders ---- */

/* The tensors of a good model, one of which may be left out, changed or added. */
static void write_tensors(const struct it_model *m, const char *path, const char *without,
                          const char *changed_name, enum it_dtype dtype, int64_t rows,
                          const char *extra)
{
    struct it_places places;
    struct it_safetensors_writer *writer;
    static const char zeros[4096];
    static const int64_t one[] = {1};
    it_places_open(m->net, &m->net->weights, &places);
    ck_assert_int_eq(it_safetensors_create(path, &writer), IT_OK);
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < places.n; i++) {
            struct it_tensor t = places.item[i].view;
            const char *name = places.item[i].name;
            if (without && strcmp(name, without) == 0) { continue; }
            if (changed_name && strcmp(name, changed_name) == 0) {
                t.dtype = dtype;
                t.shape[0] += rows;
            }
            size_t bytes = (size_t)it_tensor_count(&t) * it_dtype_size(t.dtype);
            ck_assert_int_eq(pass == 0 ? it_safetensors_declare(writer, name, t.dtype, t.rank,
                                                                t.shape)
                                       : it_safetensors_put(writer, zeros, bytes), IT_OK);
        }
        if (!extra) { continue; }
        ck_assert_int_eq(pass == 0 ? it_safetensors_declare(writer, extra, IT_F32, 1, one)
                                   : it_safetensors_put(writer, zeros, 4), IT_OK);
    }
    ck_assert_int_eq(it_safetensors_finish(writer), IT_OK);
    it_places_close(&places);
}

/* Bytes of a tensor of scratch/model.safetensors, changed in the file. */
static void patch(const char *name, size_t at, const void *bytes, size_t n)
{
    struct it_safetensors file;
    ck_assert_int_eq(it_safetensors_open(scratch_path("model.safetensors"), &file), IT_OK);
    const struct it_safetensor *t = it_safetensors_find(&file, name);
    FILE *stream = fopen(file.path, "r+b");
    ck_assert_int_eq(fseek(stream, t->data - file.map[0].data + (long)at, SEEK_SET), 0);
    ck_assert_uint_eq(fwrite(bytes, 1, n, stream), n);
    ck_assert_int_eq(fclose(stream), 0);
    it_safetensors_close(&file);
}

START_TEST(a_head_beside_a_tied_embedding)
{
    struct it_model *m = random_model(tiny_changed("config.json", "tie_word_embeddings", "false"),
                                      IT_F32, 1);
    save_as(m, scratch, 0, IT_NONE);
    tiny_changed("config.json", NULL, NULL); /* tied */
    ck_assert_fails(open_status(scratch), IT_INVALID, "\"lm_head.weight\" differs from \"model.e");
    struct it_tensor embed = it_weight(&m->net->weights, -1, IT_SLOT_EMBED);
    patch("lm_head.weight", 0, it_tensor_host(&embed),
          (size_t)it_tensor_count(&embed) * sizeof(float));
    ck_assert_int_eq(open_status(scratch), IT_OK);
    it_model_close(m);
}
END_TEST

START_TEST(weights_are_numbers)
{
    static const enum it_dtype types[] = {IT_F32, IT_BF16};
    static const uint16_t halves[] = {0x7bff, 0xfbff, 1, 0x3c00, 0x7c00};
    static const float bad[] = {NAN, -INFINITY};
    struct it_model *m = random_model(tiny_changed("config.json", NULL, NULL), IT_F32, 1);
    for (size_t i = 0; i < 2; i++) {
        size_t size = it_dtype_size(types[i]); /* of bf16 the upper half of a float */
        save_as(m, scratch, 0, types[i]);
        patch("model.norm.weight", 7 * size, (const char *)&bad[i] + 4 - size, size);
        ck_assert_fails(open_status(scratch), IT_INVALID, "model.safetensors: tensor "
                        "\"model.norm.weight\": NaN or infinity in rows 0 to ");
    }
    it_model_close(m);
    ck_assert(it_is_finite(NULL, IT_F16, halves, 4));
    ck_assert(!it_is_finite(NULL, IT_F16, halves, 5)); /* behind the last word */
}
END_TEST

START_TEST(tensors_that_do_not_fit_are_named)
{
    struct it_model *m = random_model(tiny_changed("config.json", NULL, NULL), IT_F32, 1);
    char *path = it_strdup(scratch_path("model.safetensors")); /* outlives many others */
    const char *q = "model.layers.1.self_attn.q_proj.bias";
    ck_assert_fails(open_status(scratch), IT_NOT_FOUND, "neither model.safetensors nor");
    write_tensors(m, path, q, NULL, IT_F32, 0, NULL);
    ck_assert_fails(open_status(scratch), IT_INVALID,
                    "missing tensor \"model.layers.1.self_attn.q_proj.bias\"\n");
    write_tensors(m, path, NULL, q, IT_F32, 1, NULL);
    ck_assert_fails(open_status(scratch), IT_INVALID,
                    "tensor \"model.layers.1.self_attn.q_proj.bias\": shape [9]; expected [8]");
    write_tensors(m, path, NULL, q, IT_I32, 0, NULL);
    ck_assert_fails(open_status(scratch), IT_INVALID,
                    "tensor \"model.layers.1.self_attn.q_proj.bias\": dtype I32; weights are");
    write_tensors(m, path, NULL, q, IT_F64, 0, NULL);
    ck_assert_fails(open_status(scratch), IT_INVALID,
                    "tensor \"model.layers.1.self_attn.q_proj.bias\": dtype F64; weights are");
    write_tensors(m, path, NULL, NULL, IT_F32, 0, "model.layers.2.mlp.up_proj.weight");
    ck_assert_fails(open_status(scratch), IT_INVALID,
                    "\"model.layers.2.mlp.up_proj.weight\": not part of a qwen2 of 2 layers");
    write_tensors(m, path, NULL, NULL, IT_F32, 0, "model.layers.0.self_attn.rotary_emb.inv_freq");
    ck_assert_int_eq(open_status(scratch), IT_OK); /* known to be harmless */
    write_tensors(m, path, NULL, NULL, IT_F32, 0, "lm_head.weight");
    ck_assert_fails(open_status(scratch), IT_INVALID, "tensor \"lm_head.weight\" differs from");
    tiny_changed("config.json", "tie_word_embeddings", "false");
    write_tensors(m, path, NULL, NULL, IT_F32, 0, NULL);
    ck_assert_fails(open_status(scratch), IT_INVALID, "missing tensor \"lm_head.weight\"");
    tiny_changed("config.json", "num_hidden_layers", "3");
    ck_assert_fails(open_status(scratch), IT_INVALID, "missing tensors \"model.layers.2.self_attn."
                    "q_proj.weight\", \"model.layers.2.self_attn.q_proj.bias\", ");
    ck_assert_ptr_nonnull(strstr(it_str_c(&spoken), " and 9 more\n"));
    ck_assert_fails(open_status(scratch_path("config.json")), IT_INVALID, "not a folder");
    ck_assert_fails(open_status(scratch_path("none")), IT_NOT_FOUND, "none: not a folder");
    it_free(path);
    it_model_close(m);
}
END_TEST

START_TEST(a_truncated_file_is_refused_everywhere)
{
    struct it_model *m = random_model(tiny_changed("config.json", NULL, NULL), IT_F32, 1);
    struct it_str whole = {0};
    save_as(m, scratch_path("m"), 0, IT_NONE);
    ck_assert_int_eq(it_file_read(scratch_path("m/model.safetensors"), &whole), IT_OK);
    it_log_set_level(IT_LOG_ERROR);
    for (size_t n = 0; n < whole.len; n += n < 64 ? 1 : 97) {
        scratch_file("m/model.safetensors", whole.data, n);
        capture_begin();
        enum it_status status = open_status(scratch_path("m"));
        const char *said = capture_end();
        ck_assert_int_eq(status, IT_INVALID);
        ck_assert_ptr_nonnull(strstr(said, "model.safetensors"));
    }
    it_str_free(&whole);
    it_model_close(m);
}
END_TEST

START_TEST(weights_of_another_folder)
{
    struct it_model *a = random_model(tiny_changed("config.json", NULL, NULL), IT_F32, 1);
    struct it_model *b = random_model(scratch, IT_F32, 2);
    save_as(b, scratch_path("b"), 0, IT_NONE);
    struct it_weights reference;
    ck_assert_int_eq(it_weights_open(a->net, "reference", IT_NONE, NULL, &reference), IT_OK);
    ck_assert_int_eq(it_weights_load(a->net, scratch_path("b"), &reference), IT_OK);
    struct it_tensor t = it_weight(&reference, 1, IT_SLOT_DOWN);
    struct it_tensor u = it_weight(&b->net->weights, 1, IT_SLOT_DOWN);
    ck_assert_mem_eq(it_tensor_host(&t), it_tensor_host(&u), 48 * sizeof(float));
    tiny_changed("b/config.json", "rope_theta", "10000");
    ck_assert_fails(it_weights_load(a->net, scratch_path("b"), &reference), IT_INVALID,
                    "field \"rope_theta\" is 10000; the model it is to go with has 1000000");
    tiny_changed("b/config.json", "tie_word_embeddings", "false");
    ck_assert_fails(it_weights_load(a->net, scratch_path("b"), &reference), IT_INVALID,
                    "tie_word_embeddings");
    it_weights_close(&reference);
    it_model_close(b);
    it_model_close(a);
}
END_TEST

/* ---- saving when it cannot ---- */

START_TEST(a_failed_save_leaves_nothing)
{
    struct it_model *m = random_model(tiny_changed("config.json", NULL, NULL), IT_F32, 1);
    struct it_save_options options = {.text_from = scratch};
    const char *folder = scratch_path("m");
    scratch_text("generation_config.json", "broken");
    ck_assert_fails(it_model_save(m->net, &m->net->weights, folder, &options), IT_INVALID,
                    "generation_config.json");
    ck_assert(!it_path_exists(folder));
    options = (struct it_save_options){.dtype = IT_I32};
    ck_assert_fails(it_model_save(m->net, &m->net->weights, folder, &options), IT_INVALID,
                    "f32 or bf16, not as i32");
    options = (struct it_save_options){0};
    scratch_text("file", "");
    folder = scratch_path("file");
    ck_assert_fails(it_model_save(m->net, &m->net->weights, folder, &options), IT_NOT_FOUND,
                    "file");
    it_model_close(m);
}
END_TEST

/* In a process of its own, whose files must not grow: what a full disk looks like. */
START_TEST(a_full_disk_leaves_nothing)
{
    struct it_model *m = random_model(tiny_changed("config.json", NULL, NULL), IT_F32, 1);
    const char *folder = scratch_path("m");
    pid_t child = fork();
    if (child == 0) {
        struct rlimit limit = {2048, 2048};
        struct it_save_options options = {0};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        _exit(it_model_save(m->net, &m->net->weights, folder, &options) == IT_OK ? 1 : 0);
    }
    int how = 1;
    ck_assert_int_eq(waitpid(child, &how, 0), child);
    ck_assert_int_eq(how, 0);
    ck_assert(!it_path_exists(folder));
    it_model_close(m);
}
END_TEST

/* ---- stop ids and what else a save keeps ---- */

START_TEST(end_tokens_come_together)
{
    struct it_model *m;
    tiny_changed("config.json", "eos_token_id", "3");
    scratch_text("generation_config.json", "{\"eos_token_id\": [4, 3], \"temperature\": 0.7}");
    capture_begin();
    m = random_model(scratch, IT_F32, 1);
    ck_assert_ptr_null(strstr(capture_end(), "end token")); /* one names them all */
    ck_assert_int_eq(m->net->config.n_eos, 2);
    ck_assert_int_eq(m->net->config.eos[0], 4); /* generation_config comes first */
    save_as(m, scratch_path("m"), 0, IT_NONE);
    it_model_close(m);
    struct it_str text = {0};
    ck_assert_int_eq(it_file_read(scratch_path("m/generation_config.json"), &text), IT_OK);
    ck_assert_ptr_nonnull(strstr(text.data, "\"temperature\": 0.7"));
    it_str_free(&text);
    scratch_text("generation_config.json", "{\"eos_token_id\": 5}");
    capture_begin();
    m = random_model(scratch, IT_F32, 1);
    ck_assert_ptr_nonnull(strstr(capture_end(), "the end token is not the same everywhere "
                                 "(5 in generation_config.json; 3 in config.json)"));
    ck_assert_int_eq(m->net->config.n_eos, 2);
    it_model_close(m);
    scratch_text("generation_config.json", "{\"eos_token_id\": [500, -1, 4]}");
    capture_begin();
    m = random_model(scratch, IT_F32, 1);
    ck_assert_ptr_nonnull(strstr(capture_end(), "500 is not an id of a vocabulary of"));
    ck_assert_int_eq(m->net->config.n_eos, 2); /* 4 and 3: no sequence can reach the others */
    it_model_close(m);
}
END_TEST

/* A tokenizer of four tokens; its end token is id 3. */
static void write_tokenizer(void)
{
    scratch_text("vocab.json", "{\"a\": 0, \"b\": 1}");
    scratch_text("merges.txt", "#version: 0.2\n");
    scratch_text("added_tokens.json", "{\"<|im_start|>\": 2, \"<|im_end|>\": 3}");
    scratch_text("tokenizer_config.json",
                 "{\"tokenizer_class\": \"Qwen2Tokenizer\", \"eos_token\": \"<|im_end|>\"}");
}

START_TEST(the_text_side_belongs_to_the_model)
{
    struct it_model_options how = {.device = device, .need_tokenizer = true, .random = true,
                                   .chat = true};
    struct it_model *m = NULL;
    write_tokenizer();
    tiny_changed("config.json", "eos_token_id", "1");
    capture_begin();
    ck_assert_int_eq(it_model_open(scratch, &how, &m), IT_OK);
    ck_assert_ptr_nonnull(strstr(capture_end(), "(1 in config.json; 3 in tokenizer_config.json)"));
    ck_assert_int_eq(m->net->config.n_eos, 2);
    ck_assert_int_eq(it_tokenizer_size(m->tokenizer), 4);
    ck_assert_ptr_nonnull(m->chat);
    char *more = it_strdup(scratch_path("additional_chat_templates"));
    ck_assert_int_eq(it_dir_make(more), IT_OK);
    scratch_text("additional_chat_templates/tool_use.jinja", "tools");
    scratch_text("additional_chat_templates/notes.txt", "");
    save_as(m, scratch_path("m"), 0, IT_NONE);
    ck_assert_uint_eq(count_files(scratch_path("m")), 3 + 4 + 1); /* the text's files came along */
    ck_assert_uint_eq(count_files(scratch_path("m/additional_chat_templates")), 1);
    ck_assert_int_eq(it_dir_remove(more), IT_OK);
    it_free(more);
    it_model_close(m);
    scratch_text("chat_template.jinja", "[INST] {{ messages[0].content|nope }}");
    capture_begin();
    ck_assert_int_eq(it_model_open(scratch, &how, &m), IT_INVALID);
    ck_assert_ptr_nonnull(strstr(capture_end(), "chat_template.jinja: chat template, line 1"));
    how.chat = false; /* usable, only not for chat */
    ck_assert_int_eq(it_model_open(scratch, &how, &m), IT_OK);
    ck_assert_ptr_null(m->chat);
    it_model_close(m);
    json_t *config = json_loads(tiny_config, 0, NULL);
    json_object_set_new(config, "vocab_size", json_integer(3));
    json_object_del(config, "eos_token_id");
    ck_assert_int_eq(it_json_write(scratch_path("config.json"), config), IT_OK);
    json_decref(config);
    ck_assert_fails(it_model_open(scratch, &how, &m), IT_INVALID,
                    "the tokenizer has ids up to 3; vocab_size of config.json is 3");
}
END_TEST

START_TEST(a_measured_model_has_no_memory)
{
    struct it_model_options how = {.device = device, .measure = true};
    struct it_model *m = NULL;
    int64_t before = it_device_memory_used(device);
    ck_assert_int_eq(it_model_open(tiny_changed("config.json", NULL, NULL), &how, &m), IT_OK);
    ck_assert_int_eq(it_device_memory_used(device), before);
    ck_assert_int_eq(it_net_parameters(m->net),
                     11 * 8 + 8 + 2 * (16 * 8 + 16 + 8 * 8 + 3 * 6 * 8 + 2 * 8));
    it_model_close(m);
    how.need_tokenizer = true;
    ck_assert_fails(it_model_open(scratch, &how, &m), IT_NOT_FOUND, "tokenizer");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("models");
    TCase *tests = tcase_create("models");
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_loop_test(tests, a_saved_model_opens_again_to_the_bit, 0, N_TRIPS);
    int n_archs = 0;
    while (it_arch_at((size_t)n_archs)) { n_archs++; }
    tcase_add_loop_test(tests, every_architecture_is_saved_as_it_is, 0, 3 * n_archs);
    tcase_add_test(tests, the_fused_slots_hold_the_rows_in_order);
    tcase_add_test(tests, types_are_converted);
    tcase_add_test(tests, half_precision_is_read_exactly);
    tcase_add_test(tests, init_makes_a_model);
    tcase_add_test(tests, a_head_beside_a_tied_embedding);
    tcase_add_test(tests, weights_are_numbers);
    tcase_add_test(tests, tensors_that_do_not_fit_are_named);
    tcase_add_test(tests, a_truncated_file_is_refused_everywhere);
    tcase_add_test(tests, weights_of_another_folder);
    tcase_add_test(tests, a_failed_save_leaves_nothing);
    tcase_add_test(tests, a_full_disk_leaves_nothing);
    tcase_add_test(tests, end_tokens_come_together);
    tcase_add_test(tests, the_text_side_belongs_to_the_model);
    tcase_add_test(tests, a_measured_model_has_no_memory);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
