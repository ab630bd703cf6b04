/*
 * constant.c - ConstantLR: the rate times factor for total_iters epochs, then the rate as given (recursively, as
 * PyTorch does: it divides by factor again, so factor is above 0).
 */
#include "trainer/schedulers/scheduler.h"

static const struct cs_param params[] = {
    {"factor", CS_FLOAT, "0.3333333333333333", 1e-30, 1, 0, NULL, "factor of the first epochs"},
    {"total_iters", CS_INT, "5", 1, 1e9, 0, NULL, "epochs with the factor"},
};
enum { FACTOR, TOTAL_ITERS };

static void begin(const struct train_phase *phase, struct train_rate *rate, double *state,
                  const struct train_now *now)
{
    (void) state;
    (void) now;
    rate->lr *= phase->args[FACTOR];
}

static void next(const struct train_phase *phase, struct train_rate *rate, double *state,
                 const struct train_now *now)
{
    (void) state;
    if (now->count == (int64_t) phase->args[TOTAL_ITERS])
        rate->lr *= 1 / phase->args[FACTOR];
}

const struct train_scheduler train_scheduler_constant = {
    .name = "constant",
    .help = "ConstantLR: times factor for the first epochs, a warm-up in one stair",
    .params = params,
    .param_count = CS_COUNT(params),
    .begin = begin,
    .next = next,
};
