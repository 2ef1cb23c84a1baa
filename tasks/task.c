/* SPDX-License-Identifier: MIT */
/* The table of tasks. */
#include "tasks/task.h"

#include <string.h>

#include "core/base/mem.h"

/* One line a task; the row is `it_task_<name>` in tasks/<name>.c or its neighbour. */
#define TASKS(X)  \
    X(arithmetic) \
    X(gsm8k)      \
    X(math)       \
    X(math500)    \
    X(math_equiv)

#define X(name) extern const struct it_task it_task_##name;
TASKS(X)
#undef X

static const struct it_task *const tasks[] = {
#define X(name) &it_task_##name,
    TASKS(X)
#undef X
};
enum { TASK_COUNT = sizeof tasks / sizeof *tasks };

const struct it_task *it_task_at(size_t index)
{
    return index < TASK_COUNT ? tasks[index] : NULL;
}

const struct it_task *it_task_find(const char *name)
{
    for (size_t i = 0; i < TASK_COUNT; i++) {
        if (strcmp(tasks[i]->name, name) == 0) { return tasks[i]; }
    }
    return NULL;
}

enum it_status it_task_profile(const struct it_task *task, const char *profile,
                               const char **profile_out)
{
    if (profile == NULL) {
        *profile_out = task->default_profile;
        return IT_OK;
    }
    struct it_strs names = {0};
    bool known = false;
    for (const char *at = task->profiles; *at != '\0';) {
        size_t size = strcspn(at, "|");
        char *name = it_strndup(at, size);
        known = known || strcmp(name, profile) == 0;
        it_strs_add(&names, name);
        it_free(name);
        at += size + (at[size] == '|' ? 1 : 0);
    }
    enum it_status status = IT_OK;
    if (known) {
        *profile_out = profile;
    } else {
        const char *near = it_closest(profile, (const char *const *)names.item, names.n);
        status = it_fail(IT_INVALID, "task %s: unknown profile \"%s\"%s%s%s (%s)", task->name,
                         profile, near != NULL ? ", did you mean \"" : "", near != NULL ? near : "",
                         near != NULL ? "\"?" : "", task->profiles);
    }
    it_strs_free(&names);
    return status;
}

void it_problems_free(struct it_problems *problems)
{
    for (size_t i = 0; i < problems->n; i++) {
        json_decref(problems->item[i].record);
        it_free(problems->item[i].id);
        it_free(problems->item[i].text);
        it_free(problems->item[i].gold);
    }
    it_free(problems->item);
    *problems = (struct it_problems){0};
}

void it_verdict_free(struct it_verdict *verdict)
{
    it_free(verdict->extracted);
    it_free(verdict->detail);
    *verdict = (struct it_verdict){0};
}
