/*
 * bundle_impl.h - what layers see while a bundle computes. Private to trainer/.
 *
 * A pass works on `trials` trials of the bundle at once (as many as the backend takes per call). Every pointer
 * belongs to the first of them; trial t lies t strides further.
 *
 * A node (the matrix between two layers) has four panel matrices: values x (batch x features) and xt (features x
 * batch), gradients g and gt likewise. Of each pair at least one is up to date once a layer has made it;
 * train_pass_need makes the other by turning it over. xt and gt hold 16 samples side by side: what convolution,
 * pooling and norms over the batch work on. Padding columns are +0 in all four.
 */
#ifndef TRAIN_BUNDLE_IMPL_H
#define TRAIN_BUNDLE_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/kernels.h"
#include "trainer/model.h"

enum { TRAIN_X = 1, TRAIN_XT = 2, TRAIN_G = 4, TRAIN_GT = 8 };

struct train_buffers {
    float *x, *xt, *g, *gt;
    size_t stride; /* floats per trial, the same for all four */
};

/* What one layer keeps from its forward to its backward, for each trial of the pass. */
struct train_kept {
    float *at;
    size_t stride;
};

struct train_pass {
    const struct kern_ops *ops;
    const struct train_model *model;         /* of any trial: shapes are equal */
    const struct train_model *const *models; /* models[trials]: dropout rates differ */
    int trials, rows;                        /* rows: samples of this batch */
    bool training;
    bool keep_gradients;       /* store all gradients in grad instead of updating at once */
    uint32_t step_number;      /* of the batch, from 0, over all epochs */
    const uint64_t *seed;      /* seed[trials] */
    struct train_torch *torch; /* torch[trials]: rng = torch; else NULL */
    uint8_t *const *masks;     /* and [layers]: of every trial, `draws` numbers per sample */
    struct train_buffers *nodes;
    uint8_t *have;                 /* per node: TRAIN_X ... that are up to date in this step */
    const struct train_kept *kept; /* [layers] */
    bool *masked;                  /* per node: its gradient is +0 already where x <= 0 */
    float *w, *grad, *slot[KERN_SLOTS];
    size_t w_stride;              /* of w, grad and slots */
    const struct kern_step *step; /* [segments][step_stride], of the pass's first trial */
    size_t step_stride;
    const bool *trained; /* [segments] */
};

/* Make one matrix of the node from its transpose, unless it is up to date. */
void train_pass_need(struct train_pass *pass, int node, int which);

/* These are new: the others of their kind (values, gradients) are out of date. */
void train_pass_made(struct train_pass *pass, int node, int which);

/* Values or gradients of one node to another of the same size, in whatever form they are; and added to it. */
void train_pass_copy_values(struct train_pass *pass, int from, int to);
void train_pass_copy_gradient(struct train_pass *pass, int from, int to);
void train_pass_add_values(struct train_pass *pass, int from, int to);
void train_pass_add_gradient(struct train_pass *pass, int from, int to);

/*
 * rng = torch: the mask of a layer that draws, of trial t and this batch; draw: in the forward pass, which comes first.
 * NULL unless rng = torch.
 */
const uint8_t *train_pass_mask(const struct train_pass *pass, const struct train_layer *layer,
                               int t, double p, bool draw);

/* Is the segment trained? Not when it is a buffer or frozen. */
bool train_pass_trains(const struct train_pass *pass, int segment);

/* step[trials] of a segment. */
const struct kern_step *train_pass_step(const struct train_pass *pass, int segment);

/* The segment's gradient stands in grad: one optimizer step on every trial, unless gradients are kept. */
void train_pass_update(struct train_pass *pass, int segment);

#endif
