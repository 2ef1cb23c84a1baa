/* SPDX-License-Identifier: MIT */
/* HTTP against a server of our own: answers, ranges, redirects, tokens, limits, failures. */
#include <signal.h>

#include "core/base/clock.h"
#include "core/base/http.h"
#include "tests/http_server.h"
#include "tests/scratch.h"

static struct http_server server, other;
static struct it_http *http;
static struct it_str seen, seen_by_other; /* the last request */

static void elsewhere(void *context, int number, const char *request, struct http_reply *reply)
{
    (void)context;
    (void)number;
    it_str_clear(&seen_by_other);
    it_str_puts(&seen_by_other, request);
    http_reply_put(reply, "200 OK", "X-Mark: second\r\n", "elsewhere");
}

/* The path names what is to happen. */
static void handle(void *context, int number, const char *request, struct http_reply *reply)
{
    (void)context;
    (void)number;
    const char *path = strchr(request, ' ') + 1;
    char headers[256];
    it_str_clear(&seen);
    it_str_puts(&seen, request);
    if (it_starts_with(path, "/plain")) {
        http_reply_put(reply, "200 OK", "X-Mark:  one \r\nx-mark: two\t\r\n", "hello");
    } else if (it_starts_with(path, "/range")) {
        http_reply_put(reply, "206 Partial Content", "Content-Range: bytes 3-9/10\r\n", "3456789");
    } else if (it_starts_with(path, "/whole")) {
        http_reply_put(reply, "200 OK", "", "0123456789");
    } else if (it_starts_with(path, "/busy")) {
        http_reply_put(reply, "429 Too Many Requests", "Retry-After: 7\r\n", "slow down");
    } else if (it_starts_with(path, "/missing")) {
        http_reply_put(reply, "404 Not Found", "", "no such thing");
    } else if (it_starts_with(path, "/move")) {
        snprintf(headers, sizeof headers, "X-Mark: first\r\nLocation: http://localhost:%d/x\r\n",
                 other.port);
        http_reply_put(reply, "302 Found", headers, "moved");
    } else if (it_starts_with(path, "/round")) {
        http_reply_put(reply, "302 Found", "Location: /round\r\n", "");
    } else if (it_starts_with(path, "/file")) {
        http_reply_put(reply, "302 Found", "Location: file:///etc/passwd\r\n", "");
    } else if (it_starts_with(path, "/cut")) {
        it_str_puts(&reply->bytes, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
        reply->close = true;
    } else if (it_starts_with(path, "/nothing")) {
        reply->close = true;
    } else if (it_starts_with(path, "/garbage")) {
        it_str_puts(&reply->bytes, "\x01\x02 what is this\n\n");
        reply->close = true;
    } else if (it_starts_with(path, "/slow")) {
        reply->delay_s = 3;
        http_reply_put(reply, "200 OK", "", "late");
    } else if (it_starts_with(path, "/long")) {
        char *body = it_calloc(1, 100001);
        memset(body, 'x', 100000);
        http_reply_put(reply, "200 OK", "", body);
        it_free(body);
    }
}

static void begin(void)
{
    scratch_begin();
    http_server_begin(&server, handle, NULL);
    http_server_begin(&other, elsewhere, NULL);
    ck_assert_int_eq(it_http_open(&http), IT_OK);
}

static void end(void)
{
    it_http_close(http);
    http_server_end(&server);
    http_server_end(&other);
    it_str_free(&seen);
    it_str_free(&seen_by_other);
    scratch_end();
}

static char url[256];
static const char *at(const char *path)
{
    snprintf(url, sizeof url, "%s%s", server.url, path);
    return url;
}

static enum it_status send_to(const char *path, struct it_http_request request,
                              struct it_http_response *response)
{
    request.url = at(path);
    return it_http_send(http, &request, response);
}

static enum it_status collect(void *context, const char *bytes, size_t n)
{
    it_str_add(context, bytes, n);
    return IT_OK;
}

static enum it_status refuse(void *context, const char *bytes, size_t n)
{
    (void)context;
    (void)bytes;
    (void)n;
    return IT_IO;
}

START_TEST(answers)
{
    struct it_http_response r;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(send_to("/plain", (struct it_http_request){0}, &r), IT_OK);
        ck_assert_int_eq(r.status, 200);
        ck_assert_str_eq(it_str_c(&r.body), "hello");
        ck_assert_int_eq(r.length, 5);
        ck_assert(r.retry_after_s < 0);
        ck_assert_str_eq(r.url, at("/plain"));
        char *mark = it_http_header(&r, "X-MARK");
        ck_assert_str_eq(mark, "two");
        it_free(mark);
        ck_assert_ptr_null(it_http_header(&r, "X-Mar"));
        it_http_response_free(&r);
        ck_assert_ptr_nonnull(strstr(it_str_c(&seen), "GET /plain HTTP/1.1\r\n"));
        ck_assert_ptr_nonnull(strstr(it_str_c(&seen), "User-Agent: intuitor/"));
    }
    ck_assert_int_eq(server.connections, 1); /* kept */
    ck_assert_int_eq(send_to("/missing?key=secret", (struct it_http_request){0}, &r), IT_OK);
    ck_assert_int_eq(r.status, 404);
    ck_assert_str_eq(it_str_c(&r.body), "no such thing");
    it_http_response_free(&r);
    ck_assert_int_eq(send_to("/busy", (struct it_http_request){0}, &r), IT_OK);
    ck_assert_int_eq(r.status, 429);
    ck_assert(r.retry_after_s == 7);
    it_http_response_free(&r);
}
END_TEST

START_TEST(requests)
{
    struct it_http_response r;
    const char *const headers[] = {"Content-Type: application/json", "X-Own: yes", NULL};
    struct it_http_request post = {
        .body = "{\"a\":\0 1}", .body_size = 9, .headers = headers, .bearer = "token"};
    ck_assert_int_eq(send_to("/plain", post, &r), IT_OK);
    it_http_response_free(&r);
    const char *text = it_str_c(&seen);
    ck_assert(it_starts_with(text, "POST /plain HTTP/1.1\r\n"));
    ck_assert_ptr_nonnull(strstr(text, "\r\nX-Own: yes\r\n"));
    ck_assert_ptr_nonnull(strstr(text, "\r\nContent-Type: application/json\r\n"));
    ck_assert_ptr_nonnull(strstr(text, "\r\nAuthorization: Bearer token\r\n"));
    ck_assert_ptr_nonnull(strstr(text, "\r\nContent-Length: 9\r\n"));
    ck_assert_ptr_null(strstr(text, "Expect:"));
    ck_assert_int_eq(send_to("/plain", (struct it_http_request){.method = "HEAD"}, &r), IT_OK);
    ck_assert_int_eq(r.length, 5);
    ck_assert_uint_eq(r.body.len, 0);
    ck_assert(it_starts_with(it_str_c(&seen), "HEAD "));
    it_http_response_free(&r);
    ck_assert_int_eq(send_to("/plain", (struct it_http_request){.method = "DELETE"}, &r), IT_OK);
    ck_assert(it_starts_with(it_str_c(&seen), "DELETE "));
    ck_assert_ptr_null(strstr(it_str_c(&seen), "Authorization")); /* nothing is left over */
    it_http_response_free(&r);
    ck_assert_fails(send_to("/plain", (struct it_http_request){.bearer = "a\r\nX: y"}, &r),
                    IT_INVALID, "line break");
    it_http_response_free(&r);
}
END_TEST

START_TEST(ranges)
{
    struct it_http_response r;
    struct it_str body = {0};
    struct it_http_request request = {.from = 3, .write = collect, .context = &body};
    ck_assert_int_eq(send_to("/range", request, &r), IT_OK);
    ck_assert_ptr_nonnull(strstr(it_str_c(&seen), "\r\nRange: bytes=3-\r\n"));
    ck_assert_int_eq(r.status, 206);
    ck_assert_str_eq(it_str_c(&body), "3456789");
    ck_assert_uint_eq(r.body.len, 0);
    it_http_response_free(&r);
    it_str_clear(&body); /* a server that knows no ranges: the first bytes are dropped here */
    ck_assert_int_eq(send_to("/whole", request, &r), IT_OK);
    ck_assert_int_eq(r.status, 200);
    ck_assert_str_eq(it_str_c(&body), "3456789");
    it_http_response_free(&r);
    request.from = 5;
    ck_assert_fails(send_to("/range", request, &r), IT_FAILED, "bytes 3-9/10");
    it_http_response_free(&r);
    it_str_clear(&body); /* an error's body never goes where the file goes */
    ck_assert_int_eq(send_to("/missing", request, &r), IT_OK);
    ck_assert_uint_eq(body.len, 0);
    ck_assert_str_eq(it_str_c(&r.body), "no such thing");
    it_http_response_free(&r);
    ck_assert_int_eq(send_to("/whole", (struct it_http_request){.write = refuse}, &r), IT_IO);
    it_http_response_free(&r);
    it_str_free(&body);
}
END_TEST

START_TEST(redirects)
{
    struct it_http_response r;
    struct it_http_request request = {.bearer = "secret"};
    ck_assert_int_eq(send_to("/move", request, &r), IT_OK);
    ck_assert_int_eq(r.status, 302);
    it_http_response_free(&r);
    request.follow = true;
    ck_assert_int_eq(send_to("/move", request, &r), IT_OK);
    ck_assert_int_eq(r.status, 200);
    ck_assert_str_eq(it_str_c(&r.body), "elsewhere");
    ck_assert_ptr_nonnull(strstr(r.url, "localhost"));
    ck_assert_ptr_nonnull(strstr(it_str_c(&r.headers), "X-Mark: first\n"));
    char *mark = it_http_header(&r, "x-mark");
    ck_assert_str_eq(mark, "second");
    it_free(mark);
    ck_assert_ptr_nonnull(strstr(it_str_c(&seen), "Bearer secret"));
    ck_assert_ptr_null(strstr(it_str_c(&seen_by_other), "secret"));
    it_http_response_free(&r);
    ck_assert_fails(send_to("/round", request, &r), IT_FAILED, "redirect");
    it_http_response_free(&r);
    ck_assert_fails(send_to("/file", request, &r), IT_FAILED, "rotocol");
    it_http_response_free(&r);
}
END_TEST

START_TEST(failures)
{
    struct it_http_response r;
    struct it_http_request request = {0};
    ck_assert_fails(send_to("/cut?key=secret", request, &r), IT_FAILED, "/cut: ");
    ck_assert_ptr_null(strstr(it_str_c(&spoken), "secret"));
    it_http_response_free(&r);
    ck_assert_fails(send_to("/nothing", request, &r), IT_FAILED, "/nothing: ");
    it_http_response_free(&r);
    ck_assert_fails(send_to("/garbage", request, &r), IT_FAILED, "/garbage: ");
    it_http_response_free(&r);
    request.body_limit = 99999;
    ck_assert_fails(send_to("/long", request, &r), IT_FAILED, "longer than 99999");
    it_http_response_free(&r);
    request.body_limit = 100000;
    ck_assert_int_eq(send_to("/long", request, &r), IT_OK);
    ck_assert_uint_eq(r.body.len, 100000);
    it_http_response_free(&r);
    request.url = "ftp://127.0.0.1/";
    ck_assert_fails(it_http_send(http, &request, &r), IT_INVALID, "https://");
    it_http_response_free(&r);
    request.url = "http://name.invalid/";
    ck_assert_fails(it_http_send(http, &request, &r), IT_FAILED, "name.invalid");
    it_http_response_free(&r);
    request.url = "http://127.0.0.1:1/";
    ck_assert_fails(it_http_send(http, &request, &r), IT_FAILED, "127.0.0.1:1");
    it_http_response_free(&r);
}
END_TEST

START_TEST(patience)
{
    struct it_http_response r;
    double start = it_now();
    ck_assert_fails(send_to("/slow", (struct it_http_request){.total_s = 0.2}, &r), IT_FAILED,
                    "/slow");
    it_http_response_free(&r);
    ck_assert_fails(send_to("/slow", (struct it_http_request){.stall_s = 1}, &r), IT_FAILED,
                    "/slow");
    it_http_response_free(&r);
    ck_assert(it_now() - start < 2.9);
}
END_TEST

START_TEST(interruption)
{
    struct it_http_response r;
    it_interrupt_install();
    pid_t self = getpid(), child = fork();
    if (child == 0) {
        usleep(300000);
        kill(self, SIGINT);
        _exit(0);
    }
    ck_assert_int_eq(send_to("/slow", (struct it_http_request){0}, &r), IT_INTERRUPTED);
    it_http_response_free(&r);
    ck_assert_int_eq(send_to("/plain", (struct it_http_request){0}, &r), IT_INTERRUPTED);
    it_http_response_free(&r);
}
END_TEST

int main(void)
{
    if (http_is_missing()) { return 77; }
    Suite *suite = suite_create("http");
    TCase *tests = tcase_create("http");
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, answers);
    tcase_add_test(tests, requests);
    tcase_add_test(tests, ranges);
    tcase_add_test(tests, redirects);
    tcase_add_test(tests, failures);
    tcase_add_test(tests, patience);
    tcase_add_test(tests, interruption);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
