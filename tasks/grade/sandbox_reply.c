/* SPDX-License-Identifier: MIT */
/* The reply pipe, read as what it is: bytes that a hostile program may have written. A message is
 * the job's nonce, a letter, a length of 4 bytes in the machine's order, and that many bytes. */
#define _GNU_SOURCE
#include <string.h>

#include "tasks/grade/sandbox_internal.h"

enum { HEADER = IT_NONCE_BYTES + 1 + 4 };

/* The next nonce at or after `at`; `size` when there is none. */
static size_t find_nonce(const char *bytes, size_t size, const unsigned char *nonce, size_t at)
{
    const char *found = at < size ? memmem(bytes + at, size - at, nonce, IT_NONCE_BYTES) : NULL;
    return found ? (size_t)(found - bytes) : size;
}

char it_sandbox_reply_next(const char *bytes, size_t size, const unsigned char *nonce, size_t *at,
                           const char **message_out, size_t *message_size_out)
{
    size_t start = *at;
    for (;;) {
        start = find_nonce(bytes, size, nonce, start);
        if (size - start < HEADER) {
            *at = size;
            return 0;
        }
        const char *header = bytes + start + IT_NONCE_BYTES;
        uint32_t length;
        memcpy(&length, header + 1, sizeof length);
        if (length <= size - start - HEADER && (*header == 'R' || *header == 'M')) {
            *message_out = bytes + start + HEADER;
            *message_size_out = length;
            *at = start + HEADER + length;
            return *header;
        }
        start++; /* cut short, or not a message of ours: look further */
    }
}
