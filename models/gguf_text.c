/* SPDX-License-Identifier: MIT */
/* The tokenizer of a folder as GGUF has it: llama.cpp knows byte-level BPE as "gpt2", and the
 * expressions that cut text up by names of its own. */
#include <string.h>

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "models/internal.h"

/* Types of tokens, as the format numbers them. */
enum { TOKEN_NORMAL = 1, TOKEN_CONTROL = 3, TOKEN_USER = 4, TOKEN_UNUSED = 5 };

struct text {
    const char *path; /* of tokenizer.json */
    const struct it_model_config *config;
    json_t *root, *tokens, *types, *merges;
    const json_t *settings; /* tokenizer_config.json; an empty object when there is none */
};

/* ---- the expression that cuts text up ---- */

#define CONTRACTIONS  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
#define AFTER_NUMBERS "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/* llama.cpp has one expression for Llama 3 and for the vocabularies of cl100k, OLMo 2's among them;
 * the names differ in whether a whole word that is a token is taken before its merges. */
static const struct {
    const char *expression, *name;
    bool ignore_merges;
} expressions[] = {
    {CONTRACTIONS "\\p{N}" AFTER_NUMBERS, "qwen2", false},
    {CONTRACTIONS "\\p{N}{1,3}" AFTER_NUMBERS, "llama-bpe", true},
    {CONTRACTIONS "\\p{N}{1,3}" AFTER_NUMBERS, "dbrx", false},
};

static const char *expression_of(const json_t *root)
{
    const json_t *pre = json_object_get(root, "pre_tokenizer");
    const json_t *parts = json_object_get(pre, "pretokenizers");
    for (size_t i = 0; i < json_array_size(parts); i++) {
        const json_t *pattern = json_object_get(json_array_get(parts, i), "pattern");
        const char *text = json_string_value(json_object_get(pattern, "Regex"));
        if (text) { return text; }
    }
    return NULL;
}

static enum it_status put_expression(const struct text *text, struct it_gguf *gguf)
{
    const json_t *model = json_object_get(text->root, "model");
    const char *found = expression_of(text->root), *name = NULL;
    bool ignores = json_is_true(json_object_get(model, "ignore_merges"));
    for (size_t i = 0; i < sizeof expressions / sizeof expressions[0] && found; i++) {
        if (strcmp(expressions[i].expression, found) == 0 &&
            expressions[i].ignore_merges == ignores) {
            name = expressions[i].name;
        }
    }
    if (!name && json_array_size(text->merges) == 0) { name = "gpt-2"; } /* nothing to keep apart */
    if (!name) {
        return it_fail(IT_INVALID, "%s: the pre-tokenizer \"%s\" has no name in GGUF: it would "
                       "cut text up differently there", text->path, found ? found : "none");
    }
    it_gguf_string(gguf, "tokenizer.ggml.pre", name, strlen(name));
    return IT_OK;
}

/* ---- tokens ---- */

static enum it_status set_token(const struct text *text, const char *token, size_t bytes,
                                const json_t *id, int type)
{
    json_int_t at = json_is_integer(id) ? json_integer_value(id) : -1;
    if (at < 0 || at >= text->config->vocab) {
        return it_fail(IT_INVALID, "%s: token \"%s\": its id is not in a vocabulary of %lld",
                       text->path, token, (long long)text->config->vocab);
    }
    json_array_set_new(text->tokens, (size_t)at, json_stringn_nocheck(token, bytes));
    json_array_set_new(text->types, (size_t)at, json_integer(type));
    return IT_OK;
}

/* Rows of the embedding that no token has are named, too: there the vocabulary is as long as it. */
static void pad_tokens(const struct text *text)
{
    for (int64_t i = 0; i < text->config->vocab; i++) {
        struct it_str name = {0};
        it_str_printf(&name, "[PAD%lld]", (long long)i);
        json_array_append_new(text->tokens, json_string(it_str_c(&name)));
        json_array_append_new(text->types, json_integer(TOKEN_UNUSED));
        it_str_free(&name);
    }
}

static enum it_status read_tokens(const struct text *text)
{
    json_t *vocab = json_object_get(json_object_get(text->root, "model"), "vocab"), *id;
    const json_t *added = json_object_get(text->root, "added_tokens");
    const char *token;
    if (!json_is_object(vocab)) {
        return it_fail(IT_INVALID, "%s: field \"model\": no vocabulary of BPE's kind",
                       text->path);
    }
    pad_tokens(text);
    json_object_foreach(vocab, token, id) {
        IT_TRY(set_token(text, token, strlen(token), id, TOKEN_NORMAL));
    }
    for (size_t i = 0; i < json_array_size(added); i++) {
        const json_t *entry = json_array_get(added, i);
        const json_t *content = json_object_get(entry, "content");
        bool special = json_is_true(json_object_get(entry, "special"));
        if (!json_is_string(content)) {
            return it_fail(IT_INVALID, "%s: field \"added_tokens\": entry %zu has no content",
                           text->path, i);
        }
        IT_TRY(set_token(text, json_string_value(content), json_string_length(content),
                         json_object_get(entry, "id"), special ? TOKEN_CONTROL : TOKEN_USER));
    }
    return IT_OK;
}

/* Each as "left right": older files have it so, newer ones have a pair. */
static enum it_status read_merges(const struct text *text)
{
    const json_t *list = json_object_get(json_object_get(text->root, "model"), "merges");
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *merge = json_array_get(list, i);
        const char *left = json_string_value(json_array_get(merge, 0));
        const char *right = json_string_value(json_array_get(merge, 1));
        if (json_is_string(merge)) {
            json_array_append(text->merges, merge);
        } else if (left && right) {
            struct it_str pair = {0};
            it_str_printf(&pair, "%s %s", left, right);
            json_array_append_new(text->merges, json_string_nocheck(it_str_c(&pair)));
            it_str_free(&pair);
        } else {
            return it_fail(IT_INVALID, "%s: field \"merges\": entry %zu is not a pair", text->path,
                           i);
        }
    }
    return IT_OK;
}

/* ---- which tokens begin and end ---- */

/* The id of a token that tokenizer_config.json names, as text or as an object; -1: none. */
static int64_t named_token(const struct text *text, const char *field)
{
    const json_t *value = json_object_get(text->settings, field);
    const char *name = json_string_value(json_is_object(value) ? json_object_get(value, "content")
                                                               : value);
    for (size_t i = 0; i < json_array_size(text->tokens) && name; i++) {
        if (strcmp(json_string_value(json_array_get(text->tokens, i)), name) == 0) {
            return (int64_t)i;
        }
    }
    return -1;
}

static void put_ends(const struct text *text, struct it_gguf *gguf)
{
    static const struct {
        const char *field, *key;
    } rows[] = {{"bos_token", "tokenizer.ggml.bos_token_id"},
                {"eos_token", "tokenizer.ggml.eos_token_id"},
                {"pad_token", "tokenizer.ggml.padding_token_id"}};
    const struct it_model_config *config = text->config;
    int64_t eos = named_token(text, "eos_token");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t id = named_token(text, rows[i].field);
        if (id < 0 && i == 1 && config->n_eos) { id = eos = config->eos[0]; }
        if (id >= 0) { it_gguf_u32(gguf, rows[i].key, (uint32_t)id); }
    }
    for (int i = 0; i < config->n_eos; i++) { /* another end, of a turn */
        if (config->eos[i] == eos) { continue; }
        it_gguf_u32(gguf, "tokenizer.ggml.eot_token_id", (uint32_t)config->eos[i]);
        break;
    }
    const json_t *begins = json_object_get(text->settings, "add_bos_token");
    /* without the field nothing is put in front, but llama.cpp would with some pre-tokenizers */
    it_gguf_bool(gguf, "tokenizer.ggml.add_bos_token", json_is_true(begins));
}

static enum it_status put_template(const char *folder, const struct text *text,
                                   struct it_gguf *gguf)
{
    char *path = it_path_join(folder, "chat_template.jinja");
    struct it_str file = {0};
    const json_t *field = json_object_get(text->settings, "chat_template");
    enum it_status status = IT_OK;
    if (it_path_exists(path)) {
        status = it_file_read_limit(path, 1 << 24, &file);
        if (status == IT_OK) {
            it_gguf_string(gguf, "tokenizer.chat_template", it_str_c(&file), file.len);
        }
    } else if (json_is_string(field)) {
        it_gguf_string(gguf, "tokenizer.chat_template", json_string_value(field),
                       json_string_length(field));
    }
    it_str_free(&file);
    it_free(path);
    return status;
}

/* ---- all of it ---- */

static enum it_status put_text(const char *folder, struct text *text, struct it_gguf *gguf)
{
    IT_TRY(read_tokens(text));
    IT_TRY(read_merges(text));
    it_gguf_string(gguf, "tokenizer.ggml.model", "gpt2", strlen("gpt2"));
    IT_TRY(put_expression(text, gguf));
    it_gguf_strings(gguf, "tokenizer.ggml.tokens", text->tokens);
    it_gguf_ints(gguf, "tokenizer.ggml.token_type", text->types);
    it_gguf_strings(gguf, "tokenizer.ggml.merges", text->merges);
    put_ends(text, gguf);
    return put_template(folder, text, gguf);
}

static enum it_status read_settings(const char *folder, json_t **settings_out)
{
    char *path = it_path_join(folder, "tokenizer_config.json");
    enum it_status status = IT_OK;
    if (it_path_exists(path)) {
        status = it_model_json(path, settings_out);
    } else {
        *settings_out = json_object();
    }
    it_free(path);
    return status;
}

static enum it_status no_tokenizer(const char *folder, struct it_gguf *gguf)
{
    static const char *const others[] = {"vocab.json", "tokenizer.model"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        char *path = it_path_join(folder, others[i]);
        bool there = it_path_exists(path);
        it_free(path);
        if (there) {
            return it_fail(IT_INVALID, "%s: its tokenizer is %s; a GGUF file is made from "
                           "tokenizer.json: save it as that with the transformers library first",
                           folder, others[i]);
        }
    }
    it_warn("%s: no tokenizer.json: the GGUF file has no tokenizer", folder);
    it_gguf_string(gguf, "tokenizer.ggml.model", "none", strlen("none"));
    return IT_OK;
}

enum it_status it_gguf_text(const char *folder, const struct it_model_config *config,
                            struct it_gguf *gguf)
{
    char *path = it_path_join(folder, "tokenizer.json");
    json_t *settings = NULL;
    struct text text = {.path = path, .config = config};
    enum it_status status;
    if (!it_path_exists(path)) {
        it_free(path);
        return no_tokenizer(folder, gguf);
    }
    text.tokens = json_array();
    text.types = json_array();
    text.merges = json_array();
    status = it_model_json(path, &text.root);
    if (status == IT_OK) { status = read_settings(folder, &settings); }
    text.settings = settings;
    if (status == IT_OK) { status = put_text(folder, &text, gguf); }
    json_decref(text.root);
    json_decref(settings);
    json_decref(text.tokens);
    json_decref(text.types);
    json_decref(text.merges);
    it_free(path);
    return status;
}
