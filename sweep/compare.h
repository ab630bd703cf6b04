/*
 * compare.h - the comparison at the end of a run: per choice, the best learning rate and how it did over seeds.
 *
 * Trials of the plan are grouped by every parameter that varies but `lr`; inside a group each learning rate is
 * judged by the mean over its seeds of the metric's best value, and the best one is shown. Standard deviations
 * are over seeds (n - 1). A pruned trial counts like others, with its best and its last value up to there: leaving it out
 * would make its rate look better than it is. A rate one of whose seeds diverged is worse than any that did not. Epochs to the
 * target are the mean over the seeds that reached it, with their number when not all did.
 */
#ifndef SWEEP_COMPARE_H
#define SWEEP_COMPARE_H

#include "sweep/journal.h"
#include "sweep/plan.h"

/* The table on stdout, with counts of what failed or diverged. */
void sweep_compare_print(const struct sweep_plan *plan, const struct sweep_state *state);

/* The table as Markdown, appended. */
void sweep_compare_markdown(struct cs_buf *out, const struct sweep_plan *plan,
                            const struct sweep_state *state);

/* The same as one line {"event":"sweep","rows":[...]} on stdout. */
void sweep_compare_json_line(const struct sweep_plan *plan, const struct sweep_state *state);

/* Is a value of the metric better than another? NaN (none) is worse than any number, and not better than NaN. */
bool sweep_is_better(bool maximize, double value, double than);

/* value of best[metric] or last[metric]; NaN when absent. */
double sweep_record_best(const struct sweep_record *record, const char *metric, int *epoch);
double sweep_record_last(const struct sweep_record *record, const char *metric);

#endif
