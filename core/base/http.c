/* SPDX-License-Identifier: MIT */
/* HTTP over libcurl's easy interface. The library is opened once a process, at the first client. */
#include "config.h"

#include "core/base/http.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/base/clock.h"
#include "core/base/mem.h"

#ifdef HAVE_CURL
#    include <curl/curl.h>

enum { HEADERS_LIMIT = 1 << 20, BODY_LIMIT = 64 << 20, REDIRECTS = 10 };

/* The functions of libcurl that are used; each is NULL until load() has found all of them. */
#    define FUNCTIONS(X) \
        X(global_init)   \
        X(easy_init)     \
        X(easy_cleanup)  \
        X(easy_reset)    \
        X(easy_setopt)   \
        X(easy_perform)  \
        X(easy_getinfo)  \
        X(easy_strerror) \
        X(slist_append)  \
        X(slist_free_all)

/* curl.h wraps some of them in macros that count arguments */
#    undef curl_easy_setopt
#    undef curl_easy_getinfo
static struct {
#    define X(name) __typeof__(&curl_##name) name;
    FUNCTIONS(X)
#    undef X
} curl;
static char load_error[512]; /* empty: the library is there */

static void load(void)
{
    /* Debian has the same library a second time, built with GnuTLS. */
    static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};
    void *library = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names && !library; i++) {
        library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
        if (!library && i == 0) {
            const char *why = dlerror();
            snprintf(load_error, sizeof load_error, "%s", why ? why : "libcurl.so.4: not found");
        }
    }
    if (!library) { return; }
    load_error[0] = '\0';
#    define X(name)                                                                    \
        {                                                                              \
            void *address = dlsym(library, "curl_" #name);                             \
            memcpy(&curl.name, &address, sizeof address);                              \
            if (!address) {                                                            \
                snprintf(load_error, sizeof load_error, "libcurl has no curl_" #name); \
                return;                                                                \
            }                                                                          \
        }
    FUNCTIONS(X)
#    undef X
    if (curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        snprintf(load_error, sizeof load_error, "libcurl does not start");
    }
}

struct it_http {
    CURL *easy;
    char why[CURL_ERROR_SIZE];
};

/* One request in flight. */
struct transfer {
    struct it_http *http;
    const struct it_http_request *request;
    struct it_http_response *response;
    struct curl_slist *headers;
    int64_t skip;          /* bytes of a whole answer that lie before request->from */
    bool begun;            /* the first byte of the last hop's body was seen */
    enum it_status status; /* why a callback stopped it; logged where it was set */
};

enum it_status it_http_open(struct it_http **http_out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    if (load_error[0]) {
        return it_fail(IT_UNSUPPORTED,
                       "libcurl cannot be opened (%s): install it (Debian: "
                       "libcurl4) to use the network",
                       load_error);
    }
    CURL *easy = curl.easy_init();
    if (!easy) { return it_fail(IT_FAILED, "libcurl cannot make a client"); }
    struct it_http *http = it_calloc(1, sizeof *http);
    http->easy = easy;
    *http_out = http;
    return IT_OK;
}

void it_http_close(struct it_http *http)
{
    if (!http) { return; }
    curl.easy_cleanup(http->easy);
    it_free(http);
}

/* The address without what follows "?": signed addresses carry secrets there. */
static int shown(const char *url)
{
    return (int)strcspn(url, "?#");
}

static enum it_status stop(struct transfer *t, enum it_status status)
{
    t->status = status;
    return status;
}

/* Whether a 206 begins where it was asked to; a 200 is the whole, and its beginning is skipped. */
static enum it_status body_begins(struct transfer *t)
{
    const struct it_http_request *request = t->request;
    t->begun = true;
    if (request->from <= 0 || t->response->status / 100 != 2) { return IT_OK; }
    if (t->response->status != 206) {
        t->skip = request->from;
        return IT_OK;
    }
    char *range = it_http_header(t->response, "Content-Range");
    long long first = -1;
    bool right = range && sscanf(range, "bytes %lld-", &first) == 1 && first == request->from;
    enum it_status status = IT_OK;
    if (!right) {
        status = it_fail(IT_FAILED, "%.*s: asked for the bytes from %lld on, the answer has \"%s\"",
                         shown(request->url), request->url, (long long)request->from,
                         range ? range : "no Content-Range");
    }
    it_free(range);
    return status;
}

static enum it_status body_add(struct transfer *t, const char *bytes, size_t n)
{
    const struct it_http_request *request = t->request;
    long status = 0;
    curl.easy_getinfo(t->http->easy, CURLINFO_RESPONSE_CODE, &status);
    t->response->status = (int)status;
    if (!t->begun) { IT_TRY(body_begins(t)); }
    size_t skipped = (uint64_t)t->skip < n ? (size_t)t->skip : n;
    t->skip -= (int64_t)skipped;
    bytes += skipped;
    n -= skipped;
    if (n == 0) { return IT_OK; }
    if (request->write && status / 100 == 2) { return request->write(request->context, bytes, n); }
    int64_t limit = request->body_limit > 0 ? request->body_limit : BODY_LIMIT;
    if (n > (uint64_t)limit - t->response->body.len) {
        return it_fail(IT_FAILED, "%.*s: the answer is longer than %lld bytes", shown(request->url),
                       request->url, (long long)limit);
    }
    it_str_add(&t->response->body, bytes, n);
    return IT_OK;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *context)
{
    struct transfer *t = context;
    return stop(t, body_add(t, bytes, size * n)) == IT_OK ? size * n : 0;
}

static size_t on_header(char *bytes, size_t size, size_t n, void *context)
{
    struct transfer *t = context;
    size_t length = size * n;
    if (length > HEADERS_LIMIT - t->response->headers.len) {
        stop(t, it_fail(IT_FAILED, "%.*s: the headers are longer than %d bytes",
                        shown(t->request->url), t->request->url, HEADERS_LIMIT));
        return 0;
    }
    while (length > 0 && (bytes[length - 1] == '\n' || bytes[length - 1] == '\r')) { length--; }
    it_str_add(&t->response->headers, bytes, length);
    it_str_putc(&t->response->headers, '\n');
    return size * n;
}

static int on_progress(void *context, curl_off_t total, curl_off_t now, curl_off_t up_total,
                       curl_off_t up_now)
{
    (void)total;
    (void)now;
    (void)up_total;
    (void)up_now;
    struct transfer *t = context;
    if (it_interrupted()) { stop(t, IT_INTERRUPTED); }
    return t->status != IT_OK;
}

static enum it_status add_header(struct transfer *t, const char *line)
{
    if (strpbrk(line, "\r\n")) {
        return it_fail(IT_INVALID, "%.*s: a header or token with a line break in it",
                       shown(t->request->url), t->request->url);
    }
    struct curl_slist *list = curl.slist_append(t->headers, line);
    if (!list) { return it_fail(IT_NOMEM, "libcurl has no memory for a header"); }
    t->headers = list;
    return IT_OK;
}

static enum it_status add_headers(struct transfer *t)
{
    const struct it_http_request *request = t->request;
    for (size_t i = 0; request->headers && request->headers[i]; i++) {
        IT_TRY(add_header(t, request->headers[i]));
    }
    if (request->bearer) {
        /* libcurl keeps this header from other hosts when it follows a redirect */
        struct it_str line = {0};
        it_str_printf(&line, "Authorization: Bearer %s", request->bearer);
        enum it_status status = add_header(t, it_str_c(&line));
        it_str_free(&line);
        IT_TRY(status);
    }
    return add_header(t, "Expect:"); /* no pause before a long body */
}

static long milliseconds(double seconds, double usual)
{
    double wanted = (seconds > 0 ? seconds : usual) * 1e3;
    return wanted < 1 ? 1 : wanted > 1e9 ? 1000000000L : (long)wanted;
}

/* Every option must be known to the library found at run time: none may be lost in silence. */
#    define SET(option, value) (good = good && curl.easy_setopt(easy, option, value) == CURLE_OK)

static bool set_where(struct transfer *t)
{
    const struct it_http_request *request = t->request;
    CURL *easy = t->http->easy;
    bool good = true, secure = strncasecmp(request->url, "https:", 6) == 0;
    SET(CURLOPT_URL, request->url);
#    if LIBCURL_VERSION_NUM >= 0x075500
    SET(CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
#    else
    SET(CURLOPT_REDIR_PROTOCOLS, (long)(CURLPROTO_HTTPS | (secure ? 0 : CURLPROTO_HTTP)));
#    endif
    SET(CURLOPT_FOLLOWLOCATION, request->follow ? 1L : 0L);
    SET(CURLOPT_MAXREDIRS, (long)REDIRECTS);
    SET(CURLOPT_USERAGENT, "intuitor/" PACKAGE_VERSION);
    SET(CURLOPT_NOSIGNAL, 1L); /* threads */
    SET(CURLOPT_ERRORBUFFER, t->http->why);
    SET(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(request->connect_s, 20));
    SET(CURLOPT_LOW_SPEED_LIMIT, 1L); /* bytes a second */
    SET(CURLOPT_LOW_SPEED_TIME, (milliseconds(request->stall_s, 60) + 999) / 1000);
    if (request->total_s > 0) { SET(CURLOPT_TIMEOUT_MS, milliseconds(request->total_s, 0)); }
    return good;
}

static bool set_what(struct transfer *t)
{
    const struct it_http_request *request = t->request;
    CURL *easy = t->http->easy;
    bool good = true;
    char range[32];
    const char *method = request->method ? request->method : request->body ? "POST" : "GET";
    if (strcmp(method, "HEAD") == 0) {
        SET(CURLOPT_NOBODY, 1L);
    } else if (request->body || strcmp(method, "POST") == 0) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(request->body ? request->body_size : 0));
        SET(CURLOPT_POSTFIELDS, request->body ? request->body : "");
        if (strcmp(method, "POST") != 0) { SET(CURLOPT_CUSTOMREQUEST, method); }
    } else if (strcmp(method, "GET") != 0) {
        SET(CURLOPT_CUSTOMREQUEST, method);
    }
    if (request->from > 0) {
        snprintf(range, sizeof range, "%lld-", (long long)request->from);
        SET(CURLOPT_RANGE, range); /* copied */
    }
    SET(CURLOPT_HTTPHEADER, t->headers);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, (void *)t);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, (void *)t);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, (void *)t);
    return good;
}

#    undef SET

static void read_answer(struct transfer *t)
{
    CURL *easy = t->http->easy;
    struct it_http_response *response = t->response;
    long status = 0;
    curl_off_t length = -1, wait = 0;
    char *url = NULL;
    curl.easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl.easy_getinfo(easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    curl.easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url);
    curl.easy_getinfo(easy, CURLINFO_RETRY_AFTER, &wait);
    response->status = (int)status;
    response->length = length;
    response->url = it_strdup(url ? url : t->request->url);
    char *after = it_http_header(response, "Retry-After");
    response->retry_after_s = after ? (double)wait : -1; /* seconds, from either form of it */
    it_free(after);
}

static enum it_status perform(struct transfer *t)
{
    IT_TRY(add_headers(t));
    if (!set_where(t) || !set_what(t)) {
        return it_fail(
            IT_UNSUPPORTED,
            "libcurl is older than the one this program was built with: install %s or newer",
            LIBCURL_VERSION);
    }
    CURLcode code = curl.easy_perform(t->http->easy);
    read_answer(t);
    if (t->status != IT_OK) { return t->status; }
    if (code != CURLE_OK) {
        const char *why = t->http->why[0] ? t->http->why : curl.easy_strerror(code);
        return it_fail(IT_FAILED, "%.*s: %s", shown(t->request->url), t->request->url, why);
    }
    return IT_OK;
}

enum it_status it_http_send(struct it_http *http, const struct it_http_request *request,
                            struct it_http_response *response_out)
{
    *response_out = (struct it_http_response){.length = -1, .retry_after_s = -1};
    if (strncasecmp(request->url, "http://", 7) != 0 &&
        strncasecmp(request->url, "https://", 8) != 0) {
        return it_fail(IT_INVALID,
                       "\"%s\": expected an address that begins with https:// or "
                       "http://",
                       request->url);
    }
    if (it_interrupted()) { return IT_INTERRUPTED; }
    struct transfer t = {.http = http, .request = request, .response = response_out};
    http->why[0] = '\0';
    enum it_status status = perform(&t);
    curl.easy_reset(http->easy); /* keeps the connection; forgets pointers into this frame */
    curl.slist_free_all(t.headers);
    return status;
}

#else /* without libcurl's headers at build time */

enum it_status it_http_open(struct it_http **http_out)
{
    (void)http_out;
    return it_fail(IT_UNSUPPORTED, "this build cannot use the network: install libcurl's headers "
                                   "(Debian: libcurl4-openssl-dev), then configure and make again");
}

void it_http_close(struct it_http *http)
{
    (void)http;
}

enum it_status it_http_send(struct it_http *http, const struct it_http_request *request,
                            struct it_http_response *response_out)
{
    (void)http;
    (void)request;
    *response_out = (struct it_http_response){.length = -1, .retry_after_s = -1};
    return it_fail(IT_UNSUPPORTED, "this build cannot use the network");
}

#endif

void it_http_response_free(struct it_http_response *response)
{
    it_str_free(&response->body);
    it_str_free(&response->headers);
    it_free(response->url);
    *response = (struct it_http_response){.length = -1, .retry_after_s = -1};
}

char *it_http_header(const struct it_http_response *response, const char *name)
{
    size_t n = strlen(name);
    const char *found = NULL;
    size_t found_size = 0;
    for (const char *at = it_str_c(&response->headers); *at != '\0';) {
        size_t line = strcspn(at, "\n");
        if (line > n && at[n] == ':' && strncasecmp(at, name, n) == 0) {
            found = at + n + 1;
            found_size = line - n - 1;
        }
        at += line + (at[line] == '\n' ? 1 : 0);
    }
    if (!found) { return NULL; }
    while (found_size > 0 && (*found == ' ' || *found == '\t')) {
        found++;
        found_size--;
    }
    while (found_size > 0 && strchr(" \t", found[found_size - 1])) { found_size--; }
    return it_strndup(found, found_size);
}
