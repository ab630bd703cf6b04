/*
 * lion.h - Lion, steps of one size along the sign of a mixture of momentum and gradient (arXiv 2302.06675;
 * lion/lion_pytorch.py of google/automl: PyTorch itself has none).
 *
 *     w = w (1 - lr weight_decay)
 *     w = w - lr sign(beta1 m + (1 - beta1) g)  sign(0) = 0
 *     m = beta2 m + (1 - beta2) g
 *
 * State: slot[0] = m.
 */
#ifndef KERN_OPTIM_LION_H
#define KERN_OPTIM_LION_H

#include <math.h>

#include "common/cs_param.h"
#include "kernels/contract.h"
#include "kernels/optim.h"
#include "kernels/optim/rows.h"

struct cs_error;

static const char lion_help[] = "steps of equal size along the sign of the momentum";

static const struct cs_param lion_params[] = {
    KERN_ROW_LR("1e-4", "step size"),
    KERN_ROW_BETAS("0.9 0.99", "weight of the momentum in the step, and decay of the momentum"),
    KERN_ROW_WEIGHT_DECAY("0", "pull of every weight towards 0, as in adamw"),
};

enum { LION_LR, LION_BETA1, LION_BETA2, LION_WEIGHT_DECAY };

KERN_OPTIM_NO_RULES(lion)

KERN_OPTIM_ONE_VARIANT(lion)

KERN_FN int lion_slots(int variant)
{
    (void) variant;
    return 1;
}

static inline const char *lion_slot_name(int variant, int slot)
{
    (void) variant;
    (void) slot;
    return "exp_avg";
}

/* v: -lr, 1 - lr weight_decay, beta1, 1 - beta1, beta2, 1 - beta2 */
static inline void lion_begin(struct kern_hyper *out, double *memory, const double *args, double lr,
                              int64_t t)
{
    (void) memory;
    (void) t;
    out->v[0] = (float) -lr;
    out->v[1] = (float) (1 - lr * args[LION_WEIGHT_DECAY]);
    out->v[2] = (float) args[LION_BETA1];
    out->v[3] = (float) (1 - args[LION_BETA1]);
    out->v[4] = (float) args[LION_BETA2];
    out->v[5] = (float) (1 - args[LION_BETA2]);
}

KERN_OPTIM_STARTS_AT_ZERO(lion)
KERN_OPTIM_BY_ELEMENT(lion)

KERN_FN float lion_body(float w, float g, float *slot, const struct kern_hyper *h, int variant)
{
    const float mixed = fmaf(h->v[2], slot[0], h->v[3] * g);
    const float sign = mixed > 0 ? 1.0f : mixed < 0 ? -1.0f : mixed; /* 0 and NaN are their own */

    (void) variant;
    slot[0] = kern_flush(fmaf(h->v[4], slot[0], h->v[5] * g));
    return fmaf(h->v[0], sign, h->v[1] * w);
}

#endif

#ifdef KERN_OPTIM_EACH
KERN_OPTIM_EACH(lion)
#endif
