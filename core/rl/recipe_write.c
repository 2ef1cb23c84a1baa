/* SPDX-License-Identifier: MIT */
/* A resolved recipe as YAML that reads back to the same recipe. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/rl/recipe.h"

/* YAML forbids some characters in the text and folds others: those are escaped. */
static bool printable(uint32_t c)
{
    if (c < 0x20 || (c >= 0x7f && c < 0xa0)) { return false; }
    return c != 0x2028 && c != 0x2029 && c != 0xfeff && c != 0xfffe && c != 0xffff;
}

/* The character at text, of valid UTF-8, and its length in bytes. */
static uint32_t character(const char *text, size_t *length_out)
{
    const unsigned char *b = (const unsigned char *)text;
    size_t n = b[0] < 0x80 ? 1 : b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : 4;
    uint32_t c = n == 1 ? b[0] : (uint32_t)(b[0] & (0xff >> (n + 1)));
    for (size_t i = 1; i < n; i++) { c = c << 6 | (b[i] & 0x3f); }
    *length_out = n;
    return c;
}

static void put_text(struct it_str *out, const char *text)
{
    it_str_putc(out, '"');
    while (*text) {
        size_t length;
        uint32_t c = character(text, &length);
        if (c == '"' || c == '\\') { it_str_putc(out, '\\'); }
        if (c == '\n') {
            it_str_puts(out, "\\n");
        } else if (!printable(c)) {
            it_str_printf(out, "\\u%04x", (unsigned)c);
        } else {
            it_str_add(out, text, length);
        }
        text += length;
    }
    it_str_putc(out, '"');
}

/* The shortest of the forms that read back to the same bits. */
static void put_real(struct it_str *out, double x)
{
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtod(text, NULL) == x) { break; }
    }
    it_str_puts(out, text);
}

static void put_value(struct it_str *out, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_TRUE: it_str_puts(out, "true"); break;
    case JSON_FALSE: it_str_puts(out, "false"); break;
    case JSON_INTEGER: it_str_printf(out, "%lld", (long long)json_integer_value(value)); break;
    case JSON_REAL: put_real(out, json_real_value(value)); break;
    case JSON_STRING: put_text(out, json_string_value(value)); break;
    case JSON_ARRAY:
        it_str_putc(out, '[');
        for (size_t i = 0; i < json_array_size(value); i++) {
            if (i > 0) { it_str_puts(out, ", "); }
            put_value(out, json_array_get(value, i));
        }
        it_str_putc(out, ']');
        break;
    case JSON_NULL:
    case JSON_OBJECT: it_str_puts(out, "null"); break;
    }
}

enum it_status it_recipe_write(const struct it_recipe *recipe, const char *path)
{
    struct it_str text = {0};
    const char *key;
    json_t *value, *dump = it_options_dump(&it_recipe_table, recipe);
    it_str_puts(&text, "# The recipe as resolved: overrides, method and profile applied.\n");
    json_object_foreach(dump, key, value)
    {
        it_str_printf(&text, "%s: ", key);
        put_value(&text, value);
        it_str_putc(&text, '\n');
    }
    json_decref(dump);
    enum it_status status = it_file_write(path, text.data, text.len);
    it_str_free(&text);
    return status;
}
