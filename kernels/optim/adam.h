/*
 * adam.h - Adam with an L2 penalty (arXiv 1412.6980; torch/optim/adam.py).
 *
 *     g = g + weight_decay w, then the step of adam_impl.h
 */
#ifndef KERN_OPTIM_ADAM_H
#define KERN_OPTIM_ADAM_H

#include "kernels/optim/adam_impl.h"

static const char adam_help[] = "adaptive moments, weight decay as an L2 penalty";

static const struct cs_param adam_params[] = {ADAM_PARAMS("0")};

KERN_OPTIM_STARTS_AT_ZERO(adam)
KERN_OPTIM_BY_ELEMENT(adam)

KERN_FN float adam_body(float w, float g, float *slot, const struct kern_hyper *h, int variant)
{
    return adam_moments(w, fmaf(h->v[1], w, g), slot, h, variant);
}

#endif

#ifdef KERN_OPTIM_EACH
KERN_OPTIM_EACH(adam)
#endif
