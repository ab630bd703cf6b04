/*
 * Data sets: random numbers by their place, splits, orders, Fashion-MNIST against a second reader of its files,
 * and damaged copies of them.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "common/cs_error.h"
#include "common/cs_io.h"
#include "kernels/math/philox.h"
#include "trainer/data/data.h"
#include "trainer/data/draw.h"
#include "trainer/spec.h"

#define FOLDER "/usr/share/datasets/fashion-mnist"

static struct train_spec *make_spec(const char *dataset, const char *path, const char *limit,
                                    const char *val_split, uint64_t seed)
{
    struct train_data_info info;
    struct train_spec *spec = NULL;
    struct cs_error err;
    char layers[64];

    if (train_data_describe(&info, dataset, path, &err) < 0)
        fail_msg("%s", err.detail);
    const bool classes = info.targets == KERN_CLASSES;
    snprintf(layers, sizeof layers, "flatten > linear %d", classes ? 1000 : info.width);
    const struct train_setting settings[] = {
        {"dataset", dataset, 0}, {"path", path, 0},
        {"limit", limit, 0},     {"val_split", val_split, 0},
        {"layers", layers, 0},   {"loss", classes ? "cross_entropy" : "mse", 0},
    };

    if (train_spec_create(&spec, settings, CS_COUNT(settings), seed, &err) < 0)
        fail_msg("%s", err.detail);
    return spec;
}

static struct train_data *load_seed(const char *dataset, const char *limit, const char *val_split,
                                    uint64_t seed)
{
    struct train_spec *spec = make_spec(dataset, "", limit, val_split, seed);
    struct train_data *data = NULL;
    struct cs_error err;

    if (train_data_load(&data, spec, &err) < 0)
        fail_msg("%s", err.detail);
    train_spec_free(spec);
    return data;
}

static struct train_data *load(const char *dataset)
{
    return load_seed(dataset, "0", "0", 0);
}

/* Row r of a side as it is trained on. */
static const float *row(const struct train_side *side, int64_t r, int columns)
{
    return side->values + (size_t) side->index[r] * (size_t) columns;
}

static void random_has_the_stated_sizes(void **state)
{
    static const struct {
        const char *dataset;
        int columns, classes;
        int64_t train, val;
    } rows[] = {
        {"random 100x7 sum>0", 7, 2, 100, 20},      {"random 101x7 classes=3", 7, 3, 101, 21},
        {"random 1x1 sum>0", 1, 2, 1, 1},           {"random 6x2 classes=2", 2, 2, 6, 2},
        {"random 9x3 classes=1000", 3, 1000, 9, 2},
    };

    (void) state;
    for (size_t i = 0; i < CS_COUNT(rows); i++) {
        struct train_data_info info;
        struct train_data *d = load(rows[i].dataset);
        assert_int_equal(train_data_describe(&info, rows[i].dataset, "", NULL), 0);
        assert_int_equal(info.train_count, rows[i].train);
        assert_int_equal(info.test_count, rows[i].val);
        assert_int_equal(info.targets, KERN_CLASSES);
        assert_int_equal(d->targets, KERN_CLASSES);
        assert_int_equal(info.width, rows[i].classes);
        assert_int_equal(d->width, rows[i].classes);
        assert_int_equal(d->shape.ndim, 1);
        assert_int_equal(d->shape.dim[0], rows[i].columns);
        assert_int_equal(d->train.count, rows[i].train);
        assert_int_equal(d->val.count, rows[i].val);
        assert_null(d->train.pixels);
        for (int64_t r = 0; r < d->train.count; r++)
            assert_int_equal(d->train.index[r], r);
        train_data_free(d);
    }
    train_data_free(NULL);
}

/* Philox's place of number i (stream 0, 2, ... per rejected pair), with the C library's logarithm. */
static double expected_normal(uint32_t i)
{
    for (uint32_t attempt = 0;; attempt++) {
        const struct kern_philox r = kern_philox(0, i, 0, 2 * attempt, 4u << 16);
        const float x = 2 * ((float) (r.v[0] >> 8) / 16777216.0f) - 1;
        const float y = 2 * ((float) (r.v[1] >> 8) / 16777216.0f) - 1;
        const float s = x * x + y * y; /* in float: close to 1 its rounding shows */
        if (s < 1 && s > 0)
            return x * sqrt(-2 * log((double) s) / s);
    }
}

static void random_values_are_normal_and_fixed_by_their_place(void **state)
{
    struct train_data *d = load("random 1000x20 sum>0"), *again = load("random 1000x20 sum>0");
    double sum = 0, squares = 0;

    (void) state;
    for (uint32_t i = 0; i < 20000; i++) {
        const double x = d->train.values[i], expected = expected_normal(i);
        if (!(fabs(x - expected) <= 1e-5 * fabs(expected) + 1e-6))
            fail_msg("number %u: %.9g, expected %.9g", i, x, expected);
        sum += x;
        squares += x * x;
    }
    assert_true(fabs(sum / 20000) < 0.03);
    assert_true(fabs(squares / 20000 - 1) < 0.05);
    assert_memory_equal(d->train.values, again->train.values, 24000 * sizeof(float));
    assert_memory_equal(d->train.labels, again->train.labels, 1200 * sizeof(int32_t));
    /* the test set is drawn after the training set */
    assert_ptr_equal(d->val.values, d->train.values + 20000);
    assert_ptr_equal(d->val.labels, d->train.labels + 1000);
    train_data_free(d);
    train_data_free(again);
}

static void labels_follow_their_rule(void **state)
{
    struct train_data *d = load("random 500x9 sum>0");
    int count[7] = {0}, ones = 0;

    (void) state;
    for (int64_t r = 0; r < 600; r++) {
        double sum = 0;
        for (int c = 0; c < 9; c++)
            sum += d->train.values[r * 9 + c];
        if (fabs(sum) > 1e-4)
            assert_int_equal(d->train.labels[r], sum > 0);
        ones += d->train.labels[r];
    }
    assert_true(ones > 240 && ones < 360);
    train_data_free(d);

    d = load("random 5000x1 classes=7");
    for (uint32_t r = 0; r < 6000; r++) {
        const uint32_t word = kern_philox(0, r, 0, 1, 4u << 16).v[0];
        assert_int_equal(d->train.labels[r], (uint64_t) word * 7 >> 32);
        count[d->train.labels[r]]++;
    }
    for (int c = 0; c < 7; c++)
        assert_in_range(count[c], 750, 970); /* 857 expected */
    train_data_free(d);
}

static void refused(const char *dataset, int code, const char *message)
{
    struct train_data_info info;
    struct cs_error err = {0};

    const int rc = train_data_describe(&info, dataset, "", &err);
    assert_string_equal(rc < 0 ? err.detail : dataset, message);
    assert_int_equal(rc, code);
    assert_int_equal(train_data_describe(&info, dataset, "", NULL), code);
}

static void refusals_of_the_name(void **state)
{
    static const char shape[] =
        "expected `random NxD sum>0`, `random NxD classes=C` or `random NxD labels=L` with N x D "
        "<= 10^8";
    static const char *const bad_shape[] = {"random",
                                            "random ",
                                            "random 5",
                                            "random x5 sum>0",
                                            "random 0x5 sum>0",
                                            "random 5x0 sum>0",
                                            "random -5x5 sum>0",
                                            "random 5x-5 sum>0",
                                            "random 1e3x5 sum>0",
                                            "random 5 x5 sum>0",
                                            "random +5x5 sum>0",
                                            "random 05x5 sum>0",
                                            "random 100001x1000 sum>0",
                                            "random 4294967297x1 sum>0",
                                            "random 1x18446744073709551617 sum>0",
                                            "random 5X5 sum>0"};
    static const char *const bad_label[] = {"",
                                            " sum",
                                            " sum>0 ",
                                            " sum>1",
                                            "sum>0",
                                            " classes=1",
                                            " classes=0",
                                            " classes=",
                                            " classes=-2",
                                            " classes=x",
                                            " classes=2x",
                                            " classes=100001",
                                            " classes=4294967298",
                                            " labels=0",
                                            " labels=2 ",
                                            " labels=100001",
                                            " label=2",
                                            "x2 sum>0"};

    (void) state;
    for (size_t i = 0; i < CS_COUNT(bad_shape); i++)
        refused(bad_shape[i], CS_EPARSE, shape);
    for (size_t i = 0; i < CS_COUNT(bad_label); i++) {
        char *text = cs_xasprintf("random 5x4%s", bad_label[i]);
        refused(text, CS_EPARSE, "expected sum>0, classes=C (C >= 2) or labels=L after random 5x4");
        free(text);
    }
    refused("randon 5x4 sum>0", CS_ENONAME, "no such dataset; did you mean random?");
    refused("cifar10", CS_ENONAME,
            "no such dataset; datasets are fashion-mnist, mnist, kmnist, random, regression, "
            "moons, spirals, xor, idx, npy, csv");
    refused("", CS_ENONAME,
            "no such dataset; datasets are fashion-mnist, mnist, kmnist, random, regression, "
            "moons, spirals, xor, idx, npy, csv");
    refused("fashion-mnist x", CS_EPARSE, "unexpected x after fashion-mnist");
    static const char *const bad_size[] = {"regression", "regression 5", "regression 0x5",
                                           "regression 5x4x3", "regression 5x4noise=1"};
    for (size_t i = 0; i < CS_COUNT(bad_size); i++)
        refused(bad_size[i], CS_EPARSE,
                "expected `regression NxD [outputs=K] [noise=S]` with N x D <= 10^8");
    static const char *const bad_word[] = {"outputs=0", "outputs=x", "outputs=2x", "noise=-1",
                                           "noise=x",   "noise=inf", "sum>0",      ""};
    for (size_t i = 0; i < CS_COUNT(bad_word); i++) {
        char *text = cs_xasprintf("regression 5x4 %s", bad_word[i]);
        char *message = cs_xasprintf("%s: expected outputs=K (K >= 1) or noise=S (S in [0, 1e6]) "
                                     "after regression 5x4",
                                     bad_word[i]);
        refused(text, CS_EPARSE, message);
        free(text);
        free(message);
    }
    struct train_data_info info;
    assert_int_equal(train_data_describe(&info, "random 100000x1000 classes=100000", "", NULL), 0);
}

/* w_k, b_k: draws of places k (D + 1) ... of the weights. */
static double linear(const float *x, int columns, uint64_t k, bool with_bias)
{
    double sum = 0;

    for (uint64_t c = 0; c < (uint64_t) columns; c++)
        sum += (double) x[c] *
               (double) train_draw_normal(0, TRAIN_DRAW_WEIGHTS, k * ((uint64_t) columns + 1) + c);
    return sum + (with_bias ? (double) train_draw_normal(0, TRAIN_DRAW_WEIGHTS,
                                                         k * ((uint64_t) columns + 1) +
                                                             (uint64_t) columns)
                            : 0);
}

static void regression_is_linear(void **state)
{
    struct train_data *d = load("regression 300x4 outputs=2 noise=0.5"),
                      *exact = load("regression 300x4 noise=0"), *same = load("random 300x4 sum>0");
    double noise = 0, spread = 0, mean[2] = {0};

    (void) state;
    assert_int_equal(d->targets, KERN_VALUES);
    assert_int_equal(d->width, 2);
    assert_null(d->train.labels);
    assert_int_equal(d->train.count, 300);
    assert_int_equal(d->val.count, 60);
    assert_ptr_equal(d->val.targets, d->train.targets + 600);
    assert_memory_equal(d->train.values, same->train.values, 360 * 4 * sizeof(float));
    for (uint64_t r = 0; r < 360; r++)
        for (uint64_t k = 0; k < 2; k++) {
            const double rest =
                (double) d->train.targets[2 * r + k] - linear(d->train.values + 4 * r, 4, k, true);
            assert_true(fabs(rest - 0.5 * (double) train_draw_normal(0, TRAIN_DRAW_NOISE,
                                                                     2 * r + k)) < 1e-6);
            noise += rest * rest / 720;
            mean[k] += r < 300 ? (double) d->train.targets[2 * r + k] / 300 : 0;
        }
    assert_true(noise > 0.2 && noise < 0.3);
    for (size_t r = 0; r < 300; r++)
        for (size_t k = 0; k < 2; k++)
            spread += pow((double) d->train.targets[2 * r + k] - mean[k], 2);
    assert_true(fabs(d->spread[0] - spread) < 1e-9 * spread);
    for (size_t r = 0; r < 360; r++)
        assert_true(fabs((double) exact->train.targets[r] -
                         linear(exact->train.values + 4 * r, 4, 0, true)) < 1e-6);
    train_data_free(d);
    train_data_free(exact);
    train_data_free(same);
}

static void labels_are_set_by_directions(void **state)
{
    struct train_data *d = load("random 400x6 labels=3");
    int set[3] = {0};

    (void) state;
    assert_int_equal(d->targets, KERN_FRACTIONS);
    assert_int_equal(d->width, 3);
    assert_true(d->spread[0] == 0);
    for (uint64_t r = 0; r < 480; r++)
        for (uint64_t l = 0; l < 3; l++) {
            const float t = d->train.targets[3 * r + l];
            const double side = linear(d->train.values + 6 * r, 6, l, false);
            assert_true(t == (side > 0 ? 1.0f : 0.0f));
            set[l] += t > 0;
        }
    for (int l = 0; l < 3; l++)
        assert_in_range(set[l], 190, 290);
    train_data_free(d);
}

/* Every training row is on one side exactly, and which is the same for every seed. */
static void the_split_is_disjoint_complete_and_fixed(void **state)
{
    static const struct {
        const char *limit, *split;
        int64_t train, val;
    } rows[] = {{"0", "0.2", 80, 20},  {"0", "1", 99, 1},  {"0", "99", 1, 99},
                {"50", "0.5", 25, 25}, {"3", "0.5", 1, 2}, {"200", "30", 70, 30}};

    (void) state;
    for (size_t i = 0; i < CS_COUNT(rows); i++) {
        struct train_data *d = load_seed("random 100x2 sum>0", rows[i].limit, rows[i].split, 0);
        struct train_data *other = load_seed("random 100x2 sum>0", rows[i].limit, rows[i].split, 9);
        const int64_t n = rows[i].train + rows[i].val;
        char seen[100] = {0};
        bool sorted = true;
        assert_int_equal(d->train.count, rows[i].train);
        assert_int_equal(d->val.count, rows[i].val);
        for (int64_t r = 0; r < n; r++) {
            const uint32_t sample =
                r < d->train.count ? d->train.index[r] : d->val.index[r - d->train.count];
            assert_true(sample < n); /* limit comes first */
            assert_int_equal(seen[sample]++, 0);
            sorted = sorted && sample == r;
        }
        assert_false(n > 10 && sorted);
        assert_ptr_equal(d->val.values, d->train.values);
        assert_memory_equal(d->train.index, other->train.index,
                            (size_t) d->train.count * sizeof(uint32_t));
        assert_memory_equal(d->val.index, other->val.index,
                            (size_t) d->val.count * sizeof(uint32_t));
        train_data_free(d);
        train_data_free(other);
    }
}

static void limit_keeps_the_first_rows_and_the_test_set(void **state)
{
    struct train_data *all = load("random 100x3 sum>0");
    struct train_data *d = load_seed("random 100x3 sum>0", "10", "0", 0);

    (void) state;
    assert_int_equal(d->train.count, 10);
    assert_int_equal(d->val.count, 20);
    for (int64_t r = 0; r < 10; r++)
        assert_memory_equal(row(&d->train, r, 3), row(&all->train, r, 3), 3 * sizeof(float));
    for (int64_t r = 0; r < 20; r++)
        assert_memory_equal(row(&d->val, r, 3), row(&all->val, r, 3), 3 * sizeof(float));
    train_data_free(all);
    train_data_free(d);
}

static void sizes(void **state)
{
    const struct train_data_info info = {.train_count = 60000, .test_count = 10000};
    int64_t train, val;
    struct cs_error err;

    (void) state;
    assert_int_equal(train_data_sizes(&train, &val, &info, 0, 0, &err), 0);
    assert_int_equal(train, 60000);
    assert_int_equal(val, 10000);
    assert_int_equal(train_data_sizes(&train, &val, &info, 60001, 0.1, &err), 0);
    assert_int_equal(train, 54000);
    assert_int_equal(val, 6000);
    assert_int_equal(train_data_sizes(&train, &val, &info, 100, 60, &err), 0);
    assert_int_equal(train, 40);
    assert_int_equal(val, 60);
    assert_int_equal(train_data_sizes(&train, &val, &info, 100, 100, &err), CS_ERANGE);
    assert_string_equal(err.detail, "leaves 0 training and 100 validation examples; expected at "
                                    "least 1 of each");
}

static void keys_tell_what_is_seen(void **state)
{
    static const char *const rows[][4] = {
        {"random 10x2 sum>0", "", "0", "0"},   {"random 11x2 sum>0", "", "0", "0"},
        {"random 10x2 sum>0", "/x", "0", "0"}, {"random 10x2 sum>0", "", "5", "0"},
        {"random 10x2 sum>0", "", "0", "0.5"}, {"random 10x2 sum>0", "", "0", "5"},
    };
    char *keys[CS_COUNT(rows)];

    (void) state;
    for (size_t i = 0; i < CS_COUNT(rows); i++) {
        struct train_spec *a = make_spec(rows[i][0], rows[i][1], rows[i][2], rows[i][3], 0);
        struct train_spec *b = make_spec(rows[i][0], rows[i][1], rows[i][2], rows[i][3], 5);
        char *other = train_data_key(b);
        keys[i] = train_data_key(a);
        assert_string_equal(keys[i], other);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(keys[i], keys[k]);
        free(other);
        train_spec_free(a);
        train_spec_free(b);
    }
    for (size_t i = 0; i < CS_COUNT(rows); i++)
        free(keys[i]);
}

enum { ORDER = 1000 };

static void an_order_is_a_permutation(void **state)
{
    static const int64_t counts[] = {1, 2, 3, 4, 5, 63, 64, ORDER};
    uint32_t order[ORDER];

    (void) state;
    for (size_t i = 0; i < CS_COUNT(counts); i++) {
        for (uint32_t epoch = 0; epoch < 20; epoch++) {
            char seen[ORDER] = {0};
            train_data_order(order, counts[i], true, 7, epoch);
            for (int64_t r = 0; r < counts[i]; r++) {
                assert_true(order[r] < counts[i]);
                assert_int_equal(seen[order[r]]++, 0);
            }
        }
        train_data_order(order, counts[i], false, 7, 3);
        for (int64_t r = 0; r < counts[i]; r++)
            assert_int_equal(order[r], r);
    }
    train_data_order(order, 0, true, 7, 3);
}

/* Fisher-Yates on the words of (seed, i / 4, epoch, shuffle). */
static void an_order_is_fisher_yates_of_its_place(void **state)
{
    static const uint64_t seeds[] = {0, 1, 0xfedcba9876543210};
    uint32_t order[101], expected[101];

    (void) state;
    for (size_t s = 0; s < CS_COUNT(seeds); s++) {
        for (uint32_t epoch = 0; epoch < 3; epoch++) {
            for (uint32_t i = 0; i < 101; i++)
                expected[i] = i;
            for (uint32_t i = 0; i < 100; i++) {
                const uint32_t w = kern_philox(seeds[s], i / 4, epoch, 0, 2u << 16).v[i % 4];
                const uint32_t j = i + (uint32_t) ((uint64_t) w * (101 - i) >> 32);
                const uint32_t swap = expected[i];
                expected[i] = expected[j];
                expected[j] = swap;
            }
            train_data_order(order, 101, true, seeds[s], epoch);
            assert_memory_equal(order, expected, sizeof order);
        }
    }
}

static void orders_depend_on_seed_and_epoch(void **state)
{
    uint32_t a[ORDER], b[ORDER];

    (void) state;
    train_data_order(a, ORDER, true, 7, 3);
    train_data_order(b, ORDER, true, 7, 3);
    assert_memory_equal(a, b, sizeof a);
    train_data_order(b, ORDER, true, 8, 3);
    assert_memory_not_equal(a, b, sizeof a);
    train_data_order(b, ORDER, true, 7, 4);
    assert_memory_not_equal(a, b, sizeof a);
    train_data_order(b, ORDER, true, 7 | (uint64_t) 1 << 32, 3);
    assert_memory_not_equal(a, b, sizeof a);
}

/* Each of 6 orders of 3 rows about as often: 6000 draws, 1000 expected. */
static void orders_are_even(void **state)
{
    int count[27] = {0};

    (void) state;
    for (uint32_t epoch = 0; epoch < 6000; epoch++) {
        uint32_t order[3];
        train_data_order(order, 3, true, 1, epoch);
        count[order[0] * 9 + order[1] * 3 + order[2]]++;
    }
    for (int i = 0; i < 27; i++)
        assert_true(count[i] == 0 || (count[i] > 850 && count[i] < 1150));
}

/* Fashion-MNIST. */

static const char *const files[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                    "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};

static void need_package(void)
{
    for (size_t i = 0; i < CS_COUNT(files); i++) {
        char *path = cs_xasprintf(FOLDER "/%s.gz", files[i]);
        const int there = access(path, R_OK);
        free(path);
        if (there != 0)
            skip();
    }
}

/* A whole .gz, by zlib. */
static struct cs_buf inflate_file(const char *path)
{
    struct cs_buf out = {0};
    gzFile file = gzopen(path, "rb");
    char chunk[65536];

    assert_non_null(file);
    for (int n; (n = gzread(file, chunk, sizeof chunk)) > 0;)
        cs_buf_add(&out, chunk, (size_t) n);
    gzclose(file);
    return out;
}

static void side_is(const struct train_side *side, const char *prefix, int64_t count)
{
    char *images_path = cs_xasprintf(FOLDER "/%s-images-idx3-ubyte.gz", prefix);
    char *labels_path = cs_xasprintf(FOLDER "/%s-labels-idx1-ubyte.gz", prefix);
    struct cs_buf images = inflate_file(images_path), labels = inflate_file(labels_path);
    const size_t size = (size_t) count * 784;
    int per_class[10] = {0};

    assert_int_equal(side->count, count);
    assert_null(side->values);
    assert_int_equal(images.size, 16 + size);
    assert_int_equal(labels.size, 8 + (size_t) count);
    assert_int_equal(crc32(0, side->pixels, (unsigned) size),
                     crc32(0, (const unsigned char *) images.data + 16, (unsigned) size));
    for (int64_t i = 0; i < count; i++) {
        assert_int_equal(side->labels[i], labels.data[8 + i]);
        assert_int_equal(side->index[i], i);
        per_class[side->labels[i]]++;
    }
    for (int c = 0; c < 10; c++)
        assert_int_equal(per_class[c], count / 10); /* the set is balanced */
    cs_buf_clear(&images);
    cs_buf_clear(&labels);
    free(images_path);
    free(labels_path);
}

static void fashion_mnist_is_read_as_it_is(void **state)
{
    static const int first_train[] = {9, 0, 0, 3, 0, 2, 7, 2, 5, 5};
    static const int first_test[] = {9, 2, 1, 1, 6, 1, 4, 6, 5, 7};

    (void) state;
    need_package();
    struct train_data *d = load("fashion-mnist");
    assert_int_equal(d->shape.ndim, 3);
    assert_int_equal(train_shape_size(&d->shape), 784);
    assert_int_equal(d->width, 10);
    side_is(&d->train, "train", 60000);
    side_is(&d->val, "t10k", 10000);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(d->train.labels[i], first_train[i]);
        assert_int_equal(d->val.labels[i], first_test[i]);
    }
    train_data_free(d);
}

static char folder[] = "/tmp/csweep-data-XXXXXX";

static void clear_folder(void)
{
    static const char *const ends[] = {"", ".gz"};
    for (size_t i = 0; i < 2 * CS_COUNT(files); i++) {
        char *path = cs_xasprintf("%s/%s%s", folder, files[i / 2], ends[i % 2]);
        unlink(path);
        free(path);
    }
}

static int make_folder(void **state)
{
    (void) state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void) state;
    clear_folder();
    return rmdir(folder);
}

/* Replace one file of the folder. */
static void write_copy(const char *name, const struct cs_buf *data)
{
    char *path = cs_xasprintf("%s/%s", folder, name);
    assert_int_equal(cs_write_file(path, data->data, data->size, NULL), 0);
    free(path);
}

/* The plain content of a file with the right header and nothing but zeros. */
static struct cs_buf zeros(size_t which)
{
    const size_t count = which < 2 ? 60000 : 10000;
    const bool images = which % 2 == 0;
    struct cs_buf out = {0};
    char *bytes = calloc(16 + count * 784, 1);

    memcpy(bytes, images ? "\0\0\x08\x03" : "\0\0\x08\x01", 4);
    bytes[6] = (char) (count >> 8 & 255);
    bytes[7] = (char) (count & 255);
    if (images)
        bytes[11] = bytes[15] = 28;
    cs_buf_add(&out, bytes, images ? 16 + count * 784 : 8 + count);
    free(bytes);
    return out;
}

static void write_all_zeros(void)
{
    clear_folder();
    for (size_t i = 0; i < CS_COUNT(files); i++) {
        struct cs_buf data = zeros(i);
        write_copy(files[i], &data);
        cs_buf_clear(&data);
    }
}

/* Loading from the folder fails so; the message begins with the path of file, if any. */
static void load_fails(int code, const char *file, const char *message)
{
    struct train_spec *spec = make_spec("fashion-mnist", folder, "0", "0", 0);
    struct train_data *data = NULL;
    struct cs_error err = {0};
    char *expected = file ? cs_xasprintf("%s/%s: %s", folder, file, message) : cs_xstrdup(message);

    const int rc = train_data_load(&data, spec, &err);
    assert_string_equal(err.detail, expected);
    assert_int_equal(rc, code);
    assert_null(data);
    free(expected);
    train_spec_free(spec);
}

static void other_folders_and_plain_files(void **state)
{
    (void) state;
    write_all_zeros();
    struct train_spec *spec = make_spec("fashion-mnist", folder, "7", "0", 0);
    struct train_data *data = NULL;
    assert_int_equal(train_spec_check_data(spec, NULL), 0);
    assert_int_equal(train_data_load(&data, spec, NULL), 0);
    assert_int_equal(data->train.count, 7);
    assert_int_equal(data->val.count, 10000);
    assert_int_equal(data->train.labels[59999], 0);
    train_data_free(data);
    train_spec_free(spec);
}

static void missing_files_say_what_to_do(void **state)
{
    (void) state;
    for (size_t i = 0; i < CS_COUNT(files); i++) {
        write_all_zeros();
        char *path = cs_xasprintf("%s/%s", folder, files[i]);
        char *message = cs_xasprintf("dataset fashion-mnist: no readable %s(.gz) in %s; install "
                                     "the package dataset-fashion-mnist or set path",
                                     files[i], folder);
        struct train_spec *spec = make_spec("fashion-mnist", folder, "0", "0", 0);
        struct cs_error err;
        unlink(path);
        assert_int_equal(train_spec_check_data(spec, &err), CS_EUNAVAILABLE);
        assert_string_equal(err.detail, message);
        load_fails(CS_EUNAVAILABLE, NULL, message);
        train_spec_free(spec);
        free(path);
        free(message);
    }
    struct train_spec *spec = make_spec("random 5x2 sum>0", "/nowhere", "0", "0", 0);
    assert_int_equal(train_spec_check_data(spec, NULL), 0);
    train_spec_free(spec);
}

static void headers_are_checked(void **state)
{
    static const struct {
        size_t file, byte;
        const char *message;
    } rows[] = {
        {0, 3, "not an IDX file of 60000 items of 784 bytes"},  /* magic */
        {0, 7, "not an IDX file of 60000 items of 784 bytes"},  /* count */
        {0, 11, "not an IDX file of 60000 items of 784 bytes"}, /* rows */
        {0, 15, "not an IDX file of 60000 items of 784 bytes"}, /* columns */
        {1, 2, "not an IDX file of 60000 items of 1 bytes"},
        {1, 4, "not an IDX file of 60000 items of 1 bytes"},
        {2, 0, "not an IDX file of 10000 items of 784 bytes"},
        {3, 6, "not an IDX file of 10000 items of 1 bytes"},
    };

    (void) state;
    write_all_zeros();
    for (size_t i = 0; i < CS_COUNT(rows); i++) {
        struct cs_buf data = zeros(rows[i].file);
        data.data[rows[i].byte] ^= 1;
        write_copy(files[rows[i].file], &data);
        load_fails(CS_ECORRUPT, files[rows[i].file], rows[i].message);
        data.data[rows[i].byte] ^= 1;
        write_copy(files[rows[i].file], &data);
        cs_buf_clear(&data);
    }
}

static void sizes_are_checked(void **state)
{
    (void) state;
    write_all_zeros();
    struct cs_buf data = zeros(3);
    data.size -= 5;
    write_copy(files[3], &data);
    load_fails(CS_ETRUNCATED, files[3], "ends early; expected 5 bytes more");
    data.size = 3;
    write_copy(files[3], &data);
    load_fails(CS_ETRUNCATED, files[3], "ends early; expected 5 bytes more"); /* of the header */
    data.size = 0;
    write_copy(files[3], &data);
    load_fails(CS_ETRUNCATED, files[3], "ends early; expected 8 bytes more");
    cs_buf_clear(&data);
    data = zeros(3);
    cs_buf_adds(&data, "x");
    write_copy(files[3], &data);
    load_fails(CS_ECORRUPT, files[3], "longer than expected");
    cs_buf_clear(&data);
}

static void labels_are_checked(void **state)
{
    (void) state;
    write_all_zeros();
    struct cs_buf data = zeros(1);
    data.data[8 + 59999] = 9;
    write_copy(files[1], &data);
    struct train_spec *spec = make_spec("fashion-mnist", folder, "0", "0", 0);
    struct train_data *d = NULL;
    assert_int_equal(train_data_load(&d, spec, NULL), 0);
    assert_int_equal(d->train.labels[59999], 9);
    train_data_free(d);
    train_spec_free(spec);
    data.data[8 + 59999] = 10;
    write_copy(files[1], &data);
    load_fails(CS_ECORRUPT, NULL,
               "dataset fashion-mnist: label 10 of example 59999; expected 0 to 9");
    data.data[8 + 17] = (char) 255;
    write_copy(files[1], &data);
    load_fails(CS_ECORRUPT, NULL,
               "dataset fashion-mnist: label 255 of example 17; expected 0 to 9");
    cs_buf_clear(&data);
}

/* The labels of the test set as a .gz whose content is stored, so that only the checksum can see a change. */
static struct cs_buf stored_gz(void)
{
    struct cs_buf plain = zeros(3), out = {0};
    char *path = cs_xasprintf("%s/%s.gz", folder, files[3]);
    gzFile file = gzopen(path, "wb0");

    assert_non_null(file);
    assert_int_equal(gzwrite(file, plain.data, (unsigned) plain.size), plain.size);
    assert_int_equal(gzclose(file), Z_OK);
    assert_int_equal(cs_read_file(&out, path, 1 << 20, NULL), 0);
    free(path);
    cs_buf_clear(&plain);
    return out;
}

static void compressed_files_are_checked_to_their_end(void **state)
{
    (void) state;
    write_all_zeros();
    char *name = cs_xasprintf("%s.gz", files[3]);
    struct cs_buf gz = stored_gz(); /* is taken before the plain one */
    struct train_spec *spec = make_spec("fashion-mnist", folder, "0", "0", 0);
    struct train_data *d = NULL;
    assert_int_equal(train_data_load(&d, spec, NULL), 0);
    train_data_free(d);
    train_spec_free(spec);

    gz.data[gz.size - 100] = 5; /* a label, in range */
    write_copy(name, &gz);
    load_fails(CS_ECORRUPT, name, "damaged (zlib: incorrect data check)");
    gz.data[gz.size - 100] = 0;
    for (size_t cut = 1; cut <= 8; cut++) {
        struct cs_buf part = {gz.data, gz.size - cut, 0};
        write_copy(name, &part);
        load_fails(CS_ETRUNCATED, name, "ends early; expected its checksum");
    }
    struct cs_buf part = {gz.data, gz.size - 108, 0};
    write_copy(name, &part);
    load_fails(CS_ETRUNCATED, name, "ends early; expected 100 bytes more");
    cs_buf_clear(&gz);
    free(name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_has_the_stated_sizes),
        cmocka_unit_test(random_values_are_normal_and_fixed_by_their_place),
        cmocka_unit_test(labels_follow_their_rule),
        cmocka_unit_test(regression_is_linear),
        cmocka_unit_test(labels_are_set_by_directions),
        cmocka_unit_test(refusals_of_the_name),
        cmocka_unit_test(the_split_is_disjoint_complete_and_fixed),
        cmocka_unit_test(limit_keeps_the_first_rows_and_the_test_set),
        cmocka_unit_test(sizes),
        cmocka_unit_test(keys_tell_what_is_seen),
        cmocka_unit_test(an_order_is_a_permutation),
        cmocka_unit_test(an_order_is_fisher_yates_of_its_place),
        cmocka_unit_test(orders_depend_on_seed_and_epoch),
        cmocka_unit_test(orders_are_even),
        cmocka_unit_test(fashion_mnist_is_read_as_it_is),
        cmocka_unit_test(other_folders_and_plain_files),
        cmocka_unit_test(missing_files_say_what_to_do),
        cmocka_unit_test(headers_are_checked),
        cmocka_unit_test(sizes_are_checked),
        cmocka_unit_test(labels_are_checked),
        cmocka_unit_test(compressed_files_are_checked_to_their_end),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
