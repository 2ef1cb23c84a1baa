/* SPDX-License-Identifier: MIT */
/* The Vulkan loader, opened at run time: the program starts where there is none. One instance
 * serves the process. */
#ifndef IT_VULKAN_LOADER_H
#define IT_VULKAN_LOADER_H

#define VK_NO_PROTOTYPES
#include <stdbool.h>
#include <stddef.h>
#include <vulkan/vulkan.h>

#include "core/base/status.h"

#define IT_VULKAN_INSTANCE_FUNCTIONS(X)                                                            \
    X(vkEnumeratePhysicalDevices)                                                                  \
    X(vkGetPhysicalDeviceProperties2)                                                              \
    X(vkGetPhysicalDeviceFeatures2)                                                                \
    X(vkGetPhysicalDeviceMemoryProperties2)                                                        \
    X(vkGetPhysicalDeviceQueueFamilyProperties)                                                    \
    X(vkEnumerateDeviceExtensionProperties)                                                        \
    X(vkCreateDevice)                                                                              \
    X(vkGetDeviceProcAddr)

#define IT_VULKAN_DEVICE_FUNCTIONS(X)                                                              \
    X(vkDestroyDevice)                                                                             \
    X(vkGetDeviceQueue)                                                                            \
    X(vkDeviceWaitIdle)                                                                            \
    X(vkCreateBuffer)                                                                              \
    X(vkDestroyBuffer)                                                                             \
    X(vkGetBufferMemoryRequirements)                                                               \
    X(vkGetBufferDeviceAddress)                                                                    \
    X(vkAllocateMemory)                                                                            \
    X(vkFreeMemory)                                                                                \
    X(vkBindBufferMemory)                                                                          \
    X(vkMapMemory)                                                                                 \
    X(vkCreateShaderModule)                                                                        \
    X(vkDestroyShaderModule)                                                                       \
    X(vkCreatePipelineLayout)                                                                      \
    X(vkDestroyPipelineLayout)                                                                     \
    X(vkCreateComputePipelines)                                                                    \
    X(vkDestroyPipeline)                                                                           \
    X(vkCreatePipelineCache)                                                                       \
    X(vkDestroyPipelineCache)                                                                      \
    X(vkGetPipelineCacheData)                                                                      \
    X(vkCreateCommandPool)                                                                         \
    X(vkDestroyCommandPool)                                                                        \
    X(vkAllocateCommandBuffers)                                                                    \
    X(vkFreeCommandBuffers)                                                                        \
    X(vkBeginCommandBuffer)                                                                        \
    X(vkEndCommandBuffer)                                                                          \
    X(vkCmdBindPipeline)                                                                           \
    X(vkCmdPushConstants)                                                                          \
    X(vkCmdDispatch)                                                                               \
    X(vkCmdPipelineBarrier)                                                                        \
    X(vkCmdCopyBuffer)                                                                             \
    X(vkCreateSemaphore)                                                                           \
    X(vkDestroySemaphore)                                                                          \
    X(vkWaitSemaphores)                                                                            \
    X(vkQueueSubmit)

struct it_vulkan_instance {
    VkInstance handle;
    PFN_vkGetInstanceProcAddr vkGetInstanceProcAddr;
#define X(name) PFN_##name name;
    IT_VULKAN_INSTANCE_FUNCTIONS(X)
#undef X
};

struct it_vulkan_functions {
#define X(name) PFN_##name name;
    IT_VULKAN_DEVICE_FUNCTIONS(X)
#undef X
};

/* NULL, with the reason, where libvulkan.so.1 or a driver is missing. */
const struct it_vulkan_instance *it_vulkan_instance(char *why, size_t why_size);

/* Physical devices, discrete GPUs first, then integrated, virtual, others, processors; at most
 * `most` are written. Returns how many there are. */
enum { IT_VULKAN_MOST_DEVICES = 32 };
int it_vulkan_list(const struct it_vulkan_instance *instance,
                   VkPhysicalDevice devices_out[IT_VULKAN_MOST_DEVICES]);

/* Is there a GPU among them? `auto` leaves software devices alone. Asked of the drivers only where
 * the system shows a GPU, since loading them takes a while. */
bool it_vulkan_has_gpu(void);

/* The validation layer's messages so far; always 0 without INTUITOR_VULKAN_VALIDATION=1. */
int it_vulkan_complaints(void);

/* IT_OK, or it_fail with what was being done, the error's name and the cure. */
enum it_status it_vulkan_check(VkResult result, const char *device, const char *doing);

#endif
