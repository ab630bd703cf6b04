/*
 * test_init.c - initial values: every scheme's numbers by their place, their spread against the formulas of
 * torch.nn.init, orthogonality, what stays as it is, and the keys.
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
#include "kernels/math/normal.h"
#include "trainer/model.h"
#include "trainer/spec.h"

#define LAYERS \
    "conv 24 5 groups 2 > relu > conv 40 3 > flatten > linear 60 > linear 150 > linear 10"

static struct train_spec *make(const char *init, const char *key, const char *value,
                               const char *bias)
{
    struct train_spec *spec = NULL;
    struct cs_error err;
    const struct train_setting settings[] = {
        {"dataset", "random 8x4 classes=3", 0},
        {"layers", "linear 3", 0},
        {"init", init, 0},
        {"init_bias", bias, 0},
        {key, value, 0},
    };
    if (train_spec_create(&spec, settings, key ? CS_COUNT(settings) : CS_COUNT(settings) - 1, 0,
                          &err) < 0)
        fail_msg("%s", err.detail);
    return spec;
}

static struct train_model *image_model(void)
{
    struct train_model *model = NULL;
    assert_int_equal(
        train_model_create(&model, LAYERS, &(struct train_shape){3, {2, 12, 12}}, NULL), 0);
    return model;
}

/* All parameters of the model in PyTorch's order, one after another. */
static float *draw(const struct train_model *model, const struct train_init *init, uint64_t seed)
{
    float *w = malloc(model->floats * sizeof *w);
    float *out = malloc((size_t) model->parameters * sizeof *out), *at = out;

    memset(w, 0xff, model->floats * sizeof *w);
    train_init_weights(w, model, init, seed, NULL);
    size_t nonzero = 0, zeros = 0;
    for (int i = 0; i < model->segment_count; i++) {
        train_segment_unpack(&model->segments[i], at, w);
        at += model->segments[i].elements;
    }
    for (size_t i = 0; i < model->floats; i++)
        nonzero += kern_bits(w[i]) != 0;
    for (int64_t i = 0; i < model->parameters; i++)
        zeros += kern_bits(out[i]) == 0;
    assert_int_equal(nonzero + zeros, model->parameters); /* padding is +0 */
    free(w);
    return out;
}

static float expected_normal(uint64_t seed, uint32_t parameter, uint32_t element)
{
    for (uint32_t attempt = 0;; attempt++) {
        const struct kern_philox r = kern_philox(seed, element, parameter, attempt, 1u << 16 | 1);
        const float x = (float) (r.v[0] >> 8) / 8388608.0f - 1,
                    y = (float) (r.v[1] >> 8) / 8388608.0f - 1;
        const float s = x * x + y * y;
        if (s > 0 && s < 1)
            return x * sqrtf(-2 * kern_log(s) / s);
    }
}

static float expected_uniform(uint64_t seed, uint32_t parameter, uint32_t element, double bound)
{
    const struct kern_philox r = kern_philox(seed, element / 4, parameter, 0, 1u << 16);
    return fmaf((float) (r.v[element % 4] >> 8) / 16777216.0f, (float) bound - (float) -bound,
                (float) -bound);
}

/* (W W^T or W^T W) / factor^2 is the identity, whichever is smaller; A = Q R with R's diagonal positive. */
static void assert_orthogonal(const float *w, const struct train_segment *s, double factor,
                              uint64_t seed, uint32_t parameter)
{
    const size_t rows = (size_t) s->dim[0], cols = (size_t) s->elements / rows;
    const size_t n = rows < cols ? rows : cols, size = rows < cols ? cols : rows;
    const size_t step = rows < cols ? 1 : cols, next = rows < cols ? cols : 1;

    for (size_t a = 0; a < n; a++) {
        for (size_t b = 0; b < n; b++) {
            double dot = 0, r = 0;
            for (size_t i = 0; i < size; i++) {
                dot += (double) w[a * next + i * step] * (double) w[b * next + i * step];
                r += (double) w[a * next + i * step] *
                     (double) expected_normal(seed, parameter, (uint32_t) (b * next + i * step));
            }
            assert_true(fabs(dot / factor / factor - (a == b)) < 1e-6);
            if (a == b)
                assert_true(r > 0);
            if (a > b)
                assert_true(fabs(r) < 1e-4);
        }
    }
}

/* Mean, variance and fourth moment are those of a uniform or normal variable of that spread: 5 standard errors. */
static void assert_spread(const float *w, int64_t count, double std, bool uniform)
{
    const double kurtosis = uniform ? 1.8 : 3.0, n = (double) count;
    double sum = 0, squares = 0;

    for (int64_t i = 0; i < count; i++) {
        sum += (double) w[i] / std;
        squares += (double) w[i] / std * (double) w[i] / std;
    }
    assert_true(fabs(sum / n) < 5 / sqrt(n));
    assert_true(fabs(squares / n - 1) < 5 * sqrt((kurtosis - 1) / n));
}

static double factor_of(const struct train_init *init, const struct train_segment *s)
{
    const double out = s->dim[0], in = s->dim[1], taps = s->ndim == 4 ? s->dim[2] * s->dim[3] : 1;
    const char *name = init->scheme->name;

    if (strncmp(name, "xavier", 6) == 0)
        return sqrt(2 / (in * taps + out * taps)); /* its gain is 1 */
    if (strncmp(name, "kaiming", 7) == 0)
        return sqrt(2 / (in * taps)); /* fan_in, leaky_relu with slope 0 */
    return 1;
}

static void check_weight(const float *w, const struct train_segment *s,
                         const struct train_init *init, uint64_t seed, uint32_t i)
{
    const double factor = factor_of(init, s);

    for (uint32_t e = 0; e < s->elements; e++) {
        switch (init->scheme->draw) {
        case TRAIN_INIT_DEFAULT:
            assert_true(w[e] == expected_uniform(seed, i, e, s->bound));
            break;
        case TRAIN_INIT_UNIFORM:
            assert_true(fabs((double) (w[e] - expected_uniform(seed, i, e, sqrt(3) * factor))) <
                        1e-7 * factor);
            break;
        case TRAIN_INIT_NORMAL:
            assert_true(w[e] == (float) factor * expected_normal(seed, i, e));
            break;
        case TRAIN_INIT_ORTHOGONAL:
            break;
        case TRAIN_INIT_ZEROS:
            assert_int_equal(kern_bits(w[e]), 0);
            break;
        }
    }
    if (init->scheme->draw == TRAIN_INIT_ORTHOGONAL)
        assert_orthogonal(w, s, 1, seed, i);
    else if (init->scheme->draw != TRAIN_INIT_DEFAULT && init->scheme->draw != TRAIN_INIT_ZEROS)
        assert_spread(w, s->elements, factor, init->scheme->draw == TRAIN_INIT_UNIFORM);
}

static void every_scheme(void **state)
{
    struct train_model *model = image_model();
    size_t count;
    const struct train_init_scheme *schemes = train_init_schemes(&count);

    (void) state;
    assert_int_equal(count, 8);
    for (size_t k = 0; k < count; k++) {
        struct train_spec *spec = make(schemes[k].name, NULL, NULL, "pytorch");
        struct train_init init = spec->init, cleared = init;
        assert_ptr_equal(init.scheme, &schemes[k]);
        assert_false(init.zero_bias);
        cleared.zero_bias = true;
        float *w = draw(model, &init, 7), *other = draw(model, &cleared, 7);
        const float *at = w, *zeroed = other;
        for (int i = 0; i < model->segment_count; i++) {
            const struct train_segment *s = &model->segments[i];
            if (s->role == TRAIN_WEIGHT)
                check_weight(at, s, &init, 7, (uint32_t) i);
            for (uint32_t e = 0; e < s->elements; e++) {
                if (s->role == TRAIN_BIAS)
                    assert_true(at[e] == expected_uniform(7, (uint32_t) i, e, s->bound));
                assert_true(kern_bits(zeroed[e]) == (s->role == TRAIN_BIAS ? 0 : kern_bits(at[e])));
            }
            at += s->elements;
            zeroed += s->elements;
        }
        free(w);
        free(other);
        train_spec_free(spec);
    }
    train_model_free(model);
}

/* By how much a key changes the first weight: its numbers come from the same places. */
static double ratio(const char *init, const char *key, const char *value)
{
    struct train_spec *plain = make(init, NULL, NULL, "zeros"),
                      *changed = make(init, key, value, "zeros");
    struct train_model *model = image_model();
    float *a = draw(model, &plain->init, 3), *b = draw(model, &changed->init, 3);
    const double out = (double) b[0] / (double) a[0];

    free(a);
    free(b);
    train_model_free(model);
    train_spec_free(plain);
    train_spec_free(changed);
    return out;
}

static void keys_of_the_schemes(void **state)
{
    static const struct {
        const char *init, *key, *value;
        double ratio;
    } rows[] = {
        {"xavier_uniform", "init_gain", "1.5", 1.5},
        {"xavier_normal", "init_gain", "0.5", 0.5},
        {"orthogonal", "init_gain", "2", 2},
        {"normal", "init_std", "0.02", 0.02},
        {"kaiming_uniform", "init_nonlinearity", "relu", 1},
        {"kaiming_uniform", "init_nonlinearity", "linear", 0.70710678118654752},
        {"kaiming_normal", "init_nonlinearity", "sigmoid", 0.70710678118654752},
        {"kaiming_normal", "init_nonlinearity", "tanh", 1.1785113019775793},
        {"kaiming_uniform", "init_nonlinearity", "selu", 0.53033008588991064},
        {"kaiming_uniform", "init_a", "2.23606797749979", 0.40824829046386302},
        {"kaiming_uniform", "init_mode", "fan_out", 0.20412414523193151}, /* 1 in, 24 out */
    };

    (void) state;
    for (size_t i = 0; i < CS_COUNT(rows); i++) {
        const double is = ratio(rows[i].init, rows[i].key, rows[i].value);
        if (!(fabs(is / rows[i].ratio - 1) < 1e-6))
            fail_msg("%s, %s = %s: %.9g, not %.9g", rows[i].init, rows[i].key, rows[i].value, is,
                     rows[i].ratio);
    }
}

static void refused(const char *init, const char *key, const char *value, const char *message)
{
    struct train_spec *spec = NULL;
    struct cs_error err;
    const struct train_setting settings[] = {
        {"dataset", "random 8x4 classes=3", 0},
        {"layers", "linear 3", 0},
        {"init", init, 4},
        {key, value, 5},
    };
    assert_true(train_spec_create(&spec, settings, CS_COUNT(settings), 0, &err) < 0);
    assert_string_equal(err.detail, message);
}

static void refusals(void **state)
{
    (void) state;
    refused("xavier", "lr", "1",
            "init = xavier: must be one of pytorch, xavier_uniform, xavier_normal, "
            "kaiming_uniform, kaiming_normal, orthogonal, normal, zeros");
    refused("zeros", "init_gain", "1", "init_gain: not a key of init = zeros");
    refused("normal", "init_std", "-1", "init_std = -1: must be a number in [0, 1000000]");
}

/* A trial that asks for nothing is what it was; initial values are per-trial data. */
static void identity(void **state)
{
    struct train_spec *plain = make("pytorch", NULL, NULL, "pytorch"),
                      *other = make("orthogonal", NULL, NULL, "pytorch"), *none = NULL;
    const struct train_setting settings[] = {{"dataset", "random 8x4 classes=3", 0},
                                             {"layers", "linear 3", 0}};

    (void) state;
    assert_int_equal(train_spec_create(&none, settings, CS_COUNT(settings), 0, NULL), 0);
    assert_string_equal(plain->id, none->id);
    assert_string_not_equal(plain->id, other->id);
    assert_string_equal(plain->shape_key, other->shape_key);
    train_spec_free(plain);
    train_spec_free(other);
    train_spec_free(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scheme),
        cmocka_unit_test(keys_of_the_schemes),
        cmocka_unit_test(refusals),
        cmocka_unit_test(identity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
