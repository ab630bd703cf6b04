/*
 * elu.h - torch.nn.ELU (arXiv 1511.07289): y = x > 0 ? x : A (exp(x) - 1), y' = x > 0 ? 1 : A exp(x).
 */
#ifndef KERN_ACTIVATION_ELU_H
#define KERN_ACTIVATION_ELU_H

#include "kernels/activation.h"
#include "kernels/math/elementary.h"

static const struct kern_activation elu_info = {
    .name = "elu",
    .usage = "elu [A]",
    .help = "x above 0, A (exp(x) - 1) below; A is 1 unless given (torch.nn.ELU)",
    .args = 1,
    .defaults = {1},
};

KERN_FN float elu_value(float x, const float *args)
{
    return x > 0.0f ? x : args[0] * kern_expm1(x);
}

/* Of the input x. */
KERN_FN float elu_slope(float x, const float *args)
{
    return x > 0.0f ? 1.0f : args[0] * kern_exp(x);
}

#endif

#ifdef KERN_ACTIVATION_EACH
KERN_ACTIVATION_EACH(elu)
#endif
