/* SPDX-License-Identifier: MIT */
/* intuitor tokenize: text to token ids and back, through standard input and output. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/prompt.h"
#include "core/base/json.h"

struct tokenize_values {
    struct it_cli_common common;
    char *model;
    bool jsonl, decode, chat, render;
    struct it_cli_chat_settings chat_settings;
};

static const struct it_option rows[] = {
    IT_CLI_ROWS(tokenize_values),
    {"model", IT_OPT_STRING, NULL, "folder with the tokenizer's files",
     offsetof(struct tokenize_values, model), NULL},
    {"jsonl", IT_OPT_BOOL, "false", "each input line is a JSON string, each output line an array",
     offsetof(struct tokenize_values, jsonl), NULL},
    {"decode", IT_OPT_BOOL, "false", "the other way: ids to text",
     offsetof(struct tokenize_values, decode), NULL},
    {"chat", IT_OPT_BOOL, "false",
     "the input is a conversation in JSON, rendered by the model's chat template",
     offsetof(struct tokenize_values, chat), NULL},
    {"render", IT_OPT_BOOL, "false", "with --chat: the text instead of its ids",
     offsetof(struct tokenize_values, render), NULL},
    IT_CLI_CHAT_ROWS(tokenize_values),
};

static const char notes[] =
    "Ids are those of the Hugging Face tokenizer with add_special_tokens=False; special tokens\n"
    "written in the text are recognised. The text is taken and given exactly: a newline at the\n"
    "end of the input is a part of it, and --decode adds none. A conversation is a list of\n"
    "messages, or an object with messages and tools, documents, chat_template_kwargs,\n"
    "add_generation_prompt (default true).\n";

/* All of standard input. */
static enum it_status read_input(struct it_str *text)
{
    char piece[1 << 16];
    size_t n;
    while ((n = fread(piece, 1, sizeof piece, stdin)) > 0) { it_str_add(text, piece, n); }
    if (ferror(stdin)) { return it_fail(IT_IO, "stdin: reading failed: %s", strerror(errno)); }
    return IT_OK;
}

static enum it_status put_bytes(const char *bytes, size_t n)
{
    if (fwrite(bytes, 1, n, stdout) == n) { return IT_OK; }
    return it_fail(IT_IO, "standard output: writing failed: %s", strerror(errno));
}

static void say_unknown(const struct it_tokenizer *tokenizer, const char *where, int64_t id)
{
    if (id < it_tokenizer_size(tokenizer)) { return; }
    it_warn("%s: id %lld is outside the vocabulary of %d: it has no text", where, (long long)id,
            (int)it_tokenizer_size(tokenizer));
}

/* ---- whole texts ---- */

static enum it_status encode_text(const struct it_tokenizer *tokenizer, const struct it_str *input)
{
    struct it_ids ids = {0};
    struct it_str line = {0};
    enum it_status status = it_tokenizer_encode(tokenizer, it_str_c(input), input->len, &ids);
    for (size_t i = 0; i < ids.n; i++) {
        it_str_printf(&line, "%s%d", i ? " " : "", (int)ids.item[i]);
    }
    it_str_putc(&line, '\n');
    if (status == IT_OK) { status = put_bytes(it_str_c(&line), line.len); }
    it_str_free(&line);
    it_ids_free(&ids);
    return status;
}

static enum it_status read_id(const char *word, size_t length, int32_t *id_out)
{
    char *end;
    errno = 0;
    long value = strtol(word, &end, 10);
    if (end != word + length || errno || value < 0 || value > INT32_MAX) {
        return it_fail(IT_INVALID, "stdin: expected token ids separated by blanks, found \"%.*s\"",
                       (int)(length < 40 ? length : 40), word);
    }
    *id_out = (int32_t)value;
    return IT_OK;
}

static enum it_status decode_text(const struct it_tokenizer *tokenizer, const struct it_str *input)
{
    static const char blanks[] = " \t\r\n";
    struct it_ids ids = {0};
    struct it_str text = {0};
    enum it_status status = IT_OK;
    const char *at = it_str_c(input), *end = at + input->len;
    while (status == IT_OK && (at += strspn(at, blanks)) < end) {
        size_t length = strcspn(at, blanks);
        int32_t id = 0;
        status = read_id(at, length, &id);
        if (status != IT_OK) { break; }
        say_unknown(tokenizer, "stdin", id);
        it_ids_add(&ids, id);
        at += length;
    }
    if (status == IT_OK) {
        it_tokenizer_decode(tokenizer, ids.item, ids.n, false, &text);
        status = put_bytes(it_str_c(&text), text.len);
    }
    it_str_free(&text);
    it_ids_free(&ids);
    return status;
}

/* ---- one JSON value a line ---- */

static enum it_status encode_line(const struct it_tokenizer *tokenizer, const char *where,
                                  const json_t *value, json_t **out)
{
    struct it_ids ids = {0};
    if (!json_is_string(value)) {
        return it_fail(IT_INVALID, "%s: expected a JSON string", where);
    }
    enum it_status status = it_tokenizer_encode(tokenizer, json_string_value(value),
                                                json_string_length(value), &ids);
    *out = json_array();
    for (size_t i = 0; i < ids.n; i++) { json_array_append_new(*out, json_integer(ids.item[i])); }
    it_ids_free(&ids);
    return status;
}

static void put_ids(const json_t *ids, struct it_str *line)
{
    for (size_t i = 0; i < json_array_size(ids); i++) {
        it_str_printf(line, "%s%lld", i ? " " : "",
                      (long long)json_integer_value(json_array_get(ids, i)));
    }
    it_str_putc(line, '\n');
}

/* A conversation as a text, or as its ids. */
static enum it_status chat_line(const struct it_model *text, bool render, const char *where,
                                const json_t *value, json_t **out)
{
    struct it_str prompt = {0};
    bool begin = true;
    if (json_is_object(value)) {
        IT_TRY(it_json_get_bool(value, where, "add_generation_prompt", true, &begin));
    }
    enum it_status status = it_chat_render(text->chat, where, value, begin, &prompt);
    json_t *string = status == IT_OK ? it_json_text(it_str_c(&prompt), prompt.len) : NULL;
    it_str_free(&prompt);
    if (status != IT_OK || render) {
        *out = string;
        return status;
    }
    status = encode_line(text->tokenizer, where, string, out);
    json_decref(string);
    return status;
}

static enum it_status decode_line(const struct it_tokenizer *tokenizer, const char *where,
                                  const json_t *value, json_t **out)
{
    struct it_ids ids = {0};
    struct it_str text = {0};
    enum it_status status = json_is_array(value) ? IT_OK : IT_INVALID;
    for (size_t i = 0; i < json_array_size(value) && status == IT_OK; i++) {
        const json_t *item = json_array_get(value, i);
        json_int_t id = json_is_integer(item) ? json_integer_value(item) : -1;
        if (id < 0 || id > INT32_MAX) {
            status = IT_INVALID;
            break;
        }
        say_unknown(tokenizer, where, id);
        it_ids_add(&ids, (int32_t)id);
    }
    if (status == IT_OK) {
        it_tokenizer_decode(tokenizer, ids.item, ids.n, false, &text);
        *out = it_json_text(it_str_c(&text), text.len);
    } else {
        it_fail(status, "%s: expected a JSON array of token ids", where);
    }
    it_str_free(&text);
    it_ids_free(&ids);
    return status;
}

static enum it_status one_value(const struct it_model *text, const struct tokenize_values *v,
                                const char *where, const char *bytes, size_t n, json_t **out)
{
    json_t *value = NULL;
    enum it_status status = it_json_parse(where, bytes, n, &value);
    if (status == IT_OK) {
        status = v->chat     ? chat_line(text, v->render, where, value, out)
                 : v->decode ? decode_line(text->tokenizer, where, value, out)
                             : encode_line(text->tokenizer, where, value, out);
    }
    json_decref(value);
    return status;
}

static enum it_status one_line(const struct it_model *text, const struct tokenize_values *v,
                               const struct it_lines *lines)
{
    struct it_str where = {0};
    json_t *answer = NULL;
    it_str_printf(&where, "%s:%lld", lines->path, (long long)lines->number);
    enum it_status status = one_value(text, v, it_str_c(&where), it_str_c(&lines->line),
                                      lines->line.len, &answer);
    if (status == IT_OK) { status = it_jsonl_put(stdout, answer); }
    json_decref(answer);
    it_str_free(&where);
    return status;
}

/* Output lines answer to input lines, so a bad line ends the work instead of shifting the rest. */
static enum it_status all_lines(const struct it_model *text, const struct tokenize_values *v)
{
    struct it_lines lines;
    IT_TRY(it_lines_open("-", 0, &lines));
    enum it_status status = IT_OK;
    while (status == IT_OK) {
        status = it_lines_next(&lines);
        if (status == IT_OK) { status = one_line(text, v, &lines); }
    }
    it_lines_close(&lines);
    return status == IT_END ? IT_OK : status;
}

/* One conversation: its text as it is, or its ids on a line. */
static enum it_status chat_input(const struct it_model *text, const struct tokenize_values *v,
                                 const struct it_str *input)
{
    json_t *answer = NULL;
    struct it_str line = {0};
    IT_TRY(one_value(text, v, "stdin", it_str_c(input), input->len, &answer));
    if (json_is_string(answer)) {
        it_str_add(&line, json_string_value(answer), json_string_length(answer));
    } else {
        put_ids(answer, &line);
    }
    enum it_status status = put_bytes(it_str_c(&line), line.len);
    it_str_free(&line);
    json_decref(answer);
    return status;
}

static enum it_status all_input(const struct it_model *text, const struct tokenize_values *v)
{
    struct it_str input = {0};
    enum it_status status = read_input(&input);
    if (status == IT_OK) {
        status = v->chat     ? chat_input(text, v, &input)
                 : v->decode ? decode_text(text->tokenizer, &input)
                             : encode_text(text->tokenizer, &input);
    }
    it_str_free(&input);
    return status;
}

static enum it_status run(const void *values, const struct it_strs *arguments)
{
    const struct tokenize_values *v = values;
    struct it_model text = {0};
    if (arguments->n) {
        return it_cli_usage(&it_command_tokenize, "the text comes from standard input");
    }
    if (!v->model) { return it_cli_usage(&it_command_tokenize, "no --model given"); }
    if (v->chat && v->decode) {
        return it_cli_usage(&it_command_tokenize, "--chat and --decode exclude each other");
    }
    if (v->render && !v->chat) {
        return it_cli_usage(&it_command_tokenize, "--render goes with --chat");
    }
    IT_TRY(it_cli_text_open(v->model, true, &text));
    enum it_status status = v->chat ? it_cli_text_chat(&text, &v->chat_settings) : IT_OK;
    if (status == IT_OK) { status = v->jsonl ? all_lines(&text, v) : all_input(&text, v); }
    it_cli_text_close(&text);
    return status;
}

const struct it_command it_command_tokenize = {
    .name = "tokenize",
    .summary = "text to token ids and back",
    .usage = "--model DIR [--jsonl] [--decode | --chat [--render]] < TEXT",
    .example = "printf 'two and two' | intuitor tokenize --model models/tiny",
    .notes = notes,
    .table = {rows, sizeof rows / sizeof *rows},
    .values_size = sizeof(struct tokenize_values),
    .run = run,
};
