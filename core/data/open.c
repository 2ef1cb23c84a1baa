/* SPDX-License-Identifier: MIT */
/* Records of a file or of the files of a split, one after the other. */
#include "core/data/data.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/data/internal.h"

struct it_data {
    struct it_strs files, columns;
    bool all_columns;
    size_t at; /* the file that is open, or was last */
    const struct it_data_format *format;
    struct it_data_reader *reader; /* NULL: none is open */
    struct it_str where, next_where;
};

/* Of a regular file alone: what is read from a pipe is gone. */
static bool is_parquet(const char *path)
{
    struct stat info;
    char magic[4];
    if (it_data_named(path, ".parquet")) { return true; }
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode)) { return false; }
    FILE *stream = fopen(path, "re");
    if (!stream) { return false; }
    bool found = fread(magic, 1, sizeof magic, stream) == sizeof magic &&
                 memcmp(magic, "PAR1", sizeof magic) == 0;
    fclose(stream);
    return found;
}

static enum it_status open_file(struct it_data *data)
{
    const char *path = data->files.item[data->at];
    const struct it_data_format *format =
        strcmp(path, "-") != 0 && is_parquet(path)                     ? &it_data_parquet
        : it_data_named(path, ".csv") || it_data_named(path, ".tsv") ? &it_data_csv
                                                                      : &it_data_json;
    IT_TRY(format->open(path, data->all_columns ? NULL : &data->columns, &data->reader));
    data->format = format;
    return IT_OK;
}

enum it_status it_data_open(const char *path, const struct it_data_options *options,
                            struct it_data **data_out)
{
    struct it_data *data = it_calloc(1, sizeof *data);
    enum it_status status = IT_OK;
    data->all_columns = !options || !options->columns;
    for (size_t i = 0; !data->all_columns && i < options->n_columns; i++) {
        it_strs_add(&data->columns, options->columns[i]);
    }
    if (strcmp(path, "-") != 0 && it_path_is_dir(path)) {
        status = it_data_files(path, options ? options->split : NULL, &data->files);
    } else {
        it_strs_add(&data->files, path);
    }
    if (status == IT_OK) { status = open_file(data); }
    if (status != IT_OK) {
        it_data_close(data);
        return status;
    }
    *data_out = data;
    return IT_OK;
}

static void close_file(struct it_data *data)
{
    if (data->reader) { data->format->close(data->reader); }
    data->reader = NULL;
}

void it_data_close(struct it_data *data)
{
    if (!data) { return; }
    close_file(data);
    it_strs_free(&data->files);
    it_strs_free(&data->columns);
    it_str_free(&data->where);
    it_str_free(&data->next_where);
    it_free(data);
}

enum it_status it_data_next(struct it_data *data, json_t **record_out)
{
    for (;;) {
        if (data->reader) {
            enum it_status status = data->format->next(data->reader, &data->next_where,
                                                       record_out);
            if (status != IT_END) {
                struct it_str swap = data->where;
                data->where = data->next_where;
                data->next_where = swap;
                return status;
            }
            close_file(data);
        }
        if (data->at + 1 >= data->files.n) { return IT_END; }
        data->at++;
        IT_TRY(open_file(data)); /* failed: the call after this one tries the next file */
    }
}

const char *it_data_where(const struct it_data *data)
{
    return data->where.len ? it_str_c(&data->where) : data->files.item[data->at];
}

void it_data_columns(const struct it_data *data, struct it_strs *names_out)
{
    struct it_strs names = {0};
    if (data->reader && data->format->columns) { data->format->columns(data->reader, &names); }
    *names_out = names;
}
