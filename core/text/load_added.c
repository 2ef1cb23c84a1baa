/* SPDX-License-Identifier: MIT */
/* Added tokens from the three places that list them: "added_tokens" of tokenizer.json,
 * added_tokens.json, and "added_tokens_decoder" of tokenizer_config.json. */
#include "core/text/internal.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"

size_t it_added_count(const struct it_added_sources *sources)
{
    return json_array_size(sources->list) + json_object_size(sources->plain) +
           json_object_size(sources->decoder);
}

/* NFC of a token that is looked for in normalised text. */
static enum it_status put_normalized(struct it_tokenizer *tokenizer, const struct it_added *added)
{
    struct it_str form = {0};
    enum it_status status = IT_OK;
    if (tokenizer->nfc) {
        status = it_nfc_add(&form, added->content, added->length);
    } else {
        it_str_add(&form, added->content, added->length);
    }
    if (status == IT_OK) {
        struct it_added normal = *added;
        normal.content = form.data;
        normal.length = form.len;
        it_added_set_put(&tokenizer->normalized, &normal);
    }
    it_str_free(&form);
    return status;
}

static enum it_status put(struct it_tokenizer *tokenizer, const char *where, int64_t id,
                          struct it_added added)
{
    struct it_vocab *vocab = &tokenizer->vocab;
    int32_t known = it_vocab_find_written(vocab, added.content, added.length);
    if (known >= 0 && known != id) {
        return it_fail(IT_INVALID, "%s: added token \"%s\" has id %lld here and id %d before",
                       where, added.content, (long long)id, (int)known);
    }
    if (known < 0) {
        IT_TRY(it_vocab_put(vocab, where, id, added.content, added.length, 0));
    } else if (vocab->token[id].flags & IT_TOKEN_ADDED) {
        return IT_OK; /* the first place that names a token has its flags */
    }
    vocab->token[id].flags |= IT_TOKEN_ADDED | (added.special ? IT_TOKEN_SPECIAL : 0);
    added.id = (int32_t)id;
    if (added.normalized) { return put_normalized(tokenizer, &added); }
    it_added_set_put(&tokenizer->raw, &added);
    return IT_OK;
}

/* Flags of {"content", "special", "normalized", "lstrip", "rstrip", "single_word"}; content stays
 * owned by the object. */
static enum it_status read_flags(const json_t *object, const char *where, struct it_added *added)
{
    const char *content = NULL;
    IT_TRY(it_json_get_string(object, where, "content", &content));
    if (!content || *content == '\0') {
        return it_fail(IT_INVALID, "%s: an added token without content", where);
    }
    IT_TRY(it_json_get_bool(object, where, "special", false, &added->special));
    IT_TRY(it_json_get_bool(object, where, "normalized", !added->special, &added->normalized));
    IT_TRY(it_json_get_bool(object, where, "lstrip", false, &added->lstrip));
    IT_TRY(it_json_get_bool(object, where, "rstrip", false, &added->rstrip));
    IT_TRY(it_json_get_bool(object, where, "single_word", false, &added->single_word));
    added->content = content;
    added->length = strlen(content);
    return IT_OK;
}

static enum it_status load_list(struct it_tokenizer *tokenizer, const char *where,
                                const json_t *list)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        struct it_added added = {0};
        int64_t id = -1;
        if (!json_is_object(item)) {
            return it_fail(IT_INVALID, "%s: added_tokens[%zu] is not an object", where, i);
        }
        IT_TRY(it_json_get_int(item, where, "id", -1, &id));
        IT_TRY(read_flags(item, where, &added));
        IT_TRY(put(tokenizer, where, id, added));
    }
    return IT_OK;
}

/* Keys are ids as text. */
static enum it_status load_decoder(struct it_tokenizer *tokenizer, const char *where,
                                   json_t *decoder)
{
    const char *key;
    json_t *item;
    json_object_foreach(decoder, key, item)
    {
        struct it_added added = {0};
        char *end = NULL;
        long long id = strtoll(key, &end, 10);
        if (*key == '\0' || *end != '\0' || !json_is_object(item)) {
            return it_fail(IT_INVALID, "%s: added_tokens_decoder: \"%s\" is not an id's entry",
                           where, key);
        }
        IT_TRY(read_flags(item, where, &added));
        IT_TRY(put(tokenizer, where, id, added));
    }
    return IT_OK;
}

/* No flags here: a token of the form <|...|> counts as special. */
static enum it_status load_plain(struct it_tokenizer *tokenizer, const char *where, json_t *plain)
{
    const char *content;
    json_t *id;
    json_object_foreach(plain, content, id)
    {
        if (!json_is_integer(id) || *content == '\0') {
            return it_fail(IT_INVALID, "%s: added token \"%s\" without an id", where, content);
        }
        size_t length = strlen(content);
        struct it_added added = {.content = content, .length = length};
        added.special = it_starts_with(content, "<|") && it_ends_with(content, "|>");
        IT_TRY(put(tokenizer, where, json_integer_value(id), added));
    }
    return IT_OK;
}

enum it_status it_added_load(struct it_tokenizer *tokenizer, const struct it_added_sources *sources)
{
    if (sources->list && !json_is_array(sources->list) && !json_is_null(sources->list)) {
        return it_fail(IT_INVALID, "%s: \"added_tokens\" is not a list", sources->where);
    }
    IT_TRY(load_list(tokenizer, sources->where, sources->list));
    IT_TRY(load_decoder(tokenizer, sources->config_where, sources->decoder));
    return load_plain(tokenizer, sources->where, sources->plain);
}
