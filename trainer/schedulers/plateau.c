/*
 * plateau.c - ReduceLROnPlateau: when the metric has not got better for more than `patience` epochs, the rate is
 * multiplied by factor; PyTorch's rules and defaults (threshold relative or absolute, cooldown, min_lr). lr_eps is
 * PyTorch's eps, which is a key of optimizers here. mode = min watches Loss/Val, mode = max Accuracy/Val, or R2/Val
 * where there is no accuracy. NaN is never better.
 *
 * state: [0] best, [1] bad epochs, [2] cooldown left
 */
#include <math.h>
#include <stddef.h>

#include "trainer/schedulers/scheduler.h"

static const char *const modes[] = {"min", "max", NULL};
static const char *const threshold_modes[] = {"rel", "abs", NULL};

static const struct cs_param params[] = {
    {"mode", CS_NAME, "min", 0, 0, 0, modes,
     "min: Loss/Val should fall; max: Accuracy/Val (R2/Val of values) should rise"},
    {"factor", CS_FLOAT, "0.1", 0, 0.9999999, 0, NULL, "factor of one reduction"},
    {"patience", CS_INT, "10", 0, 1e9, 0, NULL, "epochs without improvement that are borne"},
    {"threshold", CS_FLOAT, "1e-4", 0, INFINITY, 0, NULL, "how much better counts"},
    {"threshold_mode", CS_NAME, "rel", 0, 0, 0, threshold_modes,
     "threshold relative to the best, or absolute"},
    {"cooldown", CS_INT, "0", 0, 1e9, 0, NULL, "epochs to wait after a reduction"},
    {"min_lr", CS_FLOAT, "0", 0, INFINITY, 0, NULL, "the rate never goes below"},
    {"lr_eps", CS_FLOAT, "1e-8", 0, INFINITY, 0, NULL,
     "a change of the rate by no more than this is not made (PyTorch's eps)"},
};
enum { MODE, FACTOR, PATIENCE, THRESHOLD, THRESHOLD_MODE, COOLDOWN, MIN_LR, LR_EPS };

static void begin(const struct train_phase *phase, struct train_rate *rate, double *state,
                  const struct train_now *now)
{
    (void) rate;
    (void) now;
    state[0] = phase->args[MODE] == 0 ? INFINITY : -INFINITY;
}

static bool better(double metric, double best, const double *args)
{
    const double t = args[THRESHOLD];

    if (args[MODE] == 0)
        return args[THRESHOLD_MODE] == 0 ? metric < best * (1 - t) : metric < best - t;
    return args[THRESHOLD_MODE] == 0 ? metric > best * (1 + t) : metric > best + t;
}

static void next(const struct train_phase *phase, struct train_rate *rate, double *state,
                 const struct train_now *now)
{
    const double *args = phase->args;
    const double metric = args[MODE] == 0 ? now->clock->val_loss : now->clock->val_score;

    if (better(metric, state[0], args)) {
        state[0] = metric;
        state[1] = 0;
    } else {
        state[1]++;
    }
    if (state[2] > 0) {
        state[2]--;
        state[1] = 0;
    }
    if (state[1] <= args[PATIENCE])
        return;
    state[1] = 0;
    state[2] = args[COOLDOWN];
    const double reduced = fmax(rate->lr * args[FACTOR], args[MIN_LR]);
    if (rate->lr - reduced > args[LR_EPS])
        rate->lr = reduced;
}

const struct train_scheduler train_scheduler_plateau = {
    .name = "plateau",
    .help = "ReduceLROnPlateau: times factor when the metric stops getting better",
    .params = params,
    .param_count = CS_COUNT(params),
    .state = 3,
    .epochs_only = true,
    .begin = begin,
    .next = next,
};
