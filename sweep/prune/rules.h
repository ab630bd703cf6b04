/* rules.h - what several pruners do alike. */
#ifndef SWEEP_PRUNE_RULES_H
#define SWEEP_PRUNE_RULES_H

#include "sweep/prune/prune.h"

/* The rows behind those of a pruner that judges at intervals, and how many they are. */
#define SWEEP_PRUNE_INTERVAL_ROWS                                                            \
    {"n_warmup_steps", CS_INT, "0", 0, 1e9, 0, NULL, "epochs before this one prune nobody"}, \
    {                                                                                        \
        "interval_steps", CS_INT, "1", 1, 1e9, 0, NULL,                                      \
            "epochs between judgements, counted from n_warmup_steps"                         \
    }

/* Optuna's interval: the first epoch there is once warm-up is over, then warm-up plus multiples of the interval. */
bool sweep_prune_on_interval(int epoch, double warmup, double interval);

/* Is a better than b? Not when one is NaN. */
bool sweep_prune_better(const struct sweep_case *c, double a, double b);

/* The trial's value at the epoch, and its best up to there; NaN: it has none that is a number. */
double sweep_prune_now(const struct sweep_case *c);
double sweep_prune_best(const struct sweep_case *c);

/* Did the earlier trial m, of the same lot, get to the epoch? *value is what it had there. */
bool sweep_prune_rival(const struct sweep_case *c, int m, double *value);

/*
 * The percentile (0: the best, 100: the worst) of the rivals' values at the epoch, interpolated as numpy does; those that
 * are NaN left out. *count is how many got there; NaN when that is less than least or none has a value.
 */
double sweep_prune_percentile(const struct sweep_case *c, double percentile, double least,
                              int *count);

/* Median and percentile: keys from n_startup_trials on stand at args. */
enum { SWEEP_STARTUP, SWEEP_WARMUP, SWEEP_INTERVAL, SWEEP_LEAST };
enum sweep_verdict sweep_prune_percentile_alone(const double *args, const struct sweep_case *c,
                                                struct cs_buf *why);
bool sweep_prune_percentile_compare(const double *args, double percentile, const char *what,
                                    const struct sweep_case *c, struct cs_buf *why);

/* Successive halving: is the epoch resource * factor^(rate + a whole number >= 0)? */
bool sweep_prune_is_rung(int epoch, double resource, double factor, double rate);
enum sweep_verdict sweep_prune_rung_alone(const struct sweep_case *c, struct cs_buf *why);
bool sweep_prune_rung_compare(const struct sweep_case *c, double factor, double bootstrap,
                              struct cs_buf *why);

#endif
