/* SPDX-License-Identifier: MIT */
/* Device memory and transfers. Memory that the host sees and that is as large as the device's own
 * (integrated and software devices, resizable BAR) is written directly; else through staging. */
#include <string.h>

#include "backends/vulkan/vulkan.h"
#include "core/base/log.h"
#include "core/base/mem.h"

static const VkMemoryPropertyFlags on_host =
    VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;

/* The best kind of memory among `allowed`; -1: none has what is needed. */
static int find_memory(const struct it_vulkan *v, uint32_t allowed, VkMemoryPropertyFlags needed,
                       VkMemoryPropertyFlags wanted)
{
    const VkPhysicalDeviceMemoryProperties *m = &v->memory_properties;
    int best = -1;
    for (uint32_t i = 0; i < m->memoryTypeCount; i++) {
        VkMemoryPropertyFlags has = m->memoryTypes[i].propertyFlags;
        if (!(allowed & 1u << i) || (has & needed) != needed) { continue; }
        if (best < 0 || ((has & wanted) == wanted &&
                         (m->memoryTypes[best].propertyFlags & wanted) != wanted)) {
            best = (int)i;
        }
    }
    return best;
}

/* Where tensors live: device memory, mapped where all of it can be. */
static int find_device_memory(const struct it_vulkan *v, uint32_t allowed)
{
    const VkPhysicalDeviceMemoryProperties *m = &v->memory_properties;
    int own = find_memory(v, allowed, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, 0);
    int mapped = find_memory(v, allowed, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | on_host,
                             VK_MEMORY_PROPERTY_HOST_CACHED_BIT);
    if (own < 0) { return find_memory(v, allowed, 0, 0); }
    if (mapped < 0 || v->as_card) { return own; }
    VkDeviceSize most = m->memoryHeaps[m->memoryTypes[own].heapIndex].size;
    return m->memoryHeaps[m->memoryTypes[mapped].heapIndex].size >= most ? mapped : own;
}

static enum it_status create_buffer(struct it_vulkan *v, size_t bytes, VkBuffer *buffer_out)
{
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .size = bytes,
        .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT |
                 VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT,
    };
    return it_vulkan_check(v->f.vkCreateBuffer(v->device, &info, NULL, buffer_out), v->name,
                           "making a buffer");
}

/* IT_NOMEM is not logged here: the arena says what was asked. */
static enum it_status allocate(struct it_vulkan *v, bool for_staging,
                               struct it_vulkan_memory *memory)
{
    VkMemoryRequirements needs;
    v->f.vkGetBufferMemoryRequirements(v->device, memory->buffer, &needs);
    int type = for_staging ? find_memory(v, needs.memoryTypeBits, on_host,
                                         VK_MEMORY_PROPERTY_HOST_CACHED_BIT)
                           : find_device_memory(v, needs.memoryTypeBits);
    if (type < 0) {
        return it_fail(IT_UNSUPPORTED, "device %s: no memory that the host can see", v->name);
    }
    const VkMemoryAllocateFlagsInfo flags = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO,
        .flags = VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT,
    };
    const VkMemoryAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .pNext = &flags,
        .allocationSize = needs.size,
        .memoryTypeIndex = (uint32_t)type,
    };
    VkResult result = v->f.vkAllocateMemory(v->device, &info, NULL, &memory->memory);
    if (result == VK_ERROR_OUT_OF_DEVICE_MEMORY || result == VK_ERROR_OUT_OF_HOST_MEMORY) {
        return IT_NOMEM;
    }
    if (result == VK_ERROR_TOO_MANY_OBJECTS) {
        return it_fail(IT_NOMEM, "device %s: the driver allows %u pieces of memory "
                       "(maxMemoryAllocationCount), and all are taken", v->name,
                       v->most_allocations);
    }
    IT_TRY(it_vulkan_check(result, v->name, "allocating memory"));
    VkMemoryPropertyFlags has = v->memory_properties.memoryTypes[type].propertyFlags;
    memory->cached = has & VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    if ((has & on_host) != on_host || (v->as_card && !for_staging)) { return IT_OK; }
    return it_vulkan_check(v->f.vkMapMemory(v->device, memory->memory, 0, VK_WHOLE_SIZE, 0,
                                            &memory->host),
                           v->name, "mapping memory");
}

void it_vulkan_memory_close(struct it_vulkan *v, struct it_vulkan_memory *memory)
{
    if (memory->buffer) { v->f.vkDestroyBuffer(v->device, memory->buffer, NULL); }
    if (memory->memory) { v->f.vkFreeMemory(v->device, memory->memory, NULL); } /* unmaps */
    *memory = (struct it_vulkan_memory){0};
}

enum it_status it_vulkan_memory_open(struct it_vulkan *v, size_t bytes, bool for_staging,
                                     struct it_vulkan_memory *memory_out)
{
    struct it_vulkan_memory memory = {0};
    enum it_status status = create_buffer(v, bytes, &memory.buffer);
    if (status == IT_OK) { status = allocate(v, for_staging, &memory); }
    if (status == IT_OK) {
        status = it_vulkan_check(v->f.vkBindBufferMemory(v->device, memory.buffer, memory.memory,
                                                         0),
                                 v->name, "binding memory");
    }
    if (status != IT_OK) {
        it_vulkan_memory_close(v, &memory);
        return status;
    }
    const VkBufferDeviceAddressInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO,
        .buffer = memory.buffer,
    };
    memory.address = v->f.vkGetBufferDeviceAddress(v->device, &info);
    *memory_out = memory;
    return IT_OK;
}

/* ---- the device's table ---- */

enum it_status it_vulkan_alloc(struct it_device *device, size_t bytes,
                               struct it_buffer *buffer_out)
{
    struct it_vulkan *v = it_vulkan_of(device);
    struct it_vulkan_memory memory;
    /* 4 bytes more: a kernel without 16-bit storage reads whole words */
    size_t whole = (bytes + 7) / 4 * 4;
    if (bytes > (size_t)v->most_bytes) {
        return it_fail(IT_NOMEM, "device %s: a buffer of %zu bytes, the largest has %lld", v->name,
                       bytes, (long long)v->most_bytes);
    }
    IT_TRY(it_vulkan_memory_open(v, whole, false, &memory));
    struct it_vulkan_memory *kept = it_alloc(sizeof *kept);
    *kept = memory;
    buffer_out->handle = kept;
    return IT_OK;
}

void it_vulkan_release(struct it_device *device, struct it_buffer *buffer)
{
    struct it_vulkan *v = it_vulkan_of(device);
    it_vulkan_wait(v); /* nothing may still use it; a failure is logged, and memory is freed */
    it_vulkan_memory_close(v, buffer->handle);
    it_free(buffer->handle);
    buffer->handle = NULL;
}

static enum it_status copy_buffer(struct it_vulkan *v, VkBuffer to, size_t to_offset, VkBuffer from,
                                  size_t from_offset, size_t bytes)
{
    VkCommandBuffer commands;
    const VkBufferCopy region = {.srcOffset = from_offset, .dstOffset = to_offset, .size = bytes};
    IT_TRY(it_vulkan_record(v, &commands));
    v->f.vkCmdCopyBuffer(commands, from, to, 1, &region);
    return it_vulkan_recorded(v, commands);
}

static size_t piece(size_t left)
{
    return left < IT_VULKAN_STAGING ? left : IT_VULKAN_STAGING;
}

enum it_status it_vulkan_upload(struct it_device *device, struct it_buffer *to, size_t offset,
                                const void *from, size_t bytes)
{
    struct it_vulkan *v = it_vulkan_of(device);
    const struct it_vulkan_memory *memory = to->handle;
    IT_TRY(it_vulkan_wait(v));
    if (memory->host) {
        memcpy((char *)memory->host + offset, from, bytes);
        return IT_OK;
    }
    for (size_t at = 0; at < bytes; at += IT_VULKAN_STAGING) {
        memcpy(v->staging.host, (const char *)from + at, piece(bytes - at));
        IT_TRY(copy_buffer(v, memory->buffer, offset + at, v->staging.buffer, 0,
                           piece(bytes - at)));
        IT_TRY(it_vulkan_wait(v));
    }
    return IT_OK;
}

enum it_status it_vulkan_download(struct it_device *device, void *to, const struct it_buffer *from,
                                  size_t offset, size_t bytes)
{
    struct it_vulkan *v = it_vulkan_of(device);
    const struct it_vulkan_memory *memory = from->handle;
    if (memory->host && memory->cached) {
        IT_TRY(it_vulkan_wait(v));
        memcpy(to, (const char *)memory->host + offset, bytes);
        return IT_OK;
    }
    for (size_t at = 0; at < bytes; at += IT_VULKAN_STAGING) {
        IT_TRY(copy_buffer(v, v->staging.buffer, 0, memory->buffer, offset + at,
                           piece(bytes - at)));
        IT_TRY(it_vulkan_wait(v));
        memcpy((char *)to + at, v->staging.host, piece(bytes - at));
    }
    return bytes ? IT_OK : it_vulkan_wait(v);
}
