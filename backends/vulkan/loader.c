/* SPDX-License-Identifier: MIT */
#include "backends/vulkan/loader.h"

#include <dlfcn.h>
#include <glob.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"

static const char validation_layer[] = "VK_LAYER_KHRONOS_validation";

static struct it_vulkan_instance instance;
static char reason[160];
static bool ready;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* ---- the validation layer ---- */

static atomic_int complaints;

int it_vulkan_complaints(void)
{
    return atomic_load(&complaints);
}

static VKAPI_ATTR VkBool32 VKAPI_CALL
complain(VkDebugUtilsMessageSeverityFlagBitsEXT severity, VkDebugUtilsMessageTypeFlagsEXT types,
         const VkDebugUtilsMessengerCallbackDataEXT *data, void *user)
{
    (void)severity;
    (void)user;
    if (types & VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT) {
        atomic_fetch_add(&complaints, 1);
        it_warn("vulkan validation: %s", data->pMessage);
    } else {
        it_debug("vulkan: %s", data->pMessage);
    }
    return VK_FALSE;
}

static const VkDebugUtilsMessengerCreateInfoEXT messenger = {
    .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
    .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT |
                       VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
    .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_GENERAL_BIT_EXT |
                   VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT,
    .pfnUserCallback = complain,
};

static void open_messenger(void)
{
    VkDebugUtilsMessengerEXT handle; /* lives as long as the instance */
    PFN_vkCreateDebugUtilsMessengerEXT create =
        (PFN_vkCreateDebugUtilsMessengerEXT)instance.vkGetInstanceProcAddr(
            instance.handle, "vkCreateDebugUtilsMessengerEXT");
    if (create) { create(instance.handle, &messenger, NULL, &handle); }
}

/* ---- the instance ---- */

static bool has_layer(const char *name)
{
    PFN_vkEnumerateInstanceLayerProperties list =
        (PFN_vkEnumerateInstanceLayerProperties)instance.vkGetInstanceProcAddr(
            NULL, "vkEnumerateInstanceLayerProperties");
    uint32_t count = 0;
    bool found = false;
    if (!list || list(&count, NULL) != VK_SUCCESS) { return false; }
    VkLayerProperties *layers = it_calloc(count + 1, sizeof *layers);
    if (list(&count, layers) == VK_SUCCESS) {
        for (uint32_t i = 0; i < count; i++) {
            found = found || strcmp(layers[i].layerName, name) == 0;
        }
    }
    it_free(layers);
    return found;
}

static bool has_extension(const char *name)
{
    PFN_vkEnumerateInstanceExtensionProperties list =
        (PFN_vkEnumerateInstanceExtensionProperties)instance.vkGetInstanceProcAddr(
            NULL, "vkEnumerateInstanceExtensionProperties");
    uint32_t count = 0;
    bool found = false;
    if (!list || list(NULL, &count, NULL) != VK_SUCCESS) { return false; }
    VkExtensionProperties *extensions = it_calloc(count + 1, sizeof *extensions);
    if (list(NULL, &count, extensions) == VK_SUCCESS) {
        for (uint32_t i = 0; i < count; i++) {
            found = found || strcmp(extensions[i].extensionName, name) == 0;
        }
    }
    it_free(extensions);
    return found;
}

static bool create_instance(bool validate)
{
    static const char portability[] = "VK_KHR_portability_enumeration";
    const char *layers[] = {validation_layer};
    const char *extensions[2];
    uint32_t count = 0;
    bool portable = has_extension(portability); /* MoltenVK stands behind it */
    if (validate) { extensions[count++] = VK_EXT_DEBUG_UTILS_EXTENSION_NAME; }
    if (portable) { extensions[count++] = portability; }
    const VkApplicationInfo application = {
        .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
        .pApplicationName = "intuitor",
        .apiVersion = VK_API_VERSION_1_2,
    };
    const VkInstanceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
        .pNext = validate ? &messenger : NULL,
        .flags = portable ? VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR : 0,
        .pApplicationInfo = &application,
        .enabledLayerCount = validate,
        .ppEnabledLayerNames = layers,
        .enabledExtensionCount = count,
        .ppEnabledExtensionNames = extensions,
    };
    PFN_vkCreateInstance create =
        (PFN_vkCreateInstance)instance.vkGetInstanceProcAddr(NULL, "vkCreateInstance");
    VkResult result = create ? create(&info, NULL, &instance.handle)
                             : VK_ERROR_INCOMPATIBLE_DRIVER;
    if (result == VK_SUCCESS) { return true; }
    snprintf(reason, sizeof reason,
             result == VK_ERROR_INCOMPATIBLE_DRIVER
                 ? "the Vulkan loader finds no driver (Debian: mesa-vulkan-drivers, or the "
                   "vendor's; vulkaninfo lists what it finds)"
                 : "vkCreateInstance failed (%d)",
             (int)result);
    return false;
}

static bool find_functions(void)
{
#define X(name)                                                                                    \
    instance.name = (PFN_##name)instance.vkGetInstanceProcAddr(instance.handle, #name);            \
    if (!instance.name) {                                                                          \
        snprintf(reason, sizeof reason, "the Vulkan loader has no %s: Vulkan 1.2 is needed",       \
                 #name);                                                                           \
        return false;                                                                              \
    }
    IT_VULKAN_INSTANCE_FUNCTIONS(X)
#undef X
    return true;
}

static void open_instance(void)
{
    const char *asked = getenv("INTUITOR_VULKAN_VALIDATION");
    bool validate = asked && strcmp(asked, "1") == 0;
    void *library = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        snprintf(reason, sizeof reason, "no Vulkan loader (libvulkan.so.1; Debian: libvulkan1, and "
                 "the driver of the device)");
        return;
    }
    *(void **)&instance.vkGetInstanceProcAddr = dlsym(library, "vkGetInstanceProcAddr");
    if (!instance.vkGetInstanceProcAddr) {
        snprintf(reason, sizeof reason, "libvulkan.so.1 has no vkGetInstanceProcAddr");
        return;
    }
    if (validate && !has_layer(validation_layer)) {
        snprintf(reason, sizeof reason, "INTUITOR_VULKAN_VALIDATION=1, and there is no %s (Debian: "
                 "vulkan-validationlayers)", validation_layer);
        return;
    }
    ready = create_instance(validate) && find_functions();
    if (ready && validate) { open_messenger(); }
}

const struct it_vulkan_instance *it_vulkan_instance(char *why, size_t why_size)
{
    pthread_once(&once, open_instance);
    if (ready) { return &instance; }
    snprintf(why, why_size, "%s", reason);
    return NULL;
}

/* ---- devices ---- */

static VkPhysicalDeviceType type_of(const struct it_vulkan_instance *vk, VkPhysicalDevice device)
{
    VkPhysicalDeviceProperties2 properties = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
    vk->vkGetPhysicalDeviceProperties2(device, &properties);
    return properties.properties.deviceType;
}

int it_vulkan_list(const struct it_vulkan_instance *vk,
                   VkPhysicalDevice devices_out[IT_VULKAN_MOST_DEVICES])
{
    static const VkPhysicalDeviceType order[] = {
        VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU, VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU,
        VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU, VK_PHYSICAL_DEVICE_TYPE_OTHER,
        VK_PHYSICAL_DEVICE_TYPE_CPU};
    VkPhysicalDevice found[IT_VULKAN_MOST_DEVICES];
    uint32_t count = IT_VULKAN_MOST_DEVICES;
    int n = 0;
    VkResult result = vk->vkEnumeratePhysicalDevices(vk->handle, &count, found);
    if (result != VK_SUCCESS && result != VK_INCOMPLETE) { return 0; }
    for (size_t t = 0; t < sizeof order / sizeof *order; t++) {
        for (uint32_t i = 0; i < count; i++) {
            if (type_of(vk, found[i]) == order[t]) { devices_out[n++] = found[i]; }
        }
    }
    return n;
}

/* Device files of GPUs, among them those of WSL, Adreno and Mali. */
static bool system_shows_gpu(void)
{
#ifdef __linux__
    static const char *const files[] = {"/dev/dri/renderD*", "/dev/nvidia[0-9]*", "/dev/dxg",
                                        "/dev/kgsl-3d0", "/dev/mali[0-9]*"};
    bool found = false;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        glob_t matches = {0};
        found = found || glob(files[i], 0, NULL, &matches) == 0;
        globfree(&matches);
    }
    return found;
#else
    return true;
#endif
}

bool it_vulkan_has_gpu(void)
{
    char why[sizeof reason];
    VkPhysicalDevice devices[IT_VULKAN_MOST_DEVICES];
    const struct it_vulkan_instance *vk =
        system_shows_gpu() ? it_vulkan_instance(why, sizeof why) : NULL;
    return vk && it_vulkan_list(vk, devices) > 0 &&
           type_of(vk, devices[0]) != VK_PHYSICAL_DEVICE_TYPE_CPU;
}

/* ---- errors ---- */

enum it_status it_vulkan_check(VkResult result, const char *device, const char *doing)
{
    switch (result) {
    case VK_SUCCESS: return IT_OK;
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
        return it_fail(IT_NOMEM, "device %s: %s: out of device memory; lower the batch or the "
                       "number of positions", device, doing);
    case VK_ERROR_OUT_OF_HOST_MEMORY:
        return it_fail(IT_NOMEM, "device %s: %s: out of host memory", device, doing);
    case VK_ERROR_DEVICE_LOST:
        return it_fail(IT_DEVICE, "device %s: %s: the device is lost (a kernel that ran too long, "
                       "a reset, or a fault); IT_SYNC=1 names the op", device, doing);
    case VK_ERROR_INITIALIZATION_FAILED:
        return it_fail(IT_DEVICE, "device %s: %s: the driver could not start; vulkaninfo shows "
                       "what it offers", device, doing);
    case VK_ERROR_EXTENSION_NOT_PRESENT:
    case VK_ERROR_FEATURE_NOT_PRESENT:
        return it_fail(IT_UNSUPPORTED, "device %s: %s: the driver lacks a feature of Vulkan 1.2",
                       device, doing);
    default:
        return it_fail(IT_DEVICE, "device %s: %s: Vulkan error %d", device, doing, (int)result);
    }
}
