/*
 * cmd_worker.c - `csweep worker`: the training process, started by `run` (trainer/worker.h). Not for people.
 *
 * Before anything else it ties its life to the controller's: PR_SET_PDEATHSIG, then a look whether the parent
 * is still the one that started it. Then it pins itself.
 */
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "sweep/cmd.h"
#include "trainer/worker.h"

static void pin(int cpu)
{
    cpu_set_t set;

    if (cpu < 0)
        return;
    CPU_ZERO(&set);
    CPU_SET((size_t) cpu, &set);
    sched_setaffinity(0, sizeof set,
                      &set); /* refused: it runs unpinned, and reports the CPUs it got */
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {{"cpu", required_argument, NULL, 'c'},
                                            {"parent", required_argument, NULL, 'p'},
                                            {NULL, 0, NULL, 0}};
    long parent = 0;
    int cpu = -1, option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'c')
            cpu = atoi(optarg);
        else if (option == 'p')
            parent = atol(optarg);
        else
            return SWEEP_EXIT_USAGE;
    }
    if (parent > 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != (pid_t) parent)
            return SWEEP_EXIT_ENVIRONMENT; /* the controller died before prctl */
    }
    pin(cpu);
    return train_worker_run(STDIN_FILENO, STDOUT_FILENO);
}

const struct sweep_command sweep_command_worker = {
    .name = "worker",
    .summary = NULL,
    .help = "usage: csweep worker [--cpu N] [--parent PID]\n\nThe training process: commands on "
            "stdin, reports on "
            "stdout, one JSON line each.\nStarted by csweep run.\n",
    .run = run,
};
