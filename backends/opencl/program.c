/* SPDX-License-Identifier: MIT */
/* Compiling the kernels. A driver takes seconds for it, so that what it made is kept on disk, under
 * a name made of the source, the options, the device and its driver. */
#include <stdio.h>
#include <string.h>

#include "backends/opencl/opencl.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/sha256.h"

/* All kernels in one text; written at build time. */
extern const unsigned char it_opencl_source[];

enum { OPTIONS_SIZE = 96 };

static void options_of(const struct it_opencl *o, enum it_opencl_type type,
                       char options[OPTIONS_SIZE])
{
    const char *name = type == IT_OPENCL_BF16 ? "-DIT_BF16" : "-DIT_F32";
    if (o->is_cpu) {
        snprintf(options, OPTIONS_SIZE, "-cl-std=CL1.2 %s -DIT_CPU -DIT_LANES=%d", name, o->lanes);
    } else {
        snprintf(options, OPTIONS_SIZE, "-cl-std=CL1.2 %s -DIT_WIDE=%zu", name, o->wide);
    }
}

static void add_info(struct it_sha256 *sha, const struct it_opencl *o, cl_device_info what)
{
    char text[256] = "";
    o->cl->clGetDeviceInfo(o->device, what, sizeof text - 1, text, NULL);
    it_sha256_add(sha, text, strlen(text) + 1);
}

/* PoCL has a cache of its own, by work group size; asked for a binary, it compiles every kernel
 * once more, for any size, which takes as long again and is not what runs then. */
static bool caches_itself(const struct it_opencl *o)
{
    char name[64] = "";
    o->cl->clGetPlatformInfo(o->platform, CL_PLATFORM_NAME, sizeof name - 1, name, NULL);
    return strcmp(name, "Portable Computing Language") == 0;
}

/* NULL: nowhere to keep it. The caller frees. */
static char *cache_path(const struct it_opencl *o, enum it_opencl_type type)
{
    struct it_sha256 sha;
    uint8_t digest[IT_SHA256_BYTES];
    char name[IT_SHA256_TEXT + 4], options[OPTIONS_SIZE];
    char *folder = it_cache_folder("opencl");
    if (!folder) { return NULL; }
    it_sha256_begin(&sha);
    it_sha256_add(&sha, it_opencl_source, strlen((const char *)it_opencl_source));
    options_of(o, type, options);
    it_sha256_add(&sha, options, strlen(options) + 1);
    add_info(&sha, o, CL_DEVICE_NAME);
    add_info(&sha, o, CL_DEVICE_VERSION);
    add_info(&sha, o, CL_DRIVER_VERSION);
    it_sha256_end(&sha, digest);
    it_sha256_hex(digest, name);
    memcpy(name + IT_SHA256_TEXT - 1, ".bin", 5);
    char *path = it_path_join(folder, name);
    it_free(folder);
    return path;
}

/* NULL where there is nothing, or nothing that this driver takes. */
static cl_program load(const struct it_opencl *o, enum it_opencl_type type, const char *path)
{
    char options[OPTIONS_SIZE];
    struct it_str bytes = {0};
    cl_program program = NULL;
    cl_int state = CL_SUCCESS, error = CL_SUCCESS;
    if (!it_path_exists(path) || it_file_read(path, &bytes) != IT_OK) { return NULL; }
    const unsigned char *binary = (const unsigned char *)it_str_c(&bytes);
    program = o->cl->clCreateProgramWithBinary(o->context, 1, &o->device, &bytes.len, &binary,
                                               &state, &error);
    options_of(o, type, options);
    if (program && (state != CL_SUCCESS || error != CL_SUCCESS ||
                    o->cl->clBuildProgram(program, 1, &o->device, options, NULL, NULL) !=
                        CL_SUCCESS)) {
        o->cl->clReleaseProgram(program);
        program = NULL;
    }
    it_str_free(&bytes);
    return program;
}

/* What cannot be kept is compiled again next time: no error. */
static void keep(const struct it_opencl *o, cl_program program, const char *path)
{
    size_t size = 0;
    if (o->cl->clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, NULL) !=
            CL_SUCCESS || size == 0) {
        return;
    }
    unsigned char *binary = it_alloc(size);
    char *folder = it_cache_folder("opencl");
    if (o->cl->clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL) ==
            CL_SUCCESS && it_dir_make(folder) == IT_OK) {
        it_file_write(path, binary, size);
    }
    it_free(folder);
    it_free(binary);
}

static enum it_status compile(const struct it_opencl *o, enum it_opencl_type type,
                              cl_program *program_out)
{
    const char *source = (const char *)it_opencl_source;
    char options[OPTIONS_SIZE];
    cl_int error;
    cl_program program = o->cl->clCreateProgramWithSource(o->context, 1, &source, NULL, &error);
    IT_TRY(it_opencl_check(error, o->name, "reading the kernels"));
    options_of(o, type, options);
    error = o->cl->clBuildProgram(program, 1, &o->device, options, NULL, NULL);
    if (error != CL_SUCCESS) {
        char log[2048] = "";
        o->cl->clGetProgramBuildInfo(program, o->device, CL_PROGRAM_BUILD_LOG, sizeof log - 1, log,
                                     NULL);
        it_warn("device %s: %s", o->name, log);
        o->cl->clReleaseProgram(program);
        return it_opencl_check(error, o->name, "compiling the kernels");
    }
    *program_out = program;
    return IT_OK;
}

enum it_status it_opencl_build(struct it_opencl *o, enum it_opencl_type type,
                               cl_program *program_out)
{
    enum it_status status = IT_OK;
    char *path = caches_itself(o) ? NULL : cache_path(o, type);
    cl_program program = path ? load(o, type, path) : NULL;
    if (!program) {
        if (path) { it_info("device %s: compiling the kernels (kept for next time)", o->name); }
        status = compile(o, type, &program);
        if (status == IT_OK && path) { keep(o, program, path); }
    }
    it_free(path);
    if (status == IT_OK) { *program_out = program; }
    return status;
}
