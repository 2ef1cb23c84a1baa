/* SPDX-License-Identifier: MIT */
/* The OpenCL loader, opened at run time: the program starts where there is none. */
#ifndef IT_OPENCL_LOADER_H
#define IT_OPENCL_LOADER_H

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/base/status.h"

#define IT_OPENCL_FUNCTIONS(X)                                                                     \
    X(clGetPlatformIDs)                                                                            \
    X(clGetPlatformInfo)                                                                           \
    X(clGetDeviceIDs)                                                                              \
    X(clGetDeviceInfo)                                                                             \
    X(clCreateContext)                                                                             \
    X(clReleaseContext)                                                                            \
    X(clCreateCommandQueue)                                                                        \
    X(clReleaseCommandQueue)                                                                       \
    X(clCreateBuffer)                                                                              \
    X(clReleaseMemObject)                                                                          \
    X(clEnqueueReadBuffer)                                                                         \
    X(clEnqueueWriteBuffer)                                                                        \
    X(clEnqueueNDRangeKernel)                                                                      \
    X(clFinish)                                                                                    \
    X(clCreateProgramWithSource)                                                                   \
    X(clCreateProgramWithBinary)                                                                   \
    X(clBuildProgram)                                                                              \
    X(clGetProgramInfo)                                                                            \
    X(clGetProgramBuildInfo)                                                                       \
    X(clReleaseProgram)                                                                            \
    X(clCreateKernel)                                                                              \
    X(clReleaseKernel)                                                                             \
    X(clSetKernelArg)                                                                              \
    X(clGetKernelWorkGroupInfo)

struct it_opencl_loader {
#define X(name) __typeof__(name) *name;
    IT_OPENCL_FUNCTIONS(X)
#undef X
};

/* NULL, with the reason, where libOpenCL.so.1 is missing or has not all of OpenCL 1.2. */
const struct it_opencl_loader *it_opencl_loader(char *why, size_t why_size);

/* Devices of all platforms: GPUs and accelerators first, then CPUs, each in the platforms' order.
 * They are first counted in a child process, since some drivers abort: then this says 0 and why. */
int it_opencl_count(char *why, size_t why_size);
/* Is the first of them a GPU? Drivers are asked only where the system shows one: it takes long. */
bool it_opencl_has_gpu(void);
enum it_status it_opencl_device_at(const struct it_opencl_loader *cl, int index,
                                   cl_platform_id *platform_out, cl_device_id *device_out);

/* IT_OK, or it_fail with what was being done, the error's name and the cure. */
enum it_status it_opencl_check(cl_int error, const char *device, const char *doing);

#endif
