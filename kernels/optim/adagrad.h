/*
 * adagrad.h - Adagrad (Duchi, Hazan and Singer, JMLR 12, 2011; torch/optim/adagrad.py).
 *
 *     g = g + weight_decay w
 *     s = s + g g
 *     w = w - lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps)
 *
 * State: slot[0] = s, at first initial_accumulator_value. It does not decay, hence no flush. eps is above 0, as in
 * Adam.
 */
#ifndef KERN_OPTIM_ADAGRAD_H
#define KERN_OPTIM_ADAGRAD_H

#include <math.h>

#include "common/cs_param.h"
#include "kernels/contract.h"
#include "kernels/optim.h"
#include "kernels/optim/rows.h"

struct cs_error;

static const char adagrad_help[] = "steps scaled by the sum of all squared gradients";

static const struct cs_param adagrad_params[] = {
    KERN_ROW_LR("1e-2", "step size"),
    {.name = "lr_decay",
     .type = CS_FLOAT,
     .def = "0",
     .min = 0,
     .max = INFINITY,
     .help = "step t is divided by 1 + (t - 1) lr_decay"},
    KERN_ROW_WEIGHT_DECAY("0", "L2 penalty"),
    KERN_ROW_POSITIVE("initial_accumulator_value", "0", 0, "the sum before the first step"),
    KERN_ROW_EPS("1e-10", "added to the denominator"),
};

enum { ADAGRAD_LR, ADAGRAD_LR_DECAY, ADAGRAD_WEIGHT_DECAY, ADAGRAD_START, ADAGRAD_EPS };

KERN_OPTIM_NO_RULES(adagrad)
KERN_OPTIM_ONE_VARIANT(adagrad)
KERN_OPTIM_BY_ELEMENT(adagrad)

static inline double adagrad_slot_start(const double *args, int slot)
{
    (void) slot;
    return args[ADAGRAD_START];
}

KERN_FN int adagrad_slots(int variant)
{
    (void) variant;
    return 1;
}

static inline const char *adagrad_slot_name(int variant, int slot)
{
    (void) variant;
    (void) slot;
    return "sum";
}

/* v: -lr / (1 + (t - 1) lr_decay), weight_decay, eps */
static inline void adagrad_begin(struct kern_hyper *out, double *memory, const double *args,
                                 double lr, int64_t t)
{
    (void) memory;
    out->v[0] = (float) (-lr / (1 + (double) (t - 1) * args[ADAGRAD_LR_DECAY]));
    out->v[1] = (float) args[ADAGRAD_WEIGHT_DECAY];
    out->v[2] = (float) args[ADAGRAD_EPS];
}

KERN_FN float adagrad_body(float w, float g, float *slot, const struct kern_hyper *h, int variant)
{
    (void) variant;
    g = fmaf(h->v[1], w, g);
    slot[0] = fmaf(g, g, slot[0]);
    return fmaf(h->v[0], g / (sqrtf(slot[0]) + h->v[2]), w);
}

#endif

#ifdef KERN_OPTIM_EACH
KERN_OPTIM_EACH(adagrad)
#endif
