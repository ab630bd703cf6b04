/*
 * run.h - the controller: plan -> journal -> slots, until every trial is over.
 *
 * It trains nothing and reads no data. One libuv loop; no work in signal handlers.
 *
 *   WAITING --dispatch--> RUNNING --"end" report--> OVER
 *      ^                     |
 *      +---- worker died ----+   (at most `retries` times, then OVER as failed)
 *
 * Invariants
 *   1 Nothing is made on disk before the grid is right and its data can be read.
 *   2 At most one controller per sweep (the journal's lock); a trial is given to one worker at a time.
 *   3 A trial is OVER only after its `end` record is on the disk. A worker's report follows its checkpoint, so a
 *     controller killed in between finds the trial complete when it asks for it again.
 *   4 A failed trial never takes the sweep down; a full disk or a failing journal stops it, resumable.
 *   5 First Ctrl-C (SIGINT, SIGTERM, SIGHUP): workers checkpoint and leave. Second: they are killed. Both resumable.
 */
#ifndef SWEEP_RUN_H
#define SWEEP_RUN_H

#include <stdbool.h>

#include "sweep/plan.h"

struct sweep_run_options {
    const char *logdir; /* "runs" */
    const char *store;  /* "checkpoints.git" */
    int jobs;           /* 0: one per CPU */
    int fuse;           /* trials per bundle; 0: auto, 1: off */
    int retries;        /* after a worker died; default 2 */
    bool quiet, json;
};

/* Train what is not done yet; returns an exit code, messages printed. */
int sweep_run(struct sweep_plan *plan, const struct sweep_run_options *options);

#endif
