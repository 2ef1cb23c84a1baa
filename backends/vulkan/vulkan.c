/* SPDX-License-Identifier: MIT */
/* The Vulkan backend: any device with Vulkan 1.2 and buffer device addresses. */
#include "backends/vulkan/vulkan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"

enum { ALIGN = 256 }; /* bytes: where tensors start */

static void close_vulkan(struct it_device *device)
{
    struct it_vulkan *v = it_vulkan_of(device);
    if (v->device) {
        it_vulkan_queue_close(v);
        it_vulkan_pipelines_close(v);
        it_vulkan_memory_close(v, &v->scratch);
        it_vulkan_memory_close(v, &v->staging);
        v->f.vkDestroyDevice(v->device, NULL);
    }
    it_free(v);
    device->data = NULL;
}

static const struct it_device_ops vulkan_ops = {
    .close = close_vulkan,
    .alloc = it_vulkan_alloc,
    .release = it_vulkan_release,
    .upload = it_vulkan_upload,
    .download = it_vulkan_download,
    .finish = it_vulkan_finish,
    .capture_begin = it_vulkan_capture_begin,
    .capture_end = it_vulkan_capture_end,
    .graph_launch = it_vulkan_graph_launch,
    .graph_close = it_vulkan_graph_close,
};

/* ---- what the device is ---- */

bool it_vulkan_is_set(const char *variable, const char *value)
{
    const char *text = getenv(variable);
    return text && strcmp(text, value) == 0;
}

struct properties {
    VkPhysicalDeviceProperties2 base;
    VkPhysicalDeviceVulkan11Properties v11;
    VkPhysicalDeviceVulkan12Properties v12;
};

static void get_properties(const struct it_vulkan *v, struct properties *p)
{
    *p = (struct properties){
        .base.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
        .v11.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_PROPERTIES,
        .v12.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_PROPERTIES,
    };
    v->instance->vkGetPhysicalDeviceProperties2(v->physical, &p->base); /* any version */
    if (p->base.properties.apiVersion < VK_API_VERSION_1_2) { return; }
    p->base.pNext = &p->v11;
    p->v11.pNext = &p->v12;
    v->instance->vkGetPhysicalDeviceProperties2(v->physical, &p->base);
}

bool it_vulkan_has_extension(const struct it_vulkan *v, const char *name)
{
    uint32_t count = 0;
    bool found = false;
    PFN_vkEnumerateDeviceExtensionProperties list =
        v->instance->vkEnumerateDeviceExtensionProperties;
    if (list(v->physical, NULL, &count, NULL) != VK_SUCCESS) { return false; }
    VkExtensionProperties *extensions = it_calloc(count + 1, sizeof *extensions);
    if (list(v->physical, NULL, &count, extensions) == VK_SUCCESS) {
        for (uint32_t i = 0; i < count; i++) {
            found = found || strcmp(extensions[i].extensionName, name) == 0;
        }
    }
    it_free(extensions);
    return found;
}

static enum it_status check_properties(struct it_vulkan *v, const struct properties *p)
{
    const VkPhysicalDeviceProperties *base = &p->base.properties;
    const VkPhysicalDeviceLimits *limits = &base->limits;
    if (base->apiVersion < VK_API_VERSION_1_2) {
        return it_fail(IT_UNSUPPORTED, "device %s: %s has Vulkan %u.%u, 1.2 is needed: a newer "
                       "driver may have it", v->name, base->deviceName,
                       VK_API_VERSION_MAJOR(base->apiVersion),
                       VK_API_VERSION_MINOR(base->apiVersion));
    }
    if (limits->maxComputeWorkGroupInvocations < 128 ||
        limits->maxComputeSharedMemorySize < 16384 ||
        limits->maxPushConstantsSize < IT_VULKAN_PUSH) {
        return it_fail(IT_UNSUPPORTED, "device %s: %s offers %u invocations in a group, %u bytes "
                       "of shared memory, %u of push constants; 128, 16384 and %d are needed",
                       v->name, base->deviceName, limits->maxComputeWorkGroupInvocations,
                       limits->maxComputeSharedMemorySize, limits->maxPushConstantsSize,
                       IT_VULKAN_PUSH);
    }
    v->as_card = it_vulkan_is_set("INTUITOR_VULKAN_AS_CARD", "1");
    v->is_cpu = base->deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU && !v->as_card;
    /* drivers may take no larger buffer than 4 GiB, and say so only in Vulkan 1.3; a buffer is
     * made a few bytes larger than asked */
    VkDeviceSize most = p->v11.maxMemoryAllocationSize;
    if (most > UINT32_MAX) { most = UINT32_MAX; }
    v->most_bytes = (int64_t)(most / ALIGN - 1) * ALIGN;
    v->most_allocations = limits->maxMemoryAllocationCount;
    return IT_OK;
}

/* A family that computes; one that does nothing else is kept for last, since its queue may be
 * narrower. */
static enum it_status find_family(struct it_vulkan *v)
{
    uint32_t count = 0;
    bool found = false;
    v->instance->vkGetPhysicalDeviceQueueFamilyProperties(v->physical, &count, NULL);
    VkQueueFamilyProperties *families = it_calloc(count + 1, sizeof *families);
    v->instance->vkGetPhysicalDeviceQueueFamilyProperties(v->physical, &count, families);
    for (uint32_t i = count; i-- > 0;) {
        if (!families[i].queueCount || !(families[i].queueFlags & VK_QUEUE_COMPUTE_BIT)) {
            continue;
        }
        if (!found || (families[i].queueFlags & VK_QUEUE_GRAPHICS_BIT)) { v->family = i; }
        found = true;
    }
    it_free(families);
    return found ? IT_OK : it_fail(IT_UNSUPPORTED, "device %s: no queue that computes", v->name);
}

/* ---- opening ---- */

struct features {
    VkPhysicalDeviceVulkan11Features v11;
    VkPhysicalDeviceVulkan12Features v12;
};

static enum it_status check_features(const struct it_vulkan *v, struct features *offered)
{
    *offered = (struct features){
        .v11 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES,
                .pNext = &offered->v12},
        .v12 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES}};
    VkPhysicalDeviceFeatures2 base = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                      .pNext = &offered->v11};
    v->instance->vkGetPhysicalDeviceFeatures2(v->physical, &base);
    if (offered->v12.bufferDeviceAddress && offered->v12.timelineSemaphore) { return IT_OK; }
    return it_fail(IT_UNSUPPORTED, "device %s: the driver has no %s: a newer one may, or "
                   "--backend opencl", v->name,
                   offered->v12.timelineSemaphore ? "buffer device addresses"
                                                  : "timeline semaphores");
}

static enum it_status create_device(struct it_vulkan *v, const struct properties *properties)
{
    static const char portability[] = "VK_KHR_portability_subset";
    const char *extensions[4];
    uint32_t extension_count = 0;
    struct features offered;
    IT_TRY(check_features(v, &offered));
    v->has_16bit =
        offered.v11.storageBuffer16BitAccess && !it_vulkan_is_set("INTUITOR_VULKAN_16BIT", "0");
    if (v->has_16bit && !v->is_cpu && offered.v12.vulkanMemoryModel && offered.v12.shaderFloat16) {
        it_vulkan_matrices_find(v, &properties->base.properties.limits,
                                properties->v11.subgroupSize);
    }
    if (it_vulkan_has_extension(v, portability)) { /* then it must be asked for */
        extensions[extension_count++] = portability;
    }
    void *matrices = it_vulkan_matrices_take(v, extensions, &extension_count);
    VkPhysicalDeviceVulkan12Features taken12 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
        .pNext = matrices,
        .bufferDeviceAddress = VK_TRUE,
        .timelineSemaphore = VK_TRUE,
        .vulkanMemoryModel = matrices != NULL,
        .shaderFloat16 = matrices != NULL,
    };
    const VkPhysicalDeviceVulkan11Features taken11 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES,
        .pNext = &taken12,
        .storageBuffer16BitAccess = v->has_16bit,
    };
    const float priority = 1;
    const VkDeviceQueueCreateInfo queue = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
        .queueFamilyIndex = v->family,
        .queueCount = 1,
        .pQueuePriorities = &priority,
    };
    const VkDeviceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
        .pNext = &taken11,
        .queueCreateInfoCount = 1,
        .pQueueCreateInfos = &queue,
        .enabledExtensionCount = extension_count,
        .ppEnabledExtensionNames = extensions,
    };
    return it_vulkan_check(v->instance->vkCreateDevice(v->physical, &info, NULL, &v->device),
                           v->name, "opening");
}

static enum it_status find_functions(struct it_vulkan *v)
{
    const char *missing = NULL;
#define X(function)                                                                                \
    v->f.function = (PFN_##function)v->instance->vkGetDeviceProcAddr(v->device, #function);        \
    if (!v->f.function) { missing = #function; }
    IT_VULKAN_DEVICE_FUNCTIONS(X)
#undef X
    if (!missing) { return IT_OK; }
    v->device = VK_NULL_HANDLE; /* without its functions it cannot be closed either */
    return it_fail(IT_UNSUPPORTED, "device %s: the driver has no %s", v->name, missing);
}

static enum it_status open_device(struct it_vulkan *v, int index)
{
    VkPhysicalDevice devices[IT_VULKAN_MOST_DEVICES];
    struct properties properties;
    int count = it_vulkan_list(v->instance, devices);
    if (index >= count) {
        return it_fail(IT_NOT_FOUND, "device %s: there are %d", v->name, count);
    }
    v->physical = devices[index];
    get_properties(v, &properties);
    IT_TRY(check_properties(v, &properties));
    IT_TRY(find_family(v));
    IT_TRY(create_device(v, &properties));
    IT_TRY(find_functions(v));
    VkPhysicalDeviceMemoryProperties2 memory = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2};
    v->instance->vkGetPhysicalDeviceMemoryProperties2(v->physical, &memory);
    v->memory_properties = memory.memoryProperties;
    IT_TRY(it_vulkan_queue_open(v));
    IT_TRY(it_vulkan_pipelines_open(v));
    IT_TRY(it_vulkan_memory_open(v, IT_VULKAN_SCRATCH, false, &v->scratch));
    return it_vulkan_memory_open(v, IT_VULKAN_STAGING, true, &v->staging);
}

/* Of the largest heap of the device; free as the driver estimates it, where it does. */
static void fill_memory(const struct it_vulkan *v, struct it_device_info *info)
{
    VkPhysicalDeviceMemoryBudgetPropertiesEXT budget = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT};
    VkPhysicalDeviceMemoryProperties2 memory = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2};
    bool known = it_vulkan_has_extension(v, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
    if (known) { memory.pNext = &budget; }
    v->instance->vkGetPhysicalDeviceMemoryProperties2(v->physical, &memory);
    const VkPhysicalDeviceMemoryProperties *m = &memory.memoryProperties;
    for (uint32_t i = 0; i < m->memoryHeapCount; i++) {
        int64_t size = (int64_t)m->memoryHeaps[i].size;
        if (!(m->memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) ||
            size <= info->memory_total) {
            continue;
        }
        int64_t left = (int64_t)budget.heapBudget[i] - (int64_t)budget.heapUsage[i];
        info->memory_total = size;
        info->memory_free = known && left > 0 && left < size ? left : size;
    }
}

static void fill_info(struct it_device *device)
{
    const struct it_vulkan *v = it_vulkan_of(device);
    struct it_device_info *info = &device->info;
    struct properties p;
    get_properties(v, &p);
    uint32_t version = p.base.properties.apiVersion;
    snprintf(info->description, sizeof info->description, "%.38s, Vulkan %u.%u, %.16s%s",
             p.base.properties.deviceName, VK_API_VERSION_MAJOR(version),
             VK_API_VERSION_MINOR(version), p.v12.driverName,
             !v->has_16bit                                        ? ", no 16-bit storage"
             : v->matrices.fragments == IT_VULKAN_BF16_FRAGMENTS ? ", bf16 matrices"
             : v->matrices.fragments == IT_VULKAN_F16_FRAGMENTS  ? ", f16 matrices"
                                                                 : "");
    fill_memory(v, info);
    info->memory_held = IT_VULKAN_SCRATCH + IT_VULKAN_STAGING;
    info->max_slab = v->most_bytes;
    info->max_tensor_bytes = v->most_bytes;
    info->offset_align = ALIGN;
    info->dtypes = 1u << IT_F32 | 1u << IT_BF16 | 1u << IT_I32 | 1u << IT_U32 | 1u << IT_I16 |
                   1u << IT_U8;
    info->flags = IT_DEVICE_DETERMINISTIC | IT_DEVICE_CAPTURE;
}

static int vulkan_probe(char *why, size_t why_size)
{
    VkPhysicalDevice devices[IT_VULKAN_MOST_DEVICES];
    const struct it_vulkan_instance *instance = it_vulkan_instance(why, why_size);
    int count = instance ? it_vulkan_list(instance, devices) : 0;
    if (instance && count == 0) {
        snprintf(why, why_size, "no Vulkan device (vulkaninfo lists what drivers offer)");
    }
    return count;
}

static enum it_status vulkan_open(int index, struct it_device *device)
{
    char why[160];
    struct it_vulkan *v = it_calloc(1, sizeof *v);
    v->instance = it_vulkan_instance(why, sizeof why);
    v->name = device->info.name;
    v->exact = device->options.exact;
    device->data = v;
    snprintf(device->info.name, sizeof device->info.name, "vulkan:%d", index);
    enum it_status status =
        v->instance ? open_device(v, index) : it_fail(IT_NOT_FOUND, "device vulkan: %s", why);
    if (status != IT_OK) {
        close_vulkan(device);
        return status;
    }
    device->ops = &vulkan_ops;
    fill_info(device);
    it_vulkan_fill_table(device);
    return IT_OK;
}

const struct it_backend it_backend_vulkan = {
    .abi = IT_BACKEND_ABI,
    .name = "vulkan",
    .summary = "any GPU with a Vulkan 1.2 driver",
    .priority = 50,
    .probe = vulkan_probe,
    .suits_auto = it_vulkan_has_gpu,
    .open = vulkan_open,
};
