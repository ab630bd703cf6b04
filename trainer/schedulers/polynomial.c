/*
 * polynomial.c - PolynomialLR: the rate times (1 - e / total_iters)^power after e epochs, 0 in the end (recursively,
 * as PyTorch does).
 */
#include <math.h>

#include "trainer/schedulers/scheduler.h"

static const struct cs_param params[] = {
    {"total_iters", CS_INT, "5", 1, 1e9, 0, NULL, "epochs until the rate is 0"},
    {"power", CS_FLOAT, "1", 0, INFINITY, 0, NULL, "1: a straight line; 2: a parabola"},
};
enum { TOTAL_ITERS, POWER };

static void next(const struct train_phase *phase, struct train_rate *rate, double *state,
                 const struct train_now *now)
{
    const double e = (double) now->count, total = phase->args[TOTAL_ITERS];

    (void) state;
    if (e <= total)
        rate->lr *= pow((1 - e / total) / (1 - (e - 1) / total), phase->args[POWER]);
}

const struct train_scheduler train_scheduler_polynomial = {
    .name = "polynomial",
    .help = "PolynomialLR: down to 0 along a power of the time left",
    .params = params,
    .param_count = CS_COUNT(params),
    .next = next,
};
