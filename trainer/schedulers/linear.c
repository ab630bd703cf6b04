/*
 * linear.c - LinearLR: the factor of the rate goes from start_factor to end_factor in total_iters equal steps and
 * stays there (recursively, as PyTorch does: it divides by the factor so far, so start_factor is above 0).
 */
#include "trainer/schedulers/scheduler.h"

static const struct cs_param params[] = {
    {"start_factor", CS_FLOAT, "0.3333333333333333", 1e-30, 1, 0, NULL,
     "factor of the first epoch"},
    {"end_factor", CS_FLOAT, "1", 0, 1, 0, NULL, "factor in the end"},
    {"total_iters", CS_INT, "5", 1, 1e9, 0, NULL, "epochs until then"},
};
enum { START, END, TOTAL_ITERS };

static void begin(const struct train_phase *phase, struct train_rate *rate, double *state,
                  const struct train_now *now)
{
    (void) state;
    (void) now;
    rate->lr *= phase->args[START];
}

static void next(const struct train_phase *phase, struct train_rate *rate, double *state,
                 const struct train_now *now)
{
    const double *args = phase->args;
    const double rise = args[END] - args[START], total = args[TOTAL_ITERS];

    (void) state;
    if ((double) now->count <= total)
        rate->lr *= 1 + rise / (total * args[START] + (double) (now->count - 1) * rise);
}

const struct train_scheduler train_scheduler_linear = {
    .name = "linear",
    .help = "LinearLR: a straight line from one factor to another; as it comes, a warm-up",
    .params = params,
    .param_count = CS_COUNT(params),
    .begin = begin,
    .next = next,
};
