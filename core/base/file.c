/* SPDX-License-Identifier: MIT */
/* Paths, whole reads, read-only maps, and what a failed system call means to a person. */
#include "core/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/inputs.h"
#include "core/base/internal.h"
#include "core/base/mem.h"

static const struct {
    int error;
    enum it_status status;
    const char *cure;
} cures[] = {
    {ENOENT, IT_NOT_FOUND, "check the path"},
    {ENOTDIR, IT_NOT_FOUND, "check the path"},
    {EISDIR, IT_INVALID, "name a file"},
    {EINVAL, IT_INVALID, NULL},
    {ENAMETOOLONG, IT_INVALID, "use a shorter path"},
    {ELOOP, IT_INVALID, "check its symbolic links"},
    {EACCES, IT_IO, "check its permissions"},
    {EPERM, IT_IO, "check its permissions"},
    {EROFS, IT_IO, "choose a folder that can be written"},
    {ENOSPC, IT_IO, "make room on the disk"},
    {EDQUOT, IT_IO, "make room in your quota"},
    {EFBIG, IT_IO, "raise the limit on file sizes (ulimit -f)"},
    {EMFILE, IT_IO, "raise the limit on open files (ulimit -n)"},
    {ENOMEM, IT_NOMEM, NULL},
};

enum it_status it_fail_errno(int error, const char *path, const char *action)
{
    enum it_status status = IT_IO;
    const char *cure = NULL;
    for (size_t i = 0; i < sizeof cures / sizeof cures[0]; i++) {
        if (cures[i].error == error) {
            status = cures[i].status;
            cure = cures[i].cure;
        }
    }
    return it_fail(status, "%s: cannot %s: %s%s%s", path[0] ? path : "\"\"", action,
                   strerror(error), cure ? "; " : "", cure ? cure : "");
}

bool it_path_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

bool it_path_is_dir(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* An absolute name stands for itself, as in a shell. */
char *it_path_join(const char *folder, const char *name)
{
    struct it_str path = {0};
    if (name[0] != '/' && folder[0] != '\0') {
        it_str_puts(&path, folder);
        if (!it_ends_with(folder, "/")) { it_str_putc(&path, '/'); }
    }
    it_str_puts(&path, name);
    return it_str_take(&path);
}

/* The last name in the path, with the slashes that may follow it: "a/b/" gives "b/". */
const char *it_path_base(const char *path)
{
    const char *end = path + strlen(path);
    while (end > path && end[-1] == '/') { end--; }
    while (end > path && end[-1] != '/') { end--; }
    return end;
}

/* flags: O_NONBLOCK where a pipe would do no good, so that nobody waits for its other end. */
static enum it_status open_to_read(const char *path, int flags, int *fd_out, struct stat *info_out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    if (fd < 0) { return it_fail_errno(errno, path, "open"); }
    int error = fstat(fd, info_out) != 0 ? errno : S_ISDIR(info_out->st_mode) ? EISDIR : 0;
    if (error) {
        close(fd);
        return it_fail_errno(error, path, "read");
    }
    it_inputs_note(path);
    *fd_out = fd;
    return IT_OK;
}

/* To the end, whatever the size was said to be: pipes and /proc say nothing. */
static enum it_status read_all(int fd, const char *path, size_t limit, struct it_str *out)
{
    enum { PIECE = 1 << 16 };
    size_t begin = out->len;
    for (;;) {
        out->data = it_grow(out->data, &out->cap, out->len + PIECE + 1, 1);
        ssize_t got = read(fd, out->data + out->len, out->cap - out->len - 1);
        if (got < 0 && errno == EINTR) { continue; }
        if (got > 0) { out->len += (size_t)got; }
        out->data[out->len] = '\0';
        if (got < 0) { return it_fail_errno(errno, path, "read"); }
        if (out->len - begin > limit) {
            return it_fail(IT_INVALID, "%s: larger than the %zu bytes allowed here", path, limit);
        }
        if (got == 0) { return IT_OK; }
    }
}

enum it_status it_file_read_limit(const char *path, size_t limit, struct it_str *out)
{
    int fd = -1;
    struct stat info;
    IT_TRY(open_to_read(path, 0, &fd, &info));
    size_t before = out->len;
    if (S_ISREG(info.st_mode) && info.st_size > 0 && (uint64_t)info.st_size <= limit) {
        /* one piece more, so that the read which meets the end does not move it all */
        size_t need = before + (size_t)info.st_size + (1 << 16) + 2;
        if (need > out->cap) {
            out->data = it_realloc(out->data, need);
            out->cap = need;
        }
    }
    enum it_status status = read_all(fd, path, limit, out);
    close(fd);
    if (status != IT_OK && before == 0) { /* output only on success: nothing to free then */
        it_str_free(out);
    } else if (status != IT_OK) {
        out->len = before;
        out->data[before] = '\0';
    }
    return status;
}

enum it_status it_file_read(const char *path, struct it_str *out)
{
    return it_file_read_limit(path, SIZE_MAX, out);
}

enum it_status it_map_open(const char *path, struct it_map *map_out)
{
    int fd = -1;
    struct stat info;
    IT_TRY(open_to_read(path, O_NONBLOCK, &fd, &info));
    void *data = NULL;
    int error = 0;
    if (!S_ISREG(info.st_mode)) {
        close(fd);
        return it_fail(IT_INVALID, "%s: a pipe or a device; expected a file", path);
    }
    if ((uint64_t)info.st_size > SIZE_MAX) {
        error = EFBIG;
    } else if (info.st_size > 0) {
        data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED) { error = errno; }
    }
    close(fd);
    if (error) { return it_fail_errno(error, path, "map"); }
    map_out->data = data;
    map_out->size = (size_t)info.st_size;
    return IT_OK;
}

void it_map_close(struct it_map *map)
{
    /* the kernel does not write through this address */
    if (map->data) { munmap((void *)(uintptr_t)map->data, map->size); }
    *map = (struct it_map){0};
}
