/* SPDX-License-Identifier: MIT */
/* Parquet from its specification (github.com/apache/parquet-format): what the reader's files share.
 * The file is mapped; a row group is never held whole: each column that was asked for keeps one
 * page and one dictionary, and values are decoded as records are put together. */
#ifndef IT_DATA_PARQUET_INTERNAL_H
#define IT_DATA_PARQUET_INTERNAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/file.h"
#include "core/base/status.h"
#include "core/base/str.h"

/* ---- Thrift's compact protocol (parquet_thrift.c) ---- */

/* Every read is bounded; a text that is no such message sets `broken`, after which all reads give
 * zeros and structs end. */
struct it_thrift {
    const uint8_t *at, *end;
    bool broken;
};
enum { IT_THRIFT_TRUE = 1, IT_THRIFT_FALSE, IT_THRIFT_I8, IT_THRIFT_I16, IT_THRIFT_I32,
       IT_THRIFT_I64, IT_THRIFT_DOUBLE, IT_THRIFT_BINARY, IT_THRIFT_LIST, IT_THRIFT_SET,
       IT_THRIFT_MAP, IT_THRIFT_STRUCT, IT_THRIFT_UUID };
struct it_thrift_field { /* zero before the first of a struct */
    int id, type;
};
bool it_thrift_next(struct it_thrift *t, struct it_thrift_field *field); /* false: struct ended */
/* The value of the field just announced; another type than asked for breaks the message. */
int64_t it_thrift_int(struct it_thrift *t, const struct it_thrift_field *field);
bool it_thrift_bool(struct it_thrift *t, const struct it_thrift_field *field);
size_t it_thrift_bytes(struct it_thrift *t, const struct it_thrift_field *field,
                       const uint8_t **bytes_out);
/* Number of elements, no more than bytes are left; each of `type`. */
size_t it_thrift_list(struct it_thrift *t, const struct it_thrift_field *field, int type);
void it_thrift_enter(struct it_thrift *t, const struct it_thrift_field *field); /* a struct */
void it_thrift_skip(struct it_thrift *t, const struct it_thrift_field *field);
uint64_t it_thrift_varint(struct it_thrift *t);

/* ---- schema (parquet_schema.c) ---- */

enum it_pq_type { IT_PQ_BOOLEAN, IT_PQ_INT32, IT_PQ_INT64, IT_PQ_INT96, IT_PQ_FLOAT, IT_PQ_DOUBLE,
                  IT_PQ_BYTES, IT_PQ_FIXED, IT_PQ_GROUP };
enum it_pq_repetition { IT_PQ_REQUIRED, IT_PQ_OPTIONAL, IT_PQ_REPEATED };
/* What a value means, from the logical or the older converted type. */
enum it_pq_meaning { IT_PQ_PLAIN, IT_PQ_TEXT, IT_PQ_LIST, IT_PQ_DECIMAL, IT_PQ_DATE, IT_PQ_TIME,
                     IT_PQ_TIMESTAMP, IT_PQ_UNSIGNED, IT_PQ_UUID, IT_PQ_HALF };

struct it_pq_node {
    char *name;
    enum it_pq_type type;
    enum it_pq_repetition repetition;
    enum it_pq_meaning meaning;
    int64_t length;         /* of IT_PQ_FIXED, bytes */
    int scale;              /* of a decimal; digits of a second for times: 3, 6, 9 */
    bool utc;
    int64_t children;
    size_t end;             /* index of the node behind this subtree; the first child follows */
    size_t leaf, leaf_end;  /* leaves of the subtree */
    int max_def, max_rep;
};
struct it_pq_schema {
    struct it_pq_node *node; /* [n], depth first; 0 is the root */
    size_t n, cap, leaves;
};
/* `t` is at the list of the footer's schema. */
enum it_status it_pq_schema_read(const char *path, struct it_thrift *t,
                                 const struct it_thrift_field *field,
                                 struct it_pq_schema *schema_out);
void it_pq_schema_free(struct it_pq_schema *schema);

/* ---- run lengths, bit packing, deltas (parquet_bits.c) ---- */

/* RLE / bit-packed hybrid: levels, indices into dictionaries, booleans. */
struct it_pq_runs {
    const uint8_t *at, *end;
    unsigned width;   /* bits, 0 to 32 */
    uint64_t left;    /* of the run */
    bool packed;
    uint32_t value;   /* of a repeated run */
    size_t bit;       /* of a packed run, from `at` */
};
bool it_pq_runs_next(struct it_pq_runs *runs, uint32_t *value_out);

/* DELTA_BINARY_PACKED. `at` is always behind the miniblock in use. */
struct it_pq_delta {
    const uint8_t *at, *end;
    uint64_t left;               /* values not yet given */
    uint64_t per_mini;
    uint64_t minis, mini;        /* of a block; the next one */
    uint64_t in_mini;            /* left of the one in use */
    const uint8_t *widths, *bits;
    size_t bit;
    unsigned width;
    uint64_t value, min_delta;   /* modulo 2^64 */
    bool first;
};
bool it_pq_delta_open(struct it_pq_delta *delta, const uint8_t *at, const uint8_t *end);
bool it_pq_delta_next(struct it_pq_delta *delta, int64_t *value_out);
/* Where the bytes behind the whole run of values begin; NULL when it is broken. */
const uint8_t *it_pq_delta_end(const struct it_pq_delta *delta);

/* ---- compression (parquet_codec.c) ---- */

/* Exactly `size` bytes into out. NULL, or what is wrong. */
const char *it_pq_decompress(int codec, const uint8_t *bytes, size_t n, uint8_t *out, size_t size);
/* NULL when `size` bytes may come of `n` and the codec is in this build, or what is wrong. */
const char *it_pq_codec_check(int codec, size_t n, size_t size);

/* ---- columns (parquet_page.c, parquet_values.c) ---- */

/* One value as it is stored: which member counts is the physical type's business. */
struct it_pq_value {
    int64_t integer; /* BOOLEAN, INT32, INT64 */
    double real;     /* FLOAT, DOUBLE */
    const uint8_t *bytes;
    size_t n;        /* INT96, BYTES, FIXED */
};

enum it_pq_encoding { IT_PQ_ENC_PLAIN = 0, IT_PQ_ENC_PLAIN_DICTIONARY = 2, IT_PQ_ENC_RLE = 3,
                      IT_PQ_ENC_BIT_PACKED = 4, IT_PQ_ENC_DELTA = 5, IT_PQ_ENC_DELTA_LENGTH = 6,
                      IT_PQ_ENC_DELTA_BYTES = 7, IT_PQ_ENC_DICTIONARY = 8,
                      IT_PQ_ENC_SPLIT = 9 };

/* The values of a page. */
struct it_pq_values {
    enum it_pq_type type;
    size_t size;               /* of one value of a fixed size */
    int encoding;
    const uint8_t *at, *end;   /* plain bytes, or the bytes behind lengths */
    size_t index, count;       /* booleans: bits read; split: values read, and there are */
    struct it_pq_runs runs;
    struct it_pq_delta lengths, prefixes;
    struct it_str previous;    /* of prefixes; a split value put together */
};
struct it_pq_dictionary {
    uint8_t *owned;            /* its bytes, where they were compressed */
    struct it_pq_value *item;  /* [n] */
    size_t n;
};
/* Values lie in [at, end), `most` of them at most. False for what the encoding cannot be. */
bool it_pq_values_open(struct it_pq_values *values, const struct it_pq_node *node, int encoding,
                       const uint8_t *at, const uint8_t *end, size_t most);
bool it_pq_values_next(struct it_pq_values *values, const struct it_pq_dictionary *dictionary,
                       struct it_pq_value *value_out);

struct it_pq_column {
    const struct it_pq_node *node;
    char *name;               /* "examples.list.element.input" */
    const char *path;
    const int64_t *row;       /* the reader's, for messages */
    /* the chunk of this row group */
    const uint8_t *at, *end;
    int codec;
    int64_t left;             /* entries on pages not yet opened */
    struct it_pq_dictionary dictionary;
    /* the page */
    uint8_t *page;            /* owned, where it was compressed */
    int64_t page_left;
    struct it_pq_runs reps, defs;
    struct it_pq_values values;
    /* the next entry, once looked at */
    bool peeked, ended;
    uint32_t rep, def;
};
/* Where a column lies, of one row group. */
struct it_pq_chunk {
    int type, codec;
    int64_t values, bytes, data_at, dictionary_at;
    bool elsewhere, encrypted;
};
enum it_status it_pq_column_begin(struct it_pq_column *column, const struct it_pq_chunk *chunk,
                                  const struct it_map *map);
void it_pq_column_free(struct it_pq_column *column);
/* Levels of the next entry in column->rep and def; past the last one `ended` and zeros. */
enum it_status it_pq_column_peek(struct it_pq_column *column);
/* Drops the entry that was looked at; it has no value. */
static inline void it_pq_column_drop(struct it_pq_column *column) { column->peeked = false; }
/* Takes the value of the entry that was looked at (def is the node's). */
enum it_status it_pq_column_take(struct it_pq_column *column, struct it_pq_value *value_out);
enum it_status it_pq_column_fail(const struct it_pq_column *column, enum it_status status,
                                 const char *cause);
/* Entries that the row group's rows did not use. */
bool it_pq_column_is_empty(struct it_pq_column *column);

/* ---- JSON (parquet_json.c) ---- */

/* NULL when a text is not UTF-8. */
json_t *it_pq_json(const struct it_pq_node *node, const struct it_pq_value *value);

#endif
