/* SPDX-License-Identifier: MIT */
/* The laws with the kernels of a card, on whatever device there is. */
#include <stdlib.h>

__attribute__((constructor)) static void take_kernels_of_a_card(void)
{
    setenv("INTUITOR_VULKAN_AS_CARD", "1", 1);
}

#define LAWS_DEVICE "vulkan"
#include "tests/check_1_laws.c"
