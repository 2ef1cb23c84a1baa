/* SPDX-License-Identifier: MIT */
/* Which of a problem's answers are the same one. */
#ifndef IT_CLI_VOTES_H
#define IT_CLI_VOTES_H

#include "tasks/metrics/metrics.h"
#include "tasks/task.h"

/* The same answer by the task's rule. */
bool it_votes_same(const struct it_task *task, const char *profile, const char *a, const char *b);
/* Sets vote[i].answer: the number of the first answer that answer[i] equals among those before it,
 * counted from 0; -1 where it is NULL. */
void it_votes_classes(const struct it_task *task, const char *profile, const char *const *answer,
                      int64_t n, struct it_metric_sample *vote);

#endif
