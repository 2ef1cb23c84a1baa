/* SPDX-License-Identifier: MIT */
/* Which files a revision has: GET /api/models/ID/revision/R names the commit, .../tree/COMMIT the
 * files with size and hash, a page at a time. A hub without the latter has the names in the former,
 * and each file's hash in the headers of its address. */
#include "core/data/pull_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/data/hub.h"

enum { FILES = 1000000, PAGES = 10000, ANSWER = 64 << 20, PATH_BYTES = 1024, NAME_BYTES = 255 };

void it_pull_list_free(struct it_pull_list *list)
{
    for (size_t i = 0; i < list->n; i++) { it_free(list->file[i].path); }
    it_free(list->file);
    *list = (struct it_pull_list){0};
}

bool it_pull_is_path(const char *path)
{
    size_t n = strlen(path);
    if (n == 0 || n > PATH_BYTES || it_utf8_valid_prefix(path, n) != n) { return false; }
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)path[i];
        if (c < 0x20 || c == 0x7f || c == '\\') { return false; }
    }
    for (const char *at = path;; at++) {
        size_t part = strcspn(at, "/");
        bool dots = (part == 1 && at[0] == '.') || (part == 2 && at[0] == '.' && at[1] == '.');
        if (part == 0 || part > NAME_BYTES || dots) { return false; }
        at += part;
        if (*at == '\0') { return true; }
    }
}

bool it_pull_is_hash(const char *text, char hash_out[65])
{
    size_t n = strspn(text, "0123456789abcdefABCDEF");
    if (text[n] != '\0' || (n != 40 && n != 64)) { return false; }
    for (size_t i = 0; i <= n; i++) { hash_out[i] = (char)tolower((unsigned char)text[i]); }
    return true;
}

static enum it_status add(struct it_pull_list *list, const char *where, const char *path,
                          const char *hash, int64_t size)
{
    if (!it_pull_is_path(path)) {
        return it_fail(IT_INVALID,
                       "%s: the hub lists a file \"%.200s\": such a name could leave the folder "
                       "and is refused, and all of the repository with it",
                       where, path);
    }
    if (list->n == FILES) { return it_fail(IT_INVALID, "%s: more than %d files", where, FILES); }
    list->file = it_grow(list->file, &list->cap, list->n + 1, sizeof *list->file);
    struct it_pull_file *file = &list->file[list->n];
    *file = (struct it_pull_file){.size = size};
    if (hash && !it_pull_is_hash(hash, file->hash)) {
        return it_fail(IT_INVALID, "%s: %s: the hash \"%.100s\" is not one of 40 or 64 digits",
                       where, path, hash);
    }
    file->path = it_strdup(path);
    list->n++;
    return IT_OK;
}

/* The large-file part tells the true size and SHA-256; else `name` is what git calls the bytes. */
static enum it_status add_entry(struct it_pull_list *list, const char *where, const json_t *entry,
                                const char *path_name, const char *git_name, const char *large_name)
{
    const char *path, *hash = NULL;
    int64_t size = -1;
    IT_TRY(it_json_get_string(entry, where, path_name, &path));
    if (!path) { return it_fail(IT_INVALID, "%s: a file without \"%s\"", where, path_name); }
    const json_t *large = json_object_get(entry, "lfs");
    if (json_is_object(large)) {
        IT_TRY(it_json_get_string(large, where, large_name, &hash));
        if (hash && it_starts_with(hash, "sha256:")) { hash += strlen("sha256:"); }
        IT_TRY(it_json_get_int(large, where, "size", -1, &size));
    } else {
        IT_TRY(it_json_get_string(entry, where, git_name, &hash));
    }
    if (size < 0) { IT_TRY(it_json_get_int(entry, where, "size", -1, &size)); }
    if (size < -1) {
        return it_fail(IT_INVALID, "%s: %.200s: a size of %lld bytes", where, path,
                       (long long)size);
    }
    return add(list, where, path, hash, size);
}

enum it_status it_pull_list_tree(const json_t *answer, const char *where, struct it_pull_list *list)
{
    size_t i;
    const json_t *entry;
    if (!json_is_array(answer)) {
        return it_fail(IT_INVALID, "%s: expected a list of files", where);
    }
    json_array_foreach(answer, i, entry)
    {
        const char *type;
        if (!json_is_object(entry)) {
            return it_fail(IT_INVALID, "%s: entry %zu is not an object", where, i);
        }
        IT_TRY(it_json_get_string(entry, where, "type", &type));
        if (type && strcmp(type, "file") != 0) { continue; }
        IT_TRY(add_entry(list, where, entry, "path", "oid", "oid"));
    }
    return IT_OK;
}

enum it_status it_pull_list_siblings(const json_t *answer, const char *where,
                                     struct it_pull_list *list)
{
    size_t i;
    const json_t *entry, *siblings = json_object_get(answer, "siblings");
    if (!json_is_array(siblings)) {
        return it_fail(IT_INVALID, "%s: expected a list \"siblings\" of files", where);
    }
    json_array_foreach(siblings, i, entry)
    {
        if (!json_is_object(entry)) {
            return it_fail(IT_INVALID, "%s: sibling %zu is not an object", where, i);
        }
        IT_TRY(add_entry(list, where, entry, "rfilename", "blobId", "sha256"));
    }
    return IT_OK;
}

/* ---- asking ---- */

static char *address(const struct it_pull_hub *hub, const char *what, const char *revision,
                     const char *query)
{
    struct it_str url = {0};
    it_str_printf(&url, "%s/api/%ss/%s/%s/", hub->endpoint, hub->options->kind,
                  hub->options->repo_id, what);
    it_url_add(&url, revision, false);
    it_str_puts(&url, query);
    return it_str_take(&url);
}

/* The commit becomes the name of a folder. */
static enum it_status take_commit(struct it_pull_hub *hub, const json_t *answer, const char *where)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const char *commit;
    IT_TRY(it_json_get_string(answer, where, "sha", &commit));
    size_t n = commit ? strlen(commit) : 0;
    if (n == 0 || n > 64 || strspn(commit, digits) != n) {
        return it_fail(IT_INVALID,
                       "%s: field \"sha\": expected the name of a commit, found \"%.100s\"", where,
                       commit ? commit : "");
    }
    hub->commit = it_strdup(commit);
    return IT_OK;
}

static enum it_status fetch_info(struct it_pull_hub *hub, struct it_http *http, json_t **info_out)
{
    char *url = address(hub, "revision", hub->revision, "");
    struct it_pull_ask ask = {.url = url, .body_limit = ANSWER};
    struct it_http_response response = {0};
    json_t *info = NULL;
    enum it_status status = it_pull_send_again(hub, http, &ask, &response);
    if (status == IT_OK && response.status != 200) {
        status = it_pull_refused(hub, &response, NULL);
    }
    if (status == IT_OK) {
        status = it_json_parse(url, it_str_c(&response.body), response.body.len, &info);
    }
    if (status == IT_OK && !json_is_object(info)) {
        status = it_fail(IT_INVALID, "%s: expected an object", url);
    }
    if (status == IT_OK) { status = take_commit(hub, info, url); }
    it_http_response_free(&response);
    it_free(url);
    if (status == IT_OK) {
        *info_out = info;
    } else {
        json_decref(info);
    }
    return status;
}

/* Link: <ADDRESS>; rel="next", perhaps among others; NULL: the last page. */
static char *next_page(const char *url, const struct it_http_response *response)
{
    char *link = it_http_header(response, "Link"), *next = NULL;
    for (const char *at = link; at && !next;) {
        const char *open = strchr(at, '<'), *close = open ? strchr(open, '>') : NULL;
        if (!close) { break; }
        size_t parameters = strcspn(close, ",");
        char *text = it_strndup(close, parameters), *target;
        if (strstr(text, "rel=\"next\"") || strstr(text, "rel=next")) {
            target = it_strndup(open + 1, (size_t)(close - open) - 1);
            next = it_url_join(url, target);
            it_free(target);
        }
        it_free(text);
        at = close + parameters;
    }
    it_free(link);
    return next;
}

/* IT_END, without a message: this hub has no such list. */
static enum it_status fetch_page(const struct it_pull_hub *hub, struct it_http *http, char **url,
                                 struct it_pull_list *list)
{
    struct it_pull_ask ask = {.url = *url, .body_limit = ANSWER};
    struct it_http_response response = {0};
    json_t *answer = NULL;
    char *next = NULL;
    enum it_status status = it_pull_send_again(hub, http, &ask, &response);
    if (status == IT_OK && list->n == 0 && (response.status == 404 || response.status == 501)) {
        status = IT_END;
    } else if (status == IT_OK && response.status != 200) {
        status = it_pull_refused(hub, &response, NULL);
    }
    if (status == IT_OK) {
        status = it_json_parse(*url, it_str_c(&response.body), response.body.len, &answer);
    }
    if (status == IT_OK) { status = it_pull_list_tree(answer, *url, list); }
    if (status == IT_OK) { next = next_page(*url, &response); }
    if (next && !it_url_same_origin(next, hub->endpoint)) {
        status = it_fail(IT_INVALID, "%s: the next page of the list is on another host", *url);
    }
    json_decref(answer);
    it_http_response_free(&response);
    it_free(*url);
    *url = next;
    return status;
}

static enum it_status fetch_tree(const struct it_pull_hub *hub, struct it_http *http,
                                 struct it_pull_list *list)
{
    char *url = address(hub, "tree", hub->commit, "?recursive=true&expand=false");
    enum it_status status = IT_OK;
    for (int page = 0; status == IT_OK && url; page++) {
        if (page == PAGES) {
            status =
                it_fail(IT_INVALID, "%s: the list of files has more than %d pages", url, PAGES);
        } else {
            status = fetch_page(hub, http, &url, list);
        }
    }
    it_free(url);
    return status;
}

static int compare(const void *a, const void *b)
{
    const struct it_pull_file *x = a, *y = b;
    return strcmp(x->path, y->path);
}

static enum it_status sort(const struct it_pull_hub *hub, struct it_pull_list *list)
{
    if (list->n == 0) {
        return it_fail(IT_NOT_FOUND, "%s: the repository has no files", hub->options->repo_id);
    }
    qsort(list->file, list->n, sizeof *list->file, compare);
    for (size_t i = 1; i < list->n; i++) {
        if (strcmp(list->file[i - 1].path, list->file[i].path) == 0) {
            return it_fail(IT_INVALID, "%s: the hub lists %s twice", hub->options->repo_id,
                           list->file[i].path);
        }
    }
    return IT_OK;
}

enum it_status it_pull_list_fetch(struct it_pull_hub *hub, struct it_http *http,
                                  struct it_pull_list *list_out)
{
    struct it_pull_list list = {0};
    json_t *info = NULL;
    IT_TRY(fetch_info(hub, http, &info));
    enum it_status status = fetch_tree(hub, http, &list);
    if (status == IT_END) {
        it_debug("%s: no list of files with hashes; taking the one without", hub->endpoint);
        status = it_pull_list_siblings(info, hub->endpoint, &list);
    }
    json_decref(info);
    if (status == IT_OK) { status = sort(hub, &list); }
    if (status == IT_OK) {
        *list_out = list;
    } else {
        it_pull_list_free(&list);
    }
    return status;
}
