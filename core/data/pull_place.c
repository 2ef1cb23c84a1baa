/* SPDX-License-Identifier: MIT */
/* Where what was pulled lies: the cache that Hugging Face programs share, or a plain folder. Names
 * come from strangers: every folder on the way is opened without following links. */
#include "core/data/pull_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/data/hub.h"

static char *join3(const char *a, const char *b, const char *c)
{
    char *ab = it_path_join(a, b), *abc = it_path_join(ab, c);
    it_free(ab);
    return abc;
}

static enum it_status make_cache(const struct it_pull_hub *hub, struct it_pull_place *place)
{
    struct it_strs caches;
    it_hub_caches(&caches);
    if (caches.n == 0) {
        it_strs_free(&caches);
        return it_fail(IT_INVALID, "there is no folder for downloads: set HF_HOME, or name one "
                                   "with --local-dir");
    }
    const char *root = caches.item[0];
    char *name = it_hub_folder_name(hub->options->kind, hub->options->repo_id);
    char *repo = it_path_join(root, name);
    *place = (struct it_pull_place){.root = it_strdup(root),
                                    .blobs = it_path_join(repo, "blobs"),
                                    .locks = join3(root, ".locks", name),
                                    .folder = join3(repo, "snapshots", hub->commit),
                                    .refs = it_path_join(repo, "refs")};
    it_free(repo);
    it_free(name);
    it_strs_free(&caches);
    return IT_OK;
}

enum it_status it_pull_place_open(const struct it_pull_hub *hub, struct it_pull_place *place_out)
{
    struct it_pull_place place = {0};
    const char *local = hub->options->local_dir;
    enum it_status status = IT_OK;
    if (local) {
        char *notes = it_path_join(local, ".cache/huggingface/download");
        place = (struct it_pull_place){.root = it_strdup(local),
                                       .blobs = notes,
                                       .locks = it_strdup(notes),
                                       .folder = it_strdup(local)};
    } else {
        status = make_cache(hub, &place);
    }
    if (status == IT_OK) { status = it_dir_make(place.blobs); }
    if (status == IT_OK) { status = it_dir_make(place.locks); }
    if (status == IT_OK) { status = it_dir_make(place.folder); }
    if (status == IT_OK && place.refs) { status = it_dir_make(place.refs); }
    if (status == IT_OK) {
        *place_out = place;
    } else {
        it_pull_place_close(&place);
    }
    return status;
}

void it_pull_place_close(struct it_pull_place *place)
{
    it_free(place->root);
    it_free(place->blobs);
    it_free(place->locks);
    it_free(place->folder);
    it_free(place->refs);
    *place = (struct it_pull_place){0};
}

enum it_status it_pull_folder(const char *root, const char *path, int *fd_out)
{
    enum { HOW = O_RDONLY | O_DIRECTORY | O_CLOEXEC };
    char *part = it_strdup(path);
    int fd = open(root, HOW), error = fd < 0 ? errno : 0;
    for (char *at = part, *slash; !error && (slash = strchr(at, '/')); at = slash + 1) {
        *slash = '\0';
        if (mkdirat(fd, at, 0777) != 0 && errno != EEXIST) { error = errno; }
        int next = error ? -1 : openat(fd, at, HOW | O_NOFOLLOW);
        if (!error && next < 0) { error = errno; }
        close(fd);
        fd = next;
    }
    it_free(part);
    if (error) {
        bool way = error == ENOTDIR || error == ELOOP;
        return it_fail(IT_IO, "%s/%s: cannot make its folder: %s", root, path,
                       way ? "a file or a link is in the way" : strerror(error));
    }
    *fd_out = fd;
    return IT_OK;
}

/* ---- locks: those of huggingface_hub ---- */

/* 1: held; 0: somebody else's, or removed while we waited for it; -1: locks do not work here. */
static int try_lock(int fd, const char *path)
{
    struct stat held, named;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK || errno == EINTR ? 0 : -1;
    }
    return fstat(fd, &held) == 0 && stat(path, &named) == 0 && held.st_ino == named.st_ino &&
           held.st_dev == named.st_dev;
}

enum it_status it_pull_lock(const struct it_pull_place *place, const char *hash, int *fd_out)
{
    struct it_str path = {0};
    enum it_status status = IT_OK;
    int fd = -1;
    it_str_printf(&path, "%s/%s.lock", place->locks, hash);
    for (bool said = false; status == IT_OK;) {
        fd = open(it_str_c(&path), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (fd < 0) {
            status = it_fail(IT_IO, "%s: cannot lock: %s", it_str_c(&path), strerror(errno));
            break;
        }
        int held = try_lock(fd, it_str_c(&path));
        if (held < 0) { it_debug("%s: cannot lock here: %s", it_str_c(&path), strerror(errno)); }
        if (held != 0) { break; }
        close(fd);
        if (!said) { it_info("%s: waiting for another transfer of this file", it_str_c(&path)); }
        said = true;
        usleep(100000);
        if (it_interrupted()) { status = IT_INTERRUPTED; }
    }
    it_str_free(&path);
    if (status == IT_OK) { *fd_out = fd; }
    return status;
}

/* ---- names in a snapshot ---- */

/* A name that nobody else makes, in the folder of the final one. */
static void temporary_name(char name[64])
{
    static atomic_uint serial;
    snprintf(name, 64, ".intuitor-%ld-%u", (long)getpid(), atomic_fetch_add(&serial, 1));
}

static bool links_to(int fd, const char *name, const char *target)
{
    char now[512];
    ssize_t n = readlinkat(fd, name, now, sizeof now);
    return n >= 0 && (size_t)n == strlen(target) && memcmp(now, target, (size_t)n) == 0;
}

/* File systems without links get the file a second time. */
static enum it_status copy(const struct it_pull_place *place, const char *key, const char *path)
{
    char *from = it_path_join(place->blobs, key), *to = it_path_join(place->folder, path);
    enum it_status status = it_file_copy(from, to);
    it_free(from);
    it_free(to);
    return status;
}

enum it_status it_pull_link(const struct it_pull_place *place, const char *key, const char *path)
{
    struct it_str target = {0};
    char temporary[64];
    int fd, error = 0;
    IT_TRY(it_pull_folder(place->folder, path, &fd));
    for (const char *at = path; at; at = strchr(at, '/')) { /* out of the snapshot's folders */
        it_str_puts(&target, "../");
        at += at != path;
    }
    it_str_printf(&target, "../blobs/%s", key);
    const char *name = it_path_base(path);
    temporary_name(temporary);
    bool done = links_to(fd, name, it_str_c(&target));
    if (!done && symlinkat(it_str_c(&target), fd, temporary) != 0) { error = errno; }
    if (!done && !error && renameat(fd, temporary, fd, name) != 0) {
        error = errno;
        unlinkat(fd, temporary, 0);
    }
    close(fd);
    it_str_free(&target);
    if (error == EPERM || error == ENOTSUP || error == ENOSYS) { return copy(place, key, path); }
    if (!error) { return IT_OK; }
    return it_fail(IT_IO, "%s/%s: cannot make this link: %s", place->folder, path, strerror(error));
}

enum it_status it_pull_set_ref(const struct it_pull_hub *hub, const struct it_pull_place *place)
{
    if (!place->refs || strcmp(hub->revision, hub->commit) == 0) { return IT_OK; }
    int fd;
    IT_TRY(it_pull_folder(place->refs, hub->revision, &fd));
    close(fd);
    char *path = it_path_join(place->refs, hub->revision);
    enum it_status status = it_file_write(path, hub->commit, strlen(hub->commit));
    it_free(path);
    return status;
}

/* ---- plain folders ---- */

/* What was pulled under this name before: the second line of its notes, "" when there is none. */
static void noted_hash(const struct it_pull_place *place, const char *path, char hash_out[65])
{
    struct it_str name = {0};
    char line[256] = "";
    hash_out[0] = '\0';
    it_str_printf(&name, "%s/%s.metadata", place->blobs, path);
    FILE *stream = fopen(it_str_c(&name), "re");
    if (stream && fgets(line, sizeof line, stream) && fgets(line, sizeof line, stream)) {
        line[strcspn(line, "\r\n")] = '\0';
        if (!it_pull_is_hash(line, hash_out)) { hash_out[0] = '\0'; }
    }
    if (stream) { fclose(stream); }
    it_str_free(&name);
}

static enum it_status compare_local(const struct it_pull_place *place,
                                    const struct it_pull_file *file, const char *path,
                                    bool *has_out)
{
    char noted[65];
    bool ours = false;
    if (file->hash[0]) { IT_TRY(it_pull_file_is(path, file->hash, file->size, has_out)); }
    if (*has_out) { return IT_OK; }
    noted_hash(place, file->path, noted);
    if (noted[0]) { IT_TRY(it_pull_file_is(path, noted, -1, &ours)); }
    if (ours) { return IT_OK; }
    return it_fail(IT_INVALID,
                   "%s: differs from the hub's and was not pulled, or was changed since: move it "
                   "away to get the hub's",
                   path);
}

enum it_status it_pull_local_has(const struct it_pull_place *place, const struct it_pull_file *file,
                                 bool *has_out)
{
    struct stat info;
    int fd;
    *has_out = false;
    if (strncmp(file->path, ".cache/huggingface/", 19) == 0) {
        return it_fail(IT_INVALID, "%s: this name is taken by the notes on what was pulled",
                       file->path);
    }
    IT_TRY(it_pull_folder(place->folder, file->path, &fd));
    bool there = fstatat(fd, it_path_base(file->path), &info, AT_SYMLINK_NOFOLLOW) == 0;
    close(fd);
    if (!there) { return IT_OK; }
    char *path = it_path_join(place->folder, file->path);
    enum it_status status =
        S_ISREG(info.st_mode)
            ? compare_local(place, file, path, has_out)
            : it_fail(IT_IO, "%s: a link or folder is in the way of a file", path);
    it_free(path);
    return status;
}

/* "commit\nhash\ntime\n", as huggingface_hub reads it. */
static enum it_status take_note(const struct it_pull_hub *hub, const struct it_pull_place *place,
                                const struct it_pull_file *file)
{
    struct it_str path = {0}, text = {0};
    int fd;
    IT_TRY(it_pull_folder(place->blobs, file->path, &fd));
    close(fd);
    it_str_printf(&path, "%s/%s.metadata", place->blobs, file->path);
    it_str_printf(&text, "%s\n%s\n%lld\n", hub->commit, file->hash, (long long)time(NULL));
    enum it_status status = it_file_write(it_str_c(&path), it_str_c(&text), text.len);
    it_str_free(&path);
    it_str_free(&text);
    return status;
}

enum it_status it_pull_local_put(const struct it_pull_hub *hub, const struct it_pull_place *place,
                                 const char *partial, const struct it_pull_file *file)
{
    int fd;
    IT_TRY(it_pull_folder(place->folder, file->path, &fd));
    int error = renameat(AT_FDCWD, partial, fd, it_path_base(file->path)) == 0 ? 0 : errno;
    close(fd);
    if (error) {
        return it_fail(IT_IO, "%s/%s: cannot write: %s", place->folder, file->path,
                       strerror(error));
    }
    return take_note(hub, place, file);
}
