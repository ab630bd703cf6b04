/*
 * stop_rules.h - when a sweep, or one of its trials, ends before its time: target_stops, budget, halt, stop_trial.
 *
 * It only judges: the controller tells it what happens and does what it answers. A rule that holds for the sweep holds
 * from then on.
 *
 *   target  a trial met the target, in this run or before: all others are interrupted, and count as done with
 *   budget  the run's time is used up: all are interrupted
 *   halt    too many trials failed in this run: those that run go on to their end, no more are started
 *
 * Another target than last time: the journal's target_epoch of older trials is of the old one, so it is found again, in
 * the curves of their checkpoints, and journaled; with or without target_stops.
 */
#ifndef SWEEP_STOP_RULES_H
#define SWEEP_STOP_RULES_H

#include "checkpoints/ckpt.h"
#include "common/cs_json.h"
#include "sweep/journal.h"
#include "sweep/plan.h"

struct cs_error;
typedef struct sweep_stop_rules sweep_stop_rules;

enum sweep_stop_rule { SWEEP_STOP_NONE, SWEEP_STOP_TARGET, SWEEP_STOP_BUDGET, SWEEP_STOP_HALT };

/* The run begins. plan is borrowed. */
sweep_stop_rules *sweep_stop_rules_create(const struct sweep_plan *plan);
void sweep_stop_rules_free(sweep_stop_rules *rules); /* NULL is fine */

/* What the journal knows of a trial of the plan; *journaled is set when something was appended. */
int sweep_stop_rules_recall(sweep_stop_rules *rules, const struct sweep_trial *trial,
                            const struct sweep_record *record, ckpt_store *store,
                            sweep_journal *journal, bool *journaled, struct cs_error *err);

/* A worker's `start`, `epoch` or `end` of a trial; failed: it failed for good. */
void sweep_stop_rules_watch(sweep_stop_rules *rules, const struct sweep_trial *trial,
                            const json_t *report);
void sweep_stop_rules_failed(sweep_stop_rules *rules);

/* Does this `epoch` report make the trial too slow? Then detail gets how slow it is. */
bool sweep_stop_rules_is_slow(const sweep_stop_rules *rules, const struct sweep_trial *trial,
                              const json_t *report, struct cs_buf *detail);

/* The rule that holds for the sweep now, looking at the clock too; NULL rules: none. */
enum sweep_stop_rule sweep_stop_rules_holds(sweep_stop_rules *rules);

/* Which rule ended the sweep, and why, in a line without its end; waiting: trials that are left. */
void sweep_stop_rules_text(struct cs_buf *out, const sweep_stop_rules *rules, size_t waiting);

#endif
