/* SPDX-License-Identifier: MIT */
/* Text to token ids and back, and the chat template. One tokenizer is shared by all threads; after
 * opening it is read-only. */
#ifndef IT_TEXT_TEXT_H
#define IT_TEXT_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"
#include "core/base/str.h"

struct it_tokenizer;

struct it_ids {
    int32_t *item;
    size_t n, cap;
};
void it_ids_add(struct it_ids *ids, int32_t id);
void it_ids_free(struct it_ids *ids);

/* Byte-level BPE from a model folder: tokenizer.json; else vocab.json + merges.txt (+
 * added_tokens.json); else tokenizer.model with tiktoken ranks (+ added_tokens.json), with the
 * family's built-in expression. The file's own pre-tokenizer expression is compiled with PCRE2
 * (\s is the Unicode White_Space class), NFC is utf8proc's. Everything read is bounds-checked; a
 * hole in the vocabulary, a merge of unknown parts, a duplicate id is IT_INVALID and named. */
enum it_status it_tokenizer_open(const char *folder, struct it_tokenizer **tokenizer_out);
void it_tokenizer_close(struct it_tokenizer *tokenizer);

/* Ids exactly as the Hugging Face tokenizer gives with add_special_tokens=False; special tokens
 * written in the text are recognised. Malformed UTF-8 is replaced first. Appends. */
enum it_status it_tokenizer_encode(const struct it_tokenizer *tokenizer, const char *text,
                                   size_t bytes, struct it_ids *ids_out);
/* Appends the bytes of the ids (possibly a part of a UTF-8 sequence at the end). An id outside the
 * vocabulary (padding rows of the head) adds nothing. */
void it_tokenizer_decode(const struct it_tokenizer *tokenizer, const int32_t *ids, size_t n,
                         bool skip_special, struct it_str *text_out);
int32_t it_tokenizer_size(const struct it_tokenizer *tokenizer); /* largest id + 1 */
int32_t it_tokenizer_find(const struct it_tokenizer *tokenizer, const char *token); /* -1: none */
bool it_tokenizer_is_special(const struct it_tokenizer *tokenizer, int32_t id);
/* eos_token of tokenizer_config.json, -1 when there is none. */
int32_t it_tokenizer_eos(const struct it_tokenizer *tokenizer);

/* ---- chat templates ----
 * The Jinja template of a model folder (docs/templates.md), compiled once: chat_template.jinja,
 * else "chat_template" of tokenizer_config.json (a text, or a list of named ones, of which
 * "default" is used, and "tool_use" when tools are given), else chat_template.json. */
struct it_chat_template;

struct it_chat_settings {
    const char *date; /* what strftime_now tells, "2025-01-31", "today"; NULL: 26 July 2024 */
    const char *variables; /* a JSON object, as {"enable_thinking": false}; NULL: none */
};

/* *template_out is NULL when the folder has none and its vocabulary is not ChatML's either (a
 * vocabulary with <|im_start|> and <|im_end|> means ChatML, said aloud). A template that cannot be
 * rendered here is IT_INVALID. `settings` may be NULL. */
enum it_status it_chat_template_open(const char *folder, const struct it_tokenizer *tokenizer,
                                     const struct it_chat_settings *settings,
                                     struct it_chat_template **template_out);
void it_chat_template_close(struct it_chat_template *chat);
/* The token that the template puts behind an assistant's turn, -1 when it puts none. */
int32_t it_chat_turn_end(const struct it_chat_template *chat);
/* Render a list of messages, [{"role": "user", "content": "..."}, ...], or an object with
 * "messages" and what may come with them: "tools", "documents", "chat_template_kwargs". With
 * add_generation_prompt the assistant's turn is begun. `where` begins errors and may be NULL. */
enum it_status it_chat_render(const struct it_chat_template *chat, const char *where,
                              const json_t *conversation, bool add_generation_prompt,
                              struct it_str *text_out);
/* Plain ChatML: what a folder can be given to chat with. */
extern const char it_chat_template_chatml[];

#endif
