/* SPDX-License-Identifier: MIT */
/* How a problem is worded. A prompt is a text file (tasks/prompts/<task>.<name>.txt, or the user's
 * own) in which {field} stands for a field of the record, {{ and }} for braces. */
#ifndef IT_TASKS_PROMPT_H
#define IT_TASKS_PROMPT_H

#include "tasks/task.h"

/* The text of source->prompt_template, else of the named (or default) wording of the task; NULL for
 * a task that has none. An unknown name is IT_INVALID, naming the closest. Borrowed. */
enum it_status it_prompt_find(const struct it_task *task, const struct it_task_source *source,
                              const char **template_out);
/* Appends the template with its fields filled in from `fields` (strings as they are, other values
 * as JSON). A field that the record does not have is IT_INVALID, naming it and `where`. One line
 * break at the end of the template is dropped. */
enum it_status it_prompt_fill(const char *template, const json_t *fields, const char *where,
                              struct it_str *text_out);

#endif
