/*
 * linear.c - LinearLR: the factor of the rate goes from start_factor to end_factor in total_iters equal steps and
 * stays there (recursively, as PyTorch does: it divides by the factor so far, so start_factor is above 0).
 */
#include <math.h>

#include "trainer/schedulers/scheduler.h"

static const struct cs_param params[] = {
    {"start_factor", CS_FLOAT, "0.3333333333333333", 1e-30, 1, 0, NULL,
     "factor of the first epoch"},
    {"end_factor", CS_FLOAT, "1", 0, 1, 0, NULL, "factor in the end"},
    {"total_iters", CS_INT, "5", 1, 1e9, 0, NULL, "epochs until then"},
};
enum { START, END, TOTAL_ITERS };

static double begin(double *state, const double *args, double initial_lr)
{
    (void) state;
    return initial_lr * args[START];
}

static double next(double *state, const double *args, double initial_lr, double lr, int64_t epoch,
                   double val_loss, double val_accuracy)
{
    const double rise = args[END] - args[START], total = args[TOTAL_ITERS];

    (void) state;
    (void) initial_lr;
    (void) val_loss;
    (void) val_accuracy;
    if ((double) epoch > total)
        return lr;
    return lr * (1 + rise / (total * args[START] + (double) (epoch - 1) * rise));
}

const struct train_scheduler train_scheduler_linear = {
    .name = "linear",
    .help = "LinearLR: a straight line from one factor to another; as it comes, a warm-up",
    .params = params,
    .param_count = CS_COUNT(params),
    .begin = begin,
    .next = next,
};
