/* SPDX-License-Identifier: MIT */
/* Recognising a chat template without running it; used by chat.c. */
#ifndef IT_TEXT_TEMPLATE_INTERNAL_H
#define IT_TEXT_TEMPLATE_INTERNAL_H

#include "core/base/str.h"

/* In a pattern: the default system text, up to <|im_end|>. The statement {% SKIP %} stands for
 * anything up to the statement behind it, in branches that a plain conversation never enters. */
#define IT_TEMPLATE_CAPTURE '@'

/* Append the one spelling of a Jinja template; false when it is not understood. */
bool it_template_spell(const char *text, size_t n, struct it_str *out);
/* Both in that spelling. */
bool it_template_match(const char *pattern, const char *text, struct it_str *capture);

#endif
