/*
 * layernorm.c - torch.nn.LayerNorm over all features of a sample, an image's too: its weights and biases have the
 * sample's shape.
 *
 * Works on features x samples (contract, rule 17). A relu right after the layer is computed with it.
 */
#include <stddef.h>

#include "common/cs_error.h"
#include "trainer/bundle_impl.h"
#include "trainer/model.h"

/* Places in layer->arg: the words in their order. */
enum { EPS, AFFINE };

static void add(struct train_model *model, const struct train_layer *layer, const char *name,
                enum train_role role, double value)
{
    struct train_segment *s =
        train_model_add_tensor(model, layer, name, layer->in.ndim, layer->in.dim);

    s->role = role;
    s->constant = true;
    s->bound = value;
}

static int setup(struct train_layer *layer, struct train_model *model, struct cs_error *err)
{
    if (!(layer->arg[EPS] > 0 && layer->arg[EPS] <= 1))
        return cs_fail(err, CS_ERANGE, "eps must be a number above 0, at most 1");
    if (layer->arg[AFFINE] > 0) {
        add(model, layer, "weight", TRAIN_SCALE, 1);
        add(model, layer, "bias", TRAIN_BIAS, 0);
    }
    layer->keeps_per_sample = 2;
    return 0;
}

static struct kern_layernorm call_of(const struct train_layer *layer, const struct train_pass *pass)
{
    const bool affine = layer->arg[AFFINE] > 0;
    const struct train_segment *first = affine ? &pass->model->segments[layer->segment] : NULL;
    const struct train_buffers *in = &pass->nodes[layer->node_in],
                               *out = &pass->nodes[layer->node_out];
    const struct train_kept *kept = &pass->kept[layer->index];

    return (struct kern_layernorm){
        .trials = pass->trials,
        .samples = pass->rows,
        .features = train_shape_size(&layer->in),
        .eps = layer->arg[EPS],
        .x = in->xt,
        .x_stride = in->stride,
        .y_stride = out->stride,
        .w = affine ? pass->w + first->offset : NULL,
        .bias = affine ? pass->w + first[1].offset : NULL,
        .w_stride = pass->w_stride,
        .saved = pass->training ? kept->at : NULL,
        .saved_stride = kept->stride,
        .dw_stride = pass->w_stride,
    };
}

static void forward(const struct train_layer *layer, struct train_pass *pass)
{
    struct kern_layernorm n = call_of(layer, pass);

    train_pass_need(pass, layer->node_in, TRAIN_XT);
    n.y = pass->nodes[layer->node_out].xt;
    n.relu = train_layer_relu_fused(layer, pass->model);
    pass->ops->layernorm(&n);
    train_pass_made(pass, layer->node_out, TRAIN_XT);
}

static void backward(const struct train_layer *layer, struct train_pass *pass)
{
    const bool affine = layer->arg[AFFINE] > 0;
    const bool weight = affine && train_pass_trains(pass, layer->segment);
    const bool bias = affine && train_pass_trains(pass, layer->segment + 1);
    const bool below = pass->model->nodes[layer->node_in].gradient;
    const struct train_segment *first = affine ? &pass->model->segments[layer->segment] : NULL;
    struct kern_layernorm n = call_of(layer, pass);

    train_pass_need(pass, layer->node_in, TRAIN_XT);
    train_pass_need(pass, layer->node_out, TRAIN_GT);
    n.dy = pass->nodes[layer->node_out].gt;
    n.dx = below ? pass->nodes[layer->node_in].gt : NULL;
    n.dw = weight ? pass->grad + first->offset : NULL;
    n.db = bias ? pass->grad + first[1].offset : NULL;
    n.relu = pass->model->nodes[layer->node_in].relu;
    pass->ops->layernorm_grad(&n);
    if (below) {
        train_pass_made(pass, layer->node_in, TRAIN_GT);
        pass->masked[layer->node_in] = n.relu;
    }
    if (weight)
        train_pass_update(pass, layer->segment);
    if (bias)
        train_pass_update(pass, layer->segment + 1);
}

const struct train_layer_kind train_layer_layernorm = {
    .name = "layernorm",
    .usage = "layernorm [eps E] [affine yes|no]",
    .help = "every sample to mean 0 and variance 1 over all its features (torch.nn.LayerNorm)",
    .words = {{"eps", 1e-5, false}, {"affine", 1, true}},
    .fuses_relu = true,
    .setup = setup,
    .forward = forward,
    .backward = backward,
};
