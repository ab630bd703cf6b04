/*
 * lanes.h - whole steps of small nets, one trial in every lane of a vector.
 *
 * A net of linear layers with relu and dropout between them, and softmax cross-entropy on top, for `lanes` trials
 * of one shape side by side: every number of the net is a vector over the trials. Each trial has its own
 * samples, seed, dropout rates, optimizer and settings. The bits are those of the operations of kernels.h on each
 * trial alone (contract.h); how many lanes there are, and what is in the others, changes nothing.
 *
 * A *lane matrix* of rows x cols holds, for every element, `lanes` floats:
 *
 *     element (r, c) of lane j  at  r * kern_lanes_pitch(lanes, cols) + c * lanes + j
 *
 * The pitch is an odd number of cache lines, so that the elements of a column lie in different sets of a cache.
 * Floats past a row's last element are never read into one that counts; keep them +0.
 * Weights, gradients and optimizer state are arenas: per layer a lane matrix W (in x out), then one row of biases.
 *
 * A lane without a trial must repeat another lane's numbers: it is computed like the rest.
 * Nothing here allocates, fails or keeps state. Memory is 64-byte aligned.
 */
#ifndef KERN_LANES_H
#define KERN_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/contract.h"
#include "kernels/loss.h"
#include "kernels/optim.h"

struct kern_step;

enum {
    KERN_LANES_MAX = 16,   /* trials side by side, in any instance */
    KERN_LANES_LAYERS = 8, /* linear layers */
    KERN_LANES_DROPS = 2,  /* dropout layers on one node */
};

/* What happens to a node after its linear layer (node 0: to the input). */
struct kern_lanes_node {
    bool relu;
    int drops;
    uint32_t drop[KERN_LANES_DROPS]; /* the layers' numbers, for rule 9, first to last */
};

struct kern_lanes_net {
    int layers;
    int width[KERN_LANES_LAYERS + 1]; /* [0]: of the input */
    struct kern_lanes_node node[KERN_LANES_LAYERS + 1];
};

/* Floats from one row of a lane matrix to the next. */
KERN_FN size_t kern_lanes_pitch(int lanes, int cols)
{
    return (((size_t) lanes * (size_t) cols + 15) / 16 | 1) * 16;
}

/* Where a layer's weights begin in an arena; its biases are the row after their last. */
KERN_FN size_t kern_lanes_weights(const struct kern_lanes_net *net, int lanes, int layer)
{
    size_t at = 0;
    for (int l = 0; l < layer; l++)
        at += (size_t) (net->width[l] + 1) * kern_lanes_pitch(lanes, net->width[l + 1]);
    return at;
}

/* Floats of an arena. */
KERN_FN size_t kern_lanes_floats(const struct kern_lanes_net *net, int lanes)
{
    return kern_lanes_weights(net, lanes, net->layers);
}

/* The samples of one batch. */
struct kern_lanes_batch {
    int rows;
    const uint8_t *pixels; /* as in struct kern_gather */
    const float *values;
    float mean, std;
    const int32_t *labels; /* labels[sample] */
    const uint32_t
        *index; /* index[lane * index_stride + row]; stride 0: all lanes see the same samples */
    size_t index_stride;
    struct kern_loss_sums *sums; /* sums[lanes]: += loss, the samples' in order; correct; top */
    int64_t
        *counts; /* counts[lane * counts_stride + ...], as in kern_loss_call; NULL: not wanted */
    size_t counts_stride;
};

struct kern_lanes {
    const struct kern_lanes_net *net;
    const struct kern_lanes_batch *batch;
    float *w, *slot[KERN_SLOTS]; /* arenas */
    float *grad; /* NULL: update at once; else keep the gradients here, as they are */
    float *work; /* kern_lanes_work(net, lanes, rows) floats, any contents */
    const struct kern_step *const
        *step;            /* step[2 * layer]: of the weights, [2 * layer + 1]: of the biases; each
                                          has `lanes` entries; NULL: frozen */
    const uint64_t *seed; /* seed[lanes] */
    const double *p;      /* p[drop * lanes + lane], drops counted over all nodes; 0 <= p < 1 */
    uint32_t step_number;
};

struct kern_lanes_ops {
    int lanes;
    /* One step; with grad set, its gradients only. */
    void (*train)(const struct kern_lanes *m);
    /* One step from the gradients in grad. */
    void (*update)(const struct kern_lanes *m);
    /* Loss and right predictions of a batch, dropout off. */
    void (*evaluate)(const struct kern_lanes *m);
};

/* Floats of struct kern_lanes.work for batches of up to `rows` samples. */
KERN_FN size_t kern_lanes_work(const struct kern_lanes_net *net, int lanes, int rows)
{
    size_t floats = (size_t) 64 * (size_t) net->width[net->layers];
    for (int n = 0; n <= net->layers; n++)
        floats += 2 * (size_t) rows * kern_lanes_pitch(lanes, net->width[n]);
    return floats;
}

#endif
