/*
 * relu.c - torch.nn.ReLU, in place; its gradient at 0 is 0.
 *
 * After a layer that can it is computed in that layer's epilogue. Where the layer above takes the gradient's mask
 * x > 0 into its own epilogue (pass->masked), nothing is left to do in the backward; a dropped element is 0 and
 * passes none either way.
 */
#include <stddef.h>
#include <string.h>

#include "trainer/bundle_impl.h"
#include "trainer/model.h"

static int setup(struct train_layer *layer, struct train_model *model, struct cs_error *err)
{
    (void) err;
    model->nodes[layer->node_out].relu = true;
    layer->fused =
        layer->index > 0 && !layer->copies && model->layers[layer->index - 1].kind->fuses_relu;
    return 0;
}

bool train_layer_relu_fused(const struct train_layer *layer, const struct train_model *model)
{
    const struct train_layer *next = layer + 1;
    return layer->index + 1 < model->layer_count && next->kind->in_place && next->fused;
}

static void forward(const struct train_layer *layer, struct train_pass *pass)
{
    const struct train_buffers *node = &pass->nodes[layer->node_out];
    const int features = train_shape_size(&layer->in);

    if (layer->fused)
        return;
    const bool turned = !(pass->have[layer->node_out] & TRAIN_X);
    const size_t count = turned ? (size_t) features * kern_pad((size_t) pass->rows)
                                : (size_t) pass->rows * kern_pad((size_t) features);
    for (int t = 0; t < pass->trials; t++)
        pass->ops->relu((turned ? node->xt : node->x) + (size_t) t * node->stride, count);
    train_pass_made(pass, layer->node_out, turned ? TRAIN_XT : TRAIN_X);
}

static void backward(const struct train_layer *layer, struct train_pass *pass)
{
    const struct train_buffers *node = &pass->nodes[layer->node_out];
    const size_t features = (size_t) train_shape_size(&layer->in);

    if (pass->masked[layer->node_out])
        return;
    train_pass_need(pass, layer->node_out, TRAIN_XT);
    train_pass_need(pass, layer->node_out, TRAIN_GT);
    for (int t = 0; t < pass->trials; t++)
        pass->ops->relu_grad(node->gt + (size_t) t * node->stride,
                             node->xt + (size_t) t * node->stride,
                             features * kern_pad((size_t) pass->rows));
    train_pass_made(pass, layer->node_out, TRAIN_GT);
}

const struct train_layer_kind train_layer_relu = {
    .name = "relu",
    .usage = "relu",
    .help = "max(0, x) (torch.nn.ReLU)",
    .in_place = true,
    .setup = setup,
    .forward = forward,
    .backward = backward,
};
