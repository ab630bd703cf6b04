/*
 * cosine_restarts.c - CosineAnnealingWarmRestarts: half a cosine from the rate down to eta_min in T_0 epochs, then
 * from the start again, each time T_mult times as long (SGDR, arXiv 1608.03983). From the initial rate, as PyTorch
 * does; it has no default T_0.
 *
 * state: [0] epochs since the restart, [1] epochs from that restart to the next
 */
#include <math.h>

#include "trainer/schedulers/scheduler.h"

static const struct cs_param params[] = {
    {"T_0", CS_INT, "10", 1, 1e9, 0, NULL, "epochs to the first restart"},
    {"T_mult", CS_INT, "1", 1, 1e9, 0, NULL, "factor of the length from restart to restart"},
    {"eta_min", CS_FLOAT, "0", 0, INFINITY, 0, NULL, "the lowest rate"},
};
enum { T_0, T_MULT, ETA_MIN };

static void take(const struct train_phase *phase, struct train_rate *rate, const double *state)
{
    const double low = phase->args[ETA_MIN];

    rate->lr = low + (rate->initial_lr - low) * (1 + cos(M_PI * state[0] / state[1])) / 2;
}

static void begin(const struct train_phase *phase, struct train_rate *rate, double *state,
                  const struct train_now *now)
{
    (void) now;
    state[1] = phase->args[T_0];
    take(phase, rate, state);
}

static void next(const struct train_phase *phase, struct train_rate *rate, double *state,
                 const struct train_now *now)
{
    (void) now;
    state[0]++;
    if (state[0] >= state[1]) {
        state[0] -= state[1];
        state[1] *= phase->args[T_MULT];
    }
    take(phase, rate, state);
}

const struct train_scheduler train_scheduler_cosine_restarts = {
    .name = "cosine_restarts",
    .help = "CosineAnnealingWarmRestarts: half a cosine down to eta_min, again and again",
    .params = params,
    .param_count = CS_COUNT(params),
    .state = 2,
    .begin = begin,
    .next = next,
};
