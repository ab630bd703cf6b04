/*
 * init.h - initial values of weights: `[model] init`, the schemes of torch.nn.init.
 *
 * First every parameter gets what its layer starts with (train_model_init: PyTorch's own defaults). Then the scheme
 * draws all weights of linear and convolution layers anew, in order of the model, and `init_bias = zeros` clears
 * their biases: what `net.apply(...)` does to a fresh PyTorch net. Constants (norms) keep theirs. Numbers: rule 20
 * of kernels/contract.h.
 *
 * With a PyTorch stream (`rng = torch`) both come from it in that order. Schemes with normal numbers are refused
 * there: PyTorch's depend on the instruction set that it finds.
 */
#ifndef TRAIN_INIT_H
#define TRAIN_INIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cs_param.h"

struct cs_error;
struct kern_mt19937;
struct train_model;
struct train_segment;

enum train_init_draw {
    TRAIN_INIT_DEFAULT,    /* as the layer says */
    TRAIN_INIT_UNIFORM,    /* in [-size, size) */
    TRAIN_INIT_NORMAL,     /* size times a standard normal number */
    TRAIN_INIT_ORTHOGONAL, /* size times a matrix with orthonormal rows or columns */
    TRAIN_INIT_ZEROS,
};

struct train_init_scheme {
    const char *name, *help;
    enum train_init_draw draw;
    const struct cs_param *params;
    int param_count;
    double (*size)(const struct train_segment *segment, const double *args);
};

enum { TRAIN_INIT_ARGS = 4 };

/* What a trial asks for. */
struct train_init {
    const struct train_init_scheme *scheme;
    double args[TRAIN_INIT_ARGS]; /* of the scheme's params */
    bool zero_bias;
};

/* The registry: one row a scheme. */
const struct train_init_scheme *train_init_schemes(size_t *count);
const struct train_init_scheme *train_init_find(const char *name);

/* Can PyTorch's stream be followed? */
bool train_init_follows_torch(const struct train_init_scheme *scheme);

/* w[floats of the model], padding +0. torch: the stream to draw from; NULL: by Philox from the seed. */
void train_init_weights(float *w, const struct train_model *model, const struct train_init *init,
                        uint64_t seed, struct kern_mt19937 *torch);

#endif
