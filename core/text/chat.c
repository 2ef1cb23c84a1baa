/* SPDX-License-Identifier: MIT */
/* Conversations through a model folder's chat template, with the variables that the transformers
 * library gives it: the special tokens by name, messages, tools, documents (None when absent),
 * add_generation_prompt, and the settings of whoever asks. */
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/text/jinja.h"
#include "core/text/text.h"

const char it_chat_template_chatml[] =
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/* Bytes of a template's file. Published ones have 10 kB. */
enum { MOST_TEMPLATE = 1 << 24 };

struct it_chat_template {
    struct it_jinja *plain, *tools; /* tools: for conversations that have some; may be NULL */
    json_t *variables;              /* special tokens and settings */
    struct tm now;
    int32_t turn_end;
};

/* ---- settings ---- */

/* What models were shown when their templates were written: it is Llama 3's own fallback. A prompt
 * that changed from day to day would make a run impossible to repeat. */
static const char default_date[] = "2024-07-26";

static enum it_status read_date(const char *text, struct tm *now_out)
{
    struct tm tm = {.tm_isdst = -1};
    int used = 0;
    if (strcmp(text, "today") == 0) {
        time_t now = time(NULL);
        localtime_r(&now, now_out);
        return IT_OK;
    }
    bool read = sscanf(text, "%4d-%2d-%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &used) == 3;
    struct tm asked = tm;
    tm.tm_year -= 1900;
    tm.tm_mon--;
    tm.tm_hour = 12; /* far from any change of clocks */
    /* mktime finds the day of the week, and moves a day that there isn't */
    if (!read || text[used] || mktime(&tm) == (time_t)-1 || tm.tm_mday != asked.tm_mday ||
        tm.tm_mon != asked.tm_mon - 1) {
        return it_fail(IT_INVALID, "template_date: expected a date as 2025-01-31, or today, found "
                       "\"%.40s\"", text);
    }
    tm.tm_hour = 0;
    *now_out = tm;
    return IT_OK;
}

static enum it_status check_variable(const char *where, const char *name)
{
    if (strcmp(name, "messages") != 0 && strcmp(name, "add_generation_prompt") != 0) {
        return IT_OK;
    }
    return it_fail(IT_INVALID, "%s: \"%s\" is not a setting: it comes with the conversation",
                   where, name);
}

static enum it_status add_variables(const char *where, const json_t *from, json_t *variables)
{
    const char *name;
    json_t *value;
    if (!from || json_is_null(from)) { return IT_OK; }
    if (!json_is_object(from)) {
        return it_fail(IT_INVALID, "%s: expected a JSON object, as {\"enable_thinking\": false}",
                       where);
    }
    json_object_foreach((json_t *)(uintptr_t)from, name, value)
    {
        IT_TRY(check_variable(where, name));
        json_object_set(variables, name, value);
    }
    return IT_OK;
}

static enum it_status apply_settings(const struct it_chat_settings *settings,
                                     struct it_chat_template *chat)
{
    const char *date = settings && settings->date && *settings->date ? settings->date : NULL;
    const char *variables = settings ? settings->variables : NULL;
    bool told = it_jinja_names(chat->plain, "strftime_now") ||
                (chat->tools && it_jinja_names(chat->tools, "strftime_now"));
    IT_TRY(read_date(date ? date : default_date, &chat->now));
    if (told && !date) {
        it_info("the chat template asks for the date: it is told 26 July 2024 whatever the day; "
                "set template_date to another, or to today");
    }
    if (!variables || !*variables) { return IT_OK; }
    json_t *object = NULL;
    IT_TRY(it_json_parse("chat_template_kwargs", variables, strlen(variables), &object));
    enum it_status status = add_variables("chat_template_kwargs", object, chat->variables);
    json_decref(object);
    return status;
}

/* ---- the folder's files ---- */

static enum it_status compile(const char *where, const json_t *text, struct it_jinja **jinja)
{
    if (!json_is_string(text)) {
        return it_fail(IT_INVALID, "%s: \"chat_template\" is neither a text nor a list of "
                       "{\"name\", \"template\"}", where);
    }
    it_jinja_close(*jinja); /* of two with the same name the later one counts */
    *jinja = NULL;
    return it_jinja_open(where, json_string_value(text), json_string_length(text), jinja);
}

/* "chat_template": a text, or a list of {"name", "template"}. */
static enum it_status from_json(const char *where, const json_t *template,
                                struct it_chat_template *chat)
{
    size_t i;
    const json_t *item;
    if (!json_is_array(template)) { return compile(where, template, &chat->plain); }
    json_array_foreach(template, i, item)
    {
        const char *name = json_string_value(json_object_get(item, "name"));
        const json_t *text = json_object_get(item, "template");
        bool plain = name && strcmp(name, "default") == 0;
        if (plain || (name && strcmp(name, "tool_use") == 0)) {
            IT_TRY(compile(where, text, plain ? &chat->plain : &chat->tools));
        }
    }
    if (chat->plain) { return IT_OK; }
    return it_fail(IT_INVALID, "%s: \"chat_template\" is a list without a template named "
                   "\"default\"", where);
}

static enum it_status from_file(const char *path, struct it_jinja **jinja)
{
    struct it_str text = {0};
    enum it_status status = it_file_read_limit(path, MOST_TEMPLATE, &text);
    if (status == IT_OK) {
        it_jinja_close(*jinja);
        *jinja = NULL;
        status = it_jinja_open(path, it_str_c(&text), text.len, jinja);
    }
    it_str_free(&text);
    return status;
}

/* One of the special tokens that templates know by name: "TEXT" or {"content": "TEXT"}. */
static void add_special(const json_t *config, const char *name, json_t *variables)
{
    const json_t *token = json_object_get(config, name);
    if (json_is_object(token)) { token = json_object_get(token, "content"); }
    if (json_is_string(token) && json_string_length(token) && !json_object_get(variables, name)) {
        json_object_set(variables, name, (json_t *)(uintptr_t)token);
    }
}

/* What a tokenizer's class has where its configuration is silent. */
static void add_class_defaults(const json_t *config, json_t *variables)
{
    static const char *const classes[][5] = {
        {"Qwen2Tokenizer", "eos_token", "unk_token", "pad_token", NULL},
        {"GPT2Tokenizer", "eos_token", "unk_token", "bos_token", NULL}};
    const char *name = json_string_value(json_object_get(config, "tokenizer_class"));
    for (size_t i = 0; name && i < sizeof classes / sizeof *classes; i++) {
        if (!it_starts_with(name, classes[i][0])) { continue; }
        for (size_t k = 1; classes[i][k]; k++) {
            bool set = json_object_get(config, classes[i][k]) != NULL; /* null is set, too */
            if (!set && !json_object_get(variables, classes[i][k])) {
                json_object_set_new(variables, classes[i][k], json_string("<|endoftext|>"));
            }
        }
    }
}

static void add_specials(const json_t *config, json_t *variables)
{
    static const char *const names[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                        "pad_token", "cls_token", "mask_token"};
    size_t i;
    json_t *item;
    for (i = 0; i < sizeof names / sizeof *names; i++) { add_special(config, names[i], variables); }
    const json_t *more = json_object_get(config, "additional_special_tokens");
    if (json_array_size(more) == 0 || json_object_get(variables, "additional_special_tokens")) {
        return;
    }
    json_t *list = json_array();
    json_array_foreach(more, i, item)
    {
        if (json_is_object(item)) { item = json_object_get(item, "content"); }
        if (json_is_string(item)) { json_array_append(list, item); }
    }
    json_object_set_new(variables, "additional_special_tokens", list);
}

/* A file that may be missing; *root_out stays NULL then. */
static enum it_status read_optional(const char *folder, const char *name, char **path_out,
                                    json_t **root_out)
{
    *path_out = it_path_join(folder, name);
    if (!it_path_exists(*path_out)) { return IT_OK; }
    IT_TRY(it_json_read(*path_out, root_out));
    if (json_is_object(*root_out)) { return IT_OK; }
    return it_fail(IT_INVALID, "%s: not an object", *path_out);
}

struct files {
    char *config, *specials, *processor, *file, *tool_file;
    json_t *config_root, *specials_root, *processor_root;
};

static enum it_status read_files(const char *folder, struct files *f)
{
    f->file = it_path_join(folder, "chat_template.jinja");
    f->tool_file = it_path_join(folder, "additional_chat_templates/tool_use.jinja");
    IT_TRY(read_optional(folder, "tokenizer_config.json", &f->config, &f->config_root));
    IT_TRY(read_optional(folder, "special_tokens_map.json", &f->specials, &f->specials_root));
    return read_optional(folder, "chat_template.json", &f->processor, &f->processor_root);
}

static void free_files(struct files *f)
{
    json_decref(f->config_root);
    json_decref(f->specials_root);
    json_decref(f->processor_root);
    it_free(f->config);
    it_free(f->specials);
    it_free(f->processor);
    it_free(f->file);
    it_free(f->tool_file);
}

static bool has_template(const json_t *root)
{
    const json_t *template = json_object_get(root, "chat_template");
    return template && !json_is_null(template);
}

static enum it_status find_template(const char *folder, const struct files *f,
                                    const struct it_tokenizer *tokenizer,
                                    struct it_chat_template *chat)
{
    if (it_path_exists(f->file)) {
        IT_TRY(from_file(f->file, &chat->plain));
        return it_path_exists(f->tool_file) ? from_file(f->tool_file, &chat->tools) : IT_OK;
    }
    if (has_template(f->config_root)) {
        return from_json(f->config, json_object_get(f->config_root, "chat_template"), chat);
    }
    if (has_template(f->processor_root)) {
        return from_json(f->processor, json_object_get(f->processor_root, "chat_template"), chat);
    }
    if (it_tokenizer_find(tokenizer, "<|im_start|>") < 0 ||
        it_tokenizer_find(tokenizer, "<|im_end|>") < 0) {
        return IT_OK;
    }
    it_info("%s: no chat template; ChatML without a default system message is taken, as the "
            "vocabulary has its tokens", folder);
    return it_jinja_open("ChatML", it_chat_template_chatml, strlen(it_chat_template_chatml),
                         &chat->plain);
}

/* ---- rendering ---- */

static enum it_status check_messages(const char *where, const json_t *messages)
{
    size_t i;
    const json_t *message;
    const char *mark = where ? ": " : "";
    where = where ? where : "";
    if (!json_is_array(messages) || json_array_size(messages) == 0) {
        return it_fail(IT_INVALID, "%s%sfield \"messages\": expected a list of at least one "
                       "message", where, mark);
    }
    json_array_foreach(messages, i, message)
    {
        const json_t *content = json_object_get(message, "content");
        bool calls = json_array_size(json_object_get(message, "tool_calls")) > 0;
        bool good = content ? json_is_string(content) || json_is_array(content) ||
                                  (json_is_null(content) && calls)
                            : calls;
        if (!json_is_string(json_object_get(message, "role")) || !good) {
            return it_fail(IT_INVALID, "%s%smessage %zu: expected {\"role\": text, \"content\": "
                           "text}", where, mark, i + 1);
        }
    }
    return IT_OK;
}

/* Messages as the library hands them on: without fields that are null, and with an answer's
 * reasoning, whichever its name, under the two that templates read. */
static json_t *normalized(const json_t *messages)
{
    static const char *const names[] = {"reasoning_content", "thinking", "reasoning"};
    json_t *list = json_array(), *message, *value;
    const char *key;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)messages, i, message)
    {
        json_t *clean = json_object(), *reasoning = NULL;
        for (size_t k = 0; k < 3 && !reasoning; k++) {
            reasoning = json_object_get(message, names[k]);
            if (json_is_null(reasoning)) { reasoning = NULL; }
        }
        if (reasoning) { json_object_set(clean, "thinking", reasoning); }
        json_object_foreach(message, key, value)
        {
            if (!json_is_null(value)) { json_object_set(clean, key, value); }
        }
        if (reasoning) { json_object_set(clean, "reasoning_content", reasoning); }
        json_array_append_new(list, clean);
    }
    return list;
}

/* None for what is not there or is null, as the library passes it. */
static void set_or_null(json_t *variables, const char *name, const json_t *value)
{
    if (value) {
        json_object_set(variables, name, (json_t *)(uintptr_t)value);
    } else if (!json_object_get(variables, name)) {
        json_object_set_new(variables, name, json_null());
    }
}

static enum it_status render(const struct it_chat_template *chat, const json_t *conversation,
                             bool add_generation_prompt, struct it_jinja_job *job,
                             struct it_str *text_out)
{
    bool list = json_is_array(conversation);
    const json_t *messages = list ? conversation : json_object_get(conversation, "messages");
    const json_t *tools = list ? NULL : json_object_get(conversation, "tools");
    struct it_str where = {0};
    IT_TRY(check_messages(job->where, messages));
    if (tools && !json_is_array(tools) && !json_is_null(tools)) {
        return it_fail(IT_INVALID, "%s%sfield \"tools\": expected a list of tools",
                       job->where ? job->where : "", job->where ? ": " : "");
    }
    it_str_printf(&where, "%s%schat_template_kwargs", job->where ? job->where : "",
                  job->where ? ": " : "");
    json_t *variables = json_copy(chat->variables);
    enum it_status status = add_variables(
        it_str_c(&where), list ? NULL : json_object_get(conversation, "chat_template_kwargs"),
        variables);
    it_str_free(&where);
    if (status == IT_OK) {
        set_or_null(variables, "tools", tools);
        set_or_null(variables, "documents", list ? NULL : json_object_get(conversation,
                                                                          "documents"));
        json_object_set_new(variables, "messages", normalized(messages));
        json_object_set_new(variables, "add_generation_prompt",
                            json_boolean(add_generation_prompt));
        bool has_tools = !json_is_null(json_object_get(variables, "tools"));
        job->variables = variables;
        job->now = chat->now;
        status = it_jinja_render(has_tools && chat->tools ? chat->tools : chat->plain, job,
                                 text_out);
    }
    json_decref(variables);
    return status;
}

enum it_status it_chat_render(const struct it_chat_template *chat, const char *where,
                              const json_t *conversation, bool add_generation_prompt,
                              struct it_str *text_out)
{
    struct it_jinja_job job = {.where = where};
    return render(chat, conversation, add_generation_prompt, &job, text_out);
}

/* The first special token behind the answer of a conversation made up for this. A template that
 * does not take it has no end of turn that could be found out. */
static int32_t find_turn_end(const struct it_chat_template *chat,
                             const struct it_tokenizer *tokenizer)
{
    static const char answer[] = "7302914";
    struct it_jinja_job job = {.quiet = true};
    struct it_str text = {0};
    struct it_ids ids = {0};
    int32_t found = -1;
    json_t *messages = json_pack("[{s:s,s:s},{s:s,s:s}]", "role", "user", "content", "?", "role",
                                 "assistant", "content", answer);
    enum it_status status = render(chat, messages, false, &job, &text);
    const char *at = status == IT_OK ? strstr(it_str_c(&text), answer) : NULL;
    if (at) {
        status = it_tokenizer_encode(tokenizer, at + strlen(answer), strlen(at + strlen(answer)),
                                     &ids);
    }
    for (size_t i = 0; i < ids.n && found < 0; i++) {
        if (it_tokenizer_is_special(tokenizer, ids.item[i])) { found = ids.item[i]; }
    }
    json_decref(messages);
    it_ids_free(&ids);
    it_str_free(&text);
    return found;
}

int32_t it_chat_turn_end(const struct it_chat_template *chat)
{
    return chat->turn_end;
}

/* ---- the whole ---- */

enum it_status it_chat_template_open(const char *folder, const struct it_tokenizer *tokenizer,
                                     const struct it_chat_settings *settings,
                                     struct it_chat_template **template_out)
{
    struct it_chat_template *chat = it_calloc(1, sizeof *chat);
    struct files files = {0};
    chat->variables = json_object();
    enum it_status status = read_files(folder, &files);
    if (status == IT_OK) { status = find_template(folder, &files, tokenizer, chat); }
    bool none = status == IT_OK && !chat->plain;
    if (status == IT_OK && !none) {
        add_specials(files.config_root, chat->variables);
        add_specials(files.specials_root, chat->variables);
        add_class_defaults(files.config_root, chat->variables);
        status = apply_settings(settings, chat);
    }
    free_files(&files);
    if (status == IT_OK && !none) { chat->turn_end = find_turn_end(chat, tokenizer); }
    if (status != IT_OK || none) {
        it_chat_template_close(chat);
        chat = NULL;
    }
    if (status == IT_OK) { *template_out = chat; }
    return status;
}

void it_chat_template_close(struct it_chat_template *chat)
{
    if (!chat) { return; }
    it_jinja_close(chat->plain);
    it_jinja_close(chat->tools);
    json_decref(chat->variables);
    it_free(chat);
}
