/*
 * rprop.h - Rprop, resilient propagation (Riedmiller and Braun, ICNN 1993; torch/optim/rprop.py).
 *
 *     s = s * (etas[1] where g p > 0, etas[0] where g p < 0, else 1), kept within step_sizes
 *     g = 0 where g p < 0
 *     w = w - sign(g) s, p = g
 *
 * State: slot[0] = p, slot[1] = s, at first lr: the learning rate is the first step's size and has no other effect, so
 * schedules do nothing. A size of 0 (the padding; lr = 0) stays 0, where PyTorch would take the smallest size. Made for
 * gradients of all the data: with small batches signs change by chance.
 */
#ifndef KERN_OPTIM_RPROP_H
#define KERN_OPTIM_RPROP_H

#include <math.h>

#include "common/cs_error.h"
#include "common/cs_param.h"
#include "kernels/contract.h"
#include "kernels/optim.h"
#include "kernels/optim/rows.h"

static const char rprop_help[] = "steps from the signs of gradients alone; for whole batches";

static const struct cs_param rprop_params[] = {
    KERN_ROW_LR("1e-2", "size of the first step"),
    {.name = "etas",
     .type = CS_FLOATS,
     .def = "0.5 1.2",
     .min = 0,
     .max = INFINITY,
     .count = 2,
     .help = "factors of the step where the gradient changes its sign, and where it does not"},
    {.name = "step_sizes",
     .type = CS_FLOATS,
     .def = "1e-6 50",
     .min = 0,
     .max = INFINITY,
     .count = 2,
     .help = "the smallest and the largest step"},
};

enum { RPROP_LR, RPROP_MINUS, RPROP_PLUS, RPROP_MIN, RPROP_MAX };

static inline int rprop_check(const double *args, struct cs_error *err)
{
    if (!(args[RPROP_MINUS] > 0 && args[RPROP_MINUS] < 1 && args[RPROP_PLUS] > 1))
        return cs_fail(err, CS_ERANGE, "etas = %g %g: expected 0 < first < 1 < second",
                       args[RPROP_MINUS], args[RPROP_PLUS]);
    if (!(args[RPROP_MIN] <= args[RPROP_MAX]))
        return cs_fail(err, CS_ERANGE, "step_sizes = %g %g: expected first <= second",
                       args[RPROP_MIN], args[RPROP_MAX]);
    return 0;
}

KERN_OPTIM_ONE_VARIANT(rprop)
KERN_OPTIM_BY_ELEMENT(rprop)

KERN_FN int rprop_slots(int variant)
{
    (void) variant;
    return 2;
}

static inline const char *rprop_slot_name(int variant, int slot)
{
    (void) variant;
    return slot == 0 ? "prev" : "step_size";
}

static inline double rprop_slot_start(const double *args, int slot)
{
    return slot == 0 ? 0 : args[RPROP_LR];
}

/* v: etas, step_sizes */
static inline void rprop_begin(struct kern_hyper *out, double *memory, const double *args,
                               double lr, int64_t t)
{
    (void) memory;
    (void) lr;
    (void) t;
    for (int i = 0; i < 4; i++)
        out->v[i] = (float) args[RPROP_MINUS + i];
}

KERN_FN float rprop_body(float w, float g, float *slot, const struct kern_hyper *h, int variant)
{
    const float same = g * slot[0];
    float size = slot[1] * (same > 0.0f ? h->v[1] : same < 0.0f ? h->v[0] : 1.0f);

    (void) variant;
    size = size < h->v[2] ? h->v[2] : size > h->v[3] ? h->v[3] : size;
    size = slot[1] > 0.0f ? size : 0.0f;
    g = same < 0.0f ? 0.0f : g;
    slot[0] = g;
    slot[1] = size;
    return w - (g > 0.0f ? size : g < 0.0f ? -size : g);
}

#endif

#ifdef KERN_OPTIM_EACH
KERN_OPTIM_EACH(rprop)
#endif
