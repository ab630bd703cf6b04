/*
 * leaky_relu.h - torch.nn.LeakyReLU: y = x > 0 ? x : A x, y' = x > 0 ? 1 : A.
 */
#ifndef KERN_ACTIVATION_LEAKY_RELU_H
#define KERN_ACTIVATION_LEAKY_RELU_H

#include "kernels/activation.h"
#include "kernels/math/elementary.h"

static const struct kern_activation leaky_relu_info = {
    .name = "leaky_relu",
    .usage = "leaky_relu [A]",
    .help = "x above 0, A x below; A is 0.01 unless given (torch.nn.LeakyReLU)",
    .args = 1,
    .defaults = {0.01},
};

KERN_FN float leaky_relu_value(float x, const float *args)
{
    return x > 0.0f ? x : args[0] * x;
}

/* Of the input x. */
KERN_FN float leaky_relu_slope(float x, const float *args)
{
    return x > 0.0f ? 1.0f : args[0];
}

#endif

#ifdef KERN_ACTIVATION_EACH
KERN_ACTIVATION_EACH(leaky_relu)
#endif
