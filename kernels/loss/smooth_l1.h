/*
 * smooth_l1.h - torch.nn.SmoothL1Loss, d = x - t: d^2 / (2 beta) where |d| < beta, else |d| - beta / 2; over the
 * elements. beta = 0 is l1.
 */
#ifndef KERN_LOSS_SMOOTH_L1_H
#define KERN_LOSS_SMOOTH_L1_H

#include "kernels/loss/rows.h"

static const struct cs_param smooth_l1_params[] = {{
    .name = "beta",
    .type = CS_FLOAT,
    .def = "1",
    .min = 0,
    .max = 1e30,
    .help = "error below which it is squared; 0: nowhere, as l1",
}};

KERN_LOSS_ONE_NUMBER(smooth_l1)

static const struct kern_loss smooth_l1_info = {
    .name = "smooth_l1",
    .help = "absolute error, squared below beta and smooth there (torch.nn.SmoothL1Loss)",
    .params = smooth_l1_params,
    .param_count = 1,
    .takes = {[KERN_CLASSES] = true, [KERN_FRACTIONS] = true, [KERN_VALUES] = true},
    .by_element = true,
    .half = 0.5f,
    .begin = smooth_l1_begin,
};

KERN_LOSS_BY_OUTPUT(smooth_l1)

KERN_FN float smooth_l1_value(float x, float t, float w, const struct kern_loss_row *row,
                              const float *v)
{
    const float d = x - t, a = fabsf(d);

    (void) w;
    (void) row;
    return a < v[0] ? 0.5f * d * d / v[0] : a - 0.5f * v[0];
}

KERN_FN float smooth_l1_slope(float x, float t, float w, const struct kern_loss_row *row,
                              const float *v)
{
    const float d = x - t, side = d > 0.0f ? 1.0f : d < 0.0f ? -1.0f : 0.0f;

    (void) w;
    (void) row;
    return fabsf(d) < v[0] ? d / v[0] : side;
}

#endif

#ifdef KERN_LOSS_EACH
KERN_LOSS_EACH(smooth_l1)
#endif
