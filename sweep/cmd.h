/*
 * cmd.h - one command of the program: one file sweep/cmd_NAME.c ending in a const entry, and one line in list.h.
 *
 * run() gets argv from the command's own name on (argv[0] = "plan"), prints its messages, and returns an exit
 * code. Only sweep/ prints. Faults go to stderr as `csweep: message`, results to stdout.
 */
#ifndef SWEEP_CMD_H
#define SWEEP_CMD_H

struct cs_error;

enum sweep_exit {
    SWEEP_EXIT_OK = 0,          /* all asked for is done */
    SWEEP_EXIT_TRIAL = 1,       /* some trial failed, some check found something */
    SWEEP_EXIT_USAGE = 2,       /* unknown option, missing argument */
    SWEEP_EXIT_GRID = 3,        /* the grid file is wrong */
    SWEEP_EXIT_ENVIRONMENT = 4, /* no space, sweep held by another process, dataset unavailable */
    SWEEP_EXIT_INTERRUPTED = 130
};

struct sweep_command {
    const char *name;
    const char *summary; /* one line for `csweep --help`; NULL: not listed */
    const char *help;    /* whole text of `csweep NAME --help`, with an example */
    int (*run)(int argc, char **argv);
};

/* Print "csweep: place: message" to stderr. */
void sweep_print_error(const struct cs_error *err);

/* The exit code for a failure that is not a grid fault. */
int sweep_exit_code(const struct cs_error *err);

/* Print "csweep NAME: message; see csweep NAME --help" and return SWEEP_EXIT_USAGE. */
int sweep_usage(const struct sweep_command *command, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The value of --jobs: N, N% of the CPUs, or -N: all but N. -1: none of these. */
int sweep_parse_jobs(int *out, const char *text);

#endif
