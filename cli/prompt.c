/* SPDX-License-Identifier: MIT */
/* Tasks by name, and prompts as token ids. */
#include "cli/prompt.h"

#include <string.h>

#include "core/base/file.h"
#include "core/base/mem.h"

enum it_status it_cli_task(const char *command, const char *name, const struct it_task **task_out)
{
    const char *names[64];
    size_t n = 0;
    *task_out = it_task_find(name);
    if (*task_out) { return IT_OK; }
    struct it_str list = {0};
    for (; n < 64 && it_task_at(n); n++) {
        names[n] = it_task_at(n)->name;
        it_str_printf(&list, "%s%s", n ? ", " : "", names[n]);
    }
    const char *closest = it_closest(name, names, n);
    if (closest) {
        it_fail(IT_INVALID, "%s: unknown task \"%s\"; did you mean \"%s\"?", command, name,
                closest);
    } else {
        it_fail(IT_INVALID, "%s: unknown task \"%s\"; there are %s", command, name,
                it_str_c(&list));
    }
    it_str_free(&list);
    return IT_INVALID;
}

/* ---- the text side ---- */

static bool has_tokenizer(const char *folder)
{
    static const char *const names[] = {"tokenizer.json", "vocab.json", "tokenizer.model"};
    bool found = false;
    for (size_t i = 0; i < sizeof names / sizeof *names && !found; i++) {
        char *path = it_path_join(folder, names[i]);
        found = it_path_exists(path);
        it_free(path);
    }
    return found;
}

enum it_status it_cli_text_open(const char *folder, bool required, struct it_model *text_out)
{
    struct it_model text = {0};
    if (!it_path_is_dir(folder)) {
        return it_fail(it_path_exists(folder) ? IT_INVALID : IT_NOT_FOUND,
                       "%s: not a folder; a model is a folder with config.json and "
                       "model.safetensors", folder);
    }
    if (required || has_tokenizer(folder)) {
        IT_TRY(it_tokenizer_open(folder, &text.tokenizer));
    }
    text.folder = it_strdup(folder);
    *text_out = text;
    return IT_OK;
}

void it_cli_text_close(struct it_model *text)
{
    it_tokenizer_close(text->tokenizer);
    it_free(text->folder);
    *text = (struct it_model){0};
}

enum it_status it_cli_text_try_chat(struct it_model *text)
{
    if (it_chat_template_open(text->folder, &text->chat) != IT_OK) { return IT_NOT_FOUND; }
    text->has_chat =
        text->tokenizer && it_tokenizer_find(text->tokenizer, "<|im_start|>") >= 0;
    return IT_OK;
}

enum it_status it_cli_text_chat(struct it_model *text)
{
    IT_TRY(it_cli_text_try_chat(text));
    if (text->has_chat) { return IT_OK; }
    return it_fail(IT_NOT_FOUND, "%s: the tokenizer has no ChatML tokens (<|im_start|>), so the "
                   "model takes plain prompts only", text->folder);
}

/* ---- prompts ---- */

enum it_status it_cli_encode(const struct it_model *text, const json_t *string,
                             struct it_ids *ids_out)
{
    return it_tokenizer_encode(text->tokenizer, json_string_value(string),
                               json_string_length(string), ids_out);
}

static enum it_status check_messages(const char *where, const json_t *messages)
{
    static const char *const roles[] = {"system", "user", "assistant"};
    size_t i;
    const json_t *message;
    if (!json_is_array(messages) || json_array_size(messages) == 0) {
        return it_fail(IT_INVALID, "%s: field \"messages\": expected a list of at least one "
                       "message", where);
    }
    json_array_foreach(messages, i, message)
    {
        const char *role = json_string_value(json_object_get(message, "role"));
        const json_t *calls = json_object_get(message, "tool_calls");
        bool known = false;
        for (size_t r = 0; role && r < sizeof roles / sizeof *roles; r++) {
            known = known || strcmp(role, roles[r]) == 0;
        }
        if (!known || !json_is_string(json_object_get(message, "content"))) {
            return it_fail(IT_INVALID, "%s: message %zu: expected {\"role\": system, user or "
                           "assistant, \"content\": text}", where, i + 1);
        }
        if (calls && !json_is_null(calls) && json_array_size(calls) + json_object_size(calls)) {
            return it_fail(IT_INVALID, "%s: message %zu: calls of tools are not rendered", where,
                           i + 1);
        }
    }
    return IT_OK;
}

enum it_status it_cli_encode_chat(const struct it_model *text, const char *where,
                                  const json_t *messages, struct it_ids *ids_out)
{
    struct it_str prompt = {0};
    IT_TRY(check_messages(where, messages));
    if (!text->has_chat) {
        return it_fail(IT_INVALID, "%s: the model has no chat template that is known here: give "
                       "\"prompt\" instead of \"messages\"", where);
    }
    enum it_status status = it_chat_render(&text->chat, messages, true, &prompt);
    if (status == IT_OK) {
        status = it_tokenizer_encode(text->tokenizer, it_str_c(&prompt), prompt.len, ids_out);
    }
    it_str_free(&prompt);
    return status;
}
