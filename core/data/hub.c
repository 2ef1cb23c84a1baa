/* SPDX-License-Identifier: MIT */
/* Reading the Hugging Face cache; nothing here goes to the network. */
#include "core/data/hub.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/data/data.h"

enum { LONGEST = 200 };

static void add_cache(struct it_strs *caches, const char *variable, const char *below)
{
    const char *value = getenv(variable);
    if (!value || !*value) { return; }
    char *path = *below ? it_path_join(value, below) : it_strdup(value);
    it_strs_add(caches, path);
    it_free(path);
}

void it_hub_caches(struct it_strs *caches_out)
{
    struct it_strs caches = {0};
    add_cache(&caches, "INTUITOR_CACHE", "");
    add_cache(&caches, "HF_HUB_CACHE", "");
    add_cache(&caches, "HF_HOME", "hub");
    add_cache(&caches, "XDG_CACHE_HOME", "huggingface/hub");
    add_cache(&caches, "HOME", ".cache/huggingface/hub");
    *caches_out = caches;
}

/* Letters, digits, '-', '_' and '.', beginning and ending with none of ".-", no ".." and no "--"
 * (which stands for the slash in folder names); one slash at most. */
bool it_hub_is_id(const char *repo_id)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    const char *slash = strchr(repo_id, '/');
    size_t n = strlen(repo_id), first = slash ? (size_t)(slash - repo_id) : 0;
    const char *name = slash ? slash + 1 : repo_id;
    if (n == 0 || n > LONGEST || strstr(repo_id, "..") || strstr(repo_id, "--")) { return false; }
    if (slash && (first == 0 || strspn(repo_id, letters) != first)) { return false; }
    if (*name == '\0' || strspn(name, letters) != strlen(name)) { return false; }
    return !strchr(".-", *repo_id) && !strchr(".-", *name) && !strchr(".-", repo_id[n - 1]);
}

char *it_hub_folder_name(const char *kind, const char *repo_id)
{
    struct it_str name = {0};
    it_str_printf(&name, "%ss--", kind);
    for (const char *at = repo_id; *at; at++) {
        if (*at == '/') { it_str_puts(&name, "--"); } else { it_str_putc(&name, *at); }
    }
    return it_str_take(&name);
}

/* A branch may hold slashes ("refs/pr/1"); no part of it may lead up. */
bool it_hub_is_revision(const char *revision)
{
    size_t n = strlen(revision);
    return n > 0 && n <= LONGEST && revision[0] != '/' && revision[n - 1] != '/' &&
           !strstr(revision, "..") && !strstr(revision, "//");
}

/* What refs/<revision> says, or the revision itself: a commit. */
static char *commit_of(const char *repo, const char *revision)
{
    struct it_str text = {0};
    char *refs = it_path_join(repo, "refs"), *path = it_path_join(refs, revision);
    char *commit = NULL;
    if (!it_path_exists(path) || it_path_is_dir(path)) {
        commit = it_strdup(revision);
    } else if (it_file_read_limit(path, 4096, &text) == IT_OK) {
        commit = it_strndup(it_str_c(&text), strcspn(it_str_c(&text), " \t\r\n"));
    }
    it_free(refs);
    it_free(path);
    it_str_free(&text);
    return commit;
}

static char *snapshot_of(const char *cache, const char *name, const char *revision)
{
    char *repo = it_path_join(cache, name), *found = NULL;
    char *commit = it_path_is_dir(repo) ? commit_of(repo, revision) : NULL;
    if (commit && it_hub_is_revision(commit)) {
        char *snapshots = it_path_join(repo, "snapshots");
        found = it_path_join(snapshots, commit);
        it_free(snapshots);
        if (!it_path_is_dir(found)) {
            it_free(found);
            found = NULL;
        }
    }
    it_free(commit);
    it_free(repo);
    return found;
}

enum it_status it_hub_find(const char *kind, const char *repo_id, const char *revision,
                           char **folder_out)
{
    struct it_strs caches;
    char *found = NULL;
    if (!revision) { revision = "main"; }
    if (!it_hub_is_id(repo_id) || !it_hub_is_revision(revision)) { return IT_END; }
    char *name = it_hub_folder_name(kind, repo_id);
    it_hub_caches(&caches);
    for (size_t i = 0; i < caches.n && !found; i++) {
        found = snapshot_of(caches.item[i], name, revision);
    }
    it_strs_free(&caches);
    it_free(name);
    if (!found) { return IT_END; }
    *folder_out = found;
    return IT_OK;
}

char *it_data_find(const char *name)
{
    const char *root = getenv("INTUITOR_DATA");
    char *path = it_path_exists(name) ? it_strdup(name) : root ? it_path_join(root, name) : NULL;
    if (path && it_path_exists(path)) { return path; }
    it_free(path);
    path = NULL;
    return it_hub_find("dataset", name, NULL, &path) == IT_OK ? path : NULL;
}
