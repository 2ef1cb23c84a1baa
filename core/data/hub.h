/* SPDX-License-Identifier: MIT */
/* Models and datasets in the cache that Hugging Face programs share:
 * <cache>/models--org--name/snapshots/<commit>/, with refs/<revision> naming the commit. */
#ifndef IT_DATA_HUB_H
#define IT_DATA_HUB_H

#include "core/base/status.h"
#include "core/base/str.h"

/* The caches to look in, in order: INTUITOR_CACHE, HF_HUB_CACHE, HF_HOME/hub,
 * XDG_CACHE_HOME/huggingface/hub, ~/.cache/huggingface/hub; those whose variable is set. The first
 * is where downloads go. */
void it_hub_caches(struct it_strs *caches_out);

/* "org/name" (or "name") as repositories are named; nothing that leads out of a folder. */
bool it_hub_is_id(const char *repo_id);
/* A branch, tag or commit, as the name of a file below refs/. */
bool it_hub_is_revision(const char *revision);

/* "models--org--name"; the caller frees. kind: "model" or "dataset". */
char *it_hub_folder_name(const char *kind, const char *repo_id);

/* The snapshot of a revision: a branch, a tag or a commit; NULL: main. IT_END, without a message,
 * when no cache has it: the caller knows what else there was. The caller frees. */
enum it_status it_hub_find(const char *kind, const char *repo_id, const char *revision,
                           char **folder_out);

#endif
