/*
 * run_records.h - what a run writes of its plan before anything is trained: its trials and itself in the journal, and
 * sweep.ini.
 */
#ifndef SWEEP_RUN_RECORDS_H
#define SWEEP_RUN_RECORDS_H

#include "common/cs_json.h"
#include "sweep/journal.h"
#include "sweep/plan.h"

struct cs_error;

/* Trials of the plan that the journal knows take their numbers and names from there. */
void sweep_run_adopt(struct sweep_plan *plan, const struct sweep_state *state);

/* [{"key", "value"[, "num"]}] */
json_t *sweep_run_params(const struct sweep_trial *trial);

/* How many finished trials of the sweep are none of the plan: the grid's settings are others now. */
size_t sweep_run_count_outside(const struct sweep_plan *plan, const struct sweep_state *state);

int sweep_run_journal_trial(sweep_journal *journal, const struct sweep_trial *trial,
                            struct cs_error *err);

/* The run begins; flushes the trials. experiment: the hash of the one that is written. */
int sweep_run_journal_sweep(sweep_journal *journal, const struct sweep_plan *plan,
                            const char *experiment, struct cs_error *err);

/* The experiment last written, "" = none. */
const char *sweep_run_last_experiment(const struct sweep_state *state);

/* dir/sweep.ini, when it is not this already. */
int sweep_run_freeze_grid(const struct sweep_plan *plan, const char *dir, struct cs_error *err);

#endif
