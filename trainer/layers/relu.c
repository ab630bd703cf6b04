/*
 * relu.c - torch.nn.ReLU, in place; its gradient at 0 is 0.
 *
 * After a linear layer it is computed in that layer's epilogue. Its gradient is taken by the layer above, which
 * masks with x > 0 while it writes (a dropped element is 0 and passes none either way).
 */
#include <stddef.h>
#include <string.h>

#include "trainer/bundle_impl.h"
#include "trainer/model.h"

static int setup(struct train_layer *layer, struct train_model *model, struct cs_error *err)
{
    (void) err;
    model->nodes[layer->node_in].relu = true;
    layer->fused =
        layer->index > 0 && strcmp(model->layers[layer->index - 1].kind->name, "linear") == 0;
    return 0;
}

static void forward(const struct train_layer *layer, struct train_pass *pass)
{
    const struct train_buffers *node = &pass->nodes[layer->node_in];
    const size_t count = (size_t) pass->rows * kern_pad((size_t) train_shape_size(&layer->in));

    for (int t = 0; t < pass->trials && !layer->fused; t++)
        pass->ops->relu(node->x + (size_t) t * node->stride, count);
}

/* Only as the last layer: elsewhere the layer above has masked already. */
static void backward(const struct train_layer *layer, struct train_pass *pass)
{
    const struct train_buffers *node = &pass->nodes[layer->node_in];
    const size_t features = (size_t) train_shape_size(&layer->in);

    if (layer->node_in != pass->model->node_count - 1)
        return;
    train_pass_need_xt(pass, layer->node_in);
    for (int t = 0; t < pass->trials; t++)
        pass->ops->relu_grad(node->gt + (size_t) t * node->stride,
                             node->xt + (size_t) t * node->stride,
                             features * kern_pad((size_t) pass->rows));
    pass->has_g[layer->node_in] = false;
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
