/*
 * model.h - a network as a list of layers with shapes, and where its parameters lie.
 *
 * A model is the text of `layers` applied to an input shape: `flatten > linear 512 > relu > linear 10`. Layer i
 * is the i-th module of the equal torch.nn.Sequential, so its parameters are named "i.weight", "i.bias".
 * Nothing here depends on a trial's numbers but dropout rates: models with equal shape text train in one bundle.
 *
 * Nodes are the matrices between layers (batch x features). Layers that work in place (relu, dropout) have the
 * same node in and out. `res( a > b )` is a block: its layers lie between a `res` layer and its end in the one
 * list of layers, and their parameters are named as those of a module with a Sequential `body` would be.
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

enum { TRAIN_DIMS = 4, TRAIN_LAYER_ARGS = 8, TRAIN_LAYER_WORDS = 5, TRAIN_NAME = 64 };

struct train_shape {
    int ndim; /* 1: features; 3: channels, height, width */
    int dim[TRAIN_DIMS];
};

/* Numbers in one sample. */
int train_shape_size(const struct train_shape *shape);

/* A number given by name after the others: `conv 16 5 stride 2`; or yes and no, 1 and 0: `batchnorm affine no`. */
struct train_layer_word {
    const char *name;
    double def;
    bool yes_no;
};

struct train_layer_kind {
    const char *name;
    const char *usage; /* "linear N" */
    const char *help;
    int args_min, args_max; /* numbers after the name */
    /* Up to an entry without name; word i is arg[args_max + i], its default where it is not given. */
    struct train_layer_word words[TRAIN_LAYER_WORDS];
    const struct train_layer_kind
        *end; /* of a block `res( ... )`: the kind put behind its last layer; else NULL */
    bool args_per_trial; /* its numbers may differ between the trials of a bundle */
    bool in_place;       /* computes within its node, where the layer before allows it */
    bool
        moves_zero; /* in place, but what it leaves above 0 need not have been so: not where a relu works */
    bool fuses_relu; /* computes a relu that follows in its epilogue: train_layer_relu_fused */
    bool fuses_pool; /* computes a maxpool 2 that follows it or that relu: train_layer_pool_fused */
    /* Random draws per sample of a training batch, from PyTorch's stream where rng = torch; NULL: it draws nothing, */
    int (*draws)(const struct train_layer *layer);
    bool by_place_only; /* or draws what PyTorch's stream cannot give: refused there */
    bool needs_output;  /* its backward reads its own output: nothing may work on that in place */
    /* From layer->in and layer->arg: set layer->out, add segments. The message need not name the layer. */
    int (*setup)(struct train_layer *layer, struct train_model *model, struct cs_error *err);
    /* From node_in's values to node_out's; NULL: nothing to do. */
    void (*forward)(const struct train_layer *layer, struct train_pass *pass);
    /* From node_out's gradient: node_in's where that is wanted, and those of the parameters. NULL: nothing to do. */
    void (*backward)(const struct train_layer *layer, struct train_pass *pass);
    /* Can it train on a batch of so many samples? NULL: on any. The message need not name the layer. */
    int (*check_batch)(const struct train_layer *layer, int samples, struct cs_error *err);
};

struct train_layer {
    const struct train_layer_kind *kind;
    int index;             /* place in layers[]: the layer's place among random draws */
    char name[TRAIN_NAME]; /* where PyTorch's Sequential has it: "3"; in a block: "3.body.0" */
    struct train_shape in, out;
    double arg[TRAIN_LAYER_ARGS];
    int arg_count; /* numbers given before the words */
    int node_in, node_out;
    int segment;             /* index of its first segment, -1 without parameters */
    size_t keeps;            /* floats it keeps from its forward to its backward, and */
    size_t keeps_per_sample; /* besides those, a sample: train_pass.kept */
    int pair;   /* a block's first layer and its end know one another's index; else -1 */
    bool fused; /* relu, maxpool: computed by a layer before it */
    bool
        copies; /* in-place kind that got a node of its own: values and gradients are copied around it */
};

/* Initial values. PyTorch's are uniform in [-bound, bound), or a constant. */
enum train_role { TRAIN_WEIGHT, TRAIN_BIAS, TRAIN_SCALE };

/* One parameter tensor: its place in the flat arenas. */
struct train_segment {
    char name[TRAIN_NAME + 24]; /* "1.weight" */
    int ndim, dim[TRAIN_DIMS];  /* PyTorch's shape */
    int out,
        in; /* in > 0: [out][in], stored as panel matrix (in x out); in = 0: flat, out numbers */
    enum train_role role;
    bool counter;           /* one whole number, int64 in a checkpoint: train_segment_count */
    bool buffer;            /* not trained: running statistics */
    bool constant;          /* starts at `bound` everywhere */
    double bound;           /* initial values are uniform in [-bound, bound) */
    double fan_in, fan_out; /* of a weight */
    size_t offset;          /* floats from the start of the trial's arena */
    size_t count;           /* floats with padding */
    int64_t elements;       /* without padding */
};

struct train_node {
    int features;
    bool
        relu; /* its last value-changing layer, dropout aside, is relu: x > 0 says where gradients pass */
    bool in_place; /* some in-place layer works on it */
    bool kept;     /* the layer that makes it reads it in its backward */
    bool gradient; /* something below it is trained: its gradient is wanted */
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

/* One layer's part of it: "conv 16 5 stride 2". */
void train_layer_text(struct cs_buf *out, const struct train_layer *layer);

/* Everything that must agree between trials of one bundle. */
void train_model_shape_text(struct cs_buf *out, const struct train_model *model);

/* PyTorch's initial values (nn.Linear: uniform +-1/sqrt(fan_in)), drawn by Philox from the seed; w[floats]. */
void train_model_init(const struct train_model *model, uint64_t seed, float *w);

/* Between an arena and PyTorch's row-major order; tensor[elements]. */
void train_segment_pack(const struct train_segment *segment, float *arena, const float *tensor);
void train_segment_unpack(const struct train_segment *segment, float *tensor, const float *arena);

/* The number of a counter: kept in two floats, so that it is exact beyond 2^24. */
int64_t train_segment_count(const struct train_segment *segment, const float *arena);
void train_segment_set_count(const struct train_segment *segment, float *arena, int64_t count);

/* Can every layer train on a batch of so many samples? The message names the layer. */
int train_model_check_batch(const struct train_model *model, int samples, struct cs_error *err);

/*
 * For layers' setup: add a parameter tensor, [out][in] stored as panel matrix or [dim[0]] ... [dim[ndim - 1]] stored
 * flat. The caller fills in role and initial values; valid until the next is added.
 */
struct train_segment *train_model_add_matrix(struct train_model *model,
                                             const struct train_layer *layer, const char *name,
                                             int out, int in);
struct train_segment *train_model_add_tensor(struct train_model *model,
                                             const struct train_layer *layer, const char *name,
                                             int ndim, const int *dim);

/* For layers' setup: CS_ERANGE where the input is no image. */
int train_layer_need_image(const struct train_layer *layer, struct cs_error *err);

/* For `setup`: CS_ERANGE unless the first argument is in [0, 1). */
int train_layer_need_probability(const struct train_layer *layer, struct cs_error *err);

/* Is the layer behind this one a relu that this one computes? */
bool train_layer_relu_fused(const struct train_layer *layer, const struct train_model *model);

/* Random draws per sample of a training batch, 0 for most. */
size_t train_layer_draws(const struct train_layer *layer);

/* The maxpool that this layer computes, behind its relu or at once; NULL: none. */
const struct train_layer *train_layer_pool_fused(const struct train_layer *layer,
                                                 const struct train_model *model);

/* A kind for each of kernels/activation, at most `room`; how many. */
size_t train_layer_activations(struct train_layer_kind *out, size_t room);

/* The registry, NULL-terminated: trainer/layers/list.h, then the activations. */
const struct train_layer_kind *const *train_layer_kinds(void);

#endif
