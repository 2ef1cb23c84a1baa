/* SPDX-License-Identifier: MIT */
/* intuitor pull: a model or dataset from a hub. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/cli.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/data/hub.h"
#include "core/data/pull.h"

struct pull_values {
    struct it_cli_common common;
    char *revision, *local_dir;
    struct it_strs include, exclude;
    int repo_type;
    int64_t jobs, tries;
    bool verify, offline;
};

static const char *const kinds[] = {"model", "dataset"}; /* of --repo-type */

static const struct it_option rows[] = {
    IT_CLI_ROWS(pull_values),
    IT_CLI_JSON_ROW(pull_values),
    {"repo-type", IT_OPT_CHOICE, "model", "what the repository is",
     offsetof(struct pull_values, repo_type), "model|dataset"},
    {"revision", IT_OPT_STRING, "main", "branch, tag or commit",
     offsetof(struct pull_values, revision), NULL},
    {"include", IT_OPT_STRINGS, "",
     "patterns of names to fetch, as *.parquet (* matches / too); may be given again; unset: all "
     "of a dataset, of a model what can be read here",
     offsetof(struct pull_values, include), NULL},
    {"exclude", IT_OPT_STRINGS, "", "patterns of names to leave out; may be given again",
     offsetof(struct pull_values, exclude), NULL},
    {"local-dir", IT_OPT_STRING, NULL,
     "folder for plain files; unset: the cache shared with Hugging Face programs",
     offsetof(struct pull_values, local_dir), NULL},
    {"jobs", IT_OPT_INT, "4", "files at a time", offsetof(struct pull_values, jobs), NULL},
    {"tries", IT_OPT_INT, "6", "of a request, without progress in between",
     offsetof(struct pull_values, tries), NULL},
    {"verify", IT_OPT_BOOL, "false", "hash what is in the cache already, too",
     offsetof(struct pull_values, verify), NULL},
    {"offline", IT_OPT_BOOL, "false", "only say where the cache has it, as HF_HUB_OFFLINE=1 does",
     offsetof(struct pull_values, offline), NULL},
};

static bool is_offline(const struct pull_values *v)
{
    static const char *const yes[] = {"1", "ON", "YES", "TRUE"};
    const char *value = getenv("HF_HUB_OFFLINE");
    for (size_t i = 0; value && i < sizeof yes / sizeof *yes; i++) {
        if (strcasecmp(value, yes[i]) == 0) { return true; }
    }
    return v->offline;
}

static json_t *files(const struct it_pulled *pulled)
{
    json_t *list = json_array();
    for (size_t i = 0; i < pulled->n; i++) {
        const struct it_pull_file *file = &pulled->file[i];
        json_t *entry = json_object();
        json_object_set_new(entry, "path", it_json_text(file->path, strlen(file->path)));
        json_object_set_new(entry, "bytes", json_integer((json_int_t)file->size));
        json_object_set_new(entry, "hash", file->hash[0] ? json_string(file->hash) : json_null());
        json_object_set_new(entry, "fetched", json_boolean(file->fetched));
        json_array_append_new(list, entry);
    }
    return list;
}

/* Only `folder` is known of what lies in the cache: the rest is null. */
static enum it_status put_json(const struct pull_values *v, const char *id, const char *folder,
                               const struct it_pulled *pulled, double seconds)
{
    json_t *all = json_object();
    json_object_set_new(all, "repo_id", json_string(id));
    json_object_set_new(all, "repo_type", json_string(kinds[v->repo_type]));
    json_object_set_new(all, "revision", it_json_text(v->revision, strlen(v->revision)));
    json_object_set_new(all, "commit", pulled ? json_string(pulled->commit) : json_null());
    json_object_set_new(all, "folder", it_json_text(folder, strlen(folder)));
    json_object_set_new(all, "files", pulled ? files(pulled) : json_null());
    json_object_set_new(all, "bytes",
                        pulled ? json_integer((json_int_t)pulled->bytes) : json_null());
    json_object_set_new(all, "fetched_bytes",
                        json_integer(pulled ? (json_int_t)pulled->fetched_bytes : 0));
    json_object_set_new(all, "seconds", it_json_real(seconds));
    enum it_status status = it_jsonl_put(stdout, all);
    json_decref(all);
    return status;
}

static enum it_status find(const struct pull_values *v, const char *id)
{
    char *folder = NULL;
    if (v->local_dir) {
        return it_fail(IT_INVALID, "--local-dir needs the hub, and this is offline");
    }
    if (it_hub_find(kinds[v->repo_type], id, v->revision, &folder) != IT_OK) {
        return it_fail(IT_NOT_FOUND,
                       "%s: revision %s of this %s is not in the cache, and this is "
                       "offline",
                       id, v->revision, kinds[v->repo_type]);
    }
    enum it_status status = IT_OK;
    if (v->common.json) {
        status = put_json(v, id, folder, NULL, 0);
    } else {
        printf("%s\n", folder);
    }
    it_free(folder);
    return status;
}

static int bounded(int64_t value)
{
    return value < 0 ? 0 : value > 1000000 ? 1000000 : (int)value;
}

static enum it_status run(const void *values, const struct it_strs *arguments)
{
    const struct pull_values *v = values;
    if (arguments->n != 1) {
        return it_cli_usage(&it_command_pull, "one repository is expected, as Qwen/Qwen2.5-1.5B");
    }
    const char *id = arguments->item[0];
    if (is_offline(v)) { return find(v, id); }
    struct it_pull_options options = {.kind = kinds[v->repo_type],
                                      .repo_id = id,
                                      .revision = v->revision,
                                      .local_dir = v->local_dir,
                                      .include = &v->include,
                                      .exclude = &v->exclude,
                                      .jobs = bounded(v->jobs),
                                      .tries = bounded(v->tries),
                                      .verify = v->verify};
    struct it_pulled pulled = {0};
    double begin = it_now();
    enum it_status status = it_pull(&options, &pulled);
    if (status == IT_INTERRUPTED) { it_info("%s: interrupted; the same command goes on", id); }
    IT_TRY(status);
    double seconds = it_now() - begin;
    it_info("%s: %zu files, %.1f MB fetched in %.1f s", id, pulled.n,
            (double)pulled.fetched_bytes / 1e6, seconds);
    if (v->common.json) {
        status = put_json(v, id, pulled.folder, &pulled, seconds);
    } else {
        printf("%s\n", pulled.folder);
    }
    it_pulled_free(&pulled);
    return status;
}

const struct it_command it_command_pull = {
    .name = "pull",
    .summary = "fetch a model or dataset from a Hugging Face compatible hub",
    .usage = "REPO_ID [--repo-type dataset] [--revision R] [--include GLOB] [--local-dir DIR]",
    .example = "intuitor pull Qwen/Qwen2.5-1.5B",
    .table = {rows, sizeof rows / sizeof *rows},
    .values_size = sizeof(struct pull_values),
    .run = run,
    .notes = "Interrupted or cut off, the same command goes on. Commands that take a model or a "
             "dataset\nfind what was pulled by its name.\n\n"
             "HF_ENDPOINT      the hub; default https://huggingface.co\n"
             "HF_TOKEN         for private and gated repositories; shown to that host alone\n"
             "HF_HUB_OFFLINE   1: as --offline\n"
             "HF_HUB_CACHE, HF_HOME, INTUITOR_CACHE   where the cache lies\n",
};
