/*
 * nadam.h - NAdam, Adam with Nesterov's momentum (Dozat, ICLR 2016 workshop; torch/optim/nadam.py of PyTorch 2).
 *
 *     g = g + weight_decay w                    decoupled: w = w (1 - lr weight_decay)
 *     mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2), P = mu_1 mu_2 ... mu_t
 *     m = m + (1 - beta1)(g - m)
 *     v = beta2 v + (1 - beta2) g g
 *     d = sqrt(v) / sqrt(1 - beta2^t) + eps
 *     w = w - lr (1 - mu_t) / (1 - P) g / d - lr mu_(t+1) / (1 - P mu_(t+1)) m / d
 *
 * State: slot[0] = m, slot[1] = v; memory[0] = P, in double. eps is above 0, as in Adam. (PyTorch 1.13 multiplies P
 * by mu_t once more in the last term; that was mended in 2.0.)
 */
#ifndef KERN_OPTIM_NADAM_H
#define KERN_OPTIM_NADAM_H

#include <math.h>

#include "common/cs_param.h"
#include "kernels/contract.h"
#include "kernels/optim.h"
#include "kernels/optim/rows.h"

struct cs_error;

static const char nadam_help[] = "Adam that looks ahead along its momentum";

static const struct cs_param nadam_params[] = {
    KERN_ROW_LR("2e-3", "step size"),
    KERN_ROW_BETAS("0.9 0.999", "decay of the running means of g and of g squared"),
    KERN_ROW_EPS("1e-8", "added to the denominator"),
    KERN_ROW_WEIGHT_DECAY("0", "pull of every weight towards 0"),
    KERN_ROW_POSITIVE("momentum_decay", "4e-3", 0, "how fast the momentum grows to beta1"),
    {.name = "decoupled_weight_decay",
     .type = CS_BOOL,
     .def = "no",
     .min = 0,
     .max = 1,
     .help = "weight_decay acts on the weights as in adamw, not as an L2 penalty"},
};

enum {
    NADAM_LR,
    NADAM_BETA1,
    NADAM_BETA2,
    NADAM_EPS,
    NADAM_WEIGHT_DECAY,
    NADAM_PSI,
    NADAM_DECOUPLED
};

KERN_OPTIM_NO_RULES(nadam)
KERN_OPTIM_ONE_VARIANT(nadam)
KERN_OPTIM_STARTS_AT_ZERO(nadam)
KERN_OPTIM_BY_ELEMENT(nadam)

KERN_FN int nadam_slots(int variant)
{
    (void) variant;
    return 2;
}

static inline const char *nadam_slot_name(int variant, int slot)
{
    (void) variant;
    return slot == 0 ? "exp_avg" : "exp_avg_sq";
}

static inline double nadam_mu(const double *args, int64_t t)
{
    return args[NADAM_BETA1] * (1 - 0.5 * pow(0.96, (double) t * args[NADAM_PSI]));
}

/* v: factors of g / d and m / d, L2 penalty, decay of w, 1 - beta1, beta2, 1 - beta2, 1 / sqrt(1 - beta2^t), eps */
static inline void nadam_begin(struct kern_hyper *out, double *memory, const double *args,
                               double lr, int64_t t)
{
    const double mu = nadam_mu(args, t), next = nadam_mu(args, t + 1);
    const double decay = args[NADAM_WEIGHT_DECAY];

    memory[0] = t == 1 ? mu : memory[0] * mu;
    out->v[0] = (float) (-lr * (1 - mu) / (1 - memory[0]));
    out->v[1] = (float) (-lr * next / (1 - memory[0] * next));
    out->v[2] = args[NADAM_DECOUPLED] != 0 ? 0.0f : (float) decay;
    out->v[3] = args[NADAM_DECOUPLED] != 0 ? (float) (1 - lr * decay) : 1.0f;
    out->v[4] = (float) (1 - args[NADAM_BETA1]);
    out->v[5] = (float) args[NADAM_BETA2];
    out->v[6] = (float) (1 - args[NADAM_BETA2]);
    out->v[7] = (float) (1 / sqrt(1 - pow(args[NADAM_BETA2], (double) t)));
    out->v[8] = (float) args[NADAM_EPS];
}

KERN_FN float nadam_body(float w, float g, float *slot, const struct kern_hyper *h, int variant)
{
    float m, v, d;

    (void) variant;
    g = fmaf(h->v[2], w, g);
    m = fmaf(h->v[4], g - slot[0], slot[0]);
    v = fmaf(h->v[5], slot[1], h->v[6] * (g * g));
    slot[0] = kern_flush(m);
    slot[1] = kern_flush(v);
    d = fmaf(sqrtf(v), h->v[7], h->v[8]);
    return fmaf(h->v[1], m / d, fmaf(h->v[0], g / d, h->v[3] * w));
}

#endif

#ifdef KERN_OPTIM_EACH
KERN_OPTIM_EACH(nadam)
#endif
