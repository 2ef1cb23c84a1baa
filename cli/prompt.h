/* SPDX-License-Identifier: MIT */
/* What commands need before a model is opened: tasks by name, and the text side of a model folder,
 * so that prompts are known when the net is sized for them. */
#ifndef IT_CLI_PROMPT_H
#define IT_CLI_PROMPT_H

#include "cli/cli.h"

/* Rows of commands that render chat templates; the values have `chat_settings`. */
struct it_cli_chat_settings {
    char *date, *variables;
};
#define IT_CLI_CHAT_ROWS(v)                                                                        \
    {"template-date", IT_OPT_STRING, NULL,                                                         \
     "date that a chat template is told, as 2025-01-31, or today; unset: 2024-07-26",              \
     offsetof(struct v, chat_settings.date), NULL},                                                \
    {"chat-template-kwargs", IT_OPT_STRING, NULL,                                                  \
     "variables of the chat template, as '{\"enable_thinking\": false}'",                          \
     offsetof(struct v, chat_settings.variables), NULL}

/* An unknown name is IT_INVALID with the closest; `command` begins the message. */
enum it_status it_cli_task(const char *command, const char *name, const struct it_task **task_out);

/* `text_out` has the folder and its tokenizer, and the chat template once one of the functions
 * below asked for it; no net. A folder without tokenizer files gives none unless it is required. */
enum it_status it_cli_text_open(const char *folder, bool required, struct it_model *text_out);
void it_cli_text_close(struct it_model *text);
/* Opens the chat template where the folder has one; one that cannot be rendered is refused. */
enum it_status it_cli_text_try_chat(struct it_model *text,
                                    const struct it_cli_chat_settings *settings);
/* The same for who cannot do without: none is IT_NOT_FOUND. */
enum it_status it_cli_text_chat(struct it_model *text,
                                const struct it_cli_chat_settings *settings);

/* Ids of a prompt as a model is asked: the text itself, or a conversation with the assistant's turn
 * begun (see it_chat_render). */
enum it_status it_cli_encode(const struct it_model *text, const json_t *string,
                             struct it_ids *ids_out);
enum it_status it_cli_encode_chat(const struct it_model *text, const char *where,
                                  const json_t *conversation, struct it_ids *ids_out);

#endif
