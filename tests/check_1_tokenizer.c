/* SPDX-License-Identifier: MIT */
/* The tokenizer on vocabularies small enough to merge by hand, and what it refuses. */
#include "core/text/internal.h"

#include <pthread.h>

#include "core/base/rng.h"
#include "tests/scratch.h"

/* Bytes of "e with acute" in the byte alphabet: U+00C3 U+00A9. "cab" is a token that no merge
 * makes. */
static const char model[] =
    "{\"normalizer\": {\"type\": \"NFC\"},"
    "\"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": ["
    "{\"type\": \"Split\", \"pattern\": {\"Regex\": "
    "\"(?i:'s|'t)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+"
    "|\\\\p{N}| "
    "?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+\"},"
    "\"behavior\": \"Isolated\", \"invert\": false},"
    "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": false}]},"
    "\"decoder\": {\"type\": \"ByteLevel\"},"
    "\"added_tokens\": ["
    "{\"id\": 18, \"content\": \"<x>\", \"special\": true, \"normalized\": false},"
    "{\"id\": 19, \"content\": \"<l>\", \"lstrip\": true, \"normalized\": false},"
    "{\"id\": 20, \"content\": \"<r>\", \"rstrip\": true, \"normalized\": false},"
    "{\"id\": 21, \"content\": \"aa\", \"single_word\": true, \"normalized\": false},"
    "{\"id\": 22, \"content\": \"<x>y\", \"normalized\": false},"
    "{\"id\": 23, \"content\": \"\\u212b\", \"normalized\": true}],"
    "\"model\": {\"type\": \"BPE\", \"ignore_merges\": false, \"vocab\": {"
    "\"a\": 0, \"b\": 1, \"c\": 2, \"\\u0120\": 3, \"ab\": 4, \"abc\": 5, \"bc\": 6,"
    "\"\\u0120a\": 7, \"\\u00c3\": 8, \"\\u00a9\": 9, \"\\u00c3\\u00a9\": 10, \"1\": 11, \"2\": 12,"
    "\"12\": 13, \"'\": 14, \"s\": 15, \"'s\": 16, \"cab\": 17},"
    "\"merges\": [\"a b\", \"ab c\", [\"b\", \"c\"], \"\\u0120 a\", \"\\u00c3 \\u00a9\","
    "[\"1\", \"2\"], \"' s\"]}}";

/* `model` with the first `from` replaced by `to`. */
static struct it_str changed(const char *from, const char *to)
{
    struct it_str text = {0};
    const char *at = strstr(model, from);
    ck_assert_msg(at, "\"%s\" is not in the model", from);
    it_str_add(&text, model, (size_t)(at - model));
    it_str_puts(&text, to);
    it_str_puts(&text, at + strlen(from));
    return text;
}

static struct it_tokenizer *open_changed(const char *from, const char *to)
{
    struct it_tokenizer *tokenizer = NULL;
    struct it_str text = changed(from, to);
    ck_assert_int_eq(it_tokenizer_parse("model", text.data, text.len, &tokenizer), IT_OK);
    it_str_free(&text);
    return tokenizer;
}

static struct it_tokenizer *open_model(void)
{
    return open_changed("NFC", "NFC");
}

/* The ids of a text, as "1 2 3"; the string lives until the next call. */
static const char *ids_of(const struct it_tokenizer *tokenizer, const char *text, size_t n)
{
    static char said[4096];
    struct it_ids ids = {0};
    struct it_str out = {0};
    ck_assert_int_eq(it_tokenizer_encode(tokenizer, text, n, &ids), IT_OK);
    for (size_t i = 0; i < ids.n; i++) {
        it_str_printf(&out, "%s%d", i ? " " : "", (int)ids.item[i]);
    }
    snprintf(said, sizeof said, "%s", it_str_c(&out));
    it_str_free(&out);
    it_ids_free(&ids);
    return said;
}

#define ck_ids(tokenizer, text, expected) \
    ck_assert_str_eq(ids_of(tokenizer, text, strlen(text)), expected)

START_TEST(merges_by_hand)
{
    struct it_tokenizer *t = open_model();
    ck_ids(t, "", "");
    ck_ids(t, "abc", "5"); /* ab has rank 0, then ab c */
    ck_ids(t, "bc", "6");
    ck_ids(t, " abc", "3 5"); /* ab before the space gets its a */
    ck_ids(t, " a", "7");
    ck_ids(t, "ac", "0 2");
    ck_ids(t, "cab", "2 4");  /* a token, but not what merges give */
    ck_ids(t, "12", "11 12"); /* digits are pieces of their own */
    ck_ids(t, "abc's", "5 16");
    ck_ids(t, "a\nb", "0 1"); /* no token for the newline */
    ck_ids(t, "aXb", "4");    /* nor for X: its neighbours meet */
    it_tokenizer_close(t);
    t = open_changed("\"ignore_merges\": false", "\"ignore_merges\": true");
    ck_ids(t, "cab", "17");
    it_tokenizer_close(t);
    t = open_changed("|\\\\p{N}|", "|\\\\p{N}{1,3}|");
    ck_ids(t, "12", "13");
    it_tokenizer_close(t);
}
END_TEST

START_TEST(normal_form)
{
    struct it_tokenizer *t = open_model();
    ck_ids(t, "\xC3\xA9", "10");
    ck_ids(t, "\xE2\x84\xAB", "23"); /* angstrom sign, in the list of added tokens */
    ck_ids(t, "a\xCC\x8A", "8");     /* composes to U+00E5: C3 A5 */
    ck_ids(t, "A\xCC\x8A", "23");    /* composes to U+00C5, the form of the added token */
    ck_ids(t,
           "abc A\xCC\x8A"
           "ab",
           "5 3 23 4");
    it_tokenizer_close(t);
    t = open_changed("{\"type\": \"NFC\"}", "null");
    ck_ids(t, "A\xCC\x8A", "");
    ck_ids(t, "a\xCC\x8A", "0");
    it_tokenizer_close(t);
    t = open_changed("{\"type\": \"NFC\"}",
                     "{\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFC\"}]}");
    ck_ids(t, "A\xCC\x8A", "23");
    it_tokenizer_close(t);
}
END_TEST

START_TEST(malformed_text)
{
    struct it_tokenizer *t = open_model();
    ck_assert_str_eq(ids_of(t, "a\xFFz", 3), "0");
    ck_assert_str_eq(ids_of(t, "\xC3", 1), ""); /* U+FFFD, not the byte C3 that is a token */
    ck_assert_str_eq(ids_of(t, "\xC3\xA9\xC3", 3), "10");
    ck_assert_str_eq(ids_of(t, "a\0b", 3), "0 1");
    it_tokenizer_close(t);
}
END_TEST

START_TEST(added_tokens)
{
    struct it_tokenizer *t = open_model();
    ck_ids(t, "a<x>b", "0 18 1");
    ck_ids(t, "<x>y<x>", "22 18");    /* the longest */
    ck_ids(t, "a <l> b", "0 19 3 1"); /* takes the space before */
    ck_ids(t, "a <r> b", "0 3 20 1"); /* takes the space behind */
    ck_ids(t, "a<r> \xE3\x80\x80<l>", "0 20 19");
    ck_ids(t, "aa", "21");
    ck_ids(t, " aa ", "3 21 3");
    ck_ids(t, "aab", "0 4"); /* inside a word */
    ck_ids(t,
           "\xC3\xA9"
           "aa",
           "10 0 0");
    ck_ids(t, "<x", "");
    it_tokenizer_close(t);
    t = open_changed("\"<l>\"", "\" \", \"rstrip\": true"); /* takes each space once */
    ck_ids(t, "a  <r>  b", "0 19 20 1");
    it_tokenizer_close(t);
}
END_TEST

START_TEST(decoding)
{
    struct it_tokenizer *t = open_model();
    struct it_str text = {0};
    const int32_t ids[] = {5, 3, 18, 10, 99, -1, 8, 22};
    it_tokenizer_decode(t, ids, 8, false, &text);
    ck_assert_str_eq(text.data, "abc <x>\xC3\xA9\xC3<x>y");
    it_str_clear(&text);
    it_tokenizer_decode(t, ids, 8, true, &text);
    ck_assert_str_eq(text.data, "abc \xC3\xA9\xC3<x>y");
    it_str_free(&text);
    ck_assert_int_eq(it_tokenizer_size(t), 24);
    ck_assert_int_eq(it_tokenizer_find(t, "abc"), 5);
    ck_assert_int_eq(it_tokenizer_find(t, "\xC4\xA0"
                                          "a"),
                     7);
    ck_assert_int_eq(it_tokenizer_find(t, "<x>"), 18);
    ck_assert_int_eq(it_tokenizer_find(t, "nothing"), -1);
    ck_assert(it_tokenizer_is_special(t, 18));
    ck_assert(!it_tokenizer_is_special(t, 19));
    ck_assert(!it_tokenizer_is_special(t, 24));
    ck_assert_int_eq(it_tokenizer_eos(t), -1);
    it_tokenizer_close(t);
}
END_TEST

/* A bijection between 256 bytes and 256 characters. */
START_TEST(byte_alphabet)
{
    bool seen[256] = {false};
    for (int32_t c = -1; c < 1000; c++) {
        int byte = it_byte_of_character(c);
        if (byte < 0) { continue; }
        ck_assert_msg(!seen[byte], "byte %d twice", byte);
        seen[byte] = true;
    }
    for (int byte = 0; byte < 256; byte++) { ck_assert_msg(seen[byte], "byte %d missing", byte); }
    ck_assert_int_eq(it_byte_of_character(0x120), ' ');
    ck_assert_int_eq(it_byte_of_character(0x10a), '\n');
}
END_TEST

/* The pieces of a text, separated by bars. */
static const char *pieces(const char *pattern, const char *text)
{
    static char said[4096];
    struct it_split split;
    struct it_str out = {0};
    struct it_split_work *work = it_split_work_new();
    ck_assert_int_eq(it_split_open("test", pattern, false, &split), IT_OK);
    size_t n = strlen(text), begin, end;
    for (size_t from = 0; from < n; from = end) {
        ck_assert_int_eq(it_split_match(&split, work, text, n, from, &begin, &end), IT_OK);
        ck_assert_uint_eq(begin, from);
        it_str_printf(&out, "%s%.*s", from ? "|" : "", (int)(end - begin), text + begin);
    }
    snprintf(said, sizeof said, "%s", it_str_c(&out));
    it_str_free(&out);
    it_split_work_free(work);
    it_split_close(&split);
    return said;
}

START_TEST(pieces_by_hand)
{
    const char *qwen = it_pattern_qwen2, *llama = it_pattern_llama3, *gpt2 = it_pattern_gpt2;
    ck_assert_str_eq(pieces(qwen, "Hello  world, it's 2024!"),
                     "Hello| | world|,| it|'s| |2|0|2|4|!");
    ck_assert_str_eq(pieces(llama, "Hello  world, it's 2024!"),
                     "Hello| | world|,| it|'s| |202|4|!");
    ck_assert_str_eq(pieces(gpt2, "Hello  world, it'S 2024!"), "Hello| | world|,| it|'|S| 2024|!");
    ck_assert_str_eq(pieces(qwen, "IT'S DON'T'LL"), "IT|'S| DON|'T|'LL");
    ck_assert_str_eq(pieces(qwen, "x\n\n  y \n z"), "x|\n\n| | y| \n| z");
    ck_assert_str_eq(pieces(qwen, "(a)==[b];\n\n}"), "(a|)==[|b|];\n\n|}");
    ck_assert_str_eq(pieces(qwen, "   "), "   ");
    /* U+0085 is white space, U+180E is not any more */
    ck_assert_str_eq(pieces(qwen, "!\xC2\x85!"), "!|\xC2\x85|!");
    ck_assert_str_eq(pieces(qwen, "!\xE1\xA0\x8E!"), "!\xE1\xA0\x8E!");
    /* U+017F folds to s */
    ck_assert_str_eq(pieces(qwen, "a'\xC5\xBF"), "a|'\xC5\xBF");
    /* letters and numbers younger than Unicode 14: U+1E030, U+11F50 */
    ck_assert_str_eq(pieces(qwen, "a\xF0\x9E\x80\xB0"
                                  "b"),
                     "a\xF0\x9E\x80\xB0"
                     "b");
    ck_assert_str_eq(pieces(llama, "1\xF0\x91\xBD\x90"
                                   "2"),
                     "1\xF0\x91\xBD\x90"
                     "2");
    ck_assert_str_eq(pieces("[^\\S\\n]+|\\S+|\\n", "a b\xC2\xA0\n"), "a| |b|\xC2\xA0|\n");
    ck_assert_str_eq(pieces("[]a]+|\\u0062|\\P{L}|\\v", "a]b7\v"), "a]|b|7|\v");
}
END_TEST

START_TEST(patterns_refused)
{
    static const struct {
        const char *pattern, *words;
    } row[] = {
        {"\\h+", "escape"},      {"\\w", "escape"},      {"a\\", "backslash"},
        {"\\pL", "braces"},      {"[a[b]]", "inside a"}, {"[a&&b]", "intersection"},
        {"^a", "anchor"},        {"a$", "anchor"},       {"a{1,2}+", "repetition"},
        {"a{,2}", "repetition"}, {"(*LIMIT)", "verb"},   {"(?<n>a)", "named"},
        {"(?x)a", "group"},      {"\\u12", "digits"},    {"(?", "group"},
    };
    struct it_split split;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        ck_assert_fails(it_split_open("test", row[i].pattern, false, &split), IT_INVALID,
                        row[i].words);
    }
    ck_assert_fails(it_split_open("test", "", false, &split), IT_INVALID, "empty");
    ck_assert_fails(it_split_open("test", "(a", false, &split), IT_INVALID, "parenthesis");
    ck_assert_fails(it_split_open("test", "\\p{Nonsense}", false, &split), IT_INVALID, "property");
}
END_TEST

/* Removed and inverted keeps the matches; removed alone keeps what is between. */
START_TEST(split_behaviors)
{
    struct it_tokenizer *t =
        open_changed("\"Isolated\", \"invert\": false", "\"Removed\", \"invert\": true");
    ck_ids(t, "abc's 12", "5 16 3 11 12");
    it_tokenizer_close(t);
    t = open_changed("\"Isolated\", \"invert\": false", "\"Removed\", \"invert\": false");
    ck_ids(t, "abc's 12", "");
    it_tokenizer_close(t);
    t = open_changed("ByteLevel\", \"add_prefix_space\": false, \"use_regex\": false",
                     "ByteLevel\", \"add_prefix_space\": false, \"use_regex\": true");
    ck_ids(t, "ab'sc", "4 16 2"); /* cut by one expression, then by GPT-2's */
    it_tokenizer_close(t);
    t = open_changed("{\"type\": \"ByteLevel\", \"add",
                     "{\"type\": \"Split\", \"pattern\": {\"String\": \"b\"},"
                     "\"behavior\": \"Removed\"}, {\"type\": \"ByteLevel\", \"add");
    ck_ids(t, "abcbab", "0 2 0"); /* a literal pattern: a, c, a */
    it_tokenizer_close(t);
}
END_TEST

START_TEST(models_refused)
{
    static const struct {
        const char *from, *to;
        enum it_status status;
        const char *words;
    } row[] = {
        {"\"b\": 1,", "\"b\": 30,", IT_INVALID, "hole"},
        {"\"b\": 1,", "\"b\": -1,", IT_INVALID, "hole"},
        {"\"b\": 1,", "\"b\": 0,", IT_INVALID, "id 0 is given to two tokens"},
        {"\"id\": 18, \"content\": \"<x>\"", "\"id\": 0, \"content\": \"a\"", IT_INVALID,
         "no token has id 18"},
        {"\"id\": 18", "\"id\": 19", IT_INVALID, "id 19 is given to two"},
        {"\"b\": 1,", "\"b\": \"1\",", IT_INVALID, "without an id"},
        {"\"b\": 1,", "\"b\": 1, \"\": 25,", IT_INVALID, "0 bytes"},
        {"<x>\"", "a\"", IT_INVALID, "id 18 here and id 0 before"},
        {"\"a b\",", "\"a z\",", IT_INVALID, "merges[0]: \"z\" is not a token"},
        {"\"a b\",", "\"a c\",", IT_INVALID, "joined are not a token"},
        {"\"a b\",", "\"ab\",", IT_INVALID, "merges[0] is not a pair"},
        {"\"a b\",", "\"a b c\",", IT_INVALID, "merges[0] is not a pair"},
        {"\"a b\",", "[\"a\", 1],", IT_INVALID, "merges[0] is not a pair"},
        {"\"BPE\"", "\"Unigram\"", IT_INVALID, "Unigram"},
        {"\"type\": \"BPE\"", "\"byte_fallback\": true", IT_INVALID, "byte_fallback"},
        {"\"type\": \"BPE\"", "\"end_of_word_suffix\": \"</w>\"", IT_INVALID, "marks"},
        {"\"type\": \"BPE\"", "\"dropout\": 0.1", IT_INVALID, "dropout"},
        {"\"type\": \"BPE\"", "\"unk_token\": \"a\"", IT_INVALID, "unk_token"},
        {"NFC", "NFKC", IT_INVALID, "normalizer \"NFKC\""},
        {"\"Sequence\"", "\"Whitespace\"", IT_INVALID, "pre_tokenizer \"Whitespace\""},
        {"\"Isolated\"", "\"MergedWithNext\"", IT_INVALID, "MergedWithNext"},
        {"\"add_prefix_space\": false", "\"add_prefix_space\": true", IT_INVALID, "prefix"},
        {"\"ByteLevel\", \"add", "\"ByteLevel\"}, {\"type\": \"Split\", \"add", IT_INVALID,
         "prefix"},
        {"\"decoder\": {\"type\": \"ByteLevel\"}", "\"decoder\": {\"type\": \"Fuse\"}",
         IT_INVALID, "byte-level"},
        {"\"Regex\"", "\"Rex\"", IT_INVALID, "without a pattern"},
        {"\"vocab\": {", "\"words\": {", IT_INVALID, "vocabulary is not an object"},
        {"\"merges\": [", "\"joins\": [", IT_INVALID, "needs \"merges\""},
        {"\"model\": {", "\"models\": {", IT_INVALID, "no \"model\""},
        {"\"content\": \"<l>\",", "", IT_INVALID, "without content"},
        {"\"id\": 18,", "\"id\": \"18\",", IT_INVALID, "id"},
        {"{\"normalizer\"", "[{\"normalizer\"", IT_INVALID, "JSON"},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct it_tokenizer *tokenizer = NULL;
        struct it_str text = changed(row[i].from, row[i].to);
        ck_assert_fails(it_tokenizer_parse("model", text.data, text.len, &tokenizer), row[i].status,
                        row[i].words);
        ck_assert_ptr_null(tokenizer);
        it_str_free(&text);
    }
}
END_TEST

/* Letters a to d, and a token for each of a number of random joins of two tokens. */
static void random_vocab(struct it_vocab *vocab, struct it_rng *rng)
{
    int32_t joins[40][2];
    size_t n = 4;
    ck_assert_int_eq(it_vocab_init(vocab, "random", 44), IT_OK);
    for (int32_t i = 0; i < 4; i++) {
        char letter = (char)('a' + i);
        ck_assert_int_eq(it_vocab_put(vocab, "random", i, &letter, 1, IT_TOKEN_BYTES), IT_OK);
    }
    for (int tries = 0; tries < 60 && n < 44; tries++) {
        int32_t pair[2] = {(int32_t)it_rng_below(rng, (int64_t)n),
                           (int32_t)it_rng_below(rng, (int64_t)n)};
        struct it_str both = {0};
        for (int side = 0; side < 2; side++) {
            const struct it_token *token = &vocab->token[pair[side]];
            it_str_add(&both, vocab->text.data + token->at, token->length);
        }
        if (both.len < 12 && it_vocab_find(vocab, both.data, both.len, true) < 0) {
            ck_assert_int_eq(
                it_vocab_put(vocab, "random", (int64_t)n, both.data, both.len, IT_TOKEN_BYTES),
                IT_OK);
            memcpy(joins[n - 4], pair, sizeof pair);
            n++;
        }
        it_str_free(&both);
    }
    for (size_t i = 0; i < n - 4; i++) {
        size_t other = i + (size_t)it_rng_below(rng, (int64_t)(n - 4 - i)); /* ranks in any order */
        int32_t left = joins[other][0], right = joins[other][1];
        memcpy(joins[other], joins[i], sizeof joins[i]);
        ck_assert_int_eq(it_vocab_put_merge(vocab, "random", left, right), IT_OK);
    }
    ck_assert_int_eq(it_vocab_finish(vocab, "random"), IT_OK);
}

/* The definition: again and again, the leftmost pair of the lowest rank. */
static size_t merge_plainly(const struct it_vocab *vocab, int32_t *id, size_t n)
{
    for (;;) {
        const struct it_merge *best = NULL;
        size_t at = 0;
        for (size_t i = 0; i + 1 < n; i++) {
            const struct it_merge *merge = it_vocab_merge(vocab, id[i], id[i + 1]);
            if (merge && (!best || merge->rank < best->rank)) {
                best = merge;
                at = i;
            }
        }
        if (!best) { return n; }
        id[at] = best->result;
        memmove(&id[at + 1], &id[at + 2], (n - at - 2) * sizeof *id);
        n--;
    }
}

START_TEST(merging_equals_its_definition)
{
    struct it_rng rng;
    it_rng_init(&rng, 5, (uint64_t)_i);
    struct it_vocab vocab;
    random_vocab(&vocab, &rng);
    for (int round = 0; round < 200; round++) {
        int32_t expected[400], id[400];
        size_t n = (size_t)it_rng_below(&rng, round % 4 ? 60 : 400) + 1;
        int64_t letters = 1 + it_rng_below(&rng, 4); /* few letters: long runs */
        for (size_t i = 0; i < n; i++) {
            id[i] = expected[i] = (int32_t)it_rng_below(&rng, letters);
        }
        size_t left = merge_plainly(&vocab, expected, n);
        ck_assert_uint_eq(it_bpe_merge(&vocab, id, n), left);
        ck_assert_mem_eq(id, expected, left * sizeof *id);
    }
    it_vocab_free(&vocab);
}
END_TEST

/* A megabyte in one piece takes a moment, not minutes, and nothing overflows. */
START_TEST(long_runs)
{
    struct it_tokenizer *t = open_model();
    size_t n = 1 << 20;
    char *text = it_alloc(n);
    struct it_ids ids = {0};
    memset(text, 'b', n);
    ck_assert_int_eq(it_tokenizer_encode(t, text, n, &ids), IT_OK);
    ck_assert_uint_eq(ids.n, n);
    for (size_t i = 0; i < n; i++) { text[i] = "abc"[i % 3]; }
    ids.n = 0;
    ck_assert_int_eq(it_tokenizer_encode(t, text, n, &ids), IT_OK);
    ck_assert_uint_eq(ids.n, n / 3 + 1);
    memset(text, ' ', n);
    ids.n = 0;
    ck_assert_int_eq(it_tokenizer_encode(t, text, n, &ids), IT_OK);
    ck_assert_uint_eq(ids.n, n);
    it_ids_free(&ids);
    it_free(text);
    it_tokenizer_close(t);
}
END_TEST

static void *encode_often(void *tokenizer)
{
    for (int i = 0; i < 2000; i++) {
        struct it_ids ids = {0};
        const char text[] = "abc's A\xCC\x8A <l> 12 cab";
        if (it_tokenizer_encode(tokenizer, text, strlen(text), &ids) != IT_OK || ids.n != 11) {
            return tokenizer;
        }
        it_ids_free(&ids);
    }
    return NULL;
}

START_TEST(shared_by_threads)
{
    struct it_tokenizer *t = open_model();
    ck_ids(t, "abc's A\xCC\x8A <l> 12 cab", "5 16 3 23 19 3 11 12 3 2 4");
    pthread_t thread[4];
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_create(&thread[i], NULL, encode_often, t), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *failed = t;
        ck_assert_int_eq(pthread_join(thread[i], &failed), 0);
        ck_assert_ptr_null(failed);
    }
    it_tokenizer_close(t);
}
END_TEST

static const char vocab_json[] =
    "{\"a\": 0, \"b\": 1, \"ab\": 2, \"\xC4\xA0\": 3, \"1\": 4, \"11\": 5}";

static struct it_tokenizer *open_scratch(void)
{
    struct it_tokenizer *tokenizer = NULL;
    ck_assert_int_eq(it_tokenizer_open(scratch, &tokenizer), IT_OK);
    return tokenizer;
}

START_TEST(folder_of_tokenizer_json)
{
    struct it_tokenizer *t;
    scratch_text("tokenizer.json", model);
    scratch_text("tokenizer_config.json",
                 "{\"eos_token\": {\"content\": \"<x>\"}, \"added_tokens_decoder\": {"
                 "\"18\": {\"content\": \"<x>\", \"special\": false},"
                 "\"24\": {\"content\": \"<z>\", \"special\": true}}}");
    t = open_scratch();
    ck_assert_int_eq(it_tokenizer_eos(t), 18);
    ck_assert_int_eq(it_tokenizer_size(t), 25);
    ck_assert(it_tokenizer_is_special(t, 18)); /* tokenizer.json has said so */
    ck_ids(t, "a<z>", "0 24");
    it_tokenizer_close(t);
    scratch_text("tokenizer_config.json", "{\"eos_token\": \"<none>\"}");
    ck_assert_fails(it_tokenizer_open(scratch, &t), IT_INVALID, "<none> is not in the vocabulary");
    scratch_text("tokenizer_config.json", "{\"eos_token\": 3}");
    ck_assert_fails(it_tokenizer_open(scratch, &t), IT_INVALID, "not a token");
    scratch_text("tokenizer_config.json", "{\"added_tokens_decoder\": {\"x\": {}}}");
    ck_assert_fails(it_tokenizer_open(scratch, &t), IT_INVALID, "added_tokens_decoder");
}
END_TEST

START_TEST(folder_of_vocab_and_merges)
{
    struct it_tokenizer *t;
    ck_assert_fails(it_tokenizer_open(scratch, &t), IT_NOT_FOUND, "no tokenizer.json");
    scratch_text("vocab.json", vocab_json);
    scratch_text("merges.txt", "#version: 0.2\na b\r\n1 1\n");
    scratch_text("added_tokens.json", "{\"<|end|>\": 6, \"<tool>\": 7}");
    t = open_scratch();
    ck_ids(t, "ab 11<|end|>", "2 3 4 4 6"); /* Qwen2's expression: single digits */
    ck_assert(it_tokenizer_is_special(t, 6));
    ck_assert(!it_tokenizer_is_special(t, 7));
    it_tokenizer_close(t);
    scratch_text("tokenizer_config.json", "{\"tokenizer_class\": \"GPT2Tokenizer\"}");
    t = open_scratch();
    ck_ids(t, "11", "5");
    it_tokenizer_close(t);
    scratch_text("tokenizer_config.json", "{\"tokenizer_class\": \"T5Tokenizer\"}");
    ck_assert_fails(it_tokenizer_open(scratch, &t), IT_INVALID, "T5Tokenizer");
    scratch_text("tokenizer_config.json", "{}");
    scratch_text("merges.txt", "a b\na z\n");
    ck_assert_fails(it_tokenizer_open(scratch, &t), IT_INVALID, "merges.txt:2");
    scratch_text("merges.txt", "ab\n");
    ck_assert_fails(it_tokenizer_open(scratch, &t), IT_INVALID, "merges.txt:1");
    scratch_text("merges.txt", "");
    scratch_text("vocab.json", "[]");
    ck_assert_fails(it_tokenizer_open(scratch, &t), IT_INVALID, "vocab.json: the vocabulary");
}
END_TEST

START_TEST(folder_of_ranks)
{
    struct it_tokenizer *t;
    /* a b c d 1 ab bc abcd 11 bcd: abcd is reached as a + bcd only */
    scratch_text("tokenizer.model", "YQ== 0\nYg== 1\nYw== 2\nZA== 3\nMQ== 4\nYWI= 5\nYmM= 6\n"
                                    "YWJjZA== 7\nMTE= 8\nYmNk 9\n");
    scratch_text("added_tokens.json", "{\"<|end|>\": 10}");
    t = open_scratch();
    ck_ids(t, "abcd", "7");
    ck_ids(t, "babcd", "1 5 2 3"); /* b ab c d; abcd is not ab + cd, nor ab + c + d */
    ck_ids(t, "11111", "8 4 8");   /* three digits a piece */
    ck_ids(t, "bcd<|end|>", "9 10");
    it_tokenizer_close(t);
    scratch_text("tokenizer.model", "YQ== 0\nYg==\n");
    ck_assert_fails(it_tokenizer_open(scratch, &t), IT_INVALID, "tokenizer.model:2");
    scratch_text("tokenizer.model", "YQ== 0\nY!== 1\n");
    ck_assert_fails(it_tokenizer_open(scratch, &t), IT_INVALID, "tokenizer.model:2");
    scratch_text("tokenizer.model", "YQ== 0\nYg== 0\n");
    ck_assert_fails(it_tokenizer_open(scratch, &t), IT_INVALID, "two tokens");
    scratch_text("tokenizer.model", "YQ== 0\nYQ== 1\n");
    ck_assert_fails(it_tokenizer_open(scratch, &t), IT_INVALID, "same token");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tokenizer");
    TCase *memory = tcase_create("memory"), *folders = tcase_create("folders");
    tcase_set_timeout(memory, 60);
    tcase_add_checked_fixture(memory, scratch_begin, scratch_end);
    tcase_add_test(memory, merges_by_hand);
    tcase_add_test(memory, normal_form);
    tcase_add_test(memory, malformed_text);
    tcase_add_test(memory, added_tokens);
    tcase_add_test(memory, decoding);
    tcase_add_test(memory, byte_alphabet);
    tcase_add_test(memory, pieces_by_hand);
    tcase_add_test(memory, patterns_refused);
    tcase_add_test(memory, split_behaviors);
    tcase_add_test(memory, models_refused);
    tcase_add_loop_test(memory, merging_equals_its_definition, 0, 20);
    tcase_add_test(memory, long_runs);
    tcase_add_test(memory, shared_by_threads);
    suite_add_tcase(suite, memory);
    tcase_add_checked_fixture(folders, scratch_begin, scratch_end);
    tcase_add_test(folders, folder_of_tokenizer_json);
    tcase_add_test(folders, folder_of_vocab_and_merges);
    tcase_add_test(folders, folder_of_ranks);
    suite_add_tcase(suite, folders);
    return scratch_run(suite);
}
