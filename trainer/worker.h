/*
 * worker.h - the process that trains: commands in on one descriptor, reports out on another.
 *
 * Both are lines of JSON. Commands:
 *   {"cmd":"train","store":PATH,"metric":TAG,"maximize":BOOL,"target":EXPR,"fuse":N,"data":PATH,"judged":BOOL,
 *    "trials":[{"number","name","dir","tag","title","group","attempt","config","from","anew",
 *               "params":[{"key","value"} or {"key","value","num"}]}]}
 *       train these trials, equal in shape, in bundles of at most N; data is where workers share the data set
 *       (trainer/data/share.h; "": nowhere), dir the run folder, tag the prefix of its two tags (`tag`/best,
 *       `tag`/last), config the text of config.ini, from (may be missing) the tag prefix of a shorter trial with
 *       these settings, to go on from when the trial has no checkpoint yet; anew (may be missing): from
 *       epoch 0, and what was saved is replaced before the start is reported.
 *       Judged: those that stand where the one with the lowest number does are trained, in one bundle, the others are
 *       reported as waiting at once.
 *   {"cmd":"judge","trials":[{"number","verdict":"go","next":EPOCH}, {"number","verdict":"prune","pruner","why"},
 *                            {"number","verdict":"aside"}]}
 *       the answer to `ask`: go on, and ask again after the epoch `next` (0: never); or save the trial and end it as
 *       pruned, or as waiting. Trials not named go on.
 * Reports, each with "event":
 *   ready     pid, backend (the CPU instance in use), cpus (what it may run on)
 *   start     number, epoch, step (where it goes on; 0, 0 = from the start), epochs, steps, target_epoch (if met), from
 *             (when it was taken over from there just now), anew (why it was not)
 *   values    number, values: the metric's at the epochs 1, 2, ... that a judged trial had before. The epoch in which a
 *             trial diverged is left out. Comes before `start`, or `end` of one that is over
 *   ask       trials [{number, epoch, step}]: a judged bundle has begun there, or some of it are at epochs to be
 *             judged; it waits for `judge`
 *   progress  number, epoch (from 1), step, steps, loss (mean so far), samples_per_second; at most 5 a second
 *   epoch     number, epoch, epochs, seconds, total_seconds (of all epochs and attempts), metrics {TAG: value},
 *             diverged (true when it did in this one)
 *   end       number, state (done, stopped, diverged, pruned, waiting, interrupted, failed), cause, detail, epoch, step,
 *             epochs, seconds, last {TAG: value}, best {TAG: {value, epoch}}, tags [ref], target_epoch, superseded_bytes
 *   idle      all trials of the command have ended
 *
 * Order of writing, per epoch and at the end: events, checkpoint, report. So what is reported is on the disk, and
 * a trial killed at any moment goes on from its `last` tag with the same bits.
 *
 * SIGTERM: finish the step, checkpoint every trial in hand, report them interrupted, leave. The end of the
 * commands: leave after the work in hand.
 */
#ifndef TRAIN_WORKER_H
#define TRAIN_WORKER_H

struct cs_error;
struct train_spec;

/*
 * Seconds of an epoch with its validation, of one of `trials` such trained together here, on one worker: measured, by
 * training on random data for about `budget` seconds, but at least two steps. Needs no data set, writes nothing.
 */
int train_estimate(double *seconds, const struct train_spec *spec, int trials, double budget,
                   struct cs_error *err);

/* Would a worker start here, with which CPU instance? No when CSWEEP_CPU names what this machine lacks. */
int train_worker_check(const char **instance, struct cs_error *err);

/* What the user ought to know about an instance: it is slow. cap: CSWEEP_CPU, or NULL. NULL: nothing. */
const char *train_worker_warning(const char *instance, const char *cap);

/* Runs until `in` ends or SIGTERM; returns the exit code: 0, or 1 when a command could not be read. */
int train_worker_run(int in, int out);

#endif
