/* SPDX-License-Identifier: MIT */
/* Tensors, devices, arenas: the nouns of the core.
 *
 * Lifetimes, in order:
 *   1. What you open you close, in reverse.
 *   2. A tensor is a view passed by value; it owns nothing. Its memory belongs to an arena, the
 *      arena to a device.
 *   3. Arenas free by mark and reset; a view must not outlive the mark it was taken after.
 *   4. upload and download return when the host memory may be reused.
 *   5. Recorded graphs hold views: the arena they were taken from must outlive them.
 *   6. Tables (ops, backends, architectures, tasks) are const and live for ever.             */
#ifndef IT_TENSOR_TENSOR_H
#define IT_TENSOR_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"

/* name, bytes, name in safetensors. F64 exists for gradient checks on the reference kernels. */
#define IT_DTYPE_LIST(X)                                                                           \
    X(NONE, 0, "")                                                                                 \
    X(F32, 4, "F32")                                                                               \
    X(BF16, 2, "BF16")                                                                             \
    X(F64, 8, "F64")                                                                               \
    X(F16, 2, "F16")                                                                               \
    X(I32, 4, "I32")                                                                               \
    X(U32, 4, "U32")                                                                               \
    X(I16, 2, "I16")                                                                               \
    X(U8, 1, "U8")

enum it_dtype {
#define X(name, bytes, file) IT_##name,
    IT_DTYPE_LIST(X)
#undef X
        IT_DTYPE_COUNT
};
size_t it_dtype_size(enum it_dtype dtype);
const char *it_dtype_name(enum it_dtype dtype); /* "f32", "bf16", ... */
enum it_dtype it_dtype_accumulation(enum it_dtype dtype); /* F64 for F64, F32 for the rest */

enum { IT_MAX_RANK = 4 };
struct it_buffer; /* device memory: backend.h */
struct it_device;
struct it_arena;

struct it_tensor {
    struct it_buffer *buffer; /* NULL: absent (dtype NONE), or of a measuring arena */
    size_t offset;            /* bytes into the buffer */
    enum it_dtype dtype;
    int rank;
    int64_t shape[IT_MAX_RANK];
    int64_t stride[IT_MAX_RANK]; /* elements; the last is 1 */
};

int64_t it_tensor_count(const struct it_tensor *t); /* elements */
bool it_tensor_is_contiguous(const struct it_tensor *t);
/* Views. Out of range is our own bug: asserted. */
struct it_tensor it_rows(struct it_tensor t, int64_t first, int64_t count);     /* of axis 0 */
struct it_tensor it_columns(struct it_tensor t, int64_t first, int64_t count);  /* of the last */
struct it_tensor it_reshape2(struct it_tensor t, int64_t rows, int64_t columns); /* contiguous t */
struct it_tensor it_flatten(struct it_tensor t);                                /* contiguous t */

/* ---- devices ---- */

enum it_device_flag {
    IT_DEVICE_UNIFIED = 1 << 0,       /* buffers are host memory: fallback runs in place */
    IT_DEVICE_DETERMINISTIC = 1 << 1, /* offers exact: fixed orders, batch-invariant */
    IT_DEVICE_CAPTURE = 1 << 2        /* native graphs; without it graphs are replayed op by op */
};

struct it_device_info {
    char name[32];        /* "cpu", "cuda:0" */
    char description[96]; /* "Intel Xeon, 2 cores, avx512" */
    int64_t memory_total, memory_free; /* bytes; free once the device is open */
    int64_t memory_held;       /* what the open device takes beside arenas: context, kernels (those
                                  still to be loaded, too), scratch, staging; limits count it */
    int64_t max_slab;          /* largest single buffer */
    int64_t max_tensor_bytes;  /* largest range one kernel argument may span */
    int64_t offset_align;      /* bytes: where a view may start (arenas align to it) */
    int64_t fused_rows;        /* rows up to which ops of tier F are worth it, where it has them */
    unsigned dtypes;           /* bit (1 << dtype) for each storage type kernels read natively */
    unsigned flags;            /* enum it_device_flag */
};

struct it_device_options {
    int threads;          /* 0: one a physical core (cpu) */
    bool exact;           /* batch-invariant kernels: see ops.def */
    bool strict;          /* a fallback is an error */
    int64_t memory_limit; /* bytes, memory_held among them; 0: what the device has */
};

/* name: "auto", "cpu", "cuda:0", ... "reference" is the plain reference kernels on host memory
 * (any type, F64 too; one thread). Unknown names are IT_INVALID naming the closest; a backend whose
 * hardware is absent is IT_NOT_FOUND with the reason. */
enum it_status it_device_open(const char *name, const struct it_device_options *options,
                              struct it_device **device_out);
void it_device_close(struct it_device *device); /* NULL is fine; all arenas must be closed */
const struct it_device_info *it_device_info(const struct it_device *device);
bool it_device_exact(const struct it_device *device);
enum it_status it_device_finish(struct it_device *device); /* wait; reports earlier failures */
int64_t it_device_memory_used(const struct it_device *device); /* bytes in open arenas */
int64_t it_device_memory_peak(const struct it_device *device); /* in them at most, and held */
/* What the driver counts for this program, arenas and all else; 0 where it does not say. */
int64_t it_device_memory_taken(struct it_device *device);
/* The host memory beside a device, as a device: its arenas are memory that it_prefetch reads from,
 * and count against no limit. Of a UNIFIED device it is the device itself. Borrowed. */
enum it_status it_device_host(struct it_device *device, struct it_device **host_out);
struct it_pool;
struct it_pool *it_device_pool(const struct it_device *device); /* host threads, may be NULL */

/* Every backend, those compiled in first: index from 0, NULL at the end. */
struct it_backend;
const struct it_backend *it_backend_at(size_t index);
const char *it_backend_name(const struct it_backend *backend);
const char *it_backend_summary(const struct it_backend *backend);

/* ---- arenas ---- */

/* One slab (or several below max_slab) of device memory. A measuring arena (device memory none,
 * it_arena_measure) hands out views without memory and remembers its peak: ops on such views are
 * checked and not run, so the very code that will run makes the plan of its bytes. */
enum it_status it_arena_open(struct it_device *device, const char *label, int64_t bytes,
                             struct it_arena **arena_out);
enum it_status it_arena_measure(struct it_device *device, const char *label,
                                struct it_arena **arena_out);
void it_arena_close(struct it_arena *arena);
/* Contents are undefined. IT_NOMEM (logged with label, asked, left) when it does not fit. */
enum it_status it_arena_tensor(struct it_arena *arena, enum it_dtype dtype, int rank,
                               const int64_t *shape, struct it_tensor *tensor_out);
enum it_status it_tensor1(struct it_arena *arena, enum it_dtype dtype, int64_t n,
                          struct it_tensor *tensor_out);
enum it_status it_tensor2(struct it_arena *arena, enum it_dtype dtype, int64_t rows,
                          int64_t columns, struct it_tensor *tensor_out);
int64_t it_arena_mark(const struct it_arena *arena);
void it_arena_reset(struct it_arena *arena, int64_t mark);
int64_t it_arena_peak(const struct it_arena *arena);     /* bytes since it was opened */
int64_t it_arena_capacity(const struct it_arena *arena); /* bytes; INT64_MAX when measuring */
bool it_arena_is_measuring(const struct it_arena *arena);
struct it_device *it_arena_device(const struct it_arena *arena);
struct it_device *it_tensor_device(const struct it_tensor *t); /* NULL without a buffer */

/* ---- transfers: dense host memory of the tensor's dtype, row-major; strided views allowed.
 * On a measuring tensor they do nothing. ---- */
enum it_status it_upload(struct it_tensor to, const void *from);
enum it_status it_download(void *to, struct it_tensor from);
/* to <- from, contiguous, equal types and counts, `from` of it_device_host: begun after what was
 * queued before it and run beside what is queued next, until it_prefetch_wait makes all that is
 * queued from there on wait for it. `from` must not change before then. */
enum it_status it_prefetch(struct it_tensor to, struct it_tensor from);
enum it_status it_prefetch_wait(struct it_device *device);
/* A download in two halves, where the device has them: `number` is below 4, and free again once
 * taken; the tensor may change in between. */
bool it_device_fetches(const struct it_device *device, int64_t bytes);
enum it_status it_fetch(struct it_tensor from, int number);
enum it_status it_fetch_take(void *to, struct it_tensor from, int number);
/* Host pointer of a contiguous tensor on a UNIFIED device, else NULL. */
void *it_tensor_host(const struct it_tensor *t);

/* ---- record and replay ---- */

/* Everything the door sees between begin and end is kept (and also run). Replay runs it again on
 * the same views: what changes between steps is in tensors. One recording at a time a device. */
struct it_graph;
enum it_status it_record_begin(struct it_device *device);
enum it_status it_record_end(struct it_device *device, struct it_graph **graph_out);
enum it_status it_graph_replay(struct it_graph *graph);
int64_t it_graph_length(const struct it_graph *graph); /* ops */
void it_graph_close(struct it_graph *graph);

#endif
