/*
 * asgd.h - ASGD, averaged stochastic gradient descent (Polyak and Juditsky 1992; torch/optim/asgd.py).
 *
 *     g = g + weight_decay w
 *     w = w (1 - lambd eta) - eta g
 *     a = w while mu = 1, else a + mu (w - a)
 *     then eta = lr / (1 + lambd lr t)^alpha and mu = 1 / max(1, t - t0), for the next step
 *
 * State: slot[0] = a, the average, which is not what is evaluated (as in PyTorch); memory[0] = eta, memory[1] = mu, at
 * first lr and 1.
 */
#ifndef KERN_OPTIM_ASGD_H
#define KERN_OPTIM_ASGD_H

#include <math.h>

#include "common/cs_param.h"
#include "kernels/contract.h"
#include "kernels/optim.h"
#include "kernels/optim/rows.h"

struct cs_error;

static const char asgd_help[] = "SGD with a falling rate and an average of the weights";

static const struct cs_param asgd_params[] = {
    KERN_ROW_LR("1e-2", "step size"),
    KERN_ROW_POSITIVE("lambd", "1e-4", 0, "decay of the weights and of the step size"),
    KERN_ROW_POSITIVE("alpha", "0.75", 0, "power of the step size's decay"),
    KERN_ROW_POSITIVE("t0", "1e6", 0, "step at which averaging begins"),
    KERN_ROW_WEIGHT_DECAY("0", "L2 penalty"),
};

enum { ASGD_LR, ASGD_LAMBD, ASGD_ALPHA, ASGD_T0, ASGD_WEIGHT_DECAY };

KERN_OPTIM_NO_RULES(asgd)
KERN_OPTIM_ONE_VARIANT(asgd)
KERN_OPTIM_STARTS_AT_ZERO(asgd)
KERN_OPTIM_BY_ELEMENT(asgd)

KERN_FN int asgd_slots(int variant)
{
    (void) variant;
    return 1;
}

static inline const char *asgd_slot_name(int variant, int slot)
{
    (void) variant;
    (void) slot;
    return "ax";
}

/* v: -eta, 1 - lambd eta, weight_decay, mu */
static inline void asgd_begin(struct kern_hyper *out, double *memory, const double *args, double lr,
                              int64_t t)
{
    const double eta = t == 1 ? lr : memory[0], mu = t == 1 ? 1 : memory[1];

    out->v[0] = (float) -eta;
    out->v[1] = (float) (1 - args[ASGD_LAMBD] * eta);
    out->v[2] = (float) args[ASGD_WEIGHT_DECAY];
    out->v[3] = (float) mu;
    memory[0] = lr / pow(1 + args[ASGD_LAMBD] * lr * (double) t, args[ASGD_ALPHA]);
    memory[1] = 1 / fmax(1, (double) t - args[ASGD_T0]);
}

KERN_FN float asgd_body(float w, float g, float *slot, const struct kern_hyper *h, int variant)
{
    float average;

    (void) variant;
    g = fmaf(h->v[2], w, g);
    w = fmaf(h->v[0], g, h->v[1] * w);
    average = fmaf(h->v[3], w - slot[0], slot[0]);
    slot[0] = kern_flush(h->v[3] < 1.0f ? average : w);
    return w;
}

#endif

#ifdef KERN_OPTIM_EACH
KERN_OPTIM_EACH(asgd)
#endif
