/* SPDX-License-Identifier: MIT */
/* One job: its text and input go to the zygote in sealed memory files, what it writes comes back
 * through three pipes. This side keeps the clock and counts the bytes; the zygote kills on its word
 * and reports how the process ended. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "tasks/grade/sandbox_internal.h"

enum { N_PIPES = 3, N_FILES = 2 + N_PIPES, ERR_KEPT = 4096 };
enum { OUT, ERR, REPLY };
static const double longest_s = 1e6;
static const double grace_s = 5; /* for a zygote to answer after the word to kill */

/* As zygote.py unpacks and packs them. */
struct request {
    uint64_t serial;
    int64_t program, driver, input, memory, file, cpu, threads;
    unsigned char nonce[IT_NONCE_BYTES];
};
struct report {
    uint64_t serial;
    int64_t status, cpu_us, peak_bytes;
    int64_t note;
};
enum {
    FAILED = 1, /* the walls did not go up and nothing ran; standard error says why */
    FLOODED,    /* killed for the files that it left */
    SQUEEZED    /* killed by the kernel for the memory of its cgroup */
};

struct stream {
    int file; /* the end we read; -1 at its end */
    struct it_str text;
    size_t seen, limit;
};

struct running {
    struct it_sandbox_worker *worker;
    struct it_sandbox_limits limits;
    struct request request;
    struct stream stream[N_PIPES];
    double start, deadline, killed_at; /* killed_at 0: not yet */
    bool hit_wall, hit_output, ended;
    struct report report;
};

static struct it_sandbox_limits with_defaults(struct it_sandbox_limits l)
{
    if (!(l.wall_s > 0)) { l.wall_s = 10; }
    if (l.wall_s > longest_s) { l.wall_s = longest_s; }
    if (!(l.cpu_s > 0)) { l.cpu_s = l.wall_s; }
    if (l.cpu_s > longest_s) { l.cpu_s = longest_s; }
    if (l.memory_bytes <= 0) { l.memory_bytes = (int64_t)1 << 30; }
    if (l.output_bytes <= 0) { l.output_bytes = 16 << 20; }
    if (l.file_bytes == 0) { l.file_bytes = 1 << 20; }
    if (l.file_bytes < 0) { l.file_bytes = 0; }
    if (l.threads == 0) { l.threads = 32; }
    if (l.threads < 0) { l.threads = 0; }
    return l;
}

/* ---- the way in ---- */

static enum it_status put(int file, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = write(file, bytes, size);
        if (n < 0 && errno == EINTR) { continue; }
        if (n <= 0) { return it_fail(IT_IO, "sandbox: a job's memory file: %s", strerror(errno)); }
        bytes += n;
        size -= (size_t)n;
    }
    return IT_OK;
}

/* A file in memory that nobody can change any more, read from its beginning. */
static enum it_status seal(int file)
{
    if (lseek(file, 0, SEEK_SET) != 0 ||
        fcntl(file, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) {
        return it_fail(IT_IO, "sandbox: a job's memory file: %s", strerror(errno));
    }
    return IT_OK;
}

static int memory_file(void)
{
    return memfd_create("job", MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

static enum it_status fill(const struct it_sandbox_job *job, int text, int input)
{
    if (text < 0 || input < 0) {
        return it_fail(IT_IO, "sandbox: a job's memory file: %s", strerror(errno));
    }
    IT_TRY(put(text, job->program, job->program_size));
    if (job->driver) {
        IT_TRY(put(text, job->driver, strlen(job->driver)));
        IT_TRY(put(text, job->input, job->input_size));
    } else {
        IT_TRY(put(input, job->input, job->input_size));
    }
    IT_TRY(seal(text));
    return seal(input);
}

/* The request and the files, in one message; `file` stays the caller's. */
static enum it_status send_request(const struct running *r, const int file[N_FILES], bool *lost_out)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(N_FILES * sizeof(int))];
    } extra = {0};
    struct request request = r->request;
    struct iovec part = {.iov_base = &request, .iov_len = sizeof request};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = extra.bytes,
                             .msg_controllen = sizeof extra.bytes};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(N_FILES * sizeof(int));
    memcpy(CMSG_DATA(c), file, N_FILES * sizeof(int));
    ssize_t n;
    do {
        n = sendmsg(r->worker->control, &message, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    *lost_out = n < 0;
    return IT_OK;
}

static void close_all(const int *file, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (file[i] >= 0) { close(file[i]); }
    }
}

static enum it_status open_pipes(struct running *r, int theirs[N_PIPES])
{
    for (int i = 0; i < N_PIPES; i++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0) {
            return it_fail(IT_IO, "sandbox: no pipe: %s", strerror(errno));
        }
        r->stream[i].file = ends[0];
        theirs[i] = ends[1];
        fcntl(ends[0], F_SETFL, O_NONBLOCK);
    }
    return IT_OK;
}

static enum it_status send_job(struct running *r, const struct it_sandbox_job *job, bool *lost_out)
{
    int file[N_FILES] = {-1, -1, -1, -1, -1};
    file[0] = memory_file();
    file[1] = memory_file();
    enum it_status status = fill(job, file[0], file[1]);
    if (status == IT_OK) { status = open_pipes(r, file + 2); }
    r->start = it_now();
    r->deadline = r->start + r->limits.wall_s;
    if (status == IT_OK) { status = send_request(r, file, lost_out); }
    close_all(file, N_FILES);
    return status;
}

/* ---- the way back ---- */

static void kill_job(struct running *r)
{
    uint64_t word = r->request.serial;
    if (r->killed_at > 0) { return; }
    r->killed_at = it_now();
    /* a zygote that is gone shows at the next poll */
    if (send(r->worker->control, &word, sizeof word, MSG_NOSIGNAL) < 0) { return; }
}

static void keep(struct stream *s, const char *bytes, size_t n)
{
    size_t room = s->seen < s->limit ? s->limit - s->seen : 0;
    it_str_add(&s->text, bytes, n < room ? n : room);
    s->seen += n;
}

/* Of standard error the end is kept. */
static void keep_end(struct stream *s, const char *bytes, size_t n)
{
    it_str_add(&s->text, bytes, n);
    s->seen += n;
    if (s->text.len > 16 * ERR_KEPT) {
        memmove(s->text.data, s->text.data + s->text.len - ERR_KEPT, ERR_KEPT);
        s->text.len = ERR_KEPT;
        s->text.data[ERR_KEPT] = 0;
    }
}

/* Everything there is now. */
static void drain(struct running *r, int which)
{
    char part[65536];
    struct stream *s = &r->stream[which];
    while (s->file >= 0) {
        ssize_t n = read(s->file, part, sizeof part);
        if (n < 0 && errno == EINTR) { continue; }
        if (n < 0 && errno == EAGAIN) { return; }
        if (n <= 0) {
            close(s->file);
            s->file = -1;
            return;
        }
        if (which == ERR) {
            keep_end(s, part, (size_t)n);
        } else {
            keep(s, part, (size_t)n);
        }
        if (s->seen > s->limit && !r->ended) {
            r->hit_output = true;
            kill_job(r);
            return;
        }
    }
}

static void hear_report(struct running *r, bool *lost_out)
{
    struct report report;
    ssize_t n = recv(r->worker->control, &report, sizeof report, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) { return; }
    if (n != (ssize_t)sizeof report || report.serial != r->request.serial) {
        *lost_out = true;
    } else {
        r->report = report;
        r->ended = true;
    }
}

/* Milliseconds until the clock must be looked at again, rounded up; five times a second a user who
 * wants to stop is heard. */
static int patience(const struct running *r)
{
    double left = (r->killed_at > 0 ? r->killed_at + grace_s : r->deadline) - it_now();
    if (left <= 0) { return 0; }
    return left > 0.2 ? 200 : (int)(1000 * left) + 1;
}

static void watch(struct running *r, bool *lost_out)
{
    while (!r->ended && !*lost_out) {
        struct pollfd wait[N_PIPES + 1];
        for (int i = 0; i < N_PIPES; i++) {
            bool full = r->killed_at > 0 && r->stream[i].seen > r->stream[i].limit;
            wait[i] = (struct pollfd){.fd = full ? -1 : r->stream[i].file, .events = POLLIN};
        }
        wait[N_PIPES] = (struct pollfd){.fd = r->worker->control, .events = POLLIN};
        int ready = poll(wait, N_PIPES + 1, patience(r));
        if (ready < 0) { continue; }
        for (int i = 0; i < N_PIPES; i++) {
            if (wait[i].revents) { drain(r, i); }
        }
        if (wait[N_PIPES].revents) { hear_report(r, lost_out); }
        if (r->ended) { break; }
        if (r->killed_at > 0) {
            if (it_now() > r->killed_at + grace_s) { *lost_out = true; }
        } else if (it_now() >= r->deadline || it_interrupted()) {
            r->hit_wall = true;
            kill_job(r);
        }
    }
    for (int i = 0; i < N_PIPES; i++) { drain(r, i); }
}

/* ---- the result ---- */

static char *copy(const char *bytes, size_t size)
{
    char *owned = it_alloc(size + 1);
    if (size > 0) { memcpy(owned, bytes, size); }
    owned[size] = 0;
    return owned;
}

static void take_reply(struct it_sandbox_result *result, const char *message, size_t size)
{
    size_t n = result->n_replies;
    result->reply = it_realloc(result->reply, (n + 1) * sizeof *result->reply);
    result->reply_size = it_realloc(result->reply_size, (n + 1) * sizeof *result->reply_size);
    result->reply[n] = copy(message, size);
    result->reply_size[n] = size;
    result->n_replies = n + 1;
}

/* True when the driver said that memory was the end. */
static bool take_replies(const struct running *r, struct it_sandbox_result *result)
{
    const struct it_str *text = &r->stream[REPLY].text;
    const char *message;
    size_t at = 0, size;
    char kind;
    bool memory = false;
    while ((kind = it_sandbox_reply_next(it_str_c(text), text->len, r->request.nonce, &at,
                                         &message, &size))) {
        if (kind == 'R') { take_reply(result, message, size); }
        if (kind == 'M') { memory = true; }
    }
    return memory;
}

static void take_end(const struct running *r, bool memory, struct it_sandbox_result *result)
{
    int status = (int)r->report.status;
    bool signaled = WIFSIGNALED(status);
    result->cpu_s = 1e-6 * (double)r->report.cpu_us;
    result->peak_bytes = r->report.peak_bytes;
    result->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    result->signal_number = signaled ? WTERMSIG(status) : 0;
    bool cpu = result->cpu_s >= r->limits.cpu_s || (signaled && WTERMSIG(status) == SIGXCPU);
    if (r->hit_output || r->report.note == FLOODED) {
        result->end = IT_SANDBOX_OUTPUT;
    } else if (r->hit_wall || cpu) {
        result->end = IT_SANDBOX_TIME;
    } else if (memory || r->report.note == SQUEEZED) {
        result->end = IT_SANDBOX_MEMORY;
    } else {
        result->end = signaled ? IT_SANDBOX_SIGNAL : IT_SANDBOX_EXIT;
    }
}

static void take_text(struct running *r, struct it_sandbox_result *result)
{
    struct it_str *err = &r->stream[ERR].text;
    for (int i = 0; i < N_PIPES; i++) {
        if (r->stream[i].seen > r->stream[i].limit) { r->hit_output = true; }
    }
    result->out_size = r->stream[OUT].text.len;
    result->out = it_str_take(&r->stream[OUT].text);
    size_t skip = err->len > ERR_KEPT ? err->len - ERR_KEPT : 0;
    result->err = copy(it_str_c(err) + skip, err->len - skip);
}

static void finish(struct running *r)
{
    for (int i = 0; i < N_PIPES; i++) {
        if (r->stream[i].file >= 0) { close(r->stream[i].file); }
        it_str_free(&r->stream[i].text);
    }
}

enum it_status it_worker_run(struct it_sandbox_worker *worker, const struct it_sandbox_job *job,
                             struct it_sandbox_result *result_out, bool *hit_wall_out,
                             bool *lost_out)
{
    struct it_sandbox_limits l = with_defaults(job->limits);
    struct running r = {.worker = worker, .limits = l};
    struct it_sandbox_result result = {0};
    for (int i = 0; i < N_PIPES; i++) {
        r.stream[i] = (struct stream){.file = -1, .limit = (size_t)l.output_bytes};
    }
    r.request = (struct request){
        .serial = ++worker->serial, .program = (int64_t)job->program_size,
        .driver = job->driver ? (int64_t)strlen(job->driver) : 0,
        .input = job->driver ? (int64_t)job->input_size : 0, .memory = l.memory_bytes,
        .file = l.file_bytes, .cpu = (int64_t)l.cpu_s + 1, .threads = l.threads};
    if (getrandom(r.request.nonce, sizeof r.request.nonce, 0) != IT_NONCE_BYTES) {
        return it_fail(IT_IO, "sandbox: no random numbers: %s", strerror(errno));
    }
    *lost_out = false;
    enum it_status status = send_job(&r, job, lost_out);
    if (status == IT_OK) {
        watch(&r, lost_out);
        result.wall_s = it_now() - r.start;
    }
    if (status == IT_OK && !*lost_out) {
        bool memory = take_replies(&r, &result);
        take_text(&r, &result);
        take_end(&r, memory, &result);
        *hit_wall_out = r.hit_wall && !r.hit_output;
        if (r.hit_wall && it_interrupted()) {
            status = IT_INTERRUPTED;
        } else if (r.report.note == FAILED) {
            status = it_fail(IT_UNSUPPORTED, "sandbox: the walls of a job did not go up: %s",
                             result.err);
        }
    }
    if (status == IT_OK && !*lost_out) {
        *result_out = result;
    } else {
        it_sandbox_result_free(&result);
    }
    finish(&r);
    return status;
}
