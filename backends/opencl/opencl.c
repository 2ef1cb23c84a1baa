/* SPDX-License-Identifier: MIT */
/* The OpenCL backend: any device with OpenCL 1.2. */
#include "backends/opencl/opencl.h"
#include "backends/opencl/params.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"

static const struct {
    const char *name;
    bool wide;
    size_t room_each, room; /* of local memory: numbers of four bytes, an item and beside */
} kernels[IT_OPENCL_KERNELS] = {
#define KERNEL(name, wide, each, beside) {#name, wide, each, beside},
#include "backends/opencl/kernels.def"
#undef KERNEL
};

static enum it_status check(const struct it_opencl *o, cl_int error, const char *doing)
{
    return it_opencl_check(error, o->name, doing);
}

/* ---- launching ---- */

/* The program of BF16 is compiled when its first kernel is asked for. */
static enum it_status find_kernel(struct it_opencl *o, enum it_opencl_type type,
                                  enum it_opencl_kernel kernel, cl_kernel *kernel_out)
{
    if (!o->program[type]) { IT_TRY(it_opencl_build(o, type, &o->program[type])); }
    if (!o->kernel[type][kernel]) {
        cl_int error;
        o->kernel[type][kernel] =
            o->cl->clCreateKernel(o->program[type], kernels[kernel].name, &error);
        IT_TRY(check(o, error, kernels[kernel].name));
    }
    *kernel_out = o->kernel[type][kernel];
    return IT_OK;
}

enum it_status it_opencl_run(struct it_opencl *o, const struct it_opencl_launch *l)
{
    cl_kernel kernel;
    size_t group = o->is_cpu ? 1 : kernels[l->kernel].wide ? o->wide : GPU_GROUP;
    size_t room = 4 * (kernels[l->kernel].room_each * group + kernels[l->kernel].room);
    cl_uint last = (cl_uint)l->buffers;
    if (l->groups[0] == 0 || l->groups[1] == 0) { return IT_OK; }
    IT_TRY(find_kernel(o, l->type, l->kernel, &kernel));
    cl_int error = CL_SUCCESS;
    for (int i = 0; i < l->buffers && error == CL_SUCCESS; i++) {
        /* an absent operand is never touched; some drivers refuse a NULL */
        const cl_mem *buffer = l->buffer[i] ? &l->buffer[i] : &o->scratch;
        error = o->cl->clSetKernelArg(kernel, (cl_uint)i, sizeof *buffer, buffer);
    }
    if (error == CL_SUCCESS && room) {
        error = o->cl->clSetKernelArg(kernel, last++, room, NULL); /* local memory */
    }
    if (error == CL_SUCCESS) {
        error = o->cl->clSetKernelArg(kernel, last, l->params_size, l->params);
    }
    if (error == CL_SUCCESS) {
        size_t global[2] = {l->groups[0] * group, l->groups[1]}, local[2] = {group, 1};
        error = o->cl->clEnqueueNDRangeKernel(o->queue, kernel, 2, NULL, global, local, 0, NULL,
                                              NULL);
    }
    return check(o, error, kernels[l->kernel].name);
}

/* ---- memory ---- */

static enum it_status opencl_alloc(struct it_device *device, size_t bytes,
                                   struct it_buffer *buffer_out)
{
    struct it_opencl *o = it_opencl_of(device);
    const struct it_device_info *info = &device->info;
    cl_int error;
    if (bytes > (size_t)info->max_slab) {
        char asked[16], most[16];
        return it_fail(IT_NOMEM, "device %s: a buffer of %s, and its driver allows %s in one piece",
                       o->name, it_format_size((int64_t)bytes, asked, sizeof asked),
                       it_format_size(info->max_slab, most, sizeof most));
    }
    /* drivers on the host's memory promise more than there is, and are killed for using it */
    if ((int64_t)bytes > info->memory_total - o->used) { return IT_NOMEM; }
    cl_mem memory = o->cl->clCreateBuffer(o->context, CL_MEM_READ_WRITE, bytes ? bytes : 1, NULL,
                                          &error);
    if (error == CL_MEM_OBJECT_ALLOCATION_FAILURE || error == CL_OUT_OF_HOST_MEMORY) {
        return IT_NOMEM; /* the arena says what was asked */
    }
    IT_TRY(check(o, error, "allocating memory"));
    buffer_out->handle = memory;
    o->used += (int64_t)bytes;
    return IT_OK;
}

static void opencl_release(struct it_device *device, struct it_buffer *buffer)
{
    struct it_opencl *o = it_opencl_of(device);
    o->cl->clReleaseMemObject(buffer->handle);
    o->used -= (int64_t)buffer->size;
    buffer->handle = NULL;
}

static enum it_status opencl_upload(struct it_device *device, struct it_buffer *to, size_t offset,
                                    const void *from, size_t bytes)
{
    struct it_opencl *o = it_opencl_of(device);
    if (bytes == 0) { return IT_OK; }
    return check(o, o->cl->clEnqueueWriteBuffer(o->queue, to->handle, CL_TRUE, offset, bytes, from,
                                                0, NULL, NULL), "uploading");
}

static enum it_status opencl_download(struct it_device *device, void *to,
                                      const struct it_buffer *from, size_t offset, size_t bytes)
{
    struct it_opencl *o = it_opencl_of(device);
    if (bytes == 0) { return IT_OK; }
    return check(o, o->cl->clEnqueueReadBuffer(o->queue, from->handle, CL_TRUE, offset, bytes, to,
                                               0, NULL, NULL), "downloading");
}

static enum it_status opencl_finish(struct it_device *device)
{
    struct it_opencl *o = it_opencl_of(device);
    return check(o, o->cl->clFinish(o->queue), "waiting for the device");
}

static void opencl_close(struct it_device *device)
{
    struct it_opencl *o = it_opencl_of(device);
    const struct it_opencl_loader *cl = o->cl;
    for (int t = 0; t < IT_OPENCL_TYPES; t++) {
        for (int k = 0; k < IT_OPENCL_KERNELS; k++) {
            if (o->kernel[t][k]) { cl->clReleaseKernel(o->kernel[t][k]); }
        }
        if (o->program[t]) { cl->clReleaseProgram(o->program[t]); }
    }
    if (o->scratch) { cl->clReleaseMemObject(o->scratch); }
    if (o->queue) { cl->clReleaseCommandQueue(o->queue); }
    if (o->context) { cl->clReleaseContext(o->context); }
    it_free(o);
    device->data = NULL;
}

static const struct it_device_ops opencl_ops = {
    .close = opencl_close,
    .alloc = opencl_alloc,
    .release = opencl_release,
    .upload = opencl_upload,
    .download = opencl_download,
    .finish = opencl_finish,
};

/* ---- the device ---- */

static cl_ulong number(const struct it_opencl *o, cl_device_info what, size_t size)
{
    cl_ulong value = 0; /* smaller numbers land in its low bytes on the machines there are */
    o->cl->clGetDeviceInfo(o->device, what, size, &value, NULL);
    return value;
}

static void fill_info(struct it_device *device)
{
    struct it_opencl *o = it_opencl_of(device);
    struct it_device_info *info = &device->info;
    char model[64] = "device", version[64] = "OpenCL";
    o->cl->clGetDeviceInfo(o->device, CL_DEVICE_NAME, sizeof model - 1, model, NULL);
    o->cl->clGetDeviceInfo(o->device, CL_DEVICE_VERSION, sizeof version - 1, version, NULL);
    snprintf(info->description, sizeof info->description, "%.52s, %.24s, %s", model, version,
             o->is_cpu ? "a processor" : "an accelerator");
    info->memory_total = info->memory_free =
        (int64_t)number(o, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof(cl_ulong));
    info->memory_held = IT_OPENCL_SCRATCH;
    info->max_slab = info->max_tensor_bytes =
        (int64_t)number(o, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof(cl_ulong));
    info->offset_align = (int64_t)number(o, CL_DEVICE_MEM_BASE_ADDR_ALIGN, sizeof(cl_uint)) / 8;
    if (info->offset_align < 64) { info->offset_align = 64; }
    info->dtypes = 1u << IT_F32 | 1u << IT_BF16 | 1u << IT_I32 | 1u << IT_U32 | 1u << IT_I16 |
                   1u << IT_U8;
    info->flags = IT_DEVICE_DETERMINISTIC;
}

/* Those of processors suit a device with small work groups, too. INTUITOR_OPENCL_KERNELS=gpu or
 * cpu says otherwise: the tests run both kinds on one device. */
static void choose_kernels(struct it_opencl *o)
{
    const char *asked = getenv("INTUITOR_OPENCL_KERNELS");
    size_t most = (size_t)number(o, CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof(size_t));
    cl_ulong lanes = number(o, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, sizeof(cl_uint));
    o->is_cpu = number(o, CL_DEVICE_TYPE, sizeof(cl_device_type)) & CL_DEVICE_TYPE_CPU;
    if (asked && strcmp(asked, "gpu") == 0) { o->is_cpu = false; }
    if ((asked && strcmp(asked, "cpu") == 0) || most < GPU_GROUP) { o->is_cpu = true; }
    o->wide = o->is_cpu ? 1 : most < 256 ? GPU_GROUP : 256;
    o->lanes = lanes >= 16 ? 16 : lanes >= 8 ? 8 : 4;
}

static enum it_status open_device(struct it_opencl *o, int index)
{
    cl_int error;
    IT_TRY(it_opencl_device_at(o->cl, index, &o->platform, &o->device));
    choose_kernels(o);
    if (!number(o, CL_DEVICE_COMPILER_AVAILABLE, sizeof(cl_bool))) {
        return it_fail(IT_UNSUPPORTED, "device %s: its driver has no compiler", o->name);
    }
    const cl_context_properties properties[] = {
        CL_CONTEXT_PLATFORM, (cl_context_properties)o->platform, 0};
    o->context = o->cl->clCreateContext(properties, 1, &o->device, NULL, NULL, &error);
    IT_TRY(check(o, error, "opening"));
    o->queue = o->cl->clCreateCommandQueue(o->context, o->device, 0, &error);
    IT_TRY(check(o, error, "opening"));
    o->scratch = o->cl->clCreateBuffer(o->context, CL_MEM_READ_WRITE, IT_OPENCL_SCRATCH, NULL,
                                       &error);
    IT_TRY(check(o, error, "allocating scratch"));
    /* here and not at the first op: a driver that cannot compile is found at once */
    return it_opencl_build(o, IT_OPENCL_F32, &o->program[IT_OPENCL_F32]);
}

static int opencl_probe(char *why, size_t why_size)
{
    return it_opencl_count(why, why_size);
}

static enum it_status opencl_open(int index, struct it_device *device)
{
    char why[160];
    struct it_opencl *o = it_calloc(1, sizeof *o);
    o->cl = it_opencl_loader(why, sizeof why);
    o->name = device->info.name;
    device->data = o;
    snprintf(device->info.name, sizeof device->info.name, "opencl:%d", index);
    enum it_status status =
        o->cl ? open_device(o, index) : it_fail(IT_NOT_FOUND, "device opencl: %s", why);
    if (status != IT_OK) {
        opencl_close(device);
        return status;
    }
    device->ops = &opencl_ops;
    fill_info(device);
    it_opencl_fill_table(device);
    return IT_OK;
}

const struct it_backend it_backend_opencl = {
    .abi = IT_BACKEND_ABI,
    .name = "opencl",
    .summary = "any GPU or processor with an OpenCL 1.2 driver",
    .priority = 50,
    .probe = opencl_probe,
    .open = opencl_open,
    .suits_auto = it_opencl_has_gpu,
};
