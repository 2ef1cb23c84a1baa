/* SPDX-License-Identifier: MIT */
/* The private tests of LiveCodeBench: base64 of zlib of a pickle of one string. Nothing is ever
 * executed: a pickle that does more than make one string is an error that names its opcode. */
#ifndef IT_TASKS_GRADE_PICKLE_H
#define IT_TASKS_GRADE_PICKLE_H

#include <stddef.h>

#include "core/base/status.h"
#include "core/base/str.h"

enum { IT_PICKLE_UNPACKED_LIMIT = 256 << 20 }; /* bytes of one value after inflating */

/* The string of a pickle of protocol 0 to 5, appended to text_out. `where` begins an error. */
enum it_status it_pickle_read(const char *where, const void *bytes, size_t size,
                              struct it_str *text_out);
/* The string of the whole encoding, appended. */
enum it_status it_pickle_unpack(const char *where, const char *base64, size_t size,
                                struct it_str *text_out);

#endif
