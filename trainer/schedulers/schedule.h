/*
 * schedule.h - the learning rate of a trial: a schedule, warm-up before it, from settings to numbers.
 *
 * A schedule is begun before the first step and asked again after every step; it changes the rate after an epoch
 * or after a step, as its `interval` says, exactly where a PyTorch loop calls scheduler.step(). All it remembers
 * stands in struct train_rate, one for each parameter group: functions of it are pure, so a copy taken at any step
 * goes on with the same rates. Numbers are doubles throughout.
 *
 * Warm-up: the rate rises in a straight line from warmup_start times the first rate of the schedule to that rate,
 * over warmup_epochs (rising after each epoch, or after each step where interval = step) or warmup_steps (after
 * each step). Then the schedule begins, at its own epoch 0, as in PyTorch's SequentialLR: T_max and the like
 * count from there. An epoch that warmup_steps ends inside counts as its epoch 0.
 *
 * A rate that is not a number >= 0 (a rule of one's own can give one) is an error: CS_ERANGE.
 */
#ifndef TRAIN_SCHEDULE_H
#define TRAIN_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/cs_param.h"

struct cs_error;
struct train_schedule;

enum { TRAIN_RATE_STATE = 16 };

struct train_rate {
    double lr;         /* of the next step */
    double initial_lr; /* of the optimizer's settings */
    double momentum;   /* of the next step; NAN: as configured */
    double state[TRAIN_RATE_STATE];
};

/* Where training stands, counted from its very beginning. */
struct train_clock {
    int64_t epoch, step;             /* done */
    int64_t epochs, steps_per_epoch; /* epochs in all */
    bool epoch_over;                 /* the last step ended an epoch, and it was evaluated: */
    double val_loss, val_score;      /* score: the higher the better */
};

/* The text of a setting, or NULL when it is not given: its row's default. */
typedef const char *(*train_lookup)(void *context, const char *key);

/*
 * Check and build from `scheduler` and the keys that belong to it; all lives in the arena. Messages begin with
 * `key = value: `.
 */
int train_schedule_create(struct train_schedule **out, train_lookup get, void *context,
                          struct cs_arena *arena, struct cs_error *err);

/* A setting of the schedule whose text has a canonical form of its own (phases, chain): its key, or NULL. */
const char *train_schedule_text_key(const struct train_schedule *schedule, const char **canonical);

/* The momentum that the schedule sets at its beginning, NAN when it leaves momentum alone. */
double train_schedule_momentum(const struct train_schedule *schedule);

/* May the rate change inside an epoch? */
bool train_schedule_by_step(const struct train_schedule *schedule);

/* Does it follow the evaluation of each epoch, so that its rates are not known beforehand? */
bool train_schedule_follows_values(const struct train_schedule *schedule);

int train_schedule_begin(const struct train_schedule *schedule, struct train_rate *rate,
                         double initial_lr, const struct train_clock *clock, struct cs_error *err);

/* After each step; a step that ends an epoch is given once, after the evaluation. */
int train_schedule_next(const struct train_schedule *schedule, struct train_rate *rate,
                        const struct train_clock *clock, struct cs_error *err);

#endif
