/* SPDX-License-Identifier: MIT */
/* The older forms: vocab.json + merges.txt, and tokenizer.model with tiktoken ranks. Neither says
 * how text is cut; the family's expression is built in. */
#include "core/text/internal.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"

static enum it_status set_family(struct it_tokenizer *tokenizer, const char *where,
                                 const char *pattern)
{
    IT_TRY(it_split_open(where, pattern, false, &tokenizer->split[0]));
    tokenizer->splits = 1;
    return IT_OK;
}

/* A line of merges.txt: "a b". */
static enum it_status put_merge_line(struct it_vocab *vocab, const struct it_lines *lines)
{
    const char *line = lines->line.data;
    const char *space = strchr(line, ' ');
    if (!space || space == line || space[1] == '\0' || strchr(space + 1, ' ')) {
        return it_fail(IT_INVALID, "%s:%lld: not a pair of tokens", lines->path,
                       (long long)lines->number);
    }
    int32_t a = it_vocab_find_written(vocab, line, (size_t)(space - line));
    int32_t b = it_vocab_find_written(vocab, space + 1, strlen(space + 1));
    if (a < 0 || b < 0) {
        return it_fail(IT_INVALID, "%s:%lld: \"%s\" joins what is not a token", lines->path,
                       (long long)lines->number, line);
    }
    return it_vocab_put_merge(vocab, lines->path, a, b);
}

static enum it_status load_merges(struct it_vocab *vocab, const char *path)
{
    struct it_lines lines;
    IT_TRY(it_lines_open(path, 0, &lines));
    enum it_status status;
    while ((status = it_lines_next(&lines)) == IT_OK) {
        const char *line = it_str_c(&lines.line);
        if (*line == '\0' || it_starts_with(line, "#version")) { continue; }
        IT_TRY_GOTO(status, done, put_merge_line(vocab, &lines));
    }
done:
    it_lines_close(&lines);
    return status == IT_END ? IT_OK : status;
}

enum it_status it_load_vocab_merges(struct it_tokenizer *tokenizer, const char *vocab_path,
                                    const char *merges_path, const char *class_name,
                                    const struct it_added_sources *sources)
{
    bool gpt2 = class_name && it_starts_with(class_name, "GPT2Tokenizer");
    if (class_name && !gpt2 && !it_starts_with(class_name, "Qwen2Tokenizer")) {
        return it_fail(IT_INVALID,
                       "%s: no tokenizer.json beside it, and tokenizer_class \"%s\" "
                       "has no expression built in",
                       vocab_path, class_name);
    }
    tokenizer->nfc = !gpt2;
    IT_TRY(set_family(tokenizer, vocab_path, gpt2 ? it_pattern_gpt2 : it_pattern_qwen2));
    struct it_vocab *vocab = &tokenizer->vocab;
    json_t *tokens = NULL;
    IT_TRY(it_json_read(vocab_path, &tokens));
    enum it_status status = it_load_tokens(vocab, vocab_path, tokens, it_added_count(sources));
    json_decref(tokens);
    IT_TRY(status);
    IT_TRY(load_merges(vocab, merges_path));
    IT_TRY(it_added_load(tokenizer, sources));
    return it_vocab_finish(vocab, vocab_path);
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z') { return c - 'A'; }
    if (c >= 'a' && c <= 'z') { return c - 'a' + 26; }
    if (c >= '0' && c <= '9') { return c - '0' + 52; }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* False when a character is not a digit. */
static bool base64_add(struct it_str *out, const char *text, size_t n)
{
    uint32_t bits = 0;
    int held = 0;
    while (n > 0 && text[n - 1] == '=') { n--; }
    for (size_t i = 0; i < n; i++) {
        int digit = base64_digit(text[i]);
        if (digit < 0) { return false; }
        bits = (bits << 6 | (uint32_t)digit) & 0xffff;
        held += 6;
        if (held >= 8) {
            held -= 8;
            it_str_putc(out, (char)(bits >> held & 0xff));
        }
    }
    return true;
}

/* A line of ranks: "BASE64 RANK". */
static enum it_status put_rank_line(struct it_vocab *vocab, const struct it_lines *lines,
                                    struct it_str *bytes)
{
    const char *line = lines->line.data;
    const char *space = strchr(line, ' ');
    char *end = NULL;
    long long rank = space ? strtoll(space + 1, &end, 10) : -1;
    it_str_clear(bytes);
    if (!space || end == space + 1 || *end != '\0' ||
        !base64_add(bytes, line, (size_t)(space - line))) {
        return it_fail(IT_INVALID,
                       "%s:%lld: not \"base64 rank\" (a SentencePiece model is "
                       "not read)",
                       lines->path, (long long)lines->number);
    }
    return it_vocab_put(vocab, lines->path, rank, bytes->data, bytes->len, IT_TOKEN_BYTES);
}

static enum it_status load_rank_lines(struct it_vocab *vocab, const char *path)
{
    struct it_lines lines;
    struct it_str bytes = {0};
    IT_TRY(it_lines_open(path, 0, &lines));
    enum it_status status;
    while ((status = it_lines_next(&lines)) == IT_OK) {
        if (lines.line.len == 0) { continue; }
        IT_TRY_GOTO(status, done, put_rank_line(vocab, &lines, &bytes));
    }
done:
    it_str_free(&bytes);
    it_lines_close(&lines);
    return status == IT_END ? IT_OK : status;
}

struct cut {
    int32_t left, right;
};

static int by_left(const void *a, const void *b)
{
    const struct cut *x = a, *y = b;
    return (x->left > y->left) - (x->left < y->left);
}

/* Ranks name no merges: every way to cut a token in two tokens is one, ordered by the rank of the
 * whole, then of the left part. This is how such ranks become a tokenizer.json. */
static enum it_status derive_merges(struct it_vocab *vocab, const char *where)
{
    struct cut *cut = NULL;
    size_t cap = 0;
    enum it_status status = IT_OK;
    for (size_t id = 0; id < vocab->n && status == IT_OK; id++) {
        const struct it_token *token = &vocab->token[id];
        const char *text = vocab->text.data + token->at;
        size_t n = 0;
        for (size_t at = 1; at < token->length; at++) {
            int32_t left = it_vocab_find(vocab, text, at, true);
            if (left < 0) { continue; }
            int32_t right = it_vocab_find(vocab, text + at, token->length - at, true);
            if (right < 0) { continue; }
            cut = it_grow(cut, &cap, n + 1, sizeof *cut);
            cut[n++] = (struct cut){left, right};
        }
        if (n > 1) { qsort(cut, n, sizeof *cut, by_left); }
        for (size_t i = 0; i < n && status == IT_OK; i++) {
            status = it_vocab_put_merge(vocab, where, cut[i].left, cut[i].right);
        }
    }
    it_free(cut);
    return status;
}

/* Bounds the ranks: there are no more tokens than lines. */
static enum it_status count_lines(const char *path, size_t *lines_out)
{
    struct it_map map;
    IT_TRY(it_map_open(path, &map));
    size_t lines = 1;
    for (size_t i = 0; i < map.size; i++) { lines += map.data[i] == '\n'; }
    it_map_close(&map);
    *lines_out = lines;
    return IT_OK;
}

enum it_status it_load_ranks(struct it_tokenizer *tokenizer, const char *path,
                             const struct it_added_sources *sources)
{
    struct it_vocab *vocab = &tokenizer->vocab;
    size_t lines = 0;
    tokenizer->ignore_merges = true;
    IT_TRY(set_family(tokenizer, path, it_pattern_llama3));
    IT_TRY(count_lines(path, &lines));
    IT_TRY(it_vocab_init(vocab, path, lines + it_added_count(sources)));
    IT_TRY(load_rank_lines(vocab, path));
    IT_TRY(derive_merges(vocab, path));
    IT_TRY(it_added_load(tokenizer, sources));
    return it_vocab_finish(vocab, path);
}
