/* SPDX-License-Identifier: MIT */
/* Sizes in bytes as people write them. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/internal.h"

static const struct {
    const char *suffix;
    int64_t factor;
} units[] = {
    {"", 1},
    {"b", 1},
    {"k", INT64_C(1) << 10},
    {"m", INT64_C(1) << 20},
    {"g", INT64_C(1) << 30},
    {"t", INT64_C(1) << 40},
    {"p", INT64_C(1) << 50},
    {"kib", INT64_C(1) << 10},
    {"mib", INT64_C(1) << 20},
    {"gib", INT64_C(1) << 30},
    {"tib", INT64_C(1) << 40},
    {"pib", INT64_C(1) << 50},
    {"kb", INT64_C(1000)},
    {"mb", INT64_C(1000000)},
    {"gb", INT64_C(1000000000)},
    {"tb", INT64_C(1000000000000)},
    {"pb", INT64_C(1000000000000000)},
};

static int64_t unit_factor(const char *suffix)
{
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcasecmp(units[i].suffix, suffix) == 0) { return units[i].factor; }
    }
    return 0;
}

/* Whole numbers stay exact to the last byte; a fraction goes through double. */
bool it_size_from_text(const char *text, int64_t *bytes_out)
{
    while (isspace((unsigned char)*text)) { text++; }
    int64_t whole = 0;
    double fraction = 0, place = 0.1;
    const char *c = text;
    for (; isdigit((unsigned char)*c); c++) {
        if (__builtin_mul_overflow(whole, 10, &whole) ||
            __builtin_add_overflow(whole, *c - '0', &whole)) {
            return false;
        }
    }
    if (c == text) { return false; }
    if (*c == '.') {
        for (c++; isdigit((unsigned char)*c); c++, place /= 10) { fraction += place * (*c - '0'); }
    }
    while (isspace((unsigned char)*c)) { c++; }
    char suffix[8] = "";
    size_t n = 0;
    for (; isalpha((unsigned char)*c) && n + 1 < sizeof suffix; c++) { suffix[n++] = *c; }
    while (isspace((unsigned char)*c)) { c++; }
    int64_t factor = unit_factor(suffix), bytes;
    if (*c != '\0' || factor == 0 || __builtin_mul_overflow(whole, factor, &bytes) ||
        __builtin_add_overflow(bytes, (int64_t)(fraction * (double)factor + 0.5), &bytes)) {
        return false;
    }
    *bytes_out = bytes;
    return true;
}

enum it_status it_parse_size(const char *text, int64_t *bytes_out)
{
    if (it_size_from_text(text, bytes_out)) { return IT_OK; }
    return it_fail(IT_INVALID, "\"%s\": expected a size such as 38GiB, 512MB or 1024", text);
}

char *it_format_size(int64_t bytes, char *buffer, size_t size)
{
    static const char *const names[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    if (value > -1024 && value < 1024) {
        snprintf(buffer, size, "%d B", (int)bytes);
        return buffer;
    }
    size_t unit = 0;
    value /= 1024;
    /* 1023.95 would print as 1024.0 */
    while ((value >= 1023.95 || value <= -1023.95) && unit + 1 < sizeof names / sizeof names[0]) {
        value /= 1024;
        unit++;
    }
    snprintf(buffer, size, "%.1f %s", value, names[unit]);
    return buffer;
}
