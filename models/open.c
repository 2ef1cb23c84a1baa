/* SPDX-License-Identifier: MIT */
/* A model folder as a whole: configuration, text side, stop ids, weights. */
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "models/internal.h"

/* ---- stop ids ---- */

struct stops {
    const char *source;
    int32_t ids[IT_MAX_EOS];
    int n;
};

static bool is_among(int32_t id, const struct stops *stops)
{
    for (int i = 0; i < stops->n; i++) {
        if (stops->ids[i] == id) { return true; }
    }
    return false;
}

/* One source that names them all makes the others harmless: a chat model's generation_config lists
 * the end of a turn and the end of a text, its config.json one of them. */
static bool is_conflict(const struct stops *source, int n, const struct stops *all)
{
    for (int s = 0; s < n; s++) {
        if (source[s].n == all->n) { return false; }
    }
    return all->n > 0;
}

static void say_conflict(const char *folder, const struct stops *source, int n)
{
    struct it_str text = {0};
    for (int s = 0; s < n; s++) {
        if (source[s].n == 0) { continue; }
        it_str_puts(&text, text.len ? "; " : "");
        for (int i = 0; i < source[s].n; i++) {
            it_str_printf(&text, "%s%d", i ? ", " : "", (int)source[s].ids[i]);
        }
        it_str_printf(&text, " in %s", source[s].source);
    }
    it_warn("%s: the end token is not the same everywhere (%s): a sequence ends at any of them",
            folder, it_str_c(&text));
    it_str_free(&text);
}

static enum it_status read_generation(const char *folder, int64_t vocab, struct stops *stops)
{
    char *path = it_path_join(folder, "generation_config.json");
    json_t *object = NULL;
    enum it_status status = IT_OK;
    if (it_path_exists(path)) {
        status = it_model_json(path, &object);
        if (status == IT_OK) { status = it_eos_read(object, path, vocab, stops->ids, &stops->n); }
    }
    json_decref(object);
    it_free(path);
    return status;
}

enum it_status it_eos_merge(const char *folder, const struct it_tokenizer *tokenizer,
                            struct it_model_config *config)
{
    enum { GENERATION, CONFIG, TOKENIZER, SOURCES };
    struct stops source[SOURCES] = {[GENERATION] = {.source = "generation_config.json"},
                                    [CONFIG] = {.source = "config.json"},
                                    [TOKENIZER] = {.source = "tokenizer_config.json"}};
    struct stops all = {0};
    IT_TRY(read_generation(folder, config->vocab, &source[GENERATION]));
    memcpy(source[CONFIG].ids, config->eos, sizeof config->eos);
    source[CONFIG].n = config->n_eos;
    int32_t eos = tokenizer ? it_tokenizer_eos(tokenizer) : -1;
    if (eos >= 0) { it_eos_add(eos, source[TOKENIZER].ids, &source[TOKENIZER].n); }
    for (int s = 0; s < SOURCES; s++) {
        for (int i = 0; i < source[s].n; i++) {
            int32_t id = source[s].ids[i];
            it_eos_add(id, all.ids, &all.n);
            if (!is_among(id, &all)) {
                return it_fail(IT_INVALID, "%s: more than %d different end tokens", folder,
                               IT_MAX_EOS);
            }
        }
    }
    if (is_conflict(source, SOURCES, &all)) { say_conflict(folder, source, SOURCES); }
    memcpy(config->eos, all.ids, sizeof config->eos);
    config->n_eos = all.n;
    return IT_OK;
}

/* ---- the text side ---- */

static bool has_file(const char *folder, const char *name)
{
    char *path = it_path_join(folder, name);
    bool there = it_path_exists(path);
    it_free(path);
    return there;
}

bool it_model_has_tokenizer(const char *folder)
{
    return has_file(folder, "tokenizer.json") || has_file(folder, "vocab.json") ||
           has_file(folder, "tokenizer.model");
}

static enum it_status open_text(const char *folder, const struct it_model_options *options,
                                int64_t vocab, struct it_model *model)
{
    model->tokenizer = options->tokenizer;
    model->lent = options->tokenizer != NULL;
    if (!model->lent) {
        if (!options->need_tokenizer && !it_model_has_tokenizer(folder)) { return IT_OK; }
        IT_TRY(it_tokenizer_open(folder, &model->tokenizer));
    }
    int32_t size = it_tokenizer_size(model->tokenizer);
    if (size > vocab) {
        return it_fail(IT_INVALID, "%s: the tokenizer has ids up to %d; vocab_size of config.json "
                       "is %lld", folder, (int)size - 1, (long long)vocab);
    }
    if (!options->chat) { return IT_OK; }
    return it_chat_template_open(folder, model->tokenizer, &options->chat_settings, &model->chat);
}

/* While chatting the end of a turn ends a completion, whatever the configurations say. */
enum it_status it_model_end_turns(struct it_model *model, const struct it_chat_template *chat)
{
    struct it_model_config *config = &model->net->config;
    int32_t id = chat ? it_chat_turn_end(chat) : -1;
    struct it_str text = {0};
    for (int i = 0; i < config->n_eos; i++) {
        if (config->eos[i] == id) { return IT_OK; }
    }
    if (id < 0) { return IT_OK; }
    if (config->n_eos == IT_MAX_EOS) {
        return it_fail(IT_INVALID, "%s: more than %d different end tokens", model->folder,
                       IT_MAX_EOS);
    }
    it_eos_add(id, config->eos, &config->n_eos);
    it_tokenizer_decode(model->tokenizer, &id, 1, false, &text);
    it_info("%s: turns of the chat template end with %s (%d), which no configuration names as an "
            "end token: it is one while chatting", model->folder, it_str_c(&text), (int)id);
    it_str_free(&text);
    return IT_OK;
}

/* ---- all of it ---- */

static enum it_dtype choose_dtype(const struct it_model_options *options, enum it_dtype file)
{
    unsigned native = it_device_info(options->device)->dtypes;
    if (options->dtype != IT_NONE) { return options->dtype; }
    return file == IT_BF16 && (native & (1u << IT_BF16)) ? IT_BF16 : IT_F32;
}

static enum it_status open_net(const struct it_model_options *options, const struct it_arch *arch,
                               const struct it_model_config *config, struct it_model *model)
{
    struct it_net_options net = {.dtype = choose_dtype(options, model->file_dtype),
                                 .positions = options->positions,
                                 .measure = options->measure};
    IT_TRY(it_net_open(options->device, arch, config, &net, &model->net));
    if (options->measure) { return IT_OK; }
    struct it_weights *weights = &model->net->weights;
    if (options->random) { return it_weights_init(model->net, weights, options->seed); }
    return it_weights_read(model->net, model->folder, weights);
}

/* The folder of the adapter, and in *path that of its base; NULL where there is none. */
static enum it_status find_adapter(const struct it_model_options *options, char **path,
                                   char **adapter_out)
{
    bool is_adapter = it_model_is_adapter(*path);
    if (is_adapter && options->adapter) {
        return it_fail(IT_INVALID, "%s: this is an adapter, too; name the folder of the base model "
                       "beside adapter %s", *path, options->adapter);
    }
    *adapter_out = is_adapter ? *path : options->adapter ? it_model_path(options->adapter) : NULL;
    if (!is_adapter) { return IT_OK; }
    *path = NULL;
    return it_lora_base(*adapter_out, path);
}

/* The folder, or for a shape alone the folder that a configuration file lies in. */
static char *folder_of(const char *path)
{
    if (it_path_is_dir(path)) { return it_strdup(path); }
    size_t length = (size_t)(it_path_base(path) - path);
    return length ? it_strndup(path, length) : it_strdup(".");
}

static enum it_status fill(const char *path, const struct it_model_options *options,
                           const char *adapter, struct it_model *model)
{
    const struct it_arch *arch = NULL;
    struct it_model_config config = {0};
    bool shape_only = options->random || options->measure;
    if (!shape_only && !it_path_is_dir(path)) {
        return it_model_no_folder(path);
    }
    IT_TRY(it_config_read(path, &arch, &config, &model->file_dtype));
    enum it_status status = open_text(model->folder, options, config.vocab, model);
    if (status == IT_OK) { status = it_eos_merge(model->folder, model->tokenizer, &config); }
    if (status == IT_OK) { status = open_net(options, arch, &config, model); }
    if (status == IT_OK) { status = it_adapter_open(adapter, options, model->net); }
    if (status == IT_OK) { status = it_model_end_turns(model, model->chat); }
    it_config_free(&config);
    return status;
}

enum it_status it_model_open(const char *folder, const struct it_model_options *options,
                             struct it_model **model_out)
{
    struct it_model *model = it_calloc(1, sizeof *model);
    char *path = it_model_path(folder), *adapter = NULL;
    enum it_status status = find_adapter(options, &path, &adapter);
    if (status == IT_OK) {
        model->folder = folder_of(path);
        status = fill(path, options, adapter, model);
    }
    model->adapter = adapter;
    it_free(path);
    if (status != IT_OK) {
        it_model_close(model);
        return status;
    }
    *model_out = model;
    return IT_OK;
}

void it_model_close(struct it_model *model)
{
    if (!model) { return; }
    it_net_close(model->net);
    it_chat_template_close(model->chat);
    if (!model->lent) { it_tokenizer_close(model->tokenizer); }
    it_free(model->folder);
    it_free(model->adapter);
    it_free(model);
}
