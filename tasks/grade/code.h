/* SPDX-License-Identifier: MIT */
/* Programs that a model wrote: finding one in a completion, its tests, and comparing what it gave
 * with what was expected. Nothing here runs anything: see lcb.h. */
#ifndef IT_TASKS_GRADE_CODE_H
#define IT_TASKS_GRADE_CODE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"

/* ---- programs ---- */

/* The lines strictly between the last two lines that hold three backticks; the whole text,
 * stripped, where no line has them; NULL where only one has. The caller frees. */
char *it_code_last_block(const char *completion);
/* All blocks that begin with ```python, each stripped, joined by empty lines; NULL: none. */
char *it_code_all_blocks(const char *completion);

/* ---- outputs ---- */

enum it_code_match {
    IT_CODE_SAME,
    IT_CODE_DIFFERENT,
    IT_CODE_SIGNALS /* a signalling NaN was compared: the official harness fails as a whole */
};

/* As LiveCodeBench: stripped text, the same number of lines, each stripped line equal, or else
 * token by token the same decimal numbers. */
enum it_code_match it_code_lines(const char *got, size_t got_size, const char *want,
                                 size_t want_size);
/* The same words, whatever space is between them. */
bool it_code_words(const char *got, size_t got_size, const char *want, size_t want_size);

/* ---- tests ---- */

struct it_code_test {
    const char *input, *output; /* in the record; for calls: JSON, an argument a line, and the
                                 * value */
    size_t input_size, output_size;
};

struct it_code_tests {
    struct it_code_test *item;
    size_t n;
    char *entry;          /* the function or method that is called; NULL: standard input */
    double time_limit_s;  /* a test; 0: not said */
    int64_t memory_bytes; /* 0: not said */
    bool files;           /* input.txt and output.txt instead of the standard streams */
    const char *checker;  /* Python source that judges the output, or NULL; in the record */
    bool interactive;     /* cannot be judged by tests */
    json_t *held;         /* what was decoded or written anew for this */
};

/* The tests of a record in any of the layouts: `tests` of `grade`, LiveCodeBench as published,
 * CodeContests, open-r1/codeforces. A record with none of these fields is IT_INVALID; an empty list
 * is none. `where` begins an error. The record outlives the tests. */
enum it_status it_code_tests_read(const json_t *fields, const char *where,
                                  struct it_code_tests *tests_out);
/* Whether the record has tests, without decoding them. */
bool it_code_has_tests(const json_t *fields);
void it_code_tests_free(struct it_code_tests *tests);

#endif
