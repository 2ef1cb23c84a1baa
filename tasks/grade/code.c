/* SPDX-License-Identifier: MIT */
/* Finding the program in a completion. */
#include "tasks/grade/code.h"

#include <string.h>

#include "core/base/mem.h"
#include "core/base/str.h"

/* The end of the line that begins at `at`: its newline, or the end of the text. */
static const char *line_end(const char *at)
{
    const char *end = strchr(at, '\n');
    return end != NULL ? end : at + strlen(at);
}

/* Three backticks in the line; NULL when it has none. */
static const char *fence_of(const char *line, const char *end)
{
    for (; end - line >= 3; line++) {
        if (memcmp(line, "```", 3) == 0) { return line; }
    }
    return NULL;
}

char *it_code_last_block(const char *completion)
{
    /* the line behind the last fence but one, and the newline before the last */
    const char *from = NULL, *to = NULL, *next = NULL;
    size_t fences = 0;
    for (const char *at = completion;;) {
        const char *end = line_end(at);
        if (fence_of(at, end) != NULL) {
            from = next;
            to = at;
            next = *end != '\0' ? end + 1 : end;
            fences++;
        }
        if (*end == '\0') { break; }
        at = end + 1;
    }
    if (fences == 0) { return it_trimmed(completion, strlen(completion)); }
    if (fences == 1) { return NULL; }
    return it_strndup(from, to > from ? (size_t)(to - from) - 1 : 0);
}

char *it_code_all_blocks(const char *completion)
{
    struct it_str program = {0};
    const char *open = NULL; /* the first line of the block that is open */
    bool found = false;
    for (const char *at = completion;;) {
        const char *end = line_end(at), *hit = fence_of(at, end);
        if (hit != NULL) {
            if (open != NULL) {
                char *block = it_trimmed(open, (size_t)(hit - open));
                it_str_printf(&program, "%s%s", found ? "\n\n" : "", block);
                it_free(block);
                open = NULL;
                found = true;
            } else if (it_starts_with(hit, "```python")) {
                open = *end != '\0' ? end + 1 : end;
            }
        }
        if (*end == '\0') { break; }
        at = end + 1;
    }
    char *text = found ? it_strdup(it_str_c(&program)) : NULL;
    it_str_free(&program);
    return text;
}
