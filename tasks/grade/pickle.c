/* SPDX-License-Identifier: MIT */
/* A reader of pickles that hold one string, and of the base64 and zlib around them. Opcodes as in
 * Python's pickletools. */
#include "tasks/grade/pickle.h"

#include <stdint.h>
#include <string.h>
#include <zlib.h>

#include "core/base/mem.h"

/* ---- base64 ---- */

static int sextet(char c)
{
    if (c >= 'A' && c <= 'Z') { return c - 'A'; }
    if (c >= 'a' && c <= 'z') { return c - 'a' + 26; }
    if (c >= '0' && c <= '9') { return c - '0' + 52; }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static enum it_status read_base64(const char *where, const char *text, size_t size,
                                  struct it_str *out)
{
    uint32_t bits = 0;
    size_t n = 0, padding = 0;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (c == '\n' || c == '\r' || c == ' ' || c == '\t') { continue; }
        int value = c == '=' ? 0 : sextet(c);
        if (value < 0 || (padding > 0 && c != '=')) {
            return it_fail(IT_INVALID, "%s: not base64 at character %zu", where, i);
        }
        padding += c == '=';
        bits = bits << 6 | (uint32_t)value;
        if (++n % 4 != 0) { continue; }
        if (padding > 2) { break; }
        const char bytes[3] = {(char)(bits >> 16), (char)(bits >> 8), (char)bits};
        it_str_add(out, bytes, 3 - padding);
    }
    if (n % 4 != 0 || padding > 2) {
        return it_fail(IT_INVALID, "%s: the base64 text is cut off or wrongly padded", where);
    }
    return IT_OK;
}

/* ---- zlib ---- */

static enum it_status inflate_all(const char *where, z_stream *stream, struct it_str *out)
{
    unsigned char piece[1 << 16];
    int code;
    do {
        stream->next_out = piece;
        stream->avail_out = sizeof piece;
        code = inflate(stream, Z_NO_FLUSH);
        if (code != Z_OK && code != Z_STREAM_END) {
            return it_fail(IT_INVALID, "%s: %s", where,
                           code == Z_BUF_ERROR ? "the compressed data is cut off"
                                               : "not zlib data, or damaged");
        }
        size_t got = sizeof piece - stream->avail_out;
        if (out->len + got > IT_PICKLE_UNPACKED_LIMIT) {
            return it_fail(IT_INVALID, "%s: inflates to more than %d MiB", where,
                           IT_PICKLE_UNPACKED_LIMIT >> 20);
        }
        it_str_add(out, piece, got);
    } while (code != Z_STREAM_END);
    return IT_OK;
}

static enum it_status read_zlib(const char *where, const struct it_str *packed, struct it_str *out)
{
    z_stream stream = {0};
    if (packed->len == 0 || packed->len > UINT32_MAX) {
        return it_fail(IT_INVALID, "%s: no compressed data of a sound length", where);
    }
    stream.next_in = (Bytef *)packed->data;
    stream.avail_in = (uInt)packed->len;
    if (inflateInit(&stream) != Z_OK) { return it_fail(IT_FAILED, "%s: zlib failed", where); }
    enum it_status status = inflate_all(where, &stream, out);
    (void)inflateEnd(&stream);
    return status;
}

/* ---- pickle ---- */

struct reader {
    const char *where;
    const unsigned char *bytes;
    size_t size, at;
    bool have; /* the one string was pushed */
};

static enum it_status cut_off(const struct reader *r)
{
    return it_fail(IT_INVALID, "%s: the pickle is cut off at byte %zu", r->where, r->at);
}

static enum it_status second_value(const struct reader *r)
{
    return it_fail(IT_INVALID, "%s: forbidden pickle opcode before byte %zu: a second value, where "
                   "one string is all there may be", r->where, r->at);
}

/* A little-endian number of n bytes. */
static enum it_status take_number(struct reader *r, size_t n, uint64_t *value_out)
{
    uint64_t value = 0;
    if (r->size - r->at < n) { return cut_off(r); }
    for (size_t i = 0; i < n; i++) { value |= (uint64_t)r->bytes[r->at + i] << (8 * i); }
    r->at += n;
    *value_out = value;
    return IT_OK;
}

/* UTF-8 in which Python also lets half pairs of surrogates be (ED A0..BF xx). */
static bool is_text(const char *bytes, size_t size)
{
    for (size_t at = 0; at < size;) {
        at += it_utf8_valid_prefix(bytes + at, size - at);
        if (at == size) { break; }
        const unsigned char *c = (const unsigned char *)bytes + at;
        if (size - at < 3 || c[0] != 0xed || c[1] < 0xa0 || c[1] > 0xbf || c[2] < 0x80 ||
            c[2] > 0xbf) {
            return false;
        }
        at += 3;
    }
    return true;
}

static enum it_status take_string(struct reader *r, size_t length_bytes, struct it_str *out)
{
    uint64_t size = 0;
    IT_TRY(take_number(r, length_bytes, &size));
    if (size > r->size - r->at) { return cut_off(r); }
    if (r->have) { return second_value(r); }
    const char *text = (const char *)r->bytes + r->at;
    if (!is_text(text, (size_t)size)) {
        return it_fail(IT_INVALID, "%s: the pickled string is not UTF-8", r->where);
    }
    it_str_add(out, text, (size_t)size);
    r->at += (size_t)size;
    r->have = true;
    return IT_OK;
}

/* The rest of a line, for the opcodes of protocol 0. */
static enum it_status take_line(struct reader *r, const char **line_out, size_t *size_out)
{
    const unsigned char *from = r->bytes + r->at;
    const unsigned char *end = memchr(from, '\n', r->size - r->at);
    if (end == NULL) { return cut_off(r); }
    *line_out = (const char *)from;
    *size_out = (size_t)(end - from);
    r->at += *size_out + 1;
    return IT_OK;
}

static void put_latin(uint32_t c, struct it_str *out)
{
    char bytes[4];
    size_t n = 0;
    if (c >= 0x10000) {
        bytes[n++] = (char)(0xf0 | c >> 18);
        bytes[n++] = (char)(0x80 | (c >> 12 & 0x3f));
    } else if (c >= 0x800) {
        bytes[n++] = (char)(0xe0 | c >> 12);
    }
    if (c >= 0x800) {
        bytes[n++] = (char)(0x80 | (c >> 6 & 0x3f));
    } else if (c >= 0x80) {
        bytes[n++] = (char)(0xc0 | c >> 6);
    }
    bytes[n++] = (char)(c < 0x80 ? c : 0x80 | (c & 0x3f));
    it_str_add(out, bytes, n);
}

/* n hexadecimal digits at `text`; -1 when they are not there. */
static int64_t hex(const char *text, size_t size, size_t n)
{
    int64_t value = 0;
    if (size < n) { return -1; }
    for (size_t i = 0; i < n; i++) {
        const char *digits = "0123456789abcdef", *hit = strchr(digits, text[i] | 0x20);
        if (hit == NULL || text[i] == '\0') { return -1; }
        value = value * 16 + (hit - digits);
    }
    return value;
}

/* Protocol 0: Latin-1 with \uXXXX and \UXXXXXXXX. */
static enum it_status take_raw_unicode(struct reader *r, struct it_str *out)
{
    const char *line = NULL;
    size_t size = 0;
    IT_TRY(take_line(r, &line, &size));
    if (r->have) { return second_value(r); }
    for (size_t i = 0; i < size; i++) {
        char mark = line[i] == '\\' && i + 1 < size ? line[i + 1] : '\0';
        size_t digits = mark == 'u' ? 4 : mark == 'U' ? 8 : 0;
        if (digits == 0) {
            put_latin((unsigned char)line[i], out);
            continue;
        }
        int64_t c = hex(line + i + 2, size - i - 2, digits);
        if (c < 0 || c > 0x10ffff) {
            return it_fail(IT_INVALID, "%s: a damaged escape in the pickled string", r->where);
        }
        put_latin((uint32_t)c, out);
        i += 1 + digits;
    }
    r->have = true;
    return IT_OK;
}

static enum it_status take_frame(struct reader *r)
{
    uint64_t size = 0;
    IT_TRY(take_number(r, 8, &size));
    return size > r->size - r->at ? cut_off(r) : IT_OK;
}

static enum it_status take_put(struct reader *r)
{
    const char *line = NULL;
    size_t size = 0;
    return take_line(r, &line, &size);
}

static const char *name_of(unsigned char opcode)
{
    static const struct {
        unsigned char opcode;
        const char *name;
    } names[] = {{'c', "GLOBAL"}, {0x93, "STACK_GLOBAL"}, {'R', "REDUCE"}, {'b', "BUILD"},
                 {'i', "INST"},   {'o', "OBJ"},           {0x81, "NEWOBJ"}, {0x92, "NEWOBJ_EX"},
                 {0x82, "EXT1"},  {0x83, "EXT2"},         {0x84, "EXT4"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (names[i].opcode == opcode) { return names[i].name; }
    }
    return "not part of one string";
}

enum it_status it_pickle_read(const char *where, const void *bytes, size_t size,
                              struct it_str *text_out)
{
    struct reader r = {.where = where, .bytes = bytes, .size = size};
    struct it_str text = {0};
    enum it_status status = IT_OK;
    bool stopped = false;
    while (status == IT_OK && !stopped) {
        uint64_t value = 0;
        if (r.at == r.size) {
            status = cut_off(&r);
            break;
        }
        unsigned char opcode = r.bytes[r.at++];
        switch (opcode) {
        case 0x80: status = take_number(&r, 1, &value); break;         /* PROTO */
        case 0x95: status = take_frame(&r); break;                     /* FRAME */
        case 0x8c: status = take_string(&r, 1, &text); break;          /* SHORT_BINUNICODE */
        case 'X': status = take_string(&r, 4, &text); break;           /* BINUNICODE */
        case 0x8d: status = take_string(&r, 8, &text); break;          /* BINUNICODE8 */
        case 'V': status = take_raw_unicode(&r, &text); break;         /* UNICODE */
        case 0x94: break;                                              /* MEMOIZE */
        case 'q': status = take_number(&r, 1, &value); break;          /* BINPUT */
        case 'r': status = take_number(&r, 4, &value); break;          /* LONG_BINPUT */
        case 'p': status = take_put(&r); break;                        /* PUT */
        case '.': stopped = true; break;                               /* STOP */
        default:
            status = it_fail(IT_INVALID, "%s: forbidden pickle opcode 0x%02x (%s) at byte %zu",
                             where, opcode, name_of(opcode), r.at - 1);
        }
    }
    if (status == IT_OK && (!r.have || r.at != r.size)) {
        status = it_fail(IT_INVALID, "%s: the pickle %s", where,
                         r.have ? "goes on after its end" : "holds no string");
    }
    if (status == IT_OK) { it_str_add(text_out, it_str_c(&text), text.len); }
    it_str_free(&text);
    return status;
}

enum it_status it_pickle_unpack(const char *where, const char *base64, size_t size,
                                struct it_str *text_out)
{
    struct it_str packed = {0}, pickle = {0};
    enum it_status status = read_base64(where, base64, size, &packed);
    if (status == IT_OK) { status = read_zlib(where, &packed, &pickle); }
    it_str_free(&packed);
    if (status == IT_OK) {
        status = it_pickle_read(where, it_str_c(&pickle), pickle.len, text_out);
    }
    it_str_free(&pickle);
    return status;
}
