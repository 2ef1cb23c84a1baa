/* SPDX-License-Identifier: MIT */
/* Hashes of weight files, where a folder gives them: SHA256SUMS, as sha256sum writes it. */
#include <string.h>
#include <strings.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/sha256.h"
#include "core/nn/safetensors.h"

enum { DIGITS = IT_SHA256_TEXT - 1 };

struct line {
    const char *text;
    size_t length;
};

static bool next_line(const struct it_map *map, size_t *at, struct line *line_out)
{
    if (*at >= map->size) { return false; }
    const char *begin = (const char *)map->data + *at;
    const char *end = memchr(begin, '\n', map->size - *at);
    size_t length = end ? (size_t)(end - begin) : map->size - *at;
    *at += length + 1;
    if (length && begin[length - 1] == '\r') { length--; }
    *line_out = (struct line){begin, length};
    return true;
}

/* 64 digits, a blank, a blank or "*", a name that may begin with "./": the name; else NULL. */
static const char *name_of(const struct line *line, size_t *length_out)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    if (line->length < DIGITS + 3 || line->text[DIGITS] != ' ') { return NULL; }
    for (size_t i = 0; i < DIGITS; i++) {
        if (!memchr(digits, line->text[i], sizeof digits - 1)) { return NULL; }
    }
    const char *name = line->text + DIGITS + 2, *end = line->text + line->length;
    if (name[-1] != ' ' && name[-1] != '*') { return NULL; }
    if (end - name > 2 && memcmp(name, "./", 2) == 0) { name += 2; }
    *length_out = (size_t)(end - name);
    return name;
}

static enum it_status compare(const char *sums, const char *path, const char *expected)
{
    char found[IT_SHA256_TEXT];
    IT_TRY(it_sha256_file(path, found));
    if (strncasecmp(found, expected, DIGITS) == 0) { return IT_OK; }
    return it_fail(IT_INVALID, "%s: SHA-256 is %s, %s says %.*s: the file is damaged or another",
                   path, found, sums, (int)DIGITS, expected);
}

static enum it_status check(const char *sums, const struct it_map *map, const char *folder,
                            const char *file)
{
    struct line line;
    enum it_status status = IT_OK;
    int number = 1;
    for (size_t at = 0; status == IT_OK && next_line(map, &at, &line); number++) {
        size_t length = 0;
        const char *name = name_of(&line, &length);
        if (!name && line.length) {
            return it_fail(IT_INVALID, "%s:%d: expected 64 hexadecimal digits and a file name",
                           sums, number);
        }
        if (!name || length != strlen(file) || memcmp(name, file, length) != 0) { continue; }
        char *path = it_path_join(folder, file);
        status = compare(sums, path, line.text);
        it_free(path);
    }
    return status;
}

enum it_status it_safetensors_check_sum(const char *folder, const char *file)
{
    char *sums = it_path_join(folder, "SHA256SUMS");
    struct it_map map;
    enum it_status status = IT_OK;
    if (it_path_exists(sums)) {
        status = it_map_open(sums, &map);
        if (status == IT_OK) {
            status = check(sums, &map, folder, file);
            it_map_close(&map);
        }
    }
    it_free(sums);
    return status;
}
