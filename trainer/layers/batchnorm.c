/*
 * batchnorm.c - torch.nn.BatchNorm1d of flat features, BatchNorm2d of channels: chosen by the input's shape.
 *
 * While training over the batch, with running statistics kept aside, also where its weights are frozen; in evaluation
 * by those (contract, rule 16). Flat data are worked on as samples x features, images as features x samples.
 * With `affine yes` the segments are weight, bias, then running_mean, running_var, num_batches_tracked; else these three.
 * A relu right after the layer is computed with it.
 *
 * Refused: a batch with one value per channel, of which there is no variance (PyTorch raises an error then).
 */
#include <stddef.h>

#include "common/cs_error.h"
#include "trainer/bundle_impl.h"
#include "trainer/model.h"

/* Places in layer->arg: the words in their order. */
enum { EPS, MOMENTUM, AFFINE };

static void add(struct train_model *model, const struct train_layer *layer, const char *name,
                enum train_role role, double value, bool buffer)
{
    struct train_segment *s = train_model_add_tensor(model, layer, name, 1, &layer->in.dim[0]);

    s->role = role;
    s->constant = true;
    s->bound = value;
    s->buffer = buffer;
}

static int setup(struct train_layer *layer, struct train_model *model, struct cs_error *err)
{
    struct train_segment *count;

    if (!(layer->arg[EPS] > 0 && layer->arg[EPS] <= 1))
        return cs_fail(err, CS_ERANGE, "eps must be a number above 0, at most 1");
    if (!(layer->arg[MOMENTUM] >= 0 && layer->arg[MOMENTUM] <= 1))
        return cs_fail(err, CS_ERANGE, "momentum must be a number in [0, 1]");
    if (layer->arg[AFFINE] > 0) {
        add(model, layer, "weight", TRAIN_SCALE, 1, false);
        add(model, layer, "bias", TRAIN_BIAS, 0, false);
    }
    add(model, layer, "running_mean", TRAIN_BIAS, 0, true);
    add(model, layer, "running_var", TRAIN_SCALE, 1, true);
    count = train_model_add_tensor(model, layer, "num_batches_tracked", 0, NULL);
    count->buffer = count->constant = count->counter = true;
    layer->keeps = 2 * kern_pad((size_t) layer->in.dim[0]);
    return 0;
}

static int check_batch(const struct train_layer *layer, int samples, struct cs_error *err)
{
    if (train_shape_size(&layer->in) / layer->in.dim[0] * samples > 1)
        return 0;
    return cs_fail(err, CS_ERANGE, "one value per channel has no variance");
}

static bool is_flat(const struct train_layer *layer)
{
    return layer->in.ndim == 1;
}

static struct kern_batchnorm call_of(const struct train_layer *layer, const struct train_pass *pass)
{
    const bool affine = layer->arg[AFFINE] > 0, flat = is_flat(layer);
    const struct train_segment *first = &pass->model->segments[layer->segment];
    const struct train_segment *mean = affine ? first + 2 : first;
    const struct train_buffers *in = &pass->nodes[layer->node_in],
                               *out = &pass->nodes[layer->node_out];
    const struct train_kept *kept = &pass->kept[layer->index];

    return (struct kern_batchnorm){
        .trials = pass->trials,
        .samples = pass->rows,
        .channels = layer->in.dim[0],
        .positions = flat ? 0 : layer->in.dim[1] * layer->in.dim[2],
        .eps = layer->arg[EPS],
        .momentum = layer->arg[MOMENTUM],
        .x = flat ? in->x : in->xt,
        .x_stride = in->stride,
        .y_stride = out->stride,
        .w = affine ? pass->w + first->offset : NULL,
        .bias = affine ? pass->w + first[1].offset : NULL,
        .running_mean = pass->w + mean->offset,
        .running_var = pass->w + mean[1].offset,
        .w_stride = pass->w_stride,
        .saved = kept->at,
        .saved_stride = kept->stride,
        .dw_stride = pass->w_stride,
    };
}

static void count_batch(const struct train_layer *layer, struct train_pass *pass)
{
    const struct train_segment *count =
        &pass->model->segments[layer->segment + (layer->arg[AFFINE] > 0 ? 4 : 2)];

    for (size_t t = 0; t < (size_t) pass->trials; t++) {
        float *w = pass->w + t * pass->w_stride;
        train_segment_set_count(count, w, train_segment_count(count, w) + 1);
    }
}

static void forward(const struct train_layer *layer, struct train_pass *pass)
{
    struct kern_batchnorm b = call_of(layer, pass);
    const struct train_buffers *out = &pass->nodes[layer->node_out];

    train_pass_need(pass, layer->node_in, is_flat(layer) ? TRAIN_X : TRAIN_XT);
    b.y = is_flat(layer) ? out->x : out->xt;
    b.relu = train_layer_relu_fused(layer, pass->model);
    if (pass->training) {
        pass->ops->batchnorm(&b);
        count_batch(layer, pass);
    } else {
        pass->ops->batchnorm_eval(&b);
    }
    train_pass_made(pass, layer->node_out, is_flat(layer) ? TRAIN_X : TRAIN_XT);
}

static void backward(const struct train_layer *layer, struct train_pass *pass)
{
    const bool flat = is_flat(layer), affine = layer->arg[AFFINE] > 0;
    const bool weight = affine && train_pass_trains(pass, layer->segment);
    const bool bias = affine && train_pass_trains(pass, layer->segment + 1);
    const bool below = pass->model->nodes[layer->node_in].gradient;
    const struct train_segment *first = &pass->model->segments[layer->segment];
    const struct train_buffers *in = &pass->nodes[layer->node_in],
                               *out = &pass->nodes[layer->node_out];
    struct kern_batchnorm b = call_of(layer, pass);

    train_pass_need(pass, layer->node_in, flat ? TRAIN_X : TRAIN_XT);
    train_pass_need(pass, layer->node_out, flat ? TRAIN_G : TRAIN_GT);
    b.dy = flat ? out->g : out->gt;
    b.dx = !below ? NULL : flat ? in->g : in->gt;
    b.dw = weight ? pass->grad + first->offset : NULL;
    b.db = bias ? pass->grad + first[1].offset : NULL;
    b.relu = pass->model->nodes[layer->node_in].relu;
    pass->ops->batchnorm_grad(&b);
    if (below) {
        train_pass_made(pass, layer->node_in, flat ? TRAIN_G : TRAIN_GT);
        pass->masked[layer->node_in] = b.relu;
    }
    if (weight)
        train_pass_update(pass, layer->segment);
    if (bias)
        train_pass_update(pass, layer->segment + 1);
}

const struct train_layer_kind train_layer_batchnorm = {
    .name = "batchnorm",
    .usage = "batchnorm [eps E] [momentum M] [affine yes|no]",
    .help = "every feature, or channel of an image, to mean 0 and variance 1 over the batch "
            "(torch.nn.BatchNorm1d, BatchNorm2d)",
    .words = {{"eps", 1e-5, false}, {"momentum", 0.1, false}, {"affine", 1, true}},
    .fuses_relu = true,
    .setup = setup,
    .forward = forward,
    .backward = backward,
    .check_batch = check_batch,
};
