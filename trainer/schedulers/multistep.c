/*
 * multistep.c - MultiStepLR: when as many epochs have passed as a milestone says, the rate is multiplied by gamma; a
 * milestone given twice counts twice (recursively, as PyTorch does).
 */
#include <math.h>

#include "trainer/schedulers/scheduler.h"

static const struct cs_param params[] = {
    {"gamma", CS_FLOAT, "0.1", 0, INFINITY, 0, NULL, "factor of one milestone"},
    {"milestones", CS_INTS, "30 60 90", 1, 1e9, 0, NULL, "epochs after which the rate falls"},
};
enum { GAMMA, COUNT, MILESTONES };

static double next(double *state, const double *args, double initial_lr, double lr, int64_t epoch,
                   double val_loss, double val_accuracy)
{
    const int count = (int) args[COUNT];
    int reached = 0;

    (void) state;
    (void) initial_lr;
    (void) val_loss;
    (void) val_accuracy;
    for (int i = 0; i < count; i++)
        reached += (int64_t) args[MILESTONES + i] == epoch;
    return reached ? lr * pow(args[GAMMA], reached) : lr;
}

const struct train_scheduler train_scheduler_multistep = {
    .name = "multistep",
    .help = "MultiStepLR: times gamma at every milestone",
    .params = params,
    .param_count = CS_COUNT(params),
    .begin = train_scheduler_begin_plain,
    .next = next,
};
