/* SPDX-License-Identifier: MIT */
/* Published shapes have the published number of parameters, and Llama 3 its end tokens. Skipped
 * without the data: INTUITOR_DATA names its folder. */
#include <unistd.h>

#include "core/base/json.h"
#include "models/models.h"
#include "tests/scratch.h"

static struct it_device *device;

static int64_t parameters_of(const char *path)
{
    struct it_model_options how = {.device = device, .measure = true};
    struct it_model *model = NULL;
    ck_assert_int_eq(it_model_open(path, &how, &model), IT_OK);
    int64_t n = it_net_parameters(model->net);
    it_model_close(model);
    return n;
}

START_TEST(shapes_have_their_parameters)
{
    struct it_str path = {0};
    json_t *list = NULL;
    struct it_device_options options = {0};
    it_str_printf(&path, "%s/model_configs/configs.json", getenv("INTUITOR_DATA"));
    ck_assert_int_eq(it_json_read(it_str_c(&path), &list), IT_OK);
    ck_assert_int_eq(it_device_open("reference", &options, &device), IT_OK);
    ck_assert_uint_ge(json_array_size(list), 9);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        json_int_t expected = json_integer_value(json_object_get(entry, "parameters"));
        const char *file = scratch_path("config.json");
        ck_assert_int_eq(it_json_write(file, json_object_get(entry, "config")), IT_OK);
        ck_assert_int_eq(parameters_of(file), expected);
        it_str_clear(&path); /* and the same as a folder */
        it_str_printf(&path, "%s/model_configs/%s", getenv("INTUITOR_DATA"),
                      json_string_value(json_object_get(entry, "model")));
        ck_assert_int_eq(parameters_of(it_str_c(&path)), expected);
    }
    it_device_close(device);
    json_decref(list);
    it_str_free(&path);
}
END_TEST

/* A file of the data folder in the scratch folder, by a link. */
static void link_data(const char *from, const char *name)
{
    struct it_str path = {0};
    it_str_printf(&path, "%s/%s", getenv("INTUITOR_DATA"), from);
    ck_assert_int_eq(symlink(it_str_c(&path), scratch_path(name)), 0);
    it_str_free(&path);
}

/* Opens a folder of Llama 3.2 whose configurations name these ids; the warnings end in `spoken`. */
static struct it_model *open_llama(const char *config_eos, const char *generation_eos,
                                   const char *token, bool chat)
{
    const struct it_model_options how = {.device = device, .measure = true, .chat = chat,
                                         .need_tokenizer = true};
    struct it_model *model = NULL;
    struct it_str text = {0};
    json_t *config = NULL;
    it_str_printf(&text, "%s/model_configs/Llama-3.2-3B/config.json", getenv("INTUITOR_DATA"));
    ck_assert_int_eq(it_json_read(it_str_c(&text), &config), IT_OK);
    json_object_set_new(config, "eos_token_id", json_loads(config_eos, JSON_DECODE_ANY, NULL));
    ck_assert_int_eq(it_json_write(scratch_path("config.json"), config), IT_OK);
    json_decref(config);
    it_str_clear(&text);
    it_str_printf(&text, "{\"eos_token_id\": %s}", generation_eos);
    scratch_text("generation_config.json", it_str_c(&text));
    it_str_clear(&text);
    it_str_printf(&text, "{\"eos_token\": \"%s\", \"bos_token\": \"<|begin_of_text|>\"}", token);
    scratch_text("tokenizer_config.json", it_str_c(&text));
    it_str_free(&text);
    capture_begin();
    enum it_status status = it_model_open(scratch, &how, &model);
    const char *said = capture_end();
    ck_assert_msg(status == IT_OK, "%s", said);
    return model;
}

static void ck_ends(struct it_model *model, const int32_t *ids, int n)
{
    ck_assert_int_eq(model->net->config.n_eos, n);
    ck_assert_mem_eq(model->net->config.eos, ids, (size_t)n * sizeof *ids);
    it_model_close(model);
}

START_TEST(llama_3_ends_where_its_files_say)
{
    enum { END_OF_TEXT = 128001, EOM = 128008, EOT = 128009 };
    static const int32_t all[] = {END_OF_TEXT, EOM, EOT}, base[] = {END_OF_TEXT, EOT};
    static const char list[] = "[128001, 128008, 128009]";
    struct it_device_options options = {0};
    ck_assert_int_eq(it_device_open("reference", &options, &device), IT_OK);
    link_data("tokenizers/llama3/tokenizer.model", "tokenizer.model");
    link_data("tokenizers/llama3/added_tokens.json", "added_tokens.json");
    link_data("tokenizers/llama3/chat_template_llama-3.2-3b-instruct.jinja",
              "chat_template.jinja");
    /* as published: each source is a part of the list */
    struct it_model *model = open_llama(list, list, "<|eot_id|>", true);
    ck_assert_ptr_null(strstr(it_str_c(&spoken), "end token"));
    ck_assert_int_eq(it_chat_turn_end(model->chat), EOT);
    ck_ends(model, all, 3);
    model = open_llama("128001", list, "<|eot_id|>", false);
    ck_assert_ptr_null(strstr(it_str_c(&spoken), "end token"));
    ck_ends(model, all, 3);
    /* a list in config.json alone, which nobody else has in full: said */
    model = open_llama("[128001, 128008]", "128009", "<|end_of_text|>", false);
    ck_assert_ptr_nonnull(strstr(it_str_c(&spoken), "128009 in generation_config.json; 128001, "
                                 "128008 in config.json; 128001 in tokenizer_config.json"));
    static const int32_t merged[] = {EOT, END_OF_TEXT, EOM};
    ck_ends(model, merged, 3);
    /* the base model, chatting: a turn's end ends a completion */
    model = open_llama("128001", "128001", "<|end_of_text|>", true);
    ck_assert_ptr_nonnull(strstr(it_str_c(&spoken), "end with <|eot_id|> (128009), which no "));
    ck_ends(model, base, 2);
    model = open_llama("128001", "128001", "<|end_of_text|>", false);
    ck_ends(model, base, 1);
    it_device_close(device);
}
END_TEST

int main(void)
{
    if (!getenv("INTUITOR_DATA")) { return 77; }
    Suite *suite = suite_create("published");
    TCase *tests = tcase_create("published");
    tcase_add_checked_fixture(tests, scratch_begin, scratch_end);
    tcase_add_test(tests, shapes_have_their_parameters);
    tcase_add_test(tests, llama_3_ends_where_its_files_say);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
