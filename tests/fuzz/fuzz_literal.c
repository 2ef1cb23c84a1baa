/* SPDX-License-Identifier: MIT */
/* Hostile literals: any bytes as Python, as JSON, as a driver's reply, and as what an assertion is
 * compared with. The first byte chooses the syntax; the rest is cut at its first NUL, and the two
 * halves are compared. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tasks/grade/code.h"
#include "tasks/grade/literal.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (n < 2 || n > 8192) { return 0; }
    const char *text = (const char *)bytes + 1;
    const char *cut = memchr(text, '\0', n - 1);
    size_t first = cut != NULL ? (size_t)(cut - text) : n - 1;
    size_t second = cut != NULL ? n - 2 - first : 0;
    enum it_literal_syntax syntax = (enum it_literal_syntax)(bytes[0] % 3);
    struct it_literal a, b;
    bool have_a = it_literal_read(text, first, syntax, &a);
    bool have_b = bytes[0] & 4 ? it_literal_read_asserted(text + n - 1 - second, second, &b)
                               : it_literal_read(text + n - 1 - second, second, syntax, &b);
    if (have_a && have_b) {
        assert(it_literal_equal(&a, &b) == it_literal_equal(&b, &a));
    }
    if (have_a) { it_literal_free(&a); }
    if (have_b) { it_literal_free(&b); }
    assert(it_code_lines(text, first, text, first) != IT_CODE_DIFFERENT || first > 0);
    assert(it_code_lines(text, first, text + n - 1 - second, second) ==
           it_code_lines(text + n - 1 - second, second, text, first));
    assert(it_code_words(text, first, text, first));
    return 0;
}
