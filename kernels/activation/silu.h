/*
 * silu.h - torch.nn.SiLU: y = x s with s = 1 / (1 + exp(-x)), y' = s (1 + x (1 - s)).
 */
#ifndef KERN_ACTIVATION_SILU_H
#define KERN_ACTIVATION_SILU_H

#include "kernels/activation.h"
#include "kernels/math/elementary.h"

static const struct kern_activation silu_info = {
    .name = "silu",
    .usage = "silu",
    .help = "x times its sigmoid, also called swish (torch.nn.SiLU)",
};

KERN_FN float silu_value(float x, const float *args)
{
    (void) args;
    return x * kern_sigmoid(x);
}

/* Of the input x. */
KERN_FN float silu_slope(float x, const float *args)
{
    const float s = kern_sigmoid(x);

    (void) args;
    return s * fmaf(x, 1.0f - s, 1.0f);
}

#endif

#ifdef KERN_ACTIVATION_EACH
KERN_ACTIVATION_EACH(silu)
#endif
