/*
 * bce_with_logits.h - torch.nn.BCEWithLogitsLoss: (1 - t) x + l (log(1 + exp(-|x|)) + max(-x, 0)) with
 * l = 1 - t + p t, p the output's pos_weight; over the elements. Its slope is l sigmoid(x) - p t.
 *
 * The value is worded without the difference of large numbers for x < 0.
 */
#ifndef KERN_LOSS_BCE_WITH_LOGITS_H
#define KERN_LOSS_BCE_WITH_LOGITS_H

#include "kernels/loss/rows.h"
#include "kernels/math/elementary.h"

static const struct cs_param bce_with_logits_params[] = {{
    .name = "pos_weight",
    .type = CS_FLOATS,
    .def = "1",
    .min = 0,
    .max = 1e30,
    .help = "weight of targets that are set, one for each output or one for all",
}};

static inline void bce_with_logits_begin(struct kern_loss_numbers *out, float *weight,
                                         const double *args, int outputs)
{
    *out = kern_loss_plain();
    out->weight = kern_loss_weights(weight, args, outputs);
}

static const struct kern_loss bce_with_logits_info = {
    .name = "bce_with_logits",
    .help = "binary cross-entropy of each output's sigmoid (torch.nn.BCEWithLogitsLoss)",
    .params = bce_with_logits_params,
    .param_count = 1,
    .takes = {[KERN_CLASSES] = true, [KERN_FRACTIONS] = true},
    .by_element = true,
    .begin = bce_with_logits_begin,
};

KERN_LOSS_BY_OUTPUT(bce_with_logits)

KERN_FN float bce_with_logits_value(float x, float t, float w, const struct kern_loss_row *row,
                                    const float *v)
{
    const float set = w * t, unset = 1.0f - t;
    const float soft = kern_log1p(kern_exp(-fabsf(x)));

    (void) row;
    (void) v;
    return (set + unset) * soft + (x < 0.0f ? -(set * x) : unset * x);
}

KERN_FN float bce_with_logits_slope(float x, float t, float w, const struct kern_loss_row *row,
                                    const float *v)
{
    const float set = w * t;

    (void) row;
    (void) v;
    return (set + (1.0f - t)) * kern_sigmoid(x) - set;
}

#endif

#ifdef KERN_LOSS_EACH
KERN_LOSS_EACH(bce_with_logits)
#endif
