/* SPDX-License-Identifier: MIT */
#include "backends/opencl/loader.h"

#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/log.h"

enum { MOST_PLATFORMS = 16, MOST_DEVICES = 64, PROBE_MS = 20000 };

static struct it_opencl_loader loader;
static char reason[160];
static bool ready;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void open_loader(void)
{
    void *library = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        snprintf(reason, sizeof reason, "no OpenCL loader (libOpenCL.so.1; Debian: "
                 "ocl-icd-libopencl1, and the driver of the device)");
        return;
    }
#define X(name)                                                                                    \
    *(void **)&loader.name = dlsym(library, #name);                                                \
    if (!loader.name) {                                                                            \
        snprintf(reason, sizeof reason, "libOpenCL.so.1 has no %s: OpenCL 1.2 is needed", #name);  \
        return;                                                                                    \
    }
    IT_OPENCL_FUNCTIONS(X)
#undef X
    ready = true;
}

const struct it_opencl_loader *it_opencl_loader(char *why, size_t why_size)
{
    pthread_once(&once, open_loader);
    if (ready) { return &loader; }
    snprintf(why, why_size, "%s", reason);
    return NULL;
}

/* ---- devices ---- */

struct found {
    cl_platform_id platform;
    cl_device_id device;
};

static void add_devices(const struct it_opencl_loader *cl, cl_platform_id platform,
                        cl_device_type type, struct found *found, int *n)
{
    cl_device_id ids[MOST_DEVICES];
    cl_uint count = 0;
    if (cl->clGetDeviceIDs(platform, type, MOST_DEVICES, ids, &count) != CL_SUCCESS) { return; }
    for (cl_uint i = 0; i < count && i < MOST_DEVICES && *n < MOST_DEVICES; i++) {
        found[(*n)++] = (struct found){platform, ids[i]};
    }
}

static int list_devices(const struct it_opencl_loader *cl, struct found *found, int *gpus_out)
{
    static const cl_device_type order[] = {CL_DEVICE_TYPE_GPU, CL_DEVICE_TYPE_ACCELERATOR,
                                           CL_DEVICE_TYPE_CPU};
    cl_platform_id platforms[MOST_PLATFORMS];
    cl_uint count = 0;
    int n = 0;
    *gpus_out = 0;
    if (cl->clGetPlatformIDs(MOST_PLATFORMS, platforms, &count) != CL_SUCCESS) { return 0; }
    if (count > MOST_PLATFORMS) { count = MOST_PLATFORMS; }
    for (size_t t = 0; t < sizeof order / sizeof *order; t++) {
        for (cl_uint i = 0; i < count; i++) { add_devices(cl, platforms[i], order[t], found, &n); }
        if (t == 0) { *gpus_out = n; }
    }
    return n;
}

struct count {
    int devices, gpus;
};

/* The child's whole work: count, say it, leave. */
static void count_and_leave(const struct it_opencl_loader *cl, int to)
{
    struct found found[MOST_DEVICES];
    struct count count;
    count.devices = list_devices(cl, found, &count.gpus);
    ssize_t written = write(to, &count, sizeof count);
    _exit(written == sizeof count ? 0 : 1);
}

/* False: the child crashed, hung, or could not be made. */
static bool count_apart(const struct it_opencl_loader *cl, struct count *count_out)
{
    int ends[2];
    if (pipe(ends)) { return false; }
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) { count_and_leave(cl, ends[1]); }
    close(ends[1]);
    struct pollfd wait = {.fd = ends[0], .events = POLLIN};
    bool told = child > 0 && poll(&wait, 1, PROBE_MS) == 1 &&
                read(ends[0], count_out, sizeof *count_out) == sizeof *count_out;
    close(ends[0]);
    if (child > 0) {
        if (!told) { kill(child, SIGKILL); }
        waitpid(child, NULL, 0);
    }
    return told;
}

static struct count counted;
static bool survived;
static pthread_once_t count_once = PTHREAD_ONCE_INIT;

static void count_devices(void)
{
    survived = count_apart(&loader, &counted);
}

int it_opencl_count(char *why, size_t why_size)
{
    if (!it_opencl_loader(why, why_size)) { return 0; }
    pthread_once(&count_once, count_devices);
    if (!survived) {
        snprintf(why, why_size, "an OpenCL driver crashed or hung when asked for its devices; "
                 "remove its file from /etc/OpenCL/vendors");
    } else if (counted.devices == 0) {
        snprintf(why, why_size, "no OpenCL device (clinfo lists what drivers offer)");
    }
    return survived ? counted.devices : 0;
}

bool it_opencl_has_gpu(void)
{
    static const char *const signs[] = {"/dev/dri", "/dev/nvidiactl", "/dev/kfd", "/dev/mali0",
                                        "/dev/dxg"};
    char why[160];
    bool shown = false;
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        shown = shown || access(signs[i], F_OK) == 0;
    }
    return shown && it_opencl_count(why, sizeof why) > 0 && counted.gpus > 0;
}

enum it_status it_opencl_device_at(const struct it_opencl_loader *cl, int index,
                                   cl_platform_id *platform_out, cl_device_id *device_out)
{
    struct found found[MOST_DEVICES];
    int gpus, n = list_devices(cl, found, &gpus);
    if (index >= n) { return it_fail(IT_NOT_FOUND, "device opencl:%d: there are %d", index, n); }
    *platform_out = found[index].platform;
    *device_out = found[index].device;
    return IT_OK;
}

/* ---- errors ---- */

static const char *name_of(cl_int error)
{
    switch (error) {
    case CL_DEVICE_NOT_FOUND: return "device not found";
    case CL_DEVICE_NOT_AVAILABLE: return "device not available";
    case CL_OUT_OF_RESOURCES: return "out of resources";
    case CL_OUT_OF_HOST_MEMORY: return "out of host memory";
    case CL_MEM_OBJECT_ALLOCATION_FAILURE: return "out of device memory";
    case CL_INVALID_BUFFER_SIZE: return "buffer larger than the device allows";
    case CL_INVALID_WORK_GROUP_SIZE: return "work group larger than the kernel may have";
    case CL_INVALID_COMMAND_QUEUE: return "the device is lost";
    case CL_INVALID_KERNEL_ARGS: return "kernel arguments";
    case CL_BUILD_PROGRAM_FAILURE: return "the driver's compiler refused the kernels";
    default: return "OpenCL error";
    }
}

enum it_status it_opencl_check(cl_int error, const char *device, const char *doing)
{
    if (error == CL_SUCCESS) { return IT_OK; }
    bool memory = error == CL_MEM_OBJECT_ALLOCATION_FAILURE || error == CL_OUT_OF_HOST_MEMORY;
    return it_fail(memory ? IT_NOMEM : IT_FAILED, "device %s: %s: %s (%d)%s", device, doing,
                   name_of(error), (int)error,
                   memory ? "; lower the batch or the number of positions"
                   : error == CL_INVALID_WORK_GROUP_SIZE
                       ? "; INTUITOR_OPENCL_KERNELS=cpu takes kernels with the smallest"
                   : error == CL_OUT_OF_RESOURCES || error == CL_INVALID_COMMAND_QUEUE
                       ? "; IT_SYNC=1 names the op"
                       : "");
}
