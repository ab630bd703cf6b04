/*
 * multiplicative.c - MultiplicativeLR: after every epoch the rate is multiplied by a rule of one's own (as in
 * lambda.c). It has no closed form, so that as a later phase of a sequence it goes on from the rate it finds, in
 * PyTorch and here.
 */
#include "trainer/schedulers/scheduler.h"

static const struct cs_param params[] = {
    {"lr_lambda", CS_TEXT, "0.95", 0, 0, 0, NULL,
     "factor of the last rate, over epoch epochs step steps lr: if(epoch=5, 0.1, 1)"},
};

static void next(const struct train_phase *phase, struct train_rate *rate, double *state,
                 const struct train_now *now)
{
    (void) state;
    rate->lr *= train_phase_rule(phase, rate, now);
}

const struct train_scheduler train_scheduler_multiplicative = {
    .name = "multiplicative",
    .help = "MultiplicativeLR: times lr_lambda, a rule of your own, every epoch",
    .params = params,
    .param_count = CS_COUNT(params),
    .text = TRAIN_RULE,
    .goes_on = true,
    .next = next,
};
