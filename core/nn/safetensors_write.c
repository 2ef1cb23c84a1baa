/* SPDX-License-Identifier: MIT */
/* Writing safetensors files: the header is made of the declarations when the first byte comes. */
#include "core/nn/safetensors.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"

/* Pieces in which tensors without a host address come from the device. */
static const int64_t piece_bytes = INT64_C(8) << 20;

struct it_safetensors_writer {
    struct it_file file;
    char *path;
    json_t *header;    /* NULL once it is written */
    uint64_t declared; /* bytes of tensors */
    uint64_t put;      /* of them written */
};

static const char *type_name(enum it_dtype dtype)
{
    static const char *const names[] = {
#define X(dtype, bytes, file) file,
        IT_DTYPE_LIST(X)
#undef X
    };
    return names[dtype];
}

enum it_status it_safetensors_create(const char *path, struct it_safetensors_writer **writer_out)
{
    struct it_safetensors_writer *writer = it_calloc(1, sizeof *writer);
    enum it_status status = it_file_begin(path, &writer->file);
    if (status != IT_OK) {
        it_free(writer);
        return status;
    }
    writer->path = it_strdup(path);
    /* readers ask for the framework that laid the tensors out; "pt" is what all of them know */
    writer->header = json_pack("{s:{s:s}}", "__metadata__", "format", "pt");
    *writer_out = writer;
    return IT_OK;
}

enum it_status it_safetensors_declare(struct it_safetensors_writer *writer, const char *name,
                                      enum it_dtype dtype, int rank, const int64_t *shape)
{
    if (!writer->header) {
        return it_fail(IT_INVALID, "%s: tensor \"%s\" was declared after the first byte",
                       writer->path, name);
    }
    if (json_object_get(writer->header, name)) {
        return it_fail(IT_INVALID, "%s: tensor \"%s\" was declared twice", writer->path, name);
    }
    json_t *sizes = json_array();
    uint64_t bytes = it_dtype_size(dtype);
    for (int axis = 0; axis < rank; axis++) {
        json_array_append_new(sizes, json_integer(shape[axis]));
        bytes *= (uint64_t)shape[axis];
    }
    json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", type_name(dtype), "shape", sizes,
                              "data_offsets", (json_int_t)writer->declared,
                              (json_int_t)(writer->declared + bytes));
    if (json_object_set_new(writer->header, name, entry) != 0) {
        return it_fail(IT_INVALID, "%s: a tensor's name is not UTF-8", writer->path);
    }
    writer->declared += bytes;
    return IT_OK;
}

static enum it_status write_bytes(struct it_safetensors_writer *writer, const void *bytes,
                                  size_t size)
{
    if (size == 0 || fwrite(bytes, 1, size, writer->file.stream) == size) { return IT_OK; }
    return it_fail(IT_IO, "%s: cannot write: %s", writer->path, strerror(errno));
}

/* Padded with blanks, so that the tensors begin at a multiple of eight bytes. */
static enum it_status write_header(struct it_safetensors_writer *writer)
{
    char *text = json_dumps(writer->header, JSON_COMPACT);
    json_decref(writer->header);
    writer->header = NULL;
    size_t length = strlen(text), padding = (8 - length % 8) % 8;
    uint64_t total = length + padding;
    enum it_status status = write_bytes(writer, &total, sizeof total);
    if (status == IT_OK) { status = write_bytes(writer, text, length); }
    if (status == IT_OK) { status = write_bytes(writer, "       ", padding); }
    free(text);
    return status;
}

enum it_status it_safetensors_put(struct it_safetensors_writer *writer, const void *bytes,
                                  size_t size)
{
    if (writer->header) { IT_TRY(write_header(writer)); }
    if (size > writer->declared - writer->put) {
        return it_fail(IT_INVALID, "%s: more bytes came than were declared", writer->path);
    }
    writer->put += size;
    return write_bytes(writer, bytes, size);
}

/* Rows at a time, so that no second copy of a large tensor is made on the host. */
static enum it_status put_rows(struct it_safetensors_writer *writer, struct it_tensor t)
{
    int64_t rows = t.shape[0];
    int64_t row_bytes = it_tensor_count(&t) / rows * (int64_t)it_dtype_size(t.dtype);
    int64_t step = row_bytes < piece_bytes ? piece_bytes / row_bytes : 1;
    if (step > rows) { step = rows; }
    void *piece = it_alloc((size_t)(step * row_bytes));
    enum it_status status = IT_OK;
    for (int64_t r = 0; r < rows && status == IT_OK; r += step) {
        int64_t n = rows - r < step ? rows - r : step;
        status = it_download(piece, it_rows(t, r, n));
        if (status != IT_OK) { break; }
        status = it_safetensors_put(writer, piece, (size_t)(n * row_bytes));
    }
    it_free(piece);
    return status;
}

enum it_status it_safetensors_save_tensor(struct it_safetensors_writer *writer, struct it_tensor t)
{
    if (it_tensor_count(&t) == 0) { return IT_OK; }
    const void *host = it_tensor_host(&t);
    if (!host) { return put_rows(writer, t); }
    IT_TRY(it_device_finish(it_tensor_device(&t)));
    return it_safetensors_put(writer, host,
                              (size_t)it_tensor_count(&t) * it_dtype_size(t.dtype));
}

static void writer_free(struct it_safetensors_writer *writer)
{
    json_decref(writer->header);
    it_free(writer->path);
    it_free(writer);
}

enum it_status it_safetensors_finish(struct it_safetensors_writer *writer)
{
    enum it_status status = writer->header ? write_header(writer) : IT_OK;
    if (status == IT_OK && writer->put != writer->declared) {
        status = it_fail(IT_INVALID, "%s: %" PRIu64 " bytes of tensors came; %" PRIu64
                         " were declared", writer->path, writer->put, writer->declared);
    }
    if (status == IT_OK) {
        status = it_file_commit(&writer->file);
    } else {
        it_file_abandon(&writer->file);
    }
    writer_free(writer);
    return status;
}

void it_safetensors_abandon(struct it_safetensors_writer *writer)
{
    if (!writer) { return; }
    it_file_abandon(&writer->file);
    writer_free(writer);
}
