/* SPDX-License-Identifier: MIT */
/* Between the files of the recipe: one that is being read. */
#ifndef IT_RL_RECIPE_INTERNAL_H
#define IT_RL_RECIPE_INTERNAL_H

#include "core/rl/recipe.h"

struct it_draft {
    struct it_recipe recipe;
    char **where;          /* [it_recipe_table.n]: what set a key, "recipe.yaml:12", or NULL */
    struct it_str ignored; /* keys without effect, "a, b, c" */
    struct it_strs choices; /* lines that say what was chosen */
};

/* Where the key was set by recipe or override; NULL: it was not. */
const char *it_draft_where(const struct it_draft *draft, const char *key);

/* recipe_profile.c: values of the profile for keys that are not set, rewards of the method, and
 * what follows from other keys. */
enum it_status it_draft_resolve(struct it_draft *draft);
/* recipe_check.c: ranges, and keys that contradict each other. */
enum it_status it_draft_check(const struct it_draft *draft);

#endif
