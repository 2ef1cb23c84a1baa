/* SPDX-License-Identifier: MIT */
/* For tests: a folder of their own, files with given content, and what is written to stderr. */
#ifndef IT_TESTS_SCRATCH_H
#define IT_TESTS_SCRATCH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>

#include "core/base/file.h"
#include "core/base/mem.h"

static char scratch[4096];   /* the folder, between scratch_begin and scratch_end */
static int scratch_stderr;   /* the real one, while captured */
static struct it_str spoken; /* what captured_end found */

static inline void scratch_begin(void)
{
    const char *parent = getenv("TMPDIR");
    snprintf(scratch, sizeof scratch, "%s/it-check-XXXXXX", parent ? parent : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(scratch));
}

static inline void scratch_end(void)
{
    ck_assert_int_eq(it_dir_remove(scratch), IT_OK);
    it_str_free(&spoken);
}

/* "FOLDER/name"; the string lives until the 32nd call after. */
static inline const char *scratch_path(const char *name)
{
    static char paths[32][sizeof scratch + 512];
    static unsigned at;
    char *path = paths[at++ % 32];
    snprintf(path, sizeof paths[0], "%s/%s", scratch, name);
    return path;
}

/* Through stdio, so that the code under test is not needed to test itself. */
static inline const char *scratch_file(const char *name, const void *bytes, size_t count)
{
    const char *path = scratch_path(name);
    FILE *stream = fopen(path, "w");
    ck_assert_ptr_nonnull(stream);
    ck_assert_uint_eq(fwrite(bytes, 1, count, stream), count);
    ck_assert_int_eq(fclose(stream), 0);
    return path;
}

static inline const char *scratch_text(const char *name, const char *text)
{
    return scratch_file(name, text, strlen(text));
}

static inline void capture_begin(void)
{
    fflush(stderr);
    scratch_stderr = dup(STDERR_FILENO);
    ck_assert_ptr_nonnull(freopen(scratch_path("stderr"), "w", stderr));
}

/* Returns what was written since capture_begin. */
static inline const char *capture_end(void)
{
    fflush(stderr);
    ck_assert_int_ge(dup2(scratch_stderr, STDERR_FILENO), 0);
    close(scratch_stderr);
    it_str_clear(&spoken);
    ck_assert_int_eq(it_file_read(scratch_path("stderr"), &spoken), IT_OK);
    return it_str_c(&spoken);
}

/* The call fails with `status` and says `words`. */
#define ck_assert_fails(call, status, words)                                                       \
    do {                                                                                           \
        capture_begin();                                                                           \
        int got_ = (int)(call);                                                                    \
        const char *said_ = capture_end();                                                         \
        ck_assert_int_eq(got_, (int)(status));                                                     \
        ck_assert_msg(strstr(said_, words), "said \"%s\", expected \"%s\"", said_, words);         \
    } while (0)

/* Runs the tests of a suite and returns the exit status of the program. */
static inline int scratch_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
