/*
 * test_torch.c - `rng = torch`: the generator and what PyTorch makes of it, against values that PyTorch 1.13 printed;
 * bundles with it: alone and fused, ref and cpu, in lanes, after neighbours left, stopped inside an epoch.
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
#include "trainer/bundle.h"
#include "trainer/bundle_lanes.h"
#include "trainer/model.h"
#include "trainer/torch.h"

enum { TRIALS = 4, EPOCHS = 3, LANES = 32 };

/* ---- the stream ---- */

/* The first numbers of the reference implementation, and the 10,000th that the C++ standard demands. */
static void the_published_generator(void **state)
{
    static const uint32_t first[] = {3499211612u, 581869302u, 3890346734u, 3586334585u, 545404204u};
    struct kern_mt19937 mt;
    uint32_t word = 0;

    (void) state;
    kern_mt_seed(&mt, 5489);
    for (int i = 1; i <= 10000; i++) {
        word = kern_mt_draw(&mt);
        if (i <= (int) CS_COUNT(first))
            assert_int_equal(word, first[i - 1]);
    }
    assert_int_equal(word, 4123659995u);
}

static void assert_order(const struct train_torch *torch, int count, const uint32_t *expected,
                         int shown)
{
    uint32_t order[1000];

    train_torch_order(order, count, torch);
    for (int i = 0; i < shown; i++)
        assert_int_equal(order[i], expected[i]);
}

/* torch.randperm(n, generator=g) after g.manual_seed(2**32 + 7): the low 32 bits count. */
static void permutations(void **state)
{
    static const uint32_t twelve[] = {3, 4, 0, 5, 7, 9, 11, 6, 8, 1, 10, 2};
    static const struct train_torch seven = {.order_seed = 7};
    uint32_t one = 9;

    (void) state;
    assert_order(&seven, 12, twelve, 12);
    train_torch_order(&one, 1, &seven);
    assert_int_equal(one, 0);
}

/* manual_seed(7): rand(4), two int64 random_(), bernoulli_(0.7) of 24, Linear(5, 3). */
static void numbers_of_one_stream(void **state)
{
    static const float uniform[] = {0x1.11e15ep-1f, 0x1.97262p-3f, 0x1.518432p-1f, 0x1.5053ecp-1f};
    static const uint8_t mask[] = {0, 0, 1, 1, 0, 0, 1, 1, 1, 1, 1, 0,
                                   1, 0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0};
    static const float weight[] = {-0x1.aa176cp-3f, -0x1.c2c36ap-11f, 0x1.c04bf4p-3f,
                                   0x1.95715ap-3f,  -0x1.ad9be2p-5f,  0x1.935824p-5f};
    static const float bias[] = {-0x1.6444bep-3f, 0x1.f5790cp-3f, -0x1.f610fep-3f};
    const struct train_init init = {.scheme = train_init_find("pytorch")};
    struct train_model *model = NULL;
    struct train_torch torch;
    uint8_t keep[24];
    float tensor[15];

    (void) state;
    kern_mt_seed(&torch.stream, 7 + (1ull << 40));
    for (size_t i = 0; i < CS_COUNT(uniform); i++)
        assert_true(kern_mt_uniform(&torch.stream) == uniform[i]);
    assert_true((kern_mt_draw64(&torch.stream) & INT64_MAX) == 0x703b9643fa6cd0d3);
    assert_true((kern_mt_draw64(&torch.stream) & INT64_MAX) == 0x3935039774a13667);
    train_torch_mask(keep, 24, 0.3, &torch);
    assert_memory_equal(keep, mask, sizeof mask);
    assert_int_equal(train_model_create(&model, "linear 3", &(struct train_shape){1, {5}}, NULL),
                     0);
    float *w = calloc(model->floats, sizeof *w);
    train_init_weights(w, model, &init, 0, &torch.stream);
    train_segment_unpack(&model->segments[0], tensor, w);
    assert_memory_equal(tensor, weight, sizeof weight);
    train_segment_unpack(&model->segments[1], tensor, w);
    assert_memory_equal(tensor, bias, sizeof bias);
    free(w);
    train_model_free(model);
}

/* manual_seed(3): three epochs of a shuffled loader of 9 with an unshuffled one after each, then rand(1). */
static void loaders(void **state)
{
    static const uint32_t orders[3][9] = {
        {8, 4, 0, 1, 6, 7, 2, 5, 3}, {0, 4, 3, 8, 1, 7, 6, 2, 5}, {0, 7, 5, 4, 3, 2, 8, 1, 6}};
    struct train_torch torch;

    (void) state;
    kern_mt_seed(&torch.stream, 3);
    for (int e = 0; e < 3; e++) {
        train_torch_begin_epoch(&torch, true);
        assert_order(&torch, 9, orders[e], 9);
        train_torch_begin_test(&torch);
    }
    assert_true(kern_mt_uniform(&torch.stream) == 0x1.b1d3cp-1f);
}

static void the_state_as_text(void **state)
{
    char text[TRAIN_TORCH_TEXT + 1], again[TRAIN_TORCH_TEXT + 1];
    struct train_torch torch, read = {.order_seed = 1};

    (void) state;
    kern_mt_seed(&torch.stream, 11);
    train_torch_begin_epoch(&torch, true);
    for (int i = 0; i < 700; i++)
        kern_mt_draw(&torch.stream);
    train_torch_text(text, &torch);
    assert_int_equal(strlen(text), TRAIN_TORCH_TEXT);
    assert_true(train_torch_parse(&read, text));
    assert_memory_equal(&read, &torch, sizeof torch);
    for (int i = 0; i < 700; i++)
        assert_int_equal(kern_mt_draw(&read.stream), kern_mt_draw(&torch.stream));

    read = torch;
    assert_false(train_torch_parse(&read, ""));
    assert_false(train_torch_parse(&read, text + 1));
    memcpy(again, text, sizeof text);
    again[17] = 'x';
    assert_false(train_torch_parse(&read, again));
    memcpy(again, text, sizeof text);
    memcpy(again + (size_t) KERN_MT_WORDS * 8, "00000271", 8); /* 625 */
    assert_false(train_torch_parse(&read, again));
    assert_memory_equal(&read, &torch, sizeof torch);
}

/* ---- trials ---- */

#define DROPPED "linear 17 > relu > dropout %s > res(linear 17 > dropout 0.2 > tanh) > linear 3"

static struct train_spec *make_spec(const char *dataset, const char *layers, const char *optimizer,
                                    uint64_t seed)
{
    struct train_spec *spec = NULL;
    struct cs_error err;

    const struct train_setting settings[] = {
        {"dataset", dataset, 0}, {"batch_size", "16", 0}, {"eval_batch_size", "8", 0},
        {"layers", layers, 0},   {"rng", "torch", 0},     {"optimizer", optimizer, 0},
        {"lr", "0.01", 0},
    };
    if (train_spec_create(&spec, settings, CS_COUNT(settings), seed, &err) < 0)
        fail_msg("%s", err.detail);
    return spec;
}

static void make_specs(struct train_spec *specs[TRIALS])
{
    static const char *const p[] = {"0.5", "0", "0.1", "0.5"}, *const optimizer[] = {"sgd", "adam",
                                                                                     "adam",
                                                                                     "rmsprop"};
    const uint64_t seed[] = {0, 1, 2, 3 + (1ull << 33)};

    for (int i = 0; i < TRIALS; i++) {
        char layers[128];
        snprintf(layers, sizeof layers, DROPPED, p[i]);
        specs[i] = make_spec("random 101x7 classes=3", layers, optimizer[i], seed[i]);
        assert_string_equal(specs[i]->shape_key, specs[0]->shape_key);
    }
}

static const struct kern_ops *backend(const char *name)
{
    const struct kern_ops *ops;
    assert_int_equal(kern_backend_find(&ops, name, NULL), 0);
    return ops;
}

struct outcome {
    float *w;
    size_t floats;
    struct train_sums sums;
    struct train_torch torch;
};

static void take(struct outcome *out, train_bundle *b, int k, const struct train_spec *spec,
                 const struct train_sums *val)
{
    out->floats = spec->model->floats;
    out->w = malloc(out->floats * sizeof(float));
    memcpy(out->w, train_bundle_weights(b, k), out->floats * sizeof(float));
    out->sums = *train_bundle_sums(b, k);
    out->sums.of.loss += val->of.loss;
    out->torch = *train_bundle_torch(b, k);
}

static void assert_equal(const struct outcome *a, const struct outcome *b)
{
    assert_memory_equal(a->w, b->w, a->floats * sizeof(float));
    assert_memory_equal(&a->sums, &b->sums, sizeof a->sums);
    assert_memory_equal(&a->torch, &b->torch, sizeof a->torch);
}

static void run_epoch(train_bundle *b, struct train_sums *val)
{
    double norm[LANES];

    train_bundle_clear_sums(b);
    do
        train_bundle_train_step(b, norm);
    while (train_bundle_step(b) > 0);
    train_bundle_evaluate(b, val);
}

static void train(struct outcome *out, const char *ops, struct train_spec *const *specs, int count,
                  int group)
{
    struct train_data *data;
    struct train_sums val[LANES];
    train_bundle *b;

    assert_int_equal(train_data_load(&data, specs[0], NULL), 0);
    assert_int_equal(train_bundle_create(&b, backend(ops), specs, count, data, group, NULL), 0);
    for (int k = 0; k < count; k++)
        train_bundle_init(b, k);
    for (int e = 0; e < EPOCHS; e++)
        run_epoch(b, val);
    for (int k = 0; k < count; k++)
        take(&out[k], b, k, specs[k], &val[k]);
    train_bundle_free(b);
    train_data_free(data);
}

static void free_all(struct train_spec **specs, struct outcome *outcomes, int count)
{
    for (int i = 0; i < count; i++) {
        train_spec_free(specs[i]);
        free(outcomes[i].w);
    }
}

static void alone_among_others_on_any_backend(void **state)
{
    static const struct {
        const char *ops;
        int group;
    } ways[] = {{"ref", 1}, {"ref", 3}, {"cpu", 1}, {"cpu", 4}};
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
            free(together[i].w);
        }
    }
    free_all(specs, alone, TRIALS);
}

/* Nets that drop nothing go into lanes; those that do must not. */
static void in_lanes(void **state)
{
    struct kern_lanes_net net;
    struct train_spec *specs[LANES];
    struct outcome lanes[LANES], plain[LANES];

    (void) state;
    specs[0] = make_spec("random 101x7 classes=3", "linear 9 > dropout 0.5 > linear 3", "sgd", 0);
    assert_false(train_spec_lanes(specs[0], &net));
    train_spec_free(specs[0]);
    for (int i = 0; i < LANES; i++)
        specs[i] = make_spec("random 101x7 classes=3", "linear 9 > relu > linear 3",
                             i % 2 ? "sgd" : "adam", (uint64_t) i);
    assert_true(train_spec_lanes(specs[0], &net));
    train(lanes, "cpu", specs, LANES, 0);
    train(plain, "cpu", specs, LANES, 1);
    for (int i = 0; i < LANES; i++) {
        assert_equal(&lanes[i], &plain[i]);
        free(plain[i].w);
    }
    free_all(specs, lanes, LANES);
}

/* Between two steps of an epoch: every trial goes on in a bundle of its own, and one leaves. */
static void stopped_inside_an_epoch(void **state)
{
    struct train_spec *specs[TRIALS];
    struct outcome whole[TRIALS], after;
    struct train_data *data;
    train_bundle *b, *own;
    struct train_sums val[TRIALS];
    double norm[TRIALS];

    (void) state;
    make_specs(specs);
    train(whole, "cpu", specs, TRIALS, 0);
    assert_int_equal(train_data_load(&data, specs[0], NULL), 0);
    assert_int_equal(train_bundle_create(&b, backend("cpu"), specs, TRIALS, data, 3, NULL), 0);
    for (int k = 0; k < TRIALS; k++)
        train_bundle_init(b, k);
    run_epoch(b, val);
    train_bundle_clear_sums(b);
    train_bundle_train_step(b, norm);
    train_bundle_train_step(b, norm);
    for (int k = 0; k < TRIALS; k++) {
        assert_int_equal(train_bundle_create(&own, backend("cpu"), &specs[k], 1, data, 0, NULL), 0);
        memcpy(train_bundle_weights(own, 0), train_bundle_weights(b, k),
               whole[k].floats * sizeof(float));
        for (int i = 0; i < train_spec_slots(specs[k]); i++)
            memcpy(train_bundle_slot(own, 0, i), train_bundle_slot(b, k, i),
                   whole[k].floats * sizeof(float));
        *train_bundle_torch(own, 0) = *train_bundle_torch(b, k);
        *train_bundle_sums(own, 0) = *train_bundle_sums(b, k);
        train_bundle_seek(own, 1, 2);
        while (train_bundle_step(own) > 0)
            train_bundle_train_step(own, norm);
        train_bundle_evaluate(own, val);
        run_epoch(own, val);
        take(&after, own, 0, specs[k], &val[0]);
        assert_equal(&whole[k], &after);
        free(after.w);
        train_bundle_free(own);
    }
    train_bundle_remove(b, 0); /* the last one takes its place */
    while (train_bundle_step(b) > 0)
        train_bundle_train_step(b, norm);
    train_bundle_evaluate(b, val);
    run_epoch(b, val);
    for (int k = 0; k < TRIALS - 1; k++) {
        const int who = k ? k : TRIALS - 1;
        take(&after, b, k, specs[who], &val[k]);
        assert_equal(&whole[who], &after);
        free(after.w);
    }
    train_bundle_free(b);
    train_data_free(data);
    free_all(specs, whole, TRIALS);
}

static void settings(void **state)
{
    struct train_spec *torch = make_spec("random 101x7 classes=3", "linear 3", "sgd", 0),
                      *spec = NULL, *plain = NULL;
    const struct train_setting noisy[] = {{"dataset", "random 101x7 classes=3", 0},
                                          {"layers", "noise 0.1 > linear 3", 0},
                                          {"rng", "torch", 4}};
    struct train_setting list[] = {{"dataset", "random 101x7 classes=3", 0},
                                   {"batch_size", "16", 0},
                                   {"eval_batch_size", "8", 0},
                                   {"layers", "linear 3", 0},
                                   {"lr", "0.01", 0},
                                   {"rng", "philox", 0},
                                   {"init", "orthogonal", 8}};
    struct cs_error err;

    (void) state;
    assert_int_equal(train_spec_create(&spec, list, 6, 0, NULL), 0);
    assert_int_equal(train_spec_create(&plain, list, 5, 0, NULL), 0);
    assert_false(spec->torch);
    assert_string_equal(spec->id, plain->id);
    assert_string_not_equal(spec->id, torch->id);
    assert_string_not_equal(spec->shape_key, torch->shape_key);
    list[5].value = "torch";
    train_spec_free(plain);
    assert_true(train_spec_create(&plain, list, 7, 0, &err) < 0);
    assert_string_equal(err.detail,
                        "init = orthogonal: rng = torch cannot draw it: PyTorch's normal numbers "
                        "differ between instruction sets; expected pytorch, xavier_uniform, "
                        "kaiming_uniform or zeros");
    assert_int_equal(err.line, 8);
    assert_true(train_spec_create(&plain, noisy, CS_COUNT(noisy), 0, &err) < 0);
    assert_string_equal(err.detail,
                        "rng = torch: layer noise draws normal numbers, and PyTorch's differ "
                        "between instruction sets; expected philox");
    assert_int_equal(err.line, 4);
    train_spec_free(torch);
    train_spec_free(spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_generator),
        cmocka_unit_test(permutations),
        cmocka_unit_test(numbers_of_one_stream),
        cmocka_unit_test(loaders),
        cmocka_unit_test(the_state_as_text),
        cmocka_unit_test(alone_among_others_on_any_backend),
        cmocka_unit_test(in_lanes),
        cmocka_unit_test(stopped_inside_an_epoch),
        cmocka_unit_test(settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
