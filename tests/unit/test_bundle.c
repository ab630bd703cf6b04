/*
 * test_bundle.c - the bundle: bits of a trial alone and among others, on ref and cpu, in groups, after neighbours
 * left; whole gradients kept or fused; seeks.
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

enum { TRIALS = 5, EPOCHS = 2 };

static struct train_spec *make_spec(const char *optimizer, const char *key, const char *value,
                                    const char *lr, const char *dropout, uint64_t seed)
{
    char layers[128];
    struct train_spec *spec = NULL;
    struct cs_error err;

    snprintf(layers, sizeof layers,
             "linear 17 > relu > dropout %s > res(linear 17 > relu) > linear 9 > relu > linear 3",
             dropout);
    const struct train_setting settings[] = {
        {"dataset", "random 101x7 classes=3", 0},
        {"batch_size", "16", 0},
        {"eval_batch_size", "8", 0},
        {"layers", layers, 0},
        {"optimizer", optimizer, 0},
        {"lr", lr, 0},
        {"epochs", "2", 0},
        {key, value, 0},
    };
    if (train_spec_create(&spec, settings, CS_COUNT(settings), seed, &err) < 0)
        fail_msg("%s", err.detail);
    return spec;
}

static void make_specs(struct train_spec *specs[TRIALS])
{
    specs[0] = make_spec("sgd", "momentum", "0.9", "0.1", "0", 0);
    specs[1] = make_spec("adam", "amsgrad", "yes", "0.01", "0.2", 1);
    specs[2] = make_spec("sgd", "weight_decay", "0.01", "0.05", "0.5", 2);
    specs[3] = make_spec("rmsprop", "centered", "yes", "0.003", "0.2", 3);
    specs[4] = make_spec("adamw", "weight_decay", "0.1", "0.01", "0.1", 4);
    for (int i = 1; i < TRIALS; i++)
        assert_string_equal(specs[i]->shape_key, specs[0]->shape_key);
}

static void free_specs(struct train_spec *specs[TRIALS])
{
    for (int i = 0; i < TRIALS; i++)
        train_spec_free(specs[i]);
}

static const struct kern_ops *backend(const char *name)
{
    const struct kern_ops *ops;
    assert_int_equal(kern_backend_find(&ops, name, NULL), 0);
    return ops;
}

/* What one trial ends with: weights, state, sums of the last epoch, its validation sums and gradient norm. */
struct outcome {
    float *memory[1 + KERN_SLOTS];
    size_t floats;
    struct train_sums train, val;
    double norm;
};

static void take(struct outcome *out, train_bundle *b, int k, const struct train_spec *spec,
                 const struct train_sums *train, const struct train_sums *val, double norm)
{
    *out =
        (struct outcome){.floats = spec->model->floats, .train = *train, .val = *val, .norm = norm};
    for (int i = 0; i < 1 + KERN_SLOTS; i++) {
        const float *from = i ? train_bundle_slot(b, k, i - 1) : train_bundle_weights(b, k);
        out->memory[i] = calloc(out->floats, sizeof(float));
        if (from)
            memcpy(out->memory[i], from, out->floats * sizeof(float));
    }
}

static void free_outcome(struct outcome *o)
{
    for (int i = 0; i < 1 + KERN_SLOTS; i++)
        free(o->memory[i]);
}

static void assert_equal(const struct outcome *a, const struct outcome *b)
{
    for (int i = 0; i < 1 + KERN_SLOTS; i++)
        assert_memory_equal(a->memory[i], b->memory[i], a->floats * sizeof(float));
    assert_memory_equal(&a->train, &b->train, sizeof a->train);
    assert_memory_equal(&a->val, &b->val, sizeof a->val);
    assert_memory_equal(&a->norm, &b->norm, sizeof a->norm);
    assert_true(a->norm > 0);
}

/* Train specs[0..count) together for EPOCHS; outcome[i] belongs to specs[i]. */
static void train(struct outcome *out, const char *ops, struct train_spec *const *specs, int count,
                  int group)
{
    train_bundle *b;
    struct train_data *data;
    double norm[TRIALS] = {0};
    struct train_sums sums[TRIALS], val[TRIALS];
    struct cs_error err;

    assert_int_equal(train_data_load(&data, specs[0], &err), 0);
    assert_int_equal(train_bundle_create(&b, backend(ops), specs, count, data, group, &err), 0);
    for (int k = 0; k < count; k++)
        train_bundle_init(b, k);
    for (int e = 0; e < EPOCHS; e++) {
        train_bundle_clear_sums(b);
        for (int s = 0; s < train_bundle_steps(b); s++)
            train_bundle_train_step(b, norm);
    }
    assert_int_equal(train_bundle_epoch(b), EPOCHS);
    for (int k = 0; k < count; k++)
        sums[k] = *train_bundle_sums(b, k);
    train_bundle_evaluate(b, val);
    for (int k = 0; k < count; k++) {
        assert_int_equal(sums[k].of.samples, 101);
        assert_int_equal(val[k].of.samples, 21);
        assert_true(train_bundle_finite(b, k));
        take(&out[k], b, k, specs[k], &sums[k], &val[k], norm[k]);
    }
    train_bundle_free(b);
    train_data_free(data);
}

/* A group's settings count for its parameters alone, and frozen ones stay. */
static void test_bundle__groups(void **state)
{
    static const char *const more[][2] = {
        {"tail.match", "6.*"}, {"tail.lr", "0.5"}, {"tail.momentum", "0.9"}};
    struct train_setting settings[16] = {
        {"dataset", "random 101x7 classes=3", 0},
        {"batch_size", "16", 0},
        {"layers", "linear 17 > relu > linear 17 > relu > relu > relu > linear 3", 0},
        {"lr", "0.05", 0}};
    struct train_spec *specs[3];
    struct outcome out[3];
    struct cs_error err;

    (void) state;
    assert_int_equal(train_spec_create(&specs[0], settings, 4, 0, &err), 0);
    for (int i = 0; i < 3; i++)
        settings[4 + i] = (struct train_setting){more[i][0], more[i][1], 0};
    assert_int_equal(train_spec_create(&specs[1], settings, 7, 0, &err), 0);
    settings[5] = (struct train_setting){"tail.freeze", "yes", 0};
    assert_int_equal(train_spec_create(&specs[2], settings, 6, 0, &err), 0);
    for (int i = 0; i < 3; i++)
        train(&out[i], "cpu", &specs[i], 1, 1);

    const struct train_model *m = specs[0]->model;
    float *start = calloc(m->floats, sizeof *start);
    train_model_init(m, 0, start);
    const size_t tail = m->segments[4].offset, size = m->segments[4].count * sizeof(float);
    assert_memory_equal(out[2].memory[0] + tail, start + tail, size);
    assert_memory_not_equal(out[0].memory[0] + tail, start + tail, size);
    assert_memory_not_equal(out[0].memory[0] + tail, out[1].memory[0] + tail, size);
    assert_memory_not_equal(out[2].memory[0], start, m->segments[0].count * sizeof(float));
    for (size_t i = 0; i < m->segments[4].offset; i++)
        assert_true(out[1].memory[1][i] == 0); /* momentum belongs to the tail */
    assert_true(out[1].memory[1][tail] != 0);
    free(start);
    for (int i = 0; i < 3; i++) {
        free_outcome(&out[i]);
        train_spec_free(specs[i]);
    }
}

static void test_bundle__alone_among_others_on_any_backend(void **state)
{
    static const struct {
        const char *ops;
        int group;
    } ways[] = {{"ref", 1}, {"ref", 5}, {"cpu", 1}, {"cpu", 2}, {"cpu", 5}};
    struct train_spec *specs[TRIALS];
    struct outcome alone[TRIALS];

    (void) state;
    make_specs(specs);
    for (int i = 0; i < TRIALS; i++)
        train(&alone[i], "cpu", &specs[i], 1, 0);
    for (size_t w = 0; w < CS_COUNT(ways); w++) {
        struct outcome together[TRIALS];
        train(together, ways[w].ops, specs, TRIALS, ways[w].group);
        for (int i = 0; i < TRIALS; i++) {
            assert_equal(&alone[i], &together[i]);
            free_outcome(&together[i]);
        }
    }
    for (int i = 0; i < TRIALS; i++)
        free_outcome(&alone[i]);
    free_specs(specs);
}

/* The trial at 0 leaves first: the bundle used to go on reading that trial's model. */
static void test_bundle__goes_on_when_any_trial_leaves(void **state)
{
    (void) state;
    for (int leaver = 0; leaver < TRIALS; leaver++) {
        struct train_spec *specs[TRIALS];
        struct outcome expected[TRIALS];
        struct train_data *data;
        train_bundle *b;
        double norm[TRIALS];
        int who[TRIALS] = {0, 1, 2, 3, 4};

        make_specs(specs);
        train(expected, "cpu", specs, TRIALS, 0);
        assert_int_equal(train_data_load(&data, specs[1 - (leaver == 1)], NULL), 0);
        assert_int_equal(train_bundle_create(&b, backend("cpu"), specs, TRIALS, data, 2, NULL), 0);
        for (int k = 0; k < TRIALS; k++)
            train_bundle_init(b, k);
        for (int s = 0; s < train_bundle_steps(b); s++)
            train_bundle_train_step(b, norm);
        train_bundle_remove(b, leaver);
        train_spec_free(specs[leaver]);
        specs[leaver] = NULL;
        who[leaver] = who[TRIALS - 1];
        assert_int_equal(train_bundle_trials(b), TRIALS - 1);
        for (int s = 0; s < train_bundle_steps(b); s++)
            train_bundle_train_step(b, norm);
        for (int k = 0; k < TRIALS - 1; k++)
            assert_memory_equal(train_bundle_weights(b, k), expected[who[k]].memory[0],
                                expected[who[k]].floats * sizeof(float));
        train_bundle_free(b);
        train_data_free(data);
        for (int i = 0; i < TRIALS; i++)
            free_outcome(&expected[i]);
        free_specs(specs);
    }
}

/* Stopping inside an epoch and going on in a new bundle changes nothing. */
static void test_bundle__seek_goes_on_with_the_same_bits(void **state)
{
    struct train_spec *spec = make_spec("adam", "weight_decay", "0.01", "0.01", "0.3", 7);
    const size_t bytes = spec->model->floats * sizeof(float);
    struct outcome whole;
    struct train_data *data;
    train_bundle *first, *second;
    double norm;

    (void) state;
    train(&whole, "cpu", &spec, 1, 0);
    assert_int_equal(train_data_load(&data, spec, NULL), 0);
    assert_int_equal(train_bundle_create(&first, backend("cpu"), &spec, 1, data, 0, NULL), 0);
    assert_int_equal(train_bundle_create(&second, backend("cpu"), &spec, 1, data, 0, NULL), 0);
    train_bundle_init(first, 0);
    for (int s = 0; s < train_bundle_steps(first) + 3; s++)
        train_bundle_train_step(first, &norm);
    train_bundle_init(second, 0);
    memcpy(train_bundle_weights(second, 0), train_bundle_weights(first, 0), bytes);
    for (int i = 0; i < 2; i++)
        memcpy(train_bundle_slot(second, 0, i), train_bundle_slot(first, 0, i), bytes);
    train_bundle_seek(second, train_bundle_epoch(first), train_bundle_step(first));
    assert_int_equal(train_bundle_step(second), 3);
    while (train_bundle_epoch(second) < EPOCHS)
        train_bundle_train_step(second, &norm);
    assert_memory_equal(train_bundle_weights(second, 0), whole.memory[0], bytes);
    assert_memory_equal(&norm, &whole.norm, sizeof norm);
    train_bundle_free(first);
    train_bundle_free(second);
    train_data_free(data);
    free_outcome(&whole);
    train_spec_free(spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bundle__groups),
        cmocka_unit_test(test_bundle__alone_among_others_on_any_backend),
        cmocka_unit_test(test_bundle__goes_on_when_any_trial_leaves),
        cmocka_unit_test(test_bundle__seek_goes_on_with_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
