/* step.c - StepLR: every step_size epochs the rate is multiplied by gamma (recursively, as PyTorch does). */
#include <math.h>

#include "trainer/schedulers/scheduler.h"

static const struct cs_param params[] = {
    {"step_size", CS_INT, "30", 1, 1e9, 0, NULL, "epochs between two steps"},
    {"gamma", CS_FLOAT, "0.1", 0, INFINITY, 0, NULL, "factor of one step"},
};

static double next(double *state, const double *args, double initial_lr, double lr, int64_t epoch,
                   double val_loss, double val_accuracy)
{
    (void) state;
    (void) initial_lr;
    (void) val_loss;
    (void) val_accuracy;
    return epoch % (int64_t) args[0] == 0 ? lr * args[1] : lr;
}

const struct train_scheduler train_scheduler_step = {
    .name = "step",
    .help = "StepLR: times gamma every step_size epochs",
    .params = params,
    .param_count = CS_COUNT(params),
    .begin = train_scheduler_begin_plain,
    .next = next,
};
