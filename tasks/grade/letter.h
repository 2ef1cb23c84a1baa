/* SPDX-License-Identifier: MIT */
/* The letter of a multiple-choice answer, A to D, as lighteval finds it in free text. */
#ifndef IT_TASKS_GRADE_LETTER_H
#define IT_TASKS_GRADE_LETTER_H

#include <stdbool.h>

/* '\0' when there is none. `unspaced`: the language is written without spaces. */
char it_letter_find(const char *text, bool unspaced);

#endif
