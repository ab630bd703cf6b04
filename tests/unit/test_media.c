/* What runs hold besides numbers: which epochs have histograms, the outputs behind the pictures, gradients. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/cs_error.h"
#include "kernels/kernels.h"
#include "trainer/bundle.h"
#include "trainer/bundle_lanes.h"
#include "trainer/media.h"
#include "trainer/model.h"

static struct train_spec *make(const char *dataset, const char *layers, const char *epochs,
                               const char *histograms, uint64_t seed)
{
    const struct train_setting settings[] = {
        {"dataset", dataset, 0}, {"layers", layers, 0},         {"epochs", epochs, 0},
        {"batch_size", "16", 0}, {"histograms", histograms, 0}, {"eval_batch_size", "9", 0},
        {"optimizer", "sgd", 0},
    };
    struct train_spec *spec;
    struct cs_error err;

    if (train_spec_create(&spec, settings, CS_COUNT(settings), seed, &err) < 0)
        fail_msg("%s", err.detail);
    return spec;
}

/* How many epochs are due; the last one always is when any is, and they are equally spaced. */
static int count_due(const char *dataset, const char *layers, const char *epochs,
                     const char *histograms)
{
    struct train_spec *spec = make(dataset, layers, epochs, histograms, 0);
    int count = 0, last = 0, least = spec->epochs, most = 0;

    for (int e = 1; e <= spec->epochs; e++) {
        if (!train_media_due(spec, e))
            continue;
        least = e - last < least ? e - last : least;
        most = e - last > most ? e - last : most;
        last = e;
        count++;
    }
    if (count > 0) {
        assert_int_equal(last, spec->epochs);
        assert_true(most - least <= 1);
    }
    train_spec_free(spec);
    return count;
}

static void due__counts(void **state)
{
    static const char small[] = "linear 4 > relu > linear 2", data[] = "random 20000x5 classes=2";
    static const char tiny[] = "random 100x5 classes=2";

    (void) state;
    assert_int_equal(count_due(data, small, "4", "-1"), 4);
    assert_int_equal(count_due(data, small, "10", "-1"), 10);
    assert_int_equal(count_due(data, small, "1000", "-1"), 10);
    assert_int_equal(count_due(data, small, "17", "3"), 3);
    assert_int_equal(count_due(data, small, "17", "0"), 0);
    assert_int_equal(count_due(data, small, "17", "100"), 17);
    assert_int_equal(count_due(tiny, small, "50", "-1"), 1); /* 5,000 examples in all */
    assert_int_equal(count_due(tiny, small, "350", "-1"), 3);
    assert_int_equal(count_due(tiny, small, "50", "50"), 50);
}

static void due__bytes(void **state)
{
    struct cs_buf layers = {0};

    (void) state;
    for (int i = 0; i < 60; i++)
        cs_buf_adds(&layers, "linear 4 > ");
    cs_buf_adds(&layers, "linear 2");
    /* 122 tensors, twice, of 850 bytes: 207 KB an epoch, five of them in 1 MiB */
    assert_int_equal(count_due("random 20000x5 classes=2", layers.data, "100", "-1"), 5);
    cs_buf_clear(&layers);
}

/* Settings about files make no other trial. */
static void keys__no_identity(void **state)
{
    struct train_spec *a = make("random 50x5 classes=2", "linear 2", "3", "-1", 1),
                      *b = make("random 50x5 classes=2", "linear 2", "3", "2", 1);

    (void) state;
    assert_string_equal(a->id, b->id);
    assert_true(train_key_is_about_files("media"));
    assert_false(train_key_is_about_files("epochs"));
    train_spec_free(a);
    train_spec_free(b);
}

/* ---- bundles ---- */

enum { TRIALS = 19 };

struct watched {
    float *g[TRIALS];
    size_t floats;
    int calls;
};

static void on_gradient(void *context, int k, const float *g)
{
    struct watched *w = context;

    memcpy(w->g[k], g, w->floats * sizeof *g);
    w->calls++;
}

/* One epoch of the trials; their gradients at its end, and the outputs for the validation set. */
static void train(struct watched *w, float **outputs, double *accuracy, struct train_spec **specs,
                  const struct train_data *data, int group)
{
    const struct kern_ops *ops;
    struct train_sums sums[TRIALS];
    double norm[TRIALS];
    train_bundle *b;

    assert_int_equal(kern_backend_find(&ops, "cpu", NULL), 0);
    assert_int_equal(train_bundle_create(&b, ops, specs, TRIALS, data, group, NULL), 0);
    w->floats = specs[0]->model->floats;
    w->calls = 0;
    for (int k = 0; k < TRIALS; k++) {
        w->g[k] = calloc(w->floats, sizeof(float));
        outputs[k] =
            calloc((size_t) data->val.count * (size_t) specs[0]->model->outputs, sizeof(float));
        train_bundle_init(b, k);
    }
    if (group == 0) /* where this machine has lanes, they are what is meant here */
        assert_true(strncmp(ops->instance, "avx", 3) != 0 || train_lanes_has(b, 0));
    train_bundle_watch(b, &(struct train_watch){on_gradient, w});
    while (train_bundle_epoch(b) == 0)
        train_bundle_train_step(b, norm);
    assert_int_equal(w->calls, TRIALS);
    train_bundle_evaluate(b, sums);
    for (int k = 0; k < TRIALS; k++) {
        double sum = 0;
        train_bundle_outputs(b, k, outputs[k]);
        accuracy[k] = (double) sums[k].of.correct / (double) data->val.count;
        for (size_t i = 0; i < w->floats; i++)
            sum += (double) w->g[k][i] * w->g[k][i];
        assert_true(fabs(sqrt(sum) - norm[k]) <= 1e-5 * norm[k]);
    }
    train_bundle_free(b);
}

static double accuracy_of(const float *outputs, const struct train_data *data, int classes)
{
    int64_t right = 0;

    for (int64_t r = 0; r < data->val.count; r++) {
        const float *x = outputs + r * classes;
        int said = 0;
        for (int c = 1; c < classes; c++)
            said = x[c] > x[said] ? c : said;
        right += said == data->val.labels[data->val.index[r]];
    }
    return (double) right / (double) data->val.count;
}

/* In lanes and one after the other: the same bits. */
static void bundle__outputs_and_gradients(void **state)
{
    struct train_spec *specs[TRIALS];
    struct train_data *data;
    struct watched in_lanes, single;
    float *x[TRIALS], *y[TRIALS];
    double a[TRIALS], b[TRIALS];

    (void) state;
    for (int k = 0; k < TRIALS; k++)
        specs[k] = make("random 101x7 classes=3", "linear 17 > relu > dropout 0.2 > linear 3", "2",
                        "-1", (uint64_t) k);
    assert_int_equal(train_data_load(&data, specs[0], NULL), 0);
    train(&in_lanes, x, a, specs, data, 0);
    train(&single, y, b, specs, data, 1);
    for (int k = 0; k < TRIALS; k++) {
        assert_memory_equal(x[k], y[k], (size_t) data->val.count * 3 * sizeof(float));
        assert_memory_equal(in_lanes.g[k], single.g[k], single.floats * sizeof(float));
        assert_true(fabs(accuracy_of(x[k], data, 3) - a[k]) < 1e-12);
        free(x[k]);
        free(y[k]);
        free(in_lanes.g[k]);
        free(single.g[k]);
    }
    train_data_free(data);
    for (int k = 0; k < TRIALS; k++)
        train_spec_free(specs[k]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(due__counts),
        cmocka_unit_test(due__bytes),
        cmocka_unit_test(keys__no_identity),
        cmocka_unit_test(bundle__outputs_and_gradients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
