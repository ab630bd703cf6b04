/*
 * chain.c - ChainedScheduler: several schedules at once, each changing the rate that the one before left, so that
 * their factors multiply. Those that compute the rate from the initial one (cosine_restarts, one_cycle, cyclic,
 * lambda) undo what stands before them, in PyTorch too. Each has its part of the state, in order.
 */
#include "trainer/schedulers/scheduler.h"

static const struct cs_param params[] = {
    {"chain", CS_TEXT, "", 0, 0, 0, NULL,
     "schedules joined by *: constant factor=0.5 total_iters=4 * exponential gamma=0.9"},
};

static void begin(const struct train_phase *phase, struct train_rate *rate, double *state,
                  const struct train_now *now)
{
    for (int i = 0; i < phase->part_count; i++) {
        train_phase_begin(&phase->parts[i], rate, state, now);
        state += phase->parts[i].kind->state;
    }
}

static void next(const struct train_phase *phase, struct train_rate *rate, double *state,
                 const struct train_now *now)
{
    for (int i = 0; i < phase->part_count; i++) {
        train_phase_next(&phase->parts[i], rate, state, now);
        state += phase->parts[i].kind->state;
    }
}

const struct train_scheduler train_scheduler_chain = {
    .name = "chain",
    .help = "ChainedScheduler: several schedules at once, their factors multiplied",
    .params = params,
    .param_count = CS_COUNT(params),
    .text = TRAIN_CHAIN,
    .begin = begin,
    .next = next,
};
