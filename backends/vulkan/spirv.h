/* SPDX-License-Identifier: MIT */
/* The kernels as SPIR-V: a table written at build time by spirv.sh. */
#ifndef IT_VULKAN_SPIRV_H
#define IT_VULKAN_SPIRV_H

#include <stddef.h>

/* The storage types each kernel is compiled for; WORDS: without 16-bit storage. */
enum it_vulkan_type {
    IT_VULKAN_F32,
    IT_VULKAN_BF16,
    IT_VULKAN_BF16_WORDS,
    IT_VULKAN_TYPES
};

enum it_vulkan_kernel {
#define KERNEL(name, file, types) IT_VULKAN_##name,
#include "backends/vulkan/kernels.def"
#undef KERNEL
    IT_VULKAN_KERNELS
};

/* little-endian words; size in bytes, 0 where there is no such kernel. */
struct it_vulkan_spirv {
    const unsigned char *code;
    size_t size;
};
extern const struct it_vulkan_spirv it_vulkan_spirv[IT_VULKAN_TYPES][IT_VULKAN_KERNELS];

#endif
