/* SPDX-License-Identifier: MIT */
/* Requests to a hub: addresses, redirects, second tries, and what refusals mean. */
#include "core/data/pull_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/mem.h"

enum { REDIRECTS = 10, ERROR_BODY = 1 << 20 };
static const double first_wait = 0.25, longest_wait = 300; /* seconds */

/* ---- addresses ---- */

void it_url_add(struct it_str *url, const char *text, bool keep_slashes)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = c < 0x80 && (isalnum(c) || strchr("-._~", c));
        if (plain || (c == '/' && keep_slashes)) {
            it_str_putc(url, (char)c);
        } else {
            it_str_printf(url, "%%%02X", c);
        }
    }
}

static bool is_http(const char *url)
{
    return strncasecmp(url, "https://", 8) == 0 || strncasecmp(url, "http://", 7) == 0;
}

/* Bytes of "https://host:port". */
static size_t origin(const char *url)
{
    const char *host = strstr(url, "://");
    return host ? (size_t)(host + 3 - url) + strcspn(host + 3, "/?#\\") : 0;
}

bool it_url_same_origin(const char *a, const char *b)
{
    size_t n = origin(a);
    return n > 0 && n == origin(b) && strncasecmp(a, b, n) == 0;
}

/* RFC 3986, section 5.2, as far as redirects and next pages need it: dots in paths are left to the
 * server. */
char *it_url_join(const char *base, const char *reference)
{
    struct it_str url = {0};
    size_t scheme = strcspn(reference, ":/?#"), host = origin(base);
    if (host == 0) { return NULL; }
    if (reference[scheme] == ':') {
        if (!is_http(reference)) { return NULL; }
    } else if (it_starts_with(reference, "//")) {
        it_str_add(&url, base, strcspn(base, ":") + 1);
    } else if (*reference == '/') {
        it_str_add(&url, base, host);
    } else {
        size_t path = strcspn(base, "?#");
        while (*reference != '?' && path > host && base[path - 1] != '/') { path--; }
        it_str_add(&url, base, path);
        if (path == host) { it_str_putc(&url, '/'); }
    }
    it_str_puts(&url, reference);
    return it_str_take(&url);
}

/* ---- the hub ---- */

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

enum it_status it_pull_hub_open(const struct it_pull_options *options, struct it_pull_hub *hub_out)
{
    const char *endpoint = variable("HF_ENDPOINT");
    if (!endpoint) { endpoint = "https://huggingface.co"; }
    size_t n = strlen(endpoint);
    while (n > 0 && endpoint[n - 1] == '/') { n--; }
    if (!is_http(endpoint) || strpbrk(endpoint, "?# \t\r\n") || origin(endpoint) > n) {
        return it_fail(IT_INVALID,
                       "HF_ENDPOINT \"%s\": expected the address of a hub, as "
                       "https://huggingface.co",
                       endpoint);
    }
    *hub_out = (struct it_pull_hub){.options = options,
                                    .revision = options->revision ? options->revision : "main",
                                    .token = variable("HF_TOKEN"),
                                    .endpoint = it_strndup(endpoint, n)};
    return IT_OK;
}

void it_pull_hub_close(struct it_pull_hub *hub)
{
    it_free(hub->endpoint);
    it_free(hub->commit);
    *hub = (struct it_pull_hub){0};
}

/* ---- one request ---- */

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* The next address, or NULL when the answer is the last; a status other than IT_OK is logged. */
static enum it_status next_hop(const struct it_pull_hub *hub, const struct it_pull_ask *ask,
                               const char *url, const struct it_http_response *response,
                               char **next_out)
{
    *next_out = NULL;
    char *location = is_redirect(response->status) ? it_http_header(response, "Location") : NULL;
    if (!location) { return IT_OK; }
    char *next = it_url_join(url, location);
    it_free(location);
    if (!next || (strncasecmp(url, "https:", 6) == 0 && strncasecmp(next, "https:", 6) != 0)) {
        it_free(next);
        return it_fail(IT_INVALID, "%.*s: redirected to an address that is not %s",
                       (int)strcspn(url, "?#"), url,
                       strncasecmp(url, "https:", 6) == 0 ? "https" : "http or https");
    }
    if (ask->stay && !it_url_same_origin(next, hub->endpoint)) {
        it_free(next);
        return IT_OK;
    }
    *next_out = next;
    return IT_OK;
}

enum it_status it_pull_send(const struct it_pull_hub *hub, struct it_http *http,
                            const struct it_pull_ask *ask, struct it_http_response *response_out)
{
    char *url = it_strdup(ask->url), *next = NULL;
    enum it_status status = IT_OK;
    for (int hop = 0; status == IT_OK; hop++) {
        bool home = it_url_same_origin(url, hub->endpoint);
        struct it_http_request request = {.url = url,
                                          .method = ask->method,
                                          .bearer = home ? hub->token : NULL,
                                          .from = ask->from,
                                          .write = ask->write,
                                          .context = ask->context,
                                          .body_limit = ask->write ? ERROR_BODY : ask->body_limit};
        status = it_http_send(http, &request, response_out);
        if (status == IT_OK) { status = next_hop(hub, ask, url, response_out, &next); }
        if (status != IT_OK || !next) { break; }
        it_http_response_free(response_out);
        it_free(url);
        url = next;
        if (hop == REDIRECTS) {
            status = it_fail(IT_INVALID, "%s: redirected more than %d times", ask->url, REDIRECTS);
        }
    }
    it_free(url);
    return status;
}

bool it_pull_may_help(enum it_status status, int http_status)
{
    static const int passing[] = {408, 425, 429, 500, 502, 503, 504};
    if (status != IT_OK) { return status == IT_FAILED; }
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++) {
        if (passing[i] == http_status) { return true; }
    }
    return false;
}

enum it_status it_pull_wait(const char *what, int number, int tries, double retry_after_s)
{
    double wait = first_wait * (double)(1 << (number < 10 ? number - 1 : 9));
    if (retry_after_s > wait) { wait = retry_after_s; }
    if (wait > longest_wait) { wait = longest_wait; }
    it_warn("%s: trying again in %.1f s (%d of %d)", what, wait, number + 1, tries);
    for (double end = it_now() + wait; it_now() < end;) {
        if (it_interrupted()) { return IT_INTERRUPTED; }
        usleep(20000);
    }
    return IT_OK;
}

enum it_status it_pull_send_again(const struct it_pull_hub *hub, struct it_http *http,
                                  const struct it_pull_ask *ask,
                                  struct it_http_response *response_out)
{
    for (int number = 1;; number++) {
        enum it_status status = it_pull_send(hub, http, ask, response_out);
        bool again = it_pull_may_help(status, response_out->status);
        if (!again || number >= hub->options->tries) { return status; }
        double after = response_out->retry_after_s;
        if (status == IT_OK) { it_warn("%s: the hub answered %d", ask->url, response_out->status); }
        it_http_response_free(response_out);
        IT_TRY(it_pull_wait(ask->url, number, hub->options->tries, after));
    }
}

/* ---- refusals ---- */

static enum it_status refused_repository(const struct it_pull_hub *hub)
{
    const struct it_pull_options *o = hub->options;
    bool is_model = strcmp(o->kind, "model") == 0;
    return it_fail(IT_NOT_FOUND,
                   "%s: %s has no %s of that name, or it is private and HF_TOKEN %s; a %s has "
                   "--repo-type %s",
                   o->repo_id, hub->endpoint, o->kind, hub->token ? "may not see it" : "is not set",
                   is_model ? "dataset" : "model", is_model ? "dataset" : "model");
}

enum it_status it_pull_refused(const struct it_pull_hub *hub,
                               const struct it_http_response *response, const char *what)
{
    const struct it_pull_options *o = hub->options;
    char *code = it_http_header(response, "X-Error-Code");
    char *said = it_http_header(response, "X-Error-Message");
    enum it_status status;
    bool gated = code && strcmp(code, "GatedRepo") == 0;
    if (gated || response->status == 403) {
        status = it_fail(IT_INVALID,
                         "%s: %s does not let you have it%s%s; accept its terms on its page there, "
                         "and set HF_TOKEN (it is %s)",
                         o->repo_id, hub->endpoint, said ? ": " : "", said ? said : "",
                         hub->token ? "set" : "not set");
    } else if (code && strcmp(code, "RevisionNotFound") == 0) {
        status =
            it_fail(IT_NOT_FOUND, "%s: there is no revision \"%s\"", o->repo_id, hub->revision);
    } else if (what && response->status == 404) {
        status =
            it_fail(IT_NOT_FOUND, "%s: the hub lists %s and has no such file", o->repo_id, what);
    } else if (response->status == 404 || response->status == 401) {
        status = refused_repository(hub);
    } else {
        status = it_fail(IT_FAILED, "%s: %s answered %d%s%s", what ? what : o->repo_id,
                         hub->endpoint, response->status, said ? ": " : "", said ? said : "");
    }
    it_free(code);
    it_free(said);
    return status;
}
