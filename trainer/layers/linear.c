/*
 * linear.c - torch.nn.Linear: y = x W^T + b, W [out][in] uniform in +-1/sqrt(in), b likewise.
 *
 * One panel matrix W (in x out) serves all three products (kernels/contract.h). A relu right after the layer is
 * computed in the epilogue. Backward: the gradient of the input first (it needs W before its update), then
 * W and b are updated, in the product's epilogue when nothing asks for the whole gradient.
 */
#include <math.h>
#include <stddef.h>

#include "common/cs_error.h"
#include "trainer/bundle_impl.h"
#include "trainer/model.h"

static int setup(struct train_layer *layer, struct train_model *model, struct cs_error *err)
{
    const double n = layer->arg[0];

    if (layer->in.ndim != 1)
        return cs_fail(err, CS_ERANGE, "its input is %d x %d x %d; put flatten before it",
                       layer->in.dim[0], layer->in.dim[1], layer->in.dim[2]);
    if (n != floor(n) || n < 1 || n > 1 << 20)
        return cs_fail(err, CS_ERANGE,
                       "the number of outputs must be a whole number in [1, 1048576]");
    const int in = layer->in.dim[0], out = (int) n;
    if ((double) in * n > 1e9)
        return cs_fail(err, CS_ERANGE, "%d x %d weights are more than 10^9", in, out);
    layer->out = (struct train_shape){.ndim = 1, .dim = {out}};
    train_model_add_matrix(model, layer, "weight", out, in)->bound =
        sqrt(3.0) * sqrt(2.0 / (1.0 + 5.0)) / sqrt(in);
    struct train_segment *bias = train_model_add_tensor(model, layer, "bias", 1, &out);
    bias->role = TRAIN_BIAS;
    bias->bound = 1.0 / sqrt(in);
    return 0;
}

static void forward(const struct train_layer *layer, struct train_pass *pass)
{
    const struct train_segment *weight = &pass->model->segments[layer->segment], *bias = weight + 1;
    const struct train_buffers *in = &pass->nodes[layer->node_in],
                               *out = &pass->nodes[layer->node_out];

    train_pass_need(pass, layer->node_in, TRAIN_X);
    pass->ops->matmul(&(struct kern_matmul){
        .trials = pass->trials,
        .rows = pass->rows,
        .cols = weight->out,
        .depth = weight->in,
        .a = in->x,
        .a_stride = in->stride,
        .b = pass->w + weight->offset,
        .b_stride = pass->w_stride,
        .c = out->x,
        .c_stride = out->stride,
        .epilogue = train_layer_relu_fused(layer, pass->model) ? KERN_BIAS_RELU : KERN_BIAS,
        .extra = pass->w + bias->offset,
        .extra_stride = pass->w_stride,
    });
    train_pass_made(pass, layer->node_out, TRAIN_X);
}

static void input_gradient(const struct train_layer *layer, struct train_pass *pass)
{
    const struct train_segment *weight = &pass->model->segments[layer->segment];
    const struct train_buffers *in = &pass->nodes[layer->node_in],
                               *out = &pass->nodes[layer->node_out];
    const bool relu = pass->model->nodes[layer->node_in].relu;

    train_pass_need(pass, layer->node_out, TRAIN_GT);
    if (relu)
        train_pass_need(pass, layer->node_in, TRAIN_XT);
    pass->ops->matmul(&(struct kern_matmul){
        .trials = pass->trials,
        .rows = weight->in,
        .cols = pass->rows,
        .depth = weight->out,
        .a = pass->w + weight->offset,
        .a_stride = pass->w_stride,
        .b = out->gt,
        .b_stride = out->stride,
        .c = in->gt,
        .c_stride = in->stride,
        .epilogue = relu ? KERN_MASK : KERN_STORE,
        .extra = relu ? in->xt : NULL,
        .extra_stride = in->stride,
    });
    train_pass_made(pass, layer->node_in, TRAIN_GT);
    pass->masked[layer->node_in] = relu;
}

static void weight_gradient(const struct train_layer *layer, struct train_pass *pass)
{
    const struct train_segment *weight = &pass->model->segments[layer->segment];
    const struct train_buffers *in = &pass->nodes[layer->node_in],
                               *out = &pass->nodes[layer->node_out];
    struct kern_matmul m = {
        .trials = pass->trials,
        .rows = weight->in,
        .cols = weight->out,
        .depth = pass->rows,
        .a = in->xt,
        .a_stride = in->stride,
        .b = out->g,
        .b_stride = out->stride,
        .c_stride = pass->w_stride,
    };

    train_pass_need(pass, layer->node_in, TRAIN_XT);
    train_pass_need(pass, layer->node_out, TRAIN_G);
    if (pass->keep_gradients) {
        m.c = pass->grad + weight->offset;
        m.epilogue = KERN_STORE;
    } else {
        m.c = pass->w + weight->offset;
        m.epilogue = KERN_UPDATE;
        m.step = train_pass_step(pass, layer->segment);
        for (int i = 0; i < KERN_SLOTS; i++)
            m.slot[i] = pass->slot[i] ? pass->slot[i] + weight->offset : NULL;
    }
    pass->ops->matmul(&m);
}

static void bias_gradient(const struct train_layer *layer, struct train_pass *pass)
{
    const struct train_segment *bias = &pass->model->segments[layer->segment] + 1;
    const struct train_buffers *out = &pass->nodes[layer->node_out];

    train_pass_need(pass, layer->node_out, TRAIN_G);
    for (int t = 0; t < pass->trials; t++) {
        pass->ops->bias_grad(pass->grad + (size_t) t * pass->w_stride + bias->offset,
                             out->g + (size_t) t * out->stride, pass->rows, bias->out);
    }
    train_pass_update(pass, layer->segment + 1);
}

static void backward(const struct train_layer *layer, struct train_pass *pass)
{
    if (pass->model->nodes[layer->node_in].gradient)
        input_gradient(layer, pass);
    if (train_pass_trains(pass, layer->segment))
        weight_gradient(layer, pass);
    if (train_pass_trains(pass, layer->segment + 1))
        bias_gradient(layer, pass);
}

const struct train_layer_kind train_layer_linear = {
    .name = "linear",
    .usage = "linear N",
    .help = "N weighted sums with bias (torch.nn.Linear)",
    .args_min = 1,
    .args_max = 1,
    .fuses_relu = true,
    .setup = setup,
    .forward = forward,
    .backward = backward,
};
