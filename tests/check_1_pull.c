/* SPDX-License-Identifier: MIT */
/* Pulling from a hub of our own that cuts connections, lies about lengths, sends wrong bytes,
 * redirects and lists hostile names. */
#define _GNU_SOURCE /* memmem */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "core/base/clock.h"
#include "core/data/hub.h"
#include "core/data/pull_internal.h"
#include "tests/hub_server.h"
#include "tests/scratch.h"

enum { BIG = 300000 };
#define REPO     "cache/models--org--net"
#define SNAPSHOT REPO "/snapshots/" HUB_COMMIT

static struct hub hub;
static char big[BIG], same[BIG];
static struct it_pull_options options;
static struct it_pulled pulled;
static struct it_strs include, exclude;

static void begin(void)
{
    scratch_begin();
    setenv("INTUITOR_CACHE", scratch_path("cache"), 1);
    unsetenv("HF_TOKEN");
    for (size_t i = 0; i < BIG; i++) { big[i] = (char)((i * 2654435761u) >> 11); }
    memcpy(same, big, BIG);
    hub_begin(&hub, "model", "org/net");
    options = (struct it_pull_options){.kind = "model",
                                       .repo_id = "org/net",
                                       .jobs = 3,
                                       .tries = 3,
                                       .include = &include,
                                       .exclude = &exclude};
    it_log_set_level(IT_LOG_ERROR);
}

static void end(void)
{
    hub_end(&hub);
    it_strs_free(&include);
    it_strs_free(&exclude);
    it_pulled_free(&pulled);
    scratch_end();
}

static struct hub_file *add_usual(void)
{
    hub_add(&hub, "config.json", "{}\n", 3, false);
    hub_add(&hub, "sub/deep/tokenizer.json", "{\"a\":1}", 7, false);
    hub_add(&hub, "pytorch_model.bin", big, 100, true);
    hub_add(&hub, ".gitattributes", "x\n", 2, false);
    return hub_add(&hub, "model.safetensors", big, BIG, true);
}

static enum it_status pull(void)
{
    it_pulled_free(&pulled);
    return it_pull(&options, &pulled);
}

static bool holds(const char *name, const char *bytes, size_t size)
{
    struct it_str text = {0};
    bool right = it_path_exists(scratch_path(name)) &&
                 it_file_read(scratch_path(name), &text) == IT_OK && text.len == size &&
                 (size == 0 || memcmp(text.data, bytes, size) == 0);
    it_str_free(&text);
    return right;
}

static void check_whole(void)
{
    ck_assert(holds(SNAPSHOT "/model.safetensors", big, BIG));
    ck_assert(holds(SNAPSHOT "/config.json", "{}\n", 3));
    ck_assert(holds(REPO "/refs/main", HUB_COMMIT, 40));
}

/* "REPO/blobs/HASH" of the large file, and what follows */
static const char *blob(const struct hub_file *file, const char *suffix)
{
    static char name[256];
    char hash[65];
    hub_hash(file, hash);
    snprintf(name, sizeof name, REPO "/blobs/%s%s", hash, suffix);
    return name;
}

/* ---- the usual ---- */

START_TEST(test_layout)
{
    char target[256] = "", *found;
    hub.page = _i ? 2 : 0;
    struct hub_file *file = add_usual();
    ck_assert_int_eq(pull(), IT_OK);
    check_whole();
    ck_assert(holds(blob(file, ""), big, BIG));
    ck_assert_int_gt(readlink(scratch_path(SNAPSHOT "/sub/deep/tokenizer.json"), target, 255), 0);
    ck_assert(it_starts_with(target, "../../../../blobs/"));
    ck_assert(holds(SNAPSHOT "/sub/deep/tokenizer.json", "{\"a\":1}", 7));
    ck_assert(!it_path_exists(scratch_path(SNAPSHOT "/pytorch_model.bin")));
    ck_assert(!it_path_exists(scratch_path(SNAPSHOT "/.gitattributes")));
    ck_assert_uint_eq(pulled.n, 3);
    ck_assert_int_eq(pulled.bytes, BIG + 10);
    ck_assert_int_eq(pulled.fetched_bytes, BIG + 10);
    ck_assert_str_eq(pulled.commit, HUB_COMMIT);
    ck_assert_int_eq(it_hub_find("model", "org/net", NULL, &found), IT_OK);
    ck_assert_str_eq(found, pulled.folder);
    it_free(found);
    ck_assert_int_eq(pull(), IT_OK); /* everything is there */
    ck_assert_int_eq(pulled.fetched_bytes, 0);
    ck_assert(!pulled.file[0].fetched);
    ck_assert_int_eq(hub_count(&hub, "resolve"), 3);
}
END_TEST

START_TEST(test_token)
{
    hub.token = "hf_secret";
    add_usual();
    ck_assert_fails(pull(), IT_NOT_FOUND, "HF_TOKEN is not set");
    setenv("HF_TOKEN", "hf_wrong", 1);
    ck_assert_fails(pull(), IT_NOT_FOUND, "may not see it");
    setenv("HF_TOKEN", "hf_secret", 1);
    ck_assert_int_eq(pull(), IT_OK);
    check_whole();
    ck_assert_int_ge(hub_count(&hub, "back "), 1);
    for (const char *line = hub.log.data; (line = strstr(line, "back ")) != NULL; line++) {
        ck_assert_ptr_null(memmem(line, strcspn(line, "\n"), " token", 6));
    }
}
END_TEST

START_TEST(test_dataset)
{
    hub.kind = options.kind = "dataset";
    hub_add(&hub, "data/train-00000-of-00001.parquet", big, 1000, true);
    hub_add(&hub, "README.md", "x", 1, false);
    hub_add(&hub, "a b/\xc3\xa9%?#.bin", "y", 1, false); /* all of a dataset, whatever its name */
    options.revision = "refs/pr/1";
    ck_assert_int_eq(pull(), IT_OK);
    ck_assert_uint_eq(pulled.n, 3);
    ck_assert(holds("cache/datasets--org--net/refs/refs/pr/1", HUB_COMMIT, 40));
    ck_assert(
        holds("cache/datasets--org--net/snapshots/" HUB_COMMIT "/a b/\xc3\xa9%?#.bin", "y", 1));
    ck_assert_int_eq(
        hub_count(&hub, "/datasets/org/net/resolve/" HUB_COMMIT "/a%20b/%C3%A9%25%3F%23.bin"), 1);
    ck_assert_int_eq(hub_count(&hub, "revision/refs%2Fpr%2F1"), 1);
}
END_TEST

/* ---- faults ---- */

START_TEST(test_cut)
{
    struct hub_file *file = add_usual();
    file->cut = 40000; /* eight answers, each of them progress */
    file->cuts = -1;
    ck_assert_int_eq(pull(), IT_OK);
    check_whole();
    ck_assert_int_ge(hub.ranges, 7);
    ck_assert_int_eq(pulled.fetched_bytes, BIG + 10);
}
END_TEST

START_TEST(test_goes_on_later)
{
    struct hub_file *file = add_usual();
    file->cut = 123456;
    file->cuts = 1;
    options.tries = 1;
    options.jobs = 1; /* and the large file comes first */
    ck_assert_fails(pull(), IT_FAILED, "1 of 3 files did not come");
    ck_assert(holds(blob(file, ".incomplete"), big, 123456));
    ck_assert(holds(SNAPSHOT "/config.json", "{}\n", 3)); /* the others came */
    ck_assert(!it_path_exists(scratch_path(REPO "/refs/main")));
    file->no_range = _i == 1;
    file->bad_range = _i == 2;
    options.tries = 2;
    ck_assert_int_eq(pull(), IT_OK);
    check_whole();
    ck_assert_int_eq(pulled.fetched_bytes, _i == 2 ? BIG : BIG - 123456);
    ck_assert(!it_path_exists(scratch_path(blob(file, ".incomplete"))));
}
END_TEST

START_TEST(test_wrong_bytes)
{
    struct hub_file *file = add_usual();
    file->wrong = 1;
    ck_assert_int_eq(pull(), IT_OK);
    check_whole();
    ck_assert_int_eq(it_dir_remove(scratch_path("cache")), IT_OK);
    hub.file[_i ? 0 : 4].wrong = -1; /* SHA-256, then git's */
    ck_assert_fails(pull(), IT_FAILED, "other bytes than the hub lists");
    ck_assert(!it_path_exists(scratch_path(blob(&hub.file[_i ? 0 : 4], ""))));
    ck_assert(!it_path_exists(scratch_path(blob(&hub.file[_i ? 0 : 4], ".incomplete"))));
    ck_assert(!it_path_exists(scratch_path(REPO "/refs/main")));
    hub.file[_i ? 0 : 4].wrong = 0;
    ck_assert_int_eq(pull(), IT_OK);
    check_whole();
}
END_TEST

START_TEST(test_lengths)
{
    struct hub_file *file = add_usual();
    options.tries = 2;
    file->longer = -1000; /* ends early and says that it is all: what is missing is asked for */
    ck_assert_fails(pull(), IT_FAILED, "given up after 2 tries");
    file->longer = 0;
    ck_assert_int_eq(pull(), IT_OK);
    ck_assert_int_eq(it_dir_remove(scratch_path("cache")), IT_OK);
    file->longer = 5000;
    ck_assert_fails(pull(), IT_OK, "sends more than"); /* the bytes that are listed are right */
    check_whole();
    ck_assert_int_eq(it_dir_remove(scratch_path("cache")), IT_OK);
    file->longer = 0;
    file->listed = BIG + 1;
    ck_assert_fails(pull(), IT_FAILED, "did not come");
    file->listed = BIG - 1;
    ck_assert_fails(pull(), IT_FAILED, "other bytes than the hub lists");
    ck_assert(!it_path_exists(scratch_path(REPO "/refs/main")));
}
END_TEST

START_TEST(test_busy)
{
    static const int statuses[] = {429, 500, 503};
    struct hub_file *file = add_usual();
    file->busy = 2;
    file->status = statuses[_i];
    ck_assert_int_eq(pull(), IT_OK);
    check_whole();
    ck_assert_int_eq(it_dir_remove(scratch_path("cache")), IT_OK);
    file->busy = 100;
    options.tries = 2;
    ck_assert_fails(pull(), IT_FAILED, "given up after 2 tries");
    file->status = 418;
    ck_assert_fails(pull(), IT_FAILED, "answered 418");
}
END_TEST

START_TEST(test_damaged)
{
    struct hub_file *file = add_usual();
    char *rubbish = it_calloc(1, BIG + 10);
    file->no_range = _i == 2;
    ck_assert_int_eq(it_dir_make(scratch_path(REPO "/blobs")), IT_OK);
    scratch_file(blob(file, ".incomplete"), rubbish, (size_t[]){1000, BIG, BIG + 10}[_i]);
    ck_assert_int_eq(pull(), IT_OK);
    check_whole();
    scratch_file(blob(file, ""), rubbish, BIG);
    ck_assert_int_eq(pull(), IT_OK); /* the size is right: not looked at */
    ck_assert_int_eq(pulled.fetched_bytes, 0);
    options.verify = true;
    ck_assert_int_eq(pull(), IT_OK);
    check_whole();
    options.verify = false;
    scratch_file(blob(file, ""), rubbish, 17);
    ck_assert_int_eq(pull(), IT_OK);
    check_whole();
    it_free(rubbish);
}
END_TEST

/* ---- hostile lists ---- */

static const char *const bad_lists[][2] = {
    {"[{\"type\":\"file\",\"path\":\"../up\",\"size\":1}]", "could leave the folder"},
    {"[{\"type\":\"file\",\"path\":\"/etc/x\",\"size\":1}]", "could leave the folder"},
    {"[{\"type\":\"file\",\"path\":\"a/../../x\",\"size\":1}]", "could leave the folder"},
    {"[{\"type\":\"file\",\"path\":\"a\\\\b\",\"size\":1}]", "could leave the folder"},
    {"[{\"type\":\"file\",\"path\":\"a//b\",\"size\":1}]", "could leave the folder"},
    {"[{\"type\":\"file\",\"path\":\"a/\",\"size\":1}]", "could leave the folder"},
    {"[{\"type\":\"file\",\"path\":\"./b\",\"size\":1}]", "could leave the folder"},
    {"[{\"type\":\"file\",\"path\":\"\",\"size\":1}]", "could leave the folder"},
    {"[{\"type\":\"file\",\"path\":\"a\\nb\",\"size\":1}]", "could leave the folder"},
    {"[{\"type\":\"file\",\"size\":1}]", "without \"path\""},
    {"[{\"type\":\"file\",\"path\":7}]", "expected a string"},
    {"[{\"type\":\"file\",\"path\":\"a.json\",\"size\":-5}]", "a size of -5"},
    {"[{\"type\":\"file\",\"path\":\"a.json\",\"size\":1,\"oid\":\"../../x\"}]", "the hash"},
    {"[{\"type\":\"file\",\"path\":\"a.json\",\"size\":1,\"oid\":\"12\"}]", "the hash"},
    {"[{\"type\":\"file\",\"path\":\"a.json\"},{\"type\":\"file\",\"path\":\"a.json\"}]", "twice"},
    {"[5]", "not an object"},
    {"{}", "expected a list"},
    {"[", "tree"},
    {"[]", "no files"},
};
enum { N_BAD_LISTS = sizeof bad_lists / sizeof *bad_lists };

START_TEST(test_bad_list)
{
    hub.list = bad_lists[_i][0];
    capture_begin();
    enum it_status status = pull();
    const char *said = capture_end();
    ck_assert(status == IT_INVALID || status == IT_NOT_FOUND);
    ck_assert_msg(strstr(said, bad_lists[_i][1]), "said \"%s\"", said);
    ck_assert(!it_path_exists(scratch_path(REPO)));
}
END_TEST

START_TEST(test_bad_info)
{
    static const char *const infos[] = {
        "{\"sha\":\"../../..\"}", "{\"sha\":\"\"}", "{}", "[]", "{\"sha\":5}", "",
        "{\"sha\":\"a/b\"}"};
    add_usual();
    for (size_t i = 0; i < sizeof infos / sizeof *infos; i++) {
        hub.info = infos[i];
        capture_begin();
        ck_assert_int_eq(pull(), IT_INVALID);
        ck_assert_ptr_nonnull(strstr(capture_end(), "revision/main"));
    }
    ck_assert(!it_path_exists(scratch_path("cache")));
}
END_TEST

START_TEST(test_path)
{
    char *name = it_calloc(1, 3000);
    ck_assert(it_pull_is_path("a"));
    ck_assert(it_pull_is_path("...a/.b/c..d/\xc3\xa9"));
    ck_assert(!it_pull_is_path("a/\xc3"));
    ck_assert(!it_pull_is_path("a/.."));
    memset(name, 'n', 255);
    ck_assert(it_pull_is_path(name));
    memset(name, 'n', 256);
    ck_assert(!it_pull_is_path(name));
    for (size_t i = 0; i < 2000; i++) { name[i] = i % 2 ? '/' : 'n'; }
    name[1999] = '\0';
    ck_assert(!it_pull_is_path(name));
    it_free(name);
}
END_TEST

START_TEST(test_links_in_the_way)
{
    add_usual();
    ck_assert_int_eq(it_dir_make(scratch_path("outside")), IT_OK);
    ck_assert_int_eq(it_dir_make(scratch_path(SNAPSHOT)), IT_OK);
    ck_assert_int_eq(symlink(scratch_path("outside"), scratch_path(SNAPSHOT "/sub")), 0);
    ck_assert_fails(pull(), IT_IO, "a file or a link is in the way");
    ck_assert(it_dir_is_empty(scratch_path("outside")));
    options.local_dir = scratch_path("local");
    ck_assert_int_eq(it_dir_make(options.local_dir), IT_OK);
    ck_assert_int_eq(symlink(scratch_path("outside/x"), scratch_path("local/config.json")), 0);
    ck_assert_fails(pull(), IT_IO, "in the way of a file");
    ck_assert(it_dir_is_empty(scratch_path("outside")));
}
END_TEST

START_TEST(test_no_room)
{
    struct hub_file *file = add_usual();
    hub.file[0].listed = hub.file[1].listed = INT64_MAX; /* the sum, in 64 bits, is small */
    file->listed = BIG;
    ck_assert_fails(pull(), IT_IO, "there is room for");
    ck_assert_int_eq(hub_count(&hub, "resolve"), 0);
}
END_TEST

/* ---- other hubs, refusals, redirects ---- */

START_TEST(test_no_hashes_listed)
{
    hub.no_tree = true;
    struct hub_file *file = add_usual();
    ck_assert_int_eq(pull(), IT_OK);
    check_whole();
    ck_assert(holds(blob(file, ""), big, BIG)); /* the tag of the address is the hash */
    ck_assert_int_eq(it_dir_remove(scratch_path("cache")), IT_OK);
    file->wrong = -1;
    ck_assert_fails(pull(), IT_FAILED, "other bytes than the hub lists");
}
END_TEST

START_TEST(test_refusals)
{
    add_usual();
    hub.gate = "GatedRepo";
    ck_assert_fails(pull(), IT_INVALID, "accept its terms");
    hub.gate = NULL;
    options.revision = "none";
    ck_assert_fails(pull(), IT_NOT_FOUND, "no revision \"none\"");
    options.revision = NULL;
    options.repo_id = "org/other";
    ck_assert_fails(pull(), IT_NOT_FOUND, "has no model of that name");
    options.repo_id = "../x";
    ck_assert_fails(pull(), IT_INVALID, "expected the name of a repository");
    options.repo_id = "org/net";
    options.revision = "../../x";
    ck_assert_fails(pull(), IT_INVALID, "expected a branch");
    options.revision = NULL;
    setenv("HF_ENDPOINT", "ftp://x", 1);
    ck_assert_fails(pull(), IT_INVALID, "HF_ENDPOINT");
    setenv("HF_ENDPOINT", "http://127.0.0.1:1", 1);
    options.tries = 1;
    ck_assert_fails(pull(), IT_FAILED, "127.0.0.1");
}
END_TEST

START_TEST(test_redirects)
{
    add_usual();
    hub.moved = "file:///etc";
    ck_assert_fails(pull(), IT_INVALID, "not http or https");
    hub.moved = hub.front.url; /* an address that the front does not have */
    ck_assert_fails(pull(), IT_NOT_FOUND, "has no such file");
    hub.moved = "/org/net/resolve/" HUB_COMMIT; /* round and round */
    ck_assert_fails(pull(), IT_INVALID, "more than 10 times");
}
END_TEST

START_TEST(test_join)
{
    static const char *const joined[][3] = {
        {"https://a/b/c?d", "https://x:1/y", "https://x:1/y"},
        {"https://a/b/c?d", "/e?f", "https://a/e?f"},
        {"https://a/b/c?d/e", "g", "https://a/b/g"},
        {"https://a", "g", "https://a/g"},
        {"https://a/b", "//x/y", "https://x/y"},
        {"http://a/b?c", "?d", "http://a/b?d"},
        {"https://a/b", "file:///x", NULL},
        {"https://a/b", "javascript:x", NULL},
    };
    for (size_t i = 0; i < sizeof joined / sizeof *joined; i++) {
        char *url = it_url_join(joined[i][0], joined[i][1]);
        ck_assert_msg(url && joined[i][2] ? strcmp(url, joined[i][2]) == 0 : url == joined[i][2],
                      "%zu: %s", i, url ? url : "NULL");
        it_free(url);
    }
    ck_assert(it_url_same_origin("https://A/b", "https://a/c"));
    ck_assert(!it_url_same_origin("https://a", "https://a:8"));
    ck_assert(!it_url_same_origin("https://a", "http://a"));
    ck_assert(!it_url_same_origin("https://a@b/", "https://a/"));
    ck_assert(!it_url_same_origin("https://ab/", "https://a/"));
}
END_TEST

/* ---- selection ---- */

START_TEST(test_select)
{
    static const char *const paths[] = {"model.safetensors",
                                        "consolidated.safetensors",
                                        "original/params.json",
                                        "merges.txt",
                                        "tokenizer.model",
                                        "chat_template.jinja",
                                        "LICENSE",
                                        "weights.gguf",
                                        "training.log",
                                        "nested/README.md"};
    struct it_pull_hub at = {.options = &options};
    struct it_pull_list list = {0};
    for (int round = 0; round < 3; round++) {
        if (round == 1) { it_strs_add(&include, "*.gguf"); }
        if (round == 1) { it_strs_add(&include, "nested/"); }
        if (round == 2) { it_strs_add(&exclude, "*"); }
        list = (struct it_pull_list){.file = it_calloc(10, sizeof *list.file), .n = 10, .cap = 10};
        for (size_t i = 0; i < 10; i++) { list.file[i].path = it_strdup(paths[i]); }
        if (round == 2) {
            ck_assert_fails(it_pull_select(&at, &list), IT_NOT_FOUND, "none of its 10 files");
        } else {
            ck_assert_int_eq(it_pull_select(&at, &list), IT_OK);
            ck_assert_uint_eq(list.n, round ? 2 : 6);
            ck_assert_str_eq(list.file[0].path, round ? "weights.gguf" : "model.safetensors");
            ck_assert_str_eq(list.file[1].path, round ? "nested/README.md" : "merges.txt");
        }
        it_pull_list_free(&list);
    }
}
END_TEST

/* ---- plain folders ---- */

START_TEST(test_local)
{
    add_usual();
    options.local_dir = scratch_path("local");
    ck_assert_int_eq(pull(), IT_OK);
    ck_assert_str_eq(pulled.folder, options.local_dir);
    ck_assert(holds("local/model.safetensors", big, BIG));
    ck_assert(holds("local/sub/deep/tokenizer.json", "{\"a\":1}", 7));
    ck_assert(!it_path_exists(scratch_path("cache")));
    ck_assert_int_eq(pull(), IT_OK);
    ck_assert_int_eq(pulled.fetched_bytes, 0);
    hub.file[0].bytes = "[]\n"; /* the hub's is new, ours is as it was pulled */
    ck_assert_int_eq(pull(), IT_OK);
    ck_assert_int_eq(pulled.fetched_bytes, 3);
    ck_assert(holds("local/config.json", "[]\n", 3));
    scratch_text("local/config.json", "mine"); /* somebody's work stays */
    ck_assert_fails(pull(), IT_INVALID, "move it away");
    ck_assert(holds("local/config.json", "mine", 4));
    ck_assert_int_eq(unlink(scratch_path("local/config.json")), 0);
    ck_assert_int_eq(pull(), IT_OK);
    ck_assert(holds("local/config.json", "[]\n", 3));
    hub_add(&hub, ".cache/huggingface/download/config.json.metadata.json", "x", 1, false);
    ck_assert_fails(pull(), IT_INVALID, "this name is taken");
}
END_TEST

/* ---- side by side ---- */

START_TEST(test_same_bytes_twice)
{
    add_usual();
    hub_add(&hub, "again.safetensors", same, BIG, true);
    hub_add(&hub, "third.safetensors", same, BIG, true);
    options.jobs = 8;
    ck_assert_int_eq(pull(), IT_OK);
    check_whole();
    ck_assert(holds(SNAPSHOT "/third.safetensors", big, BIG));
    ck_assert_int_eq(pulled.fetched_bytes, BIG + 10);
}
END_TEST

static void *let_go(void *context)
{
    usleep(400000);
    close(*(int *)context);
    return NULL;
}

START_TEST(test_lock)
{
    struct hub_file *file = add_usual();
    char hash[65], name[256];
    pthread_t thread;
    hub_hash(file, hash);
    snprintf(name, sizeof name, "cache/.locks/models--org--net/%s.lock", hash);
    ck_assert_int_eq(it_dir_make(scratch_path("cache/.locks/models--org--net")), IT_OK);
    int fd = open(scratch_path(name), O_RDWR | O_CREAT, 0666);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(flock(fd, LOCK_EX), 0);
    double start = it_now();
    ck_assert_int_eq(pthread_create(&thread, NULL, let_go, &fd), 0);
    ck_assert_int_eq(pull(), IT_OK);
    ck_assert(it_now() - start >= 0.4);
    pthread_join(thread, NULL);
    check_whole();
}
END_TEST

int main(void)
{
    if (http_is_missing()) { return 77; }
    Suite *suite = suite_create("pull");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, begin, end);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, test_layout, 0, 2);
    tcase_add_test(tests, test_token);
    tcase_add_test(tests, test_dataset);
    tcase_add_test(tests, test_cut);
    tcase_add_loop_test(tests, test_goes_on_later, 0, 3);
    tcase_add_loop_test(tests, test_wrong_bytes, 0, 2);
    tcase_add_test(tests, test_lengths);
    tcase_add_loop_test(tests, test_busy, 0, 3);
    tcase_add_loop_test(tests, test_damaged, 0, 3);
    tcase_add_loop_test(tests, test_bad_list, 0, N_BAD_LISTS);
    tcase_add_test(tests, test_bad_info);
    tcase_add_test(tests, test_path);
    tcase_add_test(tests, test_links_in_the_way);
    tcase_add_test(tests, test_no_room);
    tcase_add_test(tests, test_no_hashes_listed);
    tcase_add_test(tests, test_refusals);
    tcase_add_test(tests, test_redirects);
    tcase_add_test(tests, test_join);
    tcase_add_test(tests, test_select);
    tcase_add_test(tests, test_local);
    tcase_add_test(tests, test_same_bytes_twice);
    tcase_add_test(tests, test_lock);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
