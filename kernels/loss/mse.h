/*
 * mse.h - torch.nn.MSELoss: (x - t)^2, over the elements.
 */
#ifndef KERN_LOSS_MSE_H
#define KERN_LOSS_MSE_H

#include "kernels/loss/rows.h"

KERN_LOSS_NO_SETTINGS(mse)

static const struct kern_loss mse_info = {
    .name = "mse",
    .help = "squared error of each output (torch.nn.MSELoss)",
    .takes = {[KERN_CLASSES] = true, [KERN_FRACTIONS] = true, [KERN_VALUES] = true},
    .by_element = true,
    .half = 0.5f,
    .begin = mse_begin,
};

KERN_LOSS_BY_OUTPUT(mse)

KERN_FN float mse_value(float x, float t, float w, const struct kern_loss_row *row, const float *v)
{
    const float d = x - t;

    (void) w;
    (void) row;
    (void) v;
    return d * d;
}

KERN_FN float mse_slope(float x, float t, float w, const struct kern_loss_row *row, const float *v)
{
    const float d = x - t;

    (void) w;
    (void) row;
    (void) v;
    return d + d;
}

#endif

#ifdef KERN_LOSS_EACH
KERN_LOSS_EACH(mse)
#endif
