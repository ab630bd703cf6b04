/*
 * lamb.h - LAMB, Adam whose step is scaled tensor by tensor (arXiv 1904.00962; timm/optim/lamb.py).
 *
 *     m = m + (1 - beta1)(g - m)
 *     v = beta2 v + (1 - beta2) g g
 *     r = m / (1 - beta1^t) / (sqrt(v) / sqrt(1 - beta2^t) + eps) + weight_decay w
 *     w = w - lr trust r, trust = |w| / |r| over the tensor, 1 where either is 0
 *
 * trust is 1 where weight_decay is 0, unless always_adapt (as timm has it). timm also clips the gradient's norm to 1
 * by default: that is clip_norm = 1 here. State: slot[0] = m, slot[1] = v. The body returns r: kern_by_tensor in
 * kernels/optim.h says what happens to it.
 */
#ifndef KERN_OPTIM_LAMB_H
#define KERN_OPTIM_LAMB_H

#include <math.h>

#include "common/cs_param.h"
#include "kernels/contract.h"
#include "kernels/optim.h"
#include "kernels/optim/rows.h"

struct cs_error;

static const char lamb_help[] = "Adam with a step per tensor; for large batches";

static const struct cs_param lamb_params[] = {
    KERN_ROW_LR("1e-3", "step size"),
    KERN_ROW_BETAS("0.9 0.999", "decay of the running means of g and of g squared"),
    KERN_ROW_EPS("1e-6", "added to the denominator"),
    KERN_ROW_WEIGHT_DECAY("1e-2", "pull of every weight towards 0"),
    {.name = "always_adapt",
     .type = CS_BOOL,
     .def = "no",
     .min = 0,
     .max = 1,
     .help = "scale the step where weight_decay is 0, too"},
};

enum { LAMB_LR, LAMB_BETA1, LAMB_BETA2, LAMB_EPS, LAMB_WEIGHT_DECAY, LAMB_ALWAYS };
enum { lamb_by_tensor = 1 };

KERN_OPTIM_NO_RULES(lamb)
KERN_OPTIM_ONE_VARIANT(lamb)
KERN_OPTIM_STARTS_AT_ZERO(lamb)

KERN_FN int lamb_slots(int variant)
{
    (void) variant;
    return 2;
}

static inline const char *lamb_slot_name(int variant, int slot)
{
    (void) variant;
    return slot == 0 ? "exp_avg" : "exp_avg_sq";
}

/* v: -lr, trust wanted, 1 / (1 - beta1^t), weight_decay, 1 - beta1, beta2, 1 - beta2, 1 / sqrt(1 - beta2^t), eps */
static inline void lamb_begin(struct kern_hyper *out, double *memory, const double *args, double lr,
                              int64_t t)
{
    (void) memory;
    out->v[KERN_TENSOR_RATE] = (float) -lr;
    out->v[KERN_TENSOR_TRUST] = args[LAMB_WEIGHT_DECAY] > 0 || args[LAMB_ALWAYS] != 0 ? 1.0f : 0.0f;
    out->v[2] = (float) (1 / (1 - pow(args[LAMB_BETA1], (double) t)));
    out->v[3] = (float) args[LAMB_WEIGHT_DECAY];
    out->v[4] = (float) (1 - args[LAMB_BETA1]);
    out->v[5] = (float) args[LAMB_BETA2];
    out->v[6] = (float) (1 - args[LAMB_BETA2]);
    out->v[7] = (float) (1 / sqrt(1 - pow(args[LAMB_BETA2], (double) t)));
    out->v[8] = (float) args[LAMB_EPS];
}

KERN_FN float lamb_body(float w, float g, float *slot, const struct kern_hyper *h, int variant)
{
    const float m = fmaf(h->v[4], g - slot[0], slot[0]);
    const float v = fmaf(h->v[5], slot[1], h->v[6] * (g * g));

    (void) variant;
    slot[0] = kern_flush(m);
    slot[1] = kern_flush(v);
    return fmaf(h->v[3], w, m * h->v[2] / fmaf(sqrtf(v), h->v[7], h->v[8]));
}

#endif

#ifdef KERN_OPTIM_EACH
KERN_OPTIM_EACH(lamb)
#endif
