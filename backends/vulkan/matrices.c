/* SPDX-License-Identifier: MIT */
/* Which cooperative matrices a device offers, and whether the kernels can be made of them. */
#include "backends/vulkan/vulkan.h"
#include "core/base/mem.h"

/* As matrix.comp has them. */
enum {
    SHARES = 4,
    SHARE_ROWS = IT_VULKAN_MATRIX_ROWS / 2,
    SHARE_COLUMNS = IT_VULKAN_MATRIX_COLUMNS / 2,
    STEP = 32,
    PAD = 8,
    MOST_ITEMS = 256,
    SHARED = (IT_VULKAN_MATRIX_ROWS + IT_VULKAN_MATRIX_COLUMNS) * (STEP + PAD) * 2 +
             SHARES * MOST_ITEMS * 4 /* bytes */
};

static bool divides(uint32_t each, uint32_t whole)
{
    return each >= 4 && each <= whole && whole % each == 0;
}

/* Sums of f32, of fragments that a subgroup holds and that fill a share. */
static bool fits(const VkCooperativeMatrixPropertiesKHR *p, VkComponentTypeKHR type)
{
    return p->AType == type && p->BType == type && p->CType == VK_COMPONENT_TYPE_FLOAT32_KHR &&
           p->ResultType == VK_COMPONENT_TYPE_FLOAT32_KHR && p->scope == VK_SCOPE_SUBGROUP_KHR &&
           divides(p->MSize, SHARE_ROWS) && divides(p->NSize, SHARE_COLUMNS) &&
           divides(p->KSize, STEP) && p->MSize * p->NSize <= MOST_ITEMS;
}

/* The largest that fit: the most products for what is loaded. */
static bool find_sizes(const VkCooperativeMatrixPropertiesKHR *offered, uint32_t count,
                       VkComponentTypeKHR type, struct it_vulkan_sizes *sizes)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < count; i++) {
        const VkCooperativeMatrixPropertiesKHR *p = &offered[i];
        if (!fits(p, type) || p->MSize * p->NSize * p->KSize <= most) { continue; }
        most = p->MSize * p->NSize * p->KSize;
        sizes->m = p->MSize;
        sizes->n = p->NSize;
        sizes->k = p->KSize;
    }
    return most > 0;
}

static bool is_compiled(enum it_vulkan_kernel kernel)
{
    return it_vulkan_spirv[IT_VULKAN_BF16][kernel].size > 0;
}

/* bf16 fragments where there are such, else f16. */
static void choose(struct it_vulkan_matrices *matrices,
                   const VkCooperativeMatrixPropertiesKHR *offered, uint32_t count)
{
    if (matrices->bf16.shaderBFloat16CooperativeMatrix &&
        is_compiled(IT_VULKAN_matrix) &&
        find_sizes(offered, count, VK_COMPONENT_TYPE_BFLOAT16_KHR, &matrices->sizes)) {
        matrices->fragments = IT_VULKAN_BF16_FRAGMENTS;
    } else if (is_compiled(IT_VULKAN_matrix_f16) &&
               find_sizes(offered, count, VK_COMPONENT_TYPE_FLOAT16_KHR, &matrices->sizes)) {
        matrices->fragments = IT_VULKAN_F16_FRAGMENTS;
    }
}

/* Into the structs that the device is then opened with: only what is used stays asked for. */
static void get_features(const struct it_vulkan *v, struct it_vulkan_matrices *m)
{
    VkPhysicalDeviceFeatures2 offered = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                         .pNext = &m->subgroups};
    m->subgroups.pNext = &m->matrices;
    if (it_vulkan_has_extension(v, VK_KHR_SHADER_BFLOAT16_EXTENSION_NAME)) {
        m->matrices.pNext = &m->bf16;
    }
    v->instance->vkGetPhysicalDeviceFeatures2(v->physical, &offered);
    m->matrices.pNext = NULL;
    m->subgroups.subgroupSizeControl = VK_FALSE;
    m->matrices.cooperativeMatrixRobustBufferAccess = VK_FALSE;
    m->bf16.shaderBFloat16DotProduct = VK_FALSE;
}

/* Fragments need whole subgroups, which are promised where they can be asked for. */
static bool has_room(const struct it_vulkan *v, const VkPhysicalDeviceLimits *limits)
{
    uint32_t items = v->matrices.sizes.items;
    return items > 0 && items <= limits->maxComputeWorkGroupInvocations &&
           items <= limits->maxComputeWorkGroupSize[0] &&
           limits->maxComputeSharedMemorySize >= SHARED &&
           it_vulkan_has_extension(v, VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME) &&
           it_vulkan_has_extension(v, VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME);
}

void it_vulkan_matrices_find(struct it_vulkan *v, const VkPhysicalDeviceLimits *limits,
                             uint32_t subgroup)
{
    struct it_vulkan_matrices *matrices = &v->matrices;
    PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR list =
        (PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR)v->instance->vkGetInstanceProcAddr(
            v->instance->handle, "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR");
    uint32_t count = 0;
    *matrices = (struct it_vulkan_matrices){
        .sizes.items = SHARES * subgroup,
        .subgroups.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES,
        .matrices.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR,
        .bf16.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_BFLOAT16_FEATURES_KHR};
    if (it_vulkan_is_set("INTUITOR_VULKAN_COOPMAT", "0") || !list || !has_room(v, limits)) {
        return;
    }
    get_features(v, matrices);
    if (!matrices->subgroups.computeFullSubgroups || !matrices->matrices.cooperativeMatrix ||
        list(v->physical, &count, NULL) != VK_SUCCESS) {
        return;
    }
    VkCooperativeMatrixPropertiesKHR *offered = it_calloc(count + 1, sizeof *offered);
    for (uint32_t i = 0; i < count; i++) {
        offered[i].sType = VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR;
    }
    if (list(v->physical, &count, offered) == VK_SUCCESS) { choose(matrices, offered, count); }
    it_free(offered);
}

void *it_vulkan_matrices_take(struct it_vulkan *v, const char *extensions[], uint32_t *count)
{
    struct it_vulkan_matrices *matrices = &v->matrices;
    if (matrices->fragments == IT_VULKAN_NO_FRAGMENTS) { return NULL; }
    extensions[(*count)++] = VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME;
    extensions[(*count)++] = VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME;
    if (matrices->fragments == IT_VULKAN_BF16_FRAGMENTS) {
        extensions[(*count)++] = VK_KHR_SHADER_BFLOAT16_EXTENSION_NAME;
        matrices->matrices.pNext = &matrices->bf16;
    }
    return &matrices->subgroups;
}
