/*
 * prune.h - which trials are not worth training on: the pruners, one file each, and their settings in [sweep].
 *
 * Names, keys, defaults and rules are Optuna's (optuna/pruners/); a step is an epoch, counted from 1, and the value is
 * the sweep's metric at that epoch. Key names that trials use already have prune_ before them.
 *
 * Contract
 *   1 A verdict on trial n at epoch s depends on values of the metric only: on the trial's own at epochs <= s, and at
 *     epochs <= s on those of the trials with lower numbers. These are what a run of one trial after the other would
 *     know at least. So the same grid prunes the same trials at the same epochs, whatever workers there are, whatever is
 *     trained together, and after whatever interruptions.
 *   2 All trials with a lower number that got to epoch s are compared with, pruned ones too. Optuna's median and
 *     percentile count only those that ended complete, which would leave one trial to run at a time; its halving pruners
 *     do as is done here.
 *   3 The last epoch of a trial is not judged: there is nothing to save. Neither is a trial that ended by itself.
 *   4 The epoch in which a trial diverged counts for nobody, those before it do. A trial that failed, or was too slow
 *     (stop_trial), counts with the epochs that it reported; how many that are is not in the metrics, so where that
 *     happens contract 1 does not bind. Trials that were trained without pruning count with all that they have.
 *   5 Values that are not a number: Optuna's rules, which each file states.
 *
 * A verdict is asked for where the pruner is due. First from the trial's own values: most of the time they decide, and
 * nobody waits. Else by comparison, once every lower trial has got to the epoch or has ended before (judge.h).
 */
#ifndef SWEEP_PRUNE_H
#define SWEEP_PRUNE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/cs_param.h"

struct cs_error;
struct sweep_pruner;

enum { SWEEP_PRUNE_ARGS = 8 };

/* `prune` and its keys, read. */
struct sweep_pruning {
    const struct sweep_pruner *kind;
    double
        args[SWEEP_PRUNE_ARGS]; /* of kind's rows; a name is its index; NaN: not given; 0: auto */
    const struct sweep_pruning *wrapped; /* by patient; NULL: none */
};

/* The metric of one trial. */
struct sweep_curve {
    int number;
    int epochs, most; /* that it is to train; the most of this trial and all before it */
    int lot;          /* see struct sweep_pruner */
    int count;        /* epochs known */
    double *value;    /* [count], [0] of epoch 1 */
    bool over;        /* there come no more */
    bool spared;      /* is never judged */
};

/* What a verdict may look at, and up to which epoch: of the curves only what lies before it. */
struct sweep_case {
    bool maximize;
    const struct sweep_curve *curves; /* [index + 1], by number; the last is the trial's own */
    int index, epoch;
};

enum sweep_verdict { SWEEP_GO, SWEEP_PRUNE, SWEEP_COMPARE };

struct sweep_pruner {
    const char *name, *help;
    const struct cs_param *params; /* a CS_TEXT row takes `auto` or a whole number >= 1 */
    int param_count;
    /* Do the settings fit together? The message begins with `key = value: ` or `key: `. NULL: always. */
    int (*check)(const double *args, struct cs_error *err);
    /* Trials are compared with those of the same lot only. NULL: there is one. */
    int (*lot)(const struct sweep_pruning *p, const char *sweep, const struct sweep_curve *curve);
    /* May it prune the trial at this epoch? Nothing but the numbers of epochs decides. */
    bool (*due)(const struct sweep_pruning *p, const struct sweep_curve *curve, int epoch);
    /* At an epoch where it is due, from the trial's own values; why gets the reason to prune. */
    enum sweep_verdict (*alone)(const struct sweep_pruning *p, const struct sweep_case *c,
                                struct cs_buf *why);
    /* Is it to be pruned, compared with those before it? Called after alone() said so. NULL: never needed. */
    bool (*compare)(const struct sweep_pruning *p, const struct sweep_case *c, struct cs_buf *why);
};

/* The registry; NULL after the last. */
const struct sweep_pruner *const *sweep_pruners(void);
const struct sweep_pruner *sweep_pruner_find(const char *name);

/* The row of `prune` itself. */
const struct cs_param *sweep_prune_row(void);

/* A key of [sweep] that belongs to one pruner. */
struct sweep_prune_key {
    const char *owner;
    const struct cs_param *row;
};
const struct sweep_prune_key *sweep_prune_keys(size_t *count);

/* What a row must be, in words: of cs_param_expected, but for auto. */
const char *sweep_prune_expected(const struct cs_param *row, struct cs_arena *arena);

/* Where [sweep] is read from, and where its faults go. */
struct sweep_prune_source {
    void *context;
    /* The text of a key as written, NULL: not given. */
    const char *(*get)(void *context, const char *key);
    /* about: the key at whose line it stands. unused: no choice uses the key, nothing worse. */
    void (*fault)(void *context, const char *about, bool unused, const char *text);
};

/* The pruning asked for, in the arena; NULL: none, or faults were told. */
const struct sweep_pruning *sweep_prune_read(const struct sweep_prune_source *source,
                                             struct cs_arena *arena);

#endif
