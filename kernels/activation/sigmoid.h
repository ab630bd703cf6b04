/*
 * sigmoid.h - torch.nn.Sigmoid: y = 1 / (1 + exp(-x)), y' = y (1 - y).
 */
#ifndef KERN_ACTIVATION_SIGMOID_H
#define KERN_ACTIVATION_SIGMOID_H

#include "kernels/activation.h"
#include "kernels/math/elementary.h"

static const struct kern_activation sigmoid_info = {
    .name = "sigmoid",
    .usage = "sigmoid",
    .help = "1 / (1 + exp(-x)) (torch.nn.Sigmoid)",
    .from_output = true,
};

KERN_FN float sigmoid_value(float x, const float *args)
{
    (void) args;
    return kern_sigmoid(x);
}

/* Of the output y. */
KERN_FN float sigmoid_slope(float y, const float *args)
{
    (void) args;
    return y * (1.0f - y);
}

#endif

#ifdef KERN_ACTIVATION_EACH
KERN_ACTIVATION_EACH(sigmoid)
#endif
