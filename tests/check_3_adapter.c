/* SPDX-License-Identifier: MIT */
/* Adapter folders: against what PEFT computed (scripts/golden_adapter.py makes them), written and
 * read again, merged, and those that must be refused. */
#include <math.h>

#include "core/base/json.h"
#include "core/nn/safetensors.h"
#include "models/internal.h"
#include "tests/scratch.h"

#define ck_ok(call) ck_assert_int_eq((call), IT_OK)

static const char *const golden[] = {"qwen2-lora", "olmo2-lora"};
static const enum it_dtype dtypes[] = {IT_F64, IT_F32, IT_F32};
static const char *const devices[] = {"reference", "reference", "cpu"};
enum { N_GOLDEN = sizeof golden / sizeof *golden, N_PLACES = 3, MAX_TOKENS = 64 };

static struct it_device *device;
static struct it_model *model;

static char *golden_path(const char *folder, const char *name)
{
    const char *top = getenv("top_srcdir");
    struct it_str path = {0};
    it_str_printf(&path, "%s/tests/golden/%s/%s", top ? top : ".", folder, name);
    return it_str_take(&path);
}

static void begin(void)
{
    struct it_device_options options = {.exact = true, .threads = 2};
    scratch_begin();
    ck_ok(it_device_open("cpu", &options, &device));
}

static void end(void)
{
    it_device_close(device);
    scratch_end();
}

/* ---- numbers ---- */

static int32_t ids[MAX_TOKENS], positions[MAX_TOKENS], segments[4][5], rows[MAX_TOKENS],
    targets[MAX_TOKENS];
static struct it_pack pack;

static void read_sequences(const json_t *sequences)
{
    int32_t n = 0, n_rows = 0;
    for (size_t s = 0; s < json_array_size(sequences); s++) {
        const json_t *list = json_array_get(sequences, s);
        int32_t length = (int32_t)json_array_size(list);
        const int32_t segment[5] = {n, length, 0, 0, n};
        memcpy(segments[s], segment, sizeof segment);
        for (int32_t i = 0; i < length; i++, n++) {
            ids[n] = (int32_t)json_integer_value(json_array_get(list, (size_t)i));
            positions[n] = i;
            if (i > 0) {
                rows[n_rows] = n - 1;
                targets[n_rows++] = ids[n];
            }
        }
    }
    pack = (struct it_pack){.n_tokens = n, .ids = ids, .positions = positions,
                            .n_segments = (int64_t)json_array_size(sequences),
                            .segments = segments[0], .n_rows = n_rows, .rows = rows,
                            .targets = targets};
}

/* Statistics of the pack; gradients of the mean loss when asked for. */
static void compute(double stats[][IT_STAT_COUNT], struct it_weights *grads)
{
    static const struct it_head_options head = {.temperature = 1.0, .stat_temperature = 1.0};
    struct it_tape_options options = {.max_tokens = MAX_TOKENS, .max_segments = 4,
                                      .max_rows = MAX_TOKENS, .head_rows = 5, .train = true};
    struct it_arena *arena;
    struct it_tape *tape;
    struct it_net *net = model->net;
    double coefs[MAX_TOKENS][3] = {{0}};
    int64_t bytes;
    ck_ok(it_tape_plan(net, &options, &bytes));
    ck_ok(it_arena_open(net->device, "phase", bytes, &arena));
    ck_ok(it_tape_open(net, arena, &options, &tape));
    ck_ok(it_tape_forward(tape, &net->weights, &pack, &head, stats[0]));
    for (int64_t r = 0; r < pack.n_rows; r++) { coefs[r][0] = -1.0 / (double)pack.n_rows; }
    if (grads) {
        ck_ok(it_weights_open(net, "gradients", it_dtype_accumulation(net->dtype), NULL, grads));
        ck_ok(it_weights_fill(grads, 0.0));
        ck_ok(it_tape_backward(tape, &net->weights, &pack, &head, coefs[0], grads));
    }
    it_tape_close(tape);
    it_arena_close(arena);
}

/* ||got - expected|| <= 1e-4 ||expected|| */
static void compare(const struct it_place *place, const struct it_safetensor *expected)
{
    int64_t n = it_tensor_count(&place->view);
    void *got = it_alloc((size_t)n * it_dtype_size(place->view.dtype));
    double error = 0.0, norm = 0.0;
    ck_assert_uint_eq(expected->size, (size_t)n * sizeof(float));
    ck_ok(it_download(got, place->view));
    for (int64_t i = 0; i < n; i++) {
        float x;
        memcpy(&x, expected->data + (size_t)i * sizeof x, sizeof x);
        double found = place->view.dtype == IT_F64 ? ((double *)got)[i]
                                                   : (double)((float *)got)[i];
        error += (found - (double)x) * (found - (double)x);
        norm += (double)x * (double)x;
    }
    it_free(got);
    ck_assert_msg(norm > 0.0 && sqrt(error) <= 1e-4 * sqrt(norm), "%s: error %g of norm %g",
                  place->name, sqrt(error), sqrt(norm));
}

START_TEST(as_peft)
{
    static const enum it_stat columns[] = {IT_STAT_LOGPROB, IT_STAT_ENTROPY, IT_STAT_CERTAINTY};
    static double stats[MAX_TOKENS][IT_STAT_COUNT];
    struct it_device_options options = {.exact = true};
    struct it_model_options how = {.dtype = dtypes[_i % N_PLACES]};
    struct it_weights grads;
    struct it_safetensors expected;
    struct it_places places;
    json_t *root;
    const char *name = golden[_i / N_PLACES];
    char *folder = golden_path(name, ""), *path = golden_path(name, "golden.json");
    char *grads_path = golden_path(name, "grads.safetensors");
    ck_ok(it_device_open(devices[_i % N_PLACES], &options, &how.device));
    ck_ok(it_model_open(folder, &how, &model));
    ck_ok(it_json_read(path, &root));
    read_sequences(json_object_get(root, "sequences"));
    compute(stats, &grads);
    const json_t *list = json_object_get(root, "rows");
    ck_assert_int_eq((int64_t)json_array_size(list), pack.n_rows);
    for (size_t r = 0; r < json_array_size(list); r++) {
        for (size_t c = 0; c < 3; c++) {
            double x = json_number_value(json_array_get(json_array_get(list, r), c));
            ck_assert_double_eq_tol(stats[r][columns[c]], x, 1e-5);
        }
    }
    ck_ok(it_safetensors_open(grads_path, &expected));
    it_adapter_places(model->net, &grads, &places);
    ck_assert_uint_eq(places.n, expected.n);
    for (size_t i = 0; i < places.n; i++) {
        const struct it_safetensor *t = it_safetensors_find(&expected, places.item[i].name);
        ck_assert_msg(t != NULL, "no gradient of %s", places.item[i].name);
        compare(&places.item[i], t);
    }
    it_places_close(&places);
    it_safetensors_close(&expected);
    it_weights_close(&grads);
    it_model_close(model);
    it_device_close(how.device);
    json_decref(root);
    it_free(folder);
    it_free(path);
    it_free(grads_path);
}
END_TEST

/* ---- folders: a base of two layers, adapters of its own ---- */

static const char config[] =
    "{\"model_type\": \"qwen2\", \"vocab_size\": 11, \"hidden_size\": 8, \"num_hidden_layers\": 2,"
    " \"num_attention_heads\": 2, \"num_key_value_heads\": 1, \"intermediate_size\": 6,"
    " \"max_position_embeddings\": 16, \"tie_word_embeddings\": true}";

static void make_base(void)
{
    ck_ok(it_model_init(scratch_text("config.json", config), 3, IT_F32, scratch_path("base")));
}

static enum it_status open_adapted(const char *folder, const char *adapter,
                                   const struct it_adapter_options *adapters)
{
    struct it_model_options how = {.device = device, .dtype = IT_F32, .adapter = adapter,
                                   .adapters = adapters};
    return it_model_open(folder, &how, &model);
}

static void save(const char *folder)
{
    struct it_save_options how = {.text_from = "../base"};
    ck_ok(it_model_save(model->net, &model->net->weights, folder, &how));
}

/* FOLDER/adapter: one of FOLDER/base on all modules, its B not zero. */
static void make_adapter(void)
{
    const struct it_strs all = {.item = (char *[]){(char[]){"all-linear"}}, .n = 1};
    const struct it_adapter_options options = {.r = 2, .alpha = 3.0, .targets = &all, .seed = 1};
    make_base();
    ck_ok(open_adapted(scratch_path("base"), NULL, &options));
    struct it_weights *w = &model->net->weights;
    for (int i = w->n_base + 1; i < w->n; i += 2) { ck_ok(it_fill(w->item[i].t, 0.125 * i)); }
    save(scratch_path("adapter"));
    it_model_close(model);
}

static void bits(double stats[][IT_STAT_COUNT])
{
    static const int32_t words[] = {1, 2, 3, 4, 5, 6};
    json_t *list = json_array(), *one = json_array();
    for (size_t i = 0; i < 6; i++) { json_array_append_new(one, json_integer(words[i])); }
    json_array_append_new(list, one);
    read_sequences(list);
    compute(stats, NULL);
    json_decref(list);
}

START_TEST(written_and_read)
{
    static double a[MAX_TOKENS][IT_STAT_COUNT], b[MAX_TOKENS][IT_STAT_COUNT];
    begin();
    make_adapter();
    ck_ok(open_adapted(scratch_path("base"), scratch_path("adapter"), NULL));
    ck_assert_int_eq(model->net->lora.r, 2);
    ck_assert_double_eq(model->net->lora.alpha, 3.0);
    ck_assert_int_eq(it_lora_parameters(model->net), 2 * 2 * (6 * 8 + 6 +                /* in */
                                                              8 + 4 + 4 + 8 + 6 + 6 + 8)); /* out */
    bits(a);
    it_model_close(model);
    ck_ok(open_adapted(scratch_path("adapter"), NULL, NULL)); /* the base stands beside it */
    ck_assert_str_eq(it_path_base(model->folder), "base");
    bits(b);
    ck_assert_mem_eq(a, b, 5 * sizeof a[0]);
    save(scratch_path("again"));
    it_model_close(model);
    ck_ok(open_adapted(scratch_path("base"), scratch_path("again"), NULL));
    bits(b);
    ck_assert_mem_eq(a, b, 5 * sizeof a[0]);
    it_model_close(model);
    end();
}
END_TEST

/* A checkpoint goes into a net with the very same adapters only. */
START_TEST(of_another_shape)
{
    const struct it_strs all = {.item = (char *[]){(char[]){"all-linear"}}, .n = 1};
    const struct it_adapter_options others[] = {
        {.r = 3, .alpha = 3.0, .targets = &all},
        {.r = 2, .alpha = 2.0, .targets = &all},
        {.r = 2, .alpha = 3.0, .rslora = true, .targets = &all},
        {.r = 2, .alpha = 3.0},
    };
    begin();
    make_adapter();
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        ck_ok(open_adapted(scratch_path("base"), NULL, &others[i]));
        ck_assert_fails(it_weights_load(model->net, scratch_path("adapter"), &model->net->weights),
                        IT_INVALID, "differ from the adapter it is to go into");
        it_model_close(model);
    }
    ck_ok(open_adapted(scratch_path("adapter"), NULL, NULL));
    ck_ok(it_weights_load(model->net, scratch_path("adapter"), &model->net->weights));
    it_model_close(model);
    end();
}
END_TEST

START_TEST(merged)
{
    static double a[MAX_TOKENS][IT_STAT_COUNT], b[MAX_TOKENS][IT_STAT_COUNT];
    begin();
    make_adapter();
    ck_ok(open_adapted(scratch_path("base"), NULL, NULL));
    bits(b);
    it_model_close(model);
    ck_ok(open_adapted(scratch_path("adapter"), NULL, NULL));
    bits(a);
    ck_assert_double_gt(fabs(a[0][0] - b[0][0]), 1e-3);
    ck_ok(it_lora_merge(model->net));
    save(scratch_path("whole"));
    it_model_close(model);
    ck_assert(!it_model_is_adapter(scratch_path("whole")));
    ck_ok(open_adapted(scratch_path("whole"), NULL, NULL));
    bits(b);
    for (int i = 0; i < 5; i++) { ck_assert_double_eq_tol(a[i][0], b[i][0], 1e-4); }
    it_model_close(model);
    end();
}
END_TEST

/* ---- what is refused ---- */

/* adapter_config.json with a field set to what `value` says, or taken away (NULL). */
static void change(const char *field, const char *value)
{
    const char *path = scratch_path("adapter/adapter_config.json");
    json_t *object;
    ck_ok(it_json_read(path, &object));
    if (value) {
        json_object_set_new(object, field, json_loads(value, JSON_DECODE_ANY, NULL));
    } else {
        json_object_del(object, field);
    }
    ck_ok(it_json_write(path, object));
    json_decref(object);
}

static const struct {
    const char *field, *value, *says;
} bad[] = {
    {"r", "0", "has 2 rows; r of adapter_config.json is 0"},
    {"r", "-3", "r of adapter_config.json is -3"},
    {"r", "9000000000000000000", "r of adapter_config.json is 9000000000000000000"},
    {"r", "1e30", "\"r\": expected"},
    {"r", "\"2\"", "\"r\": expected"},
    {"r", "4", "has 2 rows"},
    {"lora_alpha", "1e300", "alpha of the adapters is 1e+300"},
    {"lora_alpha", "\"x\"", "\"lora_alpha\": expected"},
    {"peft_type", "\"IA3\"", "\"peft_type\" is IA3"},
    {"peft_type", NULL, "\"peft_type\" is missing"},
    {"task_type", "\"SEQ_CLS\"", "\"task_type\" is not supported"},
    {"target_modules", "[\"q_proj\", \"W_pack\"]", "\"W_pack\" is no module of a qwen2"},
    {"target_modules", "[\"embed_tokens\"]", "\"embed_tokens\" is no module"},
    {"target_modules", "[\"_proj\"]", "\"_proj\" is no module"},
    {"target_modules", "[\"layers.%d.self_attn.q_proj\"]", "is no module"},
    {"target_modules", "[]", "names no module"},
    {"target_modules", "[3]", "expected a list of names"},
    {"target_modules", "\".*q_proj\"", "an expression is not understood"},
    {"target_modules", NULL, "names no module"},
    {"target_modules", "[\"q_proj\"]", "not part of a qwen2"},
    {"use_dora", "true", "\"use_dora\" is not supported"},
    {"bias", "\"all\"", "\"bias\" is not supported"},
    {"lora_bias", "true", "\"lora_bias\" is not supported"},
    {"fan_in_fan_out", "true", "\"fan_in_fan_out\" is not supported"},
    {"modules_to_save", "[\"lm_head\"]", "\"modules_to_save\" is not supported"},
    {"rank_pattern", "{\"q_proj\": 4}", "\"rank_pattern\" is not supported"},
    {"alpha_pattern", "{\"q_proj\": 4}", "\"alpha_pattern\" is not supported"},
    {"layers_to_transform", "[0]", "\"layers_to_transform\" is not supported"},
    {"layers_to_transform", "0", "\"layers_to_transform\" is not supported"},
    {"exclude_modules", "[\"q_proj\"]", "\"exclude_modules\" is not supported"},
    {"a_field_of_next_year", "1.5", "\"a_field_of_next_year\" is not supported"},
    {"init_lora_weights", "\"pissa\"", "\"init_lora_weights\" is not supported"},
    {"use_rslora", "3", "\"use_rslora\": expected"},
    {"base_model_name_or_path", "\"no/such/model\"", "base model no/such/model is not here"},
    {"base_model_name_or_path", "null", "base model (not named) is not here"},
    {"base_model_name_or_path", "\".\"", "is an adapter itself"},
};

START_TEST(refused_configurations)
{
    int status;
    begin();
    make_adapter();
    change(bad[_i].field, bad[_i].value);
    if (strcmp(bad[_i].field, "base_model_name_or_path") == 0 && bad[_i].value[1] == '.') {
        struct it_str self = {0};
        it_str_printf(&self, "\"%s\"", scratch_path("adapter"));
        change("base_model_name_or_path", it_str_c(&self));
        it_str_free(&self);
    }
    capture_begin();
    status = (int)open_adapted(scratch_path("adapter"), NULL, NULL);
    const char *said = capture_end();
    ck_assert_msg(strstr(said, bad[_i].says), "said \"%s\", expected \"%s\"", said, bad[_i].says);
    ck_assert(status == IT_INVALID || status == IT_NOT_FOUND);
    end();
}
END_TEST

START_TEST(accepted_configurations)
{
    static const char *const good[][2] = {
        {"lora_dropout", "0.05"}, {"use_rslora", "true"}, {"lora_alpha", "16.5"},
        {"target_modules", "\"all-linear\""}, {"init_lora_weights", "\"gaussian\""},
        {"task_type", "null"}, {"peft_version", "\"0.99.0\""}, {"revision", "\"main\""},
        {"modules_to_save", "[]"}, {"exclude_modules", "null"}, {"layers_to_transform", "[]"},
    };
    begin();
    make_adapter();
    change("target_modules", "[\"self_attn.q_proj\", \"k_proj\", \"v_proj\", \"o_proj\", "
                             "\"mlp.gate_proj\", \"up_proj\", \"down_proj\", \"q_proj\"]");
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        change(good[i][0], good[i][1]);
        ck_ok(open_adapted(scratch_path("adapter"), NULL, NULL));
        it_model_close(model);
    }
    end();
}
END_TEST

/* The first tensor of adapter_model.safetensors gets another name, shape or type. */
static void rewrite(const char *name, int64_t wide, enum it_dtype dtype, bool more)
{
    struct it_safetensors file;
    struct it_safetensors_writer *writer;
    static const char zeros[4096];
    ck_ok(it_safetensors_open(scratch_path("adapter/adapter_model.safetensors"), &file));
    ck_ok(it_safetensors_create(scratch_path("adapter/new"), &writer));
    for (size_t i = 0; i < file.n; i++) {
        const struct it_safetensor *t = &file.item[i];
        int64_t shape[2] = {t->shape[0], t->shape[1] + (i ? 0 : wide)};
        ck_ok(it_safetensors_declare(writer, i || !name ? t->name : name, i ? IT_F32 : dtype, 2,
                                     shape));
    }
    if (more) { ck_ok(it_safetensors_declare(writer, "extra", IT_F32, 1, (int64_t[]){1})); }
    for (size_t i = 0; i < file.n; i++) {
        size_t size = (size_t)(file.item[i].shape[0] * (file.item[i].shape[1] + (i ? 0 : wide)));
        ck_ok(it_safetensors_put(writer, zeros, size * it_dtype_size(i ? IT_F32 : dtype)));
    }
    if (more) { ck_ok(it_safetensors_put(writer, zeros, 4)); }
    ck_ok(it_safetensors_finish(writer));
    it_safetensors_close(&file);
    ck_ok(rename(scratch_path("adapter/new"),
                 scratch_path("adapter/adapter_model.safetensors")));
}

START_TEST(refused_tensors)
{
    static const char *const says[] = {"missing tensor", "lora_A.weight\"", "dtype I32",
                                       "\"extra\"", "adapter_model", "adapter_model", NULL};
    begin();
    make_adapter();
    switch (_i) {
    case 0: rewrite("another", 0, IT_F32, false); break;
    case 1: rewrite(NULL, 3, IT_F32, false); break;
    case 2: rewrite(NULL, 0, IT_I32, false); break;
    case 3: rewrite(NULL, 0, IT_F32, true); break;
    case 4: scratch_text("adapter/adapter_model.safetensors", "no"); break;
    case 5: ck_ok(remove(scratch_path("adapter/adapter_model.safetensors"))); break;
    default: rewrite(NULL, 0, IT_BF16, false); break; /* converted */
    }
    capture_begin();
    enum it_status status = open_adapted(scratch_path("adapter"), NULL, NULL);
    const char *said = capture_end();
    ck_assert_int_eq(status == IT_OK, says[_i] == NULL);
    ck_assert_msg(!says[_i] || strstr(said, says[_i]), "said \"%s\"", said);
    if (status == IT_OK) { it_model_close(model); }
    end();
}
END_TEST

START_TEST(refused_openings)
{
    const struct it_adapter_options none = {.r = 0, .alpha = 1.0};
    struct it_adapter_options wide = {.r = 9, .alpha = 1.0};
    begin();
    make_adapter();
    ck_assert_fails(open_adapted(scratch_path("base"), scratch_path("base"), NULL), IT_NOT_FOUND,
                    "no adapter_config.json");
    ck_assert_fails(open_adapted(scratch_path("adapter"), scratch_path("adapter"), NULL),
                    IT_INVALID, "this is an adapter, too");
    ck_assert_fails(open_adapted(scratch_path("base"), NULL, &none), IT_INVALID, "rank r");
    ck_assert_fails(open_adapted(scratch_path("base"), NULL, &wide), IT_INVALID,
                    "lora_r is 9; expected at most 8");
    wide.r--;
    ck_ok(open_adapted(scratch_path("base"), NULL, &wide));
    it_model_close(model);
    scratch_text("adapter/adapter_config.json", "[]");
    ck_assert_fails(open_adapted(scratch_path("adapter"), NULL, NULL), IT_INVALID,
                    "adapter_config.json");
    scratch_text("adapter/adapter_config.json", "{\"r\": 2, \"r\": 3}");
    ck_assert_fails(open_adapted(scratch_path("adapter"), NULL, NULL), IT_INVALID,
                    "adapter_config.json");
    end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("adapter");
    TCase *tests = tcase_create("adapter");
    tcase_add_loop_test(tests, as_peft, 0, N_GOLDEN * N_PLACES);
    tcase_add_test(tests, written_and_read);
    tcase_add_test(tests, of_another_shape);
    tcase_add_test(tests, merged);
    tcase_add_loop_test(tests, refused_configurations, 0, sizeof bad / sizeof *bad);
    tcase_add_test(tests, accepted_configurations);
    tcase_add_loop_test(tests, refused_tensors, 0, 7);
    tcase_add_test(tests, refused_openings);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
