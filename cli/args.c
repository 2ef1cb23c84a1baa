/* SPDX-License-Identifier: MIT */
/* Command lines against option tables. */
#include <string.h>

#include "cli/cli.h"
#include "core/base/mem.h"

enum it_status it_cli_usage(const struct it_command *command, const char *what)
{
    return it_fail(IT_INVALID, "%s: %s; usage: intuitor %s %s", command->name, what, command->name,
                   command->usage);
}

static bool is_option(const char *text)
{
    return text[0] == '-' && text[1] != '\0' && (text[1] != '-' || text[2] != '\0');
}

static enum it_status unknown(const struct it_command *command, const char *text)
{
    const struct it_option_table *t = &command->table;
    const char **names = it_calloc(t->n, sizeof *names);
    for (size_t i = 0; i < t->n; i++) { names[i] = t->row[i].name; }
    const char *closest = it_closest(text + strspn(text, "-"), names, t->n);
    it_free(names);
    if (closest) {
        return it_fail(IT_INVALID, "%s: unknown option %s; did you mean --%s?", command->name, text,
                       closest);
    }
    return it_fail(IT_INVALID, "%s: unknown option %s; intuitor %s --help lists them",
                   command->name, text, command->name);
}

/* A list option given again adds to what the command line gave before. */
static enum it_status set(const struct it_command *command, void *values, const char *where,
                          const struct it_option *row, const char *text, bool again)
{
    if (!again || row->type != IT_OPT_STRINGS) {
        return it_option_set(&command->table, values, where, row->name, text);
    }
    struct it_strs *now = (struct it_strs *)(void *)((char *)values + row->offset);
    struct it_str all = {0};
    for (size_t i = 0; i < now->n; i++) { it_str_printf(&all, "%s,", now->item[i]); }
    it_str_puts(&all, text);
    enum it_status status =
        it_option_set(&command->table, values, where, row->name, it_str_c(&all));
    it_str_free(&all);
    return status;
}

/* argv[*i] is an option: set it, and step over its value when that is the next word. */
static enum it_status take_option(const struct it_command *command, int argc, char **argv, int *i,
                                  void *values, bool *seen)
{
    const char *text = argv[*i], *name = text + (text[1] == '-' ? 2 : 1);
    const char *equals = strchr(name, '='), *value = equals ? equals + 1 : NULL;
    char *key = it_strndup(name, equals ? (size_t)(equals - name) : strlen(name));
    const struct it_option *row = it_option_find(&command->table, key);
    it_free(key);
    if (!row) { return unknown(command, text); }
    if (!value && row->type == IT_OPT_BOOL) { value = "true"; }
    if (!value) {
        if (*i + 1 >= argc) {
            return it_fail(IT_INVALID, "%s: %s needs a value", command->name, text);
        }
        value = argv[++*i];
    }
    size_t index = (size_t)(row - command->table.row);
    char *where = it_alloc(strlen(command->name) + 32);
    sprintf(where, "%s, command line", command->name);
    enum it_status status = set(command, values, where, row, value, seen[index]);
    seen[index] = true;
    it_free(where);
    return status;
}

enum it_status it_cli_parse(const struct it_command *command, int argc, char **argv, void *values,
                            struct it_strs *arguments_out)
{
    bool *seen = it_calloc(command->table.n, sizeof *seen), options = true;
    enum it_status status = it_options_init(&command->table, values);
    for (int i = 0; i < argc && status == IT_OK; i++) {
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
        } else if (options && is_option(argv[i])) {
            status = take_option(command, argc, argv, &i, values, seen);
        } else {
            it_strs_add(arguments_out, argv[i]);
        }
    }
    it_free(seen);
    return status;
}

void it_cli_help(const struct it_command *command)
{
    struct it_str text = {0};
    it_str_printf(&text, "intuitor %s: %s\n\nusage: intuitor %s %s\n\noptions (each as --name):\n",
                  command->name, command->summary, command->name, command->usage);
    it_options_help(&command->table, &text);
    if (command->recipe) {
        it_str_puts(&text, "\nrecipe keys (key: value in the file, key=value after it):\n");
        it_options_help(command->recipe, &text);
    }
    if (command->notes) { it_str_printf(&text, "\n%s", command->notes); }
    it_str_printf(&text, "\nexample: %s\n", command->example);
    fputs(it_str_c(&text), stdout);
    it_str_free(&text);
}
