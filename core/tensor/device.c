/* SPDX-License-Identifier: MIT */
/* Devices: the list of backends, opening by name, and the `reference` device, which is the
 * reference kernels on host memory. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/tensor/internal.h"

#define IT_BACKEND(name) extern const struct it_backend it_backend_##name;
#include "backends/static-backends.def"
#undef IT_BACKEND

static const struct it_backend *const compiled_in[] = {
#define IT_BACKEND(name) &it_backend_##name,
#include "backends/static-backends.def"
#undef IT_BACKEND
    NULL,
};

enum { MAX_REGISTERED = 8 };
static const struct it_backend *registered[MAX_REGISTERED + 1];

enum it_status it_backend_register(const struct it_backend *backend)
{
    if (backend->abi != IT_BACKEND_ABI) {
        return it_fail(IT_INVALID, "backend %s: made for interface %d, this is %d", backend->name,
                       backend->abi, IT_BACKEND_ABI);
    }
    for (int i = 0; i < MAX_REGISTERED; ++i) {
        if (registered[i] == backend) { return IT_OK; }
        if (registered[i]) { continue; }
        registered[i] = backend;
        return IT_OK;
    }
    return it_fail(IT_INVALID, "backend %s: only %d can be registered", backend->name,
                   MAX_REGISTERED);
}

const struct it_backend *it_backend_at(size_t index)
{
    size_t built = sizeof compiled_in / sizeof *compiled_in - 1;
    if (index < built) { return compiled_in[index]; }
    return index - built < MAX_REGISTERED ? registered[index - built] : NULL;
}

const char *it_backend_name(const struct it_backend *backend)
{
    return backend->name;
}

const char *it_backend_summary(const struct it_backend *backend)
{
    return backend->summary;
}

/* ---- the reference device ---- */

enum { HOST_ALIGN = 64 };

static void host_close(struct it_device *device)
{
    (void)device;
}

static enum it_status host_alloc(struct it_device *device, size_t bytes,
                                 struct it_buffer *buffer_out)
{
    (void)device;
    size_t whole = (bytes + HOST_ALIGN - 1) / HOST_ALIGN * HOST_ALIGN;
    void *host = aligned_alloc(HOST_ALIGN, whole ? whole : HOST_ALIGN);
    if (!host) { return IT_NOMEM; }
    buffer_out->host = host;
    return IT_OK;
}

static void host_release(struct it_device *device, struct it_buffer *buffer)
{
    (void)device;
    free(buffer->host);
    buffer->host = NULL;
}

static enum it_status host_upload(struct it_device *device, struct it_buffer *to, size_t offset,
                                  const void *from, size_t bytes)
{
    (void)device;
    memcpy((char *)to->host + offset, from, bytes);
    return IT_OK;
}

static enum it_status host_download(struct it_device *device, void *to,
                                    const struct it_buffer *from, size_t offset, size_t bytes)
{
    (void)device;
    memcpy(to, (const char *)from->host + offset, bytes);
    return IT_OK;
}

static enum it_status host_finish(struct it_device *device)
{
    (void)device;
    return IT_OK;
}

static const struct it_device_ops host_ops = {
    .close = host_close,
    .alloc = host_alloc,
    .release = host_release,
    .upload = host_upload,
    .download = host_download,
    .finish = host_finish,
};

/* The table stays full of the fallback, which is all this device is. */
static void open_reference(struct it_device *device)
{
    device->ops = &host_ops;
    device->door->reference = true;
    struct it_device_info *info = &device->info;
    snprintf(info->name, sizeof info->name, "reference");
    snprintf(info->description, sizeof info->description, "plain C kernels, one thread");
    info->memory_total = info->memory_free = it_mem_total();
    info->max_slab = info->max_tensor_bytes = INT64_MAX / 2;
    info->offset_align = HOST_ALIGN;
    info->dtypes = 1u << IT_F32 | 1u << IT_BF16 | 1u << IT_F64 | 1u << IT_I32 | 1u << IT_U32 |
                   1u << IT_I16 | 1u << IT_U8;
    info->flags = IT_DEVICE_UNIFIED | IT_DEVICE_DETERMINISTIC;
}

/* ---- host memory beside a device: a reference device, its memory the other's to read ---- */

static enum it_status beside_alloc(struct it_device *device, size_t bytes,
                                   struct it_buffer *buffer_out)
{
    struct it_device *reader = device->data;
    if (reader->ops->host_alloc) {
        if (reader->ops->host_alloc(reader, bytes, buffer_out) == IT_OK) {
            buffer_out->handle = buffer_out->host; /* not malloc's */
            return IT_OK;
        }
        it_warn("device %s: the host gives no memory that the device reads by itself: copies will "
                "be slower", reader->info.name);
    }
    return host_alloc(device, bytes, buffer_out);
}

static void beside_release(struct it_device *device, struct it_buffer *buffer)
{
    struct it_device *reader = device->data;
    if (buffer->handle) {
        reader->ops->host_release(reader, buffer);
    } else {
        host_release(device, buffer);
    }
    buffer->host = buffer->handle = NULL;
}

static const struct it_device_ops beside_ops = {
    .close = host_close,
    .alloc = beside_alloc,
    .release = beside_release,
    .upload = host_upload,
    .download = host_download,
    .finish = host_finish,
};

enum it_status it_device_host(struct it_device *device, struct it_device **host_out)
{
    bool unified = device->info.flags & IT_DEVICE_UNIFIED;
    if (!unified && !device->host) {
        struct it_device *host;
        IT_TRY(it_device_open("reference", NULL, &host));
        snprintf(host->info.name, sizeof host->info.name, "host");
        host->ops = &beside_ops;
        host->data = device;
        device->host = host;
    }
    *host_out = unified ? device : device->host;
    return IT_OK;
}

/* ---- opening ---- */

static enum it_status open_backend(const struct it_backend *backend, int index,
                                   struct it_device *device)
{
    char why[160] = "";
    int devices = backend->probe(why, sizeof why);
    if (index >= devices) {
        return it_fail(IT_NOT_FOUND, "device %s:%d: %s", backend->name, index,
                       devices > 0 ? "there are not as many" : why[0] ? why : "none found");
    }
    IT_TRY(it_pool_open(device->options.threads, &device->pool));
    enum it_status status = backend->open(index, device);
    if (status != IT_OK) {
        it_pool_close(device->pool);
        device->pool = NULL;
    }
    return status;
}

static const struct it_backend *best_backend(void)
{
    const struct it_backend *best = NULL, *backend;
    for (size_t i = 0; (backend = it_backend_at(i)); ++i) {
        char why[160] = "";
        bool better = backend->priority >= 0 && (!best || backend->priority > best->priority);
        if (!better || (backend->suits_auto && !backend->suits_auto())) { continue; }
        if (backend->probe(why, sizeof why) > 0) { best = backend; }
    }
    return best;
}

static enum it_status unknown_device(const char *name)
{
    const char *names[MAX_REGISTERED + sizeof compiled_in / sizeof *compiled_in + 2];
    size_t n = 0;
    names[n++] = "auto";
    names[n++] = "reference";
    const struct it_backend *backend;
    for (size_t i = 0; (backend = it_backend_at(i)); ++i) { names[n++] = backend->name; }
    const char *closest = it_closest(name, names, n);
    if (closest) {
        return it_fail(IT_INVALID, "device %s: no such backend, did you mean %s?", name, closest);
    }
    struct it_str list = {0};
    for (size_t i = 0; i < n; ++i) { it_str_printf(&list, "%s%s", i ? ", " : "", names[i]); }
    it_fail(IT_INVALID, "device %s: no such backend: choose among %s", name, it_str_c(&list));
    it_str_free(&list);
    return IT_INVALID;
}

/* "name" or "name:index" */
static enum it_status open_named(const char *name, struct it_device *device)
{
    if (strcmp(name, "reference") == 0) {
        open_reference(device);
        return IT_OK;
    }
    if (strcmp(name, "auto") == 0) {
        const struct it_backend *best = best_backend();
        if (best) { return open_backend(best, 0, device); }
        it_warn("no backend can be used here: taking the slow reference device");
        open_reference(device);
        return IT_OK;
    }
    size_t length = strcspn(name, ":");
    long index = 0;
    if (name[length]) {
        char *end = NULL;
        index = strtol(name + length + 1, &end, 10);
        if (end == name + length + 1 || *end || index < 0 || index > 4096) {
            return it_fail(IT_INVALID, "device %s: expected a name or name:number", name);
        }
    }
    const struct it_backend *backend;
    for (size_t i = 0; (backend = it_backend_at(i)); ++i) {
        if (strlen(backend->name) == length && strncmp(backend->name, name, length) == 0) {
            return open_backend(backend, (int)index, device);
        }
    }
    return unknown_device(name);
}

enum it_status it_device_open(const char *name, const struct it_device_options *options,
                              struct it_device **device_out)
{
    struct it_device *device = it_calloc(1, sizeof *device);
    device->door = it_calloc(1, sizeof *device->door);
    const char *sync = getenv("IT_SYNC");
    device->door->sync = sync && strcmp(sync, "1") == 0;
    if (options) { device->options = *options; }
    for (int op = 0; op < IT_OP_COUNT; ++op) { device->kernel[op] = it_fallback((enum it_op)op); }
    enum it_status status = open_named(name, device);
    if (status != IT_OK) {
        it_free(device->door);
        it_free(device);
        return status;
    }
    *device_out = device;
    return IT_OK;
}

void it_device_close(struct it_device *device)
{
    if (!device) { return; }
    assert(device->door->arenas == 0 && !device->door->recording);
    it_device_close(device->host);
    device->ops->close(device);
    it_pool_close(device->pool);
    it_free(device->door);
    it_free(device);
}

const struct it_device_info *it_device_info(const struct it_device *device)
{
    return &device->info;
}

bool it_device_fuses(const struct it_device *device, enum it_op op, int64_t rows)
{
    return device->kernel[op] != it_fallback(op) && rows <= device->info.fused_rows;
}

bool it_device_exact(const struct it_device *device)
{
    return device->options.exact && (device->info.flags & IT_DEVICE_DETERMINISTIC);
}

enum it_status it_device_finish(struct it_device *device)
{
    return device->ops->finish(device);
}

int64_t it_device_memory_used(const struct it_device *device)
{
    return device->door->used;
}

int64_t it_device_memory_peak(const struct it_device *device)
{
    return device->info.memory_held + device->door->peak;
}

int64_t it_device_memory_taken(struct it_device *device)
{
    return device->ops->memory_taken ? device->ops->memory_taken(device) : 0;
}

struct it_pool *it_device_pool(const struct it_device *device)
{
    return device->pool;
}
