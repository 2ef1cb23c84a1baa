/* SPDX-License-Identifier: MIT */
/* Folders: make with parents, list, remove with contents. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/internal.h"
#include "core/base/mem.h"

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

bool it_dir_is_empty(const char *path)
{
    DIR *folder = opendir(path);
    if (!folder) { return errno == ENOENT; }
    const struct dirent *entry;
    do { entry = readdir(folder); } while (entry && is_dots(entry->d_name));
    closedir(folder);
    return entry == NULL;
}

/* Each prefix that ends before a slash, then the whole. Another process may be making the same. */
enum it_status it_dir_make(const char *path)
{
    char *prefix = it_strdup(path);
    int error = path[0] ? 0 : ENOENT;
    for (size_t i = 1; path[0] && !error; i++) {
        if (path[i] != '/' && path[i] != '\0') { continue; }
        prefix[i] = '\0';
        if (mkdir(prefix, 0777) != 0 && !it_path_is_dir(prefix)) {
            error = errno == EEXIST ? ENOTDIR : errno;
        }
        prefix[i] = path[i];
        if (path[i] == '\0') { break; }
    }
    it_free(prefix);
    return error ? it_fail_errno(error, path, "make this folder") : IT_OK;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

enum it_status it_dir_list(const char *path, struct it_strs *names_out)
{
    DIR *folder = opendir(path);
    if (!folder) { return it_fail_errno(errno, path, "list"); }
    struct it_strs names = {0};
    const struct dirent *entry;
    while (errno = 0, (entry = readdir(folder)) != NULL) {
        if (!is_dots(entry->d_name)) { it_strs_add(&names, entry->d_name); }
    }
    int error = errno;
    closedir(folder);
    if (error) {
        it_strs_free(&names);
        return it_fail_errno(error, path, "list");
    }
    if (names.n) { qsort(names.item, names.n, sizeof *names.item, compare); }
    *names_out = names;
    return IT_OK;
}

/* Removing a tree that a hostile program may have made: links are never followed, and a chain of
 * folders deeper than DEEPEST is cut off, moved up to the top and removed in the next pass, so that
 * neither the stack nor the file descriptors run out. */
enum { DEEPEST = 32 };

struct removal {
    int top;         /* the folder being emptied */
    unsigned serial; /* of the chains moved up */
};

static int empty_folder(struct removal *r, int fd, int depth); /* closes fd */

static int move_up(struct removal *r, int fd, const char *name)
{
    char moved[32];
    do {
        snprintf(moved, sizeof moved, ".deep-%u", r->serial++);
        if (faccessat(r->top, moved, F_OK, AT_SYMLINK_NOFOLLOW) != 0) { break; }
    } while (r->serial != 0);
    return renameat(fd, name, r->top, moved) == 0 ? 0 : errno;
}

static int remove_entry(struct removal *r, int fd, const char *name, int depth)
{
    if (unlinkat(fd, name, 0) == 0 || errno == ENOENT) { return 0; }
    int error = errno; /* EISDIR, or EPERM as POSIX has it: perhaps a folder */
    int child = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (child < 0) { return errno == ENOTDIR || errno == ELOOP ? error : errno; }
    if (depth >= DEEPEST) {
        close(child);
        return move_up(r, fd, name);
    }
    error = empty_folder(r, child, depth + 1);
    if (error) { return error; }
    return unlinkat(fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : errno;
}

static int empty_folder(struct removal *r, int fd, int depth)
{
    DIR *folder = fdopendir(fd);
    if (!folder) {
        int error = errno;
        close(fd);
        return error;
    }
    int error = 0;
    const struct dirent *entry;
    while (!error && (errno = 0, (entry = readdir(folder)) != NULL)) {
        if (!is_dots(entry->d_name)) { error = remove_entry(r, fd, entry->d_name, depth); }
    }
    if (!error) { error = errno; }
    closedir(folder);
    return error;
}

/* Passes over the top folder until rmdir finds it empty: chains moved up appear during a pass. */
static int remove_folder(const char *path)
{
    struct removal r = {.top = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (r.top < 0) { return errno; }
    int error = 0;
    while (!error && rmdir(path) != 0) {
        error = errno;
        if (error == ENOTEMPTY || error == EEXIST) {
            int fd = openat(r.top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            error = fd < 0 ? errno : empty_folder(&r, fd, 0);
        }
    }
    close(r.top);
    return error;
}

enum it_status it_dir_remove(const char *path)
{
    struct stat info;
    if (lstat(path, &info) != 0) {
        return errno == ENOENT ? IT_OK : it_fail_errno(errno, path, "remove");
    }
    int error = 0;
    if (S_ISDIR(info.st_mode)) {
        error = remove_folder(path);
    } else if (S_ISLNK(info.st_mode)) { /* the link, not what it names */
        error = unlink(path) == 0 ? 0 : errno;
    } else {
        error = ENOTDIR;
    }
    return error ? it_fail_errno(error, path, "remove this folder") : IT_OK;
}

char *it_cache_folder(const char *name)
{
    static const struct {
        const char *variable, *below;
    } places[] = {{"INTUITOR_CACHE", ""}, {"XDG_CACHE_HOME", "intuitor"},
                  {"HOME", ".cache/intuitor"}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const char *root = getenv(places[i].variable);
        if (!root || root[0] != '/') { continue; } /* XDG: a relative path is to be ignored */
        char *folder = it_path_join(root, places[i].below), *path = it_path_join(folder, name);
        it_free(folder);
        return path;
    }
    return NULL;
}
