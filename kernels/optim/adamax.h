/*
 * adamax.h - Adamax, Adam with the largest decayed gradient in place of the mean square (arXiv 1412.6980, 7.1;
 * torch/optim/adamax.py).
 *
 *     g = g + weight_decay w
 *     m = m + (1 - beta1)(g - m)
 *     u = max(beta2 u, |g| + eps)
 *     w = w - lr / (1 - beta1^t) m / u
 *
 * State: slot[0] = m, slot[1] = u, stored as +0 where u = eps: the next u is the same, as |g| + eps >= beta2 eps, and
 * padding stays +0. eps is above 0, as in Adam, and far above what kern_flush takes away.
 */
#ifndef KERN_OPTIM_ADAMAX_H
#define KERN_OPTIM_ADAMAX_H

#include <math.h>

#include "common/cs_param.h"
#include "kernels/contract.h"
#include "kernels/optim.h"
#include "kernels/optim/rows.h"

struct cs_error;

static const char adamax_help[] = "Adam scaled by the largest decayed gradient";

static const struct cs_param adamax_params[] = {
    KERN_ROW_LR("2e-3", "step size"),
    KERN_ROW_BETAS("0.9 0.999", "decay of the running mean of g and of its largest size"),
    KERN_ROW_EPS("1e-8", "added to the size of g"),
    KERN_ROW_WEIGHT_DECAY("0", "L2 penalty"),
};

enum { ADAMAX_LR, ADAMAX_BETA1, ADAMAX_BETA2, ADAMAX_EPS, ADAMAX_WEIGHT_DECAY };

KERN_OPTIM_NO_RULES(adamax)

KERN_OPTIM_ONE_VARIANT(adamax)

KERN_FN int adamax_slots(int variant)
{
    (void) variant;
    return 2;
}

static inline const char *adamax_slot_name(int variant, int slot)
{
    (void) variant;
    return slot == 0 ? "exp_avg" : "exp_inf";
}

/* v: -lr / (1 - beta1^t), weight_decay, 1 - beta1, beta2, eps */
static inline void adamax_begin(struct kern_hyper *out, double *memory, const double *args,
                                double lr, int64_t t)
{
    (void) memory;
    out->v[0] = (float) (-lr / (1 - pow(args[ADAMAX_BETA1], (double) t)));
    out->v[1] = (float) args[ADAMAX_WEIGHT_DECAY];
    out->v[2] = (float) (1 - args[ADAMAX_BETA1]);
    out->v[3] = (float) args[ADAMAX_BETA2];
    out->v[4] = (float) args[ADAMAX_EPS];
}

KERN_OPTIM_STARTS_AT_ZERO(adamax)
KERN_OPTIM_BY_ELEMENT(adamax)

KERN_FN float adamax_body(float w, float g, float *slot, const struct kern_hyper *h, int variant)
{
    float m, u, decayed, size;

    (void) variant;
    g = fmaf(h->v[1], w, g);
    m = fmaf(h->v[2], g - slot[0], slot[0]);
    decayed = h->v[3] * slot[1];
    size = fabsf(g) + h->v[4];
    slot[0] = kern_flush(m);
    u = decayed > size ? decayed : size;
    slot[1] = u > h->v[4] ? u : 0.0f;
    return fmaf(h->v[0], m / u, w);
}

#endif

#ifdef KERN_OPTIM_EACH
KERN_OPTIM_EACH(adamax)
#endif
