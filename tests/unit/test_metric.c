/* Values of the tags from sums, and which are there when an epoch was cut short. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/cs_error.h"
#include "trainer/bundle_state.h"
#include "trainer/metric.h"

static struct train_spec *make(const char *dataset, const char *layers, const char *loss)
{
    const struct train_setting settings[] = {
        {"dataset", dataset, 0}, {"layers", layers, 0}, {"loss", loss, 0}};
    struct train_spec *spec = NULL;
    struct cs_error err;

    if (train_spec_create(&spec, settings, 3, 0, &err) < 0)
        fail_msg("%s", err.detail);
    return spec;
}

/* 4 samples in two batches, weights 2 and 6. */
static const struct train_sums train_sums = {
    .of = {.loss = 4,
           .weight = 8,
           .samples = 4,
           .correct = 3,
           .top = 4,
           .both = 2,
           .said = 3,
           .wanted = 5,
           .absolute = 6,
           .squared = 10},
    .batch_means = 0.75,
    .batches = 2,
    .f1 = 0.125,
};
static const struct train_sums val_sums = {
    .of = {.loss = 3, .weight = 4, .samples = 4, .correct = 2, .absolute = 2, .squared = 1},
    .batch_means = 3,
    .batches = 4,
    .f1 = 0.375,
};

static struct train_measured measure(int labels, bool means, bool whole)
{
    return (struct train_measured){.sums = {&train_sums, &val_sums},
                                   .spread = {40, 2},
                                   .labels = labels,
                                   .batch_means = means,
                                   .lr = 0.01,
                                   .norm = 5,
                                   .whole = whole};
}

static double value(const struct train_spec *spec, const struct train_measured *m, const char *tag)
{
    struct train_row row;

    train_row_fill(&row, spec, m);
    return train_row_value(&row, spec, tag);
}

static void test_metric__classes(void **state)
{
    struct train_spec *s = make("random 9x3 classes=6", "linear 6", "cross_entropy");
    const struct train_measured m = measure(1, false, true), b = measure(1, true, true),
                                cut = measure(1, false, false);

    (void) state;
    assert_true(value(s, &m, "Loss/Train") == 0.5 && value(s, &b, "Loss/Train") == 0.375);
    assert_true(value(s, &m, "Loss/Val") == 0.75 && value(s, &b, "Loss/Val") == 0.75);
    assert_true(value(s, &m, "Accuracy/Train") == 0.75 && value(s, &m, "Accuracy/Val") == 0.5);
    assert_true(value(s, &m, "Accuracy_Top5/Train") == 1);
    assert_true(value(s, &m, "F1/Val") == 0.375);
    assert_true(value(s, &m, "Learning_Rate") == 0.01 && value(s, &m, "Grad/Norm") == 5);
    assert_true(isnan(value(s, &m, "F1/Train")) && isnan(value(s, &m, "MAE/Val")));
    assert_true(value(s, &cut, "Loss/Train") == 0.5 && value(s, &cut, "Accuracy/Train") == 0.75);
    assert_true(isnan(value(s, &cut, "Loss/Val")) && isnan(value(s, &cut, "Grad/Norm")));
    train_spec_free(s);
}

static void test_metric__fractions(void **state)
{
    struct train_spec *s = make("random 9x3 labels=2", "linear 2", "bce_with_logits");
    const struct train_measured m = measure(2, false, true);

    (void) state;
    assert_true(value(s, &m, "Accuracy/Train") == 3.0 / 8);
    assert_true(value(s, &m, "F1/Train") == 4.0 / 8);
    assert_true(value(s, &m, "F1/Val") == 0);
    train_spec_free(s);
}

static void test_metric__values(void **state)
{
    struct train_spec *s = make("regression 9x3 outputs=3", "linear 3", "mse");
    const struct train_measured m = measure(3, false, true), cut = measure(3, false, false);

    (void) state;
    assert_true(value(s, &m, "MAE/Train") == 0.5 && value(s, &m, "MAE/Val") == 2.0 / 12);
    assert_true(value(s, &m, "R2/Train") == 0.75 && value(s, &m, "R2/Val") == 0.5);
    assert_true(value(s, &cut, "MAE/Train") == 0.5 && isnan(value(s, &cut, "R2/Train")));
    train_spec_free(s);
}

static void test_metric__f1_over_classes(void **state)
{
    /* right, predicted, there: 2 of 3 and 4; never seen; predicted alone */
    static const int64_t counts[] = {2, 3, 4, 0, 0, 0, 0, 2, 0};

    (void) state;
    assert_true(fabs(train_bundle_f1(counts, 3) - (4.0 / 7 + 0) / 2) < 1e-15);
    assert_true(train_bundle_f1(counts + 3, 1) == 0);
}

static void test_metric__a_batch_without_weight(void **state)
{
    struct train_sums sums = {.batches = 0};
    const struct kern_loss_sums full = {.loss = 6, .weight = 4, .samples = 4, .correct = 1},
                                empty = {.loss = 0, .weight = 0};

    (void) state;
    train_bundle_add_sums(&sums, &full);
    train_bundle_add_sums(&sums, &empty);
    assert_int_equal(sums.batches, 1);
    assert_true(sums.batch_means == 1.5 && sums.of.loss == 6 && sums.of.weight == 4);
    assert_int_equal(sums.of.correct, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metric__classes),
        cmocka_unit_test(test_metric__fractions),
        cmocka_unit_test(test_metric__values),
        cmocka_unit_test(test_metric__f1_over_classes),
        cmocka_unit_test(test_metric__a_batch_without_weight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
