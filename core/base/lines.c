/* SPDX-License-Identifier: MIT */
/* Lines of text files, of any length up to a limit. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/inputs.h"
#include "core/base/internal.h"
#include "core/base/mem.h"

static const size_t default_limit = (size_t)64 << 20;

enum it_status it_lines_open(const char *path, size_t limit, struct it_lines *lines_out)
{
    bool standard = strcmp(path, "-") == 0;
    if (!standard && it_path_is_dir(path)) { return it_fail_errno(EISDIR, path, "read"); }
    FILE *stream = standard ? stdin : fopen(path, "re");
    if (!stream) { return it_fail_errno(errno, path, "open"); }
    if (!standard) { it_inputs_note(path); }
    *lines_out = (struct it_lines){
        .stream = stream,
        .path = it_strdup(standard ? "stdin" : path),
        .limit = limit ? limit : default_limit,
    };
    return IT_OK;
}

/* One line into lines->line, at most limit bytes of it; the rest is read and dropped. Returns
 * whether it fitted. */
static bool read_line(struct it_lines *lines)
{
    char piece[4096];
    size_t n = 0, total = 0;
    int c;
    while ((c = getc_unlocked(lines->stream)) != EOF && c != '\n') {
        if (total++ > lines->limit) { continue; } /* one more than allowed: it may be a CR */
        piece[n++] = (char)c;
        if (n == sizeof piece) {
            it_str_add(&lines->line, piece, n);
            n = 0;
        }
    }
    it_str_add(&lines->line, piece, n);
    struct it_str *line = &lines->line;
    if (line->len && line->len == total && line->data[line->len - 1] == '\r') {
        line->data[--line->len] = '\0';
    }
    return line->len <= lines->limit;
}

enum it_status it_lines_next(struct it_lines *lines)
{
    it_str_clear(&lines->line);
    int c = getc_unlocked(lines->stream);
    if (c == EOF) {
        if (ferror(lines->stream)) { return it_fail_errno(errno, lines->path, "read"); }
        return IT_END;
    }
    ungetc(c, lines->stream);
    lines->number++;
    bool fits = read_line(lines);
    if (ferror(lines->stream)) { return it_fail_errno(errno, lines->path, "read"); }
    if (fits) { return IT_OK; }
    it_str_clear(&lines->line);
    return it_fail(IT_INVALID, "%s:%" PRId64 ": the line is longer than %zu bytes", lines->path,
                   lines->number, lines->limit);
}

void it_lines_close(struct it_lines *lines)
{
    if (lines->stream && lines->stream != stdin) { fclose(lines->stream); }
    it_free(lines->path);
    it_str_free(&lines->line);
    *lines = (struct it_lines){0};
}
