/* SPDX-License-Identifier: MIT */
/* One file: what an earlier attempt left is hashed and continued, and it gets its name only when
 * all of it has the hash that the hub lists. A partial file is named by that hash, so it never
 * continues other bytes; one without a hash is begun anew. */
#include "core/data/pull_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/sha256.h"

struct fetch {
    const struct it_pull_hub *hub;
    struct it_http *http;
    struct it_pull_file *file;
    char *url, *partial;
    int fd;
    int64_t at; /* bytes in the partial file, all of them hashed */
    struct it_pull_sums *sums;
    _Atomic int64_t *progress, *fetched;
};

char *it_pull_key(const struct it_pull_hub *hub, const struct it_pull_file *file)
{
    if (file->hash[0]) { return it_strdup(file->hash); }
    struct it_sha256 sha;
    uint8_t digest[IT_SHA256_BYTES];
    char *text = it_alloc(IT_SHA256_TEXT);
    it_sha256_begin(&sha);
    it_sha256_add(&sha, hub->commit, strlen(hub->commit) + 1);
    it_sha256_add(&sha, file->path, strlen(file->path));
    it_sha256_end(&sha, digest);
    return it_sha256_hex(digest, text);
}

static char *blob_path(const struct it_pull_place *place, const char *key, const char *suffix)
{
    struct it_str path = {0};
    it_str_printf(&path, "%s/%s%s", place->blobs, key, suffix);
    return it_str_take(&path);
}

int64_t it_pull_held(const struct it_pull_hub *hub, const struct it_pull_place *place,
                     const struct it_pull_file *file)
{
    struct stat info;
    char *key = it_pull_key(hub, file), *blob = blob_path(place, key, "");
    char *partial = blob_path(place, key, ".incomplete");
    char *local = place->refs ? NULL : it_path_join(place->folder, file->path);
    int64_t held = 0;
    if ((local && stat(local, &info) == 0) || stat(blob, &info) == 0 || stat(partial, &info) == 0) {
        held = info.st_size;
    }
    it_free(local);
    it_free(key);
    it_free(blob);
    it_free(partial);
    return held > file->size ? file->size : held;
}

/* ---- the partial file ---- */

static enum it_status begin_anew(struct fetch *f)
{
    if (ftruncate(f->fd, 0) != 0) {
        return it_fail(IT_IO, "%s: cannot write: %s", f->partial, strerror(errno));
    }
    atomic_fetch_sub(f->progress, f->at);
    f->at = 0;
    it_pull_sums_close(f->sums);
    f->sums = it_pull_sums_open(f->file->hash, f->file->size);
    return IT_OK;
}

static enum it_status open_partial(struct fetch *f)
{
    struct stat info;
    f->fd = open(f->partial, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (f->fd < 0 || fstat(f->fd, &info) != 0) {
        return it_fail(IT_IO, "%s: cannot write: %s", f->partial, strerror(errno));
    }
    f->sums = it_pull_sums_open(f->file->hash, f->file->size);
    if (!S_ISREG(info.st_mode)) { return it_fail(IT_IO, "%s: not a file", f->partial); }
    if (!f->file->hash[0] || f->file->size < 0 || info.st_size > f->file->size) {
        return begin_anew(f);
    }
    IT_TRY(it_pull_sums_read(f->sums, f->fd, f->partial, info.st_size, &f->at));
    atomic_fetch_add(f->progress, f->at);
    if (f->at) { it_debug("%s: going on behind %lld bytes", f->file->path, (long long)f->at); }
    return IT_OK;
}

/* Writes what the hub lists; a longer answer ends the attempt, and the hash says what it was. */
static enum it_status on_bytes(void *context, const char *bytes, size_t n)
{
    struct fetch *f = context;
    int64_t room = f->file->size < 0 ? INT64_MAX : f->file->size - f->at;
    size_t fits = (uint64_t)room < n ? (size_t)room : n;
    for (size_t done = 0; done < fits;) {
        ssize_t put = pwrite(f->fd, bytes + done, fits - done, (off_t)f->at);
        if (put < 0 && errno == EINTR) { continue; }
        if (put <= 0) {
            return it_fail(IT_IO, "%s: cannot write: %s; what is there is kept", f->partial,
                           put < 0 ? strerror(errno) : "no room");
        }
        it_pull_sums_add(f->sums, bytes + done, (size_t)put);
        done += (size_t)put;
        f->at += put;
        atomic_fetch_add(f->progress, put);
        atomic_fetch_add(f->fetched, put);
    }
    if (fits == n) { return IT_OK; }
    return it_fail(IT_FAILED, "%s: the server sends more than the %lld bytes that the hub lists",
                   f->file->path, (long long)f->file->size);
}

/* ---- the transfer ---- */

/* Whether the server said that it cannot go on behind `from` bytes. */
static bool range_is_refused(const struct it_http_response *response, int64_t from)
{
    char start[48];
    if (from == 0 || response->status == 416) { return from > 0; }
    if (response->status != 206) { return false; }
    char *range = it_http_header(response, "Content-Range");
    snprintf(start, sizeof start, "bytes %lld-", (long long)from);
    bool refused = !range || !it_starts_with(range, start);
    it_free(range);
    return refused;
}

/* After an attempt that ended early: what to do before the next. IT_OK: try again. */
static enum it_status after(struct fetch *f, enum it_status status,
                            const struct it_http_response *response, int64_t before, int *number)
{
    const char *path = f->file->path;
    int tries = f->hub->options->tries;
    if ((status == IT_OK || status == IT_FAILED) && range_is_refused(response, before)) {
        IT_TRY(begin_anew(f));
    } else if (!it_pull_may_help(status, response->status) && response->status / 100 != 2) {
        return status == IT_OK ? it_pull_refused(f->hub, response, path) : status;
    } else if (status != IT_OK && status != IT_FAILED) {
        return status;
    }
    if (f->at > before) { *number = 0; }
    if (status == IT_OK && response->status / 100 == 2) {
        it_warn("%s: the answer ended after %lld of %lld bytes", path, (long long)f->at,
                (long long)f->file->size);
    } else if (status == IT_OK) {
        it_warn("%s: the server answered %d", path, response->status);
    }
    if (++*number >= tries) {
        return it_fail(IT_FAILED,
                       "%s: given up after %d tries; the same command goes on behind "
                       "%lld bytes",
                       path, tries, (long long)f->at);
    }
    return it_pull_wait(path, *number, tries, response->retry_after_s);
}

static enum it_status transfer(struct fetch *f)
{
    enum it_status status = IT_OK;
    int number = 0;
    bool whole = f->at == f->file->size; /* an earlier attempt had all but the name */
    while (status == IT_OK && !whole) {
        struct it_pull_ask ask = {.url = f->url, .from = f->at, .write = on_bytes, .context = f};
        struct it_http_response response = {0};
        int64_t before = f->at;
        enum it_status sent = it_pull_send(f->hub, f->http, &ask, &response);
        bool good = sent == IT_OK && response.status / 100 == 2;
        whole = f->at == f->file->size || (good && f->file->size < 0);
        if (!whole) { status = after(f, sent, &response, before, &number); }
        it_http_response_free(&response);
    }
    return status;
}

static bool is_right(const struct fetch *f)
{
    char found[65];
    it_pull_sums_end(f->sums, found);
    bool right = found[0] == '\0' || strcmp(found, f->file->hash) == 0;
    if (found[0] == '\0') {
        it_warn("%s: the hub gives no hash: nothing to check it against", f->file->path);
    }
    if (!right) {
        it_warn("%s: what came has the hash %s; the hub lists %s", f->file->path, found,
                f->file->hash);
    }
    return right;
}

/* Wrong bytes are fetched once more, all of them: an earlier attempt may have left the error. */
static enum it_status transfer_right(struct fetch *f)
{
    bool right = false;
    IT_TRY(open_partial(f));
    for (int round = 0; round < 2 && !right; round++) {
        if (round > 0) { IT_TRY(begin_anew(f)); }
        IT_TRY(transfer(f));
        right = is_right(f);
    }
    if (!right) {
        IT_TRY(begin_anew(f));
        unlink(f->partial);
        return it_fail(IT_FAILED,
                       "%s: twice other bytes than the hub lists came: nothing of it "
                       "was kept",
                       f->file->path);
    }
    if (fsync(f->fd) != 0 && errno != EINVAL) {
        return it_fail(IT_IO, "%s: cannot write: %s", f->partial, strerror(errno));
    }
    return IT_OK;
}

static char *file_url(const struct it_pull_hub *hub, const char *path)
{
    struct it_str url = {0};
    it_str_printf(&url, "%s/%s%s/resolve/", hub->endpoint,
                  strcmp(hub->options->kind, "dataset") == 0 ? "datasets/" : "",
                  hub->options->repo_id);
    it_url_add(&url, hub->commit, false);
    it_str_putc(&url, '/');
    it_url_add(&url, path, true);
    return it_str_take(&url);
}

/* ---- a file without a listed hash: its address may tell ---- */

static void take_tag(struct it_pull_file *file, const struct it_http_response *response)
{
    char *tag = it_http_header(response, "X-Linked-Etag");
    char *size = it_http_header(response, "X-Linked-Size");
    if (!tag) { tag = it_http_header(response, "ETag"); }
    if (tag) {
        char *text = tag + (it_starts_with(tag, "W/") ? 2 : 0);
        text += *text == '"';
        text[strcspn(text, "\"")] = '\0';
        if (!it_pull_is_hash(text, file->hash)) { file->hash[0] = '\0'; }
    }
    if (!size && response->status == 200) { size = it_http_header(response, "Content-Length"); }
    if (size && file->size < 0) {
        char *end;
        errno = 0;
        long long n = strtoll(size, &end, 10);
        if (errno == 0 && end != size && *end == '\0' && n >= 0) { file->size = n; }
    }
    it_free(tag);
    it_free(size);
}

static enum it_status ask_hash(const struct it_pull_hub *hub, struct it_http *http,
                               struct it_pull_file *file)
{
    if (file->hash[0]) { return IT_OK; }
    char *url = file_url(hub, file->path);
    struct it_pull_ask ask = {.url = url, .method = "HEAD", .stay = true};
    struct it_http_response response = {0};
    enum it_status status = it_pull_send_again(hub, http, &ask, &response);
    /* one that knows no HEAD is asked for the bytes all the same */
    if (status == IT_OK && (response.status < 400 || response.status == 405)) {
        take_tag(file, &response);
    } else if (status == IT_OK) {
        status = it_pull_refused(hub, &response, file->path);
    }
    it_http_response_free(&response);
    it_free(url);
    return status;
}

/* ---- all of it, under the file's lock ---- */

static enum it_status is_there(const struct it_pull_hub *hub, const struct it_pull_place *place,
                               const struct it_pull_file *file, const char *blob, bool *there_out)
{
    struct stat info;
    if (!place->refs) { return it_pull_local_has(place, file, there_out); }
    *there_out = stat(blob, &info) == 0 && S_ISREG(info.st_mode) &&
                 (file->size < 0 || info.st_size == file->size);
    if (!*there_out || !hub->options->verify || !file->hash[0]) { return IT_OK; }
    IT_TRY(it_pull_file_is(blob, file->hash, file->size, there_out));
    if (!*there_out) { it_warn("%s: %s is damaged and is fetched again", file->path, blob); }
    return IT_OK;
}

static enum it_status fetch(struct fetch *f, const struct it_pull_place *place, const char *blob)
{
    IT_TRY(transfer_right(f));
    f->file->size = f->at;
    f->file->fetched = true;
    if (!place->refs) { return it_pull_local_put(f->hub, place, f->partial, f->file); }
    if (rename(f->partial, blob) == 0) { return IT_OK; }
    return it_fail(IT_IO, "%s: cannot write: %s", blob, strerror(errno));
}

enum it_status it_pull_fetch(const struct it_pull_hub *hub, const struct it_pull_place *place,
                             struct it_http *http, struct it_pull_file *file,
                             _Atomic int64_t *progress, _Atomic int64_t *fetched)
{
    bool there = false;
    int lock = -1;
    IT_TRY(ask_hash(hub, http, file));
    char *key = it_pull_key(hub, file), *blob = blob_path(place, key, "");
    struct fetch f = {.hub = hub,
                      .http = http,
                      .file = file,
                      .url = file_url(hub, file->path),
                      .partial = blob_path(place, key, ".incomplete"),
                      .fd = -1,
                      .progress = progress,
                      .fetched = fetched};
    enum it_status status = it_pull_lock(place, key, &lock);
    if (status == IT_OK) { status = is_there(hub, place, file, blob, &there); }
    if (status == IT_OK && there && file->size > 0) { atomic_fetch_add(progress, file->size); }
    if (status == IT_OK && !there) { status = fetch(&f, place, blob); }
    if (status == IT_OK && place->refs) { status = it_pull_link(place, key, file->path); }
    if (f.fd >= 0) { close(f.fd); }
    if (lock >= 0) { close(lock); }
    it_pull_sums_close(f.sums);
    it_free(f.url);
    it_free(f.partial);
    it_free(blob);
    it_free(key);
    return status;
}
