/* SPDX-License-Identifier: MIT */
/* The stand-in for a hub: the addresses and headers that clients of the real one rely on. */
#include "tests/hub_server.h"

#include <jansson.h>

#include "core/base/sha1.h"
#include "core/base/sha256.h"

void hub_hash(const struct hub_file *file, char hash_out[65])
{
    if (file->large) {
        struct it_sha256 sha;
        uint8_t digest[IT_SHA256_BYTES];
        it_sha256_begin(&sha);
        it_sha256_add(&sha, file->bytes, file->size);
        it_sha256_end(&sha, digest);
        it_sha256_hex(digest, hash_out);
    } else {
        struct it_sha1 sha;
        it_sha1_begin_blob(&sha, (int64_t)file->size);
        it_sha1_add(&sha, file->bytes, file->size);
        it_sha1_end(&sha, hash_out);
    }
}

static json_t *tree_entry(const struct hub_file *file)
{
    char hash[65];
    json_int_t size = (json_int_t)(file->listed ? file->listed : file->size);
    hub_hash(file, hash);
    json_t *entry = json_pack("{ss ss sI}", "type", "file", "path", file->path, "size", size);
    if (file->large) {
        json_object_set_new(entry, "oid", json_string("00112233445566778899aabbccddeeff00112233"));
        json_object_set_new(
            entry, "lfs",
            json_pack("{ss sI sI}", "oid", hash, "size", size, "pointerSize", (json_int_t)134));
    } else {
        json_object_set_new(entry, "oid", json_string(hash));
    }
    return entry;
}

static void put_json(struct http_reply *reply, const char *headers, json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT);
    http_reply_put(reply, "200 OK", headers, text);
    free(text);
    json_decref(value);
}

static void answer_tree(struct hub *hub, const char *path, struct http_reply *reply)
{
    const char *cursor = strstr(path, "cursor=");
    size_t from = cursor ? strtoul(cursor + 7, NULL, 10) : 0;
    size_t page = hub->page ? hub->page : hub->n, to = from + page < hub->n ? from + page : hub->n;
    char headers[512] = "";
    json_t *list = json_array();
    if (from == 0) {
        json_array_append_new(list, json_pack("{ss ss si ss}", "type", "directory", "path", "sub",
                                              "size", 0, "oid", "x"));
    }
    for (size_t i = from; i < to; i++) { json_array_append_new(list, tree_entry(&hub->file[i])); }
    if (to < hub->n) {
        snprintf(headers, sizeof headers,
                 "Link: <%s/api/%ss/%s/tree/" HUB_COMMIT "?recursive=true&cursor=%zu>; "
                 "rel=\"next\"\r\n",
                 hub->front.url, hub->kind, hub->id, to);
    }
    put_json(reply, headers, list);
}

static void answer_info(struct hub *hub, struct http_reply *reply)
{
    json_t *siblings = json_array();
    for (size_t i = 0; i < hub->n; i++) {
        json_array_append_new(siblings, json_pack("{ss}", "rfilename", hub->file[i].path));
    }
    put_json(reply, "",
             json_pack("{ss ss ss so}", "id", hub->id, "modelId", hub->id, "sha", HUB_COMMIT,
                       "siblings", siblings));
}

/* The bytes with the faults that were ordered; called under the lock. */
static void put_bytes(struct hub_file *file, size_t from, const char *headers,
                      struct http_reply *reply)
{
    bool part = from > 0 && !file->no_range;
    if (!part) { from = 0; }
    long n = (long)(file->size - from), sent = n + file->longer;
    it_str_printf(&reply->bytes, "HTTP/1.1 %s\r\n%sContent-Length: %ld\r\n",
                  part ? "206 Partial Content" : "200 OK", headers, sent);
    if (part) {
        it_str_printf(&reply->bytes, "Content-Range: bytes %zu-%zu/%zu\r\n",
                      file->bad_range ? from + 1 : from, file->size - 1, file->size);
    }
    it_str_puts(&reply->bytes, "\r\n");
    size_t begin = reply->bytes.len;
    it_str_add(&reply->bytes, file->bytes + from, (size_t)(sent < n ? sent : n));
    for (long i = n; i < sent; i++) { it_str_putc(&reply->bytes, 'x'); }
    if (file->wrong && reply->bytes.len > begin) {
        reply->bytes.data[begin] ^= 1;
        file->wrong -= file->wrong > 0;
    }
    if (file->cuts && file->cut < reply->bytes.len - begin) {
        reply->bytes.len = begin + file->cut;
        reply->close = true;
        file->cuts -= file->cuts > 0;
    }
    reply->piece = file->piece;
    reply->pause_s = file->piece ? 0.01 : 0;
}

static size_t range_of(const char *request)
{
    const char *range = strstr(request, "\r\nRange: bytes=");
    return range ? strtoul(range + 15, NULL, 10) : 0;
}

static void answer_file(struct hub *hub, struct hub_file *file, const char *request, bool front,
                        struct http_reply *reply)
{
    char hash[65], headers[512];
    size_t from = range_of(request), size = file->listed ? file->listed : file->size;
    hub_hash(file, hash);
    if (front && hub->gate) {
        snprintf(headers, sizeof headers, "X-Error-Code: %s\r\n", hub->gate);
        http_reply_put(reply, "403 Forbidden", headers, "no");
    } else if (front && file->large) {
        snprintf(headers, sizeof headers,
                 "X-Repo-Commit: " HUB_COMMIT "\r\nX-Linked-Size: %zu\r\nX-Linked-Etag: \"%s\"\r\n"
                 "Location: %s/%s?signature=secret\r\n",
                 size, hash, hub->moved ? hub->moved : hub->back.url, file->path);
        http_reply_put(reply, "302 Found", headers, "");
    } else if (file->busy) {
        snprintf(headers, sizeof headers, "%d Busy", file->status);
        http_reply_put(reply, headers, "Retry-After: 0\r\n", "not now");
        file->busy--;
    } else if (from >= file->size && from > 0 && !file->no_range) {
        http_reply_put(reply, "416 Range Not Satisfiable", "", "");
    } else {
        hub->ranges += from > 0;
        snprintf(headers, sizeof headers, "X-Repo-Commit: " HUB_COMMIT "\r\nETag: \"%s\"\r\n",
                 hash);
        put_bytes(file, from, headers, reply);
    }
}

/* The path of an address, decoded: it ends at "?" or a space. */
static void decode(const char *path, char text[1024])
{
    size_t n = 0;
    for (; !strchr(" ?", *path) && n < 1023; path++) {
        unsigned code;
        bool escape = *path == '%' && sscanf(path + 1, "%2x", &code) == 1;
        text[n++] = escape ? (char)code : *path;
        path += escape ? 2 : 0;
    }
    text[n] = '\0';
}

/* "/datasets/ID/resolve/COMMIT/PATH" on the front, "/PATH" on the back. */
static struct hub_file *find(struct hub *hub, const char *address, bool front)
{
    char prefix[256] = "/", path[1024];
    decode(address, path);
    if (front) {
        snprintf(prefix, sizeof prefix, "/%s%s/resolve/" HUB_COMMIT "/",
                 strcmp(hub->kind, "dataset") == 0 ? "datasets/" : "", hub->id);
    }
    if (!it_starts_with(path, prefix)) { return NULL; }
    for (size_t i = 0; i < hub->n; i++) {
        if (strcmp(path + strlen(prefix), hub->file[i].path) == 0) { return &hub->file[i]; }
    }
    return NULL;
}

static void note(struct hub *hub, const char *request, bool front)
{
    it_str_printf(&hub->log, "%s %.*s range=%zu%s\n", front ? "front" : "back",
                  (int)strcspn(request, "\r"), request, range_of(request),
                  strstr(request, "\r\nAuthorization:") ? " token" : "");
}

static void answer(struct hub *hub, const char *request, bool front, struct http_reply *reply)
{
    const char *path = strchr(request, ' ') + 1;
    char revision[256], tree[256], bearer[256];
    snprintf(revision, sizeof revision, "/api/%ss/%s/revision/", hub->kind, hub->id);
    snprintf(tree, sizeof tree, "/api/%ss/%s/tree/", hub->kind, hub->id);
    snprintf(bearer, sizeof bearer, "\r\nAuthorization: Bearer %s\r\n",
             hub->token ? hub->token : "");
    struct hub_file *file = find(hub, path, front);
    if (front && hub->token && !strstr(request, bearer)) {
        http_reply_put(reply, "401 Unauthorized", "X-Error-Code: RepoNotFound\r\n", "who?");
    } else if (file) {
        answer_file(hub, file, request, front, reply);
    } else if (front && it_starts_with(path, revision)) {
        const char *name = path + strlen(revision);
        if (hub->info) {
            http_reply_put(reply, "200 OK", "", hub->info);
        } else if (it_starts_with(name, "none")) {
            http_reply_put(reply, "404 Not Found", "X-Error-Code: RevisionNotFound\r\n", "");
        } else {
            answer_info(hub, reply);
        }
    } else if (front && it_starts_with(path, tree) && hub->list) {
        http_reply_put(reply, "200 OK", "", hub->list);
    } else if (front && it_starts_with(path, tree) && !hub->no_tree) {
        answer_tree(hub, path, reply);
    } else {
        http_reply_put(reply, "404 Not Found", "", "no such thing");
    }
}

static void serve(struct hub *hub, const char *request, bool front, struct http_reply *reply)
{
    pthread_mutex_lock(&hub->lock);
    note(hub, request, front);
    answer(hub, request, front, reply);
    pthread_mutex_unlock(&hub->lock);
    if (it_starts_with(request, "HEAD")) { /* the same without its body */
        const char *end = strstr(it_str_c(&reply->bytes), "\r\n\r\n");
        reply->bytes.len = (size_t)(end - reply->bytes.data) + 4;
    }
}

static void serve_front(void *context, int number, const char *request, struct http_reply *reply)
{
    (void)number;
    serve(context, request, true, reply);
}

static void serve_back(void *context, int number, const char *request, struct http_reply *reply)
{
    (void)number;
    serve(context, request, false, reply);
}

void hub_begin(struct hub *hub, const char *kind, const char *id)
{
    *hub = (struct hub){.kind = kind, .id = id};
    pthread_mutex_init(&hub->lock, NULL);
    http_server_begin(&hub->front, serve_front, hub);
    http_server_begin(&hub->back, serve_back, hub);
    setenv("HF_ENDPOINT", hub->front.url, 1);
}

void hub_end(struct hub *hub)
{
    http_server_end(&hub->front);
    http_server_end(&hub->back);
    it_str_free(&hub->log);
}

struct hub_file *hub_add(struct hub *hub, const char *path, const char *bytes, size_t size,
                         bool large)
{
    struct hub_file *file = &hub->file[hub->n++];
    *file = (struct hub_file){.path = path, .bytes = bytes, .size = size, .large = large};
    return file;
}

int hub_count(struct hub *hub, const char *text)
{
    int n = 0;
    pthread_mutex_lock(&hub->lock);
    const char *at = it_str_c(&hub->log);
    while ((at = strstr(at, text)) != NULL) {
        n++;
        at += strlen(text);
    }
    pthread_mutex_unlock(&hub->lock);
    return n;
}
