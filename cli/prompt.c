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

enum it_status it_cli_text_open(const char *folder, bool required, struct it_model *text_out)
{
    struct it_model text = {0};
    enum it_status status = IT_OK;
    IT_TRY(it_model_base(folder, &text.folder));
    if (!it_path_is_dir(text.folder)) {
        status = it_model_no_folder(text.folder);
    } else if (required || it_model_has_tokenizer(text.folder)) {
        status = it_tokenizer_open(text.folder, &text.tokenizer);
    }
    if (status == IT_OK) { *text_out = text; } else { it_free(text.folder); }
    return status;
}

void it_cli_text_close(struct it_model *text)
{
    it_chat_template_close(text->chat);
    it_tokenizer_close(text->tokenizer);
    it_free(text->folder);
    *text = (struct it_model){0};
}

enum it_status it_cli_text_try_chat(struct it_model *text,
                                    const struct it_cli_chat_settings *settings)
{
    struct it_chat_settings chat = {settings->date, settings->variables};
    if (!text->tokenizer) { return IT_OK; }
    return it_chat_template_open(text->folder, text->tokenizer, &chat, &text->chat);
}

enum it_status it_cli_text_chat(struct it_model *text, const struct it_cli_chat_settings *settings)
{
    IT_TRY(it_cli_text_try_chat(text, settings));
    if (text->chat) { return IT_OK; }
    return it_fail(IT_NOT_FOUND, "%s: no chat template (chat_template.jinja, or \"chat_template\" "
                   "in tokenizer_config.json), so the model takes plain prompts only",
                   text->folder);
}

/* ---- prompts ---- */

enum it_status it_cli_encode(const struct it_model *text, const json_t *string,
                             struct it_ids *ids_out)
{
    return it_tokenizer_encode(text->tokenizer, json_string_value(string),
                               json_string_length(string), ids_out);
}

enum it_status it_cli_encode_chat(const struct it_model *text, const char *where,
                                  const json_t *conversation, struct it_ids *ids_out)
{
    struct it_str prompt = {0};
    if (!text->chat) {
        return it_fail(IT_INVALID, "%s: the model has no chat template that can be rendered here: "
                       "give \"prompt\" instead of \"messages\"", where);
    }
    enum it_status status = it_chat_render(text->chat, where, conversation, true, &prompt);
    if (status == IT_OK) {
        status = it_tokenizer_encode(text->tokenizer, it_str_c(&prompt), prompt.len, ids_out);
    }
    it_str_free(&prompt);
    return status;
}
