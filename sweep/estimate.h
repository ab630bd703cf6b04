/*
 * estimate.h - how long the trials of a plan that are not done yet will take, and how much of the disk.
 *
 * Time: an epoch of a shape (trials that train in one bundle) takes what it took finished trials of the sweep, where
 * its journal has any, else what a few steps on random data take now, for MEASURED shapes at most; of other shapes
 * by their arithmetic beside that of these. The rest of a trial - files, checkpoints - is a fixed share. Nothing is
 * exact: it is for deciding whether to wait.
 */
#ifndef SWEEP_ESTIMATE_H
#define SWEEP_ESTIMATE_H

#include <stddef.h>

struct sweep_plan;

struct sweep_estimate {
    size_t trials;  /* that are not done */
    double seconds; /* on so many slots */
    double bytes;   /* of their checkpoints and event files */
    const char
        *basis; /* "journal", "measured", "journal, measured"; "" when nothing is to be done */
    int slots;
};

/* logdir: where the sweep's journal may be; read only. */
void sweep_estimate_plan(struct sweep_estimate *out, const struct sweep_plan *plan,
                         const char *logdir, int jobs);

#endif
