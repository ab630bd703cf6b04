/*
 * cosine.c - CosineAnnealingLR: half a cosine from the rate down to eta_min in T_max epochs; beyond them the cosine
 * goes on and the rate rises again (arXiv 1608.03983 without restarts). Recursively, as PyTorch does: the quotient
 * of two neighbours on the cosine, but at its lowest point, where the quotient is 0 / 0, the rise from eta_min.
 * PyTorch has no default T_max.
 */
#include <math.h>

#include "trainer/schedulers/scheduler.h"

static const struct cs_param params[] = {
    {"T_max", CS_INT, "10", 1, 1e9, 0, NULL, "epochs down to eta_min; as many more lead up again"},
    {"eta_min", CS_FLOAT, "0", 0, INFINITY, 0, NULL, "the lowest rate"},
};
enum { T_MAX, ETA_MIN };

static void next(const struct train_phase *phase, struct train_rate *rate, double *state,
                 const struct train_now *now)
{
    const double t_max = phase->args[T_MAX], low = phase->args[ETA_MIN], e = (double) now->count;
    const int64_t half = (int64_t) t_max;

    (void) state;
    if ((now->count - 1 - half) % (2 * half) == 0)
        rate->lr += (rate->initial_lr - low) * (1 - cos(M_PI / t_max)) / 2;
    else
        rate->lr =
            (1 + cos(M_PI * e / t_max)) / (1 + cos(M_PI * (e - 1) / t_max)) * (rate->lr - low) +
            low;
}

const struct train_scheduler train_scheduler_cosine = {
    .name = "cosine",
    .help = "CosineAnnealingLR: half a cosine down to eta_min",
    .params = params,
    .param_count = CS_COUNT(params),
    .next = next,
};
