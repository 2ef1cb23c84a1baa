/* SPDX-License-Identifier: MIT */
/* Hostile private tests: any bytes as a pickle, and as base64 of zlib of one. */
#include <stddef.h>
#include <stdint.h>

#include "core/base/log.h"
#include "tasks/grade/pickle.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct it_str text = {0};
    it_log_set_level(IT_LOG_ERROR);
    (void)it_pickle_read("fuzz", bytes, n, &text);
    it_str_clear(&text);
    (void)it_pickle_unpack("fuzz", (const char *)bytes, n, &text);
    it_str_free(&text);
    return 0;
}
