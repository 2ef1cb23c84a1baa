/* SPDX-License-Identifier: MIT */
/* Classes of equal answers. */
#include "cli/votes.h"

#include <string.h>

#include "core/base/mem.h"

bool it_votes_same(const struct it_task *task, const char *profile, const char *a, const char *b)
{
    return strcmp(a, b) == 0 || (task->equal && task->equal(profile, a, b));
}

void it_votes_classes(const struct it_task *task, const char *profile, const char *const *answer,
                      int64_t n, struct it_metric_sample *vote)
{
    const char **known = it_calloc((size_t)n, sizeof *known);
    int64_t classes = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t c = 0;
        vote[i].answer = -1;
        if (!answer[i]) { continue; }
        while (c < classes && strcmp(known[c], answer[i]) != 0) { c++; }
        for (int64_t k = 0; c == classes && k < classes; k++) { /* the dear way */
            if (it_votes_same(task, profile, known[k], answer[i])) { c = k; }
        }
        if (c == classes) { known[classes++] = answer[i]; }
        vote[i].answer = c;
    }
    it_free(known);
}
