/*
 * pool.h - the slots: one worker process each (`csweep worker`), exec'd, pinned, talking JSON lines over pipes.
 *
 * Invariants
 *   1 A worker is this very binary, exec'd with its own session and process group; it dies with the controller
 *     (parent-death signal, checked against a race) and when its stdin ends.
 *   2 Slot i is pinned to one CPU of those the controller may use, with every BLAS and OpenMP told to be single.
 *   3 A slot runs one command at a time: starting -> idle <-> busy -> gone. A worker that exits is reported once,
 *     with how it ended, and not started again unless asked.
 *   4 Callbacks run on the loop, never inside a call of the pool.
 */
#ifndef SWEEP_POOL_H
#define SWEEP_POOL_H

#include <jansson.h>
#include <stdbool.h>
#include <uv.h>

struct cs_error;
typedef struct sweep_pool sweep_pool;

struct sweep_exit_info {
    int64_t status;    /* exit code */
    int signal;        /* that ended it, 0 = none */
    bool ours;         /* we sent it */
    const char *words; /* the last lines of its stderr, "" = none */
};

struct sweep_pool_hooks {
    void *context;
    void (*report)(void *context, int slot, const json_t *line);
    void (*exited)(void *context, int slot, const struct sweep_exit_info *how);
};

/* How many CPUs this process may use: affinity and cgroup quota, at least 1. */
int sweep_cpu_count(void);

sweep_pool *sweep_pool_create(uv_loop_t *loop, int slots, const struct sweep_pool_hooks *hooks);
void sweep_pool_free(sweep_pool *pool); /* all workers must have exited, the loop run dry */

/* Start the worker of a slot that has none. CS_ECHILD when it cannot be started. */
int sweep_pool_start(sweep_pool *pool, int slot, struct cs_error *err);
bool sweep_pool_alive(const sweep_pool *pool, int slot);

/* Send a command line to a slot whose worker lives. */
void sweep_pool_send(sweep_pool *pool, int slot, const json_t *command);

/* End of commands: an idle worker leaves, a busy one after its work. */
void sweep_pool_finish(sweep_pool *pool, int slot);

/* SIGTERM (checkpoint and leave) or SIGKILL to the group of a slot's worker, and of all that live. */
void sweep_pool_signal_slot(sweep_pool *pool, int slot, int signal_number);
void sweep_pool_signal(sweep_pool *pool, int signal_number);

#endif
