/* cmd_worker.c - `csweep worker`: the training process, started by `run` (trainer/worker.h). Not for people. */
#include <stddef.h>
#include <unistd.h>

#include "sweep/cmd.h"
#include "trainer/worker.h"

static int run(int argc, char **argv)
{
    (void) argc;
    (void) argv;
    return train_worker_run(STDIN_FILENO, STDOUT_FILENO);
}

const struct sweep_command sweep_command_worker = {
    .name = "worker",
    .summary = NULL,
    .help = "usage: csweep worker\n\nThe training process: commands on stdin, reports on stdout, "
            "one JSON line each.\n"
            "Started by csweep run.\n",
    .run = run,
};
