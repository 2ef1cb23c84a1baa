/* SPDX-License-Identifier: MIT */
/* Fetching a model or a dataset from a Hugging Face compatible hub: in parallel, going on where an
 * earlier attempt stopped, every file checked against the hash that the hub lists. */
#ifndef IT_DATA_PULL_H
#define IT_DATA_PULL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"
#include "core/base/str.h"

struct it_pull_options {
    const char *kind; /* "model" or "dataset" */
    const char *repo_id;
    const char *revision;  /* branch, tag or commit; NULL: main */
    const char *local_dir; /* plain files go here; NULL: into the cache (core/data/hub.h) */
    /* Patterns as of Python's fnmatch: "*" also matches "/"; one that ends in "/" means all below.
     * None of `include`: all of a dataset, of a model what can be read here. */
    const struct it_strs *include, *exclude;
    int jobs;    /* files at a time */
    int tries;   /* of a request, without progress in between */
    bool verify; /* what is there already is hashed again, and replaced where it is wrong */
};

struct it_pull_file {
    char *path;    /* in the repository */
    char hash[65]; /* 64 hexadecimal digits: SHA-256; 40: git's name for the bytes; "": unknown */
    int64_t size;  /* -1: unknown */
    bool fetched;  /* false: it was there */
};

struct it_pulled {
    char *folder; /* the snapshot, or local_dir */
    char *commit;
    struct it_pull_file *file;
    size_t n;
    int64_t bytes, fetched_bytes;
};

/* HF_ENDPOINT names the hub (https://huggingface.co); HF_TOKEN is shown to that host alone. After
 * IT_INTERRUPTED, or any other failure, the same call goes on. Names that lead out of their folder
 * are refused. refs/<revision> is moved only when all files are there. */
enum it_status it_pull(const struct it_pull_options *options, struct it_pulled *pulled_out);
void it_pulled_free(struct it_pulled *pulled);

#endif
