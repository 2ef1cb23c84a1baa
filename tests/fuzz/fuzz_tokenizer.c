/* SPDX-License-Identifier: MIT */
/* A hostile tokenizer.json: opening it succeeds or fails cleanly, and what opens can encode any
 * text, here the file itself, and decode what it gave. */
#include "core/text/internal.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void encode(const struct it_tokenizer *tokenizer, const char *text, size_t n)
{
    struct it_ids ids = {0};
    struct it_str back = {0};
    if (it_tokenizer_encode(tokenizer, text, n, &ids) == IT_OK) {
        for (size_t i = 0; i < ids.n; i++) {
            assert(ids.item[i] >= 0 && ids.item[i] < it_tokenizer_size(tokenizer));
        }
        it_tokenizer_decode(tokenizer, ids.item, ids.n, true, &back);
    } else {
        assert(ids.n == 0);
    }
    it_str_free(&back);
    it_ids_free(&ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const char words[] = "Hello  world, it's 2024!\n\n <x> abcab e\xCC\x81 \xE4\xBD\xA0 ";
    struct it_tokenizer *tokenizer = NULL;
    if (it_tokenizer_parse("input", (const char *)bytes, n, &tokenizer) != IT_OK) { return 0; }
    encode(tokenizer, words, sizeof words - 1);
    encode(tokenizer, (const char *)bytes, n < 512 ? n : 512);
    it_tokenizer_close(tokenizer);
    return 0;
}
