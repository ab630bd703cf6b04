/*
 * huber.h - torch.nn.HuberLoss, d = x - t: d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2); over the
 * elements.
 */
#ifndef KERN_LOSS_HUBER_H
#define KERN_LOSS_HUBER_H

#include "kernels/loss/rows.h"

static const struct cs_param huber_params[] = {{
    .name = "delta",
    .type = CS_FLOAT,
    .def = "1",
    .min = 1e-30,
    .max = 1e30,
    .help = "error above which it is absolute",
}};

KERN_LOSS_ONE_NUMBER(huber)

static const struct kern_loss huber_info = {
    .name = "huber",
    .help = "squared error, absolute above delta (torch.nn.HuberLoss)",
    .params = huber_params,
    .param_count = 1,
    .takes = {[KERN_CLASSES] = true, [KERN_FRACTIONS] = true, [KERN_VALUES] = true},
    .by_element = true,
    .half = 0.5f,
    .begin = huber_begin,
};

KERN_LOSS_BY_OUTPUT(huber)

KERN_FN float huber_value(float x, float t, float w, const struct kern_loss_row *row,
                          const float *v)
{
    const float d = x - t, a = fabsf(d);

    (void) w;
    (void) row;
    return a <= v[0] ? 0.5f * d * d : v[0] * (a - 0.5f * v[0]);
}

KERN_FN float huber_slope(float x, float t, float w, const struct kern_loss_row *row,
                          const float *v)
{
    const float d = x - t, side = d > 0.0f ? v[0] : -v[0];

    (void) w;
    (void) row;
    return fabsf(d) <= v[0] ? d : side;
}

#endif

#ifdef KERN_LOSS_EACH
KERN_LOSS_EACH(huber)
#endif
