/* SPDX-License-Identifier: MIT */
/* GGUF: what stands where in the file, and what is refused. scripts/check_gguf.py has llama.cpp
 * load such files and compares what it says. */
#include <math.h>

#include "models/internal.h"
#include "tests/tiny_config.h"

static struct it_device *device;
static struct it_str file; /* the last export */

static void begin(void)
{
    struct it_device_options options = {0};
    scratch_begin();
    ck_assert_int_eq(it_device_open("reference", &options, &device), IT_OK);
}

static void end(void)
{
    it_str_free(&file);
    it_device_close(device);
    scratch_end();
}

/* tiny_config as `type`, with fields of a JSON object on top, and random weights. */
static struct it_model *tiny(const char *type, const char *changes)
{
    struct it_model_options how = {.device = device, .dtype = IT_F32, .random = true, .seed = 4};
    struct it_model *model = NULL;
    json_t *config = json_loads(tiny_config, 0, NULL), *more = json_loads(changes, 0, NULL);
    json_object_del(config, "architectures");
    json_object_set_new(config, "model_type", json_string(type));
    json_object_update(config, more);
    char *text = json_dumps(config, 0);
    ck_assert_int_eq(it_model_open(scratch_text("config.json", text), &how, &model), IT_OK);
    free(text);
    json_decref(config);
    json_decref(more);
    return model;
}

static enum it_status export_as(const struct it_model *model, enum it_dtype dtype)
{
    return it_model_export_gguf(model, scratch_path("m.gguf"), dtype);
}

static void export_read(const struct it_model *model, enum it_dtype dtype)
{
    ck_assert_int_eq(export_as(model, dtype), IT_OK);
    it_str_clear(&file);
    ck_assert_int_eq(it_file_read(scratch_path("m.gguf"), &file), IT_OK);
}

/* The first place of `bytes` in the file. */
static const char *find(const void *bytes, size_t n)
{
    for (size_t i = 0; i + n <= file.len; i++) {
        if (memcmp(file.data + i, bytes, n) == 0) { return file.data + i; }
    }
    return NULL;
}

/* Behind a length-prefixed string, NULL where there is none. */
static const char *after(const char *text)
{
    struct it_str wanted = {0};
    it_gguf_put_string(&wanted, text, strlen(text));
    const char *found = find(wanted.data, wanted.len);
    size_t n = wanted.len;
    it_str_free(&wanted);
    return found ? found + n : NULL;
}

static uint32_t u32_of(const char *key)
{
    const char *at = after(key);
    uint32_t type, value;
    ck_assert_msg(at != NULL, "no key %s", key);
    memcpy(&type, at, sizeof type);
    memcpy(&value, at + 4, sizeof value);
    ck_assert_uint_eq(type, 4);
    return value;
}

/* Of a tensor: axes, type, and where its data are. */
struct described {
    uint32_t rank, type;
    uint64_t shape[2], offset;
};
static struct described described(const char *name)
{
    struct described d = {0};
    const char *at = after(name);
    ck_assert_msg(at != NULL, "no tensor %s", name);
    memcpy(&d.rank, at, 4);
    ck_assert_uint_le(d.rank, 2);
    memcpy(d.shape, at + 4, d.rank * 8);
    memcpy(&d.type, at + 4 + d.rank * 8, 4);
    memcpy(&d.offset, at + 8 + d.rank * 8, 8);
    ck_assert_uint_eq(d.offset % 32, 0);
    return d;
}

START_TEST(sizes_and_tensors_stand_where_they_belong)
{
    struct it_model *m = tiny("olmo2", "{\"head_dim\": 6, \"max_position_embeddings\": 40}");
    export_read(m, IT_F16);
    uint32_t head[2];
    uint64_t n_tensors;
    memcpy(head, file.data, sizeof head);
    memcpy(&n_tensors, file.data + 8, sizeof n_tensors);
    ck_assert_mem_eq(head, "GGUF", 4);
    ck_assert_uint_eq(head[1], 3);
    ck_assert_uint_eq(n_tensors, 2 + 2 * 11);
    ck_assert_uint_eq(u32_of("olmo2.context_length"), 40);
    ck_assert_uint_eq(u32_of("olmo2.attention.key_length"), 6);
    ck_assert_uint_eq(u32_of("olmo2.attention.head_count_kv"), 1);
    ck_assert_uint_eq(u32_of("general.file_type"), 1);
    struct described up = described("blk.1.ffn_up.weight");
    ck_assert_uint_eq(up.shape[0], 8); /* the contiguous axis first */
    ck_assert_uint_eq(up.shape[1], 6);
    ck_assert_uint_eq(up.type, 1);
    struct described norm = described("blk.0.post_attention_norm.weight");
    ck_assert_uint_eq(norm.rank, 1);
    ck_assert_uint_eq(norm.type, 0); /* vectors are f32 */
    described("blk.0.post_ffw_norm.weight");
    described("blk.1.attn_k_norm.weight");
    described("output_norm.weight");
    ck_assert_ptr_null(after("output.weight")); /* tied */
    ck_assert_uint_eq(file.len % 32, 0);
    it_model_close(m);
}
END_TEST

/* Llama's file has the pairs of a head side by side; others keep the halves. */
START_TEST(rotary_rows_are_paired_for_llama)
{
    static const char *const types[] = {"llama", "mistral", "qwen2"};
    static const int paired[6] = {0, 3, 1, 4, 2, 5}, halves[6] = {0, 1, 2, 3, 4, 5};
    struct it_model *m = tiny(types[_i], "{\"head_dim\": 6}");
    const int *order = _i < 2 ? paired : halves;
    struct it_tensor qkv = it_weight(&m->net->weights, 1, IT_SLOT_QKV);
    const float *rows = it_tensor_host(&qkv); /* [18, 8]: 12 of q, 6 of k, 6 of v */
    export_read(m, IT_F32);
    const char *base = find(it_tensor_host(&m->net->weights.item[2 * IT_LAYER_SLOTS].t), 8 * 4);
    ck_assert_ptr_nonnull(base); /* the embedding is the first tensor */
    ck_assert_uint_eq(described("token_embd.weight").offset, 0);
    const char *q = base + described("blk.1.attn_q.weight").offset;
    const char *k = base + described("blk.1.attn_k.weight").offset;
    const char *v = base + described("blk.1.attn_v.weight").offset;
    for (int r = 0; r < 12; r++) {
        ck_assert_mem_eq(q + r * 32, rows + (r / 6 * 6 + order[r % 6]) * 8, 32);
    }
    for (int r = 0; r < 6; r++) {
        ck_assert_mem_eq(k + r * 32, rows + (12 + order[r]) * 8, 32);
        ck_assert_mem_eq(v + r * 32, rows + (18 + r) * 8, 32);
    }
    it_model_close(m);
}
END_TEST

#define LLAMA3                                                                                 \
    "{\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8, \"low_freq_factor\": 1,"    \
    " \"high_freq_factor\": 4, \"original_max_position_embeddings\": 32}, \"head_dim\": 8,"    \
    " \"rope_theta\": 100.0}"

START_TEST(rotary_scaling_is_said_or_refused)
{
    struct it_model *m = tiny("llama", LLAMA3);
    float factors[4];
    export_read(m, IT_F32);
    ck_assert_uint_eq(described("rope_freqs.weight").shape[0], 4);
    memcpy(factors, file.data + file.len - 32, sizeof factors);
    ck_assert_float_eq(factors[0], 1.0f); /* a short wave keeps its pace */
    ck_assert(factors[1] > 1.0f && factors[1] < 8.0f);
    ck_assert_float_eq_tol(factors[3], 8.0f, 1e-5f);
    it_model_close(m);
    m = tiny("qwen3", "{\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.5}}");
    export_read(m, IT_F32);
    ck_assert_ptr_nonnull(after("qwen3.rope.scaling.factor"));
    it_model_close(m);
    m = tiny("qwen3", LLAMA3);
    ck_assert_fails(export_as(m, IT_BF16), IT_INVALID, "the type llama3 for llama alone");
    it_model_close(m);
}
END_TEST

START_TEST(what_f16_cannot_hold_is_refused)
{
    struct it_model *m = tiny("llama", "{}");
    struct it_tensor down = it_weight(&m->net->weights, 1, IT_SLOT_DOWN);
    ((float *)it_tensor_host(&down))[3] = 70000.0f;
    ck_assert_fails(export_as(m, IT_F16), IT_INVALID,
                    "tensor \"model.layers.1.mlp.down_proj.weight\" has numbers that f16");
    ck_assert(!it_path_exists(scratch_path("m.gguf")));
    ck_assert_int_eq(export_as(m, IT_BF16), IT_OK);
    ck_assert_fails(export_as(m, IT_I32), IT_INVALID, "f32, f16 or bf16, not as i32");
    it_model_close(m);
}
END_TEST

static void write_tokenizer(const char *expression, const char *merges)
{
    struct it_str text = {0};
    it_str_printf(&text,
                  "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1, \"ab\": 2},"
                  " \"merges\": %s}, \"pre_tokenizer\": {\"pretokenizers\": [{\"type\": \"Split\","
                  " \"pattern\": {\"Regex\": \"%s\"}, \"behavior\": \"Isolated\","
                  " \"invert\": false}, {\"type\": \"ByteLevel\", \"add_prefix_space\": false,"
                  " \"trim_offsets\": false, \"use_regex\": false}], \"type\": \"Sequence\"},"
                  " \"added_tokens\": [{\"id\": 3, \"content\": \"<|end|>\", \"special\": true}]}",
                  merges, expression);
    scratch_text("tokenizer.json", it_str_c(&text));
    it_str_free(&text);
}

/* it_gguf_text alone: the tokenizer need not open. */
static enum it_status text_of(const char *folder, struct it_gguf *gguf)
{
    struct it_model_config config = {.vocab = 6, .eos = {3}, .n_eos = 1};
    it_str_free(&gguf->pairs);
    *gguf = (struct it_gguf){0};
    return it_gguf_text(folder, &config, gguf);
}

START_TEST(tokenizers_are_written_or_named)
{
    static const char qwen2[] = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?"
                                "\\\\p{L}+|\\\\p{N}| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|"
                                "\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+";
    struct it_gguf gguf = {0};
    it_log_set_level(IT_LOG_WARN);
    capture_begin();
    ck_assert_int_eq(text_of(scratch, &gguf), IT_OK);
    ck_assert_ptr_nonnull(strstr(capture_end(), "no tokenizer.json"));
    write_tokenizer(qwen2, "[\"a b\"]");
    scratch_text("tokenizer_config.json", "{\"eos_token\": {\"content\": \"<|end|>\"},"
                                          " \"chat_template\": \"{{ x }}\"}");
    ck_assert_int_eq(text_of(scratch, &gguf), IT_OK);
    it_str_clear(&file);
    it_str_add(&file, gguf.pairs.data, gguf.pairs.len);
    const char *const said[] = {"tokenizer.ggml.pre", "qwen2", "ab", "<|end|>", "[PAD5]", "a b",
                                "tokenizer.chat_template", "{{ x }}"};
    for (size_t i = 0; i < 8; i++) { ck_assert_msg(after(said[i]) != NULL, "no %s", said[i]); }
    ck_assert_uint_eq(u32_of("tokenizer.ggml.eos_token_id"), 3);
    write_tokenizer("[a-z]+", "[[\"a\", \"b\"]]");
    ck_assert_fails(text_of(scratch, &gguf), IT_INVALID, "the pre-tokenizer \"[a-z]+\" has no");
    write_tokenizer("[a-z]+", "[]"); /* no merges: nothing depends on it */
    ck_assert_int_eq(text_of(scratch, &gguf), IT_OK);
    write_tokenizer("x", "[7]");
    ck_assert_fails(text_of(scratch, &gguf), IT_INVALID, "field \"merges\": entry 0 is not a pair");
    scratch_text("tokenizer.json", "{\"model\": {\"vocab\": {\"a\": 6}}}");
    ck_assert_fails(text_of(scratch, &gguf), IT_INVALID, "token \"a\": its id is not in a");
    scratch_text("tokenizer.json", "{\"model\": {\"vocab\": []}}");
    ck_assert_fails(text_of(scratch, &gguf), IT_INVALID, "no vocabulary of BPE");
    ck_assert_int_eq(remove(scratch_path("tokenizer.json")), 0);
    scratch_text("vocab.json", "{}");
    ck_assert_fails(text_of(scratch, &gguf), IT_INVALID, "its tokenizer is vocab.json");
    it_str_free(&gguf.pairs);
}
END_TEST

/* Every f16 there and back; halfway cases go to even. */
START_TEST(halves_are_rounded)
{
    static const struct {
        float value;
        uint16_t half;
    } cases[] = {{1.0f + 0x1p-11f, 0x3c00},  {1.0f + 0x1.8p-10f, 0x3c02}, {65519.0f, 0x7bff},
                 {65520.0f, 0x7c00},         {-1e9f, 0xfc00},             {0x1p-25f, 0x0000},
                 {0x1.000002p-25f, 0x0001},  {0x1.8p-24f, 0x0002},        {-0x1p-24f, 0x8001},
                 {0x1.ffep-15f, 0x0400},     {0x1.ff8p-15f, 0x03ff},      {-0.0f, 0x8000}};
    for (uint32_t h = 0; h < 65536; h++) {
        uint16_t from = (uint16_t)h, to;
        float value;
        it_convert(NULL, IT_F32, &value, IT_F16, &from, 1);
        it_convert(NULL, IT_F16, &to, IT_F32, &value, 1);
        if (!isnan(value)) { ck_assert_uint_eq(to, from); }
        if (isnan(value)) { ck_assert_uint_gt(to & 0x7fffu, 0x7c00u); }
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint16_t half;
        it_convert(NULL, IT_F16, &half, IT_F32, &cases[i].value, 1);
        ck_assert_msg(half == cases[i].half, "%a is %x", (double)cases[i].value, (unsigned)half);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gguf");
    TCase *tests = tcase_create("gguf");
    it_log_set_level(IT_LOG_ERROR);
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, sizes_and_tensors_stand_where_they_belong);
    tcase_add_loop_test(tests, rotary_rows_are_paired_for_llama, 0, 3);
    tcase_add_test(tests, rotary_scaling_is_said_or_refused);
    tcase_add_test(tests, what_f16_cannot_hold_is_refused);
    tcase_add_test(tests, tokenizers_are_written_or_named);
    tcase_add_test(tests, halves_are_rounded);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
