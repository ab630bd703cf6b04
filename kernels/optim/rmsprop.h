/*
 * rmsprop.h - RMSprop (Tieleman and Hinton, 2012; torch/optim/rmsprop.py).
 *
 *     g = g + weight_decay w
 *     v = alpha v + (1 - alpha) g g
 *     centered: a = a + (1 - alpha)(g - a), d = sqrt(v - a a) + eps; else d = sqrt(v) + eps
 *     w = w - lr g / d                          momentum: b = momentum b + g / d, w = w - lr b
 *
 * State: slot[0] = v, then b with momentum, then a when centered. Rounding may take v - a a below 0: it counts
 * as 0 then (PyTorch has a NaN there). eps is above 0, as in Adam.
 */
#ifndef KERN_OPTIM_RMSPROP_H
#define KERN_OPTIM_RMSPROP_H

#include <math.h>

#include "common/cs_param.h"
#include "kernels/contract.h"
#include "kernels/optim.h"
#include "kernels/optim/rows.h"

struct cs_error;

static const char rmsprop_help[] = "steps scaled by a running mean of squared gradients";

static const struct cs_param rmsprop_params[] = {
    KERN_ROW_LR("1e-2", "step size"),
    {.name = "alpha",
     .type = CS_FLOAT,
     .def = "0.99",
     .min = 0,
     .max = 1,
     .help = "decay of the running mean of g squared"},
    KERN_ROW_EPS("1e-8", "added to the denominator"),
    KERN_ROW_WEIGHT_DECAY("0", "L2 penalty"),
    {.name = "momentum",
     .type = CS_FLOAT,
     .def = "0",
     .min = 0,
     .max = INFINITY,
     .help = "decay of the running step; 0 keeps none"},
    {.name = "centered",
     .type = CS_BOOL,
     .def = "no",
     .min = 0,
     .max = 1,
     .help = "scale by the variance of g, not by its mean square"},
};

enum {
    RMSPROP_LR,
    RMSPROP_ALPHA,
    RMSPROP_EPS,
    RMSPROP_WEIGHT_DECAY,
    RMSPROP_MOMENTUM,
    RMSPROP_CENTERED
};

enum { RMSPROP_HEAVY = 1, RMSPROP_VARIANCE = 2 }; /* bits of the variant */

static inline int rmsprop_check(const double *args, struct cs_error *err)
{
    (void) args;
    (void) err;
    return 0;
}

static inline int rmsprop_variant(const double *args)
{
    return (args[RMSPROP_MOMENTUM] > 0 ? RMSPROP_HEAVY : 0) |
           (args[RMSPROP_CENTERED] != 0 ? RMSPROP_VARIANCE : 0);
}

KERN_FN int rmsprop_slots(int variant)
{
    return 1 + (variant & RMSPROP_HEAVY ? 1 : 0) + (variant & RMSPROP_VARIANCE ? 1 : 0);
}

static inline const char *rmsprop_slot_name(int variant, int slot)
{
    if (slot == 0)
        return "square_avg";
    return slot == 1 && (variant & RMSPROP_HEAVY) ? "momentum_buffer" : "grad_avg";
}

/* v: -lr, weight_decay, alpha, 1 - alpha, momentum, eps */
static inline void rmsprop_begin(struct kern_hyper *out, double *memory, const double *args,
                                 double lr, int64_t t)
{
    (void) memory;
    (void) t;
    out->v[0] = (float) -lr;
    out->v[1] = (float) args[RMSPROP_WEIGHT_DECAY];
    out->v[2] = (float) args[RMSPROP_ALPHA];
    out->v[3] = (float) (1 - args[RMSPROP_ALPHA]);
    out->v[4] = (float) args[RMSPROP_MOMENTUM];
    out->v[5] = (float) args[RMSPROP_EPS];
}

KERN_OPTIM_STARTS_AT_ZERO(rmsprop)
KERN_OPTIM_BY_ELEMENT(rmsprop)

KERN_FN float rmsprop_body(float w, float g, float *slot, const struct kern_hyper *h, int variant)
{
    const int mean_slot = variant & RMSPROP_HEAVY ? 2 : 1;
    float v, second, step;

    g = fmaf(h->v[1], w, g);
    v = fmaf(h->v[2], slot[0], h->v[3] * (g * g));
    slot[0] = kern_flush(v);
    second = v;
    if (variant & RMSPROP_VARIANCE) {
        const float a = fmaf(h->v[3], g - slot[mean_slot], slot[mean_slot]);
        slot[mean_slot] = kern_flush(a);
        second = fmaf(-a, a, v);
        second = second < 0 ? 0.0f : second;
    }
    step = g / (sqrtf(second) + h->v[5]);
    if (variant & RMSPROP_HEAVY) {
        step = fmaf(h->v[4], slot[1], step);
        slot[1] = kern_flush(step);
    }
    return fmaf(h->v[0], step, w);
}

#endif

#ifdef KERN_OPTIM_EACH
KERN_OPTIM_EACH(rmsprop)
#endif
