/* SPDX-License-Identifier: MIT */
/* Chat templates: the part of Jinja that they are written in, as the transformers library runs it
 * (trim_blocks, lstrip_blocks, its own tojson, loop controls). docs/templates.md lists what is
 * known; everything else is refused by name and line, never rendered in another way. A template is
 * compiled once and read-only from then on. */
#ifndef IT_TEXT_JINJA_H
#define IT_TEXT_JINJA_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "core/base/status.h"
#include "core/base/str.h"

struct it_jinja;

/* Compile. `where` names the template in errors: "WHERE: line 12: cause". A construct that is not
 * known, and a broken template, is IT_INVALID. */
enum it_status it_jinja_open(const char *where, const char *text, size_t bytes,
                             struct it_jinja **jinja_out);
void it_jinja_close(struct it_jinja *jinja);
/* True when the template names this variable or function. */
bool it_jinja_names(const struct it_jinja *jinja, const char *name);

struct it_jinja_job {
    const char *where;       /* what is rendered, begins errors; NULL: nothing does */
    const json_t *variables; /* an object */
    struct tm now;           /* what strftime_now tells */
    bool quiet;              /* failures are not logged: it is only tried */
};
/* Append the filled template; on failure nothing is appended. IT_INVALID is what the
 * template refuses (raise_exception) or cannot do with these values, and what is not known here. */
enum it_status it_jinja_render(const struct it_jinja *jinja, const struct it_jinja_job *job,
                               struct it_str *text_out);

#endif
