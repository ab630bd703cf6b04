/*
 * The gradients of every layer of the registry against central differences of the loss: those of its own parameters and
 * those of the layer below it, so its input's as well. While training, on a batch of a drawn size; masks and noise stay
 * the same, being functions of the step. Then: what a batch norm keeps aside while it trains, its number of batches
 * among it.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/cs_error.h"
#include "common/cs_str.h"
#include "trainer/bundle.h"
#include "trainer/model.h"

enum { PIXELS = 784, SAMPLES = 19 };

/* How a layer is written where its name alone will not do. */
static const struct {
    const char *kind, *text;
} texts[] = {
    {"linear", "linear 5"},         {"dropout", "dropout 0.3"},
    {"dropout2d", "dropout2d 0.3"}, {"conv", "conv 4 2 groups 2"},
    {"maxpool", "maxpool 2"},       {"avgpool", "avgpool 3 stride 1"},
    {"noise", "noise 0.5"},         {"res", NULL}, /* in the net below */
};

static const char *text_of(const char *kind)
{
    for (size_t i = 0; i < CS_COUNT(texts); i++)
        if (strcmp(texts[i].kind, kind) == 0)
            return texts[i].text;
    return kind;
}

/* A net on 20 drawn numbers, or on images. NULL: the layer does not take such input. */
static struct train_spec *make_spec(const char *layers, bool images)
{
    const struct train_setting settings[] = {
        {"dataset", images ? "fashion-mnist" : "random 19x20 classes=4", 0},
        {"layers", layers, 0},
        {"batch_size", "19", 0},
        {"lr", "0", 0},
        {"momentum", "0.5", 0},
        {"limit", "19", 0},
    };
    struct train_spec *spec = NULL;
    struct cs_error err;

    return train_spec_create(&spec, settings, CS_COUNT(settings), 5, &err) < 0 ? NULL : spec;
}

/* Images without files. */
static struct train_data *make_images(void)
{
    struct train_data *data = cs_xcalloc(1, sizeof *data);
    uint8_t *pixels = cs_xcalloc(SAMPLES, PIXELS);
    int32_t *labels = cs_xcalloc(SAMPLES, sizeof *labels);
    uint32_t random = 1;

    for (int i = 0; i < SAMPLES * PIXELS; i++) {
        random = random * 1664525 + 1013904223;
        pixels[i] = (uint8_t) (random >> 24);
    }
    data->owned[0] = pixels;
    data->owned[1] = labels;
    data->targets = KERN_CLASSES;
    data->width = 10;
    data->train = (struct train_side){.pixels = pixels, .labels = labels, .count = SAMPLES};
    data->val = data->train;
    data->train.index = cs_xcalloc(SAMPLES, sizeof(uint32_t));
    data->val.index = cs_xcalloc(SAMPLES, sizeof(uint32_t));
    for (uint32_t i = 0; i < SAMPLES; i++) {
        labels[i] = (int32_t) i % 10;
        data->train.index[i] = data->val.index[i] = i;
    }
    return data;
}

/* Loss of the batch at weights w; the bundle's first state tensor is then its gradient. */
static double loss_at(train_bundle *b, const float *w, size_t floats)
{
    double norm;

    memcpy(train_bundle_weights(b, 0), w, floats * sizeof *w);
    memset(train_bundle_slot(b, 0, 0), 0, floats * sizeof *w);
    train_bundle_seek(b, 0, 0);
    train_bundle_clear_sums(b);
    train_bundle_train_step(b, &norm);
    return train_bundle_sums(b, 0)->of.loss / SAMPLES;
}

static bool agree(double g, double slope)
{
    return fabs(g - slope) <= 2e-4 + 0.02 * fabs(slope);
}

/* Does the loss rise by g per unit of *p? On one side at least, for a kink may lie near on the other. */
static bool is_slope(train_bundle *b, float *w, size_t floats, float *p, double g)
{
    const float given = *p, h = 0x1p-9f;
    const double here = loss_at(b, w, floats);

    *p = given + h;
    const double up = loss_at(b, w, floats);
    *p = given - h;
    const double down = loss_at(b, w, floats);
    *p = given;
    return agree(g, (up - down) / (2.0 * (double) h)) || agree(g, (up - here) / (double) h) ||
           agree(g, (here - down) / (double) h);
}

/* Of the trained parameters, at most some 60 of each tensor; returns how many were wrong of how many. */
static int compare_gradients(train_bundle *b, const struct train_spec *spec, float *w, int *checked,
                             double *largest)
{
    const struct train_model *model = spec->model;
    float *g = cs_xcalloc(model->floats, sizeof *g);
    int wrong = 0;

    *checked = 0;
    *largest = 0;
    loss_at(b, w, model->floats);
    memcpy(g, train_bundle_slot(b, 0, 0), model->floats * sizeof *g);
    for (int i = 0; i < model->segment_count; i++) {
        const struct train_segment *s = &model->segments[i];
        for (size_t at = 0; at < s->count && !s->buffer; at += 1 + s->count / 60) {
            float *p = w + s->offset + at;
            const double slope = (double) g[s->offset + at];
            if (*p == 0 && slope == 0)
                continue; /* padding */
            wrong += !is_slope(b, w, model->floats, p, slope);
            *largest = fmax(*largest, fabs(slope));
            ++*checked;
        }
    }
    free(g);
    return wrong;
}

/* false: the net cannot be made. One in 20 may be off, between two kinks. */
static bool check_net(const char *layers, bool images)
{
    struct train_spec *spec = make_spec(layers, images);
    struct train_data *data = NULL;
    train_bundle *b;
    int checked;
    double largest;
    const struct kern_ops *ops;

    if (!spec)
        return false;
    if (images)
        data = make_images();
    else
        assert_int_equal(train_data_load(&data, spec, NULL), 0);
    assert_int_equal(kern_backend_find(&ops, "cpu", NULL), 0);
    assert_int_equal(train_bundle_create(&b, ops, &spec, 1, data, 1, NULL), 0);
    train_bundle_init(b, 0);
    float *w = cs_xcalloc(spec->model->floats, sizeof *w);
    memcpy(w, train_bundle_weights(b, 0), spec->model->floats * sizeof *w);
    const int wrong = compare_gradients(b, spec, w, &checked, &largest);
    if (wrong * 20 > checked || checked < 30 || largest < 0.01)
        fail_msg("%s: %d of %d gradients are wrong, the largest is %g", layers, wrong, checked,
                 largest);
    free(w);
    train_bundle_free(b);
    train_data_free(data);
    train_spec_free(spec);
    return true;
}

static void every_layer_has_its_gradient(void **state)
{
    (void) state;
    for (const struct train_layer_kind *const *k = train_layer_kinds(); *k; k++) {
        const char *text = text_of((*k)->name);
        char flat[200], image[200];
        if (!text)
            continue;
        snprintf(flat, sizeof flat, "linear 9 > %s > linear 4", text);
        snprintf(image, sizeof image, "conv 4 5 stride 6 > %s > flatten > linear 10", text);
        const bool any = check_net(flat, false), other = check_net(image, true);
        if (!any && !other)
            fail_msg("%s takes neither flat data nor images", text);
    }
}

/* Between others: under a relu that is fused or not, over one, in blocks, where values are copied. */
static void gradients_of_layers_in_company(void **state)
{
    static const char *const flat[] = {
        "linear 9 > batchnorm > relu > linear 9 > relu > batchnorm > dropout 0.2 > linear 4",
        "linear 9 > layernorm affine no > relu > res(linear 9 > batchnorm affine no > relu) > relu "
        "> linear 4",
        "linear 9 > relu > noise 0.3 > relu > batchnorm > tanh > noise 0.2 > layernorm > linear 4",
        "linear 9 > tanh > batchnorm > relu > dropout 0.2 > layernorm > res(batchnorm > linear 9) "
        "> linear 4",
    };
    static const char *const images[] = {
        "conv 4 5 stride 6 > batchnorm > relu > dropout2d 0.2 > batchnorm affine no > maxpool 2 > "
        "flatten > "
        "linear 10",
        "conv 4 5 stride 6 > relu > batchnorm > res(conv 4 3 pad 1 > layernorm > relu) > noise 0.1 "
        "> flatten > "
        "batchnorm > linear 10",
    };

    (void) state;
    for (size_t i = 0; i < CS_COUNT(flat); i++)
        assert_true(check_net(flat[i], false));
    for (size_t i = 0; i < CS_COUNT(images); i++)
        assert_true(check_net(images[i], true));
}

/* Statistics of every batch, those of an accumulated gradient included; evaluation changes none. Among averages of the
 * weights the count is the count. */
static void batchnorm_keeps_statistics(void **state)
{
    const struct train_setting settings[] = {
        {"dataset", "random 40x7 classes=3", 0},
        {"layers", "batchnorm momentum 0.5 > linear 3", 0},
        {"batch_size", "16", 0},
        {"shuffle", "no", 0},
        {"accumulate", "2", 0},
        {"ema", "0.9", 0},
        {"lr", "0.1", 0},
    };
    struct train_spec *spec;
    struct train_data *data;
    struct train_sums sums;
    train_bundle *b;
    const struct kern_ops *ops;
    double norm, mean[7] = {0}, var[7];

    (void) state;
    assert_int_equal(train_spec_create(&spec, settings, CS_COUNT(settings), 0, NULL), 0);
    assert_int_equal(train_data_load(&data, spec, NULL), 0);
    assert_int_equal(kern_backend_find(&ops, "cpu", NULL), 0);
    assert_int_equal(train_bundle_create(&b, ops, &spec, 1, data, 0, NULL), 0);
    train_bundle_init(b, 0);
    const struct train_segment *s = spec->model->segments;
    const float *w = train_bundle_weights(b, 0);
    for (int f = 0; f < 7; f++)
        var[f] = 1;
    for (int step = 0; step < 6; step++) {
        const int first = step % 3 * 16, rows = step % 3 == 2 ? 8 : 16;
        for (int f = 0; f < 7; f++) {
            double m = 0, v = 0;
            for (int r = 0; r < rows; r++)
                m += (double) data->train.values[(first + r) * 7 + f] / rows;
            for (int r = 0; r < rows; r++) {
                const double d = (double) data->train.values[(first + r) * 7 + f] - m;
                v += d * d / (rows - 1);
            }
            mean[f] = 0.5 * mean[f] + 0.5 * m;
            var[f] = 0.5 * var[f] + 0.5 * v;
        }
        train_bundle_train_step(b, &norm);
        train_bundle_evaluate(b, &sums);
        assert_string_equal(s[2].name, "0.running_mean");
        for (int f = 0; f < 7; f++) {
            assert_true(fabs((double) w[s[2].offset + (size_t) f] - mean[f]) < 1e-6);
            assert_true(fabs((double) w[s[3].offset + (size_t) f] - var[f]) < 1e-6);
        }
        assert_int_equal(train_segment_count(&s[4], w), step + 1);
    }
    assert_int_equal(train_segment_count(&s[4], train_bundle_slot(b, 0, TRAIN_AVERAGE)), 6);
    assert_int_equal(spec->model->parameters, 7 + 7 + 21 + 3);
    train_bundle_free(b);
    train_data_free(data);
    train_spec_free(spec);
}

static void counters_are_exact(void **state)
{
    static const int64_t counts[] = {0, 1, 0xffffff, 0x1000000, 0x1000001, 123456789012, 1LL << 47};
    const struct train_segment s = {.counter = true, .offset = 16};
    float arena[32];

    (void) state;
    for (size_t i = 0; i < CS_COUNT(counts); i++) {
        train_segment_set_count(&s, arena, counts[i]);
        assert_int_equal(train_segment_count(&s, arena), counts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layer_has_its_gradient),
        cmocka_unit_test(gradients_of_layers_in_company),
        cmocka_unit_test(batchnorm_keeps_statistics),
        cmocka_unit_test(counters_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
