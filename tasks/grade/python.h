/* SPDX-License-Identifier: MIT */
/* JSON as Python reads it, and values as Python's str() and repr() write them. */
#ifndef IT_TASKS_GRADE_PYTHON_H
#define IT_TASKS_GRADE_PYTHON_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/str.h"

/* Parses text[0..size) as one JSON value (NaN, Infinity and repeated keys are fine; control
 * characters in strings are not) which must be an object, and appends str() of its member `key`,
 * the last of that name. False when it is no JSON object; *found_out: whether it has the key. */
bool it_python_json_member(const char *text, size_t size, const char *key, bool *found_out,
                           struct it_str *out);

/* repr() of a float: the shortest digits that read back the same. */
void it_python_float(double value, struct it_str *out);

#endif
