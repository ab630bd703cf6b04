/*
 * flatten.c - torch.nn.Flatten: channels x height x width as one row, in that order. Samples are stored flat
 * already, so nothing is computed.
 */
#include "trainer/model.h"

static int setup(struct train_layer *layer, struct train_model *model, struct cs_error *err)
{
    (void) model;
    (void) err;
    layer->out = (struct train_shape){.ndim = 1, .dim = {train_shape_size(&layer->in)}};
    return 0;
}

const struct train_layer_kind train_layer_flatten = {
    .name = "flatten",
    .usage = "flatten",
    .help = "an image as one row of numbers (torch.nn.Flatten)",
    .setup = setup,
};
