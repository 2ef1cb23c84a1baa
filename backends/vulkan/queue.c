/* SPDX-License-Identifier: MIT */
/* One queue. Commands are recorded into a command buffer, which is submitted when it is full and
 * when somebody waits; each command is followed by a barrier, so that they run as if one after
 * another. A captured graph is a command buffer that is kept. */
#include <stdlib.h>

#include "backends/vulkan/vulkan.h"
#include "core/base/log.h"
#include "core/base/mem.h"

enum { FULL = 64 }; /* commands in a submission: the device should not wait for the host */

static enum it_status check(const struct it_vulkan *v, VkResult result, const char *doing)
{
    return it_vulkan_check(result, v->name, doing);
}

static enum it_status allocate_commands(struct it_vulkan *v, VkCommandBuffer *commands_out)
{
    const VkCommandBufferAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = v->pool,
        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
        .commandBufferCount = 1,
    };
    return check(v, v->f.vkAllocateCommandBuffers(v->device, &info, commands_out),
                 "making a command buffer");
}

enum it_status it_vulkan_queue_open(struct it_vulkan *v)
{
    const VkCommandPoolCreateInfo pool = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
        .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
        .queueFamilyIndex = v->family,
    };
    const VkSemaphoreTypeCreateInfo type = {
        .sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
        .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE,
    };
    const VkSemaphoreCreateInfo semaphore = {
        .sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO, .pNext = &type};
    v->f.vkGetDeviceQueue(v->device, v->family, 0, &v->queue);
    IT_TRY(check(v, v->f.vkCreateCommandPool(v->device, &pool, NULL, &v->pool), "opening"));
    IT_TRY(check(v, v->f.vkCreateSemaphore(v->device, &semaphore, NULL, &v->timeline), "opening"));
    for (int i = 0; i < IT_VULKAN_RECORDINGS; i++) {
        IT_TRY(allocate_commands(v, &v->recording[i].commands));
    }
    return IT_OK;
}

void it_vulkan_queue_close(struct it_vulkan *v)
{
    v->f.vkDeviceWaitIdle(v->device);
    if (v->timeline) { v->f.vkDestroySemaphore(v->device, v->timeline, NULL); }
    if (v->pool) { v->f.vkDestroyCommandPool(v->device, v->pool, NULL); }
}

/* ---- recording ---- */

static enum it_status wait_for(struct it_vulkan *v, uint64_t value)
{
    const VkSemaphoreWaitInfo info = {
        .sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
        .semaphoreCount = 1,
        .pSemaphores = &v->timeline,
        .pValues = &value,
    };
    return check(v, v->f.vkWaitSemaphores(v->device, &info, UINT64_MAX), "waiting for the device");
}

static enum it_status begin(struct it_vulkan *v, VkCommandBuffer commands,
                            VkCommandBufferUsageFlags usage)
{
    const VkCommandBufferBeginInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO, .flags = usage};
    return check(v, v->f.vkBeginCommandBuffer(commands, &info), "recording");
}

enum it_status it_vulkan_record(struct it_vulkan *v, VkCommandBuffer *commands_out)
{
    struct it_vulkan_recording *recording = &v->recording[v->current];
    if (v->capture) {
        *commands_out = v->capture;
        return IT_OK;
    }
    if (v->recorded == 0) {
        IT_TRY(wait_for(v, recording->done));
        IT_TRY(begin(v, recording->commands, VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT));
    }
    *commands_out = recording->commands;
    return IT_OK;
}

static enum it_status submit(struct it_vulkan *v, VkCommandBuffer commands)
{
    uint64_t value = v->submitted + 1;
    const VkTimelineSemaphoreSubmitInfo timeline = {
        .sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
        .signalSemaphoreValueCount = 1,
        .pSignalSemaphoreValues = &value,
    };
    const VkSubmitInfo info = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .pNext = &timeline,
        .commandBufferCount = 1,
        .pCommandBuffers = &commands,
        .signalSemaphoreCount = 1,
        .pSignalSemaphores = &v->timeline,
    };
    IT_TRY(check(v, v->f.vkQueueSubmit(v->queue, 1, &info, VK_NULL_HANDLE), "submitting"));
    v->submitted = value;
    return IT_OK;
}

/* What was recorded, if anything. A failed submission leaves an empty recording behind. */
static enum it_status submit_recorded(struct it_vulkan *v)
{
    struct it_vulkan_recording *recording = &v->recording[v->current];
    if (v->recorded == 0) { return IT_OK; }
    v->recorded = 0;
    v->current = (v->current + 1) % IT_VULKAN_RECORDINGS;
    IT_TRY(check(v, v->f.vkEndCommandBuffer(recording->commands), "recording"));
    IT_TRY(submit(v, recording->commands));
    recording->done = v->submitted;
    return IT_OK;
}

/* What follows, and the host after it has waited, sees what the last command wrote. */
static void barrier(struct it_vulkan *v, VkCommandBuffer commands)
{
    const VkPipelineStageFlags stages =
        VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
    const VkMemoryBarrier memory = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT |
                         VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT |
                         VK_ACCESS_HOST_READ_BIT,
    };
    v->f.vkCmdPipelineBarrier(commands, stages, stages | VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &memory,
                              0, NULL, 0, NULL);
}

enum it_status it_vulkan_recorded(struct it_vulkan *v, VkCommandBuffer commands)
{
    barrier(v, commands);
    if (v->capture) { return IT_OK; }
    v->recorded++;
    return v->recorded >= FULL ? submit_recorded(v) : IT_OK;
}

enum it_status it_vulkan_wait(struct it_vulkan *v)
{
    IT_TRY(submit_recorded(v));
    IT_TRY(wait_for(v, v->submitted));
    int complaints = it_vulkan_complaints();
    if (complaints == v->complaints) { return IT_OK; }
    v->complaints = complaints;
    return it_fail(IT_DEVICE, "device %s: the validation layer complained (%d messages so far)",
                   v->name, complaints);
}

enum it_status it_vulkan_finish(struct it_device *device)
{
    return it_vulkan_wait(it_vulkan_of(device));
}

/* ---- graphs ---- */

enum it_status it_vulkan_capture_begin(struct it_device *device)
{
    struct it_vulkan *v = it_vulkan_of(device);
    VkCommandBuffer commands;
    IT_TRY(allocate_commands(v, &commands));
    enum it_status status = begin(v, commands, VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT);
    if (status != IT_OK) {
        v->f.vkFreeCommandBuffers(v->device, v->pool, 1, &commands);
        return status;
    }
    v->capture = commands;
    return IT_OK;
}

enum it_status it_vulkan_capture_end(struct it_device *device, void **graph_out)
{
    struct it_vulkan *v = it_vulkan_of(device);
    VkCommandBuffer commands = v->capture;
    v->capture = VK_NULL_HANDLE;
    enum it_status status = check(v, v->f.vkEndCommandBuffer(commands), "ending a capture");
    if (status != IT_OK || !graph_out) {
        v->f.vkFreeCommandBuffers(v->device, v->pool, 1, &commands);
        return status;
    }
    *graph_out = commands;
    return IT_OK;
}

enum it_status it_vulkan_graph_launch(struct it_device *device, void *graph)
{
    struct it_vulkan *v = it_vulkan_of(device);
    IT_TRY(submit_recorded(v));
    return submit(v, graph);
}

void it_vulkan_graph_close(struct it_device *device, void *graph)
{
    struct it_vulkan *v = it_vulkan_of(device);
    VkCommandBuffer commands = graph;
    it_vulkan_wait(v); /* it may still run; a failure is logged, and the graph is freed */
    v->f.vkFreeCommandBuffers(v->device, v->pool, 1, &commands);
}
