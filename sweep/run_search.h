/*
 * run_search.h - the batches of a sequential search, between the rounds of a run.
 *
 * A round trains all trials that the plan has; then the next batch is drawn from their results. A `batch` record is on
 * the disk before the first of its trials is known to anybody, so a sweep that goes on has the same batches, also where a
 * trial that had failed has a result by now.
 */
#ifndef SWEEP_RUN_SEARCH_H
#define SWEEP_RUN_SEARCH_H

#include <stdbool.h>

#include "sweep/plan.h"

struct cs_error;

/*
 * Add the batches that dir/journal.jsonl holds, and one more when all trials are over; ended: a failed trial is so too.
 * Nothing where the plan is complete or the sweep has not begun.
 */
int sweep_run_extend(struct sweep_plan *plan, const char *dir, bool ended, struct cs_error *err);

#endif
