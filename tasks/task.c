/* SPDX-License-Identifier: MIT */
/* The table of tasks. */
#include "tasks/task.h"

#include <string.h>

#include "core/base/mem.h"

/* One line a task; the row is `it_task_<name>` in tasks/<name>.c or its neighbour. */
#define TASKS(X)     \
    X(alpaca_eval)   \
    X(arithmetic)    \
    X(codeforces)    \
    X(cruxeval_i)    \
    X(cruxeval_o)    \
    X(gsm8k)         \
    X(livecodebench) \
    X(math)          \
    X(math500)       \
    X(math_equiv)    \
    X(mmlu_pro)

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

/* `name`, when it is one of "a|b|c"; NULL gives `usual`. */
static enum it_status pick(const struct it_task *task, const char *what, const char *list,
                           const char *usual, const char *name, const char **name_out)
{
    if (name == NULL) {
        *name_out = usual;
        return IT_OK;
    }
    struct it_strs names = {0};
    bool known = false;
    for (const char *at = list; *at != '\0';) {
        size_t size = strcspn(at, "|");
        char *entry = it_strndup(at, size);
        known = known || strcmp(entry, name) == 0;
        it_strs_add(&names, entry);
        it_free(entry);
        at += size + (at[size] == '|' ? 1 : 0);
    }
    enum it_status status = IT_OK;
    if (known) {
        *name_out = name;
    } else {
        const char *near = it_closest(name, (const char *const *)names.item, names.n);
        status = it_fail(IT_INVALID, "task %s: unknown %s \"%s\"%s%s%s (%s)", task->name, what,
                         name, near != NULL ? ", did you mean \"" : "", near != NULL ? near : "",
                         near != NULL ? "\"?" : "", list);
    }
    it_strs_free(&names);
    return status;
}

enum it_status it_task_profile(const struct it_task *task, const char *profile,
                               const char **profile_out)
{
    return pick(task, "profile", task->profiles, task->default_profile, profile, profile_out);
}

enum it_status it_task_prompt(const struct it_task *task, const char *prompt,
                              const char **prompt_out)
{
    if (task->prompts == NULL && prompt != NULL) {
        return it_fail(IT_INVALID, "task %s: has one wording only, no prompt \"%s\"", task->name,
                       prompt);
    }
    return pick(task, "prompt", task->prompts, task->default_prompt, prompt, prompt_out);
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
