/* SPDX-License-Identifier: MIT */
/* Hostile answers: any bytes as gold and as prediction, under every profile. The first byte chooses
 * the rules; the rest is cut at its first newline. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/base/mem.h"
#include "tasks/grade/answer.h"
#include "tasks/grade/hendrycks.h"
#include "tasks/grade/zeroeval.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const char *const profile[] = {"math-verify", "lighteval", "lighteval-2025-05",
                                          "hendrycks"};
    if (n < 2 || n > 4096) { return 0; }
    const char *text = (const char *)bytes + 1;
    const char *cut = memchr(text, '\n', n - 1);
    size_t first = cut != NULL ? (size_t)(cut - text) : (n - 1) / 2;
    char *gold = it_strndup(text, first), *pred = it_strndup(text + first, n - 1 - first);
    const char *rule = profile[bytes[0] % 4];
    struct it_verdict verdict;
    /* the higher bits: what a pair may ask for */
    const struct it_answer_settings settings = {.unspaced = (bytes[0] & 16) != 0,
                                                .rename = (bytes[0] & 32) != 0,
                                                .relations_as_sets = (bytes[0] & 64) != 0,
                                                .letters = (bytes[0] & 128) != 0};
    const struct it_answer_settings *asked = bytes[0] >= 16 ? &settings : NULL;
    it_answer_grade(rule, (enum it_gold)(bytes[0] / 4 % 4), asked, gold, pred, &verdict);
    assert(verdict.gradable || !verdict.correct);
    it_verdict_free(&verdict);
    assert(it_answer_same(rule, gold, gold));
    assert(it_answer_same(rule, gold, pred) == it_answer_same(rule, pred, gold));
    assert(it_hendrycks_equal(pred, pred));
    char *answer = it_zeroeval_answer(pred, NULL);
    if (answer != NULL) { it_free(it_zeroeval_number(answer)); }
    it_free(answer);
    it_free(gold);
    it_free(pred);
    return 0;
}
