/* SPDX-License-Identifier: MIT */
/* Atomic writes: a temporary file beside the target, synced, renamed over it. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/internal.h"
#include "core/base/mem.h"

/* The folder that holds `path`, as a new string. */
static char *folder_of(const char *path)
{
    size_t length = (size_t)(it_path_base(path) - path);
    return length ? it_strndup(path, length) : it_strdup(".");
}

/* ".NAME.PID-N.tmp" in the target's folder; another N when a dead process left one behind. */
static int open_temporary(const char *path, char **temporary_out)
{
    static atomic_uint serial;
    enum { NAME_PART = 100, TRIES = 1000 };
    const char *base = it_path_base(path);
    struct it_str name = {0};
    for (int i = 0; i < TRIES; i++) {
        it_str_clear(&name);
        it_str_add(&name, path, (size_t)(base - path));
        it_str_printf(&name, ".%.*s.%ld-%u.tmp", NAME_PART, base, (long)getpid(),
                      atomic_fetch_add(&serial, 1));
        int fd = open(name.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0) {
            *temporary_out = it_str_take(&name);
            return fd;
        }
        if (errno != EEXIST) { break; }
    }
    int error = errno;
    it_str_free(&name);
    errno = error;
    return -1;
}

/* What exists and is no regular file (/dev/stdout, a pipe) cannot be replaced: it is written in
 * place, without a temporary file. */
enum it_status it_file_begin(const char *path, struct it_file *file_out)
{
    struct stat info;
    bool exists = stat(path, &info) == 0;
    if (path[0] == '\0' || it_ends_with(path, "/") || (exists && S_ISDIR(info.st_mode))) {
        return it_fail_errno(EISDIR, path, "write");
    }
    char *temporary = NULL;
    int fd = exists && !S_ISREG(info.st_mode) ? open(path, O_WRONLY | O_CLOEXEC)
                                              : open_temporary(path, &temporary);
    if (fd < 0) { return it_fail_errno(errno, path, "write"); }
    FILE *stream = fdopen(fd, "w");
    if (!stream) {
        int error = errno;
        close(fd);
        if (temporary) { unlink(temporary); }
        it_free(temporary);
        return it_fail_errno(error, path, "write");
    }
    *file_out =
        (struct it_file){.stream = stream, .path = it_strdup(path), .temporary = temporary};
    return IT_OK;
}

/* Everything to the disk. 0, or errno of the first thing that went wrong; EIO where an earlier
 * write failed and its errno is lost. */
static int flush_and_close(FILE *stream, bool sync)
{
    int error = 0;
    if (fflush(stream) != 0) { error = errno; }
    if (!error && ferror(stream)) { error = EIO; }
    if (!error && sync && fsync(fileno(stream)) != 0) { error = errno; }
    if (fclose(stream) != 0 && !error) { error = errno; }
    return error;
}

enum it_status it_file_commit(struct it_file *file)
{
    int error = flush_and_close(file->stream, file->temporary != NULL);
    if (!error && file->temporary && rename(file->temporary, file->path) != 0) { error = errno; }
    enum it_status status = IT_OK;
    if (error) {
        if (file->temporary) { unlink(file->temporary); }
        status = it_fail_errno(error, file->path, "write");
    } else if (file->temporary) {
        char *folder = folder_of(file->path);
        status = it_dir_sync(folder);
        it_free(folder);
    }
    it_free(file->temporary);
    it_free(file->path);
    *file = (struct it_file){0};
    return status;
}

void it_file_abandon(struct it_file *file)
{
    if (file->stream) { fclose(file->stream); }
    if (file->temporary) { unlink(file->temporary); }
    it_free(file->temporary);
    it_free(file->path);
    *file = (struct it_file){0};
}

enum it_status it_file_write(const char *path, const void *data, size_t size)
{
    struct it_file file;
    IT_TRY(it_file_begin(path, &file));
    if (size && fwrite(data, 1, size, file.stream) != size) {
        int error = errno;
        it_file_abandon(&file);
        return it_fail_errno(error, path, "write");
    }
    return it_file_commit(&file);
}

enum it_status it_dir_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        /* a folder one may write but not list: the rename is done, only its durability is open */
        return errno == EACCES ? IT_OK : it_fail_errno(errno, path, "sync");
    }
    int error = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    /* some file systems have nothing to sync in a folder and say EINVAL */
    return error && error != EINVAL ? it_fail_errno(error, path, "sync") : IT_OK;
}

enum it_status it_file_copy(const char *from, const char *to)
{
    if (it_path_is_dir(from)) { return it_fail_errno(EISDIR, from, "read"); }
    FILE *source = fopen(from, "re");
    if (!source) { return it_fail_errno(errno, from, "open"); }
    struct it_file target = {0};
    enum { PIECE = 1 << 16 };
    char *piece = it_alloc(PIECE);
    size_t got;
    enum it_status status;
    IT_TRY_GOTO(status, done, it_file_begin(to, &target));
    while ((got = fread(piece, 1, PIECE, source)) > 0) {
        if (fwrite(piece, 1, got, target.stream) != got) {
            status = it_fail_errno(errno, to, "write");
            goto done;
        }
    }
    if (ferror(source)) {
        status = it_fail_errno(errno, from, "read");
        goto done;
    }
    status = it_file_commit(&target);
done:
    it_file_abandon(&target);
    it_free(piece);
    fclose(source);
    return status;
}
