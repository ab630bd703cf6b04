/* step.c - StepLR: every step_size epochs the rate is multiplied by gamma (recursively, as PyTorch does). */
#include <math.h>

#include "trainer/schedulers/scheduler.h"

static const struct cs_param params[] = {
    {"step_size", CS_INT, "30", 1, 1e9, 0, NULL, "epochs between two steps"},
    {"gamma", CS_FLOAT, "0.1", 0, INFINITY, 0, NULL, "factor of one step"},
};
enum { STEP_SIZE, GAMMA };

static void next(const struct train_phase *phase, struct train_rate *rate, double *state,
                 const struct train_now *now)
{
    (void) state;
    if (now->count % (int64_t) phase->args[STEP_SIZE] == 0)
        rate->lr *= phase->args[GAMMA];
}

const struct train_scheduler train_scheduler_step = {
    .name = "step",
    .help = "StepLR: times gamma every step_size epochs",
    .params = params,
    .param_count = CS_COUNT(params),
    .next = next,
};
