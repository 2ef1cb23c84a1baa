/* SPDX-License-Identifier: MIT */
/* Options as rows of a table. One row gives the recipe key, the command-line override, the line of
 * --help, the resolved dump and the row of docs/options.md. */
#ifndef IT_BASE_OPTION_H
#define IT_BASE_OPTION_H

#include <jansson.h>
#include <stddef.h>

#include "core/base/status.h"
#include "core/base/str.h"

enum it_option_type {
    IT_OPT_BOOL,    /* bool */
    IT_OPT_INT,     /* int64_t */
    IT_OPT_REAL,    /* double */
    IT_OPT_SIZE,    /* int64_t bytes, "38GiB" */
    IT_OPT_STRING,  /* char *, owned; NULL when unset */
    IT_OPT_CHOICE,  /* int: index into `choices`, "a|b|c" */
    IT_OPT_STRINGS, /* struct it_strs; a YAML list, or a,b,c on the command line */
    IT_OPT_REALS,   /* struct it_reals */
    IT_OPT_OBJECT,  /* char *, owned: a JSON object, a YAML map; NULL when unset */
    IT_OPT_IGNORED  /* accepted, listed once as having no effect here */
};

struct it_reals {
    double *item;
    size_t n, cap;
};

struct it_option {
    const char *name;
    enum it_option_type type;
    const char *fallback; /* as it would be written in a recipe; NULL: unset (zeroed) */
    const char *doc;      /* one sentence with the unit */
    size_t offset;        /* of the field in the options' struct */
    const char *choices;  /* IT_OPT_CHOICE only */
};

struct it_option_table {
    const struct it_option *row;
    size_t n;
};

/* Fill a zeroed struct with the fallbacks. */
enum it_status it_options_init(const struct it_option_table *table, void *values);
/* Set one option from text ("key" -> "value"). `where` begins the error ("recipe.yaml:12",
 * "command line"). An unknown key is an error naming the closest. */
enum it_status it_option_set(const struct it_option_table *table, void *values, const char *where,
                             const char *key, const char *text);
/* The same from a list (STRINGS and REALS only). */
enum it_status it_option_set_list(const struct it_option_table *table, void *values,
                                  const char *where, const char *key, const struct it_strs *list);
const struct it_option *it_option_find(const struct it_option_table *table, const char *key);
/* Every option but the ignored as JSON: the resolved dump. */
json_t *it_options_dump(const struct it_option_table *table, const void *values);
void it_options_free(const struct it_option_table *table, void *values);
/* "name (type, default): doc" lines, for --help. */
void it_options_help(const struct it_option_table *table, struct it_str *out);

/* A YAML document of scalars, lists of scalars, and maps of anything (which become JSON), read
 * through libyaml; `set` is called with FILE:LINE for each top-level key. Anchors, aliases, tags,
 * keys given twice and documents after the first are refused. What an item points to is valid
 * during the call. */
struct it_yaml_item {
    const char *where; /* "recipe.yaml:12" */
    const char *key;
    const char *scalar;          /* NULL for a list or a map */
    const struct it_strs *list;  /* NULL unless a list of scalars */
    const char *map;             /* NULL unless a map: its JSON text */
    bool is_null;                /* empty value, ~ or null: treated as unset */
};
enum it_status it_yaml_read(const char *path,
                            enum it_status (*set)(void *context, const struct it_yaml_item *item),
                            void *context);

#endif
