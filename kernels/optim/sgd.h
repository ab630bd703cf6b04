/*
 * sgd.h - stochastic gradient descent with momentum (torch/optim/sgd.py).
 *
 *     g = g + weight_decay w
 *     b = momentum b + (1 - dampening) g        first step: b = g
 *     w = w - lr b                              nesterov: w - lr (g + momentum b); no momentum: w - lr g
 *
 * State: slot[0] = b, none without momentum.
 */
#ifndef KERN_OPTIM_SGD_H
#define KERN_OPTIM_SGD_H

#include <math.h>

#include "common/cs_error.h"
#include "common/cs_param.h"
#include "kernels/contract.h"
#include "kernels/optim.h"
#include "kernels/optim/rows.h"

static const char sgd_help[] = "gradient descent, with momentum and Nesterov's variant";

static const struct cs_param sgd_params[] = {
    KERN_ROW_LR("1e-3", "step size"),
    {.name = "momentum",
     .type = CS_FLOAT,
     .def = "0",
     .min = 0,
     .max = INFINITY,
     .help = "decay of the running gradient; 0 keeps none"},
    {.name = "dampening",
     .type = CS_FLOAT,
     .def = "0",
     .min = 0,
     .max = 1,
     .help = "part of the gradient kept out of the momentum"},
    KERN_ROW_WEIGHT_DECAY("0", "L2 penalty"),
    {.name = "nesterov",
     .type = CS_BOOL,
     .def = "no",
     .min = 0,
     .max = 1,
     .help = "look ahead along the momentum"},
};

enum { SGD_LR, SGD_MOMENTUM, SGD_DAMPENING, SGD_WEIGHT_DECAY, SGD_NESTEROV };

enum { SGD_PLAIN, SGD_HEAVY, SGD_LOOKAHEAD }; /* variants */

static inline int sgd_check(const double *args, struct cs_error *err)
{
    if (args[SGD_NESTEROV] != 0 && (args[SGD_MOMENTUM] <= 0 || args[SGD_DAMPENING] != 0))
        return cs_fail(err, CS_ERANGE, "nesterov = yes: needs momentum > 0 and dampening = 0");
    return 0;
}

static inline int sgd_variant(const double *args)
{
    if (args[SGD_MOMENTUM] == 0)
        return SGD_PLAIN;
    return args[SGD_NESTEROV] != 0 ? SGD_LOOKAHEAD : SGD_HEAVY;
}

KERN_FN int sgd_slots(int variant)
{
    return variant == SGD_PLAIN ? 0 : 1;
}

static inline const char *sgd_slot_name(int variant, int slot)
{
    (void) variant;
    (void) slot;
    return "momentum_buffer";
}

/* v: -lr, weight_decay, momentum, share of the gradient that enters the momentum */
static inline void sgd_begin(struct kern_hyper *out, double *memory, const double *args, double lr,
                             int64_t t)
{
    (void) memory;
    out->v[0] = (float) -lr;
    out->v[1] = (float) args[SGD_WEIGHT_DECAY];
    out->v[2] = (float) args[SGD_MOMENTUM];
    out->v[3] = t == 1 ? 1.0f : (float) (1 - args[SGD_DAMPENING]);
}

KERN_OPTIM_STARTS_AT_ZERO(sgd)
KERN_OPTIM_BY_ELEMENT(sgd)

KERN_FN float sgd_body(float w, float g, float *slot, const struct kern_hyper *h, int variant)
{
    float b;

    g = fmaf(h->v[1], w, g);
    if (variant == SGD_PLAIN)
        return fmaf(h->v[0], g, w);
    b = fmaf(h->v[2], slot[0], h->v[3] * g);
    slot[0] = kern_flush(b);
    return fmaf(h->v[0], variant == SGD_LOOKAHEAD ? fmaf(h->v[2], b, g) : b, w);
}

#endif

#ifdef KERN_OPTIM_EACH
KERN_OPTIM_EACH(sgd)
#endif
