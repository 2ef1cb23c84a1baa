/* SPDX-License-Identifier: MIT */
/* Reading a chat template: a Jinja text is brought to one spelling, and that is compared with the
 * spelling of the templates known here. What is taken away is what doesn't change the result: white
 * space inside tags, white space that trim marks remove, the kind of quotes, x['role'] against
 * x.role, and how outputs are cut ({{ a }}{{ b }} against {{ a + b }}). The environment is that of
 * the transformers library: trim_blocks and lstrip_blocks are on. */
#include "core/text/template_internal.h"

#include <string.h>

/* In the one spelling: a statement is BLOCK words joined by single spaces END; an output is OUT,
 * literals and expressions in order, each after a PART mark. Literals are in double quotes. */
enum { BLOCK = 1, END = 2, OUT = 3, PART = 4 };

struct reader {
    const char *begin, *at, *end;
    struct it_str out;
    bool in_output;    /* the last thing written is an output: the next one continues it */
    bool ends_literal; /* and its last part is a literal */
};

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void put_literal_byte(struct it_str *out, char c)
{
    if (c == '\n') {
        it_str_puts(out, "\\n");
    } else {
        if (c == '"' || c == '\\') { it_str_putc(out, '\\'); }
        it_str_putc(out, c);
    }
}

/* A literal in either kind of quotes, `*at` at the opening one. */
static bool read_literal(const char **at, const char *end, struct it_str *out)
{
    char quote = *(*at)++;
    while (*at < end && **at != quote) {
        char c = *(*at)++;
        if (c == '\\') {
            if (*at == end) { return false; }
            c = *(*at)++;
            if (c == 'n') {
                c = '\n';
            } else if (c != '\\' && c != '\'' && c != '"') {
                return false;
            }
        }
        put_literal_byte(out, c);
    }
    return *at < end && *(*at)++ == quote;
}

/* `out` ends in [ "name" ]: make it .name instead. */
static void subscript_to_field(struct it_str *out, size_t bracket)
{
    const char *inside = out->data + bracket + strlen(" [ \"");
    size_t n = out->len - bracket;
    if (n < strlen(" [ \"x\" ]") || inside[-3] != '[' || inside[-1] != '"') { return; }
    n -= strlen(" [ \"\" ]");
    for (size_t i = 0; i < n; i++) {
        if (!is_name(inside[i])) { return; }
    }
    struct it_str field = {0};
    it_str_printf(&field, " . %.*s", (int)n, inside);
    out->len = bracket;
    it_str_add(out, field.data, field.len);
    it_str_free(&field);
}

/* One word of a tag, after a space: a name or number, a literal, or an operator. */
static bool read_word(struct reader *r, const char *stop, size_t *bracket)
{
    struct it_str *out = &r->out;
    const char *start = r->at;
    if (*start == '[') { *bracket = out->len; }
    it_str_putc(out, ' ');
    if (*start == '\'' || *start == '"') {
        it_str_putc(out, '"');
        if (!read_literal(&r->at, stop, out)) { return false; }
        it_str_putc(out, '"');
        return true;
    }
    if (is_name(*start)) {
        while (r->at < stop && is_name(*r->at)) { r->at++; }
    } else {
        bool two = stop - start > 1 && start[1] == '=' && strchr("=!<>", *start);
        r->at += two ? 2 : 1;
    }
    it_str_add(out, start, (size_t)(r->at - start));
    if (*start == ']') { subscript_to_field(out, *bracket); }
    return true;
}

static bool read_words(struct reader *r, const char *stop)
{
    size_t bracket = r->out.len;
    while (r->at < stop) {
        if (is_blank(*r->at)) {
            r->at++;
        } else if (!read_word(r, stop, &bracket)) {
            return false;
        }
    }
    return true;
}

/* Begin an output, or go on with the one before. */
static void begin_part(struct reader *r, bool literal)
{
    if (!r->in_output) { it_str_putc(&r->out, OUT); }
    if (r->in_output && r->ends_literal && literal) {
        r->out.len--; /* open the closed literal again */
    } else {
        it_str_putc(&r->out, PART);
        if (literal) { it_str_putc(&r->out, '"'); }
    }
    r->in_output = true;
    r->ends_literal = literal;
}

static void put_text(struct reader *r, const char *text, size_t n)
{
    if (n == 0) { return; }
    begin_part(r, true);
    for (size_t i = 0; i < n; i++) { put_literal_byte(&r->out, text[i]); }
    it_str_putc(&r->out, '"');
}

/* a + b + c: literals join their neighbours, other parts stay as they are. A literal with more
 * behind it than a plus ('x' * 2) is left to fail the comparison. */
static bool read_output(struct reader *r, const char *stop)
{
    while (r->at < stop) {
        while (r->at < stop && is_blank(*r->at)) { r->at++; }
        if (r->at == stop) { break; }
        if (*r->at == '\'' || *r->at == '"') {
            begin_part(r, true);
            if (!read_literal(&r->at, stop, &r->out)) { return false; }
            it_str_putc(&r->out, '"');
        } else {
            const char *plus = r->at;
            while (plus < stop && *plus != '+') {
                if (*plus == '\'' || *plus == '"') { /* a plus inside quotes is none */
                    struct it_str unused = {0};
                    bool closed = read_literal(&plus, stop, &unused);
                    it_str_free(&unused);
                    if (!closed) { return false; }
                } else {
                    plus++;
                }
            }
            begin_part(r, false);
            if (!read_words(r, plus)) { return false; }
        }
        while (r->at < stop && is_blank(*r->at)) { r->at++; }
        if (r->at < stop && *r->at++ != '+') { return false; }
    }
    return true;
}

/* Where the tag that starts at `at` closes: its last two characters. NULL when it doesn't. */
static const char *tag_close(const char *at, const char *end)
{
    const char closer = at[1] == '{' ? '}' : at[1];
    char quote = 0;
    for (const char *c = at + 2; c + 1 < end; c++) {
        if (quote) {
            if (*c == '\\') {
                c++;
            } else if (*c == quote) {
                quote = 0;
            }
        } else if (at[1] != '#' && (*c == '\'' || *c == '"')) {
            quote = *c;
        } else if (c[0] == closer && c[1] == '}') {
            return c;
        }
    }
    return NULL;
}

static bool read_tag(struct reader *r, const char *close)
{
    char kind = r->at[1];
    r->at += 2;
    if (r->at < close && *r->at == '-') { r->at++; }
    const char *stop = close > r->at && close[-1] == '-' ? close - 1 : close;
    bool ok = true;
    if (kind == '{') {
        ok = read_output(r, stop);
    } else if (kind == '%') {
        it_str_putc(&r->out, BLOCK);
        ok = read_words(r, stop);
        it_str_putc(&r->out, END);
        r->in_output = false;
    }
    r->at = close + 2;
    return ok;
}

/* Text from `from` up to a tag (or the end) without what the tags on its two sides remove. */
static void read_text(struct reader *r, const char *from, const char *to, const char *before)
{
    if (before && before[-1] == '-') {
        while (from < to && is_blank(*from)) { from++; }
    } else if (before && *before != '}' && from < to && *from == '\n') {
        from++;
    }
    if (to == r->end) {
        if (to > from && to[-1] == '\n') { to--; }
    } else if (to[2] == '-') {
        while (to > from && is_blank(to[-1])) { to--; }
    } else if (to[1] != '{') {
        const char *line = to;
        while (line > from && (line[-1] == ' ' || line[-1] == '\t')) { line--; }
        if (line == r->begin || line[-1] == '\n') { to = line; }
    }
    put_text(r, from, (size_t)(to - from));
}

static const char *next_tag(const char *at, const char *end)
{
    for (; at + 4 <= end; at++) {
        if (at[0] == '{' && (at[1] == '{' || at[1] == '%' || at[1] == '#')) { return at; }
    }
    return end;
}

bool it_template_spell(const char *text, size_t n, struct it_str *out)
{
    struct reader r = {.begin = text, .at = text, .end = text + n};
    const char *before = NULL; /* the two closing characters of the tag before */
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++) {
        ok = (unsigned char)text[i] >= ' ' || is_blank(text[i]); /* our marks are below */
    }
    while (ok && r.at < r.end) {
        const char *tag = next_tag(r.at, r.end);
        read_text(&r, r.at, tag, before);
        r.at = tag;
        if (tag == r.end) { break; }
        before = tag_close(tag, r.end);
        ok = before && read_tag(&r, before);
    }
    if (ok) { it_str_add(out, r.out.data, r.out.len); }
    it_str_free(&r.out);
    return ok;
}

/* `*at` is at a BLOCK: its depth if it opens (+1) or ends (-1) something. */
static int depth_of(const char *block)
{
    if (strncmp(block + 1, " if ", 4) == 0 || strncmp(block + 1, " for ", 5) == 0) { return 1; }
    return strncmp(block + 1, " endif", 6) == 0 || strncmp(block + 1, " endfor", 7) == 0 ? -1 : 0;
}

static const char skip_mark[] = {BLOCK, ' ', 'S', 'K', 'I', 'P', END, '\0'};

/* Go over whole statements up to the one `next` (a spelled BLOCK ... END) at this depth. */
static const char *skip_to(const char *text, const char *next)
{
    const char *end = strchr(next, END);
    size_t n = end ? (size_t)(end - next) + 1 : strlen(next);
    int depth = 0;
    while ((text = strchr(text, BLOCK)) != NULL) {
        if (depth == 0 && strncmp(text, next, n) == 0) { return text; }
        depth += depth_of(text);
        if (depth < 0) { return NULL; }
        text++;
    }
    return NULL;
}

bool it_template_match(const char *pattern, const char *text, struct it_str *capture)
{
    while (*pattern) {
        if (strncmp(pattern, skip_mark, strlen(skip_mark)) == 0) {
            pattern += strlen(skip_mark);
            text = skip_to(text, pattern);
            if (!text) { return false; }
        } else if (*pattern == IT_TEMPLATE_CAPTURE) {
            const char *stop = strstr(text, "<|im_end|>");
            if (!stop) { return false; }
            it_str_add(capture, text, (size_t)(stop - text));
            text = stop;
            pattern++;
        } else if (*pattern++ != *text++) {
            return false;
        }
    }
    return *text == '\0';
}
