/*
 * kl_div.h - torch.nn.KLDivLoss(reduction="batchmean"): t (log t - x), 0 where t is 0, over the samples; x are
 * log-probabilities, t probabilities (those of class labels: 1, or smoothed).
 */
#ifndef KERN_LOSS_KL_DIV_H
#define KERN_LOSS_KL_DIV_H

#include "kernels/loss/rows.h"
#include "kernels/math/elementary.h"

static const struct cs_param kl_div_params[] = {KERN_ROW_SMOOTHING};

static inline void kl_div_begin(struct kern_loss_numbers *out, float *weight, const double *args,
                                int outputs)
{
    (void) weight;
    *out = kern_loss_smoothed(args[0], outputs);
}

static const struct kern_loss kl_div_info = {
    .name = "kl_div",
    .help = "divergence of the targets from layers that end in log_softmax, mean over the samples "
            "(torch.nn.KLDivLoss, batchmean)",
    .params = kl_div_params,
    .param_count = 1,
    .takes = {[KERN_CLASSES] = true, [KERN_FRACTIONS] = true},
    .by_class = true,
    .outputs = KERN_LOG_PROBABILITIES,
    .half = -0x1.62e430p-1f, /* log(1 / 2) */
    .begin = kl_div_begin,
};

KERN_LOSS_BY_OUTPUT(kl_div)

KERN_FN float kl_div_value(float x, float t, float w, const struct kern_loss_row *row,
                           const float *v)
{
    (void) w;
    (void) row;
    (void) v;
    return t > 0.0f ? t * (kern_log(t) - x) : 0.0f;
}

KERN_FN float kl_div_slope(float x, float t, float w, const struct kern_loss_row *row,
                           const float *v)
{
    (void) x;
    (void) w;
    (void) row;
    (void) v;
    return t > 0.0f ? -t : 0.0f;
}

#endif

#ifdef KERN_LOSS_EACH
KERN_LOSS_EACH(kl_div)
#endif
