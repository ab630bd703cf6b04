/*
 * verdicts.h - the controller's side of pruning: what judged workers tell and ask, and what they are answered.
 *
 * A worker asks for all trials of its bundle at once and waits; it is answered when every verdict of the question is
 * known, or hangs on a trial that no worker has: then that one is set aside (why this never blocks: prune/judge.h).
 * Values come from the workers, and for trials that are over from the curves of their checkpoints.
 */
#ifndef SWEEP_VERDICTS_H
#define SWEEP_VERDICTS_H

#include "checkpoints/ckpt.h"
#include "common/cs_json.h"
#include "sweep/plan.h"

typedef struct sweep_verdicts sweep_verdicts;

struct sweep_verdicts_hooks {
    void *context;
    bool (*held)(void *context, int number); /* does a worker have it? */
    void (*answer)(void *context, int slot, const json_t *command);
};

/* plan has a pruner, and is borrowed. */
sweep_verdicts *sweep_verdicts_create(const struct sweep_plan *plan,
                                      const struct sweep_verdicts_hooks *hooks);
void sweep_verdicts_free(sweep_verdicts *v); /* NULL is fine */

/* A trial, in the order of numbers. spared: it is never pruned. */
void sweep_verdicts_add(sweep_verdicts *v, const struct sweep_trial *trial, bool spared);

/*
 * A trial that is over: its curve from its `last` checkpoint, but for the epoch it diverged in. CS_ENONAME: there is
 * none, so it counts for nobody.
 */
int sweep_verdicts_recall(sweep_verdicts *v, const struct sweep_trial *trial, bool diverged,
                          ckpt_store *store, struct cs_error *err);

/* A worker's `values`, `epoch` and `ask`; a trial is over; a slot's worker is gone, with its question. */
void sweep_verdicts_values(sweep_verdicts *v, const json_t *report);
void sweep_verdicts_epoch(sweep_verdicts *v, const json_t *report);
void sweep_verdicts_ask(sweep_verdicts *v, int slot, const json_t *report);
void sweep_verdicts_end(sweep_verdicts *v, int number);
void sweep_verdicts_gone(sweep_verdicts *v, int slot);

/* Answer what can be answered now: call it after any of these, and when a worker gets or loses trials. */
void sweep_verdicts_settle(sweep_verdicts *v);

#endif
