/* SPDX-License-Identifier: MIT */
/* Bytes of a text file, plain or gzip, with the number of the line. zlib tells the two apart by the
 * first two bytes, and reads files of several gzip members. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "core/base/file.h"
#include "core/base/inputs.h"
#include "core/base/mem.h"
#include "core/data/data.h"
#include "core/data/internal.h"

enum { PIECE = 1 << 17 };

enum it_status it_source_open(const char *path, struct it_source *source_out)
{
    bool standard = strcmp(path, "-") == 0;
    if (!standard && it_path_is_dir(path)) {
        return it_fail(IT_INVALID, "%s: a folder, expected a file", path);
    }
    int fd = standard ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return it_fail(errno == ENOENT || errno == ENOTDIR ? IT_NOT_FOUND : IT_IO,
                       "%s: cannot open: %s; check the path and its permissions", path,
                       strerror(errno));
    }
    gzFile gz = gzdopen(fd, "rb");
    if (!gz) {
        close(fd);
        return it_fail(IT_NOMEM, "%s: no memory to open it", path);
    }
    if (!standard) { it_inputs_note(path); }
    gzbuffer(gz, PIECE);
    struct it_source source = {.gz = gz, .path = it_strdup(standard ? "stdin" : path), .line = 1,
                               .buffer = it_alloc(PIECE)};
    if (it_source_refill(&source) >= 0) { source.at = 0; }
    if (source.n >= 3 && memcmp(source.buffer, "\xEF\xBB\xBF", 3) == 0) { source.at = 3; }
    if (source.status != IT_OK) {
        enum it_status status = source.status;
        it_source_close(&source);
        return status;
    }
    *source_out = source;
    return IT_OK;
}

void it_source_close(struct it_source *source)
{
    if (source->gz) { gzclose_r(source->gz); }
    it_free(source->path);
    it_free(source->buffer);
    *source = (struct it_source){0};
}

static void read_failed(struct it_source *source)
{
    int code = Z_OK;
    const char *words = gzerror(source->gz, &code);
    if (code == Z_ERRNO) {
        source->status = it_fail(IT_IO, "%s: cannot read: %s", source->path, strerror(errno));
    } else if (code == Z_BUF_ERROR) {
        source->status = it_fail(IT_INVALID, "%s: the gzip data end too early, after %lld lines; "
                                 "copy the file again", source->path, (long long)source->line - 1);
    } else if (code != Z_OK) {
        source->status = it_fail(IT_INVALID, "%s: the gzip data are broken: %s", source->path,
                                 words);
    }
}

/* What was read before an error is handed out first; the next call meets the error again. */
int it_source_refill(struct it_source *source)
{
    source->at = source->n = 0;
    if (source->status != IT_OK) { return -1; }
    int got = gzread(source->gz, source->buffer, PIECE);
    if (got <= 0) {
        read_failed(source);
        return -1;
    }
    source->n = (size_t)got;
    return source->buffer[source->at++];
}

enum it_status it_source_line(struct it_source *source, struct it_str *line)
{
    it_str_clear(line);
    bool some = false, fits = true;
    int c;
    while ((c = it_source_get(source)) >= 0) {
        some = true;
        if (c == '\n') { break; }
        it_source_unget(source, c);
        const uint8_t *from = source->buffer + source->at;
        const uint8_t *end = memchr(from, '\n', source->n - source->at);
        size_t n = end ? (size_t)(end - from) : source->n - source->at;
        fits = fits && line->len + n <= (size_t)IT_DATA_RECORD_LIMIT;
        if (fits) { it_str_add(line, from, n); }
        source->at += n;
    }
    if (source->status != IT_OK) { return source->status; } /* a torn line is no line */
    if (!some) { return IT_END; }
    if (!fits) { return IT_INVALID; }
    if (line->len && line->data[line->len - 1] == '\r') { line->data[--line->len] = '\0'; }
    return IT_OK;
}
