/* SPDX-License-Identifier: MIT */
/* The two hashes that a hub names files by: SHA-256 of large ones, git's name of small ones. */
#include "core/data/pull_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/sha1.h"
#include "core/base/sha256.h"

struct it_pull_sums {
    size_t digits; /* 64, 40; 0: none */
    struct it_sha256 sha256;
    struct it_sha1 sha1;
};

struct it_pull_sums *it_pull_sums_open(const char *hash, int64_t size)
{
    struct it_pull_sums *sums = it_calloc(1, sizeof *sums);
    sums->digits = strlen(hash);
    if (sums->digits == 40 && size < 0) { sums->digits = 0; } /* git's name begins with the size */
    it_sha256_begin(&sums->sha256);
    it_sha1_begin_blob(&sums->sha1, size);
    return sums;
}

void it_pull_sums_add(struct it_pull_sums *sums, const void *bytes, size_t n)
{
    if (sums->digits == 64) { it_sha256_add(&sums->sha256, bytes, n); }
    if (sums->digits == 40) { it_sha1_add(&sums->sha1, bytes, n); }
}

void it_pull_sums_end(struct it_pull_sums *sums, char text_out[65])
{
    uint8_t digest[IT_SHA256_BYTES];
    text_out[0] = '\0';
    if (sums->digits == 64) {
        it_sha256_end(&sums->sha256, digest);
        it_sha256_hex(digest, text_out);
    } else if (sums->digits == 40) {
        it_sha1_end(&sums->sha1, text_out);
    }
}

void it_pull_sums_close(struct it_pull_sums *sums)
{
    it_free(sums);
}

enum it_status it_pull_sums_read(struct it_pull_sums *sums, int fd, const char *path, int64_t limit,
                                 int64_t *read_out)
{
    enum { PIECE = 1 << 20 };
    char *piece = it_alloc(PIECE);
    enum it_status status = IT_OK;
    int64_t at = 0;
    while (at < limit) {
        size_t want = limit - at < PIECE ? (size_t)(limit - at) : PIECE;
        ssize_t got = pread(fd, piece, want, (off_t)at);
        if (got < 0 && errno == EINTR) { continue; }
        if (got < 0) { status = it_fail(IT_IO, "%s: cannot read: %s", path, strerror(errno)); }
        if (it_interrupted()) { status = IT_INTERRUPTED; }
        if (got <= 0 || status != IT_OK) { break; }
        it_pull_sums_add(sums, piece, (size_t)got);
        at += got;
    }
    it_free(piece);
    if (status == IT_OK) { *read_out = at; }
    return status;
}

enum it_status it_pull_file_is(const char *path, const char *hash, int64_t size, bool *is_out)
{
    struct stat info;
    *is_out = false;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode)) { return IT_OK; }
    if (size >= 0 && info.st_size != size) { return IT_OK; }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) { return it_fail(IT_IO, "%s: cannot read: %s", path, strerror(errno)); }
    struct it_pull_sums *sums = it_pull_sums_open(hash, info.st_size);
    char found[65];
    int64_t n = 0;
    enum it_status status = it_pull_sums_read(sums, fd, path, info.st_size, &n);
    it_pull_sums_end(sums, found);
    if (status == IT_OK) { *is_out = strcmp(found, hash) == 0; }
    it_pull_sums_close(sums);
    close(fd);
    return status;
}
