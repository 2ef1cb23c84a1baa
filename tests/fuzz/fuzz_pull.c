/* SPDX-License-Identifier: MIT */
/* Hostile answers of a hub: the first byte chooses the list of files with hashes or that of names;
 * whatever is accepted stays below its folder. */
#include <assert.h>
#include <string.h>
#include <strings.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/data/pull_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check(const struct it_pull_file *file)
{
    size_t digits = strlen(file->hash);
    assert(file->path[0] != '\0' && file->path[0] != '/' && !strchr(file->path, '\\'));
    assert(!strstr(file->path, "//") && !strstr(file->path, "/../"));
    assert(strcmp(file->path, "..") != 0 && strncmp(file->path, "../", 3) != 0);
    assert(digits == 0 || digits == 40 || digits == 64);
    assert(strspn(file->hash, "0123456789abcdef") == digits && file->size >= -1);
}

/* Where a redirect leads is always http. */
static void join(const char *bytes, size_t n)
{
    char *text = it_strndup(bytes, n);
    char *url = it_url_join("https://hub.example.org:1/a/b?c", text);
    assert(!url || strncasecmp(url, "http", 4) == 0);
    it_free(url);
    it_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    json_t *answer = NULL;
    struct it_pull_list list = {0};
    if (n == 0) { return 0; }
    it_log_set_level(IT_LOG_ERROR);
    join((const char *)bytes + 1, n - 1);
    if (it_json_parse("answer", (const char *)bytes + 1, n - 1, &answer) != IT_OK) { return 0; }
    if (bytes[0] % 2) {
        (void)it_pull_list_tree(answer, "answer", &list);
    } else {
        (void)it_pull_list_siblings(answer, "answer", &list);
    }
    for (size_t i = 0; i < list.n; i++) { check(&list.file[i]); }
    it_pull_list_free(&list);
    json_decref(answer);
    return 0;
}
