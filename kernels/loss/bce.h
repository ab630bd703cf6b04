/*
 * bce.h - torch.nn.BCELoss: -(t log x + (1 - t) log(1 - x)), the logarithms not below -100, over the elements.
 *
 * The slope is (x - t) / max(x (1 - x), 1e-12), as in ATen/native/Loss.cpp. log(1 - x) is that of the rounded
 * difference and what the rounding lost.
 */
#ifndef KERN_LOSS_BCE_H
#define KERN_LOSS_BCE_H

#include "kernels/loss/rows.h"
#include "kernels/math/elementary.h"

KERN_LOSS_NO_SETTINGS(bce)

static const struct kern_loss bce_info = {
    .name = "bce",
    .help = "binary cross-entropy of each output, of layers that end in sigmoid (torch.nn.BCELoss)",
    .takes = {[KERN_CLASSES] = true, [KERN_FRACTIONS] = true},
    .by_element = true,
    .outputs = KERN_PROBABILITIES,
    .half = 0.5f,
    .begin = bce_begin,
};

KERN_LOSS_BY_OUTPUT(bce)

KERN_FN float bce_value(float x, float t, float w, const struct kern_loss_row *row, const float *v)
{
    const float rest = 1.0f - x, lost = (1.0f - rest) - x;
    const float yes = kern_log(x);
    const float no = kern_log(rest) + lost / (rest > 0.0f ? rest : 1.0f);
    const float a = yes < -100.0f ? -100.0f : yes, b = no < -100.0f ? -100.0f : no;

    (void) w;
    (void) row;
    (void) v;
    return -(t * a + (1.0f - t) * b);
}

KERN_FN float bce_slope(float x, float t, float w, const struct kern_loss_row *row, const float *v)
{
    const float spread = (1.0f - x) * x;

    (void) w;
    (void) row;
    (void) v;
    return (x - t) / (spread < 1e-12f ? 1e-12f : spread);
}

#endif

#ifdef KERN_LOSS_EACH
KERN_LOSS_EACH(bce)
#endif
