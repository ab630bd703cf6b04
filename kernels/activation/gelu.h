/*
 * gelu.h - torch.nn.GELU(): x Phi(x) by erf (arXiv 1606.08415).
 *
 *     y = (x / 2)(1 + erf(x / sqrt 2)),  y' = (1 + erf(x / sqrt 2)) / 2 + x exp(-x^2 / 2) / sqrt(2 pi)
 */
#ifndef KERN_ACTIVATION_GELU_H
#define KERN_ACTIVATION_GELU_H

#include "kernels/activation.h"
#include "kernels/math/elementary.h"

static const struct kern_activation gelu_info = {
    .name = "gelu",
    .usage = "gelu",
    .help = "x times the normal distribution function of x (torch.nn.GELU)",
};

KERN_FN float gelu_value(float x, const float *args)
{
    (void) args;
    return 0.5f * x * (1.0f + kern_erf(x * 0x1.6a09e6p-1f));
}

/* Of the input x. */
KERN_FN float gelu_slope(float x, const float *args)
{
    const float phi = kern_exp(x * x * -0.5f) * 0x1.988454p-2f;

    (void) args;
    return fmaf(x, phi, 0.5f * (1.0f + kern_erf(x * 0x1.6a09e6p-1f)));
}

#endif

#ifdef KERN_ACTIVATION_EACH
KERN_ACTIVATION_EACH(gelu)
#endif
