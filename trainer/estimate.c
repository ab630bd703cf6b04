/*
 * estimate.c - what a trial will cost: its arithmetic and its bytes by counting, its time by training a little.
 *
 * Nothing here is exact. Time is measured on random data of the right shape, half of it zeros where it stands for
 * pixels, without reading the data set or writing a file.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "common/cs_io.h"
#include "kernels/kernels.h"
#include "trainer/average.h"
#include "trainer/bundle.h"
#include "trainer/media.h"
#include "trainer/model.h"
#include "trainer/spec_impl.h"
#include "trainer/worker.h"

enum { STEPS_MAX = 256, BATCHES = 4 };

static int64_t validation_samples(const struct train_spec *spec, const struct train_data_info *info)
{
    int64_t train, val = 0;

    train_data_sizes(&train, &val, info, spec->limit, spec->val_split, NULL);
    return val;
}

static const struct train_data_info *info_of(const struct train_spec *spec)
{
    const struct train_data_info *info = NULL;

    train_shared_dataset(&info, spec->shared, spec->dataset, spec->path, NULL); /* known already */
    return info;
}

/* Of one sample forward: a product and a sum for each weight at each place it is used, a few more for each value. */
static double sample_work(const struct train_model *model)
{
    double work = 0;

    for (int i = 0; i < model->layer_count; i++) {
        const struct train_layer *layer = &model->layers[i];
        const double places =
            layer->out.ndim == 3 ? (double) layer->out.dim[1] * layer->out.dim[2] : 1;
        if (layer->segment >= 0 && model->segments[layer->segment].role == TRAIN_WEIGHT)
            work += 2 * places * (double) model->segments[layer->segment].elements;
        work += 4.0 * train_shape_size(&layer->out);
    }
    return work;
}

double train_spec_work(const struct train_spec *spec)
{
    const double sample = sample_work(spec->model), train = (double) spec->train_examples;
    const double steps = ceil(train / spec->batch_size);
    const double val = (double) validation_samples(spec, info_of(spec));

    return sample * (3 * train + val) +
           steps * 4 * (double) spec->parameters * (1 + train_spec_slots(spec));
}

double train_spec_bytes(const struct train_spec *spec)
{
    const double block = 4096, files = 9 /* objects of a checkpoint */, others = 3;
    double numbers = 0;

    for (int i = 0; i < spec->model->segment_count; i++)
        numbers += (double) spec->model->segments[i].elements *
                   (1 + train_spec_segment_slots(spec, i) + train_spec_has_state(spec, TRAIN_SLOW) +
                    train_spec_has_state(spec, TRAIN_AVERAGE));
    return 2 * (4 * numbers + files * block) + others * block +
           (double) spec->epochs * (64.0 * spec->metric_count + 160) + train_media_bytes(spec);
}

/* ---- random data ---- */

static uint32_t draw(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void *own(struct train_data *data, size_t count, size_t size)
{
    size_t i = 0;

    while (data->owned[i])
        i++;
    return data->owned[i] = cs_xcalloc(count, size);
}

static void fill_inputs(struct train_data *data, size_t count, uint32_t *state)
{
    const bool pixels = data->shape.ndim == 3;

    if (pixels) {
        uint8_t *out = own(data, count, 1);
        data->train.pixels = out;
        for (size_t i = 0; i < count; i++)
            out[i] = (uint8_t) (draw(state) % 2 ? draw(state) : 0);
    } else {
        float *out = own(data, count, sizeof *out);
        data->train.values = out;
        for (size_t i = 0; i < count; i++)
            out[i] = (float) draw(state) / (float) (1 << 23) - 1;
    }
}

static void fill_targets(struct train_data *data, size_t samples, uint32_t *state)
{
    const size_t width = (size_t) data->width;

    if (data->targets == KERN_CLASSES) {
        int32_t *out = own(data, samples, sizeof *out);
        data->train.labels = out;
        for (size_t i = 0; i < samples; i++)
            out[i] = (int32_t) (draw(state) % width);
        return;
    }
    float *out = own(data, samples * width, sizeof *out);
    data->train.targets = out;
    for (size_t i = 0; i < samples * width; i++)
        out[i] = (float) (draw(state) % 2);
}

static uint32_t *numbers(int64_t count)
{
    uint32_t *index = cs_xcalloc((size_t) count, sizeof *index);

    for (int64_t i = 0; i < count; i++)
        index[i] = (uint32_t) i;
    return index;
}

/* A few batches; validation takes some of the same samples. */
static struct train_data *make_data(const struct train_spec *spec,
                                    const struct train_data_info *info)
{
    struct train_data *data = cs_xcalloc(1, sizeof *data);
    const int64_t most = (int64_t) BATCHES * spec->batch_size, val = validation_samples(spec, info);
    uint32_t state = 1;

    data->key = cs_xstrdup("");
    data->shape = info->shape;
    data->targets = info->targets;
    data->width = info->width;
    data->train.count = spec->train_examples < most ? spec->train_examples : most;
    fill_inputs(data, (size_t) data->train.count * (size_t) train_shape_size(&info->shape), &state);
    fill_targets(data, (size_t) data->train.count, &state);
    data->val = data->train;
    data->val.count = val < data->train.count ? val : data->train.count;
    data->train.index = numbers(data->train.count);
    data->val.index = numbers(data->val.count);
    return data;
}

/* ---- time ---- */

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *) a, y = *(const double *) b;
    return (x > y) - (x < y);
}

/* The median of steps behind the first; rates stay next to zero, so that nothing diverges. */
static double time_steps(train_bundle *bundle, const struct train_spec *spec, int trials,
                         double budget)
{
    double *norms = cs_xcalloc((size_t) trials, sizeof *norms), times[STEPS_MAX];
    const double begin = cs_mono_seconds();
    int count = 0;

    for (int k = 0; k < trials; k++) {
        train_bundle_init(bundle, k);
        for (int g = 0; g < spec->group_count; g++)
            train_bundle_set_rate(bundle, k, g, 1e-9, NAN);
    }
    train_bundle_train_step(bundle, norms);
    do {
        const double start = cs_mono_seconds();
        train_bundle_train_step(bundle, norms);
        times[count++] = cs_mono_seconds() - start;
    } while (count < STEPS_MAX && cs_mono_seconds() - begin < budget);
    free(norms);
    qsort(times, (size_t) count, sizeof *times, compare_doubles);
    return times[count / 2];
}

static double time_validation(train_bundle *bundle, int trials)
{
    struct train_sums *sums = cs_xcalloc((size_t) trials, sizeof *sums);
    const double start = cs_mono_seconds();

    train_bundle_evaluate(bundle, sums);
    free(sums);
    return cs_mono_seconds() - start;
}

int train_estimate(double *seconds, const struct train_spec *spec, int trials, double budget,
                   struct cs_error *err)
{
    const struct train_data_info *info = info_of(spec);
    struct train_spec **specs = cs_xcalloc((size_t) trials, sizeof *specs);
    const struct kern_ops *ops = NULL;
    train_bundle *bundle = NULL;
    struct train_data *data = make_data(spec, info);

    for (int k = 0; k < trials; k++)
        specs[k] = (struct train_spec *) (uintptr_t) spec; /* the bundle only reads it */
    int rc = kern_backend_find(&ops, "cpu", err);
    if (rc == 0)
        rc = train_bundle_create(&bundle, ops, specs, trials, data, 0, err);
    if (rc == 0) {
        const double steps = ceil((double) spec->train_examples / spec->batch_size),
                     part = (double) validation_samples(spec, info) / (double) data->val.count;
        *seconds = steps * time_steps(bundle, spec, trials, budget) / trials;
        *seconds += part * time_validation(bundle, trials) / trials;
    }
    train_bundle_free(bundle);
    train_data_free(data);
    free(specs);
    return rc;
}
