/* none.c - the rate as given, for ever. */
#include <stddef.h>

#include "trainer/schedulers/scheduler.h"

static double next(double *state, const double *args, double initial_lr, double lr, int64_t epoch,
                   double val_loss, double val_accuracy)
{
    (void) state;
    (void) args;
    (void) initial_lr;
    (void) epoch;
    (void) val_loss;
    (void) val_accuracy;
    return lr;
}

const struct train_scheduler train_scheduler_none = {
    .name = "none",
    .help = "the rate stays as given",
    .begin = train_scheduler_begin_plain,
    .next = next,
};
