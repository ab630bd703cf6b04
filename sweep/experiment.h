/*
 * experiment.h - runs/<sweep>/_sweep/: the one HParams experiment of a sweep, written by the controller.
 *
 * TensorBoard takes the first experiment it sees and never again looks at it, so a changed one goes into a new run
 * folder (_sweep-2, ...) and the old folder is deleted afterwards.
 */
#ifndef SWEEP_EXPERIMENT_H
#define SWEEP_EXPERIMENT_H

#include "sweep/plan.h"

struct cs_error;

/* Hash of everything the experiment says: when it is unchanged, nothing is written. */
void sweep_experiment_hash(char out[41], const struct sweep_plan *plan);

/* Write a new experiment run in dir and delete older ones. */
int sweep_experiment_write(const struct sweep_plan *plan, const char *dir, struct cs_error *err);

/* A text card beside it, in a file of its own. Steps from 1 on: step 0 is the experiment's. */
int sweep_experiment_note(const char *dir, const char *tag, int64_t step, const char *text,
                          struct cs_error *err);

#endif
