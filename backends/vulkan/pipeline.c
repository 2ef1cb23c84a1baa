/* SPDX-License-Identifier: MIT */
/* Kernels: a pipeline is made when its kernel is first launched. What the driver made of the SPIR-V
 * is kept on disk (VkPipelineCache), with a digest before it: some drivers crash on a cache that is
 * not theirs or is cut short. */
#include <stdio.h>
#include <string.h>

#include "backends/vulkan/vulkan.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/sha256.h"

static const char *const kernel_names[IT_VULKAN_KERNELS] = {
#define KERNEL(name, file, types) #name,
#include "backends/vulkan/kernels.def"
#undef KERNEL
};

static enum it_status check(const struct it_vulkan *v, VkResult result, const char *doing)
{
    return it_vulkan_check(result, v->name, doing);
}

/* ---- the cache on disk ---- */

/* Named by the device, its driver and the UUID of the driver's own format. NULL: nowhere to keep
 * it. The caller frees. */
static char *cache_path(const struct it_vulkan *v)
{
    VkPhysicalDeviceProperties2 properties = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
    const VkPhysicalDeviceProperties *p = &properties.properties;
    struct it_sha256 sha;
    uint8_t digest[IT_SHA256_BYTES];
    char name[IT_SHA256_TEXT + 4];
    char *folder = it_cache_folder("vulkan");
    if (!folder) { return NULL; }
    v->instance->vkGetPhysicalDeviceProperties2(v->physical, &properties);
    it_sha256_begin(&sha);
    it_sha256_add(&sha, p->deviceName, strnlen(p->deviceName, sizeof p->deviceName));
    it_sha256_add(&sha, &p->driverVersion, sizeof p->driverVersion);
    it_sha256_add(&sha, p->pipelineCacheUUID, sizeof p->pipelineCacheUUID);
    it_sha256_end(&sha, digest);
    it_sha256_hex(digest, name);
    memcpy(name + IT_SHA256_TEXT - 1, ".bin", 5);
    char *path = it_path_join(folder, name);
    it_free(folder);
    return path;
}

static void digest_of(const void *bytes, size_t count, uint8_t digest_out[IT_SHA256_BYTES])
{
    struct it_sha256 sha;
    it_sha256_begin(&sha);
    it_sha256_add(&sha, bytes, count);
    it_sha256_end(&sha, digest_out);
}

/* What was kept, without its digest; false where nothing is, or it was damaged. */
static bool load(const char *path, struct it_str *bytes)
{
    uint8_t digest[IT_SHA256_BYTES];
    if (!path || !it_path_exists(path) || it_file_read(path, bytes) != IT_OK) { return false; }
    if (bytes->len <= IT_SHA256_BYTES) { return false; }
    const char *data = it_str_c(bytes);
    digest_of(data + IT_SHA256_BYTES, bytes->len - IT_SHA256_BYTES, digest);
    return memcmp(digest, data, IT_SHA256_BYTES) == 0;
}

/* What cannot be kept is made again next time: no error. */
static void keep(struct it_vulkan *v)
{
    size_t size = 0;
    char *path = cache_path(v), *folder = it_cache_folder("vulkan");
    if (path && folder &&
        v->f.vkGetPipelineCacheData(v->device, v->cache, &size, NULL) == VK_SUCCESS && size > 0) {
        uint8_t *bytes = it_alloc(IT_SHA256_BYTES + size);
        if (v->f.vkGetPipelineCacheData(v->device, v->cache, &size, bytes + IT_SHA256_BYTES) ==
                VK_SUCCESS && it_dir_make(folder) == IT_OK) {
            digest_of(bytes + IT_SHA256_BYTES, size, bytes);
            it_file_write(path, bytes, IT_SHA256_BYTES + size);
        }
        it_free(bytes);
    }
    it_free(folder);
    it_free(path);
}

/* ---- pipelines ---- */

enum it_status it_vulkan_pipelines_open(struct it_vulkan *v)
{
    const VkPushConstantRange push = {
        .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT, .size = IT_VULKAN_PUSH};
    const VkPipelineLayoutCreateInfo layout = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
        .pushConstantRangeCount = 1,
        .pPushConstantRanges = &push,
    };
    struct it_str bytes = {0};
    char *path = cache_path(v);
    bool kept = load(path, &bytes);
    const VkPipelineCacheCreateInfo cache = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO,
        .initialDataSize = kept ? bytes.len - IT_SHA256_BYTES : 0,
        .pInitialData = kept ? it_str_c(&bytes) + IT_SHA256_BYTES : NULL,
    };
    VkResult result = v->f.vkCreatePipelineCache(v->device, &cache, NULL, &v->cache);
    it_str_free(&bytes);
    it_free(path);
    IT_TRY(check(v, result, "opening the pipeline cache"));
    return check(v, v->f.vkCreatePipelineLayout(v->device, &layout, NULL, &v->layout), "opening");
}

void it_vulkan_pipelines_close(struct it_vulkan *v)
{
    if (v->new_pipelines) { keep(v); }
    for (int t = 0; t < IT_VULKAN_TYPES; t++) {
        for (int k = 0; k < IT_VULKAN_KERNELS; k++) {
            if (v->pipeline[t][k]) {
                v->f.vkDestroyPipeline(v->device, v->pipeline[t][k], NULL);
            }
        }
    }
    if (v->cache) { v->f.vkDestroyPipelineCache(v->device, v->cache, NULL); }
    if (v->layout) { v->f.vkDestroyPipelineLayout(v->device, v->layout, NULL); }
}

/* Their fragments lie over whole subgroups. */
static bool has_fragments(enum it_vulkan_kernel kernel)
{
    return kernel == IT_VULKAN_matrix || kernel == IT_VULKAN_matrix_to_f32 ||
           kernel == IT_VULKAN_matrix_f16 || kernel == IT_VULKAN_matrix_f16_to_f32;
}

static enum it_status make_pipeline(struct it_vulkan *v, enum it_vulkan_type type,
                                    enum it_vulkan_kernel kernel, VkPipeline *pipeline_out)
{
    const struct it_vulkan_spirv *spirv = &it_vulkan_spirv[type][kernel];
    const char *name = kernel_names[kernel];
    VkShaderModule module;
    const VkShaderModuleCreateInfo module_info = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
        .codeSize = spirv->size,
        .pCode = (const uint32_t *)(const void *)spirv->code,
    };
    /* constants 0 .. 3 of the kernels of matrix.comp; others have none */
    static const VkSpecializationMapEntry entries[] = {
        {0, offsetof(struct it_vulkan_sizes, items), sizeof(uint32_t)},
        {1, offsetof(struct it_vulkan_sizes, m), sizeof(uint32_t)},
        {2, offsetof(struct it_vulkan_sizes, n), sizeof(uint32_t)},
        {3, offsetof(struct it_vulkan_sizes, k), sizeof(uint32_t)}};
    const VkSpecializationInfo constants = {
        .mapEntryCount = sizeof entries / sizeof *entries,
        .pMapEntries = entries,
        .dataSize = sizeof v->matrices.sizes,
        .pData = &v->matrices.sizes,
    };
    IT_TRY(check(v, v->f.vkCreateShaderModule(v->device, &module_info, NULL, &module), name));
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .flags = has_fragments(kernel)
                               ? VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT
                               : 0,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = module,
                  .pName = "main",
                  .pSpecializationInfo = &constants},
        .layout = v->layout,
    };
    VkResult result =
        v->f.vkCreateComputePipelines(v->device, v->cache, 1, &info, NULL, pipeline_out);
    v->f.vkDestroyShaderModule(v->device, module, NULL);
    v->new_pipelines = true;
    return check(v, result, name);
}

enum it_status it_vulkan_launch(struct it_vulkan *v, const struct it_vulkan_launch *l)
{
    VkPipeline *pipeline = &v->pipeline[l->type][l->kernel];
    VkCommandBuffer commands;
    if (l->groups[0] <= 0 || l->groups[1] <= 0) { return IT_OK; }
    if (!*pipeline) {
        IT_TRY(make_pipeline(v, l->type, l->kernel, pipeline));
    }
    IT_TRY(it_vulkan_record(v, &commands));
    v->f.vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, *pipeline);
    v->f.vkCmdPushConstants(commands, v->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0,
                            (uint32_t)l->params_size, l->params);
    v->f.vkCmdDispatch(commands, (uint32_t)l->groups[0], (uint32_t)l->groups[1], 1);
    return it_vulkan_recorded(v, commands);
}
