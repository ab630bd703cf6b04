/*
 * constant.c - ConstantLR: the rate times factor for total_iters epochs, then the rate as given (recursively, as
 * PyTorch does: it divides by factor again, so factor is above 0).
 */
#include <math.h>

#include "trainer/schedulers/scheduler.h"

static const struct cs_param params[] = {
    {"factor", CS_FLOAT, "0.3333333333333333", 1e-30, 1, 0, NULL, "factor of the first epochs"},
    {"total_iters", CS_INT, "5", 1, 1e9, 0, NULL, "epochs with the factor"},
};
enum { FACTOR, TOTAL_ITERS };

static double begin(double *state, const double *args, double initial_lr)
{
    (void) state;
    return initial_lr * args[FACTOR];
}

static double next(double *state, const double *args, double initial_lr, double lr, int64_t epoch,
                   double val_loss, double val_accuracy)
{
    (void) state;
    (void) initial_lr;
    (void) val_loss;
    (void) val_accuracy;
    return epoch == (int64_t) args[TOTAL_ITERS] ? lr * (1 / args[FACTOR]) : lr;
}

const struct train_scheduler train_scheduler_constant = {
    .name = "constant",
    .help = "ConstantLR: times factor for the first epochs, a warm-up in one stair",
    .params = params,
    .param_count = CS_COUNT(params),
    .begin = begin,
    .next = next,
};
