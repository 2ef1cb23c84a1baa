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
    const char *path = tiny_changed("other.json", "num_key_value_heads", NULL);
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

static const struct {
    const char *field, *value, *words;
} refused[] = {
    {"model_type", NULL, "field \"model_type\" is missing"},
    {"model_type", "7", "field \"model_type\": expected a string, found an integer"},
    {"model_type", "\"qwen\"", "field \"model_type\": \"qwen\" is not a known architecture; the "
                               "closest is \"qwen2\" (known: qwen2"},
    {"model_type", "\"mamba\"", "\"mamba\" is not a known architecture (known: qwen2"},
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
    {"rope_scaling", "{\"type\": \"yarn\", \"factor\": 4.0}", "field \"rope_scaling\": only null"},
    {"rope_parameters", "{\"rope_type\": \"llama3\"}", "field \"rope_parameters\": only"},
    {"layer_types", "[\"full_attention\", \"sliding_attention\"]", "field \"layer_types\": only"},
    {"quantization_config", "{\"bits\": 4}", "field \"quantization_config\": only"},
    {"torch_dtype", "\"int8\"", "field \"torch_dtype\": only float32, bfloat16 or float16"},
    {"eos_token_id", "11", "field \"eos_token_id\": 11 is not an id of a vocabulary of 11"},
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
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
