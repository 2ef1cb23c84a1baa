/* SPDX-License-Identifier: MIT */
/* The table of commands, and the way from a command line to an exit code. */
#include <string.h>

#include "cli/cli.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "version.h"

static const struct it_command *const commands[] = {
    &it_command_train,    &it_command_pretrain, &it_command_generate, &it_command_score,
    &it_command_eval,     &it_command_grade,    &it_command_tokenize, &it_command_init,
    &it_command_devices,  &it_command_doctor,   &it_command_replay,   &it_command_report,
    &it_command_bench,    &it_command_select,   &it_command_analyze,
    &it_command_sandbox,  &it_command_export,   &it_command_pull,
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

const struct it_command *it_command_at(size_t index)
{
    return index < N_COMMANDS ? commands[index] : NULL;
}

static void print_version(void)
{
    printf("intuitor %s (%s), backends:", IT_VERSION, IT_GIT_HASH);
    for (size_t i = 0; it_backend_at(i); i++) { printf(" %s", it_backend_name(it_backend_at(i))); }
    printf("\n");
}

static void print_help(FILE *stream)
{
    fprintf(stream, "intuitor: train language models on their own confidence\n\n"
                    "usage: intuitor COMMAND [options]\n\n");
    for (size_t i = 0; i < N_COMMANDS; i++) {
        fprintf(stream, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    }
    fprintf(stream, "\nintuitor COMMAND --help says what a command takes. --version prints the "
                    "version.\n\nexample: intuitor train recipes/demo.yaml\n");
}

static const struct it_command *find(const char *name)
{
    const char *names[N_COMMANDS];
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (strcmp(commands[i]->name, name) == 0) { return commands[i]; }
        names[i] = commands[i]->name;
    }
    const char *closest = it_closest(name, names, N_COMMANDS);
    if (closest) {
        it_fail(IT_INVALID, "unknown command \"%s\"; did you mean \"%s\"?", name, closest);
    } else {
        it_fail(IT_INVALID, "unknown command \"%s\"; intuitor --help lists them", name);
    }
    return NULL;
}

static void set_log(const struct it_cli_common *common)
{
    if (common->quiet) { it_log_set_level(IT_LOG_WARN); }
    if (common->verbose) { it_log_set_level(IT_LOG_DEBUG); }
    if (common->debug) { it_log_set_level(IT_LOG_TRACE); }
}

static enum it_status run(const struct it_command *command, int argc, char **argv)
{
    struct it_strs arguments = {0};
    void *values = it_calloc(1, command->values_size);
    const struct it_cli_common *common = values;
    enum it_status status = it_cli_parse(command, argc, argv, values, &arguments);
    if (status == IT_OK && common->help) {
        it_cli_help(command);
    } else if (status == IT_OK) {
        set_log(common);
        status = command->run(values, &arguments);
    }
    if (status == IT_OK && (fflush(stdout) || ferror(stdout))) {
        status = it_fail(IT_IO, "standard output: writing failed");
    }
    it_strs_free(&arguments);
    it_options_free(&command->table, values);
    it_free(values);
    return status;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return it_status_exit_code(IT_INVALID);
    }
    if (strcmp(argv[1], "--version") == 0) {
        print_version();
        return 0;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return 0;
    }
    const struct it_command *command = find(argv[1]);
    if (!command) { return it_status_exit_code(IT_INVALID); }
    it_interrupt_install();
    return it_status_exit_code(run(command, argc - 2, argv + 2));
}
