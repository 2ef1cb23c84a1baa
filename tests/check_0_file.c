/* SPDX-License-Identifier: MIT */
/* Files: reads, maps, atomic writes under a full disk, lines, folders. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "core/base/file.h"
#include "tests/scratch.h"

static size_t names_in_scratch(void)
{
    struct it_strs names = {0};
    ck_assert_int_eq(it_dir_list(scratch, &names), IT_OK);
    size_t n = names.n;
    it_strs_free(&names);
    return n;
}

static void check_content(const char *path, const char *expected, size_t count)
{
    struct it_str text = {0};
    ck_assert_int_eq(it_file_read(path, &text), IT_OK);
    ck_assert_uint_eq(text.len, count);
    ck_assert(memcmp(it_str_c(&text), expected, count) == 0);
    it_str_free(&text);
}

START_TEST(paths)
{
    static const char *const joins[][3] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"},   {"a", "/b", "/b"},
        {"/", "b", "/b"},  {"a", "", "a/"},
    };
    for (size_t i = 0; i < sizeof joins / sizeof joins[0]; i++) {
        char *path = it_path_join(joins[i][0], joins[i][1]);
        ck_assert_str_eq(path, joins[i][2]);
        it_free(path);
    }
    ck_assert_str_eq(it_path_base("a/b.txt"), "b.txt");
    ck_assert_str_eq(it_path_base("b.txt"), "b.txt");
    ck_assert_str_eq(it_path_base("/a/b/"), "b/");
    ck_assert_str_eq(it_path_base("/"), "/");
    ck_assert_str_eq(it_path_base(""), "");
    const char *file = scratch_text("f", "x");
    ck_assert(it_path_exists(file) && it_path_exists(scratch));
    ck_assert(it_path_is_dir(scratch) && !it_path_is_dir(file));
    ck_assert(!it_path_exists(scratch_path("missing")));
}
END_TEST

START_TEST(whole_reads)
{
    char bytes[200000];
    for (size_t i = 0; i < sizeof bytes; i++) { bytes[i] = (char)(i * 7 + i / 256); }
    check_content(scratch_file("f", bytes, sizeof bytes), bytes, sizeof bytes);
    struct it_str text = {0};
    it_str_puts(&text, "before ");
    ck_assert_int_eq(it_file_read(scratch_text("g", "after"), &text), IT_OK);
    ck_assert_str_eq(text.data, "before after");
    ck_assert_fails(it_file_read(scratch_path("missing"), &text), IT_NOT_FOUND,
                    "missing: cannot open: No such file or directory; check the path");
    ck_assert_fails(it_file_read(scratch, &text), IT_INVALID, "Is a directory; name a file");
    ck_assert_str_eq(text.data, "before after"); /* unchanged by what failed */
    it_str_free(&text);
    check_content(scratch_text("empty", ""), "", 0);
    /* its size is said to be 0 */
    ck_assert_int_eq(it_file_read("/proc/self/status", &text), IT_OK);
    ck_assert(it_starts_with(it_str_c(&text), "Name:"));
    it_str_free(&text);
}
END_TEST

START_TEST(maps)
{
    struct it_map map = {0};
    ck_assert_int_eq(it_map_open(scratch_text("f", "content"), &map), IT_OK);
    ck_assert_uint_eq(map.size, 7);
    ck_assert_mem_eq(map.data, "content", 7);
    it_map_close(&map);
    ck_assert_ptr_null(map.data);
    ck_assert_int_eq(it_map_open(scratch_text("empty", ""), &map), IT_OK);
    ck_assert_ptr_null(map.data);
    ck_assert_uint_eq(map.size, 0);
    it_map_close(&map);
    ck_assert_fails(it_map_open(scratch_path("missing"), &map), IT_NOT_FOUND, "missing: ");
    ck_assert_fails(it_map_open(scratch, &map), IT_INVALID, "Is a directory");
    ck_assert_fails(it_map_open("/dev/null", &map), IT_INVALID, "/dev/null: a pipe or");
    ck_assert_int_eq(mkfifo(scratch_path("fifo"), 0600), 0); /* nobody waits for its writer */
    ck_assert_fails(it_map_open(scratch_path("fifo"), &map), IT_INVALID, "fifo: a pipe or");
}
END_TEST

START_TEST(writes_replace_the_whole)
{
    const char *path = scratch_text("f", "old content");
    struct it_file file;
    ck_assert_int_eq(it_file_begin(path, &file), IT_OK);
    fputs("new", file.stream);
    fflush(file.stream);
    check_content(path, "old content", 11); /* until the commit */
    ck_assert_int_eq(it_file_commit(&file), IT_OK);
    check_content(path, "new", 3);
    ck_assert_int_eq(it_file_begin(path, &file), IT_OK);
    fputs("never", file.stream);
    it_file_abandon(&file);
    it_file_abandon(&file); /* nothing twice */
    check_content(path, "new", 3);
    ck_assert_int_eq(it_file_write(path, NULL, 0), IT_OK);
    check_content(path, "", 0);
    ck_assert_uint_eq(names_in_scratch(), 1); /* no temporary file stays */
    mode_t mask = umask(0);
    umask(mask);
    struct stat info;
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0666 & ~mask);
    /* a name in the current folder */
    ck_assert_int_eq(chdir(scratch), 0);
    ck_assert_int_eq(it_file_write("bare", "x", 1), IT_OK);
    check_content(scratch_path("bare"), "x", 1);
    ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

START_TEST(two_writers_of_one_name)
{
    const char *path = scratch_path("f");
    struct it_file first, second;
    ck_assert_int_eq(it_file_begin(path, &first), IT_OK);
    ck_assert_int_eq(it_file_begin(path, &second), IT_OK);
    fputs("first", first.stream);
    fputs("second, longer", second.stream);
    ck_assert_int_eq(it_file_commit(&second), IT_OK);
    ck_assert_int_eq(it_file_commit(&first), IT_OK);
    check_content(path, "first", 5);
    ck_assert_uint_eq(names_in_scratch(), 1);
}
END_TEST

START_TEST(writes_that_cannot_begin)
{
    struct it_file file = {0};
    ck_assert_fails(it_file_begin(scratch_path("no/such/f"), &file), IT_NOT_FOUND, "cannot write");
    ck_assert_fails(it_file_begin(scratch, &file), IT_INVALID, "name a file");
    ck_assert_fails(it_file_begin("", &file), IT_INVALID, "\"\": cannot write");
    ck_assert_fails(it_file_begin(scratch_path("f/"), &file), IT_INVALID, "name a file");
    char name[300];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    capture_begin();
    enum it_status status = it_file_write(scratch_path(name), "x", 1);
    capture_end();
    ck_assert_int_eq(status, IT_INVALID); /* found out by rename */
    ck_assert_uint_eq(names_in_scratch(), 1); /* "stderr" */
}
END_TEST

static void limit_file_size(rlim_t bytes)
{
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* `count` bytes where a file may have 4096: the old content stays, nothing else does. */
static void check_full_disk(size_t count)
{
    const char *path = scratch_text("f", "old");
    char *bytes = it_calloc(count, 1);
    struct it_file file;
    limit_file_size(4096);
    ck_assert_int_eq(it_file_begin(path, &file), IT_OK);
    size_t written = fwrite(bytes, 1, count, file.stream);
    ck_assert(count > BUFSIZ || written == count); /* only a flush finds out */
    ck_assert_fails(it_file_commit(&file), IT_IO, "/f: cannot write: ");
    ck_assert_fails(it_file_write(path, bytes, count), IT_IO, "File too large; raise the limit");
    limit_file_size(RLIM_INFINITY);
    it_free(bytes);
    check_content(path, "old", 3);
    ck_assert_uint_eq(names_in_scratch(), 2); /* and "stderr" */
}

START_TEST(a_full_disk_is_noticed)
{
    check_full_disk(_i == 0 ? 5000 : 100000);
}
END_TEST

START_TEST(devices_are_written_in_place)
{
    struct it_file file;
    ck_assert_int_eq(it_file_write("/dev/null", "x", 1), IT_OK);
    struct stat info;
    ck_assert_int_eq(stat("/dev/null", &info), 0);
    ck_assert(S_ISCHR(info.st_mode));
    if (access("/dev/full", W_OK) != 0) { return; }
    ck_assert_int_eq(it_file_begin("/dev/full", &file), IT_OK);
    fputs("x", file.stream);
    ck_assert_fails(it_file_commit(&file), IT_IO, "No space left on device; make room");
    ck_assert_fails(it_file_copy(scratch_text("f", "x"), "/dev/full"), IT_IO, "No space left");
}
END_TEST

START_TEST(copies)
{
    char bytes[200000];
    for (size_t i = 0; i < sizeof bytes; i++) { bytes[i] = (char)(i * 31); }
    const char *from = scratch_file("from", bytes, sizeof bytes), *to = scratch_path("to");
    ck_assert_int_eq(it_file_copy(from, to), IT_OK);
    check_content(to, bytes, sizeof bytes);
    ck_assert_int_eq(it_file_copy(scratch_text("empty", ""), to), IT_OK);
    check_content(to, "", 0);
    ck_assert_fails(it_file_copy(scratch_path("missing"), to), IT_NOT_FOUND, "missing: ");
    ck_assert_fails(it_file_copy(scratch, to), IT_INVALID, "Is a directory");
}
END_TEST

/* The next line is `text`. */
static void check_line(struct it_lines *lines, const char *text, size_t count, int64_t number)
{
    ck_assert_int_eq(it_lines_next(lines), IT_OK);
    ck_assert_uint_eq(lines->line.len, count);
    ck_assert(memcmp(it_str_c(&lines->line), text, count + 1) == 0);
    ck_assert_int_eq(lines->number, number);
}

START_TEST(lines_of_every_kind)
{
    static const char text[] = "one\ntwo\r\n\nfo\0ur\nbare\rcr\r\r\nlast";
    struct it_lines lines;
    ck_assert_int_eq(it_lines_open(scratch_file("f", text, sizeof text - 1), 0, &lines), IT_OK);
    check_line(&lines, "one", 3, 1);
    check_line(&lines, "two", 3, 2);
    check_line(&lines, "", 0, 3);
    check_line(&lines, "fo\0ur", 5, 4);
    check_line(&lines, "bare\rcr\r", 8, 5);
    check_line(&lines, "last", 4, 6);
    ck_assert_int_eq(it_lines_next(&lines), IT_END);
    ck_assert_int_eq(it_lines_next(&lines), IT_END);
    it_lines_close(&lines);
    it_lines_close(&lines);
    ck_assert_int_eq(it_lines_open(scratch_text("g", "x\n"), 0, &lines), IT_OK);
    check_line(&lines, "x", 1, 1);
    ck_assert_int_eq(it_lines_next(&lines), IT_END); /* no empty line after the newline */
    it_lines_close(&lines);
    ck_assert_fails(it_lines_open(scratch_path("missing"), 0, &lines), IT_NOT_FOUND, "missing");
    ck_assert_fails(it_lines_open(scratch, 0, &lines), IT_INVALID, "Is a directory");
}
END_TEST

START_TEST(lines_up_to_their_limit)
{
    struct it_lines lines;
    const char *path = scratch_text("f", "12345\n12345\r\n123456\n12345678901\r\nok\n12345\r6\n");
    ck_assert_int_eq(it_lines_open(path, 5, &lines), IT_OK);
    check_line(&lines, "12345", 5, 1);
    check_line(&lines, "12345", 5, 2);
    ck_assert_fails(it_lines_next(&lines), IT_INVALID, "/f:3: the line is longer than 5 bytes");
    ck_assert_fails(it_lines_next(&lines), IT_INVALID, "/f:4: the line is longer");
    check_line(&lines, "ok", 2, 5);
    ck_assert_fails(it_lines_next(&lines), IT_INVALID, "/f:6: the line is longer");
    ck_assert_int_eq(it_lines_next(&lines), IT_END);
    it_lines_close(&lines);
    /* longer than the reader's own pieces */
    enum { LONG = 100000 };
    char *text = it_alloc(LONG + 1);
    memset(text, 'x', LONG);
    text[LONG] = '\0';
    ck_assert_int_eq(it_lines_open(scratch_text("g", text), LONG, &lines), IT_OK);
    check_line(&lines, text, LONG, 1);
    it_lines_close(&lines);
    ck_assert_int_eq(it_lines_open(scratch_path("g"), LONG - 1, &lines), IT_OK);
    ck_assert_fails(it_lines_next(&lines), IT_INVALID, "/g:1: ");
    it_lines_close(&lines);
    it_free(text);
}
END_TEST

START_TEST(lines_of_standard_input)
{
    ck_assert_ptr_nonnull(freopen(scratch_text("f", "a\nb"), "r", stdin));
    struct it_lines lines;
    ck_assert_int_eq(it_lines_open("-", 1, &lines), IT_OK);
    check_line(&lines, "a", 1, 1);
    ck_assert_str_eq(lines.path, "stdin");
    it_lines_close(&lines);
    ck_assert_int_eq(getchar(), 'b'); /* left open */
}
END_TEST

START_TEST(folders)
{
    const char *deep = scratch_path("a/b//c");
    ck_assert_int_eq(it_dir_make(deep), IT_OK);
    ck_assert_int_eq(it_dir_make(deep), IT_OK);
    ck_assert_int_eq(it_dir_make(scratch_path("a/d/")), IT_OK);
    ck_assert(it_path_is_dir(deep) && it_path_is_dir(scratch_path("a/d")));
    ck_assert(it_dir_is_empty(deep) && !it_dir_is_empty(scratch_path("a")));
    ck_assert(it_dir_is_empty(scratch_path("missing")));
    const char *file = scratch_text("a/.hidden", "");
    ck_assert(!it_dir_is_empty(file));
    ck_assert_fails(it_dir_make(file), IT_NOT_FOUND, "Not a directory");
    ck_assert_fails(it_dir_make(""), IT_NOT_FOUND, "\"\": cannot make");
    ck_assert_fails(it_dir_make(scratch_path("a/.hidden/x")), IT_NOT_FOUND, "Not a directory");
    scratch_text("a/Z", "");
    struct it_strs names = {0};
    ck_assert_int_eq(it_dir_list(scratch_path("a"), &names), IT_OK);
    ck_assert_uint_eq(names.n, 4);
    static const char *const sorted[] = {".hidden", "Z", "b", "d"};
    for (size_t i = 0; i < 4; i++) { ck_assert_str_eq(names.item[i], sorted[i]); }
    it_strs_free(&names);
    ck_assert_fails(it_dir_list(scratch_path("missing"), &names), IT_NOT_FOUND, "cannot list");
    ck_assert_int_eq(it_dir_sync(scratch), IT_OK);
}
END_TEST

START_TEST(folders_are_removed_but_links_not_followed)
{
    ck_assert_int_eq(it_dir_make(scratch_path("tree/sub")), IT_OK);
    ck_assert_int_eq(it_dir_make(scratch_path("safe")), IT_OK);
    const char *safe = scratch_text("safe/file", "kept");
    scratch_text("tree/sub/file", "");
    ck_assert_int_eq(symlink(scratch_path("safe"), scratch_path("tree/link")), 0);
    ck_assert_int_eq(symlink("nowhere", scratch_path("tree/dangling")), 0);
    ck_assert_int_eq(it_dir_remove(scratch_path("tree")), IT_OK);
    ck_assert(!it_path_exists(scratch_path("tree")));
    check_content(safe, "kept", 4);
    ck_assert_int_eq(symlink(scratch_path("safe"), scratch_path("link")), 0);
    ck_assert_int_eq(it_dir_remove(scratch_path("link")), IT_OK); /* the link alone */
    check_content(safe, "kept", 4);
    ck_assert_int_eq(it_dir_remove(scratch_path("missing")), IT_OK);
    ck_assert_fails(it_dir_remove(safe), IT_NOT_FOUND, "cannot remove this folder");
    check_content(safe, "kept", 4);
}
END_TEST

/* Deeper than there are file descriptors, and than a path may be long. */
START_TEST(a_very_deep_tree_is_removed)
{
    enum { DEPTH = 500 };
    ck_assert_int_eq(it_dir_make(scratch_path("tree/.deep-0")), IT_OK); /* a name we might use */
    int fd = open(scratch_path("tree"), O_RDONLY | O_DIRECTORY);
    for (int i = 0; i < DEPTH; i++) {
        ck_assert_int_eq(mkdirat(fd, "downwards", 0777), 0);
        int next = openat(fd, "downwards", O_RDONLY | O_DIRECTORY);
        ck_assert_int_ge(next, 0);
        close(fd);
        fd = next;
    }
    close(fd);
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 64;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_int_eq(it_dir_remove(scratch_path("tree")), IT_OK);
    ck_assert(!it_path_exists(scratch_path("tree")));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("file");
    TCase *tests = tcase_create("file");
    tcase_set_timeout(tests, 20); /* a busy disk is slow to sync */
    tcase_add_checked_fixture(tests, scratch_begin, scratch_end);
    tcase_add_test(tests, paths);
    tcase_add_test(tests, whole_reads);
    tcase_add_test(tests, maps);
    tcase_add_test(tests, writes_replace_the_whole);
    tcase_add_test(tests, two_writers_of_one_name);
    tcase_add_test(tests, writes_that_cannot_begin);
    tcase_add_loop_test(tests, a_full_disk_is_noticed, 0, 2);
    tcase_add_test(tests, devices_are_written_in_place);
    tcase_add_test(tests, copies);
    tcase_add_test(tests, lines_of_every_kind);
    tcase_add_test(tests, lines_up_to_their_limit);
    tcase_add_test(tests, lines_of_standard_input);
    tcase_add_test(tests, folders);
    tcase_add_test(tests, folders_are_removed_but_links_not_followed);
    tcase_add_test(tests, a_very_deep_tree_is_removed);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
