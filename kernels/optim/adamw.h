/*
 * adamw.h - Adam with decoupled weight decay (arXiv 1711.05101; torch/optim/adamw.py).
 *
 *     w = w (1 - lr weight_decay), then the step of adam_impl.h
 */
#ifndef KERN_OPTIM_ADAMW_H
#define KERN_OPTIM_ADAMW_H

#include "kernels/optim/adam_impl.h"

static const char adamw_help[] = "Adam with decoupled weight decay";

static const struct cs_param adamw_params[] = {ADAM_PARAMS("1e-2")};

static inline int adamw_check(const double *args, struct cs_error *err)
{
    return adam_check(args, err);
}

static inline int adamw_variant(const double *args)
{
    return adam_variant(args);
}

KERN_FN int adamw_slots(int variant)
{
    return adam_slots(variant);
}

static inline const char *adamw_slot_name(int variant, int slot)
{
    return adam_slot_name(variant, slot);
}

/* v: as Adam, but 1 - lr weight_decay in place of weight_decay */
static inline void adamw_begin(struct kern_hyper *out, double *memory, const double *args,
                               double lr, int64_t t)
{
    adam_begin(out, memory, args, lr, t);
    out->v[1] = (float) (1 - lr * args[ADAM_WEIGHT_DECAY]);
}

KERN_OPTIM_STARTS_AT_ZERO(adamw)
KERN_OPTIM_BY_ELEMENT(adamw)

KERN_FN float adamw_body(float w, float g, float *slot, const struct kern_hyper *h, int variant)
{
    return adam_moments(h->v[1] * w, g, slot, h, variant);
}

#endif

#ifdef KERN_OPTIM_EACH
KERN_OPTIM_EACH(adamw)
#endif
