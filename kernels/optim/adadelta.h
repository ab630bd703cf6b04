/*
 * adadelta.h - Adadelta (arXiv 1212.5701; torch/optim/adadelta.py).
 *
 *     g = g + weight_decay w
 *     v = rho v + (1 - rho) g g
 *     d = sqrt(u + eps) / sqrt(v + eps) g
 *     u = rho u + (1 - rho) d d
 *     w = w - lr d
 *
 * State: slot[0] = v, slot[1] = u. eps is inside both roots, and d enters u before lr scales it.
 */
#ifndef KERN_OPTIM_ADADELTA_H
#define KERN_OPTIM_ADADELTA_H

#include <math.h>

#include "common/cs_param.h"
#include "kernels/contract.h"
#include "kernels/optim.h"
#include "kernels/optim/rows.h"

struct cs_error;

static const char adadelta_help[] = "steps as large as earlier steps, relative to the gradients";

static const struct cs_param adadelta_params[] = {
    KERN_ROW_LR("1", "factor of the step"),
    {.name = "rho",
     .type = CS_FLOAT,
     .def = "0.9",
     .min = 0,
     .max = 1,
     .help = "decay of the running means of squared gradients and squared steps"},
    KERN_ROW_EPS("1e-6", "added to both means under the root; sets the first steps' size"),
    KERN_ROW_WEIGHT_DECAY("0", "L2 penalty"),
};

enum { ADADELTA_LR, ADADELTA_RHO, ADADELTA_EPS, ADADELTA_WEIGHT_DECAY };

KERN_OPTIM_NO_RULES(adadelta)

KERN_OPTIM_ONE_VARIANT(adadelta)

KERN_FN int adadelta_slots(int variant)
{
    (void) variant;
    return 2;
}

static inline const char *adadelta_slot_name(int variant, int slot)
{
    (void) variant;
    return slot == 0 ? "square_avg" : "acc_delta";
}

/* v: -lr, weight_decay, rho, 1 - rho, eps */
static inline void adadelta_begin(struct kern_hyper *out, double *memory, const double *args,
                                  double lr, int64_t t)
{
    (void) memory;
    (void) t;
    out->v[0] = (float) -lr;
    out->v[1] = (float) args[ADADELTA_WEIGHT_DECAY];
    out->v[2] = (float) args[ADADELTA_RHO];
    out->v[3] = (float) (1 - args[ADADELTA_RHO]);
    out->v[4] = (float) args[ADADELTA_EPS];
}

KERN_OPTIM_STARTS_AT_ZERO(adadelta)
KERN_OPTIM_BY_ELEMENT(adadelta)

KERN_FN float adadelta_body(float w, float g, float *slot, const struct kern_hyper *h, int variant)
{
    float v, d;

    (void) variant;
    g = fmaf(h->v[1], w, g);
    v = fmaf(h->v[2], slot[0], h->v[3] * (g * g));
    d = sqrtf(slot[1] + h->v[4]) / sqrtf(v + h->v[4]) * g;
    slot[0] = kern_flush(v);
    slot[1] = kern_flush(fmaf(h->v[2], slot[1], h->v[3] * (d * d)));
    return fmaf(h->v[0], d, w);
}

#endif

#ifdef KERN_OPTIM_EACH
KERN_OPTIM_EACH(adadelta)
#endif
