/*
 * judge.h - the curves of a sweep's trials, and the verdicts that prune.h promises of them. No processes, no files.
 *
 * A verdict of comparison waits until every lower trial has got to the epoch or is over. It never waits for ever,
 * with any number of workers, as the controller keeps three rules:
 *   a  Waiting trials are handed out in the order of their numbers, and one that is handed out has lower ones that are
 *      handed out too, or over.
 *   b  A trial whose verdict hangs on one that no worker has is set aside: its worker saves it and is free for others.
 *   c  Trials that a worker trains together are all at one epoch.
 * Progress: take, of the workers that wait for verdicts, one at the least epoch s, and suppose that none is training.
 * All trials that workers have are at s or later, so what its verdicts hang on no worker has, and by b its trials are
 * judged or set aside. Set aside, a trial is behind the lower one by a; the lowest of all hangs on nobody.
 */
#ifndef SWEEP_JUDGE_H
#define SWEEP_JUDGE_H

#include "sweep/prune/prune.h"

typedef struct sweep_judge sweep_judge;

/* pruning and sweep (the name, see hyperband.c) are borrowed. */
sweep_judge *sweep_judge_create(const struct sweep_pruning *pruning, const char *sweep,
                                bool maximize);
void sweep_judge_free(sweep_judge *judge); /* NULL is fine */

/* One more trial, of a number higher than all before. spared: it is compared with, but never judged. */
void sweep_judge_add(sweep_judge *judge, int number, int epochs, bool spared);

/* Its value at an epoch; told again, the same. Epochs come in order. Unknown numbers are nobody's. */
void sweep_judge_tell(sweep_judge *judge, int number, int epoch, double value);

/* It trains no further, for now or for ever. */
void sweep_judge_end(sweep_judge *judge, int number);

/* The next epoch after this one at which there is a verdict on the trial; 0: there is none. */
int sweep_judge_next(const sweep_judge *judge, int number, int epoch);

/*
 * The verdict on a trial that stands at the end of an epoch, all of its values told. SWEEP_COMPARE: not yet, it hangs on
 * the trial *on. why gets the reason to prune.
 */
enum sweep_verdict sweep_judge_verdict(sweep_judge *judge, int number, int epoch, int *on,
                                       struct cs_buf *why);

#endif
