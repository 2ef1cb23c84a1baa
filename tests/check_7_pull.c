/* SPDX-License-Identifier: MIT */
/* intuitor pull from the outside: exit codes, the document, Ctrl-C, two at a time, names. */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <jansson.h>

#include "core/base/clock.h"
#include "tests/hub_server.h"
#include "tests/scratch.h"
#include "tests/tiny_config.h"

enum { BIG = 400000, MOST_ARGUMENTS = 16 };

static struct hub hub;
static char big[BIG], program[4096];
static struct it_str out, err;

static void begin(void)
{
    const char *build = getenv("top_builddir");
    scratch_begin();
    snprintf(program, sizeof program, "%s/intuitor", build ? build : ".");
    setenv("INTUITOR_CACHE", scratch_path("cache"), 1);
    unsetenv("HF_TOKEN");
    unsetenv("HF_HUB_OFFLINE");
    for (size_t i = 0; i < BIG; i++) { big[i] = (char)((i * 2654435761u) >> 11); }
    hub_begin(&hub, "model", "org/net");
}

static void end(void)
{
    hub_end(&hub);
    it_str_free(&out);
    it_str_free(&err);
    scratch_end();
}

static int open_new(const char *name)
{
    int fd = open(scratch_path(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    ck_assert_int_ge(fd, 0);
    return fd;
}

/* Words apart by spaces. Output goes to FOLDER/out and FOLDER/err. */
static pid_t start(const char *command)
{
    char *words = it_strdup(command), *argument[MOST_ARGUMENTS + 2] = {program}, *at = words;
    for (int n = 1; n <= MOST_ARGUMENTS && (argument[n] = strsep(&at, " ")); n++) {}
    int out_fd = open_new("out"), err_fd = open_new("err");
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        dup2(out_fd, STDOUT_FILENO);
        dup2(err_fd, STDERR_FILENO);
        execv(program, argument);
        _exit(127);
    }
    close(out_fd);
    close(err_fd);
    it_free(words);
    return child;
}

static int end_of(pid_t child)
{
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    it_str_clear(&out);
    it_str_clear(&err);
    ck_assert_int_eq(it_file_read(scratch_path("out"), &out), IT_OK);
    ck_assert_int_eq(it_file_read(scratch_path("err"), &err), IT_OK);
    return WEXITSTATUS(status);
}

#define ck_assert_run(code, command)                                                       \
    do {                                                                                   \
        int got_ = end_of(start(command));                                                 \
        ck_assert_msg(got_ == (code), "exit %d of %s: %s", got_, command, it_str_c(&err)); \
    } while (0)
#define ck_assert_said(text) ck_assert_msg(strstr(it_str_c(&err), text), "%s", it_str_c(&err))

static json_t *document(void)
{
    json_t *value = json_loadb(it_str_c(&out), out.len, 0, NULL);
    ck_assert_msg(value != NULL, "%s", it_str_c(&out));
    return value;
}

static int64_t fetched(void)
{
    json_t *value = document();
    json_int_t n = json_integer_value(json_object_get(value, "fetched_bytes"));
    json_decref(value);
    return n;
}

START_TEST(test_document)
{
    hub_add(&hub, "model.safetensors", big, BIG, true);
    hub_add(&hub, "config.json", "{}\n", 3, false);
    ck_assert_run(0, "pull org/net --json --quiet");
    ck_assert_uint_eq(err.len, 0);
    json_t *value = document();
    const json_t *first = json_array_get(json_object_get(value, "files"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(value, "repo_id")), "org/net");
    ck_assert_str_eq(json_string_value(json_object_get(value, "commit")), HUB_COMMIT);
    ck_assert_str_eq(json_string_value(json_object_get(first, "path")), "config.json");
    ck_assert(json_is_true(json_object_get(first, "fetched")));
    json_decref(value);
    ck_assert_int_eq(fetched(), BIG + 3);
    ck_assert_run(0, "pull org/net");
    ck_assert_str_eq(it_str_c(&out),
                     scratch_path("cache/models--org--net/snapshots/" HUB_COMMIT "\n"));
    ck_assert_run(0, "pull org/net --offline");
    ck_assert_ptr_nonnull(strstr(it_str_c(&out), HUB_COMMIT));
    setenv("HF_HUB_OFFLINE", "True", 1);
    ck_assert_run(0, "pull org/net --json");
    ck_assert_int_eq(fetched(), 0);
    ck_assert_run(2, "pull org/other");
    ck_assert_said("this is offline");
    ck_assert_int_eq(hub_count(&hub, "other"), 0);
}
END_TEST

START_TEST(test_exit_codes)
{
    struct hub_file *file = hub_add(&hub, "model.safetensors", big, BIG, true);
    ck_assert_run(2, "pull");
    ck_assert_run(2, "pull org/net org/other");
    ck_assert_run(2, "pull org/net --jobs 0");
    ck_assert_run(2, "pull org/net --tries -1");
    ck_assert_run(2, "pull org/net --repo-type space");
    ck_assert_run(2, "pull ../net");
    ck_assert_run(2, "pull org/other");
    ck_assert_said("no model of that name");
    ck_assert_run(2, "pull org/net --include *.gguf --include *.bin");
    ck_assert_said("none of its 1 files");
    file->wrong = -1;
    ck_assert_run(1, "pull org/net");
    ck_assert_said("other bytes than the hub lists");
    ck_assert_uint_eq(out.len, 0);
}
END_TEST

static int64_t size_of(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? (int64_t)info.st_size : 0;
}

/* Until some of the large file is there. */
static void wait_for(const char *path)
{
    for (double limit = it_now() + 20; size_of(path) < 1000 && it_now() < limit;) { usleep(5000); }
    ck_assert_int_ge(size_of(path), 1000);
}

START_TEST(test_interrupt)
{
    char hash[65], name[256];
    struct hub_file *file = hub_add(&hub, "model.safetensors", big, BIG, true);
    file->piece = 2000; /* two seconds */
    hub_hash(file, hash);
    snprintf(name, sizeof name, "cache/models--org--net/blobs/%s.incomplete", hash);
    pid_t child = start("pull org/net");
    wait_for(scratch_path(name));
    ck_assert_int_eq(kill(child, _i ? SIGTERM : SIGINT), 0);
    ck_assert_int_eq(end_of(child), 75);
    ck_assert_said("the same command goes on");
    int64_t kept = size_of(scratch_path(name));
    ck_assert_int_ge(kept, 1000);
    ck_assert_int_lt(kept, BIG);
    file->piece = 0;
    ck_assert_run(0, "pull org/net --json");
    ck_assert_int_eq(fetched(), BIG - kept);
}
END_TEST

START_TEST(test_two_at_a_time)
{
    struct hub_file *file = hub_add(&hub, "model.safetensors", big, BIG, true);
    file->piece = 10000;
    pid_t first = start("pull org/net"), second = start("pull org/net");
    ck_assert_int_eq(end_of(first), 0);
    ck_assert_int_eq(end_of(second), 0);
    ck_assert_int_eq(hub_count(&hub, "back GET"), 1);
}
END_TEST

/* What `init` made, served, pulled, and opened by its name. */
START_TEST(test_by_name)
{
    static const char *const names[] = {"config.json", "generation_config.json",
                                        "model.safetensors"};
    struct it_str bytes[3] = {{0}}, command = {0};
    tiny_changed("config.json", NULL, NULL);
    it_str_printf(&command, "init --config %s --seed 1 %s", scratch_path("config.json"),
                  scratch_path("made"));
    ck_assert_run(0, it_str_c(&command));
    for (size_t i = 0; i < 3; i++) {
        struct it_str path = {0};
        it_str_printf(&path, "made/%s", names[i]);
        if (it_file_read(scratch_path(it_str_c(&path)), &bytes[i]) == IT_OK) {
            hub_add(&hub, names[i], it_str_c(&bytes[i]), bytes[i].len, i == 2);
        }
        it_str_free(&path);
    }
    scratch_text("in", "{\"prompt_ids\":[1],\"completion_ids\":[2,5]}\n");
    it_str_clear(&command);
    it_str_printf(&command, "score --model org/net --input %s --backend cpu", scratch_path("in"));
    ck_assert_run(2, it_str_c(&command));
    ck_assert_said("intuitor pull org/net");
    ck_assert_run(0, "pull org/net");
    ck_assert_run(0, it_str_c(&command));
    ck_assert_ptr_nonnull(strstr(it_str_c(&out), "\"n_tokens\":2"));
    for (size_t i = 0; i < 3; i++) { it_str_free(&bytes[i]); }
    it_str_free(&command);
}
END_TEST

int main(void)
{
    if (http_is_missing()) { return 77; }
    Suite *suite = suite_create("pull");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, begin, end);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_document);
    tcase_add_test(tests, test_exit_codes);
    tcase_add_loop_test(tests, test_interrupt, 0, 2);
    tcase_add_test(tests, test_two_at_a_time);
    tcase_add_test(tests, test_by_name);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
