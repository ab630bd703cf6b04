/*
 * optim.h - the optimizers: one registry row each, formulas in kernels/optim/NAME.h.
 *
 * An optimizer's settings are its parameter rows; `args` is their numbers in row order (a list takes as many
 * places as it has numbers, a yes/no is 1 or 0). lr is always args[0]. Semantics, names and defaults are
 * PyTorch's (torch/optim/NAME.py). The element formula exists once, as NAME_body, and is compiled into every
 * backend. A *variant* is the set of state tensors in use (SGD with or without momentum), known before training.
 */
#ifndef KERN_OPTIM_H
#define KERN_OPTIM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/cs_param.h"

struct cs_error;

enum { KERN_SLOTS = 3, KERN_HYPERS = 12, KERN_OPTIM_ARGS = 16, KERN_MEMORY = 4 };

/* What one step of one trial needs, computed on the host in double and rounded to float. */
struct kern_hyper {
    float v[KERN_HYPERS];
};

struct kern_optim {
    const char *name; /* as written in a grid: "sgd" */
    const char *help; /* one line */
    const struct cs_param *params;
    int param_count;
    /* Rules between settings (nesterov needs momentum): CS_ERANGE with the message, or 0. */
    int (*check)(const double *args, struct cs_error *err);
    int (*variant)(const double *args);              /* 0 ... KERN_VARIANTS-1 */
    int (*slots)(int variant);                       /* state tensors in use, 0 ... KERN_SLOTS */
    const char *(*slot_name)(int variant, int slot); /* PyTorch's state key: "exp_avg" */
    /*
     * For step t = 1, 2, ... of a trial, at learning rate lr. memory[KERN_MEMORY] is the optimizer's own: 0 before
     * the first step, kept from step to step and in checkpoints.
     */
    void (*begin)(struct kern_hyper *out, double *memory, const double *args, double lr, int64_t t);
    /* What a state tensor holds before the first step; padding holds +0. */
    double (*slot_start)(const double *args, int slot);
    /*
     * The body returns a direction r, not the new weight, which is w = fma(v[RATE] * trust, r, w) for a tensor with
     * trust = |w| / |r| where v[TRUST] is 1 and neither norm (rule 6) is 0, else 1; the product in double, rounded.
     * Whole gradients are needed: KERN_UPDATE is not for these.
     */
    bool by_tensor;
};

enum { KERN_TENSOR_RATE, KERN_TENSOR_TRUST }; /* places in kern_hyper.v */

enum { KERN_VARIANTS = 4 };

/* Borrowed for ever; NULL when there is no such name. */
const struct kern_optim *kern_optim_find(const char *name);

/* All of them, NULL-terminated. */
const struct kern_optim *const *kern_optim_all(void);

#endif
