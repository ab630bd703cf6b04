/*
 * l1.h - torch.nn.L1Loss: |x - t|, over the elements; its slope is 0 at 0.
 */
#ifndef KERN_LOSS_L1_H
#define KERN_LOSS_L1_H

#include "kernels/loss/rows.h"

KERN_LOSS_NO_SETTINGS(l1)

static const struct kern_loss l1_info = {
    .name = "l1",
    .help = "absolute error of each output (torch.nn.L1Loss)",
    .takes = {[KERN_CLASSES] = true, [KERN_FRACTIONS] = true, [KERN_VALUES] = true},
    .by_element = true,
    .half = 0.5f,
    .begin = l1_begin,
};

KERN_LOSS_BY_OUTPUT(l1)

KERN_FN float l1_value(float x, float t, float w, const struct kern_loss_row *row, const float *v)
{
    const float d = x - t;

    (void) w;
    (void) row;
    (void) v;
    return fabsf(d);
}

KERN_FN float l1_slope(float x, float t, float w, const struct kern_loss_row *row, const float *v)
{
    const float d = x - t;

    (void) w;
    (void) row;
    (void) v;
    return d > 0.0f ? 1.0f : d < 0.0f ? -1.0f : 0.0f;
}

#endif

#ifdef KERN_LOSS_EACH
KERN_LOSS_EACH(l1)
#endif
