/* SPDX-License-Identifier: MIT */
/* For tests: a Hugging Face compatible hub on the loopback, with a second server that large files
 * are redirected to, and faults to order. */
#ifndef IT_TESTS_HUB_SERVER_H
#define IT_TESTS_HUB_SERVER_H

#include "tests/http_server.h"

#define HUB_COMMIT "0123456789abcdef0123456789abcdef01234567"

struct hub_file {
    const char *path;
    const char *bytes;
    size_t size;
    bool large;    /* SHA-256 in the list, bytes from the other server */
    size_t listed; /* size that the list tells; 0: the true one */
    /* faults of the bytes; counts are used up */
    size_t cut;       /* the connection ends after so many bytes of an answer */
    int cuts;         /* times it does; -1: always */
    int busy, status; /* so many answers of that status instead */
    int wrong;        /* so many answers with a byte changed; -1: all */
    long longer;      /* so many more bytes are sent, or fewer */
    size_t piece;     /* bytes between pauses of 10 ms */
    bool no_range;    /* Range is ignored */
    bool bad_range;   /* Range is answered with 206 from somewhere else */
};

struct hub {
    struct http_server front, back;
    struct hub_file file[16];
    size_t n;
    const char *kind, *id;
    size_t page;       /* entries a page of the list; 0: all */
    bool no_tree;      /* names without hashes only */
    const char *list;  /* answered for the list of files instead */
    const char *info;  /* answered for the revision instead */
    const char *token; /* asked for on the front */
    const char *gate;  /* X-Error-Code of every file; NULL: none */
    const char *moved; /* every file of `large` is redirected there; NULL: to `back` */
    pthread_mutex_t lock;
    struct it_str log; /* "front GET /path RANGE TOKEN\n" */
    int ranges;        /* requests for less than a whole file */
};

/* Sets HF_ENDPOINT. kind: "model" or "dataset". */
void hub_begin(struct hub *hub, const char *kind, const char *id);
void hub_end(struct hub *hub);
struct hub_file *hub_add(struct hub *hub, const char *path, const char *bytes, size_t size,
                         bool large);
/* How often the log has this. */
int hub_count(struct hub *hub, const char *text);
/* Hash as the list has it. */
void hub_hash(const struct hub_file *file, char hash_out[65]);

#endif
