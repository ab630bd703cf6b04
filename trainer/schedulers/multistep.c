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

static void next(const struct train_phase *phase, struct train_rate *rate, double *state,
                 const struct train_now *now)
{
    const double *args = phase->args;
    int reached = 0;

    (void) state;
    for (int i = 0; i < (int) args[COUNT]; i++)
        reached += (int64_t) args[MILESTONES + i] == now->count;
    if (reached)
        rate->lr *= pow(args[GAMMA], reached);
}

const struct train_scheduler train_scheduler_multistep = {
    .name = "multistep",
    .help = "MultiStepLR: times gamma at every milestone",
    .params = params,
    .param_count = CS_COUNT(params),
    .next = next,
};
