/*
 * hinge.h - torch.nn.MultiMarginLoss of class labels: max(0, margin - x_y + x_c) / C summed over the classes c but the
 * label y, over the samples.
 *
 * row: at = x_y, total = classes c above the margin. v: margin, C.
 */
#ifndef KERN_LOSS_HINGE_H
#define KERN_LOSS_HINGE_H

#include "kernels/loss/rows.h"

static const struct cs_param hinge_params[] = {{
    .name = "margin",
    .type = CS_FLOAT,
    .def = "1",
    .min = -1e30,
    .max = 1e30,
    .help = "by how much the label's score should be above every other",
}};

KERN_LOSS_ONE_NUMBER(hinge)

static const struct kern_loss hinge_info = {
    .name = "hinge",
    .help = "multi-class hinge of class labels: scores within the margin of the label's "
            "(torch.nn.MultiMarginLoss)",
    .params = hinge_params,
    .param_count = 1,
    .takes = {[KERN_CLASSES] = true},
    .by_class = true,
    .passes = 2,
    .begin = hinge_begin,
};

KERN_FN void hinge_gather(int pass, struct kern_loss_row *row, float x, float t, float w,
                          const float *v)
{
    (void) w;
    if (pass == 0) {
        row->at += t > 0.0f ? x : 0.0f;
        return;
    }
    const float over = v[0] - row->at + x;
    row->total += over > 0.0f && !(t > 0.0f) ? 1.0f : 0.0f;
}

KERN_FN void hinge_settle(struct kern_loss_row *row)
{
    (void) row;
}

KERN_FN float hinge_value(float x, float t, float w, const struct kern_loss_row *row,
                          const float *v)
{
    const float over = v[0] - row->at + x;

    (void) w;
    return over > 0.0f && !(t > 0.0f) ? over / v[1] : 0.0f;
}

KERN_FN float hinge_slope(float x, float t, float w, const struct kern_loss_row *row,
                          const float *v)
{
    const float over = v[0] - row->at + x;
    const float other = over > 0.0f ? 1.0f / v[1] : 0.0f;

    (void) w;
    return t > 0.0f ? -(row->total / v[1]) : other;
}

#endif

#ifdef KERN_LOSS_EACH
KERN_LOSS_EACH(hinge)
#endif
