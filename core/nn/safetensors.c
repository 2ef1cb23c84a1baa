/* SPDX-License-Identifier: MIT */
/* Reading safetensors files. A header is believed only where it can be checked against the length
 * of the file; after opening, every tensor's bytes lie inside the map and belong to it alone. */
#include "core/nn/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"

/* Bytes go between file and tensor unchanged, and the file's are little-endian. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensors would need their bytes swapped");

enum { LENGTH_BYTES = 8, MAX_HEADER = 100000000 };

/* Types of the format that this program has no use for still have a size that must be right. */
static const struct {
    const char *name;
    size_t bytes;
} other_types[] = {{"F64", 8},  {"I64", 8}, {"U64", 8},     {"U16", 2},    {"BOOL", 1},
                   {"I8", 1},   {"C64", 8}, {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"F8_E8M0", 1}};

static const struct {
    const char *name;
    enum it_dtype dtype;
} types[] = {
#define X(dtype, bytes, file) {file, IT_##dtype},
    IT_DTYPE_LIST(X)
#undef X
};

/* Bytes an element, 0 when the type is not one of the format's. */
static size_t type_size(const char *name, enum it_dtype *dtype_out)
{
    *dtype_out = IT_NONE;
    for (size_t i = 0; i < sizeof other_types / sizeof other_types[0]; i++) {
        if (strcmp(other_types[i].name, name) == 0) { return other_types[i].bytes; }
    }
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (types[i].dtype != IT_NONE && strcmp(types[i].name, name) == 0) {
            *dtype_out = types[i].dtype;
            return it_dtype_size(types[i].dtype);
        }
    }
    return 0;
}

/* A whole number that is not negative. */
static bool count_of(const json_t *value, uint64_t *count_out)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0) { return false; }
    *count_out = (uint64_t)json_integer_value(value);
    return true;
}

static enum it_status read_shape(const char *path, const json_t *shape, struct it_safetensor *t,
                                 uint64_t *size)
{
    if (!json_is_array(shape)) {
        return it_fail(IT_INVALID, "%s: tensor \"%s\": \"shape\" is not a list", path, t->name);
    }
    if (json_array_size(shape) > IT_MAX_RANK) {
        return it_fail(IT_INVALID, "%s: tensor \"%s\": %zu axes; at most %d are possible", path,
                       t->name, json_array_size(shape), IT_MAX_RANK);
    }
    t->rank = (int)json_array_size(shape);
    for (int axis = 0; axis < t->rank; axis++) {
        uint64_t count;
        if (!count_of(json_array_get(shape, (size_t)axis), &count)) {
            return it_fail(IT_INVALID, "%s: tensor \"%s\": \"shape\" holds something other than "
                           "sizes", path, t->name);
        }
        /* an axis of none makes the rest small whatever it says: bound each size by itself too */
        if (count > INT64_MAX / 8 || __builtin_mul_overflow(*size, count, size)) {
            return it_fail(IT_INVALID, "%s: tensor \"%s\": \"shape\" is larger than any memory",
                           path, t->name);
        }
        t->shape[axis] = (int64_t)count;
    }
    return IT_OK;
}

/* `data` has `length` bytes, all that follow the header. */
static enum it_status read_tensor(const char *path, const json_t *entry, const uint8_t *data,
                                  size_t length, struct it_safetensor *t)
{
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const char *type = json_string_value(json_object_get(entry, "dtype"));
    uint64_t size, begin, end;
    if (!json_is_object(entry) || !type || !offsets) {
        return it_fail(IT_INVALID, "%s: tensor \"%s\": expected dtype, shape and data_offsets",
                       path, t->name);
    }
    size = type_size(type, &t->dtype);
    if (size == 0) {
        return it_fail(IT_INVALID, "%s: tensor \"%s\": unknown dtype \"%s\"", path, t->name, type);
    }
    memcpy(t->file_dtype, type, strlen(type) + 1); /* one of the names above: it fits */
    IT_TRY(read_shape(path, json_object_get(entry, "shape"), t, &size));
    if (json_array_size(offsets) != 2 || !count_of(json_array_get(offsets, 0), &begin) ||
        !count_of(json_array_get(offsets, 1), &end) || begin > end) {
        return it_fail(IT_INVALID, "%s: tensor \"%s\": \"data_offsets\" are not a begin and an end",
                       path, t->name);
    }
    if (end > length) {
        return it_fail(IT_INVALID, "%s: tensor \"%s\" ends at byte %" PRIu64 " of the data, of "
                       "which there are %zu: the file is truncated", path, t->name, end, length);
    }
    if (end - begin != size) {
        return it_fail(IT_INVALID, "%s: tensor \"%s\": dtype and shape need %" PRIu64 " bytes, "
                       "data_offsets give %" PRIu64, path, t->name, size, end - begin);
    }
    t->data = data + begin;
    t->size = (size_t)size;
    return IT_OK;
}

/* Tensors that hold nothing sort before the one that begins where they lie. */
static int by_place(const void *a, const void *b)
{
    const struct it_safetensor *s = a, *t = b;
    if (s->data != t->data) { return s->data < t->data ? -1 : 1; }
    return s->size < t->size ? -1 : s->size > t->size;
}

static int by_name(const void *a, const void *b)
{
    const struct it_safetensor *s = a, *t = b;
    return strcmp(s->name, t->name);
}

/* The data are exactly the tensors, one after another. Sorts them by place. */
static enum it_status check_places(const char *path, struct it_safetensor *item, size_t n,
                                   const uint8_t *data, size_t length)
{
    const uint8_t *end = data;
    if (n) { qsort(item, n, sizeof *item, by_place); }
    for (size_t i = 0; i < n; i++) {
        if (item[i].data != end) {
            return it_fail(IT_INVALID, "%s: tensor \"%s\" %s", path, item[i].name,
                           item[i].data < end ? "overlaps the one before it"
                                              : "leaves a hole before it");
        }
        end += item[i].size;
    }
    if (end != data + length) {
        return it_fail(IT_INVALID, "%s: %zu bytes after the last tensor belong to none", path,
                       (size_t)(data + length - end));
    }
    return IT_OK;
}

static enum it_status read_header(const char *path, const struct it_map *map, json_t **header_out,
                                  size_t *begin_out)
{
    uint64_t length = 0;
    if (map->size < LENGTH_BYTES) {
        return it_fail(IT_INVALID, "%s: %zu bytes are too few for a safetensors file", path,
                       map->size);
    }
    memcpy(&length, map->data, LENGTH_BYTES);
    if (length > MAX_HEADER || length > map->size - LENGTH_BYTES) {
        return it_fail(IT_INVALID, "%s: not a safetensors file, or truncated: a header of %" PRIu64
                       " bytes in a file of %zu", path, length, map->size);
    }
    IT_TRY(it_json_parse(path, (const char *)map->data + LENGTH_BYTES, (size_t)length, header_out));
    if (!json_is_object(*header_out)) {
        json_decref(*header_out);
        return it_fail(IT_INVALID, "%s: the header is not a JSON object", path);
    }
    *begin_out = LENGTH_BYTES + (size_t)length;
    return IT_OK;
}

/* Append the tensors of map to `file`. */
static enum it_status add_tensors(const char *path, const struct it_map *map,
                                  struct it_safetensors *file)
{
    json_t *header, *entry;
    const char *name;
    size_t begin = 0;
    IT_TRY(read_header(path, map, &header, &begin));
    size_t first = file->n, length = map->size - begin;
    file->item = it_realloc(file->item, (first + json_object_size(header)) * sizeof *file->item);
    enum it_status status = IT_OK;
    json_object_foreach(header, name, entry) {
        if (strcmp(name, "__metadata__") == 0) { continue; }
        struct it_safetensor *t = &file->item[file->n++];
        *t = (struct it_safetensor){.name = it_strdup(name)};
        IT_TRY_GOTO(status, done, read_tensor(path, entry, map->data + begin, length, t));
    }
    status = check_places(path, file->item + first, file->n - first, map->data + begin, length);
done:
    json_decref(header);
    return status;
}

/* Map a file and append its tensors. */
static enum it_status add_file(const char *path, struct it_safetensors *file)
{
    file->map = it_realloc(file->map, (file->n_maps + 1) * sizeof *file->map);
    IT_TRY(it_map_open(path, &file->map[file->n_maps]));
    file->n_maps++;
    return add_tensors(path, &file->map[file->n_maps - 1], file);
}

/* Within a file names differ (the JSON reader sees to it); two shards may still share one. */
static enum it_status sort_names(struct it_safetensors *file)
{
    if (file->n) { qsort(file->item, file->n, sizeof *file->item, by_name); }
    for (size_t i = 1; i < file->n; i++) {
        if (strcmp(file->item[i - 1].name, file->item[i].name) == 0) {
            return it_fail(IT_INVALID, "%s: tensor \"%s\" is in two shards", file->path,
                           file->item[i].name);
        }
    }
    return IT_OK;
}

enum it_status it_safetensors_open(const char *path, struct it_safetensors *file_out)
{
    struct it_safetensors file = {.path = it_strdup(path)};
    enum it_status status = add_file(path, &file);
    if (status == IT_OK) { status = sort_names(&file); }
    if (status != IT_OK) {
        it_safetensors_close(&file);
        return status;
    }
    *file_out = file;
    return IT_OK;
}

/* ---- shards ---- */

/* The files named in weight_map, each once, in the order they are met. */
static enum it_status list_shards(const char *index, const json_t *map, struct it_strs *shards)
{
    json_t *value;
    const char *name;
    if (!json_is_object(map)) {
        return it_fail(IT_INVALID, "%s: field \"weight_map\": expected an object", index);
    }
    /* iterating changes nothing: jansson only lacks the const */
    json_object_foreach((json_t *)(uintptr_t)map, name, value) {
        const char *shard = json_string_value(value);
        if (!shard || !it_ends_with(shard, ".safetensors") || strchr(shard, '/') ||
            strlen(shard) != json_string_length(value)) {
            return it_fail(IT_INVALID, "%s: tensor \"%s\": expected the name of a .safetensors "
                           "file in the same folder", index, name);
        }
        bool known = false;
        for (size_t i = 0; i < shards->n && !known; i++) {
            known = strcmp(shards->item[shards->n - 1 - i], shard) == 0;
        }
        if (!known) { it_strs_add(shards, shard); }
    }
    return IT_OK;
}

/* Every tensor the index names is in some shard; the shards have no other. */
static enum it_status check_index(const char *index, const json_t *map,
                                  const struct it_safetensors *file)
{
    json_t *value;
    const char *name;
    json_object_foreach((json_t *)(uintptr_t)map, name, value) {
        if (!it_safetensors_find(file, name)) {
            return it_fail(IT_INVALID, "%s: tensor \"%s\" is not in %s", index, name,
                           json_string_value(value));
        }
    }
    for (size_t i = 0; i < file->n; i++) {
        if (!json_object_get(map, file->item[i].name)) {
            return it_fail(IT_INVALID, "%s: tensor \"%s\" of a shard is not listed", index,
                           file->item[i].name);
        }
    }
    return IT_OK;
}

static enum it_status add_shards(const char *index, struct it_safetensors *file)
{
    json_t *root;
    struct it_strs shards = {0};
    IT_TRY(it_json_read(index, &root));
    const json_t *map = json_object_get(root, "weight_map");
    enum it_status status = list_shards(index, map, &shards);
    for (size_t i = 0; i < shards.n && status == IT_OK; i++) {
        char *path = it_path_join(file->path, shards.item[i]);
        status = it_safetensors_check_sum(file->path, shards.item[i]);
        if (status == IT_OK) { status = add_file(path, file); }
        it_free(path);
    }
    if (status == IT_OK) { status = sort_names(file); }
    if (status == IT_OK) { status = check_index(index, map, file); }
    it_strs_free(&shards);
    json_decref(root);
    return status;
}

static enum it_status open_shards(const char *folder, const char *index,
                                  struct it_safetensors *file_out)
{
    struct it_safetensors file = {.path = it_strdup(folder)};
    enum it_status status = add_shards(index, &file);
    if (status != IT_OK) {
        it_safetensors_close(&file);
        return status;
    }
    *file_out = file;
    return IT_OK;
}

static char *file_of(const char *folder, const char *stem, const char *rest)
{
    struct it_str name = {0};
    it_str_printf(&name, "%s%s", stem, rest);
    char *path = it_path_join(folder, it_str_c(&name));
    it_str_free(&name);
    return path;
}

enum it_status it_safetensors_open_folder(const char *folder, const char *stem,
                                          struct it_safetensors *file_out)
{
    char *single = file_of(folder, stem, ".safetensors");
    char *index = file_of(folder, stem, ".safetensors.index.json");
    enum it_status status;
    if (it_path_exists(single)) {
        status = it_safetensors_check_sum(folder, it_path_base(single));
        if (status == IT_OK) { status = it_safetensors_open(single, file_out); }
    } else if (it_path_exists(index)) {
        status = open_shards(folder, index, file_out);
    } else {
        status = it_fail(IT_NOT_FOUND, "%s: neither %s.safetensors nor %s.safetensors.index.json "
                         "is there; weights of other formats must be converted first", folder, stem,
                         stem);
    }
    it_free(single);
    it_free(index);
    return status;
}

void it_safetensors_close(struct it_safetensors *file)
{
    for (size_t i = 0; i < file->n; i++) { it_free(file->item[i].name); }
    for (size_t i = 0; i < file->n_maps; i++) { it_map_close(&file->map[i]); }
    it_free(file->item);
    it_free(file->map);
    it_free(file->path);
    *file = (struct it_safetensors){0};
}

const struct it_safetensor *it_safetensors_find(const struct it_safetensors *file, const char *name)
{
    size_t low = 0, high = file->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(file->item[middle].name, name);
        if (order == 0) { return &file->item[middle]; }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

/* "[2, 3]" into a string that the caller frees. */
static char *shape_text(int rank, const int64_t *shape)
{
    struct it_str text = {0};
    it_str_putc(&text, '[');
    for (int i = 0; i < rank; i++) {
        it_str_printf(&text, "%s%" PRId64, i ? ", " : "", shape[i]);
    }
    it_str_putc(&text, ']');
    return it_str_take(&text);
}

enum it_status it_safetensors_check_shape(const struct it_safetensors *file,
                                          const struct it_safetensor *found, int rank,
                                          const int64_t *shape)
{
    bool same = found->rank == rank;
    for (int i = 0; i < rank && same; i++) { same = found->shape[i] == shape[i]; }
    if (same) { return IT_OK; }
    char *is = shape_text(found->rank, found->shape), *expected = shape_text(rank, shape);
    enum it_status status = it_fail(IT_INVALID, "%s: tensor \"%s\": shape %s; expected %s",
                                    file->path, found->name, is, expected);
    it_free(is);
    it_free(expected);
    return status;
}

enum it_status it_safetensors_load_tensor(const struct it_safetensors *file, const char *name,
                                          struct it_tensor t)
{
    const struct it_safetensor *found = it_safetensors_find(file, name);
    if (!found) { return it_fail(IT_INVALID, "%s: missing tensor \"%s\"", file->path, name); }
    if (found->dtype != t.dtype) {
        return it_fail(IT_INVALID, "%s: tensor \"%s\": dtype %s; expected %s", file->path, name,
                       found->file_dtype, it_dtype_name(t.dtype));
    }
    IT_TRY(it_safetensors_check_shape(file, found, t.rank, t.shape));
    return it_upload(t, found->data);
}
