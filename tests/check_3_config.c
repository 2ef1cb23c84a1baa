/* SPDX-License-Identifier: MIT */
/* config.json: what is read, and how what this program cannot be is refused. */
#include "core/base/json.h"
#include "models/models.h"
#include "tests/tiny_config.h"

static enum it_status read_only(const char *path)
{
    const struct it_arch *arch = NULL;
    struct it_model_config config;
    enum it_dtype dtype;
    enum it_status status = it_config_read(path, &arch, &config, &dtype);
    if (status == IT_OK) { it_config_free(&config); }
    return status;
}

START_TEST(a_configuration_is_read)
{
    const struct it_arch *arch = NULL;
    struct it_model_config c;
    enum it_dtype dtype;
    tiny_changed("config.json", NULL, NULL);
    ck_assert_int_eq(it_config_read(scratch, &arch, &c, &dtype), IT_OK); /* a folder */
    ck_assert_str_eq(c.model_type, "qwen2");
    ck_assert_ptr_eq(arch, it_arch_find("qwen2"));
    ck_assert_int_eq(c.vocab, 11);
    ck_assert_int_eq(c.head_dim, 4); /* derived */
    ck_assert_int_eq(c.kv_heads, 1);
    ck_assert_double_eq(c.rms_eps, 1e-5);
    ck_assert_double_eq(c.rope_theta, 1e6);
    ck_assert_double_eq(c.init_range, 0.02); /* default */
    ck_assert(c.tied);
    ck_assert_int_eq(dtype, IT_BF16);
    ck_assert_int_eq(c.n_eos, 2);
    ck_assert_int_eq(c.eos[1], 4);
    it_config_free(&c);
    const char *path = tiny_changed("other.json", "num_key_value_heads", "null");
    ck_assert_int_eq(it_config_read(path, &arch, &c, &dtype), IT_OK); /* a file */
    ck_assert_int_eq(c.kv_heads, 2);
    it_config_free(&c);
    ck_assert_ptr_null(it_arch_at(1000));
    ck_assert_ptr_null(it_arch_find("llama9"));
}
END_TEST

START_TEST(the_form_of_transformers_5_is_read)
{
    const struct it_arch *arch = NULL;
    struct it_model_config c;
    enum it_dtype dtype;
    json_t *config = json_loads(tiny_config, 0, NULL);
    json_object_del(config, "rope_theta");
    json_object_del(config, "torch_dtype");
    json_object_set_new(config, "dtype", json_string("float16"));
    json_object_set_new(config, "layer_types", json_pack("[s,s]", "full_attention",
                                                         "full_attention"));
    json_object_set_new(config, "rope_parameters", json_pack("{s:f, s:s}", "rope_theta", 5000.0,
                                                             "rope_type", "default"));
    char *text = json_dumps(config, 0);
    ck_assert_int_eq(it_config_read(scratch_text("c", text), &arch, &c, &dtype), IT_OK);
    ck_assert_double_eq(c.rope_theta, 5000.0);
    ck_assert_int_eq(dtype, IT_F16);
    it_config_free(&c);
    json_decref(config);
    free(text);
}
END_TEST

/* tiny_config as another architecture, with fields of `changes` (a JSON object) on top. */
static const char *tiny_arch(const struct it_arch *arch, const char *changes)
{
    json_t *config = json_loads(tiny_config, 0, NULL), *more = json_loads(changes, 0, NULL);
    ck_assert_ptr_nonnull(more);
    json_object_set_new(config, "model_type", json_string(arch->model_type));
    json_object_set_new(config, "architectures", json_pack("[s]", arch->class_name));
    json_object_update(config, more);
    char *text = json_dumps(config, 0);
    const char *path = scratch_text("config.json", text);
    free(text);
    json_decref(config);
    json_decref(more);
    return path;
}

static struct it_model_config read_arch(const char *type, const char *changes)
{
    const struct it_arch *arch = NULL;
    struct it_model_config c;
    enum it_dtype dtype;
    const char *path = tiny_arch(it_arch_find(type), changes);
    ck_assert_int_eq(it_config_read(path, &arch, &c, &dtype), IT_OK);
    ck_assert_str_eq(arch->model_type, type);
    it_config_free(&c);
    return c;
}

/* What transformers takes where a field is absent differs from one architecture to the next. */
START_TEST(absent_fields_are_those_of_the_architecture)
{
    static const char without[] = "{\"num_hidden_layers\": 1, \"num_attention_heads\": 32,"
                                  " \"hidden_size\": 64}";
    static const struct {
        const char *type;
        int64_t kv_heads, head_dim, positions, window;
        double eps;
    } rows[] = {{"qwen2", 32, 2, 32768, 0, 1e-6},
                {"qwen3", 32, 128, 32768, 0, 1e-6},
                {"llama", 32, 2, 2048, 0, 1e-6},
                {"olmo2", 32, 2, 2048, 0, 1e-5},
                {"mistral", 8, 2, 131072, 4096, 1e-6}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct it_arch *arch = it_arch_find(rows[i].type);
        struct it_model_config c;
        enum it_dtype dtype;
        json_t *config = NULL;
        const char *path = tiny_arch(arch, without);
        ck_assert_int_eq(it_json_read(path, &config), IT_OK);
        static const char *const fields[] = {"num_key_value_heads", "max_position_embeddings",
                                             "rms_norm_eps", "rope_theta", "tie_word_embeddings"};
        for (size_t f = 0; f < 5; f++) { json_object_del(config, fields[f]); }
        ck_assert_int_eq(it_json_write(path, config), IT_OK);
        json_decref(config);
        ck_assert_int_eq(it_config_read(path, &arch, &c, &dtype), IT_OK);
        ck_assert_int_eq(c.kv_heads, rows[i].kv_heads);
        ck_assert_int_eq(c.head_dim, rows[i].head_dim);
        ck_assert_int_eq(c.max_positions, rows[i].positions);
        ck_assert_int_eq(c.window, rows[i].window);
        ck_assert_double_eq(c.rms_eps, rows[i].eps);
        ck_assert_double_eq(c.rope_theta, 10000.0);
        ck_assert(!c.tied);
        it_config_free(&c);
    }
    struct it_model_config c = read_arch("mistral", "{\"sliding_window\": null}");
    ck_assert_int_eq(c.window, 0);
}
END_TEST

START_TEST(rotary_scaling_is_read)
{
    struct it_model_config c = read_arch("llama", "{\"rope_scaling\": {\"factor\": 32.0,"
                                         " \"high_freq_factor\": 4.0, \"low_freq_factor\": 1,"
                                         " \"original_max_position_embeddings\": 8192,"
                                         " \"rope_type\": \"llama3\"}}");
    ck_assert_int_eq(c.rope.kind, IT_ROPE_LLAMA3);
    ck_assert_double_eq(c.rope.factor, 32.0);
    ck_assert_double_eq(c.rope.low, 1.0);
    ck_assert_double_eq(c.rope.high, 4.0);
    ck_assert_int_eq(c.rope.original, 8192);
    ck_assert_double_eq(c.rope_theta, 1e6);
    c = read_arch("qwen3", "{\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2,"
                           " \"rope_theta\": 7.0}}");
    ck_assert_int_eq(c.rope.kind, IT_ROPE_LINEAR);
    ck_assert_double_eq(c.rope.factor, 2.0);
    ck_assert_double_eq(c.rope_theta, 7.0);
    /* as transformers has it: rope_scaling goes first, an empty one is none */
    c = read_arch("llama", "{\"rope_scaling\": {}, \"rope_parameters\": {\"rope_theta\": 9}}");
    ck_assert_int_eq(c.rope.kind, IT_ROPE_DEFAULT);
    ck_assert_double_eq(c.rope_theta, 9.0);
    c = read_arch("llama", "{\"rope_scaling\": {\"rope_type\": \"default\"},"
                           " \"rope_parameters\": {\"rope_type\": \"yarn\"}}");
    ck_assert_int_eq(c.rope.kind, IT_ROPE_DEFAULT);
}
END_TEST

#define LLAMA3(rest) "{\"rope_scaling\": {\"rope_type\": \"llama3\", " rest "}}"
static const struct {
    const char *type, *changes, *words;
} refused_of[] = {
    {"llama", "{\"attention_bias\": true}", "field \"attention_bias\": only false is supported"},
    {"qwen3", "{\"attention_bias\": true}", "field \"attention_bias\": only false is supported"},
    {"olmo2", "{\"attention_bias\": 1}", "field \"attention_bias\": only false is supported"},
    {"mistral", "{\"attention_bias\": true}", "field \"attention_bias\": only false"},
    {"llama", "{\"mlp_bias\": true}", "field \"mlp_bias\": only false is supported"},
    {"llama", "{\"hidden_act\": \"gelu_pytorch_tanh\"}", "field \"hidden_act\": only"},
    {"llama", "{\"partial_rotary_factor\": 0.5}", "field \"partial_rotary_factor\": only 1 is"},
    {"llama", "{\"final_logit_softcapping\": 30.0}", "field \"final_logit_softcapping\": only"},
    {"llama", "{\"attn_logit_softcapping\": 50}", "field \"attn_logit_softcapping\": only null"},
    {"olmo2", "{\"clip_qkv\": 8.0}", "field \"clip_qkv\": only null is supported"},
    {"qwen3", "{\"qk_norm\": false}", "field \"qk_norm\": only true is supported"},
    {"llama", "{\"qk_norm\": true}", "field \"qk_norm\": only false is supported"},
    {"olmo2", "{\"norm_after\": false}", "field \"norm_after\": only true is supported"},
    {"qwen3", "{\"use_sliding_window\": true}", "field \"use_sliding_window\": only false"},
    {"mistral", "{\"sliding_window\": 0}", "field \"sliding_window\": 0; expected at least 1"},
    {"llama", "{\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 4}}",
     "field \"rope_scaling\": the type \"yarn\" is not supported; only null, default, linear and"},
    {"llama", "{\"rope_scaling\": {\"type\": \"dynamic\"}}", "the type \"dynamic\" is not"},
    {"llama", "{\"rope_scaling\": {\"rope_type\": 3}}", "\"rope_type\": expected a string"},
    {"llama", "{\"rope_scaling\": \"linear\"}", "field \"rope_scaling\": expected an object"},
    {"llama", "{\"rope_scaling\": {\"rope_type\": \"linear\"}}", "\"factor\" is missing"},
    {"llama", "{\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 0}}",
     "factor of the rotary scaling is 0; expected 1 to"},
    {"llama", "{\"rope_parameters\": {\"full_attention\": {\"rope_type\": \"default\"}}}",
     "field \"rope_parameters\": \"full_attention\": settings of some layers alone"},
    {"llama", "{\"rope_parameters\": {\"partial_rotary_factor\": 0.25}}",
     "field \"rope_parameters\": \"partial_rotary_factor\": only 1"},
    {"llama", LLAMA3("\"factor\": 8"), "\"low_freq_factor\" is missing"},
    {"llama", LLAMA3("\"factor\": 8, \"low_freq_factor\": 1, \"high_freq_factor\": 1"),
     "expected 0 < low < high"},
    {"llama", LLAMA3("\"factor\": 8, \"low_freq_factor\": 1, \"high_freq_factor\": 4,"
                     " \"original_max_position_embeddings\": 0"),
     "original_max_position_embeddings is 0; expected 1 to"},
};
enum { N_REFUSED_OF = sizeof refused_of / sizeof refused_of[0] };

START_TEST(what_an_architecture_is_not_is_named)
{
    const char *path = tiny_arch(it_arch_find(refused_of[_i].type), refused_of[_i].changes);
    ck_assert_fails(read_only(path), IT_INVALID, refused_of[_i].words);
    ck_assert_ptr_eq(strchr(it_str_c(&spoken), '\n') + 1, spoken.data + spoken.len); /* one line */
}
END_TEST

static const struct {
    const char *field, *value, *words;
} refused[] = {
    {"model_type", NULL, "field \"model_type\" is missing"},
    {"model_type", "7", "field \"model_type\": expected a string, found an integer"},
    {"model_type", "\"qwen\"", "field \"model_type\": \"qwen\" is not a known architecture; the "
                               "closest is \"qwen2\" (known: llama, mistral, olmo2, qwen2, qwen3)"},
    {"model_type", "\"mamba\"", "\"mamba\" is not a known architecture (known: llama"},
    {"architectures", "[\"Qwen2ForSequenceClassification\"]",
     "field \"architectures\": \"Qwen2ForSequenceClassification\""},
    {"vocab_size", NULL, "field \"vocab_size\" is missing"},
    {"vocab_size", "0", "field \"vocab_size\": 0; expected at least 1"},
    {"vocab_size", "1099511627776", "vocab_size is 1099511627776; expected 1 to"},
    {"hidden_size", "\"8\"", "field \"hidden_size\": expected an integer, found a string"},
    {"hidden_size", "9", "field \"hidden_size\": 9 is not a multiple of num_attention_heads 2"},
    {"hidden_size", "6", "head_dim 3 is odd"},
    {"num_key_value_heads", "3", "num_key_value_heads is 3; expected 1 to 2"},
    {"num_hidden_layers", "-1", "field \"num_hidden_layers\": -1; expected at least 1"},
    {"head_dim", "0", "field \"head_dim\": 0; expected at least 1"},
    {"intermediate_size", "2.5", "field \"intermediate_size\": expected an integer"},
    {"rms_norm_eps", "0", "rms_norm_eps"},
    {"rms_norm_eps", "true", "field \"rms_norm_eps\": expected a number, found true"},
    {"tie_word_embeddings", "1", "field \"tie_word_embeddings\": expected true or false"},
    {"hidden_act", "\"gelu\"", "field \"hidden_act\": only \"silu\" is supported"},
    {"use_sliding_window", "true", "field \"use_sliding_window\": only false is supported"},
    {"rope_scaling", "{\"type\": \"yarn\", \"factor\": 4.0}", "the type \"yarn\" is not supported"},
    {"rope_parameters", "{\"rope_type\": \"longrope\"}", "field \"rope_parameters\": the type"},
    {"layer_types", "[\"full_attention\", \"sliding_attention\"]", "field \"layer_types\": only"},
    {"quantization_config", "{\"bits\": 4}", "field \"quantization_config\": only"},
    {"torch_dtype", "\"int8\"", "field \"torch_dtype\": only float32, bfloat16 or float16"},
    {"eos_token_id", "[1, \"x\"]", "field \"eos_token_id\": expected an id or a list of ids"},
    {"eos_token_id", "[1,2,3,4,5,6,7,8,9]", "field \"eos_token_id\": 9 ids; at most 8"},
};
enum { N_REFUSED = sizeof refused / sizeof refused[0] };

START_TEST(a_bad_configuration_is_named)
{
    const char *path = tiny_changed("bad.json", refused[_i].field, refused[_i].value);
    ck_assert_fails(read_only(path), IT_INVALID, refused[_i].words);
    ck_assert_ptr_nonnull(strstr(it_str_c(&spoken), "bad.json: "));
    ck_assert_ptr_eq(strchr(it_str_c(&spoken), '\n') + 1, spoken.data + spoken.len); /* one line */
}
END_TEST

START_TEST(what_is_no_configuration_is_said)
{
    ck_assert_fails(read_only(scratch_path("nowhere")), IT_NOT_FOUND, "nowhere");
    ck_assert_fails(read_only(scratch), IT_NOT_FOUND, "config.json");
    ck_assert_fails(read_only(scratch_text("c", "[]")), IT_INVALID, "c: expected an object");
    ck_assert_fails(read_only(scratch_text("c", "{\n\n\"model_type\"")), IT_INVALID,
                    "c:3: not valid");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config");
    TCase *tests = tcase_create("config");
    tcase_add_checked_fixture(tests, scratch_begin, scratch_end);
    tcase_add_test(tests, a_configuration_is_read);
    tcase_add_test(tests, the_form_of_transformers_5_is_read);
    tcase_add_loop_test(tests, a_bad_configuration_is_named, 0, N_REFUSED);
    tcase_add_test(tests, what_is_no_configuration_is_said);
    tcase_add_test(tests, absent_fields_are_those_of_the_architecture);
    tcase_add_test(tests, rotary_scaling_is_read);
    tcase_add_loop_test(tests, what_an_architecture_is_not_is_named, 0, N_REFUSED_OF);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
