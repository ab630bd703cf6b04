/*
 * adam_impl.h - what Adam and AdamW share: settings, moments, step. Only adam.h and adamw.h include it.
 *
 *     m = m + (1 - beta1)(g - m)
 *     v = beta2 v + (1 - beta2) g g             amsgrad: x = max(x, v), used in place of v
 *     w = w - lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
 *
 * State: slot[0] = m, slot[1] = v, slot[2] = x. The powers depend on the step alone: begin() has them in double.
 * eps is above 0: a weight that never had a gradient would be 0 / 0.
 */
#ifndef KERN_OPTIM_ADAM_IMPL_H
#define KERN_OPTIM_ADAM_IMPL_H

#include <math.h>

#include "common/cs_param.h"
#include "kernels/contract.h"
#include "kernels/optim.h"
#include "kernels/optim/rows.h"

struct cs_error;

#define ADAM_PARAMS(decay)                                                               \
    KERN_ROW_LR("1e-3", "step size"),                                                    \
        KERN_ROW_BETAS("0.9 0.999", "decay of the running means of g and of g squared"), \
        KERN_ROW_EPS("1e-8", "added to the denominator"),                                \
        KERN_ROW_WEIGHT_DECAY(decay, "pull of every weight towards 0"),                  \
    {                                                                                    \
        .name = "amsgrad", .type = CS_BOOL, .def = "no", .min = 0, .max = 1,             \
        .help = "divide by the largest mean of g squared so far"                         \
    }

enum { ADAM_LR, ADAM_BETA1, ADAM_BETA2, ADAM_EPS, ADAM_WEIGHT_DECAY, ADAM_AMSGRAD };

static inline int adam_check(const double *args, struct cs_error *err)
{
    (void) args;
    (void) err;
    return 0;
}

/* 1: amsgrad */
static inline int adam_variant(const double *args)
{
    return args[ADAM_AMSGRAD] != 0;
}

KERN_FN int adam_slots(int variant)
{
    return variant == 1 ? 3 : 2;
}

static inline const char *adam_slot_name(int variant, int slot)
{
    static const char *const names[] = {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"};
    (void) variant;
    return names[slot];
}

/* v: -lr / (1 - beta1^t), weight_decay, 1 - beta1, beta2, 1 - beta2, 1 / sqrt(1 - beta2^t), eps */
static inline void adam_begin(struct kern_hyper *out, double *memory, const double *args, double lr,
                              int64_t t)
{
    (void) memory;
    out->v[0] = (float) (-lr / (1 - pow(args[ADAM_BETA1], (double) t)));
    out->v[1] = (float) args[ADAM_WEIGHT_DECAY];
    out->v[2] = (float) (1 - args[ADAM_BETA1]);
    out->v[3] = (float) args[ADAM_BETA2];
    out->v[4] = (float) (1 - args[ADAM_BETA2]);
    out->v[5] = (float) (1 / sqrt(1 - pow(args[ADAM_BETA2], (double) t)));
    out->v[6] = (float) args[ADAM_EPS];
}

/* Moments and step from a gradient that has its penalty: the part AdamW shares. */
KERN_FN float adam_moments(float w, float g, float *slot, const struct kern_hyper *h, int variant)
{
    const float m = fmaf(h->v[2], g - slot[0], slot[0]);
    const float v = fmaf(h->v[3], slot[1], h->v[4] * (g * g));
    float second = v;

    slot[0] = kern_flush(m);
    slot[1] = kern_flush(v);
    if (variant == 1) {
        second = slot[2] > v ? slot[2] : v;
        slot[2] = kern_flush(second);
    }
    return fmaf(h->v[0], m / fmaf(sqrtf(second), h->v[5], h->v[6]), w);
}

#endif
