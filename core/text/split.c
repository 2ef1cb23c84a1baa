/* SPDX-License-Identifier: MIT */
/* Expressions that cut text into pieces, run by PCRE2. They are written for Oniguruma, as the
 * tokenizers library runs them; here they are rewritten where the two disagree, and refused where
 * a construct means something else and none of the known tokenizers needs it. */
#include "core/text/internal.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

#include "core/base/mem.h"

#define CONTRACTIONS  "'s|'t|'re|'ve|'m|'ll|'d"
#define AFTER_NUMBERS "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

const char it_pattern_gpt2[] =
    CONTRACTIONS "| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
const char it_pattern_qwen2[] =
    "(?i:" CONTRACTIONS ")|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}" AFTER_NUMBERS;
const char it_pattern_llama3[] =
    "(?i:" CONTRACTIONS ")|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}" AFTER_NUMBERS;

/* White_Space and its complement, as the inside of a class. PCRE2's own \s has U+180E too. */
#define SPACE                                                                                   \
    "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}" \
    "\\x{205f}\\x{3000}"
#define NOT_SPACE                                                                  \
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}"   \
    "\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}" \
    "\\x{2060}-\\x{2fff}\\x{3001}-\\x{10ffff}"

/* Letters and numbers of Unicode 15 to 16, which the tokenizers library knows and an older PCRE2
 * does not. Adding them to a newer one changes nothing. */
static const char new_letters[] =
    "\\x{1c89}\\x{1c8a}\\x{a7cb}-\\x{a7cd}\\x{a7da}-\\x{a7dc}\\x{105c0}-\\x{105f3}"
    "\\x{10d4a}-\\x{10d65}\\x{10d6f}-\\x{10d85}\\x{10ec2}-\\x{10ec4}\\x{1123f}\\x{11240}"
    "\\x{11380}-\\x{11389}\\x{1138b}\\x{1138e}\\x{11390}-\\x{113b5}\\x{113b7}\\x{113d1}\\x{113d3}"
    "\\x{11bc0}-\\x{11be0}\\x{11f02}\\x{11f04}-\\x{11f10}\\x{11f12}-\\x{11f33}\\x{1342f}"
    "\\x{13441}-\\x{13446}\\x{13460}-\\x{143fa}\\x{16100}-\\x{1611d}\\x{16d40}-\\x{16d6c}"
    "\\x{18cff}\\x{1b132}\\x{1b155}\\x{1df25}-\\x{1df2a}\\x{1e030}-\\x{1e06d}"
    "\\x{1e4d0}-\\x{1e4eb}\\x{1e5d0}-\\x{1e5ed}\\x{1e5f0}\\x{2b739}\\x{2ebf0}-\\x{2ee5d}"
    "\\x{31350}-\\x{323af}";
static const char new_numbers[] =
    "\\x{10d40}-\\x{10d49}\\x{116d0}-\\x{116e3}\\x{11bf0}-\\x{11bf9}\\x{11f50}-\\x{11f59}"
    "\\x{16130}-\\x{16139}\\x{16d70}-\\x{16d79}\\x{1ccf0}-\\x{1ccf9}\\x{1d2c0}-\\x{1d2d3}"
    "\\x{1e4f0}-\\x{1e4f9}\\x{1e5f1}-\\x{1e5fa}";

/* One pass over a pattern. */
struct rewrite {
    const char *where, *at; /* at: the rest, followed by a NUL */
    bool in_class;
    struct it_str out;
};

static enum it_status refuse(const struct rewrite *r, const char *what)
{
    return it_fail(IT_INVALID, "%s: pre-tokenizer expression: %s at \"%.24s\"", r->where, what,
                   r->at);
}

/* A class, or its complement, standing alone or inside a class. */
static void put_class(struct rewrite *r, bool negated, const char *inside)
{
    if (r->in_class) {
        it_str_puts(&r->out, inside);
    } else {
        it_str_printf(&r->out, "[%s%s]", negated ? "^" : "", inside);
    }
}

/* \p{NAME} or \P{NAME}; r->at is at the p. */
static enum it_status rewrite_property(struct rewrite *r)
{
    const char *close = r->at[1] == '{' ? strchr(r->at, '}') : NULL;
    if (!close) { return refuse(r, "a property without braces"); }
    size_t length = (size_t)(close + 1 - r->at);
    bool negated = r->at[0] == 'P';
    const char *more = NULL;
    if (length == 4 && r->at[2] == 'L') { more = new_letters; }
    if (length == 4 && r->at[2] == 'N') { more = new_numbers; }
    if (more && !(negated && r->in_class)) { /* a complement can't be added to a class */
        struct it_str inside = {0};
        it_str_printf(&inside, "\\p{%c}%s", r->at[2], more);
        put_class(r, negated, inside.data);
        it_str_free(&inside);
    } else {
        it_str_putc(&r->out, '\\');
        it_str_add(&r->out, r->at, length);
    }
    r->at = close + 1;
    return IT_OK;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* r->at is after the backslash. */
static enum it_status rewrite_escape(struct rewrite *r)
{
    char c = r->at[0];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (c == '\0') { return refuse(r, "a backslash at the end"); }
    if (c == 'p' || c == 'P') { return rewrite_property(r); }
    if (c == 's' || c == 'S') {
        bool negated = c == 'S';
        put_class(r, negated, negated && r->in_class ? NOT_SPACE : SPACE);
    } else if (c == 'v') {
        it_str_puts(&r->out, "\\x{b}"); /* PCRE2's \v is a class */
    } else if (c == 'u') {
        for (int i = 1; i <= 4; i++) {
            if (!is_hex(r->at[i])) { return refuse(r, "\\u without four digits"); }
        }
        it_str_printf(&r->out, "\\x{%.4s}", r->at + 1);
        r->at += 4;
    } else if (!letter || strchr("rntfaedDx", c)) {
        it_str_putc(&r->out, '\\');
        it_str_putc(&r->out, c);
    } else {
        return refuse(r, "an escape that is not known here");
    }
    r->at++;
    return IT_OK;
}

/* r->at is at the opening bracket. */
static void open_class(struct rewrite *r)
{
    r->in_class = true;
    it_str_putc(&r->out, *r->at++);
    if (*r->at == '^') { it_str_putc(&r->out, *r->at++); }
    if (*r->at == ']') {
        it_str_puts(&r->out, "\\]");
        r->at++;
    }
}

static enum it_status check_group(const struct rewrite *r)
{
    const char *c = r->at + 1;
    if (*c == '*') { return refuse(r, "a verb"); }
    if (*c++ != '?') { return IT_OK; }
    if (*c == '<') { return c[1] == '=' || c[1] == '!' ? IT_OK : refuse(r, "a named group"); }
    if (*c != '\0' && strchr(":!=>", *c)) { return IT_OK; }
    c += strspn(c, "i-");
    return *c == ':' || *c == ')' ? IT_OK : refuse(r, "a group that is not known here");
}

static enum it_status rewrite_next(struct rewrite *r)
{
    const char *c = r->at;
    if (*c == '\\') {
        r->at++;
        return rewrite_escape(r);
    }
    if (r->in_class) {
        if (*c == '[') { return refuse(r, "a class inside a class"); }
        if (c[0] == '&' && c[1] == '&') { return refuse(r, "an intersection of classes"); }
        if (*c == ']') { r->in_class = false; }
    } else if (*c == '[') {
        open_class(r);
        return IT_OK;
    } else if (*c == '(') {
        IT_TRY(check_group(r));
    } else if (*c == '^' || *c == '$') {
        return refuse(r, "an anchor");
    } else if ((c[0] == '}' && c[1] == '+') || (c[0] == '{' && c[1] == ',')) {
        return refuse(r, "a repetition that is not known here");
    }
    it_str_putc(&r->out, *r->at++);
    return IT_OK;
}

static enum it_status compile(const char *where, const char *pattern, uint32_t options,
                              struct it_split *split)
{
    int error = 0;
    PCRE2_SIZE offset = 0;
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (context) { pcre2_set_newline(context, PCRE2_NEWLINE_LF); }
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                                     options | PCRE2_UTF, &error, &offset, context);
    pcre2_compile_context_free(context);
    if (!code) {
        PCRE2_UCHAR message[128] = "";
        pcre2_get_error_message(error, message, sizeof message);
        return it_fail(IT_INVALID, "%s: pre-tokenizer expression: %s", where,
                       (const char *)message);
    }
    split->code = code;
    split->jit = pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) == 0; /* else interpreted, slower */
    return IT_OK;
}

enum it_status it_split_open(const char *where, const char *pattern, bool literal,
                             struct it_split *split_out)
{
    struct it_split split = {.keep_matches = true, .keep_gaps = true};
    if (*pattern == '\0') {
        return it_fail(IT_INVALID, "%s: pre-tokenizer expression is empty", where);
    }
    if (literal) {
        IT_TRY(compile(where, pattern, PCRE2_LITERAL, &split));
    } else {
        struct rewrite r = {.where = where, .at = pattern};
        enum it_status status = IT_OK;
        while (status == IT_OK && *r.at != '\0') { status = rewrite_next(&r); }
        if (status == IT_OK) {
            status = compile(where, r.out.data, PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &split);
        }
        it_str_free(&r.out);
        IT_TRY(status);
    }
    *split_out = split;
    return IT_OK;
}

void it_split_close(struct it_split *split)
{
    pcre2_code_free(split->code);
    *split = (struct it_split){0};
}

struct it_split_work {
    pcre2_match_data *match;
};

struct it_split_work *it_split_work_new(void)
{
    struct it_split_work *work = it_alloc(sizeof *work);
    work->match = pcre2_match_data_create(1, NULL);
    return work;
}

void it_split_work_free(struct it_split_work *work)
{
    if (work) { pcre2_match_data_free(work->match); }
    it_free(work);
}

enum it_status it_split_match(const struct it_split *split, struct it_split_work *work,
                              const char *text, size_t n, size_t from, size_t *begin_out,
                              size_t *end_out)
{
    PCRE2_SPTR subject = (PCRE2_SPTR)text;
    if (!work->match) { return it_fail(IT_NOMEM, "no memory to match an expression"); }
    int found = split->jit ? pcre2_jit_match(split->code, subject, n, from, 0, work->match, NULL)
                           : pcre2_match(split->code, subject, n, from, PCRE2_NO_UTF_CHECK,
                                         work->match, NULL);
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) { /* the interpreter takes its memory from the heap */
        found = pcre2_match(split->code, subject, n, from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                            work->match, NULL);
    }
    if (found == PCRE2_ERROR_NOMATCH) { return IT_END; }
    if (found < 0) {
        PCRE2_UCHAR message[128] = "";
        pcre2_get_error_message(found, message, sizeof message);
        return it_fail(IT_FAILED, "pre-tokenizer expression: %s", (const char *)message);
    }
    const PCRE2_SIZE *offset = pcre2_get_ovector_pointer(work->match);
    /* \K can put the start before `from` or after the end; the rewriting refuses it */
    *begin_out = offset[0];
    *end_out = offset[1];
    return IT_OK;
}
