/*
 * spec_loss.c - the loss beside data set and network: which go together, and the loss's numbers.
 */
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "kernels/loss.h"
#include "trainer/data/data.h"
#include "trainer/metric.h"
#include "trainer/model.h"
#include "trainer/spec_impl.h"

static int refuse_targets(const struct train_spec *spec, struct cs_error *err)
{
    static const char *const what[KERN_TARGETS] = {"classes", "labels that are set or not",
                                                   "values"};
    struct cs_buf others = {0};

    for (const struct kern_loss *const *k = kern_losses(); *k; k++) {
        if ((*k)->takes[spec->targets])
            cs_buf_addf(&others, "%s%s", others.size ? ", " : "", (*k)->name);
    }
    cs_fail(err, CS_ERANGE, "loss = %s: not for %s, which has %s as targets; expected one of %s",
            spec->loss->name, spec->dataset, what[spec->targets], others.data);
    cs_buf_clear(&others);
    return CS_ERANGE;
}

/* Are there as many outputs as the targets ask for? */
static int check_outputs(const struct train_spec *spec, struct cs_error *err)
{
    const char *layers = train_spec_get(spec, "layers");
    const int outputs = spec->model->outputs;

    if (spec->targets != KERN_CLASSES && outputs != spec->width)
        return cs_fail(err, CS_ERANGE, "layers = %.200s: gives %d outputs; %s has %d targets",
                       layers, outputs, spec->dataset, spec->width);
    if (spec->targets != KERN_CLASSES || outputs >= spec->width ||
        (outputs == 1 && spec->width == 2 && !spec->loss->by_class))
        return 0;
    return cs_fail(err, CS_ERANGE, "layers = %.200s: gives %d outputs; %s has %d classes", layers,
                   outputs, spec->dataset, spec->width);
}

/* The kind of layer that makes the outputs. */
static const char *last_kind(const struct train_model *model)
{
    int i = model->layer_count - 1;

    while (i > 0 && strcmp(model->layers[i].kind->name, "flatten") == 0)
        i--;
    return model->layers[i].kind->name;
}

static int check_last_layer(const struct train_spec *spec, struct cs_error *err)
{
    const char *last = last_kind(spec->model), *loss = spec->loss->name;

    if (spec->loss->outputs == KERN_PROBABILITIES && strcmp(last, "sigmoid") != 0 &&
        strcmp(last, "softmax") != 0)
        return cs_fail(err, CS_ERANGE,
                       "loss = %s: takes probabilities; expected layers that end in sigmoid, or "
                       "loss = bce_with_logits",
                       loss);
    if (spec->loss->outputs == KERN_LOG_PROBABILITIES && strcmp(last, "log_softmax") != 0)
        return cs_fail(err, CS_ERANGE,
                       "loss = %s: takes log-probabilities; expected layers that end in "
                       "log_softmax",
                       loss);
    return 0;
}

/* A list has one number for all outputs, or one for each. */
static int check_lists(const struct train_spec *spec, struct cs_error *err)
{
    for (int i = 0; i < spec->loss->param_count; i++) {
        const struct cs_param *row = &spec->loss->params[i];
        const struct cs_value *value;
        const char *text = train_spec_get(spec, row->name);
        if (row->type != CS_FLOATS)
            continue;
        const bool parsed = train_shared_parse(&value, spec->shared, row, text, NULL) == 0;
        const int count = parsed ? value->count : 1;
        if (count != 1 && count != spec->model->outputs)
            return cs_fail(err, CS_ERANGE, "%s = %s: has %d numbers; expected 1 or %d, the outputs",
                           row->name, text, count, spec->model->outputs);
    }
    return 0;
}

int train_spec_take_loss(struct train_spec *spec, const struct train_data_info *info,
                         struct cs_error *err)
{
    const size_t outputs = (size_t) spec->model->outputs;
    double args[TRAIN_ARGS] = {0};

    spec->loss = kern_loss_find(train_spec_get(spec, "loss"));
    spec->targets = info->targets;
    spec->width = info->width;
    if (!spec->loss->takes[spec->targets])
        return refuse_targets(spec, err);
    CS_TRY(check_outputs(spec, err));
    CS_TRY(check_last_layer(spec, err));
    CS_TRY(check_lists(spec, err));
    train_spec_fill_args(args, TRAIN_ARGS, spec, spec->loss->params, spec->loss->param_count, "");
    spec->loss_numbers = cs_arena_alloc(&spec->arena, sizeof *spec->loss_numbers);
    spec->loss->begin(spec->loss_numbers, cs_arena_alloc(&spec->arena, outputs * sizeof(float)),
                      args, spec->model->outputs);
    train_spec_take_metrics(spec);
    return 0;
}
