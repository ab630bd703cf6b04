/*
 * dropout.c - torch.nn.Dropout: while training an element is dropped with probability p, else times 1 / (1 - p).
 *
 * In place. The mask is a function of (seed, place, step), never stored. Where the layer above has set the gradient of
 * everything that is not above 0 to +0 already (pass->masked: a relu works on the node), dropped elements are
 * among those, and the backward pass only multiplies; else it draws the mask again. With rng = torch the mask is
 * drawn from a stream in the forward pass, and kept.
 * p is per-trial data: trials with different rates share a bundle.
 */
#include <stddef.h>

#include "common/cs_error.h"
#include "trainer/bundle_impl.h"
#include "trainer/model.h"

static int setup(struct train_layer *layer, struct train_model *model, struct cs_error *err)
{
    (void) model;
    return train_layer_need_probability(layer, err);
}

static int draws(const struct train_layer *layer)
{
    return train_shape_size(&layer->in);
}

static void apply(const struct train_layer *layer, struct train_pass *pass, float *x, size_t stride,
                  bool transposed, bool draw)
{
    const int features = train_shape_size(&layer->in);

    for (int t = 0; t < pass->trials; t++) {
        const double p = pass->models[t]->layers[layer->index].arg[0];
        if (p == 0)
            continue;
        const uint8_t *mask = train_pass_mask(pass, layer, t, p, draw);
        if (mask) {
            pass->ops->mask(&(struct kern_mask){
                .rows = transposed ? features : pass->rows,
                .cols = transposed ? pass->rows : features,
                .transposed = transposed,
                .x = x + (size_t) t * stride,
                .keep = mask,
                .plane = 1,
                .p = p,
            });
            continue;
        }
        pass->ops->dropout(&(struct kern_dropout){
            .trials = 1,
            .rows = transposed ? features : pass->rows,
            .cols = transposed ? pass->rows : features,
            .transposed = transposed,
            .x = x + (size_t) t * stride,
            .x_stride = stride,
            .p = &p,
            .seed = &pass->seed[t],
            .step = pass->step_number,
            .layer = (uint32_t) layer->index,
        });
    }
}

static void forward(const struct train_layer *layer, struct train_pass *pass)
{
    const struct train_buffers *node = &pass->nodes[layer->node_out];
    const bool turned = !(pass->have[layer->node_out] & TRAIN_X);

    if (!pass->training)
        return;
    apply(layer, pass, turned ? node->xt : node->x, node->stride, turned, true);
    train_pass_made(pass, layer->node_out, turned ? TRAIN_XT : TRAIN_X);
}

static void scale(const struct train_layer *layer, struct train_pass *pass, float *g, size_t stride,
                  bool turned)
{
    const size_t features = (size_t) train_shape_size(&layer->in), rows = (size_t) pass->rows;
    const size_t count = turned ? features * kern_pad(rows) : rows * kern_pad(features);

    for (size_t t = 0; t < (size_t) pass->trials; t++) {
        const double p = pass->models[t]->layers[layer->index].arg[0];
        if (p > 0)
            pass->ops->scale(g + t * stride, count,
                             train_pass_mask(pass, layer, (int) t, p, false)
                                 ? 1.0f / (float) (1.0 - p)
                                 : (float) (1.0 / (1.0 - p))); /* rule 9 */
    }
}

static void backward(const struct train_layer *layer, struct train_pass *pass)
{
    const struct train_buffers *node = &pass->nodes[layer->node_out];
    const bool turned = !(pass->have[layer->node_out] & TRAIN_G);

    if (pass->masked[layer->node_out])
        scale(layer, pass, turned ? node->gt : node->g, node->stride, turned);
    else
        apply(layer, pass, turned ? node->gt : node->g, node->stride, turned, false);
    train_pass_made(pass, layer->node_out, turned ? TRAIN_GT : TRAIN_G);
}

const struct train_layer_kind train_layer_dropout = {
    .name = "dropout",
    .usage = "dropout P",
    .help = "drop elements with probability P while training (torch.nn.Dropout)",
    .args_min = 1,
    .args_max = 1,
    .args_per_trial = true,
    .in_place = true,
    .draws = draws,
    .setup = setup,
    .forward = forward,
    .backward = backward,
};
