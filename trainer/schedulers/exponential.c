/* exponential.c - ExponentialLR: after every epoch the rate is multiplied by gamma. PyTorch has no default gamma. */
#include <math.h>

#include "trainer/schedulers/scheduler.h"

static const struct cs_param params[] = {
    {"gamma", CS_FLOAT, "0.9", 0, INFINITY, 0, NULL, "factor of one epoch"},
};

static void next(const struct train_phase *phase, struct train_rate *rate, double *state,
                 const struct train_now *now)
{
    (void) state;
    (void) now;
    rate->lr *= phase->args[0];
}

const struct train_scheduler train_scheduler_exponential = {
    .name = "exponential",
    .help = "ExponentialLR: times gamma every epoch",
    .params = params,
    .param_count = CS_COUNT(params),
    .next = next,
};
