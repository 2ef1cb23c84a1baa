/* SPDX-License-Identifier: MIT */
/* Which files of a repository are wanted. */
#include "core/data/pull_internal.h"

#include <fnmatch.h>
#include <string.h>

#include "core/base/mem.h"

/* What models are read from, and what says whose they are. */
static const char *const model_include[] = {
    "*.safetensors", "*.json",    "*.jinja",  "*merges.txt", "*vocab.txt",   "*tokenizer.model",
    "*.tiktoken",    "*LICENSE*", "*NOTICE*", "*README*",    "*USE_POLICY*",
};
/* The same weights once more, for other programs. */
static const char *const model_exclude[] = {
    "original/*", "onnx/*", "openvino/*", "*consolidated*.safetensors", "*.bin.index.json",
};

/* "*" matches slashes, too; a backslash is a letter. */
static bool matches(const char *pattern, const char *path)
{
    struct it_str whole = {0};
    it_str_puts(&whole, pattern);
    if (it_ends_with(pattern, "/")) { it_str_putc(&whole, '*'); }
    bool match = fnmatch(it_str_c(&whole), path, FNM_NOESCAPE) == 0;
    it_str_free(&whole);
    return match;
}

static bool any(const char *const *pattern, size_t n, const char *path)
{
    for (size_t i = 0; i < n; i++) {
        if (matches(pattern[i], path)) { return true; }
    }
    return false;
}

static bool any_of(const struct it_strs *patterns, const char *path)
{
    return patterns && any((const char *const *)patterns->item, patterns->n, path);
}

static bool is_wanted(const struct it_pull_options *o, const char *path)
{
    if (any_of(o->exclude, path)) { return false; }
    if (o->include && o->include->n) { return any_of(o->include, path); }
    if (strcmp(o->kind, "model") != 0) { return true; }
    return any(model_include, sizeof model_include / sizeof *model_include, path) &&
           !any(model_exclude, sizeof model_exclude / sizeof *model_exclude, path);
}

static enum it_status none(const struct it_pull_options *o, const struct it_pull_list *list)
{
    enum { SHOWN = 8 };
    struct it_str names = {0};
    for (size_t i = 0; i < list->n && i < SHOWN; i++) {
        it_str_printf(&names, "%s%s", i ? ", " : "", list->file[i].path);
    }
    it_fail(IT_NOT_FOUND, "%s: %s none of its %zu files: %s%s", o->repo_id,
            o->include && o->include->n ? "--include and --exclude leave"
                                        : "what is taken of a model without --include leaves",
            list->n, it_str_c(&names), list->n > SHOWN ? " ..." : "");
    it_str_free(&names);
    return IT_NOT_FOUND;
}

/* A model whose weights have another form is of no use here: better said before the transfer. */
static void look_for_weights(const struct it_pull_options *o, const struct it_pull_list *list,
                             const char *other)
{
    if (strcmp(o->kind, "model") != 0 || (o->include && o->include->n) || !other) { return; }
    for (size_t i = 0; i < list->n; i++) {
        if (it_ends_with(list->file[i].path, ".safetensors")) { return; }
    }
    it_warn("%s: no .safetensors file; weights as in %s are not read here, and are left out "
            "(--include takes them)",
            o->repo_id, other);
}

enum it_status it_pull_select(const struct it_pull_hub *hub, struct it_pull_list *list)
{
    static const char *const weights[] = {"*.bin", "*.pth", "*.pt", "*.gguf", "*.h5", "*.msgpack"};
    const struct it_pull_options *o = hub->options;
    size_t n = 0;
    char *other = NULL; /* weights that are left out */
    for (size_t i = 0; i < list->n && n == 0; i++) { n += is_wanted(o, list->file[i].path); }
    if (n == 0) { return none(o, list); }
    n = 0;
    for (size_t i = 0; i < list->n; i++) {
        struct it_pull_file *file = &list->file[i];
        if (is_wanted(o, file->path)) {
            list->file[n++] = *file;
            continue;
        }
        if (!other && any(weights, sizeof weights / sizeof *weights, file->path)) {
            other = it_strdup(file->path);
        }
        it_free(file->path);
    }
    list->n = n;
    look_for_weights(o, list, other);
    it_free(other);
    return IT_OK;
}
