/*
 * one_cycle.c - OneCycleLR: from max_lr / div_factor up to max_lr in the first pct_start of the training, then down
 * to max_lr / div_factor / final_div_factor; momentum the other way (arXiv 1708.07120). With three_phase the way
 * down first leads back to the start, in as many steps as the way up. PyTorch computes it from the settings alone,
 * and stops with an error after total_steps; here the lowest rate stays. Phases end at pct_start x total_steps - 1,
 * 2 x pct_start x total_steps - 2 and total_steps - 1, no whole numbers as a rule.
 */
#include <math.h>

#include "trainer/schedulers/scheduler.h"

static const char *const strategies[] = {"cos", "linear", NULL};

static const struct cs_param params[] = {
    {"max_lr", CS_FLOAT, "0", 0, INFINITY, 0, NULL, "the highest rate; 0: the optimizer's lr"},
    {"total_steps", CS_INT, "0", 0, 1e12, 0, NULL, "steps of the cycle; 0: the whole training"},
    {"pct_start", CS_FLOAT, "0.3", 0, 1, 0, NULL, "part of the cycle in which the rate rises"},
    {"anneal_strategy", CS_NAME, "cos", 0, 0, 0, strategies, "the form of the ways up and down"},
    {"cycle_momentum", CS_BOOL, "yes", 0, 1, 0, NULL,
     "drive the momentum, or the first of betas, the other way"},
    {"base_momentum", CS_FLOAT, "0.85", 0, 0.9999999, 0, NULL, "momentum at the highest rate"},
    {"max_momentum", CS_FLOAT, "0.95", 1e-30, 0.9999999, 0, NULL, "momentum at the ends"},
    {"div_factor", CS_FLOAT, "25", 1e-30, INFINITY, 0, NULL, "max_lr / the first rate"},
    {"final_div_factor", CS_FLOAT, "10000", 1e-30, INFINITY, 0, NULL,
     "the first rate / the last rate"},
    {"three_phase", CS_BOOL, "no", 0, 1, 0, NULL, "up, back to the start, then down"},
};
enum {
    MAX_LR,
    TOTAL_STEPS,
    PCT_START,
    ANNEAL_STRATEGY,
    CYCLE_MOMENTUM,
    BASE_MOMENTUM,
    MAX_MOMENTUM,
    DIV_FACTOR,
    FINAL_DIV_FACTOR,
    THREE_PHASE
};

static void take(const struct train_phase *phase, struct train_rate *rate, double *state,
                 const struct train_now *now)
{
    const double *args = phase->args, base = args[BASE_MOMENTUM], high = args[MAX_MOMENTUM];
    const double top = args[MAX_LR] > 0 ? args[MAX_LR] : rate->initial_lr;
    const double first = top / args[DIV_FACTOR], last = first / args[FINAL_DIV_FACTOR];
    const double total = args[TOTAL_STEPS] > 0 ? args[TOTAL_STEPS] : (double) now->total;
    const double at = (double) now->count, up = args[PCT_START] * total - 1;
    const bool straight = args[ANNEAL_STRATEGY] == 1;
    double start = 0, end = up, from = first, to = top, from_momentum = high, to_momentum = base;

    (void) state;
    if (at > up) {
        const double back = 2 * args[PCT_START] * total - 2;
        const bool third = args[THREE_PHASE] != 0 && at > back;
        start = third ? back : up;
        end = args[THREE_PHASE] != 0 && !third ? back : total - 1;
        from = third ? first : top;
        to = args[THREE_PHASE] != 0 && !third ? first : last;
        from_momentum = third ? high : base;
        to_momentum = high;
    }
    const double part = end > start ? fmin((at - start) / (end - start), 1) : 1;
    rate->lr = train_anneal(from, to, part, straight);
    if (args[CYCLE_MOMENTUM] != 0)
        rate->momentum = train_anneal(from_momentum, to_momentum, part, straight);
}

static double momentum(const double *args)
{
    return args[CYCLE_MOMENTUM] != 0 ? args[MAX_MOMENTUM] : NAN;
}

const struct train_scheduler train_scheduler_one_cycle = {
    .name = "one_cycle",
    .help = "OneCycleLR: up to max_lr and far down again, once; momentum the other way",
    .params = params,
    .param_count = CS_COUNT(params),
    .per_step = true,
    .momentum = momentum,
    .begin = take,
    .next = take,
};
