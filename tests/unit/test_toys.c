/*
 * The toy data sets lie where their files say, without noise, and the noise is as it was asked for; seeds and
 * classes; what is refused.
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
#include "trainer/data/data.h"
#include "trainer/data/draw.h"
#include "trainer/spec.h"

static struct train_data *load(const char *dataset)
{
    const struct train_setting settings[] = {{"dataset", dataset, 0}, {"layers", "linear 100", 0}};
    struct train_spec *spec = NULL;
    struct train_data *data = NULL;
    struct cs_error err;

    if (train_spec_create(&spec, settings, CS_COUNT(settings), 0, &err) < 0 ||
        train_data_load(&data, spec, &err) < 0)
        fail_msg("%s", err.detail);
    train_spec_free(spec);
    return data;
}

static void circles_are_round(void **state)
{
    (void) state;
    for (int i = 0; i <= 64 * 1000; i++) {
        double c, s;
        const double turns = i / 1000.0, x = 6.283185307179586 * (turns - floor(turns));
        train_draw_circle(&c, &s, turns);
        assert_true(fabs(c - cos(x)) < 1e-14 && fabs(s - sin(x)) < 1e-14);
    }
}

static void check_point(const char *kind, const float *at, int label)
{
    const double x = (double) at[0], y = (double) at[1];

    if (strcmp(kind, "moons") == 0) {
        assert_true(fabs((label ? hypot(x - 1, y - 0.5) : hypot(x, y)) - 1) < 1e-6);
        assert_true(label ? y <= 0.5 : y >= 0);
    } else if (strcmp(kind, "xor") == 0) {
        assert_true(fabs(x) <= 1 && fabs(y) <= 1);
        assert_int_equal(label, (x < 0) != (y < 0));
    } else {
        const double turns = 1.5 * hypot(x, y) + label / 3.0,
                     angle = atan2(y, x) / 6.283185307179586;
        const double apart = turns - angle - floor(turns - angle + 0.5);
        assert_true(hypot(x, y) < 1 + 1e-6);
        assert_true(fabs(apart) * hypot(x, y) < 1e-6);
    }
}

static void points_lie_where_they_should(void **state)
{
    static const char *const sets[][2] = {{"moons", "moons 500 noise=0"},
                                          {"spirals", "spirals 500 classes=3 noise=0"},
                                          {"xor", "xor 500"}};

    (void) state;
    for (size_t s = 0; s < CS_COUNT(sets); s++) {
        struct train_data *d = load(sets[s][1]);
        int count[3] = {0};
        assert_int_equal(d->train.count, 500);
        assert_int_equal(d->val.count, 100);
        assert_ptr_equal(d->val.values, d->train.values + 1000);
        assert_int_equal(d->width, s == 1 ? 3 : 2);
        for (int i = 0; i < 600; i++) {
            check_point(sets[s][0], d->train.values + 2 * i, d->train.labels[i]);
            count[d->train.labels[i]]++;
        }
        for (int c = 0; c < d->width; c++)
            assert_true(abs(count[c] - 600 / d->width) <= (s == 2 ? 60 : 0));
        train_data_free(d);
    }
}

static void noise_is_as_asked(void **state)
{
    static const char *const sets[][3] = {{"moons 5000", "moons 5000 noise=0", "0.1"},
                                          {"spirals 5000", "spirals 5000 noise=0", "0.02"},
                                          {"xor 5000 noise=3", "xor 5000", "3"}};

    (void) state;
    for (size_t s = 0; s < CS_COUNT(sets); s++) {
        struct train_data *d = load(sets[s][0]), *exact = load(sets[s][1]);
        double sum = 0, square = 0;
        for (size_t i = 0; i < 10000; i++) {
            const double rest = (double) d->train.values[i] - (double) exact->train.values[i];
            sum += rest / 10000;
            square += rest * rest / 10000;
        }
        const double wanted = strtod(sets[s][2], NULL);
        assert_true(fabs(sum) < 0.04 * wanted);
        assert_true(fabs(sqrt(square) - wanted) < 0.03 * wanted);
        assert_memory_equal(d->train.labels, exact->train.labels, 5000 * sizeof(int32_t));
        train_data_free(d);
        train_data_free(exact);
    }
}

static void seeds_differ(void **state)
{
    struct train_data *a = load("moons 50"), *b = load("moons 50 seed=0"),
                      *c = load("moons 50 seed=4294967296");

    (void) state;
    assert_memory_equal(a->train.values, b->train.values, 100 * sizeof(float));
    for (size_t i = 0; i < 100; i++)
        assert_true(a->train.values[i] != c->train.values[i]);
    train_data_free(a);
    train_data_free(b);
    train_data_free(c);
}

static void refused(const char *dataset, const char *message)
{
    struct train_data_info info;
    struct cs_error err;

    assert_int_equal(train_data_describe(&info, dataset, "", &err), CS_EPARSE);
    assert_string_equal(err.detail, message);
}

static void bad_words_are_refused(void **state)
{
    static const char *const words[] = {"noise=-1", "noise=x",   "seed=-1", "seed=1.5",
                                        "seed=",    "classes=2", "",        "noise=1e7"};
    static const char *const numbers[] = {"moons", "moons 0", "moons x", "moons 10000001",
                                          "moons 5x2"};

    (void) state;
    for (size_t i = 0; i < CS_COUNT(numbers); i++)
        refused(numbers[i], "expected `moons N`, N points in [1, 10000000]");
    for (size_t i = 0; i < CS_COUNT(words); i++) {
        char *text = cs_xasprintf("xor 9 %s", words[i]);
        char *message = cs_xasprintf("%s: expected noise=S (S in [0, 1e6]) or seed=K (a whole "
                                     "number) after xor 9",
                                     words[i]);
        refused(text, message);
        free(text);
        free(message);
    }
    refused("spirals 9 classes=101", "classes=101: expected classes=C (2 to 100), noise=S (S in "
                                     "[0, 1e6]) or seed=K (a whole number) after spirals 9");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(circles_are_round),     cmocka_unit_test(points_lie_where_they_should),
        cmocka_unit_test(noise_is_as_asked),     cmocka_unit_test(seeds_differ),
        cmocka_unit_test(bad_words_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
