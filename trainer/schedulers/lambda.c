/*
 * lambda.c - LambdaLR: the initial rate times a rule of one's own, an expression (common/cs_expr.h) over epoch and
 * step (done so far), epochs and steps (in all) and lr (the initial rate). PyTorch's rule sees the epoch alone.
 */
#include "trainer/schedulers/scheduler.h"

static const struct cs_param params[] = {
    {"lr_lambda", CS_TEXT, "1 - epoch/epochs", 0, 0, 0, NULL,
     "factor of the initial rate, over epoch epochs step steps lr: min(1, (epoch+1)/5)"},
};

static void take(const struct train_phase *phase, struct train_rate *rate, double *state,
                 const struct train_now *now)
{
    (void) state;
    rate->lr = rate->initial_lr * train_phase_rule(phase, rate, now);
}

const struct train_scheduler train_scheduler_lambda = {
    .name = "lambda",
    .help = "LambdaLR: the initial rate times lr_lambda, a rule of your own",
    .params = params,
    .param_count = CS_COUNT(params),
    .text = TRAIN_RULE,
    .begin = take,
    .next = take,
};
