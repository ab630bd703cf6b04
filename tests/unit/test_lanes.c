/*
 * test_lanes.c - small nets, a trial in every lane: the same bits as the same trials one after the other, on every
 * instance, for any number of trials, any optimizer, any chain of layers; trials that leave; views; seeks.
 */
#include <math.h>

#include "tests/unit/kern_help.h"
#include "trainer/bundle.h"
#include "trainer/bundle_lanes.h"
#include "trainer/bundle_state.h"
#include "trainer/model.h"

enum { MOST = 64, EPOCHS = 2, MORE = 6 };

#define LAYERS "linear 17 > relu > dropout %s > linear 9 > relu > linear 3"

struct choice {
    const char *key, *value;
};

static struct train_spec *try_spec(const char *layers, const char *optimizer, uint64_t seed,
                                   const struct choice *more, struct cs_error *err)
{
    struct train_setting settings[8 + MORE] = {
        {"dataset", "random 101x7 classes=3", 0},
        {"batch_size", "16", 0},
        {"eval_batch_size", "40", 0},
        {"layers", layers, 0},
        {"optimizer", optimizer, 0},
        {"epochs", "2", 0},
    };
    struct train_spec *spec = NULL;
    size_t count = 6;

    for (int i = 0; more && i < MORE && more[i].key; i++) {
        size_t at = 0;
        while (at < count && strcmp(settings[at].key, more[i].key) != 0)
            at++;
        settings[at] = (struct train_setting){more[i].key, more[i].value, 0};
        count += at == count;
    }
    return train_spec_create(&spec, settings, count, seed, err) < 0 ? NULL : spec;
}

static struct train_spec *make_spec(const char *layers, const char *optimizer, uint64_t seed,
                                    const struct choice *more)
{
    struct cs_error err;
    struct train_spec *spec = try_spec(layers, optimizer, seed, more, &err);

    if (!spec)
        fail_msg("%s", err.detail);
    return spec;
}

/* Trials with every optimizer in turn, other seeds, rates and dropout. */
static void make_mixed(struct train_spec **specs, int count)
{
    static const char *const p[] = {"0.2", "0", "0.5"}, *const lr[] = {"0.01", "0.003"};
    const struct kern_optim *const *all = kern_optim_all();
    int optims = 0;

    while (all[optims])
        optims++;
    for (int i = 0; i < count; i++) {
        char layers[128];
        snprintf(layers, sizeof layers, LAYERS, p[i % 3]);
        specs[i] = make_spec(layers, all[i % optims]->name, (uint64_t) i * 1000003 << i % 40,
                             (struct choice[]){{"lr", lr[i % 2]}, {NULL, NULL}});
    }
}

static void free_specs(struct train_spec **specs, int count)
{
    for (int i = 0; i < count; i++)
        train_spec_free(specs[i]);
}

/* The same trials in lanes and one after the other. */
struct pair {
    struct train_data *data;
    train_bundle *lanes, *plain;
    double norm[2][MOST];
};

static void begin_pair(struct pair *p, const struct kern_ops *ops, struct train_spec **specs,
                       int count)
{
    struct cs_error err;

    assert_int_equal(train_data_load(&p->data, specs[0], &err), 0);
    assert_int_equal(train_bundle_create(&p->lanes, ops, specs, count, p->data, 0, &err), 0);
    assert_int_equal(train_bundle_create(&p->plain, ops, specs, count, p->data, 1, &err), 0);
    assert_null(p->plain->lanes);
    for (int k = 0; k < count; k++) {
        train_bundle_init(p->lanes, k);
        train_bundle_init(p->plain, k);
    }
    memset(p->norm, 0, sizeof p->norm);
}

static void end_pair(struct pair *p)
{
    train_bundle_free(p->lanes);
    train_bundle_free(p->plain);
    train_data_free(p->data);
}

/* Weights, state and sums of all trials. */
static void assert_same(struct pair *p, const char *what)
{
    const size_t bytes = p->plain->floats * sizeof(float);

    assert_int_equal(train_bundle_trials(p->lanes), train_bundle_trials(p->plain));
    for (int k = 0; k < train_bundle_trials(p->plain); k++) {
        bool same = memcmp(train_bundle_weights(p->lanes, k), train_bundle_weights(p->plain, k),
                           bytes) == 0;
        for (int i = 0; i < train_spec_slots(p->plain->spec[k]); i++)
            same = same && memcmp(train_bundle_slot(p->lanes, k, i),
                                  train_bundle_slot(p->plain, k, i), bytes) == 0;
        if (!same)
            fail_msg("%s, %s, trial %d (%s): other weights or state", p->lanes->ops->instance, what,
                     k, p->plain->spec[k]->optim->name);
        assert_memory_equal(train_bundle_sums(p->lanes, k), train_bundle_sums(p->plain, k),
                            sizeof(struct train_sums));
        assert_memory_equal(&p->norm[0][k], &p->norm[1][k], sizeof(double));
    }
}

static void assert_same_evaluation(struct pair *p)
{
    struct train_sums sums[2][MOST];

    train_bundle_evaluate(p->lanes, sums[0]);
    train_bundle_evaluate(p->plain, sums[1]);
    assert_true(sums[0][0].of.samples > 0);
    assert_memory_equal(sums[0], sums[1],
                        (size_t) train_bundle_trials(p->plain) * sizeof sums[0][0]);
}

static void train_epoch(struct pair *p)
{
    const int epoch = train_bundle_epoch(p->plain);

    while (train_bundle_epoch(p->lanes) == epoch)
        train_bundle_train_step(p->lanes, p->norm[0]);
    while (train_bundle_epoch(p->plain) == epoch)
        train_bundle_train_step(p->plain, p->norm[1]);
    assert_int_equal(train_bundle_step(p->lanes), 0);
    assert_int_equal(train_bundle_epoch(p->lanes), epoch + 1);
}

static void compare(const struct kern_ops *ops, struct train_spec **specs, int count,
                    const char *what)
{
    struct pair p;

    begin_pair(&p, ops, specs, count);
    for (int e = 0; e < EPOCHS; e++) {
        train_epoch(&p);
        assert_same(&p, what);
        assert_same_evaluation(&p);
    }
    assert_true(p.norm[0][0] > 0);
    end_pair(&p);
}

static void test_lanes__any_number_of_trials(void **state)
{
    static const int counts[] = {1, 2, 7, 8, 16, 64};
    struct train_spec *specs[MOST];

    (void) state;
    make_mixed(specs, MOST);
    for (const struct kern_ops *const *ops = test_instances(); *ops; ops++)
        for (size_t i = 0; i < CS_COUNT(counts); i++)
            compare(*ops, specs, counts[i], "mixed optimizers");
    free_specs(specs, MOST);
}

/* Whole vectors are used, and the trials left over only where they fill one well enough. */
static void test_lanes__are_used(void **state)
{
    struct train_spec *specs[MOST];

    (void) state;
    for (int k = 0; k < MOST; k++)
        specs[k] =
            make_spec("linear 17 > relu > linear 3", k % 2 ? "sgd" : "adam", (uint64_t) k, NULL);
    for (const struct kern_ops *const *ops = test_instances(); *ops; ops++) {
        struct pair p;
        begin_pair(&p, *ops, specs, MOST);
        assert_non_null(p.lanes->lanes);
        for (int k = 0; k < MOST; k++) {
            assert_true(train_lanes_has(p.lanes, k));
            assert_false(train_lanes_has(p.plain, k));
        }
        end_pair(&p);
        begin_pair(&p, *ops, specs, (*ops)->lanes->lanes + 1);
        int in = 0;
        for (int k = 0; k <= (*ops)->lanes->lanes; k++)
            in += train_lanes_has(p.lanes, k);
        assert_int_equal(in, (*ops)->lanes->lanes);
        end_pair(&p);
    }
    free_specs(specs, MOST);
}

/* Every optimizer alone in its vectors, as it is and with each of its switches on. */
static void test_lanes__every_optimizer(void **state)
{
    (void) state;
    for (const struct kern_optim *const *o = kern_optim_all(); *o; o++) {
        for (int i = -1; i < (*o)->param_count; i++) {
            const struct cs_param *row = i < 0 ? NULL : &(*o)->params[i];
            struct train_spec *specs[16];
            struct cs_error err;
            char layers[128];
            struct choice more[] = {{"lr", "0.02"}, {NULL, NULL}, {NULL, NULL}, {NULL, NULL}};
            if (row && (strcmp(row->name, "weight_decay") == 0 || row->type == CS_BOOL ||
                        strcmp(row->name, "momentum") == 0))
                more[1] = (struct choice){row->name, row->type == CS_BOOL ? "yes" : "0.1"};
            else if (row)
                continue;
            if (more[1].key && strcmp(more[1].key, "nesterov") == 0)
                more[2] = (struct choice){"momentum", "0.9"};
            snprintf(layers, sizeof layers, LAYERS, "0.1");
            for (int k = 0; k < 16; k++) {
                specs[k] = try_spec(layers, (*o)->name, (uint64_t) k, more, &err);
                if (!specs[k])
                    fail_msg("%s", err.detail);
            }
            for (const struct kern_ops *const *ops = test_instances(); *ops; ops++)
                compare(*ops, specs, 16, row ? row->name : "as it is");
            free_specs(specs, 16);
        }
    }
}

static void test_lanes__any_chain_of_layers(void **state)
{
    static const struct {
        const char *layers;
        struct choice more[3];
    } nets[] = {
        {"linear 3", {{"batch_size", "1"}}},
        {"linear 3 > relu", {{"batch_size", "7"}}},
        {"linear 3 > dropout 0.3", {{"batch_size", "33"}}},
        {"dropout 0.1 > linear 16 > relu > linear 3", {{"batch_size", "101"}}},
        {"relu > linear 5 > dropout 0.5 > relu > linear 3", {{"batch_size", "50"}}},
        {"linear 12 > dropout 0.2 > dropout 0.4 > linear 1 > linear 3 > relu > dropout 0.1",
         {{"eval_batch_size", "1"}}},
        {"flatten > linear 64 > relu > dropout 0.2 > dropout 0.1 > linear 32 > relu > linear 3",
         {{"dataset", "random 77x20 classes=3"}, {"batch_size", "32"}}},
        {"linear 4 > linear 4 > linear 4 > linear 4 > linear 4 > linear 4 > linear 4 > linear 3",
         {{"shuffle", "no"}}},
        {"linear 17 > relu > linear 40", {{"dataset", "random 101x7 classes=40"}}},
        {"linear 17 > relu > linear 3", {{"tail.match", "2.*"}, {"tail.lr", "0.5"}}},
        {"linear 17 > relu > linear 3", {{"tail.match", "*.bias"}, {"tail.freeze", "yes"}}},
        {"linear 17 > relu > linear 3", {{"tail.match", "0.*"}, {"tail.freeze", "yes"}}},
    };

    (void) state;
    for (size_t n = 0; n < CS_COUNT(nets); n++) {
        struct train_spec *specs[16];
        struct kern_lanes_net net;
        for (int k = 0; k < 16; k++)
            specs[k] = make_spec(nets[n].layers, k % 3 ? "sgd" : "adam", (uint64_t) k,
                                 (struct choice[]){nets[n].more[0], nets[n].more[1], {NULL, NULL}});
        assert_true(train_spec_lanes(specs[0], &net));
        for (const struct kern_ops *const *ops = test_instances(); *ops; ops++)
            compare(*ops, specs, 16, nets[n].layers);
        free_specs(specs, 16);
    }
}

static void test_lanes__goes_on_when_trials_leave(void **state)
{
    struct train_spec *specs[MOST];

    (void) state;
    make_mixed(specs, 32);
    for (const struct kern_ops *const *ops = test_instances(); *ops; ops++) {
        struct pair p;
        begin_pair(&p, *ops, specs, 32);
        for (int left = 32; left > 0; left -= 6) {
            train_epoch(&p);
            for (int i = 0; i < 6 && train_bundle_trials(p.plain) > 0; i++) {
                const int k = i * 5 % train_bundle_trials(p.plain);
                train_bundle_remove(p.lanes, k);
                train_bundle_remove(p.plain, k);
                p.norm[0][k] = p.norm[0][train_bundle_trials(p.plain)];
                p.norm[1][k] = p.norm[1][train_bundle_trials(p.plain)];
            }
            assert_same(&p, "after trials left");
        }
        end_pair(&p);
    }
    free_specs(specs, 32);
}

/* Weights written through a view count, and only for their trial. */
static void test_lanes__views_are_read_back(void **state)
{
    struct train_spec *specs[16];

    (void) state;
    make_mixed(specs, 16);
    for (const struct kern_ops *const *ops = test_instances(); *ops; ops++) {
        struct pair p;
        begin_pair(&p, *ops, specs, 16);
        train_epoch(&p);
        train_bundle_weights(p.lanes, 3)[5] = train_bundle_weights(p.plain, 3)[5] = 0.25f;
        assert_same_evaluation(&p);
        for (int i = 0; i < 3; i++) {
            train_bundle_train_step(p.lanes, p.norm[0]);
            train_bundle_train_step(p.plain, p.norm[1]);
        }
        assert_same(&p, "a written view");
        for (int i = 0; i < 2; i++)
            train_bundle_set_rate(i ? p.lanes : p.plain, 6, 0, 0.125, NAN);
        train_epoch(&p);
        assert_same(&p, "another rate");
        end_pair(&p);
    }
    free_specs(specs, 16);
}

/* Stopping inside an epoch and going on in a new bundle changes nothing. */
static void test_lanes__seek_goes_on_with_the_same_bits(void **state)
{
    struct train_spec *specs[17];

    (void) state;
    make_mixed(specs, 17);
    for (const struct kern_ops *const *ops = test_instances(); *ops; ops++) {
        struct pair p, other;
        begin_pair(&p, *ops, specs, 17);
        begin_pair(&other, *ops, specs, 17);
        train_epoch(&p);
        for (int i = 0; i < 3; i++)
            train_bundle_train_step(p.lanes, p.norm[0]);
        for (int k = 0; k < 17; k++) {
            const size_t bytes = p.plain->floats * sizeof(float);
            memcpy(train_bundle_weights(other.lanes, k), train_bundle_weights(p.lanes, k), bytes);
            for (int i = 0; i < train_spec_slots(specs[k]); i++)
                memcpy(train_bundle_slot(other.lanes, k, i), train_bundle_slot(p.lanes, k, i),
                       bytes);
            *train_bundle_sums(other.lanes, k) = *train_bundle_sums(p.lanes, k);
            memcpy(train_bundle_memory(other.lanes, k), train_bundle_memory(p.lanes, k),
                   TRAIN_GROUPS * KERN_MEMORY * sizeof(double));
        }
        train_bundle_seek(other.lanes, 1, 3);
        train_bundle_free(p.lanes);
        p.lanes = other.lanes;
        other.lanes = NULL;
        train_epoch(&p);
        assert_same(&p, "after a seek");
        end_pair(&p);
        end_pair(&other);
    }
    free_specs(specs, 17);
}

/* A trial that diverges leaves the others their bits. */
static void test_lanes__a_diverged_neighbour(void **state)
{
    struct train_spec *specs[16];

    (void) state;
    make_mixed(specs, 16);
    for (const struct kern_ops *const *ops = test_instances(); *ops; ops++) {
        struct pair p;
        begin_pair(&p, *ops, specs, 16);
        for (int i = 0; i < 2; i++)
            train_bundle_weights(i ? p.lanes : p.plain, 4)[0] = INFINITY;
        train_epoch(&p);
        assert_false(train_bundle_finite(p.lanes, 4));
        assert_false(train_bundle_finite(p.plain, 4));
        for (int i = 0; i < 2; i++)
            train_bundle_remove(i ? p.lanes : p.plain, 4);
        for (int i = 0; i < 2; i++)
            p.norm[i][4] = p.norm[i][15];
        assert_same(&p, "beside a diverged trial");
        end_pair(&p);
    }
    free_specs(specs, 16);
}

/* Trials that ask for more are trained beside the lanes. */
static void test_lanes__some_do_not_fit(void **state)
{
    struct train_spec *specs[24];

    (void) state;
    for (int k = 0; k < 24; k++)
        specs[k] =
            make_spec("linear 17 > relu > linear 3", "adam", (uint64_t) k,
                      (struct choice[]){{"clip_norm", k % 5 == 2 ? "0.01" : "0"}, {NULL, NULL}});
    for (const struct kern_ops *const *ops = test_instances(); *ops; ops++) {
        struct pair p;
        compare(*ops, specs, 24, "some clipped");
        begin_pair(&p, *ops, specs, 24);
        assert_true(train_lanes_has(p.lanes, 0));
        assert_false(train_lanes_has(p.lanes, 2));
        end_pair(&p);
    }
    free_specs(specs, 24);
}

/* What changes a step and is no layer, optimizer or list of samples keeps a trial out of the lanes. */
static void test_lanes__who_fits(void **state)
{
    static const struct {
        const char *layers, *dataset;
    } others[] = {
        {"linear 512 > relu > linear 512 > relu > linear 3", "random 101x7 classes=3"},
        {"res( linear 7 > relu > linear 7 ) > linear 3", "random 101x7 classes=3"},
        {"linear 3 > linear 3 > linear 3 > linear 3 > linear 3 > linear 3 > linear 3 > linear 3 > "
         "linear 3",
         "random 101x7 classes=3"},
    };
    struct kern_lanes_net net;
    struct train_spec *spec = make_spec("linear 5 > relu > linear 3", "sgd", 0, NULL);

    (void) state;
    assert_true(train_spec_lanes(spec, &net));
    assert_int_equal(net.layers, 2);
    assert_int_equal(net.width[1], 5);
    assert_true(net.node[1].relu);
    assert_int_equal(train_spec_fuse(spec), 64);
    train_spec_free(spec);
    for (size_t i = 0; i < CS_COUNT(others); i++) {
        spec = make_spec(others[i].layers, "sgd", 0,
                         (struct choice[]){{"dataset", others[i].dataset}, {NULL, NULL}});
        assert_false(train_spec_lanes(spec, &net));
        assert_true(train_spec_fuse(spec) < 64);
        train_spec_free(spec);
    }
}

/* Rule 10 on bytes, against the same samples as floats. */
static void test_lanes__pixels(void **state)
{
    enum { FEATURES = 21, SAMPLES = 10 };
    const struct kern_lanes_net net = {.layers = 1, .width = {FEATURES, 3}};
    const float mean[] = {0.0f, 0.2860f}, std[] = {1.0f, 0.3530f};
    uint8_t pixels[SAMPLES * FEATURES];
    float values[SAMPLES * FEATURES];
    int32_t labels[SAMPLES];
    uint32_t index[KERN_LANES_MAX * 7], random = 1;

    (void) state;
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t) (test_random(&random) >> 9);
    for (int i = 0; i < SAMPLES; i++)
        labels[i] = i % 3;
    for (size_t i = 0; i < CS_COUNT(index); i++)
        index[i] = test_random(&random) % SAMPLES;
    for (const struct kern_ops *const *ops = test_instances(); *ops; ops++)
        for (int n = 0; n < 2; n++) {
            const struct kern_lanes_ops *l = (*ops)->lanes;
            const size_t floats = kern_lanes_floats(&net, l->lanes);
            float *w = test_buffer(floats), *work = test_buffer(kern_lanes_work(&net, l->lanes, 7));
            struct kern_loss_sums sums[2][KERN_LANES_MAX] = {{{0}}};
            for (size_t i = 0; i < floats; i++)
                w[i] = test_number(&random);
            for (size_t i = 0; i < sizeof pixels; i++)
                values[i] = ((float) pixels[i] / 255.0f - mean[n]) / std[n];
            for (int way = 0; way < 2; way++) {
                const struct kern_lanes_batch batch = {.rows = 7,
                                                       .pixels = way ? pixels : NULL,
                                                       .values = values,
                                                       .mean = mean[n],
                                                       .std = std[n],
                                                       .labels = labels,
                                                       .index = index,
                                                       .index_stride = 7,
                                                       .sums = sums[way]};
                l->evaluate(
                    &(struct kern_lanes){.net = &net, .batch = &batch, .w = w, .work = work});
            }
            assert_true(sums[0][0].loss > 0);
            assert_memory_equal(sums[0], sums[1], sizeof sums[0]);
            free(w);
            free(work);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lanes__any_number_of_trials),
        cmocka_unit_test(test_lanes__are_used),
        cmocka_unit_test(test_lanes__every_optimizer),
        cmocka_unit_test(test_lanes__any_chain_of_layers),
        cmocka_unit_test(test_lanes__goes_on_when_trials_leave),
        cmocka_unit_test(test_lanes__views_are_read_back),
        cmocka_unit_test(test_lanes__seek_goes_on_with_the_same_bits),
        cmocka_unit_test(test_lanes__a_diverged_neighbour),
        cmocka_unit_test(test_lanes__some_do_not_fit),
        cmocka_unit_test(test_lanes__who_fits),
        cmocka_unit_test(test_lanes__pixels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
