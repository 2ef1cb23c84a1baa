/* SPDX-License-Identifier: MIT */
/* intuitor tokenize: text to token ids and back, through standard input and output. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "core/base/json.h"

struct tokenize_values {
    struct it_cli_common common;
    char *model;
    bool jsonl, decode;
};

static const struct it_option rows[] = {
    IT_CLI_ROWS(tokenize_values),
    {"model", IT_OPT_STRING, NULL, "folder with the tokenizer's files",
     offsetof(struct tokenize_values, model), NULL},
    {"jsonl", IT_OPT_BOOL, "false", "each input line is a JSON string, each output line an array",
     offsetof(struct tokenize_values, jsonl), NULL},
    {"decode", IT_OPT_BOOL, "false", "the other way: ids to text",
     offsetof(struct tokenize_values, decode), NULL},
};

static const char notes[] =
    "Ids are those of the Hugging Face tokenizer with add_special_tokens=False; special tokens\n"
    "written in the text are recognised. The text is taken and given exactly: a newline at the\n"
    "end of the input is a part of it, and --decode adds none.\n";

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

static enum it_status one_line(const struct it_tokenizer *tokenizer, bool decode,
                               const struct it_lines *lines)
{
    struct it_str where = {0};
    json_t *value = NULL, *answer = NULL;
    it_str_printf(&where, "%s:%lld", lines->path, (long long)lines->number);
    const char *name = it_str_c(&where);
    enum it_status status = it_json_parse(name, it_str_c(&lines->line), lines->line.len, &value);
    if (status == IT_OK) {
        status = decode ? decode_line(tokenizer, name, value, &answer)
                        : encode_line(tokenizer, name, value, &answer);
    }
    if (status == IT_OK) { status = it_jsonl_put(stdout, answer); }
    json_decref(answer);
    json_decref(value);
    it_str_free(&where);
    return status;
}

/* Output lines answer to input lines, so a bad line ends the work instead of shifting the rest. */
static enum it_status all_lines(const struct it_tokenizer *tokenizer, bool decode)
{
    struct it_lines lines;
    IT_TRY(it_lines_open("-", 0, &lines));
    enum it_status status = IT_OK;
    while (status == IT_OK) {
        status = it_lines_next(&lines);
        if (status == IT_OK) { status = one_line(tokenizer, decode, &lines); }
    }
    it_lines_close(&lines);
    return status == IT_END ? IT_OK : status;
}

static enum it_status run(const void *values, const struct it_strs *arguments)
{
    const struct tokenize_values *v = values;
    struct it_tokenizer *tokenizer;
    struct it_str input = {0};
    if (arguments->n) {
        return it_cli_usage(&it_command_tokenize, "the text comes from standard input");
    }
    if (!v->model) { return it_cli_usage(&it_command_tokenize, "no --model given"); }
    IT_TRY(it_tokenizer_open(v->model, &tokenizer));
    enum it_status status;
    if (v->jsonl) {
        status = all_lines(tokenizer, v->decode);
    } else {
        status = read_input(&input);
        if (status == IT_OK) {
            status = v->decode ? decode_text(tokenizer, &input) : encode_text(tokenizer, &input);
        }
    }
    it_str_free(&input);
    it_tokenizer_close(tokenizer);
    return status;
}

const struct it_command it_command_tokenize = {
    .name = "tokenize",
    .summary = "text to token ids and back",
    .usage = "--model DIR [--jsonl] [--decode] < TEXT",
    .example = "printf 'two and two' | intuitor tokenize --model models/tiny",
    .notes = notes,
    .table = {rows, sizeof rows / sizeof *rows},
    .values_size = sizeof(struct tokenize_values),
    .run = run,
};
