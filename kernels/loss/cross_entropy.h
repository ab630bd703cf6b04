/*
 * cross_entropy.h - torch.nn.CrossEntropyLoss of class labels: -sum_c w_c t_c log softmax(x)_c, t the smoothed labels,
 * over the sum of the samples' class weights. Source of the meaning of label smoothing beside class weights:
 * ATen/native/LossNLL.cpp (the spread part is weighted by the class it falls on, the mean by the label's weight).
 *
 * row: max, sum of exp(x - max), its log, total of w t. Rule 5 words the same without weights and smoothing.
 */
#ifndef KERN_LOSS_CROSS_ENTROPY_H
#define KERN_LOSS_CROSS_ENTROPY_H

#include "kernels/loss/rows.h"
#include "kernels/math/elementary.h"

static const struct cs_param cross_entropy_params[] = {KERN_ROW_SMOOTHING, KERN_ROW_IGNORE,
                                                       KERN_ROW_CLASS_WEIGHTS};

static inline void cross_entropy_begin(struct kern_loss_numbers *out, float *weight,
                                       const double *args, int outputs)
{
    *out = kern_loss_smoothed(args[0], outputs);
    out->ignore = (int32_t) args[1];
    out->weight = kern_loss_weights(weight, args + 2, outputs);
}

static const struct kern_loss cross_entropy_info = {
    .name = "cross_entropy",
    .help = "softmax cross-entropy of class labels, on scores (torch.nn.CrossEntropyLoss)",
    .params = cross_entropy_params,
    .param_count = 3,
    .takes = {[KERN_CLASSES] = true},
    .by_class = true,
    .class_weights = true,
    .passes = 2,
    .begin = cross_entropy_begin,
};

KERN_FN void cross_entropy_gather(int pass, struct kern_loss_row *row, float x, float t, float w,
                                  const float *v)
{
    (void) v;
    if (pass == 0) {
        row->max = x > row->max ? x : row->max;
        return;
    }
    row->sum += kern_exp(x - row->max);
    row->total += w * t;
}

KERN_FN void cross_entropy_settle(struct kern_loss_row *row)
{
    row->log = kern_log(row->sum);
}

KERN_FN float cross_entropy_value(float x, float t, float w, const struct kern_loss_row *row,
                                  const float *v)
{
    (void) v;
    return w * t * (row->log - (x - row->max));
}

KERN_FN float cross_entropy_slope(float x, float t, float w, const struct kern_loss_row *row,
                                  const float *v)
{
    (void) v;
    return row->total * (kern_exp(x - row->max) / row->sum) - w * t;
}

#endif

#ifdef KERN_LOSS_EACH
KERN_LOSS_EACH(cross_entropy)
#endif
