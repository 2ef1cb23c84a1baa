/* SPDX-License-Identifier: MIT */
/* For tests: a small HTTP server on the loopback, a thread a connection, whose answers the test
 * writes byte for byte. */
#ifndef IT_TESTS_HTTP_SERVER_H
#define IT_TESTS_HTTP_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <check.h>

#include "core/base/http.h"
#include "core/base/mem.h"
#include "core/base/str.h"

struct http_reply {
    struct it_str bytes; /* sent as they are: see http_reply_put */
    bool close;          /* end the connection afterwards */
    double delay_s;      /* before the answer */
    size_t piece;        /* bytes sent between two pauses; 0: all at once */
    double pause_s;
};

/* Called for request `number` (from 0), its head and body in one string; from several threads. */
typedef void http_handler(void *context, int number, const char *request, struct http_reply *reply);

struct http_server {
    int socket, port;
    http_handler *handle;
    void *context;
    atomic_int requests, connections;
    pthread_t thread;
    char url[64]; /* http://127.0.0.1:PORT */
};

struct http_connection {
    struct http_server *server;
    int socket;
};

/* No library was found: there is nothing to test. */
static inline bool http_is_missing(void)
{
    struct it_http *http = NULL;
    enum it_status status = it_http_open(&http);
    it_http_close(http);
    return status == IT_UNSUPPORTED;
}

/* A whole answer with its Content-Length. `headers` are lines ended by \r\n, or "". */
static inline void http_reply_put(struct http_reply *reply, const char *status, const char *headers,
                                  const char *body)
{
    it_str_printf(&reply->bytes, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n%s", status, headers,
                  strlen(body), body);
}

/* One request, its body after the empty line; false at the end of the connection. */
static inline bool http_receive(int socket, struct it_str *request)
{
    char buffer[4096];
    it_str_clear(request);
    for (size_t need = 0;;) {
        const char *end = strstr(it_str_c(request), "\r\n\r\n");
        if (end && need == 0) {
            const char *length = strstr(it_str_c(request), "Content-Length: ");
            need =
                (size_t)(end - request->data) + 4 + (length ? strtoul(length + 16, NULL, 10) : 0);
        }
        if (need > 0 && request->len >= need) { return true; }
        ssize_t n = recv(socket, buffer, sizeof buffer, 0);
        if (n <= 0) { return false; }
        it_str_add(request, buffer, (size_t)n);
    }
}

static inline bool http_send_reply(int socket, const struct http_reply *reply)
{
    const char *bytes = it_str_c(&reply->bytes);
    size_t piece = reply->piece ? reply->piece : reply->bytes.len;
    if (reply->delay_s > 0) { usleep((useconds_t)(reply->delay_s * 1e6)); }
    for (size_t at = 0; at < reply->bytes.len;) {
        size_t left = reply->bytes.len - at;
        ssize_t sent = send(socket, bytes + at, left < piece ? left : piece, MSG_NOSIGNAL);
        if (sent < 0) { return false; }
        at += (size_t)sent;
        if (reply->pause_s > 0) { usleep((useconds_t)(reply->pause_s * 1e6)); }
    }
    return true;
}

static inline void *http_connection_run(void *context)
{
    struct http_connection *connection = context;
    struct http_server *server = connection->server;
    struct it_str request = {0};
    bool open = true;
    while (open && http_receive(connection->socket, &request)) {
        struct http_reply reply = {0};
        server->handle(server->context, atomic_fetch_add(&server->requests, 1), it_str_c(&request),
                       &reply);
        open = http_send_reply(connection->socket, &reply) && !reply.close;
        it_str_free(&reply.bytes);
    }
    it_str_free(&request);
    close(connection->socket);
    it_free(connection);
    return NULL;
}

static inline void *http_server_run(void *context)
{
    struct http_server *server = context;
    for (;;) {
        int socket = accept(server->socket, NULL, NULL);
        if (socket < 0) { return NULL; }
        atomic_fetch_add(&server->connections, 1);
        struct http_connection *connection = it_alloc(sizeof *connection);
        *connection = (struct http_connection){.server = server, .socket = socket};
        pthread_t thread;
        ck_assert_int_eq(pthread_create(&thread, NULL, http_connection_run, connection), 0);
        pthread_detach(thread);
    }
}

static inline void http_server_begin(struct http_server *server, http_handler *handle,
                                     void *context)
{
    setenv("NO_PROXY", "*", 1); /* straight to the loopback, whatever the machine's proxy */
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    *server = (struct http_server){.handle = handle, .context = context};
    server->socket = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(server->socket, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(server->socket, 16), 0);
    ck_assert_int_eq(getsockname(server->socket, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
    snprintf(server->url, sizeof server->url, "http://127.0.0.1:%d", server->port);
    ck_assert_int_eq(pthread_create(&server->thread, NULL, http_server_run, server), 0);
}

static inline void http_server_end(struct http_server *server)
{
    shutdown(server->socket, SHUT_RDWR); /* wakes accept */
    pthread_join(server->thread, NULL);
    close(server->socket);
}

#endif
