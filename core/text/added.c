/* SPDX-License-Identifier: MIT */
/* Added tokens: a trie finds the longest one at the leftmost place, going on after its end, as the
 * tokenizers library does. Flags then let a match take the white space beside it or refuse one
 * inside a word. */
#include "core/text/internal.h"

#include <string.h>
#include <utf8proc.h>

#include "core/base/mem.h"

void it_added_set_init(struct it_added_set *set)
{
    *set = (struct it_added_set){0};
    for (int i = 0; i < 256; i++) { set->root[i] = -1; }
}

void it_added_set_free(struct it_added_set *set)
{
    it_free(set->item);
    it_free(set->node);
    it_added_set_init(set);
}

/* The child of `parent` (-1: the root) for a byte, or -1. */
static int32_t child_of(const struct it_added_set *set, int32_t parent, uint8_t byte)
{
    if (parent < 0) { return set->root[byte]; }
    int32_t node = set->node[parent].child;
    while (node >= 0 && set->node[node].byte != byte) { node = set->node[node].sibling; }
    return node;
}

static int32_t add_child(struct it_added_set *set, int32_t parent, uint8_t byte)
{
    set->node = it_grow(set->node, &set->node_cap, set->nodes + 1, sizeof *set->node);
    int32_t node = (int32_t)set->nodes++;
    set->node[node] = (struct it_trie_node){-1, -1, -1, byte};
    if (parent < 0) {
        set->root[byte] = node;
    } else {
        set->node[node].sibling = set->node[parent].child;
        set->node[parent].child = node;
    }
    return node;
}

void it_added_set_put(struct it_added_set *set, const struct it_added *added)
{
    if (added->length == 0) { return; }
    int32_t node = -1;
    for (size_t i = 0; i < added->length; i++) {
        uint8_t byte = (uint8_t)added->content[i];
        int32_t next = child_of(set, node, byte);
        node = next >= 0 ? next : add_child(set, node, byte);
    }
    if (set->node[node].added >= 0) { /* the first of two equal ones is found */
        return;
    }
    set->item = it_grow(set->item, &set->cap, set->n + 1, sizeof *set->item);
    set->node[node].added = (int32_t)set->n;
    set->item[set->n] = *added;
    set->item[set->n++].content = NULL; /* borrowed; the trie has it */
}

/* The longest token that starts here, or NULL. */
static const struct it_added *longest_at(const struct it_added_set *set, const char *text, size_t n)
{
    int32_t node = -1, found = -1;
    for (size_t i = 0; i < n; i++) {
        node = child_of(set, node, (uint8_t)text[i]);
        if (node < 0) { break; }
        if (set->node[node].added >= 0) { found = set->node[node].added; }
    }
    return found < 0 ? NULL : &set->item[found];
}

/* The character before `at`, its first byte in *start_out. */
static int32_t character_before(const char *text, size_t at, size_t *start_out)
{
    size_t start = at - 1;
    while (start > 0 && ((unsigned char)text[start] & 0xc0) == 0x80) { start--; }
    utf8proc_int32_t c = -1;
    utf8proc_iterate((const utf8proc_uint8_t *)text + start, (utf8proc_ssize_t)(at - start), &c);
    *start_out = start;
    return c;
}

/* The character at `at`, the first byte after it in *end_out. */
static int32_t character_at(const char *text, size_t n, size_t at, size_t *end_out)
{
    utf8proc_int32_t c = -1;
    utf8proc_ssize_t length =
        utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(n - at), &c);
    *end_out = at + (length > 0 ? (size_t)length : 1);
    return c;
}

static bool inside_word(const char *text, size_t n, size_t begin, size_t end)
{
    size_t unused;
    return (begin > 0 && it_is_word(character_before(text, begin, &unused))) ||
           (end < n && it_is_word(character_at(text, n, end, &unused)));
}

static size_t skip_space_back(const char *text, size_t at, size_t limit)
{
    size_t start;
    if (at < limit) { return limit; }
    while (at > limit && it_is_space(character_before(text, at, &start))) { at = start; }
    return at;
}

static size_t skip_space(const char *text, size_t n, size_t at)
{
    size_t end;
    while (at < n && it_is_space(character_at(text, n, at, &end))) { at = end; }
    return at;
}

void it_added_scan_begin(struct it_added_scan *scan, const struct it_added_set *set,
                         const char *text, size_t n)
{
    *scan = (struct it_added_scan){.set = set, .text = text, .n = n, .pending_id = -1};
}

/* The next accepted match: its stretch with the white space it takes. */
static bool find_next(struct it_added_scan *scan, struct it_stretch *match_out)
{
    const char *text = scan->text;
    while (scan->search < scan->n) {
        size_t begin = scan->search;
        if (scan->set->root[(uint8_t)text[begin]] < 0) {
            scan->search++;
            continue;
        }
        const struct it_added *added = longest_at(scan->set, text + begin, scan->n - begin);
        if (!added) {
            scan->search++;
            continue;
        }
        size_t end = begin + added->length;
        scan->search = end;
        if (added->single_word && inside_word(text, scan->n, begin, end)) { continue; }
        if (added->rstrip) { /* inside a run that the match before took, its end is known */
            end = skip_space(text, scan->n, end < scan->done ? scan->done : end);
        }
        if (added->lstrip) {
            begin = skip_space_back(text, begin, scan->done);
            if (begin >= end) { continue; } /* the match before took all of it */
        }
        *match_out = (struct it_stretch){begin, end, added->id};
        return true;
    }
    return false;
}

bool it_added_scan_next(struct it_added_scan *scan, struct it_stretch *stretch_out)
{
    if (scan->pending_id >= 0) {
        *stretch_out = (struct it_stretch){scan->done, scan->pending_end, scan->pending_id};
        scan->done = scan->pending_end;
        scan->pending_id = -1;
        return true;
    }
    struct it_stretch match;
    if (scan->set->n > 0 && find_next(scan, &match)) {
        if (match.begin <= scan->done) {
            scan->done = match.end;
            *stretch_out = match;
            return true;
        }
        *stretch_out = (struct it_stretch){scan->done, match.begin, -1};
        scan->done = match.begin;
        scan->pending_end = match.end;
        scan->pending_id = match.id;
        return true;
    }
    scan->search = scan->n;
    if (scan->done >= scan->n) { return false; }
    *stretch_out = (struct it_stretch){scan->done, scan->n, -1};
    scan->done = scan->n;
    return true;
}
