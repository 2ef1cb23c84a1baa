/* SPDX-License-Identifier: MIT */
/* What the files of this backend share. */
#ifndef IT_VULKAN_VULKAN_H
#define IT_VULKAN_VULKAN_H

#include "backends/vulkan/loader.h"
#include "backends/vulkan/matrices.h"
#include "backends/vulkan/params.h"
#include "backends/vulkan/spirv.h"
#include "core/tensor/backend.h"

enum {
    IT_VULKAN_SCRATCH = 16 << 20, /* bytes, for partial sums within one op */
    IT_VULKAN_STAGING = 4 << 20,  /* bytes a transfer moves at a time */
    IT_VULKAN_RECORDINGS = 4,     /* command buffers: one is recorded, others run */
    IT_VULKAN_PUSH = 128          /* bytes of parameters that every device takes */
};

/* A buffer with memory of its own. */
struct it_vulkan_memory {
    VkBuffer buffer;
    VkDeviceMemory memory;
    VkDeviceAddress address;
    void *host; /* where it is mapped, or NULL */
    bool cached; /* reading from `host` is fast */
};

/* A command buffer; `done` is the timeline's value when it has run. */
struct it_vulkan_recording {
    VkCommandBuffer commands;
    uint64_t done;
};

struct it_vulkan {
    const struct it_vulkan_instance *instance;
    struct it_vulkan_functions f;
    const char *name;
    VkPhysicalDevice physical;
    VkPhysicalDeviceMemoryProperties memory_properties;
    VkDevice device;
    bool is_cpu, has_16bit, exact;
    bool as_card; /* INTUITOR_VULKAN_AS_CARD=1: treated like a discrete card, for tests */
    int64_t most_bytes; /* of one buffer */
    uint32_t most_allocations;
    struct it_vulkan_matrices matrices;
    /* queue.c */
    uint32_t family;
    VkQueue queue;
    VkCommandPool pool;
    VkSemaphore timeline;
    uint64_t submitted; /* the timeline's value when all that was submitted has run */
    struct it_vulkan_recording recording[IT_VULKAN_RECORDINGS];
    int current;             /* the one that is recorded */
    int recorded;            /* commands in it; 0: not begun */
    VkCommandBuffer capture; /* the graph that is recorded instead, or none */
    int complaints;          /* of the validation layer, already reported */
    /* pipeline.c */
    VkPipelineLayout layout;
    VkPipelineCache cache;
    VkPipeline pipeline[IT_VULKAN_TYPES][IT_VULKAN_KERNELS];
    bool new_pipelines;
    /* memory.c */
    struct it_vulkan_memory scratch, staging;
};

static inline struct it_vulkan *it_vulkan_of(struct it_device *device)
{
    return device->data;
}

/* vulkan.c: what the environment asks for, and what the device has. */
bool it_vulkan_is_set(const char *variable, const char *value);
bool it_vulkan_has_extension(const struct it_vulkan *v, const char *name);

/* matrices.c: what the device offers, and its features and extensions (three at most) for opening
 * it: NULL where there is nothing to use. A subgroup is so many invocations. */
void it_vulkan_matrices_find(struct it_vulkan *v, const VkPhysicalDeviceLimits *limits,
                             uint32_t subgroup);
void *it_vulkan_matrices_take(struct it_vulkan *v, const char *extensions[], uint32_t *count);

/* memory.c */
enum it_status it_vulkan_memory_open(struct it_vulkan *v, size_t bytes, bool for_staging,
                                     struct it_vulkan_memory *memory_out);
void it_vulkan_memory_close(struct it_vulkan *v, struct it_vulkan_memory *memory);
enum it_status it_vulkan_alloc(struct it_device *device, size_t bytes,
                               struct it_buffer *buffer_out);
void it_vulkan_release(struct it_device *device, struct it_buffer *buffer);
enum it_status it_vulkan_upload(struct it_device *device, struct it_buffer *to, size_t offset,
                                const void *from, size_t bytes);
enum it_status it_vulkan_download(struct it_device *device, void *to, const struct it_buffer *from,
                                  size_t offset, size_t bytes);

/* queue.c: commands run in their order, each after all of those before it. */
enum it_status it_vulkan_queue_open(struct it_vulkan *v);
void it_vulkan_queue_close(struct it_vulkan *v);
/* The command buffer to record into; after each command it_vulkan_recorded. */
enum it_status it_vulkan_record(struct it_vulkan *v, VkCommandBuffer *commands_out);
enum it_status it_vulkan_recorded(struct it_vulkan *v, VkCommandBuffer commands);
enum it_status it_vulkan_wait(struct it_vulkan *v); /* submit, and wait for everything */
enum it_status it_vulkan_finish(struct it_device *device);
enum it_status it_vulkan_capture_begin(struct it_device *device);
enum it_status it_vulkan_capture_end(struct it_device *device, void **graph_out);
enum it_status it_vulkan_graph_launch(struct it_device *device, void *graph);
void it_vulkan_graph_close(struct it_device *device, void *graph);

/* pipeline.c: kernels, made when first asked for and kept on disk. */
enum it_status it_vulkan_pipelines_open(struct it_vulkan *v);
void it_vulkan_pipelines_close(struct it_vulkan *v);
struct it_vulkan_launch {
    enum it_vulkan_type type;
    enum it_vulkan_kernel kernel;
    int64_t groups[2];
    const void *params;
    size_t params_size;
};
enum it_status it_vulkan_launch(struct it_vulkan *v, const struct it_vulkan_launch *launch);

/* Put this backend's rows into the kernel table. */
void it_vulkan_fill_table(struct it_device *device);

/* ---- for the files of ops ---- */

/* The launch of a kernel: IT_VULKAN_LAUNCH(device, type, kernel, groups along x and y, params) */
#define IT_VULKAN_LAUNCH(device, the_type, the_kernel, x, y, the_params)                           \
    it_vulkan_launch(it_vulkan_of(device),                                                         \
                     &(struct it_vulkan_launch){.type = the_type, .kernel = the_kernel,            \
                                                .groups = {x, y}, .params = &(the_params),         \
                                                .params_size = sizeof(the_params)})

enum {
    IT_VULKAN_GROUP = 64,
    IT_VULKAN_MOST_GROUPS = 65535,
    IT_VULKAN_MATRIX_ROWS = 64, IT_VULKAN_MATRIX_COLUMNS = 128 /* of y, a group of matrix.comp */
};

static inline int64_t it_vulkan_blocks(int64_t count, int64_t each)
{
    return (count + each - 1) / each;
}

static inline int64_t it_vulkan_groups(int64_t count)
{
    return count < IT_VULKAN_MOST_GROUPS ? count : IT_VULKAN_MOST_GROUPS;
}

static inline VkDeviceAddress it_vulkan_at(const struct it_tensor *t)
{
    if (t->dtype == IT_NONE) { return 0; }
    const struct it_vulkan_memory *memory = t->buffer->handle;
    return memory->address + t->offset;
}

static inline int it_vulkan_row(const struct it_tensor *t)
{
    return t->dtype != IT_NONE && t->rank > 1 ? (int)t->stride[0] : 0;
}

/* Which kernels serve `dtype`; false for types without kernels, and where an operand has more
 * elements than a kernel counts (said once, with the limit). */
bool it_vulkan_pick(struct it_device *device, const struct it_args *args, enum it_dtype dtype,
                    enum it_vulkan_type *type_out);

it_kernel it_vulkan_matmul; /* ops_matmul.c */
it_kernel it_vulkan_attn, it_vulkan_attn_bwd, it_vulkan_attn_decode;

#endif
