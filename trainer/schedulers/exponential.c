/* exponential.c - ExponentialLR: after every epoch the rate is multiplied by gamma. PyTorch has no default gamma. */
#include <math.h>

#include "trainer/schedulers/scheduler.h"

static const struct cs_param params[] = {
    {"gamma", CS_FLOAT, "0.9", 0, INFINITY, 0, NULL, "factor of one epoch"},
};

static double next(double *state, const double *args, double initial_lr, double lr, int64_t epoch,
                   double val_loss, double val_accuracy)
{
    (void) state;
    (void) initial_lr;
    (void) epoch;
    (void) val_loss;
    (void) val_accuracy;
    return lr * args[0];
}

const struct train_scheduler train_scheduler_exponential = {
    .name = "exponential",
    .help = "ExponentialLR: times gamma every epoch",
    .params = params,
    .param_count = CS_COUNT(params),
    .begin = train_scheduler_begin_plain,
    .next = next,
};
