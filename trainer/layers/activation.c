/*
 * activation.c - the activations of kernels/activation as layers, one kind each.
 *
 * Their numbers are per-trial data: trials with different slopes share a bundle. Values keep the form (samples or
 * features first) they come in. The gradient needs the input, which stands in the layer's input node, or its output,
 * on which nothing may work in place then.
 */
#include <string.h>

#include "common/cs_error.h"
#include "kernels/activation.h"
#include "trainer/bundle_impl.h"
#include "trainer/model.h"

static const struct kern_activation *formula_of(const struct train_layer *layer)
{
    const struct kern_activation *const *all = kern_activations();

    while (strcmp((*all)->name, layer->kind->name) != 0)
        all++;
    return *all;
}

static int setup(struct train_layer *layer, struct train_model *model, struct cs_error *err)
{
    const struct kern_activation *formula = formula_of(layer);

    (void) model;
    for (; layer->arg_count < formula->args; layer->arg_count++)
        layer->arg[layer->arg_count] = formula->defaults[layer->arg_count];
    for (int i = 0; i < formula->args; i++) {
        if (!(layer->arg[i] > -1e30 && layer->arg[i] < 1e30) ||
            (i < formula->positive && !(layer->arg[i] > 0)))
            return cs_fail(err, CS_ERANGE, "its numbers must be finite%s; expected `%s`",
                           formula->positive ? ", the first above 0" : "", formula->usage);
    }
    return 0;
}

/* One call per trial: each has its own numbers. x, y, dy: which matrices of which nodes. */
static void apply(const struct train_layer *layer, const struct train_pass *pass, bool turned,
                  const float *x, size_t x_stride, float *y, size_t y_stride, const float *dy)
{
    const int features = train_shape_size(&layer->in);

    for (size_t t = 0; t < (size_t) pass->trials; t++) {
        const double *own = pass->models[t]->layers[layer->index].arg;
        const float args[KERN_ACTIVATION_ARGS] = {(float) own[0], (float) own[1]};
        const struct kern_activate a = {
            .kind = formula_of(layer),
            .trials = 1,
            .rows = turned ? features : pass->rows,
            .cols = turned ? pass->rows : features,
            .x = x + t * x_stride,
            .y = y + t * y_stride,
            .dy = dy ? dy + t * pass->nodes[layer->node_out].stride : NULL,
            .args = args,
        };
        if (dy)
            pass->ops->activate_grad(&a);
        else
            pass->ops->activate(&a);
    }
}

static void forward(const struct train_layer *layer, struct train_pass *pass)
{
    const struct train_buffers *in = &pass->nodes[layer->node_in],
                               *out = &pass->nodes[layer->node_out];
    const bool turned = !(pass->have[layer->node_in] & TRAIN_X);

    apply(layer, pass, turned, turned ? in->xt : in->x, in->stride, turned ? out->xt : out->x,
          out->stride, NULL);
    train_pass_made(pass, layer->node_out, turned ? TRAIN_XT : TRAIN_X);
}

/* In the form of the gradient that came; the values are turned over where they are not at hand. */
static void backward(const struct train_layer *layer, struct train_pass *pass)
{
    const int saved = layer->kind->needs_output ? layer->node_out : layer->node_in;
    const struct train_buffers *in = &pass->nodes[layer->node_in], *v = &pass->nodes[saved],
                               *out = &pass->nodes[layer->node_out];
    const bool turned = !(pass->have[layer->node_out] & TRAIN_G);

    if (!pass->model->nodes[layer->node_in].gradient)
        return;
    train_pass_need(pass, saved, turned ? TRAIN_XT : TRAIN_X);
    apply(layer, pass, turned, turned ? v->xt : v->x, v->stride, turned ? in->gt : in->g,
          in->stride, turned ? out->gt : out->g);
    train_pass_made(pass, layer->node_in, turned ? TRAIN_GT : TRAIN_G);
}

size_t train_layer_activations(struct train_layer_kind *out, size_t room)
{
    const struct kern_activation *const *all = kern_activations();
    size_t count = 0;

    for (; all[count] && count < room; count++)
        out[count] = (struct train_layer_kind){
            .name = all[count]->name,
            .usage = all[count]->usage,
            .help = all[count]->help,
            .args_max = all[count]->args,
            .args_per_trial = true,
            .needs_output = all[count]->from_output,
            .setup = setup,
            .forward = forward,
            .backward = backward,
        };
    return count;
}
