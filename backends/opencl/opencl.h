/* SPDX-License-Identifier: MIT */
/* What the files of this backend share. */
#ifndef IT_OPENCL_OPENCL_H
#define IT_OPENCL_OPENCL_H

#include "backends/opencl/loader.h"
#include "core/tensor/backend.h"

/* Kernels are written for a type T; the same source is compiled for each. */
enum it_opencl_type { IT_OPENCL_F32, IT_OPENCL_BF16, IT_OPENCL_TYPES };

enum it_opencl_kernel {
#define KERNEL(name, wide, each, beside) IT_OPENCL_##name,
#include "backends/opencl/kernels.def"
#undef KERNEL
    IT_OPENCL_KERNELS
};

/* Scratch holds the panels of a product, partial sums of columns, and a number a row and head of
 * attention's backward: 64 MiB are a pass of a million tokens at 16 heads. */
enum { IT_OPENCL_MOST_BUFFERS = 10, IT_OPENCL_SCRATCH = 64 << 20 };

struct it_opencl {
    const struct it_opencl_loader *cl;
    cl_platform_id platform;
    cl_device_id device;
    cl_context context;
    cl_command_queue queue;
    cl_program program[IT_OPENCL_TYPES];
    cl_kernel kernel[IT_OPENCL_TYPES][IT_OPENCL_KERNELS];
    cl_mem scratch; /* used within one op */
    bool is_cpu;    /* kernels of processors: one item a group, vectors */
    size_t wide;    /* items in a wide group: 256 or 64, 1 on a processor */
    int lanes;      /* on a processor: floats in a vector register, 4, 8 or 16 */
    int64_t used;   /* bytes in buffers */
    const char *name;
};

/* A launch: `buffers` in the order of the kernel's arguments, then the parameters by value. */
struct it_opencl_launch {
    enum it_opencl_type type;
    enum it_opencl_kernel kernel;
    cl_mem buffer[IT_OPENCL_MOST_BUFFERS];
    int buffers;
    const void *params;
    size_t params_size;
    size_t groups[2]; /* work groups along x and y */
};
enum it_status it_opencl_run(struct it_opencl *opencl, const struct it_opencl_launch *launch);

/* program.c: the kernels for one type, from the cache on disk or compiled and put there. */
enum it_status it_opencl_build(struct it_opencl *opencl, enum it_opencl_type type,
                               cl_program *program_out);

/* Put this backend's rows into the kernel table. */
void it_opencl_fill_table(struct it_device *device);

static inline struct it_opencl *it_opencl_of(struct it_device *device)
{
    return device->data;
}

#endif
