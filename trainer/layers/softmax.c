/*
 * softmax.c - torch.nn.Softmax(1) and torch.nn.LogSoftmax(1), over the features of a sample (contract, rule 13).
 *
 * Values and gradients are worked on with the samples side by side (xt, gt). The gradient needs the output, on which
 * nothing may work in place then. Refused: more than one dimension, where PyTorch would take the channels.
 */
#include <string.h>

#include "common/cs_error.h"
#include "trainer/bundle_impl.h"
#include "trainer/model.h"

static int setup(struct train_layer *layer, struct train_model *model, struct cs_error *err)
{
    (void) model;
    if (layer->in.ndim != 1)
        return cs_fail(err, CS_ERANGE,
                       "takes the features of a flat input; expected flatten before");
    return 0;
}

static struct kern_softmax make_call(const struct train_layer *layer, const struct train_pass *pass)
{
    const struct train_buffers *in = &pass->nodes[layer->node_in],
                               *out = &pass->nodes[layer->node_out];

    return (struct kern_softmax){
        .trials = pass->trials,
        .classes = train_shape_size(&layer->in),
        .samples = pass->rows,
        .log = strcmp(layer->kind->name, "log_softmax") == 0,
        .y = out->xt,
        .dy = out->gt,
        .dx = in->gt,
        .x_stride = in->stride,
        .y_stride = out->stride,
        .dy_stride = out->stride,
        .dx_stride = in->stride,
    };
}

static void forward(const struct train_layer *layer, struct train_pass *pass)
{
    struct kern_softmax call = make_call(layer, pass);

    train_pass_need(pass, layer->node_in, TRAIN_XT);
    call.x = pass->nodes[layer->node_in].xt;
    pass->ops->softmax(&call);
    train_pass_made(pass, layer->node_out, TRAIN_XT);
}

static void backward(const struct train_layer *layer, struct train_pass *pass)
{
    const struct kern_softmax call = make_call(layer, pass);

    if (!pass->model->nodes[layer->node_in].gradient)
        return;
    train_pass_need(pass, layer->node_out, TRAIN_XT);
    train_pass_need(pass, layer->node_out, TRAIN_GT);
    pass->ops->softmax(&call);
    train_pass_made(pass, layer->node_in, TRAIN_GT);
}

const struct train_layer_kind train_layer_softmax = {
    .name = "softmax",
    .usage = "softmax",
    .help = "exp(x) over the sum of the sample's exp(x) (torch.nn.Softmax)",
    .needs_output = true,
    .setup = setup,
    .forward = forward,
    .backward = backward,
};

const struct train_layer_kind train_layer_log_softmax = {
    .name = "log_softmax",
    .usage = "log_softmax",
    .help = "logarithm of softmax, for loss = nll or kl_div (torch.nn.LogSoftmax)",
    .needs_output = true,
    .setup = setup,
    .forward = forward,
    .backward = backward,
};
