/* SPDX-License-Identifier: MIT */
/* The encoding of GGUF version 3 (ggml-org/ggml, docs/gguf.md): little-endian numbers, strings with
 * their length in front, key-value pairs with a type. */
#include <string.h>

#include "models/internal.h"

/* Types of values, as the format numbers them. */
enum { TYPE_U32 = 4, TYPE_I32 = 5, TYPE_F32 = 6, TYPE_BOOL = 7, TYPE_STRING = 8, TYPE_ARRAY = 9 };

void it_gguf_put(struct it_str *out, const void *value, size_t bytes)
{
    it_str_add(out, value, bytes);
}

void it_gguf_put_string(struct it_str *out, const char *text, size_t bytes)
{
    uint64_t length = bytes;
    it_gguf_put(out, &length, sizeof length);
    it_str_add(out, text, bytes);
}

static void begin(struct it_gguf *gguf, const char *key, uint32_t type)
{
    gguf->n_pairs++;
    it_gguf_put_string(&gguf->pairs, key, strlen(key));
    it_gguf_put(&gguf->pairs, &type, sizeof type);
}

void it_gguf_u32(struct it_gguf *gguf, const char *key, uint32_t value)
{
    begin(gguf, key, TYPE_U32);
    it_gguf_put(&gguf->pairs, &value, sizeof value);
}

void it_gguf_f32(struct it_gguf *gguf, const char *key, float value)
{
    begin(gguf, key, TYPE_F32);
    it_gguf_put(&gguf->pairs, &value, sizeof value);
}

void it_gguf_bool(struct it_gguf *gguf, const char *key, bool value)
{
    begin(gguf, key, TYPE_BOOL);
    it_str_putc(&gguf->pairs, value ? 1 : 0);
}

void it_gguf_string(struct it_gguf *gguf, const char *key, const char *text, size_t bytes)
{
    begin(gguf, key, TYPE_STRING);
    it_gguf_put_string(&gguf->pairs, text, bytes);
}

static void begin_array(struct it_gguf *gguf, const char *key, uint32_t type, const json_t *list)
{
    uint64_t count = json_array_size(list);
    begin(gguf, key, TYPE_ARRAY);
    it_gguf_put(&gguf->pairs, &type, sizeof type);
    it_gguf_put(&gguf->pairs, &count, sizeof count);
}

void it_gguf_strings(struct it_gguf *gguf, const char *key, const json_t *list)
{
    begin_array(gguf, key, TYPE_STRING, list);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *text = json_array_get(list, i);
        it_gguf_put_string(&gguf->pairs, json_string_value(text), json_string_length(text));
    }
}

void it_gguf_ints(struct it_gguf *gguf, const char *key, const json_t *list)
{
    begin_array(gguf, key, TYPE_I32, list);
    for (size_t i = 0; i < json_array_size(list); i++) {
        int32_t value = (int32_t)json_integer_value(json_array_get(list, i));
        it_gguf_put(&gguf->pairs, &value, sizeof value);
    }
}
