/*
 * seeds.h - mean and standard deviation over the seeds of a point, as runs of their own; written by the controller.
 *
 *   _sweep/mean,optimizer=adam,lr=0.001/   the tags that are better high or low, as the trials write them: their means
 *   _sweep/std,optimizer=adam,lr=0.001/    Seeds/TAG/std, and mean, low and high (mean -+ std) for bands around it
 *
 * Standard deviations divide by n - 1. They are written when all seeds of a point are over, for the epochs that all
 * of them have with a number, from the curves in their checkpoints; the journal's `seeds` records say for which trials.
 * More seeds: a new file, and the old one is deleted.
 */
#ifndef SWEEP_SEEDS_H
#define SWEEP_SEEDS_H

#include "checkpoints/ckpt.h"
#include "sweep/journal.h"
#include "sweep/plan.h"

struct cs_error;
typedef struct sweep_seeds sweep_seeds;

/* All but records is borrowed. */
struct sweep_seeds_place {
    const struct sweep_plan *plan;
    const char *dir; /* runs/<sweep> */
    ckpt_store *store;
    sweep_journal *journal;
    const struct sweep_state *records; /* of earlier runs */
};

/* What a point's mean is called, behind "mean": ",optimizer=adam,lr=0.001". The caller frees. */
char *sweep_seeds_name(const char *trial_name);

/* Nothing is ever written for a plan with a single seed. */
sweep_seeds *sweep_seeds_create(const struct sweep_seeds_place *place);
void sweep_seeds_free(sweep_seeds *seeds); /* NULL is fine */

/* The trial is over after so many epochs. */
void sweep_seeds_over(sweep_seeds *seeds, const struct sweep_trial *trial, int epoch);

/* Write the point of this trial, or of every trial, where all its seeds are over and it was not written before. */
int sweep_seeds_write(sweep_seeds *seeds, const struct sweep_trial *trial, struct cs_error *err);
int sweep_seeds_write_all(sweep_seeds *seeds, struct cs_error *err);

#endif
