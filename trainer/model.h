/*
 * model.h - a network as a list of layers with shapes, and where its parameters lie.
 *
 * A model is the text of `layers` applied to an input shape: `flatten > linear 512 > relu > linear 10`. Layer i
 * is the i-th module of the equal torch.nn.Sequential, so its parameters are named "i.weight", "i.bias".
 * Nothing here depends on a trial's numbers but dropout rates: models with equal shape text train in one bundle.
 *
 * Nodes are the matrices between layers (batch x features). Layers that work in place (relu, dropout) have the
 * same node in and out.
 */
#ifndef TRAIN_MODEL_H
#define TRAIN_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cs_str.h"

struct cs_error;
struct train_pass;
struct train_layer;
struct train_model;

enum { TRAIN_DIMS = 3, TRAIN_LAYER_ARGS = 4 };

struct train_shape {
    int ndim; /* 1: features; 3: channels, height, width */
    int dim[TRAIN_DIMS];
};

/* Numbers in one sample. */
int train_shape_size(const struct train_shape *shape);

struct train_layer_kind {
    const char *name;
    const char *usage; /* "linear N" */
    const char *help;
    int args_min, args_max; /* numbers after the name */
    bool in_place;
    /* From layer->in and layer->arg: set layer->out, add segments. The message need not name the layer. */
    int (*setup)(struct train_layer *layer, struct train_model *model, struct cs_error *err);
    void (*forward)(const struct train_layer *layer,
                    struct train_pass *pass); /* NULL: nothing to do */
    void (*backward)(const struct train_layer *layer,
                     struct train_pass *pass); /* NULL: nothing to do */
};

struct train_layer {
    const struct train_layer_kind *kind;
    int index;
    struct train_shape in, out;
    double arg[TRAIN_LAYER_ARGS];
    int arg_count;
    int node_in, node_out;
    int segment; /* index of its first segment, -1 without parameters */
    bool fused;  /* relu: computed in the epilogue of the linear layer before it */
};

/* One parameter tensor: its place in the flat arenas. A matrix lies as panel matrix (cols x rows of PyTorch). */
struct train_segment {
    char name[32];    /* "1.weight" */
    int out, in;      /* PyTorch's shape [out][in]; in = 0: a vector [out] */
    double bound;     /* initial values are uniform in [-bound, bound) */
    size_t offset;    /* floats from the start of the trial's arena */
    size_t count;     /* floats with padding */
    int64_t elements; /* without padding */
};

struct train_node {
    int features;
    bool
        relu; /* its last value-changing layer, dropout aside, is relu: x > 0 says where gradients pass */
    bool in_place; /* some in-place layer works on it */
};

struct train_model {
    struct train_layer *layers;
    int layer_count;
    struct train_segment *segments;
    int segment_count;
    struct train_node *nodes; /* [0] is the input */
    int node_count;
    size_t floats;      /* one trial's arena, a multiple of 64 */
    int64_t parameters; /* numbers trained */
    int outputs;        /* features of the last node */
    struct cs_arena arena;
};

/* text as in a grid; messages name the layer: `layer 3 (linear 0): ...`. */
int train_model_create(struct train_model **out, const char *text, const struct train_shape *input,
                       struct cs_error *err);
void train_model_free(struct train_model *model);

/* `layers` in canonical spelling. */
void train_model_text(struct cs_buf *out, const struct train_model *model);

/* Everything that must agree between trials of one bundle. */
void train_model_shape_text(struct cs_buf *out, const struct train_model *model);

/* PyTorch's initial values (nn.Linear: uniform +-1/sqrt(fan_in)), drawn by Philox from the seed; w[floats]. */
void train_model_init(const struct train_model *model, uint64_t seed, float *w);

/* Between an arena and PyTorch's row-major order; tensor[elements]. */
void train_segment_pack(const struct train_segment *segment, float *arena, const float *tensor);
void train_segment_unpack(const struct train_segment *segment, float *tensor, const float *arena);

/* For layers' setup: add a parameter tensor. */
void train_model_add_segment(struct train_model *model, const struct train_layer *layer,
                             const char *name, int out, int in, double bound);

/* The registry, NULL-terminated. */
const struct train_layer_kind *const *train_layer_kinds(void);

#endif
