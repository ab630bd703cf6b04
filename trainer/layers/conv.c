/*
 * conv.c - torch.nn.Conv2d: square kernels over channels x height x width, zeros around the image, with bias.
 *
 * Weights [filters][channels / groups][kernel][kernel], flat, uniform in +-1/sqrt(fan_in) as PyTorch's, fan_in =
 * channels / groups * kernel^2; biases likewise. Works on features x samples, 16 samples side by side (contract,
 * rule 14). A relu right after the layer is computed with it, and so is a maxpool 2 behind either: then the layer's own
 * node is not made, and keeps which element of a window was the largest. Backward: the gradient of the input first (it needs
 * the weights before their update).
 *
 * Refused: a flat input, groups that do not divide channels and filters, a kernel that does not fit.
 */
#include <math.h>
#include <stddef.h>

#include "common/cs_error.h"
#include "trainer/bundle_impl.h"
#include "trainer/model.h"

/* Places in layer->arg: the numbers, then the words in their order. */
enum { FILTERS, KERNEL, STRIDE, PAD, DILATION, GROUPS, CONV_ARGS };

/* The whole number arg[i] in [min, max]. */
static int check_number(const struct train_layer *layer, int i, int min, int max,
                        struct cs_error *err)
{
    static const char *const names[CONV_ARGS] = {"number of filters", "kernel", "stride", "pad",
                                                 "dilation",          "groups"};
    const double n = layer->arg[i];

    if (n != floor(n) || n < min || n > max)
        return cs_fail(err, CS_ERANGE, "%s must be a whole number in [%d, %d]", names[i], min, max);
    return 0;
}

static int check_numbers(const struct train_layer *layer, struct cs_error *err)
{
    CS_TRY(check_number(layer, FILTERS, 1, 65536, err));
    CS_TRY(check_number(layer, KERNEL, 1, KERN_CONV_KERNEL_MAX, err));
    CS_TRY(check_number(layer, STRIDE, 1, 1024, err));
    CS_TRY(check_number(layer, PAD, 0, 1024, err));
    CS_TRY(check_number(layer, DILATION, 1, 1024, err));
    return check_number(layer, GROUPS, 1, 65536, err);
}

static int outputs(int size, const struct train_layer *layer)
{
    const int kernel = (int) layer->arg[KERNEL], pad = (int) layer->arg[PAD];
    const int reach = (int) layer->arg[DILATION] * (kernel - 1) + 1;

    return size + 2 * pad < reach ? 0 : (size + 2 * pad - reach) / (int) layer->arg[STRIDE] + 1;
}

static struct kern_conv_shape shape_of(const struct train_layer *layer)
{
    return (struct kern_conv_shape){
        .channels = layer->in.dim[0],
        .height = layer->in.dim[1],
        .width = layer->in.dim[2],
        .filters = layer->out.dim[0],
        .out_height = layer->out.dim[1],
        .out_width = layer->out.dim[2],
        .kernel = (int) layer->arg[KERNEL],
        .stride = (int) layer->arg[STRIDE],
        .pad = (int) layer->arg[PAD],
        .dilation = (int) layer->arg[DILATION],
        .groups = (int) layer->arg[GROUPS],
    };
}

static int setup(struct train_layer *layer, struct train_model *model, struct cs_error *err)
{
    CS_TRY(train_layer_need_image(layer, err));
    CS_TRY(check_numbers(layer, err));
    const int channels = layer->in.dim[0], filters = (int) layer->arg[FILTERS];
    const int kernel = (int) layer->arg[KERNEL], groups = (int) layer->arg[GROUPS];
    const int height = outputs(layer->in.dim[1], layer), width = outputs(layer->in.dim[2], layer);
    if (channels % groups != 0 || filters % groups != 0)
        return cs_fail(err, CS_ERANGE, "groups must divide the %d channels and the %d filters",
                       channels, filters);
    if (height < 1 || width < 1)
        return cs_fail(err, CS_ERANGE, "its kernel does not fit into %d x %d", layer->in.dim[1],
                       layer->in.dim[2]);
    if ((double) filters * height * width > 1 << 24)
        return cs_fail(err, CS_ERANGE, "%d x %d x %d outputs are more than 2^24", filters, height,
                       width);
    if ((double) filters * (channels / groups) * kernel * kernel > 1e9)
        return cs_fail(err, CS_ERANGE, "%d x %d x %d x %d weights are more than 10^9", filters,
                       channels / groups, kernel, kernel);
    layer->out = (struct train_shape){.ndim = 3, .dim = {filters, height, width}};
    const double fan_in = (double) (channels / groups) * kernel * kernel;
    struct train_segment *weight = train_model_add_tensor(
        model, layer, "weight", 4, (int[]){filters, channels / groups, kernel, kernel});
    weight->bound = sqrt(3.0) * sqrt(2.0 / (1.0 + 5.0)) / sqrt(fan_in);
    weight->fan_in = fan_in;
    weight->fan_out = (double) filters * kernel * kernel;
    struct train_segment *bias = train_model_add_tensor(model, layer, "bias", 1, &filters);
    bias->role = TRAIN_BIAS;
    bias->bound = 1.0 / sqrt(fan_in);
    return 0;
}

/* The node that the layer makes: its own, or that of the pool that it computes. */
static int result_of(const struct train_layer *layer, const struct train_pass *pass)
{
    const struct train_layer *pool = train_layer_pool_fused(layer, pass->model);
    return pool ? pool->node_out : layer->node_out;
}

/* What all three operations have in common. */
static struct kern_conv call_of(const struct train_layer *layer, const struct train_pass *pass)
{
    const struct train_segment *weight = &pass->model->segments[layer->segment], *bias = weight + 1;
    const int result = result_of(layer, pass);
    const struct train_buffers *in = &pass->nodes[layer->node_in], *out = &pass->nodes[result],
                               *own = &pass->nodes[layer->node_out];

    return (struct kern_conv){
        .trials = pass->trials,
        .samples = pass->rows,
        .shape = shape_of(layer),
        .x = in->xt,
        .w = pass->w + weight->offset,
        .bias = pass->w + bias->offset,
        .dy = out->gt,
        .y = out->xt,
        .dx = in->gt,
        .tap = result == layer->node_out ? NULL : own->xt,
        .tap_stride = own->stride,
        .x_stride = in->stride,
        .y_stride = out->stride,
        .w_stride = pass->w_stride,
        .dw_stride = pass->w_stride,
    };
}

static void forward(const struct train_layer *layer, struct train_pass *pass)
{
    struct kern_conv v = call_of(layer, pass);

    train_pass_need(pass, layer->node_in, TRAIN_XT);
    v.relu = train_layer_relu_fused(layer, pass->model);
    pass->ops->conv_forward(&v);
    train_pass_made(pass, result_of(layer, pass), TRAIN_XT);
}

static void backward(const struct train_layer *layer, struct train_pass *pass)
{
    const bool weight = train_pass_trains(pass, layer->segment);
    const bool bias = train_pass_trains(pass, layer->segment + 1);
    struct kern_conv v = call_of(layer, pass);

    train_pass_need(pass, layer->node_in, TRAIN_XT);
    train_pass_need(pass, result_of(layer, pass), TRAIN_GT);
    if (pass->model->nodes[layer->node_in].gradient) {
        v.relu = pass->model->nodes[layer->node_in].relu;
        pass->ops->conv_dx(&v);
        train_pass_made(pass, layer->node_in, TRAIN_GT);
        pass->masked[layer->node_in] = v.relu;
    }
    if (!weight && !bias)
        return;
    v.dw = weight ? pass->grad + pass->model->segments[layer->segment].offset : NULL;
    v.db = bias ? pass->grad + pass->model->segments[layer->segment + 1].offset : NULL;
    pass->ops->conv_dw(&v);
    if (weight)
        train_pass_update(pass, layer->segment);
    if (bias)
        train_pass_update(pass, layer->segment + 1);
}

const struct train_layer_kind train_layer_conv = {
    .name = "conv",
    .usage = "conv FILTERS KERNEL [stride S] [pad P] [dilation D] [groups G]",
    .help = "FILTERS square kernels over an image, with bias (torch.nn.Conv2d)",
    .args_min = 2,
    .args_max = 2,
    .words = {{"stride", 1}, {"pad", 0}, {"dilation", 1}, {"groups", 1}},
    .fuses_relu = true,
    .fuses_pool = true,
    .setup = setup,
    .forward = forward,
    .backward = backward,
};
