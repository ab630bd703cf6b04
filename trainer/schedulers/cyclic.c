/*
 * cyclic.c - CyclicLR: up from base_lr to max_lr in step_size_up steps and down again in step_size_down, for ever;
 * momentum the other way (arXiv 1506.01186). mode = triangular2 halves the height every cycle, exp_range multiplies
 * it by gamma every step. PyTorch computes it from the settings alone, and has no default rates.
 */
#include <math.h>

#include "trainer/schedulers/scheduler.h"

static const char *const modes[] = {"triangular", "triangular2", "exp_range", NULL};

static const struct cs_param params[] = {
    {"base_lr", CS_FLOAT, "0", 0, INFINITY, 0, NULL, "the lowest rate"},
    {"max_lr", CS_FLOAT, "0", 0, INFINITY, 0, NULL, "the highest rate; 0: the optimizer's lr"},
    {"step_size_up", CS_INT, "2000", 1, 1e12, 0, NULL, "steps up"},
    {"step_size_down", CS_INT, "0", 0, 1e12, 0, NULL, "steps down; 0: as many as up"},
    {"mode", CS_NAME, "triangular", 0, 0, 0, modes,
     "the height: always the same, halved every cycle, or times gamma every step"},
    {"gamma", CS_FLOAT, "1", 0, INFINITY, 0, NULL, "factor of one step, for mode = exp_range"},
    {"cycle_momentum", CS_BOOL, "yes", 0, 1, 0, NULL,
     "drive the momentum, or the first of betas, the other way"},
    {"base_momentum", CS_FLOAT, "0.8", 0, 0.9999999, 0, NULL, "momentum at the highest rate"},
    {"max_momentum", CS_FLOAT, "0.9", 1e-30, 0.9999999, 0, NULL, "momentum at the lowest rate"},
};
enum {
    BASE_LR,
    MAX_LR,
    STEP_SIZE_UP,
    STEP_SIZE_DOWN,
    MODE,
    GAMMA,
    CYCLE_MOMENTUM,
    BASE_MOMENTUM,
    MAX_MOMENTUM
};
enum { TRIANGULAR, TRIANGULAR2, EXP_RANGE };

static void take(const struct train_phase *phase, struct train_rate *rate, double *state,
                 const struct train_now *now)
{
    const double *args = phase->args, low = args[BASE_LR], at = (double) now->count;
    const double top = args[MAX_LR] > 0 ? args[MAX_LR] : rate->initial_lr;
    const double up = args[STEP_SIZE_UP],
                 size = up + (args[STEP_SIZE_DOWN] > 0 ? args[STEP_SIZE_DOWN] : up),
                 ratio = up / size;
    const double cycle = floor(1 + at / size), x = 1 + at / size - cycle;
    const double height = x <= ratio ? x / ratio : (x - 1) / (ratio - 1);
    double scale = 1;

    (void) state;
    if (args[MODE] == TRIANGULAR2)
        scale = 1 / pow(2, cycle - 1);
    else if (args[MODE] == EXP_RANGE)
        scale = pow(args[GAMMA], at);
    rate->lr = low + (top - low) * height * scale;
    if (args[CYCLE_MOMENTUM] != 0)
        rate->momentum =
            args[MAX_MOMENTUM] - (args[MAX_MOMENTUM] - args[BASE_MOMENTUM]) * height * scale;
}

static double momentum(const double *args)
{
    return args[CYCLE_MOMENTUM] != 0 ? args[MAX_MOMENTUM] : NAN;
}

const struct train_scheduler train_scheduler_cyclic = {
    .name = "cyclic",
    .help = "CyclicLR: up and down between two rates, for ever; momentum the other way",
    .params = params,
    .param_count = CS_COUNT(params),
    .per_step = true,
    .momentum = momentum,
    .begin = take,
    .next = take,
};
