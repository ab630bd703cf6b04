/*
 * bundle.c - the arenas and the step.
 *
 * step: gather (batch of each trial) -> forward -> loss and its gradient -> backward, top layer first, weights
 * updated as soon as their gradient stands -> sums. Only the epoch's last step keeps whole gradients, for the
 * norm that is logged; the update from them gives the same bits.
 *
 * State arenas start 21 and 42 cache lines off a page so that weights and moments of one element do not share
 * an L1 set.
 */
#include "trainer/bundle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "trainer/average.h"
#include "trainer/bundle_impl.h"
#include "trainer/bundle_lanes.h"
#include "trainer/bundle_state.h"
#include "trainer/gradient_impl.h"
#include "trainer/torch.h"

enum { SLOT_SHIFT = 21 * 16 };

/* The nodes' matrices for `group` trials: x, xt, g, gt each large enough for training and evaluation. */
static int allocate_nodes(train_bundle *b, struct cs_error *err)
{
    const size_t rows = (size_t) (b->eval_size > b->batch_size ? b->eval_size : b->batch_size);
    const int count = b->model->node_count;
    size_t total = 0;

    b->kept = cs_xcalloc((size_t) b->model->layer_count, sizeof *b->kept);
    for (int i = 0; i < b->model->layer_count; i++) {
        const struct train_layer *layer = &b->model->layers[i];
        b->kept[i].stride = kern_pad(layer->keeps + layer->keeps_per_sample * kern_pad(rows));
        total += b->kept[i].stride * (size_t) b->group;
    }
    b->nodes = cs_xcalloc((size_t) count, sizeof *b->nodes);
    b->have = cs_xcalloc((size_t) count, sizeof *b->have);
    b->masked = cs_xcalloc((size_t) count, sizeof *b->masked);
    for (int i = 0; i < count; i++) {
        const size_t features = (size_t) b->model->nodes[i].features;
        const size_t stride = kern_pad(rows) * kern_pad(features) + SLOT_SHIFT;
        b->nodes[i].stride = stride;
        total += 4 * stride * (size_t) b->group;
    }
    b->act_memory = cs_alloc_aligned(total, sizeof *b->act_memory);
    if (!b->act_memory)
        return cs_fail(err, CS_ENOMEM, "no memory for activations: %zu MB", total >> 18);
    float *at = b->act_memory;
    for (int i = 0; i < count; i++) {
        float **parts[] = {&b->nodes[i].x, &b->nodes[i].xt, &b->nodes[i].g, &b->nodes[i].gt};
        for (size_t p = 0; p < CS_COUNT(parts); p++) {
            *parts[p] = at;
            at += b->nodes[i].stride * (size_t) b->group;
        }
    }
    for (int i = 0; i < b->model->layer_count; i++) {
        b->kept[i].at = at;
        at += b->kept[i].stride * (size_t) b->group;
    }
    return 0;
}

/* The state tensors that some trial has. */
static bool allocate_states(train_bundle *b)
{
    const size_t all = b->floats * (size_t) b->capacity;

    for (int i = 0; i < TRAIN_STATES; i++) {
        bool wanted = false;
        for (int k = 0; k < b->trials; k++)
            wanted = wanted || train_spec_has_state(b->spec[k], i);
        if (!wanted)
            continue;
        b->slot_memory[i] = cs_alloc_aligned(all + (size_t) (i + 1) * SLOT_SHIFT, sizeof(float));
        if (!b->slot_memory[i])
            return false;
        b->slot[i] = b->slot_memory[i] + (size_t) (i + 1) * SLOT_SHIFT;
    }
    return true;
}

static int allocate_arenas(train_bundle *b, struct cs_error *err)
{
    const size_t all = b->floats * (size_t) b->capacity;

    b->w = cs_alloc_aligned(all, sizeof *b->w);
    b->grad = cs_alloc_aligned(b->floats * (size_t) b->group, sizeof *b->grad);
    bool ok = b->w && b->grad && allocate_states(b);
    for (int k = 0; k < b->trials; k++) {
        if (b->spec[k]->optim->by_tensor && !b->scratch) {
            b->scratch = cs_alloc_aligned(b->floats, sizeof *b->scratch);
            ok = ok && b->scratch;
        }
        if (b->spec[k]->accumulate > 1 && !b->total) {
            b->total = cs_alloc_aligned(all, sizeof *b->total);
            ok = ok && b->total;
        }
    }
    b->order = calloc((size_t) b->capacity * (size_t) b->data->train.count, sizeof *b->order);
    if (!ok || !b->order)
        return cs_fail(err, CS_ENOMEM, "no memory for %d trials of %zu weights and their state",
                       b->trials, b->floats);
    return 0;
}

/* rng = torch: a stream for every trial, and room for the masks that its layers draw. */
static int allocate_torch(train_bundle *b, struct cs_error *err)
{
    const size_t samples = (size_t) b->group * (size_t) b->batch_size;
    const int layers = b->model->layer_count;
    size_t total = 0, at = 0;

    if (!b->spec[0]->torch)
        return 0;
    b->torch = cs_xcalloc((size_t) b->capacity, sizeof *b->torch);
    b->masks = cs_xcalloc((size_t) layers, sizeof *b->masks);
    for (int i = 0; i < layers; i++)
        total += train_layer_draws(&b->model->layers[i]) * samples;
    b->mask_memory = malloc(total + 1);
    if (!b->mask_memory)
        return cs_fail(err, CS_ENOMEM, "no memory for masks: %zu MB", total >> 20);
    for (int i = 0; i < layers; i++) {
        b->masks[i] = b->mask_memory + at;
        at += train_layer_draws(&b->model->layers[i]) * samples;
    }
    return 0;
}

/* Which samples a batch has, and what they are compared with. */
static int allocate_targets(train_bundle *b, struct cs_error *err)
{
    const size_t rows = (size_t) (b->eval_size > b->batch_size ? b->eval_size : b->batch_size);
    const size_t group = (size_t) b->group, outputs = (size_t) b->model->outputs;

    b->rows_index = cs_xcalloc(group * rows, sizeof *b->rows_index);
    if (b->data->targets == KERN_CLASSES) {
        b->labels = cs_xcalloc(group * rows, sizeof *b->labels);
        b->counts_stride = 3 * (outputs > 1 ? outputs : 2);
        b->counts = cs_xcalloc(group * b->counts_stride, sizeof *b->counts);
        return 0;
    }
    b->target_stride = rows * kern_pad(outputs);
    b->targets = cs_alloc_aligned(group * b->target_stride, sizeof *b->targets);
    return b->targets ? 0 : cs_fail(err, CS_ENOMEM, "no memory for a batch's targets");
}

static void take_spec(train_bundle *b, int k, struct train_spec *spec)
{
    b->spec[k] = spec;
    b->numbers[k] = *spec->loss_numbers;
    b->models[k] = spec->model;
    b->seed[k] = spec->seed;
    for (int i = 0; i < spec->model->segment_count; i++) {
        struct kern_step *step = &b->update[i * b->capacity + k];
        step->optim = spec->optim;
        step->variant = train_spec_variant(spec, i);
    }
}

static void reset_rates(train_bundle *b, int k)
{
    for (int g = 0; g < TRAIN_GROUPS; g++)
        b->rate[k * TRAIN_GROUPS + g] = (struct train_rate){
            .lr = g < b->spec[k]->group_count ? b->spec[k]->groups[g].args[0] : 0, .momentum = NAN};
    memset(train_bundle_memory(b, k), 0, TRAIN_GROUPS * KERN_MEMORY * sizeof *b->memory);
}

int train_bundle_create(train_bundle **out, const struct kern_ops *ops,
                        struct train_spec *const *specs, int trials, const struct train_data *data,
                        int group, struct cs_error *err)
{
    train_bundle *b = cs_xcalloc(1, sizeof *b);
    const size_t n = (size_t) trials;

    b->ops = ops;
    b->data = data;
    b->model = specs[0]->model;
    b->trials = b->capacity = trials;
    b->group = group > 0 ? (group < trials ? group : trials) : 1;
    b->features = b->model->nodes[0].features;
    b->batch_size = specs[0]->batch_size;
    b->eval_size = specs[0]->eval_batch_size;
    b->shuffle = specs[0]->shuffle;
    b->steps = (int) ((data->train.count + b->batch_size - 1) / b->batch_size);
    b->floats = b->model->floats;
    b->order_epoch = -1;
    b->spec = cs_xcalloc(n, sizeof(struct train_spec *));
    b->models = cs_xcalloc(n, sizeof(struct train_model *));
    b->seed = cs_xcalloc(n, sizeof *b->seed);
    b->rate = cs_xcalloc(n * TRAIN_GROUPS, sizeof *b->rate);
    b->memory = cs_xcalloc(n * TRAIN_GROUPS * KERN_MEMORY, sizeof *b->memory);
    b->update = cs_xcalloc(n * (size_t) b->model->segment_count, sizeof *b->update);
    b->trained = cs_xcalloc((size_t) b->model->segment_count, sizeof *b->trained);
    for (int i = 0; i < b->model->segment_count; i++)
        b->trained[i] = train_spec_trains(specs[0], i);
    b->sums = cs_xcalloc(n, sizeof *b->sums);
    b->numbers = cs_xcalloc(n, sizeof *b->numbers);
    b->batch = cs_xcalloc((size_t) b->group, sizeof *b->batch);
    for (int k = 0; k < trials; k++) {
        take_spec(b, k, specs[k]);
        reset_rates(b, k);
    }
    int rc = allocate_arenas(b, err);
    if (rc == 0)
        rc = allocate_nodes(b, err);
    if (rc == 0)
        rc = allocate_torch(b, err);
    if (rc == 0)
        rc = allocate_targets(b, err);
    if (rc == 0 && group == 0)
        rc = train_lanes_create(b, err);
    if (rc < 0)
        train_bundle_free(b);
    else
        *out = b;
    return rc;
}

void train_bundle_free(train_bundle *b)
{
    if (!b)
        return;
    free(b->spec);
    free(b->models);
    free(b->seed);
    free(b->rate);
    free(b->memory);
    free(b->update);
    free(b->trained);
    free(b->sums);
    free(b->numbers);
    free(b->batch);
    free(b->counts);
    free(b->w);
    free(b->grad);
    free(b->total);
    free(b->scratch);
    for (int i = 0; i < TRAIN_STATES; i++)
        free(b->slot_memory[i]);
    free(b->act_memory);
    free(b->nodes);
    free(b->have);
    free(b->masked);
    free(b->kept);
    free(b->order);
    free(b->torch);
    free(b->masks);
    free(b->mask_memory);
    free(b->rows_index);
    free(b->labels);
    free(b->targets);
    train_lanes_free(b->lanes);
    free(b);
}

int train_bundle_trials(const train_bundle *b)
{
    return b->trials;
}

int train_bundle_steps(const train_bundle *b)
{
    return b->steps;
}

int train_bundle_epoch(const train_bundle *b)
{
    return b->epoch;
}

int train_bundle_step(const train_bundle *b)
{
    return b->step;
}

float *train_bundle_weights(train_bundle *b, int k)
{
    train_lanes_view(b, k);
    return b->w + (size_t) k * b->floats;
}

float *train_bundle_slot(train_bundle *b, int k, int slot)
{
    train_lanes_view(b, k);
    return train_spec_has_state(b->spec[k], slot) ? b->slot[slot] + (size_t) k * b->floats : NULL;
}

struct train_sums *train_bundle_sums(train_bundle *b, int k)
{
    return &b->sums[k];
}

/* A state tensor of one parameter before the first step. */
static void start_slot(train_bundle *b, int k, int segment, int slot)
{
    const struct train_spec *spec = b->spec[k];
    const struct train_segment *s = &spec->model->segments[segment];
    const double start =
        spec->optim->slot_start(spec->groups[spec->segment_group[segment]].args, slot);
    float *tensor;

    if (!(start > 0))
        return;
    tensor = cs_xmalloc((size_t) s->elements * sizeof *tensor);
    for (int64_t i = 0; i < s->elements; i++)
        tensor[i] = (float) start;
    train_segment_pack(s, train_bundle_slot(b, k, slot), tensor);
    free(tensor);
}

void train_bundle_init(train_bundle *b, int k)
{
    const struct train_spec *spec = b->spec[k];

    if (b->torch)
        kern_mt_seed(&b->torch[k].stream, b->seed[k]);
    train_init_weights(train_bundle_weights(b, k), b->models[k], &spec->init, b->seed[k],
                       b->torch ? &b->torch[k].stream : NULL);
    for (int i = 0; i < train_spec_slots(spec); i++)
        memset(train_bundle_slot(b, k, i), 0, b->floats * sizeof(float));
    for (int i = 0; i < spec->model->segment_count; i++) {
        for (int slot = 0; slot < train_spec_segment_slots(spec, i); slot++)
            start_slot(b, k, i, slot);
    }
    train_average_begin(b, k);
    reset_rates(b, k);
}

void train_bundle_seek(train_bundle *b, int epoch, int step)
{
    b->epoch = epoch;
    b->step = step;
}

double *train_bundle_memory(train_bundle *b, int k)
{
    return b->memory + (size_t) k * TRAIN_GROUPS * KERN_MEMORY;
}

struct train_torch *train_bundle_torch(train_bundle *b, int k)
{
    return b->torch ? &b->torch[k] : NULL;
}

void train_bundle_set_rate(train_bundle *b, int k, int group, double lr, double momentum)
{
    b->rate[k * TRAIN_GROUPS + group] = (struct train_rate){lr, momentum};
}

void train_bundle_clear_sums(train_bundle *b)
{
    memset(b->sums, 0, (size_t) b->trials * sizeof *b->sums);
}

/* At an epoch's first step, and when trials have come to or left this one: then nothing new is drawn. */
static void prepare_orders(train_bundle *b)
{
    const size_t count = (size_t) b->data->train.count;

    for (int k = 0; k < b->trials; k++) {
        uint32_t *order = b->order + (size_t) k * count;
        if (b->torch && b->step == 0)
            train_torch_begin_epoch(&b->torch[k], b->shuffle);
        if (b->torch && b->shuffle)
            train_torch_order(order, (int64_t) count, &b->torch[k]);
        else
            train_data_order(order, (int64_t) count, b->shuffle, b->seed[k], (uint32_t) b->epoch);
    }
    b->order_epoch = b->epoch;
}

static struct train_pass begin_pass(train_bundle *b, int first, int rows, bool training)
{
    struct train_pass pass = {
        .ops = b->ops,
        .model = b->model,
        .models = b->models + first,
        .trials = b->trials - first < b->group ? b->trials - first : b->group,
        .rows = rows,
        .training = training,
        .step_number = (uint32_t) b->epoch * (uint32_t) b->steps + (uint32_t) b->step,
        .seed = b->seed + first,
        .torch = b->torch ? b->torch + first : NULL,
        .masks = b->masks,
        .nodes = b->nodes,
        .have = b->have,
        .masked = b->masked,
        .kept = b->kept,
        .w = b->w + (size_t) first * b->floats,
        .grad = b->grad,
        .w_stride = b->floats,
        .step = b->update + first,
        .step_stride = (size_t) b->capacity,
        .trained = b->trained,
    };
    for (int i = 0; i < KERN_SLOTS; i++)
        pass.slot[i] = b->slot[i] ? b->slot[i] + (size_t) first * b->floats : NULL;
    memset(b->have, 0, (size_t) b->model->node_count * sizeof *b->have);
    memset(b->masked, 0, (size_t) b->model->node_count * sizeof *b->masked);
    return pass;
}

static void load_targets(train_bundle *b, const struct train_pass *pass,
                         const struct train_side *side)
{
    const size_t rows = (size_t) pass->rows;

    if (b->labels) {
        for (size_t i = 0; i < (size_t) pass->trials * rows; i++)
            b->labels[i] = side->labels[b->rows_index[i]];
        return;
    }
    b->ops->gather(&(struct kern_gather){
        .trials = pass->trials,
        .rows = pass->rows,
        .features = b->model->outputs,
        .values = side->targets,
        .index = b->rows_index,
        .index_stride = rows,
        .x = b->targets,
        .x_stride = b->target_stride,
    });
}

/* Rows index[trials][rows] of a side into node 0. */
static void load_batch(train_bundle *b, struct train_pass *pass, const struct train_side *side)
{
    const bool want_xt = pass->training && !b->model->nodes[0].in_place;
    const size_t rows = (size_t) pass->rows;

    load_targets(b, pass, side);
    b->ops->gather(&(struct kern_gather){
        .trials = pass->trials,
        .rows = pass->rows,
        .features = b->features,
        .pixels = side->pixels,
        .values = side->values,
        .index = b->rows_index,
        .index_stride = rows,
        .mean = b->spec[0]->mean,
        .std = b->spec[0]->std,
        .x = b->nodes[0].x,
        .xt = want_xt ? b->nodes[0].xt : NULL,
        .x_stride = b->nodes[0].stride,
        .xt_stride = b->nodes[0].stride,
    });
    train_pass_made(pass, 0, TRAIN_X | (want_xt ? TRAIN_XT : 0));
}

static void forward(train_bundle *b, struct train_pass *pass)
{
    for (int i = 0; i < b->model->layer_count; i++) {
        const struct train_layer *layer = &b->model->layers[i];
        if (layer->copies)
            train_pass_copy_values(pass, layer->node_in, layer->node_out);
        if (layer->kind->forward)
            layer->kind->forward(layer, pass);
    }
}

/* The loss of the last node, of trials from `first` on; gradients when training. b->batch is set. */
static void loss(train_bundle *b, struct train_pass *pass, int first)
{
    const int last = b->model->node_count - 1;
    struct train_buffers *node = &b->nodes[last];

    train_pass_need(pass, last, TRAIN_X);
    memset(b->batch, 0, (size_t) b->group * sizeof *b->batch);
    b->ops->loss(&(struct kern_loss_call){
        .kind = b->spec[first]->loss,
        .trials = pass->trials,
        .rows = pass->rows,
        .outputs = b->model->outputs,
        .x = node->x,
        .x_stride = node->stride,
        .targets = b->data->targets,
        .label = b->labels,
        .label_stride = (size_t) pass->rows,
        .target = b->targets,
        .target_stride = b->target_stride,
        .dx = pass->training ? node->g : NULL,
        .dxt = pass->training ? node->gt : NULL,
        .dx_stride = node->stride,
        .dxt_stride = node->stride,
        .numbers = b->numbers + first,
        .sums = b->batch,
        .counts = pass->training ? NULL : b->counts,
        .counts_stride = b->counts_stride,
    });
    if (pass->training)
        train_pass_made(pass, last, TRAIN_G | TRAIN_GT);
}

/* Top layer first. A layer whose output nothing trained lies below has nothing to do. */
static void backward(train_bundle *b, struct train_pass *pass)
{
    const struct train_node *nodes = b->model->nodes;

    for (int i = b->model->layer_count - 1; i >= 0; i--) {
        const struct train_layer *layer = &b->model->layers[i];
        if (!nodes[layer->node_out].gradient)
            continue;
        if (layer->kind->backward)
            layer->kind->backward(layer, pass);
        if (layer->copies && nodes[layer->node_in].gradient)
            train_pass_copy_gradient(pass, layer->node_out, layer->node_in);
    }
}

void train_bundle_add_sums(struct train_sums *sums, const struct kern_loss_sums *batch)
{
    kern_loss_sums_add(&sums->of, batch);
    if (batch->weight > 0) {
        sums->batch_means += batch->loss / batch->weight;
        sums->batches++;
    }
}

double train_bundle_f1(const int64_t *counts, int classes)
{
    double sum = 0;
    int seen = 0;

    for (int c = 0; c < classes; c++) {
        const int64_t all = counts[3 * c + 1] + counts[3 * c + 2];
        if (all == 0)
            continue;
        sum += 2 * (double) counts[3 * c] / (double) all;
        seen++;
    }
    return seen ? sum / seen : 0;
}

void train_bundle_begin_steps(train_bundle *b, int k, int64_t t)
{
    const struct train_spec *spec = b->spec[k];
    struct kern_hyper hyper[TRAIN_GROUPS];

    for (int g = 0; g < spec->group_count; g++) {
        const struct train_rate *rate = &b->rate[k * TRAIN_GROUPS + g];
        double args[KERN_OPTIM_ARGS];
        memcpy(args, spec->groups[g].args, sizeof args);
        if (!isnan(rate->momentum))
            args[spec->momentum_arg] = rate->momentum;
        spec->optim->begin(&hyper[g], train_bundle_memory(b, k) + g * KERN_MEMORY, args, rate->lr,
                           t);
    }
    for (int i = 0; i < b->model->segment_count; i++)
        b->update[i * b->capacity + k].hyper = hyper[spec->segment_group[i]];
}

/* The optimizer's step count of trial k once the current batch is through, from 1. */
static int64_t update_number(const train_bundle *b, int k)
{
    const int every = b->spec[k]->accumulate;
    return (int64_t) b->epoch * ((b->steps + every - 1) / every) + b->step / every + 1;
}

static void train_group(train_bundle *b, int first, int rows, bool last, double *grad_norm)
{
    struct train_pass pass = begin_pass(b, first, rows, true);
    const size_t count = (size_t) b->data->train.count,
                 start = (size_t) b->step * (size_t) b->batch_size;

    pass.keep_gradients = last;
    for (int t = 0; t < pass.trials; t++) {
        const uint32_t *order = b->order + (size_t) (first + t) * count + start;
        for (int r = 0; r < rows; r++)
            b->rows_index[(size_t) t * (size_t) rows + (size_t) r] = b->data->train.index[order[r]];
        train_bundle_begin_steps(b, first + t, update_number(b, first + t));
        pass.keep_gradients =
            pass.keep_gradients || train_gradient_is_worked_on(b->spec[first + t]);
    }
    load_batch(b, &pass, &b->data->train);
    forward(b, &pass);
    loss(b, &pass, first);
    backward(b, &pass);
    for (int t = 0; t < pass.trials; t++)
        train_bundle_add_sums(&b->sums[first + t], &b->batch[t]);
    for (int t = 0; t < pass.trials && pass.keep_gradients; t++) {
        const int k = first + t;
        train_gradient_finish(
            &(struct train_gradient){
                .spec = b->spec[k],
                .sums = &b->sums[k],
                .total = b->total ? b->total + (size_t) k * b->floats : NULL,
                .scratch = b->scratch,
                .step = b->step,
                .last = last,
            },
            &pass, t, &grad_norm[k]);
        if (last && b->watch.gradient)
            b->watch.gradient(b->watch.context, k, b->grad + (size_t) t * b->floats);
    }
}

/* The batch is through; the place is still its own. */
static void average(train_bundle *b, int k, bool last)
{
    const int every = b->spec[k]->accumulate;

    if (last || (b->step + 1) % every == 0)
        train_average_step(b, k, update_number(b, k));
    if (last)
        train_average_epoch(b, k, b->epoch + 1);
}

void train_bundle_train_step(train_bundle *b, double *grad_norm)
{
    const int64_t left = b->data->train.count - (int64_t) b->step * b->batch_size;
    const int rows = left < b->batch_size ? (int) left : b->batch_size;
    const bool last = b->step == b->steps - 1;

    if (b->order_epoch != b->epoch)
        prepare_orders(b);
    if (b->lanes)
        train_lanes_train(b, rows, grad_norm);
    for (int first = 0; first < b->trials; first += b->group)
        if (!train_lanes_has(b, first))
            train_group(b, first, rows, last, grad_norm);
    for (int k = 0; k < b->trials; k++)
        average(b, k, last);
    b->step++;
    if (last) {
        b->step = 0;
        b->epoch++;
    }
}

/* The weights of a pass over trials first, first + 1, ... that are to be evaluated; it ends where others follow. */
static void take_evaluated(const train_bundle *b, struct train_pass *pass, int first)
{
    const int state = train_spec_evaluated(b->spec[first], b->epoch, b->step);
    int same = 1;

    while (same < pass->trials &&
           train_spec_evaluated(b->spec[first + same], b->epoch, b->step) == state)
        same++;
    pass->trials = same;
    if (state != TRAIN_WEIGHTS)
        pass->w = b->slot[state] + (size_t) first * b->floats;
}

/* The validation set through trials from `first` on; how many. */
static int evaluate_group(train_bundle *b, int first, struct train_sums *sums)
{
    const struct train_side *side = &b->data->val;
    const size_t counts = b->counts_stride * (size_t) b->group;
    int trials = 0;

    if (b->counts)
        memset(b->counts, 0, counts * sizeof *b->counts);
    for (int64_t start = 0; start < side->count; start += b->eval_size) {
        const int64_t left = side->count - start;
        const int rows = left < b->eval_size ? (int) left : b->eval_size;
        struct train_pass pass = begin_pass(b, first, rows, false);
        take_evaluated(b, &pass, first);
        trials = pass.trials;
        for (int t = 0; t < trials; t++)
            memcpy(b->rows_index + (size_t) t * (size_t) rows, side->index + start,
                   (size_t) rows * sizeof *side->index);
        load_batch(b, &pass, side);
        forward(b, &pass);
        loss(b, &pass, first);
        for (int t = 0; t < trials; t++)
            train_bundle_add_sums(&sums[first + t], &b->batch[t]);
    }
    for (int t = 0; b->counts && t < trials; t++)
        sums[first + t].f1 = train_bundle_f1(b->counts + (size_t) t * b->counts_stride,
                                             (int) (b->counts_stride / 3));
    return trials;
}

void train_bundle_evaluate(train_bundle *b, struct train_sums *sums)
{
    memset(sums, 0, (size_t) b->trials * sizeof *sums);
    for (int k = 0; k < b->trials && b->torch; k++)
        train_torch_begin_test(&b->torch[k]);
    if (b->lanes)
        train_lanes_evaluate(b, sums);
    for (int first = 0; first < b->trials;) {
        if (train_lanes_has(b, first))
            first++;
        else
            first += evaluate_group(b, first, sums);
    }
}

void train_bundle_outputs(train_bundle *b, int k, float *out)
{
    const struct train_side *side = &b->data->val;
    const int last = b->model->node_count - 1;
    const size_t outputs = (size_t) b->model->outputs;

    train_lanes_view(b, k);
    for (int64_t start = 0; start < side->count; start += b->eval_size) {
        const int64_t left = side->count - start;
        const int rows = left < b->eval_size ? (int) left : b->eval_size;
        struct train_pass pass = begin_pass(b, k, rows, false);
        pass.trials = 1;
        take_evaluated(b, &pass, k);
        memcpy(b->rows_index, side->index + start, (size_t) rows * sizeof *side->index);
        load_batch(b, &pass, side);
        forward(b, &pass);
        train_pass_need(&pass, last, TRAIN_X);
        for (size_t r = 0; r < (size_t) rows; r++)
            for (size_t o = 0; o < outputs; o++)
                out[((size_t) start + r) * outputs + o] =
                    b->nodes[last].x[kern_at((size_t) rows, r, o)];
    }
}

void train_bundle_watch(train_bundle *b, const struct train_watch *watch)
{
    b->watch = *watch;
}

bool train_bundle_between_updates(const train_bundle *b)
{
    for (int k = 0; k < b->trials; k++) {
        if (b->step % b->spec[k]->accumulate != 0)
            return false;
    }
    return true;
}

bool train_bundle_finite(train_bundle *b, int k)
{
    const float *w = train_bundle_weights(b, k);

    for (int i = 0; i < b->model->segment_count; i++) {
        const struct train_segment *s = &b->model->segments[i];
        if (!isfinite(
                b->ops->sum_squares(w + s->offset, s->in ? (size_t) s->in : 1, (size_t) s->out)))
            return false;
    }
    return true;
}

void train_bundle_remove(train_bundle *b, int k)
{
    train_lanes_scatter(b);

    const int last = --b->trials;
    const size_t bytes = b->floats * sizeof(float);

    if (k == last)
        return; /* at 0 the bundle is empty: nothing looks at the model any more */
    memcpy(b->w + (size_t) k * b->floats, b->w + (size_t) last * b->floats, bytes);
    if (b->total)
        memcpy(b->total + (size_t) k * b->floats, b->total + (size_t) last * b->floats, bytes);
    for (int i = 0; i < TRAIN_STATES; i++)
        if (b->slot[i])
            memcpy(b->slot[i] + (size_t) k * b->floats, b->slot[i] + (size_t) last * b->floats,
                   bytes);
    take_spec(b, k, b->spec[last]);
    memcpy(b->rate + k * TRAIN_GROUPS, b->rate + last * TRAIN_GROUPS,
           TRAIN_GROUPS * sizeof *b->rate);
    memcpy(train_bundle_memory(b, k), train_bundle_memory(b, last),
           TRAIN_GROUPS * KERN_MEMORY * sizeof *b->memory);
    b->sums[k] = b->sums[last];
    if (b->torch)
        b->torch[k] = b->torch[last];
    b->order_epoch = -1;
    b->model = b->models[0];
}
