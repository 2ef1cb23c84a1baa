/* SPDX-License-Identifier: MIT */
/* Which files of a folder make up a split. Of several kinds of files for one split the first of
 * `kinds` is read; of several places the first of: the folder itself, data/ in it, a folder of the
 * split's name, a configuration's folder. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/data/data.h"
#include "core/data/internal.h"

static const char *const kinds[] = {".jsonl", ".parquet", ".json", ".csv", ".tsv", ".ndjson",
                                    ".jsonl.gz", ".json.gz", ".csv.gz", ".tsv.gz", ".ndjson.gz"};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

/* One file, as its name says. */
struct part {
    char *path, *split;
    size_t kind;
    int64_t shard, shards; /* -1: the name has none */
};
struct parts {
    struct part *item;
    size_t n, cap;
};

static void parts_free(struct parts *parts)
{
    for (size_t i = 0; i < parts->n; i++) {
        it_free(parts->item[i].path);
        it_free(parts->item[i].split);
    }
    it_free(parts->item);
    *parts = (struct parts){0};
}

static bool ends_as(const char *name, const char *suffix)
{
    size_t n = strlen(name), s = strlen(suffix);
    return n > s && strcasecmp(name + n - s, suffix) == 0;
}

bool it_data_named(const char *path, const char *suffix)
{
    const char *base = it_path_base(path);
    struct it_str zipped = {0};
    it_str_printf(&zipped, "%s.gz", suffix);
    bool named = ends_as(base, suffix) || ends_as(base, it_str_c(&zipped));
    it_str_free(&zipped);
    return named;
}

/* N_KINDS: no file of ours. */
static size_t kind_of(const char *name)
{
    size_t kind = 0;
    while (kind < N_KINDS && !ends_as(name, kinds[kind])) { kind++; }
    return kind;
}

bool it_data_is_name(const char *name)
{
    return kind_of(it_path_base(name)) < N_KINDS;
}

/* "train-00001-of-00003" or "train-00001-of-00003-0a1b..." -> split "train", 1, 3. */
static void read_stem(struct part *part)
{
    char *of = strstr(part->split, "-of-");
    if (!of || of == part->split) { return; }
    char *from = of;
    while (from > part->split && isdigit((unsigned char)from[-1])) { from--; }
    size_t after = strspn(of + 4, "0123456789");
    char behind = of[4 + after];
    bool numbers = of - from > 0 && of - from < 10 && after > 0 && after < 10;
    if (!numbers || from - part->split < 2 || from[-1] != '-' || (behind && behind != '-')) {
        return;
    }
    part->shard = strtoll(from, NULL, 10);
    part->shards = strtoll(of + 4, NULL, 10);
    from[-1] = '\0';
}

/* The data files lying in a folder. `split` names them where their own names do not. */
static enum it_status list_parts(const char *folder, const char *split, struct parts *parts)
{
    struct it_strs names = {0};
    IT_TRY(it_dir_list(folder, &names));
    for (size_t i = 0; i < names.n; i++) {
        const char *name = names.item[i];
        size_t kind = kind_of(name);
        if (kind == N_KINDS || name[0] == '.') { continue; }
        char *path = it_path_join(folder, name);
        if (it_path_is_dir(path)) {
            it_free(path);
            continue;
        }
        size_t stem = strlen(name) - strlen(kinds[kind]);
        struct part part = {.path = path, .kind = kind, .shard = -1, .shards = -1,
                            .split = split ? it_strdup(split) : it_strndup(name, stem)};
        if (!split) { read_stem(&part); }
        parts->item = it_grow(parts->item, &parts->cap, parts->n + 1, sizeof *parts->item);
        parts->item[parts->n++] = part;
    }
    it_strs_free(&names);
    return IT_OK;
}

static bool has_split(const struct parts *parts, const char *split)
{
    for (size_t i = 0; i < parts->n; i++) {
        if (!split || strcmp(parts->item[i].split, split) == 0) { return true; }
    }
    return false;
}

/* Whether folder/name was there and had the split: the parts are then those of that folder. */
static bool try_folder(const char *folder, const char *name, const char *as_split,
                       const char *split, struct parts *parts)
{
    struct parts inside = {0};
    char *path = it_path_join(folder, name);
    bool found = it_path_is_dir(path) && list_parts(path, as_split, &inside) == IT_OK &&
                 has_split(&inside, split);
    it_free(path);
    if (found) {
        parts_free(parts);
        *parts = inside;
    } else {
        parts_free(&inside);
    }
    return found;
}

/* folder, folder/data, folder/<split>; when splits are asked for at large, the folders of the
 * usual names. */
static bool in_place(const char *folder, const char *split, struct parts *parts)
{
    static const char *const usual[] = {"train", "validation", "test"};
    if (try_folder(folder, "", NULL, split, parts)) { return true; }
    if (try_folder(folder, "data", NULL, split, parts)) { return true; }
    if (split) { return try_folder(folder, split, split, split, parts); }
    struct parts all = {0};
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        char *path = it_path_join(folder, usual[i]);
        if (it_path_is_dir(path)) { (void)list_parts(path, usual[i], &all); }
        it_free(path);
    }
    if (all.n == 0) { return false; }
    parts_free(parts);
    *parts = all;
    return true;
}

/* Configurations: the only folder that has the split, else the one named default or main. */
static enum it_status in_configurations(const char *folder, const char *split,
                                        struct parts *parts)
{
    struct it_strs names = {0}, holding = {0};
    IT_TRY(it_dir_list(folder, &names));
    size_t chosen = SIZE_MAX;
    for (size_t i = 0; i < names.n; i++) {
        char *path = it_path_join(folder, names.item[i]);
        struct parts inside = {0};
        if (names.item[i][0] != '.' && it_path_is_dir(path) && in_place(path, split, &inside)) {
            bool preferred = strcmp(names.item[i], "default") == 0 ||
                             (strcmp(names.item[i], "main") == 0 && chosen == SIZE_MAX);
            if (preferred) { chosen = holding.n; }
            it_strs_add(&holding, path);
        }
        parts_free(&inside);
        it_free(path);
    }
    if (holding.n == 1) { chosen = 0; }
    enum it_status status = IT_OK;
    if (chosen < holding.n) {
        (void)in_place(holding.item[chosen], split, parts);
    } else if (holding.n) {
        status = it_fail(IT_INVALID, "%s: %zu configurations; name one: %s, or %s", folder,
                         holding.n, holding.item[0], holding.item[1]);
    }
    it_strs_free(&names);
    it_strs_free(&holding);
    return status;
}

static char *config_folder(const char *folder, const char *place, const char *config)
{
    char *at = it_path_join(folder, place), *path = it_path_join(at, config);
    bool found = it_path_is_dir(path);
    it_free(at);
    if (!found) {
        it_free(path);
        return NULL;
    }
    return path;
}

static enum it_status no_config(const char *folder, const char *config)
{
    struct it_strs names = {0};
    struct it_str words = {0};
    IT_TRY(it_dir_list(folder, &names));
    for (size_t i = 0; i < names.n && words.len < 400; i++) {
        char *path = it_path_join(folder, names.item[i]);
        struct parts inside = {0};
        if (names.item[i][0] != '.' && it_path_is_dir(path) && in_place(path, NULL, &inside)) {
            it_str_printf(&words, "%s%s", words.len ? ", " : "", names.item[i]);
        }
        parts_free(&inside);
        it_free(path);
    }
    enum it_status status =
        it_fail(IT_NOT_FOUND, "%s: no configuration \"%s\" (a folder); there is: %s", folder,
                config, words.len ? it_str_c(&words) : "none");
    it_strs_free(&names);
    it_str_free(&words);
    return status;
}

enum it_status it_data_config(const char *path, const char *config, char **path_out)
{
    if (!config || !it_path_is_dir(path)) {
        *path_out = it_strdup(path);
        return IT_OK;
    }
    bool inside = *config && strcmp(config, ".") != 0 && strcmp(config, "..") != 0 &&
                  !strchr(config, '/');
    char *found = inside ? config_folder(path, "", config) : NULL;
    if (!found && inside) { found = config_folder(path, "data", config); }
    if (!found && (strcmp(config, "default") == 0 || strcmp(config, "main") == 0)) {
        found = it_strdup(path);
    }
    if (!found) { return no_config(path, config); }
    *path_out = found;
    return IT_OK;
}

static enum it_status find_parts(const char *folder, const char *split, struct parts *parts_out)
{
    struct parts parts = {0};
    if (!in_place(folder, split, &parts)) { IT_TRY(in_configurations(folder, split, &parts)); }
    *parts_out = parts;
    return IT_OK;
}

static void add_split(struct it_strs *splits, const char *split)
{
    for (size_t i = 0; i < splits->n; i++) {
        if (strcmp(splits->item[i], split) == 0) { return; }
    }
    it_strs_add(splits, split);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void splits_of(const struct parts *parts, struct it_strs *splits)
{
    for (size_t i = 0; i < parts->n; i++) { add_split(splits, parts->item[i].split); }
    if (splits->n) { qsort(splits->item, splits->n, sizeof *splits->item, compare_names); }
}

enum it_status it_data_splits(const char *path, struct it_strs *splits_out)
{
    struct parts parts;
    struct it_strs splits = {0};
    IT_TRY(find_parts(path, NULL, &parts));
    splits_of(&parts, &splits);
    parts_free(&parts);
    *splits_out = splits;
    return IT_OK;
}

/* Not in any configuration's folder: a root of many sets looks like one set of many. */
bool it_data_has(const char *path, const char *split)
{
    static const char *const places[] = {"", "default", "main"};
    if (!it_path_is_dir(path)) { return it_path_exists(path); }
    bool found = false;
    for (size_t i = 0; i < sizeof places / sizeof *places && !found; i++) {
        struct parts parts = {0};
        char *inside = it_path_join(path, places[i]);
        found = it_path_is_dir(inside) && in_place(inside, split, &parts);
        parts_free(&parts);
        it_free(inside);
    }
    return found;
}

static enum it_status no_split(const char *folder, const char *split)
{
    struct it_strs splits = {0};
    struct it_str words = {0};
    IT_TRY(it_data_splits(folder, &splits));
    for (size_t i = 0; i < splits.n && i < 16; i++) {
        it_str_printf(&words, "%s%s", i ? ", " : "", splits.item[i]);
    }
    enum it_status status =
        splits.n == 0
            ? it_fail(IT_NOT_FOUND, "%s: no .jsonl, .json, .csv, .tsv or .parquet file in this "
                      "folder", folder)
        : split ? it_fail(IT_NOT_FOUND, "%s: no split \"%s\" (%s.jsonl, .json, .csv, .tsv, "
                          ".parquet or %s-00000-of-...); there is: %s", folder, split, split,
                          split, it_str_c(&words))
                : it_fail(IT_INVALID, "%s: several splits; name one of: %s", folder,
                          it_str_c(&words));
    it_strs_free(&splits);
    it_str_free(&words);
    return status;
}

static int compare_parts(const void *a, const void *b)
{
    const struct part *x = a, *y = b;
    if (x->shard != y->shard) { return x->shard < y->shard ? -1 : 1; }
    return strcmp(x->path, y->path);
}

/* The parts are those of one split and kind, sorted. A file without a number is the whole split
 * unless it lies in a folder of the split's name. */
static enum it_status check_shards(const char *folder, const struct part *part, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (part[i].shards < 0) { continue; }
        if (part[i].shards != part[0].shards) {
            return it_fail(IT_INVALID, "%s: %s and %s are shards of different sets; keep one set",
                           folder, it_path_base(part[0].path), it_path_base(part[i].path));
        }
        if (part[i].shard > (int64_t)i || (i + 1 == n && part[i].shards > (int64_t)n)) {
            int64_t missing = part[i].shard > (int64_t)i ? (int64_t)i : (int64_t)n;
            return it_fail(IT_NOT_FOUND, "%s: shard %lld of split \"%s\" is missing: there are "
                           "%zu of %lld files", folder, (long long)missing, part[i].split, n,
                           (long long)part[i].shards);
        }
        if (part[i].shard < (int64_t)i || part[i].shard >= part[i].shards) {
            return it_fail(IT_INVALID, "%s: %s: a shard of this number does not belong here",
                           folder, it_path_base(part[i].path));
        }
    }
    return IT_OK;
}

/* Keeps the split's parts of the preferred kind at the front of the list. */
static size_t choose(struct parts *parts, const char *split)
{
    size_t best = N_KINDS, n = 0;
    for (size_t i = 0; i < parts->n; i++) {
        const struct part *part = &parts->item[i];
        if (strcmp(part->split, split) == 0 && part->kind < best) { best = part->kind; }
    }
    for (size_t i = 0; i < parts->n; i++) {
        struct part part = parts->item[i];
        if (strcmp(part.split, split) != 0 || part.kind != best) { continue; }
        parts->item[i] = parts->item[n];
        parts->item[n++] = part;
    }
    qsort(parts->item, n, sizeof *parts->item, compare_parts);
    if (n && parts->item[0].shards < 0 && parts->item[n - 1].shards >= 0) {
        n = 1; /* train.parquet beside shards of the same: the whole file */
    }
    return n;
}

enum it_status it_data_files(const char *path, const char *split, struct it_strs *files_out)
{
    struct parts parts;
    struct it_strs splits = {0};
    IT_TRY(find_parts(path, split, &parts));
    if (!split) { splits_of(&parts, &splits); }
    const char *wanted = split ? split : splits.n == 1 ? splits.item[0] : NULL;
    enum it_status status = IT_OK;
    if (!wanted || !has_split(&parts, wanted)) {
        status = no_split(path, split);
        goto end;
    }
    size_t n = choose(&parts, wanted);
    IT_TRY_GOTO(status, end, check_shards(path, parts.item, n));
    struct it_strs files = {0};
    for (size_t i = 0; i < n; i++) { it_strs_add(&files, parts.item[i].path); }
    *files_out = files;
end:
    it_strs_free(&splits);
    parts_free(&parts);
    return status;
}
