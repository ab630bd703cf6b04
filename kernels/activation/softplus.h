/*
 * softplus.h - torch.nn.Softplus: y = log(1 + exp(B x)) / B, y' = 1 / (1 + exp(-B x)); where B x > T y = x and y' = 1.
 */
#ifndef KERN_ACTIVATION_SOFTPLUS_H
#define KERN_ACTIVATION_SOFTPLUS_H

#include "kernels/activation.h"
#include "kernels/math/elementary.h"

static const struct kern_activation softplus_info = {
    .name = "softplus",
    .usage = "softplus [B [T]]",
    .help = "log(1 + exp(B x)) / B, x where B x > T; B is 1, T 20 unless given (torch.nn.Softplus)",
    .args = 2,
    .defaults = {1, 20},
    .positive = 1,
};

KERN_FN float softplus_value(float x, const float *args)
{
    const float z = args[0] * x, bounded = z > args[1] ? 0.0f : z;
    const float y = kern_log1p(kern_exp(bounded)) / args[0];

    return z > args[1] ? x : y;
}

/* Of the input x. */
KERN_FN float softplus_slope(float x, const float *args)
{
    const float z = args[0] * x;

    return z > args[1] ? 1.0f : kern_sigmoid(z);
}

#endif

#ifdef KERN_ACTIVATION_EACH
KERN_ACTIVATION_EACH(softplus)
#endif
