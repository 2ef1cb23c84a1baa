/* SPDX-License-Identifier: MIT */
/* What commands need before a model is opened: tasks by name, and the text side of a model folder,
 * so that prompts are known when the net is sized for them. */
#ifndef IT_CLI_PROMPT_H
#define IT_CLI_PROMPT_H

#include "cli/cli.h"

/* An unknown name is IT_INVALID with the closest; `command` begins the message. */
enum it_status it_cli_task(const char *command, const char *name, const struct it_task **task_out);

/* `text_out` has the folder and its tokenizer, and the chat template once one of the functions
 * below asked for it; no net. A folder without tokenizer files gives none unless it is required. */
enum it_status it_cli_text_open(const char *folder, bool required, struct it_model *text_out);
void it_cli_text_close(struct it_model *text);
/* Sets has_chat where the tokenizer has ChatML's tokens. A template that is not known is
 * IT_NOT_FOUND, logged. */
enum it_status it_cli_text_try_chat(struct it_model *text);
/* The same for who cannot do without: no has_chat is IT_NOT_FOUND. */
enum it_status it_cli_text_chat(struct it_model *text);

/* Ids of a prompt as a model is asked: the text itself, or a conversation with the assistant's turn
 * begun. Messages that are none are IT_INVALID, named by `where`. */
enum it_status it_cli_encode(const struct it_model *text, const json_t *string,
                             struct it_ids *ids_out);
enum it_status it_cli_encode_chat(const struct it_model *text, const char *where,
                                  const json_t *messages, struct it_ids *ids_out);

#endif
