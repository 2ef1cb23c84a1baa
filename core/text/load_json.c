/* SPDX-License-Identifier: MIT */
/* tokenizer.json: what is byte-level BPE is read, everything else refused by name. */
#include "core/text/internal.h"

#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"

/* The "type" of a part, "" when it has none. */
static const char *type_of(const json_t *part)
{
    const char *type = json_string_value(json_object_get(part, "type"));
    return type ? type : "";
}

static enum it_status load_normalizer(struct it_tokenizer *tokenizer, const char *where,
                                      const json_t *part, int depth)
{
    if (!part || json_is_null(part)) { return IT_OK; }
    const char *type = type_of(part);
    if (strcmp(type, "NFC") == 0) {
        tokenizer->nfc = true;
        return IT_OK;
    }
    const json_t *list = json_object_get(part, "normalizers");
    if (strcmp(type, "Sequence") != 0 || !json_is_array(list) || depth > 4) {
        return it_fail(IT_INVALID, "%s: normalizer \"%s\" is not known here (NFC is)", where,
                       type);
    }
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
    {
        IT_TRY(load_normalizer(tokenizer, where, item, depth + 1));
    }
    return IT_OK;
}

static enum it_status add_split(struct it_tokenizer *tokenizer, const char *where,
                                const char *pattern, bool literal)
{
    if (tokenizer->splits == IT_SPLITS_MAX) {
        return it_fail(IT_INVALID, "%s: more than %d pre-tokenizer expressions", where,
                       IT_SPLITS_MAX);
    }
    IT_TRY(it_split_open(where, pattern, literal, &tokenizer->split[tokenizer->splits]));
    tokenizer->splits++;
    return IT_OK;
}

static enum it_status load_split(struct it_tokenizer *tokenizer, const char *where,
                                 const json_t *part)
{
    const json_t *pattern = json_object_get(part, "pattern");
    const char *regex = json_string_value(json_object_get(pattern, "Regex"));
    const char *literal = json_string_value(json_object_get(pattern, "String"));
    const char *behavior = NULL;
    bool invert = false;
    IT_TRY(it_json_get_string(part, where, "behavior", &behavior));
    IT_TRY(it_json_get_bool(part, where, "invert", false, &invert));
    if (!regex && !literal) {
        return it_fail(IT_INVALID, "%s: pre_tokenizer Split without a pattern", where);
    }
    bool removed = behavior && strcmp(behavior, "Removed") == 0;
    if (!removed && !(behavior && strcmp(behavior, "Isolated") == 0)) {
        return it_fail(IT_INVALID, "%s: pre_tokenizer Split with behavior \"%s\"", where,
                       behavior ? behavior : "");
    }
    IT_TRY(add_split(tokenizer, where, regex ? regex : literal, !regex));
    struct it_split *split = &tokenizer->split[tokenizer->splits - 1];
    split->keep_matches = !removed || invert;
    split->keep_gaps = !removed || !invert;
    return IT_OK;
}

static enum it_status load_byte_level(struct it_tokenizer *tokenizer, const char *where,
                                      const json_t *part)
{
    bool prefix_space = false, use_regex = true;
    IT_TRY(it_json_get_bool(part, where, "add_prefix_space", true, &prefix_space));
    IT_TRY(it_json_get_bool(part, where, "use_regex", true, &use_regex));
    if (prefix_space) {
        return it_fail(IT_INVALID, "%s: pre_tokenizer ByteLevel with add_prefix_space", where);
    }
    return use_regex ? add_split(tokenizer, where, it_pattern_gpt2, false) : IT_OK;
}

/* ByteLevel turns text into bytes, so that it must come once, and last. */
static enum it_status load_pre_tokenizer(struct it_tokenizer *tokenizer, const char *where,
                                         const json_t *part, int depth, bool *bytes)
{
    const char *type = type_of(part);
    if (*bytes) {
        return it_fail(IT_INVALID, "%s: pre_tokenizer \"%s\" after ByteLevel", where, type);
    }
    if (strcmp(type, "Split") == 0) { return load_split(tokenizer, where, part); }
    if (strcmp(type, "ByteLevel") == 0) {
        *bytes = true;
        return load_byte_level(tokenizer, where, part);
    }
    const json_t *list = json_object_get(part, "pretokenizers");
    if (strcmp(type, "Sequence") != 0 || !json_is_array(list) || depth > 4) {
        return it_fail(IT_INVALID,
                       "%s: pre_tokenizer \"%s\" is not known here (Split and ByteLevel are)",
                       where, type);
    }
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
    {
        IT_TRY(load_pre_tokenizer(tokenizer, where, item, depth + 1, bytes));
    }
    return IT_OK;
}

/* Options of the model that change ids must be at the values of byte-level BPE. */
static enum it_status check_model(const char *where, const json_t *model, bool *ignore_merges)
{
    const char *type = NULL, *prefix = NULL, *suffix = NULL;
    bool byte_fallback = false;
    IT_TRY(it_json_get_string(model, where, "type", &type));
    IT_TRY(it_json_get_string(model, where, "continuing_subword_prefix", &prefix));
    IT_TRY(it_json_get_string(model, where, "end_of_word_suffix", &suffix));
    IT_TRY(it_json_get_bool(model, where, "byte_fallback", false, &byte_fallback));
    IT_TRY(it_json_get_bool(model, where, "ignore_merges", false, ignore_merges));
    if (type && strcmp(type, "BPE") != 0) {
        return it_fail(IT_INVALID, "%s: model \"%s\" (byte-level BPE is known)", where, type);
    }
    if ((prefix && *prefix) || (suffix && *suffix) || byte_fallback) {
        return it_fail(IT_INVALID, "%s: a BPE model with subword marks or byte_fallback",
                       where);
    }
    const json_t *dropout = json_object_get(model, "dropout");
    if (json_is_number(dropout) && json_number_value(dropout) > 0) {
        return it_fail(IT_INVALID, "%s: a BPE model with dropout", where);
    }
    return IT_OK;
}

/* "a b" or ["a", "b"]. */
static enum it_status load_merge(struct it_vocab *vocab, const char *where, size_t i,
                                 const json_t *merge)
{
    const char *left = json_string_value(merge), *right = NULL;
    size_t left_n = 0, right_n = 0;
    if (left) {
        const char *space = strchr(left, ' ');
        if (space && !strchr(space + 1, ' ')) {
            right = space + 1;
            left_n = (size_t)(space - left);
            right_n = strlen(right);
        }
    } else if (json_array_size(merge) == 2) {
        left = json_string_value(json_array_get(merge, 0));
        right = json_string_value(json_array_get(merge, 1));
        left_n = left ? strlen(left) : 0;
        right_n = right ? strlen(right) : 0;
    }
    if (left_n == 0 || right_n == 0) {
        return it_fail(IT_INVALID, "%s: merges[%zu] is not a pair of tokens", where, i);
    }
    int32_t a = it_vocab_find_written(vocab, left, left_n);
    int32_t b = it_vocab_find_written(vocab, right, right_n);
    if (a < 0 || b < 0) {
        return it_fail(IT_INVALID, "%s: merges[%zu]: \"%.*s\" is not a token", where, i,
                       (int)(a < 0 ? left_n : right_n), a < 0 ? left : right);
    }
    return it_vocab_put_merge(vocab, where, a, b);
}

enum it_status it_load_tokens(struct it_vocab *vocab, const char *where, json_t *tokens,
                              size_t added)
{
    const char *token;
    json_t *id;
    if (!json_is_object(tokens)) {
        return it_fail(IT_INVALID, "%s: the vocabulary is not an object {\"token\": id}", where);
    }
    IT_TRY(it_vocab_init(vocab, where, json_object_size(tokens) + added));
    json_object_foreach(tokens, token, id)
    {
        if (!json_is_integer(id)) {
            return it_fail(IT_INVALID, "%s: token \"%s\" without an id", where, token);
        }
        IT_TRY(it_vocab_put_written(vocab, where, json_integer_value(id), token, strlen(token)));
    }
    return IT_OK;
}

static enum it_status load_model(struct it_tokenizer *tokenizer, const char *where,
                                 const json_t *model, const struct it_added_sources *sources)
{
    struct it_vocab *vocab = &tokenizer->vocab;
    const json_t *merges = json_object_get(model, "merges"), *item;
    size_t i;
    IT_TRY(it_load_tokens(vocab, where, json_object_get(model, "vocab"), it_added_count(sources)));
    if (!json_is_array(merges)) {
        return it_fail(IT_INVALID, "%s: a BPE model needs \"merges\"", where);
    }
    json_array_foreach(merges, i, item)
    {
        IT_TRY(load_merge(vocab, where, i, item));
    }
    IT_TRY(it_added_load(tokenizer, sources));
    return it_vocab_finish(vocab, where);
}

/* With an unk_token the library would give it for bytes that the vocabulary lacks; without one it
 * drops them, and so do we. */
static enum it_status check_unknown(const struct it_tokenizer *tokenizer, const char *where,
                                    const json_t *model)
{
    const char *unknown = NULL;
    IT_TRY(it_json_get_string(model, where, "unk_token", &unknown));
    if (!unknown) { return IT_OK; }
    for (int byte = 0; byte < 256; byte++) {
        if (tokenizer->vocab.byte[byte] < 0) {
            return it_fail(IT_INVALID, "%s: unk_token, and no token for byte 0x%02x", where,
                           (unsigned)byte);
        }
    }
    return IT_OK;
}

enum it_status it_load_json(struct it_tokenizer *tokenizer, const char *where, json_t *root,
                            struct it_added_sources *sources)
{
    const json_t *model = json_object_get(root, "model");
    const json_t *decoder = json_object_get(root, "decoder");
    bool bytes = false;
    if (!json_is_object(model)) { return it_fail(IT_INVALID, "%s: no \"model\"", where); }
    IT_TRY(check_model(where, model, &tokenizer->ignore_merges));
    IT_TRY(load_normalizer(tokenizer, where, json_object_get(root, "normalizer"), 0));
    IT_TRY(load_pre_tokenizer(tokenizer, where, json_object_get(root, "pre_tokenizer"), 0, &bytes));
    if (!bytes || (json_is_object(decoder) && strcmp(type_of(decoder), "ByteLevel") != 0)) {
        return it_fail(IT_INVALID, "%s: not a byte-level tokenizer", where);
    }
    sources->where = where;
    sources->list = json_object_get(root, "added_tokens");
    IT_TRY(load_model(tokenizer, where, model, sources));
    return check_unknown(tokenizer, where, model);
}
