/* SPDX-License-Identifier: MIT */
/* What a hostile program may write into the reply pipe, under a nonce that it knows: the first 16
 * bytes of the input. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "tasks/grade/sandbox_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (n < IT_NONCE_BYTES) { return 0; }
    const char *text = (const char *)bytes + IT_NONCE_BYTES;
    size_t size = n - IT_NONCE_BYTES, at = 0, before = 0, length;
    const char *message;
    unsigned sum = 0;
    while (it_sandbox_reply_next(text, size, bytes, &at, &message, &length)) {
        assert(at > before && at <= size);
        assert(message >= text + before && message + length == text + at);
        for (size_t i = 0; i < length; i++) { sum += (unsigned char)message[i]; }
        before = at;
    }
    assert(at == size);
    return sum == 1 && size == 0;
}
