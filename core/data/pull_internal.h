/* SPDX-License-Identifier: MIT */
/* The parts of a pull: requests, the list of files, where they go, one transfer. */
#ifndef IT_DATA_PULL_INTERNAL_H
#define IT_DATA_PULL_INTERNAL_H

#include <jansson.h>
#include <stdatomic.h>

#include "core/base/http.h"
#include "core/data/pull.h"

/* ---- requests (pull_request.c) ---- */

/* What all threads share, read-only. */
struct it_pull_hub {
    const struct it_pull_options *options;
    const char *revision;
    const char *token; /* NULL: none */
    char *endpoint;    /* without a slash at the end */
    char *commit;      /* NULL until known */
};
enum it_status it_pull_hub_open(const struct it_pull_options *options, struct it_pull_hub *hub_out);
void it_pull_hub_close(struct it_pull_hub *hub);

/* One request, from one thread, over however many redirects: the token goes to the endpoint alone,
 * https never becomes http. `stay`: a redirect to another host is the answer. No second try. */
struct it_pull_ask {
    const char *url, *method;
    int64_t from, body_limit;
    enum it_status (*write)(void *context, const char *bytes, size_t n);
    void *context;
    bool stay;
};
enum it_status it_pull_send(const struct it_pull_hub *hub, struct it_http *http,
                            const struct it_pull_ask *ask, struct it_http_response *response_out);
/* The same until an answer that another try would not change; only for asks without `write`. */
enum it_status it_pull_send_again(const struct it_pull_hub *hub, struct it_http *http,
                                  const struct it_pull_ask *ask,
                                  struct it_http_response *response_out);
/* Whether another try may help: a lost connection, or 408, 429 and what servers say when they are
 * in trouble. */
bool it_pull_may_help(enum it_status status, int http_status);
/* Before another try after try `number` (from 1): a quarter of a second, doubled each time, or what
 * the server asked for. */
enum it_status it_pull_wait(const char *what, int number, int tries, double retry_after_s);
/* it_fail with what an answer that is no success means to the user. `what`: a file, or NULL. */
enum it_status it_pull_refused(const struct it_pull_hub *hub,
                               const struct it_http_response *response, const char *what);

/* Percent-encoded, with or without the slashes. */
void it_url_add(struct it_str *url, const char *text, bool keep_slashes);
/* What `reference` means on the page `base`; NULL where that is no http address. To be freed. */
char *it_url_join(const char *base, const char *reference);
bool it_url_same_origin(const char *a, const char *b);

/* ---- the list of files (pull_list.c, pull_select.c) ---- */

struct it_pull_list {
    struct it_pull_file *file;
    size_t n, cap;
};
void it_pull_list_free(struct it_pull_list *list);
/* "a/b.json": UTF-8 that stays below its folder, without backslashes and control characters. */
bool it_pull_is_path(const char *path);
/* Hexadecimal digits, 40 or 64, as hashes are written; lower-cased into hash_out. */
bool it_pull_is_hash(const char *text, char hash_out[65]);
/* Answers of the interface, added to the list. `where` begins errors. */
enum it_status it_pull_list_tree(const json_t *answer, const char *where,
                                 struct it_pull_list *list);
enum it_status it_pull_list_siblings(const json_t *answer, const char *where,
                                     struct it_pull_list *list);
/* Commit and files of the revision, sorted by name, names checked; sets hub->commit. */
enum it_status it_pull_list_fetch(struct it_pull_hub *hub, struct it_http *http,
                                  struct it_pull_list *list_out);
/* Only what the patterns ask for remains. */
enum it_status it_pull_select(const struct it_pull_hub *hub, struct it_pull_list *list);

/* ---- places (pull_place.c) ---- */

struct it_pull_place {
    char *root;   /* free space is asked of this */
    char *blobs;  /* partial files, and in the cache whole ones, by hash */
    char *locks;  /* files <hash>.lock */
    char *folder; /* where files get their names */
    char *refs;   /* NULL: a local folder */
};
enum it_status it_pull_place_open(const struct it_pull_hub *hub, struct it_pull_place *place_out);
void it_pull_place_close(struct it_pull_place *place);
/* Opens the folder that holds the last part of `path` below root, making folders that are missing;
 * a link or a file in the way is refused. */
enum it_status it_pull_folder(const char *root, const char *path, int *fd_out);
/* Two processes never write one file: waits. The descriptor is closed to let go. */
enum it_status it_pull_lock(const struct it_pull_place *place, const char *hash, int *fd_out);
/* blobs/<key> under its name in the snapshot, as a relative link (a copy where there are none). */
enum it_status it_pull_link(const struct it_pull_place *place, const char *key, const char *path);
/* Whether a local folder has the file with these bytes; a file there that is not the hub's, nor one
 * that was pulled before, is refused: it may be somebody's work. */
enum it_status it_pull_local_has(const struct it_pull_place *place, const struct it_pull_file *file,
                                 bool *has_out);
/* Moves a complete partial file under its name, and notes what it is. */
enum it_status it_pull_local_put(const struct it_pull_hub *hub, const struct it_pull_place *place,
                                 const char *partial, const struct it_pull_file *file);
/* refs/<revision> says the commit. */
enum it_status it_pull_set_ref(const struct it_pull_hub *hub, const struct it_pull_place *place);

/* ---- hashes and one file (pull_hash.c, pull_fetch.c) ---- */

struct it_pull_sums;
/* Of a file of `size` bytes whose hash is to be compared with `hash`. */
struct it_pull_sums *it_pull_sums_open(const char *hash, int64_t size);
void it_pull_sums_add(struct it_pull_sums *sums, const void *bytes, size_t n);
void it_pull_sums_end(struct it_pull_sums *sums, char text_out[65]); /* "" without a hash */
void it_pull_sums_close(struct it_pull_sums *sums);
/* Adds the first bytes of an open file, at most `limit`, from its beginning. */
enum it_status it_pull_sums_read(struct it_pull_sums *sums, int fd, const char *path, int64_t limit,
                                 int64_t *read_out);
/* Whether a file has that size and hash; false for what is no plain file. */
enum it_status it_pull_file_is(const char *path, const char *hash, int64_t size, bool *is_out);

/* The name of its blob: the hash, or one made of commit and path where there is none. */
char *it_pull_key(const struct it_pull_hub *hub, const struct it_pull_file *file);
/* Bytes that a pull need not fetch: all of a blob that is there, or what there is of it. */
int64_t it_pull_held(const struct it_pull_hub *hub, const struct it_pull_place *place,
                     const struct it_pull_file *file);
/* `progress` counts bytes that are there, `fetched` those that came now. */
enum it_status it_pull_fetch(const struct it_pull_hub *hub, const struct it_pull_place *place,
                             struct it_http *http, struct it_pull_file *file,
                             _Atomic int64_t *progress, _Atomic int64_t *fetched);

#endif
