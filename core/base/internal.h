/* SPDX-License-Identifier: MIT */
/* What the files of this folder share and nobody else includes. */
#ifndef IT_BASE_INTERNAL_H
#define IT_BASE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"
#include "core/base/str.h"

/* Log "PATH: cannot ACTION: what errno says; the cure" and return the status that errno `error`
 * stands for. */
enum it_status it_fail_errno(int error, const char *path, const char *action);

/* it_parse_size that leaves the message to the caller, who knows file and field. */
bool it_size_from_text(const char *text, int64_t *bytes_out);

#endif
