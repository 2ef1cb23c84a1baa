/* SPDX-License-Identifier: MIT */
/* Opening the records of a task's split. */
#ifndef IT_TASKS_DATASET_H
#define IT_TASKS_DATASET_H

#include "tasks/task.h"

/* Fills the text, gold and id of one problem from its record (already there). IT_INVALID, logged
 * with `where`, when a field is missing. */
typedef enum it_status it_dataset_fill(const json_t *record, const char *where,
                                       struct it_problem *problem);

/* `source->data` is a file, a folder with the split in any format of core/data/data.h, or a dataset
 * root whose <folder> is one. Problems without an id get "<task>/<index>". */
enum it_status it_dataset_open(const char *task, const char *folder, const char *split,
                               const struct it_task_source *source, it_dataset_fill *fill,
                               struct it_problems *problems_out);

/* Whether the split lies there; `data` NULL: no. */
bool it_dataset_has(const char *folder, const char *split, const char *data);

/* Required string fields of a record that is graded. */
enum it_status it_dataset_string(const json_t *fields, const char *where, const char *name,
                                 const char **value_out);

/* A field that need not be there: "" where the record has no such string. */
const char *it_dataset_field(const json_t *record, const char *name);

/* Answers and ids, which may be written as numbers too (42, 0.5): their text, which the caller
 * frees. NULL when the field is missing or null. */
enum it_status it_dataset_text(const json_t *fields, const char *where, const char *name,
                               char **text_out);
/* The same for a field that there must be. */
enum it_status it_dataset_gold(const json_t *fields, const char *where, const char *name,
                               char **text_out);

#endif
