/* SPDX-License-Identifier: MIT */
/* What a backend's author sees: this header and ops.h.
 *
 * A device's kernel table starts full of the reference fallback; `open` overwrites the rows the
 * backend is good at. There is no second list of what is supported: a kernel that cannot do a case
 * returns IT_UNSUPPORTED before writing anything, and the door falls back (operands home, reference
 * kernel, results back), warning once per op and type. */
#ifndef IT_TENSOR_BACKEND_H
#define IT_TENSOR_BACKEND_H

#include "core/base/pool.h"
#include "core/tensor/ops.h"
#include "core/tensor/tensor.h"

enum { IT_BACKEND_ABI = 2 };

/* Downloads under way at once, and the bytes of one. */
enum { IT_FETCHES = 4, IT_FETCH_BYTES = 256 << 10 };

/* Device memory. `size` bytes; `host` is not NULL on UNIFIED devices. */
struct it_buffer {
    struct it_device *device;
    void *host;
    void *handle; /* the backend's own */
    size_t size;
};

typedef enum it_status it_kernel(struct it_device *device, const struct it_args *args);

/* All required but those that say so. Transfers are dense byte ranges and return when the host
 * memory may be reused. */
struct it_device_ops {
    void (*close)(struct it_device *device); /* frees device->data */
    enum it_status (*alloc)(struct it_device *device, size_t bytes, struct it_buffer *buffer_out);
    void (*release)(struct it_device *device, struct it_buffer *buffer);
    enum it_status (*upload)(struct it_device *device, struct it_buffer *to, size_t offset,
                             const void *from, size_t bytes);
    enum it_status (*download)(struct it_device *device, void *to, const struct it_buffer *from,
                               size_t offset, size_t bytes);
    enum it_status (*finish)(struct it_device *device);
    /* Downloads that are taken later: `fetch` queues a copy behind what runs and gives it a number
     * below IT_FETCHES, fetch_take waits for that copy and for nothing behind it. Both or none. */
    enum it_status (*fetch)(struct it_device *device, int number, const struct it_buffer *from,
                            size_t offset, size_t bytes);
    enum it_status (*fetch_take)(struct it_device *device, int number, void *to, size_t bytes);
    /* Native graphs, with IT_DEVICE_CAPTURE; all four or none. Between begin and end kernels are
     * queued into the graph and not run. capture_end with graph_out NULL throws it away. */
    enum it_status (*capture_begin)(struct it_device *device);
    enum it_status (*capture_end)(struct it_device *device, void **graph_out);
    enum it_status (*graph_launch)(struct it_device *device, void *graph);
    void (*graph_close)(struct it_device *device, void *graph);
    /* Host memory that the device can read by itself (host_out->host), and copies from it that run
     * beside kernels, as it_prefetch says; all four or none. A prefetch from other host memory need
     * only be right. */
    enum it_status (*host_alloc)(struct it_device *device, size_t bytes,
                                 struct it_buffer *host_out);
    void (*host_release)(struct it_device *device, struct it_buffer *host);
    enum it_status (*prefetch)(struct it_device *device, struct it_buffer *to, size_t offset,
                               const void *from, size_t bytes);
    enum it_status (*prefetch_wait)(struct it_device *device);
    /* it_device_memory_taken; NULL: the driver does not say. */
    int64_t (*memory_taken)(struct it_device *device);
};

struct it_device {
    const struct it_device_ops *ops;
    it_kernel *kernel[IT_OP_COUNT];
    struct it_device_info info;
    struct it_device_options options;
    struct it_pool *pool; /* host threads; opened before the backend, closed after it */
    void *data;           /* the backend's own */
    struct it_door *door; /* the core's own: recording, memory counts, warnings given */
    struct it_device *host; /* the core's own: it_device_host; NULL until it is asked for */
};

struct it_backend {
    int abi;             /* IT_BACKEND_ABI */
    const char *name;    /* "cpu" */
    const char *summary; /* one line */
    int priority;        /* `auto` takes the highest whose probe succeeds */
    /* Number of devices, 0 with a reason in `why` (never logged as an error). */
    int (*probe)(char *why, size_t why_size);
    /* Fill ops, info, data and the kernels; `device` comes with options, pool and the fallback in
     * every row. */
    enum it_status (*open)(int index, struct it_device *device);
    /* NULL, or whether `auto` may take device 0: not where it is software on the processor. */
    bool (*suits_auto)(void);
};

/* Row r of a view as a host pointer; only where buffer->host is not NULL. */
static inline void *it_view_host(const struct it_tensor *t)
{
    return (char *)t->buffer->host + t->offset;
}

/* Put a backend's rows into the kernel table; NULL: the fallback stays. */
static inline void it_device_set_kernels(struct it_device *device,
                                         it_kernel *const rows[IT_OP_COUNT])
{
    for (int op = 0; op < IT_OP_COUNT; op++) {
        if (rows[op]) { device->kernel[op] = rows[op]; }
    }
}

/* Add a backend at run time (a plugin, a test): it comes after those compiled in. One with a
 * negative priority is never taken by `auto`. */
enum it_status it_backend_register(const struct it_backend *backend);

/* The fallback itself, for a table row a backend wants to leave alone. */
it_kernel *it_fallback(enum it_op op);

#endif
