/*
 * res.c - `res( a > b )`, a residual block: y = x + f(x), f = the layers inside; shapes must agree.
 *
 * Two layers of the list. `res` copies its input for the inside to work on; its end adds the two. In PyTorch it
 * equals a module with `self.body = nn.Sequential(...)` and `forward` x + self.body(x), so parameters are named
 * "N.body.0.weight". Backward: the sum's gradient goes unchanged to the inside and is added to what comes out of it.
 */
#include "common/cs_error.h"
#include "trainer/bundle_impl.h"
#include "trainer/model.h"

static int setup(struct train_layer *layer, struct train_model *model, struct cs_error *err)
{
    (void) layer;
    (void) model;
    (void) err;
    return 0;
}

static void forward(const struct train_layer *layer, struct train_pass *pass)
{
    train_pass_copy_values(pass, layer->node_in, layer->node_out);
}

static void backward(const struct train_layer *layer, struct train_pass *pass)
{
    const int sum = pass->model->layers[layer->pair].node_out;

    if (!pass->model->nodes[layer->node_in].gradient)
        return;
    train_pass_copy_gradient(pass, layer->node_out, layer->node_in);
    train_pass_add_gradient(pass, sum, layer->node_in);
}

static int end_setup(struct train_layer *layer, struct train_model *model, struct cs_error *err)
{
    const struct train_shape *x = &model->layers[layer->pair].in, *y = &layer->in;
    bool same = x->ndim == y->ndim;

    for (int i = 0; i < x->ndim && same; i++)
        same = x->dim[i] == y->dim[i];
    if (!same)
        return cs_fail(err, CS_ERANGE, "its inside turns %d numbers into %d; shapes must agree",
                       train_shape_size(x), train_shape_size(y));
    return 0;
}

static void end_forward(const struct train_layer *layer, struct train_pass *pass)
{
    train_pass_copy_values(pass, layer->node_in, layer->node_out);
    train_pass_add_values(pass, pass->model->layers[layer->pair].node_in, layer->node_out);
}

static void end_backward(const struct train_layer *layer, struct train_pass *pass)
{
    train_pass_copy_gradient(pass, layer->node_out, layer->node_in);
}

static const struct train_layer_kind end_of_res = {
    .name = "end",
    .usage = "res( LAYER > ... )",
    .help = "",
    .setup = end_setup,
    .forward = end_forward,
    .backward = end_backward,
};

const struct train_layer_kind train_layer_res = {
    .name = "res",
    .usage = "res( LAYER > ... )",
    .help = "a residual block: x + the layers inside; their output must have x's shape",
    .end = &end_of_res,
    .setup = setup,
    .forward = forward,
    .backward = backward,
};
