/* SPDX-License-Identifier: MIT */
/* Opening a tokenizer: which files a model folder has, and what they leave to be decided. */
#include "core/text/internal.h"

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"

static struct it_tokenizer *tokenizer_new(void)
{
    struct it_tokenizer *tokenizer = it_calloc(1, sizeof *tokenizer);
    it_added_set_init(&tokenizer->raw);
    it_added_set_init(&tokenizer->normalized);
    tokenizer->eos = -1;
    return tokenizer;
}

void it_tokenizer_close(struct it_tokenizer *tokenizer)
{
    if (!tokenizer) { return; }
    it_vocab_free(&tokenizer->vocab);
    it_added_set_free(&tokenizer->raw);
    it_added_set_free(&tokenizer->normalized);
    for (size_t i = 0; i < tokenizer->splits; i++) { it_split_close(&tokenizer->split[i]); }
    it_free(tokenizer);
}

enum it_status it_tokenizer_parse(const char *where, const char *text, size_t bytes,
                                  struct it_tokenizer **tokenizer_out)
{
    json_t *root = NULL;
    struct it_added_sources sources = {.where = where};
    IT_TRY(it_json_parse(where, text, bytes, &root));
    struct it_tokenizer *tokenizer = tokenizer_new();
    enum it_status status = it_load_json(tokenizer, where, root, &sources);
    json_decref(root);
    if (status != IT_OK) {
        it_tokenizer_close(tokenizer);
        return status;
    }
    *tokenizer_out = tokenizer;
    return IT_OK;
}

/* The files of a folder that a tokenizer can be made of. */
struct files {
    char *folder, *json, *vocab, *merges, *added, *ranks, *config;
    json_t *root, *added_root, *config_root; /* NULL where the file is not needed or not there */
};

static void files_name(struct files *files, const char *folder)
{
    *files = (struct files){
        .folder = it_strdup(folder),
        .json = it_path_join(folder, "tokenizer.json"),
        .vocab = it_path_join(folder, "vocab.json"),
        .merges = it_path_join(folder, "merges.txt"),
        .added = it_path_join(folder, "added_tokens.json"),
        .ranks = it_path_join(folder, "tokenizer.model"),
        .config = it_path_join(folder, "tokenizer_config.json"),
    };
}

static void files_free(struct files *files)
{
    char *const path[] = {files->folder, files->json,  files->vocab, files->merges,
                          files->added,  files->ranks, files->config};
    for (size_t i = 0; i < sizeof path / sizeof *path; i++) { it_free(path[i]); }
    json_decref(files->root);
    json_decref(files->added_root);
    json_decref(files->config_root);
}

static enum it_status read_object(const char *path, json_t **root_out)
{
    IT_TRY(it_json_read(path, root_out));
    if (!json_is_object(*root_out)) { return it_fail(IT_INVALID, "%s: not an object", path); }
    return IT_OK;
}

static enum it_status load(struct files *files, struct it_tokenizer *tokenizer)
{
    struct it_added_sources sources = {.where = files->added, .config_where = files->config};
    const char *class_name = NULL;
    if (it_path_exists(files->config)) {
        IT_TRY(read_object(files->config, &files->config_root));
        IT_TRY(
            it_json_get_string(files->config_root, files->config, "tokenizer_class", &class_name));
        sources.decoder = json_object_get(files->config_root, "added_tokens_decoder");
    }
    if (it_path_exists(files->json)) {
        IT_TRY(read_object(files->json, &files->root));
        return it_load_json(tokenizer, files->json, files->root, &sources);
    }
    if (it_path_exists(files->added)) {
        IT_TRY(read_object(files->added, &files->added_root));
        sources.plain = files->added_root;
    }
    if (it_path_exists(files->vocab) && it_path_exists(files->merges)) {
        return it_load_vocab_merges(tokenizer, files->vocab, files->merges, class_name, &sources);
    }
    if (it_path_exists(files->ranks)) { return it_load_ranks(tokenizer, files->ranks, &sources); }
    return it_fail(IT_NOT_FOUND,
                   "%s: no tokenizer.json, no vocab.json with merges.txt, and no "
                   "tokenizer.model",
                   files->folder);
}

/* "eos_token": "TEXT" or {"content": "TEXT"}. */
static enum it_status find_eos(const struct files *files, struct it_tokenizer *tokenizer)
{
    const json_t *eos = json_object_get(files->config_root, "eos_token");
    if (json_is_object(eos)) { eos = json_object_get(eos, "content"); }
    if (!eos || json_is_null(eos)) { return IT_OK; }
    if (!json_is_string(eos)) {
        return it_fail(IT_INVALID, "%s: \"eos_token\" is not a token", files->config);
    }
    tokenizer->eos = it_tokenizer_find(tokenizer, json_string_value(eos));
    if (tokenizer->eos < 0) {
        return it_fail(IT_INVALID, "%s: \"eos_token\" %s is not in the vocabulary", files->config,
                       json_string_value(eos));
    }
    return IT_OK;
}

enum it_status it_tokenizer_open(const char *folder, struct it_tokenizer **tokenizer_out)
{
    struct files files;
    struct it_tokenizer *tokenizer = tokenizer_new();
    files_name(&files, folder);
    enum it_status status = load(&files, tokenizer);
    if (status == IT_OK) { status = find_eos(&files, tokenizer); }
    files_free(&files);
    if (status != IT_OK) {
        it_tokenizer_close(tokenizer);
        return status;
    }
    *tokenizer_out = tokenizer;
    return IT_OK;
}
