/*
 * main.c - find the command, call it. `csweep GRID.ini ...` is `csweep run GRID.ini ...`.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/cs_error.h"
#include "common/cs_str.h"
#include "sweep/cmd.h"
#include "sweep/list.h"
#include "version.h"

#define X(name) extern const struct sweep_command sweep_command_##name;
SWEEP_COMMANDS(X)
#undef X

static const struct sweep_command *const commands[] = {
#define X(name) &sweep_command_##name,
    SWEEP_COMMANDS(X)
#undef X
};

void sweep_print_error(const struct cs_error *err)
{
    if (err->where[0] && err->line)
        fprintf(stderr, "csweep: %s:%d: %s\n", err->where, err->line, err->detail);
    else if (err->where[0])
        fprintf(stderr, "csweep: %s: %s\n", err->where, err->detail);
    else
        fprintf(stderr, "csweep: %s\n", err->detail);
}

int sweep_exit_code(const struct cs_error *err)
{
    return err->code == CS_ENONAME ? SWEEP_EXIT_USAGE : SWEEP_EXIT_ENVIRONMENT;
}

int sweep_usage(const struct sweep_command *command, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fprintf(stderr, "csweep %s: ", command->name);
    vfprintf(stderr, fmt, args);
    fprintf(stderr, "; see csweep %s --help\n", command->name);
    va_end(args);
    return SWEEP_EXIT_USAGE;
}

static void help(void)
{
    puts("usage: csweep GRID.ini [KEY=VALUE ...]     expand the grid, train what is not done yet\n"
         "       csweep COMMAND ...                  see csweep COMMAND --help\n");
    for (size_t i = 0; i < CS_COUNT(commands); i++) {
        if (commands[i]->summary)
            printf("  %-10s %s\n", commands[i]->name, commands[i]->summary);
    }
    puts("\nexample: csweep sweeps/optimizers.ini --preset quick\n"
         "exit codes: 0 done, 1 a trial failed, 2 usage, 3 grid file, 4 environment, 130 "
         "interrupted");
}

static const struct sweep_command *find(const char *name)
{
    for (size_t i = 0; i < CS_COUNT(commands); i++) {
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    }
    return NULL;
}

/* A word that is no command: a grid file when it looks like one, else a slip worth a suggestion. */
static int unknown(const char *word)
{
    const char *names[CS_COUNT(commands)];
    size_t count = 0;

    for (size_t i = 0; i < CS_COUNT(commands); i++) {
        if (commands[i]->summary)
            names[count++] = commands[i]->name;
    }
    const char *near = cs_nearest(word, names, count);
    if (near)
        fprintf(stderr, "csweep: %s: no such command; did you mean %s?\n", word, near);
    else
        fprintf(
            stderr,
            "csweep: %s: no such command, and not a grid file (.ini, .csv); see csweep --help\n",
            word);
    return SWEEP_EXIT_USAGE;
}

static int dispatch(const struct sweep_command *command, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(command->help, stdout);
            return SWEEP_EXIT_OK;
        }
        if (strcmp(argv[i], "--") == 0)
            break;
    }
    return command->run(argc, argv);
}

int main(int argc, char **argv)
{
    static char run[] = "run";

    if (argc < 2) {
        help();
        return SWEEP_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        help();
        return SWEEP_EXIT_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("csweep " CSWEEP_VERSION);
        return SWEEP_EXIT_OK;
    }
    const struct sweep_command *command = find(argv[1]);
    if (command)
        return dispatch(command, argc - 1, argv + 1);
    const char *dot = strrchr(argv[1], '.');
    if (argv[1][0] != '-' && !(dot && (strcmp(dot, ".ini") == 0 || strcmp(dot, ".csv") == 0)) &&
        !strchr(argv[1], '/'))
        return unknown(argv[1]);
    argv[0] = run; /* csweep GRID.ini: argv[0] becomes the command's name */
    return dispatch(find("run"), argc, argv);
}
