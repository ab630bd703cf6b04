/*
 * tanh.h - torch.nn.Tanh: y = tanh x, y' = 1 - y^2.
 */
#ifndef KERN_ACTIVATION_TANH_H
#define KERN_ACTIVATION_TANH_H

#include "kernels/activation.h"
#include "kernels/math/elementary.h"

static const struct kern_activation tanh_info = {
    .name = "tanh",
    .usage = "tanh",
    .help = "hyperbolic tangent (torch.nn.Tanh)",
    .from_output = true,
};

KERN_FN float tanh_value(float x, const float *args)
{
    (void) args;
    return kern_tanh(x);
}

/* Of the output y. */
KERN_FN float tanh_slope(float y, const float *args)
{
    (void) args;
    return fmaf(-y, y, 1.0f);
}

#endif

#ifdef KERN_ACTIVATION_EACH
KERN_ACTIVATION_EACH(tanh)
#endif
