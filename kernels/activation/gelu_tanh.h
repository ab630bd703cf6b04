/*
 * gelu_tanh.h - torch.nn.GELU(approximate="tanh").
 *
 *     u = sqrt(2 / pi)(x + 0.044715 x^3),  y = (x / 2)(1 + tanh u)
 *     y' = (1 + tanh u) / 2 + (x / 2)(1 - tanh^2 u) sqrt(2 / pi)(1 + 0.134145 x^2)
 */
#ifndef KERN_ACTIVATION_GELU_TANH_H
#define KERN_ACTIVATION_GELU_TANH_H

#include "kernels/activation.h"
#include "kernels/math/elementary.h"

static const struct kern_activation gelu_tanh_info = {
    .name = "gelu_tanh",
    .usage = "gelu_tanh",
    .help = "gelu by its usual approximation with tanh (torch.nn.GELU(approximate='tanh'))",
};

KERN_FN float gelu_tanh_value(float x, const float *args)
{
    const float u = 0x1.988454p-1f * fmaf(0x1.6e4e26p-5f * x * x, x, x);

    (void) args;
    return 0.5f * x * (1.0f + kern_tanh(u));
}

/* Of the input x. */
KERN_FN float gelu_tanh_slope(float x, const float *args)
{
    const float t = kern_tanh(0x1.988454p-1f * fmaf(0x1.6e4e26p-5f * x * x, x, x));
    const float du = 0x1.988454p-1f * fmaf(0x1.12ba9ap-3f * x, x, 1.0f);

    (void) args;
    return fmaf(0.5f * x * du, fmaf(-t, t, 1.0f), 0.5f * (1.0f + t));
}

#endif

#ifdef KERN_ACTIVATION_EACH
KERN_ACTIVATION_EACH(gelu_tanh)
#endif
