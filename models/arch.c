/* SPDX-License-Identifier: MIT */
/* The table of architectures. */
#include <string.h>

#include "models/internal.h"

static const struct it_arch *const architectures[] = {
    &it_arch_llama, &it_arch_mistral, &it_arch_olmo2, &it_arch_qwen2, &it_arch_qwen3,
};

const struct it_arch *it_arch_at(size_t index)
{
    return index < sizeof architectures / sizeof architectures[0] ? architectures[index] : NULL;
}

const struct it_arch *it_arch_find(const char *model_type)
{
    const struct it_arch *arch;
    for (size_t i = 0; (arch = it_arch_at(i)); i++) {
        if (strcmp(arch->model_type, model_type) == 0) { return arch; }
    }
    return NULL;
}
