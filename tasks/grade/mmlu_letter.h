/* SPDX-License-Identifier: MIT */
/* Option letters in free text, by the rules of MMLU-Pro's own grader. */
#ifndef IT_TASKS_GRADE_MMLU_LETTER_H
#define IT_TASKS_GRADE_MMLU_LETTER_H

#include <stddef.h>

enum it_mmlu_stage {
    IT_MMLU_NONE,
    IT_MMLU_FIRST,  /* "answer is (C)" */
    IT_MMLU_SECOND, /* "Answer: C" */
    IT_MMLU_LAST    /* the last capital from A to J that stands alone */
};

/* 'A' ... 'J', or 0 when no stage up to `last` finds one. Linear in `size`. */
char it_mmlu_letter(const char *text, size_t size, enum it_mmlu_stage last,
                    enum it_mmlu_stage *stage_out);

#endif
