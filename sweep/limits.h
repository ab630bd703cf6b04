/*
 * limits.h - the keys of [sweep] that end a sweep, or a trial, before its time: what their texts mean.
 */
#ifndef SWEEP_LIMITS_H
#define SWEEP_LIMITS_H

#include <stdbool.h>

struct cs_error;

struct sweep_limits {
    bool target_stops; /* the first trial that meets target ends the sweep */
    double budget;     /* seconds that one run of csweep may take, 0: any */
    double stop_trial; /* times the median of finished trials that a trial may take, 0: any */
    double halt;       /* failed trials that end the sweep, 0: any number of them */
    bool halt_percent; /* halt is a share of all trials, of 100 */
    const char *budget_text, *stop_trial_text, *halt_text; /* as given */
};

/* The keys, NULL-terminated; their rows stand in the table of [sweep] (plan.c). */
extern const char *const sweep_limit_keys[];

/* Take the text of one of these keys; "" is the default but for target_stops, which is yes or no. */
int sweep_limits_take(struct sweep_limits *limits, const char *key, const char *text,
                      struct cs_error *err);

#endif
