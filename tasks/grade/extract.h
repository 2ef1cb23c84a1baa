/* SPDX-License-Identifier: MIT */
/* Finding the answer in free text. Candidates come in groups of falling priority: "final answer is
 * ... I hope", boxes, "final answer ... is", "answer:", "answer", any formula or number. Within a
 * group the one that ends last is tried first; the first that can be parsed is the answer. */
#ifndef IT_TASKS_GRADE_EXTRACT_H
#define IT_TASKS_GRADE_EXTRACT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/str.h"
#include "tasks/grade/expr.h"

struct it_extract_rules {
    bool latex, plain; /* what is looked for: formulas; bare numbers and expressions */
    int box_priority;  /* 0, 50 (after "final answer is ... I hope"), 55; -1: boxes unknown */
    bool fold_case;    /* symbols that differ in case alone are the same */
    bool unspaced;     /* numbers need no space before them; the word "answer" in Chinese too */
    bool keep_text;    /* an answer that cannot be parsed still has its text */
    bool loose_groups; /* "0,111" is a grouped number: 111 */
    /* as lighteval has it: of "a = b = c" only c counts, bare words are no units, boxes belong
     * together only when nothing else is between them */
    bool older;
};

struct it_answer {
    struct it_expr_pool pool;
    struct it_expr *expr; /* NULL: nothing was understood */
    char *text;           /* the candidate, tidied; NULL: nothing was found (or kept) */
    char *first; /* of the first candidate, though another one was understood: two answers with the
                  * same are equal; NULL: none was found, or the rules forbid */
};

/* Always leaves an answer to be freed. */
void it_answer_find(const struct it_extract_rules *rules, const char *text, size_t size,
                    struct it_answer *answer_out);
/* The text is the answer and nothing else. */
void it_answer_whole(const struct it_extract_rules *rules, const char *text, size_t size,
                     struct it_answer *answer_out);
void it_answer_free(struct it_answer *answer);

#endif
