/*
 * dropout2d.c - torch.nn.Dropout2d: while training a channel of a sample is dropped with probability p, else times
 * 1 / (1 - p).
 *
 * In place, on features x samples; drawn again in the backward pass, never stored (but with rng = torch). p is per-trial data: trials with
 * different rates share a bundle. Refused: a flat input.
 */
#include <stddef.h>

#include "common/cs_error.h"
#include "trainer/bundle_impl.h"
#include "trainer/model.h"

static int setup(struct train_layer *layer, struct train_model *model, struct cs_error *err)
{
    (void) model;
    CS_TRY(train_layer_need_probability(layer, err));
    return train_layer_need_image(layer, err);
}

static int draws(const struct train_layer *layer)
{
    return layer->in.dim[0];
}

static void apply(const struct train_layer *layer, struct train_pass *pass, float *x, bool draw)
{
    const int positions = layer->in.dim[1] * layer->in.dim[2];
    const size_t stride = pass->nodes[layer->node_out].stride;

    for (int t = 0; t < pass->trials; t++) {
        const double p = pass->models[t]->layers[layer->index].arg[0];
        if (p == 0)
            continue;
        const uint8_t *mask = train_pass_mask(pass, layer, t, p, draw);
        if (mask) {
            pass->ops->mask(&(struct kern_mask){
                .rows = train_shape_size(&layer->in),
                .cols = pass->rows,
                .transposed = true,
                .x = x + (size_t) t * stride,
                .keep = mask,
                .plane = positions,
                .p = p,
            });
            continue;
        }
        pass->ops->dropout2d(&(struct kern_dropout2d){
            .trials = 1,
            .samples = pass->rows,
            .channels = layer->in.dim[0],
            .positions = positions,
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
    if (!pass->training)
        return;
    train_pass_need(pass, layer->node_out, TRAIN_XT);
    apply(layer, pass, pass->nodes[layer->node_out].xt, true);
    train_pass_made(pass, layer->node_out, TRAIN_XT);
}

static void backward(const struct train_layer *layer, struct train_pass *pass)
{
    train_pass_need(pass, layer->node_out, TRAIN_GT);
    apply(layer, pass, pass->nodes[layer->node_out].gt, false);
    train_pass_made(pass, layer->node_out, TRAIN_GT);
}

const struct train_layer_kind train_layer_dropout2d = {
    .name = "dropout2d",
    .usage = "dropout2d P",
    .help =
        "drop whole channels of an image with probability P while training (torch.nn.Dropout2d)",
    .args_min = 1,
    .args_max = 1,
    .args_per_trial = true,
    .in_place = true,
    .draws = draws,
    .setup = setup,
    .forward = forward,
    .backward = backward,
};
