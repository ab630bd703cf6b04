/*
 * bundle_impl.h - what layers see while a bundle computes. Private to trainer/.
 *
 * A pass works on `trials` trials of the bundle at once (as many as the backend takes per call). Every pointer
 * belongs to the first of them; trial t lies t strides further.
 */
#ifndef TRAIN_BUNDLE_IMPL_H
#define TRAIN_BUNDLE_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/kernels.h"
#include "trainer/model.h"

/* One node (batch x features): values, transposed values, gradient, transposed gradient. */
struct train_buffers {
    float *x, *xt, *g, *gt;
    size_t stride; /* floats per trial, the same for all four */
};

struct train_pass {
    const struct kern_ops *ops;
    const struct train_model *model;         /* of any trial: shapes are equal */
    const struct train_model *const *models; /* models[trials]: dropout rates differ */
    int trials, rows;                        /* rows: samples of this batch */
    bool training;
    bool keep_gradients; /* store all gradients in grad instead of updating at once */
    uint32_t step_number;
    const uint64_t *seed; /* seed[trials] */
    struct train_buffers *nodes;
    bool *has_g, *has_xt; /* per node: is the copy up to date in this step */
    float *w, *grad, *slot[KERN_SLOTS];
    size_t w_stride;              /* of w, grad and slots */
    const struct kern_step *step; /* step[trials] */
};

/* Make node's g from gt, or xt from x, unless it is there. */
void train_pass_need_g(struct train_pass *pass, int node);
void train_pass_need_xt(struct train_pass *pass, int node);

/* One optimizer step on floats [offset, offset + count) of every trial, from grad. */
void train_pass_update(struct train_pass *pass, size_t offset, size_t count);

#endif
