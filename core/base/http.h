/* SPDX-License-Identifier: MIT */
/* HTTP requests over libcurl, which is opened at run time: a program without it runs, and says so
 * when it is asked to fetch something. One client is for one thread; it keeps its connection. */
#ifndef IT_BASE_HTTP_H
#define IT_BASE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"
#include "core/base/str.h"

struct it_http;

/* IT_UNSUPPORTED, with the cure, where this build or this machine has no libcurl. */
enum it_status it_http_open(struct it_http **http_out);
void it_http_close(struct it_http *http);

struct it_http_request {
    const char *url;
    const char *method;         /* NULL: GET, or POST when there is a body */
    const char *const *headers; /* "Name: value", ended by NULL; NULL: none */
    const char *bearer;         /* token, sent to the first host only; NULL: none */
    const char *body;           /* NULL: none */
    size_t body_size;
    int64_t from;               /* ask for the bytes from here on; 0: all. A server that sends the
                                 * whole all the same (200): the first bytes are dropped here */
    bool follow;                /* follow redirects (https never to http) */
    double connect_s, stall_s;  /* give up after; 0: 20 and 60 seconds */
    double total_s;             /* 0: none */
    /* Where the body of a 2xx answer goes; NULL: into response.body. Not IT_OK stops the transfer
     * and is returned. */
    enum it_status (*write)(void *context, const char *bytes, size_t n);
    void *context;
    int64_t body_limit;         /* of response.body, bytes; 0: 64 MiB */
};

struct it_http_response {
    int status;              /* 200, 206, 404 ... of the last hop */
    struct it_str body;
    struct it_str headers;   /* of every hop, as received, lines ended by \n */
    char *url;               /* after redirects */
    int64_t length;          /* Content-Length; -1: not said */
    double retry_after_s;    /* Retry-After; negative: not said */
};

/* IT_OK when an answer came, whatever its status; IT_FAILED with the cause (host not found,
 * connection cut after N of M bytes ...) when none did; it_interrupted() ends it with
 * IT_INTERRUPTED. The response is to be freed in either case. */
enum it_status it_http_send(struct it_http *http, const struct it_http_request *request,
                            struct it_http_response *response_out);
void it_http_response_free(struct it_http_response *response);
/* The value of the last header of that name, trimmed; NULL when there is none. The caller frees. */
char *it_http_header(const struct it_http_response *response, const char *name);

#endif
