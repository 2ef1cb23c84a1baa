/* SPDX-License-Identifier: MIT */
/* Which files a piece of work read: results name them by their hashes. */
#ifndef IT_BASE_INPUTS_H
#define IT_BASE_INPUTS_H

#include <jansson.h>

/* Between begin and end every file that is opened for reading through core/base/file.h or
 * core/data is noted, each once. Nested calls are counted. */
void it_inputs_begin(void);
void it_inputs_end(void);
/* For who opens a file in another way. Nothing happens outside of begin and end. */
void it_inputs_note(const char *path);
/* Forgets what was noted and returns [{"file","bytes","sha256"}], sorted by name; a file that is
 * gone or cannot be read has null for both. */
json_t *it_inputs_take(void);

#endif
