/* SPDX-License-Identifier: MIT */
/* Conversations as ChatML. A model folder's template is recognised (core/text/template.c), never
 * run: what is not ChatML as known here is refused, so that nothing is rendered differently from
 * what the model was trained on. */
#include <string.h>

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/text/template_internal.h"
#include "core/text/text.h"

#define TURN         "'<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n'"
#define LOOP_START   "{% for message in messages %}"
#define LOOP_END     "{% endfor %}"
#define PROMPT       "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
#define DEFAULT_TURN "{{ '<|im_start|>system\\n@<|im_end|>\\n' }}"

const char it_chat_template_chatml[] =
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/* Templates that render a conversation of system, user and assistant turns, without tools, as
 * it_chat_render does. */
static const char *const known_templates[] = {
    /* plain, no default system message */
    LOOP_START "{{ " TURN " }}" LOOP_END PROMPT,
    "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}"
    "{% endif %}" LOOP_START "{{ " TURN " }}" LOOP_END PROMPT,
    /* Qwen1.5 and Qwen2 */
    LOOP_START "{% if loop.first and messages[0].role != 'system' %}" DEFAULT_TURN "{% endif %}"
               "{{ " TURN " }}" LOOP_END PROMPT,
    /* Qwen2.5: one branch for tools, other branches for calls of tools and their answers */
    "{% if tools %}{% SKIP %}{% else %}{% if messages[0].role == 'system' %}"
    "{{ '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}"
    "{% else %}" DEFAULT_TURN "{% endif %}{% endif %}" LOOP_START
    "{% if (message.role == 'user') or (message.role == 'system' and not loop.first)"
    " or (message.role == 'assistant' and not message.tool_calls) %}{{ " TURN " }}"
    "{% SKIP %}{% endif %}" LOOP_END PROMPT,
};

/* Default system messages; the text lives for ever, so that a template needs no closing. */
static const char *const known_systems[] = {
    "You are a helpful assistant.",
    "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.",
};

/* What the other families' templates are told by. */
static const struct {
    const char *mark, *name;
} others[] = {
    {"<|start_header_id|>", "that of Llama 3"},
    {"</think>", "a reasoning model's (Qwen3's is one)"},
    {"<|assistant|>", "that of Zephyr, Tulu or OLMo"},
    {"[INST]", "that of Llama 2 or Mistral"},
    {"<|im_start|>", "a form of ChatML that is not known"},
};

static enum it_status refuse(const char *path, const char *template)
{
    const char *name = "not known";
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (strstr(template, others[i].mark)) {
            name = others[i].name;
            break;
        }
    }
    return it_fail(IT_UNSUPPORTED,
                   "%s: the chat template is %s; plain ChatML and that of Qwen2.5 "
                   "are rendered here",
                   path, name);
}

static enum it_status find_system(const char *path, const struct it_str *captured,
                                  struct it_chat_template *template_out)
{
    const char *system = NULL;
    for (size_t i = 0; i < sizeof known_systems / sizeof *known_systems; i++) {
        if (strcmp(it_str_c(captured), known_systems[i]) == 0) { system = known_systems[i]; }
    }
    if (captured->len > 0 && !system) {
        return it_fail(IT_UNSUPPORTED,
                       "%s: the chat template's default system message is not "
                       "known here: \"%.80s\"",
                       path, it_str_c(captured));
    }
    template_out->default_system = system;
    return IT_OK;
}

static enum it_status recognise(const char *path, const char *text, size_t n,
                                struct it_chat_template *template_out)
{
    struct it_str spelled = {0}, pattern = {0}, captured = {0};
    bool found = false;
    bool understood = it_template_spell(text, n, &spelled);
    for (size_t i = 0; understood && !found && i < sizeof known_templates / sizeof(char *); i++) {
        it_str_clear(&pattern);
        it_str_clear(&captured);
        found = it_template_spell(known_templates[i], strlen(known_templates[i]), &pattern) &&
                it_template_match(it_str_c(&pattern), it_str_c(&spelled), &captured);
    }
    enum it_status status = found ? find_system(path, &captured, template_out) : refuse(path, text);
    it_str_free(&spelled);
    it_str_free(&pattern);
    it_str_free(&captured);
    return status;
}

/* "chat_template": text, or a list of {"name", "template"} of which "default" is meant. */
static const json_t *default_template(const json_t *config)
{
    const json_t *template = json_object_get(config, "chat_template"), *item;
    if (!json_is_array(template)) { return template; }
    size_t i;
    json_array_foreach(template, i, item)
    {
        const char *name = json_string_value(json_object_get(item, "name"));
        if (name && strcmp(name, "default") == 0) { return json_object_get(item, "template"); }
    }
    return template; /* of no known kind: refused */
}

static enum it_status open_config(const char *path, struct it_chat_template *template_out)
{
    json_t *config = NULL;
    enum it_status status = IT_OK;
    template_out->default_system = NULL;
    if (!it_path_exists(path)) { return IT_OK; }
    IT_TRY(it_json_read(path, &config));
    const json_t *template = default_template(config);
    if (json_is_string(template)) {
        status = recognise(path, json_string_value(template), json_string_length(template),
                           template_out);
    } else if (template && !json_is_null(template)) {
        status = it_fail(IT_INVALID, "%s: \"chat_template\" is not a text", path);
    }
    json_decref(config);
    return status;
}

static enum it_status open_file(const char *path, struct it_chat_template *template_out)
{
    struct it_str text = {0};
    enum it_status status = it_file_read(path, &text);
    if (status == IT_OK) { status = recognise(path, it_str_c(&text), text.len, template_out); }
    it_str_free(&text);
    return status;
}

enum it_status it_chat_template_open(const char *folder, struct it_chat_template *template_out)
{
    /* Newer folders keep the template in a file of its own, which then counts. */
    char *file = it_path_join(folder, "chat_template.jinja");
    char *config = it_path_join(folder, "tokenizer_config.json");
    struct it_chat_template template = {NULL};
    enum it_status status =
        it_path_exists(file) ? open_file(file, &template) : open_config(config, &template);
    it_free(file);
    it_free(config);
    if (status == IT_OK) { *template_out = template; }
    return status;
}

static enum it_status check_message(const json_t *message, size_t i)
{
    const char *role = json_string_value(json_object_get(message, "role"));
    const json_t *calls = json_object_get(message, "tool_calls");
    if (!role || !json_is_string(json_object_get(message, "content"))) {
        return it_fail(IT_INVALID, "message %zu: expected {\"role\": text, \"content\": text}", i);
    }
    if (strcmp(role, "system") != 0 && strcmp(role, "user") != 0 &&
        strcmp(role, "assistant") != 0) {
        return it_fail(IT_UNSUPPORTED,
                       "message %zu: role \"%s\" (system, user and assistant are "
                       "known)",
                       i, role);
    }
    if (json_is_true(calls) || json_array_size(calls) > 0 || json_object_size(calls) > 0) {
        return it_fail(IT_UNSUPPORTED, "message %zu: calls of tools are not rendered", i);
    }
    return IT_OK;
}

static void put_turn(struct it_str *out, const char *role, const char *content, size_t n)
{
    it_str_printf(out, "<|im_start|>%s\n", role);
    it_str_add(out, content, n);
    it_str_puts(out, "<|im_end|>\n");
}

enum it_status it_chat_render(const struct it_chat_template *template, const json_t *messages,
                              bool add_generation_prompt, struct it_str *text_out)
{
    size_t i;
    const json_t *message;
    if (json_array_size(messages) == 0) {
        return it_fail(IT_INVALID, "a conversation is a list of at least one message");
    }
    json_array_foreach(messages, i, message)
    {
        IT_TRY(check_message(message, i));
    }
    json_array_foreach(messages, i, message)
    {
        const char *role = json_string_value(json_object_get(message, "role"));
        const json_t *content = json_object_get(message, "content");
        const char *system = template->default_system;
        /* As in the templates: it is the first message that decides, a later system message is a
         * turn like any other. */
        if (i == 0 && system && strcmp(role, "system") != 0) {
            put_turn(text_out, "system", system, strlen(system));
        }
        put_turn(text_out, role, json_string_value(content), json_string_length(content));
    }
    if (add_generation_prompt) { it_str_puts(text_out, "<|im_start|>assistant\n"); }
    return IT_OK;
}
