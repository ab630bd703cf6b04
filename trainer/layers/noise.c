/*
 * noise.c - while training x + std * z, z normal and drawn anew for every element and step; in evaluation x.
 *
 * In place, but for a relu's node: there x > 0 must go on to say what the relu let through. The gradient passes
 * unchanged. std is per-trial data: trials with different noise share a bundle. Refused with
 * rng = torch: PyTorch's normal numbers differ between instruction sets.
 */
#include <stddef.h>

#include "common/cs_error.h"
#include "trainer/bundle_impl.h"
#include "trainer/model.h"

static int setup(struct train_layer *layer, struct train_model *model, struct cs_error *err)
{
    (void) model;
    if (!(layer->arg[0] >= 0 && layer->arg[0] <= 1e30))
        return cs_fail(err, CS_ERANGE, "the standard deviation must be a finite number >= 0");
    return 0;
}

static void forward(const struct train_layer *layer, struct train_pass *pass)
{
    const struct train_buffers *node = &pass->nodes[layer->node_out];
    const bool turned = !(pass->have[layer->node_out] & TRAIN_X);
    const int features = train_shape_size(&layer->in);

    if (!pass->training)
        return;
    for (int t = 0; t < pass->trials; t++) {
        const double std = pass->models[t]->layers[layer->index].arg[0];
        if (std == 0)
            continue;
        pass->ops->noise(&(struct kern_noise){
            .trials = 1,
            .rows = turned ? features : pass->rows,
            .cols = turned ? pass->rows : features,
            .transposed = turned,
            .x = (turned ? node->xt : node->x) + (size_t) t * node->stride,
            .x_stride = node->stride,
            .std = &std,
            .seed = &pass->seed[t],
            .step = pass->step_number,
            .layer = (uint32_t) layer->index,
        });
    }
    train_pass_made(pass, layer->node_out, turned ? TRAIN_XT : TRAIN_X);
}

const struct train_layer_kind train_layer_noise = {
    .name = "noise",
    .usage = "noise STD",
    .help = "add normal noise of standard deviation STD while training",
    .args_min = 1,
    .args_max = 1,
    .args_per_trial = true,
    .in_place = true,
    .moves_zero = true,
    .by_place_only = true,
    .setup = setup,
    .forward = forward,
};
