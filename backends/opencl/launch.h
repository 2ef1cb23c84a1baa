/* SPDX-License-Identifier: MIT */
/* From an op's operands to a launch. */
#ifndef IT_OPENCL_LAUNCH_H
#define IT_OPENCL_LAUNCH_H

#include "backends/opencl/opencl.h"
#include "backends/opencl/params.h"

static inline int64_t blocks(int64_t count, int64_t each)
{
    return (count + each - 1) / each;
}

static inline struct place place_of(const struct it_tensor *t)
{
    if (t->dtype == IT_NONE) { return (struct place){0}; }
    return (struct place){(int64_t)(t->offset / it_dtype_size(t->dtype)),
                          t->rank > 1 ? t->stride[0] : 0};
}

static inline cl_mem memory(const struct it_tensor *t)
{
    return t->dtype == IT_NONE ? NULL : t->buffer->handle;
}

/* The program for a type; false for types without one. */
static inline bool pick(enum it_dtype dtype, enum it_opencl_type *type_out)
{
    *type_out = dtype == IT_BF16 ? IT_OPENCL_BF16 : IT_OPENCL_F32;
    return dtype == IT_F32 || dtype == IT_BF16;
}

/* Groups for an item each of so many, and for columns: a processor's item takes several. */
static inline int64_t it_opencl_item_groups(struct it_device *device, int64_t items)
{
    return blocks(items, it_opencl_of(device)->is_cpu ? 1 : GPU_GROUP);
}

static inline int64_t it_opencl_column_groups(struct it_device *device, int64_t columns)
{
    return blocks(columns, it_opencl_of(device)->is_cpu ? CPU_COLUMNS : GPU_GROUP);
}

/* LAUNCH(device, type, kernel, groups along x and y, params, buffers ...) */
#define LAUNCH(device, the_type, the_kernel, x, y, the_params, ...)                                \
    it_opencl_run(it_opencl_of(device),                                                            \
                  &(struct it_opencl_launch){                                                      \
                      .type = the_type, .kernel = IT_OPENCL_##the_kernel, .buffer = {__VA_ARGS__}, \
                      .buffers = (int)(sizeof((cl_mem[]){__VA_ARGS__}) / sizeof(cl_mem)),          \
                      .params = &(the_params), .params_size = sizeof(the_params),                  \
                      .groups = {x, y}})

it_kernel it_opencl_matmul; /* ops_matmul.c */

#endif
