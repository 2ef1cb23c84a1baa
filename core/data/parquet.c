/* SPDX-License-Identifier: MIT */
/* Parquet files as records. Records are put together from the columns' levels (Dremel: Melnik et
 * al., VLDB 2010): an entry's definition level says how much of the path to it is there, its
 * repetition level which list it goes on. */
#include <string.h>

#include "core/base/mem.h"
#include "core/data/data.h"
#include "core/data/internal.h"
#include "core/data/parquet_internal.h"

/* A list of nulls takes no bytes in a file: what a record may hold is counted beside its text. */
enum { COST_OF_VALUE = 32, ROWS_OF_BYTE = 65536 };

struct it_data_reader {
    char *path;
    struct it_map map;
    struct it_pq_schema schema;
    struct it_pq_column **column;  /* [schema.leaves], NULL for those not chosen */
    const uint8_t **group;         /* [groups]: where their metadata begin */
    size_t groups, group_at;
    const uint8_t *footer_end;
    int64_t rows, row, group_left; /* of the file; the row at hand, from 1; of the open group */
    int64_t budget;                /* bytes this record may still take */
    bool ended;
};

static enum it_status broken(const struct it_data_reader *r, const char *cause)
{
    return it_fail(IT_INVALID, "%s: %s", r->path, cause);
}

/* ---- footer ---- */

/* ... metadata, its length in 4 bytes, "PAR1". */
static enum it_status find_footer(struct it_data_reader *r, struct it_thrift *t)
{
    const uint8_t *data = r->map.data;
    if (r->map.size < 12 || memcmp(data, "PAR", 3) != 0) {
        return broken(r, "not a Parquet file: it does not begin with PAR1");
    }
    const uint8_t *tail = data + r->map.size - 8;
    if (memcmp(tail + 4, "PARE", 4) == 0) {
        return it_fail(IT_INVALID, "%s: an encrypted Parquet file", r->path);
    }
    if (memcmp(tail + 4, "PAR1", 4) != 0 || data[3] != '1') {
        return broken(r, "not a whole Parquet file: it does not end with PAR1; copy it again");
    }
    uint32_t n = tail[0] | (uint32_t)tail[1] << 8 | (uint32_t)tail[2] << 16 |
                 (uint32_t)tail[3] << 24;
    if (n > r->map.size - 12) { return broken(r, "its footer is longer than the file"); }
    *t = (struct it_thrift){.at = tail - n, .end = tail};
    r->footer_end = tail;
    return IT_OK;
}

/* Row groups are only skipped here, and parsed when they are reached. */
static void find_groups(struct it_data_reader *r, struct it_thrift *t,
                        const struct it_thrift_field *field)
{
    const struct it_thrift_field group = {.type = IT_THRIFT_STRUCT};
    size_t n = it_thrift_list(t, field, IT_THRIFT_STRUCT);
    it_free(r->group);
    r->group = it_calloc(n + 1, sizeof *r->group);
    for (r->groups = 0; r->groups < n && !t->broken; r->groups++) {
        r->group[r->groups] = t->at;
        it_thrift_skip(t, &group);
    }
}

static enum it_status read_footer(struct it_data_reader *r)
{
    struct it_thrift t;
    struct it_thrift_field field = {0};
    IT_TRY(find_footer(r, &t));
    while (it_thrift_next(&t, &field)) {
        if (field.id == 2) {
            if (r->schema.n) { return broken(r, "two schemas"); }
            IT_TRY(it_pq_schema_read(r->path, &t, &field, &r->schema));
        } else if (field.id == 3) {
            r->rows = it_thrift_int(&t, &field);
        } else if (field.id == 4) {
            find_groups(r, &t, &field);
        } else {
            it_thrift_skip(&t, &field);
        }
    }
    if (t.broken || r->schema.n == 0 || r->rows < 0) {
        return broken(r, "its footer is broken; copy the file again");
    }
    if ((uint64_t)r->rows / ROWS_OF_BYTE > r->map.size) {
        return broken(r, "its footer claims more rows than so small a file can hold");
    }
    return IT_OK;
}

/* ---- columns ---- */

static bool is_chosen(const struct it_strs *columns, const char *name)
{
    for (size_t i = 0; columns && i < columns->n; i++) {
        if (strcmp(columns->item[i], name) == 0) { return true; }
    }
    return columns == NULL;
}

/* Columns of the leaves below a node, with their dotted names. */
static void make_columns(struct it_data_reader *r, size_t at, struct it_str *name)
{
    const struct it_pq_node *node = &r->schema.node[at];
    size_t before = name->len;
    it_str_printf(name, "%s%s", before ? "." : "", node->name);
    if (node->type != IT_PQ_GROUP) {
        struct it_pq_column *column = it_calloc(1, sizeof *column);
        *column = (struct it_pq_column){.node = node, .path = r->path, .row = &r->row,
                                        .name = it_strdup(it_str_c(name))};
        r->column[node->leaf] = column;
    }
    for (size_t i = at + 1; i < node->end; i = r->schema.node[i].end) {
        make_columns(r, i, name);
    }
    name->len = before;
    name->data[before] = '\0';
}

static void parquet_close(struct it_data_reader *r)
{
    for (size_t i = 0; r->column && i < r->schema.leaves; i++) {
        if (r->column[i]) { it_pq_column_free(r->column[i]); }
        it_free(r->column[i]);
    }
    it_free(r->column);
    it_free(r->group);
    it_pq_schema_free(&r->schema);
    it_map_close(&r->map);
    it_free(r->path);
    it_free(r);
}

static enum it_status parquet_open(const char *path, const struct it_strs *columns,
                                   struct it_data_reader **reader_out)
{
    struct it_data_reader *r = it_calloc(1, sizeof *r);
    struct it_str name = {0};
    r->path = it_strdup(path);
    enum it_status status = it_map_open(path, &r->map);
    if (status == IT_OK) { status = read_footer(r); }
    if (status != IT_OK) {
        parquet_close(r);
        return status;
    }
    const struct it_pq_node *node = r->schema.node;
    r->column = it_calloc(r->schema.leaves + 1, sizeof *r->column);
    for (size_t i = 1; i < node[0].end; i = node[i].end) {
        if (is_chosen(columns, node[i].name)) { make_columns(r, i, &name); }
    }
    it_str_free(&name);
    *reader_out = r;
    return IT_OK;
}

static void parquet_columns(const struct it_data_reader *r, struct it_strs *names)
{
    const struct it_pq_node *node = r->schema.node;
    for (size_t i = 1; i < node[0].end; i = node[i].end) { it_strs_add(names, node[i].name); }
}

/* ---- row groups ---- */

static void read_chunk_meta(struct it_thrift *t, struct it_pq_chunk *chunk)
{
    struct it_thrift_field field = {0};
    while (it_thrift_next(t, &field)) {
        switch (field.id) {
        case 1: chunk->type = (int)it_thrift_int(t, &field); break;
        case 4: chunk->codec = (int)it_thrift_int(t, &field); break;
        case 5: chunk->values = it_thrift_int(t, &field); break;
        case 7: chunk->bytes = it_thrift_int(t, &field); break;
        case 9: chunk->data_at = it_thrift_int(t, &field); break;
        case 11: chunk->dictionary_at = it_thrift_int(t, &field); break;
        default: it_thrift_skip(t, &field);
        }
    }
}

static void read_chunk(struct it_thrift *t, struct it_pq_chunk *chunk)
{
    struct it_thrift_field field = {0};
    *chunk = (struct it_pq_chunk){.type = -1, .codec = -1};
    while (it_thrift_next(t, &field)) {
        if (field.id == 3) {
            it_thrift_enter(t, &field);
            read_chunk_meta(t, chunk);
            continue;
        }
        chunk->elsewhere = chunk->elsewhere || field.id == 1;
        chunk->encrypted = chunk->encrypted || field.id == 8 || field.id == 9;
        it_thrift_skip(t, &field);
    }
}

static enum it_status begin_chunks(struct it_data_reader *r, struct it_thrift *t,
                                   const struct it_thrift_field *field)
{
    size_t n = it_thrift_list(t, field, IT_THRIFT_STRUCT);
    if (n != r->schema.leaves) {
        return broken(r, "a row group with another number of columns than the schema");
    }
    for (size_t i = 0; i < n && !t->broken; i++) {
        struct it_pq_chunk chunk;
        read_chunk(t, &chunk);
        if (t->broken || !r->column[i]) { continue; }
        IT_TRY(it_pq_column_begin(r->column[i], &chunk, &r->map));
    }
    return IT_OK;
}

static enum it_status begin_group(struct it_data_reader *r)
{
    struct it_thrift t = {.at = r->group[r->group_at++], .end = r->footer_end};
    struct it_thrift_field field = {0};
    int64_t rows = -1;
    bool columns = false;
    while (it_thrift_next(&t, &field)) {
        if (field.id == 1) {
            IT_TRY(begin_chunks(r, &t, &field));
            columns = true;
        } else if (field.id == 3) {
            rows = it_thrift_int(&t, &field);
        } else {
            it_thrift_skip(&t, &field);
        }
    }
    if (t.broken || !columns || rows < 0 || rows > r->rows - (r->row - 1)) {
        return broken(r, "a row group's metadata are broken, or its rows are more than the file's");
    }
    r->group_left = rows;
    return IT_OK;
}

/* What is left over would be data that nobody sees. */
static enum it_status end_group(struct it_data_reader *r)
{
    for (size_t i = 0; i < r->schema.leaves; i++) {
        struct it_pq_column *c = r->column[i];
        if (c && !it_pq_column_is_empty(c)) {
            return it_pq_column_fail(c, IT_INVALID, "more values than the row group has rows");
        }
    }
    return IT_OK;
}

/* ---- records ---- */

static enum it_status read_node(struct it_data_reader *r, size_t at, json_t **value_out);

static enum it_status spend(struct it_data_reader *r, size_t leaf, size_t bytes)
{
    r->budget -= (int64_t)bytes + COST_OF_VALUE;
    if (r->budget >= 0) { return IT_OK; }
    return it_pq_column_fail(r->column[leaf], IT_INVALID, "the record is larger than 256 MiB");
}

static enum it_status read_leaf(struct it_data_reader *r, const struct it_pq_node *node,
                                json_t **value_out)
{
    struct it_pq_column *c = r->column[node->leaf];
    struct it_pq_value value;
    IT_TRY(it_pq_column_take(c, &value));
    IT_TRY(spend(r, node->leaf, value.n));
    *value_out = it_pq_json(node, &value);
    return *value_out ? IT_OK : it_pq_column_fail(c, IT_INVALID, "not UTF-8 text");
}

/* Nothing is there: one entry of each leaf below says so, with a definition level below `def`. */
static enum it_status drop(struct it_data_reader *r, const struct it_pq_node *node, int def)
{
    for (size_t i = node->leaf; i < node->leaf_end; i++) {
        struct it_pq_column *c = r->column[i];
        IT_TRY(it_pq_column_peek(c));
        if (c->ended || c->def >= (uint32_t)def) {
            return it_pq_column_fail(c, IT_INVALID, "its levels disagree with its neighbours'");
        }
        it_pq_column_drop(c);
    }
    return IT_OK;
}

static enum it_status read_struct(struct it_data_reader *r, size_t at, json_t **value_out)
{
    const struct it_pq_node *node = r->schema.node;
    json_t *object = json_object();
    for (size_t i = at + 1; i < node[at].end; i = node[i].end) {
        json_t *value;
        enum it_status status = read_node(r, i, &value);
        if (status != IT_OK) {
            json_decref(object);
            return status;
        }
        json_object_set_new_nocheck(object, node[i].name, value);
    }
    *value_out = object;
    return IT_OK;
}

static enum it_status read_body(struct it_data_reader *r, size_t at, json_t **value_out);

/* Whether another element of the list follows; all leaves below must say the same. */
static enum it_status goes_on(struct it_data_reader *r, const struct it_pq_node *node,
                              bool *more_out)
{
    for (size_t i = node->leaf; i < node->leaf_end; i++) {
        struct it_pq_column *c = r->column[i];
        IT_TRY(it_pq_column_peek(c));
        bool more = !c->ended && c->rep == (uint32_t)node->max_rep;
        if (i == node->leaf) { *more_out = more; }
        if (more != *more_out) {
            return it_pq_column_fail(c, IT_INVALID, "its levels disagree with its neighbours'");
        }
    }
    return IT_OK;
}

/* The elements of the repeated node `at`. `inner` is the node of an element, which has a group of
 * its own around it in the three-level form; else the repeated node is the element. */
static enum it_status read_list(struct it_data_reader *r, size_t at, size_t inner,
                                json_t **value_out)
{
    const struct it_pq_node *node = &r->schema.node[at];
    struct it_pq_column *first = r->column[node->leaf];
    json_t *list = json_array(), *element;
    enum it_status status;
    bool more = true;
    IT_TRY_GOTO(status, fail, it_pq_column_peek(first));
    if (first->ended) {
        status = it_pq_column_fail(first, IT_INVALID, "fewer values than rows");
        goto fail;
    }
    if (first->def < (uint32_t)node->max_def) {
        IT_TRY_GOTO(status, fail, drop(r, node, node->max_def));
        more = false;
    }
    while (more) {
        IT_TRY_GOTO(status, fail, spend(r, node->leaf, 0));
        IT_TRY_GOTO(status, fail, inner != at ? read_node(r, inner, &element)
                                              : read_body(r, at, &element));
        json_array_append_new(list, element);
        IT_TRY_GOTO(status, fail, goes_on(r, node, &more));
    }
    *value_out = list;
    return IT_OK;
fail:
    json_decref(list);
    return status;
}

/* LIST and MAP groups hold one repeated node. By the format's rules for older files it is the
 * element itself where it is no group, has several fields, or is called "array" or "..._tuple";
 * else its only field is. A MAP comes out as a list of {"key", "value"}. */
static bool is_list(const struct it_pq_node *node, size_t at, size_t *inner_out)
{
    const struct it_pq_node *rep = &node[at + 1];
    if (node[at].meaning != IT_PQ_LIST || node[at].children != 1 ||
        rep->repetition != IT_PQ_REPEATED) {
        return false;
    }
    bool bare = rep->type != IT_PQ_GROUP || rep->children != 1 ||
                node[at + 2].repetition == IT_PQ_REPEATED || strcmp(rep->name, "array") == 0 ||
                it_ends_with(rep->name, "_tuple");
    *inner_out = bare ? at + 1 : at + 2;
    return true;
}

/* A node that is there. */
static enum it_status read_body(struct it_data_reader *r, size_t at, json_t **value_out)
{
    const struct it_pq_node *node = &r->schema.node[at];
    size_t inner;
    if (node->type != IT_PQ_GROUP) { return read_leaf(r, node, value_out); }
    if (is_list(r->schema.node, at, &inner)) { return read_list(r, at + 1, inner, value_out); }
    return read_struct(r, at, value_out);
}

/* A node that may be missing or repeated, its parent being there. */
static enum it_status read_node(struct it_data_reader *r, size_t at, json_t **value_out)
{
    const struct it_pq_node *node = &r->schema.node[at];
    struct it_pq_column *first = r->column[node->leaf];
    if (node->repetition == IT_PQ_REPEATED) { return read_list(r, at, at, value_out); }
    IT_TRY(it_pq_column_peek(first));
    if (first->ended) { return it_pq_column_fail(first, IT_INVALID, "fewer values than rows"); }
    if (first->def >= (uint32_t)node->max_def) { return read_body(r, at, value_out); }
    IT_TRY(spend(r, node->leaf, 0));
    IT_TRY(drop(r, node, node->max_def));
    *value_out = json_null();
    return IT_OK;
}

/* Each top-level node begins with repetition level 0. */
static enum it_status read_record(struct it_data_reader *r, json_t **record_out)
{
    const struct it_pq_node *node = r->schema.node;
    json_t *record = json_object();
    enum it_status status = IT_OK;
    r->budget = IT_DATA_RECORD_LIMIT;
    for (size_t i = 1; i < node[0].end; i = node[i].end) {
        json_t *value;
        if (!r->column[node[i].leaf]) { continue; }
        for (size_t k = node[i].leaf; k < node[i].leaf_end; k++) {
            IT_TRY_GOTO(status, fail, it_pq_column_peek(r->column[k]));
            if (r->column[k]->rep != 0) {
                status = it_pq_column_fail(r->column[k], IT_INVALID, "broken levels");
                goto fail;
            }
        }
        IT_TRY_GOTO(status, fail, read_node(r, i, &value));
        json_object_set_new_nocheck(record, node[i].name, value);
    }
    *record_out = record;
    return IT_OK;
fail:
    json_decref(record);
    return status;
}

static enum it_status next_record(struct it_data_reader *r, json_t **record_out)
{
    while (r->group_left == 0) {
        if (r->group_at > 0) { IT_TRY(end_group(r)); }
        if (r->group_at == r->groups) {
            if (r->row - 1 == r->rows) { return IT_END; }
            return broken(r, "its row groups have fewer rows than the file says");
        }
        IT_TRY(begin_group(r));
    }
    r->group_left--;
    return read_record(r, record_out);
}

static enum it_status parquet_next(struct it_data_reader *r, struct it_str *where,
                                   json_t **record_out)
{
    if (r->ended) { return IT_END; }
    r->row++;
    it_str_clear(where);
    it_str_printf(where, "%s: row %lld", r->path, (long long)r->row);
    enum it_status status = next_record(r, record_out);
    r->ended = status != IT_OK; /* behind an error the columns are no longer in step */
    return status;
}

const struct it_data_format it_data_parquet = {parquet_open, parquet_next, parquet_columns,
                                               parquet_close};
