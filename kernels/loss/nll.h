/*
 * nll.h - torch.nn.NLLLoss of class labels: -w_y x_y, over the sum of the samples' class weights.
 */
#ifndef KERN_LOSS_NLL_H
#define KERN_LOSS_NLL_H

#include "kernels/loss/rows.h"

static const struct cs_param nll_params[] = {KERN_ROW_IGNORE, KERN_ROW_CLASS_WEIGHTS};

static inline void nll_begin(struct kern_loss_numbers *out, float *weight, const double *args,
                             int outputs)
{
    *out = kern_loss_plain();
    out->ignore = (int32_t) args[0];
    out->weight = kern_loss_weights(weight, args + 1, outputs);
}

static const struct kern_loss nll_info = {
    .name = "nll",
    .help = "minus the label's log-probability, of layers that end in log_softmax "
            "(torch.nn.NLLLoss)",
    .params = nll_params,
    .param_count = 2,
    .takes = {[KERN_CLASSES] = true},
    .by_class = true,
    .class_weights = true,
    .outputs = KERN_LOG_PROBABILITIES,
    .begin = nll_begin,
};

KERN_LOSS_BY_OUTPUT(nll)

KERN_FN float nll_value(float x, float t, float w, const struct kern_loss_row *row, const float *v)
{
    (void) row;
    (void) v;
    return t > 0.0f ? -(w * x) : 0.0f;
}

KERN_FN float nll_slope(float x, float t, float w, const struct kern_loss_row *row, const float *v)
{
    (void) x;
    (void) row;
    (void) v;
    return t > 0.0f ? -w : 0.0f;
}

#endif

#ifdef KERN_LOSS_EACH
KERN_LOSS_EACH(nll)
#endif
