/*
 * pool.c - torch.nn.MaxPool2d, AvgPool2d and AdaptiveAvgPool2d(1): maximum or mean over square windows of an image.
 *
 * Windows past the edge are left out (ceil_mode = False), nothing is padded; stride is the window's size unless
 * given. Works on features x samples (contract, rule 15). A maximum's gradient goes to the first of the largest,
 * found again in the backward. Where the input came out of a relu, that one's mask is applied here.
 *
 * `maxpool 2` behind a convolution (and its relu) is computed by it, forward and backward: the matrix between them is
 * never made.
 */
#include <math.h>
#include <stddef.h>

#include "common/cs_error.h"
#include "trainer/bundle_impl.h"
#include "trainer/model.h"

enum { WINDOW, STRIDE }; /* places in layer->arg; stride 0: the window's size */

static int setup(struct train_layer *layer, struct train_model *model, struct cs_error *err)
{
    const double window = layer->arg[WINDOW], stride = layer->arg[STRIDE];
    const int height = layer->in.dim[1], width = layer->in.dim[2];

    (void) model;
    CS_TRY(train_layer_need_image(layer, err));
    if (window != floor(window) || window < 1 || window > 1024)
        return cs_fail(err, CS_ERANGE, "the window must be a whole number in [1, 1024]");
    if (stride != floor(stride) || stride < 0 || stride > 1024)
        return cs_fail(err, CS_ERANGE, "stride must be a whole number in [1, 1024]");
    if (window > height || window > width)
        return cs_fail(err, CS_ERANGE, "its window does not fit into %d x %d", height, width);
    const int step = (int) (stride > 0 ? stride : window);
    if (step == (int) window)
        layer->arg[STRIDE] = 0;
    layer->out = (struct train_shape){.ndim = 3,
                                      .dim = {layer->in.dim[0], (height - (int) window) / step + 1,
                                              (width - (int) window) / step + 1}};
    return 0;
}

const struct train_layer *train_layer_pool_fused(const struct train_layer *layer,
                                                 const struct train_model *model)
{
    const int next = layer->index + (train_layer_relu_fused(layer, model) ? 2 : 1);

    if (!layer->kind->fuses_pool || next >= model->layer_count || !model->layers[next].fused)
        return NULL;
    return &model->layers[next];
}

static int setup_max(struct train_layer *layer, struct train_model *model, struct cs_error *err)
{
    CS_TRY(setup(layer, model, err));
    if (layer->arg[WINDOW] == 2 && layer->arg[STRIDE] == 0 && layer->index > 0) {
        const struct train_layer *before = &model->layers[layer->index - 1];
        if (before->kind->in_place && before->fused)
            before--;
        layer->fused = before->kind->fuses_pool;
    }
    return 0;
}

static int setup_global(struct train_layer *layer, struct train_model *model, struct cs_error *err)
{
    (void) model;
    CS_TRY(train_layer_need_image(layer, err));
    layer->out = (struct train_shape){.ndim = 3, .dim = {layer->in.dim[0], 1, 1}};
    return 0;
}

static struct kern_pool call_of(const struct train_layer *layer, const struct train_pass *pass)
{
    const struct train_buffers *in = &pass->nodes[layer->node_in],
                               *out = &pass->nodes[layer->node_out];
    const bool whole = layer->kind->args_max == 0;
    const int window = (int) layer->arg[WINDOW], stride = (int) layer->arg[STRIDE];

    return (struct kern_pool){
        .trials = pass->trials,
        .samples = pass->rows,
        .channels = layer->in.dim[0],
        .height = layer->in.dim[1],
        .width = layer->in.dim[2],
        .out_height = layer->out.dim[1],
        .out_width = layer->out.dim[2],
        .kernel_height = whole ? layer->in.dim[1] : window,
        .kernel_width = whole ? layer->in.dim[2] : window,
        .stride = whole    ? 1
                  : stride ? stride
                           : window,
        .x = in->xt,
        .y = out->xt,
        .dx = in->gt,
        .dy = out->gt,
        .x_stride = in->stride,
        .y_stride = out->stride,
    };
}

static void forward(const struct train_layer *layer, struct train_pass *pass,
                    void (*op)(const struct kern_pool *))
{
    struct kern_pool p = call_of(layer, pass);

    p.dx = NULL;
    train_pass_need(pass, layer->node_in, TRAIN_XT);
    op(&p);
    train_pass_made(pass, layer->node_out, TRAIN_XT);
}

static void backward(const struct train_layer *layer, struct train_pass *pass,
                     void (*op)(const struct kern_pool *))
{
    struct kern_pool p = call_of(layer, pass);

    if (!pass->model->nodes[layer->node_in].gradient)
        return;
    p.y = NULL;
    p.relu = pass->model->nodes[layer->node_in].relu;
    train_pass_need(pass, layer->node_in, TRAIN_XT);
    train_pass_need(pass, layer->node_out, TRAIN_GT);
    op(&p);
    train_pass_made(pass, layer->node_in, TRAIN_GT);
    pass->masked[layer->node_in] = p.relu;
}

static void max_forward(const struct train_layer *layer, struct train_pass *pass)
{
    if (!layer->fused)
        forward(layer, pass, pass->ops->maxpool);
}

static void max_backward(const struct train_layer *layer, struct train_pass *pass)
{
    if (layer->fused)
        pass->masked[layer->node_in] = true;
    else
        backward(layer, pass, pass->ops->maxpool_grad);
}

static void mean_forward(const struct train_layer *layer, struct train_pass *pass)
{
    forward(layer, pass, pass->ops->avgpool);
}

static void mean_backward(const struct train_layer *layer, struct train_pass *pass)
{
    backward(layer, pass, pass->ops->avgpool_grad);
}

const struct train_layer_kind train_layer_maxpool = {
    .name = "maxpool",
    .usage = "maxpool WINDOW [stride S]",
    .help = "the largest of every window; S is WINDOW unless given (torch.nn.MaxPool2d)",
    .args_min = 1,
    .args_max = 1,
    .words = {{"stride", 0}},
    .setup = setup_max,
    .forward = max_forward,
    .backward = max_backward,
};

const struct train_layer_kind train_layer_avgpool = {
    .name = "avgpool",
    .usage = "avgpool WINDOW [stride S]",
    .help = "the mean of every window; S is WINDOW unless given (torch.nn.AvgPool2d)",
    .args_min = 1,
    .args_max = 1,
    .words = {{"stride", 0}},
    .setup = setup,
    .forward = mean_forward,
    .backward = mean_backward,
};

const struct train_layer_kind train_layer_globalavgpool = {
    .name = "globalavgpool",
    .usage = "globalavgpool",
    .help = "the mean of every channel (torch.nn.AdaptiveAvgPool2d(1))",
    .setup = setup_global,
    .forward = mean_forward,
    .backward = mean_backward,
};
