/*
 * radam.h - RAdam, Adam that rectifies the variance of its first steps (arXiv 1908.03265; torch/optim/radam.py).
 *
 *     g = g + weight_decay w                    decoupled: w = w (1 - lr weight_decay)
 *     m = m + (1 - beta1)(g - m)
 *     v = beta2 v + (1 - beta2) g g
 *     r = R - 2 t beta2^t / (1 - beta2^t), R = 2 / (1 - beta2) - 1
 *     r > 5:     w = w - lr / (1 - beta1^t) sqrt(1 - beta2^t) rect m / (sqrt(v) + eps)
 *                with rect = sqrt((r - 4)(r - 2) R / ((R - 4)(R - 2) r))
 *     otherwise  w = w - lr / (1 - beta1^t) m
 *
 * State: slot[0] = m, slot[1] = v. eps is added to the uncorrected root, unlike Adam's, and is above 0. Which case
 * holds is a matter of t and beta2: begin() decides it for all weights.
 */
#ifndef KERN_OPTIM_RADAM_H
#define KERN_OPTIM_RADAM_H

#include <math.h>

#include "common/cs_param.h"
#include "kernels/contract.h"
#include "kernels/optim.h"
#include "kernels/optim/rows.h"

struct cs_error;

static const char radam_help[] = "Adam that is careful while its means are young";

static const struct cs_param radam_params[] = {
    KERN_ROW_LR("1e-3", "step size"),
    KERN_ROW_BETAS("0.9 0.999", "decay of the running means of g and of g squared"),
    KERN_ROW_EPS("1e-8", "added to the denominator"),
    KERN_ROW_WEIGHT_DECAY("0", "pull of every weight towards 0"),
    {.name = "decoupled_weight_decay",
     .type = CS_BOOL,
     .def = "no",
     .min = 0,
     .max = 1,
     .help = "weight_decay acts on the weights as in adamw, not as an L2 penalty"},
};

enum { RADAM_LR, RADAM_BETA1, RADAM_BETA2, RADAM_EPS, RADAM_WEIGHT_DECAY, RADAM_DECOUPLED };

KERN_OPTIM_NO_RULES(radam)

KERN_OPTIM_ONE_VARIANT(radam)

KERN_FN int radam_slots(int variant)
{
    (void) variant;
    return 2;
}

static inline const char *radam_slot_name(int variant, int slot)
{
    (void) variant;
    return slot == 0 ? "exp_avg" : "exp_avg_sq";
}

/* What the rectified case multiplies the step by; 0 in the other case. */
static inline double radam_rectify(double beta2, int64_t t)
{
    const double power = pow(beta2, (double) t), far = 2 / (1 - beta2) - 1;
    const double r = far - 2 * (double) t * power / (1 - power);

    if (!(r > 5))
        return 0;
    return sqrt((r - 4) * (r - 2) * far / ((far - 4) * (far - 2) * r)) * sqrt(1 - power);
}

/* v: factor of the step, L2 penalty, decay of w, 1 - beta1, beta2, 1 - beta2, eps, rectified (1 or 0) */
static inline void radam_begin(struct kern_hyper *out, double *memory, const double *args,
                               double lr, int64_t t)
{
    (void) memory;
    const double rectify = radam_rectify(args[RADAM_BETA2], t);
    const double factor = -lr / (1 - pow(args[RADAM_BETA1], (double) t));
    const double decay = args[RADAM_WEIGHT_DECAY];

    out->v[0] = (float) (rectify > 0 ? factor * rectify : factor);
    out->v[1] = args[RADAM_DECOUPLED] != 0 ? 0.0f : (float) decay;
    out->v[2] = args[RADAM_DECOUPLED] != 0 ? (float) (1 - lr * decay) : 1.0f;
    out->v[3] = (float) (1 - args[RADAM_BETA1]);
    out->v[4] = (float) args[RADAM_BETA2];
    out->v[5] = (float) (1 - args[RADAM_BETA2]);
    out->v[6] = (float) args[RADAM_EPS];
    out->v[7] = rectify > 0 ? 1.0f : 0.0f;
}

KERN_OPTIM_STARTS_AT_ZERO(radam)
KERN_OPTIM_BY_ELEMENT(radam)

KERN_FN float radam_body(float w, float g, float *slot, const struct kern_hyper *h, int variant)
{
    float m, v, divisor;

    (void) variant;
    g = fmaf(h->v[1], w, g);
    m = fmaf(h->v[3], g - slot[0], slot[0]);
    v = fmaf(h->v[4], slot[1], h->v[5] * (g * g));
    slot[0] = kern_flush(m);
    slot[1] = kern_flush(v);
    divisor = h->v[7] > 0 ? sqrtf(v) + h->v[6] : 1.0f;
    return fmaf(h->v[0], m / divisor, h->v[2] * w);
}

#endif

#ifdef KERN_OPTIM_EACH
KERN_OPTIM_EACH(radam)
#endif
