/* SPDX-License-Identifier: MIT */
#include "tasks/prompt.h"

#include <string.h>

#include "core/base/mem.h"
#include "tasks/embedded.h"

enum it_status it_prompt_find(const struct it_task *task, const struct it_task_source *source,
                              const char **template_out)
{
    if (source->prompt_template != NULL) {
        *template_out = source->prompt_template;
        return IT_OK;
    }
    const char *name;
    IT_TRY(it_task_prompt(task, source->prompt, &name));
    if (name == NULL) {
        *template_out = NULL;
        return IT_OK;
    }
    struct it_str file = {0};
    it_str_printf(&file, "prompts/%s.%s.txt", task->name, name);
    *template_out = it_embedded_find(it_str_c(&file), NULL);
    it_str_free(&file);
    return *template_out != NULL ? IT_OK
                                 : it_fail(IT_INVALID, "task %s: prompt \"%s\" has no text",
                                           task->name, name);
}

static enum it_status put_field(const char *name, size_t size, const json_t *fields,
                                const char *where, struct it_str *text_out)
{
    char *key = it_strndup(name, size);
    const json_t *value = json_object_get(fields, key);
    enum it_status status = IT_OK;
    if (value == NULL) {
        status = it_fail(IT_INVALID, "%s: the prompt asks for {%s}, which the record does not have",
                         where, key);
    } else if (json_is_string(value)) {
        it_str_add(text_out, json_string_value(value), json_string_length(value));
    } else {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        it_str_puts(text_out, text);
        free(text);
    }
    it_free(key);
    return status;
}

enum it_status it_prompt_fill(const char *template, const json_t *fields, const char *where,
                              struct it_str *text_out)
{
    size_t n = strlen(template);
    if (n > 0 && template[n - 1] == '\n') { n--; }
    for (size_t i = 0; i < n; i++) {
        char c = template[i];
        if ((c == '{' || c == '}') && i + 1 < n && template[i + 1] == c) {
            it_str_putc(text_out, c);
            i++;
        } else if (c == '{') {
            const char *end = memchr(template + i, '}', n - i);
            if (end == NULL) {
                return it_fail(IT_INVALID, "%s: the prompt has a { without }; write {{ for a brace",
                               where);
            }
            size_t size = (size_t)(end - template) - i - 1;
            IT_TRY(put_field(template + i + 1, size, fields, where, text_out));
            i += size + 1;
        } else {
            it_str_putc(text_out, c);
        }
    }
    return IT_OK;
}
